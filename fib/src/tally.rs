//! What the Fib has done since it began: plain numbers, for whoever scrapes.
//!
//! In: what became of each write, and which routes somebody else had changed. Out: [`Tally`].

use std::collections::BTreeMap;

use ipnet::IpNet;

use crate::prefixes::PrefixMap;
use crate::types::{ObjectOp, RouteOp};

/// See the module.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// Routes added,
    pub added: u64,
    /// replaced,
    pub replaced: u64,
    /// and removed.
    pub deleted: u64,
    /// Nexthop objects made,
    pub objects_made: u64,
    /// and removed.
    pub objects_removed: u64,
    /// Writes of both that failed, by errno. Most are tried again.
    pub failed: BTreeMap<i32, u64>,
    /// Routes that somebody else had changed and that were written again since.
    pub repaired: u64,
    /// Audits that came to an end.
    pub audits: u64,
    /// What they found that no news had told.
    pub unheard: u64,
}

impl Tally {
    pub(crate) fn wrote(&mut self, op: &RouteOp) {
        match op {
            RouteOp::Add(_) => self.added += 1,
            RouteOp::Replace { .. } => self.replaced += 1,
            RouteOp::Delete(_) => self.deleted += 1,
        }
    }

    pub(crate) fn wrote_object(&mut self, op: &ObjectOp) {
        match op {
            ObjectOp::Make(_) => self.objects_made += 1,
            ObjectOp::Remove(_) => self.objects_removed += 1,
        }
    }

    pub(crate) fn failed(&mut self, errno: i32) {
        *self.failed.entry(errno).or_default() += 1;
    }
}

/// The numbers, and what they still wait for.
#[derive(Default, Debug)]
pub(crate) struct Books {
    pub(crate) tally: Tally,
    /// What somebody else changed and is not right again.
    amiss: PrefixMap<()>,
}

impl Books {
    /// Somebody else changed the route to there.
    pub(crate) fn drifted(&mut self, prefix: IpNet) {
        self.amiss.insert(prefix, ());
    }

    /// It is as it should be; `written`: because of us.
    pub(crate) fn right(&mut self, prefix: IpNet, written: bool) {
        if !self.amiss.is_empty() && self.amiss.remove(prefix).is_some() {
            self.tally.repaired += u64::from(written);
        }
    }
}

#[cfg(test)]
mod tests;
