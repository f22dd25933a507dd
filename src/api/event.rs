//! What happens, as it happens: sessions that change, best paths, the kernel's routes.
//!
//! The only place of `/v1` with a wall-clock time: of the daemon, so that events of several nodes
//! can be laid side by side as far as their clocks agree.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ApiError, SessionState};

/// One line of `GET /v1/events`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Event {
    /// Grows from one to the next, over all readers and kinds: what a filter keeps out leaves a
    /// gap, which is no loss ([`Happening::Lost`] tells of those).
    pub seq: u64,
    /// When, by the daemon's clock (RFC 3339, UTC, milliseconds).
    pub time: String,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Happening {
    /// The first line: whatever happens from now on is told.
    Begin {
        /// The node that tells.
        node: String,
    },
    /// A session changed, or there is something to say of it.
    Session(SessionEvent),
    /// The best path to a destination changed.
    Route(RouteEvent),
    /// The kernel's routes changed, or were found changed.
    Fib(FibEvent),
    /// So many of the events that it wanted the reader is not told: they came faster than it reads,
    /// or than anybody is told them (a burst of four thousand, and ten thousand in a second).
    Lost {
        /// How many.
        count: u64,
    },
    /// The last line: nothing more comes, and why.
    End {
        /// For people.
        reason: String,
    },
}

/// Of a neighbour's session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SessionEvent {
    /// The neighbour's name.
    pub peer: String,
    /// Its address.
    pub address: IpAddr,
    /// The state that it left; none: the state is the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<SessionState>,
    /// The state that it is in.
    pub state: SessionState,
    /// Why, or what there is to say, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Of a destination's best path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteEvent {
    /// The destination.
    #[cfg_attr(test, schemars(with = "String"))]
    pub prefix: IpNet,
    /// What was best; none: nothing was.
    pub old: Option<BestPath>,
    /// What is; none: nothing is.
    pub new: Option<BestPath>,
}

/// A path, in short.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BestPath {
    /// The neighbour that announced it, by name; "local": this node itself.
    pub from: String,
    /// The NEXT_HOP attribute; none for a route of this node's own.
    pub next_hop: Option<IpAddr>,
    /// AS_PATH, leftmost first; empty: from our own AS.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub as_path: String,
    /// LOCAL_PREF, as used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_pref: Option<u32>,
    /// MULTI_EXIT_DISC, as used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub med: Option<u32>,
}

/// Of the kernel's table.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FibEvent {
    /// What became of it.
    pub action: FibAction,
    /// The destination, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<String>"))]
    pub prefix: Option<IpNet>,
    /// What was there, in the words of `ip route`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What is there, likewise; of `refused`: what should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
    /// The sentence for people, where there is more to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What became of the kernel's table.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FibAction {
    /// We wrote a route where none was.
    Added,
    /// We replaced ours.
    Replaced,
    /// We removed ours.
    Deleted,
    /// The kernel would not have it.
    Refused,
    /// Somebody else changed a route of ours, or the tunnel: it is put back.
    Drift,
    /// Somebody else keeps changing routes of ours.
    Rival,
    /// A route that is not ours sits where ours should be.
    Occupied,
    /// Something else that an operator would want to read.
    Note,
}

impl fmt::Display for FibAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FibAction::Added => "added",
            FibAction::Replaced => "replaced",
            FibAction::Deleted => "deleted",
            FibAction::Refused => "refused",
            FibAction::Drift => "drift",
            FibAction::Rival => "rival",
            FibAction::Occupied => "occupied",
            FibAction::Note => "note",
        })
    }
}

/// The kinds that may be asked for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum EventKind {
    /// [`SessionEvent`]s.
    Session,
    /// [`RouteEvent`]s.
    Route,
    /// [`FibEvent`]s.
    Fib,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 3] = [EventKind::Session, EventKind::Route, EventKind::Fib];
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EventKind::Session => "session",
            EventKind::Route => "route",
            EventKind::Fib => "fib",
        })
    }
}

impl FromStr for EventKind {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<EventKind, ApiError> {
        EventKind::ALL.into_iter().find(|kind| kind.to_string() == text).ok_or_else(|| {
            ApiError::new(format!("there are no events of kind `{text}`"))
                .hint("known are session, route and fib, one or several with commas")
        })
    }
}

/// Which events are wanted: each field that says something must agree.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct EventQuery {
    /// Of these kinds; none: of all.
    pub kinds: Vec<EventKind>,
    /// About these neighbours, by name: their sessions, and routes from one of them, before or
    /// after. None: about all.
    pub peers: Vec<String>,
    /// About these destinations, and those inside them. None: about all.
    pub prefixes: Vec<IpNet>,
}

impl EventQuery {
    /// Reads the decoded pairs of a URL's query.
    ///
    /// # Errors
    /// For an unknown key and a value that cannot be read.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<EventQuery, ApiError> {
        let mut query = EventQuery::default();
        for (key, value) in pairs {
            match key.as_str() {
                "kind" => {
                    for kind in value.split(',') {
                        query.kinds.push(kind.parse()?);
                    }
                }
                "peer" if value.is_empty() => {
                    return Err(ApiError::new("peer= names no neighbour")
                        .hint("its name or address, as in /v1/summary"));
                }
                "peer" => query.peers.push(value.clone()),
                "prefix" => query.prefixes.push(super::network::prefix(value)?),
                other => {
                    return Err(ApiError::new(format!("`{other}` is not a key of this query"))
                        .hint(
                            "known are kind=, peer= and prefix=; peer= and prefix= may be repeated",
                        ));
                }
            }
        }
        Ok(query)
    }

    /// The pairs that [`EventQuery::from_pairs`] reads back, not yet percent-encoded.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let kinds: Vec<String> = self.kinds.iter().map(EventKind::to_string).collect();
        let kinds = (!kinds.is_empty()).then(|| ("kind", kinds.join(",")));
        let peers = self.peers.iter().map(|peer| ("peer", peer.clone()));
        let prefixes = self.prefixes.iter().map(|prefix| ("prefix", prefix.to_string()));
        kinds.into_iter().chain(peers).chain(prefixes).collect()
    }

    /// Whether events of that kind may be wanted. What is about no neighbour is not wanted where
    /// one is named, nor what is about no destination.
    pub fn wants(&self, kind: EventKind) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&kind))
            && (self.peers.is_empty() || kind != EventKind::Fib)
            && (self.prefixes.is_empty() || kind != EventKind::Session)
    }

    /// Whether events about a destination are wanted.
    pub fn covers(&self, prefix: Option<IpNet>) -> bool {
        self.prefixes.is_empty()
            || prefix.is_some_and(|prefix| self.prefixes.iter().any(|net| net.contains(&prefix)))
    }

    /// Whether events about a neighbour are wanted, by its name.
    pub fn names(&self, peer: &str) -> bool {
        self.peers.is_empty() || self.peers.iter().any(|wanted| wanted == peer)
    }

    /// Whether this is wanted.
    pub fn takes(&self, what: &Happening) -> bool {
        match what {
            Happening::Session(event) => self.wants(EventKind::Session) && self.names(&event.peer),
            Happening::Route(event) => {
                let paths = [&event.old, &event.new];
                let from = |path: &BestPath| self.names(&path.from);
                self.wants(EventKind::Route)
                    && self.covers(Some(event.prefix))
                    && paths.into_iter().flatten().any(from)
            }
            Happening::Fib(event) => self.wants(EventKind::Fib) && self.covers(event.prefix),
            Happening::Begin { .. } | Happening::Lost { .. } | Happening::End { .. } => true,
        }
    }
}

#[cfg(test)]
#[path = "event_tests.rs"]
mod tests;
