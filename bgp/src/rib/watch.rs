//! Best paths that change, for those who watch (`bgpctl monitor`). While nobody does, nothing is
//! made, kept or counted for it: a decision asks whether there is a [`Watch`], and goes on.
//!
//! Those who watch are not to cost routes their time. So what each of them wants is asked before
//! anything is made, and one that has no room costs an addition: it is told how many it has missed.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;

use super::change::Ranking;
use crate::msg::{BestChange, BestNews, BestPath, WATCHERS, Watcher};
use crate::table::{Best, Sets};
use crate::types::PeerId;

/// Those who watch, and what one message has changed so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    interests: Vec<Interest>,
    changes: Vec<BestChange>,
    /// The last two paths, good for one message: routes come in runs, and a run has one path before
    /// and one after.
    last: [Option<(Best, Arc<BestPath>)>; 2],
    next: usize,
}

/// What one of them wants, and has missed.
#[derive(Clone, Debug)]
struct Interest {
    watcher: Watcher,
    /// Whether it named a neighbour, of those asked about, good for one message.
    named: BTreeMap<PeerId, bool>,
    missed: u64,
}

impl Watch {
    /// Of these; `None`: nobody watches.
    pub(crate) fn of(watchers: Vec<Watcher>) -> Option<Watch> {
        let interest = |watcher| Interest { watcher, named: BTreeMap::new(), missed: 0 };
        let interests: Vec<_> = watchers.into_iter().take(WATCHERS).map(interest).collect();
        (!interests.is_empty()).then(|| Watch { interests, ..Watch::default() })
    }

    /// The best path to a destination was `old` and is `new`.
    pub(crate) fn note(
        &mut self,
        prefix: IpNet,
        (old, new): (Option<Best>, Option<Best>),
        ranking: &Ranking<'_>,
        sets: &Sets,
    ) {
        let mut whom = 0;
        for (place, interest) in self.interests.iter_mut().enumerate() {
            if !interest.takes(prefix, [old, new], ranking) {
                continue;
            }
            match interest.watcher.room.checked_sub(1) {
                Some(room) => {
                    interest.watcher.room = room;
                    whom |= 1 << place;
                }
                None => interest.missed += 1,
            }
        }
        if whom != 0 {
            let old = old.and_then(|best| self.path(best, ranking, sets));
            let new = new.and_then(|best| self.path(best, ranking, sets));
            self.changes.push(BestChange { whom, prefix, old, new });
        }
    }

    /// What was noted since the last call; `None`: nothing.
    pub(crate) fn take(&mut self) -> Option<BestNews> {
        self.last = [None, None];
        let mut missed = Vec::new();
        for (place, interest) in self.interests.iter_mut().enumerate() {
            interest.named.clear();
            match std::mem::take(&mut interest.missed) {
                0 => {}
                more => missed.push((place, more)),
            }
        }
        let changes = std::mem::take(&mut self.changes);
        let is_news = !changes.is_empty() || !missed.is_empty();
        is_news.then_some(BestNews { changes, missed })
    }

    fn path(&mut self, best: Best, ranking: &Ranking<'_>, sets: &Sets) -> Option<Arc<BestPath>> {
        if let Some((_, path)) = self.last.iter().flatten().find(|(known, _)| *known == best) {
            return Some(Arc::clone(path));
        }
        let from = name(ranking.sources.peer(best.source), ranking)?;
        let (own, attrs) = (best.source.is_own(), sets.get(best.attr)?.clone());
        let path = Arc::new(BestPath { from, own, attrs });
        let slot = self.last.get_mut(self.next)?;
        *slot = Some((best, Arc::clone(&path)));
        self.next = 1 - self.next;
        Some(path)
    }
}

impl Interest {
    /// Whether a change is one of those that are watched. Prefixes are asked first: there are many
    /// changes, and few neighbours.
    #[inline]
    fn takes(&mut self, prefix: IpNet, paths: [Option<Best>; 2], ranking: &Ranking<'_>) -> bool {
        let Interest { watcher: Watcher { within, from, .. }, named, .. } = self;
        if !within.is_empty() && !within.iter().any(|net| net.contains(&prefix)) {
            return false;
        }
        from.is_empty()
            || paths.into_iter().flatten().any(|best| {
                let peer = ranking.sources.peer(best.source);
                let is_named = || name(peer, ranking).is_some_and(|name| from.contains(&name));
                *named.entry(peer).or_insert_with(is_named)
            })
    }
}

/// What a neighbour is called.
fn name(peer: PeerId, ranking: &Ranking<'_>) -> Option<String> {
    match peer {
        PeerId::LOCAL => Some("local".to_owned()),
        _ => Some(ranking.peers.get(peer)?.name(peer)),
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
