//! Nexthop objects on their way into the kernel and out of it.
//!
//! In: routes to be written that need one, answers, news. Out: `Objects`. An object is made in a
//! step of its own, and no route names it before the kernel has said that it is there: where its
//! number turns out to be somebody else's, a route would lead there. Routes that need it wait until
//! then, as if they were being written. One is removed only when all is calm and no known route or
//! group uses it, because the kernel removes whatever uses it too. What the kernel shows of our
//! table and of main is known; a route in another table that somebody leads through an object of
//! ours is not, and would go with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::write::BATCH;
use super::{Fib, Work, Writing};
use crate::objects::{Place, UNMADE};
use crate::plan::Desired;
use crate::types::{
    Coupling, FibOut, Inside, KernelEvent, KernelRoute, Object, ObjectFailure, ObjectOp, OpFailure,
    Report, RouteKey, RouteOp,
};

const EEXIST: i32 = 17;
const EOPNOTSUPP: i32 = 95;

/// What is to be done about objects.
#[derive(Default, Debug)]
pub(super) struct Care {
    /// To be asked for.
    make: Vec<ObjectOp>,
    /// What shall be written when the object of this number is there. Each prefix is in
    /// [`Fib::flying`] meanwhile.
    waiting: BTreeMap<u32, Vec<KernelRoute>>,
    /// Something may have become unused.
    pub(super) tidy: bool,
    /// It was said that the kernel has none.
    told: bool,
}

impl Care {
    /// The configuration may be another.
    pub(super) fn configured(&mut self) {
        self.tidy = true;
        self.told = false;
    }
}

impl Fib {
    /// What a prefix should have, with the object that is there for it; or, as the error, what it
    /// should have when that is there.
    pub(super) fn with_object(
        &mut self,
        desired: Desired,
        key: RouteKey,
    ) -> Result<Desired, KernelRoute> {
        let Desired::Route(mut want) = desired else { return Ok(desired) };
        // Where somebody else sits nothing is written.
        if want.object != Some(UNMADE) || self.world.others_at(key).next().is_some() {
            return Ok(Desired::Route(want));
        }
        match self.world.objects.have(&want.hops, &mut self.objects.make) {
            Place::There(id) => want.object = Some(id),
            Place::Without => want.object = None,
            Place::Coming(id) => {
                want.object = Some(id);
                return Err(want);
            }
        }
        Ok(Desired::Route(want))
    }

    /// Has a route wait for its object.
    pub(super) fn await_object(&mut self, want: KernelRoute) {
        let Some(object) = want.object else { return };
        self.flying.insert(want.key.prefix, true);
        self.objects.waiting.entry(object).or_default().push(want);
    }

    /// Hands out what is to be made.
    pub(super) fn make_objects(&mut self, out: &mut Vec<FibOut>) {
        let ops = std::mem::take(&mut self.objects.make);
        if !ops.is_empty() {
            self.hand_out_objects(ops, out);
        }
    }

    fn hand_out_objects(&mut self, ops: Vec<ObjectOp>, out: &mut Vec<FibOut>) {
        let device = |op: &ObjectOp| match op.object().inside {
            Inside::Hop(hop) => Some(hop.device),
            Inside::Group(_) | Inside::Other(_) => None,
        };
        let devices: BTreeSet<u32> = ops.iter().filter_map(device).collect();
        let objects = Arc::new(ops);
        self.under_way(Writing { objects: objects.clone(), devices, ..Writing::default() });
        out.push(FibOut::Objects(objects));
    }

    pub(super) fn objects_done(
        &mut self,
        failures: &[ObjectFailure],
        now: Duration,
        out: &mut Vec<FibOut>,
    ) {
        let Work::Applying(writings) = &mut self.work else { return };
        let Some(Writing { objects, .. }) = writings.pop_front() else { return };
        if writings.is_empty() {
            self.work = Work::Idle;
        }
        for op in objects.iter() {
            let failure = failures.iter().find(|failure| failure.op == *op);
            match failure {
                Some(failure) => self.books.tally.failed(failure.errno),
                None => self.books.tally.wrote_object(op),
            }
            match op {
                ObjectOp::Make(object) => self.object_made(object, failure, failures, now, out),
                ObjectOp::Remove(object) => self.world.objects.removed(object.id),
            }
        }
        if !failures.is_empty() {
            // What is there was not what we knew of: the dump will tell.
            self.sure = false;
            self.reading.soon(now);
        }
        let deferred = std::mem::take(&mut self.deferred);
        self.events(deferred, now, out);
    }

    fn object_made(
        &mut self,
        object: &Object,
        failure: Option<&ObjectFailure>,
        all: &[ObjectFailure],
        now: Duration,
        out: &mut Vec<FibOut>,
    ) {
        let never = failure.is_some_and(|failure| failure.errno == EOPNOTSUPP);
        match failure {
            None => self.world.objects.made(object.id),
            Some(_) => self.world.objects.not_made(object.id, never),
        }
        self.objects.tidy = true;
        // Of a group it is the member that has the reason.
        let failure = failure.map(|failure| cause(object, all).unwrap_or(failure));
        for want in self.objects.waiting.remove(&object.id).unwrap_or_default() {
            let prefix = want.key.prefix;
            self.flying.remove(prefix);
            self.dirty.push(prefix);
            let Some(ObjectFailure { errno, reason, .. }) = failure.filter(|_| !never) else {
                continue;
            };
            if self.retry.refused(prefix, *errno, reason, *errno == EEXIST, now) {
                let op = RouteOp::Add(KernelRoute { object: Some(UNMADE), ..want });
                let failure = OpFailure { op, errno: *errno, reason: reason.clone() };
                out.push(FibOut::Report(Report::Refused(failure)));
            }
        }
        if never {
            self.tell_of_objects(out);
        }
    }

    /// Says, once a configuration, that the kernel has none of what is configured.
    pub(super) fn tell_of_objects(&mut self, out: &mut Vec<FibOut>) {
        let wanted = self.config.as_ref().is_some_and(|config| config.nexthop_objects);
        if wanted
            && !self.world.objects.usable()
            && !std::mem::replace(&mut self.objects.told, true)
        {
            let why = "this kernel has no nexthop objects (Linux 5.3 and later has): each route is \
                       written with its own next hops";
            out.push(FibOut::Report(Report::NoObjects(why.to_owned())));
        }
    }

    /// Hands out the removal of objects that nothing uses, when all else is done.
    pub(super) fn tidy_objects(&mut self, out: &mut Vec<FibOut>) {
        let is_calm = match self.coupling() {
            Coupling::Coupled => self.settled && self.dirty.is_empty(),
            Coupling::Decoupled => false,
            Coupling::Flushed => self.flushed().is_some(),
        };
        let is_idle = matches!(self.work, Work::Idle) && self.flying.is_empty();
        if !self.objects.tidy || !is_idle || !is_calm {
            return;
        }
        self.objects.tidy = false;
        let mut unused = self.world.objects.unused(|id| self.world.users_of(id) > 0);
        if unused.is_empty() {
            return;
        }
        self.objects.tidy = unused.len() > BATCH;
        unused.truncate(BATCH);
        self.world.objects.remove(unused.iter().map(|object| object.id));
        self.hand_out_objects(unused.into_iter().map(ObjectOp::Remove).collect(), out);
    }

    /// Says what somebody does to an object that routes of ours use. To be told before the world
    /// learns of it. Whether it is an object of ours that changes.
    pub(super) fn object_drift(&mut self, event: &KernelEvent, out: &mut Vec<FibOut>) -> bool {
        let (id, what, new) = match event {
            KernelEvent::Object(object) => (object.id, "changed", Some(object)),
            KernelEvent::ObjectGone(id) => (*id, "removed", None),
            _ => return false,
        };
        self.objects.tidy = true;
        let known = self.world.objects.get(id).filter(|known| new != Some(known));
        let Some(known) = known else { return false };
        let routes = self.world.have().users_of(id);
        if routes > 0 && self.is_coupled() {
            let what = what.to_owned();
            out.push(FibOut::Report(Report::ObjectDrift { id, routes, what }));
        }
        self.world.objects.is_ours(known)
    }
}

/// Why an object could not be made, if that is one of its members.
fn cause<'a>(object: &Object, all: &'a [ObjectFailure]) -> Option<&'a ObjectFailure> {
    let Inside::Group(members) = &object.inside else { return None };
    all.iter().find(|failure| members.iter().any(|m| m.id == failure.op.object().id))
}
