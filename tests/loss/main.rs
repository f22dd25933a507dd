//! What is lost while something happens: packets through real kernels, counted, with Starling and
//! with BIRD in its place.
//!
//! ```text
//!   Scene ──starts──► Mesh: nodes, pods, traffic ──► its events, one after the other ──► Seen
//!     one a software, side by side                                                        │
//!                           the pages, the terminal, --json  ◄──  Row: both softwares  ◄──┘
//! ```
//!
//! It is a program of its own, not a list of tests, because what it prints is one table:
//! `make test-loss`, or `cargo test --test loss -- [--json] [WORDS]`, which plays only the scenes
//! that have an event with these words. It fails where Starling loses what it must not, and where
//! tests/README.md or the front page says something else. `UPDATE_LOSS=1` writes their tables.

// clippy.toml lets tests panic and print, but knows only the functions marked as tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

mod change;
mod death;
mod hands;
mod many;
mod mesh;
mod replace;
mod restart;
mod room;
mod table;
mod told;
mod tunnels;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::anyhow;
use starling_lab::{Result, has_ipip, vm};

use mesh::{Mesh, Software};
use room::{Room, times_full};
use table::{Allowed, Row, Seen};
use told::Told;

/// A packet a flow.
const PACE: Duration = Duration::from_millis(1);

/// The option that plays the scenes with tunnels alone.
const TUNNELS: &str = "--tunnels";
/// The machine that has them may take so long.
const LIMIT: Duration = Duration::from_secs(1800);

type Play = fn(&mut Mesh, Software) -> Result<Vec<Seen>>;

/// Something that happens.
struct Event {
    /// The rows that it gives: their names, and what Starling may lose.
    rows: Vec<(&'static str, Allowed)>,
    play: Play,
}

/// Starling must lose nothing.
fn free(words: &'static str, play: Play) -> Event {
    Event { rows: vec![(words, Allowed::Nothing)], play }
}

/// A network and what happens in it, in this order.
struct Scene {
    start: fn(Software) -> Result<Mesh>,
    events: Vec<Event>,
    /// With BIRD in Starling's place too.
    bird: bool,
    /// It takes a kernel with ipip.
    tunnels: bool,
    /// It has so many nodes that another scene beside it would starve both.
    many: bool,
}

fn scenes() -> Vec<Scene> {
    let gap = |ms| Allowed::Gap(Duration::from_millis(ms));
    vec![
        Scene {
            start: |software| Mesh::start(software, &[0; 5], Told::of(1..=5), PACE),
            events: vec![
                free("nothing", restart::nothing),
                free("a daemon is stopped (SIGTERM) and started", restart::stop),
                free("it is killed (SIGKILL) and started", restart::kill),
                free("it aborts (SIGABRT) and is started", restart::abort),
                free("it is killed, and again while it recovers", restart::twice),
            ],
            bird: true,
            tunnels: false,
            many: false,
        },
        Scene {
            start: change::start,
            events: vec![
                free("a router is added as a peer, and removed", change::peer),
                Event {
                    rows: vec![
                        ("a node joins: what the others lose", Allowed::Nothing),
                        ("what it loses itself until it is in", gap(5000)),
                    ],
                    play: change::joins,
                },
                free("a node is removed: what the others lose", change::leaves),
                Event {
                    rows: vec![
                        ("a block moves with its pod: its own packets", gap(5000)),
                        ("all other packets", Allowed::Nothing),
                    ],
                    play: change::moves,
                },
                Event {
                    rows: vec![("a node's address is changed", gap(5000))],
                    play: change::address,
                },
                free("the kernel's metric is changed, and back", change::metric),
            ],
            bird: true,
            tunnels: false,
            many: false,
        },
        Scene {
            start: hands::start,
            events: vec![
                Event {
                    rows: vec![("a route is deleted by hand, thrice", gap(5000))],
                    play: hands::deleted,
                },
                Event { rows: vec![("it is bent by hand", gap(5000))], play: hands::bent },
                Event {
                    rows: vec![("a wrong one with a better metric appears", gap(5000))],
                    play: hands::shadowed,
                },
                Event {
                    rows: vec![("another program's takes its place, and goes", gap(5000))],
                    play: hands::taken,
                },
                Event {
                    rows: vec![("a predecessor left wrong ones", gap(5000))],
                    play: hands::leftovers,
                },
            ],
            bird: true,
            tunnels: false,
            many: false,
        },
        Scene {
            start: hands::start6,
            events: vec![
                free("IPv6: a daemon is stopped and started", restart::stop),
                free("IPv6: it is killed and started", restart::kill),
                Event {
                    rows: vec![("IPv6: a route is deleted by hand, thrice", gap(5000))],
                    play: hands::deleted,
                },
                Event { rows: vec![("IPv6: it is bent by hand", gap(5000))], play: hands::bent },
                Event {
                    rows: vec![("IPv6: a predecessor left wrong ones", gap(5000))],
                    play: hands::leftovers,
                },
            ],
            bird: true,
            tunnels: false,
            many: false,
        },
        Scene {
            start: |software| Mesh::start(software, &[0; 5], Told::of(1..=5), PACE),
            events: vec![
                free("a daemon is dead for 8 s", death::daemon),
                Event {
                    rows: vec![
                        ("a NIC is down for 0.3 s: its node's packets", gap(5000)),
                        ("what the others lose meanwhile", Allowed::Nothing),
                    ],
                    play: death::nic,
                },
                Event {
                    rows: vec![
                        ("a node's cable is cut: until all others know", gap(5000)),
                        ("what the others lose among themselves", Allowed::Nothing),
                    ],
                    play: death::cable,
                },
            ],
            bird: true,
            tunnels: false,
            many: false,
        },
        Scene {
            start: replace::start,
            events: vec![
                free("BIRD is ended for a restart, Starling started", replace::to_starling),
                free("Starling among BIRDs is stopped and started", replace::among_birds),
                free("Starling is stopped, BIRD started", replace::to_bird),
                free("BIRD is killed, Starling started", replace::killed_to_starling),
            ],
            bird: false,
            tunnels: false,
            many: false,
        },
        Scene {
            start: many::start,
            events: vec![
                Event {
                    rows: vec![("with 50 peers: the cable is cut, until all know", gap(5000))],
                    play: many::cable,
                },
                free("with 5 dead ones beside them: stopped and started", many::upgrade),
            ],
            bird: true,
            tunnels: false,
            many: true,
        },
        Scene {
            start: tunnels::start,
            events: vec![
                free("with tunnels: a daemon is stopped and started", restart::stop),
                free("with tunnels: it is killed and started", restart::kill),
                Event {
                    rows: vec![
                        ("a pool from cross-subnet to never", Allowed::Nothing),
                        ("from never to cross-subnet", Allowed::Nothing),
                        ("from cross-subnet to always", Allowed::Nothing),
                        ("from always to cross-subnet", Allowed::Nothing),
                    ],
                    play: tunnels::modes,
                },
                free("the tunnel's MTU is changed by hand", tunnels::mtu),
                Event {
                    rows: vec![("the tunnel is set down by hand", gap(10_000))],
                    play: tunnels::down,
                },
                Event {
                    rows: vec![("its address is removed", gap(10_000))],
                    play: tunnels::address,
                },
                Event { rows: vec![("it is renamed", gap(10_000))], play: tunnels::renamed },
                Event { rows: vec![("it is deleted", gap(10_000))], play: tunnels::deleted },
            ],
            bird: false,
            tunnels: true,
            many: false,
        },
    ]
}

type Outcome = BTreeMap<(&'static str, Software), Result<Seen>>;

/// Plays a scene until something fails.
fn play(scene: &Scene, software: Software) -> Outcome {
    let mut outcome = Outcome::new();
    let mut first = scene.events.iter().flat_map(|event| &event.rows).map(|(words, _)| *words);
    let mut mesh = match (scene.start)(software) {
        Ok(mesh) => mesh,
        Err(error) => {
            let error = error.context("the network's start");
            outcome.insert((first.next().unwrap_or_default(), software), Err(error));
            return outcome;
        }
    };
    for event in &scene.events {
        let begin = Instant::now();
        let names = || event.rows.iter().map(|(words, _)| *words);
        match (event.play)(&mut mesh, software) {
            Ok(all) => {
                assert_eq!(all.len(), event.rows.len(), "a row each");
                let nothing = event.rows.iter().map(|(_, allowed)| *allowed == Allowed::Nothing);
                let wrong = |(seen, nothing): (&Seen, bool)| nothing && seen.lost.lost > 0;
                if software == Software::Starling && all.iter().zip(nothing).any(wrong) {
                    eprintln!("{}", mesh.complaints());
                }
                for (words, seen) in names().zip(all) {
                    let (took, lost) = (begin.elapsed().as_secs_f32(), seen.lost.lost);
                    eprintln!("{software:?}, {words}: lost {lost}, {took:.1} s {}", seen.who);
                    outcome.insert((words, software), Ok(seen));
                }
            }
            Err(error) => {
                eprintln!("{software:?}, {:?}: {error:#}", event.rows);
                outcome.insert((names().next().unwrap_or_default(), software), Err(error));
                break;
            }
        }
    }
    outcome
}

/// What the program is asked for.
#[derive(Default)]
struct Asked {
    /// JSON, an object a row.
    json: bool,
    /// The scenes with tunnels alone, in the machine that has them.
    tunnels: bool,
    /// Words of rows.
    words: Vec<String>,
}

impl Asked {
    fn for_this(&self, scene: &Scene) -> bool {
        let mut rows = scene.events.iter().flat_map(|event| &event.rows);
        let with_all = |row: &str| self.words.iter().all(|words| row.contains(words.as_str()));
        (scene.tunnels || !self.tunnels) && rows.any(|(row, _)| with_all(row))
    }
}

fn main() -> ExitCode {
    let mut asked = Asked::default();
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => asked.json = true,
            TUNNELS => asked.tunnels = true,
            // What cargo hands to every test program.
            option if option.starts_with('-') => {}
            words => asked.words.push(words.to_owned()),
        }
    }
    match run(&asked) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loss: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the scenes with tunnels in a machine that has ipip.
fn elsewhere(scenes: &[&Scene]) -> Outcome {
    let arguments = [TUNNELS, "--json"].map(str::to_owned);
    let rows = || scenes.iter().flat_map(|scene| &scene.events).flat_map(|event| &event.rows);
    let failed = |error| {
        let first = rows().map(|(words, _)| *words).next().unwrap_or_default();
        Outcome::from([((first, Software::Starling), Err(error))])
    };
    let said = match vm::output(&arguments, LIMIT) {
        Ok(said) => said,
        Err(error) => return failed(error),
    };
    let mut seen = match table::read(&said) {
        Ok(seen) if seen.len() == rows().count() => seen,
        Ok(_) => return failed(anyhow!("it did not come to everything in the machine:\n{said}")),
        Err(error) => return failed(error),
    };
    rows()
        .filter_map(|(words, _)| Some(((*words, Software::Starling), Ok(seen.remove(*words)?))))
        .collect()
}

/// Plays scenes at the same time, with each software.
fn side_by_side<'scope>(
    scope: &'scope Scope<'scope, '_>,
    scenes: Vec<&'scope Scene>,
) -> Vec<ScopedJoinHandle<'scope, Outcome>> {
    let mut threads = Vec::new();
    for scene in scenes {
        let softwares = [Software::Starling, Software::Bird];
        for software in softwares.into_iter().take(1 + usize::from(scene.bird)) {
            threads.push(scope.spawn(move || play(scene, software)));
        }
    }
    threads
}

fn run(asked: &Asked) -> Result<bool> {
    let _room = Room::make();
    let full = times_full();
    let scenes: Vec<Scene> = scenes().into_iter().filter(|scene| asked.for_this(scene)).collect();
    let has_ipip = has_ipip()?;
    let mut outcome: Outcome = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        let (there, here): (Vec<_>, Vec<_>) =
            scenes.iter().partition(|scene| scene.tunnels && !has_ipip);
        if !there.is_empty() {
            threads.push(scope.spawn(move || elsewhere(&there)));
        }
        let (many, few): (Vec<_>, Vec<_>) = here.into_iter().partition(|scene| scene.many);
        let seen = |threads: Vec<ScopedJoinHandle<'_, Outcome>>| -> Outcome {
            threads
                .into_iter()
                .flat_map(|thread| thread.join().expect("a scene panicked"))
                .collect()
        };
        threads.extend(side_by_side(scope, few));
        let mut outcome = seen(threads);
        outcome.extend(seen(side_by_side(scope, many)));
        outcome
    });
    let mut rows = Vec::new();
    let mut faults = Vec::new();
    for (words, allowed) in scenes.iter().flat_map(|s| &s.events).flat_map(|event| &event.rows) {
        let mut of = |software| match outcome.remove(&(*words, software)) {
            Some(Ok(seen)) => Some(seen),
            Some(Err(error)) => {
                faults.push(format!("{software:?}, {words}: {error:#}"));
                None
            }
            None => None,
        };
        let (starling, bird) = (of(Software::Starling), of(Software::Bird));
        rows.push(Row { event: words, allowed: *allowed, starling, bird });
    }
    let words = if asked.json { table::json(&rows)? } else { table::markdown(&rows) };
    print!("{words}");
    faults.extend(table::faults(&rows));
    if asked.words.is_empty() && !asked.tunnels && faults.is_empty() {
        match std::env::var_os("UPDATE_LOSS").is_some_and(|value| value != "0") {
            true => table::write(&rows)?,
            false => table::compare(&rows)?,
        }
    }
    for fault in &faults {
        eprintln!("FAILED {fault}");
    }
    if times_full() > full {
        eprintln!(
            "the host's neighbour table was full meanwhile (net.ipv4.neigh.default.gc_thresh3): \
             these figures are about that"
        );
    }
    Ok(faults.is_empty())
}
