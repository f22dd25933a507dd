//! Our own routes as the kernel holds them, in little memory and with exact answers.
//!
//! In: routes of ours from dumps, events and confirmed ops. Out: what there is for a prefix, in
//! order. A table of a million prefixes leans on a handful of next hops, so everything but the
//! prefix is shared ([`Shape`]) and a route costs its packed prefix and a number. The kernel may
//! hold several routes to one prefix (other metrics and tables, IPv4 `append`, another tos); each is
//! kept, so that each can be removed.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use slab::Slab;

use crate::prefixes::PrefixMap;
use crate::types::{Hop, Hops, KernelRoute, Kind, RouteKey};

/// All of a route but its prefix.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Shape {
    table: u32,
    metric: u32,
    protocol: u8,
    kind: Kind,
    scope: u8,
    tos: u8,
    source: Option<IpAddr>,
    hops: Hops,
    object: Option<u32>,
}

impl Shape {
    fn of(route: &KernelRoute) -> Shape {
        Shape {
            table: route.key.table,
            metric: route.key.metric,
            protocol: route.protocol,
            kind: route.kind,
            scope: route.scope,
            tos: route.tos,
            source: route.source,
            hops: route.hops.clone(),
            object: route.object,
        }
    }

    fn key(&self, prefix: IpNet) -> RouteKey {
        RouteKey { prefix, table: self.table, metric: self.metric }
    }

    fn to(&self, prefix: IpNet) -> KernelRoute {
        KernelRoute {
            key: self.key(prefix),
            protocol: self.protocol,
            kind: self.kind,
            scope: self.scope,
            tos: self.tos,
            source: self.source,
            hops: self.hops.clone(),
            object: self.object,
        }
    }

    fn is(&self, route: &KernelRoute) -> bool {
        self.table == route.key.table
            && self.metric == route.key.metric
            && self.protocol == route.protocol
            && self.kind == route.kind
            && self.scope == route.scope
            && self.tos == route.tos
            && self.source == route.source
            && self.object == route.object
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
        && a.object == b.object
        && same_hops(&a.hops, &b.hops)
}

/// A hash of all that [`same`] compares: the same routes have the same one.
pub fn fingerprint(route: &KernelRoute) -> u64 {
    let mut hasher = DefaultHasher::default();
    let KernelRoute { key, protocol, kind, scope, tos, source, hops, object } = route;
    (key, protocol, kind, scope, tos, source, object).hash(&mut hasher);
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

/// Shapes in use, by number.
#[derive(Clone, Default, Debug)]
struct Shapes {
    all: Slab<Used>,
    numbers: BTreeMap<Arc<Shape>, u32>,
    /// The last one asked for: neighbouring routes are often alike.
    last: u32,
}

#[derive(Clone, Debug)]
struct Used {
    shape: Arc<Shape>,
    routes: usize,
}

impl Shapes {
    fn get(&self, number: u32) -> Option<&Shape> {
        Some(&*self.all.get(number as usize)?.shape)
    }

    fn iter(&self) -> impl Iterator<Item = (&Shape, usize)> {
        self.all.iter().map(|(_, used)| (&*used.shape, used.routes))
    }

    /// The number of a route's shape, which one route more has.
    fn take(&mut self, route: &KernelRoute) -> u32 {
        let is_last = |used: &&mut Used| used.shape.is(route) && used.shape.hops == route.hops;
        if let Some(used) = self.all.get_mut(self.last as usize).filter(is_last) {
            used.routes += 1;
            return self.last;
        }
        let shape = Shape::of(route);
        if let Some(&number) = self.numbers.get(&shape) {
            if let Some(used) = self.all.get_mut(number as usize) {
                used.routes += 1;
            }
            self.last = number;
            return number;
        }
        let shape = Arc::new(shape);
        let number = self.all.insert(Used { shape: shape.clone(), routes: 1 }) as u32;
        self.numbers.insert(shape, number);
        self.last = number;
        number
    }

    /// One route less has it; what nothing has any more is forgotten.
    fn release(&mut self, number: u32) {
        let Some(used) = self.all.get_mut(number as usize) else { return };
        used.routes -= 1;
        if used.routes == 0 {
            self.numbers.remove(&used.shape);
            self.all.remove(number as usize);
        }
    }
}

/// In place of a shape's number: the prefix has several routes.
const SEVERAL: u32 = u32::MAX;

/// Our routes.
#[derive(Clone, Default, Debug)]
pub struct Have {
    /// The shape of each prefix's route.
    routes: PrefixMap<u32>,
    /// Those of prefixes that have several, by table and metric, then as they came.
    several: PrefixMap<Vec<u32>>,
    shapes: Shapes,
}

impl Have {
    /// How many keys.
    pub fn len(&self) -> usize {
        let distinct = |prefix: IpNet, numbers: &[u32]| {
            let mut keys: Vec<RouteKey> = self.shaped(numbers).map(|s| s.key(prefix)).collect();
            keys.dedup();
            keys.len().saturating_sub(1)
        };
        self.routes.len()
            + self.several.iter().map(|(prefix, all)| distinct(prefix, all)).sum::<usize>()
    }

    /// How many prefixes, and about how many octets of memory they take; all else is shared.
    pub fn size(&self) -> (usize, usize) {
        (self.routes.len(), self.routes.bytes() + self.several.bytes())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty()
    }

    /// All gone.
    pub fn clear(&mut self) {
        *self = Have::default();
    }

    /// Adds a route beside whatever else is under its key.
    pub fn insert(&mut self, route: &KernelRoute) {
        let prefix = route.key.prefix;
        let number = self.shapes.take(route);
        let Some(there) = self.routes.insert_new(prefix, number) else { return };
        let shapes = &mut self.shapes;
        let is_known = |number: &u32| shapes.get(*number).is_some_and(|shape| shape.is(route));
        if *there != SEVERAL {
            if is_known(there) {
                return shapes.release(number);
            }
            let first = std::mem::replace(there, SEVERAL);
            self.several.insert(prefix, vec![first]);
        }
        let Some(all) = self.several.get_mut(prefix) else { return };
        if all.iter().any(is_known) {
            return shapes.release(number);
        }
        let at = all.partition_point(|other| {
            shapes.get(*other).is_some_and(|shape| shape.key(prefix) <= route.key)
        });
        all.insert(at, number);
    }

    /// Removes exactly this route; whether it was there.
    pub fn remove(&mut self, route: &KernelRoute) -> bool {
        let prefix = route.key.prefix;
        let Some(there) = self.routes.get_mut(prefix) else { return false };
        let shapes = &mut self.shapes;
        let is_it = |number: &u32| shapes.get(*number).is_some_and(|shape| shape.is(route));
        if *there != SEVERAL {
            let number = *there;
            if !is_it(&number) {
                return false;
            }
            self.routes.remove(prefix);
            shapes.release(number);
            return true;
        }
        let Some(all) = self.several.get_mut(prefix) else { return false };
        let Some(at) = all.iter().position(is_it) else { return false };
        shapes.release(all.remove(at));
        if let [only] = all.as_slice() {
            *there = *only;
            self.several.remove(prefix);
        }
        true
    }

    /// Whether exactly this route is there.
    pub fn holds(&self, route: &KernelRoute) -> bool {
        self.shaped(self.numbers(route.key.prefix)).any(|shape| shape.is(route))
    }

    /// What is under a key.
    pub fn at(&self, key: RouteKey) -> impl Iterator<Item = KernelRoute> {
        self.of(key.prefix).filter(move |route| route.key == key)
    }

    /// What leads to a prefix, in any table and with any metric.
    pub fn of(&self, prefix: IpNet) -> impl Iterator<Item = KernelRoute> {
        self.shaped(self.numbers(prefix)).map(move |shape| shape.to(prefix))
    }

    /// All routes in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = KernelRoute> {
        self.routes.iter().flat_map(|(prefix, there)| {
            self.shaped(self.all_of(prefix, there)).map(move |shape| shape.to(prefix))
        })
    }

    /// All prefixes in order, each once.
    pub fn prefixes(&self) -> impl Iterator<Item = IpNet> {
        self.prefixes_after(None)
    }

    /// The same, behind `after` only.
    pub fn prefixes_after(&self, after: Option<IpNet>) -> impl Iterator<Item = IpNet> {
        self.routes.after(after).map(|(prefix, _)| prefix)
    }

    /// How many routes are in a table. Cheap, as what follows: few shapes, however many routes.
    pub fn count(&self, table: u32) -> usize {
        self.shapes.iter().filter(|(shape, _)| shape.table == table).map(|(_, routes)| routes).sum()
    }

    /// rtm_protocol and table of every route, each pair at least once.
    pub fn owners(&self) -> impl Iterator<Item = (u8, u32)> {
        self.shapes.iter().map(|(shape, _)| (shape.protocol, shape.table))
    }

    /// Whether some route leads out of this interface.
    pub fn uses(&self, device: u32) -> bool {
        self.shapes.iter().any(|(shape, _)| shape.hops.iter().any(|hop| hop.device == device))
    }

    /// How many routes lead out of each interface; one with several next hops, out of each of
    /// theirs.
    pub fn by_device(&self) -> BTreeMap<u32, usize> {
        let mut all = BTreeMap::new();
        for (shape, routes) in self.shapes.iter() {
            let devices: BTreeSet<u32> = shape.hops.iter().map(|hop| hop.device).collect();
            for device in devices {
                *all.entry(device).or_default() += routes;
            }
        }
        all
    }

    /// How many routes go through a nexthop object.
    pub fn users_of(&self, object: u32) -> usize {
        let users = self.shapes.iter().filter(|(shape, _)| shape.object == Some(object));
        users.map(|(_, routes)| routes).sum()
    }

    /// The routes that `lost` says yes to, removed.
    pub fn take_if(&mut self, mut lost: impl FnMut(&KernelRoute) -> bool) -> Vec<KernelRoute> {
        let taken: Vec<KernelRoute> = self.iter().filter(|route| lost(route)).collect();
        for route in &taken {
            self.remove(route);
        }
        taken
    }

    /// The shapes' numbers of a prefix's routes.
    fn numbers(&self, prefix: IpNet) -> &[u32] {
        self.routes.get(prefix).map_or(&[], |there| self.all_of(prefix, there))
    }

    fn all_of<'a>(&'a self, prefix: IpNet, there: &'a u32) -> &'a [u32] {
        match *there {
            SEVERAL => self.several.get(prefix).map_or(&[], Vec::as_slice),
            _ => std::slice::from_ref(there),
        }
    }

    fn shaped<'a>(&'a self, numbers: &'a [u32]) -> impl Iterator<Item = &'a Shape> {
        numbers.iter().filter_map(|number| self.shapes.get(*number))
    }
}

#[cfg(test)]
mod tests;
