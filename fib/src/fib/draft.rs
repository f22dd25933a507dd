//! A draft of the Fib: what it would want of the kernel under another configuration or with other
//! routes, while the kernel is left alone.
//!
//! In: [`FibIn::Configure`], `Routes`, `Track`, `Untrack`, as the Fib itself would get them. Out:
//! what the Rib is to be told, and the difference of two drafts, route by route ([`Shift`]). It
//! is a copy of what the Fib knows, and the Fib's own code: nothing here decides where a route
//! leads. What the kernel would have to answer is supposed to be well: a tunnel device that is
//! needed and was not needed before can be made.

use std::cmp::Ordering;

use ipnet::IpNet;

use super::Fib;
use super::coupling::Couple;
use crate::plan::Desired;
use crate::tunnel::{Device, is_needed};
use crate::types::{Coupling, FibIn, FibOut, KernelRoute, Kind, Link};
use crate::view::Words;

/// The index of an interface that is not there yet.
const SUPPOSED: u32 = u32::MAX;

/// See the module.
#[derive(Debug)]
pub struct Draft {
    fib: Fib,
}

/// What becomes of a route, the greatest difference first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Shifted {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It leads somewhere, or nowhere any more (blackhole, unreachable).
    Kind,
    /// More of its next hops are reached through the tunnel.
    Encapsulated,
    /// Fewer are.
    InClear,
    /// It has other next hops.
    Hops,
    /// It has another metric, table or protocol.
    Key,
}

/// A route that is not what it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shift {
    /// The destination.
    pub prefix: IpNet,
    /// What becomes of it.
    pub what: Shifted,
    /// What it was, in the words of `ip route`.
    pub from: Option<String>,
    /// What it is to be.
    pub to: Option<String>,
}

impl Fib {
    /// A draft that begins with what is.
    pub fn draft(&self) -> Draft {
        let Fib { config, world, wants, tunnel, device, pods, held, now, .. } = self;
        Draft {
            fib: Fib {
                config: config.clone(),
                world: world.clone(),
                wants: wants.clone(),
                tunnel: tunnel.clone(),
                device: device.clone(),
                pods: pods.clone(),
                held: held.clone(),
                now: *now,
                couple: Couple::of(Coupling::Decoupled),
                ..Fib::new()
            },
        }
    }
}

impl Draft {
    /// A draft to go on from here.
    pub fn next(&self) -> Draft {
        self.fib.draft()
    }

    /// Takes what the Fib would be told; what the Rib is to be told then ([`FibOut::Nexthops`] and
    /// [`FibOut::Pods`]). Other inputs than those above are nothing to it.
    pub fn take(&mut self, input: FibIn) -> Vec<FibOut> {
        let is_planned = matches!(
            input,
            FibIn::Configure(_) | FibIn::Routes(_) | FibIn::Track(_) | FibIn::Untrack(_)
        );
        let mut out = Vec::new();
        if is_planned {
            self.fib.handle(input, self.fib.now, &mut out);
            self.suppose_a_tunnel();
        }
        out.retain(|said| matches!(said, FibOut::Nexthops(_) | FibOut::Pods(_)));
        out
    }

    /// How many routes the kernel is to have.
    pub fn len(&self) -> usize {
        self.fib.wants.iter().filter(|(prefix, _)| self.route(*prefix).is_some()).count()
    }

    /// Whether it is to have none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is not as it was in `before`, in order of prefixes.
    pub fn shifts<'a>(&'a self, before: &'a Draft) -> impl Iterator<Item = Shift> + 'a {
        let gone = before.fib.wants.iter().map(|(prefix, _)| prefix);
        let gone = gone.filter(|prefix| !self.fib.wants.contains(*prefix));
        let mut all: Vec<IpNet> = self.fib.wants.iter().map(|(p, _)| p).chain(gone).collect();
        all.sort_unstable();
        all.into_iter().filter_map(|prefix| {
            let (old, new) = (before.route(prefix), self.route(prefix));
            let what = shifted((before, old.as_ref()), (self, new.as_ref()))?;
            let words = |draft: &Draft, route: Option<KernelRoute>| {
                route.map(|route| Words::of(&route, &draft.fib.world).to_string())
            };
            Some(Shift { prefix, what, from: words(before, old), to: words(self, new) })
        })
    }

    fn route(&self, prefix: IpNet) -> Option<KernelRoute> {
        match self.fib.wants.desired(prefix, self.fib.context()?) {
            Desired::Route(route) => Some(route),
            Desired::Nothing => None,
            // The answer is on its way: what is there stays.
            Desired::Hold => self.fib.world.have().of(prefix).next(),
        }
    }

    /// A device that is needed now, and was not refused before, is taken to be there.
    fn suppose_a_tunnel(&mut self) {
        let Fib { config: Some(config), world, device, wants, tunnel, .. } = &mut self.fib else {
            return;
        };
        let needed = wants.encapsulates() || is_needed(config);
        if !needed || tunnel.is_refused(config) || matches!(device, Device::Ready { .. }) {
            return;
        }
        let name = config.tunnel.device.clone();
        let index = match world.link_named(&name) {
            Some(link) => link.index,
            None if !config.tunnel.manage => return,
            None => {
                world.links.insert(Link {
                    index: SUPPOSED,
                    name: name.clone(),
                    up: true,
                    running: true,
                    mtu: 0,
                    kind: Some("ipip".to_owned()),
                    remote: None,
                    pmtudisc: false,
                    vrf: None,
                    master: None,
                });
                SUPPOSED
            }
        };
        *device = Device::Ready { index, name };
        self.fib.resolve_all();
    }

    /// Whether a route's hop enters the tunnel.
    fn is_tunnel(&self, index: u32) -> bool {
        matches!(self.fib.device, Device::Ready { index: tunnel, .. } if tunnel == index)
    }

    /// How many of its next hops are reached through the tunnel.
    fn tunnelled(&self, route: &KernelRoute) -> usize {
        route.hops.iter().filter(|hop| self.is_tunnel(hop.device)).count()
    }
}

fn shifted(
    (before, old): (&Draft, Option<&KernelRoute>),
    (after, new): (&Draft, Option<&KernelRoute>),
) -> Option<Shifted> {
    let (old, new) = match (old, new) {
        (None, None) => return None,
        (None, Some(_)) => return Some(Shifted::Added),
        (Some(_), None) => return Some(Shifted::Removed),
        (Some(old), Some(new)) => (old, new),
    };
    // By an object or not, it leads the same.
    let is_same = KernelRoute { object: old.object, ..new.clone() } == *old;
    if is_same {
        return None;
    }
    if old.kind != new.kind {
        return Some(Shifted::Kind);
    }
    if old.kind == Kind::Unicast {
        match before.tunnelled(old).cmp(&after.tunnelled(new)) {
            Ordering::Less => return Some(Shifted::Encapsulated),
            Ordering::Greater => return Some(Shifted::InClear),
            Ordering::Equal if old.hops != new.hops => return Some(Shifted::Hops),
            Ordering::Equal => {}
        }
    }
    Some(Shifted::Key)
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
