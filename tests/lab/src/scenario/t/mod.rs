//! Network T: a tunnel in somebody's hands.
//!
//! ```text
//!  pod 10.244.1.10 ─ host1 10.0.1.10 ─ rack0 ─ gw ─ rack1 ─ host2 10.0.2.10 ─ pod 10.244.2.10
//! ```
//!
//! host1 has the `tunl0` that the module ipip brings, which nobody can delete; host2 one that was
//! made by hand, and carelessly: with a TTL and `pmtudisc`. `bgpctl why` and `bgpctl doctor` are
//! asked of them ([`questions`]); packets are sent that do not fit ([`sizes`]); and what people do
//! to a tunnel is done to them while the pods talk, a packet a millisecond each way ([`hands`]).

mod hands;
mod questions;
mod sizes;

use super::Driver;
use super::topology::{Node, NodePlan, Plan, Topology};
use crate::{Lab, Result, Stage, Starling};
use anyhow::{Context, ensure};
use std::time::Duration;

const PLAN: Plan = Plan {
    racks: &[("rack0", "10.0.1.1/24"), ("rack1", "10.0.2.1/24")],
    gateway: "gw",
    device: "eth0",
    nodes: &[
        NodePlan::new("host1", 0, "10.0.1.10/24", "10.244.1.10"),
        NodePlan {
            module_tunnel: false,
            ..NodePlan::new("host2", 1, "10.0.2.10/24", "10.244.2.10")
        },
    ],
    pod_mtu: 1480,
};

/// The nodes tell each other what they do: that takes `[http] listen`.
const CONFIG: &str = r#"[cluster]
asn = 64512

[[pool]]
cidr = "10.244.0.0/16"
ipip = "cross-subnet"

[[node]]
name = "host1"
address = "10.0.1.10"
blocks = ["10.244.1.0/26"]

[[node]]
name = "host2"
address = "10.0.2.10"
blocks = ["10.244.2.0/26"]

[http]
listen = "0.0.0.0:9179"
"#;

const ROUTES: &[&[&str]] = &[
    &[
        "blackhole 10.244.1.0/26 proto bird",
        "10.244.2.0/26 via 10.0.2.10 dev tunl0 proto bird onlink",
    ],
    &[
        "10.244.1.0/26 via 10.0.1.10 dev tunl0 proto bird onlink",
        "blackhole 10.244.2.0/26 proto bird",
    ],
];

/// What is heard takes effect at once; an emulated machine is slow.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn play(lab: Lab, driver: Driver, stage: &mut Stage) -> Result<Topology> {
    stage.enter("T", "a tunnel in somebody's hands");
    stage.step("building two hosts with a pod each and a gateway between them");
    let mut net = Topology::build(lab, driver, &PLAN, CONFIG)?;
    net.node(1)?.host.ip_line("link add tunl0 type ipip ttl 64 pmtudisc")?;
    net.start(stage, ROUTES)?;
    net.check_routes(stage, ROUTES);
    let (host1, host2) = (net.node(0)?, net.node(1)?);
    net.check_ping(stage, host1, host2);
    if net.has_daemons() {
        questions::play(&net, stage)?;
        sizes::play(&net, stage)?;
        hands::play(&net, stage)?;
        net.check_routes(stage, ROUTES);
    }
    net.tour(stage);
    Ok(net)
}

fn daemon(node: &Node) -> Result<&Starling> {
    node.starling.as_ref().with_context(|| format!("no daemon on {}", node.host.host()))
}

/// Whether the tunnel is as the daemon sets it up, with this address and MTU, and in use.
fn is_well(net: &Topology, at: usize, mtu: u32) -> Result {
    let node = net.node(at)?;
    let shown = node.host.ip_line("-d address show dev tunl0")?;
    let address = format!("inet 10.244.{}.0/32 ", at + 1);
    for words in [&format!("mtu {mtu} "), &address, ",UP", "ttl inherit nopmtudisc"] {
        ensure!(shown.contains(words), "no {words:?} in\n{shown}");
    }
    super::topology::holds(node, ROUTES.get(at).context("no such host")?)
}
