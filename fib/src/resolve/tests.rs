//! The mode table, one row a cell, from the wire's words to the kernel's.

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::mem::Kernel;
use crate::rig::{Rig, config, ip, net, pool, route};
use crate::types::*;

/// A node with two NICs, its address (as `own`) on the first; both families.
fn host_with(own: &str) -> Kernel {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("net0", None, 1500);
    let side = kernel.link_add("net1", None, 1500);
    kernel.address_add(nic, net(own));
    kernel.address_add(nic, net("fd00:5::10/64"));
    kernel.address_add(side, net("10.1.6.10/24"));
    kernel.append(KernelRoute { scope: 253, ..route("10.1.5.1/32", None, nic, 3) }).unwrap();
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), nic, 3)).unwrap();
    kernel.append(route("::/0", Some("fd00:5::1"), nic, 3)).unwrap();
    kernel
        .append(KernelRoute { kind: Kind::Other(7), hops: Default::default(), ..dead() })
        .unwrap();
    kernel
}

fn dead() -> KernelRoute {
    route("10.66.0.0/16", None, 0, 3)
}

const POOLS: [(&str, Mode); 5] = [
    ("10.240.0.0/16", Mode::Always),
    ("10.241.0.0/16", Mode::CrossSubnet),
    ("10.242.0.0/16", Mode::Never),
    ("10.242.7.0/24", Mode::Always),
    ("fd01::/16", Mode::Always),
];

const SAME: &str = "10.1.5.11";
const FAR: &str = "10.1.8.10";
const SIDE: &str = "10.1.6.11";
const SAME6: &str = "fd00:5::11";
const FAR6: &str = "fd00:8::10";
const LOCAL6: &str = "fe80::11";

const TUNNEL: &str = "dev tunl0 onlink";
const DIRECT: &str = "dev net0";

#[test]
fn every_cell_of_the_mode_table() {
    // own address, configured subnet, prefix, next hop, the kernel's route ("": none)
    let rows = [
        // always
        ("10.1.5.10/24", "", "10.240.1.0/26", SAME, format!("via {SAME} {TUNNEL}")),
        ("10.1.5.10/24", "", "10.240.1.0/26", FAR, format!("via {FAR} {TUNNEL}")),
        ("10.1.5.10/24", "", "10.240.1.0/26", SIDE, format!("via {SIDE} {TUNNEL}")),
        // cross-subnet
        ("10.1.5.10/24", "", "10.241.1.0/26", SAME, format!("via {SAME} {DIRECT}")),
        ("10.1.5.10/24", "", "10.241.1.0/26", FAR, format!("via {FAR} {TUNNEL}")),
        ("10.1.5.10/24", "", "10.241.1.0/26", SIDE, format!("via {SIDE} {TUNNEL}")),
        // never
        ("10.1.5.10/24", "", "10.242.1.0/26", SAME, format!("via {SAME} {DIRECT}")),
        ("10.1.5.10/24", "", "10.242.1.0/26", FAR, format!("via 10.1.5.1 {DIRECT}")),
        ("10.1.5.10/24", "", "10.242.1.0/26", SIDE, format!("via {SIDE} dev net1")),
        // the longest pool decides
        ("10.1.5.10/24", "", "10.242.7.64/26", SAME, format!("via {SAME} {TUNNEL}")),
        // a prefix wider than a pool is outside it
        ("10.1.5.10/24", "", "10.240.0.0/15", FAR, format!("via 10.1.5.1 {DIRECT}")),
        // outside every pool
        ("10.1.5.10/24", "", "192.0.2.0/24", SAME, format!("via {SAME} {DIRECT}")),
        ("10.1.5.10/24", "", "192.0.2.0/24", FAR, format!("via 10.1.5.1 {DIRECT}")),
        // IPv6: no IPIP, whatever a pool says
        ("10.1.5.10/24", "", "fd01::/64", SAME6, format!("via {SAME6} {DIRECT}")),
        ("10.1.5.10/24", "", "fd01::/64", FAR6, format!("via fd00:5::1 {DIRECT}")),
        ("10.1.5.10/24", "", "fd01::/64", LOCAL6, format!("via {LOCAL6} {DIRECT}")),
        // IPv4 over an IPv6 next hop (RFC 8950): no IPIP, so in a pool that asks for it only direct
        ("10.1.5.10/24", "", "10.241.1.0/26", LOCAL6, format!("via inet6 {LOCAL6} {DIRECT}")),
        ("10.1.5.10/24", "", "10.241.1.0/26", FAR6, String::new()),
        ("10.1.5.10/24", "", "10.240.1.0/26", SAME6, format!("via inet6 {SAME6} {DIRECT}")),
        ("10.1.5.10/24", "", "10.241.1.0/26", SAME6, format!("via inet6 {SAME6} {DIRECT}")),
        ("10.1.5.10/24", "", "10.242.1.0/26", FAR6, format!("via inet6 fd00:5::1 {DIRECT}")),
        ("10.1.5.10/24", "", "192.0.2.0/24", FAR6, format!("via inet6 fd00:5::1 {DIRECT}")),
        ("10.1.5.10/24", "", "fd01::/64", SAME, String::new()),
        // a configured subnet overrides the interface's, wider and narrower
        ("10.1.5.10/24", "10.1.0.0/16", "10.241.1.0/26", FAR, format!("via {FAR} {DIRECT} onlink")),
        ("10.1.5.10/24", "10.1.5.8/30", "10.241.1.0/26", "10.1.5.20", {
            format!("via 10.1.5.20 {TUNNEL}")
        }),
        ("10.1.5.10/32", "10.1.5.10/24", "10.241.1.0/26", SAME, {
            format!("via {SAME} {DIRECT} onlink")
        }),
        // a /32 NIC: nothing is on its subnet
        ("10.1.5.10/32", "", "10.240.1.0/26", SAME, format!("via {SAME} {TUNNEL}")),
        ("10.1.5.10/32", "", "10.241.1.0/26", SAME, format!("via {SAME} {TUNNEL}")),
        ("10.1.5.10/32", "", "10.242.1.0/26", SAME, format!("via 10.1.5.1 {DIRECT}")),
        ("10.1.5.10/32", "", "192.0.2.0/24", SAME, format!("via 10.1.5.1 {DIRECT}")),
        // no way to the next hop: not even through the tunnel
        ("10.1.5.10/24", "", "10.240.1.0/26", "10.66.0.1", String::new()),
        ("10.1.5.10/24", "", "10.242.1.0/26", "10.66.0.1", String::new()),
        // our own address is no next hop
        ("10.1.5.10/24", "", "10.242.1.0/26", "10.1.6.10", String::new()),
        // a tunnel whose outer packets would enter it again
        ("10.1.5.10/24", "", "10.240.0.0/16", "10.240.9.9", String::new()),
    ];
    for (own, subnet, prefix, next_hop, expected) in rows {
        let pools = POOLS.iter().map(|(cidr, mode)| pool(cidr, *mode)).collect();
        let mut config = config(&["10.1.5.10", "fd00:5::10"], pools);
        config.subnets = (!subnet.is_empty()).then(|| net(subnet)).into_iter().collect();
        let mut rig = Rig::new(host_with(own), config.clone());
        rig.want(prefix, &[next_hop]);
        rig.run();
        let row = format!("{own} [{subnet}] {prefix} next hop {next_hop}");
        let metric = if prefix.contains(':') { 1024 } else { 0 };
        let written = match expected.as_str() {
            "" => vec![],
            route => vec![format!("{prefix} {route} proto 12 metric {metric}")],
        };
        assert_eq!(rig.table(), written, "{row}");
        let Resolution { how, why } = rig.fib.resolution_of(net(prefix), ip(next_hop).into());
        assert_eq!(how == How::Unreachable, written.is_empty(), "{row}: {why}");

        // `starlingd check` says the same without a kernel, from the same function.
        let subnet = rig.fib.world.subnet(ip(next_hop), &config);
        let class = Class::of(net(prefix), &config.pools);
        let (path, words) = path_of(class, ip(next_hop), subnet.as_ref());
        match (path, &how) {
            (_, How::Unreachable)
            | (Path::Tunnel, How::Tunnel { .. })
            | (Path::Direct, How::Direct { .. })
            | (Path::Gateway, How::Gateway { .. } | How::Direct { .. }) => {}
            other => panic!("{row}: {other:?}"),
        }
        if how != How::Unreachable {
            assert!(why.starts_with(&words), "{row}: {why} / {words}");
        }
    }
}

#[test]
fn the_reasons_are_whole_sentences() {
    let class = |prefix| {
        let pools = POOLS.map(|(cidr, mode)| pool(cidr, mode));
        Class::of(net(prefix), &pools)
    };
    let from = |text: &str, source| Subnet { net: net(text), source };
    let nic = from("10.1.5.0/24", SubnetSource::Interface("net0".into()));
    let host = from("10.1.5.10/32", SubnetSource::Interface("net0".into()));
    let set = from("10.1.0.0/16", SubnetSource::Configured);
    let why = |prefix, hop, subnet| path_of(class(prefix), ip(hop), subnet).1;
    assert_eq!(
        why("10.241.1.0/26", FAR, Some(&nic)),
        "10.1.8.10 is outside 10.1.5.0/24 of net0, pool 10.241.0.0/16 is cross-subnet"
    );
    assert_eq!(
        why("10.240.1.0/26", FAR, Some(&set)),
        "10.1.8.10 is in 10.1.0.0/16 (configured), pool 10.240.0.0/16 is always"
    );
    assert!(
        why("10.241.1.0/26", SAME, Some(&host)).contains("10.1.5.10/32 of net0, a host address")
    );
    assert!(why("10.241.1.0/26", SAME, None).contains("no known subnet"));
    assert!(why("192.0.2.0/24", FAR, Some(&nic)).ends_with("the prefix is outside every pool"));
    assert!(why("fd01::/64", FAR6, None).ends_with("IPv6 is never encapsulated"));
}

#[test]
fn policy_overrules_the_pool_for_ipv4_only() {
    let rows = [
        (Encap::Never, "10.240.1.0/26", SAME, format!("via {SAME} {DIRECT}")),
        (Encap::Never, "10.241.1.0/26", FAR, format!("via 10.1.5.1 {DIRECT}")),
        (Encap::Always, "10.241.1.0/26", SAME, format!("via {SAME} {TUNNEL}")),
        (Encap::Always, "10.242.1.0/26", FAR, format!("via {FAR} {TUNNEL}")),
        (Encap::Always, "192.0.2.0/24", FAR, format!("via {FAR} {TUNNEL}")),
        (Encap::Always, "fd01::/64", SAME6, format!("via {SAME6} {DIRECT}")),
        // Told to encapsulate and unable to: not in clear.
        (Encap::Always, "10.240.1.0/26", SAME6, String::new()),
        // A tunnel whose outer packets would enter it again; in clear it is none.
        (Encap::Always, "10.1.0.0/16", FAR, String::new()),
        (Encap::Never, "10.240.0.0/16", "10.240.9.9", format!("via 10.1.5.1 {DIRECT}")),
    ];
    // The last pool is gone: nothing but policy asks for a tunnel in two of the rows.
    for pools in [&POOLS[..], &POOLS[2..3]] {
        for (encap, prefix, next_hop, expected) in &rows {
            let pools = pools.iter().map(|(cidr, mode)| pool(cidr, *mode)).collect();
            let config = config(&["10.1.5.10", "fd00:5::10"], pools);
            let mut rig = Rig::new(host_with("10.1.5.10/24"), config);
            let hops = vec![ip(next_hop).into()];
            rig.target(prefix, Target::Via(Via { hops, metric: None, encap: *encap }.into()));
            rig.run();
            let metric = if prefix.contains(':') { 1024 } else { 0 };
            let written = match expected.as_str() {
                "" => vec![],
                route => vec![format!("{prefix} {route} proto 12 metric {metric}")],
            };
            let Resolution { how, why } = rig.fib.resolution_of(net(prefix), ip(next_hop).into());
            assert_eq!(rig.table(), written, "{encap:?} {prefix} {next_hop}: {why}");
            assert_eq!(how == How::Unreachable, written.is_empty(), "{why}");
            if !prefix.contains(':') && !how_loops(&why) {
                let word = if *encap == Encap::Never { "never" } else { "always" };
                assert!(why.contains(&format!("policy says {word} to encapsulate")), "{why}");
            }
        }
    }
}

fn how_loops(why: &str) -> bool {
    why.contains("would enter it again")
}

#[test]
fn a_link_local_next_hop_is_on_its_own_interface_and_no_other() {
    let pools = POOLS.iter().map(|(cidr, mode)| pool(cidr, *mode)).collect();
    let mut rig = Rig::new(host_with("10.1.5.10/24"), config(&["10.1.5.10", "fd00:5::10"], pools));
    let scoped = |scope| NextHop { address: ip(LOCAL6), scope: NonZeroU32::new(scope) };
    // Our own link-local address on one interface may be a neighbour's on another.
    rig.kernel.address_add(2, net("fe80::11/64"));
    rig.run();
    rig.tell(FibIn::Track(vec![scoped(2), scoped(3), scoped(9)]));
    for (prefix, scope) in [("10.242.1.0/26", 3), ("10.240.1.0/26", 3), ("fd01::/64", 3)] {
        let via = Via { hops: vec![scoped(scope), scoped(9)], metric: None, encap: Encap::ByPool };
        rig.target(prefix, Target::Via(via.into()));
    }
    rig.run();
    let on_net1 = [
        "10.240.1.0/26 via inet6 fe80::11 dev net1 proto 12 metric 0",
        "10.242.1.0/26 via inet6 fe80::11 dev net1 proto 12 metric 0",
        "fd01::/64 via fe80::11 dev net1 proto 12 metric 1024",
    ];
    assert_eq!(rig.table(), on_net1);
    assert_eq!(rig.costs, [(ip(LOCAL6), None), (ip(LOCAL6), Some(0)), (ip(LOCAL6), None)]);
    let why = |rig: &Rig, scope| rig.fib.resolution_of(net("fd01::/64"), scoped(scope)).why;
    assert!(why(&rig, 2).ends_with("fe80::11 is this node's own address, on net0"));
    assert!(why(&rig, 9).ends_with("interface 9 is gone"));

    rig.kernel.link_change(3, |link| link.up = false);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.table(), [""; 0]);
    assert!(why(&rig, 3).ends_with("net1 is down"));
    rig.kernel.link_change(3, |link| link.up = true);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.table(), on_net1);
}

/// Where the node's interface is in the VRF of our routes, their next hops lean on the VRF's own
/// table, whatever main says; where it is not, only the pods are in the VRF.
#[test]
fn a_vrfs_next_hops_are_sought_in_its_own_table() {
    let link = |index, name: &str, vrf: Option<u32>, master| Link {
        index,
        name: name.to_owned(),
        up: true,
        running: true,
        mtu: 1500,
        kind: vrf.map(|_| "vrf".to_owned()),
        vrf,
        master,
        ..Link::default()
    };
    let way = |gateway, device, table| {
        let mut route = route("0.0.0.0/0", Some(gateway), device, 3);
        route.key.table = table;
        route
    };
    let config = FibConfig { table: 100, ..config(&["10.1.6.10"], Vec::new()) };
    let reach = |links: Vec<Link>| {
        let routes = vec![way("10.1.5.1", 2, 254), way("10.1.6.1", 3, 100)];
        let addresses = vec![Address { device: 3, address: net("10.1.6.10/24") }];
        let world = World::of(Dump { links, addresses, routes, objects: None }, &config);
        match world.reach(ip("10.9.9.9").into(), &config) {
            crate::underlay::Reach::Via { gateway, .. } => gateway,
            other => panic!("{other:?}"),
        }
    };
    let nics = |master| vec![link(2, "left", None, None), link(3, "right", None, master)];
    let red = || vec![link(9, "red", Some(77), None)];
    let blue = || vec![link(9, "blue", Some(100), None)];
    assert_eq!(reach(nics(None)), ip("10.1.5.1"));
    assert_eq!(reach([nics(Some(9)), red()].concat()), ip("10.1.5.1"));
    assert_eq!(reach([nics(None), blue()].concat()), ip("10.1.5.1"));
    assert_eq!(reach([nics(Some(9)), blue()].concat()), ip("10.1.6.1"));
}
