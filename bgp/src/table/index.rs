//! One family's destinations: paged slab, and a hash index of numbers over it.
//!
//! The index holds a `u32` a destination and reads the prefix out of the slab, so a prefix is
//! stored once. Longest match (which only `bgpctl` asks for) is one lookup per length.
//!
//! A lookup in a table that is larger than the caches is three misses, each waiting for the one
//! before: index, number, destination. [`Ahead`] looks the next prefixes of a batch up together, one
//! step of all of them at a time, so that the processor waits for many at once.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::dest::Dest;
use crate::msg::RouteBatch;
use crate::slab::{Slab, Sparse};
use crate::types::{Family, Prefix, V4, V6};

/// Fixed, so that the same input gives the same run.
const SEED: u64 = 0x7374_6172_6c69_6e67;

/// An index of fewer is not worth being made smaller (few in tests, so that they see it done).
const SMALL: usize = if cfg!(test) { 8 } else { 4096 };

/// So many prefixes are looked up ahead: enough to keep every line fill buffer of a core busy, few
/// enough for what was fetched to be there still when it is used.
const AHEAD: usize = 64;

/// See the module.
#[derive(Clone, Debug)]
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

    /// Octets of memory held, but for the paths of destinations that have several.
    pub(crate) fn bytes(&self) -> usize {
        self.dests.bytes()
            + self.index.allocation_size()
            + self.more.bytes()
            + self.touched.capacity() * size_of::<u32>()
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
        self.find_at(self.hasher.hash_one(prefix), prefix)
    }

    #[inline]
    fn find_at(&self, hash: u64, prefix: P) -> Option<u32> {
        self.index.find(hash, |id| self.is(*id, prefix)).copied()
    }

    /// The number of `prefix`, a new one if it had none.
    pub(crate) fn find_or_insert(&mut self, prefix: P) -> u32 {
        self.at_or_insert(prefix, Spot::unknown(self, prefix))
    }

    /// The number of a prefix that was looked up ahead. What became of others meanwhile may have
    /// moved it: then it is looked up again.
    #[inline]
    pub(crate) fn at(&self, prefix: P, spot: Spot) -> Option<u32> {
        match self.is(spot.id, prefix) {
            true => Some(spot.id),
            false => self.find_at(spot.hash, prefix),
        }
    }

    /// The same, a new number if it has none.
    #[inline]
    pub(crate) fn at_or_insert(&mut self, prefix: P, spot: Spot) -> u32 {
        if let Some(id) = self.at(prefix, spot) {
            return id;
        }
        if self.index.len() == self.index.capacity() {
            self.reindex();
        }
        let id = self.dests.insert(Dest::new(prefix));
        let Table { dests, index, hasher, .. } = self;
        let hash = |id: &u32| dests.get(*id).map_or(0, |d| hasher.hash_one(d.prefix));
        index.insert_unique(spot.hash, id, hash);
        id
    }

    /// Looks `prefixes` up together; `spots` gets what was found.
    fn look_up(&self, prefixes: &[P], spots: &mut Vec<Spot>) {
        spots.clear();
        let hashes = prefixes.iter().map(|prefix| self.hasher.hash_one(prefix));
        spots.extend(hashes.map(|hash| Spot { hash, id: NOWHERE }));
        // Loops so short that the processor is many lookups ahead of the one that it waits for:
        // first whatever is in the index under that hash, nearly always the right one, …
        for spot in spots.iter_mut() {
            spot.id = self.index.find(spot.hash, |_| true).copied().unwrap_or(NOWHERE);
        }
        // … then whether it is.
        for (spot, prefix) in spots.iter_mut().zip(prefixes) {
            if !self.is(spot.id, *prefix) {
                spot.id = NOWHERE;
            }
        }
    }

    /// Makes the index anew, of the size that fits. Read in the order of the slab, and without the
    /// former one beside it, that costs neither many misses nor memory.
    fn reindex(&mut self) {
        self.index = HashTable::new();
        let mut index = HashTable::with_capacity(self.len() + self.len() / 2 + 8);
        for id in 0..self.dests.end() {
            if let Some(dest) = self.dests.get(id) {
                index.insert_unique(self.hasher.hash_one(dest.prefix), id, |_| 0);
            }
        }
        self.index = index;
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
        if self.index.len() < self.index.capacity() / 8 && self.index.capacity() > SMALL {
            self.reindex();
        }
    }

    /// Forgets those of `ids` that have no paths and that nobody else `holds`.
    pub(crate) fn remove_unused(&mut self, ids: &[u32], holds: impl Fn(u32) -> bool) {
        let (mut unused, mut hashes) = (Vec::with_capacity(AHEAD), Vec::with_capacity(AHEAD));
        for ids in ids.chunks(AHEAD) {
            unused.clear();
            let dests = ids.iter().filter_map(|id| Some((*id, self.dests.get(*id)?)));
            unused.extend(dests.filter(|(_, d)| d.is_empty()).map(|(id, d)| (id, d.prefix)));
            unused.retain(|(id, _)| !holds(*id));
            // Fetches the places in the index together; see `look_up`.
            hashes.clear();
            hashes.extend(unused.iter().map(|(_, prefix)| self.hasher.hash_one(prefix)));
            let there = hashes.iter().filter(|hash| self.index.find(**hash, |_| true).is_some());
            if there.count() > 0 {
                unused.iter().for_each(|(id, _)| self.remove(*id));
            }
        }
    }

    fn is(&self, id: u32, prefix: P) -> bool {
        self.get(id).is_some_and(|d| d.prefix == prefix)
    }
}

/// Stands for "not found" in a [`Spot`]; no slab grows so far.
const NOWHERE: u32 = u32::MAX;

/// Where a prefix was when it was looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    hash: u64,
    id: u32,
}

impl Spot {
    /// Of a prefix that was not looked up.
    pub(crate) fn unknown<P: Prefix>(table: &Table<P>, prefix: P) -> Spot {
        Spot { hash: table.hasher.hash_one(prefix), id: NOWHERE }
    }
}

/// The prefixes of an arena, looked up some at a time, a little before they are used.
#[derive(Debug)]
pub(crate) struct Ahead<'b, P> {
    arena: &'b [P],
    /// What is known of `arena[first..]`.
    spots: Vec<Spot>,
    first: usize,
}

impl<'b, P: Prefix> Ahead<'b, P> {
    /// Nothing looked up yet.
    pub(crate) fn of(arena: &'b [P]) -> Ahead<'b, P> {
        Ahead { arena, spots: Vec::new(), first: 0 }
    }

    /// The prefix at a place of the arena, and where it is in the table.
    #[inline]
    pub(crate) fn get(&mut self, at: usize, table: &Table<P>) -> Option<(P, Spot)> {
        let prefix = *self.arena.get(at)?;
        if at.wrapping_sub(self.first) >= self.spots.len() {
            let end = self.arena.len().min(at + AHEAD);
            self.first = at;
            table.look_up(self.arena.get(at..end)?, &mut self.spots);
        }
        let spot = self.spots.get(at - self.first)?;
        Some((prefix, *spot))
    }
}

/// The further hops of a multipath route, by number; the default: none.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct More(pub(crate) u32);

/// The tables of both families.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    pub(crate) v4: Table<V4>,
    pub(crate) v6: Table<V6>,
}

/// Picks what belongs to a family by the type of its prefixes, so that code is written once.
pub(crate) trait Keyed: Prefix {
    fn table(tables: &Tables) -> &Table<Self>;
    fn table_mut(tables: &mut Tables) -> &mut Table<Self>;
    /// The path identifiers of a batch.
    fn path_ids(batch: &RouteBatch) -> &[u32];
}

impl Keyed for V4 {
    fn table(tables: &Tables) -> &Table<V4> {
        &tables.v4
    }
    fn table_mut(tables: &mut Tables) -> &mut Table<V4> {
        &mut tables.v4
    }
    fn path_ids(batch: &RouteBatch) -> &[u32] {
        &batch.v4_ids
    }
}

impl Keyed for V6 {
    fn table(tables: &Tables) -> &Table<V6> {
        &tables.v6
    }
    fn table_mut(tables: &mut Tables) -> &mut Table<V6> {
        &mut tables.v6
    }
    fn path_ids(batch: &RouteBatch) -> &[u32] {
        &batch.v6_ids
    }
}

/// The place of a family in an array of two.
pub(crate) fn slot_of(family: Family) -> usize {
    match family {
        Family::Ipv4 => 0,
        Family::Ipv6 => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(n: u32) -> V4 {
        V4::from_wire(24, &(n << 8).to_be_bytes()).unwrap()
    }

    #[test]
    fn what_was_looked_up_ahead_may_have_moved() {
        let mut table = Table::default();
        let arena: Vec<V4> = (0..200).chain(0..200).map(prefix).collect();
        let mut ahead = Ahead::of(&arena);
        for (at, expected) in arena.iter().enumerate() {
            let (prefix, spot) = ahead.get(at, &table).unwrap();
            assert_eq!(prefix, *expected);
            // New the first time, also where the second time was looked up along with it.
            assert_eq!(table.at_or_insert(prefix, spot), at as u32 % 200);
        }
        // Twice among those that are looked up together, and new.
        let twice = [prefix(9000), prefix(9000)];
        let mut ahead_of_both = Ahead::of(&twice);
        let mut number = |at| {
            let (prefix, spot) = ahead_of_both.get(at, &table).unwrap();
            table.at_or_insert(prefix, spot)
        };
        assert_eq!((number(0), number(1)), (200, 200));
        let (five, spot) = Ahead::of(&arena[5..6]).get(0, &table).unwrap();
        assert_eq!(table.at(five, spot), Some(5));
        table.remove(5);
        table.find_or_insert(prefix(1000));
        assert_eq!((table.at(five, spot), table.find(prefix(1000))), (None, Some(5)));
        assert_ne!(table.at_or_insert(five, spot), 5);
        assert_eq!(ahead.get(400, &table).map(|(prefix, _)| prefix), None);
    }

    #[test]
    fn the_index_grows_and_shrinks_with_the_table() {
        let mut table = Table::default();
        let all: Vec<u32> = (0..5000).map(|n| table.find_or_insert(prefix(n))).collect();
        let large = table.index.capacity();
        table.remove_unused(&all, |id| id == 77 || id > 4990);
        assert_eq!(table.len(), 10);
        assert!(table.index.capacity() < large / 16, "{}", table.index.capacity());
        for n in 0..5000 {
            let id = (n == 77 || n > 4990).then_some(n);
            assert_eq!(table.find(prefix(n)), id);
        }
    }
}
