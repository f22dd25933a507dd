//! The smaller questions: which sessions, which of the kernel's routes, which next hop, which
//! interface.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{ApiError, FibEntry, KernelState, Lookup, Neighbor, PeerSummary, SessionState, query};

/// Which neighbours `/v1/summary` has; every condition must hold.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SummaryQuery {
    /// Only those whose session stands, or only those whose does not; `state=established`,
    /// `state=failed`.
    pub established: Option<bool>,
    /// Only those in this AS; `as=`.
    pub asn: Option<u32>,
}

impl SummaryQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// A key that it has not, or a value that makes no sense.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<SummaryQuery, ApiError> {
        let mut query = SummaryQuery::default();
        for (key, value) in pairs {
            match (key.as_str(), value.as_str()) {
                ("state", "established") => query.established = Some(true),
                ("state", "failed") => query.established = Some(false),
                ("state", other) => {
                    let error = format!("state is established or failed, not `{other}`");
                    return Err(ApiError::new(error));
                }
                ("as", number) => {
                    let wrong = |_| ApiError::new(format!("`{number}` is no AS number"));
                    query.asn = Some(number.parse().map_err(wrong)?);
                }
                (other, _) => return Err(unknown(other, "state= and as=")),
            }
        }
        Ok(query)
    }

    /// The query in a URL.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let word = |established| if established { "established" } else { "failed" };
        let state = self.established.map(|established| ("state", word(established).to_owned()));
        state.into_iter().chain(self.asn.map(|asn| ("as", asn.to_string()))).collect()
    }

    /// Whether it asks for this one.
    pub fn takes(&self, peer: &PeerSummary) -> bool {
        let established = peer.state == SessionState::Established;
        self.established.is_none_or(|wanted| wanted == established)
            && self.asn.is_none_or(|asn| asn == peer.asn)
    }
}

/// Which neighbours `/v1/neighbors` has.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct NeighborQuery {
    /// Only those in this group; `group=`.
    pub group: Option<String>,
}

impl NeighborQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// A key that it has not.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<NeighborQuery, ApiError> {
        Ok(NeighborQuery { group: only(pairs, "group")?.map(str::to_owned) })
    }

    /// The query in a URL.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        self.group.iter().map(|group| ("group", group.clone())).collect()
    }

    /// Those of `all` that it asks for.
    ///
    /// # Errors
    /// There is no such group; the hint names those that there are.
    pub fn choose(&self, all: Vec<Neighbor>) -> Result<Vec<Neighbor>, ApiError> {
        let Some(group) = &self.group else { return Ok(all) };
        let known: BTreeSet<String> = all.iter().flat_map(|one| one.groups.clone()).collect();
        if !known.contains(group) {
            let known: Vec<String> = known.into_iter().collect();
            return Err(ApiError::new(format!("no neighbour is in a group `{group}`"))
                .hint(format!("the groups are {}", known.join(", "))));
        }
        Ok(all.into_iter().filter(|one| one.groups.contains(group)).collect())
    }
}

/// Which routes `/v1/fib` has; every condition must hold.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct FibQuery {
    /// Exactly this prefix, or the longest that the address is in; `prefix=`, `address=`.
    pub lookup: Option<Lookup>,
    /// Only those that stand so; `state=`, once or more.
    pub states: Vec<KernelState>,
}

impl FibQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// A key that it has not, or a value that makes no sense.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<FibQuery, ApiError> {
        let mut query = FibQuery::default();
        for (key, value) in pairs {
            match key.as_str() {
                "prefix" | "address" if query.lookup.is_some() => {
                    return Err(ApiError::new("one prefix, or one address"));
                }
                "prefix" => query.lookup = Some(Lookup::Prefix(super::network::prefix(value)?)),
                "address" => query.lookup = Some(Lookup::Address(query::address(value)?)),
                "state" => query.states.push(kernel_state(value)?),
                other => return Err(unknown(other, "prefix=, address= and state=")),
            }
        }
        Ok(query)
    }

    /// The query in a URL.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let lookup = self.lookup.map(|lookup| match lookup {
            Lookup::Prefix(prefix) => ("prefix", prefix.to_string()),
            Lookup::Address(address) => ("address", address.to_string()),
        });
        let states = self.states.iter().map(|state| ("state", state.as_str().to_owned()));
        lookup.into_iter().chain(states).collect()
    }

    /// Whether it may be about this destination: of an address, it is the longest of these.
    pub fn covers(&self, prefix: &IpNet) -> bool {
        match self.lookup {
            None => true,
            Some(Lookup::Prefix(wanted)) => wanted == *prefix,
            Some(Lookup::Address(address)) => prefix.contains(&address),
        }
    }

    /// Whether it asks for a route that stands so.
    pub fn takes(&self, entry: &FibEntry) -> bool {
        self.states.is_empty() || self.states.contains(&entry.state)
    }
}

/// A state of the kernel's routes by its word.
///
/// # Errors
/// Where there is none of that name.
pub fn kernel_state(text: &str) -> Result<KernelState, ApiError> {
    let found = KernelState::ALL.into_iter().find(|state| state.as_str() == text);
    found.ok_or_else(|| {
        let words = KernelState::ALL.map(KernelState::as_str).join(", ");
        ApiError::new(format!("no route is called `{text}`")).hint(format!("one of {words}"))
    })
}

/// Which next hops `/v1/nexthops` has.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct NexthopQuery {
    /// Only this one, with all of its routes; `address=`.
    pub address: Option<IpAddr>,
}

impl NexthopQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// A key that it has not, or a value that makes no sense.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<NexthopQuery, ApiError> {
        let address = only(pairs, "address")?.map(query::address).transpose()?;
        Ok(NexthopQuery { address })
    }

    /// The query in a URL.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        self.address.map(|address| ("address", address.to_string())).into_iter().collect()
    }
}

/// Which interfaces `/v1/interfaces` has.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct InterfaceQuery {
    /// Only the one of this name; `name=`.
    pub name: Option<String>,
}

impl InterfaceQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// A key that it has not.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<InterfaceQuery, ApiError> {
        Ok(InterfaceQuery { name: only(pairs, "name")?.map(str::to_owned) })
    }

    /// The query in a URL.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        self.name.iter().map(|name| ("name", name.clone())).collect()
    }
}

/// What a query says that has this key alone, the last time that it does.
fn only<'a>(pairs: &'a [(String, String)], known: &str) -> Result<Option<&'a str>, ApiError> {
    match pairs.iter().find(|(key, _)| key != known) {
        Some((other, _)) => Err(unknown(other, &format!("{known}="))),
        None => Ok(pairs.last().map(|(_, value)| value.as_str())),
    }
}

fn unknown(key: &str, known: &str) -> ApiError {
    ApiError::new(format!("`{key}` is not a key of this query")).hint(format!("known are {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(query: &[(&'static str, String)]) -> Vec<(String, String)> {
        query.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
    }

    #[test]
    fn questions_are_read_as_they_are_written() {
        for established in [None, Some(true), Some(false)] {
            let query = SummaryQuery { established, asn: established.map(|_| 65000) };
            assert_eq!(SummaryQuery::from_pairs(&pairs(&query.to_pairs())), Ok(query));
        }
        for lookup in ["10.0.0.0/8", "fd00::1"] {
            let states = vec![KernelState::Stale, KernelState::Refused];
            let query = FibQuery { lookup: Some(lookup.parse().unwrap()), states };
            assert_eq!(FibQuery::from_pairs(&pairs(&query.to_pairs())), Ok(query));
        }
        let query = NexthopQuery { address: Some("fe80::1".parse().unwrap()) };
        assert_eq!(NexthopQuery::from_pairs(&pairs(&query.to_pairs())), Ok(query));
        let query = NeighborQuery { group: Some("rack=rack 0".to_owned()) };
        assert_eq!(NeighborQuery::from_pairs(&pairs(&query.to_pairs())), Ok(query));
        let query = InterfaceQuery { name: Some("net0.7".to_owned()) };
        assert_eq!(InterfaceQuery::from_pairs(&pairs(&query.to_pairs())), Ok(query));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let wrong = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        for (key, value) in [("state", "up"), ("as", "x"), ("peer", "gw0")] {
            assert!(SummaryQuery::from_pairs(&wrong(key, value)).is_err(), "{key}={value}");
        }
        for (key, value) in [("state", "up"), ("prefix", "10.0.0.1"), ("address", "x"), ("x", "")] {
            assert!(FibQuery::from_pairs(&wrong(key, value)).is_err(), "{key}={value}");
            assert!(NexthopQuery::from_pairs(&wrong(key, value)).is_err(), "{key}={value}");
            assert!(InterfaceQuery::from_pairs(&wrong(key, value)).is_err(), "{key}={value}");
            assert!(NeighborQuery::from_pairs(&wrong(key, value)).is_err(), "{key}={value}");
        }
    }

    #[test]
    fn of_an_address_all_that_it_is_in_are_looked_at() {
        let query = FibQuery { lookup: Some("10.244.3.9".parse().unwrap()), states: vec![] };
        assert!(query.covers(&"10.244.3.0/26".parse().unwrap()));
        assert!(query.covers(&"0.0.0.0/0".parse().unwrap()));
        assert!(!query.covers(&"10.244.3.64/26".parse().unwrap()));
        assert!(!query.covers(&"::/0".parse().unwrap()));
    }
}
