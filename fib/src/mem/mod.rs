//! A kernel in memory, for the simulator and the tests: the same answers, no system call.
//!
//! In: what netlink would be asked (`apply`, `dump`, `tunnel`), and the hand of the scene-setter:
//! links, addresses, other people's routes, faults. Out: failures with the kernel's errno, and the
//! events that the kernel would send. It behaves as Linux does where that hurts: IPv4 routes
//! vanish without an event when their interface goes down or loses its last address, a replace
//! takes the first route of its key whosever it is, an IPv6 route without metric gets 1024, a
//! gateway must be on a connected network unless the route says `onlink`.

mod objects;
mod scene;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use prefix_trie::joint::JointPrefixMap;

use crate::have::same;
use crate::learn::MAIN;
use crate::types::{
    Address, Dump, Hop, KernelEvent, KernelRoute, Link, Object, OpFailure, RouteOp, TunnelError,
    TunnelSpec,
};
use crate::underlay::{host, is_link_local};

pub use self::objects::EOPNOTSUPP;

/// No such entry: nothing to replace.
pub const ENOENT: i32 = 2;
/// No such route: nothing to delete.
pub const ESRCH: i32 = 3;
/// There is one already.
pub const EEXIST: i32 = 17;
/// No such interface.
pub const ENODEV: i32 = 19;
/// A gateway that cannot be one.
pub const EINVAL: i32 = 22;
/// The interface is down.
pub const ENETDOWN: i32 = 100;
/// The gateway is on no connected network (IPv4).
pub const ENETUNREACH: i32 = 101;
/// The gateway is on no connected network (IPv6).
pub const EHOSTUNREACH: i32 = 113;

/// The kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    links: BTreeMap<u32, Link>,
    /// The last index given; none is given twice.
    last_index: u32,
    addresses: BTreeSet<Address>,
    /// Per table; the routes of a prefix in the order of their metrics, then of their coming.
    tables: BTreeMap<u32, JointPrefixMap<IpNet, Vec<KernelRoute>>>,
    objects: BTreeMap<u32, Object>,
    has_objects: bool,
    /// Routes through objects are shown with their next hops.
    spelled: bool,
    events: Vec<KernelEvent>,
    /// What happens now is our own doing.
    silent: bool,
    ops: u64,
    op_faults: BTreeMap<u64, i32>,
    op_lies: BTreeMap<u64, i32>,
    dump_faults: u32,
    tunnel_faults: u32,
    has_ipip: bool,
}

impl Default for Kernel {
    fn default() -> Kernel {
        Kernel {
            links: BTreeMap::new(),
            last_index: 0,
            addresses: BTreeSet::new(),
            tables: BTreeMap::new(),
            objects: BTreeMap::new(),
            has_objects: true,
            spelled: true,
            events: Vec::new(),
            silent: false,
            ops: 0,
            op_faults: BTreeMap::new(),
            op_lies: BTreeMap::new(),
            dump_faults: 0,
            tunnel_faults: 0,
            has_ipip: true,
        }
    }
}

impl Kernel {
    /// One without interfaces and routes.
    pub fn new() -> Kernel {
        Kernel::default()
    }

    /// Carries ops out in order; the failures, in order. No event tells of them, as the netlink
    /// side hears none of its own changes.
    pub fn apply(&mut self, ops: &[RouteOp]) -> Vec<OpFailure> {
        self.silent = true;
        let failures = ops
            .iter()
            .filter_map(|op| {
                let errno = self.apply_one(op).err()?;
                let reason = format!("errno {errno}");
                Some(OpFailure { op: op.clone(), errno, reason })
            })
            .collect();
        self.silent = false;
        failures
    }

    fn apply_one(&mut self, op: &RouteOp) -> Result<(), i32> {
        self.ops += 1;
        if let Some(errno) = self.op_faults.remove(&self.ops) {
            return Err(errno);
        }
        let lie = self.op_lies.remove(&self.ops);
        let done = match op {
            RouteOp::Add(new) => self.add(new.clone()),
            RouteOp::Replace { old, new }
                if matches!(new.key.prefix, IpNet::V4(_)) && !same(old, new) =>
            {
                self.exchange(old, new.clone())
            }
            RouteOp::Replace { new, .. } => self.replace(new.clone()),
            RouteOp::Delete(old) => self.delete(old),
        };
        lie.map_or(done, Err)
    }

    /// Everything, or why not.
    pub fn dump(&mut self) -> Result<Dump, String> {
        if self.dump_faults > 0 {
            self.dump_faults -= 1;
            return Err("dump interrupted".to_owned());
        }
        Ok(Dump {
            links: self.links.values().cloned().collect(),
            addresses: self.addresses.iter().copied().collect(),
            routes: self.routes().map(|route| self.shown(route)).collect(),
            objects: self.has_objects.then(|| self.objects.values().cloned().collect()),
        })
    }

    /// Events since the last time, in order.
    pub fn take_events(&mut self) -> Vec<KernelEvent> {
        std::mem::take(&mut self.events)
    }

    /// Makes the tunnel device as `FibOut::Tunnel` asks.
    pub fn tunnel(&mut self, spec: &TunnelSpec) -> Result<(), TunnelError> {
        if self.tunnel_faults > 0 {
            self.tunnel_faults -= 1;
            let (device, reason) = (spec.device.clone(), "Device or resource busy".to_owned());
            return Err(TunnelError::Failed { device, reason });
        }
        let found = self.links.values().find(|link| link.name == spec.device).cloned();
        let index = match found {
            Some(Link { kind: Some(kind), .. }) if kind != "ipip" => {
                return Err(TunnelError::WrongKind { device: spec.device.clone(), kind });
            }
            Some(Link { remote: Some(remote), .. }) => {
                let reason = format!("it leads to {remote} only");
                return Err(TunnelError::Failed { device: spec.device.clone(), reason });
            }
            Some(link) => link.index,
            None if !self.has_ipip => {
                return Err(TunnelError::NoModule { reason: "no such module".to_owned() });
            }
            None => self.link_add(&spec.device, Some("ipip"), spec.mtu),
        };
        self.link_change(index, |link| {
            link.up = true;
            link.running = true;
            link.mtu = spec.mtu;
            link.pmtudisc = false;
            link.master = spec.vrf.or(link.master);
        });
        if let Some(address) = spec.address {
            self.address_add(index, host(IpAddr::V4(address)));
        }
        Ok(())
    }

    /// All routes of all tables.
    pub fn routes(&self) -> impl Iterator<Item = &KernelRoute> {
        self.tables.values().flat_map(|table| table.values().flatten())
    }

    /// The routes of a prefix in main.
    pub fn routes_to(&self, prefix: IpNet) -> Vec<KernelRoute> {
        self.tables.get(&MAIN).and_then(|table| table.get(&prefix)).cloned().unwrap_or_default()
    }

    /// Whether `address` is one of this host's own.
    pub fn is_local(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|own| own.address.addr() == address)
    }

    /// Interfaces.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// `ip route add`: EEXIST where the key is taken.
    pub fn add(&mut self, route: KernelRoute) -> Result<(), i32> {
        let route = self.checked(route)?;
        let there = self.of(&route);
        if there.iter().any(|other| is_key_mate(other, &route)) {
            return Err(EEXIST);
        }
        self.put(route);
        Ok(())
    }

    /// `ip route append`: beside others of its key.
    pub fn append(&mut self, route: KernelRoute) -> Result<(), i32> {
        let route = self.checked(route)?;
        if self.of(&route).iter().any(|other| same(other, &route)) {
            return Err(EEXIST);
        }
        self.put(route);
        Ok(())
    }

    /// `ip route change`: instead of the first of its key, whosever that is; EEXIST where
    /// the same route is a later one.
    pub fn replace(&mut self, route: KernelRoute) -> Result<(), i32> {
        let route = self.checked(route)?;
        let there = self.of(&route);
        let twin = there.iter().position(|other| same(other, &route));
        let Some(first) = there.iter().position(|other| is_key_mate(other, &route)) else {
            return Err(ENOENT);
        };
        match (twin, there.get_mut(first)) {
            (Some(twin), _) if twin == first => return Ok(()),
            (Some(_), _) => return Err(EEXIST),
            (None, Some(place)) => *place = route.clone(),
            (None, None) => return Err(ENOENT),
        }
        self.say(KernelEvent::Route(route));
        Ok(())
    }

    /// `ip route append`, and then the old one removed: behind others of its key, whosever they
    /// are. ENOENT where the old one is not there.
    pub fn exchange(&mut self, old: &KernelRoute, new: KernelRoute) -> Result<(), i32> {
        let new = self.checked(new)?;
        let there = self.of(&new);
        if there.iter().any(|other| same(other, &new)) {
            return Err(EEXIST);
        }
        if !there.iter().any(|other| same(other, old)) {
            return Err(ENOENT);
        }
        self.put(new);
        self.delete(old)
    }

    /// Removes exactly this route.
    pub fn delete(&mut self, route: &KernelRoute) -> Result<(), i32> {
        let there = self.of(route);
        let Some(place) = there.iter().position(|other| same(other, route)) else {
            return Err(ESRCH);
        };
        let gone = there.remove(place);
        self.say(KernelEvent::RouteGone(gone));
        Ok(())
    }

    fn of(&mut self, route: &KernelRoute) -> &mut Vec<KernelRoute> {
        let table = self.tables.entry(route.key.table).or_default();
        table.entry(route.key.prefix).or_default()
    }

    fn put(&mut self, route: KernelRoute) {
        let there = self.of(&route);
        let place = there.partition_point(|other| other.key.metric <= route.key.metric);
        there.insert(place, route.clone());
        self.say(KernelEvent::Route(route));
    }

    /// The route as the kernel would take it, or its errno.
    fn checked(&self, mut route: KernelRoute) -> Result<KernelRoute, i32> {
        if let (IpNet::V6(_), 0) = (route.key.prefix, route.key.metric) {
            route.key.metric = 1024;
        }
        if let Some(object) = route.object {
            route.hops = self.through(&route, object)?;
            return Ok(route);
        }
        let is_v6 = matches!(route.key.prefix, IpNet::V6(_));
        for hop in &route.hops {
            self.check(is_v6, hop)?;
        }
        Ok(route)
    }

    fn check(&self, is_v6: bool, hop: &Hop) -> Result<(), i32> {
        let link = self.links.get(&hop.device).ok_or(ENODEV)?;
        if !link.up {
            return Err(ENETDOWN);
        }
        let Some(gateway) = hop.gateway else { return Ok(()) };
        // A link-local address is ours on its own interface only.
        let is_own = |own: &Address| {
            own.address.addr() == gateway && (own.device == hop.device || !is_link_local(gateway))
        };
        if self.addresses.iter().any(is_own) || (is_v6 && gateway.is_ipv4()) {
            return Err(EINVAL);
        }
        if hop.onlink || is_link_local(gateway) {
            return Ok(());
        }
        let is_connected = self.tables.get(&MAIN).is_some_and(|main| {
            main.cover(&host(gateway)).flat_map(|(_, routes)| routes).any(|route| {
                route.hops.iter().any(|h| h.device == hop.device && h.gateway.is_none())
            })
        });
        match (is_connected, gateway) {
            (true, _) => Ok(()),
            (false, IpAddr::V4(_)) => Err(ENETUNREACH),
            (false, IpAddr::V6(_)) => Err(EHOSTUNREACH),
        }
    }

    fn is_up(&self, device: u32) -> bool {
        self.links.get(&device).is_some_and(|link| link.up)
    }

    fn say(&mut self, event: KernelEvent) {
        let event = match event {
            KernelEvent::Route(route) => KernelEvent::Route(self.shown(&route)),
            KernelEvent::RouteGone(route) => KernelEvent::RouteGone(self.shown(&route)),
            other => other,
        };
        if !self.silent {
            self.events.push(event);
        }
    }
}

fn is_key_mate(a: &KernelRoute, b: &KernelRoute) -> bool {
    a.key == b.key && a.tos == b.tos
}
