use std::time::Duration;

use crate::audit::{Audit, Fault};
use crate::mem::Kernel;
use crate::rig::{Rig, config, net, pool, route};
use crate::types::*;

const SECOND: Duration = Duration::from_secs(1);

fn node() -> Kernel {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("net0", None, 1500);
    kernel.address_add(nic, net("10.1.5.10/24"));
    kernel.append(route("0.0.0.0/0", Some("10.1.5.1"), nic, 3)).unwrap();
    kernel
}

/// Three routes in place, nothing to do.
fn calm(audit: Option<Duration>) -> Rig {
    let config = FibConfig {
        audit,
        ..config(&["10.1.5.10"], vec![pool("10.244.0.0/16", Mode::CrossSubnet)])
    };
    let mut rig = Rig::new(node(), config);
    rig.tell(FibIn::Settled);
    for n in 1..=3 {
        rig.want(&format!("10.244.{n}.0/26"), &["10.1.5.11"]);
    }
    rig.pass(2 * SECOND);
    rig.applied.clear();
    rig
}

fn audit(rig: &mut Rig) -> Audit {
    rig.tell(FibIn::Audit);
    rig.pass(10 * SECOND);
    rig.audits.pop().expect("an answer").expect("an audit")
}

fn ours(n: u8) -> KernelRoute {
    route(&format!("10.244.{n}.0/26"), Some("10.1.5.11"), 2, 12)
}

/// What the kernel does is not told.
fn unheard(rig: &mut Rig, deed: impl FnOnce(&mut Kernel)) {
    deed(&mut rig.kernel);
    rig.kernel.take_events();
}

#[test]
fn a_kernel_that_is_right_is_found_right() {
    let mut rig = calm(None);
    let dumps = rig.dumps;
    let found = audit(&mut rig);
    assert!(found.is_clean(), "{found:?}");
    assert_eq!(found.compared, 3);
    assert_eq!((rig.dumps, rig.applied.len(), rig.reports.len()), (dumps, 0, 0));
}

type Deed = fn(&mut Kernel);

#[test]
fn what_no_news_told_is_found_and_put_right() {
    let gone: Deed = |kernel| kernel.delete(&ours(1)).unwrap();
    let bent: Deed = |kernel| {
        kernel.replace(route("10.244.1.0/26", Some("10.1.5.66"), 2, 12)).unwrap();
    };
    let more: Deed = |kernel| {
        let key = RouteKey { metric: 50, ..ours(1).key };
        kernel.append(KernelRoute { key, ..ours(1) }).unwrap();
    };
    let stray: Deed = |kernel| kernel.append(ours(9)).unwrap();
    for (deed, expected, fault) in [
        (gone, (1, 0, 0), Fault::Missing),
        (bent, (0, 1, 0), Fault::Wrong),
        (more, (0, 0, 1), Fault::Extra),
        (stray, (0, 0, 1), Fault::Extra),
    ] {
        let mut rig = calm(None);
        let before = rig.table();
        unheard(&mut rig, deed);
        let found = audit(&mut rig);
        assert_eq!((found.missing, found.wrong, found.extra), expected);
        assert_eq!((found.unheard, found.findings.len()), (1, 1));
        assert_eq!(found.findings[0].fault, fault);
        assert!(
            matches!(rig.reports[0], Report::Unheard { differences: 1, .. }),
            "{:?}",
            rig.reports
        );
        assert_eq!(rig.table(), before);
        assert!(audit(&mut rig).is_clean());
    }
}

#[test]
fn others_routes_and_interfaces_are_compared_too() {
    let mut rig = calm(None);
    unheard(&mut rig, |kernel| {
        kernel.append(route("10.9.0.0/16", Some("10.1.5.9"), 2, 4)).unwrap()
    });
    assert_eq!(audit(&mut rig).unheard, 1);
    unheard(&mut rig, |kernel| {
        kernel.delete(&route("10.9.0.0/16", Some("10.1.5.9"), 2, 4)).unwrap()
    });
    assert_eq!(audit(&mut rig).unheard, 1);
    unheard(&mut rig, |kernel| kernel.link_change(2, |link| link.mtu = 1400));
    assert_eq!(audit(&mut rig).unheard, 1);
    unheard(&mut rig, |kernel| kernel.address_add(2, net("10.7.0.1/32")));
    assert_eq!(audit(&mut rig).unheard, 1);
    assert!(audit(&mut rig).is_clean());
}

#[test]
fn it_repeats_by_itself_and_costs_nothing_in_between() {
    let mut rig = calm(Some(60 * SECOND));
    unheard(&mut rig, |kernel| kernel.delete(&ours(2)).unwrap());
    rig.pass(50 * SECOND);
    assert_eq!(rig.table().len(), 2);
    rig.pass(20 * SECOND);
    assert_eq!(rig.table().len(), 3);
    assert_eq!(rig.audits, [], "nobody asked");
    let unheard = |report: &&Report| matches!(report, Report::Unheard { .. });
    assert_eq!(rig.reports.iter().filter(unheard).count(), 1);
    rig.reports.clear();
    rig.pass(300 * SECOND);
    assert_eq!(rig.reports, []);
}

/// News that is on its way while the table is read is no lie of the kernel.
#[test]
fn news_on_its_way_is_not_held_against_anybody() {
    let mut rig = calm(None);
    rig.tell(FibIn::Audit);
    rig.kernel.delete(&ours(1)).unwrap();
    rig.kernel.append(route("10.9.0.0/16", Some("10.1.5.9"), 2, 4)).unwrap();
    // The reading sees it, the news comes after.
    assert!(rig.serve());
    rig.pass(10 * SECOND);
    let found = rig.audits.pop().unwrap().unwrap();
    assert!(found.is_clean(), "{found:?}");
    assert_eq!(rig.table().len(), 3);
    assert!(!rig.reports.iter().any(|r| matches!(r, Report::Unheard { .. })));
}

/// A reading that began before a change and shows the table as it was then.
#[test]
fn what_changes_while_it_is_read_is_left_out() {
    let mut rig = calm(None);
    let old = rig.kernel.dump().unwrap();
    rig.tell(FibIn::Audit);
    rig.queue.clear();
    rig.want("10.244.4.0/26", &["10.1.5.12"]);
    rig.drop("10.244.1.0/26");
    rig.run();
    rig.tell(FibIn::Part(Box::new(old)));
    rig.tell(FibIn::PartsDone(Ok(())));
    rig.pass(10 * SECOND);
    let found = rig.audits.pop().unwrap().unwrap();
    assert!(found.is_clean(), "{found:?}");
}

#[test]
fn a_reading_that_breaks_off_is_tried_again_and_given_up_in_words() {
    let mut rig = calm(None);
    rig.kernel.fail_dumps(3);
    assert!(audit(&mut rig).is_clean());
    rig.kernel.fail_dumps(100);
    rig.tell(FibIn::Audit);
    rig.pass(20 * SECOND);
    assert_eq!(rig.audits, [Err("dump interrupted".to_owned())]);
}

#[test]
fn a_decoupled_kernel_is_audited_too() {
    let mut rig = calm(None);
    rig.tell(FibIn::Couple(Coupling::Decoupled));
    rig.want("10.244.4.0/26", &["10.1.5.12"]);
    rig.drop("10.244.1.0/26");
    rig.run();
    let found = audit(&mut rig);
    assert_eq!((found.missing, found.extra, found.unheard), (1, 1, 0), "{found:?}");
}

/// A refused route is missing, and that is no news.
#[test]
fn what_is_known_to_be_missing_is_counted_and_not_blamed_on_the_news() {
    let mut rig = calm(None);
    for n in 1..=10 {
        rig.kernel.fail_op(n, 12);
    }
    rig.want("10.244.4.0/26", &["10.1.5.12"]);
    rig.pass(SECOND / 2);
    let found = audit(&mut rig);
    assert_eq!((found.missing, found.unheard), (1, 0), "{found:?}");
}
