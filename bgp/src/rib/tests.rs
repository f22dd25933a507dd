//! The Rib rule by rule; `model_tests` has them all at once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::fixture::*;
use super::show::{RouteFilter, RouteView};
use super::*;
use crate::msg::{Export, FibBest, RibIn, Via};
use crate::session::Graceful;
use crate::types::{Families, PeerId};

const N1: &str = "10.1.0.0/16";
const N2: &str = "10.2.0.0/16";

/// Us, originating 10.9.0.0/26, with peers 1 and 2 (mesh) and 3 (eBGP, AS 65001) up.
fn world() -> World {
    let peers = vec![policy(1, Export::Own), policy(2, Export::Own), policy(3, Export::All)];
    let mut world = World::new(config(&["10.9.0.0/26"], peers));
    for session in [up(1, 64512), up(2, 64512), up(3, 65001)] {
        world.up(session);
    }
    world
}

fn via(next_hop: &str, from: u32) -> Option<FibBest> {
    Some(FibBest::Via(Arc::new(Via::one(ip(next_hop), PeerId(from)))))
}

fn show(world: &World, prefix: &str) -> RouteView {
    let filter = RouteFilter { prefix: Some(net(prefix)), ..RouteFilter::default() };
    let (mut views, next) = world.rib.routes(&filter, None, 10);
    assert_eq!((views.len(), next), (1, None));
    views.remove(0)
}

fn why(world: &World, prefix: &str) -> Vec<(u32, String)> {
    show(world, prefix).paths.into_iter().map(|p| (p.peer.0, p.why)).collect()
}

#[test]
fn a_next_hop_is_unreachable_until_the_kernel_answers() {
    let mut world = world();
    let attrs = Attrs::new("10.0.0.1", &[]);
    world.say(announce(1, &attrs, &[net(N1), net(N2)]));
    assert_eq!(world.tracked, [ip("10.0.0.1")]);
    assert_eq!(world.fib.get(&net(N1)), None);
    let (_, reason) = &why(&world, N1)[0];
    assert_eq!(reason, "next hop 10.0.0.1: the kernel has not answered yet");

    // One answer, one batch for all its users.
    assert_eq!(world.say(news("10.0.0.1", Some(0))), 2);
    assert_eq!(world.fib.get(&net(N1)).cloned(), via("10.0.0.1", 1));
    // The same again changes nothing, nor does another metric: there is no other path.
    assert_eq!(world.say(news("10.0.0.1", Some(0))), 0);
    assert_eq!(world.say(news("10.0.0.1", Some(7))), 0);
    assert_eq!(world.say(news("10.0.0.1", None)), 2);
    assert_eq!(why(&world, N1)[0].1, "next hop 10.0.0.1 is unreachable");
    assert_eq!(world.say(news("10.0.0.77", Some(1))), 0);

    world.say(withdraw(1, &[net(N1)]));
    assert_eq!(world.tracked, [ip("10.0.0.1")]);
    world.say(withdraw(1, &[net(N2)]));
    assert_eq!(world.tracked, [] as [IpAddr; 0]);
}

#[test]
fn a_next_hop_that_comes_and_goes_in_one_batch_is_never_tracked() {
    let mut world = world();
    let before = world.trace.len();
    let RibIn::Routes(mut batch) = announce(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]) else {
        unreachable!()
    };
    let RibIn::Routes(mut gone) = withdraw(1, &[net(N1)]) else { unreachable!() };
    batch.ops.append(&mut gone.ops);
    world.say(RibIn::Routes(batch));
    assert_eq!(world.trace.len(), before);
    assert_eq!(world.rib.destinations(), [1, 0]);
}

#[test]
fn the_better_path_wins_and_the_other_takes_over() {
    let mut world = world();
    world.learn(1, &Attrs { local_pref: Some(100), ..Attrs::new("10.0.0.1", &[]) }, &[net(N1)]);
    world.learn(2, &Attrs { local_pref: Some(200), ..Attrs::new("10.0.0.2", &[]) }, &[net(N1)]);
    assert_eq!(world.fib.get(&net(N1)).cloned(), via("10.0.0.2", 2));
    assert_eq!(
        why(&world, N1),
        [
            (2, "best: LOCAL_PREF 200 against 100 of peer1".to_owned()),
            (1, "not best: LOCAL_PREF 100 against 200 of peer2".to_owned()),
        ]
    );
    world.say(news("10.0.0.2", None));
    assert_eq!(world.fib.get(&net(N1)).cloned(), via("10.0.0.1", 1));
    world.say(news("10.0.0.2", Some(0)));
    world.down(2);
    assert_eq!(world.fib.get(&net(N1)).cloned(), via("10.0.0.1", 1));
    assert_eq!(why(&world, N1), [(1, "best: the only usable path".to_owned())]);
}

#[test]
fn the_nearer_next_hop_wins() {
    let mut world = world();
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]);
    world.learn(2, &Attrs::new("10.0.0.2", &[]), &[net(N1)]);
    assert_eq!(world.fib.get(&net(N1)).cloned(), via("10.0.0.1", 1));
    world.say(news("10.0.0.1", Some(20)));
    assert_eq!(world.fib.get(&net(N1)).cloned(), via("10.0.0.2", 2));
    assert_eq!(why(&world, N1)[0].1, "best: metric to the next hop 0 against 20 of peer1");
}

#[test]
fn a_duplicate_touches_nothing_and_keeps_its_age() {
    let mut world = world();
    world.now = Time(5_000_000);
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1)]);
    let lines = world.trace.len();
    world.now = Time(9_000_000);
    world.say(announce(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1)]));
    assert_eq!(world.trace.len(), lines);
    assert_eq!(show(&world, N1).paths[0].received, Time(5_000_000));
}

#[test]
fn an_own_block_beats_what_others_say_of_it() {
    let mut world = world();
    assert_eq!(world.fib.get(&net("10.9.0.0/26")), Some(&FibBest::Own));
    world.learn(
        1,
        &Attrs { local_pref: Some(999), ..Attrs::new("10.0.0.1", &[]) },
        &[net("10.9.0.0/26")],
    );
    assert_eq!(world.fib.get(&net("10.9.0.0/26")), Some(&FibBest::Own));
    assert_eq!(
        why(&world, "10.9.0.0/26")[0],
        (0, "best: our own route comes before learned ones".to_owned())
    );
    // Taken out of the configuration, it is the neighbour's.
    let peers = vec![policy(1, Export::Own), policy(2, Export::Own), policy(3, Export::All)];
    world.say(RibIn::Configure(Box::new(config(&[], peers))));
    assert_eq!(world.fib.get(&net("10.9.0.0/26")).cloned(), via("10.0.0.1", 1));
}

#[test]
fn a_reload_judges_the_routes_that_it_concerns() {
    let mut world = world();
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(N1), net(N2)]);
    world.learn(2, &Attrs::new("10.0.0.2", &[]), &[net("10.3.0.0/16")]);
    let mut strict = policy(1, Export::Own);
    Arc::make_mut(&mut strict.1.import).except = vec![net(N1)];
    let reload = |one| {
        let peers = vec![one, policy(2, Export::Own), policy(3, Export::All)];
        RibIn::Configure(Box::new(config(&["10.9.0.0/26"], peers)))
    };
    assert_eq!(world.say(reload(strict)), 1);
    assert_eq!(world.fib.get(&net(N1)), None);
    let view = show(&world, N1);
    assert_eq!(view.paths[0].why, "filtered: inside 10.1.0.0/16, which import never takes");
    assert_eq!(world.rib.peer_counts(PeerId(1)).accepted, [1, 0]);
    assert_eq!(world.rib.peer_counts(PeerId(1)).received, [2, 0]);
    // Allowed again: nothing is needed from the neighbour.
    assert_eq!(world.say(reload(policy(1, Export::Own))), 1);
    assert_eq!(world.fib.get(&net(N1)).cloned(), via("10.0.0.1", 1));
    // And a reload that changes nothing says nothing.
    let lines = world.trace.len();
    world.say(reload(policy(1, Export::Own)));
    assert_eq!(world.trace.len(), lines);
}

#[test]
fn settled_when_all_have_said_all() {
    let mut world = world();
    for peer in 1..4 {
        for family in Family::ALL {
            assert_eq!(world.settled, 0);
            world.say(end_of_rib(peer, family));
        }
    }
    assert_eq!((world.settled, world.rib.next_deadline()), (1, None));
    world.say(end_of_rib(1, Family::Ipv4));
    assert_eq!(world.settled, 1);
}

#[test]
fn settled_without_end_of_rib_from_those_that_have_none() {
    let mut world = World::new(config(&[], vec![policy(1, Export::Own)]));
    let mut session = up(1, 64512);
    session.negotiated.end_of_rib = false;
    assert_eq!(world.settled, 0);
    world.up(session);
    assert_eq!(world.settled, 1);
}

#[test]
fn settled_only_after_the_routes_of_the_last_one() {
    let mut world = World::new(config(&[], vec![policy(1, Export::Own)]));
    let mut session = up(1, 64512);
    session.negotiated.end_of_rib = true;
    world.up(session);
    let attrs = Attrs::new("10.0.0.1", &[]);
    world.say(announce(1, &attrs, &[net(N1)]));
    for family in Family::ALL {
        world.say(end_of_rib(1, family));
    }
    // All is said, but the kernel's side has not heard of the route: it waits for the answer.
    assert_eq!((world.settled, world.fib.len()), (0, 0));
    assert_eq!(world.rib.next_deadline(), None);
    world.trace.clear();
    world.say(news("10.0.0.1", Some(0)));
    assert_eq!((world.settled, world.fib.len()), (1, 1));
    assert_eq!(world.trace.last().map(String::as_str), Some("Settled"));
}

/// Who is up and has not said all is named, until it has, or for as long as the start lasts.
#[test]
fn those_who_are_still_announcing_are_known() {
    let mut world = World::new(config(&[], (1..5).map(|n| policy(n, Export::Own)).collect()));
    let starts = |peer| {
        let mut session = up(peer, 64512);
        session.negotiated.end_of_rib = true;
        session
    };
    world.up(starts(1));
    world.up(starts(2));
    // It starts itself, and may wait for us; and 4 is not up.
    let mut third = starts(3);
    third.negotiated.graceful = Some(Graceful {
        families: Families::ALL,
        preserved: Families::ALL,
        restarting: true,
        notification: false,
        time: Duration::from_secs(120),
        long_lived: [Duration::ZERO; 2],
    });
    world.up(third);
    assert_eq!(world.rib.coming().len(), 2);
    for family in Family::ALL {
        world.say(end_of_rib(1, family));
    }
    assert_eq!(world.rib.coming().len(), 1);
    world.now = Time::ZERO.after(Duration::from_secs(60));
    world.say(RibIn::Tick);
    assert_eq!(world.rib.coming(), Vec::<String>::new());
}

#[test]
fn settled_when_patience_ends() {
    let mut world = world();
    assert_eq!(world.rib.next_deadline(), Some(Time::ZERO.after(Duration::from_secs(60))));
    // A reload does not make the wait longer.
    world.now = Time::ZERO.after(Duration::from_secs(50));
    world.say(RibIn::Configure(Box::new(config(&[], vec![policy(1, Export::Own)]))));
    world.say(RibIn::Tick);
    assert_eq!(world.settled, 0);
    world.now = Time::ZERO.after(Duration::from_secs(60));
    world.say(RibIn::Tick);
    world.say(RibIn::Tick);
    assert_eq!(world.settled, 1);
}

#[test]
fn routes_of_nobody_are_dropped() {
    let mut world = world();
    world.down(1);
    world.say(announce(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]));
    world.say(announce(77, &Attrs::new("10.0.0.1", &[]), &[net(N1)]));
    assert_eq!(world.rib.destinations(), [1, 0]);
    assert_eq!(world.tracked, [] as [IpAddr; 0]);
}

#[test]
fn an_op_beyond_its_arena_is_ignored() {
    let mut world = world();
    let RibIn::Routes(mut batch) = announce(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]) else {
        unreachable!()
    };
    batch.v4.clear();
    batch.attrs.clear();
    world.say(RibIn::Routes(batch));
    assert_eq!(world.rib.destinations(), [1, 0]);
}

#[test]
fn a_walk_goes_on_where_it_was() {
    let mut world = world();
    let nets: Vec<_> = (0..50).map(|n| net(&format!("10.7.{n}.0/24"))).collect();
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &nets);
    world.learn(1, &Attrs::new("2001:db8::1", &[]), &[net("2001:db8:7::/48")]);
    let (mut seen, mut at) = (Vec::new(), None);
    loop {
        let (views, next) = world.rib.routes(&RouteFilter::default(), at, 7);
        seen.extend(views.iter().map(|v| v.prefix));
        world.say(withdraw(1, &[net("10.7.0.0/24")]));
        at = next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(
        (seen.len(), seen.first(), seen.last().copied()),
        (52, Some(&net("10.9.0.0/26")), Some(net("2001:db8:7::/48")))
    );
    let only = RouteFilter { families: [Family::Ipv6].into_iter().collect(), ..Default::default() };
    assert_eq!(world.rib.routes(&only, None, 100).0.len(), 1);
    assert_eq!(Families::ALL, RouteFilter::default().families);
    let from = RouteFilter { from: Some(PeerId::LOCAL), ..Default::default() };
    assert_eq!(world.rib.routes(&from, None, 100).0.len(), 1);
}

#[test]
fn what_covers_an_address() {
    let mut world = world();
    let nets = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0"].map(net);
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &nets);
    let ask =
        |shorter| RouteFilter { covering: Some(ip("10.1.3.4")), shorter, ..Default::default() };
    let prefixes = |shorter| -> Vec<_> {
        world.rib.routes(&ask(shorter), None, 100).0.iter().map(|v| v.prefix).collect()
    };
    assert_eq!(prefixes(false), [nets[1]]);
    assert_eq!(prefixes(true), [nets[1], nets[0], nets[3]]);
}

#[test]
fn counts_and_groups() {
    let mut world = world();
    world.learn(3, &Attrs::new("10.0.0.3", &[65001]), &[net(N1), net(N2)]);
    world.learn(1, &Attrs { local_pref: Some(200), ..Attrs::new("10.0.0.1", &[]) }, &[net(N1)]);
    let counts = world.rib.peer_counts(PeerId(3));
    assert_eq!((counts.received, counts.accepted, counts.best), ([2, 0], [2, 0], [1, 0]));
    assert_eq!((counts.sent, world.rib.peer_counts(PeerId::LOCAL).best), ([0, 0], [1, 0]));
    world.drain(3);
    // Our own block and peer 1's route, and not its own one.
    assert_eq!(world.rib.peer_counts(PeerId(3)).sent, [2, 0]);
    let groups = world.rib.groups();
    let sizes: Vec<(bool, usize)> = groups.iter().map(|g| (g.internal, g.members)).collect();
    assert_eq!(sizes, [(true, 2), (false, 1)]);
    assert_eq!(world.rib.originated(), [net("10.9.0.0/26").into()]);
}
