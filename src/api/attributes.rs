//! What a path carries, in words and numbers.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Origin;

/// Path attributes (RFC 4271 §5) as they go out. [`super::Path`] has the same fields, of which each may
/// lack there (without `detail` all do) and none but `Option`s may here: two types, so that neither
/// says less than it knows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Attributes {
    /// NEXT_HOP.
    pub next_hop: IpAddr,
    /// ORIGIN.
    pub origin: Origin,
    /// LOCAL_PREF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// AS_PATH, leftmost first, sets in braces; empty: from our own AS.
    pub as_path: String,
    /// COMMUNITIES (RFC 1997).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<String>,
    /// Large ones (RFC 8092).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub large_communities: Vec<String>,
    /// Extended ones (RFC 4360).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended_communities: Vec<String>,
    /// Those that have no field here, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_attributes: Vec<String>,
}
