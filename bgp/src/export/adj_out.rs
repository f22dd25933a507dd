//! Adj-RIB-Out of a group, one family: what its readers are told, and how far each has read.
//!
//! An entry per slot (a destination, or with path identifiers one path to it; `slots`), found by
//! the slot's number, and the [`Log`] of last changes.
//! A change moves the entry to the log's end, so a reader that comes by later sees only the last
//! one: the backlog of a slow peer is bounded by the table. A withdrawn entry stays, to be read
//! as a withdrawal, until every reader that may have been told of the route has passed it.

use std::collections::{BTreeMap, VecDeque};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::chunk::ChunkCache;
use super::log::Log;
use crate::attrs::AttrId;
use crate::slab::Sparse;
use crate::table::Sets;
use crate::types::PeerId;

/// Room for so many places is not worth being given back.
const SPARE: usize = 4096;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// There is no entry.
    Absent,
    Announced,
    /// A reader may still have to hear it.
    Withdrawn,
}

/// What is said of a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// As chosen, or in a group that rewrites as it goes out; an announced entry holds one
    /// reference.
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
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    /// The place it reads next.
    pub(crate) next: u64,
    /// Withdrawals before this place do not concern it: when it began (again), they were past.
    fresh: u64,
    pub(crate) due: Due,
}

/// What a reader is owed beside routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Due {
    Nothing,
    /// An End-of-RIB, when it has caught up.
    EndOfRib,
    /// BoRR before what comes next (RFC 7313 §4), and EoRR when it has caught up.
    Refresh,
    /// EoRR, when it has caught up.
    EndOfRefresh,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct AdjOut {
    entries: Sparse<Entry>,
    /// Entries by state.
    announced: usize,
    withdrawn: usize,
    pub(crate) log: Log,
    readers: BTreeMap<PeerId, Reader>,
    /// Places of withdrawn entries, in the order of the log; some are stale.
    tombs: VecDeque<u64>,
    /// Announced entries by source, our own routes left out.
    by_source: HashMap<PeerId, u32, FixedState>,
    pub(crate) cache: ChunkCache,
}

impl AdjOut {
    /// What is announced of a slot, if it is: attributes and source.
    #[inline]
    pub(crate) fn said(&self, slot: u32) -> Option<(AttrId, PeerId)> {
        let entry = self.entries.get(slot);
        (entry.state == State::Announced).then_some((entry.attr, entry.source))
    }

    /// The slot is announced (anew), with these attributes.
    #[inline]
    pub(crate) fn announce(&mut self, slot: u32, attr: AttrId, source: PeerId, sets: &mut Sets) {
        let old = self.entries.get(slot);
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
        let place = self.log.push(slot) as u32;
        self.entries.set(slot, Entry { attr, source, place, state: State::Announced, moved });
        self.squeeze_if_wasteful();
    }

    /// An announced slot has other attributes that go out as the same ones.
    pub(crate) fn replace(&mut self, slot: u32, attr: AttrId, sets: &mut Sets) {
        let old = self.entries.get(slot);
        sets.retain(attr);
        sets.release(old.attr);
        self.entries.set(slot, Entry { attr, ..old });
    }

    /// An announced slot is withdrawn.
    pub(crate) fn withdraw(&mut self, slot: u32, sets: &mut Sets) {
        let old = self.entries.get(slot);
        self.unsay(&old, sets);
        self.withdrawn += 1;
        let place = self.log.push(slot);
        self.entries.set(slot, Entry { state: State::Withdrawn, place: place as u32, ..old });
        self.tombs.push_back(place);
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

    /// The entry of `slot`, if `place` is its place.
    #[inline]
    pub(crate) fn live(&self, place: u64, slot: u32) -> Option<Entry> {
        let entry = self.entries.get(slot);
        (entry.state != State::Absent && entry.place == place as u32).then_some(entry)
    }

    /// Whether there is an entry.
    pub(crate) fn holds(&self, slot: u32) -> bool {
        self.entries.get(slot).state != State::Absent
    }

    /// Whether a reader that begins now will be told of `slot`.
    pub(crate) fn tells(&self, slot: u32, reader: PeerId) -> bool {
        let entry = self.entries.get(slot);
        entry.state == State::Announced && entry.source != reader
    }

    /// Every slot with an entry.
    pub(crate) fn present(&self) -> impl Iterator<Item = u32> {
        let all = self.log.from(self.log.start());
        all.filter(|(place, slot)| self.live(*place, *slot).is_some()).map(|(_, slot)| slot)
    }

    // ---- readers ----

    /// A reader that was told nothing yet.
    pub(crate) fn join(&mut self, peer: PeerId) {
        let (next, fresh) = (self.log.start(), self.log.end());
        self.readers.insert(peer, Reader { next, fresh, due: Due::EndOfRib });
    }

    /// A reader starts over. Withdrawals that it has not read yet do concern it. `marked`: it
    /// understands BoRR and EoRR; they do not go before the first End-of-RIB (RFC 7313 §4).
    pub(crate) fn restart(&mut self, peer: PeerId, marked: bool) {
        let start = self.log.start();
        if let Some(reader) = self.readers.get_mut(&peer) {
            reader.fresh = reader.fresh.max(reader.next);
            reader.next = start;
            reader.due = match (marked, reader.due) {
                (false, _) | (true, Due::EndOfRib) => Due::EndOfRib,
                (true, _) => Due::Refresh,
            };
        }
    }

    /// A reader is gone; `freed` gets the slots whose withdrawal waited for it alone.
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
            if self.tombs.front().is_some_and(|tomb| *tomb < place) {
                self.bury(freed);
            }
        }
    }

    /// Whether the reader has read all and is owed nothing.
    pub(crate) fn is_read(&self, peer: PeerId, gated: bool) -> bool {
        let is_read = |r: &Reader| match r.due {
            _ if r.next < self.log.end() => false,
            Due::Nothing => true,
            Due::EndOfRib => gated,
            Due::Refresh | Due::EndOfRefresh => false,
        };
        self.reader(peer).is_none_or(is_read)
    }

    /// What is to be said before the reader reads on, if it is; it counts as said.
    pub(crate) fn take_begin(&mut self, peer: PeerId) -> Option<Due> {
        let reader = self.readers.get_mut(&peer).filter(|r| r.due == Due::Refresh)?;
        Some(std::mem::replace(&mut reader.due, Due::EndOfRefresh))
    }

    /// What is to be said now that the reader has read all, if it has; it counts as said.
    /// `gated`: not yet an End-of-RIB.
    pub(crate) fn take_end(&mut self, peer: PeerId, gated: bool) -> Option<Due> {
        let end = self.log.end();
        let reader = self.readers.get_mut(&peer).filter(|r| r.next >= end)?;
        match reader.due {
            Due::EndOfRib if !gated => Some(std::mem::replace(&mut reader.due, Due::Nothing)),
            Due::EndOfRefresh => Some(std::mem::replace(&mut reader.due, Due::Nothing)),
            _ => None,
        }
    }

    /// The readers that are owed an End-of-RIB.
    pub(crate) fn unended(&self) -> impl Iterator<Item = PeerId> {
        let unended = self.readers.iter().filter(|(_, r)| r.due == Due::EndOfRib);
        unended.map(|(peer, _)| *peer)
    }

    /// Drops the withdrawn entries that every reader has passed.
    fn bury(&mut self, freed: &mut Vec<u32>) {
        let passed = self.readers.values().map(|r| r.next.max(r.fresh)).min().unwrap_or(u64::MAX);
        while let Some(place) = self.tombs.front().copied().filter(|place| *place < passed) {
            self.tombs.pop_front();
            let Some(slot) = self.log.at(place) else { continue };
            let entry = self.live(place, slot);
            if entry.is_some_and(|e| e.state == State::Withdrawn) {
                self.entries.set(slot, Entry::default());
                self.withdrawn -= 1;
                freed.push(slot);
            }
        }
        if self.tombs.capacity() > 4 * self.tombs.len() + SPARE {
            self.tombs.shrink_to_fit();
        }
        self.squeeze_if_wasteful();
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
            |place, slot, new| {
                let mut entry = entries.get(slot);
                let live = entry.state != State::Absent && entry.place == place as u32;
                if live {
                    entry.place = new as u32;
                    entries.set(slot, entry);
                    if entry.state == State::Withdrawn {
                        tombs.push_back(new);
                    }
                }
                live
            },
            &mut marks,
        );
    }

    /// The group is no more: gives up what it holds.
    pub(crate) fn dissolve(self, sets: &mut Sets, freed: &mut Vec<u32>) {
        for (place, slot) in self.log.from(self.log.start()) {
            match self.live(place, slot) {
                Some(entry) if entry.state == State::Announced => sets.release(entry.attr),
                Some(_) => freed.push(slot),
                None => {}
            }
        }
    }

    /// What is announced of a slot to a reader, and from whom; `true`: it has not read that yet.
    pub(crate) fn told(&self, slot: u32, reader: PeerId) -> Option<(AttrId, PeerId, bool)> {
        let next = self.reader(reader)?.next;
        let entry = self.entries.get(slot);
        // An entry knows the lower half of its place, and the log is shorter than that is long.
        let end = self.log.end();
        let place = end - u64::from((end as u32).wrapping_sub(entry.place));
        let is_told = entry.state == State::Announced && entry.source != reader;
        is_told.then_some((entry.attr, entry.source, place >= next))
    }

    /// How many entries there are, and the octets that they and their order take.
    pub(crate) fn size(&self) -> (usize, usize) {
        let tombs = self.tombs.capacity() * size_of::<u64>();
        (self.announced + self.withdrawn, self.entries.bytes() + self.log.bytes() + tombs)
    }

    /// How many routes a reader has been told and not withdrawn.
    pub(crate) fn sent(&self, peer: PeerId) -> u32 {
        let Some(reader) = self.readers.get(&peer) else { return 0 };
        let unread = self.log.from(reader.next).filter(|(place, slot)| {
            let entry = self.live(*place, *slot);
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
