//! The JSON of the control API, `/v1`: what `starlingd` says and `bgpctl` (or `curl`) reads.
//!
//! Rules that hold for every type here, so that scripts may lean on them:
//!
//! * names are snake_case; within `/v1` fields are added, never renamed, removed or given another
//!   meaning; a reader ignores fields that it does not know;
//! * a span of time is a whole number of seconds in a field that ends in `_s` (BFD's intervals: of
//!   milliseconds, `_ms`); "how long ago" and
//!   "for how long", never a wall-clock time ([`Event`] aside), so that two clocks need not agree;
//! * addresses and prefixes are strings in their usual form, AS numbers are numbers;
//! * fields of words (`why`, `reason`, `warning`, `text`) are sentences for people: show them, do
//!   not parse them. What a program may branch on is an enum beside them.
//!
//! `openapi.json` beside this file says all of it to programs; a test makes it of these types and of
//! `openapi/operations.rs`, where a path gets its line.
//!
//! | Request | Answer |
//! |---|---|
//! | `GET /v1/version` | [`Version`] |
//! | `GET /v1/openapi.json` | this, in OpenAPI 3.1 |
//! | `GET /v1/summary` with [`SummaryQuery`] | [`Summary`] |
//! | `GET /v1/neighbors` with [`NeighborQuery`], `GET /v1/neighbors/{name or address}` | array of [`Neighbor`], one [`Neighbor`] |
//! | `GET /v1/bfd` | array of [`BfdSession`] |
//! | `POST /v1/neighbors/{name or address}/down` with `reason`, `…/clear` likewise, `…/up`, `…/drain`, `…/undrain`, `…/refresh`, `…/resend` (Unix socket only) | the [`Neighbor`], as [`Steer`] has left it |
//! | `GET /v1/networks` | array of [`Network`], what this node originates |
//! | `POST /v1/networks/add`, `…/delete`, with `prefix`, once or more, or a body of lines as [`network::lines`] reads them; `…/flush` (Unix socket only) | array of [`Network`], after the change |
//! | `GET /v1/routes` with [`RouteQuery`] | NDJSON, one [`Route`] a line |
//! | `GET /v1/mrt` | the table as MRT's TABLE_DUMP_V2 (RFC 6396); cut off where it had to stop half-way |
//! | `GET /v1/nodes` | array of [`Node`] |
//! | `GET /v1/mesh` (over TCP this node's own row alone) | array of [`MeshRow`], a row and a column for each node |
//! | `GET /v1/memory` | [`Memory`] |
//! | `GET /v1/nexthops` with [`NexthopQuery`] | array of [`Nexthop`], with the routes that use each |
//! | `GET /v1/interfaces` with [`InterfaceQuery`] | array of [`Interface`], with who uses each |
//! | `GET /v1/fib` with [`FibQuery`] | NDJSON, one [`FibEntry`] a line |
//! | `POST /v1/fib/couple`, `…/decouple`, `…/flush` (Unix socket only) | [`FibCoupling`], how the kernel stands then |
//! | `GET /v1/why` with [`WhyQuery`] (`both` on the Unix socket only) | [`Why`] |
//! | `POST /v1/fib/audit` (Unix socket only) | [`FibAudit`], what the kernel's table came to, route by route |
//! | `GET /v1/doctor` | [`Diagnosis`], what breaks such networks, looked for on this node |
//! | `GET /v1/pods` | NDJSON, one [`Pod`] a line |
//! | `GET /v1/events` with [`EventQuery`] | NDJSON without an end, one [`Event`] a line; `Accept: text/event-stream`: server-sent events of the same |
//! | `GET /` (where nothing may be changed) | the node's page for a browser |
//! | `GET /v1/policies` | array of [`Policy`] |
//! | `GET /v1/policy/test` with [`PolicyQuery`] | array of [`PolicyTest`] |
//! | `GET /v1/log`; `POST /v1/log` with `filter` (Unix socket only) | [`LogFilter`], what is logged (then) |
//! | `POST /v1/reload` with `reason` (Unix socket only) | [`ReloadResult`]; status 422 when nothing was changed because of `errors` |
//! | `POST /v1/plan` with a file for a body, `name` and `all` (Unix socket only) | [`Plan`], what that file would do; status 422 when it has `errors` |
//! | `POST /v1/apply`, likewise, and with `confirm_s`, `runtime` and `reason` | [`Applied`]; status 422 likewise, 409 while another change waits to be confirmed. The files are for the caller to write |
//! | `POST /v1/confirm` with `dry`; `POST /v1/rollback` with `to`, `runtime`, `all`, `reason`, `dry` (Unix socket only) | [`Applied`]; status 409 when there is nothing to confirm, 404 nothing to go back to |
//! | `GET /v1/generations` | array of [`Generation`], the configurations that were in force, the newest first |
//! | `GET /livez`, `GET /readyz` | [`Live`], [`Ready`]; status 503 when not |
//! | `GET /metrics` | OpenMetrics, or Prometheus' older text form where that is not asked for |
//! | anything not understood | [`ApiError`] with 400, 403, 404 or 405; with 503 when the daemon cannot answer now |
//!
//! An NDJSON answer that had to stop half-way ends in one line that is an [`ApiError`]: such a
//! table is not complete.

mod attributes;
mod bfd;
pub mod change;
mod counters;
mod doctor;
mod down;
mod event;
mod fib;
mod interface;
mod memory;
mod mesh;
pub mod network;
mod nexthop;
#[cfg(test)]
mod openapi;
mod peer;
mod pod;
pub mod policy;
pub mod query;
mod route;
pub mod select;
mod why;

pub use attributes::Attributes;
pub use bfd::{BfdSession, BfdState};
pub use change::{
    Applied, ChangeQuery, ConfigFile, Generation, Plan, Prefixes, Proposal, RouteFate, RoutePlan,
    RouteShift, SessionFate, SessionPlan, Terms,
};
pub use counters::{Counters, Updates};
pub use doctor::{Diagnosis, Finding, Level, Unchecked};
pub use down::DownCause;
pub use event::{
    BestPath, Event, EventKind, EventQuery, FibAction, FibEvent, Happening, RouteEvent,
    SessionEvent,
};
pub use fib::{AuditFault, AuditFinding, FibAudit, FibCoupling};
pub use interface::{Interface, LinkState};
pub use memory::{Memory, MemoryKind};
pub use mesh::{MeshRow, Sight};
pub use network::{Network, NetworkAttributes, NetworkChange, NetworkLine, Wish};
pub use nexthop::{Nexthop, NexthopState};
pub use peer::{
    Agreed, Authentication, Configured, FamilyRoutes, Graceful, LastDown, Limit, LimitAction,
    Neighbor, PeerKind, PeerSummary, RangeSummary, Refused, SessionState, Steer, Timers, Transport,
};
pub use pod::Pod;
pub use policy::{
    Place, Policy, PolicyQuery, PolicyRule, PolicyStep, PolicyTest, PolicyUse, TestedRoute,
};
pub use query::{Lookup, RouteQuery};
pub use route::{
    Change, FibEntry, How, Kernel, KernelState, Node, Origin, Path, Reach, Reached, Route, Sent,
    SentState, Stale, UsedHop, Waits,
};

pub use select::{FibQuery, InterfaceQuery, NeighborQuery, NexthopQuery, SummaryQuery};
pub use why::{
    About, Back, Cause, Fact, KernelAnswer, KernelResult, Outcome, Owner, Tone, Why, WhyQuery,
};

use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// Which program answers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Version {
    /// Always "starling".
    pub name: String,
    /// The release, as in Cargo.toml.
    pub version: String,
    /// The commit it was built from, where the build knew it.
    pub commit: Option<String>,
    /// The number in `/v1`.
    pub api: u32,
}

impl Version {
    /// Of the program that this is compiled into.
    pub fn this() -> Version {
        Version {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: option_env!("STARLING_COMMIT").map(str::to_owned),
            api: 1,
        }
    }
}

/// The node and its sessions at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// This node's name in the configuration.
    pub node: String,
    /// Its AS.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// How long the daemon has run.
    pub uptime_s: u64,
    /// Which configuration is in force: one more at every successful reload. It counts on after a
    /// restart where the daemon has a folder for its state, else from 1.
    pub generation: u64,
    /// How long ago it came into force.
    #[serde(default)]
    pub reloaded_s: u64,
    /// SHA-256 of its files, one after the other.
    #[serde(default)]
    pub digest: String,
    /// The first of them.
    #[serde(default)]
    pub config_file: std::path::PathBuf,
    /// It is undone in so many seconds, unless it is confirmed.
    #[serde(default)]
    pub confirm_s: Option<u64>,
    /// The kernel still holds routes of before the daemon's start that no neighbour has said again.
    #[serde(default)]
    pub recovering: bool,
    /// The memory that the daemon has in use (VmRSS), in bytes; none: the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<u64>,
    /// Whether the node does its job, and if not why.
    pub ready: Ready,
    /// All neighbours, in the order of their addresses, or those that were asked for.
    pub peers: Vec<PeerSummary>,
    /// How many there are in all.
    #[serde(default)]
    pub neighbors: u64,
    /// Where others may call from.
    #[serde(default)]
    pub ranges: Vec<RangeSummary>,
    /// Other programs that changed this node's routes in the kernel.
    #[serde(default)]
    pub rivals: Vec<Rival>,
    /// Connections refused since the daemon started before they were any neighbour's.
    #[serde(default)]
    pub refused_connections: u64,
}

/// Another program that writes to this node's routes in the kernel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rival {
    /// The rtm_protocol of what is there now; none: our route was removed, by whom the kernel does
    /// not say.
    pub protocol: Option<u8>,
    /// What it did, in words.
    pub what: String,
    /// Changes in the last 60 s.
    pub recent: u64,
    /// Changes since the daemon started.
    pub total: u64,
    /// The destination that it changed last.
    #[cfg_attr(test, schemars(with = "String"))]
    pub last: ipnet::IpNet,
    /// How long ago.
    pub last_s: u64,
}

impl Rival {
    /// What it is called where it is one of several.
    pub fn name(&self) -> String {
        match self.protocol {
            Some(protocol) => format!("proto {protocol}"),
            None => "unknown".to_owned(),
        }
    }
}

/// Whether the node does its job (`/readyz`).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ready {
    /// It does.
    pub ready: bool,
    /// Why not. May hold entries while `ready` is true: what is wrong without making the node
    /// useless.
    pub reasons: Vec<Reason>,
}

/// One thing that is wrong. The codes:
///
/// | `code` | `subject` | the node is not ready |
/// |---|---|---|
/// | `starting` | a neighbour | its session is up, and not all that it announces has come yet |
/// | `kernel` | "fib" | routes wait to be written, or the kernel's table is being read |
/// | `refused` | "fib" | the kernel will not have routes |
/// | `decoupled` | "fib" | the operator has decoupled it |
/// | `no_ipip`, `no_tunnel`, `tunnel_pending` | "ipip", "tunnel" | a pool needs the tunnel |
/// | `cut_off` | the node | most neighbours fell silent at once |
/// | `session_down` | a neighbour | only where no session is up; `cause` says why |
/// | `sessions_down` | how many more | likewise |
/// | `rival` | "proto 80" | no: somebody else writes to our routes |
/// | `unconfirmed`, `config_rejected` | the generation | no |
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reason {
    /// For programs: a snake_case word that names the kind of trouble ("no_ipip").
    pub code: String,
    /// What it is about: a peer, a prefix, a device ("tunl0").
    pub subject: String,
    /// Of `session_down`: why, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<DownCause>,
    /// The sentence for people, with what to do.
    pub text: String,
}

/// What the daemon logs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogFilter {
    /// A level (error, warn, info, debug, trace), or levels of modules: "info,starling_fib=debug".
    pub filter: String,
}

/// The answer of `/livez`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Live {
    /// True; a daemon that is not alive answers [`ApiError`] with 503, or not at all.
    pub live: bool,
}

/// What became of a reload.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReloadResult {
    /// The file is in force. False: it had errors and the running configuration is untouched.
    pub ok: bool,
    /// The configuration that is in force now.
    pub generation: u64,
    /// What changed, one sentence each; empty when the file says the same as before.
    pub changes: Vec<String>,
    /// What is wrong with the file, one entry each (may be several lines: place, line, hint).
    pub errors: Vec<String>,
}

/// A request that could not be answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[error("{error}")]
pub struct ApiError {
    /// What is wrong.
    pub error: String,
    /// What to do instead.
    pub hint: Option<String>,
}

impl ApiError {
    /// Without a hint.
    pub fn new(error: impl Into<String>) -> ApiError {
        ApiError { error: error.into(), hint: None }
    }

    /// With the advice `hint`.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> ApiError {
        self.hint = Some(hint.into());
        self
    }
}

/// A span of time in at most two units: `12s`, `3m02s`, `4h07m`, `2d04h`, `123d`.
pub fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86400 => format!("{hours}h{:02}m", minutes % 60),
        _ if days < 100 => format!("{days}d{:02}h", hours % 24),
        _ => format!("{days}d"),
    }
}

#[cfg(test)]
mod tests;
