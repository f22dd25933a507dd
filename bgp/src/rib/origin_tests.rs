//! What we originate, and what of it neighbours and the kernel hear.

use crate::msg::{Export, FibBest, Originated, OriginatedBy, RibConfig, RibIn};
use crate::rib::fixture::*;
use crate::rib::show::{RouteFilter, Wish};
use crate::types::PeerId;

const NET: &str = "10.9.0.0/26";

fn world(announce: bool, blackhole: bool) -> World {
    let mut world = World::new(configured(announce, blackhole));
    world.up(up(1, 64512));
    world.up(up(3, 65001));
    world
}

fn configured(announce: bool, blackhole: bool) -> crate::msg::RibConfig {
    let mut config = config(&[], vec![policy(1, Export::Own), policy(3, Export::All)]);
    config.originate = vec![Originated { prefix: net(NET), announce, blackhole }];
    config
}

#[test]
fn announced_and_a_blackhole_are_two_things() {
    for announce in [false, true] {
        for blackhole in [false, true] {
            let mut world = world(announce, blackhole);
            assert_eq!(world.heard(1, NET).is_some(), announce);
            assert_eq!(world.heard(3, NET).is_some(), announce);
            let best = blackhole.then_some(FibBest::Own);
            assert_eq!(world.fib.get(&net(NET)).cloned(), best);
            for (announce, blackhole) in [(true, true), (false, true), (true, false)] {
                world.say(RibIn::Configure(Box::new(configured(announce, blackhole))));
                assert_eq!(world.heard(1, NET).is_some(), announce);
                assert_eq!(world.fib.contains_key(&net(NET)), blackhole);
            }
        }
    }
}

#[test]
fn wishes_while_the_daemon_runs() {
    let mut world = world(true, true);
    let v6 = "2001:db8:9::/64";
    let wish = |nets: &[&str]| nets.iter().map(|n| net(n)).collect::<Vec<_>>();
    let operator = |nets: &[&str]| RibIn::Originate(OriginatedBy::Operator, wish(nets));
    world.say(operator(&["10.50.0.0/16", v6]));
    world.say(RibIn::Originate(OriginatedBy::Borrowed, wish(&["10.8.0.7/32"])));
    assert!(world.heard(1, "10.50.0.0/16").is_some() && world.heard(1, v6).is_some());
    assert!(world.heard(3, "10.8.0.7/32").is_some());
    assert_eq!(world.fib.len(), 1, "the kernel has the block only");
    assert_eq!(world.rib.originated_by(OriginatedBy::Operator), wish(&["10.50.0.0/16", v6]));
    // They outlive a reload, and beat what others say.
    world.say(RibIn::Configure(Box::new(configured(true, true))));
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net("10.50.0.0/16")]);
    assert!(world.heard(3, "10.50.0.0/16").is_some());
    let filter = RouteFilter { prefix: Some(net("10.50.0.0/16")), ..Default::default() };
    let paths = world.rib.routes(&filter, None, 1).0.remove(0).paths;
    assert_eq!((paths[0].wish, paths[1].peer), (Some(Wish::Operator), PeerId(3)));
    // Taken back, the neighbour's counts.
    world.say(operator(&[v6]));
    assert!(matches!(world.fib.get(&net("10.50.0.0/16")), Some(FibBest::Via(_))));
    assert_eq!(world.heard(3, "10.50.0.0/16"), None);
}

/// The same prefix on several wishes is announced as long as one of them stands.
#[test]
fn one_wish_does_not_end_another() {
    let mut world = world(true, true);
    world.say(RibIn::Originate(OriginatedBy::Operator, vec![net(NET)]));
    assert_eq!(world.fib.get(&net(NET)), Some(&FibBest::Own));
    world.say(RibIn::Originate(OriginatedBy::Operator, vec![]));
    assert!(world.heard(1, NET).is_some());
    world.say(RibIn::Originate(OriginatedBy::Operator, vec![net(NET)]));
    let mut none = configured(true, true);
    none.originate.clear();
    world.say(RibIn::Configure(Box::new(none)));
    assert!(world.heard(1, NET).is_some());
    assert!(world.fib.is_empty());
}

#[test]
fn a_local_pref_that_says_a_metric_goes_with_all_that_is_originated() {
    let mut world = world(true, true);
    world.say(RibIn::Originate(OriginatedBy::Operator, vec![net("10.50.0.0/16")]));
    let said = |world: &mut World, prefix| world.heard(1, prefix).unwrap().local_pref();
    assert_eq!(said(&mut world, NET), Some(100));
    let with = RibConfig { local_pref: Some(2_147_482_623), ..configured(true, true) };
    world.say(RibIn::Configure(Box::new(with)));
    for prefix in [NET, "10.50.0.0/16"] {
        assert_eq!(said(&mut world, prefix), Some(2_147_482_623), "{prefix}");
    }
    assert_eq!(world.heard(3, NET).unwrap().local_pref(), None, "it stays in our AS");
    assert_eq!(world.fib.get(&net(NET)), Some(&FibBest::Own));
    world.say(RibIn::Configure(Box::new(configured(true, true))));
    assert_eq!(said(&mut world, "10.50.0.0/16"), Some(100));
}

/// A block that goes out only as part of an aggregate is a blackhole all the same; the operator
/// who announces it does not take that away.
#[test]
fn announcing_a_blackhole_keeps_it_one() {
    for by in [OriginatedBy::Operator, OriginatedBy::Borrowed] {
        let mut world = world(false, true);
        world.say(RibIn::Originate(by, vec![net(NET)]));
        assert_eq!(world.fib.get(&net(NET)), Some(&FibBest::Own));
        assert!(world.heard(1, NET).is_some());
        world.say(RibIn::Configure(Box::new(configured(false, false))));
        assert!(world.fib.is_empty() && world.heard(1, NET).is_some());
        world.say(RibIn::Configure(Box::new(configured(false, true))));
        world.say(RibIn::Originate(by, Vec::new()));
        assert_eq!(world.fib.get(&net(NET)), Some(&FibBest::Own));
        assert_eq!(world.heard(1, NET), None);
    }
}
