//! The Fib and its netlink side against the real kernel, each test in a network namespace of its own.

mod netns;

mod events;
mod faults;
mod hold;
mod hops;
mod objects;
mod packet;
mod places;
mod pump;
mod rivals;
mod routes;
mod tunnel;
