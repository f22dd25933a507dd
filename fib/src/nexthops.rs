//! The next hops in use: how each is reached, what each class of routes makes of it, and who is to
//! hear of a change.
//!
//! In: who uses a next hop or asks after it, and the world when it changes. Out: what it comes to
//! for a class, its cost for the Rib, and what people should know of it. A next hop is kept as long
//! as it is tracked, named by a [`Via`], or its last words are not said.
//!
//! The kernel tells of a change in pieces: an address and its connected route go before they are
//! there again, an interface's routes before the interface is down. In between its table has the
//! default gateway for a neighbour. So a next hop that was connected and seems to be behind a
//! gateway stays where it was for [`LINGER`], if that interface carries: no other piece is so late.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::learn::World;
use crate::pods::Pods;
use crate::resolve::{Class, Resolved, resolve_reached};
use crate::tunnel::Device;
use crate::types::{Cost, FibConfig, How, NextHop, Report, Via};
use crate::underlay::Reach;

/// How long a neighbour is sought where it was after the kernel's table has a gateway for it.
pub const LINGER: Duration = Duration::from_secs(5);

/// What resolution is asked of.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// What the kernel told.
    pub world: &'a World,
    /// How to program.
    pub config: &'a FibConfig,
    /// Whether the tunnel may be used.
    pub device: &'a Device,
    /// Who is local.
    pub pods: &'a Pods,
    /// The time.
    pub now: Duration,
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

/// Where a next hop was connected last.
#[derive(Clone, Copy, Debug)]
struct Home {
    device: u32,
    /// It seems to be behind a gateway now, which is believed then.
    until: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Nexthop {
    reach: Reach,
    home: Option<Home>,
    tracked: bool,
    /// What the Rib was told last.
    told: Option<Option<Cost>>,
    /// Those that name it.
    vias: BTreeSet<Arc<Via>>,
    views: BTreeMap<Class, View>,
    was_sick: bool,
}

impl Nexthop {
    fn new(next_hop: NextHop, context: Context<'_>) -> Nexthop {
        let mut nexthop = Nexthop {
            reach: Reach::Unreachable(String::new()),
            home: None,
            tracked: false,
            told: None,
            vias: BTreeSet::new(),
            views: BTreeMap::new(),
            was_sick: false,
        };
        nexthop.look(next_hop, context);
        nexthop
    }

    /// Asks the world anew how it is reached.
    fn look(&mut self, next_hop: NextHop, context: Context<'_>) {
        let Context { world, config, now, .. } = context;
        self.reach = world.reach(next_hop, config);
        match (&self.reach, &mut self.home) {
            (Reach::Same { device, .. } | Reach::Connected { device }, home) => {
                *home = Some(Home { device: *device, until: None });
            }
            (_, Some(Home { until: Some(until), .. })) if *until <= now => self.home = None,
            (Reach::Via { .. }, Some(Home { device, until })) => {
                until.get_or_insert(now.saturating_add(LINGER));
                self.reach = world.linger(next_hop.address, *device);
            }
            _ => {}
        }
    }

    /// When a gateway is to be believed.
    fn deadline(&self) -> Option<Duration> {
        self.home?.until
    }

    /// Whether the Rib waits for a cost that it was not told.
    fn has_news(&self, world: &World) -> bool {
        let alike = |told: &Option<Cost>| match (told, self.reach.way()) {
            (Some(told), Some((metric, device))) => {
                told.metric == metric && told.device == name(world, device)
            }
            (None, None) => true,
            _ => false,
        };
        self.tracked && !self.told.as_ref().is_some_and(alike)
    }

    fn cost(&self, world: &World) -> Option<Cost> {
        let (metric, device) = self.reach.way()?;
        Some(Cost { metric, device: name(world, device).to_owned() })
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
    /// Those that stay where they were for now, by the end of that.
    lingering: BTreeSet<(Duration, NextHop)>,
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
    pub fn untold(&mut self, world: &World) -> Vec<(NextHop, Option<Cost>)> {
        let mut news = Vec::new();
        for next_hop in std::mem::take(&mut self.asked) {
            let nexthop = self.all.get_mut(&next_hop).filter(|nexthop| nexthop.has_news(world));
            let Some(nexthop) = nexthop else { continue };
            let cost = nexthop.cost(world);
            nexthop.told = Some(cost.clone());
            news.push((next_hop, cost));
        }
        news
    }

    /// When a next hop's gateway is to be believed, if one is doubted.
    pub fn deadline(&self) -> Option<Duration> {
        self.lingering.first().map(|(until, _)| *until)
    }

    /// Those whose gateway is to be believed by now.
    pub fn due(&self, now: Duration) -> Vec<NextHop> {
        let due = self.lingering.iter().take_while(|(until, _)| *until <= now);
        due.map(|(_, next_hop)| *next_hop).collect()
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
            let before = nexthop.deadline();
            let changed = resolve(*next_hop, nexthop, context);
            let after = nexthop.deadline();
            if before != after {
                self.lingering.retain(|(until, hop)| hop != next_hop || Some(*until) == after);
                self.lingering.extend(after.map(|until| (until, *next_hop)));
            }
            concern(*next_hop, &nexthop.vias, changed);
            if changed {
                self.touched.insert(*next_hop);
            }
            if nexthop.has_news(context.world) {
                self.asked.insert(*next_hop);
            }
        }
    }

    /// Whether some next hop may be on this interface, whatever routes say.
    pub fn may_be_on(&self, device: u32) -> bool {
        if !self.lingering.is_empty() {
            return true;
        }
        let link_local = NextHop::from(IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0)));
        let scoped = self.all.range(link_local..);
        scoped.into_iter().any(|(hop, _)| hop.scope.is_some_and(|scope| scope.get() == device))
    }

    /// Resolves everything anew for other classes: `classes` gives those of a via's routes.
    pub fn reclassify<I: Iterator<Item = Class>>(
        &mut self,
        context: Context<'_>,
        classes: impl Fn(&Via) -> I,
    ) {
        // What the operator says is no news that comes in pieces.
        self.lingering.clear();
        for (next_hop, nexthop) in &mut self.all {
            let old = std::mem::take(&mut nexthop.views);
            nexthop.was_sick |= old.values().any(|view| view.sick);
            nexthop.home = None;
            nexthop.look(*next_hop, context);
            for class in nexthop.vias.iter().flat_map(|via| classes(via)) {
                let view = nexthop.views.entry(class).or_insert_with(|| View {
                    users: 0,
                    resolved: resolved(class, *next_hop, &nexthop.reach, context),
                    sick: old.get(&class).is_some_and(|view| view.sick),
                });
                view.users += 1;
            }
            self.touched.insert(*next_hop);
            if nexthop.has_news(context.world) {
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
        if self.all.get(&next_hop).is_some_and(is_unused)
            && let Some(until) = self.all.remove(&next_hop).and_then(|gone| gone.deadline())
        {
            self.lingering.remove(&(until, next_hop));
        }
    }
}

/// The name of an interface; empty if it is gone.
fn name(world: &World, device: u32) -> &str {
    world.link(device).map_or("", |link| &link.name)
}

/// Resolves one next hop anew for all who use it; whether some answer changed.
fn resolve(next_hop: NextHop, nexthop: &mut Nexthop, context: Context<'_>) -> bool {
    nexthop.look(next_hop, context);
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
