//! `bgpctl` and the control API, from the outside: what people see (snapshots at widths of 60 to
//! 200, piped and coloured), what HTTP says, and both ends over a real Unix socket.

// clippy.toml lets tests panic, but knows only the functions marked as tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backend;
mod bird;
mod command;
mod complete;
mod events;
mod http;
mod look;
mod openapi;
mod operator;
mod sample;
mod socket;
mod top;
mod watch;
mod why;
