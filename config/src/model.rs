//! The configuration as checked: what every node of the cluster is told.
//!
//! Values here have been compared with each other; nothing has to be asked again. What one node
//! makes of it is its [`NodePlan`](crate::plan::NodePlan).

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use starling_bgp::msg::{Export, IsolationRule, Originated};
use starling_bgp::types::{Asn, Families, Family, family_of};
use starling_fib::types::{Hold, PodConfig, Pool};

use crate::error::Problem;
use crate::metrics::PerPeer;
use crate::outward::{Outward, Reflectors};
use crate::policy::{Names, Policy};
use crate::range::Range;
use crate::routing::{Allowance, Choice};
use crate::session::Session;
use crate::texts::Texts;
use crate::transport::{Key, Transport};

/// A checked configuration.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// The AS of nodes that name none of their own.
    pub asn: Asn,
    /// Whether the nodes peer with each other. Without it only with the reflectors, if there are.
    pub mesh: bool,
    /// What they sign the segments of those sessions with.
    pub mesh_key: Option<Key>,
    /// What sessions between nodes are, and those of routers that say nothing else.
    pub mesh_session: Session,
    /// Pod address ranges, in the order of the file.
    pub pools: Vec<Pool>,
    /// The nodes, in the order of the file.
    pub nodes: Vec<Node>,
    /// The routers, in the order of the file.
    pub peers: Vec<Peer>,
    /// The policies, in the order of the file.
    pub policies: Vec<Policy>,
    /// Those that the mesh uses.
    pub mesh_policies: Names,
    /// Those for what enters the kernel.
    pub kernel_policies: Vec<String>,
    /// How routes are chosen.
    pub choice: Choice,
    /// What neighbours of the mesh may do.
    pub mesh_allowance: Allowance,
    /// Kernel routes.
    pub kernel: Kernel,
    /// Local pods.
    pub pods: PodConfig,
    /// When a node takes itself to be cut off; `None`: never.
    pub isolation: Option<IsolationRule>,
    /// The tunnel device.
    pub tunnel: Tunnel,
    /// Timers.
    pub timers: Timers,
    /// Where the read-only HTTP listeners are; empty: none.
    pub http: Vec<SocketAddr>,
    /// Whether metrics are told neighbour by neighbour.
    pub per_peer: PerPeer,
    /// The control socket.
    pub control: PathBuf,
    /// The group that may look, over `read.sock` beside it; `None`: there is no such socket.
    pub readers: Option<String>,
    /// Where BIRD's control sockets are imitated (IPv4, IPv6); `None`: not at all.
    pub bird: [Option<PathBuf>; 2],
    /// The port on which all nodes speak BGP.
    pub port: u16,
    /// Where BGP is listened for.
    pub listen: Listen,
    /// BFD between nodes; `None`: off.
    pub bfd: Option<Bfd>,
    /// The nodes that reflect, if some do.
    pub reflectors: Option<Reflectors>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
    /// What the files say, word for word.
    pub texts: Texts,
    /// Every file that was read, the first one first: a change of one is a change of this.
    pub files: Vec<PathBuf>,
    /// Folders in which a new file may become part of this (`include` patterns).
    pub folders: Vec<PathBuf>,
}

/// A node of the cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its name, unique.
    pub name: String,
    /// Its addresses: one a family at most, IPv4 first.
    pub addresses: Vec<NodeAddress>,
    /// Its pod blocks.
    pub blocks: Vec<IpNet>,
    /// Labels, for the selectors of peers.
    pub labels: BTreeMap<String, String>,
    /// Its AS.
    pub asn: Asn,
    /// Its BGP identifier: `router-id`, else its IPv4 address, else (or always, with
    /// `router-id = "name"` in `[cluster]`) [`derived_router_id`].
    pub router_id: Ipv4Addr,
    /// Its CLUSTER_ID where it reflects, if it has one of its own.
    pub cluster_id: Option<Ipv4Addr>,
    /// The tunnel device's address: `tunnel-address`, else [`default_tunnel_address`].
    pub tunnel_address: Option<Ipv4Addr>,
    /// Networks that it announces beside its blocks.
    pub networks: Vec<Originated>,
    /// Blocks that fill a shorter prefix are announced as that.
    pub aggregate: bool,
}

/// One address of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NodeAddress {
    /// The address.
    pub address: IpAddr,
    /// Its subnet where the file says so; otherwise the node's interface does.
    pub subnet: Option<IpNet>,
}

impl Node {
    /// The node's address of a family.
    pub fn address(&self, family: Family) -> Option<IpAddr> {
        self.addresses.iter().map(|a| a.address).find(|a| family_of(*a) == family)
    }

    /// The families that the node can be a next hop of.
    pub fn families(&self) -> Families {
        self.addresses.iter().map(|a| family_of(a.address)).collect()
    }
}

/// A router that is no node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its name; its address where the file gives none.
    pub name: String,
    /// Its address; of a range, the range's.
    pub address: IpAddr,
    /// Its AS; of a range, one of those that are let in.
    pub asn: Asn,
    /// It stands for all that call from a range.
    pub range: Option<Range>,
    /// The names of the nodes that peer with it, in the order of the file.
    pub nodes: Vec<String>,
    /// What may come from it, beside the pools if it is in the node's AS.
    pub import: Vec<IpNet>,
    /// What goes to it beside own blocks.
    pub export: Export,
    /// Wait to be called.
    pub passive: bool,
    /// Its port.
    pub port: u16,
    /// Families of the session; by default the one of its address.
    pub families: Families,
    /// Our end of the session.
    pub local_address: Local,
    /// The policies that it uses.
    pub policies: Names,
    /// What goes to it and how.
    pub outward: Outward,
    /// How its connection is made and protected.
    pub transport: Transport,
    /// What it may do.
    pub allowance: Allowance,
    /// What its session is to be.
    pub session: Session,
    /// Its own timers, where they are not those of all.
    pub hold: Option<Duration>,
    /// See [`Timers`].
    pub connect_retry: Option<Duration>,
    /// BFD with it; `None`: off.
    pub bfd: Option<Bfd>,
}

/// BFD of a session (RFC 5880).
///
/// Which of the two encapsulations is used is a matter of configuration, never of what addresses
/// happen to be on the interfaces: both ends must come to the same answer. So nodes always speak
/// multihop BFD with each other (their racks may differ), and a `[[peer]]` is one hop away unless
/// the file says `multihop`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bfd {
    /// How often packets go, and may come.
    pub interval: Duration,
    /// So many intervals of silence are a loss.
    pub multiplier: u8,
    /// Port 4784 (RFC 5883) instead of 3784 (RFC 5881).
    pub multihop: bool,
    /// Packets that arrive with a lower TTL come from too far away.
    pub min_ttl: u8,
}

impl Bfd {
    /// Between nodes. Both ends send with a TTL of 255, and no two nodes of a cluster are more
    /// than 31 routers apart: a forger would have to be that near.
    pub const MESH: Bfd = Bfd {
        interval: Duration::from_millis(300),
        multiplier: 3,
        multihop: true,
        min_ttl: 255 - 31,
    };
}

impl fmt::Display for Bfd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bfd { interval, multiplier, multihop, min_ttl } = self;
        write!(f, "{multiplier} x {interval:?}")?;
        if *multihop {
            write!(f, " multihop, ttl {min_ttl} and more")?;
        }
        Ok(())
    }
}

/// Our end of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Local {
    /// The node's own address of the session's family.
    Node,
    /// What the kernel chooses.
    Any,
    /// This address.
    Is(IpAddr),
}

/// Kernel routes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kernel {
    /// rtm_protocol.
    pub protocol: u8,
    /// Table.
    pub table: u32,
    /// Metric.
    pub metric: u32,
    /// How often the kernel's table is audited; `None`: only when somebody asks.
    pub audit: Option<Duration>,
    /// What of the pools must not fall to the default route.
    pub hold: Hold,
    /// Write routes through nexthop objects, where the kernel has them.
    pub nexthop_objects: bool,
    /// The network namespace that the daemon works in; `None`: that in which it is started.
    pub netns: Option<PathBuf>,
}

impl Default for Kernel {
    /// What BIRD does: protocol 12, table main, the kernel's own metric.
    fn default() -> Kernel {
        Kernel {
            protocol: 12,
            table: 254,
            metric: 0,
            audit: Some(Duration::from_secs(60)),
            hold: Hold::default(),
            nexthop_objects: false,
            netns: None,
        }
    }
}

/// The tunnel device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tunnel {
    /// Name.
    pub device: String,
    /// MTU, or the underlay's less 20.
    pub mtu: Option<u32>,
    /// Whether we make it and set it up. Otherwise somebody else does, and we only use it.
    pub manage: bool,
}

impl Default for Tunnel {
    /// `tunl0`, which the kernel makes when its ipip module is loaded.
    fn default() -> Tunnel {
        Tunnel { device: "tunl0".to_owned(), mtu: None, manage: true }
    }
}

/// Timers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timers {
    /// Hold time that we offer.
    pub hold: Duration,
    /// Mean time between attempts to connect.
    pub connect_retry: Duration,
    /// How long a predecessor's routes are kept for neighbours that are still to come.
    pub settle: Duration,
}

impl Default for Timers {
    /// `hold` is 90 s (keepalives each 30 s), as RFC 4271 §10 suggests. Waiting too long delays
    /// the withdrawal of routes to pods that are dead anyway; waiting too short cuts living pods
    /// off whenever a busy host falls silent for a moment, so 9/3 is no default. Against BIRD's
    /// 240 s the smaller offer wins.
    ///
    /// `connect_retry` is 5 s, not RFC 4271's 120: a restarted node is back at once, jitter keeps
    /// a mesh from dialling in step, and dialling a dead node each 5 s costs one packet.
    ///
    /// `settle` is as long as `hold`: a restarted node believes its predecessor's routes for as
    /// long as its neighbours would have believed a silent node.
    fn default() -> Timers {
        Timers {
            hold: Duration::from_secs(90),
            connect_retry: Duration::from_secs(5),
            settle: Duration::from_secs(90),
        }
    }
}

/// Where BGP is listened for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Listen {
    /// On all addresses of the host.
    All,
    /// On the node's own addresses.
    Node,
    /// On these; none: nowhere, sessions are only dialled.
    On(Vec<IpAddr>),
}

/// The BGP identifier of a node that has neither `router-id` nor an IPv4 address: made from its
/// name, so that it is the same at every start and on every node that reads the file.
///
/// It is a hash (FNV-1a, 32 bits) whose first octet is folded into 1 to 126: some speakers insist
/// on an identifier that could be a host's address. Two names may meet in one number, which the
/// check of the file finds.
pub fn derived_router_id(name: &str) -> Ipv4Addr {
    let hash = name
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [first, b, c, d] = hash.to_be_bytes();
    Ipv4Addr::new(first % 126 + 1, b, c, d)
}

/// The tunnel device's address of a node that has no `tunnel-address`: the first address of its
/// first IPv4 block that has room for one (/30 or shorter). Address plans that follow the
/// convention of subnets leave it unused, so no pod has it.
pub fn default_tunnel_address(blocks: &[IpNet]) -> Option<Ipv4Addr> {
    blocks.iter().find_map(|block| match block {
        IpNet::V4(v4) if v4.prefix_len() <= 30 => Some(v4.network()),
        _ => None,
    })
}
