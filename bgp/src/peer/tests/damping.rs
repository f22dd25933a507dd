//! A neighbour that makes errors is left alone for longer and longer (RFC 4271 §8.1.1,
//! IdleHoldTime and DampPeerOscillations).

use super::alone::Alone;
use super::*;

fn with(first: Duration, most: Option<Duration>) -> Alone {
    let config = PeerConfig { idle_hold: IdleHold { first, most }, ..config(1, 2) };
    let mut peer = Alone::new(config);
    peer.give(PeerIn::Start);
    peer.pass(SEC / 10);
    peer
}

/// It connects and says nonsense; for how long it is left alone then.
fn errs(peer: &mut Alone) -> Option<Duration> {
    if peer.state() == State::Connect {
        peer.give(PeerIn::ConnectFailed { reason: "refused".into() });
    }
    assert_eq!(peer.state(), State::Active);
    peer.accept();
    let out = peer.receive(Slot::Accepted, &[0; 19]);
    assert!(out.iter().any(|o| matches!(o, PeerOut::Close { .. })), "{out:?}");
    peer.peer.status().idle_until.map(|until| until.since(peer.now))
}

/// It is neither called nor let in until `wait` is over.
fn is_left_alone(peer: &mut Alone, wait: Duration) {
    assert_eq!(peer.state(), State::Idle);
    let out = peer.accept();
    assert!(matches!(out[..], [PeerOut::Refuse(_)]), "{out:?}");
    let out = peer.pass(wait - Duration::from_millis(1));
    assert!(!out.iter().any(|o| matches!(o, PeerOut::Dial)), "{out:?}");
    assert_eq!(peer.state(), State::Idle);
    let out = peer.pass(Duration::from_millis(1));
    assert!(out.iter().any(|o| matches!(o, PeerOut::Dial)), "it is called at last: {out:?}");
    assert_eq!(peer.peer.status().idle_until, None);
}

#[test]
fn the_time_doubles_from_the_first_to_the_most() {
    let mut peer = with(20 * SEC, Some(70 * SEC));
    for seconds in [20, 40, 70, 70] {
        assert_eq!(errs(&mut peer), Some(seconds * SEC));
        is_left_alone(&mut peer, seconds * SEC);
    }
    // The operator's start is a new beginning.
    peer.give(PeerIn::Stop(Notification::CEASE_SHUTDOWN));
    peer.give(PeerIn::Start);
    peer.pass(SEC / 10);
    assert_eq!(errs(&mut peer), Some(20 * SEC));
}

#[test]
fn by_default_it_is_a_second_at_first_and_connect_retry_at_most() {
    let idle = IdleHold::default();
    assert_eq!((idle.first, idle.most), (SEC, None));
    let mut peer = with(idle.first, idle.most);
    let most = config(1, 2).connect_retry;
    for n in 0..8 {
        let wait = (SEC * (1 << n)).min(most);
        assert_eq!(errs(&mut peer), Some(wait));
        is_left_alone(&mut peer, wait);
    }
    // What is longer from the start is not made shorter by it.
    let mut peer = with(most * 3, None);
    assert_eq!(errs(&mut peer), Some(most * 3));
}

#[test]
fn without_it_whoever_errs_may_come_back_at_once() {
    let mut peer = with(Duration::ZERO, Some(70 * SEC));
    for _ in 0..3 {
        assert_eq!(errs(&mut peer), None);
        assert_eq!(peer.state(), State::Active);
    }
    let out = peer.accept();
    assert!(out.iter().any(|o| matches!(o, PeerOut::Send { .. })), "{out:?}");
}

/// What one side said to the other stays the reason, whatever attempts come to meanwhile, until
/// something else is said or there is a session.
#[test]
fn what_was_said_last_stays_the_reason() {
    let said = DownReason::Received;
    let mut peer = with(SEC, None);
    let attempt = |peer: &mut Alone, why: &Notification| {
        peer.pass(100 * SEC);
        peer.give(PeerIn::ConnectFailed { reason: "refused".into() });
        peer.accept();
        peer.receive(Slot::Accepted, &notification(why));
    };
    attempt(&mut peer, &Notification::BAD_PEER_AS);
    let bad = said(Notification::BAD_PEER_AS);
    let status = peer.peer.status();
    assert_eq!((status.why_down(), status.since_then()), (Some(&bad), None));
    // As BIRD does that waits after an error: it accepts and closes.
    peer.pass(100 * SEC);
    peer.give(PeerIn::ConnectFailed { reason: "refused".into() });
    peer.accept();
    peer.give(PeerIn::Closed { slot: Slot::Accepted, reason: "closed".into() });
    let status = peer.peer.status();
    let closed = DownReason::Lost("closed".into());
    assert_eq!((status.why_down(), status.since_then()), (Some(&bad), Some(&closed)));
    // Who does not answer is away: what it said when it was there is no cure for that.
    peer.pass(200 * SEC);
    let status = peer.peer.status();
    let away = DownReason::ConnectFailed("no answer".into());
    assert_eq!((status.why_down(), status.since_then()), (Some(&away), None));
    // As we do: what is refused says nothing of why.
    attempt(&mut peer, &Notification::CEASE_REJECTED);
    assert_eq!(peer.peer.status().why_down(), Some(&bad));
    let shutdown = said(Notification::CEASE_SHUTDOWN);
    attempt(&mut peer, &Notification::CEASE_SHUTDOWN);
    assert_eq!(peer.peer.status().why_down(), Some(&shutdown));
    // Where nothing else was said it is better than nothing.
    peer.give(PeerIn::Stop(Notification::CEASE_SHUTDOWN));
    peer.give(PeerIn::Start);
    assert_eq!(peer.peer.status().notified, None, "the operator begins anew");
    attempt(&mut peer, &Notification::CEASE_REJECTED);
    assert_eq!(peer.peer.status().why_down(), Some(&said(Notification::CEASE_REJECTED)));

    // A session is the end of it.
    let mut peer = Alone::open_sent(Slot::Accepted);
    peer.receive(Slot::Accepted, &notification(&Notification::BAD_PEER_AS));
    assert_eq!(peer.peer.status().why_down(), Some(&bad));
    peer.pass(100 * SEC);
    peer.give(PeerIn::ConnectFailed { reason: "refused".into() });
    peer.accept();
    peer.receive(Slot::Accepted, &open_of(&config(2, 1)));
    peer.receive(Slot::Accepted, &header::KEEPALIVE);
    assert_eq!((peer.state(), peer.peer.status().notified), (State::Established, None));
    peer.give(PeerIn::Closed { slot: Slot::Accepted, reason: "closed".into() });
    assert_eq!(peer.peer.status().why_down(), Some(&closed));
}
