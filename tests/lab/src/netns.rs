//! A run of the lab ([`Lab`]) and its network namespaces ([`Netns`]).
//!
//! Names: `<prefix>-<host>`, the prefix taken from the process id unless a person keeps
//! the network (`lab up`), so that runs side by side never meet. A namespace takes with
//! it, when dropped, the processes that are in it: they can only be there because this
//! run, or a person looking around in it, started them.

use crate::process::{must_succeed, must_take};
use crate::{Proc, Result, must};
use anyhow::{Context, anyhow, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

/// Where runs keep their configurations, sockets and logs. Short: the path of a Unix
/// socket has 107 bytes.
const ROOT: &str = "/run/starling-lab";
/// Whether the modules of tunnels bring a device of theirs into each new namespace (0) or only
/// into that of the machine (1). The whole machine's, so nobody makes a namespace meanwhile.
const FALLBACK: &str = "/proc/sys/net/core/fb_tunnels_only_for_init_net";
static FALLBACK_LOCK: RwLock<()> = RwLock::new(());

/// The same between programs, until the file is closed.
fn with_others(how: FlockOperation) -> Result<File> {
    let path = Path::new(ROOT).join("fallback.lock");
    let words = || format!("cannot lock {}", path.display());
    let file = File::create(&path).with_context(words)?;
    flock(&file, how).with_context(words)?;
    Ok(file)
}

/// One run: a prefix for namespace names and a folder for files.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
    dir: PathBuf,
    /// Its namespaces begin without `tunl0`.
    bare: bool,
    kept: bool,
}

impl Lab {
    /// A run of its own, apart from all others on this machine.
    ///
    /// # Errors
    /// When its folder cannot be made (not root).
    pub fn unique() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let prefix = format!("st{}x{number}", std::process::id());
            // What a failed run left, whose process had the same number.
            if !Path::new(ROOT).join(&prefix).exists() {
                return Self::named(&prefix);
            }
        }
    }

    /// A run with a name that a person will type.
    ///
    /// # Errors
    /// When its folder cannot be made (not root).
    pub fn named(prefix: &str) -> Result<Self> {
        let dir = Path::new(ROOT).join(prefix);
        std::fs::create_dir_all(&dir)
            .with_context(|| format!("cannot make {} (the lab must be root)", dir.display()))?;
        Ok(Self { prefix: prefix.to_owned(), dir, bare: false, kept: false })
    }

    /// The same, whose namespaces are all as [`Lab::netns_without_tunl0`] makes them.
    #[must_use]
    pub fn without_tunl0(mut self) -> Self {
        self.bare = true;
        self
    }

    /// The folder of this run.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A folder in it, made if need be: one a daemon.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn subdir(&self, name: &str) -> Result<PathBuf> {
        let dir = self.dir.join(name);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }

    /// Makes the namespace `<prefix>-<host>` with its loopback up.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn netns(&self, host: &str) -> Result<Netns> {
        if self.bare {
            return self.netns_without_tunl0(host);
        }
        let _shared = FALLBACK_LOCK.read().unwrap_or_else(PoisonError::into_inner);
        let _others = with_others(FlockOperation::LockShared)?;
        self.make(host)
    }

    /// The same where the module ipip has not put a `tunl0` that nobody can delete.
    ///
    /// # Errors
    /// As [`Lab::netns`].
    pub fn netns_without_tunl0(&self, host: &str) -> Result<Netns> {
        let _alone = FALLBACK_LOCK.write().unwrap_or_else(PoisonError::into_inner);
        let _others = with_others(FlockOperation::LockExclusive)?;
        let words = || format!("cannot read or write {FALLBACK}");
        let before = std::fs::read_to_string(FALLBACK).with_context(words)?;
        std::fs::write(FALLBACK, "1").with_context(words)?;
        let made = self.make(host);
        std::fs::write(FALLBACK, before).with_context(words)?;
        made
    }

    fn make(&self, host: &str) -> Result<Netns> {
        let name = format!("{}-{host}", self.prefix);
        must(&["ip", "netns", "add", &name])?;
        let netns = Netns { name, host: host.to_owned(), kept: false };
        netns.ip(&["link", "set", "lo", "up"])?;
        // A new namespace takes these from the machine; here they must be the same
        // everywhere. Reverse path filters have their own opinion of asymmetric paths.
        netns.sysctl("net/ipv4/conf/all/rp_filter", "0")?;
        netns.sysctl("net/ipv4/conf/default/rp_filter", "0")?;
        Ok(netns)
    }

    /// Leaves the folder in place when this value is dropped.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // After a failed test the logs are what one wants to read.
        if !self.kept && !std::thread::panicking() {
            std::fs::remove_dir_all(&self.dir).ok();
        }
    }
}

/// A network namespace. Dropping it ends the processes in it and removes it.
#[derive(Debug)]
pub struct Netns {
    name: String,
    host: String,
    kept: bool,
}

impl Netns {
    /// The name that `ip netns` knows, e.g. `lab-server1`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name without the run's prefix, e.g. `server1`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Runs `ip` here: `ns.ip(&["route", "show"])`. Gives its standard output.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn ip(&self, arguments: &[&str]) -> Result<String> {
        must_succeed(Command::new("ip").args(["-n", &self.name]).args(arguments))
    }

    /// A command line of `ip` as a person would write it, split at blanks.
    ///
    /// # Errors
    /// As [`Netns::ip`].
    pub fn ip_line(&self, line: &str) -> Result<String> {
        self.ip(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Several such lines in one run of `ip`: starting programs is what takes the time
    /// where the processor is emulated.
    ///
    /// # Errors
    /// As [`Netns::ip`], at the first line that fails; the later ones are not tried.
    pub fn ip_lines(&self, lines: &[String]) -> Result {
        let mut command = Command::new("ip");
        must_take(command.args(["-n", &self.name, "-batch", "-"]), &lines.join("\n"))
            .map(drop)
            .with_context(|| format!("in {}:\n{}", self.name, lines.join("\n")))
    }

    /// A command to be run in this namespace.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Starts a daemon here, its output in `log`.
    ///
    /// # Errors
    /// As [`Proc::spawn`].
    pub fn spawn(&self, name: &str, argv: &[&str], log: &Path) -> Result<Proc> {
        let (program, arguments) = argv.split_first().context("an empty command")?;
        // `ip netns exec` becomes the program: the process id is the daemon's own.
        Proc::spawn(&format!("{name} in {}", self.name), self.command(program).args(arguments), log)
    }

    /// Runs `work` on a thread inside this namespace, e.g. to open sockets here.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or `work` panics.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let path = Path::new("/run/netns").join(&self.name);
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let file = File::open(&path)?;
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok::<T, std::io::Error>(work())
            });
            match worker.join() {
                Ok(result) => result.with_context(|| format!("cannot enter {}", path.display())),
                Err(_) => Err(anyhow!("the work inside {} panicked", self.name)),
            }
        })
    }

    /// Writes a sysctl here, by its path: `net/ipv4/ip_forward`.
    ///
    /// # Errors
    /// When it does not exist or the value is not taken.
    pub fn sysctl(&self, key: &str, value: &str) -> Result {
        let path = Path::new("/proc/sys").join(key);
        self.inside(|| std::fs::write(&path, value))?
            .with_context(|| format!("cannot set {key} = {value} in {}", self.name))
    }

    /// The lines that join `device` here with `peer_device` in `peer` by a veth pair, and
    /// bring this end up. The far end is the far namespace's business.
    ///
    /// # Errors
    /// When a name is longer than an interface's may be.
    pub fn veth(&self, device: &str, peer: &Netns, peer_device: &str) -> Result<Vec<String>> {
        for name in [device, peer_device] {
            if name.len() > 15 {
                bail!("the interface name {name} is longer than the kernel's 15 bytes");
            }
        }
        let peer = &peer.name;
        Ok(vec![
            format!("link add {device} type veth peer name {peer_device} netns {peer}"),
            format!("link set {device} up"),
        ])
    }

    /// Leaves the namespace in place when this value is dropped.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if !self.kept {
            remove(&self.name).ok();
        }
    }
}

/// Ends every process in the namespace and removes it.
fn remove(name: &str) -> Result {
    for pid in must(&["ip", "netns", "pids", name])?.split_whitespace() {
        if let Some(pid) = pid.parse().ok().and_then(Pid::from_raw) {
            // It may end by itself in between: then there is nothing to do.
            kill_process(pid, Signal::KILL).ok();
        }
    }
    must(&["ip", "netns", "del", name]).map(drop)
}

/// Removes what a kept run left: its namespaces, the processes in them, its folder.
/// Gives the number of namespaces.
///
/// # Errors
/// When namespaces cannot be listed or removed (not root).
pub fn remove_prefix(prefix: &str) -> Result<usize> {
    let start = format!("{prefix}-");
    let mut removed = 0;
    for line in must(&["ip", "netns", "list"])?.lines() {
        // "lab-server1 (id: 3)"
        let name = line.split_whitespace().next().unwrap_or_default();
        if name.starts_with(&start) {
            remove(name)?;
            removed += 1;
        }
    }
    std::fs::remove_dir_all(Path::new(ROOT).join(prefix)).ok();
    Ok(removed)
}
