//! The routes of others, found by destination and by the interface that they lead out of.
//!
//! A node of ten thousand pods has as many host routes, each out of an interface of its own, and
//! interfaces come and go all day: what goes with one is found without a look at the rest.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use crate::have::same;
use crate::types::KernelRoute;
use crate::underlay::host;

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Others {
    routes: JointPrefixMap<IpNet, Vec<KernelRoute>>,
    /// The destinations that are reached by way of each interface.
    out_of: BTreeMap<u32, BTreeSet<IpNet>>,
    /// How many go through each nexthop object.
    objects: BTreeMap<u32, usize>,
}

impl Others {
    /// All of them, in order of destinations.
    pub fn iter(&self) -> impl Iterator<Item = (IpNet, &[KernelRoute])> {
        self.routes.iter().map(|(prefix, routes)| (prefix, routes.as_slice()))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.routes.values().map(Vec::len).sum()
    }

    /// Those to exactly this destination.
    pub fn to(&self, prefix: IpNet) -> &[KernelRoute] {
        self.routes.get(&prefix).map_or(&[], Vec::as_slice)
    }

    /// Those whose destination holds this address, the widest first.
    pub fn covering(&self, address: std::net::IpAddr) -> impl Iterator<Item = &KernelRoute> {
        self.routes.cover(&host(address)).flat_map(|(_, routes)| routes)
    }

    /// The destinations of those that lead out of an interface, in order.
    pub fn out_of(&self, device: u32) -> impl Iterator<Item = IpNet> {
        self.out_of.get(&device).into_iter().flatten().copied()
    }

    /// How many go through a nexthop object.
    pub fn users_of(&self, object: u32) -> usize {
        self.objects.get(&object).copied().unwrap_or(0)
    }

    /// The destinations of those that go through a nexthop object. Slow: all are looked at.
    pub fn through(&self, object: u32) -> impl Iterator<Item = IpNet> {
        let through = move |route: &KernelRoute| route.object == Some(object);
        let routes = self.routes.iter();
        routes.filter(move |(_, routes)| routes.iter().any(through)).map(|(prefix, _)| prefix)
    }

    /// One more.
    pub fn add(&mut self, route: &KernelRoute) {
        let prefix = route.key.prefix;
        if let Some(object) = route.object {
            *self.objects.entry(object).or_default() += 1;
        }
        match self.routes.get_mut(&prefix) {
            Some(routes) => routes.push(route.clone()),
            None => {
                self.routes.insert(prefix, vec![route.clone()]);
            }
        }
        for hop in &route.hops {
            self.out_of.entry(hop.device).or_default().insert(prefix);
        }
    }

    /// Not this one any more.
    pub fn remove(&mut self, route: &KernelRoute) {
        self.retain(route.key.prefix, |other| !same(other, route));
    }

    /// Of those to a destination, only what `stays` says yes to; whether some went.
    pub fn retain(&mut self, prefix: IpNet, mut stays: impl FnMut(&KernelRoute) -> bool) -> bool {
        let Some(routes) = self.routes.get_mut(&prefix) else { return false };
        let (stay, go): (Vec<_>, Vec<_>) =
            std::mem::take(routes).into_iter().partition(|route| stays(route));
        *routes = stay;
        let still = |device: u32| {
            let leads = |route: &KernelRoute| route.hops.iter().any(|hop| hop.device == device);
            routes.iter().any(leads)
        };
        for device in go.iter().flat_map(|route| &route.hops).map(|hop| hop.device) {
            if !still(device)
                && let Some(prefixes) = self.out_of.get_mut(&device)
            {
                prefixes.remove(&prefix);
                if prefixes.is_empty() {
                    self.out_of.remove(&device);
                }
            }
        }
        for object in go.iter().filter_map(|route| route.object) {
            if let Some(users) = self.objects.get_mut(&object) {
                *users -= 1;
                if *users == 0 {
                    self.objects.remove(&object);
                }
            }
        }
        if routes.is_empty() {
            self.routes.remove(&prefix);
        }
        !go.is_empty()
    }
}
