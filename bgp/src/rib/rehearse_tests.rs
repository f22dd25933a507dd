//! What a rehearsal says comes true when the same is done, and leaves the Rib as it was.

use super::super::fixture::*;
use super::*;
use crate::msg::{Export, RibConfig, RibIn, RibOut};
use crate::policy::{Changes, Matches, MedChange, Policy, Rule, RuleName, Verdict};

const NEAR: &str = "10.1.0.0/16";
const FAR: &str = "10.2.0.0/16";

fn peers() -> Vec<(PeerId, crate::msg::PeerPolicy)> {
    vec![policy(1, Export::Own), policy(2, Export::Own), policy(3, Export::All)]
}

/// Us, originating a block, with peers 1 and 2 (mesh) and 3 (eBGP) up and told everything.
fn world() -> World {
    let mut world = World::new(config(&["10.9.0.0/26"], peers()));
    for session in [up(1, 64512), up(2, 64512), up(3, 65001)] {
        world.up(session);
    }
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(NEAR), net(FAR)]);
    world.settle();
    (1..4).for_each(|peer| drop(world.drain(peer).clone()));
    world
}

/// Rehearses, then does it: what each neighbour has by then is what was said of it.
fn foretold(world: &mut World, new: RibConfig) -> Vec<Telling> {
    let before = world.rib.rehearsal();
    let mut after = before.rehearsal();
    let mut said = Vec::new();
    after.handle(world.now, RibIn::Configure(Box::new(new.clone())), &mut said);
    let ids = [1, 2, 3].map(PeerId);
    let tellings: Vec<Telling> = ids.iter().map(|id| after.telling(&before, *id)).collect();
    let had = world.told.clone();
    (1..4).for_each(|peer| assert_eq!(world.drain(peer).routes, had[&PeerId(peer)].routes));
    let batch = |said: &RibOut| match said {
        RibOut::Fib(batch) => Some(format!("{batch:?}")),
        _ => None,
    };
    let foretold: Vec<String> = said.iter().filter_map(batch).collect();

    let from = world.trace.len();
    world.say(RibIn::Configure(Box::new(new)));
    let done: Vec<&String> = world.trace[from..].iter().filter(|t| t.starts_with("Fib(")).collect();
    assert_eq!(done.len(), foretold.len());
    for (done, foretold) in done.iter().zip(&foretold) {
        assert_eq!(**done, format!("Fib({foretold})"));
    }
    for (id, telling) in ids.iter().zip(&tellings) {
        let (had, has) = (&had[id].routes, world.drain(id.0).routes.clone());
        let new = |net: &&ipnet::IpNet| !had.contains_key(*net);
        assert_eq!(telling.announced, has.keys().filter(new).copied().collect::<Vec<_>>());
        let gone = had.keys().filter(|net| !has.contains_key(*net));
        assert_eq!(telling.withdrawn, gone.copied().collect::<Vec<_>>());
        let other = has.iter().filter(|(net, set)| had.get(*net).is_some_and(|was| was != *set));
        assert_eq!(telling.changed, other.map(|(net, _)| *net).collect::<Vec<_>>());
    }
    tellings
}

#[test]
fn what_is_announced_and_withdrawn_comes_true() {
    let mut world = world();
    let tellings = foretold(&mut world, config(&["10.9.0.64/26"], peers()));
    for telling in &tellings {
        assert_eq!(telling.announced, [net("10.9.0.64/26")]);
        assert_eq!(telling.withdrawn, [net("10.9.0.0/26")]);
        assert_eq!((telling.changed.len(), telling.again), (0, 0));
    }
    // Others hear of what a neighbour sent as well, until it may not be used any more.
    let mut all = peers();
    all[1].1.export = Export::All;
    let tellings = foretold(&mut world, config(&["10.9.0.64/26"], all.clone()));
    assert_eq!(tellings[1].announced, [net(NEAR), net(FAR)]);
    assert_eq!((tellings[1].again, &tellings[0]), (1, &Telling::default()));
    all[2].1.import = std::sync::Arc::default();
    let tellings = foretold(&mut world, config(&["10.9.0.64/26"], all));
    assert_eq!(tellings[1].withdrawn, [net(NEAR), net(FAR)]);
}

#[test]
fn a_rule_that_changes_routes_is_seen_and_counts_nowhere() {
    let mut world = world();
    let rule = |med| Rule {
        name: RuleName { policy: "out".into(), number: 1, name: None },
        when: Matches::default(),
        unless: None,
        verdict: Verdict::Accept(Changes { med: Some(MedChange::Is(med)), ..Changes::default() }),
    };
    let with = |med| {
        let mut peers = peers();
        peers[0].1.export_rules = std::sync::Arc::new(Policy::new(vec![rule(med)]));
        config(&["10.9.0.0/26"], peers)
    };
    let first = with(7);
    let rules = std::sync::Arc::clone(&first.peers[0].1.export_rules);
    let tellings = foretold(&mut world, first);
    assert_eq!(tellings[0].changed, [net("10.9.0.0/26")]);
    let hits = || rules.hits().map(|(_, hits)| hits).collect::<Vec<_>>();
    let counted = hits();
    // Another block for the same group: its rules are asked about it, in the rehearsal alone.
    let more = {
        let mut more = with(7);
        more.originate.push(net("10.9.0.64/26").into());
        more
    };
    let mut copy = world.rib.rehearsal();
    copy.handle(world.now, RibIn::Configure(Box::new(more)), &mut Vec::new());
    assert_eq!(copy.telling(&world.rib, PeerId(1)).announced, [net("10.9.0.64/26")]);
    assert_eq!(hits(), counted);
}

#[test]
fn what_leads_through_one_neighbour_alone_is_named() {
    let mut world = world();
    let only = |world: &World| world.rib.only_from(&[PeerId(1), PeerId(3)]);
    assert_eq!(only(&world), [vec![], vec![net(NEAR), net(FAR)]]);
    // Another way to one of them, as long as the kernel says that there is one.
    world.learn(1, &Attrs::new("10.0.0.9", &[]), &[net(FAR), net("10.3.0.0/16")]);
    world.say(news("10.0.0.9", None));
    assert_eq!(only(&world), [vec![], vec![net(NEAR), net(FAR)]]);
    world.say(news("10.0.0.9", Some(1)));
    assert_eq!(only(&world), [vec![net("10.3.0.0/16")], vec![net(NEAR)]]);
    // What is lost when they go is what was said.
    let mut after = world.rib.rehearsal();
    let down = RibIn::PeerDown { peer: PeerId(3), retain: None, silent: false };
    after.handle(world.now, down, &mut Vec::new());
    let left: Vec<_> = after.routes(&Default::default(), None, 99).0;
    assert!(left.iter().all(|route| route.prefix != net(NEAR)));
    assert!(left.iter().any(|route| route.prefix == net(FAR)));
}
