//! The kernel's routing table for Starling: what it should hold, what it holds, the difference.
//!
//! [`types`] lists every message; [`Fib`] is the actor that decides, [`netlink`] the only place
//! that talks to the kernel, [`mem`] an in-memory kernel for the simulator.
//!
//! ```text
//!   FibIn ──► fib ──► want     what the Rib wants, its next hops (nexthops, resolve, underlay)
//!              │ └──► learn    what the kernel told: interfaces, others' routes, ours (have)
//!              └────► plan     want against have, prefix by prefix ──► FibOut::Apply
//! ```
#![forbid(unsafe_code)]

pub mod audit;
pub mod fib;
pub mod have;
pub mod learn;
pub mod mem;
pub mod netlink;
pub mod nexthops;
pub mod objects;
pub mod packet;
pub mod plan;
pub mod pods;
mod prefixes;
pub mod resolve;
pub mod retry;
#[cfg(test)]
mod rig;
pub mod rivals;
pub mod table;
pub mod tally;
pub mod tunnel;
pub mod types;
pub mod underlay;
pub mod view;
pub mod want;
pub mod ways;

pub use fib::Fib;
