//! Which events are only the echo of our own writes.
//!
//! The kernel announces our own changes like anybody's, before or after it confirms them. An echo
//! that comes late would read as somebody setting back what we have changed again since. So every
//! write leaves here the digest of the event that it will cause; an event that matches is taken
//! out and otherwise ignored. Echoes that never come (the write changed nothing) are forgotten
//! after a while, so that they hide no real change.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::types::{KernelEvent, KernelRoute, RouteOp};

const LIFETIME: Duration = Duration::from_secs(10);

/// Echoes that are still to come.
#[derive(Clone, Default, Debug)]
pub struct Echoes {
    /// Digest → how many; those younger than the last turn, and those older.
    young: BTreeMap<u64, u32>,
    old: BTreeMap<u64, u32>,
    turned: Duration,
}

impl Echoes {
    /// An op was handed to the kernel.
    pub fn expect(&mut self, op: &RouteOp, now: Duration) {
        self.turn(now);
        *self.young.entry(digest_of_op(op)).or_insert(0) += 1;
    }

    /// It was refused: nothing will come of it.
    pub fn refused(&mut self, op: &RouteOp) {
        self.take(digest_of_op(op));
    }

    /// Whether this event is an echo; each is one only once.
    pub fn is_echo(&mut self, event: &KernelEvent, now: Duration) -> bool {
        self.turn(now);
        match event {
            KernelEvent::Route(route) => self.take(digest(true, route)),
            KernelEvent::RouteGone(route) => self.take(digest(false, route)),
            _ => false,
        }
    }

    /// Events were lost: none is expected any more.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn take(&mut self, digest: u64) -> bool {
        [&mut self.old, &mut self.young].into_iter().any(|echoes| match echoes.get_mut(&digest) {
            None => false,
            Some(1) => echoes.remove(&digest).is_some(),
            Some(times) => {
                *times -= 1;
                true
            }
        })
    }

    fn turn(&mut self, now: Duration) {
        if self.young.is_empty() && self.old.is_empty() {
            self.turned = now;
        } else if now.saturating_sub(self.turned) >= LIFETIME {
            self.old = std::mem::take(&mut self.young);
            self.turned = now;
        }
    }
}

fn digest_of_op(op: &RouteOp) -> u64 {
    match op {
        RouteOp::Add(new) | RouteOp::Replace { new, .. } => digest(true, new),
        RouteOp::Delete(old) => digest(false, old),
    }
}

/// The same for the same route, whatever the order of its next hops.
fn digest(is_there: bool, route: &KernelRoute) -> u64 {
    // Fixed keys: the same run gives the same digests.
    let mut hasher = DefaultHasher::new();
    let mut hops = route.hops.clone();
    hops.sort_unstable();
    (is_there, route.key, route.protocol, route.kind, route.scope, route.tos, route.source)
        .hash(&mut hasher);
    hops.hash(&mut hasher);
    hasher.finish()
}
