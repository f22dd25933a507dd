//! What others put into the table, or take out of it: a predecessor, strangers, rivals.

use super::{SECOND, kind, node, rack};
use crate::rig::{Rig, config, net, pool, route};
use crate::types::*;
use crate::view::KernelState;

#[test]
fn a_predecessors_routes_stay_until_settled_but_wrong_ones_are_put_right_at_once() {
    let mut kernel = node("10.1.5.10/24", "10.1.5.1");
    let stale = KernelRoute {
        key: RouteKey { prefix: net("10.244.1.0/26"), table: 254, metric: 1024 },
        ..route("10.244.1.0/26", Some("10.1.5.99"), 2, 12)
    };
    kernel.append(stale).unwrap();
    kernel.append(route("10.244.2.0/26", Some("10.1.5.98"), 2, 12)).unwrap();
    kernel.append(route("10.244.9.0/26", Some("10.1.5.97"), 2, 12)).unwrap();
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let mut rig = Rig::new(kernel, config(&["10.1.5.10"], pools));
    rig.run();
    assert_eq!(rig.reports, [Report::Adopted(3)]);
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("10.244.2.0/26", &["10.1.5.12"]);
    rig.run();
    assert_eq!(
        rig.table(),
        [
            "10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 0",
            "10.244.2.0/26 via 10.1.5.12 dev net0 proto 12 metric 0",
            "10.244.9.0/26 via 10.1.5.97 dev net0 proto 12 metric 0",
        ]
    );
    let kinds: Vec<&str> = rig.applied.iter().map(kind).collect();
    assert_eq!(kinds, ["add", "replace", "delete"], "make before break");
    assert_eq!(rig.fib.leftovers().count(), 1);
    rig.tell(FibIn::Settled);
    rig.run();
    assert_eq!(rig.table().len(), 2);
    assert_eq!(rig.reports.last(), Some(&Report::Swept(1)));
}

#[test]
fn a_foreign_route_under_our_key_is_left_alone_until_it_goes() {
    let mut rig = rack();
    let foreign = route("10.244.1.0/26", Some("10.1.5.77"), 2, 4);
    rig.kernel.append(foreign.clone()).unwrap();
    rig.hear();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.pass(100 * SECOND);
    let key = foreign.key;
    assert_eq!(rig.reports, [Report::Occupied { key, protocol: 4 }]);
    assert_eq!(rig.applied, []);
    let state = |rig: &Rig| rig.fib.view_of(key.prefix).unwrap().state;
    assert_eq!(state(&rig), KernelState::Occupied(4));
    rig.kernel.delete(&foreign).unwrap();
    rig.run();
    assert_eq!(state(&rig), KernelState::Installed);
}

#[test]
fn a_foreign_route_that_we_had_not_heard_of_is_not_overwritten() {
    let mut rig = rack();
    rig.kernel.append(route("10.244.1.0/26", Some("10.1.5.77"), 2, 4)).unwrap();
    rig.kernel.take_events();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    assert!(matches!(rig.reports[..], [Report::Occupied { protocol: 4, .. }]), "{:?}", rig.reports);
}

#[test]
fn drift_is_put_back_at_once_and_a_war_is_not_fought() {
    let mut rig = rack();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    let ours = route("10.244.1.0/26", Some("10.1.5.11"), 2, 12);
    for round in 0..20 {
        let _ = rig.kernel.delete(&ours);
        rig.run();
        assert_eq!(rig.table().len(), usize::from(round < 5), "round {round}");
    }
    let drifts = rig.reports.iter().filter(|r| matches!(r, Report::Drift { .. })).count();
    assert_eq!(drifts, 6);
    rig.pass(SECOND);
    assert_eq!(rig.table().len(), 1);

    let changed = route("10.244.1.0/26", Some("10.1.5.66"), 2, 12);
    rig.pass(200 * SECOND);
    rig.reports.clear();
    rig.kernel.replace(changed).unwrap();
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 0"]);
    let what = "changed to via 10.1.5.66 dev net0 proto 12 metric 0".to_owned();
    assert_eq!(rig.reports, [Report::Drift { prefix: net("10.244.1.0/26"), what }]);
}
