//! A session with one neighbour (RFC 4271 §8): the state machine, its two connection slots, what
//! was negotiated. The unit is the *neighbour*, not the connection, so that a collision (§6.8),
//! normal in a mesh where both ends dial, is a transition like any other.
//!
//! ```text
//!  fsm        events in, effects out: every event is accepted in every state
//!  ├ conn       one connection, and what is true of it
//!  ├ negotiate  two OPENs ──► Negotiated, or the NOTIFICATION that refuses
//!  ├ collision  two connections ──► the one that stays
//!  ├ timer      deadlines, jitter, backoff
//!  └ journal    what operators are told, and what they can ask
//! ```
//!
//! This file is what the rest of the program knows of a session.

pub(crate) mod collision;
pub(crate) mod conn;
pub(crate) mod fsm;
mod journal;
pub mod negotiate;
pub(crate) mod timer;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::types::{Asn, Families, PeerId, PeerKind, Time};
use crate::wire::Notification;
use crate::wire::capability::Capability;

/// How a neighbour is configured. Names and meanings as in the configuration file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerConfig {
    /// The number that the daemon gave it.
    pub id: PeerId,
    /// Name for people ("server2", "gw0").
    pub name: String,
    /// What it is to us.
    pub kind: PeerKind,
    /// The neighbour's address.
    pub address: IpAddr,
    /// Our AS towards it.
    pub local_asn: Asn,
    /// The AS it must have.
    pub asn: Asn,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// Our address of the session, and our NEXT_HOP of its family.
    pub local_address: Option<IpAddr>,
    /// Wait to be called instead of dialling.
    pub passive: bool,
    /// Families that we offer.
    pub families: Families,
    /// Hold time that we offer: zero (never) or at least 3 s. Keepalives go at a third of what
    /// was agreed.
    pub hold: Duration,
    /// Mean time between attempts to connect; jittered by 0.75 to 1 (RFC 4271 §10).
    pub connect_retry: Duration,
}

/// What both sides of an Established session agreed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Negotiated {
    /// The neighbour's AS (four octets where it has them).
    pub asn: Asn,
    /// The neighbour's BGP identifier.
    pub router_id: Ipv4Addr,
    /// Families that both offered; without the multiprotocol capability, IPv4 (RFC 4760 §8).
    pub families: Families,
    /// AS numbers are four octets on this session (RFC 6793).
    pub as4: bool,
    /// The neighbour understands ROUTE-REFRESH (RFC 2918).
    pub refresh: bool,
    /// The neighbour sends End-of-RIB: it offered graceful restart (RFC 4724 §3).
    pub end_of_rib: bool,
    /// The agreed hold time; zero: no keepalives.
    pub hold: Duration,
}

/// Why a session is not up (any more), as far as we know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DownReason {
    /// We ended it, saying this.
    Sent(Notification),
    /// The neighbour ended it, saying this.
    Received(Notification),
    /// The connection broke: the words of the operating system.
    Lost(String),
    /// It could not be made: the words of the operating system.
    ConnectFailed(String),
}

/// The state of RFC 4271 §8.2.2 as operators know it: of the more advanced connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum State {
    /// Not started, or refusing for a moment after an error.
    Idle,
    /// An attempt to connect is under way.
    Connect,
    /// Waiting to try again or to be called.
    Active,
    /// Our OPEN is out.
    OpenSent,
    /// OPENs are exchanged.
    OpenConfirm,
    /// Routes flow.
    Established,
}

/// What an operator would want to read, once each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PeerEvent {
    /// The state changed.
    State {
        /// What it was.
        from: State,
        /// What it is.
        to: State,
    },
    /// An attempt or a session ended, and why. Not repeated while attempts fail alike.
    Down(DownReason),
    /// An UPDATE was malformed but the session stays (RFC 7606): what was done about it.
    Malformed(String),
    /// OPENs differ in a way that leaves the session less than configured
    /// ("no ipv6: the neighbour does not offer it").
    Mismatch(String),
}

/// Counters and times of a neighbour, for `bgpctl`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerStatus {
    /// State of the more advanced connection.
    pub state: State,
    /// When it entered it.
    pub since: Time,
    /// Set while Established.
    pub negotiated: Option<Negotiated>,
    /// What the neighbour's OPEN offered; empty unless Established.
    pub capabilities: Vec<Capability>,
    /// The last end, or failed attempt, and its time.
    pub last_down: Option<(DownReason, Time)>,
    /// How often an Established session was lost.
    pub flaps: u32,
    /// Messages received, by kind.
    pub received: Counters,
    /// Messages sent, by kind (UPDATEs are counted by the pump that pulls them).
    pub sent: Counters,
    /// When the last message came.
    pub last_received: Option<Time>,
}

/// Messages by kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// OPEN.
    pub opens: u64,
    /// UPDATE.
    pub updates: u64,
    /// KEEPALIVE.
    pub keepalives: u64,
    /// NOTIFICATION.
    pub notifications: u64,
    /// ROUTE-REFRESH.
    pub refreshes: u64,
    /// Octets of whole messages.
    pub octets: u64,
}
