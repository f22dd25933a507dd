//! Equal paths in network B: a prefix that a server in each rack announces, and both are used.
//!
//! server2 and server4 announce 10.244.9.0/28, and a pod on each answers for all of it. For
//! server1 the one is a rack mate, the other behind the tunnel: one route with a next hop of
//! each kind. A gateway between would make the other rack's farther and break the tie (RFC 4271
//! §9.1.2.2 e), so gw0 answers ARP for it, and server1 believes it on its own wire.

use super::topology::{Node, Topology};
use crate::{Capture, Result, Stage, ping, wait_for};
use anyhow::{Context, bail};
use std::net::Ipv4Addr;
use std::time::Duration;

const PREFIX: &str = "10.244.9.0/28";
/// As many flows as the prefix has addresses: each has a place in the kernel's hash of its own.
const ADDRESSES: u8 = 16;
/// Indices of the servers that announce it.
const ANNOUNCING: [usize; 2] = [1, 3];
const ROUTE: &str = "10.244.9.0/28 proto bird nexthop via 10.1.5.11 dev net0 \
                     nexthop via 10.1.8.11 dev tunl0 onlink";
const PATIENCE: Duration = Duration::from_secs(60);

/// Plays it in a network whose file is `config`; afterwards the network is as before.
pub(super) fn play(net: &Topology, stage: &mut Stage, config: &str) -> Result {
    stage.step("server2 and server4 announce one prefix, max-paths = 4");
    net.gateway.sysctl("net/ipv4/conf/eth0/proxy_arp", "1")?;
    net.gateway.sysctl("net/ipv4/neigh/eth0/proxy_delay", "0")?;
    let server1 = net.node(0)?;
    server1.host.ip_line("route add 10.1.8.11/32 dev net0 scope link")?;
    for index in ANNOUNCING {
        let node = net.node(index)?;
        node.pod.netns.ip_line(&format!("route add local {PREFIX} dev lo"))?;
        let device = &node.pod.host_device;
        node.host.ip_line(&format!("route add {PREFIX} dev {device} scope link"))?;
    }
    let mut equal = config.replace("asn = 64512\n", "asn = 64512\nmax-paths = 4\n");
    for index in ANNOUNCING {
        let line = format!("name = \"{}\"\n", net.node(index)?.host.host());
        equal = equal.replace(&line, &format!("{line}networks = [\"{PREFIX}\"]\n"));
    }
    net.reconfigure(&equal)?;
    let held = wait_for("the route", PATIENCE, || held_by(server1, &[ROUTE]));
    if stage.check("server1 has one route with both as next hops", held).is_none() {
        net.explain(stage, server1);
    }
    for question in ["routes", "fib"] {
        if let Some(starling) = &server1.starling {
            let text = starling.bgpctl(&["show", question])?;
            let both = ["10.1.5.11", "10.1.8.11"].into_iter().all(|hop| {
                let lines = text.lines().skip_while(|line| !line.starts_with(PREFIX)).take(3);
                lines.into_iter().any(|line| line.contains(hop))
            });
            let outcome = if both { Ok(()) } else { Err(anyhow::anyhow!("{text}")) };
            stage.check(&format!("`bgpctl show {question}` shows both"), outcome);
        }
    }
    check_flows(net, stage, server1);

    // Away again: what is left leads on, and at last nothing does.
    let rest = equal.replacen(&format!("networks = [\"{PREFIX}\"]\n"), "", 1);
    net.reconfigure(&rest)?;
    let tunnelled = format!("{PREFIX} via 10.1.8.11 dev tunl0 proto bird onlink");
    let held = wait_for("the route", PATIENCE, || held_by(server1, &[&tunnelled]));
    stage.check("without server2 the tunnelled next hop stays", held);
    net.reconfigure(config)?;
    let held = wait_for("no route", PATIENCE, || held_by(server1, &[]));
    stage.check("and nothing once nobody announces it", held);
    for index in ANNOUNCING {
        let node = net.node(index)?;
        node.host.ip_line(&format!("route del {PREFIX}"))?;
        node.pod.netns.ip_line(&format!("route del local {PREFIX} dev lo table local"))?;
    }
    server1.host.ip_line("route del 10.1.8.11/32")?;
    net.gateway.sysctl("net/ipv4/conf/eth0/proxy_arp", "0")
}

/// One flow to each address: all are answered, some go plain and some wrapped, and none both.
fn check_flows(net: &Topology, stage: &mut Stage, from: &Node) {
    let flows = match flows(net, from) {
        Ok(flows) => flows,
        Err(error) => {
            stage.check("every address of the prefix answers", Err::<(), _>(error));
            return;
        }
    };
    let inner = format!("IP {} > 10.244.9.", from.pod.address);
    let outer = format!("IP {} > 10.1.8.11: {inner}", from.address);
    let requests = || flows.iter().filter(|line| line.contains("ICMP echo request"));
    let plain = requests().filter(|line| line.starts_with(&inner)).count();
    let wrapped = requests().filter(|line| line.starts_with(&outer)).count();
    let all = plain + wrapped == usize::from(ADDRESSES);
    let outcome = if plain > 0 && wrapped > 0 && all {
        Ok(())
    } else {
        Err(anyhow::anyhow!("{plain} plain, {wrapped} wrapped:\n{}", flows.join("\n")))
    };
    let what = "net0 of server1: flows to server2 plain, to server4 encapsulated";
    if stage.check(what, outcome).is_some() {
        let shown: Vec<&str> = [&inner, &outer]
            .into_iter()
            .filter_map(|start| requests().find(|line| line.starts_with(start.as_str())))
            .map(String::as_str)
            .collect();
        let command = format!("ip netns exec {} tcpdump -n -i net0", from.host.name());
        stage.show(&command, &shown.join("\n"));
    }
}

/// The requests to every address of the prefix, and the replies, as they pass server1's net0.
fn flows(net: &Topology, from: &Node) -> Result<Vec<String>> {
    // Resolves the neighbours first: what waits for ARP is not what is counted below.
    let address = |n| Ipv4Addr::new(10, 244, 9, n).into();
    for n in 0..ADDRESSES {
        wait_for("a reply", PATIENCE, || ping(&from.pod.netns, address(n), 1)?.complete())?;
    }
    let filter = "ip proto 4 or (icmp and (icmp[0] = 8 or icmp[0] = 0))";
    let count = 2 * usize::from(ADDRESSES);
    let log = net.lab.dir().join("capture-equal.log");
    let capture = Capture::start(&from.host, "net0", filter, count, &log)?;
    for n in 0..ADDRESSES {
        ping(&from.pod.netns, address(n), 1)?
            .complete()
            .with_context(|| format!("10.244.9.{n}"))?;
    }
    capture.packets(PATIENCE)
}

/// What a node's kernel holds for the prefix, of protocol bird.
fn held_by(node: &Node, wanted: &[&str]) -> Result {
    let held = super::topology::bird_routes(&node.host)?;
    let held: Vec<&String> = held.iter().filter(|route| route.starts_with(PREFIX)).collect();
    if held == wanted {
        return Ok(());
    }
    bail!("it holds {held:?}, not {wanted:?}")
}
