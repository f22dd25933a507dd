//! RFC 7911: several paths for a prefix, and what becomes of best paths that may not be told.

use super::*;
use crate::msg::{Originated, PeerUp};
use crate::types::Families;

/// Peers 3, 4 and 5 (AS 65001 to 65003) bring paths; 1, over iBGP, has path identifiers for IPv4
/// and gets `limit` of them; 2 has none.
fn world(limit: u16) -> World {
    let mut peers: Vec<_> = (1..6).map(|p| policy(p, Export::All)).collect();
    peers[0].1.add_path = limit;
    let mut world = World::new(config(&[OWN_BLOCK], peers));
    let mut session = up(1, 64512);
    session.negotiated.families = Families::from_iter([Family::Ipv4]);
    session.negotiated.add_path_send = Families::from_iter([Family::Ipv4]);
    world.up(session);
    for session in [up(2, 64512), up(3, 65001), up(4, 65002), up(5, 65003)] {
        world.up(session);
    }
    world
}

fn bring(world: &mut World, peer: u32, path: &[u32]) {
    world.learn(peer, &Attrs::new(&format!("10.0.0.{peer}"), path), &[net(N1)]);
}

/// The AS paths that 1 has been told for N1, and their identifiers.
fn told(world: &mut World) -> Vec<(Vec<u32>, u32)> {
    let told = world.drain(1);
    let mut paths: Vec<_> = told
        .paths
        .iter()
        .filter(|((prefix, _), _)| *prefix == net(N1))
        .map(|((_, id), set)| (path(set), *id))
        .collect();
    paths.sort();
    paths
}

#[test]
fn the_best_paths_go_out_up_to_the_limit_each_under_its_identifier() {
    let mut world = world(2);
    bring(&mut world, 4, &[65002, 65009]);
    let first = told(&mut world);
    assert_eq!(first.len(), 1);
    bring(&mut world, 3, &[65001]);
    let both = told(&mut world);
    assert_eq!(
        both.iter().map(|(p, _)| p.clone()).collect::<Vec<_>>(),
        [vec![65001], vec![65002, 65009]]
    );
    assert_eq!(both[1], first[0], "the same path, the same identifier");
    assert_ne!(both[0].1, both[1].1);
    // A third, better than one of them, takes its place; when it goes, that is back.
    bring(&mut world, 5, &[65003]);
    let paths: Vec<_> = told(&mut world).into_iter().map(|(p, _)| p).collect();
    assert_eq!(paths, [[65001], [65003]]);
    world.say(withdraw(5, &[net(N1)]));
    assert_eq!(told(&mut world), both);
    // The best one alone for who has no identifiers.
    assert_eq!(path(&world.heard(2, N1).unwrap()), [65001]);
    for peer in [3, 4] {
        world.say(withdraw(peer, &[net(N1)]));
    }
    assert_eq!(told(&mut world), []);
    assert_eq!(world.rib.peer_counts(PeerId(1)).sent, [1, 0]);
    for peer in 2..6 {
        world.drain(peer);
    }
    assert_eq!(world.rib.destinations(), [1, 0]);
}

#[test]
fn a_path_that_changes_in_place_is_told_under_its_old_identifier() {
    let mut world = world(3);
    bring(&mut world, 3, &[65001]);
    bring(&mut world, 4, &[65002]);
    let before = told(&mut world);
    bring(&mut world, 4, &[65002, 65009]);
    let after = told(&mut world);
    assert_eq!(after[1], (vec![65002, 65009], before[1].1));
    assert_eq!(after[0], before[0]);
    // The end of its session takes its path away, and no other.
    world.down(4);
    assert_eq!(told(&mut world), [after[0].clone()]);
}

/// Split horizon is per path: the reader's own is not told, the others are.
#[test]
fn a_readers_own_path_is_not_among_them() {
    let mut world = world(3);
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]);
    bring(&mut world, 3, &[65001]);
    assert_eq!(told(&mut world).len(), 1);
}

#[test]
fn another_limit_is_another_group_and_takes_nothing_away() {
    let mut world = world(3);
    bring(&mut world, 3, &[65001]);
    bring(&mut world, 4, &[65002, 65009]);
    let both = told(&mut world);
    let mut peers: Vec<_> = (1..6).map(|p| policy(p, Export::All)).collect();
    peers[0].1.add_path = 1;
    world.say(RibIn::Configure(Box::new(config(&[OWN_BLOCK], peers))));
    assert_eq!(told(&mut world), both[..1]);
    assert_eq!(world.told[&PeerId(1)].paths.len(), 2, "and our own");
}

/// Who may not be told the best path is told the best one that it may have, if so configured.
#[test]
fn best_external() {
    for wanted in [false, true] {
        let mut peers: Vec<_> = (1..4).map(|p| policy(p, Export::All)).collect();
        peers[0].1.best_external = wanted;
        let mut world = World::new(config(&[], peers));
        for session in [up(1, 64512), up(2, 64512), up(3, 65001)] {
            world.up(session);
        }
        // 2 brings the best one over iBGP, which does not go to 1.
        bring(&mut world, 3, &[65001]);
        assert!(world.heard(1, N1).is_some());
        let attrs = Attrs { local_pref: Some(200), ..Attrs::new("10.0.0.2", &[65009]) };
        world.learn(2, &attrs, &[net(N1)]);
        let told = world.heard(1, N1).map(|set| path(&set));
        assert_eq!(told, wanted.then(|| vec![65001]));
        world.say(withdraw(3, &[net(N1)]));
        assert_eq!(world.heard(1, N1), None);
    }
}

/// RFC 4271 §9.2: a plain neighbour is told the route in use or nothing, also while somebody else
/// is told every path. In use here: a blackhole of our own that is told to nobody.
#[test]
fn the_second_best_goes_only_where_it_was_asked_for() {
    for companion in ["none", "best external", "two paths"] {
        let mut peers: Vec<_> = (1..5).map(|p| policy(p, Export::All)).collect();
        peers[0].1.best_external = companion == "best external";
        peers[0].1.add_path = 2;
        // One path is the one in use, as if there were no identifiers.
        peers[3].1.add_path = 1;
        let mut config = config(&[], peers);
        let sink = Originated { prefix: net(N1), announce: false, blackhole: true };
        config.originate = vec![sink];
        let mut world = World::new(config);
        let with_ids = |mut session: PeerUp| {
            session.negotiated.add_path_send = Families::from_iter([Family::Ipv4]);
            session
        };
        world.up(match companion {
            "two paths" => with_ids(up(1, 64512)),
            _ => up(1, 64512),
        });
        for session in [up(2, 64512), up(3, 65001), with_ids(up(4, 64512))] {
            world.up(session);
        }
        bring(&mut world, 3, &[65001]);
        let told = match companion {
            "two paths" => world.drain(1).paths.len(),
            _ => world.drain(1).routes.len(),
        };
        assert_eq!(told, usize::from(companion != "none"), "{companion}");
        assert_eq!(world.heard(2, N1), None, "{companion}");
        assert!(world.drain(4).paths.is_empty(), "{companion}");
        // Who comes later is told the same.
        world.down(2);
        world.up(up(2, 64512));
        assert_eq!(world.heard(2, N1), None, "{companion}");
    }
}
