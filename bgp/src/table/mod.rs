//! What routes are kept in: destinations with their paths, attribute sets, sources, by number.
//!
//! Nothing here decides or sends. The Rib owns it and changes it; export reads it. Both stand on
//! this room, and the Rib on export: the dependencies go one way.
//!
//! * `index`: one family's destinations, found by prefix; [`Keyed`] picks the family by type;
//! * `dest`: a destination and its paths, packed;
//! * `sets`: attribute sets with references that are given up at the end of a message;
//! * `source`: neighbours and their path identifiers, by number.
//!
//! All of these lie in a [`crate::slab::Slab`].

mod dest;
mod index;
mod sets;
mod source;

pub(crate) use dest::{Best, Path, Verdict};
pub(crate) use index::{Ahead, Keyed, More, Spot, Table, Tables, slot_of};
pub(crate) use sets::Sets;
pub(crate) use source::{SourceId, Sources};
