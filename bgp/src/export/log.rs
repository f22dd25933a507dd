//! The order of last change: slots in the order in which they were last said anew.
//!
//! A place is a number that only grows. A slot that changes again is appended again; its
//! former place is stale, which the owner of the entries can tell (an entry knows its place).
//! That is the doubly linked list of the textbooks in 4 B a slot, and a cursor into it is
//! a number that no change can leave dangling. Stale places are squeezed out when they are the
//! majority ([`Log::squeeze`]), so its size is bounded by the number of entries.

/// Stale places that are not worth the work; few in tests, so that they see it done.
const SLACK: usize = if cfg!(test) { 4 } else { 4096 };

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// The place of `order[0]`.
    base: u64,
    order: Vec<u32>,
}

impl Log {
    /// Where it begins.
    pub(crate) fn start(&self) -> u64 {
        self.base
    }

    /// The place that the next append gets.
    pub(crate) fn end(&self) -> u64 {
        self.base + self.order.len() as u64
    }

    /// Octets of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.order.capacity() * size_of::<u32>()
    }

    /// Appends a slot; returns its place.
    #[inline]
    pub(crate) fn push(&mut self, slot: u32) -> u64 {
        let place = self.end();
        self.order.push(slot);
        place
    }

    /// The slot that was last said at `place`.
    #[inline]
    pub(crate) fn at(&self, place: u64) -> Option<u32> {
        self.order.get(place.checked_sub(self.base)? as usize).copied()
    }

    /// Places and slots from `place` on, stale ones too.
    pub(crate) fn from(&self, place: u64) -> impl Iterator<Item = (u64, u32)> {
        let skip = place.saturating_sub(self.base);
        let order = self.order.get(skip as usize..).unwrap_or_default();
        (self.base + skip..).zip(order.iter().copied())
    }

    /// Whether stale places outnumber the `entries` that there are.
    #[inline]
    pub(crate) fn is_wasteful(&self, entries: usize) -> bool {
        self.order.len() > 2 * entries + SLACK
    }

    /// Rewrites the log without the stale places, in the same order, at new places after all
    /// former ones. `keep(place, slot, new_place)` says whether a place is live, and is told
    /// where it would go. `marks` (ascending former places) become what they mean now: before
    /// the same live place as ever.
    pub(crate) fn squeeze(
        &mut self,
        mut keep: impl FnMut(u64, u32, u64) -> bool,
        marks: &mut [&mut u64],
    ) {
        let (old_base, old) = (self.base, std::mem::take(&mut self.order));
        self.base = old_base + old.len() as u64;
        let mut marks = marks.iter_mut().peekable();
        for (place, slot) in (old_base..).zip(old) {
            while let Some(mark) = marks.next_if(|m| ***m <= place) {
                **mark = self.base + self.order.len() as u64;
            }
            if keep(place, slot, self.base + self.order.len() as u64) {
                self.order.push(slot);
            }
        }
        for mark in marks {
            **mark = self.base + self.order.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squeezing_keeps_order_and_marks() {
        let mut log = Log::default();
        for slot in [7, 8, 9, 7, 8] {
            log.push(slot);
        }
        // 7 and 8 moved: places 0 and 1 are stale.
        let (mut a, mut b, mut c, mut d) = (0, 1, 3, 5);
        let mut moved = Vec::new();
        log.squeeze(
            |place, slot, new| {
                let live = place >= 2;
                if live {
                    moved.push((slot, new));
                }
                live
            },
            &mut [&mut a, &mut b, &mut c, &mut d],
        );
        assert_eq!(log.from(log.start()).collect::<Vec<_>>(), [(5, 9), (6, 7), (7, 8)]);
        assert_eq!(moved, [(9, 5), (7, 6), (8, 7)]);
        assert_eq!((a, b, c, d), (5, 5, 6, 8));
        assert_eq!(log.push(1), 8);
        assert_eq!(log.from(8).collect::<Vec<_>>(), [(8, 1)]);
    }

    #[test]
    fn a_place_beyond_the_end_has_nothing_after_it() {
        let log = Log::default();
        assert_eq!(log.from(77).count(), 0);
    }
}
