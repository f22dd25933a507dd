//! What the operator adds: rules, a default route, traffic taken off a neighbour.

use std::net::Ipv6Addr;
use std::sync::Arc;

use super::*;
use crate::msg::PeerPolicy;
use crate::policy::{
    AnyCommunity, Changes, From, Matches, MedChange, NextHopChange, Policy, PrefixPattern,
    PrefixSet, Rule, RuleName, Verdict,
};
use crate::types::PeerKind;

const N2: &str = "10.2.0.0/16";

fn rules(rules: Vec<(Matches, Verdict)>) -> Arc<Policy> {
    let rule = |(number, (when, verdict))| Rule {
        name: RuleName { policy: "test".into(), number, name: None },
        when,
        unless: None,
        verdict,
    };
    Arc::new(Policy::new((1..).zip(rules).map(rule).collect()))
}

fn prefix(text: &str) -> Matches {
    let set = PrefixSet::new(&[PrefixPattern::or_longer(net(text))]);
    Matches { prefix: Some(set), ..Matches::default() }
}

/// Peers 1 (mesh), 3 (AS 65001, under test) and 4 (AS 65002), which brings N1 and N2.
fn ruled(export: Export, rules: Arc<Policy>) -> (World, Vec<(PeerId, PeerPolicy)>) {
    let mut peers = vec![policy(1, Export::All), policy(3, export), policy(4, Export::Own)];
    peers[1].1.export_rules = rules;
    let mut world = World::new(config(&[OWN_BLOCK], peers.clone()));
    for session in [up(1, 64512), up(3, 65001), up(4, 65002)] {
        world.up(session);
    }
    let attrs = Attrs { med: Some(7), ..Attrs::new("10.0.0.4", &[65002]) };
    world.learn(4, &attrs, &[net(N1), net(N2)]);
    (world, peers)
}

#[test]
fn the_first_rule_that_matches_decides_and_else_the_default() {
    let accept = || Verdict::Accept(Changes::default());
    let own = || Matches { from: Some(vec![From::Local]), ..Matches::default() };
    let cases = [
        (Export::Own, vec![(prefix(N1), accept())], vec![N1, OWN_BLOCK]),
        (Export::All, vec![(prefix(N1), Verdict::Reject)], vec![N2, OWN_BLOCK]),
        (Export::All, vec![(own(), Verdict::Reject)], vec![N1, N2]),
        (
            Export::Own,
            vec![(prefix("10.0.0.0/8"), accept()), (own(), Verdict::Reject)],
            vec![N1, N2, OWN_BLOCK],
        ),
    ];
    for (export, list, told) in cases {
        let (mut world, _) = ruled(export, rules(list));
        let heard: Vec<_> = world.drain(3).routes.keys().copied().collect();
        assert_eq!(heard, told.into_iter().map(net).collect::<Vec<_>>());
    }
}

/// What RFCs forbid no rule allows.
#[test]
fn rules_come_after_what_the_protocol_forbids() {
    let accept = Verdict::Accept(Changes::default());
    let (mut world, _) = ruled(Export::All, rules(vec![(Matches::default(), accept)]));
    let attrs = Attrs { community: Some(0xffff_ff01), ..Attrs::new("10.0.0.4", &[65002]) };
    world.learn(4, &attrs, &[net(N1)]);
    let heard: Vec<_> = world.drain(3).routes.keys().copied().collect();
    assert_eq!(heard, [N2, OWN_BLOCK].map(net));
}

#[test]
fn changes_are_in_what_goes_out() {
    let changes = Changes {
        med: Some(MedChange::Is(50)),
        add: vec![AnyCommunity::Standard(Community::NO_EXPORT)],
        prepend: vec![Asn(64512), Asn(64512)],
        local_pref: Some(7),
        next_hop: Some(NextHopChange::Keep),
        ..Changes::default()
    };
    let (mut world, peers) =
        ruled(Export::All, rules(vec![(prefix(N1), Verdict::Accept(changes))]));
    let told = world.heard(3, N1).unwrap();
    assert_eq!(path(&told), [64512, 64512, 64512, 65002]);
    assert_eq!((told.med(), told.local_pref()), (Some(50), None));
    assert_eq!(told.communities().to_string(), "no-export");
    assert_eq!(told.next_hop().address, ip("10.0.0.4"));
    // The other one has the same attributes, and goes out as ever.
    let other = world.heard(3, N2).unwrap();
    assert_eq!((path(&other), other.med()), (vec![64512, 65002], None));
    assert_eq!(other.next_hop().address, ip("10.0.0.100"));
    // To an internal neighbour LOCAL_PREF goes along.
    let mut inside = peers;
    let changes = Changes { local_pref: Some(7), ..Changes::default() };
    inside[0].1.export_rules = rules(vec![(Matches::default(), Verdict::Accept(changes))]);
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], inside))));
    assert_eq!(world.heard(1, N1).unwrap().local_pref(), Some(7));
}

/// Other rules tell what is new and take back what is gone, and the session stays.
#[test]
fn other_rules_need_no_other_session() {
    let (mut world, mut peers) =
        ruled(Export::Own, rules(vec![(prefix(N1), Verdict::Accept(Changes::default()))]));
    assert!(world.heard(3, N1).is_some());
    peers[1].1.export_rules = rules(vec![(prefix(N2), Verdict::Accept(Changes::default()))]);
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], peers.clone()))));
    let heard: Vec<_> = world.drain(3).routes.keys().copied().collect();
    assert_eq!(heard, [N2, OWN_BLOCK].map(net));
    // The same rules in other words of memory are the same group.
    let octets = world.told[&PeerId(3)].octets;
    peers[1].1.export_rules = rules(vec![(prefix(N2), Verdict::Accept(Changes::default()))]);
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], peers))));
    assert_eq!(world.drain(3).octets, octets);
}

#[test]
fn rules_know_whom_a_route_is_from() {
    let from_mesh = Matches { from: Some(vec![From::Kind(PeerKind::Mesh)]), ..Matches::default() };
    let (mut world, _) =
        ruled(Export::Own, rules(vec![(from_mesh, Verdict::Accept(Changes::default()))]));
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net("10.3.0.0/16")]);
    let heard: Vec<_> = world.drain(3).routes.keys().copied().collect();
    assert_eq!(heard, ["10.3.0.0/16", OWN_BLOCK].map(net));
}

/// RFC 8326 §4.1.
#[test]
fn who_is_drained_hears_it_with_every_route() {
    let mut peers: Vec<_> = (1..5).map(|p| policy(p, Export::All)).collect();
    peers[0].1.drain = true;
    peers[2].1.drain = true;
    let mut world = World::new(config(&[OWN_BLOCK], peers));
    for session in [up(1, 64512), up(2, 64512), up(3, 65001), up(4, 65002)] {
        world.up(session);
    }
    let marked = |set: &AttrSet| set.communities().contains(Community::GRACEFUL_SHUTDOWN);
    let [one, two, three, four] = [1, 2, 3, 4].map(|peer| world.heard(peer, OWN_BLOCK).unwrap());
    assert_eq!((marked(&one), one.local_pref()), (true, Some(0)));
    assert_eq!((marked(&two), two.local_pref()), (false, Some(100)));
    assert_eq!((marked(&three), three.local_pref()), (true, None));
    assert!(!marked(&four));
    // By the operator, while the session is up; and not any more.
    for on in [true, false] {
        world.say(RibIn::Drain { peer: PeerId(4), on });
        assert_eq!(marked(&world.heard(4, OWN_BLOCK).unwrap()), on);
        assert_eq!(world.rib.peer_counts(PeerId(4)).draining, on);
    }
}

#[test]
fn a_default_route_of_ours_whatever_routes_there_are() {
    let zero = "0.0.0.0/0";
    let mut peers = vec![policy(1, Export::Own), policy(3, Export::Own), policy(4, Export::All)];
    peers[1].1.default_route = true;
    let mut world = World::new(config(&[OWN_BLOCK], peers.clone()));
    for session in [up(1, 64512), up(3, 65001), up(4, 65002)] {
        world.up(session);
    }
    let told = world.heard(3, zero).unwrap();
    assert_eq!((path(&told), told.next_hop().address), (vec![64512], ip("10.0.0.100")));
    assert_eq!(world.heard(3, "::/0").unwrap().next_hop().address, ip("2001:db8::100"));
    assert_eq!((world.heard(1, zero), world.heard(4, zero)), (None, None));
    assert!(world.fib.keys().all(|prefix| prefix.prefix_len() > 0), "neighbours only");
    // One that is learned goes its own way, and is no news to 3.
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(zero)]);
    assert!(world.heard(4, zero).is_some());
    assert_eq!(path(&world.heard(3, zero).unwrap()), [64512]);
    world.say(withdraw(1, &[net(zero)]));
    assert!(world.heard(3, zero).is_some());
    assert_eq!(world.heard(4, zero), None);
    // And without it everything is as if it had never been.
    peers[1].1.default_route = false;
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], peers))));
    assert_eq!(world.heard(3, zero), None);
    assert_eq!(world.rib.destinations(), [1, 0]);
}

/// RFC 8950 §4: IPv4 through the IPv6 address of the session, where both read that.
#[test]
fn ipv4_over_an_ipv6_session() {
    for (negotiated, next_hop) in [(false, "10.0.0.100"), (true, "2001:db8:7::100")] {
        let mut world = World::new(config(&[OWN_BLOCK], vec![policy(3, Export::Own)]));
        let mut session = up(3, 65001);
        session.local = ip("2001:db8:7::100");
        session.negotiated.extended_next_hop = negotiated;
        world.up(session);
        assert_eq!(world.heard(3, OWN_BLOCK).unwrap().next_hop().address, ip(next_hop));
    }
}

/// RFC 2545 §3: to a neighbour on the link, the link-local address goes along, or alone.
#[test]
fn a_session_between_link_local_addresses() {
    let link_local: Ipv6Addr = "fe80::100".parse().unwrap();
    for global in [true, false] {
        let mut own = config(&["2001:db8:9::/48"], vec![policy(3, Export::Own)]);
        if !global {
            own.addresses = vec![ip("10.0.0.100")];
        }
        let mut world = World::new(own);
        let mut session = up(3, 65001);
        session.local = link_local.into();
        session.scope = std::num::NonZeroU32::new(7);
        world.up(session);
        let mut out = Vec::new();
        world.rib.handle(world.now, RibIn::Pull { peer: PeerId(3), room: 1 << 16 }, &mut out);
        let Some(RibOut::Frames { frames, .. }) = out.pop() else { panic!() };
        let said = frames.concat();
        let find = |octets: &[u8]| said.windows(octets.len()).any(|window| window == octets);
        let both = ["2001:db8::100".parse::<Ipv6Addr>().unwrap(), link_local];
        let both: Vec<u8> = both.iter().flat_map(|address| address.octets()).collect();
        assert_eq!(find(&[&[32], &both[..]].concat()), global);
        assert_eq!(find(&[&[16], &link_local.octets()[..]].concat()), !global);
    }
}
