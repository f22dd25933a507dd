//! What neighbours are told, rule by rule, through the Rib as it ships.

mod changes;
mod paths;
mod reflection;

use std::net::IpAddr;

use crate::attrs::AttrSet;
use crate::msg::{Export, RibIn, RibOut};
use crate::rib::fixture::*;
use crate::types::{Asn, Families, Family, PeerId};
use crate::wire::community::Community;

const OWN_BLOCK: &str = "10.9.0.0/26";
const N1: &str = "10.1.0.0/16";

/// Peers 1, 2 (mesh) and 3, 4 (AS 65001, 65002), all exported to; 10.9.0.0/26 is ours.
fn world() -> World {
    let peers = (1..5).map(|p| policy(p, Export::All)).collect();
    let mut world = World::new(config(&[OWN_BLOCK], peers));
    for session in [up(1, 64512), up(2, 64512), up(3, 65001), up(4, 65002)] {
        world.up(session);
    }
    world
}

fn path(set: &AttrSet) -> Vec<u32> {
    set.as_path().asns().map(|Asn(n)| n).collect()
}

#[test]
fn own_routes_go_to_everybody_with_our_next_hop() {
    let mut world = world();
    let inside = world.heard(1, OWN_BLOCK).unwrap();
    assert_eq!((inside.next_hop().address, inside.local_pref()), (ip("10.0.0.100"), Some(100)));
    assert_eq!(path(&inside), [] as [u32; 0]);
    let outside = world.heard(3, OWN_BLOCK).unwrap();
    assert_eq!((outside.next_hop().address, outside.local_pref()), (ip("10.0.0.100"), None));
    assert_eq!(path(&outside), [64512]);
}

#[test]
fn what_is_learned_inside_goes_outside_only() {
    let mut world = world();
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]);
    assert_eq!(world.heard(1, N1), None);
    assert_eq!(world.heard(2, N1), None);
    let outside = world.heard(3, N1).unwrap();
    assert_eq!((outside.next_hop().address, path(&outside)), (ip("10.0.0.100"), vec![64512]));
}

#[test]
fn what_is_learned_outside_goes_everywhere_but_back() {
    let mut world = world();
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1)]);
    assert_eq!(world.heard(1, N1).unwrap().next_hop().address, ip("10.0.0.100"));
    assert_eq!(path(&world.heard(4, N1).unwrap()), [64512, 65001]);
    assert_eq!(world.heard(3, N1), None);
}

/// The route of 4 is best after that of 3, and the other way round: each must lose what it was
/// told when the best route becomes its own, whether it has read before or not.
#[test]
fn a_route_that_becomes_the_readers_own_is_withdrawn_from_it() {
    for reads in [false, true] {
        let mut world = world();
        let weak = Attrs::new("10.0.0.3", &[65001, 65009]);
        let strong = Attrs::new("10.0.0.4", &[65002]);
        world.learn(3, &weak, &[net(N1)]);
        if reads {
            assert_eq!(path(&world.heard(4, N1).unwrap()), [64512, 65001, 65009]);
        }
        world.learn(4, &strong, &[net(N1)]);
        assert_eq!(world.heard(4, N1), None);
        assert_eq!(path(&world.heard(3, N1).unwrap()), [64512, 65002]);
        world.say(withdraw(4, &[net(N1)]));
        assert_eq!(world.heard(3, N1), None);
        assert_eq!(path(&world.heard(4, N1).unwrap()), [64512, 65001, 65009]);
    }
}

#[test]
fn communities_that_forbid() {
    let cases = [
        (Community::NO_ADVERTISE, false, false),
        (Community::NO_EXPORT, true, false),
        (Community::NO_EXPORT_SUBCONFED, true, false),
        (Community(65001 << 16), true, true),
    ];
    for (community, inside, outside) in cases {
        let mut world = world();
        let attrs = Attrs { community: Some(community.0), ..Attrs::new("10.0.0.3", &[65001]) };
        world.learn(3, &attrs, &[net(N1)]);
        assert_eq!(world.heard(1, N1).is_some(), inside, "{community}");
        assert_eq!(world.heard(4, N1).is_some(), outside, "{community}");
    }
}

#[test]
fn own_routes_only_unless_asked() {
    let peers = vec![policy(1, Export::Own), policy(3, Export::Own), policy(4, Export::All)];
    let mut world = World::new(config(&[OWN_BLOCK], peers.clone()));
    for session in [up(1, 64512), up(3, 65001), up(4, 65002)] {
        world.up(session);
    }
    world.learn(4, &Attrs::new("10.0.0.4", &[65002]), &[net(N1)]);
    for peer in [1, 3] {
        assert_eq!(world.drain(peer).routes.keys().copied().collect::<Vec<_>>(), [net(OWN_BLOCK)]);
    }
    // A reload that opens one side tells that one, and nobody else.
    let mut open = peers;
    open[1] = policy(3, Export::All);
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], open))));
    assert!(world.drained[&PeerId(1)] && !world.drained[&PeerId(3)]);
    assert!(world.heard(3, N1).is_some());
    // And one that closes it again withdraws.
    let closed = vec![policy(1, Export::Own), policy(3, Export::Own), policy(4, Export::All)];
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], closed))));
    assert_eq!(world.drain(3).routes.keys().copied().collect::<Vec<_>>(), [net(OWN_BLOCK)]);
    // Who is taken out of the configuration loses everything.
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], vec![policy(4, Export::All)]))));
    assert!(world.drain(1).routes.is_empty());
}

#[test]
fn no_next_hop_no_route() {
    let mut world = world();
    let v6 = "2001:db8:1::/48";
    world.learn(3, &Attrs::new("2001:db8::3", &[65001]), &[net(v6)]);
    assert_eq!(world.heard(4, v6).unwrap().next_hop().address, ip("2001:db8::100"));
    let mut without = config(&[], (1..5).map(|p| policy(p, Export::All)).collect());
    without.addresses = vec![ip("10.0.0.100"), ip("fe80::1")];
    world.say(RibIn::Configure(Box::new(without)));
    assert_eq!(world.heard(4, v6), None);
}

/// The next hop is the session's own address where it can be, so groups differ by it.
#[test]
fn the_sessions_own_address_comes_first() {
    let mut world = world();
    world.down(1);
    let mut session = up(1, 64512);
    session.local = ip("10.0.7.100");
    world.up(session);
    assert_eq!(world.heard(1, OWN_BLOCK).unwrap().next_hop().address, ip("10.0.7.100"));
    assert_eq!(world.heard(2, OWN_BLOCK).unwrap().next_hop().address, ip("10.0.0.100"));
    assert_eq!(world.rib.groups().len(), 3);
}

/// The same `Bytes` for all who are at the same place, but not for who is a source.
#[test]
fn encoded_once_for_a_group() {
    let mut world = world();
    for peer in 1..5 {
        world.drain(peer);
    }
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1)]);
    let mut frames = |peer| {
        let mut out = Vec::new();
        world.rib.handle(world.now, RibIn::Pull { peer: PeerId(peer), room: 1 << 16 }, &mut out);
        match out.pop() {
            Some(RibOut::Frames { frames, drained: true, .. }) => frames,
            other => panic!("{other:?}"),
        }
    };
    let (one, two) = (frames(1), frames(2));
    assert_eq!((one.len(), one[0].as_ptr()), (1, two[0].as_ptr()));
    assert_eq!(frames(3).len(), 0);
    assert_eq!(frames(4).len(), 1);
}

/// Who reads rarely hears each prefix once, however often it changed.
#[test]
fn a_slow_readers_backlog_is_bounded_by_the_table() {
    let mut world = world();
    world.drain(4);
    let nets: Vec<_> = (0..40).map(|n| net(&format!("10.7.{n}.0/24"))).collect();
    let before = world.told[&PeerId(4)].octets;
    for round in 0..50 {
        let attrs = Attrs::new("10.0.0.3", &[65001, 66000 + round]);
        world.learn(3, &attrs, &nets);
    }
    assert!(world.drain(4).octets - before < 40 * 90);
    assert_eq!(path(&world.heard(4, "10.7.3.0/24").unwrap()), [64512, 65001, 66049]);
    // And what came and went in the meantime leaves nothing behind once it has been read.
    world.say(withdraw(3, &nets));
    world.say(announce(3, &Attrs::new("10.0.0.3", &[65001]), &nets));
    world.say(withdraw(3, &nets));
    assert_eq!(world.rib.destinations(), [41, 0]);
    for peer in 1..5 {
        world.drain(peer);
    }
    assert_eq!(world.rib.destinations(), [1, 0]);
}

#[test]
fn what_does_not_go_out_is_no_news() {
    let mut world = world();
    let attrs = Attrs::new("10.0.0.3", &[65001]);
    world.learn(3, &attrs, &[net(N1)]);
    (1..5).for_each(|peer| drop(world.drain(peer).clone()));
    // MED and NEXT_HOP stay here: towards eBGP nothing has changed.
    let other = Attrs { med: Some(7), ..Attrs::new("10.0.0.33", &[65001]) };
    world.say(news("10.0.0.33", Some(0)));
    world.say(announce(3, &other, &[net(N1)]));
    world.say(news("10.0.0.33", Some(0)));
    world.drain(4);
    let octets = world.told[&PeerId(4)].octets;
    world.say(announce(3, &Attrs { med: Some(8), ..other }, &[net(N1)]));
    assert!(world.drained[&PeerId(4)]);
    assert!(!world.drained[&PeerId(1)]);
    assert_eq!(world.heard(1, N1).unwrap().med(), Some(8));
    assert_eq!(world.drain(4).octets, octets);
}

#[test]
fn end_of_rib_once_and_again_after_a_refresh() {
    let mut world = world();
    world.settle();
    assert_eq!(world.drain(1).ends, [1, 1]);
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1)]);
    assert_eq!(world.drain(1).ends, [1, 1]);
    world.told.get_mut(&PeerId(1)).unwrap().routes.clear();
    world.say(RibIn::Refresh { peer: PeerId(1), family: Family::Ipv4 });
    let told = world.drain(1);
    assert_eq!((told.ends, told.routes.len()), ([2, 1], 2));
}

/// RFC 4724 §4.1: who passes on what others say has said all once its own start is over.
#[test]
fn end_of_rib_waits_for_our_own_start_where_we_pass_on_what_others_say() {
    let peers = vec![policy(1, Export::Own), policy(3, Export::All)];
    let mut world = World::new(config(&[OWN_BLOCK], peers));
    world.up(up(1, 64512));
    world.up(up(3, 65001));
    assert_eq!(world.drain(1).ends, [1, 1], "it gets our own routes only");
    assert!(world.heard(3, OWN_BLOCK).is_some());
    assert_eq!(world.told[&PeerId(3)].ends, [0, 0]);
    world.settle();
    assert!(world.drained[&PeerId(1)] && !world.drained[&PeerId(3)], "only 3 is woken");
    assert_eq!(world.drain(3).ends, [1, 1]);
}

/// RFC 4724 §4.1: two that start at once would wait for each other's End-of-RIB for ever. Ours does
/// not wait; what a predecessor left in the kernel does, until the other has said its routes.
#[test]
fn end_of_rib_does_not_wait_for_who_starts_itself_and_the_sweep_does() {
    let peers = vec![policy(1, Export::Own), policy(3, Export::All)];
    let mut world = World::new(config(&[OWN_BLOCK], peers));
    world.up(up(3, 65001));
    for family in Family::ALL {
        world.say(end_of_rib(3, family));
    }
    assert_eq!(world.drain(3).ends, [0, 0], "1 is not there yet");
    world.up(back(1, 64512, Families::ALL));
    assert_eq!(world.drain(3).ends, [1, 1]);
    assert_eq!(world.settled, 0, "routes of 1 may lie in the kernel that it has yet to say");
    for family in Family::ALL {
        world.say(end_of_rib(1, family));
    }
    assert_eq!(world.settled, 1);
}

/// RFC 7313 §4: what is sent again is between two marks; but the first End-of-RIB goes first.
#[test]
fn a_refresh_is_marked_where_both_know_the_marks() {
    let mut world = World::new(config(&[OWN_BLOCK], vec![policy(1, Export::Own)]));
    let mut session = up(1, 64512);
    session.negotiated.enhanced_refresh = true;
    world.up(session);
    let refresh = || RibIn::Refresh { peer: PeerId(1), family: Family::Ipv4 };
    world.say(refresh());
    assert_eq!((world.drain(1).ends, world.told[&PeerId(1)].marks.len()), ([1, 1], 0));
    world.told.get_mut(&PeerId(1)).unwrap().routes.clear();
    world.say(refresh());
    let told = world.drain(1);
    assert_eq!((told.ends, told.routes.len()), ([1, 1], 1));
    assert_eq!(told.marks, [(Family::Ipv4, 1, 0), (Family::Ipv4, 2, 1)]);
}

/// What is withdrawn between the two readings of a refresh is not lost.
#[test]
fn a_refresh_does_not_forget_what_is_pending() {
    let mut world = world();
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1)]);
    assert!(world.heard(4, N1).is_some());
    world.say(withdraw(3, &[net(N1)]));
    world.say(RibIn::Refresh { peer: PeerId(4), family: Family::Ipv4 });
    assert_eq!(world.heard(4, N1), None);
}

/// A chunk that was made for others before a withdrawal is not for who begins after it, when the
/// withdrawal itself is past.
#[test]
fn a_new_reader_does_not_read_old_news() {
    let mut world = world();
    let nets: Vec<_> = (0..8).map(|n| net(&format!("10.7.{n}.0/24"))).collect();
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &nets);
    // Peer 4 reads one chunk that peer 3 may not have, so it is kept for others.
    world.say(RibIn::Pull { peer: PeerId(4), room: 1 });
    assert!((2..8).contains(&world.told[&PeerId(4)].routes.len()));
    world.say(RibIn::Pull { peer: PeerId(3), room: 1 });
    // What follows has routes of both, so each gets its own.
    world.learn(4, &Attrs::new("10.0.0.4", &[65002]), &[net(N1)]);
    world.say(withdraw(3, &nets));
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net("10.3.0.0/16")]);
    world.drain(4);
    world.learn(4, &Attrs::new("10.0.0.4", &[65002]), &[net("10.2.0.0/16")]);
    world.drain(3);
    // All have read the withdrawals; nothing is left of them but that chunk.
    assert_eq!(world.rib.destinations(), [12, 0]);
    for inside in [1, 2] {
        world.drain(inside);
    }
    assert_eq!(world.rib.destinations(), [4, 0]);
    let peers = (1..6).map(|p| policy(p, Export::All)).collect();
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], peers))));
    world.up(up(5, 65003));
    let told: Vec<_> = world.drain(5).routes.keys().copied().collect();
    assert_eq!(told, [N1, "10.2.0.0/16", "10.3.0.0/16", OWN_BLOCK].map(net));
}

/// Nor one that was made before it joined, with its own routes in it.
#[test]
fn a_new_reader_does_not_read_its_own_routes() {
    let peers = |five| {
        let others = [3, 4, 6].map(|p| policy(p, Export::All));
        let peers = others.into_iter().chain([policy(5, five)]).collect();
        RibIn::Configure(Box::new(config(&[OWN_BLOCK], peers)))
    };
    let mut world = world();
    world.say(peers(Export::Own));
    world.up(up(5, 65003));
    world.learn(5, &Attrs::new("10.0.0.5", &[65003]), &[net(N1)]);
    world.say(RibIn::Pull { peer: PeerId(4), room: 1 << 16 });
    assert!(world.told[&PeerId(4)].routes.contains_key(&net(N1)));
    world.say(peers(Export::All));
    assert_eq!(world.heard(5, N1), None);
}

#[test]
fn strangers_are_not_answered() {
    let mut world = world();
    let mut out = Vec::new();
    world.rib.handle(world.now, RibIn::Pull { peer: PeerId(9), room: 100 }, &mut out);
    world.rib.handle(
        world.now,
        RibIn::PeerDown { peer: PeerId(9), retain: None, silent: false },
        &mut out,
    );
    let refresh = RibIn::Refresh { peer: PeerId(9), family: Family::Ipv6 };
    world.rib.handle(world.now, refresh, &mut out);
    assert!(out.is_empty());
}

/// A peer that is up and not configured is told nothing, until it is.
#[test]
fn a_peer_that_is_configured_later() {
    let mut world = World::new(config(&[OWN_BLOCK], vec![]));
    world.up(up(1, 64512));
    assert!(world.drain(1).routes.is_empty());
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], vec![policy(1, Export::Own)]))));
    assert_eq!(world.heard(1, OWN_BLOCK).unwrap().next_hop().address, ip("10.0.0.100"));
    let addresses: [IpAddr; 1] = [ip("10.0.0.100")];
    assert_eq!(world.rib.groups()[0].next_hops[0], Some(addresses[0]));
}
