//! What is on a wire: `tcpdump` on one interface with a filter, until it saw enough.

use crate::process::START;
use crate::{Netns, Proc, Result, wait_for};
use anyhow::{Context, bail};
use std::path::Path;
use std::time::Duration;

/// A capture that is under way. Dropping it ends it.
#[derive(Debug)]
pub struct Capture {
    proc: Proc,
    what: String,
    count: usize,
}

impl Capture {
    /// Listens on `device` of `netns` for `count` packets that match `filter` (pcap's
    /// words). Returns once it listens: what is sent from then on is seen.
    /// `log` is a file for its output.
    ///
    /// # Errors
    /// When `tcpdump` is missing, or refuses the device or the filter.
    pub fn start(
        netns: &Netns,
        device: &str,
        filter: &str,
        count: usize,
        log: &Path,
    ) -> Result<Self> {
        let count_text = count.to_string();
        // -Z root: it shall not become a user that may not write here.
        let mut argv = vec!["tcpdump", "-Z", "root", "-n", "-t", "-l", "--immediate-mode"];
        argv.extend(["-i", device, "-c", &count_text, filter]);
        let mut proc = netns.spawn("tcpdump", &argv, log)?;
        wait_for("tcpdump to listen", START, || {
            if proc.log().contains("listening on") {
                return Ok(());
            }
            proc.check_alive()?;
            bail!("it says: {}", proc.log())
        })?;
        Ok(Self { proc, what: format!("{filter:?} on {device} of {}", netns.host()), count })
    }

    /// The packets, one line each without the time, once all were seen.
    ///
    /// # Errors
    /// When after `limit` some are still missing: with those that were seen.
    pub fn packets(self, limit: Duration) -> Result<Vec<String>> {
        wait_for("packets", limit, || {
            let seen = self.seen();
            if seen.len() >= self.count {
                return Ok(seen);
            }
            bail!("saw {} of {}: {seen:?}", seen.len(), self.count)
        })
        .with_context(|| format!("capturing {}", self.what))
    }

    /// The packets seen so far.
    #[must_use]
    pub fn seen(&self) -> Vec<String> {
        let log = self.proc.log();
        log.lines().filter(|line| line.starts_with("IP")).map(str::to_owned).collect()
    }
}
