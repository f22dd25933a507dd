//! BFD between nodes: a path that dies without a sign is noticed long before the hold time, and
//! what is done on purpose is not taken for that.

use anyhow::{Context, ensure};
use starling::api::{BfdSession, BfdState, Neighbor, SessionState};
use starling_lab::{Cluster, Family, Node, Result, holds, wait_for};

use crate::support::{SOON, cluster, established, logged, neighbour};

fn session(node: &mut Node, name: &str) -> Result<BfdSession> {
    let all: Vec<BfdSession> = node.daemon()?.read(&["show", "bfd"])?;
    let found = all.iter().find(|session| session.name == name).cloned();
    found.with_context(|| format!("no BFD with {name} in {all:#?}"))
}

/// Waits until BFD of `node` with `name` is as `right` says.
fn bfd(node: &mut Node, name: &str, right: impl Fn(&BfdSession) -> bool) -> Result<BfdSession> {
    wait_for("BFD", SOON, || {
        let session = session(node, name)?;
        ensure!(right(&session), "{session:#?}");
        Ok(session)
    })
}

fn fast(session: &BfdSession) -> bool {
    session.state == BfdState::Up && session.detection_ms == Some(900)
}

fn mesh(nodes: &[u8]) -> Result<Cluster> {
    let mut cluster = cluster(nodes)?;
    cluster.start_all()?;
    for i in 1..=nodes.len() {
        for other in (1..=nodes.len()).filter(|other| *other != i) {
            let (node, name) = (cluster.node(i)?, format!("n{other}"));
            established(node, &name)?;
            bfd(node, &name, fast)?;
        }
    }
    Ok(cluster)
}

/// Nothing comes or goes on `host`'s wire any more; its interface has its carrier all the same.
fn unplug(cluster: &Cluster, host: &str) -> Result {
    cluster.switch().netns().ip_line(&format!("link set {host}.net0 nomaster")).map(drop)
}

fn plug(cluster: &Cluster, host: &str) -> Result {
    cluster.switch().netns().ip_line(&format!("link set {host}.net0 master br0")).map(drop)
}

#[test]
fn a_cut_is_noticed_at_both_ends_and_ends_the_sessions() -> Result {
    let mut cluster = mesh(&[0, 0, 0])?;
    unplug(&cluster, "n3")?;
    // The hold time is 90 s.
    for (node, lost) in [(1, "n3"), (2, "n3"), (3, "n1"), (3, "n2")] {
        let node = cluster.node(node)?;
        wait_for("the end of the session", SOON, || {
            let neighbor: Neighbor = node.daemon()?.read(&["show", "neighbors", lost])?;
            let last = neighbor.last_down.clone().map(|down| down.text).unwrap_or_default();
            let said = last == "BFD: neighbour silent for 900 ms";
            ensure!(said || neighbor.flaps == 1 && last.contains("connect"), "{neighbor:#?}");
            ensure!(neighbor.summary.state != SessionState::Established, "{neighbor:#?}");
            Ok(())
        })?;
        logged(node, "no session: BFD: neighbour silent for 900 ms")?;
        let session = session(node, lost)?;
        assert_eq!((session.state, session.flaps), (BfdState::Down, 1), "{session:#?}");
        assert_eq!(session.diagnostic, "control detection time expired");
    }
    let left =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"];
    holds(cluster.nodes()[0].netns(), Family::V4, "proto bird", &left, SOON)?;
    let other = established(cluster.node(1)?, "n2")?;
    assert!(other.received == 2, "nobody else is touched: {other:?}");

    plug(&cluster, "n3")?;
    established(cluster.node(1)?, "n3")?;
    bfd(cluster.node(1)?, "n3", fast)?;
    cluster.ping_all(Family::V4)
}

#[test]
fn a_node_that_stops_is_not_called_lost() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    cluster.node(2)?.take_daemon()?.into_proc().stop(SOON)?;
    let node = cluster.node(1)?;
    logged(node, "BFD taken down by the neighbour: no failure")?;
    let session = bfd(node, "n2", |session| session.state == BfdState::Down)?;
    assert_eq!(session.flaps, 0, "{session:#?}");
    assert!(!node.daemon()?.log().contains("BFD down"), "{}", node.daemon()?.log());
    // Its next life has another discriminator.
    cluster.start(2)?;
    established(cluster.node(1)?, "n2")?;
    bfd(cluster.node(1)?, "n2", fast)?;
    Ok(())
}

#[test]
fn a_reload_changes_bfd_and_not_bgp() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    let text = |bfd: &str| cluster.toml("never", bfd);
    let slower = text("[bfd]\ninterval = \"500ms\"\nmultiplier = 4\n");
    let off = text("[bfd]\nenabled = false\n");
    cluster.configure(&slower)?;
    for (i, other) in [(1, "n2"), (2, "n1")] {
        let session = bfd(cluster.node(i)?, other, |session| session.detection_ms == Some(2000))?;
        assert_eq!((session.transmit_ms, session.flaps), (500, 0), "{session:#?}");
    }
    cluster.configure(&off)?;
    for i in [1, 2] {
        let node = cluster.node(i)?;
        wait_for("no BFD", SOON, || {
            let all: Vec<BfdSession> = node.daemon()?.read(&["show", "bfd"])?;
            ensure!(all.is_empty(), "{all:#?}");
            Ok(())
        })?;
    }
    for (i, other) in [(1, "n2"), (2, "n1")] {
        let node = cluster.node(i)?;
        assert_eq!(neighbour(node, other)?.state, SessionState::Established);
        let neighbor: Neighbor = node.daemon()?.read(&["show", "neighbors", other])?;
        assert_eq!((neighbor.flaps, &neighbor.bfd), (0, &None), "{neighbor:#?}");
    }
    Ok(())
}
