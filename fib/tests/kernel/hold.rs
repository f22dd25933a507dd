//! A pool's destinations that cannot be reached are rejected by the real kernel, not sent to the
//! default route; and they are reached again without a moment in between.
#![allow(clippy::expect_used, reason = "test code outside #[test]")]

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::netns::pump::{Daemon, config, to, until};
use crate::netns::*;
use starling_fib::types::{FibIn, Hold, KernelRoute, Kind, Mode, Target};
use starling_fib::view::KernelState;

const POOL: &str = "10.244.0.0/16";
const BLOCK: &str = "10.244.1.0/26";
const POD: &str = "10.244.1.5";
const POOL6: &str = "fd00:244::/32";
const BLOCK6: &str = "fd00:244:1::/64";
const POD6: &str = "fd00:244:1::5";

fn holding(hold: Hold) -> FibIn {
    let FibIn::Configure(mut config) = config(&[(POOL, Mode::Never), (POOL6, Mode::Never)]) else {
        unreachable!("it is one")
    };
    config.hold = hold;
    FibIn::Configure(config)
}

fn rejected(prefix: &str) -> KernelRoute {
    KernelRoute { kind: Kind::Unreachable, ..route(prefix, &[]) }
}

/// The kernel's own answer: the device that a packet leaves by, or nothing.
fn leaves_by(address: &str) -> Option<String> {
    let output =
        Command::new("ip").args(["-o", "route", "get", address]).output().expect("ip (iproute2)");
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let device = words.split_whitespace().skip_while(|word| *word != "dev").nth(1);
    device
        .filter(|_| output.status.success() && !words.starts_with("unreachable"))
        .map(str::to_owned)
}

/// Left carries the node's addresses, right the default route.
fn two_ways() -> u32 {
    let (left, _right) = two_underlays();
    ip("route add default via 10.1.6.1");
    ip("-6 route add default via fd00:6::1");
    left
}

fn down() {
    // Without carrier the addresses stay, and nothing of left can be used.
    ip("link set left-far down");
}

fn up() {
    ip("link set left-far up");
}

#[test]
fn what_cannot_be_reached_does_not_fall_to_the_default_route() {
    in_netns("hold::what_cannot_be_reached_does_not_fall_to_the_default_route", || async {
        let left = two_ways();
        let daemon = Daemon::start();
        daemon.tell(holding(Hold::Destinations)).await;
        daemon.want(BLOCK, to("10.1.5.11")).await;
        daemon.want(BLOCK6, to("fd00:5::11")).await;
        // A router's route is not a pool's.
        daemon.want("192.0.2.0/24", to("10.1.5.11")).await;
        let reached = [
            route(BLOCK, &[via("10.1.5.11", left)]),
            route("192.0.2.0/24", &[via("10.1.5.11", left)]),
            route(BLOCK6, &[via("fd00:5::11", left)]),
        ];
        let mut reached = reached.to_vec();
        reached.sort_by_key(|route| route.key);
        until(&reached).await;
        assert_eq!(leaves_by(POD).as_deref(), Some("left"));

        down();
        let mut held = vec![rejected(BLOCK), rejected(BLOCK6)];
        held.sort_by_key(|route| route.key);
        until(&held).await;
        assert_eq!((leaves_by(POD), leaves_by(POD6)), (None, None));
        assert_eq!(leaves_by("192.0.2.1").as_deref(), Some("right"), "the default route is there");
        // The kernel shows a route before the daemon has its answer.
        let known = async {
            let states = |fib: &starling_fib::Fib| -> Vec<KernelState> {
                fib.view().map(|view| view.state).collect()
            };
            while daemon.ask(states).await != [const { KernelState::Unreachable }; 3] {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, known).await.expect("all three unreachable");
        assert!(daemon.audit().await.is_clean());

        up();
        until(&reached).await;
        // What the Rib itself has no way to.
        daemon.want(BLOCK, Some(Target::Unreachable)).await;
        daemon.want("192.0.2.0/24", Some(Target::Unreachable)).await;
        let mut held = vec![rejected(BLOCK), route(BLOCK6, &[via("fd00:5::11", left)])];
        held.sort_by_key(|route| route.key);
        until(&held).await;
        // Nobody announces it any more: then it is nobody's.
        daemon.want(BLOCK, None).await;
        until(&held[1..]).await;
        assert_eq!(leaves_by(POD).as_deref(), Some("right"));
        daemon.stop().await;
    });
}

#[test]
fn with_hold_nothing_they_fall_to_the_default_route() {
    in_netns("hold::with_hold_nothing_they_fall_to_the_default_route", || async {
        let left = two_ways();
        let daemon = Daemon::start();
        daemon.tell(holding(Hold::Nothing)).await;
        daemon.want(BLOCK, to("10.1.5.11")).await;
        until(&[route(BLOCK, &[via("10.1.5.11", left)])]).await;
        down();
        until(&[]).await;
        assert_eq!(leaves_by(POD).as_deref(), Some("right"));
        // Without a default route there is nothing to fall to.
        ip("route del default");
        assert_eq!(leaves_by(POD), None);
        // And a reload changes it in place.
        ip("route add default via 10.1.6.1");
        daemon.tell(holding(Hold::Destinations)).await;
        until(&[rejected(BLOCK)]).await;
        assert_eq!(leaves_by(POD), None);
        daemon.stop().await;
    });
}

/// The pool as a whole is below every block: not even the moment between an interface's end and
/// our answer lets a packet out.
#[test]
fn a_whole_pool_never_leaks_whatever_happens_to_its_blocks() {
    in_netns("hold::a_whole_pool_never_leaks_whatever_happens_to_its_blocks", || async {
        let left = two_ways();
        let daemon = Daemon::start();
        daemon.tell(holding(Hold::Pools)).await;
        daemon.want(BLOCK, to("10.1.5.11")).await;
        let mut all =
            vec![rejected(POOL), route(BLOCK, &[via("10.1.5.11", left)]), rejected(POOL6)];
        all.sort_by_key(|route| route.key);
        until(&all).await;
        assert_eq!(leaves_by("10.244.200.1"), None, "nobody announces it");
        let (end, looks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (watched, seen) = (end.clone(), looks.clone());
        let watcher = std::thread::spawn(move || {
            while !watched.load(Ordering::Relaxed) {
                let look = seen.fetch_add(1, Ordering::Relaxed);
                assert_ne!(leaves_by(POD).as_deref(), Some("right"), "look {look}");
            }
        });
        let mut rounds = 0;
        while rounds < 5 || looks.load(Ordering::Relaxed) < 50 {
            rounds += 1;
            assert!(!watcher.is_finished(), "it went through the default route");
            ip("link set left down");
            tokio::time::sleep(Duration::from_millis(50)).await;
            ip("link set left up");
            until(&all).await;
            daemon.want(BLOCK, None).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            daemon.want(BLOCK, to("10.1.5.11")).await;
            until(&all).await;
        }
        end.store(true, Ordering::Relaxed);
        watcher.join().expect("never through the default route");
        daemon.tell(holding(Hold::Destinations)).await;
        until(&[route(BLOCK, &[via("10.1.5.11", left)])]).await;
        daemon.stop().await;
    });
}

/// From rejected to reached in one step: no packet finds neither.
#[test]
fn it_is_reached_again_without_a_gap() {
    in_netns("hold::it_is_reached_again_without_a_gap", || async {
        let left = two_ways();
        let daemon = Daemon::start();
        daemon.tell(holding(Hold::Destinations)).await;
        daemon.want(BLOCK, Some(Target::Unreachable)).await;
        until(&[rejected(BLOCK)]).await;
        let end = Arc::new(AtomicBool::new(false));
        let watched = end.clone();
        let watcher = std::thread::spawn(move || {
            while !watched.load(Ordering::Relaxed) {
                assert_ne!(leaves_by(POD).as_deref(), Some("right"));
            }
        });
        for _ in 0..100 {
            daemon.want(BLOCK, to("10.1.5.11")).await;
            until(&[route(BLOCK, &[via("10.1.5.11", left)])]).await;
            daemon.want(BLOCK, Some(Target::Unreachable)).await;
            until(&[rejected(BLOCK)]).await;
        }
        end.store(true, Ordering::Relaxed);
        watcher.join().expect("never through the default route");
        daemon.stop().await;
    });
}
