//! The attribute store as the Rib uses it: references given up are collected and dropped at the
//! end of a message.
//!
//! So within one message an [`AttrId`] means one set: what a destination's last decision named
//! can still be read and compared after the path itself was replaced.

use crate::attrs::{AttrId, AttrSet, AttrStore};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    store: AttrStore,
    given_up: Vec<AttrId>,
}

impl Sets {
    /// The number of `set`, with one reference to it.
    pub(crate) fn intern(&mut self, set: AttrSet) -> AttrId {
        self.store.intern(set)
    }

    /// The numbers of several sets, likewise.
    pub(crate) fn intern_all(&mut self, sets: Vec<AttrSet>) -> Vec<AttrId> {
        self.store.intern_all(sets)
    }

    #[inline]
    pub(crate) fn retain(&mut self, id: AttrId) {
        self.store.retain(id, 1);
    }

    /// Gives one reference up, at the end of the message.
    #[inline]
    pub(crate) fn release(&mut self, id: AttrId) {
        self.given_up.push(id);
    }

    #[inline]
    pub(crate) fn get(&self, id: AttrId) -> Option<&AttrSet> {
        self.store.get(id)
    }

    /// How many sets there are, and the octets that they take.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.store.len(), self.store.bytes())
    }

    /// The end of the message.
    pub(crate) fn flush(&mut self) {
        for run in self.given_up.chunk_by(|a, b| a == b) {
            let Some(id) = run.first() else { continue };
            self.store.release(*id, u32::try_from(run.len()).unwrap_or(u32::MAX));
        }
        self.given_up.clear();
        // A peer's end gives up a whole table's worth at once.
        self.given_up.shrink_to(4096);
    }
}
