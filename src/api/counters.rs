//! What is counted of a neighbour's session, both ways, since the daemon has known it.

use serde::{Deserialize, Serialize};
use starling_bgp::{msg, session};

/// Messages by kind.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

impl From<session::Counters> for Counters {
    fn from(c: session::Counters) -> Counters {
        Counters {
            opens: c.opens,
            updates: c.updates,
            keepalives: c.keepalives,
            notifications: c.notifications,
            refreshes: c.refreshes,
            octets: c.octets,
        }
    }
}

/// What UPDATEs say: how many prefixes, again and again as it may be.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Updates {
    /// Announced.
    pub announced: u64,
    /// Withdrawn.
    pub withdrawn: u64,
}

impl From<msg::Prefixes> for Updates {
    fn from(prefixes: msg::Prefixes) -> Updates {
        let msg::Prefixes { announced, withdrawn } = prefixes;
        Updates { announced, withdrawn }
    }
}
