//! Whatever happens, in the end the kernel holds the mode table's answer and nothing foreign was
//! touched. The oracle is written the slow obvious way, from the kernel's state alone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use self::objects::{ObjectDeed, object_deed};
use super::*;
use crate::learn::MAIN;
use crate::mem::Kernel;
use crate::rig::{Rig, config, ip, net, pool, route};
use crate::types::*;
use crate::view::KernelState;

mod objects;

const PREFIXES: [&str; 7] = [
    "10.240.1.0/26",
    "10.241.1.0/26",
    "10.242.1.0/26",
    "192.0.2.0/24",
    "fd01::/64",
    "10.241.2.0/26",
    "10.1.8.0/24",
];
/// Address and scope.
const NEXT_HOPS: [(&str, u32); 10] = [
    ("10.1.5.11", 0),
    ("10.1.5.12", 0),
    ("10.1.8.10", 0),
    ("10.1.6.11", 0),
    ("10.1.6.12", 0),
    ("fd00:5::11", 0),
    ("fd00:8::10", 0),
    ("fe80::11", NET0),
    ("fe80::11", NET1),
    ("fe80::11", 99),
];
const NET0: u32 = 2;
const NET1: u32 = 3;

#[derive(Clone, Debug)]
enum Deed {
    Want(usize, Vec<usize>, Option<u32>, Encap),
    Own(usize),
    Drop(usize),
    Settled,
    Unreachable(usize),
    Configure {
        never: bool,
        hold: Hold,
        protocol: u8,
        table: u32,
        metric: u32,
    },
    Link(u32, bool),
    Carrier(u32, bool),
    Mtu(u32),
    RemoveTunnel,
    Address(bool),
    Default(bool),
    Foreign(usize, u32, bool),
    ForeignGoes(usize, u32),
    ForeignReplaces(usize),
    OursGoes(usize),
    OursChanges(usize),
    OursAppears(usize),
    FailOp(u64, i32),
    FailDumps(u32),
    Lose,
    Ipip(bool),
    Couple(Coupling),
    Audit,
    Object(ObjectDeed),
    /// Something happens of which no news ever comes.
    Unheard(usize, u8),
    Pass(u64),
    Serve,
    Hear,
}

fn deed() -> impl Strategy<Value = Deed> {
    let prefix = 0..PREFIXES.len();
    let hops = prop_oneof![
        3 => prop::collection::vec(0..NEXT_HOPS.len(), 1..3),
        1 => prop::collection::vec(0..NEXT_HOPS.len(), 0..9),
    ];
    let special = prop_oneof![
        4 => Just((None, Encap::ByPool)),
        1 => Just((Some(0), Encap::ByPool)),
        1 => Just((Some(100), Encap::Never)),
        1 => Just((Some(7), Encap::Always)),
    ];
    let nic = prop_oneof![Just(NET0), Just(NET1)];
    let metric = prop_oneof![Just(0_u32), Just(100), Just(1024)];
    let owner = prop_oneof![
        4 => Just((12_u8, MAIN)),
        1 => Just((80, MAIN)),
        1 => Just((12, 100)),
    ];
    let hold = prop_oneof![Just(Hold::Nothing), Just(Hold::Destinations), Just(Hold::Pools)];
    prop_oneof![
        6 => (prefix.clone(), hops, special).prop_map(|(p, h, (m, e))| Deed::Want(p, h, m, e)),
        1 => prefix.clone().prop_map(Deed::Own),
        2 => prefix.clone().prop_map(Deed::Drop),
        1 => prefix.clone().prop_map(Deed::Unreachable),
        1 => Just(Deed::Settled),
        2 => (any::<bool>(), hold, owner, metric.clone()).prop_map(
            |(never, hold, (protocol, table), metric)| {
                Deed::Configure { never, hold, protocol, table, metric }
            }
        ),
        2 => (nic.clone(), any::<bool>()).prop_map(|(n, up)| Deed::Link(n, up)),
        1 => (nic, any::<bool>()).prop_map(|(n, up)| Deed::Carrier(n, up)),
        1 => (1300..1600_u32).prop_map(Deed::Mtu),
        1 => Just(Deed::RemoveTunnel),
        2 => any::<bool>().prop_map(Deed::Address),
        2 => any::<bool>().prop_map(Deed::Default),
        2 => (prefix.clone(), metric.clone(), any::<bool>())
            .prop_map(|(p, m, last)| Deed::Foreign(p, m, last)),
        1 => (prefix.clone(), metric).prop_map(|(p, m)| Deed::ForeignGoes(p, m)),
        1 => prefix.clone().prop_map(Deed::ForeignReplaces),
        2 => prefix.clone().prop_map(Deed::OursGoes),
        1 => prefix.clone().prop_map(Deed::OursChanges),
        1 => prefix.prop_map(Deed::OursAppears),
        2 => (1..4_u64, prop_oneof![Just(17), Just(12), Just(101), Just(105)])
            .prop_map(|(n, errno)| Deed::FailOp(n, errno)),
        1 => (1..3_u32).prop_map(Deed::FailDumps),
        1 => Just(Deed::Lose),
        1 => any::<bool>().prop_map(Deed::Ipip),
        2 => prop_oneof![
            3 => Just(Coupling::Coupled),
            2 => Just(Coupling::Decoupled),
            1 => Just(Coupling::Flushed),
        ]
        .prop_map(Deed::Couple),
        1 => Just(Deed::Audit),
        4 => object_deed().prop_map(Deed::Object),
        1 => (0..PREFIXES.len(), 0..4_u8).prop_map(|(p, what)| Deed::Unheard(p, what)),
        3 => (1..3000_u64).prop_map(Deed::Pass),
        12 => Just(Deed::Serve),
        8 => Just(Deed::Hear),
    ]
}

fn pools(never: bool) -> Vec<Pool> {
    let mode = |mode| if never { Mode::Never } else { mode };
    vec![
        pool("10.240.0.0/16", mode(Mode::Always)),
        pool("10.241.0.0/16", mode(Mode::CrossSubnet)),
        pool("10.242.0.0/16", Mode::Never),
    ]
}

fn start() -> Rig {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    kernel.link_add("net0", None, 1500);
    kernel.link_add("net1", None, 1500);
    kernel.address_add(NET0, net("10.1.5.10/24"));
    kernel.address_add(NET0, net("fd00:5::10/64"));
    kernel.address_add(NET1, net("10.1.6.10/24"));
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), NET0, 3)).unwrap();
    kernel.append(route("10.240.1.0/26", Some("10.1.5.9"), NET0, 12)).unwrap();
    kernel.append(route("10.249.1.0/26", Some("10.1.5.9"), NET0, 12)).unwrap();
    Rig::new(kernel, config(&["10.1.5.10", "fd00:5::10"], pools(false)))
}

/// Somebody's route to a prefix.
fn somebodys(prefix: usize, metric: u32, protocol: u8, table: u32) -> KernelRoute {
    let prefix = PREFIXES[prefix];
    let via = if prefix.contains(':') { "fd00:5::77" } else { "10.1.5.77" };
    let mut route = route(prefix, Some(via), NET0, protocol);
    route.key = RouteKey { metric, table, ..route.key };
    route
}

type Wanted = BTreeMap<usize, Target>;

fn act(rig: &mut Rig, wanted: &mut Wanted, deed: Deed) {
    let (protocol, table, metric) = (rig.config.protocol, rig.config.table, rig.config.metric);
    let kernel = &mut rig.kernel;
    // What the kernel refuses at the moment does not happen: that is no fault of the scene.
    match deed {
        Deed::Want(prefix, hops, metric, encap) => {
            let hop = |hop: usize| {
                let (address, scope) = NEXT_HOPS[hop];
                NextHop { address: ip(address), scope: NonZeroU32::new(scope) }
            };
            let hops = hops.into_iter().map(hop).collect();
            let target = Target::Via(Via { hops, metric, encap }.into());
            wanted.insert(prefix, target.clone());
            rig.target(PREFIXES[prefix], target);
        }
        Deed::Own(prefix) => {
            wanted.insert(prefix, Target::Own);
            rig.own(PREFIXES[prefix]);
        }
        Deed::Drop(prefix) => {
            wanted.remove(&prefix);
            rig.drop(PREFIXES[prefix]);
        }
        Deed::Unreachable(prefix) => {
            wanted.insert(prefix, Target::Unreachable);
            rig.target(PREFIXES[prefix], Target::Unreachable);
        }
        Deed::Settled => rig.tell(FibIn::Settled),
        Deed::Configure { never, hold, protocol, table, metric } => {
            // No dump shows a former table, so a doubt about it could not be settled any more:
            // only a calm Fib leaves no route behind there.
            if table != rig.config.table {
                rig.kernel.heal();
                rig.pass(Duration::from_secs(100));
            }
            let pools = pools(never);
            let config = FibConfig { pools, hold, protocol, table, metric, ..rig.config.clone() };
            rig.configure(config);
        }
        Deed::Link(nic, up) => kernel.link_change(nic, |link| link.up = up),
        Deed::Carrier(nic, running) => kernel.link_change(nic, |link| link.running = running),
        Deed::Mtu(mtu) => kernel.link_change(NET0, |link| link.mtu = mtu),
        Deed::RemoveTunnel => {
            let tunnel = kernel.links().find(|link| link.name == "tunl0").map(|link| link.index);
            tunnel.into_iter().for_each(|index| kernel.link_remove(index));
        }
        Deed::Address(true) => {
            kernel.address_add(NET0, net("10.1.5.10/24"));
            kernel.address_add(NET0, net("fd00:5::10/64"));
        }
        Deed::Address(false) => kernel.address_remove(NET0, net("10.1.5.10/24")),
        Deed::Default(true) => {
            let _ = kernel.add(route("0.0.0.0/0", Some("10.1.5.1"), NET0, 3));
        }
        Deed::Default(false) => {
            let _ = kernel.delete(&route("0.0.0.0/0", Some("10.1.5.1"), NET0, 3));
        }
        Deed::Foreign(prefix, metric, true) => {
            let _ = kernel.append(somebodys(prefix, metric, 4, table));
        }
        Deed::Foreign(prefix, metric, false) => {
            let _ = kernel.add(somebodys(prefix, metric, 4, table));
        }
        Deed::ForeignGoes(prefix, metric) => {
            let mut route = somebodys(prefix, metric, 4, table);
            if let (IpNet::V6(_), 0) = (route.key.prefix, metric) {
                route.key.metric = 1024;
            }
            let _ = kernel.delete(&route);
        }
        // Beside main only what we know of can be left in order: once another table is ours, no
        // dump shows the former one, so nobody else touches our routes there.
        Deed::OursChanges(_) | Deed::OursAppears(_) | Deed::ForeignReplaces(_) if table != MAIN => {
        }
        Deed::ForeignReplaces(prefix) => {
            let _ = kernel.replace(somebodys(prefix, metric, 4, table));
        }
        Deed::OursGoes(prefix) => {
            for route in kernel.routes_to(net(PREFIXES[prefix])) {
                if route.protocol == protocol {
                    let _ = kernel.delete(&route);
                }
            }
        }
        Deed::OursChanges(prefix) => {
            let _ = kernel.replace(somebodys(prefix, metric, protocol, table));
        }
        Deed::OursAppears(prefix) => {
            let _ = kernel.append(somebodys(prefix, metric, protocol, table));
        }
        Deed::FailOp(n, errno) => kernel.fail_op(n, errno),
        Deed::FailDumps(n) => kernel.fail_dumps(n),
        Deed::Lose => kernel.lose_events(),
        Deed::Ipip(has) => kernel.set_ipip(has),
        Deed::Couple(coupling) => rig.tell(FibIn::Couple(coupling)),
        Deed::Audit => rig.tell(FibIn::Audit),
        Deed::Object(deed) => objects::act(rig, deed),
        Deed::Unheard(..) if table != MAIN => {}
        Deed::Unheard(prefix, what) => {
            let heard = kernel.take_events();
            match what {
                0 => _ = kernel.append(somebodys(prefix, metric, 4, table)),
                1 => _ = kernel.append(somebodys(prefix, metric + 1, protocol, table)),
                2 => _ = kernel.replace(somebodys(prefix, metric, protocol, table)),
                _ => {
                    for route in kernel.routes_to(net(PREFIXES[prefix])) {
                        let _ = kernel.delete(&route);
                    }
                }
            }
            kernel.take_events();
            kernel.requeue(heard);
        }
        Deed::Pass(millis) => {
            rig.now += Duration::from_millis(millis);
            rig.tell(FibIn::Tick);
        }
        Deed::Serve => {
            rig.serve();
        }
        Deed::Hear => {
            rig.hear();
        }
    }
}

/// The mode table, asked of the kernel's state as a person would.
fn oracle(rig: &mut Rig, wanted: &Wanted) -> Vec<KernelRoute> {
    let mut dump = rig.kernel.dump().unwrap();
    // As it is, however it is shown.
    dump.routes = rig.kernel.routes().cloned().collect();
    let config = &rig.config;
    let alive = |device: u32| dump.links.iter().any(|l| l.index == device && l.up && l.running);
    let ours = |r: &&KernelRoute| matches!(r.protocol, 12 | 80);
    let others: Vec<&KernelRoute> = dump.routes.iter().filter(|r| !ours(r)).collect();
    let tunnel = dump.links.iter().find(|link| link.name == "tunl0" && link.up);
    let is_local = |a: IpAddr| matches!(a, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let mut expected = Vec::new();
    let mut wanted: BTreeMap<IpNet, Target> =
        wanted.iter().map(|(prefix, target)| (net(PREFIXES[*prefix]), target.clone())).collect();
    if config.hold == Hold::Pools {
        for pool in &config.pools {
            wanted.entry(pool.cidr).or_insert(Target::Unreachable);
        }
    }
    for (prefix, target) in &wanted {
        let prefix = *prefix;
        let is_held = config.hold != Hold::Nothing
            && config.pools.iter().any(|pool| pool.cidr.contains(&prefix));
        let is_v6 = prefix.addr().is_ipv6();
        let (metric, encap) = match target {
            Target::Via(via) => (via.metric.unwrap_or(config.metric), via.encap),
            _ => (config.metric, Encap::ByPool),
        };
        let metric = if is_v6 && metric == 0 { 1024 } else { metric };
        let key = RouteKey { prefix, table: config.table, metric };
        if others.iter().any(|r| r.key == key) {
            // Ours may be there beside it if it came first; it must at least not be wrong.
            continue;
        }
        let mut hops = Hops::new();
        let via = match target {
            Target::Via(via) => via,
            Target::Unreachable if is_held => {
                expected.push(KernelRoute { kind: Kind::Unreachable, hops, ..like(key, config) });
                continue;
            }
            Target::Unreachable => continue,
            Target::Own => {
                expected.push(KernelRoute { kind: Kind::Blackhole, hops, ..like(key, config) });
                continue;
            }
        };
        for NextHop { address: next_hop, scope } in &via.hops {
            let own = ip(if next_hop.is_ipv4() { "10.1.5.10" } else { "fd00:5::10" });
            let there = dump.addresses.iter().find(|a| a.address.addr() == own);
            // An address that is away for now is where it was last, if it was ever seen.
            let is_away = there.is_none();
            let own = there.or(rig.fib.world.places.get(&own));
            let same = own.is_some_and(|own| own.address.contains(next_hop));
            // The underlay's way to the next hop: gateway, device, onlink.
            let mut ways: Vec<&&KernelRoute> = others
                .iter()
                .filter(|r| r.key.table == MAIN && r.key.prefix.contains(next_hop))
                .collect();
            ways.sort_by_key(|r| (255 - r.key.prefix.prefix_len(), r.key.metric));
            let length = ways.first().map_or(0, |way| way.key.prefix.prefix_len());
            let connected = |device| {
                let to = |h: &Hop| h.device == device && h.gateway.is_none();
                ways.iter().any(|way| way.hops.iter().any(to))
            };
            let by_table = ways.iter().flat_map(|way| &way.hops).find(|hop| alive(hop.device));
            let by_table =
                by_table.map(|hop| (hop.gateway.unwrap_or(*next_hop), hop.device, hop.onlink));
            let on_table = by_table.filter(|(gateway, _, _)| gateway == next_hop);
            let way = if let Some(scope) = scope {
                alive(scope.get()).then_some((*next_hop, scope.get(), false))
            } else if let (true, Some(own)) = (same, own) {
                let on_own = (*next_hop, own.device, !connected(own.device));
                match (alive(own.device), is_away) {
                    (true, false) => Some(on_own),
                    (true, true) => on_table.or(Some(on_own)),
                    (false, _) => on_table,
                }
            } else {
                by_table
            };
            let Some((gateway, device, onlink)) = way else { continue };
            let is_unplaced = own.is_none();
            if is_v6 && next_hop.is_ipv4() {
                continue;
            }
            let mode = config
                .pools
                .iter()
                .find(|pool| pool.cidr.contains(&prefix))
                .map_or(Mode::Never, |pool| pool.mode);
            let same = same || is_local(*next_hop);
            let by_pool = mode == Mode::Always || (mode == Mode::CrossSubnet && !same);
            if by_pool && encap == Encap::ByPool && next_hop.is_ipv6() && !is_v6 {
                // Only direct: there is no IPIP.
                if gateway == *next_hop {
                    add(&mut hops, Hop { gateway: Some(gateway), device, onlink, weight: 1 });
                }
                continue;
            }
            let encapsulate =
                !is_v6 && encap != Encap::Never && (by_pool || encap == Encap::Always);
            // Nobody knows whether it is a neighbour: no gateway is trusted with it.
            if !encapsulate && is_unplaced && gateway != *next_hop {
                continue;
            }
            let hop = if !encapsulate {
                Hop { gateway: Some(gateway), device, onlink, weight: 1 }
            } else if let (Some(tunnel), true) = (tunnel, next_hop.is_ipv4()) {
                if prefix.contains(next_hop) && length <= prefix.prefix_len() {
                    continue;
                }
                let (gateway, device) = (Some(*next_hop), tunnel.index);
                Hop { gateway, device, onlink: true, weight: 1 }
            } else {
                continue;
            };
            add(&mut hops, hop);
        }
        if let [only] = hops.as_mut_slice() {
            only.weight = 1;
        }
        hops.sort();
        if hops.is_empty() && is_held {
            expected.push(KernelRoute { kind: Kind::Unreachable, hops, ..like(key, config) });
        } else if !hops.is_empty() {
            expected.push(KernelRoute { hops, ..like(key, config) });
        }
    }
    expected.sort_by_key(|route| route.key);
    expected
}

/// A route to neighbours alone that leans on the default gateway: whatever was said in which order,
/// there is none.
fn leaning(ops: &[RouteOp], wanted: &Wanted) -> Option<KernelRoute> {
    let is_neighbour = |hop: &NextHop| net("10.1.5.0/24").contains(&hop.address);
    let is_near = |target: &Target| match target {
        Target::Via(via) => via.hops.iter().all(is_neighbour),
        Target::Own | Target::Unreachable => false,
    };
    let to_neighbours =
        |prefix: IpNet| wanted.iter().any(|(n, to)| net(PREFIXES[*n]) == prefix && is_near(to));
    let leans = |hop: &Hop| hop.gateway == Some(ip("10.1.5.1"));
    ops.iter().find_map(|op| match op {
        RouteOp::Add(new) | RouteOp::Replace { new, .. }
            if to_neighbours(new.key.prefix) && new.hops.iter().any(leans) =>
        {
            Some(new.clone())
        }
        _ => None,
    })
}

fn add(hops: &mut Hops, hop: Hop) {
    match hops.iter_mut().find(|there| Hop { weight: 1, ..**there } == hop) {
        Some(there) => there.weight += 1,
        None => hops.push(hop),
    }
}

fn like(key: RouteKey, config: &FibConfig) -> KernelRoute {
    KernelRoute { key, protocol: config.protocol, ..route("0.0.0.0/0", None, 0, 0) }
}

fn ends_in_truth(deeds: Vec<Deed>) -> Result<(), TestCaseError> {
    let mut rig = start();
    let mut wanted = Wanted::new();
    let mut judged: Vec<Arc<Vec<RouteOp>>> = Vec::new();
    for deed in deeds {
        act(&mut rig, &mut wanted, deed);
        let asked = rig.queue.iter().filter_map(|out| match out {
            FibOut::Apply(ops) => Some(ops.clone()),
            _ => None,
        });
        // Two may be under way: each is judged by what was wanted when it was asked for.
        let asked: Vec<Arc<Vec<RouteOp>>> = asked.collect();
        for ops in &asked {
            if !judged.iter().any(|before| Arc::ptr_eq(before, ops)) {
                prop_assert_eq!(leaning(ops, &wanted), None);
            }
        }
        judged = asked;
    }
    rig.kernel.heal();
    rig.kernel.set_ipip(true);
    rig.tell(FibIn::Settled);
    rig.tell(FibIn::Couple(Coupling::Coupled));
    rig.pass(Duration::from_secs(400));
    // What no news told, an audit finds.
    rig.tell(FibIn::Audit);
    rig.pass(Duration::from_secs(400));

    let expected = oracle(&mut rig, &wanted);
    let others: Vec<RouteKey> = rig
        .kernel
        .routes()
        .filter(|route| !matches!(route.protocol, 12 | 80))
        .map(|route| route.key)
        .collect();
    let mut held = rig.ours();
    held.retain(|route| !others.contains(&route.key));
    held.sort_by_key(|route| route.key);
    for route in &mut held {
        route.hops.sort();
    }
    objects::check(&rig, &mut held);
    prop_assert_eq!(&held, &expected);

    // What is known is what is there, and a second look finds nothing to do.
    let known: Vec<KernelRoute> = rig.fib.world.have().iter().collect();
    let mut there = rig.ours();
    there.sort_by_key(|route| route.key);
    prop_assert_eq!(known, there);
    let occupied: usize =
        rig.fib.view().filter(|view| matches!(view.state, KernelState::Occupied(_))).count();
    rig.audits.clear();
    rig.tell(FibIn::Audit);
    rig.pass(Duration::from_secs(100));
    let found = rig.audits.pop().unwrap().unwrap();
    prop_assert_eq!((found.wrong, found.extra, found.unheard), (0, 0, 0), "{:?}", found);
    prop_assert_eq!(found.missing, occupied, "{:?}", found);
    rig.applied.clear();
    rig.tell(FibIn::Events(vec![KernelEvent::Lost]));
    rig.pass(Duration::from_secs(100));
    prop_assert_eq!(&rig.applied, &vec![]);
    prop_assert_eq!(rig.fib.next_deadline(), None);
    Ok(())
}

/// More with PROPTEST_CASES, as everywhere.
fn at_least(cases: u32) -> ProptestConfig {
    let settings = ProptestConfig::default();
    ProptestConfig { cases: cases.max(settings.cases), ..settings }
}

proptest! {
    #![proptest_config(at_least(2000))]

    #[test]
    fn everything_ends_in_truth(deeds in prop::collection::vec(deed(), 1..60)) {
        ends_in_truth(deeds)?;
    }
}

#[test]
fn two_batches_under_way_are_judged_each_by_its_own_time() {
    let through_the_default = Deed::Want(5, vec![2], Some(100), Encap::Never);
    let to_a_neighbour = Deed::Want(5, vec![0], None, Encap::ByPool);
    let first = [Deed::Serve, Deed::Unreachable(0), through_the_default, to_a_neighbour];
    ends_in_truth([first.to_vec(), vec![Deed::Serve; 3]].concat()).unwrap();
}

#[test]
fn an_object_of_who_we_were_that_others_use_hinders_no_audit() {
    let we_are = |protocol| {
        let (hold, table, metric) = (Hold::Nothing, MAIN, 0);
        Deed::Configure { never: false, hold, protocol, table, metric }
    };
    let leftover = Deed::Object(ObjectDeed::Leftover(100, false));
    let somebody_uses_it = Deed::Object(ObjectDeed::Through(0, 0));
    ends_in_truth(vec![we_are(80), leftover, somebody_uses_it, we_are(12)]).unwrap();
}
