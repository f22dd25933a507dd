//! What each malformed or untimely message is answered, in each state that can get it.

use super::alone::{Alone, update};
use super::*;
use crate::bfd::{Cause, Loss};
use crate::session::Graceful;
use crate::session::restart::retain;

type Make = fn(Slot) -> Alone;

const STATES: [Make; 3] = [Alone::open_sent, Alone::open_confirm, Alone::established];

#[test]
fn header_errors_are_the_same_in_every_state() {
    let with = |at: usize, octet: u8| {
        let mut bytes = header::KEEPALIVE.to_vec();
        bytes[at] = octet;
        bytes
    };
    let cases = [
        (with(3, 0), Notification::NOT_SYNCHRONIZED),
        (with(17, 18), Notification::with(1, 2, vec![0, 18])),
        (with(17, 20), Notification::with(1, 2, vec![0, 20])),
        (with(16, 0x11), Notification::with(1, 2, vec![0x11, 19])),
        (with(18, 1), Notification::with(1, 2, vec![0, 19])),
        (with(18, 6), Notification::with(1, 3, vec![6])),
        (b"SSH-2.0-".to_vec(), Notification::NOT_SYNCHRONIZED),
    ];
    for make in STATES {
        for slot in Slot::BOTH {
            for (bytes, why) in &cases {
                let mut peer = make(slot);
                let out = peer.receive(slot, bytes);
                assert_eq!(ended_with(&out, slot).as_ref(), Some(why));
                assert_eq!(peer.state(), State::Idle, "damped");
                let last = peer.peer.status().last_down.map(|(reason, _)| reason);
                assert_eq!(last, Some(DownReason::Sent(why.clone())));
            }
        }
    }
}

#[test]
fn each_unacceptable_open_has_its_code() {
    let them = config(2, 1);
    let body = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut body = open_of(&them)[19..].to_vec();
        change(&mut body);
        message(Kind::Open, &body)
    };
    let v6_only = PeerConfig { families: Families::NONE, ..them.clone() };
    let cases: Vec<(&str, Vec<u8>, Notification)> = vec![
        ("version", body(&|b| b[0] = 3), Notification::with(2, 1, vec![0, 4])),
        ("hold 1", body(&|b| b[4] = 1), Notification::UNACCEPTABLE_HOLD_TIME),
        ("hold 2", body(&|b| b[4] = 2), Notification::UNACCEPTABLE_HOLD_TIME),
        ("identifier 0", body(&|b| b[5..9].fill(0)), Notification::BAD_BGP_IDENTIFIER),
        ("parameter", body(&|b| b[10] = 1), Notification::UNSUPPORTED_PARAMETER),
        ("parameter length", body(&|b| b[9] -= 1), Notification::OPEN_UNSPECIFIC),
        (
            "another AS",
            open_of(&PeerConfig { local_asn: Asn(65000), ..them.clone() }),
            Notification::BAD_PEER_AS,
        ),
        (
            "our own identifier",
            open_of(&PeerConfig { router_id: Ipv4Addr::new(10, 0, 0, 1), ..them.clone() }),
            Notification::BAD_BGP_IDENTIFIER,
        ),
    ];
    for slot in Slot::BOTH {
        for (what, bytes, why) in &cases {
            let mut peer = Alone::open_sent(slot);
            let out = peer.receive(slot, bytes);
            assert_eq!(ended_with(&out, slot).as_ref(), Some(why), "{what}");
        }
        // Without multiprotocol capabilities an OPEN offers IPv4, which we have.
        let mut peer = Alone::open_sent(slot);
        peer.receive(slot, &open_of(&v6_only));
        assert_eq!(peer.state(), State::OpenConfirm);
    }
}

#[test]
fn no_common_family_is_an_unsupported_capability() {
    let v6 = Families::from_iter([crate::types::Family::Ipv6]);
    let mut peer = Alone::new(PeerConfig { families: v6, ..config(1, 2) });
    peer.give(PeerIn::Start);
    peer.accept();
    let v4 = Families::from_iter([crate::types::Family::Ipv4]);
    let out = peer.receive(Slot::Accepted, &open_of(&PeerConfig { families: v4, ..config(2, 1) }));
    let why = Notification::with(2, 7, vec![1, 4, 0, 2, 0, 1]);
    assert_eq!(ended_with(&out, Slot::Accepted), Some(why));
}

#[test]
fn messages_out_of_turn() {
    let open = open_of(&config(2, 1));
    let refresh = message(Kind::RouteRefresh, &[0, 1, 0, 1]);
    let keepalive = header::KEEPALIVE.to_vec();
    let cases: [(Make, &Vec<u8>, u8, u8); 7] = [
        (Alone::open_sent, &keepalive, 1, 4),
        (Alone::open_sent, &update(1), 1, 2),
        (Alone::open_sent, &refresh, 1, 5),
        (Alone::open_confirm, &open, 2, 1),
        (Alone::open_confirm, &update(1), 2, 2),
        (Alone::open_confirm, &refresh, 2, 5),
        (Alone::established, &open, 3, 1),
    ];
    for slot in Slot::BOTH {
        for (make, bytes, subcode, kind) in &cases {
            let mut peer = make(slot);
            let out = peer.receive(slot, bytes);
            let why = Notification::with(5, *subcode, vec![*kind]);
            assert_eq!(ended_with(&out, slot), Some(why));
            let told = out.iter().any(|o| matches!(o, PeerOut::Routes(_) | PeerOut::Refresh(_)));
            assert!(!told, "{out:?}");
        }
    }
}

#[test]
fn a_notification_is_never_answered() {
    for make in STATES {
        for slot in Slot::BOTH {
            let mut peer = make(slot);
            let why = Notification::with(6, 2, &b"\x03bye"[..]);
            let out = peer.receive(slot, &notification(&why));
            assert!(sent(&out, slot).is_empty(), "{out:?}");
            assert!(out.iter().any(|o| matches!(o, PeerOut::Close { slot: s } if *s == slot)));
            let told = PeerEvent::Down(DownReason::Received(why));
            assert!(events(&out).contains(&told));
        }
    }
}

#[test]
fn a_broken_connection_ends_what_was_on_it() {
    for make in STATES {
        for slot in Slot::BOTH {
            let mut peer = make(slot);
            let was_up = peer.state() == State::Established;
            let out = peer.give(PeerIn::Closed { slot, reason: "reset".into() });
            let lost = DownReason::Lost("reset".into());
            assert_eq!(downs(&out), vec![lost.clone(); was_up.into()]);
            assert!(events(&out).contains(&PeerEvent::Down(lost)));
            assert_eq!(peer.state(), State::Active);
            assert!(peer.peer.next_deadline().unwrap() <= peer.now.after(2 * SEC));
            assert!(peer.give(PeerIn::Closed { slot, reason: "again".into() }).is_empty());
        }
    }
}

/// What BFD says of a path that carried yet after everything that happened here, and fell silent.
pub(super) fn silent() -> Loss {
    Loss { cause: Cause::Silent(900 * MS), forwarding_lost: false, heard: Time(u64::MAX) }
}

/// A neighbour that restarts in less than a detection time has its new session while BFD still
/// waits for the packets of its former life. That they stop ends nothing, unless its host is
/// found to be gone.
#[test]
fn the_silence_of_a_former_life_does_not_end_the_next_one() {
    for slot in Slot::BOTH {
        let mut peer = Alone::established(slot);
        let since = peer.peer.status().since;
        peer.now = since.after(700 * MS);
        let loss = Loss { heard: since, ..silent() };
        let out = peer.give(PeerIn::BfdDown(loss));
        assert!(matches!(out[..], [PeerOut::Send { .. }, PeerOut::Watch]), "{out:?}");
        assert_eq!(kinds(&out, slot), [Kind::Keepalive]);
        assert_eq!(peer.state(), State::Established);
        // Once it was heard in this life, it is believed at once.
        let loss = Loss { heard: since.after(MS), ..silent() };
        let out = peer.give(PeerIn::BfdDown(loss));
        assert_eq!(downs(&out), [DownReason::Bfd(loss)]);
        // The former life's end is told in any order: nothing is left to end.
        assert!(peer.give(PeerIn::BfdDown(Loss { heard: since, ..silent() })).is_empty());

        let mut dead = Alone::established(slot);
        let since = dead.peer.status().since;
        dead.give(PeerIn::BfdDown(Loss { heard: since, ..silent() }));
        let out = dead.give(PeerIn::Unanswered("mute".into()));
        assert_eq!(downs(&out), [DownReason::Unanswered("mute".into())]);
    }
}

/// RFC 5882 §4.3.1: a neighbour whose BFD lives on without its control plane, and then falls silent,
/// forwards no more: nothing of it is kept, whatever it restarts.
#[test]
fn forwarding_that_is_lost_without_a_session_is_told() {
    for slot in Slot::BOTH {
        for make in STATES {
            let mut peer = make(slot);
            let was = peer.state();
            let out = peer.give(PeerIn::BfdDown(Loss { forwarding_lost: true, ..silent() }));
            if was == State::Established {
                let gone = |o: &PeerOut| matches!(o, PeerOut::Down { retain: None, .. });
                assert!(out.iter().any(gone), "{out:?}");
            } else {
                assert!(matches!(out[..], [PeerOut::ForwardingLost]), "{was:?}: {out:?}");
                assert_eq!(peer.state(), was);
            }
        }
    }
}

/// RFC 9384 §4: Cease, BFD Down. What is not up yet has its own timers.
#[test]
fn a_dead_path_ends_an_established_session_and_nothing_else() {
    for slot in Slot::BOTH {
        for make in STATES {
            let mut peer = make(slot);
            let was = peer.state();
            let out = peer.give(PeerIn::BfdDown(silent()));
            if was != State::Established {
                assert!(out.is_empty() && peer.state() == was, "{was:?}: {out:?}");
                continue;
            }
            assert_eq!(ended_with(&out, slot), Some(Notification::new(6, 10)));
            assert_eq!(downs(&out), [DownReason::Bfd(silent())]);
            assert!(events(&out).contains(&PeerEvent::Down(DownReason::Bfd(silent()))));
            assert_eq!(peer.state(), State::Active);
            assert!(
                peer.peer.next_deadline().unwrap() <= peer.now.after(2 * SEC),
                "it tries again"
            );
        }
    }
}

/// A dead interface, a host that is gone: nothing would get through, so nothing is said. Only the
/// first of them keeps the neighbour's routes.
#[test]
fn what_the_kernel_knows_ends_an_established_session_and_nothing_else() {
    let graceful = Graceful {
        families: Families::ALL,
        preserved: Families::ALL,
        restarting: false,
        notification: true,
        time: 120 * SEC,
        long_lived: [Duration::ZERO; 2],
    };
    let link = || (PeerIn::LinkDown("gone".into()), DownReason::Link("gone".into()), true);
    let host = || (PeerIn::Unanswered("mute".into()), DownReason::Unanswered("mute".into()), false);
    for sign in [link, host] {
        for slot in Slot::BOTH {
            for make in STATES {
                let (input, reason, stays) = sign();
                let mut peer = make(slot);
                let was = peer.state();
                let out = peer.give(input);
                if was != State::Established {
                    assert!(out.is_empty() && peer.state() == was, "{was:?}: {out:?}");
                    continue;
                }
                assert_eq!(sent(&out, slot), []);
                assert!(matches!(&out[0], PeerOut::Close { slot: closed } if *closed == slot));
                assert_eq!(downs(&out), std::slice::from_ref(&reason));
                assert_eq!(peer.state(), State::Active);
                let kept = retain(&config(1, 2), Some(&graceful), &reason);
                assert_eq!(kept.is_some(), stays, "{reason:?}");
            }
        }
    }
}

/// No timer runs while something is waited for; what was waited for is used at once.
#[test]
fn what_is_waited_for_is_not_tried_in_a_loop() {
    let mut peer = Peer::new(config(1, 2), 1);
    let mut out = Vec::new();
    peer.handle(Time::ZERO, PeerIn::Start, &mut out);
    let due = peer.next_deadline().unwrap();
    peer.handle(due, tick(false), &mut out);
    assert!(out.iter().any(|out| matches!(out, PeerOut::Dial)), "{out:?}");
    peer.handle(due, PeerIn::Waiting { reason: "no address".into() }, &mut out);
    let said = DownReason::ConnectFailed("no address".into());
    assert!(events(&out).contains(&PeerEvent::Down(said)), "{out:?}");
    assert_eq!((peer.next_deadline(), peer.status().state), (None, State::Active));
    let later = due.after(3600 * SEC);
    peer.handle(later, PeerIn::Retry, &mut Vec::new());
    let due = peer.next_deadline().unwrap();
    assert!(due <= later.after(100 * MS));
    out.clear();
    peer.handle(due, tick(false), &mut out);
    assert!(out.iter().any(|out| matches!(out, PeerOut::Dial)), "{out:?}");
    // Nor does it hurry one that dials already, or one that waits to be called.
    peer.handle(due, PeerIn::Retry, &mut out);
    assert!(peer.next_deadline().unwrap() > due.after(SEC));
}
