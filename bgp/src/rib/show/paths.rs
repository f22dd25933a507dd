//! A destination's paths as they are shown: how each stands, and the reason for each choice.

use super::filter::{Outward, PathState, RouteFilter};
use super::sent::Outgoing;
use super::views::{PathView, RouteView, SentView, StaleView, Waits, Wish, wish};
use crate::attrs::AttrSet;
use crate::msg::Hop;
use crate::rib::Rib;
use crate::rib::change::Ranking;
use crate::rib::decision::{self, Candidate};
use crate::rib::nexthop::Reach;
use crate::rib::stale::Stage;
use crate::table::{Best, Keyed, Path, Verdict, slot_of};
use crate::types::{Family, PeerId, Time};

/// Of a destination, what tells how its paths stand.
#[derive(Clone, Copy)]
struct Chosen<'a> {
    best: Option<Best>,
    more: &'a [Hop],
}

impl Rib {
    /// The paths that are meant, if there are any.
    pub(super) fn view<P: Keyed>(&self, id: u32, filter: &RouteFilter) -> Option<RouteView> {
        let table = P::table(&self.tables);
        let dest = table.get(id)?;
        let config = self.config.as_ref()?;
        let paths = dest.paths.as_slice();
        let best = dest.best();
        let chosen = Chosen { best, more: self.kernel.more(table.more(id)) };
        let outgoing = filter.to.map(|(to, _)| self.outgoing::<P>(to, id, paths, best));
        // What most are not is asked first: nothing is put into words for them.
        let is_meant = |(at, path): &(usize, &Path)| {
            let sent = outgoing.as_ref().map(|outgoing| outgoing.of(*at));
            self.is_meant(filter, path, chosen, sent)
        };
        let meant: Vec<(usize, &Path)> = paths.iter().enumerate().filter(is_meant).collect();
        let default = outgoing.as_ref().and_then(|outgoing| default(outgoing, filter));
        if meant.is_empty() && default.is_none() {
            return None;
        }
        let Rib { peers, nexthops, sources, .. } = self;
        let ranking = Ranking { config, peers, nexthops, sources };
        let (at, candidates) = ranking.candidates(paths, &self.sets);
        let whys = self.whys(&candidates);
        let view = |(position, path): (usize, &Path)| {
            let attrs = self.sets.get(path.received)?;
            let used = self.sets.get(path.used)?;
            let (from, path_id) = sources.get(path.source())?;
            let own = path.source().is_own();
            let filtered =
                (!path.is_accepted()).then(|| self.reason(from, path, dest.prefix, attrs));
            let next_hop = (!own).then(|| used.next_hop());
            let reach = next_hop.filter(|_| path.is_accepted()).map(|a| self.nexthops.reach(a));
            let is_best = chosen.is_best(path);
            let multipath = self.is_beside(path, chosen);
            let why = at.iter().position(|c| *c == position).and_then(|c| whys.get(c)).cloned();
            let why = why.unwrap_or_else(|| match (&filtered, reach, next_hop) {
                (Some(reason), _, _) => format!("filtered: {reason}"),
                (None, Some(Reach::Unanswered), Some(a)) => {
                    format!("next hop {a}: the kernel has not answered yet")
                }
                (None, _, Some(a)) => format!("next hop {a} is unreachable"),
                (None, _, None) => "not in use".to_owned(),
            });
            let sent = filter.to.zip(outgoing.as_ref()).map(|((to, _), outgoing)| {
                let none = || self.withheld((to, id), dest.prefix, path, best);
                outgoing.of(position).cloned().ok_or_else(none)
            });
            Some(PathView {
                peer: from,
                wish: own.then(|| wish(path.source())),
                path_id: if own { 0 } else { path_id },
                name: self.name_of(from),
                next_hop,
                attrs: attrs.clone(),
                used: (path.used != path.received).then(|| used.clone()),
                best: is_best,
                multipath,
                stale: path.is_stale().then(|| self.stale_view(from, P::FAMILY)).flatten(),
                why: if multipath { format!("used beside the best; {why}") } else { why },
                filtered,
                reach,
                interface: next_hop.and_then(|a| nexthops.interface(a)).map(str::to_owned),
                received: Time(u64::from(path.since) * 1_000_000),
                sent,
            })
        };
        let mut views: Vec<PathView> = meant.into_iter().filter_map(view).collect();
        let order = |p: &PathView| (!p.best, !p.multipath, p.filtered.is_some(), p.peer, p.path_id);
        views.sort_by_key(order);
        views.extend(default);
        let kept_out = best.and_then(|best| self.kept_out(dest.prefix, best));
        let kept_out = kept_out.map(|rule| format!("kept out of the kernel by {rule}"));
        (!views.is_empty()).then(|| RouteView { prefix: dest.prefix.net(), paths: views, kept_out })
    }

    /// Whether a path is asked for. `sent`: where a neighbour is named, as what it is told of it.
    fn is_meant(
        &self,
        filter: &RouteFilter,
        path: &Path,
        chosen: Chosen<'_>,
        sent: Option<Option<&SentView>>,
    ) -> bool {
        let goes = |(_, outward)| match (outward, sent.flatten()) {
            (Outward::Told, sent) => sent.is_some(),
            (Outward::Withheld, sent) => sent.is_none() && chosen.is_best(path),
            (Outward::Any, _) => true,
        };
        filter.from.is_none_or(|from| from == self.sources.peer(path.source()))
            && filter.to.is_none_or(goes)
            && filter.states.iter().all(|state| self.stands(*state, path, chosen))
            && (!filter.asks_attributes() || {
                let carried = sent.flatten().map(|sent| &sent.attrs);
                carried.or_else(|| self.sets.get(path.used)).is_some_and(|a| filter.holds(a))
            })
    }

    fn stands(&self, state: PathState, path: &Path, chosen: Chosen<'_>) -> bool {
        let reachable = || path.source().is_own() || self.nexthops.metric(path.used).is_some();
        match state {
            PathState::Best => chosen.is_best(path),
            PathState::Valid => path.is_accepted() && reachable(),
            PathState::Used => chosen.is_best(path) || self.is_beside(path, chosen),
            PathState::Stale => path.is_stale(),
            PathState::Unreachable => path.is_accepted() && !reachable(),
            PathState::Filtered => !path.is_accepted(),
        }
    }

    /// Whether a path carries traffic beside the best one.
    fn is_beside(&self, path: &Path, chosen: Chosen<'_>) -> bool {
        if chosen.more.is_empty() || chosen.is_best(path) || !path.is_accepted() {
            return false;
        }
        let from = self.sources.peer(path.source());
        let next_hop = self.sets.get(path.used).map(|used| used.next_hop());
        !path.source().is_own()
            && next_hop.is_some_and(|next_hop| chosen.more.contains(&Hop { next_hop, from }))
    }

    /// Why a path is filtered.
    fn reason<P: Keyed>(&self, from: PeerId, path: &Path, prefix: P, attrs: &AttrSet) -> String {
        let peer = self.peers.get(from);
        if path.verdict() == Verdict::Over {
            let limit = peer.and_then(|p| p.limit(slot_of(P::FAMILY)));
            let max = limit.map_or_else(String::new, |limit| format!(" of {} prefixes", limit.max));
            return format!("over the limit{max}");
        }
        let judge = peer.and_then(|p| p.judge());
        let judged = judge
            .and_then(|judge| judge.prefix(&judge.prepare(attrs, &self.nexthops), prefix).err());
        judged.map_or_else(|| "rejected by import policy".to_owned(), |reason| reason.to_string())
    }

    fn stale_view(&self, from: PeerId, family: Family) -> Option<StaleView> {
        let stale = self.peers.get(from)?.stale.get(slot_of(family)).copied().flatten()?;
        let waits = match stale.stage {
            Stage::Away { .. } => Waits::Session,
            Stage::Returned => Waits::EndOfRib,
            Stage::Refresh => Waits::Refresh,
        };
        Some(StaleView { waits, until: stale.until, long_lived: stale.long_lived })
    }

    /// Why each candidate won or lost.
    fn whys(&self, candidates: &[Candidate<'_>]) -> Vec<String> {
        let losses = decision::explain(candidates);
        // The runner-up is the one that lost last.
        let runner_up = losses.iter().enumerate().filter_map(|(at, l)| Some((at, (*l)?)));
        let runner_up = runner_up.max_by_key(|(_, loss)| loss.why);
        let words = |at: usize, to: usize, why: decision::Why| {
            let (a, b) = (candidates.get(at)?, candidates.get(to)?);
            Some(match why {
                decision::Why::Local => why.words(a, b),
                _ => format!("{} of {}", why.words(a, b), self.name_of(b.peer)),
            })
        };
        let why = |(at, loss): (usize, &Option<decision::Loss>)| match (loss, runner_up) {
            (Some(loss), _) => words(at, loss.to, loss.why).map(|w| format!("not best: {w}")),
            (None, Some((other, loss))) => {
                let words = words(at, other, loss.why)?;
                Some(format!("best: {words}"))
            }
            (None, None) => Some("best: the only usable path".to_owned()),
        };
        losses.iter().enumerate().map(|l| why(l).unwrap_or_default()).collect()
    }
}

impl Chosen<'_> {
    fn is_best(self, path: &Path) -> bool {
        self.best.is_some_and(|best| best.source == path.source())
    }
}

/// The default route that the neighbour is told of whatever routes there are, if it is asked for.
fn default(outgoing: &Outgoing, filter: &RouteFilter) -> Option<PathView> {
    let sent = outgoing.default.as_ref()?;
    let is_meant = filter.to.is_some_and(|(_, outward)| outward != Outward::Withheld)
        && filter.from.is_none_or(|from| from == PeerId::LOCAL)
        && filter.states.is_empty()
        && filter.holds(&sent.attrs);
    is_meant.then(|| PathView {
        peer: PeerId::LOCAL,
        wish: Some(Wish::Default),
        path_id: 0,
        name: "local".to_owned(),
        next_hop: None,
        attrs: sent.attrs.clone(),
        used: None,
        best: false,
        multipath: false,
        stale: None,
        why: "the neighbour has `default-route`".to_owned(),
        filtered: None,
        reach: None,
        interface: None,
        received: Time::ZERO,
        sent: Some(Ok(sent.clone())),
    })
}
