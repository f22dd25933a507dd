//! A node whose cable is cut: it keeps the routes of the others, who forget it, and says so.

use std::time::Duration;

use anyhow::ensure;
use starling::api::{SessionState, Summary};
use starling_lab::{Cluster, Family, Result, ping_as, routes, wait_for};

use crate::support::{SOON, cluster, established, logged};
use crate::whole::watches;

fn ours(cluster: &mut Cluster, node: usize) -> Result<Vec<String>> {
    let held = routes(cluster.node(node)?.netns(), Family::V4, "proto bird")?;
    Ok(held.iter().map(ToString::to_string).collect())
}

fn summary(cluster: &mut Cluster, node: usize) -> Result<Summary> {
    cluster.node(node)?.daemon()?.read(&["show", "summary"])
}

#[test]
fn a_node_that_is_cut_off_keeps_its_routes_until_it_is_back() -> Result {
    let mut cluster = cluster(&[0, 0, 0, 0, 0])?;
    cluster.start_all()?;
    for other in 1..=4 {
        established(cluster.node(5)?, &format!("n{other}"))?;
    }
    wait_for("all routes", SOON, || {
        let held = ours(&mut cluster, 5)?;
        ensure!(held.len() == 5, "{held:?}");
        Ok(())
    })?;
    // BFD is up a moment after the sessions.
    for node in 1..=5 {
        watches(cluster.node(node)?, 4)?;
    }
    let all = ours(&mut cluster, 5)?;
    cluster.switch().netns().ip_line("link set n5.net0 nomaster")?;
    wait_for("the others to forget it", SOON, || {
        assert_eq!(ours(&mut cluster, 5)?, all, "routes went");
        for node in 1..=4 {
            let held = ours(&mut cluster, node)?;
            ensure!(held.len() == 4, "n{node}: {held:?}");
        }
        Ok(())
    })?;
    logged(cluster.node(5)?, "neighbours fell silent at once")?;
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(ours(&mut cluster, 5)?, all);
    let said = summary(&mut cluster, 5)?;
    ensure!(
        !said.ready.ready && said.ready.reasons.iter().any(|r| r.code == "cut_off"),
        "{said:?}"
    );
    let others = summary(&mut cluster, 1)?;
    ensure!(others.ready.reasons.iter().all(|r| r.code != "cut_off"), "{others:?}");

    cluster.switch().netns().ip_line("link set n5.net0 master br0")?;
    for other in 1..=4 {
        established(cluster.node(5)?, &format!("n{other}"))?;
        assert_eq!(ours(&mut cluster, 5)?, all);
    }
    wait_for("the end of it", SOON, || {
        assert_eq!(ours(&mut cluster, 5)?, all);
        let said = summary(&mut cluster, 5)?;
        ensure!(said.ready.reasons.iter().all(|r| r.code != "cut_off"), "{said:?}");
        Ok(())
    })?;
    cluster.ping_all(Family::V4)
}

/// A dead link is no different: whoever has lost it is cut off, and what came by it is in its place
/// again before any session is.
#[test]
fn a_node_that_loses_its_only_link_has_its_routes_back_with_it() -> Result {
    let mut cluster = cluster(&[0, 0, 0, 0])?;
    // So that it is nothing else that keeps the routes; and nobody calls for the time being.
    let text = cluster
        .toml("never", "[bfd]\nenabled = false\n")
        .replace("[cluster]\n", "[cluster]\ngraceful-restart = false\n");
    cluster.configure(&text.replace("connect-retry = \"1s\"", "connect-retry = \"1h\""))?;
    cluster.start_all()?;
    for other in 1..=3 {
        established(cluster.node(4)?, &format!("n{other}"))?;
    }
    wait_for("all routes", SOON, || {
        let held = ours(&mut cluster, 4)?;
        ensure!(held.len() == 4, "{held:?}");
        Ok(())
    })?;
    let all = ours(&mut cluster, 4)?;
    let port = |state: &str| format!("link set n4.net0 {state}");
    cluster.switch().netns().ip_line(&port("down"))?;
    logged(cluster.node(4)?, "link lost: net0 has no carrier")?;
    logged(cluster.node(4)?, "neighbours fell silent at once")?;
    // Their daemons are gone now, so that none can tell it anything.
    for other in 1..=3 {
        cluster.node(other)?.take_daemon()?.into_proc().crash();
    }
    cluster.switch().netns().ip_line(&port("up"))?;
    wait_for("its routes", SOON, || {
        let held = ours(&mut cluster, 4)?;
        ensure!(held == all, "{held:?}");
        Ok(())
    })?;
    let said = summary(&mut cluster, 4)?;
    ensure!(said.peers.iter().all(|peer| peer.state != SessionState::Established), "{said:?}");
    let (from, others) = (&cluster.nodes()[3], &cluster.nodes()[..3]);
    for other in others {
        ping_as(from.netns(), from.pod(Family::V4), other.pod(Family::V4), 1)?.complete()?;
    }
    Ok(())
}
