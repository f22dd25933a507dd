//! Sessions that end and come back, rule by rule.

use std::time::Duration;

use super::*;
use crate::msg::{Export, FibBest, Op, RibIn, RouteBatch};
use crate::rib::fixture::*;
use crate::rib::show::{PathView, RouteFilter};
use crate::types::Families;
use crate::wire::community::Community;

const N1: &str = "10.1.0.0/16";
const N2: &str = "10.2.0.0/16";

/// Peers 1 and 2 (mesh) and 3 (eBGP, told everything); 1 has announced two prefixes.
fn world() -> World {
    let peers = vec![policy(1, Export::Own), policy(2, Export::Own), policy(3, Export::All)];
    let mut world = World::new(config(&[], peers));
    for session in [up(1, 64512), up(2, 64512), up(3, 65001)] {
        world.up(session);
    }
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(N1), net(N2)]);
    world.drain(3);
    world
}

fn from(world: &World) -> Vec<u32> {
    let hop = |best: &FibBest| match best {
        FibBest::Via(via) => via.hops[0].from.0,
        FibBest::Own | FibBest::Unreachable => 0,
    };
    world.fib.values().map(hop).collect()
}

fn path(world: &World, prefix: &str) -> PathView {
    let filter = RouteFilter { prefix: Some(net(prefix)), ..RouteFilter::default() };
    world.rib.routes(&filter, None, 10).0.remove(0).paths.remove(0)
}

fn marker(peer: u32, op: Op) -> RibIn {
    let mut batch = RouteBatch::new(PeerId(peer));
    batch.ops.push(op);
    RibIn::Routes(Box::new(batch))
}

#[test]
fn stale_routes_are_used_and_told_until_time_is_over() {
    let mut world = world();
    let lines = world.trace.len();
    world.away(1, 120, 0);
    // Nobody hears anything: not the kernel, not the neighbours.
    assert_eq!(world.trace.len(), lines);
    let counts = world.rib.peer_counts(PeerId(1));
    assert_eq!((counts.received, counts.stale, counts.best), ([2, 0], [2, 0], [2, 0]));
    let stale = path(&world, N1).stale.unwrap();
    assert_eq!((stale.waits, stale.until), (crate::rib::show::Waits::Session, at(120)));
    assert!(!stale.long_lived);
    // Whoever comes up now is told of them too.
    world.down(3);
    world.up(up(3, 65001));
    assert!(world.heard(3, N1).is_some());

    world.wait(119);
    assert_eq!(from(&world), [1, 1]);
    world.wait(1);
    assert_eq!((from(&world), world.heard(3, N1)), (vec![], None));
    assert_eq!(world.rib.destinations(), [0, 0]);
    assert_eq!(world.rib.next_deadline(), None);
}

#[test]
fn retained_routes_of_a_neighbour_that_forwards_no_more_go_at_once() {
    let mut world = world();
    let lost = |peer| RibIn::ForwardingLost { peer: PeerId(peer) };
    // While it has a session, that says what it has.
    world.say(lost(1));
    assert_eq!(from(&world), [1, 1]);
    world.away(1, 120, 600);
    world.say(lost(2));
    world.say(lost(77));
    assert_eq!(from(&world), [1, 1], "of others it says nothing");
    world.say(lost(1));
    assert_eq!((from(&world), world.heard(3, N1)), (vec![], None));
    assert_eq!(world.rib.destinations(), [0, 0]);
    assert_eq!(world.rib.peer_counts(PeerId(1)).stale, [0, 0]);
    // It comes back as any other.
    world.up(up(1, 64512));
    world.learn(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]);
    assert_eq!(from(&world), [1]);
    // Also what is stale for long.
    world.away(1, 120, 600);
    world.wait(200);
    world.say(lost(1));
    assert_eq!(from(&world), []);
}

fn at(seconds: u64) -> Time {
    Time::ZERO.after(Duration::from_secs(seconds))
}

#[test]
fn what_is_said_again_stays_and_the_rest_goes_with_end_of_rib() {
    let mut world = world();
    world.away(1, 120, 0);
    world.wait(50);
    world.up(back(1, 64512, Families::ALL));
    let lines = world.trace.len();
    world.say(announce(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]));
    assert_eq!(world.trace.len(), lines, "the same as before is no news");
    assert_eq!(path(&world, N1).stale, None);
    // The time it asked for begins anew with the session.
    world.wait(100);
    assert_eq!(from(&world), [1, 1]);
    world.say(end_of_rib(1, Family::Ipv4));
    assert_eq!(world.fib.keys().copied().collect::<Vec<_>>(), [net(N1)]);
    assert_eq!(world.rib.peer_counts(PeerId(1)).stale, [0, 0]);
    assert_eq!(world.heard(3, N2), None);
}

#[test]
fn one_that_never_ends_its_announcements_is_not_waited_for_for_ever() {
    let mut world = world();
    world.away(1, 60, 0);
    world.up(back(1, 64512, Families::ALL));
    world.wait(RESYNC.as_secs() - 1);
    assert_eq!(from(&world), [1, 1]);
    world.wait(1);
    assert_eq!(from(&world), [] as [u32; 0]);
    assert!(world.rib.peer_counts(PeerId(1)).received == [0, 0]);
}

#[test]
fn without_the_f_bit_they_go_at_once() {
    for session in [back(1, 64512, Families::NONE), up(1, 64512)] {
        let mut world = world();
        world.away(1, 120, 0);
        world.up(session);
        assert_eq!(from(&world), [] as [u32; 0]);
    }
    // And so they do if somebody else answers under that address.
    let mut world = world();
    world.away(1, 120, 0);
    let mut other = back(1, 64512, Families::ALL);
    other.negotiated.router_id = [9, 9, 9, 9].into();
    world.up(other);
    assert_eq!(from(&world), [] as [u32; 0]);
}

#[test]
fn only_the_families_that_are_to_stay_do() {
    let mut world = world();
    let v6 = "2001:db8:1::/48";
    world.learn(1, &Attrs::new("2001:db8::1", &[]), &[net(v6)]);
    let families = [Family::Ipv6].into_iter().collect();
    let (time, long_lived) = (Duration::from_secs(60), [Duration::ZERO; 2]);
    let retain = Some(Retain { families, time, long_lived });
    world.sessions.remove(&PeerId(1));
    world.say(RibIn::PeerDown { peer: PeerId(1), retain, silent: false });
    assert_eq!(world.fib.keys().copied().collect::<Vec<_>>(), [net(v6)]);
    // The other way round: only IPv6 was lost on the way.
    world.up(back(1, 64512, [Family::Ipv4].into_iter().collect()));
    assert!(world.fib.is_empty());
}

#[test]
fn a_second_restart_in_a_row_loses_nothing() {
    let mut world = world();
    for _ in 0..3 {
        world.away(1, 120, 0);
        world.wait(100);
        world.up(back(1, 64512, Families::ALL));
        world.say(announce(1, &Attrs::new("10.0.0.1", &[]), &[net(N1)]));
        assert_eq!(from(&world), [1, 1]);
    }
    // But four restart times without an End-of-RIB are enough.
    world.away(1, 120, 0);
    world.wait(119);
    assert_eq!(from(&world), [1, 1]);
    world.wait(61);
    assert_eq!(from(&world), [] as [u32; 0]);
}

#[test]
fn a_dead_neighbour_delays_nobody() {
    let mut world = world();
    world.learn(2, &Attrs::new("10.0.0.2", &[]), &[net("10.3.0.0/16")]);
    world.away(1, 600, 0);
    world.wait(10);
    world.away(2, 20, 0);
    assert_eq!(world.rib.next_deadline(), Some(at(30)));
    world.wait(20);
    assert_eq!(from(&world), [1, 1]);
    world.say(announce(3, &Attrs::new("10.0.0.3", &[65001]), &[net("10.4.0.0/16")]));
    world.say(news("10.0.0.3", Some(0)));
    assert_eq!(from(&world), [1, 1, 3]);
    assert_eq!(world.rib.next_deadline(), Some(at(60)), "the start's own wait");
}

#[test]
fn a_better_path_replaces_a_stale_one() {
    let mut world = world();
    world.away(1, 120, 0);
    world.learn(2, &Attrs { local_pref: Some(200), ..Attrs::new("10.0.0.2", &[]) }, &[net(N1)]);
    assert_eq!(from(&world), [2, 1]);
}

#[test]
fn long_lived_routes_are_the_last_resort() {
    let mut world = world();
    let keep = Attrs { local_pref: Some(300), ..Attrs::new("10.0.0.1", &[]) };
    world.say(announce(1, &keep, &[net(N1)]));
    let no = Attrs { community: Some(Community::NO_LLGR.0), ..Attrs::new("10.0.0.1", &[]) };
    world.say(announce(1, &no, &[net(N2)]));
    world.say(announce(1, &keep, &[net("10.3.0.0/16")]));
    // Worse by LOCAL_PREF, but alive.
    world.learn(2, &Attrs { local_pref: Some(50), ..Attrs::new("10.0.0.2", &[]) }, &[net(N1)]);
    assert_eq!(from(&world), [1, 1, 1]);
    world.away(1, 120, 3600);
    world.wait(120);
    assert_eq!(
        world.fib.keys().copied().collect::<Vec<_>>(),
        [net(N1), net("10.3.0.0/16")],
        "NO_LLGR is not kept"
    );
    assert_eq!(from(&world), [2, 1]);
    let last = path(&world, "10.3.0.0/16");
    assert!(last.stale.unwrap().long_lived);
    let used = last.used.unwrap();
    assert!(used.communities().iter().any(|c| c == Community::LLGR_STALE));
    assert!(!last.attrs.communities().iter().any(|c| c == Community::LLGR_STALE));
    let whys: Vec<String> = {
        let filter = RouteFilter { prefix: Some(net(N1)), ..RouteFilter::default() };
        world.rib.routes(&filter, None, 10).0.remove(0).paths.into_iter().map(|p| p.why).collect()
    };
    assert_eq!(whys[1], "not best: stale for long (LLGR_STALE) of peer2");
    // Back, and said again: as if nothing had been.
    world.wait(1000);
    world.up(back(1, 64512, Families::ALL));
    world.say(announce(1, &keep, &[net(N1)]));
    assert_eq!(from(&world), [1, 1]);
    assert_eq!(path(&world, N1).used, None);
    world.say(end_of_rib(1, Family::Ipv4));
    assert_eq!(world.fib.keys().copied().collect::<Vec<_>>(), [net(N1)]);
}

#[test]
fn long_lived_is_not_for_ever() {
    let mut world = world();
    world.away(1, 120, 3600);
    world.wait(120 + 3599);
    assert_eq!(from(&world), [1, 1]);
    world.wait(1);
    assert_eq!(from(&world), [] as [u32; 0]);
    // What is left is for peer 3 to hear.
    assert_eq!((world.rib.destinations(), world.rib.attribute_sets().0), ([2, 0], 0));
    world.drain(3);
    assert_eq!(world.rib.destinations(), [0, 0]);
}

/// RFC 7313 §4.
#[test]
fn a_refresh_sweeps_what_did_not_come_again() {
    let mut world = world();
    world.say(marker(1, Op::RefreshBegins(Family::Ipv4)));
    assert_eq!(world.rib.peer_counts(PeerId(1)).stale, [2, 0]);
    assert_eq!(path(&world, N1).stale.unwrap().waits, crate::rib::show::Waits::Refresh);
    world.say(announce(1, &Attrs::new("10.0.0.1", &[]), &[net(N2)]));
    // An End-of-RIB is not the end of it, nor is one of the other family.
    world.say(end_of_rib(1, Family::Ipv4));
    world.say(marker(1, Op::RefreshEnds(Family::Ipv6)));
    assert_eq!(from(&world), [1, 1]);
    world.say(marker(1, Op::RefreshEnds(Family::Ipv4)));
    assert_eq!(world.fib.keys().copied().collect::<Vec<_>>(), [net(N2)]);
    // One that never ends does.
    world.say(marker(1, Op::RefreshBegins(Family::Ipv4)));
    world.wait(REFRESH.as_secs());
    assert!(world.fib.is_empty());
}

#[test]
fn a_refresh_waits_for_the_end_of_a_restart() {
    let mut world = world();
    world.away(1, 120, 0);
    world.up(back(1, 64512, Families::ALL));
    world.say(marker(1, Op::RefreshBegins(Family::Ipv4)));
    world.say(marker(1, Op::RefreshEnds(Family::Ipv4)));
    assert_eq!(from(&world), [1, 1]);
    world.say(end_of_rib(1, Family::Ipv4));
    assert!(world.fib.is_empty());
}

#[test]
fn who_is_not_configured_any_more_is_not_waited_for() {
    let mut world = world();
    world.away(1, 120, 0);
    let peers = vec![policy(2, Export::Own), policy(3, Export::All)];
    world.say(RibIn::Configure(Box::new(config(&[], peers))));
    assert!(world.fib.is_empty());
    assert_eq!(world.rib.peer_counts(PeerId(1)), Default::default());
}

#[test]
fn a_reload_judges_stale_routes_too() {
    let mut world = world();
    world.away(1, 120, 0);
    let mut strict = policy(1, Export::Own);
    std::sync::Arc::make_mut(&mut strict.1.import).except = vec![net(N1)];
    let peers = vec![strict, policy(2, Export::Own), policy(3, Export::All)];
    world.say(RibIn::Configure(Box::new(config(&[], peers))));
    assert_eq!(world.fib.keys().copied().collect::<Vec<_>>(), [net(N2)]);
    assert!(path(&world, N1).stale.is_some());
}
