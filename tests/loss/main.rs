//! What is lost while something happens: packets through real kernels, counted, with Starling and
//! with BIRD in its place.
//!
//! ```text
//!   Scene ──starts──► Mesh: nodes, pods, traffic ──► its events, one after the other ──► Seen
//!     one a software, all side by side                                                    │
//!                              README, the terminal, --json  ◄──  Row: both softwares  ◄──┘
//! ```
//!
//! It is a program of its own, not a list of tests, because what it prints is one table:
//! `make test-loss`, or `cargo test --test loss -- [--json] [WORDS]`, which plays only the scenes
//! that have an event with these words. It fails where Starling loses what it must not, and where
//! README says something else. `UPDATE_LOSS=1` writes README's table.

// clippy.toml lets tests panic and print, but knows only the functions marked as tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]
#![allow(clippy::print_stderr)]

mod change;
mod death;
mod hands;
mod mesh;
mod restart;
mod table;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use starling_lab::Result;

use mesh::{Mesh, Software, Told};
use table::{Allowed, Row, Seen};

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
}

fn scenes() -> Vec<Scene> {
    let gap = |ms| Allowed::Gap(Duration::from_millis(ms));
    vec![
        Scene {
            start: |software| Mesh::start(software, 5, Told::of(1..=5)),
            events: vec![
                free("nothing", restart::nothing),
                free("a daemon is stopped (SIGTERM) and started", restart::stop),
                free("it is killed (SIGKILL) and started", restart::kill),
                free("it aborts (SIGABRT) and is started", restart::abort),
                free("it is killed, and again while it recovers", restart::twice),
            ],
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
                free("the kernel's metric is changed, and back", change::metric),
            ],
        },
        Scene {
            start: hands::start,
            events: vec![
                Event {
                    rows: vec![("a route is deleted by hand", gap(1000))],
                    play: hands::deleted,
                },
                Event { rows: vec![("it is bent by hand", gap(1000))], play: hands::bent },
                Event {
                    rows: vec![("a wrong one with a better metric appears", gap(1000))],
                    play: hands::shadowed,
                },
                Event {
                    rows: vec![("a predecessor left wrong ones", gap(5000))],
                    play: hands::leftovers,
                },
            ],
        },
        Scene {
            start: |software| Mesh::start(software, 5, Told::of(1..=5)),
            events: vec![
                free("a daemon is dead for 8 s", death::daemon),
                Event {
                    rows: vec![
                        ("a node's cable is cut: until all others know", gap(5000)),
                        ("what the others lose among themselves", Allowed::Nothing),
                    ],
                    play: death::cable,
                },
            ],
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

fn main() -> ExitCode {
    let (mut as_json, mut wanted) = (false, Vec::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--json" => as_json = true,
            // What cargo hands to every test program.
            option if option.starts_with('-') => {}
            words => wanted.push(words.to_owned()),
        }
    }
    match run(as_json, &wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("loss: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(as_json: bool, wanted: &[String]) -> Result<bool> {
    let asked = |scene: &Scene| {
        let mut rows = scene.events.iter().flat_map(|event| &event.rows);
        rows.any(|(row, _)| wanted.iter().all(|words| row.contains(words.as_str())))
    };
    let scenes: Vec<Scene> = scenes().into_iter().filter(asked).collect();
    let mut outcome: Outcome = std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for scene in &scenes {
            for software in [Software::Starling, Software::Bird] {
                threads.push(scope.spawn(move || play(scene, software)));
            }
        }
        threads.into_iter().flat_map(|thread| thread.join().expect("a scene panicked")).collect()
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
    let words = if as_json { table::json(&rows)? } else { table::markdown(&rows) };
    print!("{words}");
    faults.extend(table::faults(&rows));
    if wanted.is_empty() && faults.is_empty() {
        match std::env::var_os("UPDATE_LOSS").is_some_and(|value| value != "0") {
            true => table::write(&rows)?,
            false => table::compare(&rows)?,
        }
    }
    for fault in &faults {
        eprintln!("FAILED {fault}");
    }
    Ok(faults.is_empty())
}
