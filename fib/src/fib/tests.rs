//! The five networks and the ways in which a kernel surprises, each with exact routes.

use std::time::Duration;

use crate::mem::{EEXIST, ENETUNREACH, Kernel};
use crate::rig::{Rig, config, ip, net, pool, route};
use crate::tunnel::TunnelState;
use crate::types::*;
use crate::view::KernelState;

const SECOND: Duration = Duration::from_secs(1);

/// One NIC named `net0` (index 2) with this address and a default route.
fn node(address: &str, gateway: &str) -> Kernel {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("net0", None, 1500);
    kernel.address_add(nic, net(address));
    kernel.append(route("0.0.0.0/0", Some(gateway), nic, 3)).unwrap();
    kernel
}

/// Scenario B: a node of rack 0.
fn rack() -> Rig {
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let mut rig = Rig::new(node("10.1.5.10/24", "10.1.5.1"), config(&["10.1.5.10"], pools));
    rig.run();
    rig
}

#[test]
fn cross_subnet_is_direct_to_rack_mates_and_tunnelled_to_the_other_rack() {
    let mut rig = rack();
    let tracked = ["10.1.5.11", "10.1.8.10", "10.9.9.9"];
    rig.tell(FibIn::Track(tracked.map(|hop| ip(hop).into()).into()));
    rig.own("10.244.0.0/26");
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("10.244.2.0/26", &["10.1.8.10"]);
    rig.run();
    assert_eq!(
        rig.table(),
        [
            "10.244.0.0/26 blackhole proto 12 metric 0",
            "10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 0",
            "10.244.2.0/26 via 10.1.8.10 dev tunl0 onlink proto 12 metric 0",
        ]
    );
    let (device, address, vrf) = ("tunl0".to_owned(), None, None);
    let tunnel = TunnelSpec { device, mtu: 1480, address, vrf, manage: true };
    assert_eq!(rig.fib.tunnel_state(), TunnelState::Ready(tunnel));
    assert_eq!(rig.costs[..2], [(ip("10.1.5.11"), Some(0)), (ip("10.1.8.10"), Some(1))]);
    assert_eq!(rig.reports, []);
    assert_eq!(rig.fib.healthy(), Ok(()));
    let why = rig.fib.resolution_of(net("10.244.2.0/26"), ip("10.1.8.10").into()).why;
    assert_eq!(why, "10.1.8.10 is outside 10.1.5.0/24 of net0, pool 10.244.0.0/16 is cross-subnet");
    assert!(rig.fib.view().all(|view| view.state == KernelState::Installed));

    // Nothing to do: nothing is done.
    let ops = rig.applied.len();
    rig.tell(FibIn::Events(vec![KernelEvent::Lost]));
    rig.pass(10 * SECOND);
    assert_eq!(rig.applied.len(), ops);
}

/// What the Fib has asked the kernel for and had no answer to: the prefixes of each batch.
fn under_way(rig: &Rig) -> Vec<Vec<String>> {
    let batches = rig.queue.iter().filter_map(|out| match out {
        FibOut::Apply(ops) => Some(ops),
        _ => None,
    });
    let prefix = |op: &RouteOp| match op {
        RouteOp::Add(new) | RouteOp::Replace { new, .. } => new.key.prefix.to_string(),
        RouteOp::Delete(old) => format!("not {}", old.key.prefix),
    };
    batches.map(|ops| ops.iter().map(prefix).collect()).collect()
}

#[test]
fn a_second_batch_waits_at_the_kernel_and_is_about_other_prefixes() {
    let mut rig = rack();
    rig.want("10.9.1.0/24", &["10.1.5.11"]);
    rig.want("10.9.2.0/24", &["10.1.5.11"]);
    rig.want("10.9.3.0/24", &["10.1.5.11"]);
    assert_eq!(under_way(&rig), [["10.9.1.0/24"], ["10.9.2.0/24"]], "and no third");
    rig.want("10.9.1.0/24", &["10.1.5.12"]);
    assert!(rig.serve());
    assert_eq!(
        under_way(&rig),
        [vec!["10.9.2.0/24"], vec!["10.9.3.0/24", "10.9.1.0/24"]],
        "what changed while it was written follows when it is known to be there"
    );
    // A prefix of a batch that waits is left to it, also when there is room for another.
    rig.drop("10.9.2.0/24");
    rig.want("10.9.4.0/24", &["10.1.5.11"]);
    assert!(rig.serve());
    assert_eq!(
        under_way(&rig),
        [vec!["10.9.3.0/24", "10.9.1.0/24"], vec!["10.9.4.0/24", "not 10.9.2.0/24"]]
    );
    rig.run();
    assert_eq!(
        rig.table(),
        [
            "10.9.1.0/24 via 10.1.5.12 dev net0 proto 12 metric 0",
            "10.9.3.0/24 via 10.1.5.11 dev net0 proto 12 metric 0",
            "10.9.4.0/24 via 10.1.5.11 dev net0 proto 12 metric 0",
        ]
    );
}

#[test]
fn what_changes_while_it_is_written_follows_though_there_was_room_at_once() {
    let mut rig = rack();
    rig.want("10.9.1.0/24", &["10.1.5.11"]);
    rig.drop("10.9.1.0/24");
    assert_eq!(under_way(&rig), [["10.9.1.0/24"]], "two batches are never about one prefix");
    assert!(rig.serve());
    assert_eq!(under_way(&rig), [["not 10.9.1.0/24"]]);
    rig.run();
    assert!(rig.table().is_empty(), "{:?}", rig.table());
}

#[test]
fn a_batch_that_waits_counts_though_the_one_before_failed() {
    let mut rig = rack();
    rig.kernel.fail_op(1, ENETUNREACH);
    rig.want("10.9.1.0/24", &["10.1.5.11"]);
    rig.want("10.9.2.0/24", &["10.1.5.11"]);
    assert!(rig.serve());
    rig.want("10.9.3.0/24", &["10.1.5.11"]);
    assert_eq!(under_way(&rig), [["10.9.2.0/24"]], "nothing is added before the table was read");
    let dumps = rig.dumps;
    rig.run();
    assert_eq!(rig.dumps, dumps + 1);
    rig.pass(10 * SECOND);
    assert_eq!(rig.table().len(), 3);
}

#[test]
fn always_encapsulates_to_neighbours_on_the_same_wire() {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("ens3", None, 1500);
    kernel.address_add(nic, net("10.7.120.11/16"));
    kernel.append(route("0.0.0.0/0", Some("10.7.0.1"), nic, 3)).unwrap();
    let pools = vec![pool("10.233.0.0/16", Mode::Always)];
    let mut rig = Rig::new(kernel, config(&["10.7.120.11"], pools));
    rig.want("10.233.109.0/24", &["10.7.120.12"]);
    rig.want("10.233.88.0/24", &["10.7.120.13"]);
    rig.run();
    assert_eq!(
        rig.table(),
        [
            "10.233.88.0/24 via 10.7.120.13 dev tunl0 onlink proto 12 metric 0",
            "10.233.109.0/24 via 10.7.120.12 dev tunl0 onlink proto 12 metric 0",
        ]
    );
}

#[test]
fn the_disease_is_told_and_a_reload_cures_it_in_place() {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("eth0", None, 1460);
    kernel.address_add(nic, net("10.39.0.110/24"));
    kernel.append(route("0.0.0.0/0", Some("10.39.0.1"), nic, 3)).unwrap();
    let mut config = config(&["10.39.0.110"], vec![pool("192.168.0.0/16", Mode::Never)]);
    config.tunnel.address = Some("192.168.70.57".parse().unwrap());
    let mut rig = Rig::new(kernel, config.clone());
    rig.want("192.168.169.192/26", &["10.39.3.75"]);
    rig.want("192.168.170.0/26", &["10.39.3.75"]);
    rig.run();
    let sick = "192.168.169.192/26 via 10.39.0.1 dev eth0 proto 12 metric 0";
    assert_eq!(rig.table()[0], sick);
    assert_eq!(rig.fib.tunnel_state(), TunnelState::Unneeded);
    let [Report::Disease { next_hop, gateway, prefix, why }] = &rig.reports[..] else {
        panic!("one report, once: {:?}", rig.reports)
    };
    assert_eq!((next_hop.address, *gateway), (ip("10.39.3.75"), ip("10.39.0.1")));
    assert_eq!(*prefix, net("192.168.169.192/26"));
    for word in ["outside 10.39.0.0/24 of eth0", "is never", "10.39.0.1", "no BGP peer"] {
        assert!(why.contains(word), "{why}");
    }

    rig.applied.clear();
    rig.reports.clear();
    config.pools = vec![pool("192.168.0.0/16", Mode::CrossSubnet)];
    rig.configure(config);
    rig.run();
    assert_eq!(
        rig.table()[0],
        "192.168.169.192/26 via 10.39.3.75 dev tunl0 onlink proto 12 metric 0"
    );
    assert!(rig.applied.iter().all(|op| matches!(op, RouteOp::Replace { .. })), "in place");
    assert_eq!(rig.applied.len(), 2);
    assert_eq!(rig.reports, [Report::Cured { next_hop: ip("10.39.3.75").into() }]);
    let tunnel = rig.kernel.links().find(|link| link.name == "tunl0").unwrap();
    assert_eq!((tunnel.mtu, tunnel.up), (1440, true));
    assert!(rig.kernel.is_local(ip("192.168.70.57")));
}

#[test]
fn a_gateway_that_is_a_peer_is_no_disease() {
    let mut config = config(&["10.1.5.10"], vec![pool("10.244.0.0/16", Mode::Never)]);
    config.peers = vec![ip("10.1.5.1")];
    let mut rig = Rig::new(node("10.1.5.10/24", "10.1.5.1"), config);
    rig.want("10.244.2.0/26", &["10.1.8.10"]);
    rig.run();
    assert_eq!(rig.table(), ["10.244.2.0/26 via 10.1.5.1 dev net0 proto 12 metric 0"]);
    assert_eq!(rig.reports, []);

    // A dynamic neighbour goes and comes back: said, and nothing is written.
    rig.applied.clear();
    let peers = std::mem::take(&mut rig.config.peers);
    rig.configure(rig.config.clone());
    rig.run();
    assert!(matches!(&rig.reports[..], [Report::Disease { .. }]), "{:?}", rig.reports);
    rig.configure(FibConfig { peers, ..rig.config.clone() });
    rig.run();
    assert_eq!(rig.reports[1..], [Report::Cured { next_hop: ip("10.1.8.10").into() }]);
    assert_eq!(rig.applied, []);
}

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

#[test]
fn a_routes_own_metric_is_another_key_and_written_before_the_old_one_goes() {
    let mut rig = rack();
    let with = |metric| {
        let hops = vec![ip("10.1.5.11").into()];
        Target::Via(Via { hops, metric, encap: Encap::ByPool }.into())
    };
    for (metric, shown) in [(Some(50), 50), (Some(1024), 1024), (None, 0), (Some(7), 7)] {
        rig.applied.clear();
        rig.target("10.244.1.0/26", with(metric));
        rig.run();
        let table = [format!("10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric {shown}")];
        assert_eq!(rig.table(), table);
        let kinds: Vec<&str> = rig.applied.iter().map(kind).collect();
        assert_eq!(kinds.first(), Some(&"add"), "make before break");
    }
    // Somebody else's route under the new key: ours goes nowhere, and what is there is told.
    rig.kernel
        .append(KernelRoute {
            key: RouteKey { metric: 9, ..route("10.244.1.0/26", None, 2, 4).key },
            ..route("10.244.1.0/26", Some("10.1.5.77"), 2, 4)
        })
        .unwrap();
    rig.run();
    rig.target("10.244.1.0/26", with(Some(9)));
    rig.run();
    assert!(matches!(rig.reports[..], [Report::Occupied { protocol: 4, .. }]), "{:?}", rig.reports);
    rig.target("10.244.1.0/26", with(Some(7)));
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 7"]);
}

#[test]
fn a_predecessors_routes_stay_until_settled_but_wrong_ones_are_put_right_at_once() {
    let mut kernel = node("10.1.5.10/24", "10.1.5.1");
    let stale = KernelRoute {
        key: RouteKey { prefix: net("10.244.1.0/26"), table: 254, metric: 1024 },
        ..route("10.244.1.0/26", Some("10.1.5.99"), 2, 12)
    };
    kernel.append(stale).unwrap();
    kernel.append(route("10.244.2.0/26", Some("10.1.5.98"), 2, 12)).unwrap();
    kernel.append(route("10.244.9.0/26", Some("10.1.5.97"), 2, 12)).unwrap();
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let mut rig = Rig::new(kernel, config(&["10.1.5.10"], pools));
    rig.run();
    assert_eq!(rig.reports, [Report::Adopted(3)]);
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("10.244.2.0/26", &["10.1.5.12"]);
    rig.run();
    assert_eq!(
        rig.table(),
        [
            "10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 0",
            "10.244.2.0/26 via 10.1.5.12 dev net0 proto 12 metric 0",
            "10.244.9.0/26 via 10.1.5.97 dev net0 proto 12 metric 0",
        ]
    );
    let kinds: Vec<&str> = rig.applied.iter().map(kind).collect();
    assert_eq!(kinds, ["add", "replace", "delete"], "make before break");
    assert_eq!(rig.fib.leftovers().count(), 1);
    rig.tell(FibIn::Settled);
    rig.run();
    assert_eq!(rig.table().len(), 2);
    assert_eq!(rig.reports.last(), Some(&Report::Swept(1)));
}

fn kind(op: &RouteOp) -> &'static str {
    match op {
        RouteOp::Add(_) => "add",
        RouteOp::Replace { .. } => "replace",
        RouteOp::Delete(_) => "delete",
    }
}

#[test]
fn a_foreign_route_under_our_key_is_left_alone_until_it_goes() {
    let mut rig = rack();
    let foreign = route("10.244.1.0/26", Some("10.1.5.77"), 2, 4);
    rig.kernel.append(foreign.clone()).unwrap();
    rig.hear();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.pass(100 * SECOND);
    let key = foreign.key;
    assert_eq!(rig.reports, [Report::Occupied { key, protocol: 4 }]);
    assert_eq!(rig.applied, []);
    let state = |rig: &Rig| rig.fib.view_of(key.prefix).unwrap().state;
    assert_eq!(state(&rig), KernelState::Occupied(4));
    rig.kernel.delete(&foreign).unwrap();
    rig.run();
    assert_eq!(state(&rig), KernelState::Installed);
}

#[test]
fn a_foreign_route_that_we_had_not_heard_of_is_not_overwritten() {
    let mut rig = rack();
    rig.kernel.append(route("10.244.1.0/26", Some("10.1.5.77"), 2, 4)).unwrap();
    rig.kernel.take_events();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    assert!(matches!(rig.reports[..], [Report::Occupied { protocol: 4, .. }]), "{:?}", rig.reports);
}

#[test]
fn drift_is_put_back_at_once_and_a_war_is_not_fought() {
    let mut rig = rack();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    let ours = route("10.244.1.0/26", Some("10.1.5.11"), 2, 12);
    for round in 0..20 {
        let _ = rig.kernel.delete(&ours);
        rig.run();
        assert_eq!(rig.table().len(), usize::from(round < 5), "round {round}");
    }
    let drifts = rig.reports.iter().filter(|r| matches!(r, Report::Drift { .. })).count();
    assert_eq!(drifts, 6);
    rig.pass(SECOND);
    assert_eq!(rig.table().len(), 1);

    let changed = route("10.244.1.0/26", Some("10.1.5.66"), 2, 12);
    rig.pass(200 * SECOND);
    rig.reports.clear();
    rig.kernel.replace(changed).unwrap();
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 0"]);
    let what = "changed to via 10.1.5.66 dev net0 proto 12 metric 0".to_owned();
    assert_eq!(rig.reports, [Report::Drift { prefix: net("10.244.1.0/26"), what }]);
}

#[test]
fn a_refusal_is_told_once_and_tried_again_with_growing_waits() {
    let mut rig = rack();
    for n in 1..=4 {
        rig.kernel.fail_op(n, ENETUNREACH);
    }
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.pass(Duration::from_millis(6_900));
    assert_eq!(rig.table(), [""; 0]);
    assert_eq!(rig.applied.len(), 3, "at 0, 1 and 3 s");
    let state = rig.fib.view_of(net("10.244.1.0/26")).unwrap().state;
    assert!(matches!(state, KernelState::Refused(_)));
    rig.pass(20 * SECOND);
    assert_eq!(rig.table().len(), 1);
    assert_eq!(rig.reports.len(), 1);
    assert!(matches!(&rig.reports[0], Report::Refused(f) if f.errno == ENETUNREACH));
}

#[test]
fn a_race_is_settled_by_a_dump_without_a_word() {
    let mut rig = rack();
    rig.kernel.fail_op(1, EEXIST);
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.table().len(), 1);
    assert_eq!(rig.reports, []);
}

#[test]
fn link_address_and_gateway_news_move_routes_at_once() {
    let mut rig = rack();
    rig.tell(FibIn::Track(vec![ip("10.1.5.11").into()]));
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("10.244.2.0/26", &["10.1.8.10"]);
    rig.run();
    rig.costs.clear();
    rig.kernel.link_change(2, |link| link.up = false);
    rig.run();
    assert_eq!(rig.costs, [(ip("10.1.5.11"), None)]);
    rig.pass(5 * SECOND);
    assert_eq!(rig.table(), [""; 0]);
    let view = rig.fib.view_of(net("10.244.1.0/26")).unwrap();
    assert_eq!(view.state, KernelState::Unreachable);
    assert!(view.resolutions[0].1.why.ends_with("net0 is down"), "{}", view.resolutions[0].1.why);
    rig.kernel.link_change(2, |link| link.up = true);
    rig.kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), 2, 3)).unwrap();
    rig.pass(5 * SECOND);
    assert_eq!(rig.table().len(), 2);
    assert_eq!(rig.costs.last(), Some(&(ip("10.1.5.11"), Some(0))));
    assert!(!rig.reports.iter().any(|r| matches!(r, Report::Drift { .. })), "{:?}", rig.reports);
}

#[test]
fn without_a_tunnel_device_direct_routes_stand_and_the_others_say_why() {
    let mut kernel = node("10.1.5.10/24", "10.1.5.1");
    kernel.set_ipip(false);
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let mut rig = Rig::new(kernel, config(&["10.1.5.10"], pools));
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("10.244.2.0/26", &["10.1.8.10"]);
    rig.pass(300 * SECOND);
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 0"]);
    assert!(matches!(rig.reports[..], [Report::Tunnel(TunnelError::NoModule { .. })]));
    let why = rig.fib.view_of(net("10.244.2.0/26")).unwrap().resolutions[0].1.why.clone();
    assert!(why.contains("modprobe ipip"), "{why}");
    assert!(rig.fib.healthy().is_err());
    rig.kernel.set_ipip(true);
    rig.pass(61 * SECOND);
    assert_eq!(rig.table().len(), 2);
}

#[test]
fn the_tunnel_follows_the_underlays_mtu_and_comes_back_when_removed() {
    let mut rig = rack();
    rig.want("10.244.2.0/26", &["10.1.8.10"]);
    rig.run();
    rig.kernel.link_change(2, |link| link.mtu = 9000);
    rig.pass(2 * SECOND);
    let tunnel = rig.kernel.links().find(|link| link.name == "tunl0").cloned().unwrap();
    assert_eq!(tunnel.mtu, 8980);
    rig.pass(100 * SECOND);
    rig.kernel.link_remove(tunnel.index);
    rig.pass(2 * SECOND);
    assert_eq!(rig.table().len(), 1);
}

#[test]
fn another_protocol_metric_or_table_replaces_before_it_removes() {
    let mut rig = rack();
    rig.own("10.244.0.0/26");
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    let mut config = rig.config.clone();
    for (protocol, table, metric) in [(80, 254, 0), (80, 254, 50), (80, 100, 50), (12, 254, 0)] {
        (config.protocol, config.table, config.metric) = (protocol, table, metric);
        rig.applied.clear();
        rig.configure(config.clone());
        rig.pass(SECOND);
        let keys: Vec<(u8, u32, u32)> = rig
            .ours()
            .iter()
            .map(|route| (route.protocol, route.key.table, route.key.metric))
            .collect();
        assert_eq!(keys, [(protocol, table, metric); 2]);
        let last_write = rig.applied.iter().rposition(|op| kind(op) != "delete").unwrap();
        assert!(rig.applied[..last_write].iter().all(|op| kind(op) != "delete"));
    }
    assert_eq!(rig.reports, []);
}

#[test]
fn a_host_address_is_said_once_and_a_configured_subnet_overrides_it() {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    kernel.link_add("net0", None, 1500);
    kernel.address_add(2, net("10.1.5.10/32"));
    kernel.append(KernelRoute { scope: 253, ..route("10.1.5.1/32", None, 2, 3) }).unwrap();
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), 2, 3)).unwrap();
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let mut rig = Rig::new(kernel, config(&["10.1.5.10"], pools));
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.pass(5 * SECOND);
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev tunl0 onlink proto 12 metric 0"]);
    assert!(matches!(&rig.reports[..], [Report::Subnet { why, .. }] if why.contains("/32")));
    let mut config = rig.config.clone();
    config.subnets = vec![net("10.1.5.10/24")];
    rig.configure(config);
    rig.pass(SECOND);
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev net0 onlink proto 12 metric 0"]);
    assert_eq!(rig.reports.len(), 1);
}
