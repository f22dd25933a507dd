//! Routes through nexthop objects, on the real kernel: the same ways, however they are written.
#![allow(clippy::expect_used, reason = "test code outside #[test]")]

use std::net::UdpSocket;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use crate::netns::pump::{Daemon, config, to};
use crate::netns::*;
use starling_fib::objects::range;
use starling_fib::types::{
    FibConfig, FibIn, Inside, KernelEvent, KernelRoute, Kind, Mode, Object, ObjectOp, Report,
    Target,
};

/// Pools in which everything is in clear, and one in which all is tunnelled.
fn configured(nexthop_objects: bool) -> FibIn {
    let pools = [("10.244.0.0/16", Mode::Never), ("10.250.0.0/16", Mode::Always)];
    let FibIn::Configure(config) = config(&pools) else { unreachable!("a configuration") };
    FibIn::Configure(Box::new(FibConfig { nexthop_objects, ..*config }))
}

async fn want_all(daemon: &Daemon) {
    for n in 1..=20 {
        daemon.want(&format!("10.244.{n}.0/26"), to("10.1.5.11")).await;
    }
    let several = ["10.1.5.11", "10.1.6.11", "10.1.6.11"].map(|hop| hop.parse().expect("a hop"));
    daemon.want("10.244.50.0/26", Some(Target::via(several))).await;
    daemon.want("10.244.60.0/26", Some(Target::Own)).await;
    daemon.want("10.244.70.0/26", to("fd00:5::11")).await;
    daemon.want("10.250.1.0/26", to("10.1.5.12")).await;
    daemon.want("fd00:244:1::/64", to("fd00:5::11")).await;
    let both = ["fd00:5::11", "fd00:6::11"].map(|hop| hop.parse().expect("a hop"));
    daemon.want("fd00:244:2::/64", Some(Target::via(both))).await;
    daemon.tell(FibIn::Settled).await;
}

/// What is wanted above.
fn all(left: u32, right: u32, tunl0: u32) -> Vec<KernelRoute> {
    let mut routes: Vec<KernelRoute> =
        (1..=20).map(|n| route(&format!("10.244.{n}.0/26"), &[via("10.1.5.11", left)])).collect();
    let twice = starling_fib::types::Hop { weight: 2, ..via("10.1.6.11", right) };
    routes.extend([
        route("10.244.50.0/26", &[via("10.1.5.11", left), twice]),
        route("10.244.60.0/26", &[]),
        route("10.244.70.0/26", &[via("fd00:5::11", left)]),
        route("10.250.1.0/26", &[onlink("10.1.5.12", tunl0)]),
        route("fd00:244:1::/64", &[via("fd00:5::11", left)]),
        route("fd00:244:2::/64", &[via("fd00:5::11", left), via("fd00:6::11", right)]),
    ]);
    sorted(routes)
}

/// Waits until the kernel holds these routes, all of them through objects or none; then the daemon
/// is content with them, an audit is clean, and nothing is written any more. The objects of our
/// range.
async fn content(daemon: &Daemon, expected: &[KernelRoute], objects: bool) -> Vec<Object> {
    let (mut kernel, mut events) = open();
    let mut there = Vec::new();
    let reached = async {
        loop {
            there = ours(&mut kernel).await;
            let written = |route: &KernelRoute| {
                route.object.is_some() == (objects && route.kind == Kind::Unicast)
            };
            let bare = there.iter().map(|r| KernelRoute { object: None, ..r.clone() });
            if there.iter().all(written) && bare.eq(expected.iter().cloned()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, reached).await.is_err() {
        let bare: Vec<_> =
            there.iter().map(|r| KernelRoute { object: None, ..r.clone() }).collect();
        assert_eq!(bare, expected, "{there:?}");
        assert!(there.is_empty(), "through objects: {objects}, and there is {there:?}");
    }
    let found = daemon.audit().await;
    assert!(found.is_clean(), "{found:?}");
    // A dump that is due is read, leftovers go.
    let begun = std::time::Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        news(&mut events).await;
        daemon.tell(FibIn::Events(vec![KernelEvent::Lost])).await;
        let mut heard = news(&mut events).await;
        heard.retain(|event| !matches!(event, KernelEvent::Link(_) | KernelEvent::Address(_)));
        if heard.is_empty() {
            break;
        }
        // A busy machine may be late once or twice.
        assert!(begun.elapsed() < PATIENCE, "it goes on writing: {heard:?}");
    }
    range_objects(&mut kernel).await
}

async fn range_objects(kernel: &mut starling_fib::netlink::Netlink) -> Vec<Object> {
    let objects = dump(kernel).await.objects.expect("a kernel with objects");
    objects.into_iter().filter(|object| range(MAIN).contains(&object.id)).collect()
}

/// A tunnel device's stand-in, so that routes through it can be written.
fn scene() -> (u32, u32, u32) {
    let (left, right) = two_underlays();
    // The kernel makes no object on a device without carrier, which a TUN is and tunl0 never.
    ip("link add tunl0 type veth peer name tunl0-far");
    ip("link set tunl0-far up");
    (left, right, index_of("tunl0"))
}

fn compat(mode: &str) {
    let written = std::fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", mode);
    written.expect("net.ipv4.nexthop_compat_mode");
}

#[test]
fn routes_that_lead_alike_share_an_object() {
    in_netns("objects::routes_that_lead_alike_share_an_object", || async {
        let (left, right, tunl0) = scene();
        let daemon = Daemon::start();
        daemon.tell(configured(true)).await;
        want_all(&daemon).await;
        let objects = content(&daemon, &all(left, right, tunl0), true).await;
        // 10.1.5.11, 10.1.6.11, 10.1.5.12, fd00:5::11, fd00:6::11, and two groups.
        assert_eq!(objects.len(), 7, "{objects:?}");
        let shown = Command::new("ip").args(["nexthop", "show"]).output();
        let shown = String::from_utf8(shown.expect("ip").stdout).expect("text");
        assert!(shown.contains("via 10.1.5.12 dev tunl0") && shown.contains("onlink"), "{shown}");
        assert!(shown.contains(",2"), "the weight of two: {shown}");
        // Whoever is wanted no more takes its object with it, and no other's.
        daemon.want("10.250.1.0/26", None).await;
        daemon.want("10.244.50.0/26", None).await;
        let mut left_over = all(left, right, tunl0);
        left_over.retain(|route| {
            !["10.250.1.0/26", "10.244.50.0/26"].contains(&&*route.key.prefix.to_string())
        });
        assert_eq!(content(&daemon, &left_over, true).await.len(), 4);
        daemon.stop().await;
    });
}

/// Whether or not the kernel spells them out, what is read is what was written.
#[test]
fn routes_are_understood_in_both_modes_of_the_kernel() {
    in_netns("objects::routes_are_understood_in_both_modes_of_the_kernel", || async {
        let (left, right, tunl0) = scene();
        let daemon = Daemon::start();
        daemon.tell(configured(true)).await;
        want_all(&daemon).await;
        let before = content(&daemon, &all(left, right, tunl0), true).await;
        compat("0");
        // The dump shows no next hops now.
        let bare = |route: KernelRoute| match route.kind {
            Kind::Unicast => KernelRoute { hops: Default::default(), ..route },
            _ => route,
        };
        let unspelled: Vec<_> = all(left, right, tunl0).into_iter().map(bare).collect();
        assert_eq!(content(&daemon, &unspelled, true).await, before);
        // Somebody else's too.
        ip("nexthop add id 7 via 10.1.5.77 dev left");
        ip("route add 10.9.0.0/16 nhid 7");
        ip("route del 10.244.1.0/26");
        ip("nexthop replace id 7 via 10.1.5.78 dev left");
        assert_eq!(content(&daemon, &unspelled, true).await, before);
        daemon.stop().await;
        let next = Daemon::start();
        next.tell(configured(true)).await;
        want_all(&next).await;
        assert_eq!(content(&next, &unspelled, true).await, before);
        compat("1");
        next.tell(configured(false)).await;
        assert_eq!(content(&next, &all(left, right, tunl0), false).await, []);
        next.stop().await;
    });
}

#[test]
fn what_is_taken_away_with_an_object_comes_back() {
    in_netns("objects::what_is_taken_away_with_an_object_comes_back", || async {
        let (left, right, tunl0) = scene();
        let mut daemon = Daemon::start();
        daemon.tell(configured(true)).await;
        want_all(&daemon).await;
        let expected = all(left, right, tunl0);
        let before = content(&daemon, &expected, true).await;
        let of = |gateway: &str, objects: &[Object]| {
            let hop = via(gateway, left);
            objects.iter().find(|o| o.inside == Inside::Hop(hop)).expect("an object").id
        };
        ip(&format!("nexthop del id {}", of("10.1.5.11", &before)));
        let said = |report: &Report| matches!(report, Report::ObjectDrift { routes: 20, .. });
        daemon.report(said).await;
        let after = content(&daemon, &expected, true).await;
        assert_eq!(after.len(), 7);

        let id = of("10.1.5.11", &after);
        ip(&format!("nexthop replace id {id} via 10.1.5.99 dev left proto bird"));
        daemon.report(said).await;
        assert_eq!(content(&daemon, &expected, true).await.len(), 7);

        ip("nexthop flush");
        assert_eq!(content(&daemon, &expected, true).await.len(), 7);

        // The kernel drops all that leads out of an interface without a word.
        for (gone, back) in [
            ("link set left-far down", "link set left-far up"),
            ("link set right down", "link set right up"),
            ("link set left down", "link set left up"),
        ] {
            ip(gone);
            tokio::time::sleep(Duration::from_millis(300)).await;
            ip(back);
            if gone != "link set left-far down" {
                let [name, net] =
                    if gone.contains("left") { ["left", "5"] } else { ["right", "6"] };
                ip(&format!("-6 address add fd00:{net}::10/64 dev {name} nodad"));
            }
            let objects = content(&daemon, &expected, true).await;
            assert_eq!(objects.len(), 7, "{gone}: {objects:?}");
        }
        daemon.stop().await;
    });
}

/// One of several next hops goes with its interface; the other stays, without a gap.
#[test]
fn the_loss_of_one_next_hop_changes_only_that() {
    in_netns("objects::the_loss_of_one_next_hop_changes_only_that", || async {
        let (left, _right, _) = scene();
        let daemon = Daemon::start();
        daemon.tell(configured(true)).await;
        let both = ["10.1.5.11", "10.1.6.11"].map(|hop| hop.parse().expect("a hop"));
        daemon.want("10.244.1.0/26", Some(Target::via(both))).await;
        daemon.tell(FibIn::Settled).await;
        let group = [via("10.1.5.11", left), via("10.1.6.11", index_of("right"))];
        content(&daemon, &[route("10.244.1.0/26", &group)], true).await;
        let asker = Asker::start("0.0.0.0:0", "10.244.1.1:9");
        ip("link set right-far down");
        let one = [route("10.244.1.0/26", &[via("10.1.5.11", left)])];
        let objects = content(&daemon, &one, true).await;
        assert!(
            objects.iter().all(|object| matches!(object.inside, Inside::Hop(_))),
            "{objects:?}"
        );
        ip("link set right-far up");
        content(&daemon, &[route("10.244.1.0/26", &group)], true).await;
        asker.found_a_way_always();
        daemon.stop().await;
    });
}

/// Asks the kernel for a way over and over, and counts how often there was one, and how often not.
struct Asker {
    stop: Arc<AtomicBool>,
    ways: Arc<AtomicU32>,
    thread: std::thread::JoinHandle<u32>,
}

impl Asker {
    fn start(bind: &'static str, pod: &'static str) -> Asker {
        let (stop, ways) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (end, found) = (stop.clone(), ways.clone());
        let thread = std::thread::spawn(move || {
            let socket = UdpSocket::bind(bind).expect("a socket");
            let mut gaps = 0;
            while !end.load(Ordering::Relaxed) {
                // A single lookup may fail (see `encode.rs`).
                match socket.connect(pod).or_else(|_| socket.connect(pod)) {
                    Ok(()) => drop(found.fetch_add(1, Ordering::Relaxed)),
                    Err(_) => gaps += 1,
                }
            }
            gaps
        });
        Asker { stop, ways, thread }
    }

    /// After enough lookups to show something, however few a busy machine makes in a while.
    fn found_a_way_always(self) {
        while self.ways.load(Ordering::Relaxed) < 500 && !self.thread.is_finished() {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.stop.store(true, Ordering::Relaxed);
        let gaps = self.thread.join().expect("no panic");
        assert_eq!(gaps, 0, "beside {} ways", self.ways.load(Ordering::Relaxed));
    }
}

/// By reload and by restart, in both directions.
#[test]
fn the_option_is_switched_without_a_gap() {
    in_netns("objects::the_option_is_switched_without_a_gap", || async {
        let (left, right, tunl0) = scene();
        let mut daemon = Daemon::start();
        daemon.tell(configured(false)).await;
        want_all(&daemon).await;
        let expected = all(left, right, tunl0);
        content(&daemon, &expected, false).await;
        let askers = [
            Asker::start("0.0.0.0:0", "10.244.7.1:9"),
            Asker::start("0.0.0.0:0", "10.244.50.1:9"),
            Asker::start("[::]:0", "[fd00:244:1::1]:9"),
        ];
        for (restart, objects) in [(false, true), (false, false), (true, true), (true, false)] {
            if restart {
                daemon.stop().await;
                daemon = Daemon::start();
            }
            daemon.tell(configured(objects)).await;
            if restart {
                want_all(&daemon).await;
            }
            let there = content(&daemon, &expected, objects).await;
            assert_eq!(there.len(), if objects { 7 } else { 0 });
        }
        askers.into_iter().for_each(Asker::found_a_way_always);
        daemon.stop().await;
    });
}

#[test]
fn a_predecessors_objects_are_adopted_and_others_left_alone() {
    in_netns("objects::a_predecessors_objects_are_adopted_and_others_left_alone", || async {
        let (left, right, tunl0) = scene();
        let daemon = Daemon::start();
        daemon.tell(configured(true)).await;
        want_all(&daemon).await;
        let expected = all(left, right, tunl0);
        let before = content(&daemon, &expected, true).await;
        daemon.stop().await;
        // A leftover; another protocol's and another table's; one of a stranger, who has a route.
        let first = *range(MAIN).start();
        ip(&format!("nexthop add id {} via 10.1.5.40 dev left proto bird", first + 50));
        ip(&format!("nexthop add id {} via 10.1.5.41 dev left proto 80", first + 51));
        ip(&format!("nexthop add id {} via 10.1.5.42 dev left proto bird", range(OTHER).start()));
        ip("nexthop add id 9 via 10.1.5.11 dev left proto bird");
        ip("route add 203.0.113.0/24 nhid 9");
        // And a route of his through one of ours that nothing else will use.
        let ours = before.iter().find(|o| o.inside == Inside::Hop(onlink("10.1.5.12", tunl0)));
        let ours = ours.expect("the tunnelled one").clone();
        ip(&format!("route add 203.0.113.128/25 nhid {}", ours.id));
        let daemon = Daemon::start();
        daemon.tell(configured(true)).await;
        want_all(&daemon).await;
        daemon.want("10.250.1.0/26", None).await;
        let mut expected = expected;
        expected.retain(|route| route.key.prefix.to_string() != "10.250.1.0/26");
        let mut there = content(&daemon, &expected, true).await;
        there.retain(|object| object.protocol != 80);
        assert_eq!(there, before, "the leftover is gone, what is used is the same");
        let (mut kernel, _events) = open();
        let all = dump(&mut kernel).await;
        for id in [first + 51, *range(OTHER).start(), 9] {
            assert!(all.objects.iter().flatten().any(|object| object.id == id), "{id}");
        }
        let theirs = all.routes.iter().filter(|r| r.key.prefix.to_string().starts_with("203"));
        assert_eq!(theirs.count(), 2);
        daemon.stop().await;
    });
}

/// The writer's answers: what it was told is done is done, and a number that is taken stays as it is.
#[test]
fn objects_are_made_and_removed_and_failures_named() {
    in_netns("objects::objects_are_made_and_removed_and_failures_named", || async {
        let (left, right) = two_underlays();
        let (mut kernel, mut events) = open();
        let object = |id, inside| Object { id, protocol: BIRD, inside };
        let single = |id, gateway: &str, device| object(id, Inside::Hop(via(gateway, device)));
        let members = [(1001, 1), (1002, 256)];
        let members = members.map(|(id, weight)| starling_fib::types::Member { id, weight });
        let made = [
            single(1001, "10.1.5.11", left),
            object(1002, Inside::Hop(onlink("10.9.9.9", right))),
            single(1003, "fd00:5::11", left),
            object(1004, Inside::Hop(onlink("fd00:9::9", right))),
            object(1005, Inside::Group(members.to_vec())),
        ];
        let make: Vec<_> = made.iter().cloned().map(ObjectOp::Make).collect();
        assert_eq!(kernel.apply_objects(&make).await, []);
        assert_eq!(dump(&mut kernel).await.objects.as_deref(), Some(&made[..]));
        let taken = ObjectOp::Make(single(1001, "10.1.5.99", left));
        let off_link = ObjectOp::Make(single(1006, "10.77.0.1", left));
        let fine = ObjectOp::Make(single(1007, "10.1.5.17", left));
        let absent = ObjectOp::Remove(single(1099, "10.1.5.17", left));
        let ops = [taken.clone(), off_link.clone(), fine.clone(), absent.clone()];
        let failures = kernel.apply_objects(&ops).await;
        let named: Vec<_> = failures.iter().map(|failure| (&failure.op, failure.errno)).collect();
        assert_eq!(named, [(&taken, 17), (&off_link, 101), (&absent, 2)]);
        // In the kernel's own words.
        assert!(failures[1].reason.contains("gateway"), "{failures:?}");
        // What we did is no news; what others do is.
        assert_eq!(news(&mut events).await, []);
        ip("nexthop del id 1007");
        ip("nexthop add id 1008 via 10.1.5.18 dev left proto bird");
        let came = KernelEvent::Object(single(1008, "10.1.5.18", left));
        assert_eq!(news(&mut events).await, [KernelEvent::ObjectGone(1007), came]);
        // Many at once.
        let many: Vec<_> =
            (0..3000).map(|n| ObjectOp::Make(single(2000 + n, "10.1.5.20", left))).collect();
        assert_eq!(kernel.apply_objects(&many).await, []);
        let gone: Vec<_> = many.iter().map(|op| ObjectOp::Remove(op.object().clone())).collect();
        assert_eq!(kernel.apply_objects(&gone).await, []);
        assert_eq!(dump(&mut kernel).await.objects.map(|all| all.len()), Some(6));
    });
}
