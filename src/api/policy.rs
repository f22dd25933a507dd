//! Policies: their rules, and which of them decides about a route.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ApiError, Lookup};

/// Where a policy is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// What comes from a neighbour.
    Import,
    /// What goes to one.
    Export,
    /// What enters the kernel.
    Kernel,
}

impl Place {
    const ALL: [Place; 3] = [Place::Import, Place::Export, Place::Kernel];

    /// Its word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Place::Import => "import",
            Place::Export => "export",
            Place::Kernel => "kernel",
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A policy of this node, as it is in force here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Where it is asked.
    pub used: Vec<PolicyUse>,
    /// Its rules, in order; those that are for no neighbour of this node are left out.
    pub rules: Vec<PolicyRule>,
}

/// A place where a policy is asked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PolicyUse {
    /// Which.
    pub place: Place,
    /// Whose routes; `null` for the kernel.
    pub neighbor: Option<String>,
}

/// A rule, in the words of the file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PolicyRule {
    /// Its place in the policy, from 1.
    pub number: u32,
    /// Its own name, if it has one.
    pub name: Option<String>,
    /// What it asks.
    pub when: String,
    /// What must not hold, if anything.
    pub unless: Option<String>,
    /// What happens: `accept`, with changes, or `reject`.
    pub then: String,
    /// How often it has decided about a route since it was read.
    pub hits: u64,
}

/// What becomes of a route at one place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PolicyTest {
    /// Where.
    pub place: Place,
    /// Whose policy; `null` for the kernel.
    pub neighbor: Option<String>,
    /// The destination.
    #[cfg_attr(test, schemars(with = "String"))]
    pub prefix: IpNet,
    /// The route that was judged.
    pub route: TestedRoute,
    /// Whether it passes.
    pub accepted: bool,
    /// The rule that decides; `null`: none, see `why`.
    pub rule: Option<String>,
    /// Why it passes or not, in words.
    pub why: String,
    /// What is changed on it, in the words of the file; `null`: nothing.
    pub changes: Option<String>,
    /// The rules that were asked, up to the one that decides.
    pub steps: Vec<PolicyStep>,
}

/// A route that was judged.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TestedRoute {
    /// It is made up: the daemon has no such route, or attributes were given.
    pub hypothetical: bool,
    /// Whom it is from; "local": this node.
    pub from: String,
    /// NEXT_HOP; `null` for what this node originates.
    pub next_hop: Option<IpAddr>,
    /// LOCAL_PREF; 100 where it carries none.
    pub local_pref: u32,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// AS_PATH, empty for none.
    pub as_path: String,
    /// Communities of all kinds.
    pub communities: Vec<String>,
}

/// A rule that was asked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PolicyStep {
    /// Which.
    pub rule: String,
    /// What it says.
    pub says: String,
    /// Why it does not match; `null`: it does, and decides.
    pub miss: Option<String>,
}

/// What `/v1/policy/test` is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyQuery {
    /// The destination; `prefix=`, or `address=`: that of its route.
    pub lookup: Lookup,
    /// Only there; `place=`.
    pub place: Option<Place>,
    /// The policies of this neighbour, by name or address; `neighbor=`.
    pub neighbor: Option<String>,
    /// A made up route is from this neighbour, or "local"; `from=`.
    pub from: Option<String>,
    /// It carries this; `community=`, several times.
    pub communities: Vec<String>,
    /// It came through these; `as_path=65001 65002`.
    pub as_path: Option<Vec<u32>>,
    /// Its next hop; `next_hop=`.
    pub next_hop: Option<IpAddr>,
    /// Its LOCAL_PREF; `local_pref=`.
    pub local_pref: Option<u32>,
    /// Its MULTI_EXIT_DISC; `med=`.
    pub med: Option<u32>,
    /// The interface of its next hop; `interface=`.
    pub interface: Option<String>,
}

impl PolicyQuery {
    /// A question about what the daemon has.
    pub fn new(lookup: Lookup) -> PolicyQuery {
        PolicyQuery {
            lookup,
            place: None,
            neighbor: None,
            from: None,
            communities: Vec::new(),
            as_path: None,
            next_hop: None,
            local_pref: None,
            med: None,
            interface: None,
        }
    }

    /// Whether the route is to be made up from what is given here.
    pub fn is_hypothetical(&self) -> bool {
        self.from.is_some()
            || !self.communities.is_empty()
            || self.as_path.is_some()
            || self.next_hop.is_some()
            || self.local_pref.is_some()
            || self.med.is_some()
    }

    /// Reads the decoded pairs of a URL's query.
    ///
    /// # Errors
    /// For an unknown or repeated key, a value that cannot be read, and where no destination is
    /// named.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<PolicyQuery, ApiError> {
        let find = |key: &str| pairs.iter().find(|(k, _)| k == key).map(|(_, value)| value);
        let lookup: Lookup = match (find("prefix"), find("address")) {
            (Some(text), None) | (None, Some(text)) => text.parse()?,
            (Some(_), Some(_)) => {
                return Err(ApiError::new("prefix and address exclude each other"));
            }
            (None, None) => {
                return Err(ApiError::new("no destination is named").hint("prefix= or address="));
            }
        };
        let mut query = PolicyQuery::new(lookup);
        for (i, (key, value)) in pairs.iter().enumerate() {
            if key != "community" && pairs.iter().take(i).any(|(earlier, _)| earlier == key) {
                return Err(ApiError::new(format!("`{key}` is given twice")));
            }
            let number = || {
                let wrong = |_| ApiError::new(format!("{key} is a number, not `{value}`"));
                value.parse::<u32>().map_err(wrong)
            };
            match key.as_str() {
                "prefix" | "address" => {}
                "place" => {
                    let place = Place::ALL.into_iter().find(|p| p.as_str() == value);
                    query.place = Some(place.ok_or_else(|| {
                        ApiError::new(format!("place is import, export or kernel, not `{value}`"))
                    })?);
                }
                "neighbor" => query.neighbor = Some(value.clone()),
                "from" => query.from = Some(value.clone()),
                "community" => query.communities.push(value.clone()),
                "as_path" => query.as_path = Some(as_path(value)?),
                "next_hop" => {
                    query.next_hop = Some(value.parse().map_err(|_| {
                        ApiError::new(format!("next_hop is an address, not `{value}`"))
                    })?);
                }
                "local_pref" => query.local_pref = Some(number()?),
                "med" => query.med = Some(number()?),
                "interface" => query.interface = Some(value.clone()),
                other => {
                    return Err(ApiError::new(format!("`{other}` is not a key of this query"))
                        .hint(
                            "known are prefix=, address=, place=, neighbor=, from=, community=, \
                         as_path=, next_hop=, local_pref=, med= and interface=",
                        ));
                }
            }
        }
        Ok(query)
    }

    /// The pairs that [`PolicyQuery::from_pairs`] reads back, not yet percent-encoded.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let mut pairs = vec![match self.lookup {
            Lookup::Prefix(net) => ("prefix", net.to_string()),
            Lookup::Address(address) => ("address", address.to_string()),
        }];
        let path = self
            .as_path
            .as_ref()
            .map(|path| path.iter().map(|asn| asn.to_string()).collect::<Vec<_>>().join(" "));
        let once = [
            ("place", self.place.map(|place| place.to_string())),
            ("neighbor", self.neighbor.clone()),
            ("from", self.from.clone()),
            ("as_path", path),
            ("next_hop", self.next_hop.map(|address| address.to_string())),
            ("local_pref", self.local_pref.map(|n| n.to_string())),
            ("med", self.med.map(|n| n.to_string())),
            ("interface", self.interface.clone()),
        ];
        pairs.extend(once.into_iter().filter_map(|(key, value)| Some((key, value?))));
        pairs.extend(self.communities.iter().map(|c| ("community", c.clone())));
        pairs
    }
}

/// AS numbers as people write them: separated by blanks.
///
/// # Errors
/// Where one is none.
pub fn as_path(text: &str) -> Result<Vec<u32>, ApiError> {
    let asn = |word: &str| {
        word.parse().map_err(|_| {
            ApiError::new(format!("`{word}` is no AS number"))
                .hint("a path is AS numbers from the nearest on: \"65001 65002\"")
        })
    };
    text.split_whitespace().map(asn).collect()
}
