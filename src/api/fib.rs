//! What the operator does to the kernel's routes as a whole: `POST /v1/fib/…`.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// How the kernel stands to what is wanted, after `couple`, `decouple` or `flush`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FibCoupling {
    /// The kernel is made to hold what is wanted. False: nothing is written, until `couple` or the
    /// daemon's restart.
    pub coupled: bool,
    /// Destinations at which the kernel does not hold what it would hold coupled.
    pub differing: u64,
    /// Routes that `flush` removed; none where nothing was flushed, or the kernel is not done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
}

/// What an audit came to: the kernel's table, route by route, against what should be in it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct FibAudit {
    /// Routes of ours in the kernel that were compared.
    pub compared: u64,
    /// Destinations that should have had a route and had none of ours.
    pub missing: u64,
    /// Destinations whose route of ours was not the right one.
    pub wrong: u64,
    /// Destinations with routes of ours that nobody wants.
    pub extra: u64,
    /// Of all that the kernel holds, how much was not as its news had said.
    pub unheard: u64,
    /// Of the destinations that were missing, wrong or extra, how many are as they should be now.
    pub repaired: u64,
    /// Those destinations one by one; not all of them where there are many.
    pub findings: Vec<AuditFinding>,
    /// How long it took.
    pub took_ms: u64,
}

/// A destination at which an audit found something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AuditFinding {
    /// The destination.
    #[cfg_attr(test, schemars(with = "String"))]
    pub prefix: IpNet,
    /// What was the matter.
    pub fault: AuditFault,
    /// What should be there, in the words of `ip route`.
    pub want: Option<String>,
    /// What was there.
    pub have: Vec<String>,
}

/// What is the matter with a destination.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditFault {
    /// It should have a route and has none of ours.
    Missing,
    /// It has a route of ours that is not the one.
    Wrong,
    /// It has a route of ours too many.
    Extra,
    /// The kernel changed something there and no news told.
    Unheard,
}

impl AuditFault {
    /// The word of the JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            AuditFault::Missing => "missing",
            AuditFault::Wrong => "wrong",
            AuditFault::Extra => "extra",
            AuditFault::Unheard => "unheard",
        }
    }
}
