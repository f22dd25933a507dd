//! Two peers that both dial: whatever the timing, one session, and it comes back.

use super::net::Net;
use super::*;

const LATENCIES: [(Duration, Duration); 5] = [
    (Duration::from_micros(20), Duration::from_micros(90)),
    (MS, MS),
    (MS, Duration::from_millis(10)),
    (Duration::from_millis(10), Duration::from_millis(120)),
    (MS, Duration::from_millis(900)),
];

fn both(latency: (Duration, Duration), seed: u64) -> Net {
    let mut net = Net::new(latency, seed);
    net.boot(0, config(1, 2), seed * 2);
    net.boot(1, config(2, 1), seed * 2 + 1);
    net
}

#[test]
fn both_dial_and_exactly_one_session_stays() {
    for latency in LATENCIES {
        for seed in 0..400 {
            let mut net = both(latency, seed);
            // Up to eight one-way trips after the spread of the first dials.
            let took = net.run_until(SEC / 10 + latency.1 * 8, Net::agreed);
            assert!(net.agreed(), "seed {seed}, {latency:?}: not up after {took:?}");
            net.run(10 * latency.1 + 200 * MS);
            for node in [0, 1] {
                assert!(net.agreed(), "seed {seed}, {latency:?}: lost again");
                assert_eq!(net.status(node).flaps, 0, "seed {seed}, {latency:?}");
                assert_eq!(net.ends(node), [], "a collision is no news: seed {seed}");
            }
        }
    }
}

#[test]
fn simultaneous_dials_do_collide_in_these_tests() {
    // Otherwise the test above shows nothing.
    let collided = |seed: &u64| {
        let mut net = both(LATENCIES[3], *seed);
        net.run(3 * SEC);
        let lost = |out: &PeerOut| matches!(out, PeerOut::Send { bytes, .. } if bytes.get(18..21) == Some(&[3, 6, 7]));
        net.nodes.iter().any(|node| node.log.iter().any(|(_, out)| lost(out)))
    };
    let runs = (0..400).filter(collided).count();
    assert!(runs > 50, "{runs} of 400 runs");
}

#[test]
fn equal_identifiers_of_two_ases_collide_as_well() {
    for seed in 0..200 {
        let mut net = Net::new(LATENCIES[3], seed);
        let external = |us: u8, them: u8| PeerConfig {
            kind: PeerKind::External,
            local_asn: Asn(65000 + u32::from(us)),
            asn: Asn(65000 + u32::from(them)),
            router_id: Ipv4Addr::new(10, 0, 0, 9),
            ..config(us, them)
        };
        net.boot(0, external(1, 2), seed);
        net.boot(1, external(2, 1), seed + 1000);
        net.run_until(2 * SEC, Net::agreed);
        net.run(SEC);
        assert!(net.agreed(), "seed {seed}");
        assert_eq!(net.status(0).flaps + net.status(1).flaps, 0, "seed {seed}");
    }
}

#[test]
fn it_stays_up_by_keepalives_alone() {
    let mut net = both(LATENCIES[1], 1);
    net.run_until(SEC, Net::agreed);
    net.run(3600 * SEC);
    assert!(net.agreed());
    for node in [0, 1] {
        let status = net.status(node);
        assert_eq!(status.flaps, 0);
        let keepalives = status.received.keepalives;
        assert!((120..=162).contains(&keepalives), "every 22.5 to 30 s: {keepalives}");
        assert!(net.now.since(status.last_received.unwrap()) <= 31 * SEC);
    }
}

#[test]
fn a_late_starter_is_up_at_once() {
    for seed in 0..50 {
        let mut net = Net::new(LATENCIES[1], seed);
        net.boot(0, config(1, 2), seed);
        net.run(1000 * SEC);
        let refused = DownReason::ConnectFailed("connection refused".into());
        assert_eq!(net.ends(0), [refused], "told once");
        assert!((10..=18).contains(&net.dials(0)), "{} dials in 1000 s", net.dials(0));
        net.boot(1, config(2, 1), seed);
        let took = net.run_until(10 * SEC, Net::agreed);
        assert!(took < 200 * MS, "seed {seed}: {took:?}");
    }
}

#[test]
fn one_side_may_be_passive() {
    for passive in [0, 1] {
        let mut net = Net::new(LATENCIES[2], 3);
        for node in [0u8, 1] {
            let config = config(node + 1, 2 - node);
            let config = PeerConfig { passive: usize::from(node) == passive, ..config };
            net.boot(node.into(), config, 5);
        }
        net.run_until(3 * SEC, Net::agreed);
        assert!(net.agreed());
        assert_eq!(net.nodes[passive].watch.up, Some(Slot::Accepted));
        assert_eq!(net.dials(passive), 0);
    }
}

#[test]
fn a_killed_daemon_comes_back() {
    for seed in 0..50 {
        let mut net = both(LATENCIES[2], seed);
        net.run(10 * SEC);
        net.kill(1);
        net.run(5 * SEC);
        let status = net.status(0);
        assert_eq!((status.flaps, status.state), (1, State::Active));
        // Attempts that failed since do not hide when the session was lost.
        let ((_, lost), (last, at)) = (status.lost.unwrap(), status.last_down.unwrap());
        assert!(matches!(last, DownReason::ConnectFailed(_)) && lost < at, "{last:?}");
        net.boot(1, config(2, 1), seed + 77);
        let took = net.run_until(10 * SEC, Net::agreed);
        assert!(took < SEC, "seed {seed}: {took:?}");
    }
}

#[test]
fn a_node_that_lost_its_power_is_not_shut_out_until_the_hold_time_ends() {
    for seed in 0..50 {
        let mut net = both(LATENCIES[2], seed);
        net.run(10 * SEC);
        net.darken(1);
        net.run(20 * SEC);
        assert_eq!(net.status(0).state, State::Established, "it cannot know yet");
        net.boot(1, config(2, 1), seed + 77);
        let took = net.run_until(100 * SEC, |net| net.status(0).flaps == 1 && net.agreed());
        assert!(took < 5 * SEC, "seed {seed}: {took:?}");
    }
}

#[test]
fn a_cut_cable_is_noticed_and_recovered_from() {
    for seed in 0..20 {
        let mut net = both(LATENCIES[1], seed);
        net.run(10 * SEC);
        net.cut = true;
        let took = net.run_until(200 * SEC, |net| net.status(0).flaps + net.status(1).flaps == 2);
        assert!((60 * SEC..=90 * SEC).contains(&took), "{took:?}");
        let sent = DownReason::Sent(Notification::HOLD_TIMER_EXPIRED);
        assert_eq!(net.ends(0), [sent]);
        net.run(300 * SEC);
        net.cut = false;
        let took = net.run_until(300 * SEC, Net::agreed);
        assert!(took < 125 * SEC, "seed {seed}: {took:?}");
        net.run(60 * SEC);
        assert!(net.agreed());
    }
}

#[test]
fn an_operators_reset_takes_seconds() {
    for seed in 0..50 {
        let mut net = both(LATENCIES[2], seed);
        net.run(10 * SEC);
        net.tell(0, PeerIn::Stop(Notification::CEASE_RESET));
        assert_eq!(net.status(0).state, State::Idle);
        net.tell(0, PeerIn::Start);
        let took = net.run_until(30 * SEC, Net::agreed);
        assert!(took < 3 * SEC, "seed {seed}: {took:?}");
        assert_eq!(net.ends(1), [DownReason::Received(Notification::CEASE_RESET.hard())]);
    }
}

#[test]
fn new_settings_that_open_carries_make_the_session_anew() {
    let mut net = both(LATENCIES[2], 4);
    net.run(10 * SEC);
    let renamed = PeerConfig { name: "other".into(), connect_retry: 7 * SEC, ..config(1, 2) };
    net.tell(0, PeerIn::Configure(Box::new(renamed.clone())));
    net.run(SEC);
    assert_eq!((net.status(0).flaps, net.status(1).flaps), (0, 0), "these apply silently");
    net.tell(0, PeerIn::Configure(Box::new(PeerConfig { hold: 30 * SEC, ..renamed })));
    net.run(100 * MS);
    let took = net.run_until(30 * SEC, Net::agreed);
    assert!(took < SEC, "{took:?}");
    assert_eq!(net.status(1).negotiated.unwrap().hold, 30 * SEC);
    assert_eq!(net.ends(1), [DownReason::Received(Notification::CEASE_CONFIG_CHANGE)]);
}

#[test]
fn a_wrong_as_is_told_once_and_tried_seldom() {
    let mut net = Net::new(LATENCIES[1], 9);
    let retry = 20 * SEC;
    net.boot(0, PeerConfig { asn: Asn(65000), connect_retry: retry, ..config(1, 2) }, 1);
    net.boot(1, PeerConfig { connect_retry: retry, ..config(2, 1) }, 2);
    net.run(3600 * SEC);
    for node in [0, 1] {
        assert_eq!(net.status(node).flaps, 0);
        assert!((180..=300).contains(&net.dials(node)), "{} dials an hour", net.dials(node));
        let ends = net.ends(node);
        assert!((1..=4).contains(&ends.len()), "{ends:?}");
    }
    assert!(net.ends(0).contains(&DownReason::Sent(Notification::BAD_PEER_AS)));
    assert!(net.ends(1).contains(&DownReason::Received(Notification::BAD_PEER_AS)));
    // The cure needs no restart.
    net.tell(0, PeerIn::Configure(Box::new(config(1, 2))));
    let took = net.run_until(60 * SEC, Net::agreed);
    assert!(took < 3 * SEC, "{took:?}");
}

#[test]
fn one_seed_gives_one_run() {
    let trace = |seed| {
        let mut net = both(LATENCIES[3], seed);
        net.run(600 * SEC);
        format!("{:?}{:?}", net.nodes[0].log, net.nodes[1].log)
    };
    assert_eq!(trace(5), trace(5));
    assert_ne!(trace(5), trace(6));
}
