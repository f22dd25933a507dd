//! The Fib: the actor that keeps the kernel's table as the Rib wants it.
//!
//! In: [`FibIn`], with the time since an origin of the pump's choice. Out: [`FibOut`]. It holds no
//! channel, reads no clock and spawns nothing; the same inputs give the same outputs.
//!
//! It is level-triggered. What may have changed makes its prefixes *dirty*; whenever nothing is
//! under way, the dirty ones are compared with what the kernel holds and the difference is
//! applied. At most one `Apply` or `Dump` is under way. What comes meanwhile is merged into what
//! follows. News that may be lost, and every failed op, make what the kernel holds unknown: then
//! nothing is written before a dump came. Routes found at the start are a predecessor's: wrong
//! ones whose prefix is wanted are put right at once, unwanted ones stay until `Settled`.
//!
//! After a reload with another protocol or table, routes under the former marks are ours until a
//! dump shows none. One limit: dumps show main and the configured table only, so what somebody
//! else does in a former table of ours beside main, while we leave it, goes unseen.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use crate::echo::{Echo, Echoes};
use crate::learn::{News, World};
use crate::plan::{Batch, Desired, Verdict, plan};
use crate::retry::{Reading, Retry};
use crate::tunnel::{Device, Tunnel};
use crate::types::{
    Dump, FibConfig, FibIn, FibOut, KernelEvent, OpFailure, Report, RouteChange, RouteKey, RouteOp,
};
use crate::want::{Context, Wants, key_of};

/// Ops handed out at once: enough to make the round trip cheap, few enough that memory stays
/// small and that other news is heard between two batches of a full table.
const BATCH: usize = 16 * 1024;

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;

/// What the kernel is doing for us.
#[derive(Debug)]
enum Work {
    Idle,
    Applying(Vec<RouteOp>),
    /// Events that come meanwhile may be older or newer than the answer: they are kept, and
    /// learned again on top of it.
    Dumping(Vec<KernelEvent>),
}

/// See the module.
#[derive(Debug)]
pub struct Fib {
    pub(crate) config: Option<FibConfig>,
    pub(crate) world: World,
    pub(crate) wants: Wants,
    pub(crate) tunnel: Tunnel,
    pub(crate) device: Device,
    pub(crate) retry: Retry,
    work: Work,
    reading: Reading,
    /// What the kernel holds is known: ops may be planned.
    sure: bool,
    dirty: BTreeSet<IpNet>,
    /// Prefixes of the ops under way; whether there is more to do for them afterwards.
    flying: BTreeMap<IpNet, bool>,
    /// Events about them, until it is known what became of the ops.
    deferred: Vec<KernelEvent>,
    echoes: Echoes,
    occupied: BTreeMap<RouteKey, u8>,
    settled: bool,
    to_sweep: bool,
    /// Before `Settled`: prefixes that the Rib itself took back, so no predecessor's.
    withdrawn: BTreeSet<IpNet>,
    /// After it: prefixes of leftovers on their way out, and how many are gone.
    sweeping: BTreeSet<IpNet>,
    swept: usize,
    warned: BTreeSet<IpAddr>,
}

impl Default for Fib {
    fn default() -> Fib {
        Fib::new()
    }
}

impl Fib {
    /// One that knows nothing; tell it `Configure` first.
    pub fn new() -> Fib {
        Fib {
            config: None,
            world: World::default(),
            wants: Wants::default(),
            tunnel: Tunnel::default(),
            device: Device::Pending("not configured yet".to_owned()),
            retry: Retry::default(),
            work: Work::Idle,
            reading: Reading::default(),
            sure: false,
            dirty: BTreeSet::new(),
            flying: BTreeMap::new(),
            deferred: Vec::new(),
            echoes: Echoes::default(),
            occupied: BTreeMap::new(),
            settled: false,
            to_sweep: false,
            withdrawn: BTreeSet::new(),
            sweeping: BTreeSet::new(),
            swept: 0,
            warned: BTreeSet::new(),
        }
    }

    /// Takes one input; appends what is to be done. Inputs before the first `Configure` count
    /// for nothing.
    pub fn handle(&mut self, input: FibIn, now: Duration, out: &mut Vec<FibOut>) {
        match input {
            FibIn::Configure(config) => self.configure(*config, now, out),
            FibIn::Routes(changes) => self.want(changes),
            FibIn::Track(addresses) => {
                for address in addresses {
                    if let Some((wants, context)) = self.wants_and_context() {
                        wants.track(address, context);
                    }
                }
            }
            FibIn::Untrack(addresses) => {
                addresses.into_iter().for_each(|address| self.wants.untrack(address));
            }
            FibIn::Settled => {
                self.settled = true;
                self.withdrawn.clear();
                self.to_sweep = true;
            }
            FibIn::Dumped(dump) => self.dumped(*dump, now, out),
            FibIn::DumpFailed(reason) => {
                tracing::warn!(reason, "the kernel's table could not be read");
                if let Work::Dumping(_) = self.work {
                    self.work = Work::Idle;
                    self.reading.failed(now);
                }
            }
            FibIn::Events(events) => self.events(events, now, out),
            FibIn::Applied(failures) => self.applied(failures, now, out),
            FibIn::TunnelDone(result) => self.tunnel.done(result, out),
            FibIn::Tick => {}
        }
        self.advance(now, out);
    }

    /// When to send `Tick` at the latest; it may change with every `handle`. A tick too many is
    /// harmless.
    pub fn next_deadline(&self) -> Option<Duration> {
        let idle = matches!(self.work, Work::Idle);
        let reading = self.reading.deadline().filter(|_| idle);
        let retry = self.retry.deadline().filter(|_| idle && self.sure);
        [reading, retry, self.tunnel.deadline(&self.world)].into_iter().flatten().min()
    }

    pub(crate) fn context(&self) -> Option<Context<'_>> {
        let config = self.config.as_ref()?;
        Some(Context { world: &self.world, config, device: &self.device })
    }

    pub(crate) fn is_sure(&self) -> bool {
        self.sure
    }

    /// Prefixes on which something is still to be done.
    pub(crate) fn pending(&self) -> usize {
        self.dirty.iter().filter(|prefix| !self.flying.contains_key(prefix)).count()
            + self.flying.len()
    }

    fn wants_and_context(&mut self) -> Option<(&mut Wants, Context<'_>)> {
        let config = self.config.as_ref()?;
        let context = Context { world: &self.world, config, device: &self.device };
        Some((&mut self.wants, context))
    }

    fn configure(&mut self, config: FibConfig, now: Duration, out: &mut Vec<FibOut>) {
        let new_owner = self.world.identify(&config);
        let table = self.config.as_ref().map(|config| config.table);
        if table != Some(config.table) {
            // Never read before: the first configuration, or another table.
            self.sure = false;
            self.reading.soon(now);
        }
        if new_owner {
            self.dirty.extend(self.world.have().prefixes());
        }
        self.config = Some(config);
        self.review_tunnel(true, now, out);
        if let Some((wants, context)) = self.wants_and_context() {
            wants.reclassify(context);
        }
        self.retry.clear();
        self.dirty.extend(self.wants.iter().map(|(prefix, _)| prefix));
        self.warned.clear();
    }

    fn want(&mut self, changes: Vec<RouteChange>) {
        for RouteChange { prefix, target } in changes {
            let prefix = prefix.trunc();
            let gone = target.is_none();
            let Some((wants, context)) = self.wants_and_context() else { return };
            if wants.set(prefix, target, context) || gone {
                self.retry.unblock(prefix);
                self.dirty.insert(prefix);
            }
            if !gone {
                self.withdrawn.remove(&prefix);
                self.sweeping.remove(&prefix);
            } else if !self.settled {
                self.withdrawn.insert(prefix);
            }
        }
    }

    // ---- what the kernel tells ----------------------------------------------------------------

    fn dumped(&mut self, dump: Dump, now: Duration, out: &mut Vec<FibOut>) {
        let Work::Dumping(since) = std::mem::replace(&mut self.work, Work::Idle) else { return };
        let first = !self.world.read;
        let before = self.world.replace(dump);
        let mut news = News::default();
        for event in &since {
            self.world.learn(event, &mut news);
        }
        self.sure = !news.lost;
        if news.lost {
            self.reading.soon(now);
        } else if news.doubt {
            self.reading.eventually(now);
        }
        if self.sure && !news.doubt && self.world.is_former_gone() {
            self.world.forget_former();
        }
        self.review_tunnel(false, now, out);
        self.resolve_all();
        if first {
            let adopted = self.world.have().len();
            if adopted > 0 {
                out.push(FibOut::Report(Report::Adopted(adopted)));
            }
        } else {
            self.find_drift(&before, now, out);
        }
        self.dirty.extend(self.world.have().prefixes());
        self.dirty.extend(self.wants.iter().map(|(prefix, _)| prefix));
        self.wants.tidy();
    }

    /// Routes that were right before a dump and are not in it.
    fn find_drift(&mut self, before: &World, now: Duration, out: &mut Vec<FibOut>) {
        let Some(context) = self.context() else { return };
        let drifted: Vec<IpNet> = self
            .wants
            .iter()
            .map(|(prefix, _)| prefix)
            .filter(|prefix| match self.wants.desired(*prefix, context) {
                Desired::Route(want) => {
                    before.have().holds(&want) && !self.world.have().holds(&want)
                }
                _ => false,
            })
            .collect();
        for prefix in drifted {
            self.drifted(prefix, now, out);
        }
    }

    fn drifted(&mut self, prefix: IpNet, now: Duration, out: &mut Vec<FibOut>) {
        let Some(config) = &self.config else { return };
        let key = key_of(prefix, config);
        let wanted = self.wants.contains(prefix);
        let what = match (self.world.others_at(key).next(), self.world.have().at(key).next()) {
            (Some(other), _) => format!("taken over by protocol {}", other.protocol),
            (None, Some(_)) if !wanted => "added by somebody else".to_owned(),
            (None, Some(ours)) => format!("changed to {}", crate::view::words(&ours, &self.world)),
            (None, None) => "removed".to_owned(),
        };
        self.retry.drifted(prefix, now);
        out.push(FibOut::Report(Report::Drift { prefix, what }));
    }

    fn events(&mut self, events: Vec<KernelEvent>, now: Duration, out: &mut Vec<FibOut>) {
        let mut news = News::default();
        let mut were_right = BTreeSet::new();
        let mut strays = BTreeSet::new();
        for event in events {
            let is_idle = matches!(self.work, Work::Idle);
            match self.echoes.hear(&event, now) {
                Echo::Stale => continue,
                // As confirmed: the common case, and cheap.
                Echo::Last if is_idle && self.world.agrees(&event) => continue,
                Echo::Last | Echo::News => {}
            }
            if let KernelEvent::Route(route) | KernelEvent::RouteGone(route) = &event {
                let prefix = route.key.prefix;
                if self.flying.contains_key(&prefix) {
                    self.deferred.push(event);
                    continue;
                }
                if self.is_right(prefix) {
                    were_right.insert(prefix);
                }
                if self.settled && self.world.is_ours(route) && !self.wants.contains(prefix) {
                    strays.insert(prefix);
                }
            }
            self.world.learn(&event, &mut news);
            if let Work::Dumping(since) = &mut self.work {
                since.push(event);
            }
        }
        self.heed(news, now, out);
        // Judged by what all the events together come to: a route that went with its interface
        // was removed by nobody.
        for prefix in were_right {
            if self.is_amiss(prefix) {
                self.drifted(prefix, now, out);
            }
        }
        for prefix in strays {
            if self.world.have().of(prefix).next().is_some() {
                self.drifted(prefix, now, out);
            }
        }
    }

    /// Whether a wanted prefix should have a route that the kernel does not hold.
    fn is_amiss(&self, prefix: IpNet) -> bool {
        self.context().is_some_and(|context| match self.wants.desired(prefix, context) {
            Desired::Route(want) => !self.world.have().holds(&want),
            _ => false,
        })
    }

    /// Whether the kernel holds what a wanted prefix should have.
    fn is_right(&self, prefix: IpNet) -> bool {
        self.wants.contains(prefix)
            && self.context().is_some_and(|context| match self.wants.desired(prefix, context) {
                Desired::Route(want) => self.world.have().holds(&want),
                _ => false,
            })
    }

    fn heed(&mut self, news: News, now: Duration, out: &mut Vec<FibOut>) {
        if news.lost {
            self.sure = false;
            self.echoes.clear();
            self.reading.soon(now);
        } else if news.doubt {
            self.reading.eventually(now);
        }
        self.dirty.extend(&news.ours);
        for prefix in &news.others {
            if self.wants.contains(*prefix) {
                self.dirty.insert(*prefix);
            }
        }
        if news.interfaces {
            if let Work::Applying(_) = self.work {
                // What is being written may have been flushed again: find out.
                self.sure = false;
                self.reading.soon(now);
            }
            self.review_tunnel(false, now, out);
            self.resolve_all();
        } else {
            let mut concerned = BTreeSet::new();
            if let Some((wants, context)) = self.wants_and_context() {
                for prefix in &news.others {
                    wants.resolve_within(*prefix, context, &mut concerned);
                }
            }
            self.concern(concerned);
        }
    }

    /// Asks everything of every next hop anew.
    fn resolve_all(&mut self) {
        let mut concerned = BTreeSet::new();
        if let Some((wants, context)) = self.wants_and_context() {
            wants.resolve_all(context, &mut concerned);
        }
        self.concern(concerned);
    }

    fn concern(&mut self, mut concerned: BTreeSet<IpNet>) {
        concerned.iter().for_each(|prefix| self.retry.unblock(*prefix));
        self.dirty.append(&mut concerned);
    }

    fn review_tunnel(&mut self, fresh: bool, now: Duration, out: &mut Vec<FibOut>) {
        if let Some(config) = &self.config {
            self.tunnel.review(config, &self.world, fresh, now, out);
            self.device = self.tunnel.device(config, &self.world);
        }
    }

    // ---- what is done about it ----------------------------------------------------------------

    fn applied(&mut self, failures: Vec<OpFailure>, now: Duration, out: &mut Vec<FibOut>) {
        let Work::Applying(ops) = std::mem::replace(&mut self.work, Work::Idle) else { return };
        let mut failed: BTreeMap<IpNet, Vec<OpFailure>> = BTreeMap::new();
        for failure in failures {
            failed.entry(prefix_of(&failure.op)).or_default().push(failure);
        }
        for op in &ops {
            let prefix = prefix_of(op);
            let failure = failed.get(&prefix).and_then(|all| all.iter().find(|f| f.op == *op));
            if let Some(failure) = failure {
                self.refused(prefix, failure, now, out);
                continue;
            }
            match op {
                RouteOp::Add(new) => self.world.wrote(None, Some(new)),
                RouteOp::Replace { old, new } => self.world.wrote(Some(old), Some(new)),
                RouteOp::Delete(old) => self.world.wrote(Some(old), None),
            }
            if let (RouteOp::Delete(_), true) = (op, self.sweeping.remove(&prefix)) {
                self.swept += 1;
            }
        }
        for (prefix, more) in std::mem::take(&mut self.flying) {
            if more || failed.contains_key(&prefix) {
                self.dirty.insert(prefix);
            } else {
                self.retry.settled(prefix);
            }
        }
        let deferred = std::mem::take(&mut self.deferred);
        self.events(deferred, now, out);
    }

    fn refused(
        &mut self,
        prefix: IpNet,
        failure: &OpFailure,
        now: Duration,
        out: &mut Vec<FibOut>,
    ) {
        self.echoes.refused(&failure.op);
        if let (RouteOp::Delete(old), ENOENT | ESRCH) = (&failure.op, failure.errno) {
            self.world.wrote(Some(old), None);
        }
        // What is there was not what we knew of: the dump will tell.
        self.sure = false;
        self.reading.soon(now);
        let is_race = match failure.op {
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
    fn sweep(&mut self) {
        let leftovers: Vec<IpNet> =
            self.world.have().prefixes().filter(|prefix| !self.wants.contains(*prefix)).collect();
        self.dirty.extend(&leftovers);
        self.sweeping = leftovers.into_iter().collect();
    }

    /// Starts whatever can be started.
    fn advance(&mut self, now: Duration, out: &mut Vec<FibOut>) {
        let device = self.device.clone();
        self.review_tunnel(false, now, out);
        if device != self.device {
            self.resolve_all();
        }
        self.tell(out);
        let due = self.retry.due(now);
        self.dirty.extend(due);
        if !matches!(self.work, Work::Idle) {
            return;
        }
        if self.config.is_some() && self.reading.begin(now) {
            self.work = Work::Dumping(Vec::new());
            out.push(FibOut::Dump);
            return;
        }
        if self.sure {
            if std::mem::take(&mut self.to_sweep) {
                self.sweep();
            }
            self.apply(now, out);
            let is_done = self.dirty.is_empty() && self.flying.is_empty();
            if is_done && self.reading.deadline().is_none() && self.world.is_former_gone() {
                self.reading.eventually(now);
            }
        }
        if self.swept > 0 && self.sweeping.is_empty() {
            out.push(FibOut::Report(Report::Swept(std::mem::take(&mut self.swept))));
        }
    }

    /// News for the Rib and for people.
    fn tell(&mut self, out: &mut Vec<FibOut>) {
        if !self.world.read {
            return;
        }
        let costs = self.wants.untold();
        if !costs.is_empty() {
            out.push(FibOut::Nexthops(costs));
        }
        if let Some((wants, context)) = self.wants_and_context() {
            out.extend(wants.health(context).into_iter().map(FibOut::Report));
        }
        let Some(config) = &self.config else { return };
        for own in &config.addresses {
            match self.world.subnet_trouble(*own, config) {
                Some(why) if self.warned.insert(*own) => {
                    out.push(FibOut::Report(Report::Subnet { address: *own, why }));
                }
                Some(_) => {}
                None => {
                    self.warned.remove(own);
                }
            }
        }
    }

    /// Plans what is dirty and hands it out.
    fn apply(&mut self, now: Duration, out: &mut Vec<FibOut>) {
        let mut batch = Batch::default();
        while batch.len() < BATCH {
            let Some(prefix) = self.dirty.pop_first() else { break };
            if self.retry.waits(prefix) {
                continue;
            }
            let before = batch.len();
            let verdict = self.plan(prefix, &mut batch, out);
            if batch.len() > before {
                self.flying.insert(prefix, verdict != Verdict::Ops);
            } else {
                self.retry.settled(prefix);
                self.sweeping.remove(&prefix);
            }
        }
        if batch.is_empty() {
            return;
        }
        let ops = batch.into_ops();
        for op in &ops {
            self.echoes.expect(op, now);
        }
        self.work = Work::Applying(ops.clone());
        out.push(FibOut::Apply(ops));
    }

    fn plan(&mut self, prefix: IpNet, batch: &mut Batch, out: &mut Vec<FibOut>) -> Verdict {
        let Some(context) = self.context() else { return Verdict::Right };
        let wanted = self.wants.contains(prefix);
        let desired = if wanted || self.settled || self.withdrawn.contains(&prefix) {
            self.wants.desired(prefix, context)
        } else {
            // A predecessor's: its peer may announce it yet.
            Desired::Hold
        };
        let key = key_of(prefix, context.config);
        let ours = self.world.have().of(prefix).collect();
        let other = self.world.others_at(key).next();
        let verdict = plan(desired, ours, other, batch);
        let reported = self.occupied.get(&key).copied();
        match verdict {
            Verdict::Occupied(protocol) if reported != Some(protocol) => {
                self.occupied.insert(key, protocol);
                out.push(FibOut::Report(Report::Occupied { key, protocol }));
            }
            Verdict::Occupied(_) => {}
            _ => {
                self.occupied.remove(&key);
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

#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth;
