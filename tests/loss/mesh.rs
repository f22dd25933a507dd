//! Nodes on one wire, or in two racks with a gateway, a pod behind each of the first few, packets
//! among the pods, and on every node the one software or the other.
//!
//! Node `i` is 10.50.R.i in rack R, its block 10.244.i.0/26, its pod 10.244.i.2. On one wire its
//! default route leads to an address that nobody has, so what no route carries is lost; the
//! gateway between racks knows every node's block. Both softwares get what they would have by
//! default: Starling its own defaults, BIRD what a Calico node gives it.
//!
//! A packet a millisecond goes between the first node's pod and others, both ways, and between
//! others: what a node loses at its own events, what its peers lose, and what nobody may lose at
//! all. Where one of the nodes has the block [`MOVING`], packets go to its pod too. Where it is
//! IPv6 that is looked at, the nodes have the pods' addresses themselves.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use starling::api::{SessionState, Summary};
use starling_lab::{
    Binaries, Bird, Cluster, End, Family, Lab, Netns, Node, Pod, Proc, Result, Starling, Traffic,
    routes, wait_for,
};

use crate::table::Seen;
use crate::told::{Told, block};

/// So many nodes have a pod.
const PODS: u8 = 6;
/// Two of BIRD that have lost each other need a minute at most; an emulated machine is slow.
const LIMIT: Duration = Duration::from_secs(180);
/// After everything is as it should be: time for what comes late.
const TAIL: Duration = Duration::from_secs(1);

/// For how long a software is watched: BIRD for as long as the table tells; ours until it is done.
pub fn watched(software: Software, bird: Duration) -> Duration {
    match software {
        Software::Starling => LIMIT,
        Software::Bird => bird,
    }
}

/// Whose routes carry the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Software {
    /// Ours.
    Starling,
    /// bird2 as on a Calico node.
    Bird,
}

/// A block that moves from n2 to n3 while its pod does.
pub const MOVING: &str = "10.244.200.0/26";
/// Its pod: n2 and n3 have a namespace each that would be it.
pub const MOVED: Ipv4Addr = Ipv4Addr::new(10, 244, 200, 2);

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
    pods: Vec<Pod>,
    cluster: Cluster,
    /// What the nodes were told last.
    pub told: Told,
    binaries: Binaries,
    starts: usize,
}

impl Mesh {
    /// A node for each number in `racks`, of which those in `told` run `software`; all routes are
    /// in place, and packets sent each `pace`.
    pub fn start(software: Software, racks: &[u8], told: Told, pace: Duration) -> Result<Self> {
        Self::start_in(Lab::unique()?, software, racks, told, pace)
    }

    /// The same as part of a run.
    pub fn start_in(
        lab: Lab,
        software: Software,
        racks: &[u8],
        told: Told,
        pace: Duration,
    ) -> Result<Self> {
        let binaries = Binaries {
            starlingd: env!("CARGO_BIN_EXE_starlingd").into(),
            bgpctl: env!("CARGO_BIN_EXE_bgpctl").into(),
        };
        let cluster = Cluster::new_in(lab, binaries.clone(), racks)?;
        let mut pods = Vec::new();
        for (i, node) in (1..=PODS).zip(cluster.nodes()) {
            match cluster.gateway() {
                None => node.netns().ip_line("route add default via 10.50.0.254")?,
                Some(gateway) => {
                    let block = block(i);
                    gateway.ip_line(&format!("route add {block} via {}", node.address()))?
                }
            };
            let pod = Ipv4Addr::new(10, 244, i, 2);
            pods.push(Pod::new(cluster.lab(), node.netns(), pod, 26, "cali1", 1480)?);
        }
        let traffic = Traffic::start(&[], &[], pace)?;
        let daemons = BTreeMap::new();
        let mut mesh = Self { traffic, daemons, pods, cluster, told, binaries, starts: 0 };
        mesh.write()?;
        let members: Vec<u8> = mesh.members().collect();
        for i in &members {
            mesh.launch_with(*i, software, &[])?;
        }
        for i in members {
            mesh.ready(i)?;
        }
        mesh.whole()?;
        // Only now: where the processor is emulated, packets would keep it from all else.
        mesh.traffic = match mesh.told.v6 {
            true => start_traffic6(mesh.cluster.nodes(), pace)?,
            false => start_traffic(&mesh.told, &mesh.pods, pace)?,
        };
        Ok(mesh)
    }

    /// The nodes that there are and that the others know of.
    fn members(&self) -> impl Iterator<Item = u8> {
        let exist = self.cluster.nodes().len();
        self.told.nodes.keys().copied().filter(move |i| usize::from(*i) <= exist)
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

    /// Where its files are.
    pub fn dir(&self, i: u8) -> Result<PathBuf> {
        self.cluster.lab().subdir(&format!("n{i}"))
    }

    /// Writes Starling's files: every daemon of ours sees the change by itself.
    fn write(&self) -> Result {
        for i in self.members() {
            let file = self.dir(i)?.join("cluster.toml");
            std::fs::write(file.with_extension("new"), self.told.toml(i))?;
            std::fs::rename(file.with_extension("new"), file)?;
        }
        Ok(())
    }

    /// Starts the software on node `i`, BIRD as a Calico node starts it: always to recover.
    pub fn launch(&mut self, i: u8, software: Software) -> Result {
        self.launch_with(i, software, &["-R"])
    }

    fn launch_with(&mut self, i: u8, software: Software, bird: &[&str]) -> Result {
        self.starts += 1;
        let dir = self.dir(i)?;
        let daemon = match software {
            Software::Starling => Daemon::Starling(Box::new(Starling::start(
                &self.binaries,
                self.netns(i)?,
                &format!("n{i}"),
                &dir.join("cluster.toml"),
                &dir,
            )?)),
            Software::Bird => {
                Daemon::Bird(Bird::start_with(self.netns(i)?, &dir, &self.told.bird(i), bird)?)
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

    /// What the daemons have complained of, and when sessions came, the earliest first: for a person
    /// that looks for the reason of a loss.
    pub fn complaints(&self) -> String {
        let mut lines = Vec::new();
        for (i, daemon) in &self.daemons {
            let Daemon::Starling(daemon) = daemon else { continue };
            let log = daemon.log();
            let told = |line: &&str| {
                [" WARN ", " ERROR ", "BFD up", "session established"]
                    .iter()
                    .any(|w| line.contains(w))
            };
            lines.extend(log.lines().filter(told).map(|line| format!("{line} (n{i})")));
        }
        lines.sort();
        lines.join("\n")
    }

    /// The BIRD on node `i`.
    pub fn bird(&self, i: u8) -> Result<&Bird> {
        match self.daemons.get(&i) {
            Some(Daemon::Bird(bird)) => Ok(bird),
            _ => bail!("no BIRD runs on n{i}"),
        }
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
            for i in self.members() {
                self.kernel(i).with_context(|| format!("n{i}"))?;
                self.sessions(i).with_context(|| format!("n{i}"))?;
            }
            Ok(())
        })
    }

    /// The kernel of node `i` has every block of the others by one route, the right one.
    pub fn kernel(&self, i: u8) -> Result {
        let exist = self.cluster.nodes().len();
        let alive = |j| usize::from(j) <= exist;
        // BIRD 2 writes a metric of its own, and copies of the kernel's own routes to what is on
        // the link.
        let (wanted, mut held) = match self.told.v6 {
            true => {
                (self.told.routes6(i, alive), routes(self.netns(i)?, Family::V6, "proto bird")?)
            }
            false => {
                (self.told.routes(i, alive), routes(self.netns(i)?, Family::V4, "proto bird")?)
            }
        };
        held.retain(|route| route.scope.as_deref() != Some("link"));
        if self.told.v6 {
            held.retain(|route| route.gateway.is_some());
        }
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
        let exist = self.cluster.nodes().len();
        let others = self.told.known_to(i).filter(|(j, _)| usize::from(*j) <= exist).count() - 1;
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
        let left = least.saturating_sub(begin.elapsed());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left);
        // What came late may have broken something again.
        self.whole()
    }
}

/// From and to whom packets go, by their positions among the pods.
fn pairs(count: usize, star: bool) -> Vec<(usize, usize)> {
    let all = [(0, 1), (1, 0), (0, 2), (2, 0), (3, 0), (0, 4), (1, 2), (3, 4), (0, 5), (5, 0)];
    all.into_iter()
        .filter(|(from, to)| *from < count && *to < count)
        .filter(|(from, to)| !star || *from == 0 || *to == 0)
        .collect()
}

fn start_traffic(told: &Told, pods: &[Pod], pace: Duration) -> Result<Traffic> {
    let mut ends: Vec<(String, &Netns, Ipv4Addr)> =
        (1..=PODS).zip(pods).map(|(i, pod)| (format!("n{i}"), &pod.netns, pod.address)).collect();
    let mut pairs = pairs(pods.len(), told.star);
    if told.nodes.values().flat_map(|node| &node.blocks).any(|block| block == MOVING) {
        let would_have_it = pods.get(1..3).context("no n2, no n3")?;
        for (from, pod) in [0, 3].into_iter().zip(would_have_it) {
            pod.netns.ip_line(&format!("address add {MOVED}/32 dev eth0"))?;
            pairs.push((from, ends.len()));
            ends.push(("moved".to_owned(), &pod.netns, MOVED));
        }
    }
    let end = |(name, netns, address)| End { name, netns, address: IpAddr::V4(address) };
    let ends: Vec<End<'_>> = ends.iter().map(|(name, n, a)| end((name.as_str(), n, *a))).collect();
    Traffic::start(&ends, &pairs, pace)
}

/// Between addresses of their blocks that the nodes themselves have.
fn start_traffic6(nodes: &[Node], pace: Duration) -> Result<Traffic> {
    let end = |node| {
        let address = Node::pod(node, Family::V6);
        End { name: node.name(), netns: node.netns(), address }
    };
    let ends: Vec<End<'_>> = nodes.iter().map(end).collect();
    Traffic::start(&ends, &pairs(nodes.len(), false), pace)
}
