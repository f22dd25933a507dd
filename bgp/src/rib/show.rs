//! What `bgpctl` asks the Rib: routes with the reason for each choice, counts, groups.
//!
//! Views are made when asked, in small chunks, from the table as it is: nothing is stored for
//! them. A walk goes on where a [`Cursor`] says, whatever changed in the meantime.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Rib;
use super::change::Ranking;
use super::decision::{self, Candidate};
use super::nexthop::Reach;
use super::peers;
use super::stale::Stage;
use crate::attrs::AttrSet;
use crate::export::Sending;
use crate::msg::{Export, Hop, Originated, PrefixLimit};
use crate::table::{Keyed, Path, SourceId, Verdict, slot_of};
use crate::types::{Families, Family, NextHop, PeerId, Time, V4, V6, family_of};

/// Destinations that one call looks at, at most: a call's time is bounded whatever matches.
const LOOKS: u32 = 65_536;

/// Which routes.
#[derive(Clone, Debug)]
pub struct RouteFilter {
    /// This one only.
    pub prefix: Option<IpNet>,
    /// Those that contain this address, the longest match first.
    pub covering: Option<IpAddr>,
    /// With `covering`: also the shorter ones.
    pub shorter: bool,
    /// Only paths from this neighbour, and routes that have one.
    pub from: Option<PeerId>,
    /// Only these families.
    pub families: Families,
}

impl Default for RouteFilter {
    /// Everything.
    fn default() -> Self {
        let families = Families::ALL;
        RouteFilter { prefix: None, covering: None, shorter: false, from: None, families }
    }
}

/// Where a walk goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cursor {
    family: Family,
    id: u32,
}

/// A destination.
#[derive(Clone, Debug)]
pub struct RouteView {
    /// The prefix.
    pub prefix: IpNet,
    /// The paths to it, the best one first.
    pub paths: Vec<PathView>,
    /// Why the best one is kept out of the kernel by a rule, if one does that.
    pub kept_out: Option<String>,
}

/// A path to a destination.
#[derive(Clone, Debug)]
pub struct PathView {
    /// From whom; [`PeerId::LOCAL`] for our own.
    pub peer: PeerId,
    /// For our own: why it is there.
    pub wish: Option<Wish>,
    /// The identifier with which the neighbour sent it (RFC 7911); 0 where it sends none.
    pub path_id: u32,
    /// The neighbour's name; "local" for our own.
    pub name: String,
    /// NEXT_HOP, as used; `None` for our own routes.
    pub next_hop: Option<NextHop>,
    /// What it carries, as received.
    pub attrs: AttrSet,
    /// What it carries after import, where that is something else.
    pub used: Option<AttrSet>,
    /// Whether it is the one in use.
    pub best: bool,
    /// Whether it carries traffic beside the best one.
    pub multipath: bool,
    /// Its neighbour has not said it again since its session ended, or since it began to say
    /// everything again.
    pub stale: Option<StaleView>,
    /// Why it is in use, or why it is not.
    pub why: String,
    /// Why import policy rejected it, if it did.
    pub filtered: Option<String>,
    /// What the kernel says about its next hop; for our own routes and filtered ones, `None`.
    pub reach: Option<Reach>,
    /// The interface that leads there, where it is known.
    pub interface: Option<String>,
    /// When it came with these attributes, to the second.
    pub received: Time,
}

/// A path that is stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StaleView {
    /// What it waits for.
    pub waits: Waits,
    /// When that wait is over.
    pub until: Time,
    /// It has been so for longer than a restart takes, and is the least preferred (RFC 9494).
    pub long_lived: bool,
}

/// What a stale path waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Waits {
    /// Its neighbour's session.
    Session,
    /// Its neighbour's End-of-RIB.
    EndOfRib,
    /// The end of a refresh.
    Refresh,
}

/// Which wish an own route follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// A pod block.
    Block,
    /// A network of the configuration.
    Network,
    /// The operator's.
    Operator,
    /// The address of a local pod.
    Pod,
    /// A blackhole that nobody is told of.
    Sink,
}

/// A neighbour's routes, per family (IPv4, IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PeerCounts {
    /// Paths from it.
    pub received: [u32; 2],
    /// Of those, what import policy let pass.
    pub accepted: [u32; 2],
    /// Of those, what is in use.
    pub best: [u32; 2],
    /// Kept though the neighbour has not said it again.
    pub stale: [u32; 2],
    /// Kept out by the limit.
    pub over: [u32; 2],
    /// How many it may send.
    pub limits: [Option<PrefixLimit>; 2],
    /// Routes it has been told.
    pub sent: [u32; 2],
    /// Traffic is being taken off it (RFC 8326).
    pub draining: bool,
}

/// An update group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GroupView {
    /// The members' sessions are iBGP.
    pub internal: bool,
    /// What goes to them.
    pub export: Export,
    /// The families.
    pub families: Families,
    /// The NEXT_HOPs that we send (IPv4, IPv6).
    pub next_hops: [Option<IpAddr>; 2],
    /// How many peers are in it.
    pub members: usize,
}

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

fn wish(source: SourceId) -> Wish {
    match source {
        SourceId::NETWORK => Wish::Network,
        SourceId::OPERATOR => Wish::Operator,
        SourceId::POD => Wish::Pod,
        SourceId::SINK => Wish::Sink,
        _ => Wish::Block,
    }
}
