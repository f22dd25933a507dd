//! Network B: two racks, a gateway that is a BGP peer, and `ipip = "cross-subnet"`.
//!
//! ```text
//!        10.1.5.1 ┌─────┐ 10.1.8.1
//!   br-pool0 ─────┤ gw0 ├───── br-pool1          gw0: FRR, AS 65000
//!    │      │     └─────┘      │      │
//!  server1 server2          server3 server4      AS 64512, full mesh
//!  .5.10   .5.11            .8.10   .8.11
//! ```
//!
//! Rack mates route to each other directly, racks through tunl0; gw0 hears the blocks from
//! the nodes and reaches the pods without a tunnel. FRR stands for VyOS, which runs it.

use super::Driver;
use super::topology::{NodePlan, Plan, Topology};
use super::wire::Look;
use crate::{Family, Frr, FrrNeighbor, FrrRouter, Lab, Result, Stage, ping, routes, wait_for};
use anyhow::bail;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

const PLAN: Plan = Plan {
    racks: &[("br-pool0", "10.1.5.1/24"), ("br-pool1", "10.1.8.1/24")],
    gateway: "gw0",
    device: "net0",
    nodes: &[
        NodePlan::new("server1", 0, "10.1.5.10/24", "10.244.1.10"),
        NodePlan::new("server2", 0, "10.1.5.11/24", "10.244.2.10"),
        NodePlan::new("server3", 1, "10.1.8.10/24", "10.244.3.10"),
        NodePlan::new("server4", 1, "10.1.8.11/24", "10.244.4.10"),
    ],
    pod_mtu: 1480,
};

const CONFIG: &str = r#"[cluster]
asn = 64512

[[pool]]
cidr = "10.244.0.0/16"
ipip = "cross-subnet"

[[node]]
name = "server1"
address = "10.1.5.10"
blocks = ["10.244.1.0/26"]
labels = { rack = "rack0" }

[[node]]
name = "server2"
address = "10.1.5.11"
blocks = ["10.244.2.0/26"]
labels = { rack = "rack0" }

[[node]]
name = "server3"
address = "10.1.8.10"
blocks = ["10.244.3.0/26"]
labels = { rack = "rack1" }

[[node]]
name = "server4"
address = "10.1.8.11"
blocks = ["10.244.4.0/26"]
labels = { rack = "rack1" }

[[peer]]
name = "gw0-rack0"
address = "10.1.5.1"
asn = 65000
nodes = { rack = "rack0" }

[[peer]]
name = "gw0-rack1"
address = "10.1.8.1"
asn = 65000
nodes = { rack = "rack1" }
"#;

const ROUTES: &[&[&str]] = &[
    &[
        "blackhole 10.244.1.0/26 proto bird",
        "10.244.2.0/26 via 10.1.5.11 dev net0 proto bird",
        "10.244.3.0/26 via 10.1.8.10 dev tunl0 proto bird onlink",
        "10.244.4.0/26 via 10.1.8.11 dev tunl0 proto bird onlink",
    ],
    &[
        "10.244.1.0/26 via 10.1.5.10 dev net0 proto bird",
        "blackhole 10.244.2.0/26 proto bird",
        "10.244.3.0/26 via 10.1.8.10 dev tunl0 proto bird onlink",
        "10.244.4.0/26 via 10.1.8.11 dev tunl0 proto bird onlink",
    ],
    &[
        "10.244.1.0/26 via 10.1.5.10 dev tunl0 proto bird onlink",
        "10.244.2.0/26 via 10.1.5.11 dev tunl0 proto bird onlink",
        "blackhole 10.244.3.0/26 proto bird",
        "10.244.4.0/26 via 10.1.8.11 dev net0 proto bird",
    ],
    &[
        "10.244.1.0/26 via 10.1.5.10 dev tunl0 proto bird onlink",
        "10.244.2.0/26 via 10.1.5.11 dev tunl0 proto bird onlink",
        "10.244.3.0/26 via 10.1.8.10 dev net0 proto bird",
        "blackhole 10.244.4.0/26 proto bird",
    ],
];

const GATEWAY_ROUTES: &[&str] = &[
    "10.244.1.0/26 via 10.1.5.10 dev eth0",
    "10.244.2.0/26 via 10.1.5.11 dev eth0",
    "10.244.3.0/26 via 10.1.8.10 dev eth1",
    "10.244.4.0/26 via 10.1.8.11 dev eth1",
];

pub(super) fn play(lab: Lab, driver: Driver, stage: &mut Stage) -> Result<Topology> {
    stage.enter("B", "two racks with a gateway, cross-subnet");
    stage.step("building two racks, four servers with a pod each, and gw0 between them");
    let mut net = Topology::build(lab, driver, &PLAN, CONFIG)?;

    stage.step("starting FRR on gw0");
    let router = FrrRouter {
        asn: 65000,
        router_id: Ipv4Addr::new(10, 1, 5, 1),
        neighbors: net
            .nodes
            .iter()
            .map(|node| FrrNeighbor { address: node.address.into(), asn: 64512 })
            .collect(),
        networks: Vec::new(),
    };
    let mut frr = Frr::start(&net.gateway, &net.lab.subdir("gw0")?, &router.config())?;

    net.start(stage, ROUTES)?;
    net.check_routes(stage, ROUTES);
    if net.has_daemons() {
        check_gateway(&net, stage, &frr);
    }
    net.tour(stage);
    net.check_pods_reach_pods(stage, &[(0, 1), (0, 2)]);
    let (server1, server2, server3) = (net.node(0)?, net.node(1)?, net.node(2)?);
    net.check_wire(stage, server1, server2, &[(&server1.host, "net0", Look::Plain)]);
    net.check_wire(
        stage,
        server1,
        server3,
        &[
            (&server1.host, "net0", Look::Tunnelled),
            (&net.gateway, "eth1", Look::Tunnelled),
            (&server3.host, "tunl0", Look::Plain),
        ],
    );
    if net.has_daemons() {
        super::equal::play(&net, stage, CONFIG)?;
    }
    // It lives in gw0's namespace, which ends it; a kept lab keeps it.
    frr.detach();
    Ok(net)
}

/// gw0 heard every block from its own node, and reaches the pods without a tunnel.
fn check_gateway(net: &Topology, stage: &mut Stage, frr: &Frr) {
    let outcome = wait_for("gw0's routes", Duration::from_secs(60), || {
        let held = gateway_routes(net)?;
        if held == GATEWAY_ROUTES {
            return Ok(());
        }
        bail!("gw0 holds {held:#?}, not {GATEWAY_ROUTES:#?}")
    });
    if stage.check("gw0 hears every block from its own node", outcome).is_none() {
        let text = frr.vtysh("show bgp ipv4 unicast").unwrap_or_else(|error| format!("{error:#}"));
        stage.explain("vtysh show bgp ipv4 unicast on gw0", &text);
        let text = frr.vtysh("show bgp summary").unwrap_or_else(|error| format!("{error:#}"));
        stage.explain("vtysh show bgp summary on gw0", &text);
    }
    for node in &net.nodes {
        let to = IpAddr::from(node.pod.address);
        let outcome = wait_for("every reply", Duration::from_secs(20), || {
            ping(&net.gateway, to, 3)?.complete()
        });
        stage.check(&format!("gw0 pings pod of {} without a tunnel", node.host.host()), outcome);
    }
}

fn gateway_routes(net: &Topology) -> Result<Vec<String>> {
    let mut lines: Vec<String> = routes(&net.gateway, Family::V4, "")?
        .iter()
        .filter(|route| route.dst.starts_with("10.244."))
        .map(|route| {
            let part = |part: &Option<String>| part.clone().unwrap_or_default();
            format!("{} via {} dev {}", route.dst, part(&route.gateway), part(&route.dev))
        })
        .collect();
    lines.sort();
    Ok(lines)
}
