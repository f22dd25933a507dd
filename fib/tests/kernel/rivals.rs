//! Somebody else changes our routes in the real kernel: back at once, then with patience, and
//! named; their own routes are never touched.
#![allow(clippy::expect_used, reason = "test code outside #[test]")]

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::netns::pump::{Daemon, config, to, until};
use crate::netns::*;
use starling_fib::types::{KernelRoute, Report};

fn block(n: u32) -> String {
    format!("10.244.{n}.0/26")
}

async fn holding(count: u32) -> (Daemon, Vec<KernelRoute>) {
    let (left, _right) = two_underlays();
    let daemon = Daemon::start();
    daemon.tell(config(&[])).await;
    for n in 0..count {
        daemon.want(&block(n), to("10.1.5.11")).await;
    }
    let wanted: Vec<_> = (0..count).map(|n| route(&block(n), &[via("10.1.5.11", left)])).collect();
    until(&wanted).await;
    (daemon, wanted)
}

#[test]
fn who_replaces_fourteen_routes_is_named_and_left_alone() {
    in_netns("rivals::who_replaces_fourteen_routes_is_named_and_left_alone", || async {
        let (mut daemon, wanted) = holding(20).await;
        ip_batch((0..14).map(|n| format!("route replace {} via 10.1.5.99 proto 80", block(n))));
        let named = |report: &Report| matches!(report, Report::Rival { .. });
        let Report::Rival { who, what, .. } = daemon.report(named).await else { return };
        assert_eq!(who, Some(80));
        assert!(what.starts_with("proto 80 replaced "), "{what}");
        // It is named before the last of them is heard.
        let all = async {
            loop {
                let rivals = daemon.ask(|fib| fib.rivals().collect::<Vec<_>>()).await;
                if rivals.iter().any(|rival| rival.recent >= 14) {
                    return rivals;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let rivals = tokio::time::timeout(PATIENCE, all).await.expect("all of them");
        assert_eq!((rivals[0].who, rivals[0].recent, rivals.len()), (Some(80), 14, 1));
        until(&wanted[14..]).await;
        let (mut kernel, _events) = open();
        let theirs = foreign(&mut kernel).await.iter().filter(|r| r.protocol == 80).count();
        assert_eq!(theirs, 14, "they are not ours to touch");
        ip("route flush proto 80");
        until(&wanted).await;
        daemon.stop().await;
    });
}

/// Whatever was changed; how long that takes is printed.
#[test]
fn what_somebody_alters_is_back_at_once() {
    in_netns("rivals::what_somebody_alters_is_back_at_once", || async {
        let (daemon, wanted) = holding(3).await;
        let (mut kernel, _events) = open();
        for command in [
            "route del 10.244.1.0/26",
            "route replace 10.244.1.0/26 via 10.1.5.66 proto bird",
            "route replace 10.244.1.0/26 via 10.1.6.11 proto bird",
            "route replace 10.244.1.0/26 via 10.1.5.11 dev left onlink proto bird",
            "route replace blackhole 10.244.1.0/26 proto bird",
            "route replace unreachable 10.244.1.0/26 proto bird",
            "route replace 10.244.1.0/26 via 10.1.5.11 src 10.1.5.10 proto bird",
            "route replace 10.244.1.0/26 dev left scope link proto bird",
            "route replace 10.244.1.0/26 proto bird nexthop via 10.1.5.11 nexthop via 10.1.6.11",
            "route add 10.244.1.0/26 via 10.1.5.11 proto bird metric 1024",
            "route add 10.244.1.0/26 via 10.1.5.11 proto bird metric 2147483547",
            "route add 10.244.1.0/26 via 10.1.5.66 proto bird tos 0x10",
        ] {
            // Two programs' quarrel is another test.
            tokio::time::sleep(Duration::from_millis(350)).await;
            ip(command);
            let begun = Instant::now();
            while ours(&mut kernel).await != wanted {
                assert!(begun.elapsed() < PATIENCE, "{command}");
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            println!("{:>6.1} ms after: ip {command}", begun.elapsed().as_secs_f64() * 1e3);
        }
        daemon.stop().await;
    });
}

#[test]
fn a_quarrel_is_not_fought_in_a_loop_and_ends_in_truth() {
    in_netns("rivals::a_quarrel_is_not_fought_in_a_loop_and_ends_in_truth", || async {
        let (mut daemon, wanted) = holding(2).await;
        let (mut kernel, mut events) = open();
        let (begun, removed) = (Instant::now(), Cell::new(0));
        let quarrel = async {
            while removed.get() < u64::MAX {
                if ours(&mut kernel).await.len() == 2 {
                    ip("route del 10.244.1.0/26");
                    removed.set(removed.get() + 1);
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let named = |report: &Report| matches!(report, Report::Rival { who: None, .. });
        let ends = async {
            daemon.report(named).await;
            tokio::time::sleep_until((begun + Duration::from_secs(4)).into()).await;
        };
        tokio::select! {
            () = quarrel => {}
            () = ends => {}
        }
        // Five times in a second it may be put back at once; a loop does it a hundred times.
        let (most, removed) = (6 * (begun.elapsed().as_secs() + 1), removed.get());
        assert!(removed <= most, "put back {removed} times in {:?}", begun.elapsed());
        until(&wanted).await;
        drop(news(&mut events).await);
        daemon.stop().await;
    });
}
