//! Packets that do not fit into the tunnel: a pod that forbids fragments is told the size that
//! fits, and one that allows them loses nothing (RFC 2003 §5.1).

use super::super::topology::{Node, Topology};
use super::{PATIENCE, is_well};
use crate::{Result, Stage, run, wait_for};
use anyhow::ensure;

/// What of a packet are the headers of IPv4 and ICMP.
const HEADERS: u32 = 28;

/// Plays it; afterwards the network is as before.
pub(super) fn play(net: &Topology, stage: &mut Stage) -> Result {
    stage.step("packets of 1500 bytes");
    pods_mtu(net, 1500)?;
    for (from, to) in [(0, 1), (1, 0)] {
        let (from, to) = (net.node(from)?, net.node(to)?);
        let pod = format!("pod of {}", from.host.host());
        let told = wait_for("the ICMP", PATIENCE, || is_told(from, to, 1500, 1480));
        stage.check(&format!("{pod}: 1500 bytes with DF: told that 1480 fit"), told);
        let passes = wait_for("a reply", PATIENCE, || passes(from, to, 1480, "do"));
        stage.check(&format!("{pod}: 1480 bytes with DF pass"), passes);
        let passes = wait_for("a reply", PATIENCE, || self::passes(from, to, 1500, "dont"));
        stage.check(&format!("{pod}: 1500 bytes without DF pass"), passes);
    }

    for (from, to) in [(0, 1), (1, 0)] {
        narrow(net, stage, net.node(from)?, to)?;
    }

    stage.step("another MTU of the underlay");
    let host1 = net.node(0)?;
    for (mtu, fits) in [(1460, 1440), (1500, 1480)] {
        host1.host.ip_line(&format!("link set eth0 mtu {mtu}"))?;
        let followed = wait_for("tunl0", PATIENCE, || is_well(net, 0, fits));
        stage.check(&format!("eth0 with mtu {mtu}: tunl0 follows with {fits}"), followed);
    }
    pods_mtu(net, 1480)?;
    net.check_ping(stage, host1, net.node(1)?);
    Ok(())
}

/// The wire of the other rack carries less than the sender's own, which only the gateway knows.
fn narrow(net: &Topology, stage: &mut Stage, from: &Node, to: usize) -> Result {
    let there = net.node(to)?;
    stage.step(&format!("a path that is narrower than the link of {}", from.host.host()));
    let leg = format!("eth{to}");
    for mtu in [1400, 1500] {
        net.gateway.ip_line(&format!("link set {leg} mtu {mtu}"))?;
        there.host.ip_line(&format!("link set eth0 mtu {mtu}"))?;
        wait_for("tunl0", PATIENCE, || is_well(net, to, mtu - 20))?;
        if mtu == 1400 {
            let pod = format!("pod of {}, over 1400 bytes", from.host.host());
            let passes = wait_for("a reply", PATIENCE, || passes(from, there, 1480, "dont"));
            stage.check(&format!("{pod}: 1480 without DF pass"), passes);
            let told = wait_for("the ICMP", PATIENCE, || is_told(from, there, 1480, 1380));
            stage.check(&format!("{pod}: 1480 with DF: told that 1380 fit"), told);
        }
    }
    for node in &net.nodes {
        forget_paths(node)?;
    }
    Ok(())
}

fn pods_mtu(net: &Topology, mtu: u32) -> Result {
    for node in &net.nodes {
        node.host.ip_line(&format!("link set {} mtu {mtu}", node.pod.host_device))?;
        node.pod.netns.ip_line(&format!("link set eth0 mtu {mtu}"))?;
    }
    Ok(())
}

/// What `ping` in the pod says of two packets of so many bytes, sent with or without DF.
fn said(from: &Node, to: &Node, bytes: u32, df: &str) -> Result<String> {
    let pod = &from.pod.netns;
    let mut ping = pod.command("ping");
    let size = (bytes - HEADERS).to_string();
    ping.args(["-n", "-c", "2", "-i", "0.2", "-W", "2", "-M", df, "-s", &size]);
    let output = run(ping.arg(to.pod.address.to_string()), PATIENCE)?;
    Ok(output.stdout + &output.stderr)
}

fn is_told(from: &Node, to: &Node, bytes: u32, fits: u32) -> Result {
    // What the pod was told before, it remembers.
    from.pod.netns.ip_line("route flush cache")?;
    let said = said(from, to, bytes, "do")?;
    let told = said.contains(&format!("Frag needed and DF set (mtu = {fits})"));
    ensure!(told, "ping said:\n{said}");
    Ok(())
}

fn passes(from: &Node, to: &Node, bytes: u32, df: &str) -> Result {
    from.pod.netns.ip_line("route flush cache")?;
    let said = said(from, to, bytes, df)?;
    ensure!(said.contains(" 0% packet loss"), "ping said:\n{said}");
    Ok(())
}

/// What host and pod were told of paths.
fn forget_paths(node: &Node) -> Result {
    for netns in [&node.host, &node.pod.netns] {
        netns.ip_line("route flush cache")?;
    }
    Ok(())
}
