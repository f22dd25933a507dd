//! Which events are only the echo of our own writes.
//!
//! The kernel announces our own changes like anybody's, before or after it confirms them. An echo
//! that comes late would read as somebody setting back what we have changed again since. So every
//! write leaves here the digest of the event that it will cause, and an event that matches is
//! taken out. The last one that is outstanding for a key is worth hearing all the same: it is
//! newer than any news that came before it. Echoes that never come (the write changed nothing)
//! are forgotten after a while, so that they hide no real change.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::types::{KernelEvent, KernelRoute, RouteKey, RouteOp};

const LIFETIME: Duration = Duration::from_secs(10);

/// What an event is to our own writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Echo {
    /// Somebody else's doing.
    News,
    /// Of a write after which we wrote under the same key again.
    Stale,
    /// Of our last write under the key.
    Last,
}

/// Echoes that are still to come, as digests by key.
#[derive(Clone, Default, Debug)]
pub struct Echoes {
    young: BTreeMap<RouteKey, Vec<u64>>,
    /// Those that were young when a lifetime ended: dropped when the next one does.
    old: BTreeMap<RouteKey, Vec<u64>>,
    turned: Duration,
}

impl Echoes {
    /// An op was handed to the kernel.
    pub fn expect(&mut self, op: &RouteOp, now: Duration) {
        self.turn(now);
        let (key, digest) = of_op(op);
        self.young.entry(key).or_default().push(digest);
    }

    /// It was refused: nothing will come of it.
    pub fn refused(&mut self, op: &RouteOp) {
        let (key, digest) = of_op(op);
        self.take(key, digest);
    }

    /// What an event is; each write has one echo.
    pub fn hear(&mut self, event: &KernelEvent, now: Duration) -> Echo {
        self.turn(now);
        let (is_there, route) = match event {
            KernelEvent::Route(route) => (true, route),
            KernelEvent::RouteGone(route) => (false, route),
            _ => return Echo::News,
        };
        let key = route.key;
        let is_expected = self.young.contains_key(&key) || self.old.contains_key(&key);
        if !is_expected || !self.take(key, digest(is_there, route)) {
            Echo::News
        } else if self.young.contains_key(&key) || self.old.contains_key(&key) {
            Echo::Stale
        } else {
            Echo::Last
        }
    }

    /// Events were lost: none is expected any more.
    pub fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }

    fn take(&mut self, key: RouteKey, digest: u64) -> bool {
        [&mut self.old, &mut self.young].into_iter().any(|echoes| {
            let Some(digests) = echoes.get_mut(&key) else { return false };
            let Some(place) = digests.iter().position(|other| *other == digest) else {
                return false;
            };
            digests.remove(place);
            if digests.is_empty() {
                echoes.remove(&key);
            }
            true
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

fn of_op(op: &RouteOp) -> (RouteKey, u64) {
    match op {
        RouteOp::Add(new) | RouteOp::Replace { new, .. } => (new.key, digest(true, new)),
        RouteOp::Delete(old) => (old.key, digest(false, old)),
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
