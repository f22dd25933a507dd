//! What the kernel is told of a decision: which ways, with what metric, or nothing.
//!
//! The Fib is told changes only, so what it was told last must be known. It follows from the best
//! path and the configuration, both still at hand when they change; only the further hops of a
//! multipath route are kept, interned, and of a destination that has them ([`Kernel::more`]).

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::Rib;
use super::change::Ranking;
use crate::attrs::AttrSet;
use crate::msg::{Encapsulation, FibBatch, FibBest, FibRoute, Hop, RibConfig, RibOut, Via};
use crate::policy::{Policy, Prepared, Rule, RuleName, Source, Subject, Verdict};
use crate::slab::Slab;
use crate::table::{Best, Keyed, More, Path, Sets};
use crate::types::{NextHop, PeerId, V4, V6};
use crate::wire::community::Community;

/// LOCAL_PREF of metric 0, where it carries the kernel's metric.
const METRIC_ZERO: u32 = i32::MAX as u32;

/// What the kernel is told of a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    Nothing,
    Blackhole,
    /// Routes are known, and none of their next hops can be reached.
    Stranded,
    Via {
        next_hop: NextHop,
        from: PeerId,
        metric: Option<u32>,
        encapsulation: Encapsulation,
        more: More,
    },
}

/// Lists of further hops, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kernel {
    lists: Slab<(Arc<[Hop]>, u32)>,
    numbers: HashMap<Arc<[Hop]>, u32, FixedState>,
}

impl Kernel {
    /// The number of a list, with one use more.
    pub(crate) fn intern(&mut self, hops: &[Hop]) -> More {
        if hops.is_empty() {
            return More::default();
        }
        let number = match self.numbers.get(hops) {
            Some(number) => *number,
            None => {
                let hops: Arc<[Hop]> = hops.into();
                let number = self.lists.insert((Arc::clone(&hops), 0));
                self.numbers.insert(hops, number);
                number
            }
        };
        if let Some((_, uses)) = self.lists.get_mut(number) {
            *uses += 1;
        }
        More(number + 1)
    }

    /// One use less.
    pub(crate) fn release(&mut self, more: More) {
        let Some(number) = more.0.checked_sub(1) else { return };
        let Some((hops, uses)) = self.lists.get_mut(number) else { return };
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            let hops = Arc::clone(hops);
            self.lists.remove(number);
            self.numbers.remove(&hops);
        }
    }

    /// The hops of a list.
    pub(crate) fn more(&self, more: More) -> &[Hop] {
        let number = more.0.checked_sub(1);
        number.and_then(|n| self.lists.get(n)).map_or(&[], |(hops, _)| hops)
    }

    /// A fate as the Fib is told it.
    pub(crate) fn told(&self, fate: Fate) -> Option<FibBest> {
        match fate {
            Fate::Nothing => None,
            Fate::Blackhole => Some(FibBest::Own),
            Fate::Stranded => Some(FibBest::Unreachable),
            Fate::Via { next_hop, from, metric, encapsulation, more } => {
                let first = Hop { next_hop, from };
                let hops = std::iter::once(first).chain(self.more(more).iter().copied()).collect();
                Some(FibBest::Via(Arc::new(Via { hops, metric, encapsulation })))
            }
        }
    }
}

/// What is known of routes with the same best path, whatever their prefix.
#[derive(Clone, Debug)]
struct Basis {
    best: Best,
    fate: Fate,
    /// `None`: there are no rules.
    prepared: Option<Prepared>,
}

/// The last few answers, good for one message: routes come in runs, and a run has one path before
/// and one after.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    bases: [Option<Basis>; 2],
    next: usize,
    told: Option<(Fate, Option<FibBest>)>,
}

impl Fates {
    /// What the kernel is told of a prefix with this best path, decided before.
    #[inline]
    pub(crate) fn of<P: Keyed>(
        &mut self,
        best: Option<Best>,
        more: More,
        prefix: P,
        ranking: &Ranking<'_>,
        sets: &Sets,
    ) -> Fate {
        self.ask(best, more, ranking, sets, |policy, p| policy.would_decide(p, prefix))
    }

    /// What it is told of one that is best from now on: the rule that decides has a hit.
    #[inline]
    pub(crate) fn decide<P: Keyed>(
        &mut self,
        best: Option<Best>,
        more: More,
        prefix: P,
        ranking: &Ranking<'_>,
        sets: &Sets,
    ) -> Fate {
        self.ask(best, more, ranking, sets, |policy, p| policy.decide(p, prefix))
    }

    #[inline]
    fn ask<'r>(
        &mut self,
        best: Option<Best>,
        more: More,
        ranking: &Ranking<'r>,
        sets: &Sets,
        decide: impl FnOnce(&'r Policy, &Prepared) -> Option<&'r Rule>,
    ) -> Fate {
        let Some(best) = best else { return Fate::Nothing };
        let known = self.bases.iter().position(|b| b.as_ref().is_some_and(|b| b.best == best));
        let at = known.unwrap_or_else(|| {
            let at = self.next;
            self.next = 1 - at;
            if let Some(slot) = self.bases.get_mut(at) {
                *slot = Some(basis(best, ranking, sets));
            }
            at
        });
        let Some(Basis { fate, prepared, .. }) = self.bases.get(at).and_then(Option::as_ref) else {
            return Fate::Nothing;
        };
        let mut fate = *fate;
        if let Fate::Via { more: slot, .. } = &mut fate {
            *slot = more;
        }
        let Some(prepared) = prepared else { return fate };
        let rule = decide(&ranking.config.kernel_rules, prepared);
        match rule.map(|rule| &rule.verdict) {
            None => {}
            Some(Verdict::Reject) => return Fate::Nothing,
            Some(Verdict::Accept(changes)) => {
                if let Fate::Via { metric, encapsulation, .. } = &mut fate {
                    *metric = changes.metric.or(*metric);
                    *encapsulation = changes.encapsulation.unwrap_or(*encapsulation);
                }
            }
        }
        fate
    }

    /// What it is told where no path may be used: whether one would enter it, could its next hop be
    /// reached. Until the kernel has answered for it, nothing is said.
    pub(crate) fn without_best<P: Keyed>(
        &mut self,
        paths: &[Path],
        prefix: P,
        ranking: &Ranking<'_>,
        sets: &Sets,
    ) -> Fate {
        let stranded = |path: &&Path| {
            path.is_accepted()
                && !path.source().is_own()
                && ranking.nexthops.is_unreachable(path.used)
        };
        let Some(path) = paths.iter().find(stranded) else { return Fate::Nothing };
        let best = Best { source: path.source(), attr: path.used };
        match self.of(Some(best), More::default(), prefix, ranking, sets) {
            Fate::Via { .. } => Fate::Stranded,
            other => other,
        }
    }

    /// The message to the Fib; the same `Via` for a run of prefixes.
    pub(crate) fn told(&mut self, fate: Fate, kernel: &Kernel) -> Option<FibBest> {
        match &self.told {
            Some((last, told)) if *last == fate => told.clone(),
            _ => {
                let told = kernel.told(fate);
                self.told = Some((fate, told.clone()));
                told
            }
        }
    }
}

fn basis(best: Best, ranking: &Ranking<'_>, sets: &Sets) -> Basis {
    let nothing = Basis { best, fate: Fate::Nothing, prepared: None };
    let Some(set) = sets.get(best.attr) else { return nothing };
    let rules = &ranking.config.kernel_rules;
    let prepared = (!rules.is_empty()).then(|| rules.prepare(&subject(best, set, ranking)));
    Basis { best, fate: unruled(best, set, ranking), prepared }
}

/// The best path as the kernel's rules see it.
fn subject<'a>(best: Best, set: &'a AttrSet, ranking: &Ranking<'a>) -> Subject<'a> {
    let source = match best.source.is_own() {
        true => Source::Local,
        false => ranking.peers.source(ranking.sources.peer(best.source)),
    };
    Subject { attrs: set, source, interface: ranking.nexthops.interface(set.next_hop()) }
}

/// What the kernel is told where no rule decides.
fn unruled(best: Best, set: &AttrSet, ranking: &Ranking<'_>) -> Fate {
    if best.source.is_own() {
        return if best.source.is_blackhole() { Fate::Blackhole } else { Fate::Nothing };
    }
    let from = ranking.sources.peer(best.source);
    let policy = ranking.peers.get(from).and_then(|p| p.policy.as_ref());
    // RFC 7999 §3.3: only from who was allowed to ask for it.
    if policy.is_some_and(|p| p.blackhole) && set.has_community(Community::BLACKHOLE) {
        return Fate::Blackhole;
    }
    Fate::Via {
        next_hop: set.next_hop(),
        from,
        metric: if ranking.config.metric_in_local_pref { metric(set) } else { None },
        encapsulation: Encapsulation::ByPool,
        more: More::default(),
    }
}

/// The kernel's metric that LOCAL_PREF carries. A small LOCAL_PREF is somebody's who knows nothing
/// of this: as a metric it would be absurd.
fn metric(set: &AttrSet) -> Option<u32> {
    let local_pref = set.local_pref().filter(|n| *n > METRIC_ZERO / 2)?;
    METRIC_ZERO.checked_sub(local_pref)
}

/// Whether two configurations tell the kernel different things of the same paths.
pub(crate) fn tells_otherwise(old: &RibConfig, new: &RibConfig) -> bool {
    old.kernel_rules != new.kernel_rules || old.metric_in_local_pref != new.metric_in_local_pref
}

impl Rib {
    /// What the Fib has been told, by the number of the destination (IPv4, IPv6).
    pub(super) fn told(&self, config: &RibConfig) -> [Vec<Fate>; 2] {
        [self.told_of::<V4>(config), self.told_of::<V6>(config)]
    }

    fn told_of<P: Keyed>(&self, config: &RibConfig) -> Vec<Fate> {
        let Rib { peers, nexthops, sources, sets, .. } = self;
        let ranking = Ranking { config, peers, nexthops, sources };
        let table = P::table(&self.tables);
        let mut fates = Fates::default();
        let fate = |id| match table.get(id) {
            Some(dest) if dest.is_stranded() => {
                fates.without_best(dest.paths.as_slice(), dest.prefix, &ranking, sets)
            }
            Some(dest) => fates.of(dest.best(), table.more(id), dest.prefix, &ranking, sets),
            None => Fate::Nothing,
        };
        (0..table.end()).map(fate).collect()
    }

    /// Tells the Fib what it must know anew, the paths being the same.
    pub(super) fn tell_anew(&self, before: &[Vec<Fate>; 2], out: &mut Vec<RibOut>) {
        let Some(config) = &self.config else { return };
        let [v4, v6] = before;
        let mut fib = FibBatch::default();
        self.differences::<V4>(v4, &self.told_of::<V4>(config), &mut fib.routes);
        self.differences::<V6>(v6, &self.told_of::<V6>(config), &mut fib.routes);
        if !fib.routes.is_empty() {
            out.push(RibOut::Fib(fib));
        }
    }

    fn differences<P: Keyed>(&self, old: &[Fate], new: &[Fate], routes: &mut Vec<FibRoute>) {
        let table = P::table(&self.tables);
        for ((old, new), id) in old.iter().zip(new).zip(0..) {
            if let Some(dest) = table.get(id).filter(|_| old != new) {
                let best = self.kernel.told(*new);
                routes.push(FibRoute { prefix: dest.prefix.net(), best });
            }
        }
    }

    /// The rule that keeps a best path out of the kernel, if one does.
    pub(super) fn kept_out<P: Keyed>(&self, prefix: P, best: Best) -> Option<RuleName> {
        let Rib { config: Some(config), peers, nexthops, sources, sets, .. } = self else {
            return None;
        };
        let ranking = Ranking { config, peers, nexthops, sources };
        let subject = subject(best, sets.get(best.attr)?, &ranking);
        let prepared = config.kernel_rules.prepare(&subject);
        let rule = config.kernel_rules.would_decide(&prepared, prefix)?;
        (rule.verdict == Verdict::Reject).then(|| rule.name.clone())
    }
}

#[cfg(test)]
#[path = "kernel_tests.rs"]
mod tests;
