//! One packet: what the kernel answers for its destination, and what is known here beside that.
//!
//! In: the kernel's own lookup and its neighbour entries ([`crate::netlink::Asker`] brings them)
//! as plain values. Out, from the actor: the routes that cover the destination, its own or
//! others', and the interfaces behind the numbers. For `bgpctl why`: nothing here decides.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::fib::Fib;
use crate::learn::MAIN;
use crate::pods::leads_to_pod;
use crate::types::{Hop, KernelRoute, Link, NextHop};
use crate::underlay::{Reach, host};
use crate::view::Words;

/// What the kernel does with a packet of this host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    /// It goes out of an interface.
    Sent {
        /// The route that matched, whole, from whatever table the kernel's rules led to.
        route: KernelRoute,
        /// The next hop that this packet takes of it.
        hop: Option<Hop>,
        /// The source address of a packet that has none yet.
        source: Option<IpAddr>,
    },
    /// It stays here: the address is the host's own (or a broadcast address).
    Local(KernelRoute),
    /// A route drops it.
    Dropped(Discard),
    /// No route matches.
    NoRoute,
    /// The kernel would not say, with errno (positive) and in words.
    Failed(i32, String),
}

/// What a route that drops does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Discard {
    /// Silently.
    Blackhole,
    /// With an ICMP "host unreachable".
    Unreachable,
    /// With an ICMP "administratively prohibited".
    Prohibit,
}

/// An entry of the neighbour table (RFC 826, RFC 4861 §5.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// Its state.
    pub state: NeighbourState,
    /// The link-layer address, in hex with colons; `None`: not known, or the link has none.
    pub lladdr: Option<String>,
}

/// The kernel's NUD_* states.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NeighbourState {
    /// It is being asked for for the first time.
    Incomplete,
    /// It answered a moment ago.
    Reachable,
    /// It answered some time ago; the next packet makes the kernel ask again.
    Stale,
    /// A packet went to it; it is about to be asked.
    Delay,
    /// It is being asked again.
    Probe,
    /// It was asked and did not answer.
    Failed,
    /// The link needs no such answers, or somebody wrote the entry for good.
    Permanent,
    /// None of these.
    Other(u16),
}

/// A route that covers a destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Covering {
    /// The route.
    pub route: KernelRoute,
    /// It carries our protocol and is in our table.
    pub ours: bool,
    /// It leads to a pod of this node, by its interface's name.
    pub pod: bool,
    /// Its body, in the words of `ip route`.
    pub words: Words,
}

impl Fib {
    /// The routes of main and of our table that cover `address`, as last heard from the kernel:
    /// the longest first, then the lowest metric, which is the order in which the kernel looks.
    pub fn covering(&self, address: IpAddr) -> Vec<Covering> {
        let to = host(address);
        let lengths = (0..=to.max_prefix_len()).rev();
        let prefixes = lengths.filter_map(|length| Some(IpNet::new(address, length).ok()?.trunc()));
        let mut found: Vec<Covering> = prefixes
            .flat_map(|prefix| self.world.have().of(prefix).collect::<Vec<_>>())
            .map(|route| self.cover(route, true))
            .chain(
                self.world.others.covering(address).map(|route| self.cover(route.clone(), false)),
            )
            .collect();
        let order =
            |c: &Covering| (std::cmp::Reverse(c.route.key.prefix.prefix_len()), c.route.key.metric);
        found.sort_by_key(order);
        found
    }

    fn cover(&self, route: KernelRoute, ours: bool) -> Covering {
        let words = self.words(&route);
        let leads = |config| leads_to_pod(&route, &self.world, config);
        let pod = !ours && self.config.as_ref().is_some_and(leads);
        Covering { route, ours, pod, words }
    }

    /// A route's body in the words of `ip route`, with the names of interfaces.
    pub fn words(&self, route: &KernelRoute) -> Words {
        Words::of(route, &self.world)
    }

    /// An interface.
    pub fn device(&self, index: u32) -> Option<&Link> {
        self.world.link(index)
    }

    /// An interface by name.
    pub fn device_named(&self, name: &str) -> Option<&Link> {
        self.world.link_named(name)
    }

    /// The interfaces that carry an address, by name.
    pub fn carriers(&self, address: IpAddr) -> Vec<String> {
        self.world.addresses.get(address).map(|place| self.world.name_of(place.device)).collect()
    }

    /// The VRF device whose table our routes are in.
    pub fn vrf(&self) -> Option<u32> {
        self.world.vrf()
    }

    /// The same, if the underlay that reaches addresses like this is in that VRF too.
    pub fn underlay_vrf(&self, like: IpAddr) -> Option<u32> {
        self.vrf().filter(|_| self.world.underlay(like) != MAIN)
    }

    /// How the underlay reaches an address: without any route of ours.
    pub fn underlay(&self, address: NextHop) -> Option<Reach> {
        Some(self.world.reach(address, self.config.as_ref()?))
    }
}

#[cfg(test)]
mod tests;
