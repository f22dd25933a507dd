//! A mesh comes up: sessions, kernel routes of both families, pods that reach each other.

use std::time::{Duration, Instant};

use starling::api::{KernelState, Reach};
use starling_lab::{Family, Result};

use crate::support::{cluster, neighbour};

#[test]
fn four_nodes_converge_within_five_seconds() -> Result {
    let mut cluster = cluster(&[0, 0, 0, 0])?;
    let started = Instant::now();
    for i in 1..=4 {
        cluster.launch(i, &[])?;
    }
    for (node, own) in cluster.nodes().iter().zip(1..) {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for other in 1..=4 {
            if other == own {
                v4.push(format!("blackhole 10.244.{own}.0/26 proto bird"));
                v6.push(format!("blackhole fd00:244:{own}::/64 dev lo proto bird metric 1024"));
            } else {
                v4.push(format!("10.244.{other}.0/26 via 10.50.0.{other} dev net0 proto bird"));
                v6.push(format!(
                    "fd00:244:{other}::/64 via fd50::{other} dev net0 proto bird metric 1024"
                ));
            }
        }
        let left = || Duration::from_secs(5).saturating_sub(started.elapsed());
        node.holds(Family::V4, &v4.iter().map(String::as_str).collect::<Vec<_>>(), left())?;
        node.holds(Family::V6, &v6.iter().map(String::as_str).collect::<Vec<_>>(), left())?;
    }
    cluster.ping_all(Family::V4)?;
    cluster.ping_all(Family::V6)?;

    let node = cluster.node(1)?;
    node.daemon()?.wait_ready()?;
    // Both families on the one session, and each pair has one.
    for name in ["n2", "n3", "n4"] {
        let peer = neighbour(node, name)?;
        assert_eq!((peer.received, peer.accepted, peer.sent), (2, 2, 2), "{peer:?}");
    }
    let connections = node
        .netns()
        .command("ss")
        .args(["-Htn", "sport", "=", ":179", "or", "dport", "=", ":179"])
        .output()?;
    let connections = String::from_utf8(connections.stdout)?;
    assert_eq!(
        connections.lines().filter(|line| line.starts_with("ESTAB")).count(),
        3,
        "{connections}"
    );

    let nodes: Vec<starling::api::Node> = node.daemon()?.read(&["show", "nodes"])?;
    let reach: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.reach)).collect();
    assert_eq!(
        reach,
        [("n1", Reach::Local), ("n2", Reach::Direct), ("n3", Reach::Direct), ("n4", Reach::Direct)]
    );
    let fib: Vec<starling::api::FibEntry> = node.daemon()?.rows(&["show", "fib"])?;
    assert_eq!(fib.len(), 8, "{fib:?}");
    assert!(fib.iter().all(|entry| entry.state == KernelState::Installed), "{fib:?}");
    let summary: starling::api::Summary = node.daemon()?.read(&["show", "summary"])?;
    assert!(summary.ready.ready && summary.ready.reasons.is_empty(), "{:?}", summary.ready);
    Ok(())
}
