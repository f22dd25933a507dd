//! The table, and the kernel: what is there, what was written, who else writes.

use nix::errno::Errno;
use prometheus_client::registry::{Registry, Unit};
use starling_bgp::types::Family;

use super::{Counters, Gauges, Pods, Scrape, count, counter, gauge, labels, signed};
use crate::api::KernelState;

/// Failures that are looked for in vain mostly: their series begin with the daemon, so that the first
/// of them is an increase.
const USUAL: [Errno; 6] =
    [Errno::EEXIST, Errno::EINVAL, Errno::ENETUNREACH, Errno::ENOBUFS, Errno::EPERM, Errno::ESRCH];

pub(super) fn describe(scrape: &Scrape, registry: &mut Registry) {
    table(scrape, registry);
    delays(scrape, registry);
    written(scrape, registry);
    others(scrape, registry);
    let entries = Gauges::default();
    for state in KernelState::ALL {
        let there = scrape.fib.get(&state).copied().unwrap_or(0);
        entries.get_or_create(&labels([("state", &state)])).set(signed(there));
    }
    registry.register("fib_routes", "Destinations by their state in the kernel", entries);
    let help = "Destinations that wait to be written";
    registry.register("fib_pending", help, gauge(count(scrape.pending)));
    let reasons = &scrape.summary.ready.reasons;
    let follows = !reasons.iter().any(|reason| reason.code == "decoupled");
    let help = "0 while the operator has decoupled the kernel (bgpctl fib decouple, flush)";
    registry.register("fib_coupled", help, gauge(u64::from(follows)));
    let Pods { known, announced } = scrape.pods;
    let help = "Pods that have a route on this node";
    registry.register("local_pods", help, gauge(count(known)));
    let help = "Pods of this node that neighbours are told of, beside their block";
    registry.register("local_pods_announced", help, gauge(count(announced)));
}

fn table(scrape: &Scrape, registry: &mut Registry) {
    let rib = &scrape.rib;
    let (destinations, paths) = (Gauges::default(), Gauges::default());
    for (at, family) in Family::ALL.into_iter().enumerate() {
        let labels = labels([("family", &family)]);
        let of = |both: &[u64; 2]| both.get(at).copied().unwrap_or(0);
        destinations.get_or_create(&labels).set(signed(of(&rib.destinations)));
        paths.get_or_create(&labels).set(signed(of(&rib.paths)));
    }
    registry.register("rib_destinations", "Destinations that there is a path to", destinations);
    registry.register("rib_paths", "Paths to them, our own and what is filtered included", paths);
    let help = "Different sets of path attributes";
    registry.register("rib_attribute_sets", help, gauge(rib.attribute_sets));
    let help = "Groups of neighbours that are told the same";
    registry.register("rib_update_groups", help, gauge(rib.groups));
}

fn delays(scrape: &Scrape, registry: &mut Registry) {
    let help = "The work of deciding about what was read at once from a neighbour";
    let decision = scrape.delays.decision.clone();
    registry.register_with_unit("decision", help, Unit::Seconds, decision);
    // One by one, for a family makes its own histograms.
    for (name, help, histogram) in [
        (
            "convergence_kernel",
            "From the reading of an UPDATE until the kernel has answered the last write",
            &scrape.delays.kernel,
        ),
        (
            "convergence_neighbors",
            "From the reading of an UPDATE until a neighbour's socket has all that follows from it",
            &scrape.delays.neighbours,
        ),
    ] {
        registry.register_with_unit(name, help, Unit::Seconds, histogram.clone());
    }
}

fn written(scrape: &Scrape, registry: &mut Registry) {
    let written = &scrape.written;
    let writes = Counters::default();
    for (operation, times) in [
        ("add", written.added),
        ("replace", written.replaced),
        ("delete", written.deleted),
        ("object_add", written.objects_made),
        ("object_delete", written.objects_removed),
    ] {
        writes.get_or_create(&labels([("operation", &operation)])).inc_by(times);
    }
    registry.register("fib_writes", "Routes and nexthop objects written to the kernel", writes);
    let errors = Counters::default();
    let usual = USUAL.iter().map(|errno| (*errno, 0));
    let all = written.failed.iter().map(|(errno, times)| (Errno::from_raw(*errno), *times));
    for (errno, times) in usual.chain(all) {
        // A closed set: numbers that Linux does not have are one.
        let name = format!("{errno:?}");
        errors.get_or_create(&labels([("errno", &name)])).inc_by(times);
    }
    let help = "Writes that the kernel refused, by errno; most are tried again";
    registry.register("fib_errors", help, errors);
}

fn others(scrape: &Scrape, registry: &mut Registry) {
    let rivals = Counters::default();
    for rival in &scrape.summary.rivals {
        let protocol = rival.protocol.map_or("unknown".to_owned(), |p| p.to_string());
        rivals.get_or_create(&labels([("protocol", &protocol)])).inc_by(rival.total);
    }
    let help = "Routes of ours that somebody else changed, by the rtm_protocol of what was \
                there then (unknown: nothing)";
    registry.register("fib_routes_changed_by_others", help, rivals);
    let help = "Of those, what has been put right";
    registry.register("fib_drift_repaired", help, counter(scrape.written.repaired));
    let help = "Comparisons of the kernel's whole table with what its news had told";
    registry.register("fib_audits", help, counter(scrape.written.audits));
    let help = "What those found that no news had told";
    registry.register("fib_audit_differences", help, counter(scrape.written.unheard));
}
