//! Who is cut off: the others, or we.

use std::time::Duration;

use crate::msg::{Export, IsolationRule, RibConfig, RibIn};
use crate::rib::fixture::*;
use crate::types::{Families, Family, PeerId};

const KEEP: u64 = 120;
const RULE: IsolationRule =
    IsolationRule { keep: Duration::from_secs(KEEP), percent: 50, peers: 3 };

fn route(peer: u32) -> String {
    format!("10.{peer}.0.0/26")
}

fn configured(peers: u32, rule: Option<IsolationRule>) -> RibConfig {
    let peers = (1..=peers).map(|peer| policy(peer, Export::Own)).collect();
    RibConfig { isolation: rule, ..config(&[], peers) }
}

/// So many neighbours, each with a route of its own.
fn world(peers: u32) -> World {
    let mut world = World::new(configured(peers, Some(RULE)));
    for peer in 1..=peers {
        world.up(up(peer, 64512));
        let attrs = Attrs::new(&format!("10.0.0.{peer}"), &[]);
        world.learn(peer, &attrs, &[net(&route(peer))]);
    }
    world
}

/// Nothing is heard of these for longer than it should be.
fn overdue(world: &mut World, peers: &[u32]) {
    let peers = peers.iter().map(|peer| PeerId(*peer)).collect();
    world.say(RibIn::Overdue { peers, valid: Duration::from_secs(5) });
}

/// Whose routes are in use.
fn kept(world: &World) -> Vec<u32> {
    (1..=9).filter(|peer| world.fib.contains_key(&net(&route(*peer)))).collect()
}

fn said(world: &World, word: &str) -> usize {
    world.trace.iter().filter(|line| line.starts_with(word)).count()
}

#[test]
fn the_first_of_many_is_kept_already() {
    let mut world = world(4);
    overdue(&mut world, &[1, 2, 4]);
    world.silent(1);
    assert_eq!(kept(&world), [1, 2, 3, 4], "three of four is most");
    assert_eq!(said(&world, "CutOff"), 1);
    let view = world.rib.isolation().unwrap();
    assert_eq!((view.silent, view.of), (3, 4));
    world.silent(2);
    world.silent(4);
    world.silent(3);
    assert_eq!(kept(&world), [1, 2, 3, 4]);
    assert_eq!(world.rib.isolation().unwrap().silent, 4);
    // All dead after all: they go together, when the time is over.
    world.wait(KEEP - 1);
    assert_eq!(kept(&world), [1, 2, 3, 4]);
    world.wait(1);
    assert!(kept(&world).is_empty());
    assert_eq!(world.rib.isolation(), None);
    assert_eq!((said(&world, "CutOff"), said(&world, "Rejoined")), (1, 1));
    assert_eq!(world.rib.next_deadline(), None);
}

#[test]
fn one_that_dies_alone_is_forgotten_at_once() {
    let mut world = world(4);
    world.silent(1);
    assert_eq!(kept(&world), [2, 3, 4]);
    assert_eq!(said(&world, "CutOff"), 0);
    // Half of them is not most of them.
    let mut world = self::world(4);
    overdue(&mut world, &[2]);
    world.silent(1);
    assert_eq!(kept(&world), [2, 3, 4]);
    assert_eq!(said(&world, "CutOff"), 0);
}

#[test]
fn few_neighbours_cannot_tell() {
    let mut world = world(2);
    overdue(&mut world, &[1, 2]);
    world.silent(1);
    world.silent(2);
    assert!(kept(&world).is_empty());
}

#[test]
fn what_was_seen_long_ago_does_not_count() {
    let mut world = world(4);
    overdue(&mut world, &[1, 2, 3]);
    world.wait(5);
    world.silent(1);
    assert_eq!(kept(&world), [2, 3, 4], "they were heard since, or they would be gone");
    // Nor does who went before.
    world.wait(5);
    world.silent(2);
    assert_eq!(kept(&world), [3, 4]);
}

#[test]
fn neighbours_that_went_a_moment_before_count() {
    let mut world = world(5);
    world.silent(1);
    world.silent(2);
    assert_eq!(kept(&world), [3, 4, 5]);
    world.silent(3);
    assert_eq!(kept(&world), [3, 4, 5], "the third of five is one too many");
}

#[test]
fn only_silence_counts() {
    let mut world = world(4);
    for peer in 1..=4 {
        world.down(peer);
    }
    assert!(kept(&world).is_empty());
    assert_eq!(said(&world, "CutOff"), 0);
}

/// Most are back: what they had was never gone, and who is missing then has a short time left,
/// and no more protection.
#[test]
fn it_ends_with_the_return_of_most() {
    let mut world = world(5);
    overdue(&mut world, &[2, 3, 4, 5]);
    for peer in 1..=4 {
        world.silent(peer);
    }
    world.wait(20);
    world.up(up(1, 64512));
    assert!(world.rib.isolation().is_some());
    world.up(back(2, 64512, Families::ALL));
    assert_eq!(world.rib.isolation(), None, "two of five are missing");
    assert_eq!(kept(&world), [1, 2, 3, 4, 5]);
    // It says everything again, and what it does not say is gone.
    world.say(end_of_rib(2, Family::Ipv4));
    assert_eq!(kept(&world), [1, 3, 4, 5]);
    // One that dies now dies alone.
    world.silent(5);
    assert_eq!(kept(&world), [1, 3, 4]);
    world.wait(29);
    assert_eq!(kept(&world), [1, 3, 4]);
    world.wait(1);
    assert!(!kept(&world).contains(&3) && !kept(&world).contains(&4));
}

/// A neighbour without graceful restart promises no End-of-RIB: what it does not say again within
/// a while is gone.
#[test]
fn a_neighbour_without_graceful_restart_is_heard_out() {
    let mut world = world(3);
    overdue(&mut world, &[1, 2, 3]);
    world.silent(1);
    world.up(up(1, 64512));
    assert_eq!(kept(&world), [1, 2, 3]);
    let other = net("10.1.0.64/26");
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[other]);
    world.wait(29);
    assert_eq!(kept(&world), [1, 2, 3]);
    world.wait(1);
    assert_eq!(kept(&world), [2, 3]);
    assert!(world.fib.contains_key(&other));
}

#[test]
fn a_rule_that_is_taken_away_protects_nobody_for_long() {
    let mut world = world(3);
    overdue(&mut world, &[1, 2, 3]);
    (1..=3).for_each(|peer| world.silent(peer));
    assert_eq!(kept(&world), [1, 2, 3]);
    world.say(RibIn::Configure(Box::new(configured(3, None))));
    assert_eq!(world.rib.isolation(), None);
    world.wait(30);
    assert!(kept(&world).is_empty());
}
