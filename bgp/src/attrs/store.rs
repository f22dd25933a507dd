//! Interned attribute sets: stored once, pointed at by number, counted.
//!
//! Sets go in by value, numbers come out. Counting is explicit, not `Arc`'s, because a table has
//! a million paths with a few thousand sets: a path holds four octets, and a batch changes a count
//! once, not once per path. The numbers of sets that nobody uses any more are given out again.

use hashbrown::HashTable;

use super::AttrSet;
use crate::slab::Slab;

/// The number of an interned [`AttrSet`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttrId(pub u32);

/// An index of fewer sets is not worth being made smaller.
const SMALL: usize = 4096;

/// So many sets are looked up together.
const TOGETHER: usize = 32;

/// A set and how many uses it has.
#[derive(Clone, Debug)]
struct Used {
    set: AttrSet,
    uses: u32,
}

/// The sets of one Rib.
#[derive(Clone, Debug, Default)]
pub struct AttrStore {
    sets: Slab<Used>,
    /// Numbers by the hash of their set.
    index: HashTable<u32>,
    /// Octets that the sets hold outside the slab.
    outside: usize,
}

/// The hash under which a number is in the index.
fn hash_of(sets: &Slab<Used>, number: u32) -> u64 {
    sets.get(number).map_or(0, |used| used.set.hash())
}

impl AttrStore {
    /// An empty store.
    pub fn new() -> AttrStore {
        AttrStore::default()
    }

    /// The number of `set`, new or known, with one use more.
    pub fn intern(&mut self, set: AttrSet) -> AttrId {
        let AttrStore { sets, index, outside } = self;
        let is_it = |number: &u32| sets.get(*number).is_some_and(|used| used.set == set);
        if let Some(number) = index.find(set.hash(), is_it).copied() {
            let id = AttrId(number);
            self.retain(id, 1);
            return id;
        }
        let hash = set.hash();
        *outside += set.outside();
        let number = sets.insert(Used { set, uses: 1 });
        index.insert_unique(hash, number, |number| hash_of(sets, *number));
        AttrId(number)
    }

    /// The numbers of several sets. Where those lie that may be the same is looked up together:
    /// the misses of one do not wait for those of another.
    pub fn intern_all(&mut self, sets: Vec<AttrSet>) -> Vec<AttrId> {
        let mut ids = Vec::with_capacity(sets.len());
        let mut sets = sets.into_iter();
        while !sets.as_slice().is_empty() {
            let next = sets.as_slice().get(..TOGETHER).unwrap_or(sets.as_slice());
            let known = next.iter().map(|set| self.index.find(set.hash(), |_| true).copied());
            let mut candidates = [None; TOGETHER];
            candidates.iter_mut().zip(known).for_each(|(to, known)| *to = known);
            let there = candidates.iter().flatten().filter_map(|number| self.sets.get(*number));
            // Read, and the first of their bytes, so that they are there when compared.
            let octets = there.filter_map(|used| used.set.bytes().first());
            std::hint::black_box(octets.fold(0, |all, octet| all | octet));
            let count = next.len();
            ids.extend(sets.by_ref().take(count).map(|set| self.intern(set)));
        }
        ids
    }

    /// Counts `n` uses more. Nothing happens if `id` is not in use.
    #[inline]
    pub fn retain(&mut self, id: AttrId, n: u32) {
        if let Some(used) = self.sets.get_mut(id.0) {
            used.uses = used.uses.saturating_add(n);
        }
    }

    /// Counts `n` uses less; with the last one the set goes, and its number may come again.
    /// Nothing happens if `id` is not in use.
    pub fn release(&mut self, id: AttrId, n: u32) {
        let Some(used) = self.sets.get_mut(id.0) else { return };
        used.uses = used.uses.saturating_sub(n);
        if used.uses > 0 {
            return;
        }
        let Some(Used { set, .. }) = self.sets.remove(id.0) else { return };
        if let Ok(entry) = self.index.find_entry(set.hash(), |number| *number == id.0) {
            entry.remove();
        }
        self.outside -= set.outside();
        if self.index.len() < self.index.capacity() / 8 && self.index.capacity() > SMALL {
            let AttrStore { sets, index, .. } = self;
            index.shrink_to(index.len() * 2, |number| hash_of(sets, *number));
        }
    }

    /// The set of a number in use.
    #[inline]
    pub fn get(&self, id: AttrId) -> Option<&AttrSet> {
        self.sets.get(id.0).map(|used| &used.set)
    }

    /// How many uses a number has; none if it is free.
    pub fn uses(&self, id: AttrId) -> u32 {
        self.sets.get(id.0).map_or(0, |used| used.uses)
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
        self.sets.bytes() + self.index.allocation_size() + self.outside
    }
}

#[cfg(test)]
mod tests;
