//! From touched destinations to what others must hear: one decision each, one Fib batch, one
//! feed per group.

use std::sync::Arc;

use super::decision::{self, Candidate};
use super::dest::{Best, Path};
use super::nexthop::Nexthops;
use super::peers::Peers;
use super::sets::Sets;
use super::source::{SourceId, Sources};
use super::table::{Keyed, Table, Tables, slot_of};
use crate::export::{Exports, Feed, Lent};
use crate::msg::{FibBest, FibRoute, Via};

/// What it takes to put the paths to a destination in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranking<'a> {
    pub(crate) peers: &'a Peers,
    pub(crate) nexthops: &'a Nexthops,
    pub(crate) sources: &'a Sources,
}

impl Ranking<'_> {
    /// What a path competes with, if it may: the interior cost to its next hop.
    fn eligible(&self, path: &Path) -> Option<u32> {
        match (path.is_accepted(), path.source().is_own()) {
            (false, _) => None,
            (true, true) => Some(0),
            (true, false) => self.nexthops.metric(path.used),
        }
    }

    /// The eligible ones among `paths`, with their positions.
    pub(crate) fn candidates<'a>(
        &self,
        paths: &[Path],
        sets: &'a Sets,
    ) -> (Vec<usize>, Vec<Candidate<'a>>) {
        let candidate = |(at, path): (usize, &Path)| {
            let metric = self.eligible(path)?;
            let rank = sets.get(path.used)?.rank();
            Some((at, self.peers.candidate(self.sources.peer(path.source()), rank, metric)?))
        };
        paths.iter().enumerate().filter_map(candidate).unzip()
    }

    fn best(&self, paths: &[Path], sets: &Sets) -> Option<Best> {
        let mut able = paths.iter().filter(|p| self.eligible(p).is_some());
        let mut winner = able.next()?;
        if able.next().is_some() {
            let (at, candidates) = self.candidates(paths, sets);
            let chosen = decision::select(&candidates)?;
            winner = paths.get(*at.get(chosen)?)?;
        }
        Some(Best { source: winner.source(), attr: winner.used })
    }

    /// A path as groups are fed it; `None`: its session is gone.
    pub(crate) fn feed(&self, best: Best) -> Option<Feed> {
        let Best { source, attr } = best;
        let peer = self.sources.peer(source);
        Some(Feed { attr, source, peer, learned: self.peers.learned(peer)? })
    }

    /// All usable paths in the order of the decision, as groups are fed them.
    pub(crate) fn feeds(&self, paths: &[Path], sets: &Sets, feeds: &mut Vec<Feed>) {
        let (at, candidates) = self.candidates(paths, sets);
        let in_order = decision::in_order(&candidates);
        feeds.extend(in_order.into_iter().filter_map(|place| {
            let path = paths.get(*at.get(place)?)?;
            self.feed(Best { source: path.source(), attr: path.used })
        }));
    }
}

fn fib_best(best: Best, sets: &Sets, sources: &Sources) -> Option<FibBest> {
    match best.source.is_own() {
        true => Some(FibBest::Own),
        false => {
            let via = Via::one(sets.get(best.attr)?.next_hop(), sources.peer(best.source));
            Some(FibBest::Via(Arc::new(via)))
        }
    }
}

/// Decides what was touched in one family. Changes of a destination between two calls come out
/// as one, and what changed back comes out as nothing.
pub(crate) fn decide_touched<P: Keyed>(
    tables: &mut Tables,
    peers: &mut Peers,
    sets: &mut Sets,
    nexthops: &Nexthops,
    sources: &Sources,
    exports: &mut Exports,
    fib: &mut Vec<FibRoute>,
) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    let all = exports.wants_all();
    let mut touched = std::mem::take(&mut table.touched);
    // Runs of routes come from one source.
    let mut last: Option<(SourceId, Option<Feed>)> = None;
    let mut feeds = Vec::new();
    for id in touched.drain(..) {
        let Some(dest) = table.get_mut(id) else { continue };
        let ranking = Ranking { peers, nexthops, sources };
        let best = ranking.best(dest.paths.as_slice(), sets);
        let (was, prefix) = (dest.best(), dest.prefix);
        feeds.clear();
        if all {
            ranking.feeds(dest.paths.as_slice(), sets, &mut feeds);
        } else if best != was {
            feeds.extend(best.and_then(|b| {
                let feed = match last {
                    Some((source, feed)) if source == b.source => feed,
                    _ => last.insert((b.source, ranking.feed(b))).1,
                };
                Some(Feed { attr: b.attr, ..feed? })
            }));
        }
        if best != was {
            dest.set_best(best);
            if best.map(|b| b.source) != was.map(|b| b.source) {
                let mut count = |best: Option<Best>, change: fn(u32) -> u32| {
                    let counts = best.and_then(|b| peers.counts_mut(sources.peer(b.source)));
                    if let Some(n) = counts.and_then(|c| c.best.get_mut(family)) {
                        *n = change(*n);
                    }
                };
                count(was, |n| n.saturating_sub(1));
                count(best, |n| n + 1);
            }
            let new = best.and_then(|b| fib_best(b, sets, sources));
            if new != was.and_then(|b| fib_best(b, sets, sources)) {
                fib.push(FibRoute { prefix: dest.prefix.net(), best: new });
            }
        }
        if all || best != was {
            exports.feed(id, prefix, &feeds, &mut Lent { peers, sets });
        }
        if table.get(id).is_some_and(|d| d.is_empty()) {
            forget_if_unused(table, id, exports);
        }
    }
    // The next message is nearly always small.
    touched.shrink_to(4096);
    table.touched = touched;
}

/// Drops a destination that has no paths and that no reader must yet hear to be gone.
pub(crate) fn forget_if_unused<P: Keyed>(table: &mut Table<P>, id: u32, exports: &Exports) {
    if table.get(id).is_some_and(|d| d.is_empty()) && !exports.holds(P::FAMILY, id) {
        table.remove(id);
    }
}
