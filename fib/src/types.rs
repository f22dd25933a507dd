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
//!
//! Here are the messages and what else they carry; `config` has how a node programs its kernel,
//! `route` what a route is.

mod config;
mod object;
mod route;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

pub use self::config::{Announce, Ends, FibConfig, Hold, Mode, PodConfig, Pool, TunnelConfig};
pub use self::object::{Inside, Member, Object, ObjectFailure, ObjectOp};
pub use self::route::{Encap, Hop, Hops, KernelRoute, Kind, NextHop, RouteKey, Target, Via};
use crate::audit::Audit;

/// What the kernel shows of a session's way. The default: nothing is in it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Way {
    /// The peer is directly connected and its interface is dead: why, in words.
    pub cut: Option<String>,
    /// Our own address of the session, or the interface of a link-local one, is not there (yet).
    pub waits: bool,
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
    /// All nexthop objects, whoever made them; `None`: this kernel has no such thing (before 5.3).
    pub objects: Option<Vec<Object>>,
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
    /// A nexthop object appeared or was changed.
    Object(Object),
    /// A nexthop object of this number is gone, and the routes that used it with it (IPv4 does not
    /// say so).
    ObjectGone(u32),
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

/// One best route from the Rib.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteChange {
    /// The destination.
    pub prefix: IpNet,
    /// Where it leads, or `None`: gone.
    pub target: Option<Target>,
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
    /// `FibOut::Objects` was carried out; those that failed. The others are done.
    ObjectsDone(Vec<ObjectFailure>),
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
    /// Carry these out in order and answer `ObjectsDone`; of `Apply`s and these together two are
    /// under way at most. No route that uses an object is written before it is known to be there.
    Objects(Arc<Vec<ObjectOp>>),
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
    /// A route could not be written; or was not tried, for its nexthop object
    /// ([`crate::objects::UNMADE`] then) could not be made.
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
    /// Nexthop objects are configured, and this kernel has none: why, in words. Routes are written
    /// without.
    NoObjects(String),
    /// Somebody removed or changed a nexthop object of ours that so many routes used.
    ObjectDrift {
        /// Its number.
        id: u32,
        /// How many.
        routes: usize,
        /// What was done to it.
        what: String,
    },
    /// All routes of ours were removed because the operator said so: so many.
    Flushed(usize),
}
