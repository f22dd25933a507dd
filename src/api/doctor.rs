//! What `bgpctl doctor` finds: `GET /v1/doctor`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The findings, the worst first.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Diagnosis {
    /// This node's name; none where the configuration says none.
    pub node: Option<String>,
    /// The worst level of a finding.
    pub worst: Level,
    /// What was found, good and bad.
    pub findings: Vec<Finding>,
    /// What could not be looked at, and why.
    pub unchecked: Vec<Unchecked>,
}

/// How bad something is.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    #[default]
    Ok,
    /// Works, and could be better.
    Hint,
    /// Breaks something under circumstances that are likely.
    Warning,
    /// Pods are cut off, or would be at the next change.
    Problem,
}

impl Level {
    /// The word of the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Hint => "hint",
            Level::Warning => "warning",
            Level::Problem => "problem",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// For programs: a snake_case word for what was looked at ("rp_filter").
    pub check: String,
    /// What it is about: a device, a peer, a prefix, a sysctl.
    pub subject: String,
    /// The sentence for people.
    pub text: String,
    /// What cures it: a command to type here, or what to do elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

/// Something that could not be looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unchecked {
    /// As in [`Finding`].
    pub check: String,
    /// Why, and how it could be.
    pub why: String,
}
