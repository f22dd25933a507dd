//! Five nodes on one wire, a pod behind each, packets among the pods, and on every node the one
//! software or the other.
//!
//! Node `i` is 10.50.0.i, its block 10.244.i.0/26, its pod 10.244.i.2. Its default route leads to
//! an address that nobody has, so what no route carries is lost. Both softwares get what they
//! would have by default: Starling its own defaults, BIRD what a Calico node gives it.
//!
//! A packet a millisecond goes between the first node's pod and others, both ways, and between
//! others: what a node loses at its own events, what its peers lose, and what nobody may lose at
//! all. Where one of the nodes has the block [`MOVING`], packets go to its pod too.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use starling::api::{SessionState, Summary};
use starling_lab::{
    Binaries, Bird, CalicoNode, Cluster, End, Family, Netns, Pod, Proc, Result, Starling, Traffic,
    routes, wait_for,
};

use crate::table::Seen;

/// A packet a flow.
const PACE: Duration = Duration::from_millis(1);
/// Two routers of BIRD's that have lost each other need that long at most.
const LIMIT: Duration = Duration::from_secs(60);
/// After everything is as it should be: time for what comes late.
const TAIL: Duration = Duration::from_secs(1);

/// Whose routes carry the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Software {
    /// Ours.
    Starling,
    /// bird2 as on a Calico node.
    Bird,
}

/// What all nodes are told.
#[derive(Debug, Clone)]
pub struct Told {
    /// The nodes that there are, and their blocks.
    pub blocks: BTreeMap<u8, Vec<String>>,
    /// The kernel's metric.
    pub metric: Option<u32>,
    /// The pool's mode, for those that have tunnels.
    pub ipip: &'static str,
    /// More of Starling's file.
    pub more: String,
    /// More of BIRD's.
    pub more_bird: String,
}

/// A block that moves from n2 to n3 while its pod does.
pub const MOVING: &str = "10.244.7.0/26";
/// Its pod: n2 and n3 have a namespace each that would be it.
pub const MOVED: Ipv4Addr = Ipv4Addr::new(10, 244, 7, 2);

/// A node's block.
pub fn block(i: u8) -> String {
    format!("10.244.{i}.0/26")
}

/// A node's address.
pub fn address(i: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 50, 0, i)
}

impl Told {
    /// Of nodes with a block each.
    pub fn of(nodes: impl IntoIterator<Item = u8>) -> Self {
        Self {
            blocks: nodes.into_iter().map(|i| (i, vec![block(i)])).collect(),
            metric: None,
            ipip: "never",
            more: String::new(),
            more_bird: String::new(),
        }
    }

    fn toml(&self) -> String {
        let mut text = format!(
            "[cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.244.0.0/16\"\nipip = \"{}\"\n",
            self.ipip
        );
        for (i, blocks) in &self.blocks {
            let address = address(*i);
            text += &format!(
                "[[node]]\nname = \"n{i}\"\naddress = \"{address}\"\nblocks = {blocks:?}\n"
            );
        }
        if let Some(metric) = self.metric {
            text += &format!("[kernel]\nmetric = {metric}\n");
        }
        text + &self.more
    }

    fn bird(&self, i: u8) -> String {
        let node = CalicoNode {
            asn: 64512,
            address: address(i),
            mesh: self.blocks.keys().filter(|other| **other != i).map(|i| address(*i)).collect(),
            blocks: self.blocks.get(&i).cloned().unwrap_or_default(),
            pools: vec!["10.244.0.0/16".to_owned()],
        };
        let metric = self.metric.map(|metric| format!("  metric {metric};\n")).unwrap_or_default();
        node.config().replace("protocol kernel {\n", &format!("protocol kernel {{\n{metric}"))
            + &self.more_bird
    }
}

#[derive(Debug)]
enum Daemon {
    Starling(Box<Starling>),
    Bird(Bird),
}

/// The network.
// Packets first, the wires last: fields end in order.
#[derive(Debug)]
pub struct Mesh {
    pub traffic: Traffic,
    daemons: BTreeMap<u8, Daemon>,
    _pods: Vec<Pod>,
    cluster: Cluster,
    /// What the nodes were told last.
    pub told: Told,
    binaries: Binaries,
    starts: usize,
}

impl Mesh {
    /// `count` nodes, of which those in `told` run `software`; all routes are in place.
    pub fn start(software: Software, count: u8, told: Told) -> Result<Self> {
        let binaries = Binaries {
            starlingd: env!("CARGO_BIN_EXE_starlingd").into(),
            bgpctl: env!("CARGO_BIN_EXE_bgpctl").into(),
        };
        let cluster = Cluster::new(binaries.clone(), &vec![0; usize::from(count)])?;
        let mut pods = Vec::new();
        for (i, node) in (1..).zip(cluster.nodes()) {
            node.netns().ip_line("route add default via 10.50.0.254")?;
            let pod = Ipv4Addr::new(10, 244, i, 2);
            pods.push(Pod::new(cluster.lab(), node.netns(), pod, 26, "cali1", 1500)?);
        }
        let traffic = start_traffic(&told, &pods, count)?;
        let daemons = BTreeMap::new();
        let mut mesh = Self { traffic, daemons, _pods: pods, cluster, told, binaries, starts: 0 };
        mesh.write()?;
        let members: Vec<u8> = mesh.told.blocks.keys().copied().collect();
        for i in &members {
            mesh.launch(*i, software)?;
        }
        for i in members {
            mesh.ready(i)?;
        }
        mesh.whole()?;
        Ok(mesh)
    }

    /// The namespace of a node.
    pub fn netns(&self, i: u8) -> Result<&Netns> {
        let node = self.cluster.nodes().get(usize::from(i) - 1).context("no such node")?;
        Ok(node.netns())
    }

    /// The bridge and its ports: `n<i>.net0`.
    pub fn wires(&self) -> &Netns {
        self.cluster.switch().netns()
    }

    fn dir(&self, i: u8) -> Result<PathBuf> {
        self.cluster.lab().subdir(&format!("n{i}"))
    }

    /// Writes Starling's file: every daemon of ours sees the change by itself.
    fn write(&self) -> Result {
        self.cluster.configure(&self.told.toml())
    }

    /// Starts the software on node `i`.
    pub fn launch(&mut self, i: u8, software: Software) -> Result {
        self.starts += 1;
        let dir = self.dir(i)?;
        let daemon = match software {
            Software::Starling => Daemon::Starling(Box::new(Starling::start(
                &self.binaries,
                self.netns(i)?,
                &format!("n{i}"),
                self.cluster.config(),
                &dir,
            )?)),
            // A Calico node starts it so, always.
            Software::Bird => {
                Daemon::Bird(Bird::start_with(self.netns(i)?, &dir, &self.told.bird(i), &["-R"])?)
            }
        };
        self.daemons.insert(i, daemon);
        Ok(())
    }

    /// Waits until the daemon of node `i` answers.
    pub fn ready(&mut self, i: u8) -> Result {
        match self.daemons.get_mut(&i) {
            Some(Daemon::Starling(daemon)) => daemon.wait_ready(),
            Some(Daemon::Bird(_)) => Ok(()),
            None => bail!("nothing runs on n{i}"),
        }
    }

    /// The software on node `i` ends, with its process.
    pub fn take(&mut self, i: u8) -> Result<Proc> {
        let daemon = self.daemons.remove(&i).with_context(|| format!("nothing runs on n{i}"))?;
        let log = self.dir(i)?;
        let n = self.starts;
        // Each start makes the log anew.
        for name in ["starlingd.log", "bird.log"] {
            let from = log.join(name);
            if from.exists() {
                std::fs::copy(&from, log.join(format!("{name}.{n}")))?;
            }
        }
        Ok(match daemon {
            Daemon::Starling(daemon) => daemon.into_proc(),
            Daemon::Bird(daemon) => daemon.into_proc(),
        })
    }

    /// Tells all nodes something else.
    pub fn tell(&mut self, told: Told) -> Result {
        self.told = told;
        self.write()?;
        for (i, daemon) in &self.daemons {
            if let Daemon::Bird(bird) = daemon {
                std::fs::write(self.dir(*i)?.join("bird.conf"), self.told.bird(*i))?;
                bird.birdc("configure")?;
            }
        }
        Ok(())
    }

    /// Waits until every kernel holds what it should and every session is up.
    pub fn whole(&self) -> Result {
        self.whole_within(LIMIT)
    }

    /// The same within `limit`.
    pub fn whole_within(&self, limit: Duration) -> Result {
        wait_for("kernels and sessions", limit, || {
            for i in self.told.blocks.keys() {
                self.kernel(*i).with_context(|| format!("n{i}"))?;
                self.sessions(*i).with_context(|| format!("n{i}"))?;
            }
            Ok(())
        })
    }

    /// The kernel of node `i` has every block of the others by one route, the right one.
    pub fn kernel(&self, i: u8) -> Result {
        let mut wanted = Vec::new();
        for (j, blocks) in &self.told.blocks {
            for block in blocks {
                wanted.push(match i == *j {
                    true => format!("blackhole {block} proto bird"),
                    false => format!("{block} via {} dev net0 proto bird", address(*j)),
                });
            }
        }
        wanted.sort();
        // BIRD 2 writes a metric of its own, and copies of the kernel's own routes to what is on the link.
        let mut held = routes(self.netns(i)?, Family::V4, "proto bird")?;
        held.retain(|route| route.scope.as_deref() != Some("link"));
        let other = |route: &&starling_lab::Route| route.metric != self.told.metric;
        if let Some(other) = held.iter().find(other).filter(|_| self.told.metric.is_some()) {
            bail!("the kernel holds {other}, not with metric {:?}", self.told.metric);
        }
        let line = |route: &mut starling_lab::Route| {
            route.metric = None;
            route.to_string()
        };
        let mut held: Vec<String> = held.iter_mut().map(line).collect();
        held.sort();
        ensure!(held == wanted, "the kernel holds {held:#?}, not {wanted:#?}");
        Ok(())
    }

    /// Every session of node `i` is up, and it does not wait for anything.
    pub fn sessions(&self, i: u8) -> Result {
        let others = self.told.blocks.len() - 1;
        let up = match self.daemons.get(&i) {
            None => bail!("nothing runs"),
            Some(Daemon::Starling(daemon)) => {
                let summary: Summary = daemon.read(&["show", "summary"])?;
                let up =
                    |peer: &&starling::api::PeerSummary| peer.state == SessionState::Established;
                summary.peers.iter().filter(up).count()
            }
            Some(Daemon::Bird(bird)) => {
                let status = bird.birdc("show status")?;
                ensure!(!status.contains("Graceful restart"), "{status}");
                let all = bird.birdc("show protocols")?;
                let up = |line: &&str| line.starts_with("Mesh_") && line.contains("Established");
                all.lines().filter(up).count()
            }
        };
        ensure!(up >= others, "{up} of {others} sessions are up");
        Ok(())
    }

    /// What was lost from beat `from` on, after waiting for what comes late.
    pub fn lost(&self, from: usize) -> Seen {
        self.lost_of(from, |_, _| true)
    }

    /// The same of some flows.
    pub fn lost_of(&self, from: usize, of: impl Fn(&str, &str) -> bool) -> Seen {
        std::thread::sleep(TAIL);
        self.lost_by_now(from, of)
    }

    /// The same without the waiting.
    pub fn lost_by_now(&self, from: usize, of: impl Fn(&str, &str) -> bool) -> Seen {
        let until = self.traffic.calm(from);
        let lost = self.traffic.lost(from, until, &of);
        Seen { lost, unfinished: false, who: self.traffic.losers(from, until, &of).join(", ") }
    }

    /// Waits until everything is as it should be, and `least` in all.
    pub fn settle(&self, least: Duration) -> Result {
        let begin = Instant::now();
        self.whole()?;
        std::thread::sleep(least.saturating_sub(begin.elapsed()));
        // What came late may have broken something again.
        self.whole()
    }
}

/// From and to whom packets go, by their positions among the pods.
fn pairs(count: usize) -> Vec<(usize, usize)> {
    let all = [(0, 1), (1, 0), (0, 2), (2, 0), (3, 0), (0, 4), (1, 2), (3, 4), (0, 5), (5, 0)];
    all.into_iter().filter(|(from, to)| *from < count && *to < count).collect()
}

fn start_traffic(told: &Told, pods: &[Pod], count: u8) -> Result<Traffic> {
    let mut ends: Vec<(String, &Netns, Ipv4Addr)> =
        (1..=count).zip(pods).map(|(i, pod)| (format!("n{i}"), &pod.netns, pod.address)).collect();
    let mut pairs = pairs(usize::from(count));
    if told.blocks.values().flatten().any(|block| block == MOVING) {
        let would_have_it = pods.get(1..3).context("no n2, no n3")?;
        for (from, pod) in [0, 3].into_iter().zip(would_have_it) {
            pod.netns.ip_line(&format!("address add {MOVED}/32 dev eth0"))?;
            pairs.push((from, ends.len()));
            ends.push(("moved".to_owned(), &pod.netns, MOVED));
        }
    }
    let ends: Vec<End<'_>> =
        ends.iter().map(|(name, netns, address)| End { name, netns, address: *address }).collect();
    Traffic::start(&ends, &pairs, PACE)
}
