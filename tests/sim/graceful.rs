//! Daemons go and come back while their kernels and their neighbours keep the routes (RFC 4724,
//! 8538, 9494): the pods must not notice.

use std::sync::Arc;
use std::time::Duration;

use starling_fib::types::Mode;

use crate::topology::{self, Settings};
use crate::{converge, oracle, play, seeds, started};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
/// How long the routes of a daemon that is away stay, in seconds.
const RESTART: u64 = 20;

fn graceful(nodes: usize, stale: u64) -> Arc<Settings> {
    Settings::new(nodes, Mode::CrossSubnet)
        .with(|settings| settings.graceful = Some((RESTART, stale)))
}

#[test]
fn a_daemon_that_comes_back_was_never_missed() {
    let settings = graceful(12, 0);
    play("restart", &seeds(700..710), |seed, figures| {
        let mut cluster = started(seed, 12, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.blackholes.settle(cluster.now);
        for (round, orderly) in [(0, true), (1, false), (2, false)] {
            match orderly {
                true => cluster.stop(3),
                false => cluster.crash(3),
            }
            let away = Duration::from_millis(cluster.rng.below(RESTART * 1000 - 8000));
            cluster.run(away);
            cluster.start(3);
            // The third comes while the second start is not over yet.
            cluster.run(if round == 1 { 150 * MILLISECOND } else { 20 * SECOND });
        }
        converge(&mut cluster, SECOND);
        let holes = cluster.blackholes.settle(cluster.now);
        assert_eq!(holes.times, 0, "{holes}");
        figures.holes("three restarts", holes);
    });
}

#[test]
fn a_daemon_that_stays_away_is_forgotten_in_time() {
    let settings = graceful(12, 0);
    play("no restart", &seeds(720..730), |seed, figures| {
        let mut cluster = started(seed, 12, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.crash(3);
        let [block, _] = topology::blocks(3);
        let told = |cluster: &crate::cluster::Cluster| {
            (0..12).filter(|n| !cluster.nodes[*n].kernel.routes_to(block).is_empty()).count()
        };
        cluster.run(Duration::from_secs(RESTART - 1));
        assert_eq!(told(&cluster), 12, "they wait for it");
        cluster.run(2 * SECOND);
        assert_eq!(told(&cluster), 1, "its own kernel alone still has its block");
        figures.time("then all is right", converge(&mut cluster, SECOND));
    });
}

#[test]
fn long_lived_routes_outlive_the_restart_time() {
    let settings = graceful(8, 40);
    play("long-lived", &seeds(730..740), |seed, _| {
        let mut cluster = started(seed, 8, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.blackholes.settle(cluster.now);
        cluster.crash(3);
        let [block, _] = topology::blocks(3);
        cluster.run(Duration::from_secs(RESTART + 35));
        let kept = |cluster: &crate::cluster::Cluster| {
            (0..8).filter(|n| !cluster.nodes[*n].kernel.routes_to(block).is_empty()).count()
        };
        assert_eq!(kept(&cluster), 8, "stale, but better than none");
        if seed % 2 == 0 {
            cluster.start(3);
            cluster.run(20 * SECOND);
            let holes = cluster.blackholes.settle(cluster.now);
            assert_eq!(holes.times, 0, "{holes}");
        } else {
            cluster.run(10 * SECOND);
            assert_eq!(kept(&cluster), 1, "their time is over");
        }
        converge(&mut cluster, SECOND);
    });
}

#[test]
fn a_dead_neighbour_delays_nobody_elses_restart() {
    let settings = graceful(12, 0);
    play("restart beside a dead node", &seeds(740..750), |seed, figures| {
        let mut cluster = started(seed, 12, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.power_off(5);
        cluster.crash(3);
        cluster.run(2 * SECOND);
        // It comes back with a pod block less: the others must hear that from its first routes
        // and its End-of-RIB, whoever is missing.
        let bare = settings.with(|settings| settings.bare = [3].into());
        cluster.reload(3, &bare);
        cluster.start(3);
        let begin = cluster.now;
        let [block, _] = topology::blocks(3);
        let left = |cluster: &crate::cluster::Cluster| {
            let others = (0..12).filter(|n| *n != 3 && *n != 5);
            others.filter(|n| !cluster.nodes[*n].kernel.routes_to(block).is_empty()).count()
        };
        while left(&cluster) > 0 {
            assert!(cluster.now.since(begin) < 4 * SECOND, "{} still wait", left(&cluster));
            cluster.run(20 * MILLISECOND);
        }
        figures.time("its news is everywhere", cluster.now.since(begin));
    });
}

#[test]
fn everybody_restarts_at_once() {
    let settings = graceful(15, 0);
    play("all restart", &seeds(750..760), |seed, figures| {
        let mut cluster = started(seed, 15, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.blackholes.settle(cluster.now);
        for node in 0..15 {
            let pause = Duration::from_millis(cluster.rng.below(300));
            cluster.run(pause);
            cluster.crash(node);
            let away = Duration::from_millis(cluster.rng.below(300));
            cluster.run(away);
            cluster.start(node);
        }
        figures.time("after the last", converge(&mut cluster, 20 * SECOND));
        cluster.run(20 * SECOND);
        assert!(oracle::differences(&cluster).is_empty());
        let holes = cluster.blackholes.settle(cluster.now);
        assert_eq!(holes.times, 0, "{holes}");
    });
}
