//! A new configuration, applied as the difference to the old one: a reload touches only what it
//! changes.

use super::Rib;
use super::change::Ranking;
use super::receive::{self, Intake};
use super::table::Keyed;
use crate::export::{GroupKey, Routes};
use crate::msg::RibConfig;
use crate::types::{PeerId, Prefix, Time, V4, V6};

impl Rib {
    pub(super) fn configure(&mut self, now: Time, new: RibConfig) {
        self.settle.start(now, new.settle);
        let old = self.config.take();

        // Peers whose import side changed, ascending.
        let mut changed = Vec::new();
        for (id, policy) in &new.peers {
            let peer = self.peers.entry(*id);
            let same = peer.policy.as_ref().is_some_and(|p| p.import == policy.import);
            peer.policy = Some(policy.clone());
            if !same {
                changed.push(*id);
            }
        }
        let mut expected: Vec<PeerId> = new.peers.iter().map(|(id, _)| *id).collect();
        expected.sort_unstable();
        for id in self.peers.ids() {
            if expected.binary_search(&id).is_err()
                && self.peers.get_mut(id).is_some_and(|p| p.policy.take().is_some())
            {
                changed.push(id);
                self.peers.forget_if_gone(id);
            }
        }
        self.expected = expected;
        changed.retain(|id| self.peers.get(*id).is_some_and(|p| p.counts.received != [0, 0]));
        changed.sort_unstable();
        if !changed.is_empty() {
            self.judge_again::<V4>(&changed);
            self.judge_again::<V6>(&changed);
        }

        let nets = |c: &RibConfig| -> Vec<_> { c.originate.iter().map(|o| o.prefix).collect() };
        let (before, after) = (old.as_ref().map(nets).unwrap_or_default(), nets(&new));
        self.originate::<V4>(now, &before, &after);
        self.originate::<V6>(now, &before, &after);

        self.config = Some(new);
        for id in self.peers.ids() {
            self.regroup(id);
        }
    }

    fn judge_again<P: Keyed>(&mut self, changed: &[PeerId]) {
        let Rib { tables, peers, sets, nexthops, sources, .. } = self;
        receive::judge_again::<P>(changed, tables, peers, sets, nexthops, sources);
    }

    fn originate<P: Keyed>(&mut self, now: Time, old: &[ipnet::IpNet], new: &[ipnet::IpNet]) {
        let (old, new) = (keys::<P>(old), keys::<P>(new));
        if old == new {
            return;
        }
        let Rib { tables, peers, sets, nexthops, sources, .. } = self;
        let counts = &mut peers.own;
        let mut intake = Intake { counts, sets, nexthops, sources };
        receive::originate::<P>(now, &old, &new, tables, &mut intake);
    }

    /// Puts a peer into the group that configuration and session ask for.
    pub(super) fn regroup(&mut self, id: PeerId) {
        let Rib { config: Some(config), peers, tables, sets, nexthops, sources, exports, .. } =
            self
        else {
            return;
        };
        let Some(peer) = peers.get(id) else { return };
        let Some(up) = &peer.up else { return };
        let reflects = peers.has_clients();
        let key = peer.policy.as_ref().map(|p| GroupKey::of(up, config, p, reflects, false));
        let ranking = Ranking { peers, nexthops, sources };
        exports.assign(id, key, &mut Routes { tables, sets, ranking });
    }
}

/// The prefixes of one family, sorted, each once.
fn keys<P: Prefix>(nets: &[ipnet::IpNet]) -> Vec<P> {
    let mut keys: Vec<P> = nets.iter().filter_map(|net| P::from_net(*net)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
