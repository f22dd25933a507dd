//! Addresses and interfaces that come, go and move: next hops follow at once, and none leans on the
//! default gateway because the news comes in pieces.

use std::time::Duration;

use crate::mem::Kernel;
use crate::nexthops::LINGER;
use crate::rig::{Rig, config, ip, net, pool, route};
use crate::types::*;

const NET0: u32 = 2;
const NET1: u32 = 3;
const MOMENT: Duration = Duration::from_millis(500);
const DIRECT: &str = "10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 0";
const ONLINK: &str = "10.244.1.0/26 via 10.1.5.11 dev net0 onlink proto 12 metric 0";

/// The node's address on net0, another subnet and the default route on net1; nothing tunnelled.
fn two_nics(own: &str) -> Kernel {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    kernel.link_add("net0", None, 1500);
    kernel.link_add("net1", None, 1500);
    if !own.is_empty() {
        kernel.address_add(NET0, net(own));
        kernel.address_add(NET0, net("fd00:5::10/64"));
    }
    kernel.address_add(NET1, net("10.1.6.10/24"));
    kernel.address_add(NET1, net("fd00:6::10/64"));
    kernel.append(route("0.0.0.0/0", Some("10.1.6.1"), NET1, 3)).unwrap();
    kernel.append(route("::/0", Some("fd00:6::1"), NET1, 3)).unwrap();
    kernel
}

fn started(own: &str) -> Rig {
    let pools = vec![pool("10.244.0.0/16", Mode::Never)];
    let mut rig = Rig::new(two_nics(own), config(&["10.1.5.10", "fd00:5::10"], pools));
    rig.run();
    rig
}

fn why(rig: &Rig, prefix: &str, hop: &str) -> String {
    rig.fib.resolution_of(net(prefix), ip(hop).into()).why
}

/// Hears what the kernel has to say piece by piece; our routes after each.
fn piecemeal(rig: &mut Rig) -> Vec<Vec<String>> {
    let events = rig.kernel.take_events();
    let heard = |event| {
        rig.tell(FibIn::Events(vec![event]));
        while rig.serve() {}
        rig.table()
    };
    events.into_iter().map(heard).collect()
}

#[test]
fn an_address_that_goes_and_comes_moves_no_neighbour_behind_a_gateway() {
    let mut rig = started("10.1.5.10/24");
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("fd01::/64", &["fd00:5::11"]);
    rig.run();
    let direct6 = "fd01::/64 via fd00:5::11 dev net0 proto 12 metric 1024";
    assert_eq!(rig.table(), [DIRECT, direct6]);
    rig.kernel.address_remove(NET0, net("10.1.5.10/24"));
    rig.kernel.address_remove(NET0, net("fd00:5::10/64"));
    let mut seen = piecemeal(&mut rig);
    rig.pass(100 * MOMENT);
    let onlink6 = "fd01::/64 via fd00:5::11 dev net0 onlink proto 12 metric 1024";
    assert_eq!(rig.table(), [ONLINK, onlink6]);
    let words = "10.1.5.11 is in 10.1.5.0/24, which net0 had while this node's address was on it";
    assert!(why(&rig, "10.244.1.0/26", "10.1.5.11").starts_with(words));
    // A new next hop is judged by the same memory.
    rig.want("10.244.2.0/26", &["10.1.5.12"]);
    rig.pass(MOMENT);
    assert!(rig.table().iter().any(|route| route.contains("via 10.1.5.12 dev net0 onlink")));
    rig.drop("10.244.2.0/26");
    rig.run();
    let subnet = |report: &&Report| matches!(report, Report::Subnet { .. });
    let said: Vec<&Report> = rig.reports.iter().filter(subnet).collect();
    assert_eq!(said.len(), 2, "once a family: {said:?}");

    rig.kernel.address_add(NET0, net("10.1.5.10/24"));
    rig.kernel.address_add(NET0, net("fd00:5::10/64"));
    seen.extend(piecemeal(&mut rig));
    rig.pass(MOMENT);
    assert_eq!(rig.table(), [DIRECT, direct6]);
    let leaning = |table: &Vec<String>| {
        table.iter().any(|route| route.contains("10.1.6.1 ") || route.contains("fd00:6::1 "))
    };
    assert!(!seen.iter().any(leaning), "{seen:#?}");
}

#[test]
fn an_address_that_was_never_there_is_waited_for() {
    let mut rig = started("");
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("fd01::/64", &["fd00:5::11"]);
    // Connected, so no matter what the node's own subnet is.
    rig.want("10.244.2.0/26", &["10.1.6.11"]);
    rig.pass(100 * MOMENT);
    let side = "10.244.2.0/26 via 10.1.6.11 dev net1 proto 12 metric 0";
    assert_eq!(rig.table(), [side]);
    let waits = why(&rig, "10.244.1.0/26", "10.1.5.11");
    assert!(waits.contains("waiting for that address"), "{waits}");
    assert_eq!(rig.fib.next_deadline(), None, "no loop");
    rig.kernel.address_add(NET0, net("10.1.5.10/24"));
    rig.run();
    assert_eq!(rig.table(), [DIRECT, side]);
}

#[test]
fn the_address_may_move_to_another_interface() {
    let mut rig = started("10.1.5.10/24");
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    let bridge = rig.kernel.link_add("br0", None, 1500);
    rig.kernel.address_remove(NET0, net("10.1.5.10/24"));
    rig.run();
    assert_eq!(rig.table(), [ONLINK]);
    rig.kernel.address_add(bridge, net("10.1.5.10/24"));
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev br0 proto 12 metric 0"]);
    // Once more away, it was there.
    rig.kernel.address_remove(bridge, net("10.1.5.10/24"));
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev br0 onlink proto 12 metric 0"]);
    rig.kernel.link_remove(bridge);
    rig.pass(100 * MOMENT);
    assert_eq!(rig.table(), [""; 0]);
    assert!(why(&rig, "10.244.1.0/26", "10.1.5.11").contains("is gone"));
}

#[test]
fn two_interfaces_in_one_subnet_stand_in_for_each_other() {
    let mut rig = started("10.1.5.10/24");
    rig.kernel.address_add(NET1, net("10.1.5.20/24"));
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    // One connected route beside the other takes a dump to be sure of.
    rig.pass(4 * MOMENT);
    assert_eq!(rig.table(), [DIRECT], "by the interface of the node's address");
    rig.kernel.link_change(NET0, |link| link.running = false);
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev net1 proto 12 metric 0"]);
    assert!(why(&rig, "10.244.1.0/26", "10.1.5.11").ends_with("connected on net1"));
    rig.kernel.link_change(NET0, |link| link.running = true);
    rig.run();
    assert_eq!(rig.table(), [DIRECT]);
}

#[test]
fn a_second_subnet_that_goes_is_believed_to_be_gone_after_a_while() {
    let mut rig = started("10.1.5.10/24");
    rig.kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), NET0, 4)).unwrap();
    rig.kernel.delete(&route("0.0.0.0/0", Some("10.1.6.1"), NET1, 3)).unwrap();
    rig.want("10.244.1.0/26", &["10.1.6.11"]);
    rig.run();
    let direct = "10.244.1.0/26 via 10.1.6.11 dev net1 proto 12 metric 0";
    let onlink = "10.244.1.0/26 via 10.1.6.11 dev net1 onlink proto 12 metric 0";
    let gateway = "10.244.1.0/26 via 10.1.5.1 dev net0 proto 12 metric 0";
    assert_eq!(rig.table(), [direct]);
    let (net1, own) = (NET1, net("10.1.6.10/24"));
    // Another address keeps the interface's routes.
    rig.kernel.address_add(net1, net("10.1.7.10/24"));
    for _ in 0..2 {
        rig.kernel.address_remove(net1, own);
        rig.pass(LINGER - MOMENT);
        assert_eq!(rig.table(), [onlink]);
        assert!(why(&rig, "10.244.1.0/26", "10.1.6.11").contains("on net1 a moment ago"));
        rig.kernel.address_add(net1, own);
        rig.pass(2 * LINGER);
        assert_eq!(rig.table(), [direct]);
    }
    let health = |rig: &Rig| rig.reports.iter().any(|r| matches!(r, Report::Disease { .. }));
    assert!(!health(&rig), "{:?}", rig.reports);
    rig.kernel.address_remove(net1, own);
    rig.pass(LINGER + MOMENT);
    assert_eq!(rig.table(), [gateway]);
    assert!(health(&rig), "and then it is said");
    rig.kernel.address_add(net1, own);
    rig.run();
    assert_eq!(rig.table(), [direct]);
    // A dead interface is no way, but no reason to lean on the gateway at once either.
    rig.kernel.link_change(net1, |link| link.running = false);
    rig.pass(LINGER - MOMENT);
    assert_eq!(rig.table(), [""; 0]);
    rig.pass(2 * MOMENT);
    assert_eq!(rig.table(), [gateway]);
}

#[test]
fn another_default_gateway_takes_over_at_once() {
    let mut rig = started("10.1.5.10/24");
    rig.want("10.244.1.0/26", &["10.9.9.9"]);
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.6.1 dev net1 proto 12 metric 0"]);
    rig.kernel.replace(route("0.0.0.0/0", Some("10.1.6.2"), NET1, 3)).unwrap();
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.6.2 dev net1 proto 12 metric 0"]);
    // A better one beside it.
    let mut better = route("0.0.0.0/0", Some("10.1.5.1"), NET0, 3);
    better.hops[0].onlink = true;
    rig.kernel.delete(&route("0.0.0.0/0", Some("10.1.6.2"), NET1, 3)).unwrap();
    rig.kernel.append(better).unwrap();
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.1 dev net0 onlink proto 12 metric 0"]);
}

#[test]
fn a_new_name_is_told_and_moves_nothing() {
    let mut rig = started("10.1.5.10/24");
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.tell(FibIn::Track(vec![ip("10.1.5.11").into()]));
    rig.run();
    rig.applied.clear();
    rig.costs.clear();
    rig.kernel.link_change(NET0, |link| link.name = "lan".to_owned());
    rig.run();
    assert_eq!(rig.applied, []);
    assert_eq!(rig.costs, [(ip("10.1.5.11"), Some(0))], "with the new name");
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev lan proto 12 metric 0"]);
}
