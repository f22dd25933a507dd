//! What `bgpctl` asks the Rib: routes with the reason for each choice, counts, groups.
//!
//! Views are made when asked, in small chunks, from the table as it is: nothing is stored for
//! them. A walk goes on where a [`Cursor`] says, whatever changed in the meantime.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Rib;
use super::change::Ranking;
use super::decision::{self, Candidate};
use super::dest::{Dest, Path};
use super::nexthop::Reach;
use super::peers;
use super::table::Keyed;
use crate::attrs::AttrSet;
use crate::msg::{Export, Originated};
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
}

/// A path to a destination.
#[derive(Clone, Debug)]
pub struct PathView {
    /// From whom; [`PeerId::LOCAL`] for our own.
    pub peer: PeerId,
    /// The identifier with which the neighbour sent it (RFC 7911); 0 where it sends none.
    pub path_id: u32,
    /// The neighbour's name; "local" for our own.
    pub name: String,
    /// NEXT_HOP; `None` for our own routes.
    pub next_hop: Option<NextHop>,
    /// What it carries, as received.
    pub attrs: AttrSet,
    /// Whether it is the one in use.
    pub best: bool,
    /// Why it is in use, or why it is not.
    pub why: String,
    /// Why import policy rejected it, if it did.
    pub filtered: Option<String>,
    /// What the kernel says about its next hop; for our own routes and filtered ones, `None`.
    pub reach: Option<Reach>,
    /// When it came with these attributes, to the second.
    pub received: Time,
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
    /// Routes it has been told.
    pub sent: [u32; 2],
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
            views.extend(table.get(id).and_then(|dest| self.view(dest, filter)));
        }
        None
    }

    fn exact<P: Keyed>(&self, net: IpNet, filter: &RouteFilter) -> Vec<RouteView> {
        let table = P::table(&self.tables);
        let dest = P::from_net(net).and_then(|p| table.get(table.find(p)?));
        dest.and_then(|dest| self.view(dest, filter)).into_iter().collect()
    }

    fn covering<P: Keyed>(&self, address: IpAddr, filter: &RouteFilter) -> Vec<RouteView> {
        debug_assert_eq!(family_of(address), P::FAMILY);
        let octets = match address {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        };
        let table = P::table(&self.tables);
        let dests = (0..=P::MAX_LEN)
            .rev()
            .filter_map(|len| table.get(table.find(P::from_wire(len, &octets)?)?));
        let views = dests.filter_map(|dest| self.view(dest, filter));
        views.take(if filter.shorter { usize::MAX } else { 1 }).collect()
    }

    fn view<P: Keyed>(&self, dest: &Dest<P>, filter: &RouteFilter) -> Option<RouteView> {
        let paths = dest.paths.as_slice();
        let Rib { peers, nexthops, sources, .. } = self;
        let (at, candidates) = Ranking { peers, nexthops, sources }.candidates(paths, &self.sets);
        let whys = self.whys(&candidates);
        let best = dest.best();
        let view = |(position, path): (usize, &Path)| {
            let attrs = self.sets.get(path.received)?;
            let (own, from) = (path.source().is_own(), self.sources.peer(path.source()));
            let peer = self.peers.get(from);
            let filtered = (!path.is_accepted()).then(|| {
                let words = peer.and_then(|p| p.judge().words(dest.prefix, attrs));
                words.unwrap_or_else(|| "rejected by import policy".to_owned())
            });
            let next_hop = (!own).then(|| attrs.next_hop());
            let reach = next_hop.filter(|_| path.is_accepted()).map(|a| self.nexthops.reach(a));
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
                path_id: if own { 0 } else { sources.path_id(path.source()) },
                name: self.name_of(from),
                next_hop,
                attrs: attrs.clone(),
                best: best.is_some_and(|b| b.source == path.source()),
                why,
                filtered,
                reach,
                received: Time(u64::from(path.since) * 1_000_000),
            })
        };
        let wanted = |path: &PathView| filter.from.is_none_or(|peer| peer == path.peer);
        let mut views: Vec<PathView> =
            paths.iter().enumerate().filter_map(view).filter(wanted).collect();
        views.sort_by_key(|p| (!p.best, p.filtered.is_some(), p.peer));
        (!views.is_empty()).then(|| RouteView { prefix: dest.prefix.net(), paths: views })
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

    /// Counts of a neighbour's routes; zeros for one that is unknown. [`PeerId::LOCAL`]: ours.
    pub fn peer_counts(&self, peer: PeerId) -> PeerCounts {
        let counts = match peer {
            PeerId::LOCAL => self.peers.own,
            _ => self.peers.get(peer).map_or_else(Default::default, |p| p.counts),
        };
        let peers::Counts { received, accepted, best } = counts;
        PeerCounts { received, accepted, best, sent: self.exports.sent(peer) }
    }

    /// Destinations in the table, per family (IPv4, IPv6).
    pub fn destinations(&self) -> [usize; 2] {
        [self.tables.v4.len(), self.tables.v6.len()]
    }

    /// Different attribute sets, received and sent, and the octets of memory that they take.
    pub fn attribute_sets(&self) -> (usize, usize) {
        self.sets.size()
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
