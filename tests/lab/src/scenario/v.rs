//! Network V: pods in a VRF.
//!
//! ```text
//!  pod 172.20.1.10 ─[blue]─ host1 10.0.1.10 ─ rack0 ─ gw ─ rack1 ─ host2 10.0.2.10 ─[blue]─ pod
//! ```
//!
//! On each host the pod's interface is in the VRF `blue`, whose table is 1000: main knows neither
//! pods nor blocks. With `[kernel] table = 1000` the daemon writes the blocks there, with a
//! protocol of their own, and puts the tunnel into the VRF, for what comes out of it is looked up
//! where the tunnel is. The packets between the hosts, and BGP, go by main.

use super::Driver;
use super::topology::{Node, NodePlan, Plan, Topology};
use super::wire::Look;
use crate::{End, Family, Lab, Result, Signal, Stage, Starling, Traffic, holds, ping, wait_for};
use anyhow::{Context, bail, ensure};
use std::time::Duration;

const PLAN: Plan = Plan {
    racks: &[("rack0", "10.0.1.1/24"), ("rack1", "10.0.2.1/24")],
    gateway: "gw",
    device: "eth0",
    nodes: &[
        NodePlan::new("host1", 0, "10.0.1.10/24", "172.20.1.10"),
        NodePlan::new("host2", 1, "10.0.2.10/24", "172.20.2.10"),
    ],
    pod_mtu: 1480,
};

const CONFIG: &str = r#"[cluster]
asn = 64512

[kernel]
table = 1000
protocol = 99
metric = 50

[[pool]]
cidr = "172.20.0.0/16"
ipip = "always"

[[node]]
name = "host1"
address = "10.0.1.10"
blocks = ["172.20.1.0/24"]

[[node]]
name = "host2"
address = "10.0.2.10"
blocks = ["172.20.2.0/24"]
"#;

/// Where the processor is emulated a daemon's start may keep BFD of both waiting; that is not what
/// is looked at here.
const NO_BFD: &str = "[bfd]\nenabled = false\n";

/// What is ours in table 1000.
const ROUTES: [[&str; 2]; 2] = [
    [
        "blackhole 172.20.1.0/24 proto 99 metric 50",
        "172.20.2.0/24 via 10.0.2.10 dev tunl0 proto 99 metric 50 onlink",
    ],
    [
        "172.20.1.0/24 via 10.0.1.10 dev tunl0 proto 99 metric 50 onlink",
        "blackhole 172.20.2.0/24 proto 99 metric 50",
    ],
];

const PATIENCE: Duration = Duration::from_secs(90);
const PACE: Duration = Duration::from_millis(5);

pub(super) fn play(lab: Lab, driver: Driver, stage: &mut Stage) -> Result<Topology> {
    stage.enter("V", "pods in a VRF, and routes in its table");
    stage.step("building two hosts with a VRF and a pod in it each");
    let mut net = Topology::build(lab, driver, &PLAN, &format!("{CONFIG}{NO_BFD}"))?;
    for node in &net.nodes {
        into_vrf(node)?;
    }
    let (host1, host2) = (net.node(0)?, net.node(1)?);
    let unreached = ping(&host1.pod.netns, host2.pod.address.into(), 2)?;
    let silent = if unreached.received == 0 { Ok(()) } else { Err(anyhow::anyhow!("it is")) };
    stage.check("without a route, the pod in the other VRF is not reached", silent);
    if !net.has_daemons() {
        for (node, lines) in net.nodes.iter().zip(ROUTES) {
            let device = ["link set tunl0 master blue", "link set tunl0 mtu 1480 up"];
            let routes = lines.map(|line| format!("route add {line} table 1000"));
            node.host.ip_lines(&[device.map(str::to_owned), routes].concat())?;
        }
        net.check_ping(stage, net.node(0)?, net.node(1)?);
        return Ok(net);
    }
    net.start(stage, &[])?;
    for (at, node) in net.nodes.iter().enumerate() {
        let name = node.host.host();
        let held = wait_for("its routes", PATIENCE, || is_well(node, at));
        let what = format!("{name} holds exactly its 2 routes in table 1000, with proto 99");
        if stage.check(&what, held).is_none() {
            net.explain(stage, node);
        }
        let main = holds(&node.host, Family::V4, "table main proto 99", &[], PATIENCE);
        stage.check(&format!("and none in main of {name}"), main);
    }
    let (host1, host2) = (net.node(0)?, net.node(1)?);
    net.check_ping(stage, host1, host2);
    let wire = (&host1.host, "eth0", Look::Tunnelled);
    net.check_wire(stage, host1, host2, &[(&host2.host, "cali1", Look::Plain), wire]);
    let told = wait_for("the answers", PATIENCE, || is_said(host1));
    stage.check("`bgpctl why` asks the kernel in the VRF, `show pods` knows the pod", told);
    hands(&mut net, stage)?;
    if let Some(node) = net.nodes.first() {
        let text = node.host.ip_line("route show table 1000")?;
        stage.show("ip route show table 1000   (on host1)", &text);
    }
    Ok(net)
}

/// A VRF, and the pod in it: an interface that enters one leaves its routes behind. The pod's
/// gateway is answered for by proxy ARP, which takes a default route there too.
fn into_vrf(node: &Node) -> Result {
    let Node { pod, host, .. } = node;
    let gateway = host.ip_line("-j route show default")?;
    let gateway: serde_json::Value = serde_json::from_str(&gateway)?;
    let gateway = gateway[0]["gateway"].as_str().context("no default route")?;
    let device = &pod.host_device;
    host.ip_lines(&[
        "link add blue type vrf table 1000".to_owned(),
        "link set blue up".to_owned(),
        format!("link set {device} master blue"),
        format!("route add {} dev {device} scope link table 1000", pod.address),
        format!("route add default via {gateway} dev eth0 table 1000"),
    ])
}

/// Its own routes in the VRF's table, and the tunnel in the VRF.
fn is_well(node: &Node, at: usize) -> Result {
    let wanted = ROUTES.get(at).context("no such host")?;
    holds(&node.host, Family::V4, "table 1000 proto 99", wanted, Duration::ZERO)?;
    let shown = node.host.ip_line("address show dev tunl0")?;
    for words in ["mtu 1480 ", "master blue ", ",UP", &format!("inet 172.20.{}.0/32 ", at + 1)] {
        ensure!(shown.contains(words), "no {words:?} in\n{shown}");
    }
    Ok(())
}

fn daemon(node: &Node) -> Result<&Starling> {
    node.starling.as_ref().with_context(|| format!("no daemon on {}", node.host.host()))
}

fn is_said(node: &Node) -> Result {
    let why = daemon(node)?.bgpctl(&["why", "172.20.2.10"])?;
    for words in [
        "172.20.2.10 is reached through 10.0.2.10 by tunl0",
        "dev tunl0 onlink",
        "table 1000",
        "our route",
        "packets to 10.0.2.10 take 0.0.0.0/0 via 10.0.1.1 dev eth0",
    ] {
        ensure!(why.contains(words), "{words:?} is not in\n{why}");
    }
    let pods = daemon(node)?.bgpctl(&["show", "pods"])?;
    ensure!(pods.contains("172.20.1.10"), "{pods}");
    Ok(())
}

/// The daemon is killed and started while the pods talk, and the tunnel taken out of the VRF.
fn hands(net: &mut Topology, stage: &mut Stage) -> Result {
    let ends = net.nodes.iter().map(|node| End {
        name: node.host.host(),
        netns: &node.pod.netns,
        address: node.pod.address.into(),
    });
    let traffic = Traffic::start(&ends.collect::<Vec<_>>(), &[(0, 1), (1, 0)], PACE)?;
    let from = traffic.beat();
    let crashed = net.nodes.first_mut().and_then(|node| node.starling.take());
    crashed.context("no daemon on host1")?.proc().signal(Signal::KILL)?;
    net.start_one(0)?;
    let well = wait_for("host1", PATIENCE, || {
        is_well(net.node(0)?, 0)?;
        let peers = daemon(net.node(0)?)?.bgpctl(&["show", "neighbors"])?;
        ensure!(peers.contains("Established"), "{peers}");
        Ok(())
    });
    let lost = well.and_then(|()| {
        let lost = traffic.lost(from, traffic.calm(from), |_, _| true);
        ensure!(lost.lost == 0, "{lost:?}");
        Ok(())
    });
    stage.check("the daemon of host1 is killed and started: no packet is lost", lost);
    let host1 = net.node(0)?;
    let healed = wait_for("tunl0", PATIENCE, || {
        if !daemon(host1)?.log().contains("put right: outside blue") {
            // Once more: what is done before a daemon that starts has looked at the device is put
            // right without a word.
            host1.host.ip_line("link set tunl0 nomaster")?;
            bail!("the log does not say it");
        }
        is_well(host1, 0)
    });
    stage.check("tunl0 is taken out of the VRF: put right", healed);
    net.check_ping(stage, host1, net.node(1)?);
    Ok(())
}
