//! How long things take, for `/metrics`: the Rib's work on what it hears, and how long it takes
//! until others have been told of it.
//!
//! ```text
//!   socket ─read─► Peer ──► Rib ──────► Fib ──► kernel
//!            │              │decision│              │ answers the last write
//!            ├──────────────┼────────┴─ convergence ┘
//!            └──────────────┴─ convergence ──► the last octet is the neighbour's socket's
//! ```
//!
//! Nothing is measured route by route. A *decision* is one message of a neighbour, all UPDATEs that
//! were read at once. *Convergence* is of the kernel, or of one neighbour that has nothing to read:
//! from the reading of the UPDATE that first gave it something to be told (for other causes, a
//! session that is lost, a next hop that moves: from when the Rib heard of it) until it has been told
//! all. What comes meanwhile belongs to it, so where changes never end it lasts as long as somebody
//! is behind. What a neighbour is told when its session begins does not count.
//!
//! The pumps read the clock, once more for each of these.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

/// Upper ends of a decision's classes, in seconds …
const DECISION: [f64; 11] = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0];
/// … and of a convergence's.
const CONVERGENCE: [f64; 12] = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// Clones count together.
#[derive(Clone, Debug)]
pub struct Delays {
    /// The Rib's work on one message of routes.
    pub decision: Histogram,
    /// Until the kernel has what it should.
    pub kernel: Histogram,
    /// Until a neighbour has been told.
    pub neighbours: Histogram,
}

impl Default for Delays {
    fn default() -> Delays {
        Delays {
            decision: Histogram::new(DECISION),
            kernel: Histogram::new(CONVERGENCE),
            neighbours: Histogram::new(CONVERGENCE),
        }
    }
}

/// Counts one.
pub fn took(histogram: &Histogram, time: Duration) {
    histogram.observe(time.as_secs_f64());
}
