//! Who sees whom: what each node says of all others.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Node, Reach, SessionState};

/// What one node sees.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MeshRow {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// Why it is not known what it sees; none: it has said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
    /// The other nodes, as it sees them; those that it has neither a session with nor routes to are
    /// left out.
    pub sees: Vec<Sight>,
}

/// A node as another one sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sight {
    /// The name of the one that is seen.
    pub name: String,
    /// How its pods are reached.
    pub reach: Reach,
    /// Where the session stands; none where there is to be none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionState>,
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_s: Option<u64>,
    /// Why it is not up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl MeshRow {
    /// The row of a node that lists its nodes so.
    pub fn of(name: String, address: IpAddr, nodes: Vec<Node>) -> MeshRow {
        let others = nodes.into_iter().filter(|node| node.name != name);
        let sees = others.map(|node| Sight {
            name: node.name,
            reach: node.reach,
            session: node.session,
            since_s: node.since_s,
            reason: node.reason,
        });
        MeshRow { sees: sees.collect(), name, address, unknown: None }
    }
}
