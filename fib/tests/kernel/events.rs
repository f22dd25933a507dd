//! News from the real kernel: what others change arrives, what we change does not, and what was
//! lost is said to be lost.

use crate::netns::*;
use starling_fib::netlink::{Netlink, Options};
use starling_fib::types::{Address, KernelEvent, KernelRoute, Link, RouteOp};

fn static_route(prefix: &str, hops: &[starling_fib::types::Hop]) -> KernelRoute {
    KernelRoute { protocol: 4, ..route(prefix, hops) }
}

#[test]
fn others_changes_are_news() {
    in_netns("events::others_changes_are_news", || async {
        let (left, right) = two_underlays();
        let (_kernel, mut events) = open();
        news(&mut events).await;

        ip("route add 10.244.1.0/26 via 10.1.5.1 proto static");
        ip("route replace 10.244.1.0/26 via 10.1.6.1 proto static");
        ip("route del 10.244.1.0/26");
        ip("-6 route add fd00:244:1::/122 proto static metric 1024 \
            nexthop via fd00:5::1 dev left nexthop via fd00:6::1 dev right");
        ip("-6 route del fd00:244:1::/122");
        let v6 =
            static_route("fd00:244:1::/122", &[via("fd00:5::1", left), via("fd00:6::1", right)]);
        assert_eq!(
            news(&mut events).await,
            [
                KernelEvent::Route(static_route("10.244.1.0/26", &[via("10.1.5.1", left)])),
                KernelEvent::Route(static_route("10.244.1.0/26", &[via("10.1.6.1", right)])),
                KernelEvent::RouteGone(static_route("10.244.1.0/26", &[via("10.1.6.1", right)])),
                KernelEvent::Route(v6.clone()),
                KernelEvent::RouteGone(v6),
            ]
        );
    });
}

#[test]
fn tables_nobody_asked_for_and_local_routes_are_not() {
    in_netns("events::tables_nobody_asked_for_and_local_routes_are_not", || async {
        let (left, _right) = two_underlays();
        let (_kernel, mut events) = open();
        news(&mut events).await;
        ip("route add 10.244.1.0/26 via 10.1.5.1 proto static table 77");
        ip("route add local 10.244.2.1 dev lo");
        ip("route add 10.244.3.0/26 via 10.1.5.1 proto static table 1000");
        let mut wanted = static_route("10.244.3.0/26", &[via("10.1.5.1", left)]);
        wanted.key.table = OTHER;
        assert_eq!(news(&mut events).await, [KernelEvent::Route(wanted)]);
    });
}

#[test]
fn own_changes_are_not_news() {
    in_netns("events::own_changes_are_not_news", || async {
        let (left, right) = two_underlays();
        let (mut kernel, mut events) = open();
        let (mut other, _) = open();
        news(&mut events).await;
        let first = route("10.244.1.0/26", &[via("10.1.5.11", left)]);
        let second = route("10.244.1.0/26", &[via("10.1.6.11", right)]);
        let replace = RouteOp::Replace { old: first.clone(), new: second.clone() };
        assert_eq!(kernel.apply(&[RouteOp::Add(first), replace]).await, []);
        assert_eq!(news(&mut events).await, []);
        // Somebody with the same protocol is somebody else all the same.
        assert_eq!(other.apply(&[RouteOp::Delete(second.clone())]).await, []);
        assert_eq!(news(&mut events).await, [KernelEvent::RouteGone(second)]);
    });
}

#[test]
fn links_and_addresses_are_news() {
    in_netns("events::links_and_addresses_are_news", || async {
        let (_kernel, mut events) = open();
        ip("link add left mtu 1400 type veth peer name far");
        ip("link set left up");
        ip("link set far up");
        ip("address add 10.1.5.10/24 dev left");
        let (left, far) = (index_of("left"), index_of("far"));
        let address = Address { device: left, address: "10.1.5.10/24".parse().unwrap() };
        let seen = news(&mut events).await;
        let link = |up| Link {
            index: left,
            name: "left".to_owned(),
            up,
            running: up,
            mtu: 1400,
            kind: Some("veth".to_owned()),
            ..Link::default()
        };
        for expected in [
            KernelEvent::Link(link(false)),
            KernelEvent::Link(link(true)),
            KernelEvent::Address(address),
        ] {
            assert!(seen.contains(&expected), "{expected:?} in {seen:?}");
        }

        ip("address del 10.1.5.10/24 dev left");
        ip("link del left");
        let seen = news(&mut events).await;
        for expected in [
            KernelEvent::AddressGone(address),
            KernelEvent::LinkGone(left),
            KernelEvent::LinkGone(far),
        ] {
            assert!(seen.contains(&expected), "{expected:?} in {seen:?}");
        }
    });
}

/// A bridge driver reports its ports in RTM_NEWLINK and RTM_DELLINK too: leaving a bridge is not
/// the end of a device.
#[test]
fn leaving_a_bridge_is_not_the_end() {
    in_netns("events::leaving_a_bridge_is_not_the_end", || async {
        two_underlays();
        ip("link add br0 type bridge");
        ip("link set left-far master br0");
        let (_kernel, mut events) = open();
        ip("link set left-far nomaster");
        let seen = news(&mut events).await;
        let gone = seen.iter().find(|event| matches!(event, KernelEvent::LinkGone(_)));
        assert_eq!(gone, None, "in {seen:?}");
        assert!(!seen.is_empty());
    });
}

#[test]
fn an_overrun_is_said_and_news_goes_on() {
    in_netns("events::an_overrun_is_said_and_news_goes_on", || async {
        let (left, _right) = two_underlays();
        let options = Options { receive_buffer: 4096, ..Options::default() };
        let (mut kernel, mut events) = Netlink::open(options).expect("netlink");
        news(&mut events).await;
        let prefix = |n: u32| format!("10.244.{}.{}/32", n / 200, n % 200);
        ip_batch((0..2000).map(|n| format!("route add {} via 10.1.5.1 proto static", prefix(n))));
        let seen = news(&mut events).await;
        assert!(seen.contains(&KernelEvent::Lost), "{} events", seen.len());
        assert!(seen.len() < 2000, "nothing was lost");
        // The dump knows all, and what comes later is news again.
        let found = foreign(&mut kernel).await.iter().filter(|r| r.protocol == 4).count();
        assert_eq!(found, 2000);
        ip("route add 10.245.0.0/26 via 10.1.5.1 proto static");
        let route = static_route("10.245.0.0/26", &[via("10.1.5.1", left)]);
        assert_eq!(news(&mut events).await, [KernelEvent::Route(route)]);
    });
}

/// 20 000 of our own changes in a buffer that has no room for them: they never enter it.
#[test]
fn own_changes_cannot_overrun() {
    in_netns("events::own_changes_cannot_overrun", || async {
        let (left, _right) = two_underlays();
        let options = Options { receive_buffer: 65536, ..Options::default() };
        let (mut kernel, mut events) = Netlink::open(options).expect("netlink");
        news(&mut events).await;
        let prefix = |n: u32| format!("10.{}.{}.0/24", 100 + n / 200, n % 200);
        let ops: Vec<_> = (0..20_000)
            .map(|n| RouteOp::Add(route(&prefix(n), &[via("10.1.5.11", left)])))
            .collect();
        assert_eq!(kernel.apply(&ops).await, []);
        // The interfaces' own link-local addresses may come late.
        let mut news = news(&mut events).await;
        news.retain(|event| !matches!(event, KernelEvent::Address(_)));
        assert_eq!(news, []);
    });
}

/// What remains is not told, so nothing is claimed.
#[test]
fn a_hop_taken_from_an_ipv6_route_is_a_loss() {
    in_netns("events::a_hop_taken_from_an_ipv6_route_is_a_loss", || async {
        let (left, right) = two_underlays();
        let (mut kernel, mut events) = open();
        let both = route("fd00:244:1::/122", &[via("fd00:5::11", left), via("fd00:6::11", right)]);
        assert_eq!(kernel.apply(&[RouteOp::Add(both)]).await, []);
        news(&mut events).await;
        ip("-6 route del fd00:244:1::/122 via fd00:5::11 dev left");
        assert_eq!(news(&mut events).await, [KernelEvent::Lost]);
        let rest = route("fd00:244:1::/122", &[via("fd00:6::11", right)]);
        assert_eq!(ours(&mut kernel).await, [rest]);
    });
}

#[test]
fn a_route_appended_beside_another_is_a_loss() {
    in_netns("events::a_route_appended_beside_another_is_a_loss", || async {
        let (left, right) = two_underlays();
        let (mut kernel, mut events) = open();
        let first = route("10.244.1.0/26", &[via("10.1.5.11", left)]);
        assert_eq!(kernel.apply(&[RouteOp::Add(first.clone())]).await, []);
        news(&mut events).await;
        ip("route append 10.244.1.0/26 via 10.1.6.11 proto static");
        assert_eq!(news(&mut events).await, [KernelEvent::Lost]);
        // Both are there; the first is the one in force.
        let beside = static_route("10.244.1.0/26", &[via("10.1.6.11", right)]);
        let found = dump(&mut kernel).await.routes;
        let found: Vec<_> = found.into_iter().filter(|r| r.key == first.key).collect();
        assert_eq!(found, [first, beside]);
    });
}
