//! RFC 4271 §8.2.2 as a table: every state against every event of §8.1, by its number and with
//! the section that has it. The optional ones that this speaker does without stand in it too, and
//! why. What an event says of a connection it says of the one that we dialled.

use super::alone::{Alone, update};
use super::*;

/// What an event leaves behind.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Then {
    /// The state stays and nothing goes out.
    Stays,
    /// The state is this, and nothing is closed with a NOTIFICATION.
    Is(State),
    /// The state stays, and a KEEPALIVE goes.
    KeepsAlive,
    /// The connection is closed with this code and subcode; the state is that.
    Ends(u8, u8, State),
}
use Then::{Ends, Is, KeepsAlive, Stays};

const STATES: [State; 6] = [
    State::Idle,
    State::Connect,
    State::Active,
    State::OpenSent,
    State::OpenConfirm,
    State::Established,
];

fn peer_in(state: State) -> Alone {
    let peer = match state {
        State::Idle => Alone::new(config(1, 2)),
        State::Connect => Alone::dialling(),
        State::Active => {
            let mut peer = Alone::dialling();
            peer.give(PeerIn::ConnectFailed { reason: "refused".into() });
            peer
        }
        State::OpenSent => Alone::open_sent(Slot::Dialled),
        State::OpenConfirm => Alone::open_confirm(Slot::Dialled),
        State::Established => Alone::established(Slot::Dialled),
    };
    assert_eq!(peer.state(), state);
    peer
}

type Act = fn(&mut Alone) -> Vec<PeerOut>;

/// An event: its number, name and section; how it happens, and what follows in Idle, Connect,
/// Active, OpenSent, OpenConfirm, Established.
type Row = (u8, &'static str, &'static str, Act, [Then; 6]);

/// Optional events (§8.1.1) that this speaker does without: number, name, section, why.
const WITHOUT: [(u8, &str, &str, &str); 9] = [
    (3, "AutomaticStart", "8.1.2", "a start is the operator's (1, 4), or 13 after an error"),
    (
        5,
        "AutomaticStart_with_PassiveTcpEstablishment",
        "8.1.2",
        "as 3; who is passive stays so when it begins again",
    ),
    (
        6,
        "AutomaticStart_with_DampPeerOscillations",
        "8.1.2",
        "damping is in every state but Idle too: 13, and tests/damping",
    ),
    (
        7,
        "AutomaticStart_with_DampPeerOscillations_and_PassiveTcpEstablishment",
        "8.1.2",
        "as 6, passive",
    ),
    (12, "DelayOpenTimer_Expires", "8.1.3", "no DelayOpen: our OPEN goes as soon as it can"),
    (
        14,
        "TcpConnection_Valid",
        "8.1.4",
        "the listener's: it hands on connections that stand, as 17",
    ),
    (
        15,
        "Tcp_CR_Invalid",
        "8.1.4",
        "the listener's: whoever is no neighbour is refused before there is a session",
    ),
    (20, "BGPOpen with DelayOpenTimer running", "8.1.5", "no DelayOpen"),
    (
        0,
        "CollisionDetectEstablishedState",
        "8.1.1",
        "not an event: where 23 is asked in Established too; an Established session stays",
    ),
];

fn table() -> Vec<Row> {
    use State::{Active, Connect, Established, Idle, OpenConfirm, OpenSent};
    vec![
        (
            1,
            "ManualStart",
            "8.1.2",
            |p| p.give(PeerIn::Start),
            [Is(Active), Stays, Stays, Stays, Stays, Stays],
        ),
        (
            2,
            "ManualStop",
            "8.1.2",
            |p| p.give(PeerIn::Stop(Notification::CEASE_SHUTDOWN)),
            [Stays, Is(Idle), Is(Idle), Ends(6, 2, Idle), Ends(6, 2, Idle), Ends(6, 9, Idle)],
        ),
        (
            9,
            "ConnectRetryTimer_Expires",
            "8.1.3",
            |p| match p.state() {
                // The first retry is quick, the end of an attempt is not.
                Active => p.pass(2 * SEC),
                _ => p.pass(16 * SEC),
            },
            [Stays, Is(Connect), Is(Connect), Is(OpenSent), Is(OpenConfirm), Is(Established)],
        ),
        (
            10,
            "HoldTimer_Expires",
            "8.1.3",
            |p| match p.state() {
                // It does not run without a connection.
                Idle | Connect | Active => Vec::new(),
                _ => p.pass(241 * SEC),
            },
            [Stays, Stays, Stays, Ends(4, 0, Idle), Ends(4, 0, Idle), Ends(4, 0, Idle)],
        ),
        (
            16,
            "Tcp_CR_Acked",
            "8.1.4",
            Alone::connect,
            [Stays, Is(OpenSent), Stays, Stays, Stays, Stays],
        ),
        (
            17,
            "TcpConnectionConfirmed",
            "8.1.4",
            Alone::accept,
            [Stays, Is(OpenSent), Is(OpenSent), Is(OpenSent), Stays, Is(Established)],
        ),
        (
            18,
            "TcpConnectionFails",
            "8.1.4",
            |p| match p.state() {
                Connect => p.give(PeerIn::ConnectFailed { reason: "refused".into() }),
                _ => p.give(PeerIn::Closed { slot: Slot::Dialled, reason: "reset".into() }),
            },
            [Stays, Is(Active), Stays, Is(Active), Is(Active), Is(Active)],
        ),
        (
            19,
            "BGPOpen",
            "8.1.5",
            |p| p.receive(Slot::Dialled, &open_of(&config(2, 1))),
            [Stays, Stays, Stays, Is(OpenConfirm), Ends(5, 2, Idle), Ends(5, 3, Idle)],
        ),
        (
            21,
            "BGPHeaderErr",
            "8.1.5",
            |p| p.receive(Slot::Dialled, &[0; 19]),
            [Stays, Stays, Stays, Ends(1, 1, Idle), Ends(1, 1, Idle), Ends(1, 1, Idle)],
        ),
        (
            22,
            "BGPOpenMsgErr",
            "8.1.5",
            |p| {
                let wrong = open_of(&PeerConfig { local_asn: Asn(65000), ..config(2, 1) });
                p.receive(Slot::Dialled, &wrong)
            },
            [Stays, Stays, Stays, Ends(2, 2, Idle), Ends(5, 2, Idle), Ends(5, 3, Idle)],
        ),
        (
            24,
            "NotifMsgVerErr",
            "8.1.5",
            |p| {
                let version = Notification::with(2, 1, vec![0, 4]);
                p.receive(Slot::Dialled, &notification(&version))
            },
            [Stays, Stays, Stays, Is(Idle), Is(Idle), Is(Idle)],
        ),
        (
            25,
            "NotifMsg",
            "8.1.5",
            |p| p.receive(Slot::Dialled, &notification(&Notification::CEASE_RESET)),
            [Stays, Stays, Stays, Is(Active), Is(Active), Is(Active)],
        ),
        (
            26,
            "KeepAliveMsg",
            "8.1.5",
            |p| p.receive(Slot::Dialled, &header::KEEPALIVE),
            [Stays, Stays, Stays, Ends(5, 1, Idle), Is(Established), Is(Established)],
        ),
        (
            27,
            "UpdateMsg",
            "8.1.5",
            |p| p.receive(Slot::Dialled, &update(1)),
            [Stays, Stays, Stays, Ends(5, 1, Idle), Ends(5, 2, Idle), Is(Established)],
        ),
        (
            28,
            "UpdateMsgErr",
            "8.1.5",
            |p| p.receive(Slot::Dialled, &message(Kind::Update, &[0, 9, 0, 0])),
            [Stays, Stays, Stays, Ends(5, 1, Idle), Ends(5, 2, Idle), Ends(3, 1, Idle)],
        ),
        (
            4,
            "ManualStart_with_PassiveTcpEstablishment",
            "8.1.2",
            |p| {
                if p.state() == Idle {
                    *p = Alone::new(PeerConfig { passive: true, ..config(1, 2) });
                }
                let mut out = p.give(PeerIn::Start);
                if p.state() == Active && p.peer.config().passive {
                    out.append(&mut p.pass(300 * SEC));
                }
                out
            },
            [Is(Active), Stays, Stays, Stays, Stays, Stays],
        ),
        (
            8,
            "AutomaticStop",
            "8.1.2",
            // Of a prefix limit (RFC 4486 §4); without a session it is none.
            |p| p.give(PeerIn::OverLimit { family: Family::Ipv4, limit: 1, idle: None }),
            [Stays, Stays, Stays, Stays, Stays, Ends(6, 9, Idle)],
        ),
        (
            11,
            "KeepaliveTimer_Expires",
            "8.1.3",
            // A third of 90 s; in the other states nothing goes for so long.
            |p| match p.state() {
                Idle | OpenSent | OpenConfirm | Established => p.pass(31 * SEC),
                _ => Vec::new(),
            },
            [Stays, Stays, Stays, Stays, KeepsAlive, KeepsAlive],
        ),
        (
            13,
            "IdleHoldTimer_Expires",
            "8.1.3",
            |p| {
                // It runs after an error, and then the state is Idle.
                if p.state() != Idle {
                    return Vec::new();
                }
                *p = Alone::open_sent(Slot::Dialled);
                p.receive(Slot::Dialled, &[0; 19]);
                assert_eq!(p.state(), Idle);
                p.pass(SEC)
            },
            [Is(Connect), Stays, Stays, Stays, Stays, Stays],
        ),
        (
            23,
            "OpenCollisionDump",
            "8.1.5",
            // The neighbour's identifier is the higher one: the connection that it made stays.
            |p| {
                if !matches!(p.state(), OpenSent | OpenConfirm | Established) {
                    return Vec::new();
                }
                let mut out = p.accept();
                if p.state() != Established {
                    out.append(&mut p.receive(Slot::Accepted, &open_of(&config(2, 1))));
                }
                out
            },
            [
                Stays,
                Stays,
                Stays,
                Ends(6, 7, OpenConfirm),
                Ends(6, 7, OpenConfirm),
                Is(Established),
            ],
        ),
        // RFC 9687 §4.1 adds it.
        (
            29,
            "SendHoldTimer_Expires",
            "RFC 9687 4.1",
            |p| {
                p.now = p.now.after(481 * SEC);
                let stalled = 481 * SEC;
                // Only unsent bytes wait: the neighbour itself is heard.
                if p.state() == Established {
                    p.receive(Slot::Dialled, &header::KEEPALIVE);
                    return p.give(PeerIn::Tick { unread: false, stalled });
                }
                Vec::new()
            },
            [Stays, Stays, Stays, Stays, Stays, Ends(8, 0, Idle)],
        ),
    ]
}

#[test]
fn every_state_against_every_event() {
    let mut pairs = 0;
    for (number, name, section, act, row) in table() {
        for (state, then) in STATES.into_iter().zip(row) {
            let mut peer = peer_in(state);
            let mut out = act(&mut peer);
            let what = format!("event {number} {name} (§{section}) in {state:?}");
            let last = |out: &[PeerOut]| {
                out.iter().enumerate().find_map(|(n, effect)| match effect {
                    PeerOut::Send { slot, bytes } if bytes[18] == 3 => {
                        let closed = matches!(out[n + 1], PeerOut::Close { slot: s } if s == *slot);
                        assert!(closed, "{what}: {out:?}");
                        Some((bytes[19], bytes[20]))
                    }
                    _ => None,
                })
            };
            match then {
                Stays => {
                    out.retain(|effect| {
                        !matches!(effect, PeerOut::Refuse(_) | PeerOut::Close { .. })
                    });
                    assert!(out.is_empty(), "{what}: {out:?}");
                    assert_eq!(peer.state(), state, "{what}");
                }
                KeepsAlive => {
                    let sent = kinds(&out, Slot::Dialled);
                    assert!(sent.iter().all(|kind| *kind == Kind::Keepalive), "{what}: {sent:?}");
                    assert!(!sent.is_empty(), "{what}");
                    assert_eq!(peer.state(), state, "{what}");
                }
                Is(then) => {
                    assert_eq!(last(&out), None, "{what}: {out:?}");
                    assert_eq!(peer.state(), then, "{what}: {out:?}");
                }
                Ends(code, subcode, then) => {
                    assert_eq!(last(&out), Some((code, subcode)), "{what}: {out:?}");
                    // A timer that ran further may have dialled again meanwhile.
                    let after = peer.state();
                    let again = number == 10 && after <= State::Active;
                    assert!(after == then || again, "{what}: {after:?}");
                }
            }
            assert_eq!(downs(&out).len(), usize::from(was_lost(state, peer.state())), "{what}");
            pairs += 1;
        }
    }
    assert_eq!(pairs, 21 * 6);
}

#[test]
fn no_event_is_missing_and_none_is_there_twice() {
    let mut numbers: Vec<u8> = table().iter().map(|row| row.0).collect();
    for (number, name, section, why) in WITHOUT {
        assert!(section.starts_with("8.1.") && !why.is_empty(), "{name}");
        numbers.extend((number != 0).then_some(number));
    }
    numbers.sort_unstable();
    // §8.1.2 to §8.1.5 have 28, RFC 9687 adds one.
    assert_eq!(numbers, (1..=29).collect::<Vec<u8>>());
}

fn was_lost(before: State, after: State) -> bool {
    before == State::Established && after != State::Established
}
