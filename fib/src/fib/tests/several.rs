//! Several next hops of one route: judged one by one, weighed, lost and found.

use super::{SECOND, rack};
use crate::rig::{Rig, ip, net, route};
use crate::types::*;

#[test]
fn equal_paths_are_judged_one_by_one() {
    let mut rig = rack();
    rig.want("10.244.3.0/26", &["10.1.8.10", "10.1.5.11"]);
    rig.run();
    assert_eq!(
        rig.table(),
        ["10.244.3.0/26 proto 12 metric 0 nexthop via 10.1.5.11 dev net0 \
          nexthop via 10.1.8.10 dev tunl0 onlink"]
    );
}

/// A node of rack 0 with a second NIC, `net1`.
fn two_nics() -> Rig {
    let mut rig = rack();
    let side = rig.kernel.link_add("net1", None, 1500);
    rig.kernel.address_add(side, net("10.1.6.10/24"));
    rig.run();
    rig
}

#[test]
fn the_same_next_hop_twice_has_the_weight_of_two() {
    let mut rig = two_nics();
    // Two routers behind one gateway are one hop, too.
    let hops = ["10.1.6.11", "10.1.5.11", "10.1.6.11", "10.1.6.11"];
    rig.want("10.244.3.0/26", &hops);
    rig.want("192.0.2.0/24", &["10.1.8.10", "10.1.8.11", "10.1.6.11"]);
    rig.want("198.51.100.0/24", &["10.1.8.10", "10.1.8.10"]);
    rig.run();
    assert_eq!(
        rig.table(),
        [
            "10.244.3.0/26 proto 12 metric 0 nexthop via 10.1.5.11 dev net0 \
             nexthop via 10.1.6.11 dev tunl0 onlink weight 3",
            "192.0.2.0/24 proto 12 metric 0 nexthop via 10.1.5.1 dev net0 weight 2 \
             nexthop via 10.1.6.11 dev net1",
            "198.51.100.0/24 via 10.1.5.1 dev net0 proto 12 metric 0",
        ]
    );
}

#[test]
fn sixty_four_next_hops_are_one_route_and_the_loss_of_one_changes_only_that() {
    let mut rig = two_nics();
    let hops: Vec<String> = (1..=64).map(|n| format!("10.1.5.{}", 100 + n)).collect();
    let mut hops: Vec<&str> = hops.iter().map(String::as_str).collect();
    rig.want("10.244.3.0/26", &hops);
    rig.run();
    assert_eq!(rig.ours()[0].hops.len(), 64);
    // One that cannot be reached any more is left out, the others stay.
    let far = route("10.9.9.9/32", Some("10.1.6.1"), 4, 4);
    rig.kernel.append(far.clone()).unwrap();
    rig.kernel.delete(&route("0.0.0.0/0", Some("10.1.5.1"), 2, 3)).unwrap();
    hops[63] = "10.9.9.9";
    rig.want("10.244.3.0/26", &hops);
    rig.run();
    assert_eq!(rig.ours()[0].hops.len(), 64);
    rig.applied.clear();
    rig.kernel.delete(&far).unwrap();
    rig.run();
    assert_eq!(rig.ours()[0].hops.len(), 63);
    assert!(matches!(rig.applied[..], [RouteOp::Replace { .. }]), "{:?}", rig.applied);
    rig.want("10.244.3.0/26", &hops[..2]);
    rig.run();
    assert_eq!(
        rig.table(),
        ["10.244.3.0/26 proto 12 metric 0 nexthop via 10.1.5.101 dev net0 \
          nexthop via 10.1.5.102 dev net0"]
    );
}

#[test]
fn one_interface_down_takes_its_next_hops_and_leaves_the_others() {
    let mut rig = two_nics();
    // With a default route, what was connected would be sought behind that.
    rig.kernel.delete(&route("0.0.0.0/0", Some("10.1.5.1"), 2, 3)).unwrap();
    rig.want("192.0.2.0/24", &["10.1.5.11", "10.1.6.11"]);
    rig.run();
    let both = "192.0.2.0/24 proto 12 metric 0 nexthop via 10.1.5.11 dev net0 \
                nexthop via 10.1.6.11 dev net1";
    let one = "192.0.2.0/24 via 10.1.5.11 dev net0 proto 12 metric 0";
    assert_eq!(rig.table(), [both]);
    rig.applied.clear();
    let index = rig.kernel.links().find(|link| link.name == "net1").unwrap().index;
    rig.kernel.link_change(index, |link| link.up = false);
    rig.run();
    assert_eq!(rig.table(), [one]);
    assert!(
        rig.applied.iter().all(|op| matches!(op, RouteOp::Replace { .. })),
        "{:?}",
        rig.applied
    );
    rig.kernel.link_change(index, |link| link.up = true);
    rig.pass(5 * SECOND);
    assert_eq!(rig.table(), [both]);
    // Unplugged, IPv4 gives up the whole route.
    rig.kernel.link_remove(index);
    rig.pass(5 * SECOND);
    assert_eq!(rig.table(), [one]);
    assert!(!rig.reports.iter().any(|r| matches!(r, Report::Drift { .. })), "{:?}", rig.reports);
}

#[test]
fn a_next_hop_that_somebody_altered_is_put_back() {
    let mut rig = two_nics();
    rig.want("192.0.2.0/24", &["10.1.5.11", "10.1.6.11"]);
    rig.run();
    let wanted = rig.ours().remove(0);
    for change in [
        |hop: &mut Hop| hop.weight = 2,
        |hop: &mut Hop| hop.onlink = true,
        |hop: &mut Hop| hop.gateway = Some(ip("10.1.5.66")),
    ] {
        rig.reports.clear();
        let mut altered = wanted.clone();
        change(&mut altered.hops[0]);
        rig.kernel.replace(altered).unwrap();
        rig.pass(10 * SECOND);
        assert_eq!(rig.ours(), std::slice::from_ref(&wanted));
        assert!(matches!(rig.reports[..], [Report::Drift { .. }]), "{:?}", rig.reports);
    }
}
