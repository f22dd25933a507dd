//! What the kernel says of its routes while something happens: `ip monitor route`.
//!
//! It says nothing when it begins to listen, and it writes what it has heard when it comes to run.
//! So a route to an address that nobody uses comes and goes before the first thing that it is to
//! see, and again after the last: all that happened between the two is in its words.

use crate::{Netns, Proc, Result, must, wait_for};
use anyhow::ensure;
use std::cell::Cell;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

/// Between a change and its line; the monitor may be one of many programs that want to run.
const PATIENCE: Duration = Duration::from_secs(60);

/// A monitor that listens, until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    proc: Proc,
    /// The name of the namespace.
    netns: String,
    marks: Cell<u32>,
}

impl Monitor {
    /// Begins to listen to all routes of both families in `netns`; `log` is a file for its words.
    ///
    /// # Errors
    /// When it does not run, or hears nothing.
    pub fn start(netns: &Netns, log: &Path) -> Result<Self> {
        Self::start_with(netns, &[], log)
    }

    /// The same with options of `ip`: `-ts` for the time of each line.
    ///
    /// # Errors
    /// As [`Monitor::start`].
    pub fn start_with(netns: &Netns, options: &[&str], log: &Path) -> Result<Self> {
        // UTC: whoever reads times need not know where this machine is.
        let argv = [&["env", "TZ=UTC", "ip"], options, &["monitor", "route"]].concat();
        let proc = netns.spawn("ip monitor", &argv, log)?;
        let monitor = Self { proc, netns: netns.name().to_owned(), marks: Cell::default() };
        monitor.mark()?;
        Ok(monitor)
    }

    /// What it has been told up to this moment, a line a change; what has gone begins with
    /// `Deleted` (behind the time, if that was asked for).
    ///
    /// # Errors
    /// When it does not run any more, or hears nothing.
    pub fn seen(&self) -> Result<String> {
        self.mark()?;
        let is_ours = |address: Ipv4Addr| (mark(0)..mark(self.marks.get())).contains(&address);
        let log = self.proc.log();
        let lines = log.lines().filter(|line| !addresses(line).any(is_ours));
        Ok(lines.flat_map(|line| [line, "\n"]).collect())
    }

    /// Waits until it has told of a route that is made for that.
    fn mark(&self) -> Result {
        let mark = mark(self.marks.replace(self.marks.get() + 1));
        let destination = mark.to_string();
        wait_for("ip monitor to hear", PATIENCE, || {
            for verb in ["replace", "del"] {
                must(&["ip", "-n", &self.netns, "route", verb, "blackhole", &destination])?;
            }
            let log = self.proc.log();
            let told = log.lines().flat_map(addresses).any(|address| address == mark);
            ensure!(told, "no {mark} in its words:\n{log}");
            Ok(())
        })
    }
}

/// An address of the space that providers share among them (RFC 6598): no network here has it.
fn mark(number: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(Ipv4Addr::new(100, 127, 0, 0).to_bits() + number)
}

/// The addresses that stand for themselves in a line.
fn addresses(line: &str) -> impl Iterator<Item = Ipv4Addr> {
    line.split_whitespace().filter_map(|word| word.parse().ok())
}
