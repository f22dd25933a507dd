//! The doctor: what breaks networks of this kind, looked for on this node.
//!
//! ```text
//!   configuration ─┐
//!   /proc, netlink,├─gather──► Facts ──checks──► Diagnosis (findings, each with its cure)
//!   packet filter ─┤           (values)  (pure)
//!   actors ────────┘
//! ```
//!
//! [`gather`] looks and judges nothing; a check judges and looks at nothing, so that each can be
//! shown a healthy node and a sick one. In `starlingd` the actors are asked as well; `bgpctl` does
//! the same without them where no daemon answers.

mod checks;
pub mod facts;
pub mod filter;
pub mod gather;
mod notes;

pub use facts::Facts;

use std::cmp::Reverse;

use crate::api::{Diagnosis, Level};
use notes::Notes;

/// Judges.
pub fn examine(facts: &Facts) -> Diagnosis {
    let mut notes = Notes::default();
    for (name, check) in checks::ALL {
        notes.begin(name);
        check(facts, &mut notes);
    }
    let (mut findings, unchecked) = notes.finish();
    // Of one level in the order of the checks.
    findings.sort_by_key(|finding| Reverse(finding.level));
    let worst = findings.first().map_or(Level::Ok, |finding| finding.level);
    let node = facts.configured.as_ref().ok().map(|configured| configured.plan.name.clone());
    Diagnosis { node, worst, findings, unchecked }
}
