//! How a node programs its kernel: what the configuration says, as values.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ipnet::IpNet;

/// Whether traffic to a pool's prefixes is encapsulated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Mode {
    /// To every node, neighbours too.
    Always,
    /// To nodes outside the own subnet.
    CrossSubnet,
    /// Never.
    Never,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Always => "always",
            Mode::CrossSubnet => "cross-subnet",
            Mode::Never => "never",
        })
    }
}

/// A range of pod addresses and its mode.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Pool {
    /// The range.
    pub cidr: IpNet,
    /// How traffic to it travels. Without effect on IPv6 (there is no IPIP for it).
    pub mode: Mode,
}

/// How this node programs its kernel.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FibConfig {
    /// The pools; the longest that contains a prefix decides.
    pub pools: Vec<Pool>,
    /// The node's own addresses (one a family at most); "same subnet" is asked of the interface
    /// that carries them.
    pub addresses: Vec<IpAddr>,
    /// Subnets that override what the interface says (from `address = "10.1.5.10/24"`).
    pub subnets: Vec<IpNet>,
    /// Our routes' rtm_protocol (12 is `bird`).
    pub protocol: u8,
    /// Our routes' table (254 is main).
    pub table: u32,
    /// Our routes' metric (0: the kernel's own default; for IPv6 it makes that 1024).
    pub metric: u32,
    /// The tunnel device. Only made and touched when a pool needs it.
    pub tunnel: TunnelConfig,
    /// Addresses of configured BGP peers: a gateway that is one of them knows the pods.
    pub peers: Vec<IpAddr>,
    /// The BGP sessions whose ways are watched.
    pub sessions: Vec<Ends>,
    /// The node's own blocks: a local pod's address outside them is borrowed from another node.
    pub blocks: Vec<IpNet>,
    /// Which routes lead to local pods, and which of those neighbours are told.
    pub pods: PodConfig,
    /// How often the kernel's table is audited; `None`: only when somebody asks.
    pub audit: Option<Duration>,
    /// What of the pools must not fall to the default route.
    pub hold: Hold,
    /// Write routes through nexthop objects, where the kernel has them.
    pub nexthop_objects: bool,
}

impl Default for FibConfig {
    /// As BIRD on a Calico node writes routes, of a node that nothing is said of.
    fn default() -> FibConfig {
        FibConfig {
            pools: Vec::new(),
            addresses: Vec::new(),
            subnets: Vec::new(),
            protocol: 12,
            table: 254,
            metric: 0,
            tunnel: TunnelConfig::default(),
            peers: Vec::new(),
            sessions: Vec::new(),
            blocks: Vec::new(),
            pods: PodConfig::default(),
            audit: None,
            hold: Hold::Nothing,
            nexthop_objects: false,
        }
    }
}

/// What of the pools is held as `unreachable` routes, so that packets to pods never leave by a
/// default route that has not heard of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Hold {
    /// Nothing.
    Nothing,
    /// Destinations in a pool that are announced and cannot be reached.
    #[default]
    Destinations,
    /// These, and each pool as a whole: also what nobody announces.
    Pools,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Hold::Nothing => "nothing",
            Hold::Destinations => "destinations",
            Hold::Pools => "pools",
        })
    }
}

/// Which routes lead to local pods, and which of those neighbours are told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodConfig {
    /// Out of which interfaces: names, `*` stands for any characters.
    pub interfaces: Vec<String>,
    /// Written with which protocols (rtm_protocol); `None`: any.
    pub protocols: Option<Vec<u8>>,
    /// Which of them neighbours are told.
    pub announce: Announce,
}

impl PodConfig {
    /// Whether a route of that protocol may be a pod's.
    pub fn learns(&self, protocol: u8) -> bool {
        self.protocols.as_ref().is_none_or(|protocols| protocols.contains(&protocol))
    }
}

impl Default for PodConfig {
    /// As Calico names interfaces, and as its Felix (80, formerly 3) and CNI plugins (3 is what
    /// `ip route add` writes, 4 `proto static`) write routes.
    fn default() -> PodConfig {
        PodConfig {
            interfaces: vec!["cali*".to_owned()],
            protocols: Some(vec![3, 4, 80]),
            announce: Announce::Borrowed,
        }
    }
}

/// Which pods' addresses neighbours are told, of those inside a pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Announce {
    /// Those outside the node's own blocks.
    Borrowed,
    /// Each, beside the blocks.
    All,
    /// None.
    Nothing,
}

/// The two ends of a BGP session, as far as the kernel is concerned.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Ends {
    /// The peer's address.
    pub peer: IpAddr,
    /// The interface that the session is bound to; `None`: any.
    pub interface: Option<String>,
    /// Our own address of it; `None`: the kernel's choice.
    pub local: Option<IpAddr>,
}

/// The tunnel device as configured.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TunnelConfig {
    /// Its name, `tunl0`.
    pub device: String,
    /// Its MTU, or `None`: the underlay's less 20.
    pub mtu: Option<u32>,
    /// Its address, `/32 scope global`; `None`: leave what is there.
    pub address: Option<Ipv4Addr>,
    /// It is ours to make and set up. Otherwise somebody else does; it is only used.
    pub manage: bool,
}

impl Default for TunnelConfig {
    fn default() -> TunnelConfig {
        TunnelConfig { device: "tunl0".to_owned(), mtu: None, address: None, manage: true }
    }
}
