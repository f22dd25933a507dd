//! What the kernel told: interfaces, addresses, the routes of others and our own.
//!
//! In: dumps, which replace everything, and events, which amend it. Out: [`World`], and in
//! [`News`] what a batch of events touched, so that only that is looked at again.
//!
//! An event is not the whole truth. IPv4 routes that the kernel flushes when an interface or an
//! address goes are not announced, and an event does not say whether a route came beside another
//! of its key or instead of it. Here the likely reading is taken at once, and where another was
//! possible `News::doubt` asks for a dump that settles it.
//!
//! IPv6 link-local routes (fe80::/10) are left out: every interface has one of the same key, and
//! a next hop in them is found by its interface, never by a route.

mod objects;
mod others;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;

use self::others::Others;
use self::places::{Addresses, Links};
use crate::have::{Have, same};
use crate::objects::Objects;
use crate::types::{Address, Dump, FibConfig, KernelEvent, KernelRoute, Link, RouteKey};
use crate::underlay::is_link_local;

/// The table that the kernel consults for everybody (RT_TABLE_MAIN).
pub const MAIN: u32 = 254;

/// What makes a route ours: rtm_protocol and table, whatever its metric.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Owner {
    /// rtm_protocol.
    pub protocol: u8,
    /// Table.
    pub table: u32,
}

/// What the kernel told.
#[derive(Clone, Default, Debug)]
pub struct World {
    /// Interfaces.
    pub(crate) links: Links,
    /// Addresses.
    pub(crate) addresses: Addresses,
    /// Routes that are not ours, in main and in our table.
    pub(crate) others: Others,
    /// Ours.
    pub(crate) have: Have,
    /// Nexthop objects, whoever made them.
    pub(crate) objects: Objects,
    /// Who we are, and who we were before a reload until the last such route is gone.
    owners: Vec<Owner>,
    /// Whether a dump came at all.
    pub(crate) read: bool,
    /// Where the node's own addresses are, or were last (see `underlay`).
    pub(crate) places: BTreeMap<IpAddr, Address>,
    /// The tables of VRF devices.
    vrfs: BTreeMap<u32, u32>,
}

/// What a batch of events touched.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct News {
    /// Interfaces that came, changed or went.
    pub links: BTreeSet<u32>,
    /// Addresses that came or went.
    pub addresses: BTreeSet<Address>,
    /// Prefixes of routes of others that changed.
    pub others: BTreeSet<IpNet>,
    /// Prefixes of routes of ours that changed.
    pub ours: BTreeSet<IpNet>,
    /// The events admit another reading: read all again soon.
    pub doubt: bool,
    /// News was lost: read all again before anything is written.
    pub lost: bool,
}

impl World {
    /// A world of which only the given is known, for `starlingd check` and tests.
    pub fn of(dump: Dump, config: &FibConfig) -> World {
        let mut world = World::default();
        world.identify(config);
        world.replace(dump);
        world.remember(config);
        world
    }

    /// Sets who we are. Routes of who we were stay ours until they are gone. Whether that
    /// changed.
    pub fn identify(&mut self, config: &FibConfig) -> bool {
        let owner = Owner { protocol: config.protocol, table: config.table };
        if self.owners.first() == Some(&owner) {
            return false;
        }
        self.owners.retain(|former| *former != owner);
        self.owners.insert(0, owner);
        self.objects.identify(&self.owners);
        let all: Vec<KernelRoute> =
            self.have.iter().chain(self.others.iter().flat_map(|(_, r)| r).cloned()).collect();
        self.have.clear();
        self.others = Others::default();
        for route in &all {
            self.add(route);
        }
        true
    }

    /// Whether we were somebody else before and none of those routes is known any more.
    pub fn is_former_gone(&self) -> bool {
        let Some((now, former)) = self.owners.split_first() else { return false };
        let is_now = |(protocol, table)| Owner { protocol, table } == *now;
        !former.is_empty()
            && self.have.owners().all(is_now)
            && !self.objects.has_former(|id| self.is_used(id))
    }

    /// Whether we were somebody else before, whose routes may still be there.
    pub fn is_former_left(&self) -> bool {
        self.owners.len() > 1
    }

    /// Forgets who we were before: what carries those marks from now on is somebody else's.
    pub fn forget_former(&mut self) {
        self.owners.truncate(1);
        self.objects.identify(&self.owners);
    }

    /// Whether a route is ours to change.
    pub fn is_ours(&self, route: &KernelRoute) -> bool {
        self.owners.contains(&owner_of(route))
    }

    /// The VRF device whose table our routes are in.
    pub fn vrf(&self) -> Option<u32> {
        let table = self.owners.first()?.table;
        self.vrfs.iter().find(|(_, of)| **of == table).map(|(device, _)| *device)
    }

    /// The table that local pods' routes are in: that of our VRF if there is one, else main.
    pub fn pods_table(&self) -> u32 {
        self.vrf().and_then(|vrf| self.vrfs.get(&vrf)).copied().unwrap_or(MAIN)
    }

    /// The table that says how addresses like `like` are reached: that of our VRF if the interface
    /// with this node's address of that family is in it, else main.
    pub fn underlay(&self, like: IpAddr) -> u32 {
        let place = self.places.iter().find(|(own, _)| own.is_ipv4() == like.is_ipv4());
        let master = place.and_then(|(_, place)| self.link(place.device)?.master);
        if master.is_some() && master == self.vrf() { self.pods_table() } else { MAIN }
    }

    /// An interface.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.get(index)
    }

    /// An interface by name.
    pub fn link_named(&self, name: &str) -> Option<&Link> {
        self.links.named(name)
    }

    /// An interface's name, or its number where it has none that we know.
    pub fn name_of(&self, index: u32) -> String {
        self.links.get(index).map_or_else(|| format!("if{index}"), |link| link.name.clone())
    }

    /// Our routes.
    pub fn have(&self) -> &Have {
        &self.have
    }

    /// Somebody else's routes under a key, that a route of ours could not share.
    pub fn others_at(&self, key: RouteKey) -> impl Iterator<Item = &KernelRoute> {
        self.others.to(key.prefix).iter().filter(move |route| route.key == key && route.tos == 0)
    }

    /// Everybody else's routes, in order of prefixes.
    pub fn others(&self) -> impl Iterator<Item = (IpNet, &[KernelRoute])> {
        self.others.iter()
    }

    /// Those to one prefix.
    pub fn others_to(&self, prefix: IpNet) -> &[KernelRoute] {
        self.others.to(prefix)
    }

    /// The destinations of those that lead out of an interface.
    pub fn others_out_of(&self, device: u32) -> impl Iterator<Item = IpNet> {
        self.others.out_of(device)
    }

    /// Takes a dump for the whole truth. It shows main and our table; routes of a former self in
    /// another table stay as they were known.
    /// What was known before is handed back.
    pub fn replace(&mut self, dump: Dump) -> World {
        let new = World { owners: self.owners.clone(), read: true, ..World::default() };
        let mut old = std::mem::replace(self, new);
        self.places = old.places.clone();
        let shown: BTreeSet<u32> = dump
            .routes
            .iter()
            .map(|route| route.key.table)
            .chain([MAIN])
            .chain(self.owners.first().map(|owner| owner.table))
            .collect();
        let kept = old.have.take_if(|route| !shown.contains(&route.key.table));
        self.objects = std::mem::take(&mut old.objects);
        self.objects.replace(dump.objects);
        self.vrfs = dump.links.iter().filter_map(|l| Some((l.index, l.vrf?))).collect();
        for link in dump.links {
            self.links.insert(link);
        }
        for address in dump.addresses {
            self.addresses.insert(address);
        }
        for mut route in dump.routes {
            self.spell(&mut route);
            self.add(&route);
        }
        for route in &kept {
            self.add(route);
        }
        old
    }

    /// Amends what is known and notes in `news` what that touched.
    pub fn learn(&mut self, event: &KernelEvent, news: &mut News) {
        match event {
            KernelEvent::Link(link) => self.link_is(link, news),
            KernelEvent::LinkGone(index) => {
                if self.links.remove(*index).is_some() {
                    news.links.insert(*index);
                }
                self.vrfs.remove(index);
                for address in self.addresses.on(*index).copied().collect::<Vec<_>>() {
                    self.addresses.remove(&address);
                    news.addresses.insert(address);
                }
                // IPv4 gives up a whole route with the interface of one of its next hops.
                let is_v4 = |route: &KernelRoute| matches!(route.key.prefix, IpNet::V4(_));
                self.flush(*index, |_| true, is_v4, news);
                self.flush_objects(*index, news);
            }
            KernelEvent::Address(address) => {
                if self.addresses.insert(*address) {
                    news.addresses.insert(*address);
                }
            }
            KernelEvent::AddressGone(address) => self.address_gone(address, news),
            KernelEvent::Route(route) => self.route_is(&self.spelled(route), news),
            KernelEvent::RouteGone(route) => self.route_gone(&self.spelled(route), news),
            KernelEvent::Object(object) => self.object_is(object, news),
            KernelEvent::ObjectGone(id) => self.object_gone(*id, news),
            // It changes no route: see `ways`.
            KernelEvent::Unanswered { .. } => {}
            KernelEvent::Lost => news.lost = true,
        }
    }

    /// What an op that the kernel carried out left behind.
    pub fn wrote(&mut self, old: Option<&KernelRoute>, new: Option<&KernelRoute>) {
        if let Some(old) = old {
            self.have.remove(old);
        }
        if let Some(new) = new {
            self.have.insert(new);
        }
    }

    fn link_is(&mut self, link: &Link, news: &mut News) {
        if self.links.insert(link.clone()).as_ref() != Some(link) {
            news.links.insert(link.index);
        }
        match link.vrf {
            Some(table) => self.vrfs.insert(link.index, table),
            None => self.vrfs.remove(&link.index),
        };
        // Also if a dump said so before: older news of routes may have come since.
        if !link.up {
            self.flush(link.index, |_| true, |_| false, news);
        }
        if !(link.up && link.running) {
            self.flush_objects(link.index, news);
        }
    }

    fn address_gone(&mut self, address: &Address, news: &mut News) {
        let own = address.address.addr();
        if self.addresses.remove(address) {
            news.addresses.insert(*address);
        }
        // Only IPv4 loses routes in silence: those that prefer the address as their source, and
        // with an interface's last address all that lead out of it.
        if own.is_ipv4() {
            let device = address.device;
            let last = !self.addresses.on(device).any(|other| other.address.addr().is_ipv4());
            let lost = |route: &KernelRoute| last || route.source == Some(own);
            let is_v4 = |route: &KernelRoute| matches!(route.key.prefix, IpNet::V4(_));
            let fragile = |route: &KernelRoute| route.source == Some(own);
            self.flush(device, |route| is_v4(route) && lost(route), fragile, news);
        }
    }

    /// Routes out of an interface that the kernel flushed in silence: those that have no other
    /// way out, or are lost at once as `fragile` says.
    fn flush(
        &mut self,
        device: u32,
        lost: impl Fn(&KernelRoute) -> bool,
        fragile: impl Fn(&KernelRoute) -> bool,
        news: &mut News,
    ) {
        // What goes through an object goes with that (`flush_objects`), or with its source.
        let touches = |route: &KernelRoute| {
            let by_object = route.object.is_some() && !route.source.is_some_and(|_| fragile(route));
            !by_object && route.hops.iter().any(|hop| hop.device == device) && lost(route)
        };
        let links = &self.links;
        let is_up = |device: u32| links.get(device).is_some_and(|link| link.up);
        let wholly = |route: &KernelRoute| {
            fragile(route)
                || !route.hops.iter().any(|hop| hop.device != device && is_up(hop.device))
        };
        for prefix in self.others.out_of(device).collect::<Vec<_>>() {
            let routes = self.others.to(prefix);
            news.doubt |= routes.iter().any(|route| touches(route) && !wholly(route));
            if self.others.retain(prefix, |route| !(touches(route) && wholly(route))) {
                news.others.insert(prefix);
            }
        }
        if self.have.uses(device) {
            // Ours are dear: what was read into silence is confirmed by a dump.
            news.doubt = true;
            // Where no dump would correct a reading that came too late, an attempt to delete will.
            let owner = self.owners.first().copied();
            let is_shown =
                |table: u32| table == MAIN || owner.is_some_and(|owner| owner.table == table);
            let taken = self
                .have
                .take_if(|route| touches(route) && wholly(route) && is_shown(route.key.table));
            news.ours.extend(taken.iter().map(|route| route.key.prefix));
        }
    }

    fn route_is(&mut self, route: &KernelRoute, news: &mut News) {
        if !self.covers(route) || self.knows(route) {
            return;
        }
        // One more of this key, or one instead? Replacing is what most writers do.
        let instead: Vec<KernelRoute> = self
            .have
            .at(route.key)
            .chain(self.others.to(route.key.prefix).iter().cloned())
            .filter(|other| other.key == route.key && other.tos == route.tos)
            .collect();
        news.doubt |= !instead.is_empty();
        for old in &instead {
            self.drop_route(old, news);
        }
        self.note(route, news);
        self.add(route);
    }

    fn route_gone(&mut self, route: &KernelRoute, news: &mut News) {
        if !self.covers(route) {
            return;
        }
        if self.knows(route) {
            // Of ours it may be old news of one that we have written again since.
            news.doubt |= self.is_ours(route);
            self.drop_route(route, news);
        } else {
            // A part of it, or a shape of it that we never saw.
            news.doubt |= self.have.at(route.key).next().is_some()
                || self.others_at(route.key).next().is_some();
        }
    }

    /// Whether a route is none that is kept here, whoever wrote it.
    pub(crate) fn leaves_out(route: &KernelRoute) -> bool {
        is_link_local(route.key.prefix.addr())
    }

    fn covers(&self, route: &KernelRoute) -> bool {
        let table = route.key.table;
        !World::leaves_out(route)
            && (table == MAIN || self.owners.iter().any(|owner| owner.table == table))
    }

    pub(crate) fn knows(&self, route: &KernelRoute) -> bool {
        self.have.holds(route)
            || self.others.to(route.key.prefix).iter().any(|other| same(other, route))
    }

    /// How many routes are known in main and `table`, ours in `table` only.
    pub(crate) fn known(&self, table: u32) -> usize {
        self.have.count(table) + self.others.len()
    }

    /// Of those the ones to a prefix.
    pub(crate) fn known_at(&self, prefix: IpNet, table: u32) -> impl Iterator<Item = KernelRoute> {
        let ours = self.have.of(prefix).filter(move |route| route.key.table == table);
        ours.chain(self.others_to(prefix).iter().cloned())
    }

    /// Whether exactly these interfaces and addresses are known.
    pub(crate) fn has_interfaces(&self, links: &[Link], addresses: &[Address]) -> bool {
        links.len() == self.links.len()
            && links.iter().all(|link| self.links.get(link.index) == Some(link))
            && addresses.len() == self.addresses.len()
            && addresses.iter().all(|address| self.addresses.contains(address))
    }

    fn note(&self, route: &KernelRoute, news: &mut News) {
        if self.is_ours(route) {
            news.ours.insert(route.key.prefix);
        } else {
            news.others.insert(route.key.prefix);
        }
    }

    fn drop_route(&mut self, route: &KernelRoute, news: &mut News) {
        self.note(route, news);
        if self.have.remove(route) {
            return;
        }
        self.others.remove(route);
    }

    fn add(&mut self, route: &KernelRoute) {
        if self.is_ours(route) {
            self.have.insert(route);
        } else if !World::leaves_out(route) {
            self.others.add(route);
        }
    }
}

fn owner_of(route: &KernelRoute) -> Owner {
    Owner { protocol: route.protocol, table: route.key.table }
}
