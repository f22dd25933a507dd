//! Starling beside other speakers: BIRD 2 as a Calico node runs it, FRR as a top-of-rack switch
//! or gateway, and one written here that says what no well-bred speaker would.
//!
//! Needs root and Debian's bird2 and frr; without them the tests fail and say so.

// clippy.toml lets tests panic, but knows only the functions marked as tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attributes;
mod bird;
mod collision;
mod frr;
mod malformed;
mod speaker;
#[path = "../netns/support.rs"]
mod support;
