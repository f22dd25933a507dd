//! What this node originates: by configuration, and while it runs by the operator and on behalf
//! of local pods.
//!
//! A prefix is announced, or a blackhole in the kernel, or both; each combination is a source of
//! its own, so that a path says by its source what it is for.

use ipnet::IpNet;

use super::Rib;
use super::receive::{self, Intake};
use super::source::SourceId;
use super::table::Keyed;
use crate::msg::{Originated, OriginatedBy};
use crate::types::{Prefix, Time, V4, V6};

/// What was asked for while the daemon runs.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    operator: Vec<IpNet>,
    borrowed: Vec<IpNet>,
}

impl Origins {
    /// The prefixes that are originated on behalf of that one.
    pub(crate) fn of(&self, by: OriginatedBy) -> &[IpNet] {
        match by {
            OriginatedBy::Operator => &self.operator,
            OriginatedBy::Borrowed => &self.borrowed,
        }
    }

    /// All of them.
    fn all(&self) -> Vec<IpNet> {
        [self.operator.as_slice(), &self.borrowed].concat()
    }
}

impl Rib {
    /// These and no others, from now on.
    pub(super) fn originate_for(&mut self, now: Time, by: OriginatedBy, nets: Vec<IpNet>) {
        let before = self.origins.all();
        let (slot, source) = match by {
            OriginatedBy::Operator => (&mut self.origins.operator, SourceId::OPERATOR),
            OriginatedBy::Borrowed => (&mut self.origins.borrowed, SourceId::BORROWED),
        };
        let old = std::mem::replace(slot, nets.clone());
        self.originate(now, source, &old, &nets);
        // A blackhole that is now to be announced stays one.
        let configured = self.config.as_ref().map(|c| c.originate.clone()).unwrap_or_default();
        let after = self.origins.all();
        self.originate_sources(now, (&configured, &before), (&configured, &after));
    }

    /// What the configuration originates is new.
    pub(super) fn originate_configured(
        &mut self,
        now: Time,
        old: &[Originated],
        new: &[Originated],
    ) {
        let wished = self.origins.all();
        self.originate_sources(now, (old, &wished), (new, &wished));
    }

    /// What is configured, and what is wished beside it, changes.
    fn originate_sources(
        &mut self,
        now: Time,
        old: (&[Originated], &[IpNet]),
        new: (&[Originated], &[IpNet]),
    ) {
        for source in [SourceId::BLOCK, SourceId::NETWORK, SourceId::SINK] {
            let of = |(all, wished): (&[Originated], &[IpNet])| -> Vec<IpNet> {
                let prefixes = all.iter().map(|one| one.prefix);
                prefixes.filter(|net| source_of(*net, all, wished) == Some(source)).collect()
            };
            self.originate(now, source, &of(old), &of(new));
        }
    }

    /// What is originated carries another LOCAL_PREF: all of it is originated anew.
    pub(super) fn originate_anew(&mut self, now: Time, configured: &[Originated]) {
        self.originate_configured(now, configured, &[]);
        self.originate_configured(now, &[], configured);
        for by in [OriginatedBy::Operator, OriginatedBy::Borrowed] {
            let nets = self.origins.of(by).to_vec();
            self.originate_for(now, by, Vec::new());
            self.originate_for(now, by, nets);
        }
    }

    fn originate(&mut self, now: Time, source: SourceId, old: &[IpNet], new: &[IpNet]) {
        self.originate_family::<V4>(now, source, old, new);
        self.originate_family::<V6>(now, source, old, new);
    }

    fn originate_family<P: Keyed>(
        &mut self,
        now: Time,
        source: SourceId,
        old: &[IpNet],
        new: &[IpNet],
    ) {
        let (old, new) = (keys::<P>(old), keys::<P>(new));
        if old == new {
            return;
        }
        let Rib { config, tables, peers, sets, nexthops, sources, .. } = self;
        let local_pref = config.as_ref().and_then(|config| config.local_pref);
        let counts = &mut peers.own;
        let mut intake = Intake { counts, sets, nexthops, sources };
        receive::originate::<P>(now, source, local_pref, (&old, &new), tables, &mut intake);
    }
}

/// What a configured prefix is for, all wishes for it together; `wished`: those of the running
/// daemon, which are to be announced.
fn source_of(prefix: IpNet, all: &[Originated], wished: &[IpNet]) -> Option<SourceId> {
    let wishes = || all.iter().filter(|one| one.prefix == prefix);
    let announce = wishes().any(|one| one.announce) || wished.contains(&prefix);
    match (announce, wishes().any(|one| one.blackhole)) {
        (true, true) => Some(SourceId::BLOCK),
        (true, false) => Some(SourceId::NETWORK),
        (false, true) => Some(SourceId::SINK),
        (false, false) => None,
    }
}

/// The prefixes of one family, sorted, each once.
fn keys<P: Prefix>(nets: &[IpNet]) -> Vec<P> {
    let mut keys: Vec<P> = nets.iter().filter_map(|net| P::from_net(*net)).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
