//! Nexthop objects as the kernel holds them, and which of them are ours.
//!
//! In: dumps, news, answers to what we asked for. Out: the object of these next hops (content is
//! the key: one object for one gateway on one interface, a group for a set of several with their
//! weights), a number for one that is to be made, those of ours that nothing uses.
//!
//! Objects have a protocol but no table. So that two daemons in one namespace, which differ by table,
//! take none for a leftover that the other uses, each table has its own range of numbers ([`range`]):
//! ours is what has our protocol *and* a number of our table's range. A predecessor's are ours in
//! the same sense and used again; what others made is read, so that their routes are understood,
//! and never used, changed or removed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::learn::Owner;
use crate::types::{Hop, Hops, Inside, Member, Object, ObjectOp};

/// In place of a number: an object that is yet to be made. The kernel has none of it.
pub const UNMADE: u32 = 0;

/// Numbers of a table.
const PER_TABLE: u32 = 1 << 18;
/// Where our numbers begin: far from those that `ip nexthop` and other daemons count up from 1.
const FIRST: u32 = 1 << 30;

/// The numbers of our objects for routes in a table. Tables above 4095 share theirs with others.
pub fn range(table: u32) -> RangeInclusive<u32> {
    let first = FIRST + table % 4096 * PER_TABLE;
    first + 1..=first + (PER_TABLE - 1)
}

/// See the module.
#[derive(Clone, Default, Debug)]
pub struct Objects {
    /// Who we are, then who we were before.
    owners: Vec<Owner>,
    /// The kernel has such a thing.
    supported: bool,
    /// It said that it has none when one was to be made, whatever a dump says.
    refused: bool,
    /// No number is free.
    full: bool,
    all: BTreeMap<u32, Object>,
    /// Asked for; not answered yet.
    making: BTreeMap<u32, Object>,
    /// Asked to be removed; not answered yet.
    removing: BTreeSet<u32>,
    /// Ours by content, also those being made.
    by_content: BTreeMap<Hops, u32>,
    /// The last number that was given. None is given twice in a row.
    last: u32,
}

/// Where the object of some next hops is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// In the kernel, under this number.
    There(u32),
    /// Asked for under this number.
    Coming(u32),
    /// There is none for such next hops.
    Without,
}

impl Objects {
    /// Whether routes can be written through objects.
    pub fn usable(&self) -> bool {
        self.supported && !self.refused && !self.full
    }

    /// Tries again what the kernel said it has not.
    pub fn hope(&mut self) {
        self.refused = false;
    }

    pub(crate) fn identify(&mut self, owners: &[Owner]) {
        self.owners = owners.to_vec();
        self.index();
    }

    /// Takes a dump for the whole truth. Nothing is under way then.
    pub(crate) fn replace(&mut self, objects: Option<Vec<Object>>) {
        self.supported = objects.is_some();
        self.full = false;
        let numbered = objects.unwrap_or_default().into_iter().map(|object| (object.id, object));
        self.all = numbered.collect();
        self.making.clear();
        self.removing.clear();
        self.index();
    }

    /// An object.
    pub fn get(&self, id: u32) -> Option<&Object> {
        self.all.get(&id)
    }

    /// All of them, in order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &Object> {
        self.all.values()
    }

    /// Whether an object is ours to remove.
    pub fn is_ours(&self, object: &Object) -> bool {
        is_of(&self.owners, object)
    }

    /// Whether some object is ours because of who we were before, and can go: one that somebody
    /// led a route of his through cannot, and waiting for him could last for ever.
    pub(crate) fn has_former(&self, is_used: impl Fn(u32) -> bool) -> bool {
        let now = self.owners.get(..1).unwrap_or_default();
        let is_now = |object: &Object| is_of(now, object);
        let is_former = |object: &&Object| self.is_ours(object) && !is_now(object);
        self.all.values().filter(is_former).any(|object| !is_used(object.id))
    }

    /// The object that leads to these next hops; `None`: they need none.
    pub(crate) fn of(&self, hops: &Hops) -> Option<u32> {
        if !self.usable() || !has_object(hops) {
            return None;
        }
        let known = self.by_content.get(hops).copied();
        Some(known.filter(|id| self.all.contains_key(id)).unwrap_or(UNMADE))
    }

    /// The same, to be made if there is none: `ops` gets what that takes.
    pub(crate) fn have(&mut self, hops: &Hops, ops: &mut Vec<ObjectOp>) -> Place {
        let Some(protocol) = self.owners.first().map(|owner| owner.protocol) else {
            return Place::Without;
        };
        if !self.usable() || !has_object(hops) {
            return Place::Without;
        }
        if let Some(&id) = self.by_content.get(hops) {
            return if self.all.contains_key(&id) { Place::There(id) } else { Place::Coming(id) };
        }
        let inside = match hops.as_slice() {
            [hop] => Inside::Hop(*hop),
            hops => {
                let mut members = Vec::new();
                for hop in hops {
                    let single = Hops::from([Hop { weight: 1, ..*hop }]);
                    let (Place::There(id) | Place::Coming(id)) = self.have(&single, ops) else {
                        return Place::Without;
                    };
                    members.push(Member { id, weight: u32::from(hop.weight) });
                }
                Inside::Group(members)
            }
        };
        let Some(id) = self.number() else {
            self.full = true;
            return Place::Without;
        };
        let object = Object { id, protocol, inside };
        self.making.insert(id, object.clone());
        self.by_content.insert(hops.clone(), id);
        ops.push(ObjectOp::Make(object));
        Place::Coming(id)
    }

    /// A number that nobody has.
    fn number(&mut self) -> Option<u32> {
        let range = range(self.owners.first()?.table);
        let after = self.last.saturating_add(1).max(*range.start());
        let free = |id: &u32| !self.all.contains_key(id) && !self.making.contains_key(id);
        let id = (after..=*range.end()).chain(range.clone()).find(free)?;
        self.last = id;
        Some(id)
    }

    /// The kernel made it.
    pub(crate) fn made(&mut self, id: u32) {
        if let Some(object) = self.making.remove(&id) {
            self.all.insert(id, object);
        }
    }

    /// The kernel did not make it. `never`: it has no such thing.
    pub(crate) fn not_made(&mut self, id: u32, never: bool) {
        self.refused |= never;
        self.making.remove(&id);
        self.index();
    }

    /// From now on they are not used: they are about to be removed.
    pub(crate) fn remove(&mut self, ids: impl Iterator<Item = u32>) {
        for id in ids {
            self.all.remove(&id);
            self.removing.insert(id);
        }
        self.index();
    }

    /// That was answered.
    pub(crate) fn removed(&mut self, id: u32) {
        self.removing.remove(&id);
    }

    /// Whether one is under way: what is heard of it may be older than what will be answered.
    pub(crate) fn is_moving(&self, id: u32) -> bool {
        self.making.contains_key(&id) || self.removing.contains(&id)
    }

    /// One appeared or changed; what was known under its number before.
    pub(crate) fn learn(&mut self, object: Object) -> Option<Object> {
        let before = self.all.insert(object.id, object);
        self.index();
        before
    }

    /// One is gone.
    pub(crate) fn forget(&mut self, id: u32) -> Option<Object> {
        let gone = self.all.remove(&id)?;
        self.index();
        Some(gone)
    }

    /// What an object comes to; `None`: it, or one of its group, is not known.
    pub(crate) fn hops(&self, id: u32) -> Option<Hops> {
        self.inside(&self.all.get(&id)?.inside)
    }

    fn inside(&self, inside: &Inside) -> Option<Hops> {
        match inside {
            Inside::Hop(hop) => Some(Hops::from([*hop])),
            Inside::Other(hop) => Some(hop.iter().copied().collect()),
            Inside::Group(members) => {
                let one = |member: &Member| {
                    let object = self.all.get(&member.id).or(self.making.get(&member.id))?;
                    let (Inside::Hop(hop) | Inside::Other(Some(hop))) = object.inside else {
                        return None;
                    };
                    let weight = u16::try_from(member.weight).unwrap_or(u16::MAX);
                    Some(Hop { weight, ..hop })
                };
                let mut hops = members.iter().map(one).collect::<Option<Hops>>()?;
                if let [only] = hops.as_mut_slice() {
                    only.weight = 1;
                }
                Some(hops)
            }
        }
    }

    /// Objects that lead out of an interface, no groups.
    pub(crate) fn out_of(&self, device: u32) -> Vec<u32> {
        let leads = |object: &&Object| match object.inside {
            Inside::Hop(hop) | Inside::Other(Some(hop)) => hop.device == device,
            Inside::Group(_) | Inside::Other(None) => false,
        };
        self.all.values().filter(leads).map(|object| object.id).collect()
    }

    /// The groups that an object is a member of.
    pub(crate) fn groups_with(&self, id: u32) -> Vec<u32> {
        let has = |object: &&Object| members(object).iter().any(|member| member.id == id);
        self.all.values().filter(has).map(|object| object.id).collect()
    }

    /// Ours that no route uses (as `is_used` says) and no group that stays: groups first.
    pub(crate) fn unused(&self, is_used: impl Fn(u32) -> bool) -> Vec<Object> {
        let idle = |object: &&Object| self.is_ours(object) && !is_used(object.id);
        let is_group = |object: &&Object| matches!(object.inside, Inside::Group(_));
        let groups: Vec<&Object> = self.all.values().filter(idle).filter(is_group).collect();
        let goes = |object: &Object| groups.iter().any(|group| group.id == object.id);
        let kept: BTreeSet<u32> = self
            .all
            .values()
            .chain(self.making.values())
            .filter(|object| !goes(object))
            .flat_map(members)
            .map(|member| member.id)
            .collect();
        let singles = self.all.values().filter(idle).filter(|object| !is_group(object));
        let singles = singles.filter(|object| !kept.contains(&object.id));
        groups.iter().copied().chain(singles).cloned().collect()
    }

    /// Finds ours by their content. Of two alike the one with the smaller number counts.
    fn index(&mut self) {
        let now = self.owners.get(..1).unwrap_or_default();
        let mut by_content = BTreeMap::new();
        for object in self.all.values().chain(self.making.values()) {
            let is_plain = !matches!(object.inside, Inside::Other(_));
            if is_plain
                && is_of(now, object)
                && let Some(mut hops) = self.inside(&object.inside)
                && has_object(&hops)
            {
                hops.sort_unstable();
                by_content.entry(hops).or_insert(object.id);
            }
        }
        self.by_content = by_content;
    }
}

fn is_of(owners: &[Owner], object: &Object) -> bool {
    owners
        .iter()
        .any(|owner| owner.protocol == object.protocol && range(owner.table).contains(&object.id))
}

fn members(object: &Object) -> &[Member] {
    match &object.inside {
        Inside::Group(members) => members,
        Inside::Hop(_) | Inside::Other(_) => &[],
    }
}

/// Whether there can be an object for these: each has a gateway, which tells the family.
fn has_object(hops: &Hops) -> bool {
    !hops.is_empty() && hops.iter().all(|hop| hop.gateway.is_some())
}

#[cfg(test)]
mod tests;
