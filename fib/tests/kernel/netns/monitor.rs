//! What the kernel says of this namespace's routes while something happens: `ip -o monitor route`.
//!
//! It does not say when it begins to listen, and writes what it has heard when it comes to run. So a
//! route to an address that nobody uses comes and goes before the first thing that it is to see, and
//! again after the last.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::{PATIENCE, ip};

/// Where no route leads otherwise.
const BEGIN: &str = "100.127.0.1";
const END: &str = "100.127.0.2";

/// One that listens.
pub struct Monitor {
    child: Child,
    lines: Receiver<String>,
}

impl Monitor {
    /// Returns when it listens.
    pub fn start() -> Monitor {
        let mut command = Command::new("ip");
        let command = command.args(["-o", "monitor", "route"]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("ip (iproute2)");
        let (tell, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            // Whoever has heard enough does not listen any more.
            out.lines().map_while(Result::ok).try_for_each(|line| tell.send(line)).ok();
        });
        let monitor = Monitor { child, lines };
        monitor.until(BEGIN);
        monitor
    }

    /// All that was said up to this moment, in order.
    pub fn said(self) -> Vec<String> {
        let mut all = self.until(END);
        all.retain(|line| ![BEGIN, END].iter().any(|mark| line.contains(mark)));
        all
    }

    /// What is said until it tells of a route to `mark`, which is made for that.
    fn until(&self, mark: &str) -> Vec<String> {
        let (begun, mut all) = (Instant::now(), Vec::new());
        loop {
            ip(&format!("route replace blackhole {mark}"));
            ip(&format!("route del blackhole {mark}"));
            loop {
                match self.lines.recv_timeout(Duration::from_millis(100)) {
                    Ok(line) if line.contains(mark) => return all,
                    Ok(line) => all.push(line),
                    Err(error) => {
                        assert_eq!(error, RecvTimeoutError::Timeout, "it ended: {all:#?}");
                        break;
                    }
                }
            }
            assert!(begun.elapsed() < PATIENCE, "it hears nothing: {all:#?}");
        }
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        // Both fail only for one that has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
