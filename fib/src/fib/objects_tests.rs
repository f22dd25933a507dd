//! Nexthop objects: shared, made first, never somebody else's, gone when nothing uses them.

use std::time::Duration;

use crate::have::same;
use crate::mem::Kernel;
use crate::objects::range;
use crate::rig::{Rig, config, ip, net, pool, route};
use crate::types::*;

const SECOND: Duration = Duration::from_secs(1);
const NIC: u32 = 2;
const MAIN: u32 = 254;

fn kernel() -> Kernel {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    for (name, net4, net6) in
        [("net0", "10.1.5.10/24", "fd00:5::10/64"), ("net1", "10.1.6.10/24", "fd00:6::10/64")]
    {
        let nic = kernel.link_add(name, None, 1500);
        kernel.address_add(nic, net(net4));
        kernel.address_add(nic, net(net6));
    }
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), NIC, 3)).unwrap();
    kernel
}

fn with_objects() -> FibConfig {
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    FibConfig { nexthop_objects: true, ..config(&["10.1.5.10", "fd00:5::10"], pools) }
}

fn rig_on(kernel: Kernel, config: FibConfig) -> Rig {
    let mut rig = Rig::new(kernel, config);
    rig.run();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("10.244.2.0/26", &["10.1.5.11"]);
    rig.want("10.245.3.0/26", &["10.1.5.11", "10.1.6.11", "10.1.6.11"]);
    rig.want("10.244.4.0/26", &["10.1.8.10"]);
    rig.want("fd01::/64", &["fd00:5::11"]);
    rig.own("10.244.0.0/26");
    rig.tell(FibIn::Settled);
    rig.pass(5 * SECOND);
    rig
}

fn rig() -> Rig {
    rig_on(kernel(), with_objects())
}

/// Our objects in the kernel, as numbers within our range.
fn numbers(rig: &Rig) -> Vec<u32> {
    let first = range(MAIN).start() - 1;
    rig.kernel.objects().filter(|o| range(MAIN).contains(&o.id)).map(|o| o.id - first).collect()
}

fn objects_of(rig: &Rig) -> Vec<(String, Option<u32>)> {
    let first = range(MAIN).start() - 1;
    let of = |r: &KernelRoute| (r.key.prefix.to_string(), r.object.map(|id| id - first));
    rig.ours().iter().map(of).collect()
}

fn is_all_there(rig: &mut Rig) {
    let there = rig.ours();
    assert_eq!(there.len(), 6, "{there:?}");
    for route in there {
        assert!(same(&rig.fib.wanted(route.key.prefix).unwrap(), &route), "{route:?}");
    }
    rig.tell(FibIn::Audit);
    rig.pass(10 * SECOND);
    let found = rig.audits.pop().unwrap().unwrap();
    assert!(found.is_clean(), "{found:?}");
}

#[test]
fn routes_that_lead_alike_share_an_object_and_several_next_hops_are_a_group() {
    let mut rig = rig();
    is_all_there(&mut rig);
    let [a, b] = [objects_of(&rig)[1].1, objects_of(&rig)[2].1];
    assert!(a.is_some() && a == b, "{:?}", objects_of(&rig));
    let own = &rig.ours()[0];
    assert_eq!((own.kind, own.object), (Kind::Blackhole, None));
    // 10.1.5.11, 10.1.6.11, the group of both, the tunnelled one, fd00:5::11.
    assert_eq!(numbers(&rig).len(), 5);
    let group = rig.kernel.routes_to(net("10.245.3.0/26"))[0].object.unwrap();
    let group = rig.kernel.objects().find(|object| object.id == group).unwrap();
    let Inside::Group(members) = &group.inside else { panic!("{group:?}") };
    assert_eq!(members.iter().map(|member| member.weight).collect::<Vec<_>>(), [1, 2]);
    let tunnelled = rig.kernel.routes_to(net("10.244.4.0/26"))[0].clone();
    assert!(tunnelled.object.is_some() && tunnelled.hops[0].onlink, "{tunnelled:?}");
}

#[test]
fn what_nothing_uses_goes_and_what_something_uses_stays() {
    let mut rig = rig();
    // Somebody leads a route of his own through ours.
    let used = rig.kernel.routes_to(net("10.244.4.0/26"))[0].object;
    let theirs = KernelRoute { object: used, ..route("203.0.113.0/24", None, NIC, 4) };
    rig.kernel.append(theirs).unwrap();
    rig.run();
    for prefix in ["10.244.1.0/26", "10.244.2.0/26", "10.244.4.0/26", "fd01::/64"] {
        rig.drop(prefix);
    }
    rig.pass(5 * SECOND);
    // The group, its two, and his.
    assert_eq!(numbers(&rig).len(), 4);
    rig.drop("10.245.3.0/26");
    rig.pass(5 * SECOND);
    assert_eq!(rig.kernel.objects().map(|object| Some(object.id)).collect::<Vec<_>>(), [used]);
    assert_eq!(rig.kernel.routes_to(net("203.0.113.0/24")).len(), 1);
}

/// Unheard of, somebody has the number that is next: no route of ours may lead there.
#[test]
fn a_number_that_turns_out_to_be_taken_leads_no_route_astray() {
    let mut kernel = kernel();
    kernel.take_events();
    let mut rig = Rig::new(kernel, with_objects());
    rig.run();
    let hop = Hop { gateway: Some(ip("10.1.5.66")), device: NIC, onlink: false, weight: 1 };
    let taken = Object { id: *range(MAIN).start(), protocol: 4, inside: Inside::Hop(hop) };
    rig.kernel.object_add(taken.clone()).unwrap();
    rig.kernel.take_events();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    for _ in 0..100 {
        let astray = |r: &KernelRoute| r.object == Some(taken.id);
        assert!(!rig.ours().iter().any(astray), "{:?}", rig.ours());
        if !rig.serve() {
            break;
        }
    }
    rig.pass(5 * SECOND);
    let there = rig.ours();
    assert_eq!(there[0].hops[0].gateway, Some(ip("10.1.5.11")));
    assert_eq!(there[0].object, Some(taken.id + 1));
    assert!(rig.kernel.objects().any(|object| *object == taken));
    assert_eq!(rig.reports, []);
}

#[test]
fn an_object_that_somebody_removes_or_changes_is_replaced() {
    for changes in [false, true] {
        for spelled in [true, false] {
            let mut rig = rig();
            rig.kernel.set_spelled(spelled);
            let before = rig.kernel.routes_to(net("10.244.1.0/26"))[0].clone();
            let id = before.object.unwrap();
            if changes {
                let hop = Hop { gateway: Some(ip("10.1.5.66")), ..before.hops[0] };
                let inside = Inside::Hop(hop);
                rig.kernel.object_replace(Object { id, protocol: 12, inside }).unwrap();
            } else {
                rig.kernel.object_remove(id).unwrap();
                assert_eq!(rig.kernel.routes_to(net("10.244.2.0/26")), []);
            }
            rig.pass(5 * SECOND);
            let after = rig.kernel.routes_to(net("10.244.2.0/26"))[0].clone();
            assert_eq!(after.hops[0].gateway, Some(ip("10.1.5.11")));
            assert_ne!(after.object, Some(id));
            let what = if changes { "changed" } else { "removed" }.to_owned();
            let drift = Report::ObjectDrift { id, routes: 2, what };
            assert!(rig.reports.contains(&drift), "{:?}", rig.reports);
            is_all_there(&mut rig);
            assert_eq!(numbers(&rig).len(), 5);
        }
    }
}

/// By reload, in both directions and with two batches under way: there is always a route.
#[test]
fn the_option_is_switched_without_a_gap() {
    for spelled in [true, false] {
        let mut rig = rig_on(kernel(), FibConfig { nexthop_objects: false, ..with_objects() });
        rig.kernel.set_spelled(spelled);
        assert_eq!(rig.kernel.objects().count(), 0);
        let prefixes: Vec<_> = rig.ours().iter().map(|route| route.key.prefix).collect();
        for nexthop_objects in [true, false, true] {
            rig.configure(FibConfig { nexthop_objects, ..rig.config.clone() });
            loop {
                for prefix in &prefixes {
                    assert!(!rig.kernel.routes_to(*prefix).is_empty(), "{prefix}");
                }
                if !rig.serve() && !rig.hear() {
                    break;
                }
            }
            rig.pass(5 * SECOND);
            is_all_there(&mut rig);
            assert_eq!(numbers(&rig).len(), if nexthop_objects { 5 } else { 0 });
            let through = rig.ours().iter().filter(|route| route.object.is_some()).count();
            assert_eq!(through, if nexthop_objects { 5 } else { 0 });
        }
        assert_eq!(rig.reports, []);
    }
}

#[test]
fn a_predecessors_objects_are_used_again_and_what_is_left_of_them_is_swept() {
    for spelled in [true, false] {
        let mut kernel = rig().kernel;
        kernel.set_spelled(spelled);
        let before: Vec<Object> = kernel.objects().cloned().collect();
        let hop = Hop { gateway: Some(ip("10.1.5.77")), device: NIC, onlink: false, weight: 1 };
        let mine = Object { id: range(MAIN).start() + 90, protocol: 12, inside: Inside::Hop(hop) };
        // Another table's, another protocol's, and one that is in no range.
        let others = [
            Object { id: *range(100).start(), ..mine.clone() },
            Object { id: range(MAIN).start() + 91, protocol: 80, ..mine.clone() },
            Object { id: 7, ..mine.clone() },
        ];
        for object in others.iter().chain([&mine]) {
            kernel.object_add(object.clone()).unwrap();
        }
        let mut rig = Rig::new(kernel, with_objects());
        rig.run();
        assert!(rig.kernel.objects().any(|object| *object == mine), "before it is settled");
        let mut rig = rig_on(rig.kernel, with_objects());
        is_all_there(&mut rig);
        assert_eq!(rig.applied, []);
        let mut expected: Vec<Object> = before.into_iter().chain(others).collect();
        expected.sort();
        assert_eq!(rig.kernel.objects().cloned().collect::<Vec<_>>(), expected);
    }
}

#[test]
fn a_kernel_without_objects_has_ordinary_routes_and_says_so_once() {
    let mut without = kernel();
    without.set_objects(false);
    let mut rig = rig_on(without, with_objects());
    is_all_there(&mut rig);
    let said = |rig: &Rig| {
        rig.reports.iter().filter(|report| matches!(report, Report::NoObjects(_))).count()
    };
    assert_eq!(said(&rig), 1);
    rig.tell(FibIn::Events(vec![KernelEvent::Lost]));
    rig.pass(5 * SECOND);
    assert_eq!(said(&rig), 1);
    // One that lists none and makes none.
    let mut rig = Rig::new(kernel(), with_objects());
    rig.run();
    (1..4).for_each(|n| rig.kernel.fail_op(n, crate::mem::EOPNOTSUPP));
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.pass(5 * SECOND);
    assert_eq!(rig.ours()[0].object, None);
    assert_eq!(said(&rig), 1);
}

/// The kernel drops objects with the carrier, and ordinary routes not.
#[test]
fn objects_go_with_the_carrier_and_come_back_with_it() {
    let mut rig = rig();
    rig.kernel.link_change(3, |link| link.running = false);
    assert_eq!(rig.kernel.routes_to(net("10.245.3.0/26"))[0].hops.len(), 1);
    rig.pass(5 * SECOND);
    rig.kernel.link_change(NIC, |link| link.running = false);
    assert_eq!(rig.kernel.routes_to(net("10.244.1.0/26")), []);
    rig.pass(5 * SECOND);
    for nic in [NIC, 3] {
        rig.kernel.link_change(nic, |link| link.running = true);
    }
    rig.pass(5 * SECOND);
    is_all_there(&mut rig);
    assert_eq!(numbers(&rig).len(), 5);
}

/// What the kernel answers to objects, or does not answer.
#[test]
fn every_answer_to_every_object_ends_in_truth() {
    for errno in [1, 2, 12, 16, 17, 22, 100, 101, 105, 110] {
        for at in 1..=6 {
            for lies in [false, true] {
                let mut rig = Rig::new(kernel(), with_objects());
                rig.run();
                match lies {
                    false => rig.kernel.fail_op(at, errno),
                    true => rig.kernel.lose_answer(at, errno),
                }
                let mut rig = rig_on_again(rig);
                rig.pass(100 * SECOND);
                is_all_there(&mut rig);
                assert_eq!(numbers(&rig).len(), 5, "errno {errno} at {at}, lies: {lies}");
            }
        }
    }
}

fn rig_on_again(mut rig: Rig) -> Rig {
    for (prefix, hops) in [
        ("10.244.1.0/26", vec!["10.1.5.11"]),
        ("10.244.2.0/26", vec!["10.1.5.11"]),
        ("10.245.3.0/26", vec!["10.1.5.11", "10.1.6.11"]),
        ("10.244.4.0/26", vec!["10.1.8.10"]),
        ("fd01::/64", vec!["fd00:5::11"]),
    ] {
        rig.want(prefix, &hops);
    }
    rig.own("10.244.0.0/26");
    rig.tell(FibIn::Settled);
    rig
}
