//! One thing breaks at a time: what the others notice, when, and what it costs the pods.

use std::time::Duration;

use starling_fib::types::{KernelRoute, Mode};

use crate::topology::Settings;
use crate::{converge, oracle, play, seeds, started};

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);
/// The hold time of the configuration in `topology`.
const HOLD: Duration = Duration::from_secs(9);

#[test]
fn a_crashed_daemon_is_missed_and_its_successor_adopts_its_routes() {
    let settings = Settings::new(12, Mode::CrossSubnet);
    play("crash, then restart", &seeds(100..110), |seed, figures| {
        let mut cluster = started(seed, 12, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        let before = oracle::held(&cluster, 3);
        cluster.crash(3);
        figures.time("others drop its routes", converge(&mut cluster, SECOND));
        assert_eq!(oracle::held(&cluster, 3), before, "the kernel keeps its routes");
        cluster.run(5 * SECOND);
        cluster.blackholes.settle(cluster.now);
        cluster.start(3);
        // Nothing that is still right may be taken away while the sessions come back.
        let begin = cluster.now;
        while cluster.now.since(begin) < 20 * SECOND {
            cluster.run(50 * MILLISECOND);
            let held = oracle::held(&cluster, 3);
            let lost: Vec<_> = before.iter().filter(|route| !held.contains(route)).collect();
            assert!(lost.is_empty(), "lost {lost:?}");
        }
        converge(&mut cluster, SECOND);
        let holes = cluster.blackholes.settle(cluster.now);
        figures.holes("until the others reach it again", holes);
        assert!(holes.longest < 7 * SECOND, "{holes}");
    });
}

#[test]
fn a_successor_sweeps_what_nobody_announces_any_more() {
    let settings = Settings::new(12, Mode::CrossSubnet);
    play("sweep", &seeds(120..130), |seed, figures| {
        let mut cluster = started(seed, 12, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        let before = oracle::held(&cluster, 3).len();
        cluster.crash(3);
        cluster.stop(7);
        cluster.run(SECOND);
        cluster.start(3);
        // Node 7 may be back yet: its routes stay until the wait of 15 s is over.
        cluster.run(14 * SECOND);
        assert_eq!(oracle::held(&cluster, 3).len(), before);
        cluster.run(2 * SECOND);
        assert_eq!(oracle::held(&cluster, 3).len(), before - 2);
        figures.time("all right", converge(&mut cluster, SECOND));
    });
}

#[test]
fn a_partition_is_noticed_by_the_hold_timer_and_healed() {
    let settings = Settings::new(14, Mode::CrossSubnet);
    play("partition", &seeds(200..206), |seed, figures| {
        let mut cluster = started(seed, 14, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.partition((0..5).collect());
        let parted = cluster.now;
        converge(&mut cluster, HOLD + 2 * SECOND);
        figures.time("noticed", cluster.now.since(parted));
        assert!(cluster.now.since(parted) > HOLD * 2 / 3 - SECOND, "nothing else tells");
        cluster.blackholes.settle(cluster.now);
        cluster.heal();
        figures.time("healed", converge(&mut cluster, 20 * SECOND));
        figures.holes("after the healing", cluster.blackholes.settle(cluster.now));
    });
}

#[test]
fn a_short_partition_costs_nothing() {
    let settings = Settings::new(10, Mode::CrossSubnet);
    play("short partition", &seeds(220..230), |seed, _| {
        let mut cluster = started(seed, 10, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        let ups = cluster.ups;
        cluster.blackholes.settle(cluster.now);
        cluster.partition((0..5).collect());
        cluster.run(4 * SECOND);
        cluster.heal();
        cluster.run(20 * SECOND);
        assert_eq!(cluster.ups, ups, "sessions outlive it");
        assert_eq!(cluster.blackholes.settle(cluster.now).times, 0);
    });
}

#[test]
fn a_host_without_power_is_missed_and_comes_back() {
    let settings = Settings::new(12, Mode::CrossSubnet);
    play("power", &seeds(240..250), |seed, figures| {
        let mut cluster = started(seed, 12, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.power_off(4);
        if seed % 2 == 0 {
            converge(&mut cluster, HOLD + 2 * SECOND);
        } else {
            // Back before anybody has noticed.
            cluster.run(2 * SECOND);
        }
        cluster.power_on(4);
        cluster.start(4);
        figures.time("back", converge(&mut cluster, 20 * SECOND));
    });
}

#[test]
fn who_reads_slowly_or_gets_no_cpu_is_not_taken_for_dead() {
    let settings = Settings::new(10, Mode::CrossSubnet);
    play("slow", &seeds(260..270), |seed, _| {
        let mut cluster = started(seed, 10, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        let ups = cluster.ups;
        // Longer than the hold time: its own keepalives go on.
        cluster.deafen(2, 25 * SECOND);
        // Shorter than what the hold time leaves after a keepalive interval.
        cluster.freeze(5, 5 * SECOND);
        cluster.run(40 * SECOND);
        assert_eq!(cluster.ups, ups, "sessions outlive it");
        converge(&mut cluster, SECOND);
    });
}

#[test]
fn a_flap_of_the_nic_is_mended_when_it_is_over() {
    let settings = Settings::new(12, Mode::CrossSubnet);
    play("NIC", &seeds(280..290), |seed, figures| {
        let mut cluster = started(seed, 12, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        let ups = cluster.ups;
        cluster.blackholes.settle(cluster.now);
        cluster.nic_down(1);
        cluster.run(700 * MILLISECOND);
        cluster.nic_up(1);
        let took = converge(&mut cluster, 10 * SECOND);
        figures.time("after a flap of the device", took);
        cluster.carrier(1, false);
        cluster.run(700 * MILLISECOND);
        cluster.carrier(1, true);
        let took = converge(&mut cluster, 10 * SECOND);
        figures.time("after a flap of the carrier", took);
        figures.holes("both", cluster.blackholes.settle(cluster.now));
        // A dead link ends the sessions of rack mates, which are made anew, each counted at both
        // ends; what is behind the gateway outlives it.
        let mates = (0..12).filter(|ix| *ix != 1 && crate::topology::rack_mates(1, *ix)).count();
        assert_eq!(usize::try_from(cluster.ups - ups).ok(), Some(2 * 2 * mates));
    });
}

#[test]
fn what_others_change_is_put_back_and_their_own_is_left_alone() {
    let settings = Settings::new(10, Mode::CrossSubnet);
    play("foreign edits", &seeds(360..370), |seed, figures| {
        let mut cluster = started(seed, 10, &settings, 100 * MILLISECOND);
        converge(&mut cluster, 15 * SECOND);
        cluster.blackholes.settle(cluster.now);
        let [mate, _] = crate::topology::blocks(2);
        let ours = |cluster: &crate::cluster::Cluster| -> KernelRoute {
            cluster.nodes[1].kernel.routes_to(mate).first().cloned().expect("it has converged")
        };
        let right = ours(&cluster);
        cluster.edit(1, |kernel| kernel.delete(&right).expect("it is there"));
        figures.time("deleted, put back", converge(&mut cluster, SECOND));
        let mut wrong = right.clone();
        wrong.hops[0].gateway = Some(crate::topology::v4(7).into());
        cluster.edit(1, |kernel| kernel.replace(wrong).expect("it is there"));
        figures.time("changed, put back", converge(&mut cluster, SECOND));
        // Events are lost: only a dump can tell.
        cluster.edit(1, |kernel| {
            kernel.delete(&right).expect("it is there");
            kernel.lose_events();
        });
        figures.time("deleted unheard, put back", converge(&mut cluster, 2 * SECOND));
        // What we ourselves have written and withdrawn a moment ago, another may take away.
        cluster.crash(2);
        converge(&mut cluster, SECOND);
        cluster.start(2);
        converge(&mut cluster, 15 * SECOND);
        cluster.edit(1, |kernel| kernel.delete(&right).expect("it is back"));
        figures.time("back, deleted, put back", converge(&mut cluster, SECOND));
        // Somebody else's route in our place stays, whatever BGP says; then ours comes back.
        assert!(cluster.take_over(1, &right, 4));
        cluster.run(SECOND);
        cluster.crash(2);
        cluster.run(2 * SECOND);
        cluster.start(2);
        converge(&mut cluster, 15 * SECOND);
        assert_eq!(ours(&cluster).protocol, 4);
        cluster.give_back(1);
        figures.time("given back, ours again", converge(&mut cluster, SECOND));
        assert_eq!(ours(&cluster), right);
        figures.holes("all of it", cluster.blackholes.settle(cluster.now));
    });
}

#[test]
fn refused_writes_and_failed_dumps_are_tried_again() {
    let settings = Settings::new(10, Mode::CrossSubnet);
    play("netlink errors", &seeds(380..390), |seed, figures| {
        let mut cluster = crate::cluster::Cluster::new(seed, 10, &settings);
        for node in 0..10 {
            for errno in [12, 22, 105] {
                let op = 1 + cluster.rng.below(18);
                cluster.nodes[node].kernel.fail_op(op, errno);
            }
            let dumps = u32::try_from(cluster.rng.below(4)).expect("few");
            cluster.nodes[node].kernel.fail_dumps(dumps);
            cluster.start(node);
        }
        figures.time("in spite of them", converge(&mut cluster, 20 * SECOND));
    });
}

#[test]
fn the_oracle_and_the_clock_see_every_kind_of_wrong_route() {
    let settings = Settings::new(14, Mode::CrossSubnet);
    let mut cluster = started(1, 14, &settings, 100 * MILLISECOND);
    converge(&mut cluster, 15 * SECOND);
    let [mate, mate6] = crate::topology::blocks(2);
    let [far, _] = crate::topology::blocks(12);
    let route = |cluster: &crate::cluster::Cluster, prefix| -> KernelRoute {
        cluster.nodes[1].kernel.routes_to(prefix).first().cloned().expect("it has converged")
    };
    let nobody = KernelRoute {
        key: starling_fib::types::RouteKey {
            prefix: "10.244.99.0/24".parse().expect("a prefix"),
            ..route(&cluster, mate).key
        },
        ..route(&cluster, mate)
    };
    let changed = |prefix, change: &dyn Fn(&mut KernelRoute)| {
        let mut wrong = route(&cluster, prefix);
        change(&mut wrong);
        wrong
    };
    let tunnel = route(&cluster, far).hops[0].device;
    let wrongs = [
        changed(mate, &|wrong| wrong.hops[0].gateway = Some(crate::topology::v4(3).into())),
        changed(mate, &|wrong| wrong.hops[0].onlink = true),
        changed(mate, &|wrong| (wrong.hops[0].device, wrong.hops[0].onlink) = (tunnel, true)),
        changed(mate6, &|wrong| wrong.hops[0].gateway = Some(crate::topology::v6(3).into())),
        changed(far, &|wrong| {
            wrong.hops[0].device = crate::topology::NIC;
        }),
    ];
    for wrong in wrongs {
        cluster.edit(1, |kernel| kernel.replace(wrong.clone()).expect("it can be"));
        assert_eq!(oracle::differences(&cluster).len(), 2, "one lacks, one is too many: {wrong:?}");
        assert!(!cluster.blackholes.all_reach(), "{wrong:?}");
        converge(&mut cluster, SECOND);
    }
    for gone in [mate, mate6, far] {
        let gone = route(&cluster, gone);
        cluster.edit(1, |kernel| kernel.delete(&gone).expect("it is there"));
        assert_eq!(oracle::differences(&cluster).len(), 1, "one lacks: {gone:?}");
        assert!(!cluster.blackholes.all_reach(), "{gone:?}");
        converge(&mut cluster, SECOND);
    }
    cluster.edit(1, |kernel| kernel.add(nobody).expect("it can be"));
    assert_eq!(oracle::differences(&cluster).len(), 1, "one is too many");
    converge(&mut cluster, SECOND);
    // A peer that is gone must leave no route behind.
    cluster.crash(2);
    assert_eq!(oracle::differences(&cluster).len(), 13 * 2, "all but it have its two routes still");
}
