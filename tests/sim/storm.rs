//! Everything breaks, in an order that the seed decides, and then is left in peace: the end must
//! be the truth.

use std::collections::BTreeSet;
use std::time::Duration;

use starling_fib::types::{KernelRoute, Mode};

use crate::cluster::Cluster;
use crate::network::NodeIx;
use crate::oracle::PROTOCOL;
use crate::rng::Rng;
use crate::topology::{self, Settings};
use crate::{converge, oracle, play, seeds, started};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_storm_of_faults_ends_in_truth() {
    play("storm", &seeds(400..440), |seed, figures| {
        let settings = Settings::new(20, Mode::CrossSubnet);
        let mut cluster = started(seed, 20, &settings, SECOND);
        blow(&mut cluster, seed, 40);
        figures.holes("while it blew", cluster.blackholes.settle(cluster.now));
        cluster.make_peace(&settings);
        figures.time("peace", converge(&mut cluster, 90 * SECOND));
        figures.holes("until all was right", cluster.blackholes.settle(cluster.now));
        // And it stays so: leftovers are swept, nothing flaps.
        cluster.run(30 * SECOND);
        let differences = oracle::differences(&cluster);
        assert!(differences.is_empty(), "{differences:?}");
        let holes = cluster.blackholes.settle(cluster.now);
        assert_eq!(holes.times, 0, "{holes}");
        assert_eq!(cluster.sessions(), 20 * 19);
        assert_eq!(cluster.network.len(), 20 * 19 / 2);
        // Places that others took are ours when they give them back.
        (0..20).for_each(|node| cluster.give_back(node));
        converge(&mut cluster, 2 * SECOND);
    });
}

#[test]
fn a_brawl_about_the_same_routes_ends_in_truth() {
    let settings = Settings::new(6, Mode::CrossSubnet);
    play("brawl", &seeds(600..660), |seed, figures| {
        let mut cluster = started(seed, 6, &settings, SECOND / 10);
        converge(&mut cluster, 15 * SECOND);
        let right: Vec<KernelRoute> = [2, 3]
            .into_iter()
            .flat_map(topology::blocks)
            .flat_map(|block| cluster.nodes[1].kernel.routes_to(block))
            .collect();
        for _ in 0..2000 {
            let pause = Duration::from_micros(cluster.rng.below(1500));
            cluster.run(pause);
            come_to_blows(&mut cluster, &right, &settings);
        }
        cluster.make_peace(&settings);
        figures.time("peace", converge(&mut cluster, 180 * SECOND));
        cluster.run(30 * SECOND);
        let differences = oracle::differences(&cluster);
        assert!(differences.is_empty(), "{differences:?}");
    });
}

/// Node 1 and somebody else write the same routes at the same moments: those of nodes 2 and 3,
/// which come and go, while the mode changes.
fn come_to_blows(cluster: &mut Cluster, right: &[KernelRoute], settings: &Settings) {
    let mut route = right[cluster.rng.pick(right.len())].clone();
    match cluster.rng.below(8) {
        0 | 1 => {
            let node = 2 + cluster.rng.pick(2);
            let bare = cluster.rng.below(2) == 0;
            let settings = settings.with(|settings| {
                settings.bare.extend(bare.then_some(node));
            });
            cluster.reload(node, &settings);
        }
        2 => {
            let ipip = [Mode::Always, Mode::Never][cluster.rng.pick(2)];
            cluster.reload(1, &settings.with(|settings| settings.ipip = ipip));
        }
        // What others do may be refused: then it was not done.
        3 => cluster.edit(1, |kernel| {
            let _ = kernel.delete(&route);
        }),
        4 => cluster.edit(1, |kernel| {
            let _ = kernel.add(route);
        }),
        5 => cluster.edit(1, |kernel| {
            if kernel.delete(&route).is_ok() {
                let _ = kernel.add(route);
            }
        }),
        6 => {
            if let Some(hop) = route.hops.first_mut() {
                hop.gateway = right.iter().find_map(|other| {
                    let gateway = other.hops.first()?.gateway?;
                    (Some(gateway) != hop.gateway
                        && Some(gateway.is_ipv4()) == hop.gateway.map(|own| own.is_ipv4()))
                    .then_some(gateway)
                });
            }
            cluster.edit(1, |kernel| {
                let _ = kernel.replace(route);
            });
        }
        _ => cluster.edit(1, |kernel| kernel.lose_events()),
    }
}

/// Random faults, a quarter of a second apart on average.
pub fn blow(cluster: &mut Cluster, seed: u64, faults: usize) {
    let mut rng = Rng::new(seed ^ 0x5707);
    for _ in 0..faults {
        cluster.run(Duration::from_millis(rng.below(500)));
        strike(cluster, &mut rng);
    }
}

fn strike(cluster: &mut Cluster, rng: &mut Rng) {
    let nodes = cluster.nodes.len();
    let node = rng.pick(nodes);
    let span = Duration::from_millis(rng.below(4000));
    if cluster.network.is_cut(node) {
        // Without power; it is back, and so is its daemon.
        cluster.power_on(node);
        return cluster.start(node);
    }
    if !cluster.runs(node) {
        return cluster.start(node);
    }
    match rng.below(16) {
        0 => cluster.crash(node),
        1 => cluster.stop(node),
        2 => cluster.power_off(node),
        3 => cluster.partition((0..nodes).filter(|_| rng.below(3) == 0).collect()),
        4 => cluster.heal(),
        5 => cluster.deafen(node, span),
        6 => cluster.freeze(node, span * 3),
        7 => {
            let errno = [12, 22, 101, 105][rng.pick(4)];
            cluster.nodes[node].kernel.fail_op(1 + rng.below(5), errno);
        }
        8 => cluster.nodes[node].kernel.fail_dumps(1 + u32::from(rng.below(2) == 0)),
        9 => cluster.edit(node, |kernel| kernel.lose_events()),
        10 => delete(cluster, node, rng),
        11 => change(cluster, node, rng),
        12 => take_over(cluster, node, rng),
        13 => cluster.give_back(node),
        14 => flap(cluster, node, rng),
        _ => reconfigure(cluster, rng),
    }
}

fn one_of_ours(cluster: &Cluster, node: NodeIx, rng: &mut Rng) -> Option<KernelRoute> {
    let routes = cluster.nodes[node].kernel.routes();
    let ours: Vec<_> = routes.filter(|route| route.protocol == PROTOCOL).collect();
    (!ours.is_empty()).then(|| ours[rng.pick(ours.len())].clone())
}

/// Somebody else removes a route of ours, perhaps unheard.
fn delete(cluster: &mut Cluster, node: NodeIx, rng: &mut Rng) {
    let Some(victim) = one_of_ours(cluster, node, rng) else { return };
    let unheard = rng.below(3) == 0;
    cluster.edit(node, |kernel| {
        kernel.delete(&victim).expect("it is there");
        if unheard {
            kernel.lose_events();
        }
    });
}

/// Somebody else sends a route of ours elsewhere, in our name.
fn change(cluster: &mut Cluster, node: NodeIx, rng: &mut Rng) {
    let Some(mut victim) = one_of_ours(cluster, node, rng) else { return };
    let Some(hop) = victim.hops.first_mut() else { return };
    let (gateway4, gateway6) = topology::gateways(node);
    hop.gateway = hop.gateway.map(|gateway| match gateway.is_ipv4() {
        true => gateway4.into(),
        false => gateway6.into(),
    });
    cluster.edit(node, |kernel| {
        // Refused where it cannot be, as when the device is gone.
        let _ = kernel.replace(victim);
    });
}

/// Somebody else's route takes the place of ours.
fn take_over(cluster: &mut Cluster, node: NodeIx, rng: &mut Rng) {
    if let Some(victim) = one_of_ours(cluster, node, rng) {
        cluster.take_over(node, &victim, 4);
    }
}

/// The NIC is down, or its cable out, for a moment.
fn flap(cluster: &mut Cluster, node: NodeIx, rng: &mut Rng) {
    let moment = Duration::from_millis(rng.below(300));
    if rng.below(2) == 0 {
        cluster.nic_down(node);
        cluster.run(moment);
        cluster.nic_up(node);
    } else {
        cluster.carrier(node, false);
        cluster.run(moment);
        cluster.carrier(node, true);
    }
}

/// A new file comes to the nodes, one after the other: another mode, one node less, fewer blocks.
fn reconfigure(cluster: &mut Cluster, rng: &mut Rng) {
    let nodes = cluster.nodes.len();
    let mut members: BTreeSet<NodeIx> = (0..nodes).collect();
    members.remove(&rng.pick(nodes));
    let ipip = [Mode::Always, Mode::CrossSubnet, Mode::Never][rng.pick(3)];
    let bare = (0..nodes).filter(|_| rng.below(5) == 0).collect();
    let settings = Settings::new(nodes, ipip).with(|settings| {
        (settings.members, settings.bare) = (members, bare);
    });
    for node in 0..nodes {
        cluster.run(Duration::from_millis(rng.below(20)));
        cluster.reload(node, &settings);
    }
}
