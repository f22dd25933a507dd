//! One peer, message by message: each state's answer to each event that matters in it.

use super::*;

/// Peer 10.0.0.1 whose neighbour, played by the test, is 10.0.0.2: the higher identifier, so that
/// in a collision the connection that we accepted stays.
pub(super) struct Alone {
    pub(super) peer: Peer,
    watch: Watch,
    pub(super) now: Time,
}

impl Alone {
    pub(super) fn new(config: PeerConfig) -> Alone {
        Alone { peer: Peer::new(config, 7), watch: Watch::default(), now: Time(1_000_000) }
    }

    /// Started, and the first dial is out.
    pub(super) fn dialling() -> Alone {
        let mut peer = Alone::new(config(1, 2));
        peer.give(PeerIn::Start);
        let out = peer.pass(SEC / 10);
        assert!(matches!(out[..], [PeerOut::Dial, PeerOut::Event(_)]), "{out:?}");
        peer
    }

    /// Its OPEN is out on the connection in `slot`; nothing is under way on the other one.
    pub(super) fn open_sent(slot: Slot) -> Alone {
        let mut peer = Alone::dialling();
        let out = match slot {
            Slot::Dialled => peer.connect(),
            Slot::Accepted => {
                peer.give(PeerIn::ConnectFailed { reason: "refused".into() });
                peer.accept()
            }
        };
        assert_eq!(kinds(&out, slot), [Kind::Open]);
        assert_eq!(peer.state(), State::OpenSent);
        peer
    }

    pub(super) fn open_confirm(slot: Slot) -> Alone {
        let mut peer = Alone::open_sent(slot);
        let out = peer.receive(slot, &open_of(&config(2, 1)));
        assert_eq!(kinds(&out, slot), [Kind::Keepalive]);
        assert_eq!(peer.state(), State::OpenConfirm);
        peer
    }

    pub(super) fn established(slot: Slot) -> Alone {
        let mut peer = Alone::open_confirm(slot);
        let out = peer.receive(slot, &header::KEEPALIVE);
        assert!(matches!(&out[0], PeerOut::Up { slot: up, .. } if *up == slot), "{out:?}");
        assert_eq!(peer.state(), State::Established);
        peer
    }

    pub(super) fn give(&mut self, input: PeerIn<'_>) -> Vec<PeerOut> {
        let (news, mut out) = (news(&input), Vec::new());
        self.peer.handle(self.now, input, &mut out);
        self.watch.check(self.now, &self.peer, news, &out);
        out
    }

    pub(super) fn connect(&mut self) -> Vec<PeerOut> {
        let (local, remote) = ("10.0.0.1:4000".parse().unwrap(), "10.0.0.2:179".parse().unwrap());
        self.give(PeerIn::Connected { local, remote })
    }

    pub(super) fn accept(&mut self) -> Vec<PeerOut> {
        let (local, remote) = ("10.0.0.1:179".parse().unwrap(), "10.0.0.2:4000".parse().unwrap());
        self.give(PeerIn::Accepted { local, remote })
    }

    pub(super) fn receive(&mut self, slot: Slot, bytes: &[u8]) -> Vec<PeerOut> {
        let mut bytes = BytesMut::from(bytes);
        let out = self.give(PeerIn::Received { slot, bytes: &mut bytes });
        assert!(bytes.is_empty(), "{} octets are left", bytes.len());
        out
    }

    /// Lets time pass, with a tick at every deadline.
    pub(super) fn pass(&mut self, time: Duration) -> Vec<PeerOut> {
        let end = self.now.after(time);
        let mut out = Vec::new();
        while let Some(at) = self.peer.next_deadline().filter(|at| *at <= end) {
            self.now = at;
            out.append(&mut self.give(tick(false)));
        }
        self.now = end;
        out
    }

    pub(super) fn state(&self) -> State {
        self.peer.status().state
    }
}

/// An UPDATE that announces 10.`n`.0.0/16 from the mesh.
pub(super) fn update(n: u8) -> Vec<u8> {
    let attributes = [
        0x40, 1, 1, 0, // ORIGIN IGP
        0x40, 2, 0, // AS_PATH, empty
        0x40, 3, 4, 10, 0, 0, 2, // NEXT_HOP
        0x40, 5, 4, 0, 0, 0, 100, // LOCAL_PREF
    ];
    let mut body = vec![0, 0, 0, attributes.len() as u8];
    body.extend(attributes);
    body.extend([16, 10, n]);
    message(Kind::Update, &body)
}

#[test]
fn started_it_dials_once_and_waits() {
    let mut peer = Alone::dialling();
    assert_eq!(peer.state(), State::Connect);
    assert!(peer.give(PeerIn::Start).is_empty(), "it runs already");
    let out = peer.give(PeerIn::ConnectFailed { reason: "refused".into() });
    let failed = DownReason::ConnectFailed("refused".into());
    assert_eq!(events(&out)[0], PeerEvent::Down(failed.clone()));
    assert_eq!(peer.state(), State::Active);
    assert_eq!(peer.peer.status().last_down, Some((failed, peer.now)));
    let out = peer.pass(SEC);
    assert!(matches!(out[0], PeerOut::Dial), "the first retry is quick");
    let out = peer.give(PeerIn::ConnectFailed { reason: "refused".into() });
    assert!(!events(&out).iter().any(|e| matches!(e, PeerEvent::Down(_))), "told already");
    let out = peer.pass(2 * SEC);
    assert!(matches!(out[0], PeerOut::Dial));
    let out = peer.give(PeerIn::ConnectFailed { reason: "no route to host".into() });
    assert!(events(&out).iter().any(|e| matches!(e, PeerEvent::Down(_))), "another reason is told");
}

#[test]
fn an_attempt_without_answer_is_given_up() {
    let mut peer = Alone::dialling();
    let out = peer.pass(15 * SEC);
    assert!(matches!(out[0], PeerOut::Close { slot: Slot::Dialled }), "{out:?}");
    assert_eq!(peer.state(), State::Active);
    let out = peer.connect();
    assert!(matches!(out[..], [PeerOut::Close { slot: Slot::Dialled }]), "too late: {out:?}");
}

#[test]
fn a_passive_peer_only_accepts() {
    let mut peer = Alone::new(PeerConfig { passive: true, ..config(1, 2) });
    peer.give(PeerIn::Start);
    assert_eq!(peer.state(), State::Active);
    assert!(peer.pass(3600 * SEC).is_empty());
    assert_eq!(kinds(&peer.accept(), Slot::Accepted), [Kind::Open]);
    // Set free, it dials; set passive again, it gives the attempt up.
    peer.give(PeerIn::Closed { slot: Slot::Accepted, reason: "reset".into() });
    peer.give(PeerIn::Configure(Box::new(config(1, 2))));
    assert!(matches!(peer.pass(SEC / 10)[0], PeerOut::Dial));
    let out = peer.give(PeerIn::Configure(Box::new(PeerConfig { passive: true, ..config(1, 2) })));
    assert!(matches!(out[0], PeerOut::Close { slot: Slot::Dialled }), "{out:?}");
    assert!(peer.pass(3600 * SEC).is_empty());
}

#[test]
fn stopped_it_takes_nothing() {
    let mut peer = Alone::new(config(1, 2));
    assert_eq!((peer.state(), peer.peer.next_deadline()), (State::Idle, None));
    let out = peer.accept();
    let [PeerOut::Refuse(why)] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*why, Notification::CEASE_REJECTED);
    assert!(matches!(peer.connect()[..], [PeerOut::Close { slot: Slot::Dialled }]));
    assert!(peer.receive(Slot::Accepted, &update(1)).is_empty());
    assert!(peer.give(PeerIn::Stop(Notification::CEASE_SHUTDOWN)).is_empty());
    assert!(peer.give(tick(true)).is_empty());
    assert!(peer.give(PeerIn::RequestRefresh).is_empty());
}

#[test]
fn stop_says_why_on_every_connection() {
    let why = Notification::with(6, 2, &b"\x05night"[..]);
    for slot in Slot::BOTH {
        for make in [Alone::open_sent, Alone::open_confirm, Alone::established] {
            let mut peer = make(slot);
            let was_up = peer.state() == State::Established;
            let out = peer.give(PeerIn::Stop(why.clone()));
            // RFC 8538 §3: the neighbour is not to take it for a restart.
            let said = if was_up { why.hard() } else { why.clone() };
            assert_eq!(ended_with(&out, slot), Some(said.clone()));
            assert_eq!(downs(&out), vec![DownReason::Sent(said); was_up.into()]);
            assert_eq!((peer.state(), peer.peer.next_deadline()), (State::Idle, None));
            assert_eq!(peer.peer.status().flaps, was_up.into());
            assert!(peer.give(PeerIn::Stop(why.clone())).is_empty());
        }
    }
    let mut peer = Alone::open_sent(Slot::Dialled);
    peer.accept();
    let out = peer.give(PeerIn::Stop(why.clone()));
    assert_eq!(ended_with(&out, Slot::Dialled), Some(why.clone()));
    assert_eq!(ended_with(&out, Slot::Accepted), Some(why));
}

#[test]
fn up_carries_what_was_agreed_and_counts() {
    for slot in Slot::BOTH {
        let mut peer = Alone::open_confirm(slot);
        let out = peer.receive(slot, &header::KEEPALIVE);
        let PeerOut::Up { up, .. } = &out[0] else { panic!("{out:?}") };
        assert_eq!((up.peer, up.kind), (PeerId(2), PeerKind::Mesh));
        assert_eq!(up.local, std::net::IpAddr::from([10, 0, 0, 1]));
        assert_eq!(up.address, std::net::IpAddr::from([10, 0, 0, 2]));
        assert_eq!(up.negotiated.families, Families::ALL);
        let change = PeerEvent::State { from: State::OpenConfirm, to: State::Established };
        assert_eq!(events(&out), [change]);
        let status = peer.peer.status();
        assert_eq!(status.negotiated.as_ref(), Some(&up.negotiated));
        assert_eq!(status.capabilities, offer(&config(2, 1), Forwarding::default()).capabilities);
        assert_eq!((status.received.opens, status.received.keepalives), (1, 1));
        assert_eq!((status.sent.opens, status.sent.keepalives), (1, 1));
        let octets = (open_of(&config(2, 1)).len() + 19) as u64;
        assert_eq!((status.received.octets, status.sent.octets), (octets, octets));
        assert_eq!((status.since, status.last_received), (peer.now, Some(peer.now)));
    }
}

#[test]
fn an_old_speaker_is_told_of_once() {
    let mut peer = Alone::open_sent(Slot::Accepted);
    let old = message(Kind::Open, &[4, 0xfc, 0, 0, 90, 10, 0, 0, 2, 0]);
    peer.receive(Slot::Accepted, &old);
    let out = peer.receive(Slot::Accepted, &header::KEEPALIVE);
    let told = events(&out).iter().filter(|e| matches!(e, PeerEvent::Mismatch(_))).count();
    assert_eq!(told, 4, "no ipv6, four-octet AS, refresh, End-of-RIB: {out:?}");
    let out = peer.give(PeerIn::RequestRefresh);
    assert!(matches!(&out[..], [PeerOut::Event(PeerEvent::Mismatch(_))]), "{out:?}");
    peer.give(PeerIn::Closed { slot: Slot::Accepted, reason: "reset".into() });
    peer.accept();
    let out = peer.receive(Slot::Accepted, &[old, header::KEEPALIVE.to_vec()].concat());
    assert!(!events(&out).iter().any(|e| matches!(e, PeerEvent::Mismatch(_))));
}

// ---- Time ---------------------------------------------------------------------------------

#[test]
fn a_silent_neighbour_is_given_up_when_its_hold_time_ends() {
    for slot in Slot::BOTH {
        let mut peer = Alone::open_sent(slot);
        assert_eq!(ended_with(&peer.pass(239 * SEC), slot), None);
        assert_eq!(ended_with(&peer.pass(SEC), slot), Some(Notification::HOLD_TIMER_EXPIRED));
        for make in [Alone::open_confirm, Alone::established] {
            let mut peer = make(slot);
            let out = peer.pass(89 * SEC);
            assert_eq!(ended_with(&out, slot), None);
            let keepalives = kinds(&out, slot).len();
            assert!((2..=3).contains(&keepalives), "every 22.5 to 30 s: {keepalives}");
            let out = peer.pass(SEC);
            assert_eq!(ended_with(&out, slot), Some(Notification::HOLD_TIMER_EXPIRED));
        }
    }
}

/// Half the hold time in silence is told once, until something is heard again; bytes that wait
/// unread are no silence.
#[test]
fn a_neighbour_that_is_not_heard_for_half_its_hold_time_is_overdue() {
    let overdue = |out: &[PeerOut]| {
        out.iter()
            .filter(|out| matches!(out, PeerOut::Overdue { valid } if *valid == 45 * SEC))
            .count()
    };
    let mut peer = Alone::established(Slot::Dialled);
    assert_eq!(overdue(&peer.pass(44 * SEC)), 0);
    assert_eq!(overdue(&peer.pass(40 * SEC)), 1);
    peer.receive(Slot::Dialled, &header::KEEPALIVE);
    assert_eq!(overdue(&peer.pass(44 * SEC)), 0);
    peer.now = peer.now.after(2 * SEC);
    assert_eq!(overdue(&peer.give(tick(true))), 0);
    assert_eq!(overdue(&peer.pass(43 * SEC)), 0, "it is we who are slow");
}

#[test]
fn an_operator_sees_which_timers_run() {
    let peer = Alone::dialling();
    let timers = peer.peer.status().timers;
    assert!(timers.connect_retry.is_some_and(|at| at > peer.now), "{timers:?}");
    assert_eq!(timers, Running { connect_retry: timers.connect_retry, ..Running::default() });

    let mut peer = Alone::established(Slot::Accepted);
    let begun = peer.now;
    let hold = begun.after(90 * SEC);
    let timers = peer.peer.status().timers;
    assert_eq!((timers.hold, timers.connect_retry), (Some(hold), None));
    let keepalive = timers.keepalive.unwrap().since(begun);
    assert!(keepalive <= 30 * SEC && keepalive >= 30 * SEC * 3 / 4, "{keepalive:?}");
    peer.pass(10 * SEC);
    peer.receive(Slot::Accepted, &header::KEEPALIVE);
    assert_eq!(peer.peer.status().timers.hold, Some(begun.after(100 * SEC)));
}

#[test]
fn every_message_restarts_the_hold_timer() {
    let mut peer = Alone::established(Slot::Dialled);
    let refresh = message(Kind::RouteRefresh, &[0, 1, 0, 1]);
    for bytes in [header::KEEPALIVE.to_vec(), update(1), refresh, header::KEEPALIVE.to_vec()] {
        peer.pass(89 * SEC);
        peer.receive(Slot::Dialled, &bytes);
        assert_eq!(peer.state(), State::Established);
    }
    peer.pass(91 * SEC);
    assert_ne!(peer.state(), State::Established);
}

#[test]
fn unread_bytes_extend_the_hold_time() {
    let mut peer = Alone::established(Slot::Dialled);
    for _ in 0..10 {
        peer.now = peer.now.after(90 * SEC);
        peer.give(tick(true));
        assert_eq!(peer.state(), State::Established);
    }
    peer.now = peer.now.after(90 * SEC);
    peer.give(tick(false));
    assert_ne!(peer.state(), State::Established);
}

#[test]
fn hold_time_zero_needs_no_keepalives() {
    let quiet = PeerConfig { hold: Duration::ZERO, ..config(2, 1) };
    let mut peer = Alone::open_sent(Slot::Accepted);
    peer.receive(Slot::Accepted, &open_of(&quiet));
    let out = peer.receive(Slot::Accepted, &header::KEEPALIVE);
    assert!(events(&out).iter().any(|e| matches!(e, PeerEvent::Mismatch(_))), "{out:?}");
    assert!(peer.pass(86_400 * SEC).is_empty());
    assert_eq!(peer.state(), State::Established);

    let mut peer = Alone::open_sent(Slot::Accepted);
    peer.receive(Slot::Accepted, &open_of(&quiet));
    peer.pass(241 * SEC);
    assert_ne!(peer.state(), State::OpenConfirm, "but its KEEPALIVE must come");
}

#[test]
fn after_an_error_connections_are_refused_for_a_second_only() {
    let mut peer = Alone::open_sent(Slot::Accepted);
    peer.receive(Slot::Accepted, &notification(&Notification::BAD_PEER_AS));
    assert_eq!(peer.state(), State::Idle);
    assert!(
        matches!(&peer.accept()[..], [PeerOut::Refuse(why)] if *why == Notification::CEASE_REJECTED)
    );
    peer.pass(SEC);
    assert_eq!(kinds(&peer.accept(), Slot::Accepted), [Kind::Open]);
    // A Cease is no error.
    peer.receive(Slot::Accepted, &notification(&Notification::CEASE_SHUTDOWN));
    assert_eq!(kinds(&peer.accept(), Slot::Accepted), [Kind::Open]);
}
