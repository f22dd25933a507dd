//! What is known of a destination, before anything is concluded from it: plain values, so that a
//! test can make them up.

use std::net::IpAddr;

use ipnet::IpNet;
use starling_fib::packet::Neighbour;
use starling_fib::types::Pool;

use crate::api::{
    KernelAnswer, KernelResult, Lookup, Neighbor, Owner, Path, Refused, Route, SessionState,
};

/// All of it, at one moment.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was asked for.
    pub target: Lookup,
    /// The address that the kernel was asked about.
    pub address: IpAddr,
    /// This node.
    pub node: String,
    /// The pool that the target lies in, the longest.
    pub pool: Option<Pool>,
    /// The node that has it by the configuration.
    pub owner: Option<Owner>,
    /// Blocks of nodes, with their names, that lie in a target without being all of it.
    pub inside: Vec<(String, IpNet)>,
    /// The owner's addresses.
    pub owner_addresses: Vec<IpAddr>,
    /// The kernel's side.
    pub kernel: Kernel,
    /// The BGP routes that cover the target, the longest first, in detail.
    pub routes: Vec<Route>,
    /// For each of them, what the kernel should hold and what it holds of it.
    pub stands: Vec<Stand>,
    /// All neighbours.
    pub neighbors: Vec<Neighbor>,
    /// Those that may pass on what other nodes announce, by name: reflectors, iBGP routers.
    pub between: Vec<String>,
    /// The tunnel device; `None`: no pool needs one.
    pub tunnel: Option<Tunnel>,
}

/// What the kernel answered, and what is around that.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The answer.
    pub answer: KernelAnswer,
    /// How many next hops the route has that matched.
    pub hops: usize,
    /// The route that matched leads to a pod of this node.
    pub pod: bool,
    /// The interfaces that carry the address itself.
    pub carriers: Vec<String>,
    /// The next machine on the wire: the gateway, or of a tunnelled packet the outer one's.
    pub next: Option<Next>,
    /// The way of the outer packet, where it is tunnelled, in words.
    pub outer: Option<String>,
}

/// The next machine on the wire.
#[derive(Clone, Debug)]
pub struct Next {
    /// Its address.
    pub address: IpAddr,
    /// On this interface.
    pub device: String,
    /// The kernel's entry for it.
    pub entry: Option<Neighbour>,
}

/// Wanted against present, in the words of `ip route`.
#[derive(Clone, Default, Debug)]
pub struct Stand {
    /// What should be there.
    pub want: Option<String>,
    /// What is there, of ours.
    pub have: Vec<String>,
}

/// The tunnel device.
#[derive(Clone, Debug)]
pub struct Tunnel {
    /// Its name.
    pub device: String,
    /// "ipip, up, mtu 1480", or what is wrong.
    pub words: String,
    /// Routes may use it.
    pub ready: bool,
}

impl Facts {
    /// The BGP route that decides, with its stand. A shorter one than the block of the node that
    /// has the target counts only if it comes from that node: any other is a way that packets
    /// take while the right one is missing.
    pub fn chosen(&self) -> Option<(&Route, &Stand)> {
        self.in_use().find(|(route, _)| self.fills(route))
    }

    /// The route in use that is no answer to the question: see [`Facts::chosen`].
    pub fn fallback(&self) -> Option<&Route> {
        let (route, _) = self.in_use().next()?;
        (!self.fills(route)).then_some(route)
    }

    fn in_use(&self) -> impl Iterator<Item = (&Route, &Stand)> {
        let all = self.routes.iter().zip(&self.stands);
        all.filter(|(route, _)| route.paths.first().is_some_and(|path| path.best))
    }

    fn fills(&self, route: &Route) -> bool {
        let Some(owner) = &self.owner else { return true };
        let of_owner = |path: &&Path| {
            path.from == owner.name
                || owner.this_node && path.from == "local"
                || path.next_hop.is_some_and(|hop| self.owner_addresses.contains(&hop))
        };
        route.prefix.prefix_len() >= owner.block.prefix_len()
            || used(route).any(|path| of_owner(&path))
    }

    /// Whether the kernel's answer is this route of ours.
    pub fn takes(&self, route: &Route) -> bool {
        self.kernel.answer.ours && self.kernel.answer.prefix == Some(route.prefix)
    }

    /// Whether the kernel drops the packet.
    pub fn is_dropped(&self) -> bool {
        matches!(
            self.kernel.answer.result,
            KernelResult::Blackhole | KernelResult::Unreachable | KernelResult::Prohibit
        )
    }

    /// A neighbour by name.
    pub fn neighbor(&self, name: &str) -> Option<&Neighbor> {
        self.neighbors.iter().find(|neighbor| neighbor.summary.name == name)
    }

    /// The longest announcement that would cover the target and counts as withdrawn, and whose.
    pub fn refused(&self) -> Option<(&Neighbor, &Refused)> {
        let net = match self.target {
            Lookup::Prefix(net) => net,
            Lookup::Address(address) => IpNet::from(address),
        };
        let all = self.neighbors.iter().flat_map(|n| n.refused.iter().map(move |r| (n, r)));
        let covers = all.filter(|(_, refused)| refused.prefix.contains(&net));
        covers.max_by_key(|(_, refused)| refused.prefix.prefix_len())
    }

    /// The neighbours that should bring what the owner announces: itself, else those between.
    pub fn bringers(&self) -> Vec<&Neighbor> {
        let owner = self.owner.as_ref().filter(|owner| !owner.this_node);
        match owner.and_then(|owner| self.neighbor(&owner.name)) {
            Some(itself) => vec![itself],
            None => self.between.iter().filter_map(|name| self.neighbor(name)).collect(),
        }
    }
}

/// The paths that carry traffic.
pub fn used(route: &Route) -> impl Iterator<Item = &Path> {
    route.paths.iter().filter(|path| path.best || path.multipath)
}

/// Whether a session stands.
pub fn is_up(neighbor: &Neighbor) -> bool {
    neighbor.summary.state == SessionState::Established
}

/// The longest of some prefixes that holds all of `net`.
pub fn longest(nets: impl IntoIterator<Item = IpNet>, net: IpNet) -> Option<IpNet> {
    nets.into_iter().filter(|holder| holder.contains(&net)).max_by_key(IpNet::prefix_len)
}
