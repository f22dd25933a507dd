//! What we originate, and what of it neighbours and the kernel hear.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::attrs::Origin;
use crate::msg::{Carried, Export, FibBest, Originated, RibConfig, RibIn, Wished};
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

fn operator(nets: Vec<IpNet>) -> RibIn {
    RibIn::Originate(nets.into_iter().map(Wished::from).collect())
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
    let operator = |nets: &[&str]| operator(wish(nets));
    world.say(operator(&["10.50.0.0/16", v6]));
    world.say(RibIn::Pods { came: wish(&["10.8.0.7/32"]), went: vec![] });
    assert!(world.heard(1, "10.50.0.0/16").is_some() && world.heard(1, v6).is_some());
    assert!(world.heard(3, "10.8.0.7/32").is_some());
    assert_eq!(world.fib.len(), 1, "the kernel has the block only");
    let added: Vec<IpNet> = world.rib.added().iter().map(|wish| wish.prefix).collect();
    assert_eq!(added, wish(&["10.50.0.0/16", v6]));
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
    world.say(operator(vec![net(NET)]));
    assert_eq!(world.fib.get(&net(NET)), Some(&FibBest::Own));
    world.say(operator(vec![]));
    assert!(world.heard(1, NET).is_some());
    world.say(operator(vec![net(NET)]));
    let mut none = configured(true, true);
    none.originate.clear();
    world.say(RibIn::Configure(Box::new(none)));
    assert!(world.heard(1, NET).is_some());
    assert!(world.fib.is_empty());
}

#[test]
fn a_local_pref_that_says_a_metric_goes_with_all_that_is_originated() {
    let mut world = world(true, true);
    world.say(operator(vec![net("10.50.0.0/16")]));
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
/// who announces it, or a pod that is all of it, does not take that away.
#[test]
fn announcing_a_blackhole_keeps_it_one() {
    let pod = |nets: Vec<IpNet>| match nets.is_empty() {
        true => RibIn::Pods { came: nets, went: vec![net(NET)] },
        false => RibIn::Pods { came: nets, went: vec![] },
    };
    let wishes: [&dyn Fn(Vec<IpNet>) -> RibIn; 2] = [&operator, &pod];
    for wish in wishes {
        let mut world = world(false, true);
        world.say(wish(vec![net(NET)]));
        assert_eq!(world.fib.get(&net(NET)), Some(&FibBest::Own));
        assert!(world.heard(1, NET).is_some());
        world.say(RibIn::Configure(Box::new(configured(false, false))));
        assert!(world.fib.is_empty() && world.heard(1, NET).is_some());
        world.say(RibIn::Configure(Box::new(configured(false, true))));
        world.say(wish(Vec::new()));
        assert_eq!(world.fib.get(&net(NET)), Some(&FibBest::Own));
        assert_eq!(world.heard(1, NET), None);
    }
}

/// Pods come and go one by one: each is a change of its own prefix, and of no other.
#[test]
fn a_pod_that_comes_or_goes_touches_no_other() {
    let mut world = world(true, true);
    let pod = |i: u32| IpNet::from(IpAddr::from([10, 8, (i >> 8) as u8, i as u8]));
    let say = |world: &mut World, came: Vec<IpNet>, went: Vec<IpNet>| {
        let before = world.drain(1).octets;
        world.say(RibIn::Pods { came, went });
        world.drain(1).octets - before
    };
    assert!(say(&mut world, (0..1000).map(pod).collect(), vec![]) > 1000 * 5);
    // Again what is known, and away with what never was: nothing is said.
    assert_eq!(say(&mut world, vec![pod(1)], vec![pod(5000)]), 0);
    let octets = say(&mut world, vec![pod(1000)], vec![pod(7)]);
    assert!((1..200).contains(&octets), "two small messages, not {octets} octets");
    assert_eq!(world.heard(1, "10.8.0.7/32"), None);
    assert!(world.heard(1, "10.8.0.8/32").is_some());
    assert_eq!(world.rib.pods().count(), 1000);
    assert_eq!(world.fib.len(), 1, "the kernel has the block only");
    // A pod that a neighbour has too is ours while it is here; then it is the neighbour's.
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net("10.8.0.8/32")]);
    assert!(!world.fib.contains_key(&net("10.8.0.8/32")));
    say(&mut world, vec![], vec![pod(8)]);
    assert!(matches!(world.fib.get(&net("10.8.0.8/32")), Some(FibBest::Via(_))));
}

/// What the operator has a network carry is there for whom it is meant.
#[test]
fn a_network_carries_what_it_is_given() {
    const ADDED: &str = "10.50.0.0/16";
    let mut world = world(true, true);
    let carried = Carried {
        origin: Some(Origin::Incomplete),
        med: Some(50),
        local_pref: Some(200),
        prepend: 2,
        communities: ["65000:1", "64512:1:2", "rt:64512:9"].map(|c| c.parse().unwrap()).into(),
    };
    let say = |world: &mut World, carried: &Carried| {
        let carried = Some(Arc::new(carried.clone()));
        let wish = Wished { prefix: net(ADDED), carried };
        world.say(RibIn::Originate(vec![wish, net("10.51.0.0/16").into()]));
    };
    say(&mut world, &carried);
    let inside = world.heard(1, ADDED).unwrap();
    assert_eq!((inside.origin(), inside.med()), (Origin::Incomplete, Some(50)));
    assert_eq!(inside.local_pref(), Some(200));
    assert!(inside.as_path().is_empty(), "our own AS would be a loop: {}", inside.as_path());
    let outside = world.heard(3, ADDED).unwrap();
    assert_eq!((outside.med(), outside.local_pref()), (Some(50), None));
    assert_eq!(outside.as_path().to_string(), "64512 64512 64512");
    for heard in [&inside, &outside] {
        assert_eq!(
            heard.communities().iter().map(|c| c.to_string()).collect::<Vec<_>>(),
            ["65000:1"]
        );
        assert_eq!(
            (heard.large_communities().iter().count(), heard.extended_communities().iter().count()),
            (1, 1)
        );
    }
    let plain = world.heard(3, "10.51.0.0/16").unwrap();
    assert_eq!((plain.med(), plain.as_path().to_string()), (None, "64512".to_owned()));

    // It outlives a reload, also one with another LOCAL_PREF, and a change of it is told.
    let with = RibConfig { local_pref: Some(7), ..configured(true, true) };
    world.say(RibIn::Configure(Box::new(with)));
    assert_eq!(world.heard(1, ADDED).unwrap().local_pref(), Some(200));
    assert_eq!(world.heard(1, "10.51.0.0/16").unwrap().local_pref(), Some(7));
    let fewer = Carried { med: None, prepend: 0, local_pref: None, ..carried };
    say(&mut world, &fewer);
    assert_eq!(world.heard(1, ADDED).unwrap().local_pref(), Some(7));
    let outside = world.heard(3, ADDED).unwrap();
    assert_eq!((outside.med(), outside.as_path().to_string()), (None, "64512".to_owned()));
    // And no-export keeps it here.
    let kept = Carried { communities: vec!["no-export".parse().unwrap()], ..fewer };
    say(&mut world, &kept);
    assert!(world.heard(1, ADDED).is_some() && world.heard(3, ADDED).is_none());
    world.say(operator(vec![]));
    assert!(world.heard(1, ADDED).is_none());
}
