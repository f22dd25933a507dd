//! What this node originates: by configuration, and while it runs by the operator and on behalf
//! of local pods.
//!
//! A prefix is announced, or a blackhole in the kernel, or both; each combination is a source of
//! its own, so that a path says by its source what it is for.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::Rib;
use super::intake::Intake;
use super::receive::{self, Base, Wish};
use crate::attrs::AttrSet;
use crate::msg::{Carried, Originated, Wished};
use crate::policy::{Changes, MedChange};
use crate::table::{Keyed, SourceId};
use crate::types::{Asn, Prefix, Time, V4, V6};
use crate::wire::attr::code;

/// What was asked for while the daemon runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    /// By the operator.
    pub(crate) operator: Vec<Wished>,
    /// Addresses of local pods.
    pub(crate) pods: BTreeSet<IpNet>,
}

/// What is configured, by what it is for.
type Purposes = [(SourceId, Vec<IpNet>); 3];

impl Rib {
    /// The operator wishes these and no others, from now on.
    pub(super) fn originate_for_operator(&mut self, now: Time, nets: Vec<Wished>) {
        let (configured, before) = self.configured_purposes();
        let old = std::mem::replace(&mut self.origins.operator, nets.clone());
        self.originate_wished(now, SourceId::OPERATOR, &old, &nets);
        // A blackhole that is now to be announced stays one.
        let after = self.purposes(&configured);
        self.originate_purposes(now, before, after);
    }

    /// Local pods came and went. What is known already, or was never, is no news.
    pub(super) fn originate_for_pods(&mut self, now: Time, came: &[IpNet], went: &[IpNet]) {
        let (configured, before) = self.configured_purposes();
        let pods = &mut self.origins.pods;
        let went: Vec<IpNet> = went.iter().filter(|net| pods.remove(net)).copied().collect();
        let came: Vec<IpNet> = came.iter().filter(|net| pods.insert(**net)).copied().collect();
        self.originate(now, SourceId::POD, &went, &came);
        let after = self.purposes(&configured);
        self.originate_purposes(now, before, after);
    }

    /// What the configuration originates is new.
    pub(super) fn originate_configured(
        &mut self,
        now: Time,
        old: &[Originated],
        new: &[Originated],
    ) {
        let (before, after) = (self.purposes(old), self.purposes(new));
        self.originate_purposes(now, before, after);
    }

    fn configured_purposes(&self) -> (Vec<Originated>, Purposes) {
        let configured = self.config.as_ref().map(|c| c.originate.clone()).unwrap_or_default();
        let purposes = self.purposes(&configured);
        (configured, purposes)
    }

    /// What configured prefixes are for, beside what is wished while the daemon runs.
    fn purposes(&self, configured: &[Originated]) -> Purposes {
        [SourceId::BLOCK, SourceId::NETWORK, SourceId::SINK].map(|source| {
            let prefixes = configured.iter().map(|one| one.prefix);
            let of = |net: &IpNet| source_of(*net, configured, &self.origins) == Some(source);
            (source, prefixes.filter(of).collect())
        })
    }

    fn originate_purposes(&mut self, now: Time, before: Purposes, after: Purposes) {
        for ((source, old), (_, new)) in before.into_iter().zip(after) {
            self.originate(now, source, &old, &new);
        }
    }

    /// What is originated carries another LOCAL_PREF: all of it is originated anew.
    pub(super) fn originate_anew(&mut self, now: Time, configured: &[Originated]) {
        self.originate_configured(now, configured, &[]);
        self.originate_configured(now, &[], configured);
        let Origins { operator, pods } = &self.origins;
        let (operator, pods) = (operator.clone(), wished(pods));
        for (source, nets) in [(SourceId::OPERATOR, operator), (SourceId::POD, pods)] {
            self.originate_wished(now, source, &nets, &[]);
            self.originate_wished(now, source, &[], &nets);
        }
    }

    fn originate(&mut self, now: Time, source: SourceId, old: &[IpNet], new: &[IpNet]) {
        self.originate_wished(now, source, &wished(old), &wished(new));
    }

    fn originate_wished(&mut self, now: Time, source: SourceId, old: &[Wished], new: &[Wished]) {
        self.originate_family::<V4>(now, source, old, new);
        self.originate_family::<V6>(now, source, old, new);
    }

    fn originate_family<P: Keyed>(
        &mut self,
        now: Time,
        source: SourceId,
        old: &[Wished],
        new: &[Wished],
    ) {
        let (old, new) = (keys::<P>(old), keys::<P>(new));
        if old == new {
            return;
        }
        let Rib { config, tables, peers, sets, nexthops, sources, .. } = self;
        let base = config.as_ref().map_or_else(Base::default, |config| Base {
            asn: config.asn,
            local_pref: config.local_pref,
        });
        let counts = &mut peers.own;
        let mut intake = Intake { counts, sets, nexthops, sources };
        receive::originate::<P>(now, source, base, (&old, &new), tables, &mut intake);
    }
}

/// What a configured prefix is for, all wishes for it together; what is wished while the daemon
/// runs is to be announced.
fn source_of(prefix: IpNet, all: &[Originated], origins: &Origins) -> Option<SourceId> {
    let wishes = || all.iter().filter(|one| one.prefix == prefix);
    let announce = wishes().any(|one| one.announce)
        || origins.operator.iter().any(|wish| wish.prefix == prefix)
        || origins.pods.contains(&prefix);
    match (announce, wishes().any(|one| one.blackhole)) {
        (true, true) => Some(SourceId::BLOCK),
        (true, false) => Some(SourceId::NETWORK),
        (false, true) => Some(SourceId::SINK),
        (false, false) => None,
    }
}

fn wished<'a>(nets: impl IntoIterator<Item = &'a IpNet>) -> Vec<Wished> {
    nets.into_iter().copied().map(Wished::from).collect()
}

/// The prefixes of one family, sorted, each once.
fn keys<P: Prefix>(nets: &[Wished]) -> Vec<Wish<P>> {
    let wish = |net: &Wished| Some((P::from_net(net.prefix)?, net.carried.clone()));
    let mut keys: Vec<Wish<P>> = nets.iter().filter_map(wish).collect();
    keys.sort_by_key(|(prefix, _)| *prefix);
    keys.dedup_by_key(|(prefix, _)| *prefix);
    keys
}

impl Carried {
    /// What all carries that this node, of AS `own`, originates, with this.
    pub(super) fn onto(&self, own: Asn, set: &AttrSet) -> AttrSet {
        let Carried { origin, med, local_pref, prepend, communities } = self;
        let changes = Changes {
            local_pref: *local_pref,
            med: med.map(MedChange::Is),
            add: communities.clone(),
            prepend: vec![own; usize::from(*prepend)],
            ..Changes::default()
        };
        let set = changes.apply(set);
        match origin {
            Some(origin) => set.edited(set.next_hop(), &[(code::ORIGIN, vec![*origin as u8])]),
            None => set,
        }
    }
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
