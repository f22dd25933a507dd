//! The mode table, the tunnel it needs, and network D's disease.

use super::{SECOND, node, rack};
use crate::mem::Kernel;
use crate::rig::{Rig, config, ip, net, pool, route};
use crate::tunnel::TunnelState;
use crate::types::*;
use crate::view::KernelState;

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
