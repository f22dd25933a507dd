//! Every message that crosses between actors: the architecture on one page.
//!
//! ```text
//!  socket ─bytes─► Peer ──RouteBatch──► Rib ──FibBatch──► (fib crate) ──► kernel
//!                (one a neighbour)      │ ▲                    │
//!                frame, read, judge     │ └──── NexthopNews ◄──┘
//!                (RFC 7606)             ▼
//!  socket ◄─frames── pump ◄─pull── Group (one an update-group, inside the Rib's thread:
//!                                         Adj-RIB-Out in order of last change)
//! ```
//!
//! An actor is a struct with `handle(now, In, &mut Vec<Out>)` and `next_deadline()`. It holds no
//! channel, reads no clock and spawns nothing. The daemon's pumps move these messages over
//! channels; the simulator moves the same ones from a seeded queue in virtual time.

#![allow(missing_docs, reason = "a variant's line speaks of its fields")]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;

use crate::attrs::AttrSet;
use crate::policy::ImportPolicy;
use crate::session::{DownReason, Negotiated, PeerConfig, PeerEvent};
use crate::types::{Asn, Families, Family, PeerId, PeerKind, V4, V6};
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
    /// Stop: send `Notification` on what is open, then stay idle until `Start`.
    Stop(Notification),
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
    /// the neighbour is alive and it is we who are slow: the hold timer is extended.
    Tick { unread: bool },
    /// The operator wants the neighbour's routes again (ROUTE-REFRESH, RFC 2918).
    RequestRefresh,
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
    /// The session that was Established is not any more.
    Down(DownReason),
    /// Routes, for the Rib.
    Routes(Box<RouteBatch>),
    /// The neighbour asked for our routes again (RFC 2918), for the Rib.
    Refresh(Family),
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
}

impl RouteBatch {
    /// An empty batch of `peer`.
    pub fn new(peer: PeerId) -> RouteBatch {
        RouteBatch { peer, ops: Vec::new(), attrs: Vec::new(), v4: Vec::new(), v6: Vec::new() }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
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
    /// It is not any more; its routes go.
    PeerDown(PeerId),
    /// Routes of a neighbour.
    Routes(Box<RouteBatch>),
    /// The neighbour wants our routes of that family again.
    Refresh { peer: PeerId, family: Family },
    /// The peer's writer has room for about `room` bytes.
    Pull { peer: PeerId, room: usize },
    /// What the kernel says about next hops that `RibOut::Track` named.
    Nexthops(Vec<NexthopNews>),
    /// A deadline may have passed.
    Tick,
}

/// What the Rib wants done.
#[derive(Debug)]
pub enum RibOut {
    /// The best routes that changed, for the Fib.
    Fib(FibBatch),
    /// There is something to pull for this peer that was told `drained` before.
    Wake(PeerId),
    /// The answer to a pull: whole UPDATE messages. The same `Bytes` go to every member of the
    /// group that is at the same place. `drained`: nothing is left, wait for `Wake`.
    Frames { peer: PeerId, frames: Vec<Bytes>, drained: bool },
    /// Say what becomes of these next hops, now and whenever it changes.
    Track(Vec<IpAddr>),
    /// No route uses these any more.
    Untrack(Vec<IpAddr>),
    /// Every peer that was expected has sent its End-of-RIB, or the wait is over: routes of a
    /// predecessor that nobody announced again may go.
    Settled,
}

/// How this node judges, originates and exports.
#[derive(Clone, Debug)]
pub struct RibConfig {
    /// Our AS.
    pub asn: Asn,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// What this node originates: its pod blocks.
    pub originate: Vec<IpNet>,
    /// Our own address per family: the NEXT_HOP of what we originate, where the session's own
    /// address is of the other family.
    pub addresses: Vec<IpAddr>,
    /// Per configured neighbour. One that is missing here gets and gives nothing.
    pub peers: Vec<(PeerId, PeerPolicy)>,
    /// How long after the start the Rib waits for End-of-RIB before it says `Settled`.
    pub settle: std::time::Duration,
}

/// What may come from a neighbour and what goes to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerPolicy {
    /// Name for people ("server2", "gw0").
    pub name: String,
    /// What may come.
    pub import: Arc<ImportPolicy>,
    /// What goes out beside own blocks: to iBGP nothing learned from iBGP, ever.
    pub export: Export,
    /// Families that the session is configured for.
    pub families: Families,
}

/// What goes to a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Export {
    /// What this node originates, nothing else (the default towards everybody).
    Own,
    /// Every best route that RFC 4271 lets pass (to iBGP: own and eBGP-learned ones).
    All,
}

/// What the kernel says about a next hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NexthopNews {
    /// The next hop.
    pub address: IpAddr,
    /// The interior cost to it (RFC 4271 §9.1.2.2 e), or `None`: unreachable.
    pub metric: Option<u32>,
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
    /// Our own block: a blackhole under the pods' own longer routes.
    Own,
    /// Learned: the NEXT_HOP attribute and whom it came from.
    Via { next_hop: IpAddr, from: PeerId },
}
