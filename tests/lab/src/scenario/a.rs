//! Network A: a tunnel made by hand, and Starling that replaces the hand.
//!
//! ```text
//!  pod 172.19.1.10 ─ host1 10.0.1.10 ─ rack0 ─ gw ─ rack1 ─ host2 10.0.2.10 ─ pod 172.19.2.10
//! ```
//!
//! The gateway knows no pod. With one route a host, through a tunl0 that has no remote of
//! its own, pods reach each other. Then the daemons start: they must take these very
//! routes over without a lost packet, and put one back that somebody deletes.

use super::Driver;
use super::topology::{Node, NodePlan, Plan, Topology};
use super::wire::Look;
use crate::{Lab, Monitor, Result, Stage, ping};
use anyhow::bail;
use std::thread;
use std::time::Duration;

const PLAN: Plan = Plan {
    racks: &[("rack0", "10.0.1.1/24"), ("rack1", "10.0.2.1/24")],
    gateway: "gw",
    device: "eth0",
    nodes: &[
        NodePlan {
            name: "host1",
            rack: 0,
            address: "10.0.1.10/24",
            pod: "172.19.1.10",
            pod_length: 24,
            pod_device: "veth1",
            module_tunnel: true,
        },
        NodePlan {
            name: "host2",
            rack: 1,
            address: "10.0.2.10/24",
            pod: "172.19.2.10",
            pod_length: 24,
            pod_device: "veth1",
            module_tunnel: true,
        },
    ],
    pod_mtu: 1480,
};

const CONFIG: &str = r#"[cluster]
asn = 64512

[[pool]]
cidr = "172.19.0.0/16"
ipip = "always"

[[node]]
name = "host1"
address = "10.0.1.10"
blocks = ["172.19.1.0/24"]

[[node]]
name = "host2"
address = "10.0.2.10"
blocks = ["172.19.2.0/24"]
"#;

const HAND: &[&[&str]] = &[
    &["172.19.2.0/24 via 10.0.2.10 dev tunl0 proto bird onlink"],
    &["172.19.1.0/24 via 10.0.1.10 dev tunl0 proto bird onlink"],
];

const STARLING: &[&[&str]] = &[
    &[
        "blackhole 172.19.1.0/24 proto bird",
        "172.19.2.0/24 via 10.0.2.10 dev tunl0 proto bird onlink",
    ],
    &[
        "blackhole 172.19.2.0/24 proto bird",
        "172.19.1.0/24 via 10.0.1.10 dev tunl0 proto bird onlink",
    ],
];

/// Five a second: the daemons start and converge while these are under way.
const PINGS_DURING_TAKEOVER: u32 = 50;

pub(super) fn play(lab: Lab, driver: Driver, stage: &mut Stage) -> Result<Topology> {
    stage.enter("A", "a hand-made tunnel between two subnets, taken over by Starling");
    stage.step("building two hosts with a pod each and a gateway between them");
    let mut net = Topology::build(lab, driver, &PLAN, CONFIG)?;

    let (host1, host2) = (net.node(0)?, net.node(1)?);
    let unreached = ping(&host1.pod.netns, host2.pod.address.into(), 2)?;
    stage.check("without a route, pods do not reach each other", expect_none(unreached.received));
    net.write_by_hand(stage, HAND)?;
    net.check_routes(stage, HAND);
    net.check_ping(stage, host1, host2);
    let wire = (&host1.host, "eth0", Look::Tunnelled);
    net.check_wire(stage, host1, host2, &[(&host1.pod.netns, "eth0", Look::Plain), wire]);
    if !net.has_daemons() {
        return Ok(net);
    }

    stage.step("starting the daemons while pods talk");
    let (from, to) = (host1.pod.netns.name().to_owned(), host2.pod.address);
    let pinging = thread::spawn(move || {
        let count = PINGS_DURING_TAKEOVER.to_string();
        crate::run(
            std::process::Command::new("ip")
                .args(["netns", "exec", &from, "ping", "-n", "-c", &count, "-i", "0.2", "-W", "5"])
                .arg(to.to_string()),
            Duration::from_secs(120),
        )
    });
    let monitor = |node: &Node| {
        let log = net.lab.dir().join(format!("{}-monitor.log", node.host.host()));
        Monitor::start(&node.host, &log)
    };
    let monitors = net.nodes.iter().map(monitor).collect::<Result<Vec<_>>>()?;
    net.start(stage, STARLING)?;
    net.check_routes(stage, STARLING);
    let Ok(pinged) = pinging.join() else { bail!("the ping's thread panicked") };
    let pinged = pinged?;
    let lossless = if pinged.stdout.contains(" 0% packet loss") {
        Ok(())
    } else {
        Err(anyhow::anyhow!("ping said:\n{}", pinged.stdout))
    };
    stage.check("no packet is lost while Starling takes the routes over", lossless);

    for (node, monitor) in net.nodes.iter().zip(monitors) {
        let what = format!("{} never loses its route, not even for a moment", node.host.host());
        stage.check(&what, nothing_deleted(&monitor));
    }

    let host1 = net.node(0)?;
    stage.step("deleting one of its routes by hand");
    host1.host.ip_line("route del 172.19.2.0/24")?;
    net.check_routes(stage, STARLING);
    net.check_pods_reach_pods(stage, &[(0, 1)]);
    net.tour(stage);
    Ok(net)
}

/// None of the pods' routes was gone, as far as the kernel's own words go.
fn nothing_deleted(monitor: &Monitor) -> Result {
    let seen = monitor.seen()?;
    let deleted: Vec<&str> = seen
        .lines()
        .filter(|line| line.starts_with("Deleted") && line.contains("172.19."))
        .collect();
    if deleted.is_empty() {
        return Ok(());
    }
    bail!("the kernel says:\n{}", deleted.join("\n"))
}

fn expect_none(received: u32) -> Result {
    if received == 0 {
        return Ok(());
    }
    bail!("{received} replies came: the network carries pods by itself, later checks prove nothing")
}
