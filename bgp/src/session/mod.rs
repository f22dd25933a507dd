//! A session with one neighbour (RFC 4271 §8): the state machine, its two connection slots, what
//! was negotiated. The unit is the *neighbour*, not the connection, so that a collision (§6.8),
//! normal in a mesh where both ends dial, is a transition like any other.
//!
//! ```text
//!  fsm        events in, effects out: every event is accepted in every state
//!  ├ conn       one connection, and what is true of it
//!  ├ negotiate  two OPENs ──► Negotiated, or the NOTIFICATION that refuses
//!  ├ collision  two connections ──► the one that stays
//!  ├ restart    what survives the end of a session, at either end (RFC 4724, 8538)
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
pub mod refused;
pub mod restart;
pub(crate) mod timer;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use refused::Unusable;
pub use timer::send_hold;

use crate::bfd::{Cause, Loss};
use crate::types::{Asn, Families, PeerId, PeerKind, Role, Time};
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
    /// How long it is left alone after an error of its own.
    pub idle_hold: IdleHold,
    /// How long our own bytes may wait unsent before the session ends (RFC 9687). `None`: the
    /// RFC's default, eight minutes or twice the hold time, whichever is longer.
    pub send_hold: Option<Duration>,
    /// What the OPEN offers beside families.
    pub offer: Offer,
    /// How often our own AS may be in a received AS_PATH before the route counts as looped.
    pub allow_own_as: u8,
    /// An external neighbour's AS_PATH must begin with its AS (RFC 4271 §6.3). Not so for a
    /// route server (RFC 7947 §2.2.2.1).
    pub first_as: bool,
    /// Our CLUSTER_ID (RFC 4456 §8), if we reflect: a route that carries it is looped.
    pub cluster_id: Option<Ipv4Addr>,
}

/// After an error of the neighbour its connections are refused and it is not called, for a time
/// that doubles with each error that follows (RFC 4271 §8.1.1, IdleHoldTime and
/// DampPeerOscillations).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdleHold {
    /// After the first error; zero: it may come back at once, whatever it did.
    pub first: Duration,
    /// At most; `None`: `connect_retry`.
    pub most: Option<Duration>,
}

impl Default for IdleHold {
    fn default() -> IdleHold {
        IdleHold { first: Duration::from_secs(1), most: None }
    }
}

/// What an OPEN offers beside families. The default is what serves everybody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Messages of up to 65535 octets (RFC 8654).
    pub extended_messages: bool,
    /// IPv4 routes with IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// We take several paths for a prefix (RFC 7911).
    pub add_path_receive: bool,
    /// We send several paths for a prefix.
    pub add_path_send: bool,
    /// Graceful restart.
    pub restart: Restart,
    /// What we are to the neighbour (RFC 9234), if it was said.
    pub role: Option<Role>,
    /// A neighbour that does not say its role is refused (RFC 9234 §4.2, strict mode).
    pub strict_role: bool,
}

impl Default for Offer {
    fn default() -> Offer {
        Offer {
            extended_messages: true,
            extended_next_hop: false,
            add_path_receive: false,
            add_path_send: false,
            restart: Restart::default(),
            role: None,
            strict_role: false,
        }
    }
}

/// Graceful restart as we offer it (RFC 4724, 8538, 9494).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restart {
    /// How long the neighbour shall keep our routes while we are away, at most 4095 s; zero: not
    /// at all, and only End-of-RIB is promised (RFC 4724 §3).
    pub time: Duration,
    /// We keep the neighbour's routes while it is away.
    pub helper: bool,
    /// How long stale routes are kept after the restart time (RFC 9494), at most 2^24 - 1 s;
    /// zero: not at all.
    pub long_lived: Duration,
}

impl Default for Restart {
    fn default() -> Restart {
        Restart { time: Duration::from_secs(120), helper: true, long_lived: Duration::ZERO }
    }
}

/// What our next OPENs say of ourselves (RFC 4724 §3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Forwarding {
    /// We have just started and still learn (the R bit).
    pub restarting: bool,
    /// The kernel's routes outlived the daemon that wrote them (the F bits).
    pub preserved: bool,
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
    /// Both mark the beginning and the end of a refresh (RFC 7313).
    pub enhanced_refresh: bool,
    /// Both read messages of up to 65535 octets (RFC 8654).
    pub extended_messages: bool,
    /// IPv4 routes may have IPv6 next hops, both ways (RFC 8950).
    pub extended_next_hop: bool,
    /// Families in which the neighbour's prefixes have path identifiers (RFC 7911).
    pub add_path_receive: Families,
    /// Families in which ours have.
    pub add_path_send: Families,
    /// What the neighbour says of its restarts; `None`: graceful restart is not in use.
    pub graceful: Option<Graceful>,
    /// The neighbour's role (RFC 9234), if it says one.
    pub role: Option<Role>,
}

impl Default for Negotiated {
    /// What a speaker without any capability gets.
    fn default() -> Negotiated {
        Negotiated {
            asn: Asn(0),
            router_id: Ipv4Addr::UNSPECIFIED,
            families: Families::from_iter([crate::types::Family::Ipv4]),
            as4: false,
            refresh: false,
            end_of_rib: false,
            hold: Duration::ZERO,
            enhanced_refresh: false,
            extended_messages: false,
            extended_next_hop: false,
            add_path_receive: Families::NONE,
            add_path_send: Families::NONE,
            graceful: None,
            role: None,
        }
    }
}

/// Graceful restart as the neighbour offers it and we take it (RFC 4724 §3, RFC 8538 §2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Graceful {
    /// Families whose routes survive a restart: named in its capability.
    pub families: Families,
    /// Of those, the ones whose forwarding state it has preserved (the F bit).
    pub preserved: Families,
    /// It has just restarted and still learns (the R bit).
    pub restarting: bool,
    /// Both take a NOTIFICATION as a restart too, unless it is a hard reset (the N bit).
    pub notification: bool,
    /// How long it wants its routes kept while it is away.
    pub time: Duration,
    /// How long after that they may stay, marked as stale, per family (IPv4, IPv6); zero: not
    /// (RFC 9494).
    pub long_lived: [Duration; 2],
}

/// What stays of a neighbour's routes when its session ends (RFC 4724 §4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Retain {
    /// Families whose routes stay, as stale.
    pub families: Families,
    /// For so long.
    pub time: Duration,
    /// And for so long after it, depreferenced, per family (RFC 9494); zero: not.
    pub long_lived: [Duration; 2],
}

/// Why a session is not up (any more), as far as we know it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DownReason {
    /// We ended it, saying this.
    Sent(Notification),
    /// We ended it for this reason, but without a word: the neighbour keeps our routes until we
    /// are back (RFC 4724 §4.1).
    Left(Notification),
    /// The neighbour ended it, saying this.
    Received(Notification),
    /// The connection broke: the words of the operating system.
    Lost(String),
    /// It could not be made: the words of the operating system.
    ConnectFailed(String),
    /// We ended it with Cease, BFD Down (RFC 9384): the path to the neighbour does not work. Its
    /// routes are not retained: it is not its daemon alone that is gone.
    Bfd(Loss),
    /// The interface that leads to the directly connected neighbour is dead, in words. Its routes
    /// are retained where they would be after a lost connection: those behind that interface are
    /// unusable until it is back.
    Link(String),
    /// The kernel could not learn the directly connected neighbour's link-layer address, and its
    /// host did not acknowledge what was sent then, in words. Its routes are not retained: it is
    /// not its daemon alone that is gone.
    Unanswered(String),
}

impl DownReason {
    /// Whether it ended because nothing is heard any more, by which side's fault ever: of a dead
    /// interface all that is known is that nothing comes through it.
    pub fn is_silence(&self) -> bool {
        match self {
            DownReason::Bfd(Loss { cause: Cause::Silent(_), .. })
            | DownReason::Unanswered(_)
            | DownReason::Link(_) => true,
            DownReason::Sent(why) | DownReason::Left(why) => {
                *why == Notification::HOLD_TIMER_EXPIRED
            }
            _ => false,
        }
    }
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
    /// What our last OPEN offered; empty before the first one.
    pub offered: Vec<Capability>,
    /// The last end, or failed attempt, and its time.
    pub last_down: Option<(DownReason, Time)>,
    /// The last NOTIFICATION, sent or received, and its time, since there was a session.
    pub notified: Option<(DownReason, Time)>,
    /// The last end of an Established session, and its time.
    pub lost: Option<(DownReason, Time)>,
    /// How often an Established session was lost.
    pub flaps: u32,
    /// Messages received, by kind.
    pub received: Counters,
    /// Messages sent, by kind (UPDATEs are counted by the pump that pulls them).
    pub sent: Counters,
    /// When the last message came.
    pub last_received: Option<Time>,
    /// What it announced last that counts as withdrawn: a loop, or malformed.
    pub refused: Vec<Unusable>,
    /// Until then it is left alone, after an error; of one that is stopped, until it begins again.
    pub idle_until: Option<Time>,
    /// The timers that run.
    pub timers: Running,
}

impl PeerStatus {
    /// Why there is no session: what one side said to the other last, else how the last attempt or
    /// session ended; `None`: there is one, or nothing has failed yet. Where nobody answers at all,
    /// that is the reason, whatever was said while somebody did.
    pub fn why_down(&self) -> Option<&DownReason> {
        let away =
            |(reason, _): &&(DownReason, Time)| matches!(reason, DownReason::ConnectFailed(_));
        let last = self.last_down.as_ref();
        let why = last.filter(away).or(self.notified.as_ref()).or(last);
        why.filter(|_| self.state != State::Established).map(|(reason, _)| reason)
    }

    /// How the last attempt failed since then, where that is another way.
    pub fn since_then(&self) -> Option<&DownReason> {
        let (last, _) = self.last_down.as_ref()?;
        self.why_down().filter(|why| *why != last).map(|_| last)
    }
}

/// When the timers of a session end (RFC 4271 §10); `None`: it does not run.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Running {
    /// ConnectRetryTimer: it is called again.
    pub connect_retry: Option<Time>,
    /// HoldTimer: without a word from it the session ends.
    pub hold: Option<Time>,
    /// KeepaliveTimer: it is told that we are there.
    pub keepalive: Option<Time>,
    /// SendHoldTimer (RFC 9687): if it takes nothing of what waits, the session ends.
    pub send_hold: Option<Time>,
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
