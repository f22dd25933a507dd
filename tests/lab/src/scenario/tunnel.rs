//! What is done to tunl0 by hand in network A, and packets that do not fit it: the device is as it
//! was a moment later, and a pod that forbids fragments is told the size that fits.

use super::topology::{Node, Topology};
use crate::{Result, Stage, run, wait_for};
use anyhow::{bail, ensure};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// A pod's packet of 1500 bytes: 20 of IPv4 and 8 of ICMP are its headers.
const FULL: &str = "1472";

/// Plays it between the pods of `from` and `to`; afterwards the network is as before.
pub(super) fn play(net: &Topology, stage: &mut Stage, from: &Node, to: &Node) -> Result {
    stage.step("changing tunl0 of host1 by hand");
    let host = &from.host;
    let address = "172.19.1.0";
    let deeds = [
        ("link set tunl0 down", "down"),
        ("link set tunl0 mtu 1300", "mtu 1300"),
        ("address del 172.19.1.0/32 dev tunl0", "without 172.19.1.0"),
        ("link set tunl0 name other0", "gone"),
    ];
    for (deed, found) in deeds {
        host.ip_line(deed)?;
        let healed = wait_for("tunl0", PATIENCE, || is_well(from, address, 1480));
        stage.check(&format!("`ip {deed}`: put right"), healed);
        let said = wait_for("the log", PATIENCE, || says(from, &format!("put right: {found}")));
        stage.check(&format!("and said: {found}"), said);
    }
    net.check_ping(stage, from, to);

    stage.step("an ipip device with a far end of its own in the place of tunl0");
    // Sooner than ours gets its name back.
    let swap = ["link set tunl0 name other0", "link add tunl0 type ipip remote 192.0.2.1"];
    let swap = swap.map(str::to_owned);
    let swapped = wait_for("the other device", PATIENCE, || host.ip_lines(&swap));
    if stage.check("it takes the name", swapped).is_some() {
        let said = wait_for("the log", PATIENCE, || says(from, "leads to 192.0.2.1 only"));
        stage.check("it is let alone, with a reason", said);
        let kept = host.ip_line("-d link show tunl0").and_then(|shown| {
            ensure!(shown.contains("remote 192.0.2.1") && !shown.contains("UP"), "{shown}");
            Ok(())
        });
        stage.check("and untouched", kept);
        host.ip_line("link del tunl0")?;
        let healed = wait_for("tunl0", PATIENCE, || is_well(from, address, 1480));
        stage.check("it goes, and ours is back", healed);
    }
    net.check_ping(stage, from, to);

    stage.step("packets of 1500 bytes that must not be fragmented");
    for node in [from, to] {
        let device = &node.pod.host_device;
        node.host.ip_line(&format!("link set {device} mtu 1500"))?;
        node.pod.netns.ip_line("link set eth0 mtu 1500")?;
    }
    let told = wait_for("the ICMP", PATIENCE, || too_big(from, to, 1480));
    stage.check("the pod is told that 1480 bytes fit", told);
    // A narrow link beyond the gateway: its router tells the node, and the node the pod.
    net.gateway.ip_line("link set eth1 mtu 1400")?;
    forget_paths(from)?;
    let told = wait_for("the ICMP", PATIENCE, || too_big(from, to, 1380));
    stage.check("a narrower path: the pod is told that 1380 bytes fit", told);
    net.gateway.ip_line("link set eth1 mtu 1500")?;
    forget_paths(from)?;

    stage.step("another MTU of the underlay");
    host.ip_line("link set eth0 mtu 1460")?;
    let followed = wait_for("tunl0", PATIENCE, || is_well(from, address, 1440));
    stage.check("tunl0 follows: 1440", followed);
    host.ip_line("link set eth0 mtu 1500")?;
    let followed = wait_for("tunl0", PATIENCE, || is_well(from, address, 1480));
    stage.check("and back: 1480", followed);
    for node in [from, to] {
        let device = &node.pod.host_device;
        node.host.ip_line(&format!("link set {device} mtu 1480"))?;
        node.pod.netns.ip_line("link set eth0 mtu 1480")?;
    }
    net.check_ping(stage, from, to);
    Ok(())
}

/// As the daemon set it up.
fn is_well(node: &Node, address: &str, mtu: u32) -> Result {
    let shown = node.host.ip_line("address show dev tunl0")?;
    let wanted = [format!("mtu {mtu} "), format!("inet {address}/32 "), ",UP".to_owned()];
    for words in wanted {
        ensure!(shown.contains(&words), "no {words:?} in\n{shown}");
    }
    Ok(())
}

fn says(node: &Node, words: &str) -> Result {
    let Some(starling) = &node.starling else { bail!("no daemon") };
    ensure!(starling.log().contains(words), "{words:?} is not in its log");
    Ok(())
}

/// A full packet of a pod with DF, and what the pod is told.
fn too_big(from: &Node, to: &Node, mtu: u32) -> Result {
    let pod = &from.pod.netns;
    // What the pod was told before, it remembers.
    pod.ip_line("route flush cache")?;
    let mut ping = pod.command("ping");
    ping.args(["-n", "-c", "1", "-W", "2", "-M", "do", "-s", FULL]);
    let said = run(ping.arg(to.pod.address.to_string()), PATIENCE)?.stdout;
    let told = said.contains("Frag needed") && said.contains(&format!("mtu = {mtu})"));
    ensure!(told, "ping said:\n{said}");
    Ok(())
}

/// What the host was told of paths.
fn forget_paths(node: &Node) -> Result {
    node.host.ip_line("route flush cache").map(drop)
}
