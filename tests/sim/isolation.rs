//! Who is cut off, the others or we (`[isolation]`): told by the hold times of nine seconds, since
//! there is no BFD here, and without graceful restart, which would keep the same routes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use starling_fib::types::Mode;

use crate::cluster::Cluster;
use crate::network::NodeIx;
use crate::topology::{self, HOLD, Settings};
use crate::{converge, oracle, play, seeds, started};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
const NODES: usize = 12;
/// For so many seconds a node that is cut off keeps what it has.
const KEEP: u64 = 40;

fn settings() -> Arc<Settings> {
    Settings::new(NODES, Mode::CrossSubnet).with(|settings| settings.isolation = KEEP)
}

/// Who has a route to the pods of `node`.
fn who_reaches(cluster: &Cluster, node: NodeIx) -> BTreeSet<NodeIx> {
    let [block, _] = topology::blocks(node);
    let has = |other: &NodeIx| !cluster.nodes[*other].kernel.routes_to(block).is_empty();
    (0..NODES).filter(|other| *other != node).filter(has).collect()
}

/// Runs for `span`, in which the kernel of `node` must hold what it held before.
fn keeps_all(cluster: &mut Cluster, node: NodeIx, span: Duration, why: &str) {
    let (before, end) = (oracle::held(cluster, node), cluster.now.after(span));
    while cluster.now < end {
        cluster.run(20 * MILLISECOND);
        let held = oracle::held(cluster, node);
        let lost: Vec<_> = before.iter().filter(|route| !held.contains(route)).collect();
        assert!(lost.is_empty(), "{why}, at {:?}: lost {lost:?}", cluster.now);
    }
}

#[test]
fn a_node_that_is_cut_off_keeps_its_routes_and_is_forgotten() {
    let settings = settings();
    play("cut off", &seeds(800..810), |seed, figures| {
        let mut cluster = started(seed, NODES, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.partition([3].into());
        let away = Duration::from_millis(1000 * (HOLD + 1) + cluster.rng.below(20_000));
        keeps_all(&mut cluster, 3, away, "cut off");
        assert_eq!(cluster.isolated(), [3].into(), "it alone thinks so");
        assert!(who_reaches(&cluster, 3).is_empty(), "to the others it is one that died");
        // It is told everything again, and loses nothing by it.
        cluster.heal();
        let begin = cluster.now;
        keeps_all(&mut cluster, 3, 10 * SECOND, "healed");
        converge(&mut cluster, 20 * SECOND);
        figures.time("the others know it again", cluster.blackholes.light().since(begin));
        keeps_all(&mut cluster, 3, 40 * SECOND, "long after");
        assert_eq!(cluster.isolated(), BTreeSet::new());
    });
}

#[test]
fn a_node_that_is_cut_off_for_too_long_gives_up() {
    let settings = settings();
    play("cut off for good", &seeds(820..826), |seed, _| {
        let mut cluster = started(seed, NODES, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.partition([3].into());
        // The first loss is known after two thirds of the hold time at the earliest.
        keeps_all(&mut cluster, 3, Duration::from_secs(HOLD * 2 / 3 + KEEP - 1), "cut off");
        cluster.run(Duration::from_secs(HOLD / 3 + 3));
        assert_eq!(oracle::held(&cluster, 3).len(), 2, "its own blocks are left");
        assert_eq!(cluster.isolated(), BTreeSet::new(), "whom it might miss is forgotten");
        cluster.heal();
        converge(&mut cluster, 20 * SECOND);
    });
}

#[test]
fn when_most_nodes_really_die_their_routes_outlive_them_for_a_while() {
    let settings = settings();
    play("most die", &seeds(830..840), |seed, figures| {
        let mut cluster = started(seed, NODES, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        let (living, dead) = (0..4, 4..NODES);
        let died = cluster.now;
        dead.clone().for_each(|node| cluster.power_off(node));
        cluster.run(Duration::from_secs(HOLD + 1));
        assert_eq!(cluster.isolated(), living.clone().collect(), "nobody can tell");
        for node in living.clone() {
            // Those that live are heard all the while.
            assert_eq!(cluster.established(node), 3);
        }
        for node in dead.clone() {
            assert_eq!(who_reaches(&cluster, node), living.clone().collect());
        }
        if seed % 2 == 0 {
            // All are forgotten when the time is over, at once and for good.
            converge(&mut cluster, Duration::from_secs(KEEP));
            figures.time("known dead", cluster.now.since(died));
            assert_eq!(cluster.isolated(), BTreeSet::new());
            dead.clone().for_each(|node| assert!(who_reaches(&cluster, node).is_empty()));
        } else {
            // Most are back: who is not by then has half a minute yet.
            for node in 4..10 {
                cluster.power_on(node);
                cluster.start(node);
            }
            cluster.run(10 * SECOND);
            assert_eq!(cluster.isolated(), BTreeSet::new());
            assert_eq!(who_reaches(&cluster, 11), living.clone().collect());
            converge(&mut cluster, 30 * SECOND);
            figures.time("the rest known dead", cluster.now.since(died));
            assert!(who_reaches(&cluster, 11).is_empty());
        }
    });
}

#[test]
fn one_that_dies_alone_is_forgotten_as_if_there_were_no_such_rule() {
    let settings = settings();
    play("one dies", &seeds(850..856), |seed, figures| {
        let mut cluster = started(seed, NODES, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.power_off(5);
        let died = cluster.now;
        converge(&mut cluster, Duration::from_secs(HOLD + 2));
        figures.time("forgotten", cluster.now.since(died));
        assert!(who_reaches(&cluster, 5).is_empty() && cluster.isolated().is_empty());
    });
}

/// A dead link is seen at once, hold time or not: the node that it is of is cut off.
#[test]
fn a_link_without_a_carrier_costs_nothing_but_its_own_time() {
    let settings = settings();
    play("carrier", &seeds(860..870), |seed, figures| {
        // One rack, so that everybody is behind that link.
        let mut cluster =
            started(seed, 10, &settings.with(|s| s.members = (0..10).collect()), 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        let before = oracle::held(&cluster, 1);
        cluster.carrier(1, false);
        cluster.run(300 * MILLISECOND);
        assert_eq!(cluster.isolated(), [1].into());
        cluster.run(2 * SECOND);
        cluster.carrier(1, true);
        let mut took = Duration::ZERO;
        while oracle::held(&cluster, 1) != before {
            assert!(took < 100 * MILLISECOND, "the sessions are waited for");
            cluster.run(10 * MILLISECOND);
            took += 10 * MILLISECOND;
        }
        figures.time("all routes are back", took);
        // Nothing goes while everybody says everything again.
        keeps_all(&mut cluster, 1, 60 * SECOND, "back");
        converge(&mut cluster, SECOND);
        assert_eq!(cluster.isolated(), BTreeSet::new());
        assert_eq!(oracle::held(&cluster, 1), before);
    });
}
