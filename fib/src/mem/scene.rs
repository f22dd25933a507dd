//! Setting the scene of the in-memory kernel: interfaces, addresses, faults.

use std::net::IpAddr;

use ipnet::IpNet;

use super::Kernel;
use crate::learn::MAIN;
use crate::types::{Address, Hop, KernelEvent, KernelRoute, Kind, Link, RouteKey};

/// RTPROT_KERNEL: connected routes.
const KERNEL: u8 = 2;
/// RT_SCOPE_LINK.
const LINK_SCOPE: u8 = 253;
/// IP6_RT_PRIO_ADDRCONF.
const ADDRCONF_METRIC: u32 = 256;

impl Kernel {
    /// A new interface, up and with carrier; its index.
    pub fn link_add(&mut self, name: &str, kind: Option<&str>, mtu: u32) -> u32 {
        self.last_index += 1;
        let index = self.last_index;
        let link = Link {
            index,
            name: name.to_owned(),
            up: true,
            running: true,
            mtu,
            kind: kind.map(str::to_owned),
            ..Link::default()
        };
        self.links.insert(index, link.clone());
        self.say(KernelEvent::Link(link));
        index
    }

    /// Changes an interface. One that goes down loses its routes (IPv4 without a word) and its
    /// IPv6 addresses; one that comes up has its connected routes again.
    pub fn link_change(&mut self, index: u32, change: impl FnOnce(&mut Link)) {
        let Some(link) = self.links.get_mut(&index) else { return };
        let before = link.clone();
        change(link);
        let after = link.clone();
        if before == after {
            return;
        }
        if before.up && before.running && !(after.up && after.running) {
            self.flush_objects(index);
        }
        if before.up && !after.up {
            self.flush(index, |_, is_dead| is_dead);
            let v6 =
                |address: &&Address| address.device == index && address.address.addr().is_ipv6();
            let gone: Vec<Address> = self.addresses.iter().filter(v6).copied().collect();
            for address in gone {
                self.addresses.remove(&address);
                self.say(KernelEvent::AddressGone(address));
            }
        }
        self.say(KernelEvent::Link(after.clone()));
        if !before.up && after.up {
            let own: Vec<Address> =
                self.addresses.iter().filter(|a| a.device == index).copied().collect();
            own.iter().for_each(|address| self.connect(address));
        }
    }

    /// An interface is unplugged.
    pub fn link_remove(&mut self, index: u32) {
        if self.links.remove(&index).is_none() {
            return;
        }
        self.flush_objects(index);
        // IPv4 gives up a whole route with the interface of one of its next hops.
        self.flush(index, |route, is_dead| is_dead || matches!(route.key.prefix, IpNet::V4(_)));
        self.unhook(index);
        let gone: Vec<Address> =
            self.addresses.iter().filter(|a| a.device == index).copied().collect();
        for address in gone {
            self.addresses.remove(&address);
            self.say(KernelEvent::AddressGone(address));
        }
        self.say(KernelEvent::LinkGone(index));
    }

    /// `ip address add`: the address and its connected route.
    pub fn address_add(&mut self, device: u32, address: IpNet) {
        let address = Address { device, address };
        if self.addresses.insert(address) {
            self.say(KernelEvent::Address(address));
            if self.is_up(device) {
                self.connect(&address);
            }
        }
    }

    /// `ip address del`: its connected route goes, and in silence the IPv4 routes that prefer it
    /// as source or, with the last address, all of the interface.
    pub fn address_remove(&mut self, device: u32, address: IpNet) {
        let gone = Address { device, address };
        if !self.addresses.remove(&gone) {
            return;
        }
        self.say(KernelEvent::AddressGone(gone));
        let _ = self.delete(&connected(&gone));
        let mate =
            |other: &&Address| other.device == device && other.address.trunc() == address.trunc();
        if let Some(mate) = self.addresses.iter().find(mate).copied() {
            self.connect(&mate);
        }
        let own = address.addr();
        if own.is_ipv4() {
            let last = !self
                .addresses
                .iter()
                .any(|other| other.device == device && other.address.addr().is_ipv4());
            self.flush(device, |route, is_dead| {
                let is_v4 = matches!(route.key.prefix, IpNet::V4(_));
                is_v4 && (last && is_dead || route.source == Some(own))
            });
        }
    }

    /// The `n`-th op from now (1 is the next) fails with `errno`.
    pub fn fail_op(&mut self, n: u64, errno: i32) {
        self.op_faults.insert(self.ops + n, errno);
    }

    /// The `n`-th op from now is carried out, and its answer is lost: `errno` all the same.
    pub fn lose_answer(&mut self, n: u64, errno: i32) {
        self.op_lies.insert(self.ops + n, errno);
    }

    /// The next `n` dumps fail.
    pub fn fail_dumps(&mut self, n: u32) {
        self.dump_faults = n;
    }

    /// The next `n` attempts to set up the tunnel fail.
    pub fn fail_tunnels(&mut self, n: u32) {
        self.tunnel_faults = n;
    }

    /// No fault is left to come.
    pub fn heal(&mut self) {
        self.op_faults.clear();
        self.op_lies.clear();
        self.dump_faults = 0;
        self.tunnel_faults = 0;
    }

    /// Events that wait are lost; the reader hears only that.
    pub fn lose_events(&mut self) {
        self.events = vec![KernelEvent::Lost];
    }

    /// Events that were taken wait again, before those that came since.
    pub fn requeue(&mut self, mut events: Vec<KernelEvent>) {
        events.append(&mut self.events);
        self.events = events;
    }

    /// Whether the ipip module can be had.
    pub fn set_ipip(&mut self, has_ipip: bool) {
        self.has_ipip = has_ipip;
    }

    fn connect(&mut self, address: &Address) {
        let net = address.address;
        if matches!(net, IpNet::V4(v4) if v4.prefix_len() == 32) {
            return;
        }
        // A second address of the same network finds the route there already.
        let route = connected(address);
        if !self.of(&route).iter().any(|there| there.hops == route.hops) {
            let _ = self.append(route);
        }
    }

    /// Routes out of an interface go that `lost` says yes to; it is told whether the interface
    /// was the last way out. IPv6 says so.
    fn flush(&mut self, device: u32, lost: impl Fn(&KernelRoute, bool) -> bool) {
        let mut said = Vec::new();
        let links = &self.links;
        let is_up = |device: u32| links.get(&device).is_some_and(|link| link.up);
        for table in self.tables.values_mut() {
            for routes in table.values_mut() {
                routes.retain(|route| {
                    let others = route.hops.iter().filter(|hop| hop.device != device);
                    // What goes through an object went with that, or goes with its source.
                    if route.object.is_some() && !lost(route, false) {
                        return true;
                    }
                    let is_dead = !others.clone().any(|hop| is_up(hop.device));
                    let dies = others.count() < route.hops.len() && lost(route, is_dead);
                    if dies && matches!(route.key.prefix, IpNet::V6(_)) {
                        said.push(KernelEvent::RouteGone(route.clone()));
                    }
                    !dies
                });
            }
        }
        said.into_iter().for_each(|event| self.say(event));
    }

    /// IPv6 takes the next hops of a removed interface out of routes that have others, and tells
    /// of each as of a route, which `netlink` cannot trust.
    fn unhook(&mut self, device: u32) {
        let mut unhooked = false;
        let routes = self.tables.values_mut().flat_map(|table| table.values_mut()).flatten();
        for route in routes.filter(|route| route.object.is_none()) {
            let before = route.hops.len();
            route.hops.retain(|hop| hop.device != device);
            unhooked |= route.hops.len() < before;
            if let [only] = route.hops.as_mut_slice() {
                only.weight = 1;
            }
        }
        if unhooked {
            self.say(KernelEvent::Lost);
        }
    }
}

fn connected(address: &Address) -> KernelRoute {
    let own = address.address.addr();
    let (metric, scope, source) = match own {
        IpAddr::V4(_) => (0, LINK_SCOPE, Some(own)),
        IpAddr::V6(_) => (ADDRCONF_METRIC, 0, None),
    };
    KernelRoute {
        key: RouteKey { prefix: address.address.trunc(), table: MAIN, metric },
        protocol: KERNEL,
        kind: Kind::Unicast,
        scope,
        tos: 0,
        source,
        hops: [Hop { gateway: None, device: address.device, onlink: false, weight: 1 }].into(),
        object: None,
    }
}
