//! The question about routes: which of them, and how much of each.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use starling_bgp::policy::CommunityPattern;
use starling_bgp::rib::show::{PathMask, PathState};
use starling_bgp::types::Family;

use super::{ApiError, Origin};

/// Which routes are asked for. Every condition must hold; conditions on paths show of a route the
/// paths that meet them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct RouteQuery {
    /// Only this destination; `prefix=` or `address=`.
    pub lookup: Option<Lookup>,
    /// Of a prefix: also those that lie in it; `longer=true`.
    pub longer: bool,
    /// Of a prefix or an address: also the shorter ones that it lies in; `shorter=true`.
    pub shorter: bool,
    /// Only paths from this neighbour, by name or address, or "local"; `from=`.
    pub from: Option<String>,
    /// Only what this neighbour is told, as it is told; of one destination also what it is not
    /// told, and why; `to=`.
    pub to: Option<String>,
    /// With `to`: what is best here and not told, and why; `withheld=true`.
    pub withheld: bool,
    /// Only IPv4 or IPv6; `family=`.
    pub family: Option<Family>,
    /// Only paths that stand so; `state=`, once or more.
    pub states: Vec<PathState>,
    /// Only paths with a community of this pattern; `community=`, once or more. With `to`, this
    /// and the three below are asked of what goes out.
    pub communities: Vec<CommunityPattern>,
    /// Only paths through this AS; `as=`, once or more.
    pub through: Vec<u32>,
    /// Only paths whose AS path is such ("65000 * 65010"); `as_path=`.
    pub as_path: Option<PathMask>,
    /// Only paths with this ORIGIN; `origin=`.
    pub origin: Option<Origin>,
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

/// An address.
///
/// # Errors
/// Where it is none.
pub fn address(text: &str) -> Result<IpAddr, ApiError> {
    text.parse().map_err(|_| {
        ApiError::new(format!("`{text}` is not an address"))
            .hint("an address looks like 10.244.1.7 or fd00:1::7, a prefix like 10.244.1.0/26")
    })
}

/// The states that paths are asked for by.
const STATES: [(&str, PathState); 6] = [
    ("best", PathState::Best),
    ("valid", PathState::Valid),
    ("used", PathState::Used),
    ("stale", PathState::Stale),
    ("unreachable", PathState::Unreachable),
    ("filtered", PathState::Filtered),
];

/// The words of the states.
pub fn states() -> impl Iterator<Item = &'static str> {
    STATES.iter().map(|(word, _)| *word)
}

/// A state by its word.
///
/// # Errors
/// Where there is none of that name.
pub fn state(text: &str) -> Result<PathState, ApiError> {
    let found = STATES.iter().find(|(word, _)| *word == text).map(|(_, state)| *state);
    found.ok_or_else(|| {
        ApiError::new(format!("no path is called `{text}`"))
            .hint("best, valid, used (best or beside it), stale, unreachable or filtered")
    })
}

/// An ORIGIN by its word.
///
/// # Errors
/// Where there is none of that name.
pub fn origin(text: &str) -> Result<Origin, ApiError> {
    match text {
        "igp" => Ok(Origin::Igp),
        "egp" => Ok(Origin::Egp),
        "incomplete" => Ok(Origin::Incomplete),
        _ => Err(ApiError::new(format!("origin is igp, egp or incomplete, not `{text}`"))),
    }
}

/// A family by its word.
///
/// # Errors
/// Where there is none of that name.
pub fn family(text: &str) -> Result<Family, ApiError> {
    let found = Family::ALL.into_iter().find(|family| family.to_string() == text);
    found.ok_or_else(|| ApiError::new(format!("family is ipv4 or ipv6, not `{text}`")))
}

/// A pattern of communities.
///
/// # Errors
/// Where it is none.
pub fn community(text: &str) -> Result<CommunityPattern, ApiError> {
    text.parse().map_err(|e| {
        ApiError::new(format!("{e}"))
            .hint("a community is 65000:100, 65000:*, 65000:1:2, rt:65000:1 or no-export")
    })
}

/// A sketch of an AS path.
///
/// # Errors
/// Where it is none.
pub fn as_path(text: &str) -> Result<PathMask, ApiError> {
    text.parse().map_err(|e| {
        ApiError::new(format!("{e}")).hint(
            "an AS path is sketched whole, nearest AS first: `65000 * 65010`, ? is any AS, * any \
             number of them",
        )
    })
}

fn flag(key: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(ApiError::new(format!("{key} is true or false, not `{other}`"))),
    }
}

impl RouteQuery {
    const KEYS: &'static str = "known are prefix=, address=, longer=, shorter=, from=, to=, \
                                withheld=, family=, state=, community=, as=, as_path=, origin= \
                                and detail=";

    /// Whether one destination is asked for.
    pub fn is_of_one(&self) -> bool {
        self.lookup.is_some() && !self.longer && !self.shorter
    }

    /// Whether there is a condition that some paths of a route may meet and others not.
    pub fn chooses_paths(&self) -> bool {
        self.from.is_some()
            || self.to.is_some()
            || !self.states.is_empty()
            || !self.communities.is_empty()
            || !self.through.is_empty()
            || self.as_path.is_some()
            || self.origin.is_some()
    }

    /// Reads the decoded pairs of a URL's query.
    ///
    /// # Errors
    /// For an unknown or repeated key, a value that cannot be read, and for keys that exclude each
    /// other or need another one.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<RouteQuery, ApiError> {
        let mut query = RouteQuery::default();
        for (i, (key, value)) in pairs.iter().enumerate() {
            let may_repeat = ["state", "community", "as"].contains(&key.as_str());
            if !may_repeat && pairs.iter().take(i).any(|(earlier, _)| earlier == key) {
                return Err(ApiError::new(format!("`{key}` is given twice")));
            }
            query.read(key, value)?;
        }
        query.check()?;
        Ok(query)
    }

    fn read(&mut self, key: &str, value: &str) -> Result<(), ApiError> {
        match key {
            "prefix" | "address" if self.lookup.is_some() => {
                return Err(ApiError::new("prefix and address exclude each other")
                    .hint("prefix= finds exactly that prefix, address= the longest match"));
            }
            "prefix" if !value.contains('/') => {
                return Err(ApiError::new(format!("prefix `{value}` has no length"))
                    .hint("for the longest match of an address use address="));
            }
            "prefix" => self.lookup = Some(value.parse()?),
            "address" => self.lookup = Some(Lookup::Address(address(value)?)),
            "longer" => self.longer = flag(key, value)?,
            "shorter" => self.shorter = flag(key, value)?,
            "from" | "to" if value.is_empty() => {
                return Err(ApiError::new(format!("{key}= names no neighbour"))
                    .hint("its name or address, as in /v1/summary"));
            }
            "from" => self.from = Some(value.to_owned()),
            "to" => self.to = Some(value.to_owned()),
            "withheld" => self.withheld = flag(key, value)?,
            "family" => self.family = Some(family(value)?),
            "state" => self.states.push(state(value)?),
            "community" => self.communities.push(community(value)?),
            "as" => self.through.push(
                value.parse().map_err(|_| ApiError::new(format!("`{value}` is no AS number")))?,
            ),
            "as_path" => self.as_path = Some(as_path(value)?),
            "origin" => self.origin = Some(origin(value)?),
            "detail" => self.detail = flag(key, value)?,
            other => {
                return Err(ApiError::new(format!("`{other}` is not a key of this query"))
                    .hint(RouteQuery::KEYS));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), ApiError> {
        if self.longer && !matches!(self.lookup, Some(Lookup::Prefix(_))) {
            return Err(ApiError::new("longer prefixes than which?").hint("prefix="));
        }
        if self.shorter && self.lookup.is_none() {
            return Err(ApiError::new("shorter prefixes than which?").hint("prefix= or address="));
        }
        if self.withheld && self.to.is_none() {
            return Err(ApiError::new("withheld from whom?").hint("to="));
        }
        Ok(())
    }

    /// The pairs that [`RouteQuery::from_pairs`] reads back, not yet percent-encoded.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = Vec::new();
        pairs.extend(self.lookup.map(|lookup| match lookup {
            Lookup::Prefix(net) => ("prefix", net.to_string()),
            Lookup::Address(address) => ("address", address.to_string()),
        }));
        let flags = [("longer", self.longer), ("shorter", self.shorter)];
        let more = [("withheld", self.withheld), ("detail", self.detail)];
        let set = flags.into_iter().chain(more).filter(|(_, is_set)| *is_set);
        pairs.extend(set.map(|(key, _)| (key, "true".to_owned())));
        pairs.extend(self.from.clone().map(|from| ("from", from)));
        pairs.extend(self.to.clone().map(|to| ("to", to)));
        pairs.extend(self.family.map(|family| ("family", family.to_string())));
        let word = |state: &PathState| STATES.iter().find(|(_, of)| of == state);
        let states = self.states.iter().filter_map(word);
        pairs.extend(states.map(|(word, _)| ("state", (*word).to_owned())));
        pairs.extend(self.communities.iter().map(|c| ("community", c.to_string())));
        pairs.extend(self.through.iter().map(|asn| ("as", asn.to_string())));
        pairs.extend(self.as_path.as_ref().map(|mask| ("as_path", mask.to_string())));
        pairs.extend(self.origin.map(|origin| ("origin", origin.to_string().to_lowercase())));
        pairs
    }
}
