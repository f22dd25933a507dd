//! How often each rule of a policy has decided about a route, for people.
//!
//! Rules are asked on the hot path, so a count is a load and a store without a lock: only one
//! thread decides (the Rib's), others read. Counts are no part of what a policy says: policies
//! that differ in them alone are equal, and a copy begins at zero.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// See the module.
#[derive(Default, Debug)]
pub(super) struct Hits(Box<[AtomicU64]>);

impl Hits {
    /// For so many rules.
    pub(super) fn new(rules: usize) -> Hits {
        Hits((0..rules).map(|_| AtomicU64::new(0)).collect())
    }

    /// The rule at that place has decided.
    #[inline]
    pub(super) fn count(&self, at: usize) {
        if let Some(hits) = self.0.get(at) {
            hits.store(hits.load(Relaxed).wrapping_add(1), Relaxed);
        }
    }

    /// Of each rule, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|hits| hits.load(Relaxed))
    }
}

impl Clone for Hits {
    fn clone(&self) -> Hits {
        Hits::new(self.0.len())
    }
}

impl PartialEq for Hits {
    fn eq(&self, _: &Hits) -> bool {
        true
    }
}

impl Eq for Hits {}

impl PartialOrd for Hits {
    fn partial_cmp(&self, other: &Hits) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Hits {
    fn cmp(&self, _: &Hits) -> Ordering {
        Ordering::Equal
    }
}
