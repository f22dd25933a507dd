//! Changes of the configuration, in the control API: what one would do, what was done, what was in
//! force.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::ApiError;

/// A file that is to take the place of the configuration's first one: the body of
/// `POST /v1/plan` and `/v1/apply`. What it includes, and keys, are those beside the running one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// What it is called in errors.
    pub name: String,
    /// What it says.
    pub text: String,
    /// Everything is named, not only the first few.
    pub all: bool,
    /// Why it is made, for people; may be empty.
    pub reason: String,
}

/// How a change is made.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Terms {
    /// It is undone unless confirmed within so many seconds.
    pub confirm_s: Option<u64>,
    /// No file is to be written: it is in force until the daemon's restart, or until a file changes.
    pub runtime: bool,
}

/// The longest wait for a confirmation: a day.
pub const LONGEST_WAIT_S: u64 = 86400;

/// The query of `POST /v1/plan`, `/v1/apply`, `/v1/confirm` and `/v1/rollback`.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ChangeQuery {
    /// What the file is called.
    pub name: Option<String>,
    /// Everything is named.
    pub all: bool,
    /// How it is made.
    pub terms: Terms,
    /// The generation to go back to.
    pub to: Option<u64>,
    /// Only say what would be done.
    pub dry: bool,
    /// Why, for people.
    pub reason: Option<String>,
}

/// The longest reason for a change, in octets.
const LONGEST_REASON: usize = 500;

/// Why a change is made: words for the log and for `show generations`, on one line.
///
/// # Errors
/// Where there are too many.
pub fn reason(text: &str) -> Result<String, ApiError> {
    if text.len() > LONGEST_REASON {
        let error = format!("a reason has {LONGEST_REASON} octets at most, not {}", text.len());
        return Err(ApiError::new(error));
    }
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    Ok(line.trim().to_owned())
}

impl ChangeQuery {
    /// Reads a query.
    ///
    /// # Errors
    /// A key that none of them has, or a value that makes no sense.
    pub fn from_pairs(pairs: &[(String, String)]) -> Result<ChangeQuery, ApiError> {
        let mut query = ChangeQuery::default();
        for (key, value) in pairs {
            let number = |limits: std::ops::RangeInclusive<u64>| {
                let number = value.parse().ok().filter(|number| limits.contains(number));
                number.ok_or_else(|| {
                    let (least, most) = limits.into_inner();
                    let hint = format!("a number from {least} to {most}");
                    ApiError::new(format!("{key}={value} makes no sense")).hint(hint)
                })
            };
            let word = || match value.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(ApiError::new(format!("{key}={value} makes no sense"))
                    .hint("it is true or false")),
            };
            match key.as_str() {
                "name" => query.name = Some(value.clone()),
                "all" => query.all = word()?,
                "runtime" => query.terms.runtime = word()?,
                "confirm_s" => query.terms.confirm_s = Some(number(1..=LONGEST_WAIT_S)?),
                "dry" => query.dry = word()?,
                "to" => query.to = Some(number(1..=u64::MAX)?),
                "reason" => query.reason = Some(reason(value)?),
                _ => {
                    let hint = "known are name, all, runtime, confirm_s, to, reason and dry";
                    return Err(ApiError::new(format!("`{key}` is not known here")).hint(hint));
                }
            }
        }
        Ok(query)
    }

    /// The query in a URL.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let yes = |key, set: bool| set.then(|| (key, "true".to_owned()));
        let mut pairs: Vec<_> = self.name.iter().map(|name| ("name", name.clone())).collect();
        pairs.extend(yes("all", self.all));
        pairs.extend(yes("runtime", self.terms.runtime));
        pairs.extend(self.terms.confirm_s.map(|s| ("confirm_s", s.to_string())));
        pairs.extend(yes("dry", self.dry));
        pairs.extend(self.to.map(|to| ("to", to.to_string())));
        pairs.extend(self.reason.iter().map(|reason| ("reason", reason.clone())));
        pairs
    }
}

/// What a configuration would do on this node as it is now.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// It is a configuration. False: it has `errors`, and nothing else is said.
    pub ok: bool,
    /// What is wrong with it, one entry each, as `starlingd check` says it.
    pub errors: Vec<String>,
    /// What is allowed and probably not meant, likewise.
    pub warnings: Vec<String>,
    /// Something would be other than it is. (What differs in comments alone changes nothing.)
    pub differs: bool,
    /// The configuration in force that it is compared with.
    pub generation: u64,
    /// SHA-256 of that one's files.
    pub digest: String,
    /// And of what it would be.
    pub new_digest: String,
    /// What differs, one sentence each, as `POST /v1/reload` says it.
    pub settings: Vec<String>,
    /// All neighbours, as they are and as they would be, in the order of their addresses.
    pub sessions: Vec<SessionPlan>,
    /// What the kernel would be told.
    pub routes: RoutePlan,
    /// And what beside that while the sessions that are made anew are away, until they are back:
    /// for routes that graceful restart does not keep. Nothing: it keeps all.
    #[serde(default)]
    pub meanwhile: RoutePlan,
}

/// What becomes of a session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SessionFate {
    /// It is new.
    Added,
    /// It ends.
    Removed,
    /// It ends, and begins again.
    Anew,
    /// It stays; the neighbour is asked for its routes again.
    Refreshed,
    /// It stays; what comes and goes by it may be other than before.
    Changed,
    /// Nothing is other about it.
    Untouched,
}

impl SessionFate {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            SessionFate::Added => "added",
            SessionFate::Removed => "removed",
            SessionFate::Anew => "made anew",
            SessionFate::Refreshed => "refreshed",
            SessionFate::Changed => "changed",
            SessionFate::Untouched => "untouched",
        }
    }
}

/// One neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SessionPlan {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// What becomes of its session.
    pub becomes: SessionFate,
    /// Because of which keys, one sentence each: "hold: 90s -> 30s".
    pub because: Vec<String>,
    /// The session is Established now.
    pub established: bool,
    /// Routes that it sends.
    pub received: u64,
    /// Of these, what import lets pass now …
    pub accepted: u64,
    /// … and would then, as long as it sends the same.
    pub accepted_then: u64,
    /// Routes that it would be told and is not now.
    pub announced: Prefixes,
    /// Routes that it would be told no more.
    pub withdrawn: Prefixes,
    /// Routes that it would be told with other attributes.
    pub changed: Prefixes,
    /// Routes that would be sent to it again as they are.
    pub again: u64,
    /// Of a session that ends: the destinations that lead through this neighbour alone.
    #[serde(default)]
    pub only: Prefixes,
    /// Of an Established one that is made anew: for how long its routes are kept here meanwhile
    /// (graceful restart); none: they go with the session. A session that is removed keeps none.
    #[serde(default)]
    pub kept_s: Option<u64>,
    /// Likewise for how long the neighbour keeps ours.
    #[serde(default)]
    pub keeps_s: Option<u64>,
}

/// Some prefixes.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Prefixes {
    /// How many.
    pub count: u64,
    /// The first few of them, or all, where that was asked for.
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub first: Vec<IpNet>,
}

/// What the kernel would be told.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RoutePlan {
    /// Routes that are new.
    pub added: u64,
    /// Routes that go.
    pub removed: u64,
    /// Routes that get another kind: somewhere, blackhole, unreachable.
    pub kind: u64,
    /// Routes that go through the tunnel, or with more of their next hops.
    pub encapsulated: u64,
    /// Routes that leave it, or with some of their next hops.
    pub in_clear: u64,
    /// Routes that get other next hops.
    pub next_hops: u64,
    /// Routes that get another metric, table or protocol.
    pub key: u64,
    /// Routes that stay as they are.
    pub unchanged: u64,
    /// The first few of each kind, or all, where that was asked for, in order of prefixes.
    pub shifts: Vec<RouteShift>,
}

impl RoutePlan {
    /// Routes that do not stay as they are.
    pub fn shifted(&self) -> u64 {
        let RoutePlan { added, removed, kind, encapsulated, in_clear, next_hops, key, .. } = self;
        added + removed + kind + encapsulated + in_clear + next_hops + key
    }
}

/// What becomes of a route.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RouteFate {
    /// It is new.
    Added,
    /// It goes.
    Removed,
    /// It gets another kind: somewhere, blackhole, unreachable.
    Kind,
    /// It goes through the tunnel, or with more of its next hops.
    Encapsulated,
    /// It leaves the tunnel, or with some of its next hops.
    InClear,
    /// It gets other next hops.
    NextHops,
    /// It gets another metric, table or protocol.
    Key,
}

impl RouteFate {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            RouteFate::Added => "added",
            RouteFate::Removed => "removed",
            RouteFate::Kind => "another kind",
            RouteFate::Encapsulated => "encapsulated",
            RouteFate::InClear => "in clear",
            RouteFate::NextHops => "other next hops",
            RouteFate::Key => "another key",
        }
    }
}

/// A route that does not stay as it is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RouteShift {
    /// The destination.
    #[cfg_attr(test, schemars(with = "String"))]
    pub prefix: IpNet,
    /// What becomes of it.
    pub becomes: RouteFate,
    /// What it is, in the words of `ip route`; none: there is none.
    pub from: Option<String>,
    /// What it would be.
    pub to: Option<String>,
}

/// What became of a change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Applied {
    /// What it did, or what is wrong with it; then nothing was done.
    pub plan: Plan,
    /// The configuration in force now.
    pub generation: u64,
    /// SHA-256 of its files.
    pub digest: String,
    /// It is undone in so many seconds, unless it is confirmed.
    pub confirm_s: Option<u64>,
    /// What the files have to say for a restart of the daemon to find the same: those that say
    /// something else. The daemon writes none of them, `bgpctl` does; of a change that waits to be
    /// confirmed, when it is.
    pub files: Vec<ConfigFile>,
}

/// A file of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConfigFile {
    /// Where it is, for the daemon.
    pub path: PathBuf,
    /// What it is to say.
    pub text: String,
}

/// A configuration that is, or was, in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Generation {
    /// Counts them, from 1.
    pub generation: u64,
    /// How long ago it came into force.
    pub age_s: u64,
    /// It is in force.
    pub current: bool,
    /// It is undone in so many seconds, unless it is confirmed.
    pub confirm_s: Option<u64>,
    /// It was never confirmed, though it had to be: `rollback` goes back to it by its number only.
    #[serde(default)]
    pub unconfirmed: bool,
    /// Who wanted it, for people.
    pub source: String,
    /// Why, in that one's words, if any were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// SHA-256 of its files, one after the other.
    pub digest: String,
    /// What differs from the one before it, one sentence each.
    pub changes: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_of_a_bearable_length() {
        assert_eq!(reason(" new\track\n\u{1b}[2J "), Ok("new rack  [2J".to_owned()));
        assert_eq!(reason(&"x".repeat(500)).map(|line| line.len()), Ok(500));
        assert!(reason(&"x".repeat(501)).unwrap_err().error.contains("500 octets at most"));
    }

    #[test]
    fn a_change_is_read_as_it_is_written() {
        let query = ChangeQuery {
            name: Some("next.toml".to_owned()),
            all: true,
            terms: Terms { confirm_s: Some(60), runtime: true },
            to: Some(3),
            dry: true,
            reason: Some("new rack & more".to_owned()),
        };
        let pairs: Vec<(String, String)> =
            query.to_pairs().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        assert_eq!(ChangeQuery::from_pairs(&pairs), Ok(query));
    }
}
