//! Any sequence of inputs: nothing panics, and what a pump relies on holds after each
//! ([`Watch`]): one session at most, no bytes for a closed connection, no overdue deadline.

use proptest::prelude::*;

use super::alone::update;
use super::codes::silent;
use super::*;
use crate::session::Restart;

#[derive(Clone, Debug)]
enum Step {
    Start,
    Stop,
    Leave,
    Forwarding(bool, bool),
    OverLimit(Option<u16>),
    Configure(u8),
    Connected,
    ConnectFailed,
    Accepted,
    Closed(Slot),
    Received(Slot, Vec<Message>),
    /// Time passes by so many milliseconds, with or without unread bytes, to whatever is due;
    /// ours wait unsent for so many seconds.
    Pass(u32, bool, u16),
    RequestRefresh,
    BfdDown,
    LinkDown,
    Probe,
    Unanswered,
    Waiting,
    Retry,
}

#[derive(Clone, Debug)]
enum Message {
    /// The OPEN of a neighbour with that last octet of its identifier, which offers that.
    Open(u8, u8),
    Keepalive,
    Update(u8),
    Refresh(u16),
    Notification(u8, u8),
    Garbage(Vec<u8>),
    /// A well-formed header with anything behind it.
    Framed(u8, Vec<u8>),
}

fn slot() -> impl Strategy<Value = Slot> + Clone {
    prop_oneof![Just(Slot::Dialled), Just(Slot::Accepted)]
}

fn any_message() -> impl Strategy<Value = Message> {
    prop_oneof![
        6 => (prop_oneof![Just(2u8), Just(0), Just(1)], any::<u8>())
            .prop_map(|(octet, offers)| Message::Open(octet, offers)),
        6 => Just(Message::Keepalive),
        4 => any::<u8>().prop_map(Message::Update),
        1 => any::<u16>().prop_map(Message::Refresh),
        1 => (0u8..8, 0u8..9).prop_map(|(code, subcode)| Message::Notification(code, subcode)),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Message::Garbage),
        2 => (1u8..6, prop::collection::vec(any::<u8>(), 0..60))
            .prop_map(|(kind, body)| Message::Framed(kind, body)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => Just(Step::Start),
        1 => Just(Step::Stop),
        1 => Just(Step::Leave),
        1 => any::<(bool, bool)>().prop_map(|(r, f)| Step::Forwarding(r, f)),
        1 => any::<Option<u16>>().prop_map(Step::OverLimit),
        1 => (0u8..8).prop_map(Step::Configure),
        4 => Just(Step::Connected),
        2 => Just(Step::ConnectFailed),
        4 => Just(Step::Accepted),
        1 => slot().prop_map(Step::Closed),
        15 => (slot(), prop::collection::vec(any_message(), 1..4))
            .prop_map(|(slot, messages)| Step::Received(slot, messages)),
        6 => (prop_oneof![0u32..200, 0u32..120_000], any::<bool>(), prop_oneof![4 => 0u16..5, 1 => 0u16..900])
            .prop_map(|(millis, unread, stalled)| Step::Pass(millis, unread, stalled)),
        1 => Just(Step::RequestRefresh),
        1 => Just(Step::BfdDown),
        2 => prop_oneof![
            Just(Step::LinkDown),
            Just(Step::Probe),
            Just(Step::Unanswered),
            Just(Step::Waiting),
            Just(Step::Retry),
        ],
    ]
}

fn bytes_of(messages: &[Message]) -> Vec<u8> {
    let one = |message: &Message| match message {
        Message::Open(octet, offers) => {
            let router_id = Ipv4Addr::new(10, 0, 0, *octet);
            open_of(&PeerConfig { router_id, offer: offered(*offers), ..config(2, 1) })
        }
        Message::Keepalive => header::KEEPALIVE.to_vec(),
        Message::Update(n) => update(*n),
        Message::Refresh(which) => {
            let [afi, subtype] = which.to_be_bytes().map(|octet| octet & 3);
            super::message(Kind::RouteRefresh, &[0, afi, subtype, 1])
        }
        Message::Notification(code, subcode) => notification(&Notification::new(*code, *subcode)),
        Message::Garbage(bytes) => bytes.clone(),
        Message::Framed(kind, body) => {
            let mut bytes = super::message(Kind::Keepalive, body);
            bytes[18] = *kind;
            bytes
        }
    };
    messages.iter().flat_map(one).collect()
}

/// Some of what an OPEN can offer.
fn offered(bits: u8) -> Offer {
    let has = |bit: u8| bits & bit != 0;
    Offer {
        extended_messages: has(1),
        extended_next_hop: has(2),
        add_path_receive: has(4),
        add_path_send: has(8),
        restart: Restart {
            time: if has(16) { 120 * SEC } else { Duration::ZERO },
            helper: has(32),
            long_lived: if has(64) { 3600 * SEC } else { Duration::ZERO },
        },
        role: None,
        strict_role: has(128),
    }
}

fn variant(n: u8) -> PeerConfig {
    match n {
        0 => config(1, 2),
        1 => PeerConfig { passive: true, ..config(1, 2) },
        2 => PeerConfig { connect_retry: Duration::ZERO, ..config(1, 2) },
        3 => PeerConfig { hold: Duration::ZERO, ..config(1, 2) },
        4 => PeerConfig { send_hold: Some(5 * SEC), ..config(1, 2) },
        5 | 6 => PeerConfig { offer: offered(n * 37), ..config(1, 2) },
        _ => PeerConfig { hold: 3 * SEC, connect_retry: SEC, ..config(1, 2) },
    }
}

fn play(steps: &[Step], seed: u64) -> (Peer, usize) {
    let mut peer = Peer::new(config(1, 2), seed);
    let (mut watch, mut now, mut ups) = (Watch::default(), Time::ZERO, 0);
    let local: std::net::SocketAddr = "10.0.0.1:179".parse().unwrap();
    for step in steps {
        let mut bytes = BytesMut::new();
        let input = match step {
            Step::Start => PeerIn::Start,
            Step::Stop => PeerIn::Stop(Notification::CEASE_SHUTDOWN),
            Step::Leave => PeerIn::Leave(Notification::CEASE_SHUTDOWN),
            Step::Forwarding(restarting, preserved) => {
                PeerIn::Forwarding(Forwarding { restarting: *restarting, preserved: *preserved })
            }
            Step::OverLimit(idle) => PeerIn::OverLimit {
                family: crate::types::Family::Ipv4,
                limit: 9,
                idle: idle.map(|seconds| u32::from(seconds) * SEC),
            },
            Step::Configure(n) => PeerIn::Configure(Box::new(variant(*n))),
            Step::Connected => PeerIn::Connected { local, remote: local },
            Step::ConnectFailed => PeerIn::ConnectFailed { reason: "refused".into() },
            Step::Accepted => PeerIn::Accepted { local, remote: local },
            Step::Closed(slot) => PeerIn::Closed { slot: *slot, reason: "reset".into() },
            Step::Received(slot, messages) => {
                bytes.extend_from_slice(&bytes_of(messages));
                PeerIn::Received { slot: *slot, bytes: &mut bytes }
            }
            Step::Pass(millis, unread, stalled) => {
                now = now.after(*millis * MS);
                let stalled = u32::from(*stalled) * SEC;
                PeerIn::Tick { unread: *unread, stalled }
            }
            Step::RequestRefresh => PeerIn::RequestRefresh,
            Step::BfdDown => PeerIn::BfdDown(silent()),
            Step::LinkDown => PeerIn::LinkDown("net0 has no carrier".into()),
            Step::Probe => PeerIn::Probe,
            Step::Unanswered => PeerIn::Unanswered("no answer".into()),
            Step::Waiting => PeerIn::Waiting { reason: "waiting".into() },
            Step::Retry => PeerIn::Retry,
        };
        let (news, mut out) = (news(&input), Vec::new());
        peer.handle(now, input, &mut out);
        watch.check(now, &peer, news, &out);
        ups += out.iter().filter(|o| matches!(o, PeerOut::Up { .. })).count();
        assert!(bytes.len() < header::MAX_EXTENDED_LEN, "a partial message at most is left");
    }
    (peer, ups)
}

/// Started afresh, with a neighbour that does its part: whether it comes up.
fn friendly(peer: &mut Peer, now: Time) -> bool {
    let local: std::net::SocketAddr = "10.0.0.1:179".parse().unwrap();
    let mut out = Vec::new();
    peer.handle(now, PeerIn::Stop(Notification::CEASE_RESET), &mut out);
    peer.handle(now, PeerIn::Configure(Box::new(config(1, 2))), &mut out);
    peer.handle(now, PeerIn::Start, &mut out);
    peer.handle(now, PeerIn::Accepted { local, remote: local }, &mut out);
    let mut bytes = BytesMut::from(&open_of(&config(2, 1))[..]);
    bytes.extend_from_slice(&header::KEEPALIVE);
    peer.handle(now, PeerIn::Received { slot: Slot::Accepted, bytes: &mut bytes }, &mut out);
    peer.status().state == State::Established
}

/// More with PROPTEST_CASES, as everywhere.
fn at_least(cases: u32) -> ProptestConfig {
    let settings = ProptestConfig::default();
    ProptestConfig { cases: cases.max(settings.cases), ..settings }
}

proptest! {
    #![proptest_config(at_least(2000))]

    #[test]
    fn nothing_breaks_it(steps in prop::collection::vec(step(), 0..120), seed in any::<u64>()) {
        let (mut peer, _) = play(&steps, seed);
        let later = Time(1 << 50);
        prop_assert!(friendly(&mut peer, later), "whatever was, it comes up again");
    }

    #[test]
    fn at_the_end_of_time(steps in prop::collection::vec(step(), 0..60)) {
        let (mut peer, _) = play(&steps, 1);
        for _ in 0..10 {
            peer.handle(Time(u64::MAX), tick(false), &mut Vec::new());
        }
    }
}

#[test]
fn the_sequences_reach_established() {
    // Otherwise the property above says little.
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let ups: usize = (0..300)
        .map(|seed| {
            let steps = prop::collection::vec(step(), 60..120).new_tree(&mut runner).unwrap();
            play(&steps.current(), seed).1
        })
        .sum();
    assert!(ups > 30, "{ups} sessions in 300 sequences");
}
