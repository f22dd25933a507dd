//! The daemon on a real kernel: hosts in network namespaces, one `starlingd` each.
//!
//! Where this machine's kernel has no ipip, nothing here passes anything off as a tunnel: routes
//! into `tunl0` are programmed through a TUN device where programming is the point
//! (`tunnel.rs`), and real encapsulation is what `lab check` shows in its virtual machine.
//!
//! Needs root, iproute2, ping, and for what the doctor finds nftables and iptables; without them the tests fail and say so.

// clippy.toml lets tests panic, but knows only the functions marked as tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bfd;
mod birdc;
mod change;
mod disease;
mod doctor;
mod equal;
mod fib;
mod flood;
mod heap;
mod isolation;
mod kernel;
mod links;
mod log;
mod mesh;
mod monitor;
mod networks;
mod objects;
mod openapi;
mod places;
mod pods;
mod refused;
mod reload;
mod restart;
mod rights;
mod steer;
mod support;
mod tunnel;
mod views;
mod whole;
mod why;
