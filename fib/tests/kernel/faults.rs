//! What the real kernel can be brought to do to us: more news than there is room for, dumps that
//! are interrupted, ops that meet what others did unheard. All of it ends in truth.
#![allow(clippy::expect_used, reason = "test code outside #[test]")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::netns::pump::{Daemon, config, to, until};
use crate::netns::*;
use starling_fib::netlink::{Netlink, NetlinkError, Options};
use starling_fib::types::{FibIn, Report};
use tokio::sync::mpsc;

fn block(n: u32) -> String {
    format!("10.{}.{}.0/24", 100 + n / 250, n % 250)
}

#[test]
fn more_news_than_there_is_room_for_ends_in_truth() {
    in_netns("faults::more_news_than_there_is_room_for_ends_in_truth", || async {
        let (left, _right) = two_underlays();
        let options = Options { receive_buffer: 4096, ..Options::default() };
        let daemon = Daemon::start_with(options);
        daemon.tell(config(&[])).await;
        daemon.tell(FibIn::Settled).await;
        let wanted: Vec<_> =
            (0..400).map(|n| route(&block(n), &[via("10.1.5.11", left)])).collect();
        for n in 0..400 {
            daemon.want(&block(n), to("10.1.5.11")).await;
        }
        until(&wanted).await;
        // As deaf as the daemon, and with as much room.
        let (_other, mut ear) = Netlink::open(options).expect("netlink");
        for round in 0..3 {
            let deaf = daemon.deafen().await;
            let deeds = (0..400).map(|n| match (n + round) % 3 {
                0 => format!("route del {}", block(n)),
                1 => format!("route replace {} via 10.1.5.66 proto bird", block(n)),
                _ => format!("route add {} via 10.1.5.66 proto bird metric 1024", block(n)),
            });
            ip_batch(deeds);
            drop(deaf);
            let lost = news(&mut ear).await;
            assert_eq!(lost.first(), Some(&starling_fib::types::KernelEvent::Lost));
            until(&wanted).await;
        }
        assert!(daemon.audit().await.is_clean());
        daemon.stop().await;
    });
}

/// Addresses that come and go all the time, so many that a dump takes several messages.
fn restless(end: &Arc<AtomicBool>) -> std::thread::JoinHandle<()> {
    let address = |n: u32| format!("10.2.{}.{}/32 dev right", n / 200, 1 + n % 200);
    ip_batch((0..2000).map(|n| format!("address add {}", address(n))));
    let end = end.clone();
    std::thread::spawn(move || {
        while !end.load(Ordering::Relaxed) {
            ip_batch((0..200).flat_map(|n| {
                [format!("address del {}", address(n)), format!("address add {}", address(n))]
            }));
            // Some readings must get through, the test's own too.
            std::thread::sleep(Duration::from_millis(50));
        }
    })
}

#[test]
fn an_interrupted_dump_is_noticed_and_read_again() {
    in_netns("faults::an_interrupted_dump_is_noticed_and_read_again", || async {
        let (left, _right) = two_underlays();
        let end = Arc::new(AtomicBool::new(false));
        let churn = restless(&end);
        // A single reading is interrupted (NLM_F_DUMP_INTR) and says so …
        let mut auditor = Netlink::auditor().expect("netlink");
        let begun = Instant::now();
        let why = loop {
            assert!(begun.elapsed() < PATIENCE, "never interrupted");
            let (sink, mut parts) = mpsc::channel(64);
            let reads = tokio::spawn(async move { while parts.recv().await.is_some() {} });
            let result = auditor.stream(MAIN, &sink).await;
            drop(sink);
            reads.await.expect("an end");
            if let Err(why) = result {
                break why;
            }
        };
        assert!(matches!(why, NetlinkError::Interrupted { .. }), "{why}");
        // … and a daemon that starts in the middle of it gets through to the truth.
        let daemon = Daemon::start();
        daemon.tell(config(&[])).await;
        daemon.want("10.244.1.0/26", to("10.1.5.11")).await;
        until(&[route("10.244.1.0/26", &[via("10.1.5.11", left)])]).await;
        end.store(true, Ordering::Relaxed);
        churn.join().expect("an end");
        assert!(daemon.audit().await.is_clean());
        daemon.stop().await;
    });
}

/// What others did is not heard before our op goes out: EEXIST, ESRCH, ENOENT from the kernel.
#[test]
fn ops_that_meet_the_unheard_end_in_truth() {
    in_netns("faults::ops_that_meet_the_unheard_end_in_truth", || async {
        let (left, right) = two_underlays();
        let mut daemon = Daemon::start();
        daemon.tell(config(&[])).await;
        daemon.tell(FibIn::Settled).await;
        let old = route("10.244.1.0/26", &[via("10.1.5.11", left)]);
        let new = route("10.244.1.0/26", &[via("10.1.6.11", right)]);
        for round in 0..6 {
            // Our add meets somebody's route.
            let deaf = daemon.deafen().await;
            ip("route add 10.244.1.0/26 via 10.1.5.77 proto static");
            daemon.want("10.244.1.0/26", to("10.1.5.11")).await;
            drop(deaf);
            until(&[]).await;
            if round == 0 {
                daemon.report(|report| matches!(report, Report::Occupied { .. })).await;
            }
            ip("route del 10.244.1.0/26 proto static");
            until(std::slice::from_ref(&old)).await;
            // Our replace meets nothing.
            let deaf = daemon.deafen().await;
            ip("route del 10.244.1.0/26");
            daemon.want("10.244.1.0/26", to("10.1.6.11")).await;
            drop(deaf);
            until(std::slice::from_ref(&new)).await;
            // Our replace meets somebody's route: it stays.
            let deaf = daemon.deafen().await;
            ip("route replace 10.244.1.0/26 via 10.1.5.78 proto 80");
            daemon.want("10.244.1.0/26", to("10.1.5.11")).await;
            drop(deaf);
            until(&[]).await;
            ip("route del 10.244.1.0/26 via 10.1.5.78 proto 80");
            until(std::slice::from_ref(&old)).await;
            // Our removal meets nothing.
            let deaf = daemon.deafen().await;
            ip("route del 10.244.1.0/26");
            daemon.want("10.244.1.0/26", None).await;
            drop(deaf);
            until(&[]).await;
            // Quarrels are another test.
            tokio::time::sleep(Duration::from_millis(1100)).await;
        }
        assert!(daemon.audit().await.is_clean());
        daemon.stop().await;
    });
}

/// A gateway that the kernel does not know any more when the op arrives: ENETUNREACH.
#[test]
fn a_gateway_that_goes_unheard_ends_in_truth() {
    in_netns("faults::a_gateway_that_goes_unheard_ends_in_truth", || async {
        let (left, right) = two_underlays();
        ip("route add 10.9.0.0/16 via 10.1.6.1");
        let daemon = Daemon::start();
        daemon.tell(config(&[])).await;
        daemon.want("192.0.2.0/24", to("10.1.5.11")).await;
        let near = route("192.0.2.0/24", &[via("10.1.5.11", left)]);
        until(std::slice::from_ref(&near)).await;
        for _ in 0..3 {
            let deaf = daemon.deafen().await;
            ip("address del 10.1.6.10/24 dev right");
            daemon.want("198.51.100.0/24", to("10.9.9.9")).await;
            drop(deaf);
            until(std::slice::from_ref(&near)).await;
            ip("address add 10.1.6.10/24 dev right");
            ip("route add 10.9.0.0/16 via 10.1.6.1");
            let far = route("198.51.100.0/24", &[via("10.1.6.1", right)]);
            until(&[near.clone(), far]).await;
            daemon.want("198.51.100.0/24", None).await;
            until(std::slice::from_ref(&near)).await;
        }
        assert!(daemon.audit().await.is_clean());
        daemon.stop().await;
    });
}
