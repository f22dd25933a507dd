//! Filters one by one and combined, and what a neighbour is told.

use std::sync::Arc;

use ipnet::IpNet;

use super::*;
use crate::attrs::Origin;
use crate::msg::{Export, NextHopMode};
use crate::policy::{
    ImportPolicy, Matches, Policy, PrefixPattern, PrefixSet, Rule, RuleName, Verdict,
};
use crate::rib::fixture::*;
use crate::types::{Asn, Families};

const WIDE: &str = "10.0.0.0/8";
const HALF: &str = "10.1.0.0/16";
const LONG: &str = "10.1.2.0/24";
const OTHER: &str = "10.3.0.0/16";
const SIX: &str = "2001:db8:1::/48";

/// Us, originating 10.9.0.0/26, with 1 and 2 (mesh), 3 (eBGP, AS 65001, hears all) and 4 (eBGP,
/// AS 65002, hears our own). From 2 nothing in 10.3.0.0/16 is taken; 1 has a community.
fn world() -> World {
    let mut peers = vec![
        policy(1, Export::Own),
        policy(2, Export::Own),
        policy(3, Export::All),
        policy(4, Export::Own),
    ];
    let import = ImportPolicy {
        within: vec![net("0.0.0.0/0")],
        except: vec![net(OTHER)],
        ..ImportPolicy::default()
    };
    peers[1].1.import = Arc::new(import);
    let mut world = World::new(config(&["10.9.0.0/26"], peers));
    for session in [up(1, 64512), up(2, 64512), up(3, 65001), up(4, 65002)] {
        world.up(session);
    }
    let marked =
        Attrs { community: Some(65000 << 16 | 7), ..Attrs::new("10.0.0.1", &[65010, 65020]) };
    world.learn(1, &marked, &[net(WIDE), net(HALF)]);
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(LONG), net(OTHER)]);
    world.learn(1, &Attrs::new("2001:db8::1", &[]), &[net(SIX)]);
    let less = Attrs { local_pref: Some(50), ..Attrs::new("10.0.0.2", &[]) };
    world.learn(2, &less, &[net(OTHER), net(LONG)]);
    // Nobody leads to its next hop.
    world.say(announce(3, &Attrs::new("10.77.0.3", &[65001]), &[net(WIDE)]));
    world
}

/// Prefixes, and of each from whom the paths are.
fn found(world: &World, filter: &RouteFilter) -> Vec<(String, Vec<u32>)> {
    let (views, next) = world.rib.routes(filter, None, 1000);
    assert_eq!(next, None);
    let from = |view: &RouteView| view.paths.iter().map(|path| path.peer.0).collect();
    let mut found: Vec<(IpNet, Vec<u32>)> = views.iter().map(|v| (v.prefix, from(v))).collect();
    if !filter.shorter {
        found.sort();
    }
    found.into_iter().map(|(prefix, from)| (prefix.to_string(), from)).collect()
}

fn prefixes(world: &World, filter: &RouteFilter) -> Vec<String> {
    found(world, filter).into_iter().map(|(prefix, _)| prefix).collect()
}

#[test]
fn longer_and_shorter_than_a_prefix() {
    let world = world();
    let ask = |prefix, longer, shorter| {
        let filter =
            RouteFilter { prefix: Some(net(prefix)), longer, shorter, ..Default::default() };
        prefixes(&world, &filter)
    };
    assert_eq!(ask(HALF, false, false), [HALF]);
    assert_eq!(ask(HALF, true, false), [HALF, LONG]);
    assert_eq!(ask(HALF, false, true), [HALF, WIDE]);
    assert_eq!(ask(HALF, true, true), [WIDE, HALF, LONG]);
    // Neither need be there itself.
    assert_eq!(ask("10.1.0.0/17", true, false), [LONG]);
    assert_eq!(ask("10.1.0.0/17", false, true), [HALF, WIDE]);
    assert_eq!(ask("0.0.0.0/0", true, false), [WIDE, HALF, LONG, OTHER, "10.9.0.0/26"]);
    assert_eq!(ask("::/0", true, true), [SIX]);
    assert_eq!(ask("2001:db8:1::/64", false, true), [SIX]);
}

#[test]
fn paths_by_what_they_carry() {
    let world = world();
    let all = RouteFilter::default;
    let marked = |text: &str| RouteFilter { communities: vec![text.parse().unwrap()], ..all() };
    assert_eq!(prefixes(&world, &marked("65000:7")), [WIDE, HALF]);
    assert_eq!(prefixes(&world, &marked("65000:*")), [WIDE, HALF]);
    assert_eq!(prefixes(&world, &marked("65000:8")), [""; 0]);
    let both = RouteFilter {
        communities: ["65000:7", "65000:8"].map(|text| text.parse().unwrap()).to_vec(),
        ..all()
    };
    assert_eq!(prefixes(&world, &both), [""; 0], "each must be there");
    let through =
        |asns: &[u32]| RouteFilter { through: asns.iter().map(|asn| Asn(*asn)).collect(), ..all() };
    assert_eq!(found(&world, &through(&[65001])), [(WIDE.to_owned(), vec![3])]);
    assert_eq!(prefixes(&world, &through(&[65020, 65010])), [WIDE, HALF]);
    assert_eq!(prefixes(&world, &through(&[65020, 65001])), [""; 0]);
    let like = |text: &str| RouteFilter { as_path: Some(text.parse().unwrap()), ..all() };
    assert_eq!(prefixes(&world, &like("* 65020")), [WIDE, HALF]);
    assert_eq!(prefixes(&world, &like("")), [LONG, OTHER, "10.9.0.0/26", SIX]);
    let origin = |origin| RouteFilter { origin: Some(origin), ..all() };
    assert_eq!(prefixes(&world, &origin(Origin::Igp)).len(), 6);
    assert_eq!(prefixes(&world, &origin(Origin::Egp)), [""; 0]);
    let six = RouteFilter { families: Families::from_iter([Family::Ipv6]), ..all() };
    assert_eq!(prefixes(&world, &six), [SIX]);
}

#[test]
fn paths_by_how_they_stand() {
    let mut world = world();
    let ask = |world: &World, states: &[PathState]| {
        found(world, &RouteFilter { states: states.to_vec(), ..RouteFilter::default() })
    };
    let of = |prefix: &str, from: &[u32]| (prefix.to_owned(), from.to_vec());
    assert_eq!(ask(&world, &[PathState::Filtered]), [of(OTHER, &[2])]);
    assert_eq!(ask(&world, &[PathState::Unreachable]), [of(WIDE, &[3])]);
    assert_eq!(ask(&world, &[PathState::Valid])[2], of(LONG, &[1, 2]));
    assert_eq!(ask(&world, &[PathState::Best])[2], of(LONG, &[1]));
    assert_eq!(ask(&world, &[PathState::Used]), ask(&world, &[PathState::Best]));
    assert_eq!(ask(&world, &[PathState::Best]).len(), 6);
    assert_eq!(ask(&world, &[PathState::Valid, PathState::Filtered]), []);
    assert_eq!(ask(&world, &[PathState::Stale]), []);
    world.away(2, 120, 0);
    assert_eq!(ask(&world, &[PathState::Stale]), [of(LONG, &[2]), of(OTHER, &[2])]);
    assert_eq!(ask(&world, &[PathState::Stale, PathState::Valid]), [of(LONG, &[2])]);
    // With other conditions.
    let filter = RouteFilter {
        prefix: Some(net(HALF)),
        longer: true,
        from: Some(PeerId(1)),
        states: vec![PathState::Best],
        as_path: Some("".parse().unwrap()),
        ..RouteFilter::default()
    };
    assert_eq!(found(&world, &filter), [of(LONG, &[1])]);
}

#[test]
fn paths_beside_the_best_are_used_too() {
    let mut config = config(&[], vec![policy(1, Export::Own), policy(2, Export::Own)]);
    config.max_paths = 2;
    let mut world = World::new(config);
    for peer in [1, 2] {
        world.up(up(peer, 64512));
        world.learn(peer, &Attrs::new(&format!("10.0.0.{peer}"), &[]), &[net(HALF)]);
    }
    let ask = |state| found(&world, &RouteFilter { states: vec![state], ..Default::default() });
    assert_eq!(ask(PathState::Used), [(HALF.to_owned(), vec![1, 2])]);
    assert_eq!(ask(PathState::Best), [(HALF.to_owned(), vec![1])]);
}

/// As what `to` is told of a prefix: AS path and next hop, or why it is not; by neighbour.
fn told(world: &World, to: u32, prefix: &str) -> Vec<(u32, String)> {
    let to = Some((PeerId(to), Outward::Any));
    let filter = RouteFilter { prefix: Some(net(prefix)), to, ..RouteFilter::default() };
    let (views, _) = world.rib.routes(&filter, None, 10);
    let words = |path: &PathView| match path.sent.as_ref().unwrap() {
        Ok(SentView { attrs, pending, .. }) => {
            let waits = if *pending { "pending " } else { "" };
            format!("{waits}{} via {}", attrs.as_path(), attrs.next_hop())
        }
        Err(why) => why.clone(),
    };
    views.iter().flat_map(|view| &view.paths).map(|path| (path.peer.0, words(path))).collect()
}

#[test]
fn what_a_neighbour_is_told_and_why_not_more() {
    let mut world = world();
    let not = |why: &str| why.to_owned();
    let goes = "64512 65010 65020 via 10.0.0.100";
    assert_eq!(told(&world, 3, HALF), [(1, format!("pending {goes}"))]);
    world.drain(3);
    assert_eq!(told(&world, 3, HALF), [(1, goes.to_owned())]);
    let unreachable = not("its next hop 10.77.0.3 cannot be reached");
    assert_eq!(told(&world, 3, WIDE), [(1, goes.to_owned()), (3, unreachable)]);
    // The rest of a prefix: worse, and filtered.
    let best = "64512 via 10.0.0.100";
    let worse = not("only the best path goes");
    assert_eq!(told(&world, 3, LONG), [(1, best.to_owned()), (2, worse)]);
    assert_eq!(told(&world, 3, OTHER)[1], (2, not("import dropped it")));
    // Split horizon, iBGP to iBGP, no export.
    assert_eq!(told(&world, 1, HALF)[0].1, "nothing goes back to whom it came from");
    assert_eq!(
        told(&world, 2, HALF)[0].1,
        "what iBGP brought goes to no iBGP neighbour (RFC 4271 §9.2)"
    );
    assert_eq!(told(&world, 4, HALF)[0].1, "`export` lets only this node's own routes pass");
    world.drain(4);
    assert_eq!(told(&world, 4, "10.9.0.0/26"), [(PeerId::LOCAL.0, best.to_owned())]);
    // All at once.
    let ask =
        |outward, peer| RouteFilter { to: Some((PeerId(peer), outward)), ..RouteFilter::default() };
    assert_eq!(prefixes(&world, &ask(Outward::Told, 4)), ["10.9.0.0/26"]);
    assert_eq!(prefixes(&world, &ask(Outward::Withheld, 4)).len(), 5);
    // What goes out is what is asked about.
    let through = RouteFilter { through: vec![Asn(64512)], ..ask(Outward::Told, 3) };
    assert_eq!(prefixes(&world, &through).len(), 6);
    world.down(4);
    assert!(world.rib.tells(PeerId(3)) && !world.rib.tells(PeerId(4)));
    assert_eq!(prefixes(&world, &ask(Outward::Told, 4)), [""; 0]);
}

#[test]
fn a_rule_that_keeps_a_route_is_named() {
    let set = PrefixSet::new(&[PrefixPattern::exact(net(HALF))]);
    let when = Matches { prefix: Some(set), ..Matches::default() };
    let name = RuleName { policy: "to-3".into(), number: 1, name: None };
    let rules = vec![Rule { name, when, unless: None, verdict: Verdict::Reject }];
    let (id, mut to_3) = policy(3, Export::All);
    to_3.export_rules = Arc::new(Policy::new(rules));
    to_3.next_hop = NextHopMode::Keep;
    let mut world = World::new(config(&[], vec![policy(1, Export::Own), (id, to_3)]));
    world.up(up(1, 64512));
    world.up(up(3, 65001));
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(HALF), net(LONG)]);
    world.drain(3);
    assert_eq!(told(&world, 3, HALF), [(1, "rejected by to-3 rule 1".to_owned())]);
    assert_eq!(told(&world, 3, LONG), [(1, "64512 via 10.0.0.1".to_owned())]);
    let hits = world.rib.config.as_ref().unwrap().peers[1].1.export_rules.hits().next().unwrap().1;
    assert_eq!(hits, 1, "to be asked is no hit");
}

#[test]
fn a_default_route_of_ours_is_shown_where_it_goes() {
    let (id, mut to_3) = policy(3, Export::All);
    to_3.default_route = true;
    let mut world = World::new(config(&[], vec![policy(1, Export::Own), (id, to_3)]));
    world.up(up(3, 65001));
    world.up(up(1, 64512));
    world.drain(3);
    assert_eq!(
        told(&world, 3, "0.0.0.0/0"),
        [(PeerId::LOCAL.0, "64512 via 10.0.0.100".to_owned())]
    );
    assert_eq!(told(&world, 1, "0.0.0.0/0"), []);
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net("0.0.0.0/0")]);
    let [(1, why), (_, ours)] = &told(&world, 3, "0.0.0.0/0")[..] else { panic!() };
    assert!(why.contains("`default-route`") && ours.starts_with("64512"), "{why}, {ours}");
    assert_eq!(found(&world, &RouteFilter::default()), [("0.0.0.0/0".to_owned(), vec![1])]);
}

#[test]
fn of_several_paths_each_that_goes_has_its_identifier() {
    let mut peers: Vec<_> = (1..5).map(|peer| policy(peer, Export::All)).collect();
    peers[0].1.add_path = 2;
    let mut world = World::new(config(&[], peers));
    let mut session = up(1, 64512);
    session.negotiated.add_path_send = Families::from_iter([Family::Ipv4]);
    world.up(session);
    for peer in 2..5u32 {
        world.up(up(peer, 65000 + peer));
        let path: Vec<u32> = (0..peer).map(|_| 65000 + peer).collect();
        world.learn(peer, &Attrs::new(&format!("10.0.0.{peer}"), &path), &[net(HALF)]);
    }
    let heard: Vec<u32> = world.drain(1).paths.keys().map(|(_, id)| *id).collect();
    let told = told(&world, 1, HALF);
    assert_eq!(told.iter().map(|(peer, _)| *peer).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(told[2].1, "as many better paths go as may");
    let filter = RouteFilter { to: Some((PeerId(1), Outward::Told)), ..RouteFilter::default() };
    let (views, _) = world.rib.routes(&filter, None, 10);
    let id = |path: &PathView| path.sent.clone().unwrap().unwrap().path_id.unwrap();
    let mut ids: Vec<u32> = views[0].paths.iter().map(id).collect();
    ids.sort_unstable();
    assert_eq!(ids, heard);
}

#[test]
fn what_is_kept_is_counted_by_kind() {
    let of = |rib: &Rib, what| *rib.kept().iter().find(|kept| kept.what == what).unwrap();
    let empty = Rib::new();
    assert_eq!(of(&empty, What::Destinations(Family::Ipv4)).count, 0);
    let mut world = world();
    let counts = |world: &World| {
        let whats = [
            What::Attributes,
            What::Destinations(Family::Ipv4),
            What::Destinations(Family::Ipv6),
            What::FurtherPaths,
            What::Nexthops,
            What::AdjOut,
        ];
        whats.map(|what| of(&world.rib, what).count)
    };
    // Six destinations, three of them with two paths; 3 is told all of them (and has nothing of
    // its own to hear back), 4 and the mesh our own.
    let [attributes, v4, v6, further, hops, adj_out] = counts(&world);
    assert_eq!((v4, v6, further), (5, 1, 3));
    assert_eq!(attributes, world.rib.attribute_sets().0);
    assert_eq!(hops, 4, "10.0.0.1, 10.0.0.2, 10.77.0.3, 2001:db8::1");
    assert_eq!(adj_out, 6 + 1 + 1);
    let small = of(&world.rib, What::Destinations(Family::Ipv4)).bytes;
    let nets: Vec<_> = (0..5000)
        .map(|n: u16| {
            let [high, low] = n.to_be_bytes();
            net(&format!("100.{high}.{low}.0/24"))
        })
        .collect();
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &nets);
    let large = of(&world.rib, What::Destinations(Family::Ipv4));
    assert_eq!(large.count, 5005);
    assert!(large.bytes >= small + 4000 * 32 && large.bytes < 5005 * 100, "{large:?}");
    world.drain(3);
    let encoded = of(&world.rib, What::Encoded);
    assert!(of(&world.rib, What::AdjOut).bytes > 5000 * 16, "{encoded:?}");
}

/// One record of a dump: its subtype, its destination, and of each path the neighbour's place and the
/// identifier.
type Record = (u8, Vec<u8>, Vec<(u16, Option<u32>)>);

fn records(mut octets: &[u8]) -> Vec<Record> {
    fn take<'o>(octets: &mut &'o [u8], n: usize) -> &'o [u8] {
        let (taken, rest) = octets.split_at(n);
        *octets = rest;
        taken
    }
    fn number(octets: &mut &[u8], n: usize) -> usize {
        take(octets, n).iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet))
    }
    let mut all = Vec::new();
    while !octets.is_empty() {
        take(&mut octets, 7);
        let (subtype, length) = (number(&mut octets, 1) as u8, number(&mut octets, 4));
        let mut body = take(&mut octets, length);
        assert_eq!(number(&mut body, 4), all.len(), "numbered from 0");
        let bits = number(&mut body, 1);
        let prefix = [&[bits as u8][..], take(&mut body, bits.div_ceil(8))].concat();
        let mut paths = Vec::new();
        for _ in 0..number(&mut body, 2) {
            let peer = number(&mut body, 2) as u16;
            take(&mut body, 4);
            paths.push((peer, (subtype >= 8).then(|| number(&mut body, 4) as u32)));
            let attributes = number(&mut body, 2);
            take(&mut body, attributes);
        }
        assert!(body.is_empty());
        all.push((subtype, prefix, paths));
    }
    all
}

#[test]
fn a_dump_has_every_accepted_path_once_the_best_first_however_it_is_cut() {
    let mut world = world();
    let set = Attrs::new("10.0.0.3", &[65001]).set();
    world.say(path(3, Some(7), Some(set), net(LONG)));
    world.say(news("10.0.0.3", Some(0)));
    // The best one, though it came last.
    let best = Attrs { local_pref: Some(200), ..Attrs::new("10.0.0.2", &[]) };
    world.learn(2, &best, &[net(HALF)]);
    // Neighbour 4 came since: there is no place for it, and nothing of it.
    world.learn(4, &Attrs::new("10.0.0.4", &[65002]), &[net("10.66.0.0/16")]);
    let dumped = |limit: usize| {
        let peers = [PeerId::LOCAL, PeerId(1), PeerId(2), PeerId(3)];
        let mut dump = Dump::new(5, 1, peers);
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let mut out = bytes::BytesMut::new();
            after = world.rib.dump(&mut dump, after, limit, &mut out);
            all.extend_from_slice(&out);
            if after.is_none() {
                return all;
            }
        }
    };
    let whole = dumped(1000);
    assert_eq!(dumped(1), whole);
    let mut found = records(&whole);
    found.sort();
    let wanted: Vec<Record> = vec![
        (2, vec![8, 10], vec![(1, None), (3, None)]),
        (2, vec![16, 10, 1], vec![(2, None), (1, None)]),
        // What 2 says of it import drops.
        (2, vec![16, 10, 3], vec![(1, None)]),
        (2, vec![24, 10, 1, 2], vec![(1, None), (2, None)]),
        (2, vec![26, 10, 9, 0, 0], vec![(0, None)]),
        (4, vec![48, 0x20, 1, 0x0d, 0xb8, 0, 1], vec![(1, None)]),
        (8, vec![24, 10, 1, 2], vec![(3, Some(7))]),
    ];
    assert_eq!(found, wanted);
}

/// What a call costs the Rib is bounded by what it looks at, not by what it finds.
#[test]
fn a_call_looks_at_so_many_whatever_it_finds() {
    let mut world = World::new(config(&[], vec![policy(1, Export::Own)]));
    world.up(up(1, 64512));
    let net = |n: u32| IpNet::new(std::net::Ipv4Addr::from(n << 8).into(), 24).unwrap();
    let nets: Vec<IpNet> = (1..2 * LOOKS + 2).map(|n| net(n + (10 << 16))).collect();
    world.learn(1, &Attrs::new("10.0.0.1", &[65010]), &nets);
    let calls = |filter: RouteFilter, limit: usize| {
        let (mut sizes, mut cursor) = (Vec::new(), None);
        loop {
            let (views, next) = world.rib.routes(&filter, cursor, limit);
            sizes.push(views.len());
            match next {
                Some(next) => cursor = Some(next),
                None => return sizes,
            }
        }
    };
    let through = |asn| RouteFilter { through: vec![Asn(asn)], ..RouteFilter::default() };
    assert_eq!(calls(through(65099), 256), [0, 0, 0]);
    let inside = RouteFilter { prefix: Some(nets[5]), longer: true, ..RouteFilter::default() };
    assert_eq!(calls(inside, 256), [1, 0, 0]);
    let looks = LOOKS as usize;
    assert_eq!(calls(through(65010), usize::MAX), [looks, looks, 1]);
    assert_eq!(calls(through(65010), looks - 1), [looks - 1, looks - 1, 3]);
}
