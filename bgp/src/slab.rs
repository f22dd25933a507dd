//! A slab in pages: numbers for values, without ever moving or copying what is there.
//!
//! A `Vec` that doubles would hold a table of a million routes twice while it grows, and keep up
//! to half of itself empty afterwards. Pages cost one allocation per [`PAGE`] values, and one that
//! has become empty is given back. The first page alone grows by doubling: a table of few values is
//! small, and its first value does not wait for a page's worth of memory. Numbers of removed values
//! are given out again, in an order that follows from what was done, so a run is deterministic.

/// Values a page.
const PAGE: usize = 1024;
/// What the first page has room for, at first.
const FEW: usize = 16;

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Slab<T> {
    pages: Vec<Vec<Option<T>>>,
    /// What is taken of each page.
    taken: Vec<Taken>,
    /// Pages with room.
    open: Vec<u32>,
    len: usize,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { pages: Vec::new(), taken: Vec::new(), open: Vec::new(), len: 0 }
    }
}

/// The places of a page that are taken.
#[derive(Clone, Copy, Default, Debug)]
struct Taken {
    bits: [u64; PAGE / 64],
    /// All words before this one are full.
    first: u16,
    count: u16,
}

impl Taken {
    fn is_full(&self) -> bool {
        usize::from(self.count) == PAGE
    }

    /// Takes the lowest free place.
    fn take(&mut self) -> Option<usize> {
        let from = usize::from(self.first);
        let words = self.bits.iter_mut().enumerate().skip(from);
        let (at, word) = words.into_iter().find(|(_, word)| **word != u64::MAX)?;
        let bit = word.trailing_ones();
        *word |= 1 << bit;
        self.first = at as u16;
        self.count += 1;
        Some(at * 64 + bit as usize)
    }

    /// Gives a taken place up.
    fn give_up(&mut self, slot: usize) {
        if let Some(word) = self.bits.get_mut(slot / 64) {
            *word &= !(1 << (slot % 64));
            self.first = self.first.min((slot / 64) as u16);
            self.count -= 1;
        }
    }
}

fn place(id: u32) -> (usize, usize) {
    (id as usize / PAGE, id as usize % PAGE)
}

impl<T> Slab<T> {
    /// Stores `value` and returns its number.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        let page = match self.open.last() {
            Some(page) => *page,
            None => {
                let page = self.pages.len() as u32;
                self.pages.push(Vec::new());
                self.taken.push(Taken::default());
                self.open.push(page);
                page
            }
        };
        let Slab { pages, taken, open, len } = self;
        let at = page as usize;
        let (Some(slots), Some(taken)) = (pages.get_mut(at), taken.get_mut(at)) else {
            // Every open page is there.
            return u32::MAX;
        };
        let slot = taken.take().unwrap_or_default();
        if taken.is_full() {
            open.pop();
        }
        match slots.get_mut(slot) {
            Some(free) => *free = Some(value),
            // The lowest free place is never behind the end.
            None => {
                if slots.len() == slots.capacity() {
                    slots.reserve_exact(if at == 0 { slots.len().max(FEW) } else { PAGE });
                }
                slots.push(Some(value));
            }
        }
        *len += 1;
        page * PAGE as u32 + slot as u32
    }

    /// More than the highest number in use: `0..end()` has them all.
    pub(crate) fn end(&self) -> u32 {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        (full + self.pages.last().map_or(0, Vec::len)) as u32
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The octets of the pages.
    pub(crate) fn bytes(&self) -> usize {
        let slots: usize = self.pages.iter().map(Vec::capacity).sum();
        slots * size_of::<Option<T>>() + self.taken.capacity() * size_of::<Taken>()
    }

    #[inline]
    pub(crate) fn get(&self, id: u32) -> Option<&T> {
        let (page, slot) = place(id);
        self.pages.get(page)?.get(slot)?.as_ref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        let (page, slot) = place(id);
        self.pages.get_mut(page)?.get_mut(slot)?.as_mut()
    }

    /// Takes the value out; its number may be given out again.
    pub(crate) fn remove(&mut self, id: u32) -> Option<T> {
        let (page, slot) = place(id);
        let slots = self.pages.get_mut(page)?;
        let value = slots.get_mut(slot)?.take()?;
        let taken = self.taken.get_mut(page)?;
        if taken.is_full() {
            self.open.push(page as u32);
        }
        taken.give_up(slot);
        if taken.count == 0 {
            *slots = Vec::new();
        }
        self.len -= 1;
        Some(value)
    }
}

/// A sparse array in pages, for facts about the values of a [`Slab`] that few of them have, or
/// that they have for a time. A page without any is given back; behind a page's end is none.
#[derive(Clone, Debug)]
pub(crate) struct Sparse<T> {
    pages: Vec<Vec<T>>,
    /// How many facts a page has.
    counts: Vec<u16>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Sparse { pages: Vec::new(), counts: Vec::new() }
    }
}

impl<T> Sparse<T> {
    /// The octets of the pages.
    pub(crate) fn bytes(&self) -> usize {
        let facts: usize = self.pages.iter().map(Vec::capacity).sum();
        facts * size_of::<T>() + self.pages.capacity() * size_of::<Vec<T>>()
    }
}

impl<T: Copy + Default + PartialEq> Sparse<T> {
    /// The fact about `id`; the default where none was set.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> T {
        let (page, slot) = place(id);
        self.pages.get(page).and_then(|page| page.get(slot)).copied().unwrap_or_default()
    }

    /// Sets the fact about `id`.
    #[inline]
    pub(crate) fn set(&mut self, id: u32, value: T) {
        let (at, slot) = place(id);
        let is_fact = value != T::default();
        if at >= self.pages.len() {
            if !is_fact {
                return;
            }
            self.pages.resize_with(at + 1, Vec::new);
            self.counts.resize(at + 1, 0);
        }
        let (Some(page), Some(count)) = (self.pages.get_mut(at), self.counts.get_mut(at)) else {
            return;
        };
        if slot >= page.len() {
            if !is_fact {
                return;
            }
            let room = if at == 0 { (slot + 1).next_power_of_two().max(FEW) } else { PAGE };
            page.reserve_exact(room - page.len());
            page.resize(room, T::default());
        }
        let Some(slot) = page.get_mut(slot) else { return };
        let was_fact = *slot != T::default();
        *slot = value;
        *count = *count + u16::from(is_fact) - u16::from(was_fact);
        if *count == 0 {
            *page = Vec::new();
        }
    }
}

#[cfg(test)]
#[path = "slab_tests.rs"]
mod tests;
