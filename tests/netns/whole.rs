//! A network that is whole: nothing of its start is on its way any more, so that a test that goes on
//! from there sees what it does itself, and not the end of that.

use anyhow::ensure;
use starling::api::{BfdSession, BfdState, FibEntry, KernelState, PeerSummary, Summary};
use starling_lab::{Cluster, Node, Result, wait_for};

use crate::support::SOON;

/// Waits until BFD of `node` says that it is up with all that it watches, so many at the least.
pub fn watches(node: &mut Node, least: usize) -> Result {
    wait_for("BFD", SOON, || {
        let all: Vec<BfdSession> = node.daemon()?.read(&["show", "bfd"])?;
        let up = all.iter().filter(|session| session.state == BfdState::Up).count();
        ensure!(up == all.len() && up >= least, "{all:#?}");
        Ok(())
    })
}

/// Waits until every node has a session with every other and two routes by it, and its daemon knows
/// that the kernel has them.
pub fn exchanged(cluster: &mut Cluster) -> Result {
    let all = cluster.nodes().len();
    for i in 1..=all {
        let node = cluster.node(i)?;
        wait_for("all routes", SOON, || {
            let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
            let whole = |peer: &PeerSummary| (peer.received, peer.accepted, peer.sent) == (2, 2, 2);
            ensure!(summary.peers.iter().all(whole), "{summary:#?}");
            let fib: Vec<FibEntry> = node.daemon()?.rows(&["show", "fib"])?;
            ensure!(fib.iter().all(|entry| entry.state == KernelState::Installed), "{fib:#?}");
            ensure!(fib.len() == 2 * all, "{fib:#?}");
            Ok(())
        })?;
    }
    Ok(())
}
