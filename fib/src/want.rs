//! What the Rib wants, and what its next hops come to.
//!
//! In: best routes, and the world when it changes. Out: the desired kernel route of a prefix
//! ([`Wants::desired`]), and which prefixes a change concerns. Prefixes are many, [`Via`]s few and
//! next hops ([`Nexthops`]) fewer: a next hop is resolved once per [`Class`], prefixes look the
//! answer up, and two indices, from next hop to vias and from via to prefixes, find whom a change
//! concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use ipnet::IpNet;

use crate::nexthops::{Context, Nexthops};
use crate::plan::Desired;
use crate::resolve::{Class, Fate, loops};
use crate::types::{
    Encap, FibConfig, Hold, Hop, How, KernelRoute, Kind, NextHop, Report, Resolution, RouteKey,
    Target, Via,
};
use crate::underlay::host;

/// Who leads where a via leads.
#[derive(Clone, Default, Debug)]
struct Users {
    prefixes: BTreeSet<IpNet>,
    /// How many of them are of each class.
    classes: BTreeMap<Class, usize>,
}

type Vias = BTreeMap<Arc<Via>, Users>;

/// What the Rib wants.
#[derive(Clone, Default, Debug)]
pub struct Wants {
    routes: BTreeMap<IpNet, Target>,
    vias: Vias,
    /// How many of them policy wants encapsulated.
    encapsulated: usize,
    /// What they lead by.
    pub nexthops: Nexthops,
}

impl Wants {
    /// The Rib's last word on a prefix. Whether that is a change.
    pub fn set(&mut self, prefix: IpNet, target: Option<Target>, context: Context<'_>) -> bool {
        if self.routes.get(&prefix) == target.as_ref() {
            return false;
        }
        let old = match target {
            None => self.routes.remove(&prefix),
            Some(Target::Via(via)) => {
                // The new one first: what both use stays known.
                let via = self.share(via);
                self.enlist(prefix, &via, context);
                self.routes.insert(prefix, Target::Via(via))
            }
            Some(target) => self.routes.insert(prefix, target),
        };
        if let Some(Target::Via(via)) = old {
            self.release(prefix, &via, context);
        }
        true
    }

    /// Whether policy wants some route encapsulated, whatever the pools say.
    pub fn encapsulates(&self) -> bool {
        self.encapsulated > 0
    }

    /// The key of our route to a prefix, as the kernel shows it.
    pub fn key_of(&self, prefix: IpNet, config: &FibConfig) -> RouteKey {
        key_of(prefix, self.routes.get(&prefix), config)
    }

    /// Whether the Rib wants a route to this prefix.
    pub fn contains(&self, prefix: IpNet) -> bool {
        self.routes.contains_key(&prefix)
    }

    /// Where a prefix shall lead.
    pub fn get(&self, prefix: IpNet) -> Option<&Target> {
        self.routes.get(&prefix)
    }

    /// All prefixes and where they lead, in order.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, &Target)> {
        self.routes.iter().map(|(prefix, target)| (*prefix, target))
    }

    /// The same, behind `after` only.
    pub fn after(&self, after: Option<IpNet>) -> impl Iterator<Item = (IpNet, &Target)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.routes.range((from, Bound::Unbounded));
        behind.map(|(prefix, target)| (*prefix, target))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// Resolves every next hop anew; adds to `concerned` the prefixes whose answer changed.
    pub fn resolve_all(&mut self, context: Context<'_>, concerned: &mut BTreeSet<IpNet>) {
        self.resolve_from(.., context, concerned);
    }

    /// The same for the next hops inside `range`: those that a route to it can concern.
    pub fn resolve_within(
        &mut self,
        range: IpNet,
        context: Context<'_>,
        concerned: &mut BTreeSet<IpNet>,
    ) {
        let first = NextHop::from(range.network());
        let last = NextHop { address: range.broadcast(), scope: Some(NonZeroU32::MAX) };
        self.resolve_from(first..=last, context, concerned);
    }

    /// The same for one next hop.
    pub fn resolve_one(
        &mut self,
        next_hop: NextHop,
        context: Context<'_>,
        concerned: &mut BTreeSet<IpNet>,
    ) {
        self.resolve_from(next_hop..=next_hop, context, concerned);
    }

    fn resolve_from(
        &mut self,
        range: impl RangeBounds<NextHop>,
        context: Context<'_>,
        concerned: &mut BTreeSet<IpNet>,
    ) {
        let (routes, all) = (&self.routes, &self.vias);
        self.nexthops.resolve(range, context, |next_hop, vias, changed| {
            if changed {
                let users = vias.iter().filter_map(|via| all.get(via));
                concerned.extend(users.flat_map(|users| &users.prefixes));
            }
            // A prefix that its next hop lies in depends on the underlay's own match too (`loops`).
            let around = |length| Some(IpNet::new(next_hop.address, length).ok()?.trunc());
            let around = (0..=host(next_hop.address).max_prefix_len()).filter_map(around);
            concerned.extend(around.filter(|prefix| match routes.get(prefix) {
                Some(Target::Via(via)) => vias.contains(via),
                _ => false,
            }));
        });
    }

    /// Sorts every prefix into its class anew, after the pools changed, and resolves everything.
    pub fn reclassify(&mut self, context: Context<'_>) {
        for (via, users) in &mut self.vias {
            users.classes.clear();
            for prefix in &users.prefixes {
                *users.classes.entry(class_of(*prefix, via, context)).or_default() += 1;
            }
        }
        let vias = &self.vias;
        self.nexthops.reclassify(context, |via| {
            vias.get(via).into_iter().flat_map(|users| users.classes.keys().copied())
        });
    }

    /// The kernel route that a wanted prefix should have; nothing for one that is not wanted.
    pub fn desired(&self, prefix: IpNet, context: Context<'_>) -> Desired {
        let Some(target) = self.routes.get(&prefix) else { return Desired::Nothing };
        let route = |kind, hops| {
            Desired::Route(KernelRoute {
                key: key_of(prefix, Some(target), context.config),
                protocol: context.config.protocol,
                kind,
                scope: 0,
                tos: 0,
                source: None,
                hops,
            })
        };
        let held = || match is_held(prefix, context.config) {
            true => route(Kind::Unreachable, Vec::new()),
            false => Desired::Nothing,
        };
        let via = match target {
            Target::Own => return route(Kind::Blackhole, Vec::new()),
            // A pod that is here, or still here: its own route leads to it.
            Target::Via(_) | Target::Unreachable if context.pods.holds(prefix) => {
                return Desired::Nothing;
            }
            Target::Unreachable => return held(),
            Target::Via(via) => via,
        };
        let class = class_of(prefix, via, context);
        let mut hops: Vec<Hop> = Vec::with_capacity(via.hops.len());
        for &next_hop in &via.hops {
            let Some(resolved) = self.nexthops.resolved(next_hop, class) else { continue };
            let looping =
                || loops(prefix, class, next_hop.address, context.world, context.config).is_some();
            match &resolved.fate {
                Fate::Hold => return Desired::Hold,
                Fate::Drop => {}
                Fate::Write(_) if looping() => {}
                Fate::Write(hop) => merge(&mut hops, *hop),
            }
        }
        match hops.as_mut_slice() {
            [] => return held(),
            [only] => only.weight = 1,
            several => several.sort_unstable(),
        }
        route(Kind::Unicast, hops)
    }

    /// What a wanted prefix should have as long as its next hops' answer is on its way, if it has
    /// nothing.
    pub fn meanwhile(&self, prefix: IpNet, config: &FibConfig) -> Option<KernelRoute> {
        let target = self.routes.get(&prefix).filter(|_| is_held(prefix, config))?;
        Some(KernelRoute {
            key: key_of(prefix, Some(target), config),
            protocol: config.protocol,
            kind: Kind::Unreachable,
            scope: 0,
            tos: 0,
            source: None,
            hops: Vec::new(),
        })
    }

    /// What a wanted prefix's next hops come to, one by one; a single entry without an address
    /// for an own block.
    pub fn resolutions(
        &self,
        prefix: IpNet,
        target: &Target,
        context: Context<'_>,
    ) -> Vec<(Option<NextHop>, Resolution)> {
        let via = match target {
            Target::Own => {
                let why = match context.config.blocks.contains(&prefix) {
                    true => "own block: the pods' own routes are longer",
                    false => "what has no longer route here is discarded",
                };
                return vec![(None, Resolution { how: How::Blackhole, why: why.to_owned() })];
            }
            Target::Unreachable => {
                let why = match context.config.pools.iter().any(|pool| pool.cidr == prefix) {
                    true => "the pool's own space: what nobody announces is rejected",
                    false => "no next hop of any path to it can be reached",
                };
                return vec![(None, Resolution { how: How::Unreachable, why: why.to_owned() })];
            }
            Target::Via(via) => via,
        };
        let class = class_of(prefix, via, context);
        via.hops
            .iter()
            .filter_map(|next_hop| {
                let resolved = self.nexthops.resolved(*next_hop, class)?;
                let address = next_hop.address;
                let resolution = match loops(prefix, class, address, context.world, context.config)
                {
                    Some(why) => Resolution { how: How::Unreachable, why },
                    None => resolved.resolution.clone(),
                };
                Some((Some(*next_hop), resolution))
            })
            .collect()
    }

    /// Who has caught network D's disease since the last time, and who is cured.
    pub fn health(&mut self, context: Context<'_>) -> Vec<Report> {
        let all = &self.vias;
        self.nexthops.health(|vias, class| {
            vias.iter()
                .filter_map(|via| Some((via, all.get(via)?)))
                .flat_map(|(via, users)| users.prefixes.iter().map(move |prefix| (via, *prefix)))
                .find(|(via, prefix)| class_of(*prefix, via, context) == class)
                .map(|(_, prefix)| prefix)
        })
    }

    fn share(&self, via: Arc<Via>) -> Arc<Via> {
        self.vias.get_key_value(&via).map_or(via, |(known, _)| known.clone())
    }

    fn enlist(&mut self, prefix: IpNet, via: &Arc<Via>, context: Context<'_>) {
        let users = self.vias.entry(via.clone()).or_insert_with(|| {
            self.encapsulated += usize::from(via.encap == Encap::Always);
            Users::default()
        });
        users.prefixes.insert(prefix);
        let class = class_of(prefix, via, context);
        let alike = users.classes.entry(class).or_default();
        *alike += 1;
        if *alike > 1 {
            return;
        }
        for next_hop in distinct(&via.hops) {
            self.nexthops.enlist(next_hop, via, class, context);
        }
    }

    fn release(&mut self, prefix: IpNet, via: &Via, context: Context<'_>) {
        let Some(users) = self.vias.get_mut(via) else { return };
        users.prefixes.remove(&prefix);
        let class = class_of(prefix, via, context);
        let Some(alike) = users.classes.get_mut(&class) else { return };
        *alike = alike.saturating_sub(1);
        if *alike > 0 {
            return;
        }
        users.classes.remove(&class);
        let unused = users.prefixes.is_empty();
        if unused {
            self.vias.remove(via);
            let one = usize::from(via.encap == Encap::Always);
            self.encapsulated = self.encapsulated.saturating_sub(one);
        }
        for next_hop in distinct(&via.hops) {
            self.nexthops.release(next_hop, via, class, unused);
        }
    }
}

fn key_of(prefix: IpNet, target: Option<&Target>, config: &FibConfig) -> RouteKey {
    let metric = match target {
        Some(Target::Via(via)) => via.metric.unwrap_or(config.metric),
        _ => config.metric,
    };
    let metric = match (prefix, metric) {
        // IP6_RT_PRIO_USER: what the kernel makes of "none".
        (IpNet::V6(_), 0) => 1024,
        (_, metric) => metric,
    };
    RouteKey { prefix, table: config.table, metric }
}

/// Whether a prefix must not be left to the default route.
fn is_held(prefix: IpNet, config: &FibConfig) -> bool {
    config.hold != Hold::Nothing && config.pools.iter().any(|pool| pool.cidr.contains(&prefix))
}

fn class_of(prefix: IpNet, via: &Via, context: Context<'_>) -> Class {
    Class::of(prefix, &context.config.pools).with(via.encap)
}

/// Each once; there are 64 at most.
fn distinct(hops: &[NextHop]) -> impl Iterator<Item = NextHop> {
    let is_first =
        |(at, hop): &(usize, &NextHop)| !hops.iter().take(*at).any(|other| other == *hop);
    hops.iter().enumerate().filter(is_first).map(|(_, hop)| *hop)
}

/// Two next hops behind one gateway are one hop with the weight of both.
fn merge(hops: &mut Vec<Hop>, hop: Hop) {
    let alike = |there: &&mut Hop| Hop { weight: hop.weight, ..**there } == hop;
    match hops.iter_mut().find(alike) {
        Some(there) => there.weight = (there.weight + 1).min(256),
        None => hops.push(hop),
    }
}
