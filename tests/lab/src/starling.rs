//! Starling itself: the daemon in a namespace, and `bgpctl` to ask it.

use crate::process::{START, must_succeed};
use crate::{Netns, Output, Proc, Result, run, wait_for};
use anyhow::{Context, bail};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The two programs.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The daemon.
    pub starlingd: PathBuf,
    /// Its client.
    pub bgpctl: PathBuf,
}

impl Binaries {
    /// Those that were built beside the running program.
    ///
    /// # Errors
    /// When one is not there.
    pub fn beside_this() -> Result<Self> {
        let this = std::env::current_exe().context("cannot tell which program this is")?;
        let dir = this.parent().context("this program is in no folder")?;
        let found = |name: &str| {
            let path = dir.join(name);
            if path.is_file() {
                return Ok(path);
            }
            bail!("{} is not there: build it first (make build)", path.display())
        };
        Ok(Self { starlingd: found("starlingd")?, bgpctl: found("bgpctl")? })
    }

    /// Runs `bgpctl --socket SOCKET ARGUMENTS` to its end, whatever it exits with.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn bgpctl(&self, socket: &Path, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(&self.bgpctl);
        run(command.arg("--socket").arg(socket).args(arguments), START)
    }
}

/// A running daemon.
#[derive(Debug)]
pub struct Starling {
    proc: Proc,
    binaries: Binaries,
    socket: PathBuf,
}

impl Starling {
    /// Starts the daemon in `netns` as `node` of the configuration file, with its socket
    /// and log in `dir`. Returns at once: [`Starling::wait_ready`] waits.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        binaries: &Binaries,
        netns: &Netns,
        node: &str,
        config: &Path,
        dir: &Path,
    ) -> Result<Self> {
        Self::start_with(binaries, netns, node, config, dir, &[])
    }

    /// The same with more arguments for `starlingd run`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_with(
        binaries: &Binaries,
        netns: &Netns,
        node: &str,
        config: &Path,
        dir: &Path,
        arguments: &[&str],
    ) -> Result<Self> {
        let socket = dir.join("control.sock");
        let mut command = netns.command(&binaries.starlingd);
        command.arg("run").arg("--config").arg(config).args(["--node", node]);
        command.arg("--control").arg(&socket).args(arguments);
        let proc =
            Proc::spawn(&format!("starlingd of {node}"), &mut command, &dir.join("starlingd.log"))?;
        Ok(Self { proc, binaries: binaries.clone(), socket })
    }

    /// Waits until the daemon answers on its socket.
    ///
    /// # Errors
    /// When it ends or stays silent: with the end of its log.
    pub fn wait_ready(&mut self) -> Result {
        let log = self.log();
        wait_for("starlingd to answer", START, || {
            self.proc.check_alive()?;
            self.bgpctl(&["show", "summary"]).map(drop)
        })
        .with_context(|| format!("its log so far:\n{log}"))
    }

    /// What `bgpctl` prints for `arguments`, e.g. `["show", "routes"]`.
    ///
    /// # Errors
    /// When it exits non-zero: with its words.
    pub fn bgpctl(&self, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.binaries.bgpctl);
        must_succeed(command.arg("--socket").arg(&self.socket).args(arguments))
    }

    /// The same with `--json`, read.
    ///
    /// # Errors
    /// As [`Starling::bgpctl`], and when the answer is no JSON.
    pub fn json(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let text = self.bgpctl(&arguments)?;
        serde_json::from_str(&text).with_context(|| format!("bgpctl {arguments:?} said {text:?}"))
    }

    /// The same as values of a type.
    ///
    /// # Errors
    /// As [`Starling::json`], and when the answer has another shape.
    pub fn read<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let value = self.json(arguments)?;
        serde_json::from_value(value).with_context(|| format!("bgpctl {arguments:?}"))
    }

    /// What a command that answers an object a line (`show routes`, `show fib`) says.
    ///
    /// # Errors
    /// As [`Starling::read`].
    pub fn rows<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<Vec<T>> {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let text = self.bgpctl(&arguments)?;
        text.lines()
            .map(|line| {
                serde_json::from_str(line)
                    .with_context(|| format!("bgpctl {arguments:?} said {line:?}"))
            })
            .collect()
    }

    /// `bgpctl` run to its end, whatever it exits with.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn try_bgpctl(&self, arguments: &[&str]) -> Result<Output> {
        self.binaries.bgpctl(&self.socket, arguments)
    }

    /// The socket that `bgpctl` talks to.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The client that talks to it.
    #[must_use]
    pub fn bgpctl_path(&self) -> &Path {
        &self.binaries.bgpctl
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.proc.log()
    }

    /// The process, e.g. to send it a signal.
    pub fn proc(&mut self) -> &mut Proc {
        &mut self.proc
    }

    /// The process for good, e.g. to stop or crash it.
    #[must_use]
    pub fn into_proc(self) -> Proc {
        self.proc
    }
}
