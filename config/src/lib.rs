//! Starling's configuration: TOML to a checked model, and what changes between two of them.
#![forbid(unsafe_code)]
