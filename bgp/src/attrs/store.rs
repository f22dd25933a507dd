//! Interned attribute sets: stored once, pointed at by number, counted.

/// The number of an interned [`super::AttrSet`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttrId(pub u32);

/// The sets of one Rib.
#[derive(Debug, Default)]
pub struct AttrStore;
