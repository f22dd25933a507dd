//! Interned attribute sets: stored once, pointed at by number, counted.
//!
//! Sets go in by value, numbers come out. Counting is explicit, not `Arc`'s, because a table has
//! a million paths with a few thousand sets: a path holds four octets, and a batch changes a count
//! once, not once per path. The numbers of sets that nobody uses any more are given out again.

use hashbrown::HashTable;

use super::AttrSet;

/// The number of an interned [`AttrSet`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttrId(pub u32);

/// A place in the slab.
#[derive(Debug)]
enum Slot {
    Used {
        set: AttrSet,
        uses: u32,
    },
    /// The next free place, if any.
    Free {
        next: Option<u32>,
    },
}

/// The sets of one Rib.
#[derive(Debug, Default)]
pub struct AttrStore {
    slots: Vec<Slot>,
    free: Option<u32>,
    /// Numbers by the hash of their set.
    index: HashTable<u32>,
    /// Octets that the sets hold outside the slab.
    outside: usize,
}

fn used(slots: &[Slot], number: u32) -> Option<&AttrSet> {
    match slots.get(number as usize)? {
        Slot::Used { set, .. } => Some(set),
        Slot::Free { .. } => None,
    }
}

impl AttrStore {
    /// An empty store.
    pub fn new() -> AttrStore {
        AttrStore::default()
    }

    /// The number of `set`, new or known, with one use more.
    pub fn intern(&mut self, set: AttrSet) -> AttrId {
        let known = self.index.find(set.hash(), |n| used(&self.slots, *n) == Some(&set)).copied();
        if let Some(number) = known {
            let id = AttrId(number);
            self.retain(id, 1);
            return id;
        }
        let hash = set.hash();
        self.outside += set.bytes().len();
        let slot = Slot::Used { set, uses: 1 };
        let number = match self.free.and_then(|n| Some((n, self.slots.get_mut(n as usize)?))) {
            Some((number, place)) => {
                if let Slot::Free { next } = std::mem::replace(place, slot) {
                    self.free = next;
                }
                number
            }
            None => {
                // Four thousand million sets of 100 octets do not fit into any machine we run on.
                let number = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
                self.slots.push(slot);
                number
            }
        };
        let slots = &self.slots;
        self.index.insert_unique(hash, number, |n| used(slots, *n).map_or(0, AttrSet::hash));
        AttrId(number)
    }

    /// Counts `n` uses more. Nothing happens if `id` is not in use.
    pub fn retain(&mut self, id: AttrId, n: u32) {
        if let Some(Slot::Used { uses, .. }) = self.slots.get_mut(id.0 as usize) {
            *uses = uses.saturating_add(n);
        }
    }

    /// Counts `n` uses less; with the last one the set goes, and its number may come again.
    /// Nothing happens if `id` is not in use.
    pub fn release(&mut self, id: AttrId, n: u32) {
        let Some(slot) = self.slots.get_mut(id.0 as usize) else { return };
        let Slot::Used { set, uses } = slot else { return };
        *uses = uses.saturating_sub(n);
        if *uses > 0 {
            return;
        }
        if let Ok(entry) = self.index.find_entry(set.hash(), |n| *n == id.0) {
            entry.remove();
        }
        self.outside -= set.bytes().len();
        *slot = Slot::Free { next: self.free };
        self.free = Some(id.0);
    }

    /// The set of a number in use.
    #[inline]
    pub fn get(&self, id: AttrId) -> Option<&AttrSet> {
        used(&self.slots, id.0)
    }

    /// How many uses a number has; none if it is free.
    pub fn uses(&self, id: AttrId) -> u32 {
        match self.slots.get(id.0 as usize) {
            Some(Slot::Used { uses, .. }) => *uses,
            _ => 0,
        }
    }

    /// How many different sets are in use.
    pub fn len(&self) -> usize {
        self.index.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// Octets of memory held.
    pub fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>() + self.index.allocation_size() + self.outside
    }
}

#[cfg(test)]
mod tests;
