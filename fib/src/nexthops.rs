//! The next hops in use: how each is reached, what each class of routes makes of it, and who is to
//! hear of a change.
//!
//! In: who uses a next hop or asks after it, and the world when it changes. Out: what it comes to
//! for a class, its cost for the Rib, and what people should know of it. A next hop is kept as long
//! as it is tracked, named by a [`Via`], or its last words are not said.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;
use std::sync::Arc;

use ipnet::IpNet;

use crate::learn::World;
use crate::resolve::{Class, Resolved, resolve_reached};
use crate::tunnel::Device;
use crate::types::{FibConfig, How, NextHop, Report, Via};
use crate::underlay::Reach;

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

/// All next hops in use.
#[derive(Clone, Default, Debug)]
pub struct Nexthops {
    all: BTreeMap<NextHop, Nexthop>,
    /// Next hops whose views changed: their health is to be looked at.
    touched: BTreeSet<NextHop>,
    /// Next hops of whose cost there may be news for the Rib: looking at all of them after each
    /// message would make a mesh's start quadratic.
    asked: BTreeSet<NextHop>,
}

impl Nexthops {
    /// The Rib wants to hear about this next hop, now and at every change.
    pub fn track(&mut self, next_hop: NextHop, context: Context<'_>) {
        let nexthop = self.all.entry(next_hop).or_insert_with(|| Nexthop::new(next_hop, context));
        nexthop.tracked = true;
        nexthop.told = None;
        self.asked.insert(next_hop);
    }

    /// No longer.
    pub fn untrack(&mut self, next_hop: NextHop) {
        if let Some(nexthop) = self.all.get_mut(&next_hop) {
            nexthop.tracked = false;
            nexthop.told = None;
            self.forget_unused(next_hop);
        }
    }

    /// Costs and interfaces that the Rib does not know yet, counted as told.
    pub fn untold(&mut self) -> Vec<(NextHop, Option<(u32, u32)>)> {
        let mut news = Vec::new();
        for next_hop in std::mem::take(&mut self.asked) {
            let nexthop = self.all.get_mut(&next_hop).filter(|nexthop| nexthop.tracked);
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
        self.all
            .iter()
            .filter(|(_, nexthop)| nexthop.tracked)
            .map(|(next_hop, nexthop)| (*next_hop, nexthop.reach.cost()))
    }

    /// What a next hop comes to for a class of routes; `None`: none of them uses it.
    pub fn resolved(&self, next_hop: NextHop, class: Class) -> Option<&Resolved> {
        Some(&self.all.get(&next_hop)?.views.get(&class)?.resolved)
    }

    /// A via names this next hop, for routes of `class`.
    pub fn enlist(
        &mut self,
        next_hop: NextHop,
        via: &Arc<Via>,
        class: Class,
        context: Context<'_>,
    ) {
        let nexthop = self.all.entry(next_hop).or_insert_with(|| Nexthop::new(next_hop, context));
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

    /// A via has no more routes of `class`, and no routes at all if it is `unused`.
    pub fn release(&mut self, next_hop: NextHop, via: &Via, class: Class, unused: bool) {
        let Some(nexthop) = self.all.get_mut(&next_hop) else { return };
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

    /// Resolves the next hops of `range` anew. `concern` is told of each, of those that name it,
    /// and whether some answer changed.
    pub fn resolve(
        &mut self,
        range: impl RangeBounds<NextHop>,
        context: Context<'_>,
        mut concern: impl FnMut(NextHop, &BTreeSet<Arc<Via>>, bool),
    ) {
        for (next_hop, nexthop) in self.all.range_mut(range) {
            let changed = resolve(*next_hop, nexthop, context);
            concern(*next_hop, &nexthop.vias, changed);
            if changed {
                self.touched.insert(*next_hop);
            }
            if nexthop.has_news() {
                self.asked.insert(*next_hop);
            }
        }
    }

    /// Resolves everything anew for other classes: `classes` gives those of a via's routes.
    pub fn reclassify<I: Iterator<Item = Class>>(
        &mut self,
        context: Context<'_>,
        classes: impl Fn(&Via) -> I,
    ) {
        for (next_hop, nexthop) in &mut self.all {
            let old = std::mem::take(&mut nexthop.views);
            nexthop.was_sick |= old.values().any(|view| view.sick);
            nexthop.reach = context.world.reach(*next_hop, context.config);
            for class in nexthop.vias.iter().flat_map(|via| classes(via)) {
                let view = nexthop.views.entry(class).or_insert_with(|| View {
                    users: 0,
                    resolved: resolved(class, *next_hop, &nexthop.reach, context),
                    sick: old.get(&class).is_some_and(|view| view.sick),
                });
                view.users += 1;
            }
            self.touched.insert(*next_hop);
            if nexthop.has_news() {
                self.asked.insert(*next_hop);
            }
        }
    }

    /// Who has caught network D's disease since the last time, and who is cured.
    /// `example` gives a prefix of a class that one of these vias leads to.
    pub fn health(
        &mut self,
        example: impl Fn(&BTreeSet<Arc<Via>>, Class) -> Option<IpNet>,
    ) -> Vec<Report> {
        let mut reports = Vec::new();
        for next_hop in std::mem::take(&mut self.touched) {
            let Some(nexthop) = self.all.get_mut(&next_hop) else { continue };
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
                if let (How::Gateway { gateway, .. }, Some(prefix)) =
                    (&view.resolved.resolution.how, example(vias, *class))
                {
                    reports.push(Report::Disease {
                        next_hop,
                        gateway: *gateway,
                        prefix,
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

    fn forget_unused(&mut self, next_hop: NextHop) {
        let is_unused = |nexthop: &Nexthop| {
            !nexthop.tracked && nexthop.vias.is_empty() && !self.touched.contains(&next_hop)
        };
        if self.all.get(&next_hop).is_some_and(is_unused) {
            self.all.remove(&next_hop);
        }
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
