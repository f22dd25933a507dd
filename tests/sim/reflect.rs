//! Reflectors in the place of the mesh (RFC 4456): every node hears of every other through them,
//! by as few sessions as there can be, and next hops are the nodes' own.

use std::sync::Arc;
use std::time::Duration;

use starling_fib::types::Mode;

use crate::cluster::Cluster;
use crate::topology::Settings;
use crate::{converge, oracle, play, seeds, started};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The first nodes reflect for all others.
fn reflected(nodes: usize, reflectors: usize) -> Arc<Settings> {
    Settings::new(nodes, Mode::CrossSubnet).with(|settings| {
        settings.reflectors = (0..reflectors).collect();
        settings.mesh = false;
    })
}

/// Ends of sessions when all are up: reflectors with each other, and each with every client.
fn ends(nodes: usize, reflectors: usize) -> usize {
    reflectors * (reflectors - 1) + 2 * reflectors * (nodes - reflectors)
}

#[test]
fn three_reflectors_serve_300_clients() {
    let settings = reflected(303, 3);
    play("3 x 300", &seeds(800..801), |seed, figures| {
        let mut cluster = started(seed, 303, &settings, SECOND);
        let begin = cluster.now;
        converge(&mut cluster, 15 * SECOND);
        figures.time("from the last start on", cluster.blackholes.light().since(begin));
        // The last sessions are only for when another one is lost.
        cluster.run(10 * SECOND);
        assert_eq!(cluster.sessions(), ends(303, 3));
        cluster.blackholes.settle(cluster.now);
        // One of three is no loss.
        cluster.crash(1);
        converge(&mut cluster, 5 * SECOND);
        let holes = cluster.blackholes.settle(cluster.now);
        assert_eq!(holes.times, 0, "{holes}");
    });
}

#[test]
fn reflectors_come_and_go() {
    let settings = reflected(23, 3);
    play("reflectors", &seeds(810..814), |seed, figures| {
        let mut cluster = started(seed, 23, &settings, SECOND);
        converge(&mut cluster, 15 * SECOND);
        for node in [0, 2] {
            cluster.crash(node);
            converge(&mut cluster, 5 * SECOND);
        }
        // With the last one everything goes; with the first that is back, all of it comes.
        cluster.crash(1);
        converge(&mut cluster, 5 * SECOND);
        cluster.start(2);
        // It keeps its predecessor's routes to the others until it has waited for them long enough.
        figures.time("the first is back", converge(&mut cluster, 20 * SECOND));
        cluster.start(0);
        cluster.start(1);
        converge(&mut cluster, 15 * SECOND);
        cluster.run(20 * SECOND);
        assert!(oracle::differences(&cluster).is_empty());
        assert_eq!(cluster.sessions(), ends(23, 3));
    });
}

#[test]
fn every_reflected_path_is_told_and_one_is_enough() {
    let settings = reflected(23, 3).with(|settings| {
        settings.add_paths = true;
        settings.graceful = Some((20, 0));
    });
    play("reflectors, add-path", &seeds(840..846), |seed, figures| {
        let mut cluster = started(seed, 23, &settings, SECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.run(10 * SECOND);
        let paths = cluster.paths(20, 10);
        // Each reflector passes on what the client told it, and what the two others pass on.
        assert!(paths >= 3, "node20 knows {paths} paths to the pods of node10");
        cluster.blackholes.settle(cluster.now);
        cluster.crash(1);
        cluster.run(3 * SECOND);
        cluster.start(1);
        cluster.run(30 * SECOND);
        cluster.stop(10);
        let begin = cluster.now;
        cluster.run(25 * SECOND);
        assert_eq!(
            cluster.paths(20, 10),
            0,
            "all of them go, {:?} later",
            cluster.now.since(begin)
        );
        figures.time("node10 forgotten", converge(&mut cluster, SECOND));
        let holes = cluster.blackholes.settle(cluster.now);
        assert_eq!(holes.times, 0, "{holes}");
    });
}

#[test]
fn a_reflector_that_restarts_gracefully_is_not_missed() {
    let settings = reflected(22, 2).with(|settings| settings.graceful = Some((20, 0)));
    play("reflectors restart", &seeds(820..826), |seed, _| {
        let mut cluster = started(seed, 22, &settings, SECOND);
        converge(&mut cluster, 15 * SECOND);
        // Every client knows both by then.
        cluster.run(10 * SECOND);
        assert_eq!(cluster.sessions(), ends(22, 2));
        cluster.blackholes.settle(cluster.now);
        // Both at once: nobody tells the clients anything for a while.
        cluster.crash(0);
        cluster.stop(1);
        cluster.run(3 * SECOND);
        cluster.start(1);
        let pause = Duration::from_millis(cluster.rng.below(2000));
        cluster.run(pause);
        cluster.start(0);
        cluster.run(30 * SECOND);
        converge(&mut cluster, SECOND);
        let holes = cluster.blackholes.settle(cluster.now);
        assert_eq!(holes.times, 0, "{holes}");
    });
}

#[test]
fn a_mesh_becomes_reflected_and_loses_nothing() {
    play("migration", &seeds(830..836), |seed, figures| {
        let mesh = Settings::new(20, Mode::CrossSubnet);
        let mixed = mesh.with(|settings| settings.reflectors = (0..2).collect());
        let reflected = mixed.with(|settings| settings.mesh = false);
        let mut cluster = started(seed, 20, &mesh, SECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.blackholes.settle(cluster.now);
        for settings in [&mixed, &reflected] {
            tell_all(&mut cluster, settings);
            // Until whoever is a client by now has heard all of it from the reflectors.
            cluster.run(10 * SECOND);
            converge(&mut cluster, 5 * SECOND);
        }
        let holes = cluster.blackholes.settle(cluster.now);
        figures.holes("on the way", holes);
        assert_eq!(holes.times, 0, "{holes}");
        assert_eq!(cluster.sessions(), ends(20, 2));
    });
}

fn tell_all(cluster: &mut Cluster, settings: &Arc<Settings>) {
    for node in 0..cluster.nodes.len() {
        let pause = cluster.rng.below(100) * MILLISECOND.as_micros() as u64;
        cluster.run(Duration::from_micros(pause));
        cluster.reload(node, settings);
    }
}
