//! A cluster of Starling nodes for a test: hosts on one wire or two, one configuration file.
//!
//! Node `i`, from 1, is the host `n<i>`: 10.50.R.i/24 and fd50:R::i/64 on `net0` in rack R. Its
//! blocks are 10.244.i.0/26 and fd00:244:i::/64, of which it has a pod's address itself (on
//! `lo`): 10.244.i.1 and fd00:244:i::1, so that a ping between two of those needs the routes
//! of both ends. Nodes of several racks have a default route through `gw`, 10.50.R.254 and
//! fd50:R::fe, which forwards and knows nothing of blocks.

use crate::{
    Binaries, Family, Lab, Netns, Result, Route, Starling, Switch, ping_as, routes, wait_for,
};
use anyhow::{Context, bail};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// One node of a [`Cluster`].
#[derive(Debug)]
pub struct Node {
    number: u8,
    rack: u8,
    // Before its namespace: a daemon that is stopped leaves by itself.
    daemon: Option<Starling>,
    netns: Netns,
    dir: PathBuf,
}

impl Node {
    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        self.netns.host()
    }

    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// The folder of its files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its address, as its sessions use it.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 50, self.rack, self.number)
    }

    /// The pod's address on it.
    #[must_use]
    pub fn pod(&self, family: Family) -> IpAddr {
        let i = u16::from(self.number);
        match family {
            Family::V4 => Ipv4Addr::new(10, 244, self.number, 1).into(),
            Family::V6 => Ipv6Addr::new(0xfd00, 0x244, i, 0, 0, 0, 0, 1).into(),
        }
    }

    /// Its daemon.
    ///
    /// # Errors
    /// When it was not started.
    pub fn daemon(&mut self) -> Result<&mut Starling> {
        self.daemon.as_mut().with_context(|| format!("no daemon runs on {}", self.netns.host()))
    }

    /// Takes its daemon, e.g. to stop or crash it.
    ///
    /// # Errors
    /// When it was not started.
    pub fn take_daemon(&mut self) -> Result<Starling> {
        self.daemon.take().with_context(|| format!("no daemon runs on {}", self.netns.host()))
    }

    /// Waits until its kernel holds exactly `wanted` of protocol bird in the main table.
    ///
    /// # Errors
    /// After `limit`: what it holds instead.
    pub fn holds(&self, family: Family, wanted: &[&str], limit: Duration) -> Result {
        holds(&self.netns, family, "proto bird", wanted, limit)
    }
}

/// Waits until a kernel holds exactly `wanted` of what `selector` picks, in any order. That a
/// device has no carrier (`linkdown`: nobody is at the other end) is not the route's affair.
///
/// # Errors
/// After `limit`: what it holds instead.
pub fn holds(
    netns: &Netns,
    family: Family,
    selector: &str,
    wanted: &[&str],
    limit: Duration,
) -> Result {
    let mut wanted: Vec<String> = wanted.iter().map(|line| (*line).to_owned()).collect();
    wanted.sort();
    wait_for("the kernel's routes", limit, || {
        let held = routes(netns, family, selector)?;
        let line = |route: &Route| route.to_string().replace(" linkdown", "");
        let mut held: Vec<String> = held.iter().map(line).collect();
        held.sort();
        if held == wanted {
            return Ok(());
        }
        bail!(
            "{}, {selector}, holds:\n  {}\nwanted:\n  {}",
            netns.name(),
            held.join("\n  "),
            wanted.join("\n  ")
        )
    })
}

/// The nodes, the wires, and their configuration.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    gateway: Option<Netns>,
    switch: Switch,
    binaries: Binaries,
    config: PathBuf,
    lab: Lab,
}

impl Cluster {
    /// As many nodes as there are numbers in `racks`, each in the rack of its number; no
    /// daemon runs yet, and the configuration is that of [`Cluster::toml`] with `ipip = "never"`.
    ///
    /// # Errors
    /// When the network cannot be made (not root).
    pub fn new(binaries: Binaries, racks: &[u8]) -> Result<Self> {
        Self::new_in(Lab::unique()?, binaries, racks)
    }

    /// The same as part of a run.
    ///
    /// # Errors
    /// As [`Cluster::new`].
    pub fn new_in(lab: Lab, binaries: Binaries, racks: &[u8]) -> Result<Self> {
        let switch = Switch::new(&lab)?;
        let config = lab.subdir("etc")?.join("cluster.toml");
        let mut cluster = Self { nodes: Vec::new(), gateway: None, switch, binaries, config, lab };
        let mut all: Vec<u8> = racks.to_vec();
        all.sort_unstable();
        all.dedup();
        for rack in &all {
            cluster.switch.bridge(&format!("br{rack}"))?;
        }
        let routed = all.len() > 1;
        if routed {
            cluster.build_gateway(&all)?;
        }
        for (index, rack) in racks.iter().enumerate() {
            let number = u8::try_from(index + 1)?;
            cluster.build_node(number, *rack, routed)?;
        }
        cluster.configure(&cluster.toml("never", ""))?;
        Ok(cluster)
    }

    fn build_gateway(&mut self, racks: &[u8]) -> Result {
        let gateway = self.lab.netns("gw")?;
        gateway.sysctl("net/ipv4/ip_forward", "1")?;
        gateway.sysctl("net/ipv6/conf/all/forwarding", "1")?;
        for rack in racks {
            let device = format!("net{rack}");
            let lines = [
                format!("address add 10.50.{rack}.254/24 dev {device}"),
                format!("address add fd50:{rack}::fe/64 dev {device} nodad"),
            ];
            self.switch.plug(&format!("br{rack}"), &gateway, &device, &lines)?;
        }
        self.gateway = Some(gateway);
        Ok(())
    }

    fn build_node(&mut self, number: u8, rack: u8, routed: bool) -> Result {
        let mut lines = vec![
            format!("address add 10.244.{number}.1/32 dev lo"),
            format!("address add fd00:244:{number}::1/128 dev lo nodad"),
        ];
        if routed {
            lines.push(format!("route add default via 10.50.{rack}.254"));
            lines.push(format!("route add ::/0 via fd50:{rack}::fe"));
        }
        let netns = self.host(&format!("n{number}"), rack, number, &lines)?;
        let dir = self.lab.subdir(netns.host())?;
        self.nodes.push(Node { number, rack, daemon: None, netns, dir });
        Ok(())
    }

    /// A host beside the nodes, e.g. a router: 10.50.`rack`.`number` and fd50:`rack`::`number`
    /// on `net0`; then does `lines`.
    ///
    /// # Errors
    /// When `ip` fails, in its words.
    pub fn host(&self, name: &str, rack: u8, number: u8, lines: &[String]) -> Result<Netns> {
        let netns = self.lab.netns(name)?;
        netns.sysctl("net/ipv4/ip_forward", "1")?;
        netns.sysctl("net/ipv6/conf/all/forwarding", "1")?;
        // Duplicate address detection keeps a new interface from asking for neighbours for
        // about two seconds; that would be measured here as time to converge.
        netns.sysctl("net/ipv6/conf/default/accept_dad", "0")?;
        let mut all = vec![
            format!("address add 10.50.{rack}.{number}/24 dev net0"),
            format!("address add fd50:{rack}::{number}/64 dev net0 nodad"),
        ];
        all.extend_from_slice(lines);
        self.switch.plug(&format!("br{rack}"), &netns, "net0", &all)?;
        Ok(netns)
    }

    /// The cluster's file: AS 64512, pools 10.244.0.0/16 of mode `ipip` and fd00:244::/32, all
    /// nodes with both families, attempts to connect every second; then `extra`.
    #[must_use]
    pub fn toml(&self, ipip: &str, extra: &str) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_toml(ipip, &mut text);
        text + extra
    }

    fn write_toml(&self, ipip: &str, out: &mut String) -> std::fmt::Result {
        writeln!(out, "[cluster]\nasn = 64512\n")?;
        writeln!(out, "[timers]\nconnect-retry = \"1s\"\nsettle = \"20s\"\n")?;
        writeln!(out, "[[pool]]\ncidr = \"10.244.0.0/16\"\nipip = \"{ipip}\"\n")?;
        writeln!(out, "[[pool]]\ncidr = \"fd00:244::/32\"\nipip = \"never\"\n")?;
        for Node { number: i, rack, .. } in &self.nodes {
            writeln!(out, "[[node]]\nname = \"n{i}\"")?;
            writeln!(out, "address = [\"10.50.{rack}.{i}\", \"fd50:{rack}::{i}\"]")?;
            writeln!(out, "blocks = [\"10.244.{i}.0/26\", \"fd00:244:{i}::/64\"]\n")?;
        }
        Ok(())
    }

    /// Puts `text` in the place of the cluster's file, in one step.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn configure(&self, text: &str) -> Result {
        let new = self.config.with_extension("new");
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(&new, &self.config))
            .with_context(|| format!("cannot write {}", self.config.display()))
    }

    /// Starts the daemon of node `i` with more `arguments` and waits until it answers.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn start_with(&mut self, i: usize, arguments: &[&str]) -> Result {
        self.launch(i, arguments)?;
        self.node(i)?.daemon()?.wait_ready()
    }

    /// [`Cluster::start_with`] with none.
    ///
    /// # Errors
    /// When it ends instead.
    pub fn start(&mut self, i: usize) -> Result {
        self.start_with(i, &[])
    }

    /// Starts all daemons at once, and waits until they answer.
    ///
    /// # Errors
    /// When one ends instead.
    pub fn start_all(&mut self) -> Result {
        for i in 1..=self.nodes.len() {
            self.launch(i, &[])?;
        }
        for node in &mut self.nodes {
            node.daemon()?.wait_ready()?;
        }
        Ok(())
    }

    /// Starts the daemon of node `i` and returns at once.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(&mut self, i: usize, arguments: &[&str]) -> Result {
        let (binaries, config) = (self.binaries.clone(), self.config.clone());
        let node = self.node(i)?;
        let daemon = Starling::start_with(
            &binaries,
            &node.netns,
            node.netns.host(),
            &config,
            &node.dir,
            arguments,
        )?;
        node.daemon = Some(daemon);
        Ok(())
    }

    /// Node `i`, from 1.
    ///
    /// # Errors
    /// When there is none.
    pub fn node(&mut self, i: usize) -> Result<&mut Node> {
        let found = i.checked_sub(1).and_then(|index| self.nodes.get_mut(index));
        found.with_context(|| format!("there is no node {i}"))
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The gateway between the racks, if there are several: `net<rack>` in each.
    #[must_use]
    pub fn gateway(&self) -> Option<&Netns> {
        self.gateway.as_ref()
    }

    /// Pings from the pod's address of every node to that of every other.
    ///
    /// # Errors
    /// At the first pair that gets no answer.
    pub fn ping_all(&self, family: Family) -> Result {
        for from in &self.nodes {
            for to in self.nodes.iter().filter(|to| to.number != from.number) {
                ping_as(&from.netns, from.pod(family), to.pod(family), 1)?
                    .complete()
                    .with_context(|| {
                        format!("a pod of {} to one of {}, {family:?}", from.name(), to.name())
                    })?;
            }
        }
        Ok(())
    }

    /// The configuration's file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The programs.
    #[must_use]
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The run that this is part of.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// The wires: bridge `br<rack>`, ports `<host>.net0`.
    #[must_use]
    pub fn switch(&self) -> &Switch {
        &self.switch
    }
}
