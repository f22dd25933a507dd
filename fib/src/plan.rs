//! The difference between what a prefix should have and what it has, as ops.
//!
//! In: [`Desired`] of one prefix, our routes to it (any table of ours, any metric, any shape) and
//! whoever else sits under the key. Out: the ops, in two heaps so that all that is written comes
//! before all that is removed, and a [`Verdict`]. Nothing is decided twice: a prefix whose routes
//! are right yields no op.
//!
//! Routes compare on everything the kernel tells: destination, metric, table, protocol, type,
//! scope, tos, source, and each next hop's gateway, device, flags and weight.

use crate::have::same;
use crate::types::{KernelRoute, RouteOp};

/// What a prefix should have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Desired {
    /// Exactly this route, and no other of ours.
    Route(KernelRoute),
    /// None of ours.
    Nothing,
    /// Whatever it has, until more is known.
    Hold,
}

/// Ops in the order in which they are to be carried out.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Batch {
    writes: Vec<RouteOp>,
    removals: Vec<RouteOp>,
}

/// Where a prefix stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// As it should be.
    Right,
    /// Ops were added that make it so.
    Ops,
    /// Ops were added; when they are done there is more to do. What replaces a route under
    /// another key is seen to be in before the old one goes.
    More,
    /// Nothing can be done before the nexthop object that it needs is there.
    Waits,
    /// Somebody else (rtm_protocol) sits under our key; ours is not there. Ops may have been
    /// added that remove what else we had.
    Occupied(u8),
}

impl Batch {
    /// How many ops.
    pub fn len(&self) -> usize {
        self.writes.len() + self.removals.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ops: make before break.
    pub fn into_ops(self) -> Vec<RouteOp> {
        if self.writes.is_empty() {
            return self.removals;
        }
        let mut ops = self.writes;
        ops.extend(self.removals);
        ops
    }

    fn remove(&mut self, routes: impl Iterator<Item = KernelRoute>) {
        self.removals.extend(routes.map(RouteOp::Delete));
    }
}

/// Plans one prefix. `ours`: all our routes to it; `other`: somebody's route under the key of the
/// desired one.
pub fn plan(
    desired: Desired,
    ours: Vec<KernelRoute>,
    other: Option<&KernelRoute>,
    batch: &mut Batch,
) -> Verdict {
    let want = match desired {
        Desired::Hold => return Verdict::Right,
        Desired::Nothing => {
            let verdict = if ours.is_empty() { Verdict::Right } else { Verdict::Ops };
            batch.remove(ours.into_iter());
            return verdict;
        }
        Desired::Route(want) => want,
    };
    if ours.iter().any(|have| same(have, &want)) {
        let verdict = if ours.len() == 1 { Verdict::Right } else { Verdict::Ops };
        batch.remove(ours.into_iter().filter(|have| !same(have, &want)));
        return verdict;
    }
    if let Some(other) = other {
        batch.remove(ours.into_iter());
        return Verdict::Occupied(other.protocol);
    }
    let (at_key, elsewhere): (Vec<_>, Vec<_>) =
        ours.into_iter().partition(|have| have.key == want.key && have.tos == want.tos);
    let mut at_key = at_key.into_iter();
    match at_key.next() {
        None => batch.writes.push(RouteOp::Add(want)),
        Some(old) => {
            let rest = at_key.len();
            if rest > 0 {
                // The kernel replaces the first of several: leave it only one to choose from.
                batch.remove(at_key);
                return Verdict::More;
            }
            batch.writes.push(RouteOp::Replace { old, new: want });
        }
    }
    if elsewhere.is_empty() { Verdict::Ops } else { Verdict::More }
}
