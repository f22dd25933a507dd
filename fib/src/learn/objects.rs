//! What becomes of the world when nexthop objects come, change and go.
//!
//! The kernel removes the objects of an interface that goes down *or loses its carrier*, takes
//! them out of their groups, and removes their routes; of all that IPv4 says nothing, and the
//! objects neither. What can be read into the interface's news is taken at once, with a doubt that
//! a dump settles. A group that lost some of its members leads elsewhere than is known: then news
//! counts as lost.

use std::collections::BTreeSet;

use super::{News, World};
use crate::types::{Inside, KernelRoute, Kind, Object};

impl World {
    /// A route as it is kept: with the next hops of its object, whether the kernel spelled them out
    /// (`net.ipv4.nexthop_compat_mode`) or not.
    pub(crate) fn spelled(&self, route: &KernelRoute) -> KernelRoute {
        let mut route = route.clone();
        self.spell(&mut route);
        route
    }

    pub(super) fn spell(&self, route: &mut KernelRoute) {
        let Some(object) = route.object.filter(|_| route.kind == Kind::Unicast) else { return };
        if let Some(hops) = self.objects.hops(object) {
            route.hops = hops;
        }
    }

    /// How many known routes go through an object.
    pub(crate) fn users_of(&self, object: u32) -> usize {
        self.have.users_of(object) + self.others.users_of(object)
    }

    /// Whether a route goes through it, or through a group that it is a member of.
    pub(super) fn is_used(&self, object: u32) -> bool {
        self.users_of(object) > 0
            || self.objects.groups_with(object).iter().any(|group| self.users_of(*group) > 0)
    }

    pub(super) fn object_is(&mut self, object: &Object, news: &mut News) {
        if self.objects.get(object.id) == Some(object) {
            return;
        }
        // Its routes lead elsewhere now, or it is not what we are about to make.
        news.lost |= self.objects.is_moving(object.id) || self.is_used(object.id);
        self.objects.learn(object.clone());
    }

    pub(super) fn object_gone(&mut self, id: u32, news: &mut News) {
        news.lost |= self.objects.is_moving(id);
        if self.objects.get(id).is_some() {
            self.objects_gone(&BTreeSet::from([id]), news);
        }
    }

    /// An interface is gone or carries nothing: so are its objects.
    pub(super) fn flush_objects(&mut self, device: u32, news: &mut News) {
        let gone: BTreeSet<u32> = self.objects.out_of(device).into_iter().collect();
        if !gone.is_empty() {
            self.objects_gone(&gone, news);
        }
    }

    fn objects_gone(&mut self, gone: &BTreeSet<u32>, news: &mut News) {
        let mut gone = gone.clone();
        let groups: BTreeSet<u32> =
            gone.iter().flat_map(|id| self.objects.groups_with(*id)).collect();
        for group in groups {
            let Some(Inside::Group(members)) = self.objects.get(group).map(|g| &g.inside) else {
                continue;
            };
            if members.iter().all(|member| gone.contains(&member.id)) {
                gone.insert(group);
            } else {
                // Smaller than it was, as its routes are.
                news.lost = true;
            }
        }
        for id in gone {
            self.objects.forget(id);
            news.doubt = true;
            let through = |route: &KernelRoute| route.object == Some(id);
            if self.have.users_of(id) > 0 {
                let taken = self.have.take_if(through);
                news.ours.extend(taken.iter().map(|route| route.key.prefix));
            }
            if self.others.users_of(id) > 0 {
                for prefix in self.others.through(id).collect::<Vec<_>>() {
                    self.others.retain(prefix, |route| !through(route));
                    news.others.insert(prefix);
                }
            }
        }
    }
}
