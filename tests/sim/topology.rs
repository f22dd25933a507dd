//! The simulated cluster's shape: racks of ten, a subnet each, both families, one pool of each.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use starling_config::{Config, Identity, NodePlan};
use starling_fib::mem::Kernel;
use starling_fib::types::{Address, Hop, KernelRoute, Kind, Link, RouteKey};

use crate::network::NodeIx;

/// Nodes that share a subnet.
const RACK: usize = 10;
/// The NIC's index in every simulated host.
pub const NIC: u32 = 2;

/// A node's IPv4 address.
pub fn v4(node: NodeIx) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, octet(node / RACK), 10 + octet(node % RACK))
}

/// A node's IPv6 address.
pub fn v6(node: NodeIx) -> Ipv6Addr {
    Ipv6Addr::new(
        0xfd00,
        1,
        u16::from(octet(node / RACK)),
        0,
        0,
        0,
        0,
        10 + u16::from(octet(node % RACK)),
    )
}

/// A rack's gateways.
pub fn gateways(node: NodeIx) -> (Ipv4Addr, Ipv6Addr) {
    let rack = octet(node / RACK);
    (Ipv4Addr::new(10, 1, rack, 1), Ipv6Addr::new(0xfd00, 1, u16::from(rack), 0, 0, 0, 0, 1))
}

/// Whether two nodes share a subnet.
pub fn rack_mates(a: NodeIx, b: NodeIx) -> bool {
    a / RACK == b / RACK
}

/// A node's blocks: one of each family.
pub fn blocks(node: NodeIx) -> [IpNet; 2] {
    let [high, low] = u16::try_from(node).expect("few nodes").to_be_bytes();
    [
        net(IpAddr::V4(Ipv4Addr::new(10, 244 + high, low, 0)), 24),
        net(
            IpAddr::V6(Ipv6Addr::new(0xfd00, 0x244, u16::from(low), u16::from(high), 0, 0, 0, 0)),
            64,
        ),
    ]
}

fn octet(n: usize) -> u8 {
    u8::try_from(n).expect("few racks")
}

fn net(address: IpAddr, len: u8) -> IpNet {
    IpNet::new(address, len).expect("a valid length")
}

/// The plans of all nodes, from one configuration file as users write it. `ipip`: the IPv4
/// pool's mode.
pub fn plans(nodes: usize, ipip: &str) -> Vec<NodePlan> {
    let mut toml = format!(
        "[cluster]\nasn = 64512\n\n[timers]\nhold = \"9s\"\nsettle = \"15s\"\n\n\
         [[pool]]\ncidr = \"10.244.0.0/15\"\nipip = \"{ipip}\"\n\n\
         [[pool]]\ncidr = \"fd00:244::/32\"\n"
    );
    for node in 0..nodes {
        let [block4, block6] = blocks(node);
        let (v4, v6) = (v4(node), v6(node));
        write!(
            toml,
            "\n[[node]]\nname = \"node{node}\"\naddress = [\"{v4}\", \"{v6}\"]\n\
             blocks = [\"{block4}\", \"{block6}\"]\n"
        )
        .expect("strings grow");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("cluster.toml");
    std::fs::write(&file, toml).expect("a file");
    let config = Config::load(&file).unwrap_or_else(|errors| panic!("{errors}"));
    (0..nodes)
        .map(|node| {
            let identity = Identity { node: Some(format!("node{node}")), ..Identity::default() };
            config.plan(config.node(&identity).expect("it is in the file"))
        })
        .collect()
}

/// A host's kernel before any daemon: a NIC with its addresses, default routes from the boot.
pub fn kernel(node: NodeIx) -> Kernel {
    let mut kernel = Kernel::default();
    kernel.add_link(Link {
        index: NIC,
        name: "net0".into(),
        up: true,
        running: true,
        mtu: 1500,
        kind: Some("veth".into()),
    });
    for address in [net(v4(node).into(), 24), net(v6(node).into(), 64)] {
        kernel.add_address(Address { device: NIC, address });
    }
    let (gw4, gw6) = gateways(node);
    for (everywhere, gateway, metric) in [
        (net(Ipv4Addr::UNSPECIFIED.into(), 0), IpAddr::V4(gw4), 0),
        (net(Ipv6Addr::UNSPECIFIED.into(), 0), IpAddr::V6(gw6), 1024),
    ] {
        kernel.add_route(KernelRoute {
            key: RouteKey { prefix: everywhere, table: 254, metric },
            protocol: 3,
            kind: Kind::Unicast,
            scope: 0,
            tos: 0,
            source: None,
            hops: vec![Hop { gateway: Some(gateway), device: NIC, onlink: false, weight: 1 }],
        });
    }
    kernel
}
