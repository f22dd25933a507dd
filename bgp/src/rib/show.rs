//! What `bgpctl` asks the Rib: routes with the reason for each choice, counts, groups.
//!
//! Views are made when asked, in small chunks, from the table as it is: nothing is stored for
//! them. A walk goes on where a [`Cursor`] says, whatever changed in the meantime.
//!
//! * `filter`, `mask`: what is asked for; `views`: the shapes of what is shown;
//! * `paths`: a destination's paths and the reason for each choice;
//! * `sent`: what a neighbour is told of them, and why not more;
//! * `dump`: the table as it is stored;
//! * `memory`: how much of everything there is.

mod dump;
mod filter;
mod mask;
mod memory;
mod paths;
mod sent;
mod views;

use std::net::IpAddr;

use ipnet::IpNet;

pub use dump::Dump;
pub use filter::{Outward, PathState, RouteFilter};
pub use mask::{NotMask, PathMask};
pub use memory::{Kept, What};
pub use views::{
    Cursor, GroupView, PathView, PeerCounts, RouteView, SentView, StaleView, Waits, Wish,
};

use super::{Rib, peers};
use crate::attrs::AttrSet;
use crate::export::Sending;
use crate::msg::{Originated, Wished};
use crate::table::Keyed;
use crate::types::{Family, PeerId, V4, V6, family_of};

/// Destinations that one call looks at, at most: a call takes half a millisecond whatever matches,
/// as one does that finds all it may.
const LOOKS: u32 = 2048;

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
            (Some(net), _) if filter.shorter && after.is_none() => {
                let mut views = match net {
                    IpNet::V4(_) => self.above::<V4>(net, filter),
                    IpNet::V6(_) => self.above::<V6>(net, filter),
                };
                if !filter.longer {
                    return (views, None);
                }
                let (inside, next) = self.walk(filter, after, limit);
                views.extend(inside);
                (views, next)
            }
            (Some(_), _) if filter.longer => self.walk(filter, after, limit),
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
            let is_inside = |id| table.get(id).is_some_and(|dest| filter.is_inside(dest.prefix));
            if is_inside(id) {
                views.extend(self.view::<P>(id, filter));
            }
        }
        None
    }

    fn exact<P: Keyed>(&self, net: IpNet, filter: &RouteFilter) -> Vec<RouteView> {
        let table = P::table(&self.tables);
        let id = P::from_net(net).and_then(|prefix| table.find(prefix));
        id.and_then(|id| self.view::<P>(id, filter)).into_iter().collect()
    }

    /// The prefixes that `net` lies in, longest first, and unless a walk finds it `net` itself.
    fn above<P: Keyed>(&self, net: IpNet, filter: &RouteFilter) -> Vec<RouteView> {
        let octets = match net.network() {
            IpAddr::V4(a) => a.octets().to_vec(),
            IpAddr::V6(a) => a.octets().to_vec(),
        };
        let table = P::table(&self.tables);
        let lengths = 0..net.prefix_len() + u8::from(!filter.longer);
        let found = |len| table.find(P::from_wire(len, &octets)?);
        lengths.rev().filter_map(|len| self.view::<P>(found(len)?, filter)).collect()
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

    /// While the start is not over: neighbours that are up and have not announced all that they
    /// will, by name. One that starts itself may wait for us, and is not waited for.
    pub fn coming(&self) -> Vec<String> {
        if self.settle.is_over() {
            return Vec::new();
        }
        let peers = self.peers.ids().into_iter().filter_map(|id| Some((id, self.peers.get(id)?)));
        let coming = peers.filter(|(_, p)| p.up().is_some() && !p.is_settled() && !p.is_starting());
        coming.map(|(id, peer)| peer.name(id)).collect()
    }

    /// How many paths there are, per family (IPv4, IPv6): from neighbours, and our own.
    pub fn paths(&self) -> [u64; 2] {
        let ids = self.peers.ids().into_iter();
        let counts = ids.filter_map(|id| Some(self.peers.get(id)?.counts)).chain([self.peers.own]);
        counts.fold([0, 0], |[v4, v6], counts| {
            let [more4, more6] = counts.received.map(u64::from);
            [v4 + more4, v6 + more6]
        })
    }

    /// What the operator had originated while the daemon runs.
    pub fn added(&self) -> &[Wished] {
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

#[cfg(test)]
mod tests;
