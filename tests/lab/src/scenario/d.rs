//! Network D: the node that nobody can reach, said before it is cured.
//!
//! ```text
//!   node1 10.39.0.110 ┐                       ┌ node3 10.39.3.75
//!   node2 10.39.0.111 ┴ rack0 ─ .0.1 gw .3.1 ─┴ rack1
//! ```
//!
//! With `ipip = "never"`, the new node's block is installed through the default gateway,
//! which has never heard of the block. BGP is fine, the kernel is fine, pods are not.
//! Starling must say so: in `show routes`, in `show nodes`, once in the log. The cure is
//! one word in the configuration, and a reload that drops no session.

use super::Driver;
use super::topology::{Node, NodePlan, Plan, Topology, mtu_is};
use super::wire::Look;
use crate::{Lab, Result, Stage, must, ping};
use anyhow::{Context, bail};

const PLAN: Plan = Plan {
    racks: &[("rack0", "10.39.0.1/24"), ("rack1", "10.39.3.1/24")],
    gateway: "gw",
    device: "eth0",
    nodes: &[
        NodePlan::new("node1", 0, "10.39.0.110/24", "192.168.70.10"),
        NodePlan::new("node2", 0, "10.39.0.111/24", "192.168.80.70"),
        NodePlan::new("node3", 1, "10.39.3.75/24", "192.168.169.200"),
    ],
    pod_mtu: 1440,
};

const CONFIG: &str = r#"[cluster]
asn = 64512

[[pool]]
cidr = "192.168.0.0/16"
ipip = "never"

[tunnel]
mtu = 1440

[[node]]
name = "node1"
address = "10.39.0.110"
blocks = ["192.168.70.0/26"]
tunnel-address = "192.168.70.57"

[[node]]
name = "node2"
address = "10.39.0.111"
blocks = ["192.168.80.64/26"]

[[node]]
name = "node3"
address = "10.39.3.75"
blocks = ["192.168.169.192/26"]
"#;

const ILL: &[&[&str]] = &[
    &[
        "blackhole 192.168.70.0/26 proto bird",
        "192.168.80.64/26 via 10.39.0.111 dev eth0 proto bird",
        "192.168.169.192/26 via 10.39.0.1 dev eth0 proto bird",
    ],
    &[
        "192.168.70.0/26 via 10.39.0.110 dev eth0 proto bird",
        "blackhole 192.168.80.64/26 proto bird",
        "192.168.169.192/26 via 10.39.0.1 dev eth0 proto bird",
    ],
    &[
        "192.168.70.0/26 via 10.39.3.1 dev eth0 proto bird",
        "192.168.80.64/26 via 10.39.3.1 dev eth0 proto bird",
        "blackhole 192.168.169.192/26 proto bird",
    ],
];

const CURED: &[&[&str]] = &[
    &[
        "blackhole 192.168.70.0/26 proto bird",
        "192.168.80.64/26 via 10.39.0.111 dev tunl0 proto bird onlink",
        "192.168.169.192/26 via 10.39.3.75 dev tunl0 proto bird onlink",
    ],
    &[
        "192.168.70.0/26 via 10.39.0.110 dev tunl0 proto bird onlink",
        "blackhole 192.168.80.64/26 proto bird",
        "192.168.169.192/26 via 10.39.3.75 dev tunl0 proto bird onlink",
    ],
    &[
        "192.168.70.0/26 via 10.39.0.110 dev tunl0 proto bird onlink",
        "192.168.80.64/26 via 10.39.0.111 dev tunl0 proto bird onlink",
        "blackhole 192.168.169.192/26 proto bird",
    ],
];

const BLOCK: &str = "192.168.169.192/26";
const GATEWAY: &str = "10.39.0.1";

pub(super) fn play(lab: Lab, driver: Driver, stage: &mut Stage) -> Result<Topology> {
    stage.enter("D", "the node that nobody can reach, and its cure by a reload");
    stage.step("building two nodes and, in another subnet, a new one");
    let mut net = Topology::build(lab, driver, &PLAN, CONFIG)?;
    net.start(stage, ILL)?;
    net.check_routes(stage, ILL);

    let (node1, node2, node3) = (net.node(0)?, net.node(1)?, net.node(2)?);
    net.check_ping(stage, node1, node2);
    let unreached = ping(&node1.pod.netns, node3.pod.address.into(), 3)?;
    stage.check("pods of the new node cannot be reached", expect_silence(unreached.received));
    if net.has_daemons() {
        check_said(stage, node1);
        net.tour(stage);
    }

    let before = net.nodes.iter().map(sessions).collect::<Result<Vec<_>>>()?;
    cure(&net, stage)?;
    net.check_routes(stage, CURED);
    if net.has_daemons() {
        for (node, before) in net.nodes.iter().zip(&before) {
            let what = format!("the reload dropped no session of {}", node.host.host());
            stage.check(&what, same_sessions(node, before));
        }
        stage.check("tunl0 of node1 is up with mtu 1440", mtu_is(&node1.host, "tunl0", 1440));
        stage.check("tunl0 of node1 has 192.168.70.57/32 scope global", tunnel_address(node1));
    }
    net.tour(stage);
    net.check_pods_reach_pods(stage, &[(0, 2)]);
    net.check_wire(stage, node1, node3, &[(&node1.host, "eth0", Look::Tunnelled)]);
    Ok(net)
}

/// The disease, said in all three places.
fn check_said(stage: &mut Stage, node: &Node) {
    let Some(starling) = &node.starling else { return };
    let marked = starling.bgpctl(&["show", "routes"]).and_then(|text| {
        let line = line_with(&text, BLOCK)?;
        demand(line, &[GATEWAY, "(!)"])
    });
    stage.check("`bgpctl show routes` marks the route that leans on the gateway", marked);
    let told = starling.bgpctl(&["show", "nodes"]).and_then(|text| {
        line_with(&text, "10.39.3.75")?;
        demand(&text, &["never", GATEWAY])
    });
    stage.check("`bgpctl show nodes` says why the new node is out of reach", told);
    let log = starling.log();
    let warnings: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("WARN") && line.contains(BLOCK) && line.contains(GATEWAY))
        .collect();
    let once = match warnings.as_slice() {
        [line] => demand(line, &["never"]),
        _ => Err(anyhow::anyhow!("{} such lines: {warnings:#?}", warnings.len())),
    };
    stage.check("the log says it, once", once);
}

/// One word in the configuration, then a reload; by hand, the routes it stands for.
fn cure(net: &Topology, stage: &Stage) -> Result {
    if !net.has_daemons() {
        return net.write_by_hand(stage, CURED);
    }
    stage.step("the cure: ipip = \"always\", bgpctl reload");
    let cured = CONFIG.replace("ipip = \"never\"", "ipip = \"always\"");
    net.reconfigure(&cured)
}

/// The TCP connections of a node's BGP sessions, each by its two ends.
fn sessions(node: &Node) -> Result<Vec<String>> {
    let text = must(&[
        "ss",
        "-N",
        node.host.name(),
        "-Htn",
        "state",
        "established",
        "( sport = :179 or dport = :179 )",
    ])?;
    let mut ends: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().skip(2).take(2).collect::<Vec<_>>().join(" - "))
        .collect();
    ends.sort();
    Ok(ends)
}

fn same_sessions(node: &Node, before: &[String]) -> Result {
    let after = sessions(node)?;
    if before.len() != PLAN.nodes.len() - 1 {
        bail!("there were {} sessions before: {before:?}", before.len());
    }
    if after == before {
        return Ok(());
    }
    bail!("before {before:?}, after {after:?}")
}

fn tunnel_address(node: &Node) -> Result {
    let text = node.host.ip_line("-4 address show dev tunl0")?;
    demand(line_with(&text, "inet ")?, &["192.168.70.57/32", "scope global"])
}

fn expect_silence(received: u32) -> Result {
    if received == 0 {
        return Ok(());
    }
    bail!("{received} replies came: the gateway knows the pods, later checks prove nothing")
}

fn line_with<'a>(text: &'a str, word: &str) -> Result<&'a str> {
    text.lines()
        .find(|line| line.contains(word))
        .with_context(|| format!("no line with {word:?} in\n{text}"))
}

fn demand(text: &str, words: &[&str]) -> Result {
    for word in words {
        if !text.contains(word) {
            bail!("{word:?} is not in\n{text}");
        }
    }
    Ok(())
}
