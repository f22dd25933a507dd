//! From touched destinations to what others must hear: one decision each, one Fib batch, one
//! feed per group.

use std::net::Ipv4Addr;

use super::decision::{self, Candidate};
use super::kernel::{Fate, Fates, Kernel};
use super::nexthop::Nexthops;
use super::peers::Peers;
use super::watch::Watch;
use crate::export::{Exports, Feed, Known, Lent, Offer};
use crate::msg::{FibRoute, Hop, RibConfig};
use crate::policy::Source;
use crate::table::{Best, Keyed, Path, Sets, SourceId, Sources, Tables, slot_of};
use crate::types::{NextHop, PeerId};
use crate::wire::community::Community;

/// What a decision writes down, kept from one to the next.
#[derive(Default)]
struct Room {
    foremost: Vec<Path>,
    more: Vec<Hop>,
}

/// What it takes to put the paths to a destination in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ranking<'a> {
    pub(crate) config: &'a RibConfig,
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
            let (peer, path_id) = self.sources.get(path.source())?;
            let candidate = self.peers.candidate(peer, path_id, sets.get(path.used)?, metric)?;
            let med_among = candidate.med_among.filter(|_| !self.config.always_compare_med);
            Some((at, Candidate { med_among, ..candidate }))
        };
        paths.iter().enumerate().filter_map(candidate).unzip()
    }

    /// The best of `paths`; `room.more` gets the ways of those that are as good as it.
    fn best(&self, paths: &[Path], sets: &Sets, room: &mut Room) -> Option<Best> {
        let Room { foremost, more } = room;
        more.clear();
        let mut able = paths.iter().filter(|p| self.eligible(p).is_some());
        let mut winner = able.next()?;
        if able.next().is_some() {
            self.foremost(paths, sets, foremost);
            winner = foremost.first()?;
            if foremost.len() > 1 {
                let (at, candidates) = self.candidates(foremost, sets);
                let chosen = decision::select(&candidates)?;
                winner = foremost.get(*at.get(chosen)?)?;
                if self.config.max_paths > 1 && !winner.source().is_own() {
                    let equal = decision::equal(&candidates, chosen);
                    let equal = equal.iter().filter_map(|c| foremost.get(*at.get(*c)?));
                    self.ways(winner, equal, sets, more);
                }
            }
        }
        Some(Best { source: winner.source(), attr: winner.used })
    }

    /// The eligible ones among `paths` that no other beats by its attributes alone: mostly one or
    /// two of many, and only of these more must be known.
    fn foremost(&self, paths: &[Path], sets: &Sets, foremost: &mut Vec<Path>) {
        foremost.clear();
        let mut highest = 0;
        for path in paths.iter().filter(|path| self.eligible(path).is_some()) {
            let Some(set) = sets.get(path.used) else { continue };
            let stale = set.has_community(Community::LLGR_STALE);
            let standing = decision::standing(path.source().is_own(), stale, set.rank());
            if standing > highest {
                highest = standing;
                foremost.clear();
            }
            if standing == highest {
                foremost.push(*path);
            }
        }
    }

    /// The hops of `others` beside that of `best`, each next hop once, as many as there may be.
    fn ways<'p>(
        &self,
        best: &Path,
        others: impl Iterator<Item = &'p Path>,
        sets: &Sets,
        more: &mut Vec<Hop>,
    ) {
        let next_hop = |path: &Path| sets.get(path.used).map(|set| set.next_hop());
        let first = next_hop(best);
        for path in others {
            if more.len() + 1 >= usize::from(self.config.max_paths) {
                break;
            }
            let Some(next_hop) = next_hop(path) else { continue };
            if Some(next_hop) != first && more.iter().all(|hop| hop.next_hop != next_hop) {
                more.push(Hop { next_hop, from: self.sources.peer(path.source()) });
            }
        }
    }
}

impl Known for Ranking<'_> {
    fn source(&self, peer: PeerId) -> Source<'_> {
        self.peers.source(peer)
    }

    fn router_id(&self, peer: PeerId) -> Option<Ipv4Addr> {
        self.peers.router_id(peer)
    }

    fn interface(&self, next_hop: NextHop) -> Option<&str> {
        self.nexthops.interface(next_hop)
    }

    fn feed(&self, best: Best) -> Option<Feed> {
        let Best { source, attr } = best;
        let peer = self.sources.peer(source);
        let learned = self.peers.learned(peer).filter(|_| source.is_announced())?;
        Some(Feed { attr, source, peer, learned })
    }

    fn feeds(&self, paths: &[Path], sets: &Sets, feeds: &mut Vec<Feed>) {
        let (at, candidates) = self.candidates(paths, sets);
        let in_order = decision::in_order(&candidates);
        feeds.extend(in_order.into_iter().filter_map(|place| {
            let path = paths.get(*at.get(place)?)?;
            self.feed(Best { source: path.source(), attr: path.used })
        }));
    }
}

/// How many best routes a neighbour gained or lost in a run of decisions that concern it.
#[derive(Default)]
struct Tally(Option<(PeerId, i32)>);

impl Tally {
    fn count(&mut self, peer: PeerId, n: i32, family: usize, peers: &mut Peers) {
        match &mut self.0 {
            Some((last, sum)) if *last == peer => *sum += n,
            _ => {
                self.settle(family, peers);
                self.0 = Some((peer, n));
            }
        }
    }

    /// Writes the count down.
    fn settle(&mut self, family: usize, peers: &mut Peers) {
        let Some((peer, sum)) = self.0.take() else { return };
        let counts = peers.counts_mut(peer);
        if let Some(n) = counts.and_then(|c| c.best.get_mut(family)) {
            *n = n.saturating_add_signed(sum);
        }
    }
}

/// All that a decision changes or asks.
pub(crate) struct Change<'a> {
    pub(crate) config: &'a RibConfig,
    pub(crate) peers: &'a mut Peers,
    pub(crate) sets: &'a mut Sets,
    pub(crate) nexthops: &'a Nexthops,
    pub(crate) sources: &'a Sources,
    pub(crate) kernel: &'a mut Kernel,
    pub(crate) exports: &'a mut Exports,
    pub(crate) watch: &'a mut Option<Watch>,
    /// Groups are fed whatever is touched.
    pub(crate) refeed: bool,
}

impl Change<'_> {
    /// Decides what was touched in one family. Changes of a destination between two calls come
    /// out as one, and what changed back comes out as nothing.
    pub(crate) fn decide_touched<P: Keyed>(
        &mut self,
        tables: &mut Tables,
        fib: &mut Vec<FibRoute>,
    ) {
        let Change { config, peers, sets, nexthops, sources, kernel, exports, watch, refeed } =
            self;
        let table = P::table_mut(tables);
        let family = slot_of(P::FAMILY);
        let all = exports.wants_all();
        let mut touched = std::mem::take(&mut table.touched);
        let (mut fates, mut room) = (Fates::default(), Room::default());
        let mut tally = Tally::default();
        // Runs of routes come from one source.
        let mut last: Option<(SourceId, Option<Feed>)> = None;
        let mut feeds = Vec::new();
        for id in touched.drain(..) {
            let more_was = table.more(id);
            let Some(dest) = table.get_mut(id) else { continue };
            let prefix = dest.prefix;
            let ranking = Ranking { config, peers, nexthops, sources };
            let best = ranking.best(dest.paths.as_slice(), sets, &mut room);
            let was = dest.best();
            let was_stranded = dest.is_stranded();
            let alone = match best {
                Some(_) => Fate::Nothing,
                None => fates.without_best(dest.paths.as_slice(), prefix, &ranking, sets),
            };
            let stranded = alone == Fate::Stranded;
            feeds.clear();
            let mut told = None;
            if all || best != was || *refeed {
                told = best.and_then(|b| {
                    let feed = match last {
                        Some((source, feed)) if source == b.source => feed,
                        _ => last.insert((b.source, ranking.feed(b))).1,
                    };
                    Some(Feed { attr: b.attr, ..feed? })
                });
                match all {
                    true => ranking.feeds(dest.paths.as_slice(), sets, &mut feeds),
                    false => feeds.extend(told),
                }
            }
            if best != was
                && let Some(watch) = watch
            {
                watch.note(prefix.net(), (was, best), &ranking, sets);
            }
            let more = kernel.intern(&room.more);
            if best != was || more != more_was || stranded != was_stranded {
                let old = match was_stranded {
                    true => Fate::Stranded,
                    false => fates.of(was, more_was, prefix, &ranking, sets),
                };
                let new = match stranded {
                    true => Fate::Stranded,
                    false => fates.decide(best, more, prefix, &ranking, sets),
                };
                if new != old {
                    let best = fates.told(new, kernel);
                    fib.push(FibRoute { prefix: prefix.net(), best });
                }
            }
            kernel.release(more_was);
            if best.is_none() && (stranded || was_stranded) {
                dest.set_stranded(stranded);
            } else if best != was || was_stranded {
                dest.set_best(best);
            }
            if best.map(|b| b.source) != was.map(|b| b.source) {
                for (best, n) in [(was, -1), (best, 1)] {
                    if let Some(best) = best {
                        tally.count(sources.peer(best.source), n, family, peers);
                    }
                }
            }
            if more != more_was {
                table.set_more(id, more);
            }
            if all || best != was || *refeed {
                let offer = Offer { best: told, all: &feeds };
                let ranking = Ranking { config, peers, nexthops, sources };
                exports.feed(id, prefix, offer, &mut Lent { known: &ranking, sets });
            }
            if table.get(id).is_some_and(|d| d.is_empty()) && !exports.holds(P::FAMILY, id) {
                table.remove(id);
            }
        }
        tally.settle(family, peers);
        // The next message is nearly always small.
        touched.shrink_to(4096);
        table.touched = touched;
    }
}
