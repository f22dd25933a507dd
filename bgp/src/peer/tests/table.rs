//! RFC 4271 §8.2.2 as a table: every state against every event of §8.1, by its number.
//!
//! Not here: 3 to 8 (automatic starts and stops), 12 and 20 (DelayOpen), which this speaker does
//! not have; 11 (KeepaliveTimer) and 13 (IdleHoldTimer), which `alone` has; 14 and 15, which the
//! listener decides; 23 (collision), which has a file of its own. What an event says of a
//! connection it says of the one that we dialled.

use super::alone::{Alone, update};
use super::*;

/// What an event leaves behind.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Then {
    /// The state stays and nothing goes out.
    Stays,
    /// The state is this, and nothing is closed with a NOTIFICATION.
    Is(State),
    /// The connection is closed with this code and subcode; the state is that.
    Ends(u8, u8, State),
}
use Then::{Ends, Is, Stays};

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

/// (number, name, how it happens, what follows in Idle, Connect, Active, OpenSent, OpenConfirm,
/// Established).
fn table() -> Vec<(u8, &'static str, Act, [Then; 6])> {
    use State::{Active, Connect, Established, Idle, OpenConfirm, OpenSent};
    vec![
        (
            1,
            "ManualStart",
            |p| p.give(PeerIn::Start),
            [Is(Active), Stays, Stays, Stays, Stays, Stays],
        ),
        (
            2,
            "ManualStop",
            |p| p.give(PeerIn::Stop(Notification::CEASE_SHUTDOWN)),
            [Stays, Is(Idle), Is(Idle), Ends(6, 2, Idle), Ends(6, 2, Idle), Ends(6, 9, Idle)],
        ),
        (
            9,
            "ConnectRetryTimer_Expires",
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
            |p| match p.state() {
                // It does not run without a connection.
                Idle | Connect | Active => Vec::new(),
                _ => p.pass(241 * SEC),
            },
            [Stays, Stays, Stays, Ends(4, 0, Idle), Ends(4, 0, Idle), Ends(4, 0, Idle)],
        ),
        (16, "Tcp_CR_Acked", Alone::connect, [Stays, Is(OpenSent), Stays, Stays, Stays, Stays]),
        (
            17,
            "TcpConnectionConfirmed",
            Alone::accept,
            [Stays, Is(OpenSent), Is(OpenSent), Is(OpenSent), Stays, Is(Established)],
        ),
        (
            18,
            "TcpConnectionFails",
            |p| match p.state() {
                Connect => p.give(PeerIn::ConnectFailed { reason: "refused".into() }),
                _ => p.give(PeerIn::Closed { slot: Slot::Dialled, reason: "reset".into() }),
            },
            [Stays, Is(Active), Stays, Is(Active), Is(Active), Is(Active)],
        ),
        (
            19,
            "BGPOpen",
            |p| p.receive(Slot::Dialled, &open_of(&config(2, 1))),
            [Stays, Stays, Stays, Is(OpenConfirm), Ends(5, 2, Idle), Ends(5, 3, Idle)],
        ),
        (
            21,
            "BGPHeaderErr",
            |p| p.receive(Slot::Dialled, &[0; 19]),
            [Stays, Stays, Stays, Ends(1, 1, Idle), Ends(1, 1, Idle), Ends(1, 1, Idle)],
        ),
        (
            22,
            "BGPOpenMsgErr",
            |p| {
                let wrong = open_of(&PeerConfig { local_asn: Asn(65000), ..config(2, 1) });
                p.receive(Slot::Dialled, &wrong)
            },
            [Stays, Stays, Stays, Ends(2, 2, Idle), Ends(5, 2, Idle), Ends(5, 3, Idle)],
        ),
        (
            24,
            "NotifMsgVerErr",
            |p| {
                let version = Notification::with(2, 1, vec![0, 4]);
                p.receive(Slot::Dialled, &notification(&version))
            },
            [Stays, Stays, Stays, Is(Idle), Is(Idle), Is(Idle)],
        ),
        (
            25,
            "NotifMsg",
            |p| p.receive(Slot::Dialled, &notification(&Notification::CEASE_RESET)),
            [Stays, Stays, Stays, Is(Active), Is(Active), Is(Active)],
        ),
        (
            26,
            "KeepAliveMsg",
            |p| p.receive(Slot::Dialled, &header::KEEPALIVE),
            [Stays, Stays, Stays, Ends(5, 1, Idle), Is(Established), Is(Established)],
        ),
        (
            27,
            "UpdateMsg",
            |p| p.receive(Slot::Dialled, &update(1)),
            [Stays, Stays, Stays, Ends(5, 1, Idle), Ends(5, 2, Idle), Is(Established)],
        ),
        (
            28,
            "UpdateMsgErr",
            |p| p.receive(Slot::Dialled, &message(Kind::Update, &[0, 9, 0, 0])),
            [Stays, Stays, Stays, Ends(5, 1, Idle), Ends(5, 2, Idle), Ends(3, 1, Idle)],
        ),
        // RFC 9687 §4.1 adds it.
        (
            29,
            "SendHoldTimer_Expires",
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
    for (number, name, act, row) in table() {
        for (state, then) in STATES.into_iter().zip(row) {
            let mut peer = peer_in(state);
            let mut out = act(&mut peer);
            let what = format!("event {number} {name} in {state:?}");
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
    assert_eq!(pairs, 16 * 6);
}

fn was_lost(before: State, after: State) -> bool {
    before == State::Established && after != State::Established
}
