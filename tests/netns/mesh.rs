//! A mesh comes up: sessions, kernel routes of both families, pods that reach each other.

use anyhow::ensure;
use starling::api::{KernelState, Reach};
use starling_lab::{Family, Result, wait_for};

use crate::support::{SOON, cluster, neighbour};
use crate::whole::exchanged;

#[test]
fn four_nodes_converge() -> Result {
    let mut cluster = cluster(&[0, 0, 0, 0])?;
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
        node.holds(Family::V4, &v4.iter().map(String::as_str).collect::<Vec<_>>(), SOON)?;
        node.holds(Family::V6, &v6.iter().map(String::as_str).collect::<Vec<_>>(), SOON)?;
    }
    cluster.ping_all(Family::V4)?;
    cluster.ping_all(Family::V6)?;

    for i in 1..=4 {
        cluster.node(i)?.daemon()?.wait_ready()?;
    }
    exchanged(&mut cluster)?;
    let node = cluster.node(1)?;
    // Both families on the one session, and each pair has one.
    for name in ["n2", "n3", "n4"] {
        let peer = neighbour(node, name)?;
        assert_eq!((peer.received, peer.accepted, peer.sent), (2, 2, 2), "{peer:?}");
    }
    // One that lost a collision is closed by both ends, in whatever time that takes.
    wait_for("one connection a pair", SOON, || {
        let ports = ["-Htn", "sport", "=", ":179", "or", "dport", "=", ":179"];
        let connections = node.netns().command("ss").args(ports).output()?;
        let connections = String::from_utf8(connections.stdout)?;
        let up = connections.lines().filter(|line| line.starts_with("ESTAB")).count();
        ensure!(up == 3, "{connections}");
        Ok(())
    })?;

    let nodes: Vec<starling::api::Node> = node.daemon()?.read(&["show", "nodes"])?;
    let reach: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.reach)).collect();
    assert_eq!(
        reach,
        [("n1", Reach::Local), ("n2", Reach::Direct), ("n3", Reach::Direct), ("n4", Reach::Direct)]
    );
    let fib: Vec<starling::api::FibEntry> = node.daemon()?.rows(&["show", "fib"])?;
    assert_eq!(fib.len(), 8, "{fib:?}");
    assert!(fib.iter().all(|entry| entry.state == KernelState::Installed), "{fib:?}");
    wait_for("readiness", SOON, || {
        let summary: starling::api::Summary = node.daemon()?.read(&["show", "summary"])?;
        ensure!(summary.ready.ready && summary.ready.reasons.is_empty(), "{:?}", summary.ready);
        Ok(())
    })
}
