//! Next hops and who uses them, in the control API.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Prefixes, Reached};

/// A next hop that accepted paths name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Nexthop {
    /// The NEXT_HOP attribute.
    pub next_hop: IpAddr,
    /// Whether there is a way to it.
    pub state: NexthopState,
    /// The interior cost to it (RFC 4271 §9.1.2.2 e), where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<u32>,
    /// How it is reached: mostly one way, and another for routes of another pool.
    pub reached: Vec<Reached>,
    /// Accepted paths that name it, in use or not.
    pub paths: u64,
    /// The neighbours that these came from, by name.
    pub from: Vec<String>,
    /// The destinations to which it is used.
    pub routes: Prefixes,
}

/// Whether there is a way to a next hop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NexthopState {
    /// There is.
    Reachable,
    /// There is none.
    Unreachable,
    /// The kernel has not answered yet.
    Unanswered,
}
