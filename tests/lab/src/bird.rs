//! BIRD 2 as a neighbour, in the words of a Calico node.
//!
//! [`CalicoNode`] writes what such a node's BIRD runs with: multihop iBGP with every other
//! node, recursive gateways, additional paths, graceful restart, a learning and persisting
//! kernel protocol, and static blackholes for its own blocks. What Calico's fork adds
//! (routes into tunl0) upstream BIRD does not have, so these nodes route in clear.

use crate::process::{START, must_succeed};
use crate::{Netns, Proc, Result, wait_for};
use anyhow::Context;
use std::fmt::Write;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

/// A node of a Calico mesh.
#[derive(Debug, Clone)]
pub struct CalicoNode {
    /// The AS of the mesh.
    pub asn: u32,
    /// The node's address: router id and source of its sessions.
    pub address: Ipv4Addr,
    /// The other nodes.
    pub mesh: Vec<Ipv4Addr>,
    /// The node's own blocks.
    pub blocks: Vec<String>,
    /// The pools: what is advertised beside the blocks must lie inside one.
    pub pools: Vec<String>,
}

impl CalicoNode {
    /// The configuration in BIRD's words.
    #[must_use]
    pub fn config(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write(&mut text);
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self { asn, address, .. } = self;
        writeln!(out, "router id {address};\nlog stderr all;\n")?;
        writeln!(out, "protocol device {{ scan time 2; }}")?;
        writeln!(out, "protocol direct {{ ipv4; interface -\"cali*\", -\"kube-ipvs*\", \"*\"; }}")?;
        writeln!(out, "protocol kernel {{")?;
        writeln!(out, "  learn; persist; scan time 2; merge paths on; graceful restart;")?;
        writeln!(out, "  ipv4 {{ import all; export all; }};\n}}")?;

        writeln!(out, "protocol static {{\n  ipv4;")?;
        for block in &self.blocks {
            writeln!(out, "  route {block} blackhole;")?;
        }
        writeln!(out, "}}")?;

        // A block goes out as one, not as the routes of the pods in it.
        writeln!(out, "filter to_peers {{")?;
        for block in &self.blocks {
            writeln!(out, "  if net = {block} then accept;")?;
            writeln!(out, "  if net ~ {block} then reject;")?;
        }
        for pool in &self.pools {
            writeln!(out, "  if net ~ {pool} then accept;")?;
        }
        writeln!(out, "  reject;\n}}")?;

        writeln!(out, "template bgp node {{\n  local {address} as {asn};\n  multihop;")?;
        writeln!(out, "  graceful restart;\n  connect delay time 2;\n  connect retry time 5;")?;
        writeln!(out, "  error wait time 5, 30;\n  ipv4 {{")?;
        writeln!(out, "    import all; export filter to_peers; gateway recursive; add paths on;")?;
        writeln!(out, "  }};\n}}")?;

        let own = address.to_string();
        for peer in &self.mesh {
            let (text, name) = (peer.to_string(), peer.to_string().replace('.', "_"));
            writeln!(out, "protocol bgp Mesh_{name} from node {{\n  neighbor {peer} as {asn};")?;
            // The comparison is of strings, on both sides: exactly one of two dials.
            if text > own {
                writeln!(out, "  passive on;")?;
            }
            writeln!(out, "}}")?;
        }
        Ok(())
    }
}

/// A running BIRD.
#[derive(Debug)]
pub struct Bird {
    proc: Proc,
    socket: PathBuf,
}

impl Bird {
    /// Starts BIRD in `netns` with its files in `dir`, and waits until it answers.
    ///
    /// # Errors
    /// When it is not installed, or ends instead of starting: with its log.
    pub fn start(netns: &Netns, dir: &Path, config: &str) -> Result<Self> {
        Self::start_with(netns, dir, config, &[])
    }

    /// The same with more arguments: `-R` after a crash.
    ///
    /// # Errors
    /// As [`Bird::start`].
    pub fn start_with(netns: &Netns, dir: &Path, config: &str, more: &[&str]) -> Result<Self> {
        let (file, socket) = (dir.join("bird.conf"), dir.join("bird.ctl"));
        std::fs::write(&file, config)
            .with_context(|| format!("cannot write {}", file.display()))?;
        let (file, socket_text) = (file.to_string_lossy(), socket.to_string_lossy());
        let mut argv = vec!["bird", "-f", "-c", &file, "-s", &socket_text];
        argv.extend_from_slice(more);
        let proc = netns.spawn("bird", &argv, &dir.join("bird.log"))?;
        let mut bird = Self { proc, socket: socket.clone() };
        wait_for("BIRD to answer", START, || {
            bird.proc.check_alive()?;
            bird.birdc("show status").map(drop)
        })?;
        Ok(bird)
    }

    /// Its answer to a command: `show route`.
    ///
    /// # Errors
    /// When birdc fails, in its words.
    pub fn birdc(&self, command: &str) -> Result<String> {
        let mut birdc = std::process::Command::new("birdc");
        must_succeed(birdc.arg("-s").arg(&self.socket).args(command.split_whitespace()))
    }

    /// The same of a command with quoted words in it, which is taken as it is.
    ///
    /// # Errors
    /// When birdc fails, in its words.
    pub fn birdc_text(&self, command: &str) -> Result<String> {
        let mut birdc = std::process::Command::new("birdc");
        must_succeed(birdc.arg("-s").arg(&self.socket).arg(command))
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

    /// Ends it at once, as a crash would: its kernel routes stay.
    pub fn crash(self) {
        self.proc.crash();
    }

    /// The process for good, e.g. to stop it orderly.
    #[must_use]
    pub fn into_proc(self) -> Proc {
        self.proc
    }
}
