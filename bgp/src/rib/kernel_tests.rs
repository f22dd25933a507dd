//! What the kernel is told: several ways, metrics, rules, blackholes.

use std::sync::Arc;

use super::*;
use crate::msg::{Export, NexthopNews, PeerPolicy, RibIn};
use crate::policy::{Changes, Glob, Matches, Policy, PrefixPattern, PrefixSet, Rule};
use crate::rib::fixture::*;
use crate::rib::show::RouteFilter;

const N1: &str = "10.1.0.0/16";
const N2: &str = "10.2.0.0/16";

fn peers() -> Vec<(PeerId, PeerPolicy)> {
    (1..5).map(|p| policy(p, Export::Own)).collect()
}

fn with(change: impl FnOnce(&mut RibConfig)) -> RibConfig {
    let mut config = config(&[], peers());
    change(&mut config);
    config
}

fn world(change: impl FnOnce(&mut RibConfig)) -> World {
    let mut world = World::new(with(change));
    for peer in 1..5 {
        world.up(up(peer, 64512));
    }
    world
}

fn hops(world: &World, prefix: &str) -> Vec<String> {
    match world.fib.get(&net(prefix)) {
        Some(FibBest::Via(via)) => via.hops.iter().map(|h| h.next_hop.to_string()).collect(),
        Some(FibBest::Own) => vec!["blackhole".to_owned()],
        Some(FibBest::Unreachable) => vec!["unreachable".to_owned()],
        None => Vec::new(),
    }
}

fn hop(peer: u32) -> Attrs {
    Attrs::new(&format!("10.0.0.{peer}"), &[65009])
}

#[test]
fn equal_paths_carry_traffic_together() {
    let mut world = world(|config| config.max_paths = 3);
    for peer in [3, 1, 4, 2] {
        world.learn(peer, &hop(peer), &[net(N1), net(N2)]);
    }
    // In the order of the decision, whatever the order of arrival, and not more than may be.
    assert_eq!(hops(&world, N1), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    let marks = |world: &World| -> Vec<(u32, bool, bool)> {
        let filter = RouteFilter { prefix: Some(net(N1)), ..Default::default() };
        let paths = world.rib.routes(&filter, None, 1).0.remove(0).paths;
        paths.iter().map(|p| (p.peer.0, p.best, p.multipath)).collect()
    };
    assert_eq!(
        marks(&world),
        [(1, true, false), (2, false, true), (3, false, true), (4, false, false)]
    );
    // The best stays, one of the others goes: that is a change for the kernel alone.
    world.say(withdraw(2, &[net(N1)]));
    assert_eq!(hops(&world, N1), ["10.0.0.1", "10.0.0.3", "10.0.0.4"]);
    assert_eq!(hops(&world, N2), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    // One that is farther, longer, or preferred less does not count.
    world.say(news("10.0.0.3", Some(5)));
    assert_eq!(hops(&world, N1), ["10.0.0.1", "10.0.0.4"]);
    world.learn(4, &Attrs { local_pref: Some(50), ..hop(4) }, &[net(N1)]);
    assert_eq!(hops(&world, N1), ["10.0.0.1"]);
    // The longer one by AS_PATH neither; another AS_PATH of the same length does.
    world.learn(4, &Attrs::new("10.0.0.4", &[65001]), &[net(N1)]);
    assert_eq!(hops(&world, N1), ["10.0.0.1", "10.0.0.4"]);
    // The same next hop from two neighbours is one way.
    world.learn(2, &Attrs::new("10.0.0.4", &[65009]), &[net(N1)]);
    assert_eq!(hops(&world, N1), ["10.0.0.1", "10.0.0.4"]);
    world.say(RibIn::Configure(Box::new(with(|_| {}))));
    assert_eq!(
        (hops(&world, N1), hops(&world, N2)),
        (vec!["10.0.0.1".to_owned()], vec!["10.0.0.1".to_owned()])
    );
    world.say(RibIn::Configure(Box::new(with(|config| config.max_paths = 2))));
    assert_eq!(hops(&world, N2), ["10.0.0.1", "10.0.0.2"]);
    for peer in 1..5 {
        world.down(peer);
    }
    assert_eq!(world.rib.kernel.numbers.len(), 0);
    assert_eq!(world.rib.destinations(), [0, 0]);
}

#[test]
fn routes_that_are_reached_alike_share_one_way() {
    let mut world = world(|config| config.max_paths = 2);
    world.learn(1, &hop(1), &[net(N1), net(N2)]);
    world.learn(2, &hop(2), &[net(N1), net(N2)]);
    let (Some(FibBest::Via(a)), Some(FibBest::Via(b))) =
        (world.fib.get(&net(N1)), world.fib.get(&net(N2)))
    else {
        panic!("{:?}", world.fib)
    };
    assert!(Arc::ptr_eq(a, b));
}

#[test]
fn med_may_be_compared_between_any() {
    let near = Attrs { med: Some(10), ..Attrs::new("10.0.0.1", &[65001]) };
    let far = Attrs { med: Some(5), ..Attrs::new("10.0.0.2", &[65002]) };
    let mut world = world(|_| {});
    world.learn(1, &near, &[net(N1)]);
    world.learn(2, &far, &[net(N1)]);
    assert_eq!(hops(&world, N1), ["10.0.0.1"]);
    world.say(RibIn::Configure(Box::new(with(|config| config.always_compare_med = true))));
    assert_eq!(hops(&world, N1), ["10.0.0.2"]);
}

#[test]
fn a_metric_in_local_pref() {
    let metric = |world: &World| match world.fib.get(&net(N1)) {
        Some(FibBest::Via(via)) => via.metric,
        other => panic!("{other:?}"),
    };
    let pref = |n| Attrs { local_pref: Some(n), ..hop(1) };
    let mut world = world(|config| config.metric_in_local_pref = true);
    for (local_pref, wanted) in
        [(2147482623, Some(1024)), (i32::MAX as u32, Some(0)), (100, None), (u32::MAX, None)]
    {
        world.learn(1, &pref(local_pref), &[net(N1)]);
        assert_eq!(metric(&world), wanted, "{local_pref}");
    }
    world.learn(1, &pref(2147482623), &[net(N1)]);
    world.say(RibIn::Configure(Box::new(with(|_| {}))));
    assert_eq!(metric(&world), None);
}

fn rules(verdict: Verdict) -> Arc<Policy> {
    let name = RuleName { policy: "kernel".into(), number: 1, name: None };
    let prefixes = PrefixSet::new(&[PrefixPattern::or_longer(net(N1))]);
    let when = Matches { prefix: Some(prefixes), ..Matches::default() };
    Arc::new(Policy::new(vec![Rule { name, when, unless: None, verdict }]))
}

#[test]
fn rules_keep_routes_out_of_the_kernel_and_change_them() {
    let mut world = world(|config| config.kernel_rules = rules(Verdict::Reject));
    world.learn(1, &hop(1), &[net(N1), net(N2)]);
    assert_eq!(world.fib.keys().copied().collect::<Vec<_>>(), [net(N2)]);
    let kept_out = |world: &World| {
        let filter = RouteFilter { prefix: Some(net(N1)), ..Default::default() };
        world.rib.routes(&filter, None, 1).0.remove(0).kept_out
    };
    assert_eq!(kept_out(&world).as_deref(), Some("kept out of the kernel by kernel rule 1"));
    // It is still the best one, and a change of it is not for the kernel.
    assert_eq!(world.rib.peer_counts(PeerId(1)).best, [2, 0]);
    world.learn(1, &Attrs { med: Some(4), ..hop(1) }, &[net(N1)]);
    // Another rule is a change for the kernel, though no path has changed.
    let changes = Changes {
        metric: Some(7),
        encapsulation: Some(Encapsulation::Never),
        ..Changes::default()
    };
    world.say(RibIn::Configure(Box::new(with(|config| {
        config.kernel_rules = rules(Verdict::Accept(changes));
    }))));
    match world.fib.get(&net(N1)) {
        Some(FibBest::Via(via)) => {
            assert_eq!((via.metric, via.encapsulation), (Some(7), Encapsulation::Never));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(kept_out(&world), None);
    assert_eq!(world.say(RibIn::Configure(Box::new(with(|_| {})))), 1);
    assert_eq!(world.fib.len(), 2);
}

#[test]
fn a_blackhole_is_asked_for_by_who_may() {
    let attrs = Attrs { community: Some(Community::BLACKHOLE.0), ..hop(1) };
    let mut world = world(|config| config.peers[0].1.blackhole = true);
    world.learn(1, &attrs, &[net(N1)]);
    world.learn(2, &Attrs { next_hop: ip("10.0.0.2"), ..attrs }, &[net(N2)]);
    assert_eq!(
        (hops(&world, N1), hops(&world, N2)),
        (vec!["blackhole".to_owned()], vec!["10.0.0.2".to_owned()])
    );
    world.say(RibIn::Configure(Box::new(with(|_| {}))));
    assert_eq!(hops(&world, N1), ["10.0.0.1"]);
}

/// News of next hop 10.0.0.1: reachable, on that interface.
fn on(interface: &str) -> RibIn {
    RibIn::Nexthops(vec![NexthopNews {
        next_hop: ip("10.0.0.1").into(),
        metric: Some(0),
        interface: Some(interface.to_owned()),
    }])
}

#[test]
fn rules_that_ask_for_the_interface_follow_it() {
    let rule = |verdict| {
        let name = RuleName { policy: "eth".into(), number: 1, name: None };
        let interfaces = Some(vec![Glob("eth*".to_owned())]);
        let when = Matches { interfaces, ..Matches::default() };
        Arc::new(Policy::new(vec![Rule { name, when, unless: None, verdict }]))
    };
    let mut world = World::new(with(|config| {
        config.kernel_rules = rule(Verdict::Reject);
        config.peers[1].1.export_rules = rule(Verdict::Accept(Changes::default()));
    }));
    world.up(up(1, 65001));
    world.up(up(2, 65002));
    world.settle();
    world.say(announce(1, &hop(1), &[net(N1), net(N2)]));
    // A rule that keeps it out of the kernel lets it go to the neighbour, and the reverse.
    for (interface, kernel, heard) in
        [("eth0", 0, true), ("net0", 2, false), ("net1", 2, false), ("eth1", 0, true)]
    {
        world.say(on(interface));
        assert_eq!(world.fib.len(), kernel, "{interface}");
        assert_eq!(world.heard(2, N1).is_some(), heard, "{interface}");
    }
    // What is not known matches no name.
    world.say(news("10.0.0.1", Some(0)));
    assert_eq!((world.fib.len(), world.heard(2, N1)), (2, None));
    assert_eq!(world.say(news("10.0.0.1", None)), 2);
    world.say(on("eth0"));
    assert!(world.fib.is_empty() && world.heard(2, N2).is_some());
}

#[test]
fn routes_that_lead_nowhere_are_told_as_such() {
    let mut world = world(|_| {});
    world.say(announce(1, &hop(1), &[net(N1), net(N2)]));
    assert_eq!(world.fib.len(), 0, "nobody knows yet whether the next hop can be reached");
    let told = |world: &World| [hops(world, N1), hops(world, N2)].concat();
    world.say(news("10.0.0.1", None));
    assert_eq!(told(&world), ["unreachable", "unreachable"]);
    world.say(news("10.0.0.1", Some(0)));
    assert_eq!(told(&world), ["10.0.0.1", "10.0.0.1"]);
    world.say(news("10.0.0.1", None));
    assert_eq!(told(&world), ["unreachable", "unreachable"]);
    // Another path that leads somewhere, or the last path's end.
    world.learn(2, &hop(2), &[net(N1)]);
    world.say(withdraw(1, &[net(N2)]));
    assert_eq!(told(&world), ["10.0.0.2"]);
    world.say(withdraw(2, &[net(N1)]));
    assert_eq!(told(&world), ["unreachable"]);
    world.say(withdraw(1, &[net(N1)]));
    assert_eq!(world.fib.len(), 0);
}

#[test]
fn a_rule_keeps_out_of_the_kernel_what_leads_nowhere_too() {
    let mut world = world(|config| config.kernel_rules = rules(Verdict::Reject));
    world.say(announce(1, &hop(1), &[net(N1), net(N2)]));
    world.say(news("10.0.0.1", None));
    assert_eq!(world.fib.keys().copied().collect::<Vec<_>>(), [net(N2)]);
    let without = config(&[], peers());
    world.say(RibIn::Configure(Box::new(without)));
    world.say(withdraw(1, &[net(N1), net(N2)]));
    assert_eq!(world.fib.len(), 0);
}
