//! Network C: three neighbours on one subnet, and `ipip = "always"`.
//!
//! The nodes could route to each other directly; the pool says that all pod traffic
//! between nodes is wrapped all the same. An echo is seen at four places at once: at the
//! pod, at the host's end of its veth pair, in the tunnel, and on the wire.

use super::Driver;
use super::topology::{NodePlan, Plan, Topology};
use super::wire::Look;
use crate::{Lab, Result, Stage};

const PLAN: Plan = Plan {
    racks: &[("br0", "10.7.0.1/16")],
    gateway: "gw",
    device: "eth0",
    nodes: &[
        node("node1", "10.7.120.11/16", "10.233.107.250"),
        node("node2", "10.7.120.12/16", "10.233.109.10"),
        node("node3", "10.7.120.13/16", "10.233.88.10"),
    ],
    pod_mtu: 1480,
};

const fn node(name: &'static str, address: &'static str, pod: &'static str) -> NodePlan {
    NodePlan { pod_device: "cali2f1a0", ..NodePlan::new(name, 0, address, pod) }
}

const CONFIG: &str = r#"[cluster]
asn = 64512

[[pool]]
cidr = "10.233.0.0/16"
ipip = "always"

[[node]]
name = "node1"
address = "10.7.120.11"
blocks = ["10.233.107.0/24"]

[[node]]
name = "node2"
address = "10.7.120.12"
blocks = ["10.233.109.0/24"]

[[node]]
name = "node3"
address = "10.7.120.13"
blocks = ["10.233.88.0/24"]
"#;

const ROUTES: &[&[&str]] = &[
    &[
        "blackhole 10.233.107.0/24 proto bird",
        "10.233.109.0/24 via 10.7.120.12 dev tunl0 proto bird onlink",
        "10.233.88.0/24 via 10.7.120.13 dev tunl0 proto bird onlink",
    ],
    &[
        "10.233.107.0/24 via 10.7.120.11 dev tunl0 proto bird onlink",
        "blackhole 10.233.109.0/24 proto bird",
        "10.233.88.0/24 via 10.7.120.13 dev tunl0 proto bird onlink",
    ],
    &[
        "10.233.107.0/24 via 10.7.120.11 dev tunl0 proto bird onlink",
        "10.233.109.0/24 via 10.7.120.12 dev tunl0 proto bird onlink",
        "blackhole 10.233.88.0/24 proto bird",
    ],
];

pub(super) fn play(lab: Lab, driver: Driver, stage: &mut Stage) -> Result<Topology> {
    stage.enter("C", "three neighbours on one subnet, tunnelled always");
    stage.step("building three nodes with a pod each on one bridge");
    let mut net = Topology::build(lab, driver, &PLAN, CONFIG)?;
    net.start(stage, ROUTES)?;
    net.check_routes(stage, ROUTES);
    net.tour(stage);
    net.check_pods_reach_pods(stage, &[(0, 1)]);

    let (node1, node2) = (net.node(0)?, net.node(1)?);
    let veth = node1.pod.host_device.as_str();
    net.check_wire(
        stage,
        node1,
        node2,
        &[
            (&node1.pod.netns, "eth0", Look::Plain),
            (&node1.host, veth, Look::Plain),
            (&node1.host, "tunl0", Look::Plain),
            (&node1.host, "eth0", Look::Tunnelled),
        ],
    );
    let mtu = super::topology::mtu_is(&node1.host, "tunl0", 1480);
    stage.check("tunl0 leaves room for the outer header: mtu 1480", mtu);
    Ok(net)
}
