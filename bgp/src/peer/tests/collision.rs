//! Two connections at once, by the message: which one stays, and what the other one hears.

use super::alone::Alone;
use super::*;

#[test]
fn the_first_open_decides_between_two_connections() {
    // We are the lower one: what we accepted stays, on whichever connection the OPEN comes.
    for first in Slot::BOTH {
        let mut peer = Alone::open_sent(Slot::Dialled);
        assert_eq!(kinds(&peer.accept(), Slot::Accepted), [Kind::Open]);
        let out = peer.receive(first, &open_of(&config(2, 1)));
        assert_eq!(ended_with(&out, Slot::Dialled), Some(Notification::CEASE_COLLISION));
        assert!(!out.iter().any(|o| matches!(o, PeerOut::Close { slot: Slot::Accepted })));
        if first == Slot::Dialled {
            peer.receive(Slot::Accepted, &open_of(&config(2, 1)));
        }
        peer.receive(Slot::Accepted, &header::KEEPALIVE);
        assert_eq!(peer.state(), State::Established);
        assert_eq!(peer.peer.status().last_down, None, "a collision is not an end");
    }
    // And the higher one keeps what it dialled.
    for first in Slot::BOTH {
        let mut peer = Alone::new(config(3, 2));
        peer.give(PeerIn::Start);
        peer.pass(SEC / 10);
        peer.connect();
        peer.accept();
        let out = peer.receive(first, &open_of(&config(2, 3)));
        assert_eq!(ended_with(&out, Slot::Accepted), Some(Notification::CEASE_COLLISION));
        assert!(!out.iter().any(|o| matches!(o, PeerOut::Close { slot: Slot::Dialled })));
    }
}

#[test]
fn a_connection_that_stands_late_is_silent() {
    // Ours is confirmed when theirs comes: no OPEN there, until the other one is decided.
    let mut peer = Alone::open_confirm(Slot::Dialled);
    assert!(peer.accept().is_empty());
    assert_eq!(peer.state(), State::OpenConfirm);

    // Confirmed: the late one is closed.
    let out = peer.receive(Slot::Dialled, &header::KEEPALIVE);
    assert_eq!(ended_with(&out, Slot::Accepted), Some(Notification::CEASE_COLLISION));
    assert_eq!(peer.state(), State::Established);

    // The neighbour prefers the late one: then our OPEN goes there.
    let mut peer = Alone::open_confirm(Slot::Dialled);
    peer.accept();
    let out = peer.receive(Slot::Dialled, &notification(&Notification::CEASE_COLLISION));
    assert_eq!(kinds(&out, Slot::Accepted), [Kind::Open]);
    assert_eq!(peer.state(), State::OpenSent);

    // Its OPEN there decides by the identifiers, for the late one.
    let mut peer = Alone::open_confirm(Slot::Dialled);
    peer.accept();
    let out = peer.receive(Slot::Accepted, &open_of(&config(2, 1)));
    assert_eq!(ended_with(&out, Slot::Dialled), Some(Notification::CEASE_COLLISION));
    assert_eq!(kinds(&out, Slot::Accepted), [Kind::Open, Kind::Keepalive]);

    // It may not say anything else there.
    let mut peer = Alone::open_confirm(Slot::Dialled);
    peer.accept();
    let out = peer.receive(Slot::Accepted, &header::KEEPALIVE);
    assert_eq!(ended_with(&out, Slot::Accepted), Some(Notification::with(5, 0, vec![4])));
    assert_eq!(peer.state(), State::OpenConfirm);
}

#[test]
fn an_open_that_nobody_answers_wins_no_collision_for_long() {
    let mut peer = Alone::new(config(3, 2));
    peer.give(PeerIn::Start);
    peer.pass(SEC / 10);
    peer.connect();
    peer.pass(5 * SEC);
    peer.accept();
    let out = peer.receive(Slot::Accepted, &open_of(&config(2, 3)));
    assert_eq!(ended_with(&out, Slot::Dialled), Some(Notification::CEASE_COLLISION));
    assert_eq!(peer.state(), State::OpenConfirm);
}

#[test]
fn an_established_session_refuses_another_and_asks_for_a_sign_of_life() {
    for slot in Slot::BOTH {
        let mut peer = Alone::established(slot);
        peer.pass(2 * SEC);
        let out = peer.accept();
        assert!(matches!(&out[0], PeerOut::Refuse(why) if *why == Notification::CEASE_COLLISION));
        assert_eq!(kinds(&out, slot), [Kind::Keepalive]);
        let out = peer.accept();
        assert!(matches!(out[..], [PeerOut::Refuse(_)]), "once a second: {out:?}");
        assert_eq!(peer.state(), State::Established);
    }
}

#[test]
fn a_second_accepted_connection_replaces_one_that_is_not_yet_established() {
    for make in [Alone::open_sent, Alone::open_confirm] {
        let mut peer = make(Slot::Accepted);
        let out = peer.accept();
        assert_eq!(ended_with(&out, Slot::Accepted), Some(Notification::CEASE_COLLISION));
        assert_eq!(kinds(&out, Slot::Accepted), [Kind::Notification, Kind::Open]);
        assert_eq!(peer.state(), State::OpenSent);
    }
}

#[test]
fn established_ends_the_attempt_to_dial() {
    let mut peer = Alone::dialling();
    peer.accept();
    peer.receive(Slot::Accepted, &open_of(&config(2, 1)));
    assert_eq!(peer.state(), State::OpenConfirm);
    let out = peer.receive(Slot::Accepted, &header::KEEPALIVE);
    assert!(matches!(out[0], PeerOut::Close { slot: Slot::Dialled }), "{out:?}");
    assert!(matches!(out[1], PeerOut::Up { .. }));
}
