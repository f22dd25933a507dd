//! What an entry of an Adj-RIB-Out is about, by number.
//!
//! Where prefixes go out alone that is a destination, and its number in the table is the slot's.
//! Where they go out with path identifiers (RFC 7911) it is one path: a destination and a source,
//! numbered by a slab. The path identifier follows from the source's number, so it stays the same
//! while the path does, and two paths to one prefix never share it.

use crate::slab::{Slab, Sparse};
use crate::table::SourceId;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) enum Slots {
    /// A slot is a destination.
    Destinations,
    /// A slot is a path.
    Paths(Paths),
}

/// Slots of paths, chained by destination.
#[derive(Clone, Debug, Default)]
pub(crate) struct Paths {
    slab: Slab<Path>,
    /// Per destination: its first slot + 1.
    first: Sparse<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Path {
    dest: u32,
    source: SourceId,
    /// The destination's next slot + 1; 0: this was the last.
    next: u32,
}

/// What a path identifier says to the neighbour: nothing but which path is meant. Not 0, which
/// some speakers take for none.
pub(crate) fn path_id(source: SourceId) -> u32 {
    source.0 + 1
}

impl Paths {
    fn of(&self, dest: u32) -> impl Iterator<Item = (u32, Path)> {
        let mut next = self.first.get(dest);
        std::iter::from_fn(move || {
            let slot = next.checked_sub(1)?;
            let path = *self.slab.get(slot)?;
            next = path.next;
            Some((slot, path))
        })
    }

    fn insert(&mut self, dest: u32, source: SourceId) -> u32 {
        let slot = self.slab.insert(Path { dest, source, next: self.first.get(dest) });
        self.first.set(dest, slot + 1);
        slot
    }

    /// Forgets a slot; returns its destination if that has no other.
    fn remove(&mut self, slot: u32) -> Option<u32> {
        let Path { dest, next, .. } = self.slab.remove(slot)?;
        let before = self.of_unlinking(dest, slot);
        match before.and_then(|before| self.slab.get_mut(before)) {
            Some(before) => before.next = next,
            None => self.first.set(dest, next),
        }
        (self.first.get(dest) == 0).then_some(dest)
    }

    /// The slot whose next one is `slot`, which is gone from the slab already.
    fn of_unlinking(&self, dest: u32, slot: u32) -> Option<u32> {
        self.of(dest).find(|(_, path)| path.next == slot + 1).map(|(before, _)| before)
    }
}

impl Slots {
    /// For a family with path identifiers, or without.
    pub(crate) fn new(with_path_ids: bool) -> Slots {
        if with_path_ids { Slots::Paths(Paths::default()) } else { Slots::Destinations }
    }

    /// Octets of memory held.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Slots::Destinations => 0,
            Slots::Paths(paths) => paths.slab.bytes() + paths.first.bytes(),
        }
    }

    /// The slot of a path, if it has one.
    pub(crate) fn find(&self, dest: u32, source: SourceId) -> Option<u32> {
        match self {
            Slots::Destinations => Some(dest),
            Slots::Paths(paths) => {
                paths.of(dest).find(|(_, path)| path.source == source).map(|(slot, _)| slot)
            }
        }
    }

    /// The slot of a path, a new one if it had none.
    pub(crate) fn find_or_insert(&mut self, dest: u32, source: SourceId) -> u32 {
        match (self.find(dest, source), self) {
            (Some(slot), _) => slot,
            (None, Slots::Paths(paths)) => paths.insert(dest, source),
            (None, Slots::Destinations) => dest,
        }
    }

    /// Appends the slots of a destination.
    pub(crate) fn of(&self, dest: u32, to: &mut Vec<u32>) {
        match self {
            Slots::Destinations => to.push(dest),
            Slots::Paths(paths) => to.extend(paths.of(dest).map(|(slot, _)| slot)),
        }
    }

    /// The destination of a slot, and where paths have slots of their own the source.
    #[inline]
    pub(crate) fn key(&self, slot: u32) -> Option<(u32, Option<SourceId>)> {
        match self {
            Slots::Destinations => Some((slot, None)),
            Slots::Paths(paths) => paths.slab.get(slot).map(|path| (path.dest, Some(path.source))),
        }
    }

    /// The entry of a slot is gone. Returns the destination if it has no other slot.
    pub(crate) fn free(&mut self, slot: u32) -> Option<u32> {
        match self {
            Slots::Destinations => Some(slot),
            Slots::Paths(paths) => paths.remove(slot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_its_own_slot() {
        let mut slots = Slots::new(false);
        assert_eq!(slots.find_or_insert(7, SourceId(3)), 7);
        assert_eq!(slots.key(7), Some((7, None)));
        assert_eq!(slots.free(7), Some(7));
    }

    #[test]
    fn paths_of_a_destination_come_and_go() {
        let mut slots = Slots::new(true);
        let [a, b, c] = [3, 4, 5].map(|source| slots.find_or_insert(7, SourceId(source)));
        let other = slots.find_or_insert(8, SourceId(3));
        assert_eq!(slots.find_or_insert(7, SourceId(4)), b);
        assert_eq!(slots.key(c), Some((7, Some(SourceId(5)))));
        let of = |slots: &Slots, dest| {
            let mut all = Vec::new();
            slots.of(dest, &mut all);
            all.sort_unstable();
            all
        };
        assert_eq!(of(&slots, 7), [a, b, c]);
        assert_eq!(slots.free(b), None);
        assert_eq!(of(&slots, 7), [a, c]);
        assert_eq!(slots.free(c), None);
        assert_eq!(slots.free(c), None, "it is gone already");
        assert_eq!(slots.free(a), Some(7));
        assert_eq!((of(&slots, 7), of(&slots, 8)), (vec![], vec![other]));
        assert_eq!(slots.find(7, SourceId(3)), None);
    }
}
