//! A slab in pages: numbers for values, without ever moving or copying what is there.
//!
//! A `Vec` that doubles would hold a table of a million routes twice while it grows, and keep up
//! to half of itself empty afterwards. Pages cost one allocation per [`PAGE`] values. Numbers of
//! removed values are given out again, the last removed first, so a run is deterministic.

/// Values a page.
const PAGE: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    pages: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Slab { pages: Vec::new(), free: Vec::new() }
    }
}

fn place(id: u32) -> (usize, usize) {
    (id as usize / PAGE, id as usize % PAGE)
}

impl<T> Slab<T> {
    /// Stores `value` and returns its number.
    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(id) = self.free.pop() {
            let (page, slot) = place(id);
            if let Some(slot) = self.pages.get_mut(page).and_then(|p| p.get_mut(slot)) {
                *slot = Some(value);
                return id;
            }
        }
        let id = self.end();
        match self.pages.last_mut() {
            Some(page) if page.len() < PAGE => page.push(Some(value)),
            _ => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(Some(value));
                self.pages.push(page);
            }
        }
        id
    }

    /// One more than the highest number ever given out.
    pub(crate) fn end(&self) -> u32 {
        let full = self.pages.len().saturating_sub(1) * PAGE;
        (full + self.pages.last().map_or(0, Vec::len)) as u32
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        self.end() as usize - self.free.len()
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
        let value = self.pages.get_mut(page)?.get_mut(slot)?.take()?;
        self.free.push(id);
        Some(value)
    }
}

/// A sparse array in pages, for facts about the values of a [`Slab`] that few of them have.
#[derive(Debug)]
pub(crate) struct Sparse<T> {
    pages: Vec<Option<Box<[T]>>>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Sparse { pages: Vec::new() }
    }
}

impl<T: Copy + Default> Sparse<T> {
    /// The fact about `id`; the default where none was set.
    #[inline]
    pub(crate) fn get(&self, id: u32) -> T {
        let (page, slot) = place(id);
        let page = self.pages.get(page).and_then(|p| p.as_ref());
        page.and_then(|p| p.get(slot)).copied().unwrap_or_default()
    }

    /// Sets the fact about `id`.
    #[inline]
    pub(crate) fn set(&mut self, id: u32, value: T) {
        let (page, slot) = place(id);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let Some(page) = self.pages.get_mut(page) else { return };
        let page = page.get_or_insert_with(|| vec![T::default(); PAGE].into_boxed_slice());
        if let Some(slot) = page.get_mut(slot) {
            *slot = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_reused_and_values_stay() {
        let mut slab = Slab::default();
        let ids: Vec<u32> = (0..3000).map(|n| slab.insert(n)).collect();
        assert_eq!(ids, (0..3000).collect::<Vec<u32>>());
        assert_eq!((slab.len(), slab.end()), (3000, 3000));
        assert_eq!(slab.remove(1500), Some(1500));
        assert_eq!(slab.remove(1500), None);
        assert_eq!(slab.remove(9999), None);
        assert_eq!(slab.len(), 2999);
        assert_eq!(slab.insert(7), 1500);
        assert_eq!(slab.get(1500), Some(&7));
        assert_eq!(slab.get(2999), Some(&2999));
    }

    #[test]
    fn a_sparse_array_pays_for_the_pages_it_uses() {
        let mut sparse: Sparse<u32> = Sparse::default();
        sparse.set(500_000, 3);
        assert_eq!((sparse.get(500_000), sparse.get(500_001), sparse.get(9_999_999)), (3, 0, 0));
        assert_eq!(sparse.pages.iter().flatten().count(), 1);
    }
}
