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
//! The pumps read the clock, once more for each of these, and add to two numbers. A scrape reads the
//! numbers: there is no lock between them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper ends of a decision's classes, in microseconds …
const DECISION: [u64; 11] =
    [10, 30, 100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000];
/// … and of a convergence's.
const CONVERGENCE: [u64; 12] = [
    100, 300, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000,
    30_000_000,
];

/// Clones count together.
#[derive(Clone, Debug)]
pub struct Delays {
    /// The Rib's work on one message of routes.
    pub decision: Classes,
    /// Until the kernel has what it should.
    pub kernel: Classes,
    /// Until a neighbour has been told.
    pub neighbours: Classes,
}

impl Default for Delays {
    fn default() -> Delays {
        Delays {
            decision: Classes::new(&DECISION),
            kernel: Classes::new(&CONVERGENCE),
            neighbours: Classes::new(&CONVERGENCE),
        }
    }
}

/// How often something took how long. Clones count together.
#[derive(Clone, Debug)]
pub struct Classes(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    /// Upper ends, in microseconds, ascending.
    ends: &'static [u64],
    /// How many are in each class; what is above the last end is in one more.
    counts: Box<[AtomicU64]>,
    /// All that they took, in microseconds.
    sum: AtomicU64,
}

impl Classes {
    fn new(ends: &'static [u64]) -> Classes {
        let counts = (0..=ends.len()).map(|_| AtomicU64::default()).collect();
        Classes(Arc::new(Counts { ends, counts, sum: AtomicU64::default() }))
    }

    /// Counts one.
    pub fn took(&self, time: Duration) {
        let Counts { ends, counts, sum } = &*self.0;
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let class = ends.iter().position(|end| micros <= *end).unwrap_or(ends.len());
        if let Some(count) = counts.get(class) {
            count.fetch_add(1, Ordering::Relaxed);
            sum.fetch_add(micros, Ordering::Relaxed);
        }
    }
}

impl TypedMetric for Classes {
    const TYPE: MetricType = MetricType::Histogram;
}

/// As a histogram in seconds.
impl EncodeMetric for Classes {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let Counts { ends, counts, sum } = &*self.0;
        let seconds = |micros: u64| Duration::from_micros(micros).as_secs_f64();
        // One more may be counted meanwhile: the number of all is that of these.
        let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
        let ends = ends.iter().map(|end| seconds(*end)).chain([f64::INFINITY]);
        let classes: Vec<(f64, u64)> = ends.zip(counts).collect();
        let all = classes.iter().map(|(_, count)| count).sum();
        let sum = seconds(sum.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, all, &classes, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
#[path = "delays_tests.rs"]
mod tests;
