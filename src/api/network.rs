//! What a node originates, in the control API.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ApiError, Lookup};

/// A prefix that this node originates.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Network {
    /// The prefix.
    pub prefix: IpNet,
    /// On whose wish.
    pub wish: Wish,
    /// Neighbours are told.
    pub announced: bool,
    /// The kernel has a blackhole for it.
    pub blackhole: bool,
}

/// On whose wish a prefix is originated.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// The configuration's: a block, what blocks make together, or a network.
    Configured,
    /// The operator's, until the daemon ends.
    Operator,
    /// A local pod's, whose address is of another node's block.
    Borrowed,
    /// A local pod's, whose address is announced beside its block.
    Pod,
}

impl Wish {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Wish::Configured => "configuration",
            Wish::Operator => "operator",
            Wish::Borrowed => "borrowed address",
            Wish::Pod => "local pod",
        }
    }
}

/// Reads a prefix that is to be originated.
///
/// # Errors
/// What is wrong with it: no length, bits behind its length, no prefix at all.
pub fn prefix(text: &str) -> Result<IpNet, ApiError> {
    match text.parse()? {
        Lookup::Prefix(prefix) => Ok(prefix),
        Lookup::Address(address) => Err(ApiError::new(format!("`{address}` has no length"))
            .hint("a prefix looks like 10.50.0.0/16 or fd00:50::/64")),
    }
}
