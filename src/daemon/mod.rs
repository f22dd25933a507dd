//! The daemon: actors of the other crates, joined by channels, and what people see of them.

pub mod control;
pub mod metrics;
