//! What is known of a node when it is examined: values, gathered by [`super::gather`] and the
//! daemon, judged by the checks.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;
use starling_config::{Node, NodePlan};
use starling_fib::types::{Address, Coupling, Link, Mode};

use super::filter::Table;
use crate::api;

/// Everything.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What the file says; or what is wrong with it.
    pub configured: Result<Configured, String>,
    /// What the host says.
    pub host: Host,
    /// What the daemon says; or why it does not.
    pub daemon: Result<Daemon, String>,
}

/// The configuration, as it concerns this node.
#[derive(Clone, Debug)]
pub struct Configured {
    /// What this node does.
    pub plan: Arc<NodePlan>,
    /// All nodes, this one included.
    pub nodes: Arc<[Node]>,
    /// The file.
    pub file: String,
}

impl Configured {
    /// The other nodes.
    pub fn others(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| node.name != self.plan.name)
    }

    /// The node that has this address.
    pub fn node_at(&self, address: IpAddr) -> Option<&Node> {
        self.nodes.iter().find(|node| node.addresses.iter().any(|own| own.address == address))
    }

    /// Whether some pool wants the tunnel.
    pub fn needs_tunnel(&self) -> bool {
        starling_fib::tunnel::is_needed(&self.plan.fib)
    }

    /// A pool of IPv4 of this mode, if there is one.
    pub fn pool(&self, mode: Mode) -> Option<IpNet> {
        let mut pools = self.plan.pools.iter();
        pools.find(|pool| pool.mode == mode && pool.cidr.addr().is_ipv4()).map(|pool| pool.cidr)
    }

    /// Whether a link leads to local pods.
    pub fn leads_to_pods(&self, link: &str) -> bool {
        let patterns = &self.plan.fib.pods.interfaces;
        patterns.iter().any(|pattern| starling_fib::pods::matches(pattern, link))
    }
}

/// The host: its network namespace.
#[derive(Clone, Default, Debug)]
pub struct Host {
    /// Its interfaces.
    pub links: Vec<Link>,
    /// Their addresses.
    pub addresses: Vec<Address>,
    /// Kernel settings by path, `net/ipv4/conf/net0/rp_filter`.
    pub settings: BTreeMap<String, String>,
    /// Counters of the IP stack by name, `TcpExt.IPReversePathFilter`.
    pub counters: BTreeMap<String, u64>,
    /// Packets received and sent by the tunnel device.
    pub tunnel: Option<(u64, u64)>,
    /// Programs that write routes, in this network namespace; `None`: not to be seen.
    pub programs: Option<Vec<Program>>,
    /// Who listens for BGP here, ourselves aside; empty where the program is not to be seen.
    pub listener: Option<String>,
    /// The packet filter.
    pub filter: Filter,
    /// Whether the kernel has IPIP.
    pub ipip: Module,
    /// The kernel's release: major, minor.
    pub kernel: (u32, u32),
}

/// A program that runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Program {
    /// Its process.
    pub pid: u32,
    /// Its name.
    pub name: String,
}

/// What is known of the packet filter.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    /// The tables that could be read.
    pub tables: Vec<Table>,
    /// What could not be read, and how it could be.
    pub unread: Vec<String>,
}

/// A module of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Module {
    /// It is in.
    Present,
    /// It lies ready.
    Loadable,
    /// There is none.
    Absent,
    /// Not to be known.
    #[default]
    Unknown,
}

impl Host {
    /// The interface that carries an address, and with which length.
    pub fn carrier(&self, address: IpAddr) -> Option<(&Link, IpNet)> {
        let found = self.addresses.iter().find(|known| known.address.addr() == address)?;
        Some((self.links.iter().find(|link| link.index == found.device)?, found.address))
    }

    /// An interface by name.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name == name)
    }

    /// A setting as a number.
    pub fn number(&self, path: &str) -> Option<i64> {
        self.settings.get(path)?.parse().ok()
    }
}

/// What the daemon's actors say.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// Why the newest file is not in force.
    pub rejected: Option<String>,
    /// Whether the kernel follows.
    pub coupling: Coupling,
    /// Destinations at which it does not hold what it should.
    pub differing: usize,
    /// The sessions that are configured.
    pub sessions: Vec<Session>,
    /// The nodes, and how each is reached.
    pub nodes: Vec<api::Node>,
    /// Who says that a prefix inside the pools, or of a node, is his.
    pub claims: Vec<Claim>,
    /// Wanted routes that the kernel does not have, those that merely wait aside.
    pub troubled: Vec<Troubled>,
    /// Who else writes to our routes.
    pub rivals: Vec<api::Rival>,
    /// How many routes are wanted: IPv4, IPv6.
    pub wanted: (usize, usize),
    /// A route has several next hops.
    pub multipath: bool,
    /// How this node reaches the IPv4 block of another, and how that one says that it reaches
    /// ours: by name, those that were asked and answered.
    pub others: BTreeMap<String, (api::How, api::How)>,
}

/// A configured session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// The neighbour's name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The other end is a node.
    pub node: bool,
    /// BFD is on: over several hops or not.
    pub bfd: Option<bool>,
    /// Its BGP identifier; none: it is not up.
    pub identifier: Option<Ipv4Addr>,
    /// Why it is not up; none: it is.
    pub down: Option<Down>,
}

/// Why a session is not up.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Down {
    /// What it comes to.
    pub cause: Cause,
    /// In words.
    pub words: String,
}

/// What keeps a session from being up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// The operator.
    Held,
    /// The other host is there, and nothing listens.
    Refused,
    /// Nothing comes back.
    Silent,
    /// This host knows no way.
    NoRoute,
    /// Our end of the session is an address that this host does not have.
    NoSource,
    /// It is waited for, and has not called.
    Uncalled,
    /// The AS numbers differ.
    WrongAs,
    /// The BGP identifiers collide.
    WrongIdentifier,
    /// The other side does not know this node.
    Unknown,
    /// BFD.
    Bfd,
    /// It is being set up.
    Begins,
    /// Something else.
    Other,
}

/// Somebody's word that a prefix is his.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The prefix.
    pub prefix: IpNet,
    /// Who brought it: the neighbour's name.
    pub from: String,
    /// Whose it is: the next hop.
    pub next_hop: IpAddr,
}

/// A route that the kernel does not have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Troubled {
    /// The destination.
    pub prefix: IpNet,
    /// What is the matter.
    pub trouble: Trouble,
}

/// What is the matter with a route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// The kernel does not want it: its words.
    Refused(String),
    /// Somebody else's route (rtm_protocol) sits under the same key.
    Occupied(u8),
    /// Somebody else's route of a smaller metric is used in its stead.
    Shadowed {
        /// Whose.
        protocol: u8,
        /// That metric.
        metric: u32,
    },
    /// No next hop can be used: why.
    Unreachable(String),
}
