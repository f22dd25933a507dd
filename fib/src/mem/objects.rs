//! Nexthop objects of the in-memory kernel, as Linux 6 has them: who removes one removes its routes
//! (IPv4: without a word), and so does an interface that goes down or loses its carrier, which is
//! silent about the objects too; a group shrinks with its members.

use ipnet::IpNet;

use super::{EEXIST, EINVAL, ENOENT, Kernel};
use crate::types::{
    Hop, Hops, Inside, KernelEvent, KernelRoute, Kind, Member, Object, ObjectFailure, ObjectOp,
    RouteKey,
};

/// The kernel has no such thing.
pub const EOPNOTSUPP: i32 = 95;

impl Kernel {
    /// Carries ops out in order; the failures, in order.
    pub fn apply_objects(&mut self, ops: &[ObjectOp]) -> Vec<ObjectFailure> {
        self.silent = true;
        let failures = ops
            .iter()
            .filter_map(|op| {
                let errno = self.apply_object(op).err()?;
                Some(ObjectFailure { op: op.clone(), errno, reason: format!("errno {errno}") })
            })
            .collect();
        self.silent = false;
        failures
    }

    fn apply_object(&mut self, op: &ObjectOp) -> Result<(), i32> {
        self.ops += 1;
        if let Some(errno) = self.op_faults.remove(&self.ops) {
            return Err(errno);
        }
        let lie = self.op_lies.remove(&self.ops);
        let done = match op {
            ObjectOp::Make(object) => self.object_add(object.clone()),
            ObjectOp::Remove(object) => self.object_remove(object.id),
        };
        lie.map_or(done, Err)
    }

    /// `ip nexthop add`.
    pub fn object_add(&mut self, object: Object) -> Result<(), i32> {
        if !self.has_objects {
            return Err(EOPNOTSUPP);
        }
        if self.objects.contains_key(&object.id) {
            return Err(EEXIST);
        }
        self.check_object(&object)?;
        self.objects.insert(object.id, object.clone());
        self.say(KernelEvent::Object(object));
        Ok(())
    }

    /// `ip nexthop replace` of one that is there: all of its routes lead elsewhere at once.
    pub fn object_replace(&mut self, object: Object) -> Result<(), i32> {
        let there = self.objects.get(&object.id).ok_or(ENOENT)?;
        let is_group = |object: &Object| matches!(object.inside, Inside::Group(_));
        if is_group(there) != is_group(&object) {
            return Err(EINVAL);
        }
        self.check_object(&object)?;
        // IPv6 has no next hop of the other family, so an object that it uses takes none.
        let old = self.objects.insert(object.id, object.clone());
        if self.routes().any(|r| uses(r, object.id) && self.through(r, object.id).is_err()) {
            self.objects.extend(old.map(|old| (old.id, old)));
            return Err(EINVAL);
        }
        self.say(KernelEvent::Object(object.clone()));
        self.respell(true);
        Ok(())
    }

    /// `ip nexthop del`.
    pub fn object_remove(&mut self, id: u32) -> Result<(), i32> {
        if !self.objects.contains_key(&id) {
            return Err(ENOENT);
        }
        self.object_goes(id, true);
        Ok(())
    }

    /// All objects.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// Whether this kernel has nexthop objects at all.
    pub fn set_objects(&mut self, has_objects: bool) {
        self.has_objects = has_objects;
    }

    /// net.ipv4.nexthop_compat_mode: whether routes through objects are shown with their next hops.
    pub fn set_spelled(&mut self, spelled: bool) {
        self.spelled = spelled;
    }

    /// A route as it is shown.
    pub(super) fn shown(&self, route: &KernelRoute) -> KernelRoute {
        let hides = !self.spelled && route.object.is_some();
        let hops = if hides { Hops::new() } else { route.hops.clone() };
        KernelRoute { hops, ..route.clone() }
    }

    /// The next hops that a route has through an object, or why it cannot go through it.
    pub(super) fn through(&self, route: &KernelRoute, id: u32) -> Result<Hops, i32> {
        let hops = self.hops_of(id).ok_or(EINVAL)?;
        let is_v6 = matches!(route.key.prefix, IpNet::V6(_));
        let is_v4_hop = |hop: &Hop| hop.gateway.is_some_and(|gateway| gateway.is_ipv4());
        if route.kind != Kind::Unicast || (is_v6 && hops.iter().any(is_v4_hop)) {
            return Err(EINVAL);
        }
        Ok(hops)
    }

    /// Objects out of an interface that is not up or carries nothing go.
    pub(super) fn flush_objects(&mut self, device: u32) {
        let leads = |object: &&Object| match object.inside {
            Inside::Hop(hop) | Inside::Other(Some(hop)) => hop.device == device,
            Inside::Group(_) | Inside::Other(None) => false,
        };
        let gone: Vec<u32> = self.objects.values().filter(leads).map(|object| object.id).collect();
        gone.into_iter().for_each(|id| self.object_goes(id, false));
    }

    fn object_goes(&mut self, id: u32, told: bool) {
        self.objects.remove(&id);
        let mut shrunk = Vec::new();
        for object in self.objects.values_mut() {
            if let Inside::Group(members) = &mut object.inside {
                let before = members.len();
                members.retain(|member| member.id != id);
                if members.len() < before {
                    shrunk.push(object.clone());
                }
            }
        }
        let mut said = Vec::new();
        for routes in self.tables.values_mut().flat_map(|table| table.values_mut()) {
            let (gone, stay) = std::mem::take(routes).into_iter().partition(|r| uses(r, id));
            *routes = stay;
            let is_v6 = |route: &KernelRoute| matches!(route.key.prefix, IpNet::V6(_));
            // Where the next hops are not shown, IPv6 is as silent.
            said.extend(Vec::into_iter(gone).filter(|route| is_v6(route) && self.spelled));
        }
        if told {
            self.say(KernelEvent::ObjectGone(id));
        }
        said.into_iter().for_each(|route| self.say(KernelEvent::RouteGone(route)));
        for group in shrunk {
            match &group.inside {
                Inside::Group(members) if members.is_empty() => self.object_goes(group.id, told),
                _ if told => self.say(KernelEvent::Object(group)),
                _ => {}
            }
        }
        self.respell(false);
    }

    /// Routes have the next hops of their objects.
    fn respell(&mut self, told: bool) {
        let keys: Vec<(RouteKey, u32)> =
            self.routes().filter_map(|route| Some((route.key, route.object?))).collect();
        for (key, id) in keys {
            let Some(hops) = self.hops_of(id) else { continue };
            let Some(routes) = self.tables.get_mut(&key.table).and_then(|t| t.get_mut(&key.prefix))
            else {
                continue;
            };
            let mut changed = Vec::new();
            for route in routes.iter_mut().filter(|route| uses(route, id) && route.hops != hops) {
                route.hops = hops.clone();
                changed.push(route.clone());
            }
            if told && self.spelled {
                changed.into_iter().for_each(|route| self.say(KernelEvent::Route(route)));
            }
        }
    }

    fn hops_of(&self, id: u32) -> Option<Hops> {
        let one = |member: &Member| match self.objects.get(&member.id)?.inside {
            Inside::Hop(hop) => {
                Some(Hop { weight: u16::try_from(member.weight).unwrap_or(u16::MAX), ..hop })
            }
            Inside::Group(_) | Inside::Other(_) => None,
        };
        match &self.objects.get(&id)?.inside {
            Inside::Hop(hop) => Some(Hops::from([*hop])),
            Inside::Other(hop) => Some(hop.iter().copied().collect()),
            Inside::Group(members) => {
                let mut hops = members.iter().map(one).collect::<Option<Hops>>()?;
                if let [only] = hops.as_mut_slice() {
                    only.weight = 1;
                }
                Some(hops)
            }
        }
    }

    fn check_object(&self, object: &Object) -> Result<(), i32> {
        match &object.inside {
            Inside::Hop(hop) => {
                let is_dead = |link: &crate::types::Link| link.up && !link.running;
                if self.links.get(&hop.device).is_some_and(is_dead) {
                    return Err(super::ENETDOWN);
                }
                self.check(false, hop)
            }
            Inside::Group(members) => {
                let is_single = |member: &Member| {
                    let object = self.objects.get(&member.id);
                    object.is_some_and(|object| matches!(object.inside, Inside::Hop(_)))
                };
                let all = !members.is_empty() && members.iter().all(is_single);
                if all { Ok(()) } else { Err(EINVAL) }
            }
            Inside::Other(_) => Ok(()),
        }
    }
}

fn uses(route: &KernelRoute, id: u32) -> bool {
    route.object == Some(id)
}
