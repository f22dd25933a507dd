//! Route changes against the real kernel: what is asked is what is there, and nothing else moves.
#![allow(clippy::unwrap_used, reason = "test code outside #[test]")]

use crate::netns::*;
use starling_fib::types::{Hop, KernelRoute, Kind, OpFailure, RouteOp};

const EEXIST: i32 = 17;
const ESRCH: i32 = 3;
const ENOENT: i32 = 2;

fn weighted(hop: Hop, weight: u16) -> Hop {
    Hop { weight, ..hop }
}

fn in_table(mut route: KernelRoute, table: u32, metric: u32) -> KernelRoute {
    route.key.table = table;
    route.key.metric = metric;
    route
}

/// One route of every shape we ever write, all under different keys.
fn shapes(left: u32, right: u32) -> Vec<KernelRoute> {
    let mut from_our_address = route("10.244.7.0/26", &[via("10.1.5.11", left)]);
    from_our_address.source = Some("10.1.5.10".parse().unwrap());
    let mut on_device = route("10.244.1.7/32", &[out(left)]);
    on_device.scope = 253;
    let mut from_our_v6_address = route("fd00:244:7::/122", &[via("fd00:5::11", left)]);
    from_our_v6_address.source = Some("fd00:5::10".parse().unwrap());
    vec![
        route("0.0.0.0/0", &[via("10.1.5.1", left)]),
        route("10.244.1.0/26", &[via("10.1.5.11", left)]),
        on_device,
        route("10.244.2.0/26", &[onlink("10.9.9.9", left)]),
        route("10.244.3.0/26", &[]),
        route("10.244.4.0/26", &[via("10.1.5.11", left), via("10.1.6.11", right)]),
        route(
            "10.244.5.0/26",
            &[weighted(onlink("10.9.9.9", left), 3), weighted(via("10.1.6.11", right), 256)],
        ),
        route("10.244.6.0/26", &[via("fd00:5::11", left)]),
        from_our_address,
        route("10.244.8.0/26", &[via("10.1.5.11", left), via("fd00:6::11", right)]),
        in_table(route("10.244.1.0/26", &[via("10.1.5.11", left)]), OTHER, 50),
        in_table(route("10.244.1.0/26", &[via("10.1.6.11", right)]), MAIN, 1024),
        route("::/0", &[via("fd00:5::1", left)]),
        route("fd00:244:1::/122", &[via("fd00:5::11", left)]),
        route("fd00:244:1::7/128", &[out(left)]),
        route("fd00:244:2::/122", &[onlink("fd00:9::9", left)]),
        route("fd00:244:3::/122", &[]),
        route("fd00:244:4::/122", &[via("fd00:5::11", left), via("fd00:6::11", right)]),
        route(
            "fd00:244:5::/122",
            &[weighted(onlink("fd00:9::9", left), 3), weighted(via("fd00:6::11", right), 256)],
        ),
        from_our_v6_address,
        in_table(route("fd00:244:1::/122", &[via("fd00:5::11", left)]), OTHER, 50),
        in_table(route("fd00:244:1::/122", &[via("fd00:6::11", right)]), MAIN, 2048),
    ]
}

fn add(routes: &[KernelRoute]) -> Vec<RouteOp> {
    routes.iter().cloned().map(RouteOp::Add).collect()
}

fn delete(routes: &[KernelRoute]) -> Vec<RouteOp> {
    routes.iter().cloned().map(RouteOp::Delete).collect()
}

fn errnos(failures: &[OpFailure]) -> Vec<i32> {
    failures.iter().map(|f| f.errno).collect()
}

#[test]
fn every_shape_round_trips() {
    in_netns("routes::every_shape_round_trips", || async {
        let (left, right) = two_underlays();
        let (mut kernel, _events) = open();
        let before = foreign(&mut kernel).await;
        assert_eq!(dump(&mut kernel).await.links.len(), 5, "lo and two pairs");
        assert!(before.len() >= 4, "connected routes: {before:?}");

        let wanted = sorted(shapes(left, right));
        assert_eq!(kernel.apply(&add(&wanted)).await, []);
        assert_eq!(ours(&mut kernel).await, wanted);

        assert_eq!(kernel.apply(&delete(&wanted)).await, []);
        assert_eq!(ours(&mut kernel).await, []);
        assert_eq!(foreign(&mut kernel).await, before);
    });
}

#[test]
fn every_shape_replaces_every_other() {
    in_netns("routes::every_shape_replaces_every_other", || async {
        let (left, right) = two_underlays();
        let (mut kernel, _events) = open();
        let v4 = [
            route("10.244.1.0/26", &[via("10.1.5.11", left)]),
            route("10.244.1.0/26", &[via("10.1.6.11", right)]),
            route("10.244.1.0/26", &[onlink("10.9.9.9", right)]),
            route("10.244.1.0/26", &[via("10.1.5.11", left), via("10.1.6.11", right)]),
            route("10.244.1.0/26", &[via("10.1.5.12", left), via("10.1.5.13", left)]),
            route("10.244.1.0/26", &[]),
        ];
        let v6 = [
            route("fd00:244:1::/122", &[via("fd00:5::11", left)]),
            route("fd00:244:1::/122", &[via("fd00:6::11", right)]),
            route("fd00:244:1::/122", &[onlink("fd00:9::9", right)]),
            route("fd00:244:1::/122", &[via("fd00:5::11", left), via("fd00:6::11", right)]),
            route("fd00:244:1::/122", &[via("fd00:5::12", left), via("fd00:5::13", left)]),
            route("fd00:244:1::/122", &[out(left)]),
            route("fd00:244:1::/122", &[]),
        ];
        for family in [v4.as_slice(), v6.as_slice()] {
            for old in family {
                for new in family {
                    let replace = RouteOp::Replace { old: old.clone(), new: new.clone() };
                    assert_eq!(kernel.apply(&[RouteOp::Add(old.clone()), replace]).await, []);
                    let found = ours(&mut kernel).await;
                    assert_eq!(found, std::slice::from_ref(new), "instead of {old:?}");
                    assert_eq!(kernel.apply(&[RouteOp::Delete(new.clone())]).await, []);
                    assert_eq!(ours(&mut kernel).await, []);
                }
            }
        }
    });
}

/// The kernel itself is asked, as a socket asks it, whether there is a way, over and over.
///
/// A single lookup may fail (see `encode.rs`): it holds the old route when that is let go. Whoever
/// asks again at once has an answer; a moment without route would be there the second time too.
#[test]
fn replacing_leaves_no_gap() {
    in_netns("routes::replacing_leaves_no_gap", || async {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering};
        let (left, right) = two_underlays();
        let (mut kernel, _events) = open();
        let sets = [
            [
                route("10.244.1.0/26", &[via("10.1.5.11", left)]),
                route("10.244.1.0/26", &[via("10.1.5.11", left), via("10.1.6.11", right)]),
                route("10.244.1.0/26", &[onlink("10.9.9.9", right)]),
            ],
            [
                route("fd00:244:1::/122", &[via("fd00:5::11", left)]),
                route("fd00:244:1::/122", &[via("fd00:5::11", left), via("fd00:6::11", right)]),
                route("fd00:244:1::/122", &[onlink("fd00:9::9", right)]),
            ],
        ];
        for (set, bind, pod) in
            [(&sets[0], "0.0.0.0:0", "10.244.1.1:9"), (&sets[1], "[::]:0", "[fd00:244:1::1]:9")]
        {
            assert_eq!(kernel.apply(&[RouteOp::Add(set[0].clone())]).await, []);
            let stop = Arc::new(AtomicBool::new(false));
            let asker = std::thread::spawn({
                let stop = stop.clone();
                move || {
                    let socket = std::net::UdpSocket::bind(bind).unwrap();
                    let (mut ways, mut gaps) = (0u32, 0u32);
                    while !stop.load(Ordering::Relaxed) {
                        match socket.connect(pod) {
                            Ok(()) => ways += 1,
                            Err(_) if socket.connect(pod).is_ok() => ways += 1,
                            Err(_) => gaps += 1,
                        }
                    }
                    (ways, gaps)
                }
            });
            let mut rounds = Vec::new();
            for at in 0..3000 {
                let (old, new) = (set[at % 3].clone(), set[(at + 1) % 3].clone());
                rounds.push(RouteOp::Replace { old, new });
            }
            assert_eq!(kernel.apply(&rounds).await, []);
            stop.store(true, Ordering::Relaxed);
            let (ways, gaps) = asker.join().unwrap();
            assert_eq!(gaps, 0, "of {ways} lookups of {pod}");
            assert!(ways > 500, "only {ways} lookups of {pod}: too few to show anything");
        }
    });
}

#[test]
fn add_leaves_a_foreign_route_alone() {
    in_netns("routes::add_leaves_a_foreign_route_alone", || async {
        let (left, right) = two_underlays();
        ip("route add 10.244.1.0/26 via 10.1.5.1 proto static");
        ip("-6 route add fd00:244:1::/122 via fd00:5::1 proto static metric 1024");
        let (mut kernel, _events) = open();
        let before = foreign(&mut kernel).await;
        let ops = add(&[
            route("10.244.1.0/26", &[via("10.1.6.11", right)]),
            route("fd00:244:1::/122", &[via("fd00:6::11", right)]),
            route("fd00:244:1::/122", &[via("fd00:5::11", left), via("fd00:6::11", right)]),
        ]);
        let failures = kernel.apply(&ops).await;
        assert_eq!(errnos(&failures), [EEXIST; 3]);
        assert_eq!(failures.into_iter().map(|f| f.op).collect::<Vec<_>>(), ops);
        assert_eq!(ours(&mut kernel).await, []);
        assert_eq!(foreign(&mut kernel).await, before);
    });
}

#[test]
fn delete_leaves_a_foreign_route_alone() {
    in_netns("routes::delete_leaves_a_foreign_route_alone", || async {
        let (left, right) = two_underlays();
        let (mut kernel, _events) = open();
        // The same routes in everything but the protocol.
        let mut theirs = shapes(left, right);
        for route in &mut theirs {
            route.protocol = 4;
        }
        assert_eq!(kernel.apply(&add(&theirs)).await, []);
        let before = foreign(&mut kernel).await;
        let failures = kernel.apply(&delete(&shapes(left, right))).await;
        assert_eq!(errnos(&failures), vec![ESRCH; theirs.len()]);
        assert_eq!(foreign(&mut kernel).await, before);
    });
}

/// Ours and a foreign route differ by metric or by next hops only.
#[test]
fn delete_takes_exactly_the_route_named() {
    in_netns("routes::delete_takes_exactly_the_route_named", || async {
        let (left, right) = two_underlays();
        let (mut kernel, _events) = open();
        for prefix in ["10.244.1.0/26", "fd00:244:1::/122"] {
            let v4 = prefix.starts_with("10");
            let (a, b) = if v4 { ("10.1.5.11", "10.1.6.11") } else { ("fd00:5::11", "fd00:6::11") };
            let near = in_table(route(prefix, &[via(a, left)]), MAIN, 100);
            let far = in_table(route(prefix, &[via(a, left)]), MAIN, 200);
            let elsewhere = in_table(route(prefix, &[via(a, left)]), OTHER, 100);
            let all = [near.clone(), far.clone(), elsewhere.clone()];
            assert_eq!(kernel.apply(&add(&all)).await, []);
            let other_hop = in_table(route(prefix, &[via(b, right)]), MAIN, 100);
            assert_eq!(errnos(&kernel.apply(&delete(&[other_hop])).await), [ESRCH]);
            assert_eq!(kernel.apply(&delete(std::slice::from_ref(&far))).await, []);
            assert_eq!(ours(&mut kernel).await, sorted([near.clone(), elsewhere.clone()]));
            assert_eq!(kernel.apply(&delete(&[near, elsewhere])).await, []);
        }
    });
}

#[test]
fn what_is_not_there_cannot_be_replaced_or_deleted() {
    in_netns("routes::what_is_not_there_cannot_be_replaced_or_deleted", || async {
        let (left, right) = two_underlays();
        let (mut kernel, _events) = open();
        for route in shapes(left, right) {
            let kind = Kind::Unreachable;
            let new = KernelRoute {
                kind,
                hops: Default::default(),
                source: None,
                scope: 0,
                ..route.clone()
            };
            let replace = RouteOp::Replace { old: route.clone(), new };
            let failures = kernel.apply(&[replace, RouteOp::Delete(route.clone())]).await;
            assert_eq!(errnos(&failures), [ENOENT, ESRCH], "{route:?}");
        }
        assert_eq!(ours(&mut kernel).await, []);
    });
}

/// Somebody took our place between the last news and our replace.
#[test]
fn replace_spares_what_came_in_our_place_unheard() {
    in_netns("routes::replace_spares_what_came_in_our_place_unheard", || async {
        let (left, right) = two_underlays();
        let (mut kernel, _events) = open();
        for (prefix, a, b) in [
            ("10.244.1.0/26", "10.1.5.11", "10.1.6.11"),
            ("fd00:244:1::/122", "fd00:5::11", "fd00:6::11"),
        ] {
            let old = route(prefix, &[via(a, left)]);
            let new = route(prefix, &[via(b, right)]);
            let theirs = KernelRoute { protocol: 80, ..old.clone() };
            assert_eq!(kernel.apply(&add(std::slice::from_ref(&old))).await, []);
            let takes = RouteOp::Replace { old: old.clone(), new: theirs.clone() };
            assert_eq!(kernel.apply(&[takes]).await, []);
            let at_key = |dump: Vec<KernelRoute>| -> Vec<KernelRoute> {
                dump.into_iter().filter(|route| route.key == old.key).collect()
            };
            assert_eq!(at_key(dump(&mut kernel).await.routes), std::slice::from_ref(&theirs));
            let failures =
                kernel.apply(&[RouteOp::Replace { old: old.clone(), new: new.clone() }]).await;
            let left_over = at_key(dump(&mut kernel).await.routes);
            if prefix.contains(':') {
                // The kernel offers IPv6 nothing better than the first route of the key.
                assert_eq!((failures, left_over), (vec![], vec![new]));
            } else {
                assert_eq!(errnos(&failures), [ENOENT]);
                assert_eq!(left_over, [theirs]);
            }
        }
    });
}

/// What cannot be written does not cost the old route.
#[test]
fn a_replace_that_fails_leaves_the_old_route() {
    in_netns("routes::a_replace_that_fails_leaves_the_old_route", || async {
        let (left, right) = two_underlays();
        let (mut kernel, _events) = open();
        for (prefix, a, far) in [
            ("10.244.1.0/26", "10.1.5.11", "10.77.0.1"),
            ("fd00:244:1::/122", "fd00:5::11", "fd00:77::1"),
        ] {
            let old = route(prefix, &[via(a, left)]);
            assert_eq!(kernel.apply(&add(std::slice::from_ref(&old))).await, []);
            let new = route(prefix, &[via(far, right)]);
            let failures = kernel.apply(&[RouteOp::Replace { old: old.clone(), new }]).await;
            // ENETUNREACH of IPv4, EHOSTUNREACH of IPv6.
            assert!(matches!(errnos(&failures)[..], [101 | 113]), "{failures:?}");
            assert_eq!(ours(&mut kernel).await, std::slice::from_ref(&old));
            assert_eq!(kernel.apply(&delete(&[old])).await, []);
        }
    });
}

#[test]
fn a_batch_names_exactly_what_failed() {
    in_netns("routes::a_batch_names_exactly_what_failed", || async {
        let (left, _right) = two_underlays();
        let (mut kernel, _events) = open();
        let prefix = |n: u32| format!("10.{}.{}.0/26", 100 + n / 250, n % 250);
        let mut ops = Vec::new();
        let mut expected = Vec::new();
        for n in 0..20_000u32 {
            let failing = match n {
                // A whole stretch, longer than a chunk, fails: the answers must fit all the same.
                9_000..12_000 => Some((ENOENT, "")),
                _ if n % 97 == 13 => Some((101, "Nexthop has invalid gateway")),
                _ => None,
            };
            let good = route(&prefix(n), &[via("10.1.5.11", left)]);
            let op = match failing {
                None => RouteOp::Add(good),
                Some((ENOENT, _)) => RouteOp::Replace { old: route(&prefix(n), &[]), new: good },
                Some(_) => RouteOp::Add(route(&prefix(n), &[via("10.77.0.1", left)])),
            };
            expected.extend(failing.map(|(errno, words)| (op.clone(), errno, words)));
            ops.push(op);
        }
        let failures = kernel.apply(&ops).await;
        assert_eq!(failures.len(), expected.len());
        for (failure, (op, errno, words)) in failures.iter().zip(&expected) {
            assert_eq!((&failure.op, failure.errno), (op, *errno));
            assert!(failure.reason.contains(words) && !failure.reason.is_empty(), "{failure:?}");
        }
        assert_eq!(ours(&mut kernel).await.len(), 20_000 - expected.len());
    });
}

#[test]
fn more_next_hops_than_a_message_holds_is_a_failure() {
    in_netns("routes::more_next_hops_than_a_message_holds_is_a_failure", || async {
        let (left, _right) = two_underlays();
        let (mut kernel, _events) = open();
        let crowded = route("10.244.1.0/26", &vec![via("10.1.5.11", left); 5000]);
        let fine = route("10.244.2.0/26", &[via("10.1.5.11", left)]);
        let failures = kernel.apply(&add(&[crowded.clone(), fine.clone()])).await;
        assert_eq!(errnos(&failures), [7], "E2BIG");
        assert_eq!(ours(&mut kernel).await, std::slice::from_ref(&fine));
        // The other way round: the last request that was sent is not the last op.
        let failures = kernel.apply(&delete(&[fine, crowded])).await;
        assert_eq!(errnos(&failures), [7], "E2BIG");
        assert_eq!(ours(&mut kernel).await, []);
    });
}

#[test]
fn routes_through_nexthop_objects_show_their_hops() {
    in_netns("routes::routes_through_nexthop_objects_show_their_hops", || async {
        let (left, right) = two_underlays();
        ip("nexthop add id 1 via 10.1.5.11 dev left");
        ip("nexthop add id 2 via 10.1.6.11 dev right");
        ip("nexthop add id 3 group 1/2");
        ip("nexthop add id 6 via fd00:5::11 dev left");
        ip("route add 10.244.1.0/26 nhid 1 proto bird");
        ip("route add 10.244.2.0/26 nhid 3 proto bird");
        ip("-6 route add fd00:244:1::/122 nhid 6 proto bird metric 1024");
        let (mut kernel, _events) = open();
        let expected = [
            (1, route("10.244.1.0/26", &[via("10.1.5.11", left)])),
            (3, route("10.244.2.0/26", &[via("10.1.5.11", left), via("10.1.6.11", right)])),
            (6, route("fd00:244:1::/122", &[via("fd00:5::11", left)])),
        ];
        let expected = expected.map(|(id, route)| KernelRoute { object: Some(id), ..route });
        assert_eq!(ours(&mut kernel).await, expected);
        // Each is deleted exactly, and not a route that leads alike without the object.
        let plain = expected.clone().map(|route| KernelRoute { object: None, ..route });
        let failures = kernel.apply(&delete(&plain[..2])).await;
        assert_eq!(errnos(&failures), [ESRCH, ESRCH]);
        assert_eq!(kernel.apply(&delete(&expected)).await, []);
        assert_eq!(ours(&mut kernel).await, []);
    });
}
