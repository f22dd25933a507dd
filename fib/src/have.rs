//! Our own routes as the kernel holds them, in little memory and with exact answers.
//!
//! In: routes of ours from dumps, events and confirmed ops. Out: what there is for a prefix, in
//! order. A table of a million prefixes leans on a handful of next hops, so everything but the
//! key is shared: a route costs its key and a pointer. The kernel may hold several routes under
//! one key (IPv4 `append`, or another tos); each is kept, so that each can be removed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;

use ipnet::IpNet;

use crate::types::{Hop, KernelRoute, Kind, RouteKey};

/// All of a route but its key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Shape {
    protocol: u8,
    kind: Kind,
    scope: u8,
    tos: u8,
    source: Option<IpAddr>,
    hops: Vec<Hop>,
}

impl Shape {
    fn of(route: &KernelRoute) -> Shape {
        Shape {
            protocol: route.protocol,
            kind: route.kind,
            scope: route.scope,
            tos: route.tos,
            source: route.source,
            hops: route.hops.clone(),
        }
    }

    fn with(&self, key: RouteKey) -> KernelRoute {
        KernelRoute {
            key,
            protocol: self.protocol,
            kind: self.kind,
            scope: self.scope,
            tos: self.tos,
            source: self.source,
            hops: self.hops.clone(),
        }
    }

    fn is(&self, route: &KernelRoute) -> bool {
        self.protocol == route.protocol
            && self.kind == route.kind
            && self.scope == route.scope
            && self.tos == route.tos
            && self.source == route.source
            && same_hops(&self.hops, &route.hops)
    }
}

/// Whether two routes are the same in everything; the order of several next hops does not count.
pub fn same(a: &KernelRoute, b: &KernelRoute) -> bool {
    a.key == b.key
        && a.protocol == b.protocol
        && a.kind == b.kind
        && a.scope == b.scope
        && a.tos == b.tos
        && a.source == b.source
        && same_hops(&a.hops, &b.hops)
}

/// A hash of all that [`same`] compares: the same routes have the same one.
pub fn fingerprint(route: &KernelRoute) -> u64 {
    let mut hasher = DefaultHasher::default();
    let KernelRoute { key, protocol, kind, scope, tos, source, hops } = route;
    (key, protocol, kind, scope, tos, source).hash(&mut hasher);
    match hops.as_slice() {
        several @ [_, _, ..] => {
            let mut several = several.to_vec();
            several.sort_unstable();
            several.hash(&mut hasher);
        }
        one => one.hash(&mut hasher),
    }
    hasher.finish()
}

fn same_hops(a: &[Hop], b: &[Hop]) -> bool {
    if a == b {
        return true;
    }
    if a.len() != b.len() || a.len() < 2 {
        return false;
    }
    let sorted = |hops: &[Hop]| {
        let mut hops = hops.to_vec();
        hops.sort_unstable();
        hops
    };
    sorted(a) == sorted(b)
}

/// Nearly always one route a key.
#[derive(Clone, Debug)]
enum Held {
    One(Arc<Shape>),
    Many(Box<[Arc<Shape>]>),
}

impl Held {
    fn shapes(&self) -> &[Arc<Shape>] {
        match self {
            Held::One(shape) => std::slice::from_ref(shape),
            Held::Many(shapes) => shapes,
        }
    }
}

/// Our routes.
#[derive(Default, Debug)]
pub struct Have {
    routes: BTreeMap<RouteKey, Held>,
    shapes: BTreeSet<Arc<Shape>>,
}

impl Have {
    /// How many keys.
    pub fn len(&self) -> usize {
        self.routes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// All gone.
    pub fn clear(&mut self) {
        self.routes.clear();
        self.shapes.clear();
    }

    /// Adds a route beside whatever else is under its key.
    pub fn insert(&mut self, route: &KernelRoute) {
        let shape = self.intern(route);
        match self.routes.get_mut(&route.key) {
            None => {
                self.routes.insert(route.key, Held::One(shape));
            }
            Some(held) if held.shapes().iter().any(|there| there.is(route)) => {}
            Some(held) => {
                let mut all = held.shapes().to_vec();
                all.push(shape);
                *held = Held::Many(all.into());
            }
        }
    }

    /// Removes exactly this route; whether it was there.
    pub fn remove(&mut self, route: &KernelRoute) -> bool {
        let Some(held) = self.routes.get_mut(&route.key) else { return false };
        let mut rest: Vec<Arc<Shape>> = held.shapes().to_vec();
        let before = rest.len();
        rest.retain(|shape| !shape.is(route));
        let found = rest.len() < before;
        match rest.pop() {
            None => {
                self.routes.remove(&route.key);
            }
            Some(last) if rest.is_empty() => *held = Held::One(last),
            Some(last) => {
                rest.push(last);
                *held = Held::Many(rest.into());
            }
        }
        self.forget_shape(route);
        found
    }

    /// Drops what only this route, which is gone, had in common with others.
    fn forget_shape(&mut self, route: &KernelRoute) {
        let shape = Shape::of(route);
        if self.shapes.get(&shape).is_some_and(|known| Arc::strong_count(known) == 1) {
            self.shapes.remove(&shape);
        }
    }

    /// Whether exactly this route is there.
    pub fn holds(&self, route: &KernelRoute) -> bool {
        self.routes
            .get(&route.key)
            .is_some_and(|held| held.shapes().iter().any(|shape| shape.is(route)))
    }

    /// What is under a key.
    pub fn at(&self, key: RouteKey) -> impl Iterator<Item = KernelRoute> {
        self.routes
            .get(&key)
            .into_iter()
            .flat_map(|held| held.shapes())
            .map(move |shape| shape.with(key))
    }

    /// What leads to a prefix, in any table and with any metric.
    pub fn of(&self, prefix: IpNet) -> impl Iterator<Item = KernelRoute> {
        let first = RouteKey { prefix, table: 0, metric: 0 };
        let last = RouteKey { prefix, table: u32::MAX, metric: u32::MAX };
        self.routes
            .range(first..=last)
            .flat_map(|(key, held)| held.shapes().iter().map(|shape| shape.with(*key)))
    }

    /// All routes in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = KernelRoute> {
        self.routes
            .iter()
            .flat_map(|(key, held)| held.shapes().iter().map(|shape| shape.with(*key)))
    }

    /// All prefixes in order; one that has several routes comes several times.
    pub fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        self.routes.keys().map(|key| key.prefix)
    }

    /// The same, behind `after` only.
    pub fn prefixes_after(&self, after: Option<IpNet>) -> impl Iterator<Item = IpNet> {
        let last = |prefix| RouteKey { prefix, table: u32::MAX, metric: u32::MAX };
        let from = after.map_or(Bound::Unbounded, |prefix| Bound::Excluded(last(prefix)));
        self.routes.range((from, Bound::Unbounded)).map(|(key, _)| key.prefix)
    }

    /// How many routes are in a table.
    pub fn count(&self, table: u32) -> usize {
        let of_table = self.routes.iter().filter(|(key, _)| key.table == table);
        of_table.map(|(_, held)| held.shapes().len()).sum()
    }

    /// rtm_protocol and table of every route.
    pub fn owners(&self) -> impl Iterator<Item = (u8, u32)> {
        self.routes
            .iter()
            .flat_map(|(key, held)| held.shapes().iter().map(|shape| (shape.protocol, key.table)))
    }

    /// Whether some route leads out of this interface. Cheap: few shapes, however many routes.
    pub fn uses(&self, device: u32) -> bool {
        self.shapes.iter().any(|shape| shape.hops.iter().any(|hop| hop.device == device))
    }

    /// The routes that `lost` says yes to, removed.
    pub fn take_if(&mut self, mut lost: impl FnMut(&KernelRoute) -> bool) -> Vec<KernelRoute> {
        let taken: Vec<KernelRoute> = self.iter().filter(|route| lost(route)).collect();
        for route in &taken {
            self.remove(route);
        }
        taken
    }

    fn intern(&mut self, route: &KernelRoute) -> Arc<Shape> {
        let shape = Shape::of(route);
        if let Some(known) = self.shapes.get(&shape) {
            return known.clone();
        }
        let shape = Arc::new(shape);
        self.shapes.insert(shape.clone());
        shape
    }
}

#[cfg(test)]
mod tests;
