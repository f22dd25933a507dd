//! A new configuration, applied as the difference to the old one: a reload touches only what it
//! changes.

use super::Rib;
use super::change::Ranking;
use super::kernel;
use super::review;
use crate::export::{GroupKey, Routes};
use crate::msg::{PeerPolicy, RibConfig, RibOut};
use crate::types::{PeerId, Time, V4, V6};

impl Rib {
    pub(super) fn configure(&mut self, now: Time, new: RibConfig, out: &mut Vec<RibOut>) {
        self.settle.start(now, new.settle);
        let old = self.config.take();

        // Peers whose import side changed, and those whose routes are learned otherwise.
        let (mut changed, mut reclassed) = (Vec::new(), Vec::new());
        // What the kernel was told depends on more than on the paths.
        let blackholes = |(id, policy): &(PeerId, PeerPolicy)| {
            let old = self.peers.get(*id).and_then(|p| p.policy.as_ref());
            old.is_some_and(|old| old.blackhole != policy.blackhole)
        };
        let told = old
            .as_ref()
            .filter(|old| kernel::tells_otherwise(old, &new) || new.peers.iter().any(blackholes));
        let told = told.map(|old| self.told(old));
        self.peers.reflects = new.peers.iter().any(|(_, policy)| policy.client);
        for (id, policy) in &new.peers {
            let peer = self.peers.entry(*id);
            if !peer.policy.as_ref().is_some_and(|old| takes_alike(old, policy)) {
                changed.push(*id);
            }
            if peer.policy.as_ref().is_some_and(|old| old.client != policy.client) {
                reclassed.push(*id);
            }
            peer.policy = Some(policy.clone());
        }
        let mut expected: Vec<PeerId> = new.peers.iter().map(|(id, _)| *id).collect();
        expected.sort_unstable();
        self.config = Some(new);
        for id in self.peers.ids() {
            if expected.binary_search(&id).is_err()
                && self.peers.get_mut(id).is_some_and(|p| p.policy.take().is_some())
            {
                changed.push(id);
                self.give_up(id);
            }
        }
        self.expected = expected;
        if let Some(before) = told {
            self.tell_anew(&before, out);
        }
        changed.retain(|id| self.peers.get(*id).is_some_and(|p| p.counts.received != [0, 0]));
        changed.sort_unstable();
        if !changed.is_empty() {
            self.judge_again::<V4>(&changed);
            self.judge_again::<V6>(&changed);
        }
        for id in &changed {
            self.mind_limits(*id, out);
        }
        reclassed.sort_unstable();
        if !reclassed.is_empty() {
            self.refeed = true;
            review::touch::<V4>(&reclassed, &mut self.tables, &self.sources);
            review::touch::<V6>(&reclassed, &mut self.tables, &self.sources);
        }
        let decides = |c: &RibConfig| (c.max_paths, c.always_compare_med);
        let config = self.config.as_ref();
        if old.as_ref().is_some_and(|old| Some(decides(old)) != config.map(decides)) {
            self.tables.v4.touch_all();
            self.tables.v6.touch_all();
        }

        let originated = |c: Option<&RibConfig>| c.map(|c| c.originate.clone()).unwrap_or_default();
        let (before, after) = (originated(old.as_ref()), originated(self.config.as_ref()));
        self.originate_configured(now, &before, &after);
        let local_pref = |c: &RibConfig| c.local_pref;
        if old
            .as_ref()
            .is_some_and(|old| Some(old.local_pref) != self.config.as_ref().map(local_pref))
        {
            self.originate_anew(now, &after);
        }

        for id in self.peers.ids() {
            self.regroup(id);
        }
        // Who is gone for good is forgotten once its routes are.
        self.conclude(out);
        for id in self.peers.ids() {
            self.part(id);
            self.peers.forget_if_gone(id);
        }
    }

    /// Puts a peer into the group that configuration and session ask for.
    pub(super) fn regroup(&mut self, id: PeerId) {
        let Rib { config: Some(config), peers, tables, sets, nexthops, sources, exports, .. } =
            self
        else {
            return;
        };
        let Some(peer) = peers.get(id) else { return };
        let Some(up) = peer.up() else { return };
        let (reflects, drained) = (peers.reflects, peer.drained);
        let policy = peer.policy.as_ref();
        let key = policy.map(|policy| GroupKey::of(up, config, policy, reflects, drained));
        let ranking = Ranking { config, peers, nexthops, sources };
        exports.assign(id, key, &mut Routes { tables, sets, known: &ranking });
    }
}

/// Whether two policies take the same and make the same of it.
fn takes_alike(a: &PeerPolicy, b: &PeerPolicy) -> bool {
    a.import == b.import
        && a.import_rules == b.import_rules
        && (a.import_rules.is_empty() || a.name == b.name)
        && a.drain == b.drain
        && a.limits == b.limits
}
