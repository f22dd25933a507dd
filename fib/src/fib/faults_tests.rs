//! Whatever the kernel answers, and whatever news is lost: in the end it holds the truth.

use std::time::Duration;

use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::types::*;

const SECOND: Duration = Duration::from_secs(1);

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const ENOMEM: i32 = 12;
const EBUSY: i32 = 16;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;
const ENETDOWN: i32 = 100;
const ENETUNREACH: i32 = 101;
const ENOBUFS: i32 = 105;
const ETIMEDOUT: i32 = 110;

const ALL: [i32; 11] = [
    EPERM,
    ENOENT,
    ESRCH,
    ENOMEM,
    EBUSY,
    EEXIST,
    EINVAL,
    ENETDOWN,
    ENETUNREACH,
    ENOBUFS,
    ETIMEDOUT,
];

fn rig() -> Rig {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("net0", None, 1500);
    kernel.address_add(nic, net("10.1.5.10/24"));
    kernel.address_add(nic, net("fd00:5::10/64"));
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let mut rig = Rig::new(kernel, config(&["10.1.5.10", "fd00:5::10"], pools));
    rig.tell(FibIn::Settled);
    for (prefix, hop) in [("10.244.1.0/26", "10.1.5.11"), ("fd01::/64", "fd00:5::11")] {
        rig.want(prefix, &[hop]);
    }
    rig.pass(5 * SECOND);
    rig
}

/// An add, a replace, and a removal, of each family.
fn deeds(rig: &mut Rig) {
    rig.want("10.244.1.0/26", &["10.1.5.12"]);
    rig.want("fd01::/64", &["fd00:5::12"]);
    rig.run();
    rig.want("10.244.2.0/26", &["10.1.5.11"]);
    rig.want("fd02::/64", &["fd00:5::11"]);
    rig.run();
    rig.drop("10.244.2.0/26");
    rig.drop("fd02::/64");
    rig.run();
}

fn is_true(rig: &mut Rig) {
    rig.pass(60 * SECOND);
    assert_eq!(
        rig.table(),
        [
            "10.244.1.0/26 via 10.1.5.12 dev net0 proto 12 metric 0",
            "fd01::/64 via fd00:5::12 dev net0 proto 12 metric 1024",
        ]
    );
    rig.tell(FibIn::Audit);
    rig.pass(10 * SECOND);
    let found = rig.audits.pop().expect("an answer").expect("an audit");
    assert!(found.is_clean(), "{found:?}");
    assert!(rig.fib.healthy().is_ok(), "{:?}", rig.fib.healthy());
}

#[test]
fn every_answer_of_the_kernel_to_every_op_ends_in_truth() {
    for errno in ALL {
        for at in 1..=6 {
            for times in [1, 3] {
                let mut rig = rig();
                (at..at + times).for_each(|n| rig.kernel.fail_op(n, errno));
                deeds(&mut rig);
                is_true(&mut rig);
            }
        }
    }
}

/// The op was carried out and its answer lost.
#[test]
fn every_lost_answer_ends_in_truth() {
    for errno in ALL {
        for at in 1..=6 {
            let mut rig = rig();
            rig.kernel.lose_answer(at, errno);
            deeds(&mut rig);
            is_true(&mut rig);
        }
    }
}

#[test]
fn lost_news_and_broken_dumps_end_in_truth() {
    let worked: [fn(&mut Kernel); 4] = [
        |kernel| kernel.delete(&route("10.244.1.0/26", Some("10.1.5.11"), 2, 12)).unwrap(),
        |kernel| kernel.replace(route("10.244.1.0/26", Some("10.1.5.66"), 2, 12)).unwrap(),
        |kernel| kernel.append(route("10.244.9.0/26", Some("10.1.5.66"), 2, 12)).unwrap(),
        |kernel| kernel.link_change(2, |link| link.mtu = 1400),
    ];
    for deed in worked {
        for broken in [0, 1, 5] {
            let mut rig = rig();
            deed(&mut rig.kernel);
            rig.kernel.lose_events();
            rig.kernel.fail_dumps(broken);
            deeds(&mut rig);
            is_true(&mut rig);
        }
    }
}

/// BIRD's, Calico's and our own former ways to number routes.
#[test]
fn leftovers_under_any_metric_are_corrected_or_swept_and_never_believed() {
    for metric in [0, 50, 1024, 2_147_483_547, u32::MAX] {
        for wrong in ["10.1.5.99", "10.1.5.12"] {
            let mut kernel = Kernel::new();
            kernel.link_add("lo", None, 65536);
            let nic = kernel.link_add("net0", None, 1500);
            kernel.address_add(nic, net("10.1.5.10/24"));
            kernel.address_add(nic, net("fd00:5::10/64"));
            for (prefix, hop) in [
                ("10.244.1.0/26", wrong),
                ("10.244.7.0/26", wrong),
                ("fd01::/64", "fd00:5::99"),
                ("fd07::/64", "fd00:5::99"),
            ] {
                let mut left = route(prefix, Some(hop), nic, 12);
                left.key.metric = metric;
                kernel.append(left).unwrap();
            }
            let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
            let mut rig = Rig::new(kernel, config(&["10.1.5.10", "fd00:5::10"], pools));
            rig.want("10.244.1.0/26", &["10.1.5.12"]);
            rig.want("fd01::/64", &["fd00:5::12"]);
            rig.pass(SECOND);
            let right = rig.table();
            assert_eq!(right.len(), 4, "what nobody speaks of yet stays: {right:?}");
            rig.tell(FibIn::Settled);
            is_true(&mut rig);
            assert!(rig.reports.contains(&Report::Swept(2)), "{:?}", rig.reports);
        }
    }
}

/// One test a field: whatever somebody changes in our route is seen and put right.
#[test]
fn every_field_counts() {
    type Bend = fn(&mut KernelRoute);
    let bends: [(&str, Bend); 12] = [
        ("destination", |route| route.key.prefix = net("10.244.1.0/27")),
        ("metric", |route| route.key.metric = 1024),
        ("type: blackhole", |route| {
            (route.kind, route.hops) = (Kind::Blackhole, Default::default())
        }),
        ("type: prohibit", |route| (route.kind, route.hops) = (Kind::Other(8), Default::default())),
        ("scope", |route| route.scope = 253),
        ("tos", |route| route.tos = 16),
        ("preferred source", |route| route.source = Some(crate::rig::ip("10.1.5.10"))),
        ("gateway", |route| route.hops[0].gateway = Some(crate::rig::ip("10.1.5.66"))),
        ("no gateway", |route| route.hops[0].gateway = None),
        ("device", |route| route.hops[0].device = 3),
        ("flags", |route| route.hops[0].onlink = !route.hops[0].onlink),
        ("weight", |route| route.hops[1].weight = 7),
    ];
    for (what, bend) in bends {
        for news in [true, false] {
            let mut rig = rig();
            let side = rig.kernel.link_add("net1", None, 1500);
            rig.kernel.address_add(side, net("10.1.6.10/24"));
            rig.run();
            rig.want("10.244.1.0/26", &["10.1.5.11", "10.1.6.11"]);
            rig.pass(5 * SECOND);
            let wanted = rig.ours();
            let mut bent = wanted[0].clone();
            // Another device needs the gateway to be called on-link there.
            bent.hops[0].onlink |= what == "device";
            bend(&mut bent);
            assert!(!crate::have::same(&bent, &wanted[0]), "{what}");
            rig.kernel.delete(&wanted[0]).unwrap();
            rig.kernel.append(bent).unwrap();
            if !news {
                rig.kernel.take_events();
                rig.tell(FibIn::Audit);
            }
            rig.pass(10 * SECOND);
            assert_eq!(rig.ours(), wanted, "{what}, news: {news}");
        }
    }
    // Another protocol or another table is another's: ours comes beside it, or waits for it.
    let mut rig = rig();
    let mut theirs = rig.ours().remove(0);
    rig.kernel.delete(&theirs).unwrap();
    theirs.protocol = 80;
    rig.kernel.append(theirs.clone()).unwrap();
    rig.pass(10 * SECOND);
    let occupied = Report::Occupied { key: theirs.key, protocol: 80 };
    assert!(rig.reports.contains(&occupied), "{:?}", rig.reports);
    let mut elsewhere = theirs.clone();
    rig.kernel.delete(&theirs).unwrap();
    (elsewhere.key.table, elsewhere.protocol) = (100, 12);
    rig.kernel.append(elsewhere).unwrap();
    rig.pass(10 * SECOND);
    let mine = |r: &&KernelRoute| r.key == theirs.key && r.protocol == 12;
    assert_eq!(rig.kernel.routes().filter(mine).count(), 1);
}
