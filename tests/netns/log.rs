//! What the daemon logs, changed while it runs.

use anyhow::ensure;
use starling_lab::Result;

use crate::support::{cluster, logged};

#[test]
fn what_is_logged_changes_while_the_daemon_runs() -> Result {
    let mut cluster = cluster(&[0])?;
    cluster.start_all()?;
    let node = cluster.node(1)?;
    let times = |log: &str| log.matches("reloaded (bgpctl reload)").count();
    ensure!(node.daemon()?.bgpctl(&["log"])?.trim() == "info");
    node.daemon()?.bgpctl(&["reload"])?;
    logged(node, "reloaded (bgpctl reload)")?;

    ensure!(node.daemon()?.bgpctl(&["log", "warn,starling=off"])?.contains("starling=off"));
    node.daemon()?.bgpctl(&["reload"])?;
    ensure!(times(&node.daemon()?.log()) == 1);

    let refused = node.daemon()?.try_bgpctl(&["log", "starling=loud"])?;
    let words = refused.stderr;
    ensure!(
        refused.status.code() == Some(1) && words.contains("levels are error, warn"),
        "{words}"
    );

    node.daemon()?.bgpctl(&["log", "info"])?;
    logged(node, "the operator has `info` logged")?;
    node.daemon()?.bgpctl(&["reload"])?;
    logged(node, "reloaded (bgpctl reload)")?;
    ensure!(times(&node.daemon()?.log()) == 2);
    Ok(())
}
