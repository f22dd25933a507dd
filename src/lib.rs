//! Starling: a BGP route distributor for cluster nodes.
//!
//! The only crate with tasks, signals, files and the sockets of BGP. [`daemon`] is `starlingd`,
//! [`ctl`] is `bgpctl`, [`api`] is what they say to each other.

pub mod api;
pub mod ctl;
pub mod daemon;
pub mod doctor;
