//! What the daemon's memory is used for.

use serde::{Deserialize, Serialize};

/// Memory as a whole, and by kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Memory {
    /// What the process has of the machine's memory.
    pub resident_bytes: u64,
    /// What it has allocated; none where its C library does not tell.
    pub used_bytes: Option<u64>,
    /// What is free inside of what the allocator holds, likewise.
    pub free_bytes: Option<u64>,
    /// What it is used for, as far as that is counted. The rest of `used_bytes` is code's own:
    /// tasks, configuration, what is being answered.
    pub kinds: Vec<MemoryKind>,
}

/// One kind of things in memory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MemoryKind {
    /// A snake_case word ("attributes", "destinations_ipv4").
    pub kind: String,
    /// What that is.
    pub what: String,
    /// How many of them there are.
    pub count: u64,
    /// The octets that they take, with the room that is kept for more.
    pub bytes: u64,
    /// The octets are reckoned from the count.
    #[serde(default)]
    pub reckoned: bool,
}
