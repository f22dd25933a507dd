//! What the Fib has written to the kernel: planning a batch, and what became of it.
//!
//! In: dirty prefixes, and the answer to an `Apply`. Out: an `Apply`, and while that is carried out
//! one more, about other prefixes. Of an op
//! that failed only the dump that follows knows what it left; the others count as done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::{Fib, Work, Writing};
use crate::plan::{Batch, Desired, Verdict, plan};
use crate::prefixes::PrefixMap;
use crate::types::{FibOut, KernelRoute, OpFailure, Report, RouteOp};
use crate::want::key_of;

/// Ops handed out at once: enough to make the round trip cheap, few enough that memory stays
/// small and that other news is heard between two batches of a full table.
pub(super) const BATCH: usize = 4 * 1024;

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;

impl Fib {
    pub(super) fn applied(
        &mut self,
        failures: Vec<OpFailure>,
        now: Duration,
        out: &mut Vec<FibOut>,
    ) {
        let Work::Applying(writings) = &mut self.work else { return };
        let Some(Writing { ops, .. }) = writings.pop_front() else { return };
        if writings.is_empty() {
            self.work = Work::Idle;
        }
        let mut failed: BTreeMap<IpNet, Vec<OpFailure>> = BTreeMap::new();
        for failure in failures {
            self.books.tally.failed(failure.errno);
            failed.entry(prefix_of(&failure.op)).or_default().push(failure);
        }
        for op in ops.iter() {
            let prefix = prefix_of(op);
            let failure = failed.get(&prefix).and_then(|all| all.iter().find(|f| f.op == *op));
            if let Some(failure) = failure {
                self.refused(prefix, failure, now, out);
                continue;
            }
            self.books.tally.wrote(op);
            if let RouteOp::Replace { old, .. } | RouteOp::Delete(old) = op {
                self.objects.tidy |= old.object.is_some();
            }
            match op {
                RouteOp::Add(new) => self.world.wrote(None, Some(new)),
                RouteOp::Replace { old, new } => self.world.wrote(Some(old), Some(new)),
                RouteOp::Delete(old) => {
                    self.removed(prefix);
                    self.world.wrote(Some(old), None);
                }
            }
            if let (RouteOp::Delete(_), true) = (op, self.sweeping.remove(prefix).is_some()) {
                self.swept += 1;
            }
        }
        for prefix in ops.iter().map(prefix_of) {
            // Of several ops for one prefix the first speaks for all.
            let Some(more) = self.flying.remove(prefix) else { continue };
            if more || failed.contains_key(&prefix) {
                self.dirty.push(prefix);
            } else {
                self.retry.settled(prefix);
                self.books.right(prefix, true);
            }
        }
        let deferred = std::mem::take(&mut self.deferred);
        self.events(deferred, now, out);
    }

    pub(super) fn refused(
        &mut self,
        prefix: IpNet,
        failure: &OpFailure,
        now: Duration,
        out: &mut Vec<FibOut>,
    ) {
        if let (RouteOp::Delete(old), ENOENT | ESRCH) = (&failure.op, failure.errno) {
            self.world.wrote(Some(old), None);
        }
        // What is there was not what we knew of: the dump will tell.
        self.sure = false;
        self.reading.soon(now);
        let is_race = match &failure.op {
            // Its object was removed a moment ago.
            RouteOp::Add(new) | RouteOp::Replace { new, .. }
                if new.object.is_some() && failure.errno == EINVAL =>
            {
                true
            }
            RouteOp::Add(_) => failure.errno == EEXIST,
            RouteOp::Replace { .. } | RouteOp::Delete(_) => {
                matches!(failure.errno, ENOENT | ESRCH | EEXIST)
            }
        };
        if self.retry.refused(prefix, failure.errno, &failure.reason, is_race, now) {
            out.push(FibOut::Report(Report::Refused(failure.clone())));
        }
    }

    /// Unwanted routes of ours are nobody's any more.
    pub(super) fn sweep(&mut self) {
        let leftovers: Vec<IpNet> =
            self.world.have().prefixes().filter(|prefix| !self.wants.contains(*prefix)).collect();
        self.dirty.extend(leftovers.iter().copied());
        self.sweeping = PrefixMap::default();
        for prefix in leftovers {
            self.sweeping.insert(prefix, ());
        }
    }

    /// Plans what is dirty and hands it out, the last prefix first: the kernel's IPv4 trie looks for
    /// what is left below a node from its low end, so that removing a million routes from that end
    /// takes it minutes (`update_suffix`), and from the other seconds.
    pub(super) fn apply(&mut self, out: &mut Vec<FibOut>) {
        let mut batch = Batch::default();
        let mut waiting = 0;
        while batch.len().max(waiting) < BATCH {
            let Some(prefix) = self.dirty.pop_last() else { break };
            if self.retry.waits(prefix) {
                continue;
            }
            if let Some(more) = self.flying.get_mut(prefix) {
                *more = true;
                continue;
            }
            let before = batch.len();
            let verdict = self.plan(prefix, &mut batch, out);
            if verdict == Verdict::Waits {
                waiting += 1;
            } else if batch.len() > before {
                self.touch(prefix);
                self.flying.insert(prefix, verdict != Verdict::Ops);
            } else {
                self.retry.settled(prefix);
                if verdict == Verdict::Right {
                    self.books.right(prefix, false);
                }
                self.sweeping.remove(prefix);
            }
        }
        self.make_objects(out);
        if !batch.is_empty() {
            self.hand_out(batch, out);
        }
    }

    /// Asks the kernel for a batch that is not empty.
    pub(super) fn hand_out(&mut self, batch: Batch, out: &mut Vec<FibOut>) {
        let ops = Arc::new(batch.into_ops());
        let written = ops.iter().filter_map(|op| match op {
            RouteOp::Add(new) | RouteOp::Replace { new, .. } => Some(&new.hops),
            RouteOp::Delete(_) => None,
        });
        let mut devices = BTreeSet::new();
        let mut last = 0;
        for hop in written.flatten() {
            if hop.device != last {
                last = hop.device;
                devices.insert(last);
            }
        }
        self.under_way(Writing { ops: ops.clone(), devices, ..Writing::default() });
        out.push(FibOut::Apply(ops));
    }

    pub(super) fn under_way(&mut self, writing: Writing) {
        match &mut self.work {
            Work::Applying(writings) => writings.push_back(writing),
            Work::Idle | Work::Dumping(_) => self.work = Work::Applying([writing].into()),
        }
    }

    pub(super) fn plan(
        &mut self,
        prefix: IpNet,
        batch: &mut Batch,
        out: &mut Vec<FibOut>,
    ) -> Verdict {
        let Some(context) = self.context() else { return Verdict::Right };
        let target = self.wants.get(prefix);
        let wanted = target.is_some();
        let desired = if wanted || self.settled || self.withdrawn.contains(prefix) {
            self.wants.desired_of(prefix, target, context)
        } else {
            // A predecessor's: its peer may announce it yet.
            Desired::Hold
        };
        let ours: Vec<KernelRoute> = self.world.have().of(prefix).collect();
        let desired = match desired {
            Desired::Hold if wanted && ours.is_empty() => {
                self.wants.meanwhile(prefix, context.config).map_or(Desired::Hold, Desired::Route)
            }
            other => other,
        };
        let key = key_of(prefix, target, context.config);
        let desired = match self.with_object(desired, key) {
            Ok(desired) => desired,
            Err(coming) => {
                self.await_object(coming);
                return Verdict::Waits;
            }
        };
        let other = self.world.others_at(key).next();
        let verdict = plan(desired, ours, other, batch);
        let reported = self.occupied.get(&prefix).copied();
        match verdict {
            Verdict::Occupied(protocol) if reported != Some((key, protocol)) => {
                self.occupied.insert(prefix, (key, protocol));
                if !self.rivals.is_known(Some(protocol), self.now) {
                    out.push(FibOut::Report(Report::Occupied { key, protocol }));
                }
            }
            Verdict::Occupied(_) => {}
            _ => {
                self.occupied.remove(&prefix);
            }
        }
        verdict
    }
}

/// The destination that an op is about.
fn prefix_of(op: &RouteOp) -> IpNet {
    match op {
        RouteOp::Add(route) | RouteOp::Replace { new: route, .. } | RouteOp::Delete(route) => {
            route.key.prefix
        }
    }
}
