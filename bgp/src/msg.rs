//! Every message that crosses between actors: the architecture on one page.
//!
//! ```text
//!  socket ─bytes─► Peer ──RouteBatch──► Rib ──FibBatch──► (fib crate) ──► kernel
//!                (one a neighbour)      │ ▲                    │
//!                frame, read, judge     │ └──── NexthopNews ◄──┘
//!                (RFC 7606)             ▼
//!  socket ◄─frames── pump ◄─pull── Group (one an update-group, inside the Rib's task:
//!                                         Adj-RIB-Out in order of last change)
//!
//!  UDP ◄─Packet─► bfd::Session ──Loss──► Peer: the path is dead, long before the hold time says so
//! ```
//!
//! An actor is a struct with `handle(now, In, &mut Vec<Out>)` and `next_deadline()`. It holds no
//! channel, reads no clock and spawns nothing. The daemon's pumps move these messages over
//! channels; the simulator moves the same ones from a seeded queue in virtual time. What the Rib
//! is configured with is a page of its own (`settings`).

#![allow(missing_docs, reason = "a variant's line speaks of its fields")]

mod best;
mod said;
mod settings;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;

pub use best::{BestChange, BestNews, BestPath, WATCHERS, Watcher};
pub use said::{Prefixes, Said};
pub use settings::{
    Carried, Export, Isolation, IsolationRule, LimitAction, NextHopMode, Originated, PeerPolicy,
    PrefixLimit, RibConfig, Wished,
};

use crate::attrs::AttrSet;
use crate::bfd;
use crate::session::{DownReason, Forwarding, Negotiated, PeerConfig, PeerEvent, Retain};
use crate::types::{Family, NextHop, PeerId, PeerKind, Prefix, Role, V4, V6};
use crate::wire::Notification;

// ---- Peer: one a neighbour ------------------------------------------------------------------

/// Which of a neighbour's two possible connections (RFC 4271 §6.8: both ends dial).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Slot {
    /// The one we opened.
    Dialled,
    /// The one the neighbour opened.
    Accepted,
}

/// What a peer is told.
#[derive(Debug)]
pub enum PeerIn<'a> {
    /// Begin: dial (unless passive) and accept.
    Start,
    /// Stop: send `Notification` on what is open, then stay idle until `Start`. The neighbour is
    /// to forget our routes: where it would keep them, this is a hard reset (RFC 8538 §3).
    Stop(Notification),
    /// Stop, but we shall be back: a neighbour that keeps our routes shall keep them.
    Leave(Notification),
    /// What our next OPENs say of our own restart.
    Forwarding(Forwarding),
    /// The neighbour sent more prefixes than it may: end the session (Cease 6/1, RFC 4486 §4) and
    /// stay idle for so long; `None`: until `Start`.
    OverLimit { family: Family, limit: u32, idle: Option<Duration> },
    /// New settings. Those that the OPEN carried make the session anew; others apply at once.
    Configure(Box<PeerConfig>),
    /// The TCP connection that `PeerOut::Dial` asked for stands.
    Connected { local: SocketAddr, remote: SocketAddr },
    /// It could not be made; `reason` is for people ("connection refused").
    ConnectFailed { reason: String },
    /// The neighbour opened one. If that slot is occupied and the answer is not `Refuse`, then the
    /// answer's `Close { slot: Accepted }` means the old one, and what follows it the new one.
    Accepted { local: SocketAddr, remote: SocketAddr },
    /// Bytes came. All complete messages are consumed, a partial one is left in `bytes`.
    Received { slot: Slot, bytes: &'a mut BytesMut },
    /// The connection is gone; `reason` is for people ("connection reset by peer").
    Closed { slot: Slot, reason: String },
    /// A deadline may have passed. `unread`: bytes of the Established connection wait unread, so
    /// the neighbour is alive and it is we who are slow: the hold timer is extended. `stalled`: how
    /// long ours have waited unsent since the last one went (RFC 9687); zero if none waits.
    Tick { unread: bool, stalled: Duration },
    /// The operator wants the neighbour's routes again (ROUTE-REFRESH, RFC 2918).
    RequestRefresh,
    /// The path to the neighbour was seen to work and does not any more (RFC 5882 §3.2). Ends an
    /// Established session. Where there is none it may end the wait for the neighbour's graceful
    /// restart: if its forwarding is lost (§4.3.1). BFD that shares the fate of the control plane
    /// falls silent with it and says nothing of that (`forwarding_lost` is false then, §4.3.2): while
    /// there is a session, who says so has found that the neighbour's kernel is silent too.
    /// A session that came up after the last that BFD heard has proved the path since, so the
    /// silence is that of the neighbour's former life, or a new one: `Watch` finds out.
    BfdDown(bfd::Loss),
    /// The interface that a directly connected neighbour is on is dead; in words. Ends an
    /// Established session without a message, since none would get through, and as a lost
    /// connection: the next hops behind that interface are unusable by themselves, and what comes
    /// back with it is worth keeping. A connection on the way up is left to its own fate.
    LinkDown(String),
    /// The kernel asked for the neighbour's link-layer address in vain: a KEEPALIVE goes, and
    /// `Watch` comes.
    Probe,
    /// It did not; in words. The host is gone, not its daemon alone: as `BfdDown`.
    Unanswered(String),
    /// Instead of `ConnectFailed`: what it takes is not there, for a reason in words, and `Retry`
    /// will say when it is. Nothing is tried until then.
    Waiting { reason: String },
    /// What was in the way of a connection is gone: dial, if that is ours to do and due.
    Retry,
}

/// What a peer wants done.
#[derive(Debug)]
pub enum PeerOut {
    /// Open a TCP connection to the neighbour; answer `Connected` or `ConnectFailed`. An attempt
    /// still under way when `Close { slot: Dialled }` comes is to be given up.
    Dial,
    /// Write these bytes (whole messages), in order, on that connection.
    Send { slot: Slot, bytes: Bytes },
    /// The connection that this `Accepted` reported is not wanted: write that message and close.
    Refuse(Notification),
    /// Close that connection, after what was sent before. Nothing more is told of it, neither bytes
    /// nor `Closed`.
    Close { slot: Slot },
    /// The session is Established on `slot`; its routes follow, and it may pull from its group.
    Up { slot: Slot, up: Box<PeerUp> },
    /// The session that was Established is not any more. `retain`: what stays of its routes.
    Down { reason: DownReason, retain: Option<Retain> },
    /// Nothing was heard of the neighbour for half the hold time: it is overdue, for as long as
    /// `valid` at the most.
    Overdue { valid: Duration },
    /// Routes, for the Rib.
    Routes(Box<RouteBatch>),
    /// The neighbour asked for our routes again (RFC 2918), for the Rib.
    Refresh(Family),
    /// A KEEPALIVE went. If the neighbour's kernel does not acknowledge it in time, `Unanswered` is
    /// the answer; otherwise nothing.
    Watch,
    /// The neighbour is away and does not forward any more: what was retained of its routes goes.
    ForwardingLost,
    /// Something an operator would want to read, for the log and `bgpctl`.
    Event(PeerEvent),
}

/// A session as the Rib needs to know it.
#[derive(Clone, Debug)]
pub struct PeerUp {
    /// Who.
    pub peer: PeerId,
    /// What it is to us.
    pub kind: PeerKind,
    /// The neighbour's address (the last tie-breaker of the decision, RFC 4271 §9.1.2.2 g).
    pub address: IpAddr,
    /// Our own address of the session.
    pub local: IpAddr,
    /// The interface of a session between link-local addresses: where its link-local next hops
    /// are (RFC 2545 §3).
    pub scope: Option<NonZeroU32>,
    /// What we are to it (RFC 9234), if it was configured.
    pub role: Option<Role>,
    /// What both sides agreed (the neighbour's AS and BGP identifier are in it).
    pub negotiated: Negotiated,
}

// ---- Routes ---------------------------------------------------------------------------------

/// Judged routes of one peer, in the order in which they came: what follows trusts them.
///
/// One allocation per arena, none per route. An `Op`'s range indexes the arena of its family.
#[derive(Debug)]
pub struct RouteBatch {
    /// The neighbour they came from.
    pub peer: PeerId,
    /// What happened, in order.
    pub ops: Vec<Op>,
    /// Attribute sets that ops point at.
    pub attrs: Vec<AttrSet>,
    /// IPv4 prefixes that ops point at.
    pub v4: Vec<V4>,
    /// IPv6 prefixes that ops point at.
    pub v6: Vec<V6>,
    /// Path identifiers of `v4`, one each, where the session has them (RFC 7911); else empty.
    pub v4_ids: Vec<u32>,
    /// Path identifiers of `v6`, likewise.
    pub v6_ids: Vec<u32>,
}

/// One step of a batch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Op {
    /// The prefixes `start..end` of the family's arena now have `attrs[attrs]`.
    Announce { family: Family, attrs: u32, start: u32, end: u32 },
    /// The prefixes `start..end` are gone.
    Withdraw { family: Family, start: u32, end: u32 },
    /// The neighbour has sent all it had when the session came up (RFC 4724 §2).
    EndOfRib(Family),
    /// It begins to send everything again (BoRR, RFC 7313 §4).
    RefreshBegins(Family),
    /// It has sent everything again: what did not come is gone (EoRR).
    RefreshEnds(Family),
}

impl RouteBatch {
    /// An empty batch of `peer`.
    pub fn new(peer: PeerId) -> RouteBatch {
        RouteBatch {
            peer,
            ops: Vec::new(),
            attrs: Vec::new(),
            v4: Vec::new(),
            v6: Vec::new(),
            v4_ids: Vec::new(),
            v6_ids: Vec::new(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// The prefixes that an op of this batch speaks of.
    pub fn prefixes<'b>(&'b self, op: &Op) -> impl Iterator<Item = IpNet> + use<'b> {
        let (family, range) = match *op {
            Op::Announce { family, start, end, .. } | Op::Withdraw { family, start, end } => {
                (Some(family), start as usize..end as usize)
            }
            _ => (None, 0..0),
        };
        let v4 = self.v4.get(range.clone()).filter(|_| family == Some(Family::Ipv4));
        let v6 = self.v6.get(range).filter(|_| family == Some(Family::Ipv6));
        let v4 = v4.unwrap_or_default().iter().map(|prefix| prefix.net());
        v4.chain(v6.unwrap_or_default().iter().map(|prefix| prefix.net()))
    }
}

// ---- Rib: the one owner of routes -----------------------------------------------------------

/// What the Rib is told.
#[derive(Debug)]
pub enum RibIn {
    /// How this node judges, originates and exports. First message; again at every reload.
    Configure(Box<RibConfig>),
    /// A session is Established. `Pull` may follow.
    PeerUp(Box<PeerUp>),
    /// It is not any more; its routes go, but for what is to be retained. `silent`: nothing was
    /// heard of the neighbour any more, which may as well be our own fault ([`IsolationRule`]).
    PeerDown { peer: PeerId, retain: Option<Retain>, silent: bool },
    /// Of these neighbours nothing was heard for more than half of the time after which they are
    /// given up. That counts for as long as `valid`.
    Overdue { peers: Vec<PeerId>, valid: Duration },
    /// What was retained of a neighbour's routes when its session ended goes now: it does not
    /// forward any more (RFC 5882 §4.3.1). Nothing while it has a session.
    ForwardingLost { peer: PeerId },
    /// Routes of a neighbour.
    Routes(Box<RouteBatch>),
    /// The neighbour wants our routes of that family again.
    Refresh { peer: PeerId, family: Family },
    /// The peer's writer has room for about `room` bytes.
    Pull { peer: PeerId, room: usize },
    /// What the kernel says about next hops that `RibOut::Track` named.
    Nexthops(Vec<NexthopNews>),
    /// These prefixes, and no others, are originated on the operator's wish from now on
    /// (`bgpctl network add`), with what they carry. They are announced; the kernel gets no route
    /// for them.
    Originate(Vec<Wished>),
    /// Addresses of local pods are announced from now on, or no more. Only what changed: a node
    /// may have ten thousand. The kernel has routes for them already.
    Pods { came: Vec<IpNet>, went: Vec<IpNet> },
    /// Who is told of best paths that change (`RibOut::Best`), from this message on: these, in
    /// this order, and nobody else. Of more than [`WATCHERS`] the others are told nothing.
    Watch(Vec<Watcher>),
    /// The operator takes traffic off this neighbour (RFC 8326), or ends that.
    Drain { peer: PeerId, on: bool },
    /// A deadline may have passed.
    Tick,
}

/// What the Rib wants done.
#[derive(Debug)]
pub enum RibOut {
    /// The best routes that changed, for the Fib.
    Fib(FibBatch),
    /// The best paths that changed, for those who watch.
    Best(BestNews),
    /// There is something to pull for this peer that was told `drained` before.
    Wake(PeerId),
    /// The answer to a pull: whole UPDATE messages. The same `Bytes` go to every member of the
    /// group that is at the same place. `said`: what they hold. `drained`: nothing is left, wait for
    /// `Wake`.
    Frames { peer: PeerId, frames: Vec<Bytes>, said: Said, drained: bool },
    /// Say what becomes of these next hops, now and whenever it changes.
    Track(Vec<NextHop>),
    /// No route uses these any more.
    Untrack(Vec<NextHop>),
    /// A neighbour sent more prefixes than it may. Told once as it goes over.
    OverLimit { peer: PeerId, family: Family, limit: PrefixLimit },
    /// Most neighbours fell silent at once: this node is taken to be cut off, and keeps what they
    /// announced. Told once as it begins.
    CutOff(Isolation),
    /// That is over, because most are back or the time is; how it stood at the end.
    Rejoined(Isolation),
    /// Every peer that was expected has sent its End-of-RIB, or the wait is over: routes of a
    /// predecessor that nobody announced again may go.
    Settled,
}

/// What the kernel says about a next hop.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NexthopNews {
    /// The next hop.
    pub next_hop: NextHop,
    /// The interior cost to it (RFC 4271 §9.1.2.2 e), or `None`: unreachable.
    pub metric: Option<u32>,
    /// The interface that leads there, for the rules that ask.
    pub interface: Option<String>,
}

/// Best routes that changed since the last batch; at most one entry a prefix.
#[derive(Debug, Default)]
pub struct FibBatch {
    /// Announced, changed or gone.
    pub routes: Vec<FibRoute>,
}

/// One best route for the Fib.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FibRoute {
    /// The destination.
    pub prefix: IpNet,
    /// Its best path, or `None`: gone.
    pub best: Option<FibBest>,
}

/// Where a best route leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FibBest {
    /// Our own block, or what BLACKHOLE (RFC 7999) asks for: a blackhole.
    Own,
    /// Learned. Shared by the prefixes that are reached alike.
    Via(Arc<Via>),
    /// Learned, and no next hop of any path to it can be reached.
    Unreachable,
}

/// Where learned routes lead.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Via {
    /// The best path and those equal to it, the best one first; at least one.
    pub hops: Vec<Hop>,
    /// The kernel's metric, where policy or LOCAL_PREF says one.
    pub metric: Option<u32>,
    /// Whether it is tunnelled.
    pub encapsulation: Encapsulation,
}

impl Via {
    /// One way, nothing special.
    pub fn one(next_hop: impl Into<NextHop>, from: PeerId) -> Via {
        let hops = vec![Hop { next_hop: next_hop.into(), from }];
        Via { hops, metric: None, encapsulation: Encapsulation::ByPool }
    }
}

/// One of several equal ways.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Hop {
    /// The NEXT_HOP attribute.
    pub next_hop: NextHop,
    /// Whom it came from.
    pub from: PeerId,
}

/// Whether a route is tunnelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum Encapsulation {
    /// As the mode of its pool says.
    #[default]
    ByPool,
    /// Never.
    Never,
    /// Always.
    Always,
}

// ---- BFD: one session a neighbour that is watched -------------------------------------------

/// What a BFD session is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BfdIn {
    /// A packet of this session came, by a way that its pump trusts (RFC 5881 §5: TTL).
    Received(bfd::Packet),
    /// New settings, negotiated with the neighbour while the session stays as it is.
    Configure(bfd::Config),
    /// Say for good that this end was taken down on purpose; told again, it is said again. Keep the
    /// session for a detection time, so that the neighbour hears it (RFC 5880 §6.8.16), then drop it.
    AdminDown,
    /// A deadline may have passed.
    Tick,
}

/// What a BFD session wants done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BfdOut {
    /// Send this to the neighbour.
    Send(bfd::Packet),
    /// Both ends hear each other.
    Up,
    /// They did, and do not any more.
    Down(bfd::Loss),
}
