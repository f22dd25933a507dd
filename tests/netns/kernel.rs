//! Whose route is it: foreign ones are left alone, own ones come back, and the configured
//! table, metric and protocol are what the kernel shows.

use anyhow::ensure;
use starling::api::{FibEntry, KernelState};
use starling_lab::{Family, Result, holds, routes, wait_until};

use crate::support::{SOON, cluster, established, logged};

#[test]
fn a_foreign_route_is_left_alone_and_said() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    // The same key as ours will have, written by somebody else before and beside us.
    let foreign = "10.244.2.0/26 via 10.50.0.99 dev net0 proto static";
    let beside = "10.244.9.0/26 via 10.50.0.99 dev net0 proto 80";
    for route in [foreign, beside] {
        cluster.node(1)?.netns().ip_line(&format!("route add {route}"))?;
    }
    cluster.start_all()?;
    let node = cluster.node(1)?;
    established(node, "n2")?;
    logged(node, "a route that is not ours sits under our key")?;
    let entries: Vec<FibEntry> = node.daemon()?.rows(&["show", "fib"])?;
    let entry = entries.iter().find(|entry| entry.prefix.to_string() == "10.244.2.0/26");
    assert!(entry.is_some_and(|entry| entry.state == KernelState::Occupied), "{entries:#?}");
    assert!(node.daemon()?.bgpctl(&["show", "fib"])?.contains("it is left alone"));
    let held = routes(node.netns(), Family::V4, "10.244.2.0/26")?;
    assert_eq!(held.iter().map(ToString::to_string).collect::<Vec<_>>(), [foreign]);

    // Once the stranger is gone, ours takes the place.
    node.netns().ip_line("route del 10.244.2.0/26 proto static")?;
    let wanted =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"];
    node.holds(Family::V4, &wanted, SOON)?;
    let held = routes(node.netns(), Family::V4, "10.244.9.0/26")?;
    assert_eq!(held.len(), 1, "{held:?}");
    Ok(())
}

#[test]
fn an_own_route_that_somebody_removes_or_changes_comes_back() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    let wanted =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"];
    let node = cluster.node(1)?;
    node.holds(Family::V4, &wanted, SOON)?;
    node.netns().ip_line("route del 10.244.2.0/26")?;
    node.holds(Family::V4, &wanted, SOON)?;
    logged(node, "somebody else changed a route of ours, put back")?;
    node.netns().ip_line("route replace 10.244.2.0/26 via 10.50.0.99 dev net0 proto bird")?;
    node.holds(Family::V4, &wanted, SOON)?;
    // The kernel drops routes with their device's carrier or state; they come back with it.
    node.netns().ip_line("link set net0 down")?;
    wait_until("the kernel to drop the route", SOON, || {
        // A pool's destination is not left to any other route meanwhile.
        routes(node.netns(), Family::V4, "10.244.2.0/26")
            .is_ok_and(|held| held.iter().all(|r| r.to_string().starts_with("unreachable")))
    })?;
    node.netns().ip_line("link set net0 up")?;
    node.holds(Family::V4, &wanted, SOON)
}

#[test]
fn the_configured_table_metric_and_protocol_are_used() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let extra = "[kernel]\nprotocol = 186\ntable = 100\nmetric = 77\n";
    cluster.configure(&cluster.toml("never", extra))?;
    // One that an ordinary daemon would take for its own.
    let other = "10.244.55.0/26 via 10.50.0.99 dev net0 proto bird";
    let left = "10.244.77.0/26 via 10.50.0.77 dev net0 proto bgp metric 77 table 100";
    for route in [other, left] {
        cluster.node(1)?.netns().ip_line(&format!("route add {route}"))?;
    }
    cluster.start_all()?;
    let node = cluster.node(1)?;
    let v4 = [
        "blackhole 10.244.1.0/26 proto bgp metric 77",
        "10.244.2.0/26 via 10.50.0.2 dev net0 proto bgp metric 77",
    ];
    let v6 = [
        "blackhole fd00:244:1::/64 dev lo proto bgp metric 77",
        "fd00:244:2::/64 via fd50::2 dev net0 proto bgp metric 77",
    ];
    holds(node.netns(), Family::V4, "table 100", &v4, SOON)?;
    holds(node.netns(), Family::V6, "table 100", &v6, SOON)?;
    // Once a predecessor's are removed too: not ours.
    logged(node, "removed a predecessor's routes")?;
    node.holds(Family::V4, &[other], SOON)
}

/// Started outside, it works inside: sessions, addresses and routes are the namespace's.
#[test]
fn a_daemon_moves_into_its_network_namespace() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start(2)?;
    let inside = cluster.node(1)?.netns().name().to_owned();
    let text = cluster.toml("cross-subnet", &format!("[kernel]\nnetns = \"{inside}\"\n"));
    let file = cluster.node(1)?.dir().join("inside.toml");
    std::fs::write(&file, text)?;
    let starlingd = cluster.binaries().starlingd.clone();
    let check = std::process::Command::new(&starlingd).arg("check").arg(&file).output()?;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    ensure!(said.contains("10.50.0.1 is on this host"), "{said} {check:?}");
    let socket = cluster.node(1)?.dir().join("inside.sock");
    let mut daemon = std::process::Command::new(&starlingd)
        .args(["run", "--node", "n1", "--tunnel-stand-in", "--config"])
        .arg(&file)
        .arg("--control")
        .arg(&socket)
        .spawn()?;
    let wanted =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"];
    let held = cluster.node(1)?.holds(Family::V4, &wanted, SOON);
    daemon.kill()?;
    daemon.wait()?;
    held
}
