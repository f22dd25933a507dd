//! The kernel's side as events: what was written, and what the Fib reports.

use starling_fib::Fib;
use starling_fib::objects::UNMADE;
use starling_fib::types::{Coupling, KernelRoute, OpFailure, Report, RouteOp};

use super::{About, Broadcast};
use crate::api::{EventKind, FibAction, FibEvent, Happening};

impl Broadcast {
    /// Tells what became of a batch of writes.
    pub fn tell_writes(&self, fib: &Fib, ops: &[RouteOp], failures: &[OpFailure]) {
        let words = |route: &KernelRoute| Some(fib.words(route).to_string());
        let make = |op: &RouteOp| {
            let (action, old, new) = match op {
                RouteOp::Add(new) => (FibAction::Added, None, Some(new)),
                RouteOp::Replace { old, new } => (FibAction::Replaced, Some(old), Some(new)),
                RouteOp::Delete(old) => (FibAction::Deleted, Some(old), None),
            };
            // Failures are few, or all are alike.
            let failure = failures.iter().find(|failure| failure.op == *op);
            Some(Happening::Fib(FibEvent {
                action: if failure.is_some() { FibAction::Refused } else { action },
                prefix: Some(prefix(op)),
                old: old.and_then(words),
                new: new.and_then(words),
                text: failure.map(|failure| failure.reason.clone()),
            }))
        };
        self.tell_each(EventKind::Fib, ops, |op| about(Some(prefix(op))), make);
    }

    /// Tells what the Fib reports, but for what [`Broadcast::tell_writes`] has told.
    pub fn tell_report(&self, report: &Report) {
        if !self.is_wanted(EventKind::Fib) {
            return;
        }
        let Some(event) = event(report) else { return };
        self.tell(about(event.prefix), || Happening::Fib(event));
    }
}

fn about(prefix: Option<ipnet::IpNet>) -> About<'static> {
    About { kind: EventKind::Fib, prefix, peer: None }
}

fn prefix(op: &RouteOp) -> ipnet::IpNet {
    let (RouteOp::Add(route) | RouteOp::Replace { new: route, .. } | RouteOp::Delete(route)) = op;
    route.key.prefix
}

fn event(report: &Report) -> Option<FibEvent> {
    let note = FibAction::Note;
    let (action, prefix, text) = match report {
        // What was tried is told already.
        Report::Refused(OpFailure { op: RouteOp::Add(new), reason, .. })
            if new.object == Some(UNMADE) =>
        {
            (FibAction::Refused, Some(new.key.prefix), format!("its nexthop object: {reason}"))
        }
        Report::Refused(_) => return None,
        Report::NoObjects(why) => (note, None, why.clone()),
        Report::ObjectDrift { id, routes, what } => (
            FibAction::Drift,
            None,
            format!("somebody else {what} nexthop object {id}, which {routes} of our routes used"),
        ),
        Report::Disease { prefix, why, .. } => {
            (note, Some(*prefix), format!("pods there may not be reachable: {why}"))
        }
        Report::Cured { next_hop } => {
            (note, None, format!("{next_hop} no longer leans on a gateway that is no BGP peer"))
        }
        Report::Drift { prefix, what } => {
            (FibAction::Drift, Some(*prefix), format!("somebody else changed it: {what}"))
        }
        Report::Rival { example, what, .. } => (FibAction::Rival, Some(*example), what.clone()),
        Report::Occupied { key, protocol } => (
            FibAction::Occupied,
            Some(key.prefix),
            format!("a route of protocol {protocol} sits where ours should be"),
        ),
        Report::Unheard { differences, first, what } => (
            note,
            *first,
            format!("an audit found {differences} other than the kernel's news had said: {what}"),
        ),
        Report::Tunnel(error) => (note, None, format!("no tunnel: {error}")),
        Report::TunnelDrift { device, what } => {
            (FibAction::Drift, None, format!("somebody else changed {device}: {what}"))
        }
        Report::Subnet { why, .. } => (note, None, why.clone()),
        Report::ForwardingOff(sysctl) => {
            (note, None, format!("{sysctl} is off: this node forwards nothing to its pods"))
        }
        Report::Adopted(n) => (note, None, format!("adopted {n} routes of a predecessor")),
        Report::Swept(n) => {
            (note, None, format!("removed {n} routes of a predecessor that nobody announced again"))
        }
        Report::Coupling(coupling) => (note, None, coupled(*coupling).to_owned()),
        Report::Flushed(n) => {
            (note, None, format!("{n} routes of ours were removed, as the operator wanted"))
        }
    };
    Some(FibEvent { action, prefix, old: None, new: None, text: Some(text) })
}

fn coupled(coupling: Coupling) -> &'static str {
    match coupling {
        Coupling::Coupled => "coupled by the operator: the kernel follows",
        Coupling::Decoupled => "decoupled by the operator: the kernel keeps what it has",
        Coupling::Flushed => "the operator has all our routes removed from the kernel",
    }
}
