//! The hosts of a walk: namespaces with a shell in each, on bridges.
//!
//! A host has its own network, host name, processes and, of its files, its own `/etc` and
//! `/run/…`: so what a page tells its reader to write and type is written and typed as it stands
//! there, with the paths that programs have by default. Everything ends with the shell.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use starling_lab::{Lab, Netns, Result, Switch, wait_for};

use crate::network::binaries;

/// A command of a page may take so long.
const LIMIT: Duration = Duration::from_secs(120);
/// What the hosts have for themselves of `/run`.
const RUN: &str = "starling starlingd bird calico frr openbgpd netns";

/// What a host is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has starlingd and bgpctl.
    Node,
    /// It has none of them: its `bgpctl` is OpenBGPD's.
    Router,
}

/// A host, as a scene describes it.
#[derive(Debug, Clone, Copy)]
pub struct Host {
    pub name: &'static str,
    pub kind: Kind,
    /// Bridge, device, address.
    pub plugs: &'static [(&'static str, &'static str, &'static str)],
    /// What is typed there before the walk begins.
    pub before: &'static str,
}

/// What a command left.
#[derive(Debug)]
pub struct Said {
    pub text: String,
    pub code: i32,
}

/// A shell on a host.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    stdin: ChildStdin,
    dir: PathBuf,
    typed: u32,
}

impl Shell {
    fn open(netns: &Netns, host: &Host, dir: &Path) -> Result<Shell> {
        let built = binaries().starlingd;
        let built = built.parent().context("a program without a folder")?.display().to_string();
        let bin = dir.join("bin");
        std::fs::create_dir_all(&bin)?;
        let systemctl = bin.join("systemctl");
        std::fs::write(&systemctl, include_str!("systemctl.sh"))?;
        starling_lab::must(&["chmod", "755", &systemctl.display().to_string()])?;
        let usual = "/usr/sbin:/usr/bin:/sbin:/bin";
        let path = match host.kind {
            Kind::Node => format!("{}:{built}:{usual}", bin.display()),
            Kind::Router => format!("{}:{usual}", bin.display()),
        };
        let log = std::fs::File::create(dir.join("shell.log"))?;
        let apart = ["--uts", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let mut command = netns.command("unshare");
        command.args(apart).args(["bash", "--noprofile", "--norc"]);
        command.env("PATH", path).env("LC_ALL", "C.UTF-8").env("TZ", "UTC");
        command.env_remove("NODE_NAME").env_remove("STARLING_CONFIG");
        command.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().context("unshare")?;
        let stdin = child.stdin.take().context("a shell without input")?;
        let mut shell = Shell { child, stdin, dir: dir.to_owned(), typed: 0 };
        let name = host.name;
        shell.must(&format!("echo {name} >/proc/sys/kernel/hostname"))?;
        shell.must(&format!(
            "for i in {RUN}; do mkdir -p /run/$i; mount -t tmpfs run /run/$i; done"
        ))?;
        // All of /etc, but for what the pages write.
        let etc = dir.join("etc").display().to_string();
        shell.must(&format!(
            "mkdir -p {etc}; mount --bind /etc {etc}; mount -t tmpfs etc /etc; ln -s {etc}/* /etc/\n\
             rm -f /etc/bird /etc/bgpd.conf /etc/frr /etc/starling\n\
             mkdir /etc/bird /etc/frr /etc/starling; cp {etc}/frr/vtysh.conf /etc/frr/"
        ))?;
        shell.must(&format!("mkdir -p {0}/home; cd {0}/home", dir.display()))?;
        if !host.before.is_empty() {
            shell.must(host.before)?;
        }
        Ok(shell)
    }

    /// Types a command and waits for its end.
    ///
    /// # Errors
    /// When it does not end, or the shell does.
    pub fn say(&mut self, line: &str) -> Result<Said> {
        self.typed += 1;
        let out = self.dir.join(format!("{}.out", self.typed)).display().to_string();
        let code = self.dir.join(format!("{}.code", self.typed));
        // What goes on in the background is forgotten: its end is told nowhere.
        let code_path = code.display();
        let text = format!(
            "{{ {line}\n}} >{out} 2>&1 </dev/null; said=$?; disown -a; echo $said >{code_path}\n"
        );
        self.stdin.write_all(text.as_bytes()).context("the shell is gone")?;
        self.stdin.flush()?;
        let code = wait_for(line, LIMIT, || {
            let ended = self.child.try_wait()?;
            ensure!(ended.is_none(), "the shell ended: {ended:?}");
            let code = std::fs::read_to_string(&code)?;
            ensure!(code.ends_with('\n'), "it is being written");
            Ok(code.trim().parse()?)
        })?;
        Ok(Said { text: String::from_utf8_lossy(&std::fs::read(out)?).into_owned(), code })
    }

    /// The same of a command that has to succeed.
    ///
    /// # Errors
    /// As [`Shell::say`], and with what it said.
    pub fn must(&mut self, line: &str) -> Result<Said> {
        let said = self.say(line)?;
        ensure!(said.code == 0, "`{line}` failed ({}): {}", said.code, said.text);
        Ok(said)
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The processes of its namespace go with it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The hosts of a scene, built.
// Shells before the namespaces that they run in, these before the wires: fields end in order.
#[derive(Debug)]
pub struct Stage {
    hosts: Vec<(Host, Shell)>,
    _netns: Vec<Netns>,
    _switch: Switch,
    _lab: Lab,
}

impl Stage {
    /// Builds them.
    ///
    /// # Errors
    /// When namespaces cannot be made (not root).
    pub fn build(hosts: &[Host]) -> Result<Stage> {
        let lab = Lab::unique()?;
        let switch = Switch::new(&lab)?;
        let mut bridges: Vec<&str> =
            hosts.iter().flat_map(|host| host.plugs.iter().map(|plug| plug.0)).collect();
        bridges.sort_unstable();
        bridges.dedup();
        for bridge in bridges {
            switch.bridge(bridge)?;
        }
        let (mut shells, mut all) = (Vec::new(), Vec::new());
        for host in hosts {
            let netns = lab.netns(host.name)?;
            netns.sysctl("net/ipv4/ip_forward", "1")?;
            for (bridge, device, address) in host.plugs {
                let line = format!("address add {address} dev {device}");
                switch.plug(bridge, &netns, device, &[line])?;
            }
            let shell = Shell::open(&netns, host, &lab.subdir(host.name)?)
                .with_context(|| format!("the shell of {}", host.name))?;
            shells.push((*host, shell));
            all.push(netns);
        }
        Ok(Stage { hosts: shells, _netns: all, _switch: switch, _lab: lab })
    }

    /// The shells that a page means by `who`: a host's name, `nodes` or `every node`.
    ///
    /// # Errors
    /// When there is no such host.
    pub fn shells(&mut self, who: &str) -> Result<Vec<&mut Shell>> {
        let nodes = who == "nodes" || who == "every node";
        let meant = |host: &Host| host.name == who || (nodes && host.kind == Kind::Node);
        let all = self.hosts.iter_mut().filter(|(host, _)| meant(host));
        let shells: Vec<&mut Shell> = all.map(|(_, shell)| shell).collect();
        ensure!(!shells.is_empty(), "no host is called {who:?}");
        Ok(shells)
    }
}
