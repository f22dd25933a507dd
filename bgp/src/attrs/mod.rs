//! Path attributes at rest: a set is canonical wire bytes plus what the decision compares.
//!
//! [`AttrSet`] is built once (by `wire::judge` for a received UPDATE, by [`AttrSet`]'s own
//! constructors for originated and exported routes) and interned by the store of the Rib.

pub(crate) mod canonical;
mod marks;
mod set;
pub mod store;

pub use set::{AttrSet, Origin, Rank};
pub use store::{AttrId, AttrStore};
