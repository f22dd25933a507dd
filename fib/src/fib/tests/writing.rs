//! How the kernel is written to: batches under way, and the order of what is made and broken.

use std::time::Duration;

use super::{SECOND, kind, rack};
use crate::mem::{EEXIST, ENETUNREACH};
use crate::rig::{Rig, ip, net, route};
use crate::types::*;
use crate::view::KernelState;

/// What the Fib has asked the kernel for and had no answer to: the prefixes of each batch.
fn under_way(rig: &Rig) -> Vec<Vec<String>> {
    let batches = rig.queue.iter().filter_map(|out| match out {
        FibOut::Apply(ops) => Some(ops),
        _ => None,
    });
    let prefix = |op: &RouteOp| match op {
        RouteOp::Add(new) | RouteOp::Replace { new, .. } => new.key.prefix.to_string(),
        RouteOp::Delete(old) => format!("not {}", old.key.prefix),
    };
    batches.map(|ops| ops.iter().map(prefix).collect()).collect()
}

#[test]
fn a_second_batch_waits_at_the_kernel_and_is_about_other_prefixes() {
    let mut rig = rack();
    rig.want("10.9.1.0/24", &["10.1.5.11"]);
    rig.want("10.9.2.0/24", &["10.1.5.11"]);
    rig.want("10.9.3.0/24", &["10.1.5.11"]);
    assert_eq!(under_way(&rig), [["10.9.1.0/24"], ["10.9.2.0/24"]], "and no third");
    rig.want("10.9.1.0/24", &["10.1.5.12"]);
    assert!(rig.serve());
    assert_eq!(
        under_way(&rig),
        [vec!["10.9.2.0/24"], vec!["10.9.3.0/24", "10.9.1.0/24"]],
        "what changed while it was written follows when it is known to be there"
    );
    // A prefix of a batch that waits is left to it, also when there is room for another.
    rig.drop("10.9.2.0/24");
    rig.want("10.9.4.0/24", &["10.1.5.11"]);
    assert!(rig.serve());
    assert_eq!(
        under_way(&rig),
        [vec!["10.9.3.0/24", "10.9.1.0/24"], vec!["10.9.4.0/24", "not 10.9.2.0/24"]]
    );
    rig.run();
    assert_eq!(
        rig.table(),
        [
            "10.9.1.0/24 via 10.1.5.12 dev net0 proto 12 metric 0",
            "10.9.3.0/24 via 10.1.5.11 dev net0 proto 12 metric 0",
            "10.9.4.0/24 via 10.1.5.11 dev net0 proto 12 metric 0",
        ]
    );
}

#[test]
fn what_changes_while_it_is_written_follows_though_there_was_room_at_once() {
    let mut rig = rack();
    rig.want("10.9.1.0/24", &["10.1.5.11"]);
    rig.drop("10.9.1.0/24");
    assert_eq!(under_way(&rig), [["10.9.1.0/24"]], "two batches are never about one prefix");
    assert!(rig.serve());
    assert_eq!(under_way(&rig), [["not 10.9.1.0/24"]]);
    rig.run();
    assert!(rig.table().is_empty(), "{:?}", rig.table());
}

#[test]
fn a_batch_that_waits_counts_though_the_one_before_failed() {
    let mut rig = rack();
    rig.kernel.fail_op(1, ENETUNREACH);
    rig.want("10.9.1.0/24", &["10.1.5.11"]);
    rig.want("10.9.2.0/24", &["10.1.5.11"]);
    assert!(rig.serve());
    rig.want("10.9.3.0/24", &["10.1.5.11"]);
    assert_eq!(under_way(&rig), [["10.9.2.0/24"]], "nothing is added before the table was read");
    let dumps = rig.dumps;
    rig.run();
    assert_eq!(rig.dumps, dumps + 1);
    rig.pass(10 * SECOND);
    assert_eq!(rig.table().len(), 3);
}

#[test]
fn a_routes_own_metric_is_another_key_and_written_before_the_old_one_goes() {
    let mut rig = rack();
    let with = |metric| {
        let hops = vec![ip("10.1.5.11").into()];
        Target::Via(Via { hops, metric, encap: Encap::ByPool }.into())
    };
    for (metric, shown) in [(Some(50), 50), (Some(1024), 1024), (None, 0), (Some(7), 7)] {
        rig.applied.clear();
        rig.target("10.244.1.0/26", with(metric));
        rig.run();
        let table = [format!("10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric {shown}")];
        assert_eq!(rig.table(), table);
        let kinds: Vec<&str> = rig.applied.iter().map(kind).collect();
        assert_eq!(kinds.first(), Some(&"add"), "make before break");
    }
    // Somebody else's route under the new key: ours goes nowhere, and what is there is told.
    rig.kernel
        .append(KernelRoute {
            key: RouteKey { metric: 9, ..route("10.244.1.0/26", None, 2, 4).key },
            ..route("10.244.1.0/26", Some("10.1.5.77"), 2, 4)
        })
        .unwrap();
    rig.run();
    rig.target("10.244.1.0/26", with(Some(9)));
    rig.run();
    assert!(matches!(rig.reports[..], [Report::Occupied { protocol: 4, .. }]), "{:?}", rig.reports);
    rig.target("10.244.1.0/26", with(Some(7)));
    rig.run();
    assert_eq!(rig.table(), ["10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 7"]);
}

#[test]
fn a_refusal_is_told_once_and_tried_again_with_growing_waits() {
    let mut rig = rack();
    for n in 1..=4 {
        rig.kernel.fail_op(n, ENETUNREACH);
    }
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.pass(Duration::from_millis(6_900));
    assert_eq!(rig.table(), [""; 0]);
    assert_eq!(rig.applied.len(), 3, "at 0, 1 and 3 s");
    let state = rig.fib.view_of(net("10.244.1.0/26")).unwrap().state;
    assert!(matches!(state, KernelState::Refused(_)));
    rig.pass(20 * SECOND);
    assert_eq!(rig.table().len(), 1);
    assert_eq!(rig.reports.len(), 1);
    assert!(matches!(&rig.reports[0], Report::Refused(f) if f.errno == ENETUNREACH));
}

#[test]
fn a_race_is_settled_by_a_dump_without_a_word() {
    let mut rig = rack();
    rig.kernel.fail_op(1, EEXIST);
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    rig.pass(Duration::from_millis(200));
    assert_eq!(rig.table().len(), 1);
    assert_eq!(rig.reports, []);
}

#[test]
fn another_protocol_metric_or_table_replaces_before_it_removes() {
    let mut rig = rack();
    rig.own("10.244.0.0/26");
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    let mut config = rig.config.clone();
    for (protocol, table, metric) in [(80, 254, 0), (80, 254, 50), (80, 100, 50), (12, 254, 0)] {
        (config.protocol, config.table, config.metric) = (protocol, table, metric);
        rig.applied.clear();
        rig.configure(config.clone());
        rig.pass(SECOND);
        let keys: Vec<(u8, u32, u32)> = rig
            .ours()
            .iter()
            .map(|route| (route.protocol, route.key.table, route.key.metric))
            .collect();
        assert_eq!(keys, [(protocol, table, metric); 2]);
        let last_write = rig.applied.iter().rposition(|op| kind(op) != "delete").unwrap();
        assert!(rig.applied[..last_write].iter().all(|op| kind(op) != "delete"));
    }
    assert_eq!(rig.reports, []);
}
