//! What the operator does to the kernel's routes as a whole: `POST /v1/fib/…`.

use serde::{Deserialize, Serialize};

/// How the kernel stands to what is wanted, after `couple`, `decouple` or `flush`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FibCoupling {
    /// The kernel is made to hold what is wanted. False: nothing is written, until `couple` or the
    /// daemon's restart.
    pub coupled: bool,
    /// Destinations at which the kernel does not hold what it would hold coupled.
    pub differing: u64,
    /// Routes that `flush` removed; none where nothing was flushed, or the kernel is not done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<u64>,
}
