//! Announcements that count as withdrawals: our own AS, identifier or cluster is in them (a loop),
//! or they were malformed (RFC 7606). They leave nothing in the Rib, so an operator who misses a
//! route is told of them from here.
//!
//! In: what was refused of each UPDATE, and the batch, which may say the same prefixes again. Out:
//! the latest of them. A neighbour that reflects our own routes to us does so for ever: what is
//! kept has a bound.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use crate::msg::RouteBatch;
use crate::types::Time;

/// So many are remembered.
const MOST: usize = 64;

/// An announcement that counts as a withdrawal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unusable {
    /// The prefix.
    pub prefix: IpNet,
    /// Why ("our own AS is in AS_PATH").
    pub why: Arc<str>,
    /// When.
    pub at: Time,
}

/// See the module.
#[derive(Clone, Default, Debug)]
pub(crate) struct Refused(BTreeMap<IpNet, (Arc<str>, Time)>);

impl Refused {
    /// The session ended or began.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// `prefixes` were refused at `now`; of more than are remembered, the oldest go.
    #[cold]
    pub(crate) fn add(&mut self, now: Time, why: &str, prefixes: &[IpNet]) {
        let why: Arc<str> = why.into();
        for prefix in prefixes {
            self.0.insert(*prefix, (Arc::clone(&why), now));
        }
        while self.0.len() > MOST {
            let oldest = self.0.iter().min_by_key(|(_, (_, at))| *at).map(|(prefix, _)| *prefix);
            oldest.map(|prefix| self.0.remove(&prefix));
        }
    }

    /// What the neighbour says anew, in the ops of `batch` from the `first` on, is not refused any
    /// more.
    pub(crate) fn said(&mut self, batch: &RouteBatch, first: usize) {
        if self.0.is_empty() {
            return;
        }
        for op in batch.ops.get(first..).unwrap_or_default() {
            for prefix in batch.prefixes(op) {
                self.0.remove(&prefix);
            }
        }
    }

    /// All that is remembered, in order of prefix.
    pub(crate) fn all(&self) -> Vec<Unusable> {
        let unusable = |(prefix, (why, at)): (&IpNet, &(Arc<str>, Time))| Unusable {
            prefix: *prefix,
            why: Arc::clone(why),
            at: *at,
        };
        self.0.iter().map(unusable).collect()
    }
}
