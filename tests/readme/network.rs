//! Network B as far as a kernel without ipip goes, and the pages' commands in it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use starling_lab::{
    Binaries, Lab, Netns, Output, Proc, Result, Signal, Starling, Switch, run, wait_for,
};

use crate::page::{Command, Pages};
use crate::{CLUSTER, place, without_tunnel};

/// Name, rack, address.
const NODES: [(&str, u8, &str); 3] =
    [("server1", 5, "10.1.5.10"), ("server2", 5, "10.1.5.11"), ("server3", 8, "10.1.8.10")];
/// The path of the configuration on a node.
const INSTALLED: &str = "/etc/starling/cluster.toml";
const SOON: Duration = Duration::from_secs(120);

/// The programs that cargo built for this test.
pub fn binaries() -> Binaries {
    Binaries {
        starlingd: env!("CARGO_BIN_EXE_starlingd").into(),
        bgpctl: env!("CARGO_BIN_EXE_bgpctl").into(),
    }
}

/// Three servers in two racks, and a gateway that only forwards.
// Daemons before the namespaces that they run in, these before the wires: fields end in order.
pub struct Network {
    by_hand: Vec<Proc>,
    daemons: Vec<Starling>,
    servers: Vec<Netns>,
    _gateway: Netns,
    _switch: Switch,
    /// The files as the pages show them.
    shown: PathBuf,
    /// What the daemons run with.
    config: PathBuf,
    lab: Lab,
}

impl Network {
    pub fn build(pages: &Pages) -> Result<Network> {
        let lab = Lab::unique()?;
        let shown = lab.subdir("shown")?;
        pages.write_files(&shown)?;
        let config = lab.subdir("etc")?.join(CLUSTER);
        let text = std::fs::read_to_string(shown.join(CLUSTER))
            .context("the front page's cluster.toml")?;
        std::fs::write(&config, without_tunnel(&text))?;

        let switch = Switch::new(&lab)?;
        let gateway = lab.netns("gw0")?;
        gateway.sysctl("net/ipv4/ip_forward", "1")?;
        for rack in [5, 8] {
            switch.bridge(&format!("rack{rack}"))?;
            let device = format!("eth{rack}");
            let address = format!("address add 10.1.{rack}.1/24 dev {device}");
            switch.plug(&format!("rack{rack}"), &gateway, &device, &[address])?;
        }
        let mut servers = Vec::new();
        for (name, rack, address) in NODES {
            let server = lab.netns(name)?;
            server.sysctl("net/ipv4/ip_forward", "1")?;
            let lines = [
                format!("address add {address}/24 dev net0"),
                format!("route add default via 10.1.{rack}.1"),
            ];
            switch.plug(&format!("rack{rack}"), &server, "net0", &lines)?;
            servers.push(server);
        }
        let (by_hand, daemons) = (Vec::new(), Vec::new());
        Ok(Network {
            by_hand,
            daemons,
            servers,
            _gateway: gateway,
            _switch: switch,
            shown,
            config,
            lab,
        })
    }

    /// Starts `server1` and `server2` as tests do, `server3` by each of the pages' commands in
    /// turn; waits until `server1` has the routes of the others.
    pub fn start(&mut self, by_hand: &[Command<'_>]) -> Result {
        let programs = binaries();
        for (server, (name, ..)) in self.servers.iter().zip(NODES).take(2) {
            let dir = self.lab.subdir(name)?;
            let daemon = Starling::start(&programs, server, name, &self.config, &dir)?;
            self.daemons.push(daemon);
        }
        for daemon in &mut self.daemons {
            daemon.wait_ready()?;
        }
        ensure!(!by_hand.is_empty(), "no page says how to run starlingd");
        for command in by_hand {
            for proc in self.by_hand.drain(..) {
                proc.stop(SOON)?;
            }
            self.run_by_hand(command)?;
        }
        let server1 = self.daemons.first().context("server1")?;
        wait_for("the routes of the others", SOON, || {
            for prefix in ["10.244.2.0/26", "10.244.3.0/26"] {
                let said = server1.bgpctl(&["show", "routes", prefix])?;
                ensure!(said.contains("installed"), "{said}");
            }
            Ok(())
        })
    }

    fn run_by_hand(&mut self, command: &Command<'_>) -> Result {
        let dir = self.lab.subdir("server3")?;
        let socket = dir.join("control.sock");
        let server = self.servers.get(2).context("server3")?;
        let mut starlingd = server.command(binaries().starlingd);
        let config = self.config.display().to_string();
        let installed =
            |word: &&str| if *word == INSTALLED { config.clone() } else { (*word).to_owned() };
        starlingd.args(command.words.iter().map(installed));
        starlingd.arg("--control").arg(&socket);
        let mut proc = Proc::spawn(command.line, &mut starlingd, &dir.join("starlingd.log"))?;
        wait_for(command.line, SOON, || {
            proc.check_alive()?;
            let output = binaries().bgpctl(&socket, &["show", "summary"])?;
            ensure!(output.status.success(), "{output:?}\n{}", proc.log());
            Ok(())
        })?;
        self.by_hand.push(proc);
        Ok(())
    }

    /// `starlingd …` on `server1`, in the folder of the files that the pages show.
    pub fn starlingd(&self, command: &Command<'_>) -> Result<Output> {
        let server = self.servers.first().context("server1")?;
        let mut starlingd = server.command(binaries().starlingd);
        let installed = place(&self.shown, CLUSTER);
        let word =
            |word: &&str| if *word == INSTALLED { installed.clone() } else { (*word).to_owned() };
        starlingd.args(command.words.iter().map(word)).current_dir(&self.shown);
        run(&mut starlingd, SOON)
    }

    /// `bgpctl …` asking the daemon of `server1`.
    pub fn bgpctl(&self, command: &Command<'_>) -> Result<Output> {
        let server1 = self.daemons.first().context("server1")?;
        // A file of the reader's own: what runs, with another metric.
        let next = self.shown.join("next.toml").display().to_string();
        let running = std::fs::read_to_string(&self.config)?;
        std::fs::write(&next, format!("{running}\n[kernel]\nmetric = 1024\n"))?;
        let word =
            |word: &&str| if *word == "next.toml" { next.clone() } else { (*word).to_owned() };
        let words: Vec<String> = command.words.iter().map(word).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        binaries().bgpctl(server1.socket(), &words)
    }

    /// `bgpctl …` of a kind that goes on until Ctrl-C, which comes once it has said something.
    pub fn watch(&self, command: &Command<'_>) -> Result {
        let server1 = self.daemons.first().context("server1")?;
        let mut bgpctl = std::process::Command::new(binaries().bgpctl);
        bgpctl.arg("--socket").arg(server1.socket()).args(&command.words);
        let log = self.lab.subdir("watch")?.join(command.line.replace([' ', '/'], "_"));
        let mut proc = Proc::spawn(command.line, &mut bgpctl, &log)?;
        wait_for(command.line, SOON, || {
            ensure!(!proc.log().is_empty(), "nothing is said");
            Ok(())
        })?;
        proc.signal(Signal::INT)?;
        let (said, status) = (proc.log(), proc.ended(SOON)?);
        ensure!(status.success(), "{}: {status}: {said}", command.line);
        Ok(())
    }

    /// The answer to a GET of `url` over the control socket of `server1`.
    pub fn get(&self, url: &str) -> Result<String> {
        let path = url.strip_prefix("http://localhost").context("a URL of another host")?;
        let socket: &Path = self.daemons.first().context("server1")?.socket();
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(SOON))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }
}
