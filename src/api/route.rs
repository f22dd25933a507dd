//! Routes, nodes and the kernel's table in the control API, and the question about routes.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use starling_bgp::attrs;
use starling_bgp::rib::show;

use super::{ApiError, SessionState};

/// One destination and the paths to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Route {
    /// The destination.
    pub prefix: IpNet,
    /// Paths in order of preference, the best first; those that cannot be used are last. Without
    /// `detail` only the first.
    pub paths: Vec<Path>,
    /// The next hops in use where there are several, the best path's first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next_hops: Vec<UsedHop>,
    /// What the kernel holds of it.
    pub kernel: Kernel,
}

/// One of the next hops of a destination.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
}

/// How long a path is kept that its neighbour has not said again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
pub struct Kernel {
    /// Where it stands.
    pub state: KernelState,
    /// Why, unless it is simply installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Where a route stands between wanted and present.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
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
pub struct FibEntry {
    /// The destination.
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
    /// Where the session with it stands; none for this node itself, or without a mesh.
    pub session: Option<SessionState>,
    /// For how long.
    pub since_s: Option<u64>,
    /// Why the session is not up.
    pub reason: Option<String>,
    /// Its blocks: own ones as configured, those of others as announced and in use.
    pub blocks: Vec<IpNet>,
    /// What is wrong and what to do: its pods may not be reached.
    pub warning: Option<String>,
}

/// How pod traffic gets to a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
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

/// Which routes are asked for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RouteQuery {
    /// Only this destination; `prefix=` or `address=`.
    pub lookup: Option<Lookup>,
    /// Only paths from this neighbour, by name or address; `from=`.
    pub from: Option<String>,
    /// All paths with all attributes, not just the first of each destination; `detail=true`.
    pub detail: bool,
}

/// A destination that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lookup {
    /// Exactly this prefix.
    Prefix(IpNet),
    /// The longest prefix that contains this address: where a packet to it would go.
    Address(IpAddr),
}

impl FromStr for Lookup {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Lookup, ApiError> {
        if !text.contains('/') {
            return address(text).map(Lookup::Address);
        }
        let net: IpNet = text.parse().map_err(|_| {
            ApiError::new(format!("`{text}` is not a prefix"))
                .hint("a prefix looks like 10.244.1.0/26 or fd00:1::/64")
        })?;
        if net.trunc() != net {
            return Err(ApiError::new(format!("{net} has bits set behind its length")).hint(
                format!(
                    "the prefix is {}; the route that a packet to {} takes is found by the \
                     address alone, without a length",
                    net.trunc(),
                    net.addr()
                ),
            ));
        }
        Ok(Lookup::Prefix(net))
    }
}

/// As it is read.
impl fmt::Display for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lookup::Prefix(net) => net.fmt(f),
            Lookup::Address(address) => address.fmt(f),
        }
    }
}

fn address(text: &str) -> Result<IpAddr, ApiError> {
    text.parse().map_err(|_| {
        ApiError::new(format!("`{text}` is not an address"))
            .hint("an address looks like 10.244.1.7 or fd00:1::7, a prefix like 10.244.1.0/26")
    })
}

impl RouteQuery {
    const KEYS: &'static str = "known are prefix=, address=, from= and detail=";

    /// Reads the decoded pairs of a URL's query.
    ///
    /// # Errors
    /// For an unknown or repeated key, a value that cannot be read, and for `prefix` together
    /// with `address`.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<RouteQuery, ApiError> {
        let mut query = RouteQuery::default();
        for (i, (key, value)) in pairs.iter().enumerate() {
            if pairs.iter().take(i).any(|(earlier, _)| earlier == key) {
                return Err(ApiError::new(format!("`{key}` is given twice")));
            }
            match key.as_str() {
                "prefix" | "address" if query.lookup.is_some() => {
                    return Err(ApiError::new("prefix and address exclude each other")
                        .hint("prefix= finds exactly that prefix, address= the longest match"));
                }
                "prefix" if !value.contains('/') => {
                    return Err(ApiError::new(format!("prefix `{value}` has no length"))
                        .hint("for the longest match of an address use address="));
                }
                "prefix" => query.lookup = Some(value.parse()?),
                "address" => query.lookup = Some(Lookup::Address(address(value)?)),
                "from" if value.is_empty() => {
                    return Err(ApiError::new("from= names no neighbour")
                        .hint("its name or address, as in /v1/summary"));
                }
                "from" => query.from = Some(value.clone()),
                "detail" => {
                    query.detail = match value.as_str() {
                        "" | "true" | "1" => true,
                        "false" | "0" => false,
                        other => {
                            return Err(ApiError::new(format!(
                                "detail is true or false, not `{other}`"
                            )));
                        }
                    }
                }
                other => {
                    return Err(ApiError::new(format!("`{other}` is not a key of this query"))
                        .hint(RouteQuery::KEYS));
                }
            }
        }
        Ok(query)
    }

    /// The pairs that [`RouteQuery::from_pairs`] reads back, not yet percent-encoded.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let lookup = self.lookup.map(|lookup| match lookup {
            Lookup::Prefix(net) => ("prefix", net.to_string()),
            Lookup::Address(address) => ("address", address.to_string()),
        });
        let from = self.from.clone().map(|from| ("from", from));
        let detail = self.detail.then(|| ("detail", "true".to_owned()));
        lookup.into_iter().chain(from).chain(detail).collect()
    }
}
