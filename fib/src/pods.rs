//! Local pods: whose addresses are here, and which of them neighbours are told.
//!
//! In: the routes of others in main, or in the VRF that our own are in. Out: [`PodNews`] for the Rib, what came and what went, never
//! the whole; and for the Fib itself, which addresses are a local pod's: no route of ours may take
//! their traffic. A pod is known by its route: a host route without a gateway out of an interface
//! that leads to pods by its name, written with a protocol that pods' routes are written with.
//! An event costs what it touches, however many pods there are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Bound;

use ipnet::IpNet;

use crate::fib::Fib;
use crate::learn::World;
use crate::types::{Announce, FibConfig, KernelRoute, Kind, PodNews};

/// What was found, and what the Rib knows.
#[derive(Clone, Default, Debug)]
pub struct Pods {
    found: BTreeMap<IpNet, Found>,
    told: BTreeSet<IpNet>,
    /// Of which there may be news for the Rib.
    asked: BTreeSet<IpNet>,
}

/// A host route out of a pod's interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The interface's index.
    pub device: u32,
    /// Who wrote it (rtm_protocol).
    pub protocol: u8,
    /// Whether neighbours are told.
    pub standing: Standing,
}

/// Whether neighbours are told of a pod's address, or why not.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    /// They are, because it lies in a block of another node, or in nobody's.
    Borrowed,
    /// They are, as of every pod.
    Announced,
    /// The block that it lies in is announced.
    InBlock(IpNet),
    /// It lies in no pool.
    OutsidePools,
    /// Nothing of pods is announced.
    Silent,
    /// Routes of this protocol are not pods'.
    Unlearned(u8),
}

impl Standing {
    /// Whether neighbours are told.
    pub fn is_announced(&self) -> bool {
        matches!(self, Standing::Borrowed | Standing::Announced)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::Borrowed => f.write_str("in no block of this node"),
            Standing::Announced => f.write_str("every pod is announced"),
            Standing::InBlock(block) => write!(f, "its block {block} is announced"),
            Standing::OutsidePools => f.write_str("outside every pool"),
            Standing::Silent => f.write_str("no pod is announced here"),
            Standing::Unlearned(protocol) => {
                write!(f, "routes of protocol {protocol} are not learned")
            }
        }
    }
}

/// A local pod, for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodView {
    /// Its address, as a prefix that only it is in.
    pub prefix: IpNet,
    /// The interface's name.
    pub interface: String,
    /// Who wrote its route (rtm_protocol).
    pub protocol: u8,
    /// Whether neighbours are told.
    pub standing: Standing,
}

impl Fib {
    /// Up to `limit` local pods behind `after` (`None`: from the first), in order of addresses.
    pub fn local_pods(&self, after: Option<IpNet>, limit: usize) -> Vec<PodView> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.pods.found.range((from, Bound::Unbounded));
        let view = |(prefix, found): (&IpNet, &Found)| PodView {
            prefix: *prefix,
            interface: self.world.name_of(found.device),
            protocol: found.protocol,
            standing: found.standing.clone(),
        };
        behind.take(limit).map(view).collect()
    }

    /// How many there are, and of how many neighbours are told.
    pub fn pod_counts(&self) -> (usize, usize) {
        (self.pods.found.len(), self.pods.told.len())
    }
}

impl Pods {
    /// Looks again at the routes to `changed`; adds to `moved` what became a pod's, or is not any
    /// more.
    pub fn review(
        &mut self,
        world: &World,
        config: &FibConfig,
        changed: impl IntoIterator<Item = IpNet>,
        moved: &mut BTreeSet<IpNet>,
    ) {
        for prefix in changed {
            let before = self.holds(prefix);
            match find(prefix, world.others_to(prefix), world, config) {
                Some(found) => self.found.insert(prefix, found),
                None => self.found.remove(&prefix),
            };
            self.asked.insert(prefix);
            if self.holds(prefix) != before {
                moved.insert(prefix);
            }
        }
    }

    /// The same for all routes.
    pub fn review_all(&mut self, world: &World, config: &FibConfig, moved: &mut BTreeSet<IpNet>) {
        let known = std::mem::take(&mut self.found);
        let find = |(prefix, routes)| Some((prefix, find(prefix, routes, world, config)?));
        self.found = world.others().filter_map(find).collect();
        for prefix in known.keys().chain(self.found.keys()) {
            let was = known.get(prefix).is_some_and(Found::is_pod);
            if was != self.holds(*prefix) {
                moved.insert(*prefix);
            }
            self.asked.insert(*prefix);
        }
    }

    /// How many there are behind each interface.
    pub(crate) fn by_device(&self) -> BTreeMap<u32, usize> {
        let mut all = BTreeMap::new();
        for found in self.found.values().filter(|found| found.is_pod()) {
            *all.entry(found.device).or_default() += 1;
        }
        all
    }

    /// Whether a destination is a local pod, so that no route of ours may lead elsewhere.
    pub fn holds(&self, prefix: IpNet) -> bool {
        self.found.get(&prefix).is_some_and(Found::is_pod)
    }

    /// One of them.
    pub fn get(&self, prefix: IpNet) -> Option<&Found> {
        self.found.get(&prefix)
    }

    /// What the Rib does not know yet, counted as told; `None`: it knows all.
    pub fn news(&mut self) -> Option<PodNews> {
        let mut news = PodNews::default();
        for prefix in std::mem::take(&mut self.asked) {
            let announced =
                self.found.get(&prefix).is_some_and(|found| found.standing.is_announced());
            if announced && self.told.insert(prefix) {
                news.came.push(prefix);
            } else if !announced && self.told.remove(&prefix) {
                news.went.push(prefix);
            }
        }
        (!news.is_empty()).then_some(news)
    }
}

impl Found {
    /// Whether it counts as a pod.
    pub fn is_pod(&self) -> bool {
        !matches!(self.standing, Standing::Unlearned(_))
    }
}

/// What leads to a pod among the routes to one destination: of several, the one that the kernel
/// takes first of those that are learned.
fn find(prefix: IpNet, routes: &[KernelRoute], world: &World, config: &FibConfig) -> Option<Found> {
    if prefix.prefix_len() != prefix.max_prefix_len() {
        return None;
    }
    let found = routes.iter().filter_map(|route| {
        let device = pod_device(route, world, config)?;
        let learned = config.pods.learns(route.protocol);
        Some(((!learned, route.key.metric), device, route.protocol))
    });
    let ((unlearned, _), device, protocol) = found.min()?;
    let block = || config.blocks.iter().find(|block| block.contains(&prefix));
    let standing = match config.pods.announce {
        _ if unlearned => Standing::Unlearned(protocol),
        Announce::Nothing => Standing::Silent,
        _ if !config.pools.iter().any(|pool| pool.cidr.contains(&prefix)) => Standing::OutsidePools,
        Announce::All => Standing::Announced,
        Announce::Borrowed => block().map_or(Standing::Borrowed, |block| Standing::InBlock(*block)),
    };
    Some(Found { device, protocol, standing })
}

/// Whether a route of somebody else leads to a pod of this node.
pub(crate) fn leads_to_pod(route: &KernelRoute, world: &World, config: &FibConfig) -> bool {
    pod_device(route, world, config).is_some()
}

/// The interface that a route leads to a pod by; `None`: it leads to none.
fn pod_device(route: &KernelRoute, world: &World, config: &FibConfig) -> Option<u32> {
    let [hop] = route.hops.as_slice() else { return None };
    let link = world.link(hop.device)?;
    let own =
        |address| world.own(address, config).is_some_and(|(link, _)| link.index == hop.device);
    let leads = route.key.table == world.pods_table()
        && route.kind == Kind::Unicast
        && hop.gateway.is_none()
        && link.name != config.tunnel.device
        && config.pods.interfaces.iter().any(|pattern| matches(pattern, &link.name))
        && !config.addresses.iter().any(|address| own(*address));
    leads.then_some(hop.device)
}

/// Whether `pattern`, in which `*` stands for any characters, is `name`.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
