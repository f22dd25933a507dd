//! What a node originates, in the control API.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ApiError, Lookup};

/// A prefix that this node originates.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Network {
    /// The prefix.
    #[cfg_attr(test, schemars(with = "String"))]
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// What an operator does about networks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NetworkChange {
    /// These are announced too.
    Add(Vec<IpNet>),
    /// These are announced no more, all of them or none.
    Delete(Vec<IpNet>),
    /// Nothing is announced any more that was added.
    Flush,
}

/// Reads prefixes that are to be originated, one or more a line; `#` begins a comment.
///
/// # Errors
/// What is wrong with the first bad one, and in which line.
pub fn lines(text: &str) -> Result<Vec<IpNet>, ApiError> {
    let mut prefixes = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words = line.split('#').next().unwrap_or_default().split_whitespace();
        for word in words {
            let at = |e: ApiError| ApiError { error: format!("line {number}: {}", e.error), ..e };
            prefixes.push(prefix(word).map_err(at)?);
        }
    }
    Ok(prefixes)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_prefixes_and_comments() {
        let text = "# ours\n10.50.0.0/16 fd00:50::/64\n\n  10.51.0.0/16# lent\r\n";
        let found: Vec<String> = lines(text).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.50.0.0/16", "fd00:50::/64", "10.51.0.0/16"]);
        assert_eq!(lines(" # nothing\n"), Ok(vec![]));
        for (text, says) in [
            ("10.0.0.0/8\n10.0.0.1", "line 2: `10.0.0.1` has no length"),
            ("10.0.0.1/8", "line 1: 10.0.0.1/8 has bits set behind its length"),
            ("\n\nten", "line 3: `ten` is not an address"),
        ] {
            assert_eq!(lines(text).unwrap_err().error, says);
        }
    }
}
