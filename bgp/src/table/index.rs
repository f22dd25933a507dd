//! One family's destinations: paged slab, and a hash index of numbers over it.
//!
//! The index holds a `u32` a destination and reads the prefix out of the slab, so a prefix is
//! stored once. Longest match (which only `bgpctl` asks for) is one lookup per length.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::dest::Dest;
use super::slab::{Slab, Sparse};
use crate::msg::RouteBatch;
use crate::types::{Family, Prefix, V4, V6};

/// Fixed, so that the same input gives the same run.
const SEED: u64 = 0x7374_6172_6c69_6e67;

/// See the module.
#[derive(Debug)]
pub(crate) struct Table<P> {
    dests: Slab<Dest<P>>,
    index: HashTable<u32>,
    hasher: FixedState,
    /// Destinations whose paths changed, or whose next hop did, since the last decision; one may
    /// be named twice, and may be gone by now.
    pub(crate) touched: Vec<u32>,
    /// The further hops of multipath routes, as the Fib was told.
    more: Sparse<More>,
}

impl<P> Default for Table<P> {
    fn default() -> Self {
        Table {
            dests: Slab::default(),
            index: HashTable::new(),
            hasher: FixedState::with_seed(SEED),
            touched: Vec::new(),
            more: Sparse::default(),
        }
    }
}

impl<P: Prefix> Table<P> {
    pub(crate) fn len(&self) -> usize {
        self.dests.len()
    }

    /// One more than the highest number of a destination: `0..end()` walks them all.
    pub(crate) fn end(&self) -> u32 {
        self.dests.end()
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&Dest<P>> {
        self.dests.get(id)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Dest<P>> {
        self.dests.get_mut(id)
    }

    pub(crate) fn find(&self, prefix: P) -> Option<u32> {
        let hash = self.hasher.hash_one(prefix);
        self.index.find(hash, |id| self.is(*id, prefix)).copied()
    }

    /// The number of `prefix`, a new one if it had none.
    pub(crate) fn find_or_insert(&mut self, prefix: P) -> u32 {
        let hash = self.hasher.hash_one(prefix);
        let Table { dests, index, hasher, .. } = self;
        let entry = index.entry(
            hash,
            |id| dests.get(*id).is_some_and(|d| d.prefix == prefix),
            |id| dests.get(*id).map_or(0, |d| hasher.hash_one(d.prefix)),
        );
        match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let id = dests.insert(Dest::new(prefix));
                entry.insert(id);
                id
            }
        }
    }

    /// The further hops of a destination's route.
    #[inline]
    pub(crate) fn more(&self, id: u32) -> More {
        self.more.get(id)
    }

    #[inline]
    pub(crate) fn set_more(&mut self, id: u32, more: More) {
        self.more.set(id, more);
    }

    /// Every destination is to be decided again.
    pub(crate) fn touch_all(&mut self) {
        self.touched.clear();
        self.touched.extend((0..self.dests.end()).filter(|id| self.dests.get(*id).is_some()));
    }

    /// Forgets a destination that has no paths.
    pub(crate) fn remove(&mut self, id: u32) {
        let Some(dest) = self.dests.remove(id) else { return };
        let hash = self.hasher.hash_one(dest.prefix);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id) {
            entry.remove();
        }
    }

    fn is(&self, id: u32, prefix: P) -> bool {
        self.get(id).is_some_and(|d| d.prefix == prefix)
    }
}

/// The further hops of a multipath route, by number; the default: none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct More(pub(crate) u32);

/// The tables of both families.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub(crate) v4: Table<V4>,
    pub(crate) v6: Table<V6>,
}

/// Picks what belongs to a family by the type of its prefixes, so that code is written once.
pub(crate) trait Keyed: Prefix {
    fn table(tables: &Tables) -> &Table<Self>;
    fn table_mut(tables: &mut Tables) -> &mut Table<Self>;
    /// The prefixes of a batch, and their path identifiers.
    fn arena(batch: &RouteBatch) -> (&[Self], &[u32]);
}

impl Keyed for V4 {
    fn table(tables: &Tables) -> &Table<V4> {
        &tables.v4
    }
    fn table_mut(tables: &mut Tables) -> &mut Table<V4> {
        &mut tables.v4
    }
    fn arena(batch: &RouteBatch) -> (&[V4], &[u32]) {
        (&batch.v4, &batch.v4_ids)
    }
}

impl Keyed for V6 {
    fn table(tables: &Tables) -> &Table<V6> {
        &tables.v6
    }
    fn table_mut(tables: &mut Tables) -> &mut Table<V6> {
        &mut tables.v6
    }
    fn arena(batch: &RouteBatch) -> (&[V6], &[u32]) {
        (&batch.v6, &batch.v6_ids)
    }
}

/// The place of a family in an array of two.
pub(crate) fn slot_of(family: Family) -> usize {
    match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 1,
    }
}
