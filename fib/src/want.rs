//! What the Rib wants, and what its next hops come to.
//!
//! In: best routes, and the world when it changes. Out: the desired kernel route of a prefix
//! ([`Wants::desired`]), and which prefixes a change concerns. Prefixes are many, [`Via`]s few and
//! next hops ([`Nexthops`]) fewer: a prefix is kept with the number of its via, a next hop is
//! resolved once per [`Class`], and prefixes look the answer up. Next hops know their vias; whose
//! those are, one walk over the table tells, which happens when an answer changed.

mod vias;

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::RangeBounds;

use ipnet::IpNet;

use self::vias::{Marks, OWN, UNREACHABLE, Vias};
use crate::nexthops::{Context, Nexthops};
use crate::plan::Desired;
use crate::prefixes::PrefixMap;
use crate::resolve::{Class, Fate, loops};
use crate::types::{
    Encap, FibConfig, Hold, Hop, Hops, How, KernelRoute, Kind, NextHop, Report, Resolution,
    RouteKey, Target, Via,
};
use crate::underlay::host;

/// What the Rib wants.
#[derive(Clone, Default, Debug)]
pub struct Wants {
    /// Each prefix's target, by number.
    routes: PrefixMap<u32>,
    vias: Vias,
    /// How many of them policy wants encapsulated.
    encapsulated: usize,
    /// What they lead by.
    pub nexthops: Nexthops,
}

impl Wants {
    /// The Rib's last word on a prefix. Whether that is a change.
    pub fn set(&mut self, prefix: IpNet, target: Option<Target>, context: Context<'_>) -> bool {
        let number = match target {
            None => {
                let Some(old) = self.routes.remove(prefix) else { return false };
                self.release(prefix, old, context);
                return true;
            }
            Some(Target::Own) => OWN,
            Some(Target::Unreachable) => UNREACHABLE,
            Some(Target::Via(via)) => self.vias.number_of(via),
        };
        let old = self.routes.insert(prefix, number);
        if old == Some(number) {
            return false;
        }
        // The new one first: what both use stays known.
        self.enlist(prefix, number, context);
        if let Some(old) = old {
            self.release(prefix, old, context);
        }
        true
    }

    /// Whether policy wants some route encapsulated, whatever the pools say.
    pub fn encapsulates(&self) -> bool {
        self.encapsulated > 0
    }

    /// The key of our route to a prefix, as the kernel shows it.
    pub fn key_of(&self, prefix: IpNet, config: &FibConfig) -> RouteKey {
        key_of(prefix, self.get(prefix), config)
    }

    /// Whether the Rib wants a route to this prefix.
    pub fn contains(&self, prefix: IpNet) -> bool {
        self.routes.contains(prefix)
    }

    /// Where a prefix shall lead.
    pub fn get(&self, prefix: IpNet) -> Option<&Target> {
        self.vias.target(*self.routes.get(prefix)?)
    }

    /// All prefixes and where they lead, in order.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, &Target)> {
        self.after(None)
    }

    /// The same, behind `after` only.
    pub fn after(&self, after: Option<IpNet>) -> impl Iterator<Item = (IpNet, &Target)> {
        let behind = self.routes.after(after);
        behind.filter_map(|(prefix, number)| Some((prefix, self.vias.target(*number)?)))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// About how many octets of memory the prefixes take; what they lead by is shared.
    pub fn bytes(&self) -> usize {
        self.routes.bytes()
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
        let mut moved: Option<Marks> = None;
        self.nexthops.resolve(range, context, |next_hop, vias, changed| {
            if changed {
                moved.get_or_insert_default().add(all.numbers_of(vias));
            }
            // A prefix that its next hop lies in depends on the underlay's own match too (`loops`).
            let around = |length| Some(IpNet::new(next_hop.address, length).ok()?.trunc());
            let around = (0..=host(next_hop.address).max_prefix_len()).filter_map(around);
            concerned.extend(around.filter(|prefix| {
                let users = routes.get(*prefix).and_then(|number| all.get(*number));
                users.is_some_and(|users| vias.contains(&users.via))
            }));
        });
        // One walk for all that moved costs less than an index that every route is entered in.
        if let Some(moved) = moved {
            let theirs = routes.iter().filter(|(_, number)| moved.has(**number));
            concerned.extend(theirs.map(|(prefix, _)| prefix));
        }
    }

    /// Sorts every prefix into its class anew, after the pools changed, and resolves everything.
    pub fn reclassify(&mut self, context: Context<'_>) {
        let Wants { routes, vias, nexthops, .. } = self;
        vias.users_mut().for_each(|users| users.classes.clear());
        for (prefix, number) in routes.iter() {
            if let Some(users) = vias.get_mut(*number) {
                let class = class_of(prefix, &users.via, context);
                *users.classes.entry(class).or_default() += 1;
            }
        }
        nexthops.reclassify(context, |via| {
            let users = vias.numbers_of([via]).next().and_then(|number| vias.get(number));
            users.into_iter().flat_map(|users| users.classes.keys().copied())
        });
    }

    /// The kernel route that a wanted prefix should have; nothing for one that is not wanted.
    pub fn desired(&self, prefix: IpNet, context: Context<'_>) -> Desired {
        self.desired_of(prefix, self.get(prefix), context)
    }

    /// The same for a target that is at hand.
    pub fn desired_of(
        &self,
        prefix: IpNet,
        target: Option<&Target>,
        context: Context<'_>,
    ) -> Desired {
        let Some(target) = target else { return Desired::Nothing };
        let route = |kind, hops| {
            Desired::Route(KernelRoute {
                key: key_of(prefix, Some(target), context.config),
                protocol: context.config.protocol,
                kind,
                scope: 0,
                tos: 0,
                source: None,
                object: object_of(kind, &hops, context),
                hops,
            })
        };
        let held = || match is_held(prefix, context.config) {
            true => route(Kind::Unreachable, Hops::new()),
            false => Desired::Nothing,
        };
        let via = match target {
            Target::Own => return route(Kind::Blackhole, Hops::new()),
            // A pod that is here, or still here: its own route leads to it.
            Target::Via(_) | Target::Unreachable if context.pods.holds(prefix) => {
                return Desired::Nothing;
            }
            Target::Unreachable => return held(),
            Target::Via(via) => via,
        };
        let class = class_of(prefix, via, context);
        let mut hops = Hops::new();
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
        let target = self.get(prefix).filter(|_| is_held(prefix, config))?;
        Some(KernelRoute {
            key: key_of(prefix, Some(target), config),
            protocol: config.protocol,
            kind: Kind::Unreachable,
            scope: 0,
            tos: 0,
            source: None,
            hops: Hops::new(),
            object: None,
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
        let Wants { routes, vias: all, nexthops, .. } = self;
        nexthops.health(|vias, class| {
            let mut marks = Marks::default();
            marks.add(all.numbers_of(vias));
            let mut theirs = routes.iter().filter(|(_, number)| marks.has(**number));
            let example = theirs.find(|(prefix, number)| {
                let users = all.get(**number);
                users.is_some_and(|users| class_of(*prefix, &users.via, context) == class)
            });
            example.map(|(prefix, _)| prefix)
        })
    }

    fn enlist(&mut self, prefix: IpNet, number: u32, context: Context<'_>) {
        let Some(users) = self.vias.get_mut(number) else { return };
        if users.routes == 0 {
            self.encapsulated += usize::from(users.via.encap == Encap::Always);
        }
        users.routes += 1;
        let class = class_of(prefix, &users.via, context);
        let alike = users.classes.entry(class).or_default();
        *alike += 1;
        if *alike > 1 {
            return;
        }
        for next_hop in distinct(&users.via.hops) {
            self.nexthops.enlist(next_hop, &users.via, class, context);
        }
    }

    fn release(&mut self, prefix: IpNet, number: u32, context: Context<'_>) {
        let Some(users) = self.vias.get_mut(number) else { return };
        users.routes = users.routes.saturating_sub(1);
        let class = class_of(prefix, &users.via, context);
        let Some(alike) = users.classes.get_mut(&class) else { return };
        *alike = alike.saturating_sub(1);
        if *alike > 0 {
            return;
        }
        users.classes.remove(&class);
        let (unused, via) = (users.routes == 0, users.via.clone());
        if unused {
            self.vias.forget(number);
            let one = usize::from(via.encap == Encap::Always);
            self.encapsulated = self.encapsulated.saturating_sub(one);
        }
        for next_hop in distinct(&via.hops) {
            self.nexthops.release(next_hop, &via, class, unused);
        }
    }
}

pub(crate) fn key_of(prefix: IpNet, target: Option<&Target>, config: &FibConfig) -> RouteKey {
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

/// The nexthop object that a route to `hops` goes through; [`crate::objects::UNMADE`]: one that is
/// not there yet.
fn object_of(kind: Kind, hops: &Hops, context: Context<'_>) -> Option<u32> {
    if kind != Kind::Unicast || !context.config.nexthop_objects {
        return None;
    }
    context.world.objects.of(hops)
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
fn merge(hops: &mut Hops, hop: Hop) {
    let alike = |there: &&mut Hop| Hop { weight: hop.weight, ..**there } == hop;
    match hops.iter_mut().find(alike) {
        Some(there) => there.weight = (there.weight + 1).min(256),
        None => hops.push(hop),
    }
}
