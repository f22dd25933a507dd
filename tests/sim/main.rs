//! The simulation: a mesh of real actors in virtual time, faults by seed, an oracle at the end.
//!
//! A failure names its seed; `STARLING_SIM_SEEDS=17..18 cargo test --test sim` plays it again.

mod cluster;
mod network;
mod oracle;
mod rng;
mod topology;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use cluster::Cluster;
use rng::Rng;
use starling_bgp::types::Time;

/// A cluster of hosts, all daemons started within `spread` of each other.
fn started(seed: u64, nodes: usize, ipip: &str, spread: Duration) -> Cluster {
    let hosts = topology::plans(nodes, ipip)
        .into_iter()
        .enumerate()
        .map(|(node, plan)| (plan, IpAddr::V4(topology::v4(node)), topology::kernel(node)))
        .collect();
    let mut cluster = Cluster::new(seed, hosts);
    let mut starts: Vec<(u64, usize)> =
        (0..nodes).map(|node| (cluster.rng.below(spread.as_micros() as u64), node)).collect();
    starts.sort_unstable();
    for (at, node) in starts {
        cluster.run_until(Time(at));
        cluster.start(node);
    }
    cluster
}

fn after(cluster: &Cluster, span: Duration) -> Time {
    cluster.now.after(span)
}

/// Runs until the kernels are right; the virtual time that took.
fn converge(cluster: &mut Cluster, ipip: &str, patience: Duration, seed: u64) -> Duration {
    let begin = cluster.now;
    let end = begin.after(patience);
    loop {
        let differences = oracle::differences(cluster, ipip);
        if differences.is_empty() {
            return cluster.now.since(begin);
        }
        assert!(
            cluster.now < end,
            "seed {seed}: {} differences after {patience:?}, for example\n{}",
            differences.len(),
            differences.iter().take(10).cloned().collect::<Vec<_>>().join("\n"),
        );
        cluster.run_until(after(cluster, Duration::from_millis(250)));
    }
}

fn seeds(default: Range<u64>) -> Vec<u64> {
    let Ok(asked) = std::env::var("STARLING_SIM_SEEDS") else { return default.collect() };
    let (from, to) = asked.split_once("..").expect("STARLING_SIM_SEEDS=from..to");
    (from.parse().expect("a number")..to.parse().expect("a number")).collect()
}

/// Plays every seed, on as many threads as the machine has.
fn play(seeds: &[u64], game: impl Fn(u64) + Sync) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let game = &game;
            scope.spawn(move || seeds.iter().skip(thread).step_by(threads).for_each(|s| game(*s)));
        }
    });
}

#[test]
fn a_mesh_of_100_nodes_converges_with_50_seeds() {
    play(&seeds(0..50), |seed| {
        let mut cluster = started(seed, 100, "cross-subnet", Duration::from_secs(1));
        let took = converge(&mut cluster, "cross-subnet", Duration::from_secs(15), seed);
        let sessions = 100 * 99;
        assert!(cluster.established >= sessions, "seed {seed}: {} ups", cluster.established);
        println!("seed {seed}: {took:?} of virtual time, {} ups", cluster.established);
    });
}

#[test]
fn one_seed_twice_is_one_history() {
    let history = |seed| {
        let mut cluster = started(seed, 20, "cross-subnet", Duration::from_secs(1));
        storm(&mut cluster, seed, 10);
        cluster.trace()
    };
    assert_eq!(history(7), history(7));
    assert_ne!(history(7), history(8), "the seed must matter");
}

#[test]
fn a_crashed_daemon_is_missed_and_its_successor_adopts_its_routes() {
    play(&seeds(100..110), |seed| {
        let mut cluster = started(seed, 12, "cross-subnet", Duration::from_millis(100));
        converge(&mut cluster, "cross-subnet", Duration::from_secs(15), seed);
        let before = oracle::held(&cluster, 3);
        cluster.crash(3);
        converge(&mut cluster, "cross-subnet", Duration::from_secs(15), seed);
        assert_eq!(oracle::held(&cluster, 3), before, "seed {seed}: the kernel keeps its routes");
        cluster.start(3);
        // Nothing that is still right may be taken away while the sessions come back.
        for _ in 0..40 {
            cluster.run_until(after(&cluster, Duration::from_millis(50)));
            let held = oracle::held(&cluster, 3);
            assert!(before.is_subset(&held), "seed {seed}: {:?} lost", before.difference(&held));
        }
        converge(&mut cluster, "cross-subnet", Duration::from_secs(15), seed);
    });
}

#[test]
fn a_partition_is_noticed_by_the_hold_timer_and_healed() {
    play(&seeds(200..206), |seed| {
        let mut cluster = started(seed, 14, "cross-subnet", Duration::from_millis(100));
        converge(&mut cluster, "cross-subnet", Duration::from_secs(15), seed);
        cluster.partition((0..5).collect());
        converge(&mut cluster, "cross-subnet", Duration::from_secs(12), seed);
        cluster.heal();
        converge(&mut cluster, "cross-subnet", Duration::from_secs(40), seed);
    });
}

#[test]
fn a_mode_change_in_mid_convergence_ends_in_the_new_mode() {
    play(&seeds(300..310), |seed| {
        let mut cluster = started(seed, 25, "never", Duration::from_millis(500));
        for (step, ipip) in ["cross-subnet", "always", "never", "always"].into_iter().enumerate() {
            let plans = topology::plans(25, ipip);
            for (node, plan) in plans.into_iter().enumerate() {
                let pause = Duration::from_micros(cluster.rng.below(40_000));
                cluster.run_until(after(&cluster, pause));
                cluster.reload(node, plan);
            }
            if step == 3 {
                converge(&mut cluster, ipip, Duration::from_secs(15), seed);
            }
        }
    });
}

#[test]
fn a_storm_of_faults_ends_in_truth() {
    play(&seeds(400..430), |seed| {
        let mut cluster = started(seed, 20, "cross-subnet", Duration::from_secs(1));
        let untouched: Vec<_> = (0..20).map(|node| oracle::foreign(&cluster, node)).collect();
        storm(&mut cluster, seed, 30);
        cluster.heal();
        for node in 0..20 {
            if !cluster.runs(node) {
                cluster.start(node);
            }
        }
        converge(&mut cluster, "cross-subnet", Duration::from_secs(60), seed);
        // And it stays so: leftovers are swept, nothing flaps.
        cluster.run_until(after(&cluster, Duration::from_secs(30)));
        let differences = oracle::differences(&cluster, "cross-subnet");
        assert!(differences.is_empty(), "seed {seed}: {differences:?}");
        for (node, before) in untouched.into_iter().enumerate() {
            let now = oracle::foreign(&cluster, node);
            let lost: Vec<_> = before.iter().filter(|route| !now.contains(route)).collect();
            assert!(lost.is_empty(), "seed {seed}: node{node} lost foreign {lost:?}");
        }
    });
}

/// Random faults, a quarter of a second apart on average.
fn storm(cluster: &mut Cluster, seed: u64, faults: usize) {
    let mut rng = Rng::new(seed ^ 0x5707);
    let nodes = cluster.nodes.len();
    for _ in 0..faults {
        let pause = Duration::from_millis(rng.below(500));
        cluster.run_until(after(cluster, pause));
        let node = usize::try_from(rng.below(nodes as u64)).expect("an index");
        match rng.below(9) {
            0 => cluster.crash(node),
            1 => cluster.stop(node),
            2 | 3 if !cluster.runs(node) => cluster.start(node),
            2 => {
                let far: BTreeSet<usize> = (0..nodes).filter(|_| rng.below(3) == 0).collect();
                cluster.partition(far);
            }
            3 => cluster.heal(),
            4 => cluster.sleep(node, Duration::from_millis(rng.below(4000))),
            5 => {
                cluster.nodes[node].kernel.fail_next(usize::try_from(rng.below(5)).unwrap_or(0), 12)
            }
            6 => {
                cluster.nodes[node].kernel.lose_events();
                cluster.kernel_changed(node);
            }
            7 => delete_one_of_ours(cluster, node, &mut rng),
            _ => flap_the_nic(cluster, node, &mut rng),
        }
    }
}

/// Somebody else removes a route of ours.
fn delete_one_of_ours(cluster: &mut Cluster, node: usize, rng: &mut Rng) {
    let routes = cluster.nodes[node].kernel.dump().routes;
    let ours: Vec<_> = routes.into_iter().filter(|route| route.protocol == 12).collect();
    let Some(victim) = ours.get(usize::try_from(rng.below(ours.len() as u64)).unwrap_or(0)) else {
        return;
    };
    cluster.nodes[node].kernel.remove_route(victim);
    cluster.kernel_changed(node);
}

/// The cable is out for a moment; whoever set up the boot's routes sets them up again.
fn flap_the_nic(cluster: &mut Cluster, node: usize, rng: &mut Rng) {
    let boot = oracle::foreign(cluster, node);
    cluster.nodes[node].kernel.set_link(topology::NIC, false);
    cluster.kernel_changed(node);
    cluster.run_until(after(cluster, Duration::from_millis(rng.below(300))));
    cluster.nodes[node].kernel.set_link(topology::NIC, true);
    for route in boot {
        if !cluster.nodes[node].kernel.dump().routes.contains(&route) {
            cluster.nodes[node].kernel.add_route(route);
        }
    }
    cluster.kernel_changed(node);
}
