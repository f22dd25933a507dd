//! Addresses and interfaces of the real kernel that come, go and move, under a node whose default
//! route leaves by its other interface: next hops follow from the kernel's own news, and none of
//! our routes leans on that gateway in between.
#![allow(clippy::expect_used, reason = "test code outside #[test]")]

use std::time::Duration;

use crate::netns::monitor::Monitor;
use crate::netns::pump::{Daemon, config, to, until};
use crate::netns::*;
use starling_fib::types::{KernelRoute, Mode};

const V4: &str = "10.244.1.0/26";
const V6: &str = "fd00:244:1::/64";

/// Of our routes, those that were made and lean on the default gateway; and all that was said.
fn leaning(monitor: Monitor) -> (Vec<String>, String) {
    let said = monitor.said();
    let leans = |line: &&String| {
        line.contains("proto bird")
            && !line.starts_with("Deleted")
            && (line.contains("10.1.6.1 ") || line.contains("fd00:6::1 "))
    };
    (said.iter().filter(leans).cloned().collect(), said.join("\n"))
}

/// A node whose own address is on `left` and whose default route is on `right`, and its neighbour
/// that two routes lead to.
async fn started() -> (Daemon, Monitor, u32, u32) {
    let (left, right) = two_underlays();
    ip("route add default via 10.1.6.1 dev right");
    ip("-6 route add default via fd00:6::1 dev right");
    let monitor = Monitor::start();
    let daemon = Daemon::start();
    daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
    daemon.want(V4, to("10.1.5.11")).await;
    daemon.want(V6, to("fd00:5::11")).await;
    until(&direct(left)).await;
    (daemon, monitor, left, right)
}

fn direct(device: u32) -> [KernelRoute; 2] {
    [route(V4, &[via("10.1.5.11", device)]), route(V6, &[via("fd00:5::11", device)])]
}

fn on_link(device: u32) -> [KernelRoute; 2] {
    [route(V4, &[onlink("10.1.5.11", device)]), route(V6, &[onlink("fd00:5::11", device)])]
}

async fn no_leaning(daemon: Daemon, monitor: Monitor) {
    daemon.stop().await;
    let (leaning, said) = leaning(monitor);
    assert!(said.contains(V4) && said.contains(V6), "the monitor saw nothing:\n{said}");
    assert!(leaning.is_empty(), "{leaning:#?} in\n{said}");
}

#[test]
fn an_address_removed_and_added_again() {
    in_netns("places::an_address_removed_and_added_again", || async {
        let (daemon, monitor, left, _right) = started().await;
        for _ in 0..5 {
            ip("address del 10.1.5.10/24 dev left");
            ip("-6 address del fd00:5::10/64 dev left");
            until(&on_link(left)).await;
            ip("address add 10.1.5.10/24 dev left");
            ip("-6 address add fd00:5::10/64 dev left nodad");
            until(&direct(left)).await;
            // At once, and with the address under another mask.
            ip_batch([
                "address del 10.1.5.10/24 dev left".to_owned(),
                "address add 10.1.5.10/25 dev left".to_owned(),
                "address add 10.1.5.10/24 dev left".to_owned(),
                "address del 10.1.5.10/25 dev left".to_owned(),
            ]);
            until(&direct(left)).await;
        }
        no_leaning(daemon, monitor).await;
    });
}

#[test]
fn an_interface_down_and_up_again() {
    in_netns("places::an_interface_down_and_up_again", || async {
        let (daemon, monitor, left, _right) = started().await;
        for _ in 0..5 {
            ip("link set left down");
            until(&[]).await;
            ip("link set left up");
            // The kernel forgets IPv6 addresses of an interface that goes down.
            ip("-6 address add fd00:5::10/64 dev left nodad");
            until(&direct(left)).await;
            ip("link set left-far down");
            until(&[]).await;
            ip("link set left-far up");
            until(&direct(left)).await;
        }
        no_leaning(daemon, monitor).await;
    });
}

#[test]
fn a_second_address_makes_neighbours_and_its_end_does_not_make_them_far_at_once() {
    in_netns(
        "places::a_second_address_makes_neighbours_and_its_end_does_not_make_them_far_at_once",
        || async {
            let (left, right) = two_underlays();
            ip("route add default via 10.1.6.1 dev right");
            let daemon = Daemon::start();
            daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
            daemon.want(V4, to("10.1.7.11")).await;
            let far = [route(V4, &[via("10.1.6.1", right)])];
            until(&far).await;
            ip("address add 10.1.7.10/24 dev left");
            until(&[route(V4, &[via("10.1.7.11", left)])]).await;
            // A host's own network that is renumbered: the old one goes, the new one comes.
            let monitor = Monitor::start();
            ip("address del 10.1.7.10/24 dev left");
            until(&[route(V4, &[onlink("10.1.7.11", left)])]).await;
            ip("address add 10.1.7.20/24 dev left");
            until(&[route(V4, &[via("10.1.7.11", left)])]).await;
            let (leaning, said) = leaning(monitor);
            assert!(leaning.is_empty() && said.contains(V4), "{said}");
            ip("address del 10.1.7.20/24 dev left");
            until(&far).await;
            daemon.stop().await;
        },
    );
}

#[test]
fn two_interfaces_in_one_subnet() {
    in_netns("places::two_interfaces_in_one_subnet", || async {
        let (daemon, monitor, left, right) = started().await;
        ip("address add 10.1.5.30/24 dev right");
        ip("-6 address add fd00:5::30/64 dev right nodad");
        until(&direct(left)).await;
        ip("link set left-far down");
        until(&direct(right)).await;
        ip("link set left-far up");
        until(&direct(left)).await;
        no_leaning(daemon, monitor).await;
    });
}

#[test]
fn a_renamed_interface_and_one_that_becomes_a_port_of_a_bridge() {
    in_netns("places::a_renamed_interface_and_one_that_becomes_a_port_of_a_bridge", || async {
        let (daemon, monitor, left, _right) = started().await;
        ip("link set left name lan0");
        let renamed = async {
            let seen = |fib: &starling_fib::Fib| {
                fib.view().all(|view| format!("{:?}", view.resolutions).contains("lan0"))
            };
            while !daemon.ask(seen).await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, renamed).await.is_ok());
        until(&direct(left)).await;
        // As a hypervisor does: the address moves to a bridge over the interface.
        ip("link add br0 type bridge");
        ip("link set br0 up");
        ip("link set lan0 master br0");
        ip("address del 10.1.5.10/24 dev lan0");
        ip("-6 address del fd00:5::10/64 dev lan0");
        until(&on_link(left)).await;
        ip("address add 10.1.5.10/24 dev br0");
        ip("-6 address add fd00:5::10/64 dev br0 nodad");
        until(&direct(index_of("br0"))).await;
        no_leaning(daemon, monitor).await;
    });
}

#[test]
fn another_default_gateway() {
    in_netns("places::another_default_gateway", || async {
        let (left, right) = two_underlays();
        ip("route add default via 10.1.6.1 dev right");
        let daemon = Daemon::start();
        daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
        daemon.want(V4, to("10.9.9.9")).await;
        let by = |gateway: &str, device| [route(V4, &[via(gateway, device)])];
        until(&by("10.1.6.1", right)).await;
        ip("route replace default via 10.1.6.2 dev right");
        until(&by("10.1.6.2", right)).await;
        ip("route add default via 10.1.5.1 dev left metric 50");
        until(&by("10.1.6.2", right)).await;
        ip("route del default via 10.1.6.2 dev right");
        until(&by("10.1.5.1", left)).await;
        ip("route add 10.9.9.0/24 via 10.1.6.3");
        until(&by("10.1.6.3", right)).await;
        daemon.stop().await;
    });
}

/// As clouds do it: a host address, a gateway that is outside every subnet.
#[test]
fn a_host_address_and_an_on_link_gateway() {
    in_netns("places::a_host_address_and_an_on_link_gateway", || async {
        ip("link set lo up");
        ip("link add left type veth peer name left-far");
        ip("link set left up");
        ip("link set left-far up");
        let left = index_of("left");
        let daemon = Daemon::start();
        daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
        daemon.want(V4, to("10.1.5.11")).await;
        // The address comes after the daemon, its default route after the address.
        ip("address add 10.1.5.10/32 dev left");
        ip("route add default via 10.1.5.1 dev left onlink");
        until(&[route(V4, &[onlink("10.1.5.1", left)])]).await;
        ip("route del default");
        until(&[]).await;
        ip("route add 10.1.5.1/32 dev left scope link");
        ip("route add default via 10.1.5.1 dev left");
        until(&[route(V4, &[via("10.1.5.1", left)])]).await;
        daemon.stop().await;
    });
}
