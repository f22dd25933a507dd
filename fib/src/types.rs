//! What the Fib is told and what it wants done; the kernel's words as plain values.
//!
//! ```text
//!   best routes ─FibIn::Routes──► ┌─────┐ ──FibOut::Apply(ops)──► kernel (netlink/, or mem in the
//!   next hops ───FibIn::Track───► │ Fib │ ──FibOut::Dump────────►         simulator)
//!   kernel news ─FibIn::Dumped──► │     │ ──FibOut::Tunnel──────►
//!                FibIn::Events    └─────┘ ──FibOut::Nexthops────► the Rib
//!                                         ──FibOut::Pods────────►
//!                                         ──FibOut::Ways────────► the sessions
//! ```
//!
//! The Fib keeps *desired* (`Want`) against *observed* (`Have`) and applies the difference. News
//! that may be lost (overrun, interrupted dump, failed op) makes `Have` unknown: dump again.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use smallvec::SmallVec;

use crate::audit::Audit;

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

/// What the kernel shows of a session's way. The default: nothing is in it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Way {
    /// The peer is directly connected and its interface is dead: why, in words.
    pub cut: Option<String>,
    /// Our own address of the session, or the interface of a link-local one, is not there (yet).
    pub waits: bool,
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

/// What makes a kernel route *this* route.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouteKey {
    /// Destination.
    pub prefix: IpNet,
    /// Table.
    pub table: u32,
    /// Metric as the kernel shows it (IPv6: 1024 where 0 was asked).
    pub metric: u32,
}

/// rtm_type, as far as it concerns us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// To a gateway or a device.
    Unicast,
    /// Dropped silently: an own block.
    Blackhole,
    /// Rejected with an ICMP: what a pool holds and nobody can be reached for.
    Unreachable,
    /// Any other rtm_type, by number (never ours to write).
    Other(u8),
}

/// One next hop of a kernel route.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Hop {
    /// The gateway, of the route's family or (RFC 8950) not; `None`: the device itself.
    pub gateway: Option<IpAddr>,
    /// The interface's index.
    pub device: u32,
    /// RTNH_F_ONLINK: the gateway needs no connected route on the device.
    pub onlink: bool,
    /// rtnh_hops + 1: 1 to 256; 1 where there is a single hop.
    pub weight: u16,
}

/// The next hops of a kernel route. Nearly every route has one, and that takes no allocation.
pub type Hops = SmallVec<[Hop; 1]>;

/// A route as the kernel holds it or shall hold it: the full key and all it does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelRoute {
    /// Destination, table, metric.
    pub key: RouteKey,
    /// rtm_protocol.
    pub protocol: u8,
    /// rtm_type.
    pub kind: Kind,
    /// rtm_scope (0 universe, 253 link, 254 host).
    pub scope: u8,
    /// rtm_tos.
    pub tos: u8,
    /// RTA_PREFSRC.
    pub source: Option<IpAddr>,
    /// Next hops, in the kernel's order; empty for all but `Kind::Unicast`.
    pub hops: Hops,
}

/// A network interface.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Link {
    /// ifindex.
    pub index: u32,
    /// Name.
    pub name: String,
    /// IFF_UP.
    pub up: bool,
    /// IFF_RUNNING (carrier).
    pub running: bool,
    /// MTU.
    pub mtu: u32,
    /// IFLA_INFO_KIND ("ipip", "veth", …), where the kernel tells.
    pub kind: Option<String>,
    /// The far end of an ipip device that leads to one alone.
    pub remote: Option<Ipv4Addr>,
    /// IFLA_IPTUN_PMTUDISC of an ipip device: whatever leaves by it must not be fragmented.
    pub pmtudisc: bool,
    /// IFLA_VRF_TABLE: the table of a VRF device.
    pub vrf: Option<u32>,
    /// IFLA_MASTER: the index of the VRF, bridge, … that it is a part of.
    pub master: Option<u32>,
}

/// An address on an interface.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    /// The interface's index.
    pub device: u32,
    /// The address and its prefix length (host bits kept).
    pub address: IpNet,
}

/// Everything the Fib needs to know of the kernel, at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dump {
    /// All interfaces.
    pub links: Vec<Link>,
    /// All addresses.
    pub addresses: Vec<Address>,
    /// All routes of main and of our table, whoever wrote them; not local, broadcast, multicast,
    /// cloned (cache) ones.
    pub routes: Vec<KernelRoute>,
}

/// News from the kernel: what others did. What our own `FibOut::Apply` changed is not repeated
/// here (netlink/ drops it by the port that the kernel writes into its cause).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KernelEvent {
    /// An interface appeared or changed.
    Link(Link),
    /// An interface is gone.
    LinkGone(u32),
    /// An address appeared.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// A route appeared or was replaced.
    Route(KernelRoute),
    /// A route is gone.
    RouteGone(KernelRoute),
    /// Nobody on that interface answers for this address: the kernel asked for its link-layer
    /// address in vain (NUD_FAILED). May be lost without a word.
    Unanswered {
        /// The interface's index.
        device: u32,
        /// The address.
        address: IpAddr,
    },
    /// News was lost (ENOBUFS): only a dump tells the truth.
    Lost,
}

/// A change of the kernel's table. Which of the three it is comes from `Have`, so that a foreign
/// route that sits under the same key is never overwritten: the kernel answers EEXIST instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RouteOp {
    /// Add where nothing is (NLM_F_CREATE | NLM_F_EXCL).
    Add(KernelRoute),
    /// Replace ours by ours, no packet between them. IPv4: exactly `old`, whatever somebody else
    /// put there meanwhile is spared. IPv6: the first of the key.
    Replace {
        /// What is there.
        old: KernelRoute,
        /// What shall be there; the same key.
        new: KernelRoute,
    },
    /// Remove exactly this route of ours.
    Delete(KernelRoute),
}

/// What became of one op.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpFailure {
    /// The op.
    pub op: RouteOp,
    /// errno, positive.
    pub errno: i32,
    /// The kernel's words where it gave some (extended ack), else errno's.
    pub reason: String,
}

/// A BGP next hop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NextHop {
    /// Its address.
    pub address: IpAddr,
    /// The index of the interface that an IPv6 link-local address is meant on (RFC 4007 §6);
    /// `None` for all others.
    pub scope: Option<NonZeroU32>,
}

impl From<IpAddr> for NextHop {
    fn from(address: IpAddr) -> NextHop {
        NextHop { address, scope: None }
    }
}

impl fmt::Display for NextHop {
    /// RFC 4007 §11: `fe80::1%2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Some(scope) => write!(f, "{}%{scope}", self.address),
            None => self.address.fmt(f),
        }
    }
}

/// What policy says of a route's encapsulation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Encap {
    /// Nothing: the pool's mode decides.
    #[default]
    ByPool,
    /// In clear, whatever the pool says.
    Never,
    /// Through the tunnel, whatever the pool says and in no pool too.
    Always,
}

/// One best route from the Rib.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteChange {
    /// The destination.
    pub prefix: IpNet,
    /// Where it leads, or `None`: gone.
    pub target: Option<Target>,
}

/// Where a best route leads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Target {
    /// Our own block: a blackhole.
    Own,
    /// Learned. Routes that lead alike share one.
    Via(Arc<Via>),
    /// Learned, and no next hop of any path to it can be reached: see [`Hold`].
    Unreachable,
}

/// Where learned routes lead.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Via {
    /// BGP next hops, each resolved by itself; several are equal-cost paths. The same one twice
    /// counts twice.
    pub hops: Vec<NextHop>,
    /// The kernel's metric; `None`: [`FibConfig::metric`].
    pub metric: Option<u32>,
    /// Whether to encapsulate.
    pub encap: Encap,
}

impl Target {
    /// To these next hops, with what the configuration says of the rest.
    pub fn via(hops: impl IntoIterator<Item = IpAddr>) -> Target {
        let hops = hops.into_iter().map(NextHop::from).collect();
        Target::Via(Arc::new(Via { hops, metric: None, encap: Encap::ByPool }))
    }
}

/// What a next hop comes to, with the reason in words: what operators are shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolution {
    /// The outcome.
    pub how: How,
    /// Why, in words ("10.1.8.10 is outside 10.1.5.0/24 of net0, pool 10.244.0.0/16 is
    /// cross-subnet").
    pub why: String,
}

/// The outcome of resolving a next hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum How {
    /// Same subnet: straight to it on this interface.
    Direct {
        /// The interface's index.
        device: u32,
        /// Its name.
        name: String,
    },
    /// Encapsulated, on the tunnel device.
    Tunnel {
        /// The interface's index.
        device: u32,
        /// Its name.
        name: String,
    },
    /// Off-subnet and in clear: through the gateway that the kernel's table gives.
    Gateway {
        /// The gateway.
        gateway: IpAddr,
        /// The interface's index.
        device: u32,
        /// Its name.
        name: String,
        /// The gateway is itself a configured BGP peer, so it knows the way. Where it is not,
        /// this is network D's disease.
        is_peer: bool,
    },
    /// Own block.
    Blackhole,
    /// No route, no interface, or no tunnel device; never programmed, unless as [`Hold`] says.
    Unreachable,
}

/// What the Fib is told.
#[derive(Debug)]
pub enum FibIn {
    /// How to program. First message; again at every reload.
    Configure(Box<FibConfig>),
    /// Best routes that changed.
    Routes(Vec<RouteChange>),
    /// Tell the Rib what becomes of these next hops, now and at every change.
    Track(Vec<NextHop>),
    /// No longer.
    Untrack(Vec<NextHop>),
    /// Routes of a predecessor that nobody announced again may go.
    Settled,
    /// The operator's: whether the kernel follows what is wanted.
    Couple(Coupling),
    /// The answer to `FibOut::Dump`.
    Dumped(Box<Dump>),
    /// The dump failed or was interrupted; reason for people.
    DumpFailed(String),
    /// News.
    Events(Vec<KernelEvent>),
    /// `FibOut::Apply` was carried out; those that failed. The others may be taken as done.
    Applied(Vec<OpFailure>),
    /// The answer to `FibOut::Tunnel`.
    TunnelDone(Result<(), TunnelError>),
    /// Compare the kernel's table with what is known and wanted, and answer `Audited`.
    Audit,
    /// Of the answer to `FibOut::Read`: a part. Interfaces and addresses are all in the first one.
    Part(Box<Dump>),
    /// The end of that answer, or why it broke off.
    PartsDone(Result<(), String>),
    /// A deadline may have passed.
    Tick,
}

/// Whether the kernel follows what is wanted: the operator's word, good until the next one. A
/// reload does not change it; a new daemon is coupled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Coupling {
    /// It does.
    #[default]
    Coupled,
    /// Nothing is written, neither routes nor the tunnel device; what is wanted goes on being
    /// worked out.
    Decoupled,
    /// Every route of ours (our protocol, our table) is removed, then as [`Coupling::Decoupled`].
    Flushed,
}

/// What the Rib wants to know of the way to a next hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cost {
    /// The interior cost (RFC 4271 §9.1.2.2 e).
    pub metric: u32,
    /// The name of the interface that leads there; empty if that is gone already.
    pub device: String,
}

/// What the Fib wants done.
#[derive(Debug)]
pub enum FibOut {
    /// Carry these out in order and answer `Applied`. Two of them are under way at most, and are
    /// carried out and answered one after the other. Shared: the Fib wants to know what was asked
    /// when the answer comes.
    Apply(Arc<Vec<RouteOp>>),
    /// Read everything and answer `Dumped` or `DumpFailed`.
    Dump,
    /// Read everything in parts and answer `Part`s, then `PartsDone`; beside whatever else is
    /// asked, which must not wait for it.
    Read,
    /// The answer to `FibIn::Audit`: what it came to, or why there is none.
    Audited(Result<Audit, String>),
    /// Make and set up the tunnel device (load the module, up, MTU, address); answer
    /// `TunnelDone`.
    Tunnel(TunnelSpec),
    /// For the Rib: the way to a tracked next hop; `None`: unreachable.
    Nexthops(Vec<(NextHop, Option<Cost>)>),
    /// For the Rib: local pods that neighbours are to be told of, as they come and go.
    Pods(PodNews),
    /// For the sessions: ways that changed.
    Ways(Vec<(Ends, Way)>),
    /// For the sessions: the kernel asked for these directly connected peers' link-layer addresses
    /// in vain. A weak sign: to be looked into, not believed.
    Unanswered(Vec<Ends>),
    /// Something an operator would want to read.
    Report(Report),
}

/// Addresses of local pods that came and went; no address is in both.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct PodNews {
    /// To be announced from now on, in order.
    pub came: Vec<IpNet>,
    /// No more, in order.
    pub went: Vec<IpNet>,
}

impl PodNews {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.came.is_empty() && self.went.is_empty()
    }
}

/// The tunnel device as it shall be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TunnelSpec {
    /// Name.
    pub device: String,
    /// MTU.
    pub mtu: u32,
    /// Address, `/32 scope global`.
    pub address: Option<Ipv4Addr>,
    /// The index of the VRF device that it shall be in; `None`: wherever it is.
    pub vrf: Option<u32>,
    /// Make it so. Otherwise only look whether it is there.
    pub manage: bool,
}

/// Why there is no tunnel device.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TunnelError {
    /// The kernel knows no ipip and the module cannot be loaded.
    #[error(
        "this kernel has no IPIP: module `ipip` is neither built in nor loadable ({reason}); \
         load it (`modprobe ipip`, package linux-image of your distribution) or set the pool's \
         ipip to \"never\""
    )]
    NoModule {
        /// What was tried and what came of it.
        reason: String,
    },
    /// A device of that name exists and is of another kind.
    #[error("{device} exists but is a {kind} device, not ipip; rename one of them")]
    WrongKind {
        /// Its name.
        device: String,
        /// Its kind.
        kind: String,
    },
    /// Another failure.
    #[error("cannot set up {device}: {reason}")]
    Failed {
        /// Its name.
        device: String,
        /// The kernel's words.
        reason: String,
    },
}

/// What an operator would want to read, once each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Report {
    /// Network D's disease, once per (prefix's pool, next hop): routes lean on a gateway that is
    /// no BGP peer.
    Disease {
        /// The next hop that is off-subnet.
        next_hop: NextHop,
        /// The gateway leaned on.
        gateway: IpAddr,
        /// An example of a prefix concerned.
        prefix: IpNet,
        /// The whole sentence.
        why: String,
    },
    /// It is cured.
    Cured {
        /// The next hop that was off-subnet.
        next_hop: NextHop,
    },
    /// A route could not be written.
    Refused(OpFailure),
    /// A route of ours was changed or removed by somebody else and was put back.
    Drift {
        /// Which.
        prefix: IpNet,
        /// What was found.
        what: String,
    },
    /// Somebody keeps changing routes of ours.
    Rival {
        /// The rtm_protocol of what is there now; `None`: nothing is.
        who: Option<u8>,
        /// How many in the last [`crate::rivals::WINDOW`].
        recent: u64,
        /// The last one.
        example: IpNet,
        /// They are put back after growing waits now.
        waits: bool,
        /// The sentence.
        what: String,
    },
    /// An audit found the kernel other than its news had said. It is read again and put right.
    Unheard {
        /// How many destinations (and interfaces) differ.
        differences: usize,
        /// The first of them.
        first: Option<IpNet>,
        /// What is there.
        what: String,
    },
    /// The kernel holds a foreign route under our key: it is left alone and ours is not there.
    Occupied {
        /// Which.
        key: RouteKey,
        /// Whose (rtm_protocol).
        protocol: u8,
    },
    /// The tunnel device cannot be had.
    Tunnel(TunnelError),
    /// Somebody changed the tunnel device or took it away; it is put right.
    TunnelDrift {
        /// Its name.
        device: String,
        /// What was found.
        what: String,
    },
    /// "Same subnet" has no useful answer here: the node's address is a host address (/32, /128)
    /// or on no interface, and no subnet is configured. Said once until it is mended.
    Subnet {
        /// The node's own address.
        address: IpAddr,
        /// The whole sentence.
        why: String,
    },
    /// `net.ipv4.ip_forward` or its IPv6 counterpart is off: pods will not be reached.
    ForwardingOff(&'static str),
    /// Routes were found at start and adopted (with our protocol, in our table).
    Adopted(usize),
    /// Leftover routes of a predecessor were removed.
    Swept(usize),
    /// The operator has coupled or decoupled the kernel.
    Coupling(Coupling),
    /// All routes of ours were removed because the operator said so: so many.
    Flushed(usize),
}
