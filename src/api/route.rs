//! Routes, nodes and the kernel's table in the control API.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use starling_bgp::attrs;
use starling_bgp::rib::show;

use super::{Attributes, SessionState};

/// One destination and the paths to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Route {
    /// The destination.
    #[cfg_attr(test, schemars(with = "String"))]
    pub prefix: IpNet,
    /// Paths in order of preference, the best first; those that cannot be used are last. Without
    /// `detail` only the first, or where there is a condition on paths all that meet it.
    pub paths: Vec<Path>,
    /// The next hops in use where there are several, the best path's first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_hops: Vec<UsedHop>,
    /// What the kernel holds of it.
    pub kernel: Kernel,
}

/// One of the next hops of a destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UsedHop {
    /// The NEXT_HOP attribute; none for a route of this node's own.
    pub next_hop: Option<IpAddr>,
    /// The neighbours that announced it, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<String>,
    /// How it is reached. One that cannot be reached is left out of the kernel's route.
    pub reached: Reached,
}

/// One way to a destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Path {
    /// The neighbour that announced it, by name; "local": this node's own block.
    pub from: String,
    /// The NEXT_HOP attribute; none for a route of this node's own.
    pub next_hop: Option<IpAddr>,
    /// How the next hop is reached.
    pub reached: Reached,
    /// How long ago it came.
    pub age_s: u64,
    /// It is the one in use.
    pub best: bool,
    /// It carries traffic beside the one that is best.
    #[serde(default)]
    pub multipath: bool,
    /// The identifier with which its neighbour sent it (RFC 7911); none where it sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_id: Option<u32>,
    /// Its neighbour has not said it again since its session ended, or since it began to say
    /// everything again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
    /// Why it is best, or why it is not: the deciding step of RFC 4271 §9.1.2.2 in words.
    pub why: String,
    /// The import policy drops it, for this reason. Such a path is never best.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filtered: Option<String>,
    /// What import changed on it. This and the fields below: with `detail` only, and as used,
    /// after import.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Change>,
    /// ORIGIN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// LOCAL_PREF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
    /// AS_PATH, leftmost first, sets in braces ("65000 64999 {1 2}"); empty: from our own AS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_path: Option<String>,
    /// COMMUNITIES (RFC 1997), "64512:100" or a well-known name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub communities: Vec<String>,
    /// Large ones (RFC 8092), "64512:1:2".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub large_communities: Vec<String>,
    /// Extended ones (RFC 4360), "rt:64512:100" or the octets in hex.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended_communities: Vec<String>,
    /// Attributes that this daemon carries without understanding them, or that have no field
    /// here, in words ("ATOMIC_AGGREGATE", "type 40, 7 octets, partial").
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_attributes: Vec<String>,
    /// What the neighbour that is asked for with `to=` is told of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
}

/// A path as a neighbour is told of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sent {
    /// Whether it is.
    pub state: SentState,
    /// Why it is not; none where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The identifier with which it goes (RFC 7911); none where it goes without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_id: Option<u32>,
    /// What it carries on its way, after export; none where it does not go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
}

/// How far a path has come on its way to a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SentState {
    /// It was told to the neighbour.
    Sent,
    /// It waits until the neighbour takes it.
    Pending,
    /// It does not go there.
    Withheld,
}

impl fmt::Display for SentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SentState::Sent => "sent",
            SentState::Pending => "pending",
            SentState::Withheld => "withheld",
        })
    }
}

/// How long a path is kept that its neighbour has not said again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Stale {
    /// What is waited for.
    pub waits: Waits,
    /// For how long yet: then it goes, or becomes stale for long where that was agreed.
    pub left_s: u64,
    /// It has been so for longer than a restart takes, and is the least preferred (RFC 9494).
    pub long_lived: bool,
}

/// What a stale path waits for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Waits {
    /// Its neighbour's session.
    Session,
    /// Its neighbour's End-of-RIB (RFC 4724).
    EndOfRib,
    /// The end of a refresh (RFC 7313).
    Refresh,
}

/// An attribute that import changed, in words; none: not there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Change {
    /// Its name ("LOCAL_PREF").
    pub attribute: String,
    /// As it came.
    pub received: Option<String>,
    /// As it is used.
    pub used: Option<String>,
}

/// The ORIGIN attribute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// 0.
    Igp,
    /// 1.
    Egp,
    /// 2.
    Incomplete,
}

impl From<attrs::Origin> for Origin {
    fn from(origin: attrs::Origin) -> Origin {
        match origin {
            attrs::Origin::Igp => Origin::Igp,
            attrs::Origin::Egp => Origin::Egp,
            attrs::Origin::Incomplete => Origin::Incomplete,
        }
    }
}

impl From<show::Waits> for Waits {
    fn from(waits: show::Waits) -> Waits {
        match waits {
            show::Waits::Session => Waits::Session,
            show::Waits::EndOfRib => Waits::EndOfRib,
            show::Waits::Refresh => Waits::Refresh,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Igp => "IGP",
            Origin::Egp => "EGP",
            Origin::Incomplete => "incomplete",
        })
    }
}

/// How a next hop is reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reached {
    /// The outcome.
    pub how: How,
    /// The interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The gateway that is leaned on, with `how` = "gateway".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// Why this and no other.
    pub why: String,
    /// What is wrong with it and what to do: the route is there, but traffic may not arrive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// The outcome of resolving a next hop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It is on the same subnet: straight to it.
    Direct,
    /// Encapsulated (IP in IP), on the tunnel device.
    Tunnel,
    /// In clear, through a gateway of the kernel's own table.
    Gateway,
    /// This node's own block.
    Blackhole,
    /// Announced from here; this node's own routes lead on.
    Local,
    /// Not at all.
    Unreachable,
}

/// What the kernel holds of a route.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kernel {
    /// Where it stands.
    pub state: KernelState,
    /// Why, unless it is simply installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Where a route stands between wanted and present.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum KernelState {
    /// Present as wanted.
    Installed,
    /// Wanted, on its way (or on its way out).
    Pending,
    /// The kernel would not have it.
    Refused,
    /// A route that is not ours sits under the same key; it is left alone.
    Occupied,
    /// Not wanted: no usable path, or its next hop cannot be reached.
    Unresolved,
    /// Usable, and kept out of the kernel: `why` says by what.
    Out,
    /// Present, ours, and no longer announced: kept until the neighbours have spoken.
    Stale,
}

impl KernelState {
    /// Every state.
    pub const ALL: [KernelState; 7] = [
        KernelState::Installed,
        KernelState::Pending,
        KernelState::Refused,
        KernelState::Occupied,
        KernelState::Unresolved,
        KernelState::Out,
        KernelState::Stale,
    ];

    /// The word of the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            KernelState::Installed => "installed",
            KernelState::Pending => "pending",
            KernelState::Refused => "refused",
            KernelState::Occupied => "occupied",
            KernelState::Unresolved => "unresolved",
            KernelState::Out => "out",
            KernelState::Stale => "stale",
        }
    }
}

impl fmt::Display for KernelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One destination as the kernel should hold it and does hold it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FibEntry {
    /// The destination.
    #[cfg_attr(test, schemars(with = "String"))]
    pub prefix: IpNet,
    /// What should be there, in the words of `ip route` ("via 10.1.8.10 dev tunl0 onlink").
    pub want: Option<String>,
    /// Where that has several next hops, these, and none in `want`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub want_hops: Vec<String>,
    /// What is there, likewise.
    pub have: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub have_hops: Vec<String>,
    /// The kernel's nexthop object (NHA_ID) that what is there goes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<u32>,
    /// The BGP next hops and how each is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_hops: Vec<UsedHop>,
    /// Where that stands.
    pub state: KernelState,
    /// Why, unless it is simply installed.
    pub why: Option<String>,
}

/// A node of the cluster, seen from this one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// How pod traffic gets there.
    pub reach: Reach,
    /// The interface or gateway of that, for people ("eth0", "tunl0", "10.39.0.1").
    pub through: Option<String>,
    /// Why it is reached that way.
    pub why: String,
    /// Where the session with it stands; none for this node itself, and where a reflector speaks
    /// for it.
    pub session: Option<SessionState>,
    /// For how long.
    pub since_s: Option<u64>,
    /// Why the session is not up.
    pub reason: Option<String>,
    /// Its labels, as configured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its blocks: own ones as configured, those of others as announced and in use.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub blocks: Vec<IpNet>,
    /// What is wrong and what to do: its pods may not be reached.
    pub warning: Option<String>,
}

/// How pod traffic gets to a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// It is this node.
    Local,
    /// On the same subnet, in clear.
    Direct,
    /// Encapsulated.
    Tunnel,
    /// In clear, through a gateway.
    Gateway,
    /// One pool one way, another pool another way: `why` says which.
    Mixed,
    /// Not at all.
    Unreachable,
}
