//! Neighbours in the control API: one line of the summary, and everything about one of them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use starling_bgp::{session, types};

use super::{BfdSession, Counters, DownCause, Updates};

/// What a neighbour is to this node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PeerKind {
    /// Another node of the cluster (iBGP, full mesh).
    Mesh,
    /// A router in our AS.
    Internal,
    /// A router in another AS.
    External,
}

impl From<types::PeerKind> for PeerKind {
    fn from(kind: types::PeerKind) -> PeerKind {
        match kind {
            types::PeerKind::Mesh => PeerKind::Mesh,
            types::PeerKind::Internal => PeerKind::Internal,
            types::PeerKind::External => PeerKind::External,
        }
    }
}

impl fmt::Display for PeerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PeerKind::Mesh => "mesh",
            PeerKind::Internal => "iBGP",
            PeerKind::External => "eBGP",
        })
    }
}

/// The states of RFC 4271 §8.2.2.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// Not started, or waiting before it tries again.
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

impl SessionState {
    /// Every state, in the RFC's order.
    pub const ALL: [SessionState; 6] = [
        SessionState::Idle,
        SessionState::Connect,
        SessionState::Active,
        SessionState::OpenSent,
        SessionState::OpenConfirm,
        SessionState::Established,
    ];
}

impl From<session::State> for SessionState {
    fn from(state: session::State) -> SessionState {
        match state {
            session::State::Idle => SessionState::Idle,
            session::State::Connect => SessionState::Connect,
            session::State::Active => SessionState::Active,
            session::State::OpenSent => SessionState::OpenSent,
            session::State::OpenConfirm => SessionState::OpenConfirm,
            session::State::Established => SessionState::Established,
        }
    }
}

/// As the RFC spells them.
impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SessionState::Idle => "Idle",
            SessionState::Connect => "Connect",
            SessionState::Active => "Active",
            SessionState::OpenSent => "OpenSent",
            SessionState::OpenConfirm => "OpenConfirm",
            SessionState::Established => "Established",
        })
    }
}

/// One neighbour at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PeerSummary {
    /// Its name in the configuration ("server2", "gw0").
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// The interface that the session is bound to; always set where the address is link-local.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// It called from this range: it is a dynamic neighbour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub range: Option<IpNet>,
    /// The AS it must have.
    pub asn: u32,
    /// What it is to us.
    pub kind: PeerKind,
    /// Where the session stands.
    pub state: SessionState,
    /// For how long it has been in that state.
    pub since_s: u64,
    /// Prefixes that it has announced to us and not withdrawn.
    pub received: u64,
    /// Those of them that the import policy lets pass.
    pub accepted: u64,
    /// Prefixes that we have announced to it and not withdrawn.
    pub sent: u64,
    /// Why the session is not up, for people ("connection refused", "AS mismatch: …"). What one
    /// side said to the other (a NOTIFICATION) stays until another one or a session, or until nobody
    /// answers there.
    pub reason: Option<String>,
    /// How the last attempt failed since then, where that is another way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_then: Option<String>,
    /// `reason` for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<DownCause>,
}

impl PeerSummary {
    /// Its address, with the link where that is needed: "fe80::1%eth0".
    pub fn place(&self) -> String {
        match (self.address, &self.interface) {
            (IpAddr::V6(v6), Some(interface)) if v6.is_unicast_link_local() => {
                format!("{v6}%{interface}")
            }
            _ => self.address.to_string(),
        }
    }
}

/// A range that neighbours may call from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RangeSummary {
    /// Its name in the configuration.
    pub name: String,
    /// The addresses.
    #[cfg_attr(test, schemars(with = "String"))]
    pub range: IpNet,
    /// The AS numbers that they may have, in words.
    pub asns: String,
    /// How many neighbours of it there are.
    pub neighbors: usize,
    /// How many there may be.
    pub limit: usize,
}

/// How the connection under a session is made and protected.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Transport {
    /// The neighbour's port, where we dial.
    pub port: u16,
    /// What signs every segment; `None`: nothing.
    pub authentication: Option<Authentication>,
    /// So many hops away at most (GTSM, RFC 5082); `None`: no matter how many.
    pub ttl_security: Option<u8>,
    /// The TTL of what we send; `None`: the kernel's, or 255 with `ttl_security`.
    pub multihop: Option<u8>,
}

/// What signs segments. The key itself is never shown.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Authentication {
    /// TCP MD5 (RFC 2385).
    Md5,
    /// TCP-AO (RFC 5925).
    TcpAo {
        /// Its algorithm.
        algorithm: String,
        /// KeyID of what we send.
        send_id: u8,
        /// KeyID of what comes.
        receive_id: u8,
    },
}

/// Everything about one neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Neighbor {
    /// The line of the summary; its fields stand beside the others.
    #[serde(flatten)]
    pub summary: PeerSummary,
    /// It is another node.
    #[serde(default)]
    pub node: bool,
    /// Every node has it, by the mesh or by a `[[peer]]` for all.
    #[serde(default)]
    pub everywhere: bool,
    /// The groups that it is in by the configuration: `mesh`, `ibgp` or `ebgp`, and for what it
    /// shares with others `range=NAME`, its node's labels (`rack=rack0`), `role=ROLE`, `clients`,
    /// `import=POLICY`, `export=POLICY`.
    #[serde(default)]
    pub groups: Vec<String>,
    /// It is another node, and this its address of the family that the session does not run over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_address: Option<IpAddr>,
    /// Its routes, by family of the session.
    #[serde(default)]
    pub routes: Vec<FamilyRoutes>,
    /// Our address of the session, where it is known.
    pub local_address: Option<IpAddr>,
    /// Our AS towards it.
    pub local_asn: u32,
    /// What we offer it.
    pub configured: Configured,
    /// How its connection is made and protected.
    pub transport: Transport,
    /// What both sides agreed; set while Established.
    pub agreed: Option<Agreed>,
    /// What our last OPEN offered, in words.
    #[serde(default)]
    pub offered: Vec<String>,
    /// What the neighbour's OPEN offers, in words; empty unless Established.
    #[serde(default)]
    pub offers: Vec<String>,
    /// `bgpctl neighbor NAME down` holds it.
    #[serde(default)]
    pub held: bool,
    /// Traffic is being taken off it (RFC 8326).
    #[serde(default)]
    pub draining: bool,
    /// Messages received.
    pub messages_received: Counters,
    /// Messages sent.
    pub messages_sent: Counters,
    /// Prefixes in its UPDATEs.
    #[serde(default)]
    pub updates_received: Updates,
    /// Prefixes in our UPDATEs to it.
    #[serde(default)]
    pub updates_sent: Updates,
    /// How long ago the last message came.
    pub last_received_s: Option<u64>,
    /// The last end of a session, or failed attempt.
    pub last_down: Option<LastDown>,
    /// The last end of a session that was up; attempts that failed since are no such end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_lost: Option<LastDown>,
    /// After an error of its own it is left alone for so long yet: neither called nor let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_left_s: Option<u64>,
    /// How long its timers run yet.
    #[serde(default)]
    pub timers: Timers,
    /// How often an Established session was lost.
    pub flaps: u64,
    /// Paths from it that are kept and not used: import rejects them, or they are over the limit.
    #[serde(default)]
    pub filtered: u64,
    /// Of those, what is over the limit.
    #[serde(default)]
    pub over_limit: u64,
    /// Paths from it that it has not said again since its session ended or a refresh began.
    #[serde(default)]
    pub stale: u64,
    /// What it announced in this session that counts as withdrawn; the latest ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<Refused>,
    /// How many prefixes it may send, for the families where there is a limit.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// What may come from it, in words.
    pub import: String,
    /// What goes to it, in words.
    pub export: String,
    /// BFD with it; none: off.
    #[serde(default)]
    pub bfd: Option<BfdSession>,
    /// What leaves the session less than configured ("no ipv6: the neighbour does not offer
    /// it") and malformed messages that it survived (RFC 7606), latest last.
    pub notes: Vec<String>,
}

/// A neighbour's routes of one family.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FamilyRoutes {
    /// "ipv4" or "ipv6".
    pub family: String,
    /// Paths that it has announced and not withdrawn.
    pub received: u32,
    /// Those of them that the import policy lets pass.
    pub accepted: u32,
    /// Those of them that are in use.
    pub best: u32,
    /// Prefixes that we have announced to it and not withdrawn.
    pub sent: u32,
}

/// An announcement that counts as withdrawn: a loop, or malformed (RFC 7606).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Refused {
    /// The prefix.
    #[cfg_attr(test, schemars(with = "String"))]
    pub prefix: IpNet,
    /// Why ("our own AS is in AS_PATH").
    pub why: String,
    /// How long ago.
    pub ago_s: u64,
}

/// How many prefixes of a family a neighbour may send.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Limit {
    /// "ipv4" or "ipv6".
    pub family: String,
    /// So many.
    pub max: u32,
    /// So many have come.
    pub received: u32,
    /// What happens to more.
    pub action: LimitAction,
    /// With `close`: when the session begins again; none: when the operator says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart_s: Option<u64>,
}

/// What happens to prefixes over a limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LimitAction {
    /// They are used, and it is said.
    Warn,
    /// They are kept as filtered.
    Drop,
    /// The session ends.
    Close,
}

/// What we offer a neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Configured {
    /// Families: "ipv4", "ipv6".
    pub families: Vec<String>,
    /// Hold time; 0: none.
    pub hold_s: u64,
    /// Time between keepalives at that hold time; 0: none.
    #[serde(default)]
    pub keepalive_s: u64,
    /// How long our octets may wait unsent at that hold time (RFC 9687).
    #[serde(default)]
    pub send_hold_s: u64,
    /// Mean time between attempts to connect.
    pub connect_retry_s: u64,
    /// We wait to be called.
    pub passive: bool,
    /// So long it is left alone after its first error, in milliseconds; 0: not at all.
    #[serde(default)]
    pub idle_hold_ms: u64,
    /// And so long at most, after several.
    #[serde(default)]
    pub idle_hold_max_ms: u64,
}

/// What both sides of an Established session agreed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Agreed {
    /// The neighbour's BGP identifier.
    pub router_id: Ipv4Addr,
    /// The neighbour's AS.
    pub asn: u32,
    /// Families in use: "ipv4", "ipv6" (RFC 4760).
    pub families: Vec<String>,
    /// AS numbers are four octets (RFC 6793).
    pub four_octet_as: bool,
    /// The neighbour understands ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// The neighbour marks the end of its first announcements (RFC 4724 §2).
    pub end_of_rib: bool,
    /// Both mark beginning and end of what is sent again (RFC 7313).
    #[serde(default)]
    pub enhanced_refresh: bool,
    /// Messages may have 65535 octets (RFC 8654).
    #[serde(default)]
    pub extended_messages: bool,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    #[serde(default)]
    pub extended_next_hop: bool,
    /// Families in which several paths for a prefix come (RFC 7911).
    #[serde(default)]
    pub add_path_receive: Vec<String>,
    /// Families in which several go.
    #[serde(default)]
    pub add_path_send: Vec<String>,
    /// What the neighbour is, if it says so: "customer", … (RFC 9234).
    #[serde(default)]
    pub role: Option<String>,
    /// What becomes of the neighbour's routes when it restarts; `null`: they go at once.
    #[serde(default)]
    pub graceful: Option<Graceful>,
    /// Hold time; 0: none.
    pub hold_s: u64,
    /// Time between keepalives; 0: none.
    pub keepalive_s: u64,
    /// How long our octets may wait unsent (RFC 9687).
    #[serde(default)]
    pub send_hold_s: u64,
}

/// Graceful restart as the neighbour offers it (RFC 4724, 8538, 9494).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Graceful {
    /// Families whose routes survive its restart.
    pub families: Vec<String>,
    /// Those whose forwarding state it had kept when this session began.
    pub preserved: Vec<String>,
    /// It had just restarted when this session began.
    pub restarting: bool,
    /// A NOTIFICATION counts as a restart too, unless it is a hard reset (RFC 8538).
    pub notification: bool,
    /// For so long its routes are kept while it is away.
    pub time_s: u64,
    /// And for so long after that, depreferenced: IPv4, IPv6.
    pub long_lived_s: [u64; 2],
}

/// What is done to a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Steer {
    /// It ends, with these words for the neighbour (RFC 9003), and stays so.
    Down {
        /// At most 255 octets of them are sent; may be empty.
        reason: String,
    },
    /// It may begin again.
    Up,
    /// Traffic is taken off it while the session stays (RFC 8326), or not any more.
    Drain {
        /// Which of the two.
        on: bool,
    },
    /// It is asked for its routes again (RFC 2918).
    Refresh,
    /// It is sent ours again.
    Resend,
    /// It ends and begins again (Cease, Administrative Reset), with graceful restart where both
    /// ends have it; with these words for the neighbour, where it ends with a NOTIFICATION.
    Clear {
        /// At most 255 octets of them are sent; may be empty.
        reason: String,
    },
}

/// Seconds until timers of a session end (RFC 4271 §10), rounded up; none: it does not run.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timers {
    /// It is called again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_retry_s: Option<u64>,
    /// Without a word from it the session ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_s: Option<u64>,
    /// It is told that we are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keepalive_s: Option<u64>,
    /// If it takes nothing of what waits for it, the session ends (RFC 9687).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send_hold_s: Option<u64>,
}

/// The last end of a session, or failed attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastDown {
    /// Why, for people: who ended it and in which words.
    pub text: String,
    /// How long ago.
    pub ago_s: u64,
}
