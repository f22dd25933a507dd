//! The simulation: a mesh of real actors in virtual time, faults by seed, an oracle that knows
//! what every kernel must hold, and a clock for what pods would have noticed.
//!
//! ```text
//!   calm, faults, storm,
//!   graceful, isolation,
//!   reflect                 what is played; each for many seeds
//!     └─► cluster           the nodes: Peers, Rib, Fib, kernel; their pumps; what befalls them
//!           ├─► queue       what happens when, and the hash of it (trace)
//!           ├─► network     TCP, partitions
//!           └─► topology    racks, addresses, the configuration file
//!     └─► oracle            the mode table, the slow obvious way
//!         blackholes        how long packets went astray
//! ```
//!
//! A failure names its seed; `STARLING_SIM_SEEDS=17..18 cargo test --test sim NAME` plays it
//! again, event by event; with `STARLING_SIM_LOG=1` it prints what the daemons would log. With
//! `-- --nocapture` each scenario prints its figures.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "test code outside #[test]"
)]

mod blackholes;
mod calm;
mod cluster;
mod faults;
mod figures;
mod graceful;
mod isolation;
mod network;
mod oracle;
mod queue;
mod reflect;
mod rng;
mod storm;
mod topology;
mod trace;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use cluster::Cluster;
use figures::Figures;
use starling_bgp::types::Time;
use topology::Settings;

/// A cluster of hosts, all daemons started within `spread` of each other.
fn started(seed: u64, nodes: usize, settings: &Arc<Settings>, spread: Duration) -> Cluster {
    let mut cluster = Cluster::new(seed, nodes, settings);
    let spread = u64::try_from(spread.as_micros()).expect("a short time");
    let mut starts: Vec<(u64, usize)> =
        (0..nodes).map(|node| (cluster.rng.below(spread), node)).collect();
    starts.sort_unstable();
    for (at, node) in starts {
        cluster.run_until(Time(at));
        cluster.start(node);
    }
    cluster
}

/// Runs until all kernels are right; how long that took, from now.
fn converge(cluster: &mut Cluster, patience: Duration) -> Duration {
    let begin = cluster.now;
    let end = begin.after(patience);
    loop {
        let differences = match cluster.blackholes.all_reach() {
            true => oracle::differences(cluster),
            false => Vec::new(),
        };
        if cluster.blackholes.all_reach() && differences.is_empty() {
            return cluster.blackholes.light().since(begin);
        }
        if cluster.now >= end {
            let differences = oracle::differences(cluster);
            panic!(
                "{} differences after {patience:?} (now {:?}), for example\n{}",
                differences.len(),
                cluster.now,
                differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n"),
            );
        }
        cluster.run(Duration::from_millis(20));
    }
}

/// The seeds to play with: these, or those that were asked for.
fn seeds(default: Range<u64>) -> Vec<u64> {
    let Ok(asked) = std::env::var("STARLING_SIM_SEEDS") else { return default.collect() };
    let (from, to) = asked.split_once("..").expect("STARLING_SIM_SEEDS=from..to");
    (from.parse().expect("a number")..to.parse().expect("a number")).collect()
}

/// Names the seed of a game that failed, wherever it panicked.
struct Played(u64);

impl Drop for Played {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Played(seed) = *self;
            eprintln!("seed {seed} failed; again: STARLING_SIM_SEEDS={seed}..{}", seed + 1);
        }
    }
}

/// Plays every seed, on as many threads as the machine has, and prints what they came to.
fn play(name: &str, seeds: &[u64], game: impl Fn(u64, &mut Figures) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let game = &game;
    let some = |thread: usize| {
        let mut figures = Figures::default();
        for seed in seeds.iter().skip(thread).step_by(threads) {
            let _played = Played(*seed);
            game(*seed, &mut figures);
        }
        figures
    };
    let figures = std::thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|thread| scope.spawn(move || some(thread))).collect();
        all.into_iter()
            .map(|thread| thread.join().unwrap_or_else(|why| std::panic::resume_unwind(why)))
            .fold(Figures::default(), Figures::with)
    });
    println!("{name}: {} seeds\n{figures}", seeds.len());
}
