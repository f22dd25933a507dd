//! The neighbours as the Rib knows them: session, policy, counts.

use std::net::Ipv4Addr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::decision::Candidate;
use crate::attrs::Rank;
use crate::export::Learned;
use crate::msg::{PeerPolicy, PeerUp};
use crate::policy::{Judge, Source};
use crate::types::{Families, PeerId, PeerKind};

/// Paths of a neighbour, per family (IPv4, IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) received: [u32; 2],
    pub(crate) accepted: [u32; 2],
    pub(crate) best: [u32; 2],
}

/// One neighbour: configured, or up, or both.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// Set while its session is Established.
    pub(crate) up: Option<PeerUp>,
    /// Set while it is configured.
    pub(crate) policy: Option<PeerPolicy>,
    pub(crate) counts: Counts,
    /// Families whose End-of-RIB came since the session is up.
    pub(crate) ended: Families,
}

impl Peer {
    /// Whether the Rib waits for nothing more from it (RFC 4724 §4.1): it is up, and has sent
    /// its End-of-RIBs if it ever will.
    pub(crate) fn is_settled(&self) -> bool {
        let Some(up) = &self.up else { return false };
        let agreed = up.negotiated.families;
        !up.negotiated.end_of_rib || self.ended.intersect(agreed) == agreed
    }

    /// What judges its routes.
    pub(crate) fn judge(&self) -> Judge<'_> {
        Judge(self.policy.as_ref().map(|p| &*p.import))
    }

    pub(crate) fn name(&self, id: PeerId) -> String {
        self.policy.as_ref().map_or_else(|| format!("peer {}", id.0), |p| p.name.clone())
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    map: HashMap<PeerId, Peer, FixedState>,
    /// Counts of our own routes.
    pub(crate) own: Counts,
}

impl Peers {
    #[inline]
    pub(crate) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.map.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.map.get_mut(&id)
    }

    pub(crate) fn entry(&mut self, id: PeerId) -> &mut Peer {
        self.map.entry(id).or_default()
    }

    /// Drops a neighbour that is neither up nor configured.
    pub(crate) fn forget_if_gone(&mut self, id: PeerId) {
        if self.get(id).is_some_and(|p| p.up.is_none() && p.policy.is_none()) {
            self.map.remove(&id);
        }
    }

    /// Their numbers, ascending.
    pub(crate) fn ids(&self) -> Vec<PeerId> {
        let mut ids: Vec<PeerId> = self.map.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn counts_mut(&mut self, id: PeerId) -> Option<&mut Counts> {
        match id {
            PeerId::LOCAL => Some(&mut self.own),
            _ => self.get_mut(id).map(|p| &mut p.counts),
        }
    }

    /// How a route of that source was learned; `None`: there is no such session.
    pub(crate) fn learned(&self, source: PeerId) -> Option<Learned> {
        if source == PeerId::LOCAL {
            return Some(Learned::Own);
        }
        let up = self.get(source)?.up.as_ref()?;
        let client = || self.get(source).and_then(|p| p.policy.as_ref()).is_some_and(|p| p.client);
        Some(match up.kind.is_internal() {
            true => Learned::Internal { client: client() },
            false => Learned::External,
        })
    }

    /// What a neighbour is to rules.
    pub(crate) fn source(&self, id: PeerId) -> Source<'_> {
        let Some(peer) = self.get(id) else { return Source::Local };
        let kind = peer.up.as_ref().map_or(PeerKind::External, |up| up.kind);
        Source::Neighbor { kind, name: peer.policy.as_ref().map_or("", |p| &p.name) }
    }

    /// The BGP identifier of a neighbour whose routes we have.
    pub(crate) fn router_id(&self, id: PeerId) -> Option<Ipv4Addr> {
        Some(self.get(id)?.up.as_ref()?.negotiated.router_id)
    }

    /// Whether one of them is a client of ours: then we reflect (RFC 4456).
    pub(crate) fn has_clients(&self) -> bool {
        self.map.values().any(|peer| peer.policy.as_ref().is_some_and(|p| p.client))
    }

    /// The candidate that a path of `peer` is; `None`: there is no such session.
    pub(crate) fn candidate<'a>(
        &self,
        peer: PeerId,
        rank: &'a Rank,
        metric: u32,
    ) -> Option<Candidate<'a>> {
        if peer == PeerId::LOCAL {
            let (router_id, address) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED.into());
            return Some(Candidate { peer, rank, internal: false, metric, router_id, address });
        }
        let up = self.get(peer)?.up.as_ref()?;
        Some(Candidate {
            peer,
            rank,
            internal: up.kind.is_internal(),
            metric,
            router_id: up.negotiated.router_id,
            address: up.address,
        })
    }
}
