//! The wire codec (RFC 4271 §4 and its extensions): bytes to values and back.
//!
//! Three steps, three types: *read* gives a borrowed view that knows only structure
//! ([`update::Update`]), *judge* applies RFC 7606 and yields routes that nobody checks again
//! ([`judge`]), *use* is the Rib's. An error is the NOTIFICATION that answers it.
// A length that a neighbour sent must never become an index unchecked.
#![deny(clippy::indexing_slicing)]

mod as4;
pub mod as_path;
pub mod attr;
pub mod capability;
pub mod community;
pub mod encode;
pub mod header;
pub mod judge;
pub mod nlri;
pub mod notification;
pub mod open;
pub mod refresh;
pub mod update;

pub use notification::Notification;

#[cfg(test)]
mod tests;
