//! What survives the end of a session, at either end (RFC 4724, 8538), and what does not.

use super::alone::{Alone, update};
use super::*;
use crate::msg::Op;
use crate::session::restart::{Outlives, outlives};
use crate::session::{Restart, Retain};
use crate::types::Family;
use crate::wire::capability::Capability;

/// An Established session whose neighbour offers what `theirs` says.
fn with(ours: PeerConfig, theirs: &PeerConfig) -> Alone {
    let mut peer = Alone::new(PeerConfig { passive: true, ..ours });
    peer.give(PeerIn::Start);
    peer.accept();
    peer.receive(Slot::Accepted, &open_of(theirs));
    peer.receive(Slot::Accepted, &header::KEEPALIVE);
    assert_eq!(peer.state(), State::Established);
    peer
}

fn restarting(restart: Restart, us: u8, them: u8) -> PeerConfig {
    PeerConfig { offer: Offer { restart, ..Offer::default() }, ..config(us, them) }
}

/// An OPEN without the N bit (RFC 8538): a speaker of RFC 4724 alone.
fn old_open() -> Vec<u8> {
    let mut open = offer(&config(2, 1), Forwarding::default());
    for capability in &mut open.capabilities {
        if let Capability::GracefulRestart { flags_time, .. } = capability {
            *flags_time &= 0x0fff;
        }
    }
    let mut out = BytesMut::new();
    open.put(&mut out);
    out.to_vec()
}

fn old() -> Alone {
    let mut peer = Alone::open_sent(Slot::Accepted);
    peer.receive(Slot::Accepted, &old_open());
    peer.receive(Slot::Accepted, &header::KEEPALIVE);
    assert_eq!(peer.state(), State::Established);
    peer
}

/// What stays at the one end of a session among the outputs.
fn stays(out: &[PeerOut]) -> Option<Retain> {
    let mut downs = out.iter().filter_map(|effect| match effect {
        PeerOut::Down { retain, .. } => Some(*retain),
        _ => None,
    });
    let retain = downs.next().expect("the session ended");
    assert!(downs.next().is_none());
    retain
}

fn everything() -> Option<Retain> {
    let time = Duration::from_secs(120);
    Some(Retain { families: Families::ALL, time, long_lived: [Duration::ZERO; 2] })
}

#[test]
fn rfc4724_section_4_2_a_lost_connection_keeps_the_routes() {
    let lost = || PeerIn::Closed { slot: Slot::Accepted, reason: "reset".into() };
    assert_eq!(stays(&Alone::established(Slot::Accepted).give(lost())), everything());
    assert_eq!(stays(&old().give(lost())), everything());

    let none = Restart { time: Duration::ZERO, helper: false, ..Restart::default() };
    let mut unwilling = with(restarting(none, 1, 2), &config(2, 1));
    assert_eq!(stays(&unwilling.give(lost())), None, "we do not help");
    let helper = Restart { time: Duration::ZERO, ..Restart::default() };
    let mut short = with(config(1, 2), &restarting(helper, 2, 1));
    assert_eq!(stays(&short.give(lost())), None, "nothing of its own survives");
    let long_lived = Restart { long_lived: Duration::from_secs(3600), ..Restart::default() };
    let mut long = with(restarting(long_lived, 1, 2), &restarting(long_lived, 2, 1));
    let stale = [Duration::from_secs(3600); 2];
    assert_eq!(stays(&long.give(lost())).map(|retain| retain.long_lived), Some(stale));
    let mut one_sided = with(config(1, 2), &restarting(long_lived, 2, 1));
    assert_eq!(stays(&one_sided.give(lost())), everything(), "RFC 9494: both must offer it");
}

#[test]
fn rfc8538_section_4_a_notification_keeps_them_only_where_both_say_so() {
    for (why, kept) in [
        (Notification::HOLD_TIMER_EXPIRED, true),
        (Notification::CEASE_SHUTDOWN, true),
        (Notification::CEASE_RESET, true),
        (Notification::CEASE_CONFIG_CHANGE, true),
        (Notification::MALFORMED_ATTRIBUTE_LIST, true),
        (Notification::CEASE_DECONFIGURED, false),
        (Notification::CEASE_SHUTDOWN.hard(), false),
        (Notification::CEASE_HARD_RESET, false),
    ] {
        let out = Alone::established(Slot::Accepted).receive(Slot::Accepted, &notification(&why));
        assert_eq!(stays(&out), everything().filter(|_| kept), "{why}");
        assert_eq!(stays(&old().receive(Slot::Accepted, &notification(&why))), None, "{why}");
    }
    // The hold timer is our own NOTIFICATION.
    assert_eq!(stays(&Alone::established(Slot::Accepted).pass(100 * SEC)), everything());
    assert_eq!(stays(&old().pass(100 * SEC)), None);
}

#[test]
fn leaving_is_said_so_that_our_routes_stay() {
    let why = Notification::CEASE_SHUTDOWN.saying("starlingd stops");
    // Both know RFC 8538: a plain Cease.
    let out = Alone::established(Slot::Accepted).give(PeerIn::Leave(why.clone()));
    assert_eq!(ended_with(&out, Slot::Accepted), Some(why.clone()));
    // RFC 4724 alone: not a word.
    let out = old().give(PeerIn::Leave(why.clone()));
    assert_eq!(sent(&out, Slot::Accepted), []);
    assert!(matches!(out[0], PeerOut::Close { slot: Slot::Accepted }));
    assert_eq!(downs(&out), [DownReason::Left(why.clone())]);
    // None of it: the reason.
    let none = Restart { time: Duration::ZERO, helper: false, ..Restart::default() };
    let out = with(restarting(none, 1, 2), &config(2, 1)).give(PeerIn::Leave(why.clone()));
    assert_eq!(ended_with(&out, Slot::Accepted), Some(why));
}

#[test]
fn stopping_is_said_so_that_they_go() {
    let why = Notification::CEASE_DECONFIGURED;
    let out = Alone::established(Slot::Accepted).give(PeerIn::Stop(why.clone()));
    assert_eq!(ended_with(&out, Slot::Accepted), Some(why.hard()));
    assert_eq!(stays(&out), None);
    let out = old().give(PeerIn::Stop(why.clone()));
    assert_eq!(ended_with(&out, Slot::Accepted), Some(why));
}

#[test]
fn forwarding_decides_the_bits_of_the_next_open() {
    let mut peer = Alone::new(config(1, 2));
    peer.give(PeerIn::Forwarding(Forwarding { restarting: true, preserved: true }));
    peer.give(PeerIn::Start);
    let bits = |peer: &Alone| {
        let offered = peer.peer.status().offered;
        offered.into_iter().find_map(|capability| match capability {
            Capability::GracefulRestart { flags_time, families } => Some((flags_time, families)),
            _ => None,
        })
    };
    peer.accept();
    assert_eq!(bits(&peer), Some((0xc078, vec![(1, 1, 0x80), (2, 1, 0x80)])));
    peer.give(PeerIn::Closed { slot: Slot::Accepted, reason: "reset".into() });
    peer.give(PeerIn::Forwarding(Forwarding::default()));
    peer.accept();
    assert_eq!(bits(&peer), Some((0x4078, vec![(1, 1, 0), (2, 1, 0)])));
}

#[test]
fn rfc4724_section_5_a_new_connection_is_the_end_of_the_old_session() {
    for slot in Slot::BOTH {
        let mut peer = Alone::established(slot);
        peer.pass(10 * SEC);
        let out = peer.accept();
        assert!(matches!(out[0], PeerOut::Close { slot: old } if old == slot), "{out:?}");
        assert_eq!(stays(&out), everything());
        let reason = DownReason::Lost("the neighbour connected anew".into());
        assert_eq!(downs(&out), [reason]);
        assert_eq!(kinds(&out, Slot::Accepted), [Kind::Open], "without a NOTIFICATION");
        peer.receive(Slot::Accepted, &open_of(&config(2, 1)));
        let out = peer.receive(Slot::Accepted, &header::KEEPALIVE);
        assert!(matches!(out[0], PeerOut::Up { slot: Slot::Accepted, .. }), "{out:?}");
    }
}

#[test]
fn a_reload_that_makes_the_session_anew_keeps_what_can_be_kept() {
    let mut peer = Alone::established(Slot::Accepted);
    let shorter = PeerConfig { hold: 30 * SEC, ..config(1, 2) };
    let out = peer.give(PeerIn::Configure(Box::new(shorter)));
    assert_eq!(ended_with(&out, Slot::Accepted), Some(Notification::CEASE_CONFIG_CHANGE));
    assert_eq!(stays(&out), everything());

    let mut peer = Alone::established(Slot::Accepted);
    let moved = PeerConfig { router_id: Ipv4Addr::new(10, 0, 0, 7), ..config(1, 2) };
    let out = peer.give(PeerIn::Configure(Box::new(moved)));
    assert_eq!(ended_with(&out, Slot::Accepted), Some(Notification::CEASE_CONFIG_CHANGE));
    assert_eq!(stays(&out), everything());

    let mut peer = Alone::established(Slot::Accepted);
    let another = PeerConfig { local_asn: Asn(64999), ..config(1, 2) };
    let out = peer.give(PeerIn::Configure(Box::new(another)));
    assert_eq!(ended_with(&out, Slot::Accepted), Some(Notification::CEASE_CONFIG_CHANGE.hard()));
    assert_eq!(stays(&out), None);
}

#[test]
fn what_judges_routes_asks_for_them_again_and_keeps_the_session() {
    let mut peer = Alone::established(Slot::Accepted);
    for changed in [
        PeerConfig { allow_own_as: 1, ..config(1, 2) },
        PeerConfig { first_as: false, ..config(1, 2) },
        PeerConfig { cluster_id: Some(Ipv4Addr::new(10, 0, 0, 9)), ..config(1, 2) },
    ] {
        let out = peer.give(PeerIn::Configure(Box::new(changed)));
        let both = [Kind::RouteRefresh, Kind::RouteRefresh];
        assert_eq!(kinds(&out, Slot::Accepted), both, "one a family, and nothing else: {out:?}");
    }
}

#[test]
fn rfc4486_over_the_limit_it_idles_and_comes_back() {
    let over = |idle| PeerIn::OverLimit { family: Family::Ipv4, limit: 100, idle };
    let mut peer = Alone::established(Slot::Accepted);
    let out = peer.give(over(Some(60 * SEC)));
    let why = Notification::over_limit(Family::Ipv4, 100).hard();
    assert_eq!(ended_with(&out, Slot::Accepted), Some(why));
    assert_eq!((stays(&out), peer.state()), (None, State::Idle));
    peer.pass(59 * SEC);
    assert!(matches!(peer.accept()[..], [PeerOut::Refuse(_)]), "not yet");
    let out = peer.pass(2 * SEC);
    assert!(out.iter().any(|effect| matches!(effect, PeerOut::Dial)), "{out:?}");

    let mut peer = Alone::established(Slot::Accepted);
    peer.give(over(None));
    assert_eq!(peer.peer.next_deadline(), None, "until somebody says so");
    assert!(peer.give(over(None)).is_empty());
    peer.give(PeerIn::Start);
    assert_eq!(peer.state(), State::Active);
}

#[test]
fn rfc9687_a_neighbour_that_takes_nothing_is_given_up() {
    let mut peer = Alone::new(PeerConfig { send_hold: Some(30 * SEC), ..config(1, 2) });
    peer.give(PeerIn::Start);
    peer.accept();
    peer.receive(Slot::Accepted, &open_of(&config(2, 1)));
    peer.receive(Slot::Accepted, &header::KEEPALIVE);
    let begin = peer.now;
    // It is heard, and takes nothing since the beginning.
    for second in 1..30 {
        peer.now = begin.after(second * SEC);
        peer.receive(Slot::Accepted, &header::KEEPALIVE);
        let out = peer.give(PeerIn::Tick { unread: false, stalled: second * SEC });
        assert!(downs(&out).is_empty(), "{second}");
    }
    peer.now = begin.after(30 * SEC);
    let out = peer.give(PeerIn::Tick { unread: false, stalled: 30 * SEC });
    assert_eq!(ended_with(&out, Slot::Accepted), Some(Notification::SEND_HOLD_EXPIRED));
    assert_eq!(downs(&out), [DownReason::Sent(Notification::SEND_HOLD_EXPIRED)]);
}

#[test]
fn rfc9687_one_that_takes_something_now_and_then_is_not() {
    let mut peer = Alone::established(Slot::Accepted);
    let begin = peer.now;
    for minute in 1..60 {
        peer.now = begin.after(minute * 60 * SEC);
        peer.receive(Slot::Accepted, &header::KEEPALIVE);
        peer.give(PeerIn::Tick { unread: false, stalled: 7 * 60 * SEC });
        assert_eq!(peer.state(), State::Established);
    }
}

#[test]
fn rfc7313_marks_stand_among_the_routes() {
    let mut peer = Alone::established(Slot::Accepted);
    let mark = |subtype: u8| message(Kind::RouteRefresh, &[0, 1, subtype, 1]);
    let bytes = [mark(1), update(1), mark(2), mark(9)].concat();
    let out = peer.receive(Slot::Accepted, &bytes);
    let [PeerOut::Routes(batch)] = &out[..] else { panic!("{out:?}") };
    assert!(matches!(
        batch.ops[..],
        [Op::RefreshBegins(Family::Ipv4), Op::Announce { .. }, Op::RefreshEnds(Family::Ipv4)]
    ));
    let out = peer.receive(Slot::Accepted, &message(Kind::RouteRefresh, &[0, 1, 1, 1, 0]));
    let why = ended_with(&out, Slot::Accepted).unwrap();
    assert_eq!((why.code, why.subcode), (7, 1));
}

#[test]
fn rfc8654_long_messages_once_both_offer_them() {
    let long = |octets: usize| message(Kind::RouteRefresh, &[0, 1, 0, 1].repeat(octets / 4));
    let mut peer = Alone::established(Slot::Accepted);
    let out = peer.receive(Slot::Accepted, &long(60_000));
    assert!(matches!(out[..], [PeerOut::Refresh(Family::Ipv4)]), "{out:?}");
    let short = Offer { extended_messages: false, ..Offer::default() };
    let plain = PeerConfig { offer: short, ..config(2, 1) };
    let mut peer = with(config(1, 2), &plain);
    let out = peer.receive(Slot::Accepted, &long(4096));
    let why = ended_with(&out, Slot::Accepted).unwrap();
    assert_eq!((why.code, why.subcode), (1, 2));
}

#[test]
fn rfc7606_a_broken_family_goes_and_the_other_stays() {
    let mut peer = Alone::established(Slot::Accepted);
    let unreach = [0x80, 15, 4, 0, 2, 1, 129];
    let body = [&[0, 0, 0, 7][..], &unreach].concat();
    let bytes = [message(Kind::Update, &body), update(1)].concat();
    let out = peer.receive(Slot::Accepted, &bytes);
    let [PeerOut::Event(PeerEvent::Malformed(words)), PeerOut::Routes(batch)] = &out[..] else {
        panic!("{out:?}")
    };
    assert!(words.ends_with("ipv6 is ignored until the session is made anew"), "{words}");
    let gone = [
        Op::RefreshBegins(Family::Ipv6),
        Op::RefreshEnds(Family::Ipv6),
        Op::EndOfRib(Family::Ipv6),
    ];
    assert_eq!(batch.ops[..3], gone);
    assert!(matches!(batch.ops[3], Op::Announce { family: Family::Ipv4, .. }));
    // What comes of it from now on is nothing.
    let more = message(Kind::Update, &[0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1]);
    let out = peer.receive(Slot::Accepted, &more);
    assert!(!out.iter().any(|effect| matches!(effect, PeerOut::Routes(_))), "{out:?}");
    // A new session begins with both.
    peer.give(PeerIn::Closed { slot: Slot::Accepted, reason: "reset".into() });
    peer.accept();
    peer.receive(Slot::Accepted, &open_of(&config(2, 1)));
    peer.receive(Slot::Accepted, &header::KEEPALIVE);
    let out = peer.receive(Slot::Accepted, &more);
    assert!(matches!(&out[..], [PeerOut::Routes(_)]), "{out:?}");
}

/// What is said of a session that is to be made anew is what becomes of it.
#[test]
fn what_outlives_a_session_that_is_made_anew_is_known_before() {
    let foretold = |mut peer: Alone, change: &dyn Fn(&mut PeerConfig)| {
        let status = peer.peer.status();
        let old = peer.peer.config().clone();
        let mut new = old.clone();
        change(&mut new);
        let said = outlives(&old, &new, &status.negotiated.expect("a session"));
        let out = peer.give(PeerIn::Configure(Box::new(new)));
        assert_eq!(said.here, stays(&out));
        said
    };
    let hold = |new: &mut PeerConfig| new.hold = Duration::from_secs(30);
    let there = Some(Duration::from_secs(120));
    // By a Cease that both understand, and without a word.
    let kept = Outlives { here: everything(), there };
    assert_eq!(foretold(Alone::established(Slot::Accepted), &hold), kept);
    assert_eq!(foretold(old(), &hold), kept);
    let another = |new: &mut PeerConfig| new.local_asn = crate::types::Asn(65_099);
    let nothing = Outlives { here: None, there: None };
    assert_eq!(foretold(Alone::established(Slot::Accepted), &another), nothing);
    // We keep what is the neighbour's and have nothing of our own that stays.
    let helper = Restart { time: Duration::ZERO, ..Restart::default() };
    let theirs = || with(restarting(helper, 1, 2), &config(2, 1));
    assert_eq!(foretold(theirs(), &hold), Outlives { there: None, ..kept });
    let none = Restart { time: Duration::ZERO, helper: false, ..Restart::default() };
    assert_eq!(foretold(with(restarting(none, 1, 2), &config(2, 1)), &hold), nothing);
}
