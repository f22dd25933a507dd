//! RFC 4456: who is told what a reflector hears, and with which marks.

use std::net::Ipv4Addr;

use super::*;
use crate::msg::{NextHopMode, PeerPolicy, RibConfig};
use crate::session::Graceful;
use crate::types::{Families, Role};
use crate::wire::attr::code;

/// Peers 1 and 2 are clients, 3 and 4 are not, all over iBGP; 5 is AS 65001.
fn peers() -> Vec<(PeerId, PeerPolicy)> {
    let mut peers: Vec<_> = (1..5).map(|p| policy(p, Export::Own)).collect();
    peers[0].1.client = true;
    peers[1].1.client = true;
    peers.push(policy(5, Export::All));
    peers
}

fn reflector(config: RibConfig) -> World {
    let mut world = World::new(config);
    for peer in 1..5 {
        world.up(up(peer, 64512));
    }
    world.up(up(5, 65001));
    world
}

fn clusters(set: &AttrSet) -> Vec<Ipv4Addr> {
    set.cluster_list().collect()
}

#[test]
fn what_a_client_says_goes_to_all_and_what_others_say_to_clients() {
    for (from, told) in [(1, [2, 3, 4].as_slice()), (3, &[1, 2])] {
        let mut world = reflector(config(&[OWN_BLOCK], peers()));
        world.learn(from, &Attrs::new("10.0.0.1", &[]), &[net(N1)]);
        for peer in 1..5 {
            assert_eq!(world.heard(peer, N1).is_some(), told.contains(&peer), "{from} to {peer}");
        }
        let outside = world.heard(5, N1).unwrap();
        assert!(!outside.has(code::ORIGINATOR_ID) && !outside.has(code::CLUSTER_LIST));
    }
}

/// RFC 4456 §8 and §10.
#[test]
fn what_is_reflected_is_marked_and_keeps_its_next_hop() {
    let mut own = config(&[OWN_BLOCK], peers());
    own.cluster_id = Some(Ipv4Addr::new(9, 9, 9, 9));
    let mut world = reflector(own.clone());
    world.learn(1, &Attrs::new("10.0.0.77", &[]), &[net(N1)]);
    let told = world.heard(3, N1).unwrap();
    assert_eq!(told.next_hop().address, ip("10.0.0.77"));
    assert_eq!(told.rank().originator, Some(Ipv4Addr::new(10, 0, 0, 1)));
    assert_eq!(clusters(&told), [Ipv4Addr::new(9, 9, 9, 9)]);
    // What is ours is no reflection.
    let ours = world.heard(3, OWN_BLOCK).unwrap();
    assert_eq!((ours.next_hop().address, ours.rank().originator), (ip("10.0.0.100"), None));
    // What another reflector marked keeps its originator; without an identifier of the cluster,
    // that of the speaker is it.
    own.cluster_id = None;
    world.say(RibIn::Configure(Box::new(own)));
    let marked = Attrs::new("10.0.0.77", &[])
        .set()
        .reflected(Ipv4Addr::new(1, 2, 3, 9), Ipv4Addr::new(5, 6, 7, 8));
    world.say(announce_set(1, marked, net(N1)));
    let told = world.heard(3, N1).unwrap();
    assert_eq!(told.rank().originator, Some(Ipv4Addr::new(1, 2, 3, 9)));
    assert_eq!(clusters(&told), [[10, 0, 0, 100], [5, 6, 7, 8]].map(Ipv4Addr::from));
}

/// The same routes, told anew under the rules of the new configuration, sessions up.
#[test]
fn a_node_becomes_a_reflector_and_stops_being_one() {
    let mut plain = peers();
    plain.iter_mut().for_each(|(_, policy)| policy.client = false);
    let mut world = reflector(config(&[OWN_BLOCK], plain.clone()));
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]);
    assert_eq!(world.heard(2, N1), None);
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], peers()))));
    assert!(world.heard(2, N1).is_some() && world.heard(3, N1).is_some());
    // 1 is not a client any more, 2 is: only that one is told.
    let mut one_less = peers();
    one_less[0].1.client = false;
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], one_less))));
    assert!(world.heard(2, N1).is_some());
    assert_eq!(world.heard(3, N1), None);
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], plain))));
    assert_eq!(world.heard(2, N1), None);
}

#[test]
fn the_next_hop_is_ours_kept_or_what_it_should_be() {
    let ours = ip("10.0.0.100");
    let cases = [
        (NextHopMode::Auto, ip("10.0.0.77"), ours),
        (NextHopMode::Own, ours, ours),
        (NextHopMode::Keep, ip("10.0.0.77"), ip("10.0.0.78")),
    ];
    for (mode, reflected, external) in cases {
        let mut all = peers();
        for (_, policy) in &mut all {
            (policy.next_hop, policy.export) = (mode, Export::All);
        }
        let mut world = reflector(config(&[OWN_BLOCK], all));
        world.learn(1, &Attrs::new("10.0.0.77", &[]), &[net(N1)]);
        world.learn(5, &Attrs::new("10.0.0.78", &[65001]), &[net("10.2.0.0/16")]);
        assert_eq!(world.heard(2, N1).unwrap().next_hop().address, reflected, "{mode:?}");
        let told = world.heard(2, "10.2.0.0/16").unwrap();
        assert_eq!(told.next_hop().address, external, "{mode:?}");
        assert_eq!(world.heard(2, OWN_BLOCK).unwrap().next_hop().address, ours, "{mode:?}");
    }
}

/// AIGP is the distance from the next hop, so it goes where that goes, and never to another AS.
#[test]
fn aigp_goes_with_the_next_hop() {
    for (mode, carried) in [(NextHopMode::Auto, true), (NextHopMode::Own, false)] {
        let mut all = peers();
        all[1].1.next_hop = mode;
        let mut world = reflector(config(&[], all));
        let value = vec![1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 7];
        let set = Attrs::new("10.0.0.77", &[]).set();
        let set = set.edited(set.next_hop(), &[(code::AIGP, value)]);
        world.learn(1, &Attrs::new("10.0.0.77", &[]), &[net(N1)]);
        world.say(announce_set(1, set, net(N1)));
        assert_eq!(world.heard(2, N1).unwrap().has(code::AIGP), carried, "{mode:?}");
        assert!(!world.heard(5, N1).unwrap().has(code::AIGP));
    }
}

/// RFC 9494 §4.3.
#[test]
fn stale_routes_go_to_who_knows_what_that_means() {
    let mut world = reflector(config(&[], peers()));
    world.down(2);
    let mut session = up(2, 64512);
    session.negotiated.graceful = Some(Graceful {
        families: Families::ALL,
        preserved: Families::ALL,
        restarting: false,
        notification: true,
        time: std::time::Duration::from_secs(120),
        long_lived: [std::time::Duration::from_secs(3600), std::time::Duration::ZERO],
    });
    world.up(session);
    let stale = Attrs { community: Some(0xffff_0006), ..Attrs::new("10.0.0.1", &[]) };
    world.learn(1, &stale, &[net(N1)]);
    assert!(world.heard(2, N1).is_some());
    assert_eq!(world.heard(3, N1), None);
    assert_eq!(world.heard(5, N1), None);
}

/// RFC 9234 §5.
#[test]
fn what_is_for_customers_only_goes_to_customers_only() {
    let cases = [
        // Our role, whether a marked route goes out, the mark on one that had none.
        (Some(Role::Provider), true, Some(Asn(64512))),
        (Some(Role::RouteServer), true, Some(Asn(64512))),
        (Some(Role::Peer), false, Some(Asn(64512))),
        (Some(Role::Customer), false, None),
        (Some(Role::RouteServerClient), false, None),
        (None, true, None),
    ];
    for (role, passes, mark) in cases {
        let peers = vec![policy(3, Export::All), policy(4, Export::All)];
        let mut world = World::new(config(&[OWN_BLOCK], peers));
        world.up(up(4, 65002));
        let mut session = up(3, 65001);
        session.role = role;
        world.up(session);
        let set = Attrs::new("10.0.0.4", &[65002]).set();
        let marked = set.edited(set.next_hop(), &[(code::OTC, 65002u32.to_be_bytes().into())]);
        world.learn(4, &Attrs::new("10.0.0.4", &[65002]), &[net(N1), net("10.2.0.0/16")]);
        world.say(announce_set(4, marked, net("10.2.0.0/16")));
        assert_eq!(world.heard(3, N1).unwrap().only_to_customer(), mark, "{role:?}");
        assert_eq!(world.heard(3, OWN_BLOCK).unwrap().only_to_customer(), mark, "{role:?}");
        let told = world.heard(3, "10.2.0.0/16");
        assert_eq!(told.is_some(), passes, "{role:?}");
        assert!(told.is_none_or(|set| set.only_to_customer() == Some(Asn(65002))));
    }
}
