//! `decouple`, `couple` and `flush` on the kernel in memory.

use std::time::Duration;

use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::types::*;

const NET0: u32 = 2;
const SECOND: Duration = Duration::from_secs(1);
const FIRST: &str = "10.244.1.0/26 via 10.1.5.11 dev net0 proto 12 metric 0";

/// A node with a route to `10.244.1.0/26` by 10.1.5.11, and somebody's beside it.
fn rig() -> Rig {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    kernel.link_add("net0", None, 1500);
    kernel.address_add(NET0, net("10.1.5.10/24"));
    kernel.append(route("10.9.0.0/16", Some("10.1.5.1"), NET0, 4)).unwrap();
    let mut rig =
        Rig::new(kernel, config(&["10.1.5.10"], vec![pool("10.244.0.0/16", Mode::Never)]));
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.tell(FibIn::Settled);
    rig.run();
    assert_eq!(rig.table(), [FIRST]);
    rig
}

fn couple(rig: &mut Rig, coupling: Coupling) {
    rig.tell(FibIn::Couple(coupling));
    rig.pass(10 * SECOND);
}

#[test]
fn decoupled_nothing_is_written_and_couple_writes_the_difference() {
    let mut rig = rig();
    couple(&mut rig, Coupling::Decoupled);
    rig.applied.clear();
    // A new route, another way for an old one, a route taken away by hand, a reload that asks
    // for a tunnel.
    rig.want("10.244.2.0/26", &["10.1.5.12"]);
    rig.want("10.244.1.0/26", &["10.1.5.12"]);
    let pools = vec![pool("10.244.0.0/16", Mode::Never), pool("10.245.0.0/16", Mode::Always)];
    let reloaded = FibConfig { pools, ..rig.config.clone() };
    rig.configure(reloaded);
    rig.pass(100 * SECOND);
    assert_eq!(rig.applied, []);
    assert_eq!(rig.table(), [FIRST]);
    assert!(rig.kernel.links().all(|link| link.name != "tunl0"), "the device was made");
    assert_eq!((rig.fib.coupling(), rig.fib.differing()), (Coupling::Decoupled, 2));

    couple(&mut rig, Coupling::Coupled);
    assert_eq!(
        rig.table(),
        [
            "10.244.1.0/26 via 10.1.5.12 dev net0 proto 12 metric 0",
            "10.244.2.0/26 via 10.1.5.12 dev net0 proto 12 metric 0",
        ]
    );
    assert!(rig.applied.iter().any(|op| matches!(op, RouteOp::Replace { .. })), "in place");
    assert!(rig.kernel.links().any(|link| link.name == "tunl0"));
    assert_eq!(rig.fib.differing(), 0);
    let words: Vec<&Report> =
        rig.reports.iter().filter(|r| matches!(r, Report::Coupling(_))).collect();
    assert_eq!(
        words,
        [&Report::Coupling(Coupling::Decoupled), &Report::Coupling(Coupling::Coupled)]
    );
}

#[test]
fn what_others_do_meanwhile_is_no_drift_and_is_put_right_by_couple() {
    let mut rig = rig();
    couple(&mut rig, Coupling::Decoupled);
    rig.kernel.delete(&route("10.244.1.0/26", Some("10.1.5.11"), NET0, 12)).unwrap();
    rig.pass(10 * SECOND);
    assert_eq!(rig.table(), [""; 0]);
    assert!(!rig.reports.iter().any(|r| matches!(r, Report::Drift { .. })), "{:?}", rig.reports);
    assert_eq!(rig.fib.differing(), 1);
    couple(&mut rig, Coupling::Coupled);
    assert_eq!(rig.table(), [FIRST]);
}

#[test]
fn a_flush_removes_ours_alone_and_they_do_not_come_back_before_couple() {
    let mut rig = rig();
    // A predecessor's, and one of another metric.
    let mut other = route("10.244.9.0/26", Some("10.1.5.12"), NET0, 12);
    other.key.metric = 77;
    rig.own("10.244.0.0/26");
    rig.run();
    rig.tell(FibIn::Couple(Coupling::Decoupled));
    rig.kernel.add(other).unwrap();
    rig.pass(SECOND);
    rig.kernel.fail_op(1, 12);
    couple(&mut rig, Coupling::Flushed);
    assert_eq!(rig.table(), [""; 0]);
    let foreign: Vec<&KernelRoute> = rig.kernel.routes().filter(|r| r.protocol == 4).collect();
    assert_eq!(foreign.len(), 1);
    assert_eq!(rig.fib.flushed(), Some(3));
    assert!(rig.reports.contains(&Report::Flushed(3)), "{:?}", rig.reports);

    // The Rib goes on; the kernel stays empty, also of what somebody writes under our marks.
    rig.want("10.244.2.0/26", &["10.1.5.12"]);
    rig.kernel.add(route("10.244.7.0/26", Some("10.1.5.12"), NET0, 12)).unwrap();
    rig.pass(100 * SECOND);
    assert_eq!(rig.table(), ["10.244.7.0/26 via 10.1.5.12 dev net0 proto 12 metric 0"]);

    couple(&mut rig, Coupling::Coupled);
    assert_eq!(
        rig.table(),
        [
            "10.244.0.0/26 blackhole proto 12 metric 0",
            FIRST,
            "10.244.2.0/26 via 10.1.5.12 dev net0 proto 12 metric 0",
        ]
    );
}

#[test]
fn a_flush_waits_for_the_kernels_table_and_couple_ends_it() {
    let mut rig = rig();
    rig.kernel.fail_dumps(2);
    rig.tell(FibIn::Events(vec![KernelEvent::Lost]));
    rig.tell(FibIn::Couple(Coupling::Flushed));
    assert_eq!(rig.fib.flushed(), None);
    rig.tell(FibIn::Couple(Coupling::Coupled));
    rig.pass(10 * SECOND);
    assert_eq!(rig.table(), [FIRST]);
    assert_eq!(rig.fib.coupling(), Coupling::Coupled);
}
