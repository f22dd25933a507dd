//! One Starling node with all five speakers beside it on one wire, each a neighbour of its own.
//!
//! A test says what is special about each router and about the node's `[[peer]]`; what a
//! software does not offer is left out of the network and kept in [`Beside::lacking`], so that
//! the matrix can say so. What is checked is checked peer by peer, with [`Beside::each`].

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context, ensure};
use starling_lab::matrix::{self, Feature};
use starling_lab::speaker::{Heard, Neighbor, NotOffered, Router, Software, Speaker};
use starling_lab::{Cluster, Netns, Result, wait_for};

use crate::support::{SOON, cluster, established};

/// What is in the file `md5.key` beside the node's.
pub const KEY: &str = "what-nobody-knows";
/// The node's AS.
pub const ASN: u32 = 64512;
/// The node.
pub const NODE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 1);
/// The node, over IPv6.
pub const NODE6: Ipv6Addr = Ipv6Addr::new(0xfd50, 0, 0, 0, 0, 0, 0, 1);

/// A speaker, where it stands.
// The program ends before its namespace.
#[derive(Debug)]
pub struct Peer {
    pub software: Software,
    pub speaker: Box<dyn Speaker>,
    pub netns: Netns,
    pub router: Router,
}

impl Peer {
    /// Its name in the node's configuration.
    pub fn name(&self) -> String {
        name(self.software)
    }

    /// Waits until it has exactly one path to `prefix` from `neighbor` for which `good` says
    /// nothing, and gives it.
    pub fn hears(
        &self,
        neighbor: IpAddr,
        prefix: &str,
        good: impl Fn(&Heard) -> Result,
    ) -> Result<Heard> {
        let what = format!("{prefix} at {}", self.software);
        wait_for(&what, SOON, || {
            let mut all = self.speaker.heard(neighbor)?;
            all.retain(|heard| heard.prefix.to_string() == prefix);
            ensure!(all.len() == 1, "{all:#?}");
            let heard = all.pop().context("no path")?;
            good(&heard).with_context(|| format!("{heard:#?}"))?;
            Ok(heard)
        })
    }
}

/// The name of a peer in the configuration: "frr".
pub fn name(software: Software) -> String {
    software.name().to_lowercase()
}

/// Its place among the five, from 1: the last octet of its address is 100 more.
pub fn number(software: Software) -> u8 {
    let position = Software::ALL.iter().position(|one| *one == software);
    position.and_then(|position| u8::try_from(position + 1).ok()).unwrap()
}

/// Its AS unless a test says otherwise: one of four octets.
pub fn asn(software: Software) -> u32 {
    4_200_000_000 + u32::from(number(software))
}

/// A prefix of its own, one of each family: what the node's configuration lets in.
pub fn networks(software: Software) -> [String; 2] {
    let i = number(software);
    [format!("198.51.{i}.0/24"), format!("2001:db8:{i}::/48")]
}

/// The `[[peer]]` of the node for a software, and more lines of it.
pub fn toml(software: Software, more: &str) -> String {
    let [v4, v6] = networks(software);
    let i = 100 + u16::from(number(software));
    format!(
        "[[peer]]\nname = \"{}\"\naddress = \"10.50.0.{i}\"\nasn = {}\nnodes = [\"n1\"]\n\
         families = [\"ipv4\", \"ipv6\"]\nimport = [\"{v4}\", \"{v6}\"]\n{more}\n",
        name(software),
        asn(software),
    )
}

/// The router of a software, with the node as its only neighbour, over IPv4.
pub fn router(software: Software) -> Router {
    let i = 100 + number(software);
    let address6 = format!("fd50::{i}").parse().unwrap();
    let mut router = Router::new(asn(software), Ipv4Addr::new(10, 50, 0, i), address6);
    router.neighbors.push(Neighbor::new(NODE.into(), ASN));
    router
}

/// From another rack. FRR dials nobody to whom only a default route leads.
fn way_to_the_node(rack: u8) -> Vec<String> {
    let ways = [
        format!("route add 10.50.0.0/24 via 10.50.{rack}.254"),
        format!("route add fd50::/64 via fd50:{rack}::fe"),
    ];
    if rack == 0 { Vec::new() } else { ways.into() }
}

/// The network.
// Programs first, the wires last: fields end in order.
#[derive(Debug)]
pub struct Beside {
    pub peers: Vec<Peer>,
    pub cluster: Cluster,
    /// Those that cannot do what the test asks for.
    pub lacking: Vec<NotOffered>,
}

impl Beside {
    /// The node with these speakers. `describe` changes a router from what [`router`] gives, and
    /// says what stands in the node's file for it; `extra` stands there beside that.
    pub fn start(
        wanted: &[Software],
        extra: &str,
        describe: impl Fn(Software, &mut Router) -> Result<String>,
    ) -> Result<Self> {
        Self::build(&[0], wanted, extra, describe)
    }

    /// [`Beside::start`] with nodes in `racks`.
    pub fn build(
        racks: &[u8],
        wanted: &[Software],
        extra: &str,
        describe: impl Fn(Software, &mut Router) -> Result<String>,
    ) -> Result<Self> {
        let mut cluster = cluster(racks)?;
        let (mut file, mut routers) = (extra.to_owned(), Vec::new());
        for software in wanted {
            let mut router = router(*software);
            file += &describe(*software, &mut router)?;
            let [_, _, rack, i] = router.address.octets();
            let mut lines = way_to_the_node(rack);
            lines.push(format!("address add fe80::{i}/64 dev net0 nodad"));
            let netns = cluster.host(&name(*software), rack, i, &lines)?;
            routers.push((*software, router, netns));
        }
        std::fs::write(cluster.config().with_file_name("md5.key"), KEY)?;
        cluster.configure(&cluster.toml("never", &file))?;
        for i in 1..=racks.len() {
            cluster.launch(i, &[])?;
        }
        // Each takes its time to start; none waits for another.
        let lab = cluster.lab();
        let started: Vec<Result<Peer>> = std::thread::scope(|scope| {
            let start = |(software, router, netns): (Software, Router, Netns)| {
                scope.spawn(move || {
                    let dir = lab.subdir(&name(software))?;
                    let speaker = software.start(&netns, &dir, &router)?;
                    Ok(Peer { software, speaker, netns, router })
                })
            };
            let threads: Vec<_> = routers.into_iter().map(start).collect();
            threads.into_iter().map(|thread| thread.join().expect("a start panicked")).collect()
        });
        let (mut peers, mut lacking) = (Vec::new(), Vec::new());
        for peer in started {
            match peer {
                Ok(peer) => peers.push(peer),
                Err(error) => lacking.push(error.downcast::<NotOffered>()?),
            }
        }
        for i in 1..=racks.len() {
            cluster.node(i)?.daemon()?.wait_ready()?;
        }
        Ok(Self { peers, cluster, lacking })
    }

    /// [`Beside::start`], and every session is up.
    pub fn establish(
        wanted: &[Software],
        extra: &str,
        describe: impl Fn(Software, &mut Router) -> Result<String>,
    ) -> Result<Self> {
        let mut beside = Self::start(wanted, extra, describe)?;
        beside.sessions()?;
        Ok(beside)
    }

    /// Waits until both ends of every session say that it is up.
    pub fn sessions(&mut self) -> Result {
        for peer in &self.peers {
            let node = self.cluster.node(1)?;
            established(node, &peer.name())
                .with_context(|| format!("{}'s log:\n{}", peer.software, peer.speaker.log()))?;
            let neighbor = peer.router.neighbors.first().context("no neighbour")?.address;
            wait_for("the session", SOON, || {
                let session = peer.speaker.session(neighbor)?;
                ensure!(session.established, "{}: {session:?}", peer.software);
                Ok(())
            })
            .with_context(|| format!("{}'s log:\n{}", peer.software, peer.speaker.log()))?;
        }
        Ok(())
    }

    /// Checks `feature` with each peer and records what came of it; those that lack it are
    /// recorded so.
    pub fn each(
        &mut self,
        feature: Feature,
        check: impl Fn(&mut Cluster, &mut Peer) -> Result,
    ) -> Result {
        for lacking in &self.lacking {
            matrix::not_offered(feature, lacking.software)?;
        }
        for peer in &mut self.peers {
            let outcome = check(&mut self.cluster, peer);
            matrix::tried(feature, peer.software, outcome)?;
        }
        Ok(())
    }
}
