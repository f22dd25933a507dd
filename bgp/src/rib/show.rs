//! What `bgpctl` asks the Rib: routes with the reason for each choice, counts, groups.
//!
//! Views are made when asked, in small chunks, from the table as it is: nothing is stored for
//! them; their shapes are in `views`. A walk goes on where a [`Cursor`] says, whatever changed in the meantime.

mod views;

use std::net::IpAddr;

use ipnet::IpNet;

pub use views::{
    Cursor, GroupView, PathView, PeerCounts, RouteFilter, RouteView, StaleView, Waits, Wish,
};

use self::views::wish;
use super::Rib;
use super::change::Ranking;
use super::decision::{self, Candidate};
use super::nexthop::Reach;
use super::peers;
use super::stale::Stage;
use crate::attrs::AttrSet;
use crate::export::Sending;
use crate::msg::{Hop, Originated};
use crate::table::{Keyed, Path, Verdict, slot_of};
use crate::types::{Family, PeerId, Time, V4, V6, family_of};

/// Destinations that one call looks at, at most: a call's time is bounded whatever matches.
const LOOKS: u32 = 65_536;

impl Rib {
    /// Up to `limit` routes that match, from `after` on (`None`: from the beginning), and where
    /// to go on; `None`: that was all. An answer may be short, even empty, and go on.
    pub fn routes(
        &self,
        filter: &RouteFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> (Vec<RouteView>, Option<Cursor>) {
        match (filter.prefix, filter.covering) {
            (Some(net), _) => match net {
                IpNet::V4(_) => (self.exact::<V4>(net, filter), None),
                IpNet::V6(_) => (self.exact::<V6>(net, filter), None),
            },
            (None, Some(address)) => match address {
                IpAddr::V4(_) => (self.covering::<V4>(address, filter), None),
                IpAddr::V6(_) => (self.covering::<V6>(address, filter), None),
            },
            (None, None) => self.walk(filter, after, limit),
        }
    }

    fn walk(
        &self,
        filter: &RouteFilter,
        after: Option<Cursor>,
        limit: usize,
    ) -> (Vec<RouteView>, Option<Cursor>) {
        let mut views = Vec::new();
        let mut at = after.unwrap_or(Cursor { family: Family::Ipv4, id: 0 });
        if at.family == Family::Ipv4 {
            let next = self.walk_family::<V4>(filter, at.id, limit, &mut views);
            if let Some(id) = next {
                return (views, Some(Cursor { id, ..at }));
            }
            at = Cursor { family: Family::Ipv6, id: 0 };
        }
        let next = self.walk_family::<V6>(filter, at.id, limit, &mut views);
        (views, next.map(|id| Cursor { id, ..at }))
    }

    /// Returns where to go on in this family.
    fn walk_family<P: Keyed>(
        &self,
        filter: &RouteFilter,
        start: u32,
        limit: usize,
        views: &mut Vec<RouteView>,
    ) -> Option<u32> {
        let table = P::table(&self.tables);
        if !filter.families.contains(P::FAMILY) {
            return None;
        }
        for id in start..table.end() {
            if views.len() >= limit || id - start >= LOOKS {
                return Some(id);
            }
            views.extend(self.view::<P>(id, filter));
        }
        None
    }

    fn exact<P: Keyed>(&self, net: IpNet, filter: &RouteFilter) -> Vec<RouteView> {
        let table = P::table(&self.tables);
        let id = P::from_net(net).and_then(|prefix| table.find(prefix));
        id.and_then(|id| self.view::<P>(id, filter)).into_iter().collect()
    }

    fn covering<P: Keyed>(&self, address: IpAddr, filter: &RouteFilter) -> Vec<RouteView> {
        debug_assert_eq!(family_of(address), P::FAMILY);
        let octets = match address {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        };
        let table = P::table(&self.tables);
        let found = |len| table.find(P::from_wire(len, &octets)?);
        let views = (0..=P::MAX_LEN).rev().filter_map(|len| self.view::<P>(found(len)?, filter));
        views.take(if filter.shorter { usize::MAX } else { 1 }).collect()
    }

    fn view<P: Keyed>(&self, id: u32, filter: &RouteFilter) -> Option<RouteView> {
        let dest = P::table(&self.tables).get(id)?;
        let config = self.config.as_ref()?;
        let paths = dest.paths.as_slice();
        let Rib { peers, nexthops, sources, .. } = self;
        let ranking = Ranking { config, peers, nexthops, sources };
        let (at, candidates) = ranking.candidates(paths, &self.sets);
        let whys = self.whys(&candidates);
        let best = dest.best();
        let more = self.kernel.more(P::table(&self.tables).more(id));
        let view = |(position, path): (usize, &Path)| {
            let attrs = self.sets.get(path.received)?;
            let used = self.sets.get(path.used)?;
            let (from, path_id) = sources.get(path.source())?;
            let own = path.source().is_own();
            let filtered =
                (!path.is_accepted()).then(|| self.reason(from, path, dest.prefix, attrs));
            let next_hop = (!own).then(|| used.next_hop());
            let reach = next_hop.filter(|_| path.is_accepted()).map(|a| self.nexthops.reach(a));
            let is_best = best.is_some_and(|b| b.source == path.source());
            let hop = next_hop.map(|next_hop| Hop { next_hop, from });
            let multipath =
                !is_best && path.is_accepted() && hop.is_some_and(|h| more.contains(&h));
            let why = at.iter().position(|c| *c == position).and_then(|c| whys.get(c)).cloned();
            let why = why.unwrap_or_else(|| match (&filtered, reach, next_hop) {
                (Some(reason), _, _) => format!("filtered: {reason}"),
                (None, Some(Reach::Unanswered), Some(a)) => {
                    format!("next hop {a}: the kernel has not answered yet")
                }
                (None, _, Some(a)) => format!("next hop {a} is unreachable"),
                (None, _, None) => "not in use".to_owned(),
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
            })
        };
        let wanted = |path: &PathView| filter.from.is_none_or(|peer| peer == path.peer);
        let mut views: Vec<PathView> =
            paths.iter().enumerate().filter_map(view).filter(wanted).collect();
        let order = |p: &PathView| (!p.best, !p.multipath, p.filtered.is_some(), p.peer, p.path_id);
        views.sort_by_key(order);
        let kept_out = best.and_then(|best| self.kept_out(dest.prefix, best));
        let kept_out = kept_out.map(|rule| format!("kept out of the kernel by {rule}"));
        (!views.is_empty()).then(|| RouteView { prefix: dest.prefix.net(), paths: views, kept_out })
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

    /// The name of a neighbour as configured; "local" for ourselves.
    fn name_of(&self, id: PeerId) -> String {
        match (id, self.peers.get(id)) {
            (PeerId::LOCAL, _) => "local".to_owned(),
            (_, Some(peer)) => peer.name(id),
            (_, None) => format!("peer {}", id.0),
        }
    }

    /// What becomes of a route with these attributes that `from` sent (or we, [`PeerId::LOCAL`]),
    /// on its way to `to`, the rules of policy aside.
    pub fn sending(&self, to: PeerId, from: PeerId, prefix: IpNet, attrs: &AttrSet) -> Sending {
        let (family, learned) = (family_of(prefix.addr()), self.peers.learned(from));
        self.exports.sending((to, from), family, learned, attrs)
    }

    /// Counts of a neighbour's routes; zeros for one that is unknown. [`PeerId::LOCAL`]: ours.
    pub fn peer_counts(&self, peer: PeerId) -> PeerCounts {
        let counts = match peer {
            PeerId::LOCAL => self.peers.own,
            _ => self.peers.get(peer).map_or_else(Default::default, |p| p.counts),
        };
        let peers::Counts { received, accepted, best, stale, over } = counts;
        let policy = self.peers.get(peer).and_then(|p| p.policy.as_ref());
        let limits = policy.map_or([None; 2], |p| p.limits);
        let sent = self.exports.sent(peer);
        let draining = self.peers.get(peer).is_some_and(|p| p.is_draining());
        PeerCounts { received, accepted, best, stale, over, limits, sent, draining }
    }

    /// Destinations in the table, per family (IPv4, IPv6).
    pub fn destinations(&self) -> [usize; 2] {
        [self.tables.v4.len(), self.tables.v6.len()]
    }

    /// Different attribute sets, received and sent, and the octets of memory that they take.
    pub fn attribute_sets(&self) -> (usize, usize) {
        self.sets.size()
    }

    /// What the operator had originated while the daemon runs.
    pub fn added(&self) -> &[IpNet] {
        &self.origins.operator
    }

    /// The addresses of local pods that are announced, in order.
    pub fn pods(&self) -> impl Iterator<Item = IpNet> {
        self.origins.pods.iter().copied()
    }

    /// Whether the operator takes traffic off a neighbour.
    pub fn is_drained(&self, peer: PeerId) -> bool {
        self.peers.get(peer).is_some_and(|p| p.is_draining())
    }

    /// What this node originates, as configured.
    pub fn originated(&self) -> &[Originated] {
        self.config.as_ref().map_or(&[], |c| &c.originate)
    }

    /// The update groups.
    pub fn groups(&self) -> Vec<GroupView> {
        let view = |(key, members): (&crate::export::GroupKey, usize)| GroupView {
            internal: key.dialect.internal,
            export: key.export,
            families: key.families,
            next_hops: key.next_hops,
            members,
        };
        self.exports.groups().map(view).collect()
    }
}
