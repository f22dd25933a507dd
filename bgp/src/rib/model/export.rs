//! What every neighbour must have heard once it has read all there is.

use std::collections::BTreeMap;

use ipnet::IpNet;

use super::acts::marking;
use super::choice::{Choice, originated};
use super::state::Model;
use crate::attrs::AttrSet;
use crate::msg::{Export, PeerPolicy, PeerUp};
use crate::rib::fixture::{OWN, net};
use crate::types::{PeerId, family_of};
use crate::wire::community::Community;

/// Who listens.
struct Reader<'a> {
    peer: PeerId,
    session: &'a PeerUp,
    policy: &'a PeerPolicy,
}

impl Model {
    /// The sets that a neighbour has of each prefix: several where it has path identifiers.
    pub(super) fn export(
        &self,
        peer: PeerId,
        choices: &BTreeMap<IpNet, Choice>,
    ) -> BTreeMap<IpNet, Vec<AttrSet>> {
        let (Some(policy), Some(session)) = (self.policy(peer), self.up.get(&peer)) else {
            return BTreeMap::new();
        };
        let reader = Reader { peer, session, policy };
        let told =
            choices.iter().map(|(prefix, choice)| (*prefix, self.told(&reader, *prefix, choice)));
        told.filter(|(_, sets)| !sets.is_empty()).collect()
    }

    fn told(&self, reader: &Reader<'_>, prefix: IpNet, choice: &Choice) -> Vec<AttrSet> {
        let family = family_of(prefix.addr());
        let own =
            choice.own.filter(|own| own.announced).map(|_| (PeerId::LOCAL, originated(family)));
        let learned = choice.learned.iter().map(|((_, peer, _), set)| (*peer, set.clone()));
        let all: Vec<(PeerId, AttrSet)> = own.into_iter().chain(learned).collect();
        // A route of our own is the one in use, also if it is for nobody else.
        let silent = choice.own.is_some_and(|own| !own.announced);
        let in_use = || all.iter().take(usize::from(!silent));
        let may = |(source, set): &(PeerId, AttrSet)| {
            Some((*source, self.exported(reader, prefix, *source, set)?))
        };
        let ids = reader.session.negotiated.add_path_send.contains(family);
        let picked: Vec<(PeerId, AttrSet)> = match (ids, reader.policy.add_path) {
            (true, limit) if limit > 1 => {
                all.iter().filter_map(may).take(usize::from(limit)).collect()
            }
            (false, _) if reader.policy.best_external => {
                all.iter().find_map(may).into_iter().collect()
            }
            _ => in_use().filter_map(may).collect(),
        };
        // Groups share what is picked; nobody hears its own.
        let picked = picked.into_iter().filter(|(source, _)| *source != reader.peer);
        picked.map(|(_, set)| set).collect()
    }

    /// A route as it goes to a neighbour, if it may.
    fn exported(
        &self,
        Reader { session, policy, .. }: &Reader<'_>,
        prefix: IpNet,
        source: PeerId,
        used: &AttrSet,
    ) -> Option<AttrSet> {
        let family = family_of(prefix.addr());
        let internal = session.kind.is_internal();
        let from_ibgp = self.session(source).is_some_and(|s| s.kind.is_internal());
        let reflected = from_ibgp && internal;
        let is_client = |peer| self.policy(peer).is_some_and(|p| p.client);
        let has = |community| used.communities().iter().any(|c| c == community);
        let times = session.negotiated.graceful.unwrap().long_lived;
        let knows_stale = !times[usize::from(prefix.addr().is_ipv6())].is_zero();
        let forbidden = reflected && !policy.client && !is_client(source)
            || has(Community::NO_ADVERTISE)
            || has(Community::NO_EXPORT) && !internal
            || has(Community::LLGR_STALE) && !knows_stale;
        let by_default = source == PeerId::LOCAL || reflected || policy.export == Export::All;
        let ruled = !policy.export_rules.is_empty() && net("10.1.0.0/16").contains(&prefix);
        if forbidden || !ruled && !by_default {
            return None;
        }
        let addresses = [session.local].into_iter().chain(self.config.addresses.clone());
        let next_hop = { addresses }.find(|a| family_of(*a) == family)?;
        let attrs = if ruled { marking().apply(used) } else { used.clone() };
        let kept = attrs.next_hop();
        let set = match (internal, reflected) {
            (true, true) => {
                let originator = self.session(source)?.negotiated.router_id;
                attrs.exported_internal(kept).reflected(originator, self.config.router_id)
            }
            (true, false) => attrs.exported_internal(next_hop),
            (false, _) => attrs.exported_external(OWN, next_hop),
        };
        let drained = self.is_draining(session.peer);
        Some(if drained { set.drained(internal) } else { set })
    }
}
