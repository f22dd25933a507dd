//! Single questions to the real kernel: every kind of answer that it has for a packet, and the
//! states of a neighbour.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code outside #[test]"
)]

use crate::netns::*;
use starling_fib::netlink::Asker;
use starling_fib::packet::{Answer, Discard, NeighbourState};

async fn ask(address: &str) -> Answer {
    Asker::open().unwrap().packet(address.parse().unwrap(), None).await.unwrap()
}

#[test]
fn every_kind_of_answer() {
    in_netns("packet::every_kind_of_answer", || async {
        let (left, _) = two_underlays();
        for (v4, v6) in [("10.8.0.0/24", "fd08::/64"), ("10.7.0.0/24", "fd07::/64")] {
            let kind = if v4.starts_with("10.8") { "blackhole" } else { "unreachable" };
            ip(&format!("route add {kind} {v4}"));
            ip(&format!("-6 route add {kind} {v6}"));
        }
        ip("route add prohibit 10.6.0.0/24");
        ip("-6 route add prohibit fd06::/64");
        ip("route add 10.244.2.0/26 via 10.1.5.11 proto bird metric 9 src 10.1.5.10");
        ip("-6 route add fd00:244:2::/64 via fd00:5::11 proto bird metric 9");

        for (address, wanted) in [
            ("10.8.0.1", Answer::Dropped(Discard::Blackhole)),
            ("fd08::1", Answer::Dropped(Discard::Blackhole)),
            ("10.7.0.1", Answer::Dropped(Discard::Unreachable)),
            ("fd07::1", Answer::Dropped(Discard::Unreachable)),
            ("10.6.0.1", Answer::Dropped(Discard::Prohibit)),
            ("fd06::1", Answer::Dropped(Discard::Prohibit)),
            ("10.3.0.1", Answer::NoRoute),
            ("fd03::1", Answer::NoRoute),
        ] {
            assert_eq!(ask(address).await, wanted, "{address}");
        }
        for own in ["10.1.5.10", "fd00:5::10", "127.0.0.1"] {
            assert!(matches!(ask(own).await, Answer::Local(_)), "{own}");
        }
        for (address, prefix, gateway) in [
            ("10.244.2.7", "10.244.2.0/26", Some("10.1.5.11")),
            ("fd00:244:2::7", "fd00:244:2::/64", Some("fd00:5::11")),
            ("10.1.5.77", "10.1.5.0/24", None),
            ("fd00:5::77", "fd00:5::/64", None),
        ] {
            let Answer::Sent { route, hop, source } = ask(address).await else {
                panic!("{address} is not sent")
            };
            assert_eq!(route.key.prefix.to_string(), prefix);
            assert_eq!(route.key.table, MAIN);
            let hop = hop.unwrap();
            assert_eq!(hop.device, left);
            assert_eq!(hop.gateway.map(|g| g.to_string()).as_deref(), gateway);
            assert!(source.is_some_and(|s| s.is_ipv4() != address.contains(':')), "{source:?}");
            if gateway.is_some() {
                assert_eq!((route.protocol, route.key.metric), (BIRD, 9));
            }
        }
    });
}

#[test]
fn rules_and_several_next_hops_are_followed() {
    in_netns("packet::rules_and_several_next_hops_are_followed", || async {
        two_underlays();
        ip("route add 10.244.3.0/26 nexthop via 10.1.5.11 nexthop via 10.1.6.11");
        let Answer::Sent { route, hop, .. } = ask("10.244.3.1").await else { panic!("not sent") };
        assert_eq!(route.hops.len(), 2);
        // One of them; a single hop has no weight of its own.
        assert!(route.hops.iter().any(|of| of.gateway == hop.unwrap().gateway), "{hop:?}");

        ip("route add 10.244.3.0/26 via 10.1.6.12 table 1000 proto bird");
        ip("rule add to 10.244.3.0/26 table 1000");
        let Answer::Sent { route, .. } = ask("10.244.3.1").await else { panic!("not sent") };
        assert_eq!((route.key.table, route.protocol), (OTHER, BIRD));
        assert_eq!(route.hops.as_slice(), [via("10.1.6.12", index_of("right"))]);
    });
}

#[test]
fn a_neighbour_has_a_state() {
    in_netns("packet::a_neighbour_has_a_state", || async {
        let (left, _) = two_underlays();
        let mut asker = Asker::open().unwrap();
        ip("neigh add 10.1.5.11 lladdr 02:00:00:00:05:0b dev left nud reachable");
        ip("neigh add 10.1.5.12 dev left nud failed");
        ip("neigh add fd00:5::11 lladdr 02:00:00:00:05:0b dev left nud stale");
        for (address, wanted) in [
            ("10.1.5.11", Some(NeighbourState::Reachable)),
            ("10.1.5.12", Some(NeighbourState::Failed)),
            ("fd00:5::11", Some(NeighbourState::Stale)),
            ("10.1.5.13", None),
        ] {
            let found = asker.neighbour(left, address.parse().unwrap()).await.unwrap();
            assert_eq!(found.as_ref().map(|n| n.state), wanted, "{address}");
            if wanted == Some(NeighbourState::Reachable) {
                assert_eq!(found.unwrap().lladdr.as_deref(), Some("02:00:00:00:05:0b"));
            }
        }
    });
}
