//! Adj-RIB-Out of a group, one family: what its readers are told, and how far each has read.
//!
//! An entry per destination, found by the destination's number, and the [`Log`] of last changes.
//! A change moves the entry to the log's end, so a reader that comes by later sees only the last
//! one: the backlog of a slow peer is bounded by the table. A withdrawn entry stays, to be read
//! as a withdrawal, until every reader that may have been told of the route has passed it.

use std::collections::{BTreeMap, VecDeque};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::chunk::ChunkCache;
use super::log::Log;
use crate::attrs::AttrId;
use crate::rib::sets::Sets;
use crate::rib::slab::Sparse;
use crate::types::PeerId;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// There is no entry.
    Absent,
    Announced,
    /// A reader may still have to hear it.
    Withdrawn,
}

/// What is said about a destination.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    /// As chosen (what becomes of it on the way out is the group's, and is not stored); an
    /// announced entry holds one reference.
    pub(crate) attr: AttrId,
    /// Where the route came from; it is not told back there.
    pub(crate) source: PeerId,
    /// The lower half of its place in the log: enough to tell its own place from stale ones.
    place: u32,
    pub(crate) state: State,
    /// The route came from somewhere else before: `source` may have been told that one.
    pub(crate) moved: bool,
}

impl Default for Entry {
    fn default() -> Entry {
        let (attr, source) = (AttrId(0), PeerId::LOCAL);
        Entry { attr, source, place: 0, state: State::Absent, moved: false }
    }
}

/// How far a reader has come.
#[derive(Debug)]
pub(crate) struct Reader {
    /// The place it reads next.
    pub(crate) next: u64,
    /// Withdrawals before this place do not concern it: when it began (again), they were past.
    fresh: u64,
    /// It is owed an End-of-RIB when it has caught up.
    pub(crate) end_due: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct AdjOut {
    entries: Sparse<Entry>,
    /// Entries by state.
    announced: usize,
    withdrawn: usize,
    pub(crate) log: Log,
    readers: BTreeMap<PeerId, Reader>,
    /// Places and destinations of withdrawn entries, in the order of the log; some are stale.
    tombs: VecDeque<(u64, u32)>,
    /// Announced entries by source, our own routes left out.
    by_source: HashMap<PeerId, u32, FixedState>,
    pub(crate) cache: ChunkCache,
}

impl AdjOut {
    /// What is announced for a destination, if it is: attributes and source.
    #[inline]
    pub(crate) fn said(&self, dest: u32) -> Option<(AttrId, PeerId)> {
        let entry = self.entries.get(dest);
        (entry.state == State::Announced).then_some((entry.attr, entry.source))
    }

    /// The destination is announced (anew), with these attributes as we chose them.
    #[inline]
    pub(crate) fn announce(&mut self, dest: u32, attr: AttrId, source: PeerId, sets: &mut Sets) {
        let old = self.entries.get(dest);
        let moved = match old.state {
            State::Absent => false,
            State::Announced => {
                self.unsay(&old, sets);
                old.moved || old.source != source
            }
            State::Withdrawn => {
                self.withdrawn -= 1;
                true
            }
        };
        sets.retain(attr);
        self.announced += 1;
        if source != PeerId::LOCAL {
            *self.by_source.entry(source).or_insert(0) += 1;
        }
        let place = self.log.push(dest) as u32;
        self.entries.set(dest, Entry { attr, source, place, state: State::Announced, moved });
        self.squeeze_if_wasteful();
    }

    /// An announced destination has other attributes that go out as the same ones.
    pub(crate) fn replace(&mut self, dest: u32, attr: AttrId, sets: &mut Sets) {
        let old = self.entries.get(dest);
        sets.retain(attr);
        sets.release(old.attr);
        self.entries.set(dest, Entry { attr, ..old });
    }

    /// An announced destination is withdrawn.
    pub(crate) fn withdraw(&mut self, dest: u32, sets: &mut Sets) {
        let old = self.entries.get(dest);
        self.unsay(&old, sets);
        self.withdrawn += 1;
        let place = self.log.push(dest);
        self.entries.set(dest, Entry { state: State::Withdrawn, place: place as u32, ..old });
        self.tombs.push_back((place, dest));
        self.squeeze_if_wasteful();
    }

    /// An announced entry is about to be something else.
    fn unsay(&mut self, old: &Entry, sets: &mut Sets) {
        sets.release(old.attr);
        self.announced -= 1;
        if old.source != PeerId::LOCAL
            && let Some(count) = self.by_source.get_mut(&old.source)
        {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&old.source);
            }
        }
    }

    /// The entry of `dest`, if `place` is its place.
    #[inline]
    pub(crate) fn live(&self, place: u64, dest: u32) -> Option<Entry> {
        let entry = self.entries.get(dest);
        (entry.state != State::Absent && entry.place == place as u32).then_some(entry)
    }

    /// Whether there is an entry.
    pub(crate) fn holds(&self, dest: u32) -> bool {
        self.entries.get(dest).state != State::Absent
    }

    /// Whether a reader that begins now will be told a route to `dest`.
    pub(crate) fn tells(&self, dest: u32, reader: PeerId) -> bool {
        let entry = self.entries.get(dest);
        entry.state == State::Announced && entry.source != reader
    }

    /// Every destination with an entry.
    pub(crate) fn present(&self) -> impl Iterator<Item = u32> {
        let all = self.log.from(self.log.start());
        all.filter(|(place, dest)| self.live(*place, *dest).is_some()).map(|(_, dest)| dest)
    }

    // ---- readers ----

    /// A reader that was told nothing yet.
    pub(crate) fn join(&mut self, peer: PeerId) {
        let (next, fresh) = (self.log.start(), self.log.end());
        self.readers.insert(peer, Reader { next, fresh, end_due: true });
    }

    /// A reader starts over. Withdrawals that it has not read yet do concern it.
    pub(crate) fn restart(&mut self, peer: PeerId) {
        let start = self.log.start();
        if let Some(reader) = self.readers.get_mut(&peer) {
            reader.fresh = reader.fresh.max(reader.next);
            reader.next = start;
            reader.end_due = true;
        }
    }

    /// A reader is gone; `freed` gets the destinations whose withdrawal waited for it alone.
    pub(crate) fn leave(&mut self, peer: PeerId, freed: &mut Vec<u32>) {
        self.readers.remove(&peer);
        self.bury(freed);
    }

    pub(crate) fn readers(&self) -> usize {
        self.readers.len()
    }

    pub(crate) fn reader(&self, peer: PeerId) -> Option<&Reader> {
        self.readers.get(&peer)
    }

    /// The withdrawals before this place do not concern the reader.
    pub(crate) fn fresh(&self, peer: PeerId) -> u64 {
        self.readers.get(&peer).map_or(0, |r| r.fresh)
    }

    /// The reader has read up to `place`.
    pub(crate) fn advance(&mut self, peer: PeerId, place: u64, freed: &mut Vec<u32>) {
        if let Some(reader) = self.readers.get_mut(&peer) {
            reader.next = place;
            if self.tombs.front().is_some_and(|(tomb, _)| *tomb < place) {
                self.bury(freed);
            }
        }
    }

    /// Whether the reader is owed an End-of-RIB now; it is not any more.
    pub(crate) fn take_end(&mut self, peer: PeerId) -> bool {
        let end = self.log.end();
        let reader = self.readers.get_mut(&peer).filter(|r| r.next >= end);
        reader.is_some_and(|r| std::mem::take(&mut r.end_due))
    }

    /// Drops the withdrawn entries that every reader has passed.
    fn bury(&mut self, freed: &mut Vec<u32>) {
        let passed = self.readers.values().map(|r| r.next.max(r.fresh)).min().unwrap_or(u64::MAX);
        while let Some((place, dest)) = self.tombs.front().copied()
            && place < passed
        {
            self.tombs.pop_front();
            let entry = self.live(place, dest);
            if entry.is_some_and(|e| e.state == State::Withdrawn) {
                self.entries.set(dest, Entry::default());
                self.withdrawn -= 1;
                freed.push(dest);
            }
        }
    }

    fn squeeze_if_wasteful(&mut self) {
        if !self.log.is_wasteful(self.announced + self.withdrawn) {
            return;
        }
        let AdjOut { entries, log, readers, tombs, cache, .. } = self;
        let mut marks: Vec<&mut u64> =
            readers.values_mut().flat_map(|r| [&mut r.next, &mut r.fresh]).collect();
        marks.sort_unstable();
        tombs.clear();
        cache.clear();
        log.squeeze(
            |place, dest, new| {
                let mut entry = entries.get(dest);
                let live = entry.state != State::Absent && entry.place == place as u32;
                if live {
                    entry.place = new as u32;
                    entries.set(dest, entry);
                    if entry.state == State::Withdrawn {
                        tombs.push_back((new, dest));
                    }
                }
                live
            },
            &mut marks,
        );
    }

    /// The group is no more: gives up what it holds.
    pub(crate) fn dissolve(self, sets: &mut Sets, freed: &mut Vec<u32>) {
        for (place, dest) in self.log.from(self.log.start()) {
            match self.live(place, dest) {
                Some(entry) if entry.state == State::Announced => sets.release(entry.attr),
                Some(_) => freed.push(dest),
                None => {}
            }
        }
    }

    /// How many routes a reader has been told and not withdrawn.
    pub(crate) fn sent(&self, peer: PeerId) -> u32 {
        let Some(reader) = self.readers.get(&peer) else { return 0 };
        let unread = self.log.from(reader.next).filter(|(place, dest)| {
            let entry = self.live(*place, *dest);
            entry.is_some_and(|e| e.state == State::Announced && e.source != peer)
        });
        let own = self.by_source.get(&peer).copied().unwrap_or(0) as usize;
        (self.announced - own - unread.count()) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_16_bytes() {
        assert_eq!(size_of::<Entry>(), 16);
    }
}
