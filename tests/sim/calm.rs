//! Nothing breaks: the mesh comes up, is told new settings, grows and shrinks.

use std::time::Duration;

use starling_fib::types::Mode;

use crate::topology::Settings;
use crate::{converge, oracle, play, seeds, started, storm};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_mesh_of_100_nodes_converges_with_50_seeds() {
    let settings = Settings::new(100, Mode::CrossSubnet);
    play("mesh of 100", &seeds(0..50), |seed, figures| {
        let mut cluster = started(seed, 100, &settings, SECOND);
        let begin = cluster.now;
        converge(&mut cluster, 15 * SECOND);
        figures
            .time("from the last start to the last route", cluster.blackholes.light().since(begin));
        figures.holes("until then", cluster.blackholes.settle(cluster.now));
        // One session a pair, on one connection; the other one of the collision is gone.
        cluster.run(SECOND);
        assert_eq!(cluster.sessions(), 100 * 99);
        assert_eq!(cluster.network.len(), 100 * 99 / 2);
        assert_eq!(cluster.ups, 100 * 99, "no session was lost on the way");
    });
}

#[test]
fn a_mesh_at_rest_stays_at_rest() {
    let settings = Settings::new(30, Mode::CrossSubnet);
    play("mesh at rest", &seeds(50..54), |seed, figures| {
        let mut cluster = started(seed, 30, &settings, SECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.blackholes.settle(cluster.now);
        cluster.run(120 * SECOND);
        assert_eq!(cluster.ups, 30 * 29, "sessions flapped");
        let holes = cluster.blackholes.settle(cluster.now);
        assert_eq!(holes.times, 0, "{holes}");
        figures.holes("two minutes", holes);
    });
}

#[test]
fn one_seed_twice_is_one_history() {
    let history = |seed| {
        let settings = Settings::new(20, Mode::CrossSubnet);
        let mut cluster = started(seed, 20, &settings, SECOND);
        storm::blow(&mut cluster, seed, 20);
        (cluster.trace(), (0..20).map(|node| oracle::held(&cluster, node)).collect::<Vec<_>>())
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7).0, history(8).0, "the seed must matter");
}

#[test]
fn a_mode_change_replaces_routes_in_place_and_keeps_sessions() {
    play("mode change", &seeds(300..310), |seed, figures| {
        let mut cluster = started(seed, 25, &Settings::new(25, Mode::Never), 500 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        let ups = cluster.ups;
        for mode in [Mode::CrossSubnet, Mode::Always, Mode::Never, Mode::Always] {
            let settings = Settings::new(25, mode);
            cluster.blackholes.settle(cluster.now);
            let begin = cluster.now;
            for node in 0..25 {
                cluster.reload(node, &settings);
            }
            let before: Vec<usize> =
                (0..25).map(|node| oracle::held(&cluster, node).len()).collect();
            while !cluster.blackholes.all_reach() {
                assert!(
                    cluster.now.since(begin) < 5 * SECOND,
                    "{:?}",
                    oracle::differences(&cluster)
                );
                cluster.run(MILLISECOND / 5);
                // At no moment is a route missing.
                let now: Vec<usize> =
                    (0..25).map(|node| oracle::held(&cluster, node).len()).collect();
                assert_eq!(now, before);
            }
            converge(&mut cluster, SECOND);
            figures.holes("packets by the old mode", cluster.blackholes.settle(cluster.now));
        }
        assert_eq!(cluster.ups, ups, "a session was lost");
    });
}

#[test]
fn mode_changes_in_mid_convergence_end_in_the_last_mode() {
    play("modes in mid-convergence", &seeds(320..330), |seed, figures| {
        let mut cluster = started(seed, 25, &Settings::new(25, Mode::Never), 500 * MILLISECOND);
        for mode in [Mode::CrossSubnet, Mode::Always, Mode::Never, Mode::Always] {
            let settings = Settings::new(25, mode);
            for node in 0..25 {
                let pause = Duration::from_micros(cluster.rng.below(40_000));
                cluster.run(pause);
                cluster.reload(node, &settings);
            }
        }
        figures.time("after the last reload", converge(&mut cluster, 15 * SECOND));
    });
}

#[test]
fn nodes_join_and_leave_by_reload() {
    play("nodes join and leave", &seeds(340..350), |seed, figures| {
        let all = Settings::new(20, Mode::CrossSubnet);
        let mut cluster = crate::cluster::Cluster::new(seed, 20, &all);
        let old = all.with(|settings| settings.members = (0..18).collect());
        for node in 0..18 {
            cluster.reload(node, &old);
            cluster.start(node);
        }
        converge(&mut cluster, 15 * SECOND);
        let ups = cluster.ups;
        // Two come (started before anybody knows them), three go, told to one after the other.
        let new = all.with(|settings| settings.members = (3..20).collect());
        for node in [18, 19] {
            cluster.reload(node, &new);
            cluster.start(node);
        }
        for node in 0..20 {
            let pause = Duration::from_micros(cluster.rng.below(300_000));
            cluster.run(pause);
            cluster.reload(node, &new);
        }
        figures.time("after the last reload", converge(&mut cluster, 20 * SECOND));
        cluster.run(20 * SECOND);
        converge(&mut cluster, SECOND);
        // New sessions only: each of the two with the 15 that stay, and with each other.
        assert_eq!(cluster.ups - ups, 2 * (2 * 15 + 1), "old sessions stay");
    });
}

#[test]
fn blocks_come_and_go_by_reload() {
    let settings = Settings::new(20, Mode::CrossSubnet);
    play("blocks come and go", &seeds(350..360), |seed, figures| {
        let mut cluster = started(seed, 20, &settings, SECOND);
        converge(&mut cluster, 15 * SECOND);
        let (ups, before) = (cluster.ups, cluster.now);
        let bare = settings.with(|settings| settings.bare = (0..10).collect());
        (0..10).for_each(|node| cluster.reload(node, &bare));
        converge(&mut cluster, SECOND);
        figures.time("gone everywhere", cluster.now.since(before));
        (0..10).for_each(|node| cluster.reload(node, &settings));
        figures.time("back everywhere", converge(&mut cluster, SECOND));
        figures.holes("until then", cluster.blackholes.settle(cluster.now));
        assert_eq!(cluster.ups, ups, "sessions stay");
    });
}
