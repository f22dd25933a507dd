//! Best paths that change, for those who watch (`bgpctl monitor`). While nobody does, nothing is
//! made, kept or counted for it: a decision asks whether there is a [`Watch`], and goes on.

use std::sync::Arc;

use super::change::Ranking;
use crate::msg::{BestChange, BestPath};
use crate::table::{Best, Sets};
use crate::types::PeerId;

/// What one message has changed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    changes: Vec<BestChange>,
    /// The last two paths, good for one message: routes come in runs, and a run has one path before
    /// and one after.
    last: [Option<(Best, Arc<BestPath>)>; 2],
    next: usize,
}

impl Watch {
    /// The best path to a destination was `old` and is `new`.
    pub(crate) fn note(
        &mut self,
        prefix: ipnet::IpNet,
        (old, new): (Option<Best>, Option<Best>),
        ranking: &Ranking<'_>,
        sets: &Sets,
    ) {
        let old = old.and_then(|best| self.path(best, ranking, sets));
        let new = new.and_then(|best| self.path(best, ranking, sets));
        self.changes.push(BestChange { prefix, old, new });
    }

    /// What was noted since the last call.
    pub(crate) fn take(&mut self) -> Vec<BestChange> {
        self.last = [None, None];
        std::mem::take(&mut self.changes)
    }

    fn path(&mut self, best: Best, ranking: &Ranking<'_>, sets: &Sets) -> Option<Arc<BestPath>> {
        if let Some((_, path)) = self.last.iter().flatten().find(|(known, _)| *known == best) {
            return Some(Arc::clone(path));
        }
        let peer = ranking.sources.peer(best.source);
        let name = match peer {
            PeerId::LOCAL => "local".to_owned(),
            _ => ranking.peers.get(peer)?.name(peer),
        };
        let (own, attrs) = (best.source.is_own(), sets.get(best.attr)?.clone());
        let path = Arc::new(BestPath { from: name, own, attrs });
        let slot = self.last.get_mut(self.next)?;
        *slot = Some((best, Arc::clone(&path)));
        self.next = 1 - self.next;
        Some(path)
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
