//! What the Rib wants, and what its next hops come to.
//!
//! In: best routes, next hops to track, and the world when it changes. Out: the desired kernel
//! route of a prefix ([`Wants::desired`]), costs for the Rib, and which prefixes a change
//! concerns. Prefixes are many, [`Via`]s few and next hops fewer: a next hop is resolved once per
//! [`Class`], prefixes look the answer up, and two indices, from next hop to vias and from via to
//! prefixes, find whom a change concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use ipnet::IpNet;

use crate::learn::World;
use crate::plan::Desired;
use crate::resolve::{Class, Fate, Resolved, loops, resolve_reached};
use crate::tunnel::Device;
use crate::types::{
    Encap, FibConfig, Hop, How, KernelRoute, Kind, NextHop, Report, Resolution, RouteKey, Target,
    Via,
};
use crate::underlay::{Reach, host};

/// What resolution is asked of.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What the kernel told.
    pub world: &'a World,
    /// How to program.
    pub config: &'a FibConfig,
    /// Whether the tunnel may be used.
    pub device: &'a Device,
}

/// One next hop as one class of routes sees it.
#[derive(Clone, Debug)]
struct View {
    /// How many vias use it for this class.
    users: usize,
    resolved: Resolved,
    /// Network D's disease was reported and is not cured.
    sick: bool,
}

#[derive(Clone, Debug)]
struct Nexthop {
    reach: Reach,
    tracked: bool,
    /// The cost and interface that the Rib was told last.
    told: Option<Option<(u32, u32)>>,
    /// Those that name it.
    vias: BTreeSet<Arc<Via>>,
    views: BTreeMap<Class, View>,
    was_sick: bool,
}

impl Nexthop {
    fn new(next_hop: NextHop, context: Context<'_>) -> Nexthop {
        Nexthop {
            reach: context.world.reach(next_hop, context.config),
            tracked: false,
            told: None,
            vias: BTreeSet::new(),
            views: BTreeMap::new(),
            was_sick: false,
        }
    }

    /// Whether the Rib waits for a cost that it was not told.
    fn has_news(&self) -> bool {
        self.tracked && self.told != Some(self.reach.way())
    }
}

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
    nexthops: BTreeMap<NextHop, Nexthop>,
    /// Next hops whose views changed: their health is to be looked at.
    touched: BTreeSet<NextHop>,
    /// Next hops of whose cost there may be news for the Rib: looking at all of them after each
    /// message would make a mesh's start quadratic.
    asked: BTreeSet<NextHop>,
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

    /// The Rib wants to hear about this next hop, now and at every change.
    pub fn track(&mut self, next_hop: NextHop, context: Context<'_>) {
        let nexthop =
            self.nexthops.entry(next_hop).or_insert_with(|| Nexthop::new(next_hop, context));
        nexthop.tracked = true;
        nexthop.told = None;
        self.asked.insert(next_hop);
    }

    /// No longer.
    pub fn untrack(&mut self, next_hop: NextHop) {
        if let Some(nexthop) = self.nexthops.get_mut(&next_hop) {
            nexthop.tracked = false;
            nexthop.told = None;
            self.forget_unused(next_hop);
        }
    }

    /// Costs and interfaces that the Rib does not know yet, counted as told.
    pub fn untold(&mut self) -> Vec<(NextHop, Option<(u32, u32)>)> {
        let mut news = Vec::new();
        for next_hop in std::mem::take(&mut self.asked) {
            let nexthop = self.nexthops.get_mut(&next_hop).filter(|nexthop| nexthop.tracked);
            let Some(nexthop) = nexthop else { continue };
            let way = nexthop.reach.way();
            if nexthop.told != Some(way) {
                nexthop.told = Some(way);
                news.push((next_hop, way));
            }
        }
        news
    }

    /// Tracked next hops and their costs.
    pub fn tracked(&self) -> impl Iterator<Item = (NextHop, Option<u32>)> {
        self.nexthops
            .iter()
            .filter(|(_, nexthop)| nexthop.tracked)
            .map(|(next_hop, nexthop)| (*next_hop, nexthop.reach.cost()))
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

    fn resolve_from(
        &mut self,
        range: impl RangeBounds<NextHop>,
        context: Context<'_>,
        concerned: &mut BTreeSet<IpNet>,
    ) {
        for (next_hop, nexthop) in self.nexthops.range_mut(range) {
            if resolve(*next_hop, nexthop, context) {
                let users = nexthop.vias.iter().filter_map(|via| self.vias.get(via));
                concerned.extend(users.flat_map(|users| &users.prefixes));
                self.touched.insert(*next_hop);
            }
            // A prefix that its next hop lies in depends on the underlay's own match too (`loops`).
            let around = |length| Some(IpNet::new(next_hop.address, length).ok()?.trunc());
            let around = (0..=host(next_hop.address).max_prefix_len()).filter_map(around);
            concerned.extend(around.filter(|prefix| match self.routes.get(prefix) {
                Some(Target::Via(via)) => nexthop.vias.contains(via),
                _ => false,
            }));
            if nexthop.has_news() {
                self.asked.insert(*next_hop);
            }
        }
    }

    /// Sorts every prefix into its class anew, after the pools changed, and resolves everything.
    pub fn reclassify(&mut self, context: Context<'_>) {
        for (via, users) in &mut self.vias {
            users.classes.clear();
            for prefix in &users.prefixes {
                *users.classes.entry(class_of(*prefix, via, context)).or_default() += 1;
            }
        }
        for (next_hop, nexthop) in &mut self.nexthops {
            let old = std::mem::take(&mut nexthop.views);
            nexthop.was_sick |= old.values().any(|view| view.sick);
            nexthop.reach = context.world.reach(*next_hop, context.config);
            let users = nexthop.vias.iter().filter_map(|via| self.vias.get(via));
            for class in users.flat_map(|users| users.classes.keys()) {
                let view = nexthop.views.entry(*class).or_insert_with(|| View {
                    users: 0,
                    resolved: resolved(*class, *next_hop, &nexthop.reach, context),
                    sick: old.get(class).is_some_and(|view| view.sick),
                });
                view.users += 1;
            }
            self.touched.insert(*next_hop);
            if nexthop.has_news() {
                self.asked.insert(*next_hop);
            }
        }
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
        let via = match target {
            Target::Own => return route(Kind::Blackhole, Vec::new()),
            Target::Via(via) => via,
        };
        let class = class_of(prefix, via, context);
        let mut hops: Vec<Hop> = Vec::with_capacity(via.hops.len());
        for &next_hop in &via.hops {
            let Some(view) = self.view(next_hop, class) else { continue };
            let looping =
                || loops(prefix, class, next_hop.address, context.world, context.config).is_some();
            match &view.resolved.fate {
                Fate::Hold => return Desired::Hold,
                Fate::Drop => {}
                Fate::Write(_) if looping() => {}
                Fate::Write(hop) => merge(&mut hops, *hop),
            }
        }
        match hops.as_mut_slice() {
            [] => return Desired::Nothing,
            [only] => only.weight = 1,
            several => several.sort_unstable(),
        }
        route(Kind::Unicast, hops)
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
            Target::Via(via) => via,
        };
        let class = class_of(prefix, via, context);
        via.hops
            .iter()
            .filter_map(|next_hop| {
                let view = self.view(*next_hop, class)?;
                let address = next_hop.address;
                let resolution = match loops(prefix, class, address, context.world, context.config)
                {
                    Some(why) => Resolution { how: How::Unreachable, why },
                    None => view.resolved.resolution.clone(),
                };
                Some((Some(*next_hop), resolution))
            })
            .collect()
    }

    /// Who has caught network D's disease since the last time, and who is cured.
    pub fn health(&mut self, context: Context<'_>) -> Vec<Report> {
        let mut reports = Vec::new();
        for next_hop in std::mem::take(&mut self.touched) {
            let Some(nexthop) = self.nexthops.get_mut(&next_hop) else { continue };
            let before = nexthop.was_sick || nexthop.views.values().any(|view| view.sick);
            let Nexthop { views, vias, .. } = nexthop;
            for (class, view) in views.iter_mut() {
                let was = view.sick;
                view.sick = match &view.resolved.resolution.how {
                    How::Gateway { is_peer: false, .. } => view.users > 0,
                    // No answer is no cure.
                    How::Unreachable => was && view.users > 0,
                    _ => false,
                };
                if was || !view.sick {
                    continue;
                }
                let example = vias
                    .iter()
                    .filter_map(|via| Some((via, self.vias.get(via)?)))
                    .flat_map(|(via, users)| users.prefixes.iter().map(move |prefix| (via, prefix)))
                    .find(|(via, prefix)| class_of(**prefix, via, context) == *class);
                if let (How::Gateway { gateway, .. }, Some((_, prefix))) =
                    (&view.resolved.resolution.how, example)
                {
                    reports.push(Report::Disease {
                        next_hop,
                        gateway: *gateway,
                        prefix: *prefix,
                        why: format!("{prefix}: {}", view.resolved.resolution.why),
                    });
                }
            }
            views.retain(|_, view| view.users > 0);
            nexthop.was_sick = false;
            if before && !views.values().any(|view| view.sick) {
                reports.push(Report::Cured { next_hop });
            }
            self.forget_unused(next_hop);
        }
        reports
    }

    fn view(&self, next_hop: NextHop, class: Class) -> Option<&View> {
        self.nexthops.get(&next_hop)?.views.get(&class)
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
            let nexthop =
                self.nexthops.entry(next_hop).or_insert_with(|| Nexthop::new(next_hop, context));
            nexthop.vias.insert(via.clone());
            let view = nexthop.views.entry(class).or_insert_with(|| View {
                users: 0,
                resolved: resolved(class, next_hop, &nexthop.reach, context),
                sick: false,
            });
            view.users += 1;
            if view.users == 1 {
                self.touched.insert(next_hop);
            }
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
            let Some(nexthop) = self.nexthops.get_mut(&next_hop) else { continue };
            if unused {
                nexthop.vias.remove(via);
            }
            if let Some(view) = nexthop.views.get_mut(&class) {
                view.users = view.users.saturating_sub(1);
                if view.users == 0 {
                    self.touched.insert(next_hop);
                }
            }
        }
    }

    fn forget_unused(&mut self, next_hop: NextHop) {
        let is_unused = |nexthop: &Nexthop| {
            !nexthop.tracked && nexthop.vias.is_empty() && !self.touched.contains(&next_hop)
        };
        if self.nexthops.get(&next_hop).is_some_and(is_unused) {
            self.nexthops.remove(&next_hop);
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

/// Resolves one next hop anew for all who use it; whether some answer changed.
fn resolve(next_hop: NextHop, nexthop: &mut Nexthop, context: Context<'_>) -> bool {
    nexthop.reach = context.world.reach(next_hop, context.config);
    let mut changed = false;
    for (class, view) in &mut nexthop.views {
        let now = resolved(*class, next_hop, &nexthop.reach, context);
        changed |=
            now.fate != view.resolved.fate || now.resolution.how != view.resolved.resolution.how;
        view.resolved = now;
    }
    changed
}

fn resolved(class: Class, next_hop: NextHop, reach: &Reach, context: Context<'_>) -> Resolved {
    resolve_reached(class, next_hop, reach, context.world, context.config, context.device)
}
