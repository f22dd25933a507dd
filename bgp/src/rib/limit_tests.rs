//! What happens to more prefixes than may come.

use std::time::Duration;

use crate::msg::{Export, LimitAction, PeerPolicy, PrefixLimit, RibIn};
use crate::rib::fixture::*;
use crate::rib::show::RouteFilter;
use crate::types::PeerId;

fn limited(max: u32, action: LimitAction) -> (PeerId, PeerPolicy) {
    let (id, mut one) = policy(1, Export::Own);
    one.limits = [Some(PrefixLimit { max, action }); 2];
    (id, one)
}

fn world(max: u32, action: LimitAction) -> World {
    let mut world = World::new(config(&[], vec![limited(max, action)]));
    world.up(up(1, 64512));
    world
}

fn nets(range: std::ops::Range<u32>) -> Vec<ipnet::IpNet> {
    range.map(|n| net(&format!("10.7.{n}.0/24"))).collect()
}

fn used(world: &World) -> usize {
    let counts = world.rib.peer_counts(PeerId(1));
    assert_eq!(counts.received[0] - counts.over[0], counts.accepted[0]);
    assert_eq!(world.fib.len(), counts.accepted[0] as usize);
    world.fib.len()
}

#[test]
fn a_warning_is_said_once() {
    let mut world = world(3, LimitAction::Warn);
    let attrs = Attrs::new("10.0.0.1", &[]);
    world.learn(1, &attrs, &nets(0..3));
    assert!(world.over.is_empty());
    world.learn(1, &attrs, &nets(3..4));
    world.learn(1, &attrs, &nets(4..9));
    assert_eq!((world.over.clone(), used(&world)), (vec![(1, 3)], 9));
    // Well below it and over it again is news again.
    world.say(withdraw(1, &nets(0..8)));
    world.learn(1, &attrs, &nets(0..8));
    assert_eq!(world.over, [(1, 3), (1, 3)]);
}

#[test]
fn the_excess_is_kept_and_used_when_there_is_room() {
    let mut world = world(3, LimitAction::Drop);
    let attrs = Attrs::new("10.0.0.1", &[]);
    world.learn(1, &attrs, &nets(0..5));
    assert_eq!((world.over.clone(), used(&world)), (vec![(1, 3)], 3));
    let filter = RouteFilter { prefix: Some(net("10.7.4.0/24")), ..Default::default() };
    let path = world.rib.routes(&filter, None, 1).0.remove(0).paths.remove(0);
    assert_eq!(path.filtered.as_deref(), Some("over the limit of 3 prefixes"));
    // What is used may change; it stays in.
    let other = Attrs { med: Some(7), ..attrs.clone() };
    world.learn(1, &other, &nets(0..1));
    assert!(world.fib.contains_key(&net("10.7.0.0/24")));
    // One that is out may change; it stays out.
    world.learn(1, &other, &nets(4..5));
    assert!(!world.fib.contains_key(&net("10.7.4.0/24")));
    world.say(withdraw(1, &nets(1..2)));
    assert_eq!((used(&world), world.rib.peer_counts(PeerId(1)).over), (3, [1, 0]));
    world.say(withdraw(1, &nets(0..3)));
    assert_eq!((used(&world), world.rib.peer_counts(PeerId(1)).over), (2, [0, 0]));
    // Each family has its own.
    world.learn(1, &Attrs::new("2001:db8::1", &[]), &[net("2001:db8:1::/48")]);
    assert_eq!(world.rib.peer_counts(PeerId(1)).accepted, [2, 1]);
}

#[test]
fn a_new_limit_applies_to_what_is_there() {
    let mut world = world(3, LimitAction::Drop);
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &nets(0..8));
    for (max, in_use) in [(5, 5), (2, 2), (20, 8)] {
        let peers = vec![limited(max, LimitAction::Drop)];
        world.say(RibIn::Configure(Box::new(config(&[], peers))));
        assert_eq!(used(&world), in_use);
    }
    world.say(RibIn::Configure(Box::new(config(&[], vec![limited(1, LimitAction::Warn)]))));
    assert_eq!(used(&world), 8);
}

#[test]
fn closing_is_the_sessions_business_but_nothing_more_comes_in() {
    let restart = Some(Duration::from_secs(60));
    let mut world = world(2, LimitAction::Close { restart });
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &nets(0..5));
    assert_eq!((world.over.clone(), used(&world)), (vec![(1, 2)], 2));
    world.down(1);
    world.up(up(1, 64512));
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &nets(0..5));
    assert_eq!(world.over, [(1, 2), (1, 2)], "a new session, a new word");
}

#[test]
fn who_is_in_stays_in_when_all_is_judged_again() {
    let mut world = world(2, LimitAction::Drop);
    let attrs = Attrs::new("10.0.0.1", &[]);
    world.learn(1, &attrs, &nets(0..4));
    world.say(withdraw(1, &nets(0..1)));
    world.say(announce(1, &attrs, &nets(0..1)));
    let inside = world.fib.clone();
    assert!(!inside.contains_key(&nets(0..1)[0]));
    for on in [true, false] {
        world.say(RibIn::Drain { peer: PeerId(1), on });
        assert_eq!(world.fib, inside);
    }
    // More room: all of these, and one more.
    world.say(RibIn::Configure(Box::new(config(&[], vec![limited(3, LimitAction::Drop)]))));
    assert!(inside.keys().all(|net| world.fib.contains_key(net)) && used(&world) == 3);
}

#[test]
fn a_sweep_makes_room() {
    let mut world = world(2, LimitAction::Drop);
    let attrs = Attrs::new("10.0.0.1", &[]);
    world.learn(1, &attrs, &nets(0..2));
    world.away(1, 60, 0);
    world.up(back(1, 64512, crate::types::Families::ALL));
    world.say(announce(1, &attrs, &nets(2..4)));
    assert_eq!(world.rib.peer_counts(PeerId(1)).over, [2, 0]);
    // It never says End-of-RIB.
    world.wait(600);
    assert_eq!((used(&world), world.rib.peer_counts(PeerId(1)).received), (2, [2, 0]));
}
