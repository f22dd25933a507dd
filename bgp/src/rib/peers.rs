//! The neighbours as the Rib knows them: session, policy, counts.

use std::net::Ipv4Addr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::decision::Candidate;
use super::import::{Facts, Judge};
use super::stale::Stale;
use crate::attrs::AttrSet;
use crate::export::Learned;
use crate::msg::{PeerPolicy, PeerUp, PrefixLimit};
use crate::policy::Source;
use crate::types::{Families, PeerId, PeerKind};
use crate::wire::community::Community;

/// Paths of a neighbour, per family (IPv4, IPv6).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Counts {
    pub(crate) received: [u32; 2],
    pub(crate) accepted: [u32; 2],
    pub(crate) best: [u32; 2],
    /// Not said again since the neighbour began to say everything again.
    pub(crate) stale: [u32; 2],
    /// Kept out by the prefix limit.
    pub(crate) over: [u32; 2],
}

/// The session of a neighbour.
#[derive(Clone, Debug, Default)]
pub(crate) enum Session {
    #[default]
    None,
    /// Established.
    Up(Box<PeerUp>),
    /// It ended, but routes of it are kept (RFC 4724 §4.2): as it was.
    Away(Box<PeerUp>),
}

/// One neighbour: configured, or up, or away, or several of these.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) session: Session,
    /// Set while it is configured.
    pub(crate) policy: Option<PeerPolicy>,
    pub(crate) counts: Counts,
    /// Families whose End-of-RIB came since the session is up.
    pub(crate) ended: Families,
    /// Per family (IPv4, IPv6): some of its routes may be stale.
    pub(crate) stale: [Option<Stale>; 2],
    /// The operator takes traffic off it.
    pub(crate) drained: bool,
    /// Per family: that it is over its limit was said.
    pub(crate) alarmed: [bool; 2],
}

impl Peer {
    /// The session, if it is Established.
    pub(crate) fn up(&self) -> Option<&PeerUp> {
        match &self.session {
            Session::Up(up) => Some(up),
            Session::Away(_) | Session::None => None,
        }
    }

    /// The session that its routes came over.
    pub(crate) fn session(&self) -> Option<&PeerUp> {
        match &self.session {
            Session::Up(up) | Session::Away(up) => Some(up),
            Session::None => None,
        }
    }

    /// Whether the Rib waits for nothing more from it (RFC 4724 §4.1): it is up, and has sent
    /// its End-of-RIBs if it ever will.
    pub(crate) fn is_settled(&self) -> bool {
        let Some(up) = self.up() else { return false };
        let agreed = up.negotiated.families;
        !up.negotiated.end_of_rib || self.ended.intersect(agreed) == agreed
    }

    /// Whether it is starting itself: it waits for us, so that we must not wait for it before we
    /// say End-of-RIB (RFC 4724 §4.1).
    pub(crate) fn is_starting(&self) -> bool {
        let graceful = self.up().and_then(|up| up.negotiated.graceful);
        graceful.is_some_and(|graceful| graceful.restarting)
    }

    /// Whether traffic is being taken off it (RFC 8326).
    pub(crate) fn is_draining(&self) -> bool {
        self.drained || self.policy.as_ref().is_some_and(|p| p.drain)
    }

    /// What judges its routes; `None`: it can have none.
    pub(crate) fn judge(&self) -> Option<Judge<'_>> {
        Some(Judge::new(self.policy.as_ref(), Facts::of(self)?))
    }

    /// How many prefixes of a family it may send.
    pub(crate) fn limit(&self, family: usize) -> Option<PrefixLimit> {
        self.policy.as_ref().and_then(|p| p.limits.get(family).copied().flatten())
    }

    pub(crate) fn name(&self, id: PeerId) -> String {
        self.policy.as_ref().map_or_else(|| format!("peer {}", id.0), |p| p.name.clone())
    }
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers {
    map: HashMap<PeerId, Peer, FixedState>,
    /// Whether one of them is a client of ours: then we reflect (RFC 4456). Kept, because each session
    /// that comes up asks, and there may be hundreds.
    pub(crate) reflects: bool,
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

    /// Drops a neighbour that is neither up nor away nor configured.
    pub(crate) fn forget_if_gone(&mut self, id: PeerId) {
        if self.get(id).is_some_and(|p| p.session().is_none() && p.policy.is_none()) {
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
        let up = self.get(source)?.session()?;
        let client = || self.get(source).and_then(|p| p.policy.as_ref()).is_some_and(|p| p.client);
        Some(match up.kind.is_internal() {
            true => Learned::Internal { client: client() },
            false => Learned::External,
        })
    }

    /// What a neighbour is to rules.
    pub(crate) fn source(&self, id: PeerId) -> Source<'_> {
        let Some(peer) = self.get(id) else { return Source::Local };
        let kind = peer.session().map_or(PeerKind::External, |up| up.kind);
        Source::Neighbor { kind, name: peer.policy.as_ref().map_or("", |p| &p.name) }
    }

    /// The BGP identifier of a neighbour whose routes we have.
    pub(crate) fn router_id(&self, id: PeerId) -> Option<Ipv4Addr> {
        Some(self.get(id)?.session()?.negotiated.router_id)
    }

    /// The candidate that a path of `peer` is; `None`: there is no such session.
    pub(crate) fn candidate<'a>(
        &self,
        peer: PeerId,
        path_id: u32,
        set: &'a AttrSet,
        metric: u32,
    ) -> Option<Candidate<'a>> {
        let rank = set.rank();
        if peer == PeerId::LOCAL {
            let (router_id, address) = (Ipv4Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED.into());
            let (internal, long_lived_stale) = (false, false);
            return Some(Candidate {
                peer,
                path_id,
                rank,
                med_among: rank.neighbor_as,
                long_lived_stale,
                internal,
                metric,
                router_id,
                address,
            });
        }
        let up = self.get(peer)?.session()?;
        Some(Candidate {
            peer,
            path_id,
            rank,
            med_among: rank.neighbor_as,
            long_lived_stale: set.has_community(Community::LLGR_STALE),
            internal: up.kind.is_internal(),
            metric,
            router_id: up.negotiated.router_id,
            address: up.address,
        })
    }
}
