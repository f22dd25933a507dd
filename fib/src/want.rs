//! What the Rib wants, and what its next hops come to.
//!
//! In: best routes, next hops to track, and the world when it changes. Out: the desired kernel
//! route of a prefix ([`Wants::desired`]), costs for the Rib, and which prefixes a change
//! concerns. Next hops are few and prefixes many: a next hop is resolved once per pool, prefixes
//! look the answer up, and an index from next hop to prefixes finds whom a change concerns.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;

use ipnet::IpNet;

use crate::learn::World;
use crate::plan::Desired;
use crate::resolve::{Class, Fate, Resolved, loops, resolve_reached};
use crate::tunnel::Device;
use crate::types::{FibConfig, Hop, How, KernelRoute, Kind, Report, Resolution, RouteKey, Target};
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

/// One next hop as one class of prefixes sees it.
#[derive(Clone, Debug)]
struct View {
    users: usize,
    resolved: Resolved,
    /// Network D's disease was reported and is not cured.
    sick: bool,
}

#[derive(Clone, Debug)]
struct Nexthop {
    reach: Reach,
    tracked: bool,
    /// The cost that the Rib was told last.
    told: Option<Option<u32>>,
    users: BTreeSet<IpNet>,
    views: BTreeMap<Class, View>,
    was_sick: bool,
}

impl Nexthop {
    fn new(address: IpAddr, context: Context<'_>) -> Nexthop {
        Nexthop {
            reach: context.world.reach(address, context.config),
            tracked: false,
            told: None,
            users: BTreeSet::new(),
            views: BTreeMap::new(),
            was_sick: false,
        }
    }

    /// Whether the Rib waits for a cost that it was not told.
    fn has_news(&self) -> bool {
        self.tracked && self.told != Some(self.reach.cost())
    }
}

/// What the Rib wants.
#[derive(Clone, Default, Debug)]
pub struct Wants {
    routes: BTreeMap<IpNet, Arc<Target>>,
    /// Targets, shared: many prefixes, few targets.
    targets: BTreeSet<Arc<Target>>,
    nexthops: BTreeMap<IpAddr, Nexthop>,
    /// Next hops whose views changed: their health is to be looked at.
    touched: BTreeSet<IpAddr>,
    /// Next hops of whose cost there may be news for the Rib: looking at all of them after each
    /// message would make a mesh's start quadratic.
    asked: BTreeSet<IpAddr>,
}

impl Wants {
    /// The Rib's last word on a prefix. Whether that is a change.
    pub fn set(&mut self, prefix: IpNet, target: Option<Target>, context: Context<'_>) -> bool {
        let old = self.routes.get(&prefix).cloned();
        if old.as_deref() == target.as_ref() {
            return false;
        }
        let class = Class::of(prefix, &context.config.pools);
        if let Some(old) = old {
            self.release(prefix, class, &old);
        }
        match target {
            None => {
                self.routes.remove(&prefix);
            }
            Some(target) => {
                for &address in nexthops_of(&target) {
                    self.enlist(prefix, class, address, context);
                }
                let target = self.share(target);
                self.routes.insert(prefix, target);
            }
        }
        true
    }

    /// Whether the Rib wants a route to this prefix.
    pub fn contains(&self, prefix: IpNet) -> bool {
        self.routes.contains_key(&prefix)
    }

    /// Where a prefix shall lead.
    pub fn get(&self, prefix: IpNet) -> Option<&Target> {
        self.routes.get(&prefix).map(Arc::as_ref)
    }

    /// All prefixes and where they lead, in order.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, &Target)> {
        self.routes.iter().map(|(prefix, target)| (*prefix, target.as_ref()))
    }

    /// The same, behind `after` only.
    pub fn after(&self, after: Option<IpNet>) -> impl Iterator<Item = (IpNet, &Target)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.routes.range((from, Bound::Unbounded));
        behind.map(|(prefix, target)| (*prefix, target.as_ref()))
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
    pub fn track(&mut self, address: IpAddr, context: Context<'_>) {
        let nexthop =
            self.nexthops.entry(address).or_insert_with(|| Nexthop::new(address, context));
        nexthop.tracked = true;
        nexthop.told = None;
        self.asked.insert(address);
    }

    /// No longer.
    pub fn untrack(&mut self, address: IpAddr) {
        if let Some(nexthop) = self.nexthops.get_mut(&address) {
            nexthop.tracked = false;
            nexthop.told = None;
            self.forget_unused(address);
        }
    }

    /// Costs that the Rib does not know yet, counted as told.
    pub fn untold(&mut self) -> Vec<(IpAddr, Option<u32>)> {
        let mut news = Vec::new();
        for address in std::mem::take(&mut self.asked) {
            let nexthop = self.nexthops.get_mut(&address).filter(|nexthop| nexthop.tracked);
            let Some(nexthop) = nexthop else { continue };
            let cost = nexthop.reach.cost();
            if nexthop.told != Some(cost) {
                nexthop.told = Some(cost);
                news.push((address, cost));
            }
        }
        news
    }

    /// Tracked next hops and their costs.
    pub fn tracked(&self) -> impl Iterator<Item = (IpAddr, Option<u32>)> {
        self.nexthops
            .iter()
            .filter(|(_, nexthop)| nexthop.tracked)
            .map(|(address, nexthop)| (*address, nexthop.reach.cost()))
    }

    /// Resolves every next hop anew; adds to `concerned` the prefixes whose answer changed.
    pub fn resolve_all(&mut self, context: Context<'_>, concerned: &mut BTreeSet<IpNet>) {
        for (address, nexthop) in &mut self.nexthops {
            if resolve(*address, nexthop, context) {
                concerned.extend(&nexthop.users);
                self.touched.insert(*address);
            }
            if nexthop.has_news() {
                self.asked.insert(*address);
            }
        }
    }

    /// The same for the next hops inside `range`: those that a route to it can concern.
    pub fn resolve_within(
        &mut self,
        range: IpNet,
        context: Context<'_>,
        concerned: &mut BTreeSet<IpNet>,
    ) {
        for (address, nexthop) in self.nexthops.range_mut(range.network()..=range.broadcast()) {
            if resolve(*address, nexthop, context) {
                concerned.extend(&nexthop.users);
                self.touched.insert(*address);
            }
            if nexthop.has_news() {
                self.asked.insert(*address);
            }
        }
    }

    /// Sorts every prefix into its class anew, after the pools changed, and resolves everything.
    pub fn reclassify(&mut self, context: Context<'_>) {
        for (address, nexthop) in &mut self.nexthops {
            let old = std::mem::take(&mut nexthop.views);
            nexthop.was_sick |= old.values().any(|view| view.sick);
            nexthop.reach = context.world.reach(*address, context.config);
            for prefix in &nexthop.users {
                let class = Class::of(*prefix, &context.config.pools);
                let view = nexthop.views.entry(class).or_insert_with(|| View {
                    users: 0,
                    resolved: resolved(class, *address, &nexthop.reach, context),
                    sick: old.get(&class).is_some_and(|view| view.sick),
                });
                view.users += 1;
            }
            self.touched.insert(*address);
            if nexthop.has_news() {
                self.asked.insert(*address);
            }
        }
    }

    /// The kernel route that a wanted prefix should have; nothing for one that is not wanted.
    pub fn desired(&self, prefix: IpNet, context: Context<'_>) -> Desired {
        let Some(target) = self.routes.get(&prefix) else { return Desired::Nothing };
        let route = |kind, hops| {
            Desired::Route(KernelRoute {
                key: key_of(prefix, context.config),
                protocol: context.config.protocol,
                kind,
                scope: 0,
                tos: 0,
                source: None,
                hops,
            })
        };
        let Target::Nexthops(addresses) = target.as_ref() else {
            return route(Kind::Blackhole, Vec::new());
        };
        let class = Class::of(prefix, &context.config.pools);
        let mut hops: Vec<Hop> = Vec::with_capacity(addresses.len());
        for &address in addresses {
            let Some(view) = self.view(address, class) else { continue };
            match &view.resolved.fate {
                Fate::Hold => return Desired::Hold,
                Fate::Drop => {}
                Fate::Write(_)
                    if loops(prefix, address, context.world, context.config).is_some() => {}
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
    ) -> Vec<(Option<IpAddr>, Resolution)> {
        let Target::Nexthops(addresses) = target else {
            let why = "own block: the pods' own routes are longer".to_owned();
            return vec![(None, Resolution { how: How::Blackhole, why })];
        };
        let class = Class::of(prefix, &context.config.pools);
        addresses
            .iter()
            .filter_map(|address| {
                let view = self.view(*address, class)?;
                let looping = loops(prefix, *address, context.world, context.config);
                let resolution = match looping {
                    Some(why) => Resolution { how: How::Unreachable, why },
                    None => view.resolved.resolution.clone(),
                };
                Some((Some(*address), resolution))
            })
            .collect()
    }

    /// Who has caught network D's disease since the last time, and who is cured.
    pub fn health(&mut self, context: Context<'_>) -> Vec<Report> {
        let mut reports = Vec::new();
        for address in std::mem::take(&mut self.touched) {
            let Some(nexthop) = self.nexthops.get_mut(&address) else { continue };
            let before = nexthop.was_sick || nexthop.views.values().any(|view| view.sick);
            let Nexthop { views, users, .. } = nexthop;
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
                let example = users
                    .iter()
                    .find(|prefix| Class::of(**prefix, &context.config.pools) == *class);
                if let (How::Gateway { gateway, .. }, Some(prefix)) =
                    (&view.resolved.resolution.how, example)
                {
                    reports.push(Report::Disease {
                        next_hop: address,
                        gateway: *gateway,
                        prefix: *prefix,
                        why: format!("{prefix}: {}", view.resolved.resolution.why),
                    });
                }
            }
            views.retain(|_, view| view.users > 0);
            nexthop.was_sick = false;
            if before && !views.values().any(|view| view.sick) {
                reports.push(Report::Cured { next_hop: address });
            }
            self.forget_unused(address);
        }
        reports
    }

    /// Forgets targets that no prefix has any more.
    pub fn tidy(&mut self) {
        self.targets.retain(|target| Arc::strong_count(target) > 1);
    }

    fn view(&self, address: IpAddr, class: Class) -> Option<&View> {
        self.nexthops.get(&address)?.views.get(&class)
    }

    fn share(&mut self, target: Target) -> Arc<Target> {
        if let Some(known) = self.targets.get(&target) {
            return known.clone();
        }
        let target = Arc::new(target);
        self.targets.insert(target.clone());
        target
    }

    fn enlist(&mut self, prefix: IpNet, class: Class, address: IpAddr, context: Context<'_>) {
        let nexthop =
            self.nexthops.entry(address).or_insert_with(|| Nexthop::new(address, context));
        if !nexthop.users.insert(prefix) {
            return;
        }
        let view = nexthop.views.entry(class).or_insert_with(|| View {
            users: 0,
            resolved: resolved(class, address, &nexthop.reach, context),
            sick: false,
        });
        view.users += 1;
        if view.users == 1 {
            self.touched.insert(address);
        }
    }

    fn release(&mut self, prefix: IpNet, class: Class, target: &Target) {
        for address in nexthops_of(target) {
            let Some(nexthop) = self.nexthops.get_mut(address) else { continue };
            if !nexthop.users.remove(&prefix) {
                continue;
            }
            if let Some(view) = nexthop.views.get_mut(&class) {
                view.users = view.users.saturating_sub(1);
                if view.users == 0 {
                    self.touched.insert(*address);
                }
            }
        }
    }

    fn forget_unused(&mut self, address: IpAddr) {
        let is_unused = |nexthop: &Nexthop| {
            !nexthop.tracked && nexthop.users.is_empty() && !self.touched.contains(&address)
        };
        if self.nexthops.get(&address).is_some_and(is_unused) {
            self.nexthops.remove(&address);
        }
    }
}

/// The key of our route to a prefix, as the kernel shows it.
pub fn key_of(prefix: IpNet, config: &FibConfig) -> RouteKey {
    let metric = match (prefix, config.metric) {
        // IP6_RT_PRIO_USER: what the kernel makes of "none".
        (IpNet::V6(_), 0) => 1024,
        (_, metric) => metric,
    };
    RouteKey { prefix, table: config.table, metric }
}

fn nexthops_of(target: &Target) -> &[IpAddr] {
    match target {
        Target::Own => &[],
        Target::Nexthops(addresses) => addresses,
    }
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
fn resolve(address: IpAddr, nexthop: &mut Nexthop, context: Context<'_>) -> bool {
    nexthop.reach = context.world.reach(address, context.config);
    let mut changed = false;
    for (class, view) in &mut nexthop.views {
        let now = resolved(*class, address, &nexthop.reach, context);
        changed |=
            now.fate != view.resolved.fate || now.resolution.how != view.resolved.resolution.how;
        view.resolved = now;
    }
    // A prefix that holds its next hop depends on the underlay's own match too (`loops`).
    let holds =
        |length| IpNet::new(address, length).is_ok_and(|p| nexthop.users.contains(&p.trunc()));
    changed || (0..=host(address).max_prefix_len()).any(holds)
}

fn resolved(class: Class, address: IpAddr, reach: &Reach, context: Context<'_>) -> Resolved {
    resolve_reached(class, address, reach, context.world, context.config, context.device)
}
