//! Whether the kernel follows the Fib: the operator's `couple`, `decouple` and `flush`.
//!
//! In: [`Coupling`]. While decoupled the Fib hears everything, wants what it wants and writes
//! nothing, so that `couple` is one difference away from the truth. A flush removes what the kernel
//! holds of ours at that moment, and nothing that comes under our marks later: somebody who writes
//! such routes all the time must not keep it from ending.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;

use super::Fib;
use super::write::BATCH;
use crate::plan::{Batch, Desired, Verdict, plan};
use crate::types::{Coupling, FibOut, Report};

/// The operator's word, and how far a flush has come.
#[derive(Debug, Default)]
pub(super) struct Couple {
    coupling: Coupling,
    /// `None`: nothing is being flushed. Prefixes whose routes are to be removed, once they are
    /// known.
    flush: Option<Option<BTreeSet<IpNet>>>,
    removed: usize,
}

impl Couple {
    /// With this word from the beginning.
    pub(super) fn of(coupling: Coupling) -> Couple {
        Couple { coupling, ..Couple::default() }
    }
}

impl Fib {
    /// The operator's word.
    pub fn coupling(&self) -> Coupling {
        self.couple.coupling
    }

    /// How many routes the flush that was asked for last has removed; `None`: it goes on.
    pub fn flushed(&self) -> Option<usize> {
        self.couple.flush.is_none().then_some(self.couple.removed)
    }

    /// Destinations at which the kernel does not hold what it would if it were coupled.
    pub fn differing(&self) -> usize {
        let wanted = self.wants.iter().filter(|(prefix, _)| self.differs(*prefix));
        wanted.count() + self.leftovers().filter(|_| self.settled).count()
    }

    /// Whether one is such. A leftover is before the neighbours have spoken.
    pub fn differs(&self, prefix: IpNet) -> bool {
        let Some(context) = self.context() else { return false };
        let desired = match self.wants.contains(prefix) || self.settled {
            true => self.wants.desired(prefix, context),
            false => Desired::Hold,
        };
        let ours = self.world.have().of(prefix).collect();
        plan(desired, ours, None, &mut Batch::default()) != Verdict::Right
    }

    pub(super) fn is_coupled(&self) -> bool {
        self.couple.coupling == Coupling::Coupled
    }

    pub(super) fn set_coupling(&mut self, to: Coupling, now: Duration, out: &mut Vec<FibOut>) {
        let before = std::mem::replace(&mut self.couple.coupling, to);
        self.couple.flush = (to == Coupling::Flushed).then_some(None);
        if to == Coupling::Flushed {
            self.couple.removed = 0;
        }
        if before == to && to != Coupling::Flushed {
            return;
        }
        out.push(FibOut::Report(Report::Coupling(to)));
        // What was refused or fought over before is to be tried again at once.
        self.retry.clear();
        if to == Coupling::Coupled {
            self.dirty.extend(self.world.have().prefixes());
            self.dirty.extend(self.wants.iter().map(|(prefix, _)| prefix));
            self.review_tunnel(true, now, out);
            self.resolve_all();
        }
    }

    /// Hands out the next removals of a flush; says when it is done.
    pub(super) fn flush(&mut self, out: &mut Vec<FibOut>) {
        let Some(flush) = &mut self.couple.flush else { return };
        let have = self.world.have();
        let left = flush.get_or_insert_with(|| have.prefixes().collect());
        left.retain(|prefix| have.of(*prefix).next().is_some());
        if left.is_empty() {
            self.couple.flush = None;
            out.push(FibOut::Report(Report::Flushed(self.couple.removed)));
            return;
        }
        let mut batch = Batch::default();
        // The last first, as in `apply`.
        for prefix in left.iter().rev().filter(|prefix| !self.retry.waits(**prefix)) {
            if batch.len() >= BATCH {
                break;
            }
            plan(Desired::Nothing, have.of(*prefix).collect(), None, &mut batch);
            self.flying.insert(*prefix, true);
        }
        if !batch.is_empty() {
            let flying: Vec<IpNet> = self.flying.iter().map(|(prefix, _)| prefix).collect();
            flying.into_iter().for_each(|prefix| self.touch(prefix));
            self.hand_out(batch, out);
        }
    }

    /// A removal that the kernel carried out, of a flush or not.
    pub(super) fn removed(&mut self, prefix: IpNet) {
        if let Some(Some(left)) = &self.couple.flush
            && left.contains(&prefix)
        {
            self.couple.removed += 1;
        }
    }
}

#[cfg(test)]
mod tests;
