//! FRR as a neighbour (a top-of-rack switch, a VyOS gateway): zebra and bgpd in one
//! namespace, without systemd, with sockets and files of their own.
//!
//! In: an [`FrrRouter`] or a configuration in FRR's own words. Out: a running pair of
//! daemons that answers `vtysh`. They drop to the user `frr`, as the package has it.

use crate::process::{START, must_succeed};
use crate::{Netns, Proc, Result, must, wait_for};
use anyhow::Context;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

/// A BGP speaker's configuration, as far as the tests need one.
#[derive(Debug, Clone)]
pub struct FrrRouter {
    /// Its AS.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Its neighbours.
    pub neighbors: Vec<FrrNeighbor>,
    /// Prefixes that it originates whether or not it has a route to them.
    pub networks: Vec<String>,
}

/// One neighbour of an [`FrrRouter`].
#[derive(Debug, Clone)]
pub struct FrrNeighbor {
    /// Where it is.
    pub address: IpAddr,
    /// Its AS; that of the router makes it iBGP.
    pub asn: u32,
}

impl FrrRouter {
    /// The configuration in FRR's words. Both families run on each session. Policy is
    /// the other side's business here: FRR's own default of RFC 8212 is switched off.
    #[must_use]
    pub fn config(&self) -> String {
        let mut text = String::new();
        let (v4, v6): (Vec<&String>, Vec<&String>) =
            self.networks.iter().partition(|network| !network.contains(':'));
        // Writing to a String cannot fail.
        let _ = self.write(&mut text, &v4, &v6);
        text
    }

    fn write(&self, out: &mut String, v4: &[&String], v6: &[&String]) -> std::fmt::Result {
        writeln!(out, "router bgp {}", self.asn)?;
        writeln!(out, " bgp router-id {}", self.router_id)?;
        writeln!(out, " no bgp ebgp-requires-policy")?;
        writeln!(out, " no bgp network import-check")?;
        for FrrNeighbor { address, asn } in &self.neighbors {
            writeln!(out, " neighbor {address} remote-as {asn}")?;
            // Seconds: keepalive, hold; and the wait before dialling again.
            writeln!(out, " neighbor {address} timers 10 30")?;
            writeln!(out, " neighbor {address} timers connect 1")?;
            writeln!(out, " neighbor {address} advertisement-interval 0")?;
        }
        for (family, networks) in [("ipv4", v4), ("ipv6", v6)] {
            writeln!(out, " address-family {family} unicast")?;
            for network in networks {
                writeln!(out, "  network {network}")?;
            }
            for FrrNeighbor { address, .. } in &self.neighbors {
                writeln!(out, "  neighbor {address} activate")?;
            }
            writeln!(out, " exit-address-family")?;
        }
        writeln!(out, "exit")
    }
}

/// zebra and bgpd, running.
#[derive(Debug)]
pub struct Frr {
    zebra: Proc,
    bgpd: Proc,
    bfdd: Option<Proc>,
    dir: PathBuf,
}

impl Frr {
    /// Starts both in `netns`, with files and sockets in `dir` (which the user `frr` must
    /// be able to reach), and waits until bgpd answers.
    ///
    /// # Errors
    /// When FRR is not installed, or a daemon ends instead of starting: with its log.
    pub fn start(netns: &Netns, dir: &Path, config: &str) -> Result<Self> {
        let file = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let common = "hostname lab\nlog stdout informational\n";
        std::fs::write(file("zebra.conf"), common)
            .and_then(|()| std::fs::write(file("bgpd.conf"), format!("{common}{config}")))
            .with_context(|| format!("cannot write FRR's files in {}", dir.display()))?;
        must(&["chown", "-R", "frr:frr", &file("")]).context("is FRR installed?")?;

        let socket = file("zserv.api");
        let start = |daemon: &str| {
            let (program, config) =
                (format!("/usr/lib/frr/{daemon}"), file(&format!("{daemon}.conf")));
            let (pid, log) = (file(&format!("{daemon}.pid")), dir.join(format!("{daemon}.log")));
            let argv = [
                &program,
                "-f",
                &config,
                "-i",
                &pid,
                "-z",
                &socket,
                "--vty_socket",
                &file(""),
                // No telnet: the Unix socket is the only way in.
                "-P",
                "0",
            ];
            netns.spawn(daemon, &argv, &log)
        };
        let mut zebra = start("zebra")?;
        wait_for("zebra's socket", START, || {
            zebra.check_alive()?;
            std::fs::metadata(&socket).map(drop).context("it is not there")
        })?;
        let bgpd = start("bgpd")?;
        let mut frr = Self { zebra, bgpd, bfdd: None, dir: dir.to_owned() };
        wait_for("bgpd to answer", START, || {
            frr.bgpd.check_alive()?;
            frr.vtysh("show bgp summary json").map(drop)
        })?;
        Ok(frr)
    }

    /// The same with bfdd, for neighbours whose configuration asks for BFD.
    ///
    /// # Errors
    /// As [`Frr::start`].
    pub fn start_with_bfd(netns: &Netns, dir: &Path, config: &str) -> Result<Self> {
        let mut frr = Self::start(netns, dir, config)?;
        let file = |name: &str| dir.join(name).to_string_lossy().into_owned();
        let (pid, zserv, control) = (file("bfdd.pid"), file("zserv.api"), file("bfdd.sock"));
        let folder = file("");
        let argv = [
            "/usr/lib/frr/bfdd",
            "--bfdctl",
            &control,
            "-i",
            &pid,
            "-z",
            &zserv,
            "--vty_socket",
            &folder,
            "-P",
            "0",
        ];
        frr.bfdd = Some(netns.spawn("bfdd", &argv, &dir.join("bfdd.log"))?);
        wait_for("bfdd to answer", START, || {
            frr.bfdd.as_mut().map_or(Ok(()), Proc::check_alive)?;
            frr.bfd("show bfd peers json").map(drop)
        })?;
        Ok(frr)
    }

    /// The answer of bfdd to a command: `show bfd peers json`.
    ///
    /// # Errors
    /// When vtysh fails, in its words.
    pub fn bfd(&self, command: &str) -> Result<String> {
        self.ask("bfdd", command)
    }

    /// The answer of bgpd to a command: `show bgp ipv4 unicast json`.
    ///
    /// # Errors
    /// When vtysh fails, in its words.
    pub fn vtysh(&self, command: &str) -> Result<String> {
        self.ask("bgpd", command)
    }

    /// The same of zebra: `show ip route json`.
    ///
    /// # Errors
    /// When vtysh fails, in its words.
    pub fn zebra(&self, command: &str) -> Result<String> {
        self.ask("zebra", command)
    }

    fn ask(&self, daemon: &str, command: &str) -> Result<String> {
        must_succeed(self.client(daemon).args(["-c", command]))
    }

    fn client(&self, daemon: &str) -> std::process::Command {
        let mut vtysh = std::process::Command::new("vtysh");
        // An empty configuration folder: the machine's own vtysh.conf is not ours.
        vtysh.arg("--vty_socket").arg(&self.dir).arg("--config_dir").arg(&self.dir);
        vtysh.args(["-d", daemon]);
        vtysh
    }

    /// What bgpd has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.bgpd.log()
    }

    /// Commands of the configuration, done one after the other: `["router bgp 65000", …]`.
    ///
    /// # Errors
    /// When vtysh fails, in its words.
    pub fn configure(&self, commands: &[String]) -> Result {
        let mut vtysh = self.client("bgpd");
        vtysh.args(["-c", "configure terminal"]);
        for command in commands {
            vtysh.args(["-c", command]);
        }
        let said = must_succeed(&mut vtysh)?;
        // It exits with 0 after a command that it does not know.
        anyhow::ensure!(!said.contains('%'), "{commands:?}: {said}");
        Ok(())
    }

    /// bgpd, e.g. to send it a signal.
    pub fn bgpd(&mut self) -> &mut Proc {
        &mut self.bgpd
    }

    /// bgpd for good, e.g. to stop or crash it; zebra ends with it.
    #[must_use]
    pub fn into_bgpd(self) -> Proc {
        self.bgpd
    }

    /// Lets all run on when this value is dropped.
    pub fn detach(&mut self) {
        if let Some(bfdd) = &mut self.bfdd {
            bfdd.detach();
        }
        self.bgpd.detach();
        self.zebra.detach();
    }
}
