//! Starling beside other speakers: BIRD 2 as a Calico node runs it, FRR as a top-of-rack switch
//! or gateway, all five of Debian by one description (`beside`), and one written here that says
//! what no well-bred speaker would (`speaker`).
//!
//! What works with whom is recorded as it is seen (`starling_lab::matrix`) and stands in
//! bgp/README.md.
//! Needs root and what `tests/vm/install lab` installs; without them the tests fail and say so.

// clippy.toml lets tests panic, but knows only the functions marked as tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aigp;
mod attributes;
mod beside;
mod bfd;
mod bird;
mod capabilities;
mod collision;
mod commands;
mod connections;
mod crossing;
mod equal;
mod fate;
mod forwarding;
mod frr;
mod link_local;
mod load;
mod malformed;
mod marks;
mod mrt;
mod paths;
mod policies;
mod ranges;
mod reflection;
mod restart;
mod roles;
mod safety;
mod sessions;
mod soak;
mod speaker;
mod stalled;
#[path = "../netns/support.rs"]
mod support;
mod transport;
mod two_octets;
