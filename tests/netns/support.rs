//! What the tests here and in `tests/interop` share: the built programs, and what nodes say.

use std::time::Duration;

use anyhow::{Context, bail};
use starling::api::{PeerSummary, SessionState, Summary};
use starling_lab::{Binaries, Cluster, Node, Result, wait_for};

/// Long enough on a busy machine, and shorter than the hold time (90 s) and the time for which
/// routes of who is away are kept (120 s): what comes that soon did not wait for those.
pub const SOON: Duration = Duration::from_secs(60);

/// The programs that cargo built for these tests.
pub fn binaries() -> Binaries {
    Binaries {
        starlingd: env!("CARGO_BIN_EXE_starlingd").into(),
        bgpctl: env!("CARGO_BIN_EXE_bgpctl").into(),
    }
}

/// A cluster with nodes in `racks`.
pub fn cluster(racks: &[u8]) -> Result<Cluster> {
    Cluster::new(binaries(), racks)
}

/// A neighbour's line of `show summary`.
pub fn neighbour(node: &mut Node, name: &str) -> Result<PeerSummary> {
    let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
    let found = summary.peers.iter().find(|peer| peer.name == name).cloned();
    found.with_context(|| format!("no neighbour {name} in {summary:#?}"))
}

/// Waits until the session of `node` with `name` is Established.
pub fn established(node: &mut Node, name: &str) -> Result<PeerSummary> {
    wait_for("the session", SOON, || {
        let peer = neighbour(node, name)?;
        if peer.state == SessionState::Established {
            return Ok(peer);
        }
        bail!("{name} is {}: {:?}", peer.state, peer.reason)
    })
}

/// Waits until the daemon of `node` has logged `words`.
pub fn logged(node: &mut Node, words: &str) -> Result {
    wait_for("words in the log", SOON, || {
        let log = node.daemon()?.log();
        if log.contains(words) {
            return Ok(());
        }
        bail!("{words:?} is not in the log:\n{log}")
    })
}
