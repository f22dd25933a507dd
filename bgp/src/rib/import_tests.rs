//! What import makes of a route, rule by rule.

use std::sync::Arc;

use super::*;
use crate::msg::{Export, FibBest, NexthopNews, PeerPolicy, RibIn};
use crate::policy::{
    Glob, Matches, NextHopChange, Policy, PrefixPattern, PrefixSet, Rule, RuleName, Verdict,
};
use crate::rib::fixture::*;
use crate::rib::show::{PathView, RouteFilter};
use crate::types::PeerId;

const N1: &str = "10.1.0.0/16";
const N2: &str = "10.2.0.0/16";

fn world(change: impl FnOnce(&mut PeerPolicy)) -> World {
    let mut world = World::new(configured(change));
    world.up(up(1, 64512));
    world.up(up(3, 65001));
    world
}

fn configured(change: impl FnOnce(&mut PeerPolicy)) -> crate::msg::RibConfig {
    let mut third = policy(3, Export::All);
    change(&mut third.1);
    config(&[], vec![policy(1, Export::All), third])
}

fn path(world: &World, prefix: &str) -> PathView {
    let filter = RouteFilter { prefix: Some(net(prefix)), ..RouteFilter::default() };
    world.rib.routes(&filter, None, 10).0.remove(0).paths.remove(0)
}

fn rule(number: u32, prefix: &str, verdict: Verdict) -> Rule {
    let prefixes = PrefixSet::new(&[PrefixPattern::or_longer(net(prefix))]);
    let when = Matches { prefix: Some(prefixes), ..Matches::default() };
    let name = RuleName { policy: "from-tor".into(), number, name: None };
    Rule { name, when, unless: None, verdict }
}

fn changes(local_pref: u32) -> Verdict {
    Verdict::Accept(Changes { local_pref: Some(local_pref), ..Changes::default() })
}

#[test]
fn rules_decide_before_the_default_and_after_the_floor() {
    let mut world = world(|policy| {
        let import = Arc::make_mut(&mut policy.import);
        import.within = vec![net("10.2.0.0/16")];
        import.except = vec![net("10.1.9.0/24")];
        policy.import_rules = Arc::new(Policy::new(vec![
            rule(1, "10.1.8.0/24", Verdict::Reject),
            rule(2, "10.1.0.0/16", changes(300)),
        ]));
    });
    let nets = ["10.1.0.0/16", "10.1.8.0/24", "10.1.9.0/24", N2, "10.3.0.0/16"].map(net);
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &nets);
    let seen: Vec<(Option<String>, Option<u32>)> = nets
        .iter()
        .map(|n| path(&world, &n.to_string()))
        .map(|p| (p.filtered, p.used.and_then(|used| used.local_pref())))
        .collect();
    let no = |why: &str| (Some(why.to_owned()), None);
    assert_eq!(
        seen,
        [
            (None, Some(300)),
            no("rejected by from-tor rule 1"),
            no("inside 10.1.9.0/24, which import never takes"),
            (None, None),
            no("not inside any prefix that import allows"),
        ]
    );
    // What import made of it is what goes on; what was received is still there.
    assert_eq!(world.heard(1, N1).unwrap().local_pref(), Some(300));
    assert_eq!(path(&world, N1).attrs.local_pref(), None);
    assert_eq!(world.rib.peer_counts(PeerId(3)).accepted, [2, 0]);
}

/// A change of policy judges what was received anew: the neighbour is not asked, nothing is reset.
#[test]
fn another_rule_judges_what_was_received() {
    let with = |verdict| {
        configured(|policy| {
            policy.import_rules = Arc::new(Policy::new(vec![rule(1, N1, verdict)]));
        })
    };
    let mut world = world(|_| {});
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1), net(N2)]);
    for local_pref in [200, 50] {
        world.say(RibIn::Configure(Box::new(with(changes(local_pref)))));
        assert_eq!(world.heard(1, N1).unwrap().local_pref(), Some(local_pref));
        assert_eq!(world.heard(1, N2).unwrap().local_pref(), Some(100));
    }
    world.say(RibIn::Configure(Box::new(with(Verdict::Reject))));
    assert_eq!((world.heard(1, N1), world.fib.len()), (None, 1));
    world.say(RibIn::Configure(Box::new(configured(|_| {}))));
    assert_eq!((path(&world, N1).used, world.fib.len()), (None, 2));
    world.down(3);
    world.drain(1);
    assert_eq!((world.rib.destinations(), world.rib.attribute_sets().0), ([0, 0], 0));
}

#[test]
fn graceful_shutdown_and_drain_take_traffic_off() {
    let mut world = world(|_| {});
    let leaving = Attrs {
        community: Some(Community::GRACEFUL_SHUTDOWN.0),
        local_pref: Some(200),
        ..Attrs::new("10.0.0.1", &[])
    };
    world.learn(1, &leaving, &[net(N1)]);
    assert_eq!(path(&world, N1).used.unwrap().local_pref(), Some(0));
    assert_eq!(world.fib.len(), 1, "it is used while there is nothing else");
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1), net(N2)]);
    assert!(path(&world, N1).peer == PeerId(3));
    // The operator takes traffic off peer 3: now both are as bad, and eBGP comes first.
    world.say(RibIn::Drain { peer: PeerId(3), on: true });
    assert_eq!(path(&world, N2).used.unwrap().local_pref(), Some(0));
    assert!(world.rib.is_drained(PeerId(3)));
    world.learn(1, &Attrs::new("10.0.0.1", &[65008, 65009]), &[net(N1)]);
    assert_eq!(path(&world, N1).peer, PeerId(1));
    // A reload does not end it; the operator does.
    world.say(RibIn::Configure(Box::new(configured(|_| {}))));
    assert_eq!(path(&world, N1).peer, PeerId(1));
    world.say(RibIn::Drain { peer: PeerId(3), on: false });
    assert_eq!((path(&world, N1).peer, path(&world, N2).used), (PeerId(3), None));
    // The configuration can say the same.
    world.say(RibIn::Configure(Box::new(configured(|policy| policy.drain = true))));
    assert_eq!(path(&world, N1).peer, PeerId(1));
}

#[test]
fn next_hops_that_nobody_can_be_behind() {
    let mut world = world(|_| {});
    let cases = [
        ("0.0.0.0", "NEXT_HOP 0.0.0.0 is no address that traffic can be sent to"),
        ("127.0.0.1", "NEXT_HOP 127.0.0.1 is no address that traffic can be sent to"),
        ("224.0.0.5", "NEXT_HOP 224.0.0.5 is no address that traffic can be sent to"),
        ("255.255.255.255", "NEXT_HOP 255.255.255.255 is no address that traffic can be sent to"),
        ("10.0.0.100", "NEXT_HOP 10.0.0.100 is our own address"),
    ];
    for (next_hop, why) in cases {
        world.say(announce(3, &Attrs::new(next_hop, &[65001]), &[net(N1)]));
        assert_eq!(path(&world, N1).filtered.as_deref(), Some(why));
        assert!(world.tracked.is_empty());
    }
    world.say(announce(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1)]));
    assert_eq!(path(&world, N1).filtered, None);
}

/// RFC 9234 §5, both ways in which a route can come, for each role.
#[test]
fn only_to_customer() {
    fn received(value: Option<u32>) -> AttrSet {
        let set = Attrs::new("10.0.0.3", &[65001]).set();
        let edit = value.map(|asn| (code::OTC, asn.to_be_bytes().to_vec()));
        set.edited(set.next_hop(), edit.as_slice())
    }
    // Our role, OTC as received: as used, or a leak.
    let (ours, theirs) = (Some(65001), Some(65007));
    let cases = [
        (Role::Customer, None, Ok(ours)),
        (Role::Customer, theirs, Ok(theirs)),
        (Role::RouteServerClient, None, Ok(ours)),
        (Role::Peer, None, Ok(ours)),
        (Role::Peer, ours, Ok(ours)),
        (Role::Peer, theirs, Err("peer")),
        (Role::Provider, None, Ok(None)),
        (Role::Provider, ours, Err("customer")),
        (Role::RouteServer, None, Ok(None)),
        (Role::RouteServer, theirs, Err("rs-client")),
    ];
    let (_, policy) = policy(3, Export::All);
    for (role, value, wanted) in cases {
        let mut peer = Peer::default();
        let mut session = up(3, 65001);
        session.role = Some(role);
        peer.session = crate::rib::peers::Session::Up(Box::new(session));
        let judge = Judge::new(Some(&policy), Facts::of(&peer).unwrap());
        let set = received(value);
        let seen = match judge.prepare(&set, &Nexthops::default()) {
            Err(reason) => {
                let words = reason.to_string();
                assert!(words.contains("a route leak: AS"), "{words}");
                Err(words.rsplit(' ').next().unwrap().to_owned())
            }
            Ok(_) => {
                let used = judge.used(Family::Ipv4, &set, None, false);
                let used = used.as_ref().unwrap_or(&set);
                assert!(used.iter().all(|a| a.code != code::OTC || a.flags == 0xc0));
                Ok(used.only_to_customer().map(|asn| asn.0))
            }
        };
        assert_eq!(seen, wanted.map_err(str::to_owned), "{role} {value:?}");
    }
}

#[test]
fn a_path_identifier_makes_a_path_of_its_own() {
    let mut world = world(|_| {});
    let say = |world: &mut World, id: u32, local_pref: Option<u32>| {
        let attrs = Attrs { local_pref, ..Attrs::new("10.0.0.3", &[65001]) };
        let input = match local_pref {
            Some(_) => announce(3, &attrs, &[net(N1)]),
            None => withdraw(3, &[net(N1)]),
        };
        let RibIn::Routes(mut batch) = input else { unreachable!() };
        batch.v4_ids = vec![id];
        world.say(RibIn::Routes(batch));
        world.say(news("10.0.0.3", Some(0)));
    };
    say(&mut world, 7, Some(100));
    say(&mut world, 8, Some(200));
    say(&mut world, 9, Some(200));
    let ids = |world: &World| -> Vec<u32> {
        let filter = RouteFilter { prefix: Some(net(N1)), ..RouteFilter::default() };
        let routes = world.rib.routes(&filter, None, 10).0;
        routes.iter().flat_map(|r| r.paths.iter().map(|p| p.path_id)).collect()
    };
    assert_eq!(ids(&world), [8, 7, 9]);
    assert_eq!(path(&world, N1).why, "best: path identifier 8 against 9 of peer3");
    assert_eq!(world.rib.peer_counts(PeerId(3)).received, [3, 0]);
    say(&mut world, 8, None);
    assert_eq!(ids(&world), [9, 7]);
    assert_eq!(world.rib.sources.len(), 2);
    say(&mut world, 5, None);
    say(&mut world, 9, Some(50));
    assert_eq!(ids(&world), [7, 9]);
    world.down(3);
    assert_eq!((ids(&world), world.rib.sources.len()), (vec![], 0));
}

fn on(interface: &str, prefix: Option<&str>, number: u32, verdict: Verdict) -> Rule {
    let prefix = prefix.map(|p| PrefixSet::new(&[PrefixPattern::or_longer(net(p))]));
    let interfaces = Some(vec![Glob(interface.to_owned())]);
    let name = RuleName { policy: "from-tor".into(), number, name: None };
    let when = Matches { prefix, interfaces, ..Matches::default() };
    Rule { name, when, unless: None, verdict }
}

fn is_on(world: &mut World, next_hop: &str, interface: Option<&str>) {
    let (next_hop, metric) = (ip(next_hop).into(), interface.map(|_| 0));
    let interface = interface.map(str::to_owned);
    world.say(RibIn::Nexthops(vec![NexthopNews { next_hop, metric, interface }]));
}

/// The interface is where the next hop as received is; who was judged by it is judged again when
/// it is another, rejected or not, whatever next hop is used instead.
#[test]
fn rules_that_ask_for_the_interface_follow_the_next_hop() {
    let elsewhere = NextHopChange::Is(ip("10.0.0.77"));
    let changes =
        Changes { next_hop: Some(elsewhere), local_pref: Some(300), ..Changes::default() };
    let rules = vec![
        on("eth1", Some(N1), 1, Verdict::Reject),
        on("eth*", None, 2, Verdict::Accept(changes)),
    ];
    let mut world = world(|policy| policy.import_rules = Arc::new(Policy::new(rules)));
    world.say(announce(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1), net(N2)]));
    // Nothing is used before the kernel has said where it is.
    assert_eq!((world.tracked.as_slice(), world.fib.len()), (&[ip("10.0.0.3")][..], 0));
    is_on(&mut world, "10.0.0.3", Some("eth1"));
    let why = |world: &World, prefix| path(world, prefix).filtered;
    assert_eq!(why(&world, N1).as_deref(), Some("rejected by from-tor rule 1"));
    let used = path(&world, N2);
    assert_eq!(
        (used.next_hop, used.used.unwrap().local_pref()),
        (Some(ip("10.0.0.77").into()), Some(300))
    );
    assert_eq!(world.tracked, ["10.0.0.3", "10.0.0.77"].map(ip));
    is_on(&mut world, "10.0.0.77", Some("eth9"));
    assert_eq!(world.fib.keys().copied().collect::<Vec<_>>(), [net(N2)]);
    // Where the changed next hop is does not matter; where the received one is does.
    is_on(&mut world, "10.0.0.3", Some("eth0"));
    assert_eq!(world.fib.len(), 2);
    // On another interface no rule matches, and the default lets it pass as it is.
    is_on(&mut world, "10.0.0.3", Some("tunl0"));
    assert_eq!(path(&world, N1).used, None);
    assert_eq!((world.tracked.as_slice(), world.fib.len()), (&[ip("10.0.0.3")][..], 2));
    is_on(&mut world, "10.0.0.3", None);
    assert!(world.fib.values().all(|best| *best == FibBest::Unreachable), "{:?}", world.fib);
    // Without such rules nobody watches for the sake of what is rejected.
    let reject = Policy::new(vec![rule(1, N1, Verdict::Reject), rule(2, N2, Verdict::Reject)]);
    let plain = configured(|policy| policy.import_rules = Arc::new(reject));
    world.say(RibIn::Configure(Box::new(plain)));
    assert_eq!(world.tracked, [] as [std::net::IpAddr; 0]);
}

/// Every route that comes counts for the rule that decides about it, and asking counts for none.
#[test]
fn rules_count_what_they_decide() {
    let rules = Arc::new(Policy::new(vec![
        rule(1, N1, Verdict::Reject),
        rule(2, "10.2.0.0/16", changes(300)),
        rule(3, "10.2.0.0/16", Verdict::Reject),
    ]));
    let mut world = world(|policy| policy.import_rules = Arc::clone(&rules));
    let hits = || rules.hits().map(|(_, hits)| hits).collect::<Vec<_>>();
    let nets = [N1, N2, "10.2.1.0/24", "10.9.0.0/16"].map(net);
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &nets);
    assert_eq!(hits(), [1, 2, 0]);
    path(&world, N1);
    assert_eq!(hits(), [1, 2, 0]);
    // Judged again after a change of something else.
    world.say(RibIn::Drain { peer: PeerId(3), on: true });
    assert_eq!(hits(), [2, 4, 0]);
}
