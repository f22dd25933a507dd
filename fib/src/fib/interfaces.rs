//! The interfaces as the Fib knows them, and what leads out of each: `bgpctl show interfaces`.
//!
//! In: the ends of the BGP sessions. Out: what dumps and events have told, joined with our routes,
//! local pods and the ways to neighbours. The kernel is asked nothing for it: where it differs from
//! `ip link`, that is the news.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;

use super::Fib;
use crate::types::{Ends, FibConfig, Link, NextHop};
use crate::underlay::is_link_local;

/// An interface, and who uses it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InterfaceView {
    /// As the kernel told.
    pub link: Link,
    /// The name of the bridge, VRF, … that it is a part of.
    pub master: Option<String>,
    /// Addresses on it, with their subnets' lengths, in order.
    pub addresses: Vec<IpNet>,
    /// Of those, the node's own as configured.
    pub own: Vec<IpAddr>,
    /// It is the device that pools are tunnelled through.
    pub tunnel: bool,
    /// Routes of ours in the kernel that lead out of it; one with several next hops counts for each
    /// interface.
    pub routes: usize,
    /// Local pods behind it.
    pub pods: usize,
    /// The sessions whose packets leave by it, as positions in what was asked about; a directly
    /// connected neighbour is still on the interface where it was when that is dead.
    pub sessions: Vec<usize>,
}

impl Fib {
    /// All interfaces in order of their numbers, and which of these sessions use them.
    pub fn interfaces(&self, sessions: &[Ends]) -> Vec<InterfaceView> {
        let (routes, pods) = (self.world.have.by_device(), self.pods.by_device());
        let mut users: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (position, ends) in sessions.iter().enumerate() {
            if let Some(device) = self.way_to(ends) {
                users.entry(device).or_default().push(position);
            }
        }
        let view = |link: &Link| {
            let mut addresses: Vec<IpNet> =
                self.world.addresses.on(link.index).map(|there| there.address).collect();
            addresses.sort_unstable();
            let own = addresses.iter().map(IpNet::addr).filter(|address| self.is_own(address));
            InterfaceView {
                master: link.master.map(|master| self.world.name_of(master)),
                own: own.collect(),
                tunnel: self.config.as_ref().is_some_and(|config| is_tunnel(link, config)),
                routes: routes.get(&link.index).copied().unwrap_or_default(),
                pods: pods.get(&link.index).copied().unwrap_or_default(),
                sessions: users.get(&link.index).cloned().unwrap_or_default(),
                addresses,
                link: link.clone(),
            }
        };
        self.world.links.iter().map(view).collect()
    }

    fn is_own(&self, address: &IpAddr) -> bool {
        self.config.as_ref().is_some_and(|config| config.addresses.contains(address))
    }

    /// The interface by which a neighbour is reached.
    fn way_to(&self, ends: &Ends) -> Option<u32> {
        if let Some(home) = self.ways.home(ends) {
            return Some(home);
        }
        let link = ends.interface.as_deref().filter(|_| is_link_local(ends.peer));
        let scope = link.and_then(|name| self.world.link_named(name)).map(|link| link.index);
        let next_hop = NextHop { address: ends.peer, scope: scope.and_then(NonZeroU32::new) };
        let reach = self.world.reach(next_hop, self.config.as_ref()?);
        reach.way().map(|(_, device)| device)
    }
}

/// Whether a device of that name is used for pools, not only there.
fn is_tunnel(link: &Link, config: &FibConfig) -> bool {
    link.name == config.tunnel.device && crate::tunnel::is_needed(config)
}

#[cfg(test)]
#[path = "interfaces_tests.rs"]
mod tests;
