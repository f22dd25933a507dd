//! BGP-4 for Starling: what is said on the wire, by whom, and which route is best.
//!
//! This crate decides without doing: it opens no socket, reads no clock, draws no random number
//! and spawns nothing. [`msg`] lists every message between its actors; start there.
#![forbid(unsafe_code)]

pub mod attrs;
pub mod bfd;
pub mod export;
pub mod mrt;
pub mod msg;
pub mod peer;
pub mod policy;
pub mod rib;
pub mod session;
mod slab;
mod table;
pub mod types;
pub mod wire;
