//! What operators are shown of the Fib: `bgpctl show fib`, "how reached", `/readyz`.
//!
//! Everything here is computed when it is asked for, from what the actor holds anyway.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::fib::Fib;
use crate::have::same;
use crate::learn::World;
use crate::objects::UNMADE;
use crate::plan::Desired;
use crate::resolve::{Class, loops, resolve};
use crate::tunnel::TunnelState;
use crate::types::{Coupling, Encap, How, KernelRoute, Kind, NextHop, Resolution, Target};

/// A wanted route and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteView<'a> {
    /// The destination.
    pub prefix: IpNet,
    /// What the Rib wants.
    pub target: &'a Target,
    /// What each next hop comes to, one by one; for an own block one entry without address.
    pub resolutions: Vec<(Option<NextHop>, Resolution)>,
    /// Whether the kernel has it.
    pub state: KernelState,
}

/// Whether the kernel has a wanted route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KernelState {
    /// Exactly as wanted.
    Installed,
    /// To be written, or being written.
    Pending,
    /// Somebody keeps changing it: it is put back after a wait.
    Contested,
    /// The kernel refused it, with these words; it is tried again.
    Refused(String),
    /// Somebody else (rtm_protocol) holds the key.
    Occupied(u8),
    /// A local pod has this address, and its own route out of the interface of this name.
    Pod(String),
    /// No next hop can be used: in a pool the kernel rejects what goes there (see
    /// [`crate::types::Hold`]), elsewhere there is no route.
    Unreachable,
}

impl Fib {
    /// Every wanted route, in order of prefixes.
    pub fn view(&self) -> impl Iterator<Item = RouteView<'_>> {
        self.wants.iter().map(|(prefix, target)| self.show(prefix, target))
    }

    /// One wanted route.
    pub fn view_of(&self, prefix: IpNet) -> Option<RouteView<'_>> {
        let target = self.wants.get(prefix)?;
        Some(self.show(prefix, target))
    }

    /// How many routes are wanted, and how many of ours there are; and about how many octets of
    /// memory each take. Several to one prefix count as one.
    pub fn kept(&self) -> [(usize, usize); 2] {
        [(self.wants.len(), self.wants.bytes()), self.world.have().size()]
    }

    /// Routes of ours in the kernel that nobody wants: a predecessor's, until `Settled`.
    pub fn leftovers(&self) -> impl Iterator<Item = KernelRoute> {
        self.world.have().iter().filter(|route| !self.wants.contains(route.key.prefix))
    }

    /// What a next hop comes to for a prefix, wanted or not.
    pub fn resolution_of(&self, prefix: IpNet, next_hop: NextHop) -> Resolution {
        let encap = match self.wants.get(prefix) {
            Some(Target::Via(via)) => via.encap,
            _ => Encap::ByPool,
        };
        let Some(config) = &self.config else {
            return Resolution { how: How::Unreachable, why: "not configured yet".to_owned() };
        };
        // One in use has a past that counts: it may be sought where it was a moment ago.
        let class = Class::of(prefix, &config.pools).with(encap);
        let looping = loops(prefix, class, next_hop.address, &self.world, config).is_some();
        match self.wants.nexthops.resolved(next_hop, class).filter(|_| !looping) {
            Some(resolved) => resolved.resolution.clone(),
            None => resolve(prefix, encap, next_hop, &self.world, config, &self.device),
        }
    }

    /// Tracked next hops and the cost to them; `None`: unreachable.
    pub fn nexthops(&self) -> impl Iterator<Item = (NextHop, Option<u32>)> {
        self.wants.nexthops.tracked()
    }

    /// The tunnel device.
    pub fn tunnel_state(&self) -> TunnelState {
        match &self.config {
            Some(config) => self.tunnel.state(config, &self.world),
            None => TunnelState::Unneeded,
        }
    }

    /// Somebody else's route that the kernel takes instead of ours, for its metric is smaller:
    /// rtm_protocol and metric.
    pub fn shadow_of(&self, prefix: IpNet) -> Option<(u8, u32)> {
        let key = self.wanted(prefix)?.key;
        let others = self.world.others_to(prefix).iter();
        let better = others.filter(|other| {
            other.key.table == key.table && other.tos == 0 && other.key.metric < key.metric
        });
        better.map(|other| (other.protocol, other.key.metric)).min_by_key(|(_, metric)| *metric)
    }

    /// What stands in the way of being ready, in words; nothing: the kernel holds what it should.
    pub fn healthy(&self) -> Result<(), Vec<String>> {
        let mut reasons = Vec::new();
        if !self.is_sure() {
            reasons.push("the kernel's table is being read".to_owned());
        }
        let pending = self.pending();
        // Decoupled they wait for nobody but the operator, which is said apart.
        if pending > 0 && self.coupling() == Coupling::Coupled {
            reasons.push(format!("{pending} prefixes wait to be written to the kernel"));
        }
        match self.tunnel_state() {
            TunnelState::Pending(why) => reasons.push(why),
            TunnelState::Failed(error) => reasons.push(error.to_string()),
            TunnelState::Unneeded | TunnelState::Ready(_) => {}
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// The route that a wanted prefix comes to; `None`: none yet, or none at all.
    pub fn wanted(&self, prefix: IpNet) -> Option<KernelRoute> {
        match self.wants.desired(prefix, self.context()?) {
            Desired::Route(want) => Some(want),
            Desired::Hold | Desired::Nothing => None,
        }
    }

    fn show<'a>(&'a self, prefix: IpNet, target: &'a Target) -> RouteView<'a> {
        let state = self.state_of(prefix).unwrap_or(KernelState::Pending);
        let resolutions = match self.context() {
            Some(context) => self.wants.resolutions(prefix, target, context),
            None => Vec::new(),
        };
        RouteView { prefix, target, resolutions, state }
    }

    /// Whether the kernel has a wanted route; `None`: it is not wanted.
    pub fn state_of(&self, prefix: IpNet) -> Option<KernelState> {
        self.wants.get(prefix)?;
        let Some(context) = self.context() else { return Some(KernelState::Pending) };
        Some(match self.wants.desired(prefix, context) {
            Desired::Hold => KernelState::Pending,
            Desired::Nothing
                if let Some(pod) = self.pods.get(prefix).filter(|pod| pod.is_pod()) =>
            {
                KernelState::Pod(self.world.name_of(pod.device))
            }
            Desired::Nothing => KernelState::Unreachable,
            Desired::Route(want) => {
                let mut others = self.world.others_at(want.key);
                if self.world.have().of(prefix).any(|have| same(&have, &want)) {
                    match want.kind {
                        Kind::Unreachable => KernelState::Unreachable,
                        _ => KernelState::Installed,
                    }
                } else if let Some(other) = others.next() {
                    KernelState::Occupied(other.protocol)
                } else if let Some(refusal) = self.retry.refusal(prefix) {
                    KernelState::Refused(refusal.reason.clone())
                } else if self.retry.waits(prefix) {
                    KernelState::Contested
                } else {
                    KernelState::Pending
                }
            }
        })
    }
}

/// A route's body in the words of `ip route`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words {
    /// All of it; where there are several next hops, all but them.
    pub line: String,
    /// Several next hops, a line each.
    pub hops: Vec<String>,
    /// The nexthop object that it goes through, which `line` names too.
    pub object: Option<u32>,
}

impl Words {
    /// Those of a route.
    pub fn of(route: &KernelRoute, world: &World) -> Words {
        let mut line = match route.kind {
            Kind::Unicast => Vec::new(),
            Kind::Blackhole => vec!["blackhole".to_owned()],
            Kind::Unreachable => vec!["unreachable".to_owned()],
            Kind::Other(number) => vec![format!("type {number}")],
        };
        let object = route.object.filter(|object| *object != UNMADE);
        line.extend(object.map(|object| format!("nhid {object}")));
        let mut hops = Vec::new();
        for hop in &route.hops {
            let mut words = Vec::new();
            words.extend(hop.gateway.map(|gateway| match (gateway, route.key.prefix) {
                (IpAddr::V6(_), IpNet::V4(_)) => format!("via inet6 {gateway}"),
                _ => format!("via {gateway}"),
            }));
            words.push(format!("dev {}", world.name_of(hop.device)));
            words.extend(hop.onlink.then(|| "onlink".to_owned()));
            if route.hops.len() > 1 {
                words.extend((hop.weight > 1).then(|| format!("weight {}", hop.weight)));
                hops.push(words.join(" "));
            } else {
                line.extend(words);
            }
        }
        line.push(format!("proto {} metric {}", route.protocol, route.key.metric));
        Words { line: line.join(" "), hops, object }
    }
}

impl fmt::Display for Words {
    /// On one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)?;
        self.hops.iter().try_for_each(|hop| write!(f, " nexthop {hop}"))
    }
}
