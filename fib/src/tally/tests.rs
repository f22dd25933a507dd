use std::time::Duration;

use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::table::EntryState;
use crate::types::{FibIn, Mode};
use crate::view::KernelState;

const SECOND: Duration = Duration::from_secs(1);
const EPERM: i32 = 1;

fn rig() -> Rig {
    let mut kernel = Kernel::new();
    let nic = kernel.link_add("net0", None, 1500);
    kernel.address_add(nic, net("10.1.5.10/24"));
    let pools = vec![pool("10.244.0.0/16", Mode::CrossSubnet)];
    let mut rig = Rig::new(kernel, config(&["10.1.5.10"], pools));
    rig.tell(FibIn::Settled);
    rig.pass(SECOND);
    rig
}

#[test]
fn writes_are_counted_by_what_they_do_and_refusals_by_errno() {
    let mut rig = rig();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.want("10.244.2.0/26", &["10.1.5.11"]);
    assert!(!rig.fib.is_at_rest());
    rig.run();
    assert!(rig.fib.is_at_rest());
    rig.want("10.244.1.0/26", &["10.1.5.12"]);
    rig.drop("10.244.2.0/26");
    rig.run();
    let tally = rig.fib.tally().clone();
    assert_eq!((tally.added, tally.replaced, tally.deleted), (2, 1, 1));
    assert!(tally.failed.is_empty());

    (1..=2).for_each(|n| rig.kernel.fail_op(n, EPERM));
    rig.want("10.244.3.0/26", &["10.1.5.11"]);
    rig.run();
    // It waits to be tried again, and whoever asks hears that it was refused.
    assert!(rig.fib.is_at_rest());
    assert_eq!((rig.fib.refused_now(), rig.fib.tally().added), (1, 2));
    rig.pass(60 * SECOND);
    assert_eq!((rig.fib.refused_now(), rig.fib.tally().added), (0, 3));
    assert_eq!(rig.fib.tally().failed, [(EPERM, 2)].into());
}

#[test]
fn what_others_change_is_repaired_once_it_is_written_again() {
    let mut rig = rig();
    rig.want("10.244.1.0/26", &["10.1.5.11"]);
    rig.run();
    let ours = route("10.244.1.0/26", Some("10.1.5.11"), 1, 12);
    rig.kernel.delete(&ours).unwrap();
    rig.run();
    assert_eq!(rig.fib.tally().repaired, 1);
    // Another program's in its place stays: nothing is repaired before it goes.
    rig.kernel.delete(&ours).unwrap();
    rig.kernel.add(route("10.244.1.0/26", Some("10.1.5.99"), 1, 80)).unwrap();
    rig.run();
    assert_eq!(rig.fib.tally().repaired, 1);
    rig.kernel.delete(&route("10.244.1.0/26", Some("10.1.5.99"), 1, 80)).unwrap();
    rig.pass(60 * SECOND);
    assert_eq!(rig.fib.tally().repaired, 2);
}

#[test]
fn states_are_those_of_the_table() {
    let mut rig = rig();
    rig.kernel.add(route("10.244.2.0/26", Some("10.1.5.99"), 1, 80)).unwrap();
    rig.run();
    for (prefix, hop) in [
        ("10.244.1.0/26", "10.1.5.11"),
        ("10.244.2.0/26", "10.1.5.11"),
        ("10.9.0.0/16", "10.7.7.7"),
    ] {
        rig.want(prefix, &[hop]);
    }
    rig.run();
    let told: Vec<_> =
        rig.fib.entries(None, 9).into_iter().map(|entry| (entry.prefix, entry.state)).collect();
    assert_eq!(rig.fib.states(None, 9), told);
    let state = |n: usize| told[n].1.clone();
    assert_eq!(state(1), EntryState::Wanted(KernelState::Installed));
    assert_eq!(state(2), EntryState::Wanted(KernelState::Occupied(80)));
    assert_eq!(rig.fib.states(Some(net("10.244.1.0/26")), 1), told[2..3]);
}
