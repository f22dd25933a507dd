//! A daemon goes and comes back: the kernel's routes stay, and are adopted.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, ensure};
use starling::api::{Route, SessionState, Waits};
use starling_lab::{Cluster, Family, Monitor, Result, routes, wait_until};

use crate::support::{SOON, cluster, established, logged, neighbour};

/// What a predecessor left that nobody announces.
const LEFT: &str = "10.244.77.0/26 via 10.50.0.77 dev net0 proto bird";
const HELD: [&str; 3] = [
    "blackhole 10.244.1.0/26 proto bird",
    "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird",
    "10.244.3.0/26 via 10.50.0.3 dev net0 proto bird",
];

fn converged() -> Result<Cluster> {
    let mut cluster = cluster(&[0, 0, 0])?;
    cluster.start_all()?;
    cluster.node(1)?.holds(Family::V4, &HELD, SOON)?;
    for other in ["n2", "n3"] {
        established(cluster.node(1)?, other)?;
    }
    Ok(cluster)
}

/// Starts node 1 again while a monitor of its kernel listens for removed routes, until what its
/// predecessor left and nobody announced again has been swept.
fn comes_back_without_a_gap(cluster: &mut Cluster) -> Result {
    let netns = cluster.nodes()[0].netns();
    let name = netns.name().to_owned();
    netns.ip_line(&format!("route add {LEFT}"))?;
    let monitor = Monitor::start(netns, &cluster.lab().dir().join("monitor.log"))?;
    cluster.start(1)?;
    for other in ["n2", "n3"] {
        established(cluster.node(1)?, other)?;
    }
    logged(cluster.node(1)?, "removed a predecessor's routes")?;
    cluster.node(1)?.holds(Family::V4, &HELD, SOON)?;
    let seen = monitor.seen()?;
    ensure!(seen.contains(&format!("Deleted {LEFT}")), "the monitor saw nothing:\n{seen}");
    let touched = |line: &str| line.contains("10.244.") && !line.contains(LEFT);
    ensure!(
        !seen.lines().any(touched),
        "routes of {name} were touched:\n{seen}\nthe log:\n{}",
        cluster.node(1)?.daemon()?.log()
    );
    cluster.node(1)?.holds(Family::V4, &HELD, SOON)?;
    logged(cluster.node(1)?, "adopted a predecessor's routes")?;
    cluster.ping_all(Family::V4)
}

#[test]
fn sigterm_says_goodbye_and_keeps_the_routes_for_a_successor() -> Result {
    let mut cluster = converged()?;
    let status = cluster.node(1)?.take_daemon()?.into_proc().stop(SOON)?;
    assert!(status.success(), "{status}");
    cluster.node(1)?.holds(Family::V4, &HELD, SOON)?;
    // The others were told, rather than left to find out.
    logged(cluster.node(2)?, "the neighbour closed it: administrative shutdown (6/2)")?;
    comes_back_without_a_gap(&mut cluster)
}

#[test]
fn a_crash_keeps_the_routes_for_a_successor() -> Result {
    let mut cluster = converged()?;
    cluster.node(1)?.take_daemon()?.into_proc().crash();
    cluster.node(1)?.holds(Family::V4, &HELD, SOON)?;
    wait_until("the others to notice", SOON, || {
        cluster
            .node(2)
            .and_then(|node| neighbour(node, "n1"))
            .is_ok_and(|peer| peer.state != SessionState::Established)
    })?;
    let kept = ["show", "routes", "10.244.1.0/26"];
    let kept: Vec<Route> = cluster.node(2)?.daemon()?.rows(&kept)?;
    let stale = kept.first().and_then(|route| route.paths.first()?.stale);
    let stale = stale.with_context(|| format!("not shown as stale: {kept:#?}"))?;
    ensure!(stale.waits == Waits::Session && (1..=120).contains(&stale.left_s), "{stale:?}");
    comes_back_without_a_gap(&mut cluster)
}

#[test]
fn what_a_predecessor_left_and_nobody_announces_is_swept_after_settling() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.node(1)?.netns().ip_line(&format!("route add {LEFT}"))?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    let wanted =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"];
    cluster.node(1)?.holds(Family::V4, &wanted, SOON)?;
    logged(cluster.node(1)?, "removed a predecessor's routes")
}

#[test]
fn a_restart_of_one_node_interrupts_no_traffic_between_the_others() -> Result {
    let mut cluster = converged()?;
    let stop = AtomicBool::new(false);
    let (from, to) =
        (cluster.nodes()[1].netns().name().to_owned(), cluster.nodes()[2].pod(Family::V4));
    let lost = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| -> Result<usize> {
            let mut missing = 0;
            while !stop.load(Ordering::Relaxed) {
                let out = std::process::Command::new("ip")
                    .args(["-n", &from, "route", "get", &to.to_string()])
                    .output()?;
                let text = String::from_utf8_lossy(&out.stdout).into_owned();
                missing += usize::from(!text.contains("via 10.50.0.3 dev net0"));
            }
            Ok(missing)
        });
        let result = (|| -> Result {
            cluster.node(1)?.take_daemon()?.into_proc().crash();
            cluster.start(1)?;
            established(cluster.node(1)?, "n3").map(drop)
        })();
        stop.store(true, Ordering::Relaxed);
        let missing = watcher.join().ok().context("the watcher panicked")?;
        result.and(missing)
    })?;
    assert_eq!(lost, 0, "looks at the route that found it missing");
    assert_eq!(routes(cluster.nodes()[1].netns(), Family::V4, "proto bird")?.len(), 3);
    Ok(())
}
