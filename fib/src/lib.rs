//! The kernel's routing table for Starling: what it should hold, what it holds, the difference.
//!
//! [`types`] lists every message; [`Fib`] is the actor that decides, `netlink` the only place
//! that talks to the kernel, [`mem`] an in-memory kernel for the simulator.
#![forbid(unsafe_code)]

pub mod netlink;
pub mod types;
