//! Borrowed addresses: local pods' addresses that lie in another node's block.
//!
//! In: the routes of others in main. Out: the set of those that must be announced one by one,
//! because the block that they lie in leads to another node. A pod's route is a host route in
//! clear view (no gateway) out of an interface that leads to pods by its name; it counts inside a
//! pool and outside the node's own blocks, which are announced anyway.

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::learn::{MAIN, World};
use crate::types::{FibConfig, KernelRoute, Kind};

/// What was found, and whether the Rib knows.
#[derive(Clone, Default, Debug)]
pub struct Borrowed {
    addresses: BTreeSet<IpNet>,
    told: BTreeSet<IpNet>,
}

impl Borrowed {
    /// Looks at the routes to `changed` again; `None`: at all.
    pub fn review(&mut self, world: &World, config: &FibConfig, changed: Option<&BTreeSet<IpNet>>) {
        match changed {
            Some(changed) => {
                for prefix in changed {
                    if is_borrowed(*prefix, world.others_to(*prefix), world, config) {
                        self.addresses.insert(*prefix);
                    } else {
                        self.addresses.remove(prefix);
                    }
                }
            }
            None => {
                let of_pod = |(prefix, routes): (IpNet, &[KernelRoute])| {
                    is_borrowed(prefix, routes, world, config).then_some(prefix)
                };
                self.addresses = world.others().filter_map(of_pod).collect();
            }
        }
    }

    /// All of them, if the Rib does not know that yet; counted as told.
    pub fn news(&mut self) -> Option<Vec<IpNet>> {
        if self.addresses == self.told {
            return None;
        }
        self.told.clone_from(&self.addresses);
        Some(self.told.iter().copied().collect())
    }
}

fn is_borrowed(prefix: IpNet, routes: &[KernelRoute], world: &World, config: &FibConfig) -> bool {
    prefix.prefix_len() == prefix.max_prefix_len()
        && config.pools.iter().any(|pool| pool.cidr.contains(&prefix))
        && !config.blocks.iter().any(|block| block.contains(&prefix))
        && routes.iter().any(|route| leads_to_pod(route, world, config))
}

/// Whether a route of somebody else leads to a pod of this node.
pub(crate) fn leads_to_pod(route: &KernelRoute, world: &World, config: &FibConfig) -> bool {
    let [hop] = route.hops.as_slice() else { return false };
    let Some(link) = world.link(hop.device) else { return false };
    let own =
        |address| world.own(address, config).is_some_and(|(link, _)| link.index == hop.device);
    route.key.table == MAIN
        && route.kind == Kind::Unicast
        && hop.gateway.is_none()
        && link.name != config.tunnel.device
        && config.pod_interfaces.iter().any(|pattern| matches(pattern, &link.name))
        && !config.addresses.iter().any(|address| own(*address))
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
