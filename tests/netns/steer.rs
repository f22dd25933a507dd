//! What an operator does to a neighbour between two of ours: words on the wire, and an end to what
//! graceful restart keeps.

use anyhow::ensure;
use starling::api::Neighbor;
use starling_lab::{Family, Result, wait_for};

use crate::support::{SOON, cluster, established};

const OWN: &str = "blackhole 10.244.1.0/26 proto bird";
const OTHER: &str = "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird";

#[test]
fn a_clear_says_why_and_a_down_ends_the_wait_for_one_that_is_away() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    cluster.node(1)?.holds(Family::V4, &[OWN, OTHER], SOON)?;
    let before: Neighbor = cluster.node(2)?.daemon()?.read(&["show", "neighbors", "n1"])?;
    cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n2", "clear", "--reason", "new card"])?;
    wait_for("the words, and the session again", SOON, || {
        let peer: Neighbor = cluster.node(2)?.daemon()?.read(&["show", "neighbors", "n1"])?;
        let lost = peer.last_lost.as_ref().map_or("", |lost| &lost.text);
        let said = lost.contains("administrative reset") && lost.contains("new card");
        ensure!(peer.flaps > before.flaps && said && peer.agreed.is_some(), "{peer:?}");
        Ok(())
    })?;
    established(cluster.node(1)?, "n2")?;

    // Away: its routes are kept for two minutes, unless somebody says that it is gone for good.
    cluster.node(2)?.take_daemon()?.into_proc().crash();
    wait_for("the loss", SOON, || {
        let peer: Neighbor = cluster.node(1)?.daemon()?.read(&["show", "neighbors", "n2"])?;
        ensure!(peer.agreed.is_none() && peer.stale > 0, "{peer:?}");
        Ok(())
    })?;
    cluster.node(1)?.holds(Family::V4, &[OWN, OTHER], SOON)?;
    cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n2", "down"])?;
    cluster.node(1)?.holds(Family::V4, &[OWN], SOON)?;
    let peer: Neighbor = cluster.node(1)?.daemon()?.read(&["show", "neighbors", "n2"])?;
    ensure!(peer.held && peer.stale == 0 && peer.summary.received == 0, "{peer:?}");
    Ok(())
}
