//! A machine with systemd beside this one, made by `boot`.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use serde::de::DeserializeOwned;
use starling_lab::{Netns, Output, Proc, Result, run, wait_for};

use crate::{SOON, file};

/// It runs until this value is dropped.
#[derive(Debug)]
pub struct Machine {
    boot: Option<Proc>,
    folder: PathBuf,
    /// Its process 1, as it is called out here.
    pid: String,
}

impl Machine {
    /// Boots one in `netns`, called as its host is; `folder` is its `/lab`.
    pub fn boot(netns: &Netns, folder: &Path) -> Result<Machine> {
        let mut command = netns.command(file("tests/package/boot"));
        command.arg(folder).arg(netns.host());
        let mut boot = Proc::spawn("the machine", &mut command, &folder.join("boot.log"))?;
        let pid = wait_for("the machine's systemd", SOON, || {
            boot.check_alive()?;
            Ok(std::fs::read_to_string(folder.join("pid"))?.trim().to_owned())
        })?;
        let machine = Machine { boot: Some(boot), folder: folder.to_owned(), pid };
        wait_for("the machine to be up", SOON, || {
            let said = machine.run(&["systemctl", "is-system-running"])?;
            ensure!(said.stdout.trim() == "running", "{said:?}");
            Ok(())
        })?;
        Ok(machine)
    }

    /// Its `/lab`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Runs a program in it to its end, as root.
    pub fn run(&self, argv: &[&str]) -> Result<Output> {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--all", "--root", "--wd"]).args(argv);
        command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
        run(&mut command, SOON)
    }

    /// One that has to succeed; gives what it prints.
    pub fn must(&self, argv: &[&str]) -> Result<String> {
        let output = self.run(argv)?;
        if !output.status.success() {
            bail!(
                "{argv:?}: {}\n{}{}\n{}",
                output.status,
                output.stdout,
                output.stderr,
                self.log()
            );
        }
        Ok(output.stdout)
    }

    /// The same as `user`, with the groups that it is in.
    pub fn run_as(&self, user: &str, argv: &[&str]) -> Result<Output> {
        let mut all = vec!["setpriv", "--reuid", user, "--regid", user, "--init-groups"];
        all.extend(argv);
        self.run(&all)
    }

    /// What `bgpctl … --json` says.
    pub fn read<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T> {
        let mut argv = vec!["bgpctl", "--json"];
        argv.extend(arguments);
        let text = self.must(&argv)?;
        serde_json::from_str(&text).with_context(|| format!("bgpctl {arguments:?} said {text:?}"))
    }

    /// A property of the service.
    pub fn service(&self, property: &str) -> Result<String> {
        let said = self.must(&["systemctl", "show", "-P", property, "starlingd"])?;
        Ok(said.trim().to_owned())
    }

    /// A line of `/proc/PID/status` of the daemon.
    pub fn status(&self, key: &str) -> Result<String> {
        let text = self.must(&["cat", &format!("/proc/{}/status", self.service("MainPID")?)])?;
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key}:")));
        Ok(line.with_context(|| format!("no {key} in {text}"))?.trim().to_owned())
    }

    /// What the service has logged.
    pub fn log(&self) -> String {
        let said = self.run(&["journalctl", "-u", "starlingd", "-o", "cat", "--no-pager"]);
        said.map(|said| said.stdout).unwrap_or_default()
    }

    /// Waits until the daemon is asked and says that all its sessions are up, so that a packet to
    /// `to` has its route.
    pub fn converged(&self, to: IpAddr) -> Result {
        wait_for("the daemon's routes", SOON, || {
            let ready = self.read::<starling::api::Summary>(&["show", "summary"])?;
            let up = |peer: &starling::api::PeerSummary| {
                peer.state == starling::api::SessionState::Established
            };
            ensure!(ready.peers.iter().all(up), "{ready:#?}");
            self.must(&["bgpctl", "why", &to.to_string()]).map(drop)
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It takes everything in it along.
        if let Some(boot) = self.boot.take() {
            boot.stop(SOON).ok();
        }
    }
}
