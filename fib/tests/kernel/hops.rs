//! Several next hops, next hops of the other family, link-local ones, metrics: what is wanted is
//! what the real kernel holds, and what happens to one next hop changes only that.
#![allow(clippy::expect_used, reason = "test code outside #[test]")]

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::process::Command;

use crate::netns::monitor::Monitor;
use crate::netns::pump::{Daemon, config, to, until};
use crate::netns::*;
use starling_fib::types::{Encap, FibIn, Hop, KernelRoute, Mode, NextHop, Report, Target, Via};
use starling_fib::view::KernelState;

const V4: &str = "192.0.2.0/24";
const V6: &str = "2001:db8::/48";

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn to_all(next_hops: &[&str]) -> Option<Target> {
    Some(Target::via(next_hops.iter().map(|hop| address(hop))))
}

fn scoped(text: &str, device: u32) -> NextHop {
    NextHop { address: address(text), scope: NonZeroU32::new(device) }
}

fn target(hops: Vec<NextHop>, metric: Option<u32>) -> Option<Target> {
    Some(Target::Via(Via { hops, metric, encap: Encap::ByPool }.into()))
}

/// No pools: nothing is encapsulated.
async fn started() -> Daemon {
    let daemon = Daemon::start();
    daemon.tell(config(&[])).await;
    daemon
}

/// Waits until the kernel holds these, and then looks whether the Fib is content with that: what
/// it sees is what it wants.
async fn content(daemon: &Daemon, expected: &[KernelRoute]) {
    until(&sorted(expected.to_vec())).await;
    let look = |fib: &starling_fib::Fib| -> Vec<KernelState> {
        fib.view().map(|view| view.state).collect()
    };
    let wait = async {
        while daemon.ask(look).await.iter().any(|state| *state != KernelState::Installed) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, wait).await.is_ok(), "{:?}", daemon.ask(look).await);
    until(&sorted(expected.to_vec())).await;
}

#[test]
fn two_to_sixty_four_next_hops_are_one_route() {
    in_netns("hops::two_to_sixty_four_next_hops_are_one_route", || async {
        let (left, right) = two_underlays();
        let daemon = started().await;
        for count in [2, 3, 7, 16, 64, 63, 8, 1, 64] {
            let hosts = || (0..count).map(|n| (100 + n, if n % 2 == 0 { 5 } else { 6 }));
            let device = |net| if net == 5 { left } else { right };
            let mut expected = Vec::new();
            for prefix in [V4, V6] {
                let gateway = |(host, net): (u32, u32)| match prefix {
                    V4 => format!("10.1.{net}.{host}"),
                    _ => format!("fd00:{net}::{host}"),
                };
                let hops = hosts().map(|(host, net)| via(&gateway((host, net)), device(net)));
                let mut hops: Vec<Hop> = hops.collect();
                hops.sort_unstable();
                expected.push(route(prefix, &hops));
                let names: Vec<String> = hosts().map(gateway).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                daemon.want(prefix, to_all(&names)).await;
            }
            content(&daemon, &expected).await;
        }
        daemon.want(V4, None).await;
        daemon.want(V6, None).await;
        until(&[]).await;
        daemon.stop().await;
    });
}

#[test]
fn a_next_hop_that_somebody_alters_or_takes_is_put_back() {
    in_netns("hops::a_next_hop_that_somebody_alters_or_takes_is_put_back", || async {
        let (left, right) = two_underlays();
        let mut daemon = started().await;
        daemon.want(V4, to_all(&["10.1.5.11", "10.1.6.11"])).await;
        daemon.want(V6, to_all(&["fd00:5::11", "fd00:6::11"])).await;
        let expected = [
            route(V4, &[via("10.1.5.11", left), via("10.1.6.11", right)]),
            route(V6, &[via("fd00:5::11", left), via("fd00:6::11", right)]),
        ];
        content(&daemon, &expected).await;
        for command in [
            "route replace 192.0.2.0/24 proto bird nexthop via 10.1.5.11 nexthop via 10.1.6.66",
            "route replace 192.0.2.0/24 proto bird nexthop via 10.1.5.11 weight 9 \
             nexthop via 10.1.6.11",
            "-6 route replace 2001:db8::/48 proto bird metric 1024 nexthop via fd00:5::66 \
             nexthop via fd00:6::11",
            "-6 route del 2001:db8::/48 via fd00:6::11 metric 1024",
            "-6 route append 2001:db8::/48 via fd00:6::12 proto bird metric 1024",
        ] {
            ip(command);
            daemon.report(|report| matches!(report, Report::Drift { .. })).await;
            content(&daemon, &expected).await;
        }
        daemon.stop().await;
    });
}

#[test]
fn an_interface_that_goes_takes_its_next_hops_alone() {
    in_netns("hops::an_interface_that_goes_takes_its_next_hops_alone", || async {
        let (left, right) = two_underlays();
        let daemon = started().await;
        daemon.want(V4, to_all(&["10.1.5.11", "10.1.5.12", "10.1.6.11"])).await;
        daemon.want(V6, to_all(&["fd00:5::11", "fd00:5::12", "fd00:6::11"])).await;
        let near4 = [via("10.1.5.11", left), via("10.1.5.12", left)];
        let near6 = [via("fd00:5::11", left), via("fd00:5::12", left)];
        let near = [route(V4, &near4), route(V6, &near6)];
        let all = [
            route(V4, &[&near4[..], &[via("10.1.6.11", right)]].concat()),
            route(V6, &[&near6[..], &[via("fd00:6::11", right)]].concat()),
        ];
        content(&daemon, &all).await;
        // Without carrier, down, gone.
        ip("link set right-far down");
        content(&daemon, &near).await;
        ip("link set right-far up");
        content(&daemon, &all).await;
        ip("link set right down");
        content(&daemon, &near).await;
        ip("link set right up");
        // The kernel forgets IPv6 addresses of an interface that goes down.
        ip("-6 address add fd00:6::10/64 dev right nodad");
        content(&daemon, &all).await;
        ip("link del right");
        content(&daemon, &near).await;
        daemon.stop().await;
    });
}

#[test]
fn ipv4_goes_to_ipv6_next_hops() {
    in_netns("hops::ipv4_goes_to_ipv6_next_hops", || async {
        let (left, right) = two_underlays();
        ip("-6 route add fd00:8::/64 via fd00:5::1");
        let daemon = Daemon::start();
        daemon.tell(config(&[("10.244.0.0/16", Mode::CrossSubnet)])).await;
        daemon.want("10.244.1.0/26", to_all(&["fd00:5::11"])).await;
        // Outside the subnet a pool's prefix would be encapsulated, which cannot be.
        daemon.want("10.244.2.0/26", to_all(&["fd00:8::11"])).await;
        daemon.want("10.244.3.0/26", to_all(&["10.1.5.11", "fd00:6::11"])).await;
        daemon.want(V4, to_all(&["fd00:8::11"])).await;
        daemon.want("198.51.100.0/24", target(vec![scoped("fe80::1", right)], None)).await;
        daemon
            .want(
                "203.0.113.0/24",
                target(vec![scoped("fe80::1", left), scoped("fe80::1", right)], None),
            )
            .await;
        let mut expected = vec![
            route("10.244.1.0/26", &[via("fd00:5::11", left)]),
            route("10.244.3.0/26", &[via("10.1.5.11", left), via("fd00:6::11", right)]),
            route(V4, &[via("fd00:5::1", left)]),
            route("198.51.100.0/24", &[via("fe80::1", right)]),
            route("203.0.113.0/24", &[via("fe80::1", left), via("fe80::1", right)]),
        ];
        expected.sort_by_key(|route| route.key);
        until(&expected).await;
        let why = |prefix: &str| {
            let prefix = prefix.parse().expect("a prefix");
            daemon.ask(move |fib| Some(fib.view_of(prefix)?.resolutions.first()?.1.why.clone()))
        };
        let why = why("10.244.2.0/26").await.expect("a reason");
        assert!(why.contains("IPIP takes no IPv6 next hop: only direct"), "{why}");
        // As a person reads it.
        let shown = Command::new("ip").args(["route", "show", V4]).output();
        let shown = String::from_utf8(shown.expect("ip").stdout).expect("text");
        assert_eq!(shown.trim(), "192.0.2.0/24 via inet6 fd00:5::1 dev left proto bird");
        daemon.stop().await;
    });
}

#[test]
fn a_link_local_next_hop_follows_its_interface() {
    in_netns("hops::a_link_local_next_hop_follows_its_interface", || async {
        let (left, right) = two_underlays();
        let daemon = started().await;
        daemon.want(V6, target(vec![scoped("fe80::1", right)], None)).await;
        daemon.want(V4, target(vec![scoped("fe80::1", right)], None)).await;
        let both = vec![scoped("fe80::1", left), scoped("fe80::1", right)];
        daemon.want("2001:db8:1::/48", target(both, None)).await;
        let near = via("fe80::1", left);
        let all = [
            route(V4, &[via("fe80::1", right)]),
            route(V6, &[via("fe80::1", right)]),
            route("2001:db8:1::/48", &[near, via("fe80::1", right)]),
        ];
        content(&daemon, &all).await;
        ip("link set right down");
        until(&[route("2001:db8:1::/48", &[near])]).await;
        ip("link set right up");
        content(&daemon, &all).await;
        ip("link del right");
        until(&[route("2001:db8:1::/48", &[near])]).await;
        daemon.stop().await;
    });
}

#[test]
fn a_routes_own_metric_replaces_before_it_removes() {
    in_netns("hops::a_routes_own_metric_replaces_before_it_removes", || async {
        let (left, _right) = two_underlays();
        let daemon = started().await;
        let monitor = Monitor::start();
        for metric in [None, Some(50), Some(1024), Some(7), None] {
            let mut expected = Vec::new();
            for (prefix, gateway) in [(V4, "10.1.5.11"), (V6, "fd00:5::11")] {
                daemon.want(prefix, target(vec![address(gateway).into()], metric)).await;
                let mut wanted = route(prefix, &[via(gateway, left)]);
                wanted.key.metric = metric.unwrap_or(wanted.key.metric);
                expected.push(wanted);
            }
            content(&daemon, &expected).await;
        }
        daemon.stop().await;
        let told = monitor.said();
        for prefix in [V4, V6] {
            let mut held = 0;
            for line in told.iter().filter(|line| line.contains(prefix)) {
                held += if line.starts_with("Deleted") { -1 } else { 1 };
                assert!(held > 0, "{prefix} had no route for a moment: {told:#?}");
            }
            assert_eq!(held, 1, "{told:#?}");
            let changes = told.iter().filter(|line| line.contains(prefix)).count();
            assert_eq!(
                changes, 9,
                "one, and four times another and away with the former: {told:#?}"
            );
        }
    });
}

#[test]
fn the_same_gateway_twice_has_the_weight_of_two() {
    in_netns("hops::the_same_gateway_twice_has_the_weight_of_two", || async {
        let (left, right) = two_underlays();
        ip("route add default via 10.1.5.1");
        ip("-6 route add default via fd00:5::1");
        let daemon = started().await;
        // Two far next hops behind one gateway, and the same near one thrice.
        daemon.want(V4, to_all(&["10.9.9.1", "10.9.9.2", "10.1.6.11"])).await;
        daemon.want(V6, to_all(&["fd00:9::1", "fd00:6::11", "fd00:6::11", "fd00:6::11"])).await;
        daemon.want("198.51.100.0/24", to_all(&["10.9.9.1", "10.9.9.2"])).await;
        let twice = Hop { weight: 2, ..via("10.1.5.1", left) };
        let thrice = Hop { weight: 3, ..via("fd00:6::11", right) };
        let expected = [
            route(V4, &[twice, via("10.1.6.11", right)]),
            route("198.51.100.0/24", &[via("10.1.5.1", left)]),
            route(V6, &[via("fd00:5::1", left), thrice]),
        ];
        content(&daemon, &expected).await;
        daemon.stop().await;
    });
}

/// Next hops of routes in another table are sought in main.
#[test]
fn another_tables_next_hops_are_sought_in_main() {
    in_netns("hops::another_tables_next_hops_are_sought_in_main", || async {
        let (left, right) = two_underlays();
        ip("route add default via 10.1.5.1");
        ip(&format!("route add 10.9.0.0/16 via 10.1.6.1 table {OTHER}"));
        let FibIn::Configure(mut config) = config(&[]) else { return };
        config.table = OTHER;
        config.addresses = vec![address("10.1.6.10")];
        let daemon = Daemon::start();
        daemon.tell(FibIn::Configure(config.clone())).await;
        daemon.want("192.0.2.0/24", to("10.1.6.11")).await;
        daemon.want("198.51.100.0/24", to("10.9.9.9")).await;
        let in_table = |prefix: &str, hop| {
            let mut route = route(prefix, &[hop]);
            route.key.table = OTHER;
            route
        };
        let near = in_table("192.0.2.0/24", via("10.1.6.11", right));
        until(&[near.clone(), in_table("198.51.100.0/24", via("10.1.5.1", left))]).await;
        // What somebody removes there comes back as anywhere.
        ip(&format!("route del 192.0.2.0/24 table {OTHER}"));
        until(&[near, in_table("198.51.100.0/24", via("10.1.5.1", left))]).await;
        assert!(daemon.audit().await.is_clean());
        // Another protocol, by a reload.
        config.protocol = 186;
        daemon.tell(FibIn::Configure(config)).await;
        until(&[]).await;
        let (mut kernel, _events) = open();
        let theirs = foreign(&mut kernel).await;
        assert_eq!(theirs.iter().filter(|route| route.protocol == 186).count(), 2);
        daemon.stop().await;
    });
}
