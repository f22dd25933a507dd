//! From touched destinations to what others must hear: one decision each, one Fib batch, one
//! feed per group.

use super::decision::{self, Candidate};
use super::dest::{Best, Path};
use super::nexthop::Nexthops;
use super::peers::Peers;
use super::sets::Sets;
use super::table::{Keyed, Table, Tables, slot_of};
use crate::export::{Exports, Learned};
use std::sync::Arc;

use crate::msg::{FibBest, FibRoute, Via};
use crate::types::PeerId;

/// What a path competes with, if it may: the interior cost to its next hop.
pub(crate) fn eligible(path: &Path, nexthops: &Nexthops) -> Option<u32> {
    match (path.filtered, path.peer) {
        (true, _) => None,
        (false, PeerId::LOCAL) => Some(0),
        (false, _) => nexthops.metric(path.attr),
    }
}

/// The eligible ones among `paths`, with their positions.
pub(crate) fn candidates<'a>(
    paths: &[Path],
    peers: &Peers,
    sets: &'a Sets,
    nexthops: &Nexthops,
) -> (Vec<usize>, Vec<Candidate<'a>>) {
    let candidate = |(at, path): (usize, &Path)| {
        let metric = eligible(path, nexthops)?;
        let rank = sets.get(path.attr)?.rank();
        Some((at, peers.candidate(path.peer, rank, metric)?))
    };
    paths.iter().enumerate().filter_map(candidate).unzip()
}

fn best_of(paths: &[Path], peers: &Peers, sets: &Sets, nexthops: &Nexthops) -> Option<Best> {
    let mut able = paths.iter().filter(|p| eligible(p, nexthops).is_some());
    let mut winner = able.next()?;
    if able.next().is_some() {
        let (at, candidates) = candidates(paths, peers, sets, nexthops);
        let chosen = decision::select(&candidates)?;
        winner = paths.get(*at.get(chosen)?)?;
    }
    Some(Best { peer: winner.peer, attr: winner.attr })
}

fn fib_best(best: Best, sets: &Sets) -> Option<FibBest> {
    match best.peer {
        PeerId::LOCAL => Some(FibBest::Own),
        from => {
            let via = Via::one(sets.get(best.attr)?.next_hop(), from);
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
    exports: &mut Exports,
    fib: &mut Vec<FibRoute>,
) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    let mut touched = std::mem::take(&mut table.touched);
    // Runs of routes come from one source.
    let mut last: Option<(PeerId, Option<Learned>)> = None;
    for id in touched.drain(..) {
        let Some(dest) = table.get_mut(id) else { continue };
        let best = best_of(dest.paths.as_slice(), peers, sets, nexthops);
        let was = dest.best();
        if best != was {
            dest.set_best(best);
            if best.map(|b| b.peer) != was.map(|b| b.peer) {
                count(peers, was, family, |n| n.saturating_sub(1));
                count(peers, best, family, |n| n + 1);
            }
            let new = best.and_then(|b| fib_best(b, sets));
            if new != was.and_then(|b| fib_best(b, sets)) {
                fib.push(FibRoute { prefix: dest.prefix.net(), best: new });
            }
            let learned = best.and_then(|b| match last {
                Some((peer, learned)) if peer == b.peer => learned,
                _ => last.insert((b.peer, peers.learned(b.peer))).1,
            });
            let route = best.zip(learned).map(|(b, learned)| (b.attr, b.peer, learned));
            exports.feed(P::FAMILY, id, route, sets);
        }
        if dest.is_empty() {
            forget_if_unused(table, id, exports);
        }
    }
    // The next message is nearly always small.
    touched.shrink_to(4096);
    table.touched = touched;
}

fn count(peers: &mut Peers, best: Option<Best>, family: usize, change: fn(u32) -> u32) {
    let counts = best.and_then(|b| peers.counts_mut(b.peer));
    if let Some(n) = counts.and_then(|c| c.best.get_mut(family)) {
        *n = change(*n);
    }
}

/// Drops a destination that has no paths and that no reader must yet hear to be gone.
pub(crate) fn forget_if_unused<P: Keyed>(table: &mut Table<P>, id: u32, exports: &Exports) {
    if table.get(id).is_some_and(|d| d.is_empty()) && !exports.holds(P::FAMILY, id) {
        table.remove(id);
    }
}
