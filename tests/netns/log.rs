//! What the daemon logs: changed while it runs, counted where it repeats itself, in the journal.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use anyhow::{Context, ensure};
use starling_lab::{Proc, Result, wait_for};

use crate::support::{SOON, binaries, cluster, logged};

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
    wait_for("the second one", SOON, || {
        let log = node.daemon()?.log();
        ensure!(times(&log) == 2, "{log}");
        Ok(())
    })
}

#[test]
fn what_is_said_again_and_again_is_counted() -> Result {
    let mut cluster = cluster(&[0])?;
    cluster.start_all()?;
    let good = cluster.toml("never", "");
    cluster.configure(&good.replace("10.244.1.0/26", "10.244.1.0/33"))?;
    let node = cluster.node(1)?;
    for _ in 0..12 {
        ensure!(node.daemon()?.try_bgpctl(&["reload"])?.status.code() == Some(1));
    }
    // Another line is still written.
    node.daemon()?.bgpctl(&["log", "info"])?;
    logged(node, "the operator has `info` logged")?;
    let log = node.daemon()?.log();
    let times = log.matches("configuration rejected (bgpctl reload)").count();
    ensure!(times == 5, "{times} times in\n{log}");
    Ok(())
}

/// A socket of ours stands where the journal's is, in a mount namespace of the daemon's own.
#[test]
fn where_systemd_leads_to_the_journal_it_gets_fields_and_priorities() -> Result {
    let mut cluster = cluster(&[0])?;
    let folder = cluster.lab().subdir("journal")?;
    let journal = UnixDatagram::bind(folder.join("socket"))?;
    journal.set_read_timeout(Some(Duration::from_secs(1)))?;
    let (config, dir) = (cluster.config().display().to_string(), cluster.lab().subdir("alone")?);
    let socket = dir.join("control.sock").display().to_string();
    let lab = cluster.lab().dir().display().to_string();
    // The lab itself may be below /run, which is hidden then.
    let script = format!(
        "mount --bind {lab} /mnt && mount -t tmpfs none /run && \
         mkdir -p {lab} /run/systemd/journal && mount --bind /mnt {lab} && \
         mount --bind {} /run/systemd/journal && \
         JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) exec {} run --config {config} --node n1 \
         --control {socket}",
        folder.display(),
        binaries().starlingd.display(),
    );
    let node = cluster.node(1)?;
    let mut command = node.netns().command("unshare");
    command.args(["--mount", "sh", "-ec", &script]);
    let daemon = Proc::spawn("starlingd", &mut command, &dir.join("log"))?;
    let mut entries = Vec::new();
    let found = wait_for("an entry", SOON, || {
        let mut entry = vec![0; 1 << 16];
        let length = journal.recv(&mut entry).context(daemon.log())?;
        entries.push(String::from_utf8_lossy(&entry[..length]).into_owned());
        let starts = entries.iter().find(|entry| entry.contains("starlingd 0.1.0 starts"));
        starts.cloned().with_context(|| format!("{entries:#?}"))
    })?;
    // A value of its own length, in 64 bits: PRIORITY is 5, as of every INFO.
    let priority = format!("PRIORITY\n\u{1}{}5\n", "\u{0}".repeat(7));
    ensure!(found.contains(&priority), "{found:?}");
    for field in ["SYSLOG_IDENTIFIER", "MESSAGE", "ROUTER_ID", "NODE"] {
        ensure!(found.lines().any(|line| line == field), "{field} is not in\n{found}");
    }
    ensure!(!daemon.log().contains("starts"), "it is written twice:\n{}", daemon.log());
    Ok(())
}
