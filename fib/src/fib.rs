//! The Fib: the actor that keeps the kernel's table as the Rib wants it.
//!
//! In: [`FibIn`], with the time since an origin of the pump's choice. Out: [`FibOut`]. It holds no
//! channel, reads no clock and spawns nothing; the same inputs give the same outputs.
//!
//! It is level-triggered. What may have changed makes its prefixes *dirty*; whenever nothing is
//! under way, the dirty ones are compared with what the kernel holds and the difference is
//! applied. While one `Apply` is carried out the next is handed out, about other prefixes, so that
//! the kernel never waits; a `Dump` is under way alone. What comes meanwhile is merged into what
//! follows. News that may be lost, and every failed op, make what the kernel holds unknown: then
//! nothing is written before a dump came. Routes found at the start are a predecessor's: wrong
//! ones whose prefix is wanted are put right at once, unwanted ones stay until `Settled`.
//!
//! After a reload with another protocol or table, routes under the former marks are ours until a
//! dump shows none. One limit: dumps show main and the configured table only, so what somebody
//! else does in a former table of ours beside main, while we leave it, goes unseen.

mod audit;
mod coupling;
pub mod draft;
mod hear;
pub mod interfaces;
mod objects;
mod write;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::learn::World;
use crate::nexthops::Context;
use crate::pods::Pods;
use crate::prefixes::{PrefixMap, PrefixQueue};
use crate::retry::{Reading, Retry};
use crate::rivals::{Rival, Rivals};
use crate::tally::{Books, Tally};
use crate::tunnel::{Device, Tunnel};
use crate::types::{
    FibConfig, FibIn, FibOut, Hold, KernelEvent, ObjectOp, Report, RouteChange, RouteKey, RouteOp,
    Target,
};
use crate::want::Wants;
use crate::ways::Ways;

/// What the kernel is doing for us.
#[derive(Debug)]
enum Work {
    Idle,
    /// Never without one.
    Applying(VecDeque<Writing>),
    /// Events that come meanwhile may be older or newer than the answer: they are kept, and
    /// learned again on top of it.
    Dumping(Vec<KernelEvent>),
}

/// So many batches are the kernel's at once: one that it writes, and one that waits for it.
const UNDER_WAY: usize = 2;

/// What is being written: routes, or nexthop objects.
#[derive(Default, Debug)]
struct Writing {
    ops: Arc<Vec<RouteOp>>,
    objects: Arc<Vec<ObjectOp>>,
    /// The interfaces that it leads out of.
    devices: BTreeSet<u32>,
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
    objects: objects::Care,
    couple: coupling::Couple,
    pub(crate) pods: Pods,
    ways: Ways,
    /// Interfaces, addresses or sessions changed since the ways were looked at.
    ways_due: bool,
    work: Work,
    reading: Reading,
    rivals: Rivals,
    books: Books,
    /// The time of the last input.
    now: Duration,
    auditor: audit::Auditor,
    /// What the kernel holds is known: ops may be planned.
    sure: bool,
    dirty: PrefixQueue,
    /// Prefixes of the ops under way; whether there is more to do for them afterwards.
    flying: PrefixMap<bool>,
    /// Events about them, until it is known what became of the ops.
    deferred: Vec<KernelEvent>,
    /// Under which key of a prefix whose route (rtm_protocol) was reported to sit.
    occupied: BTreeMap<IpNet, (RouteKey, u8)>,
    settled: bool,
    to_sweep: bool,
    /// Before `Settled`: prefixes that the Rib itself took back, so no predecessor's.
    withdrawn: PrefixMap<()>,
    /// After it: prefixes of leftovers on their way out, and how many are gone.
    sweeping: PrefixMap<()>,
    swept: usize,
    warned: BTreeSet<IpAddr>,
    /// Pools held as a whole: what the Rib does not want there is wanted as unreachable.
    held: BTreeSet<IpNet>,
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
            objects: objects::Care::default(),
            couple: coupling::Couple::default(),
            pods: Pods::default(),
            ways: Ways::default(),
            ways_due: false,
            work: Work::Idle,
            reading: Reading::default(),
            rivals: Rivals::default(),
            books: Books::default(),
            now: Duration::ZERO,
            auditor: audit::Auditor::default(),
            sure: false,
            dirty: PrefixQueue::default(),
            flying: PrefixMap::default(),
            deferred: Vec::new(),
            occupied: BTreeMap::new(),
            settled: false,
            to_sweep: false,
            withdrawn: PrefixMap::default(),
            sweeping: PrefixMap::default(),
            swept: 0,
            warned: BTreeSet::new(),
            held: BTreeSet::new(),
        }
    }

    /// Takes one input; appends what is to be done. Inputs before the first `Configure` count
    /// for nothing.
    pub fn handle(&mut self, input: FibIn, now: Duration, out: &mut Vec<FibOut>) {
        self.now = now;
        match input {
            FibIn::Configure(config) => self.configure(*config, now, out),
            FibIn::Routes(changes) => self.want(changes),
            FibIn::Track(next_hops) => {
                for next_hop in next_hops {
                    if let Some((wants, context)) = self.wants_and_context() {
                        wants.nexthops.track(next_hop, context);
                    }
                }
            }
            FibIn::Untrack(next_hops) => {
                next_hops.into_iter().for_each(|next_hop| self.wants.nexthops.untrack(next_hop));
            }
            FibIn::Settled => {
                self.settled = true;
                self.objects.tidy = true;
                self.withdrawn = PrefixMap::default();
                self.to_sweep = true;
            }
            FibIn::Couple(coupling) => self.set_coupling(coupling, now, out),
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
            FibIn::ObjectsDone(failures) => self.objects_done(&failures, now, out),
            FibIn::TunnelDone(result) => self.tunnel.done(result, out),
            FibIn::Audit => self.auditor.ask(now),
            FibIn::Part(part) => self.audit_part(&part),
            FibIn::PartsDone(result) => self.audit_read(result, now, out),
            FibIn::Tick => {}
        }
        if let Some(config) = &self.config {
            let news = self.rivals.news(config.protocol, now);
            out.extend(news.into_iter().map(FibOut::Report));
        }
        self.advance(now, out);
        self.audit(now, out);
    }

    /// When to send `Tick` at the latest; it may change with every `handle`. A tick too many is
    /// harmless.
    pub fn next_deadline(&self) -> Option<Duration> {
        let idle = matches!(self.work, Work::Idle);
        let reading = self.reading.deadline().filter(|_| idle);
        let retry = self.retry.deadline().filter(|_| idle && self.sure);
        let tunnel = self.tunnel.deadline(&self.world).filter(|_| self.is_coupled());
        let linger = self.wants.nexthops.deadline();
        [reading, retry, linger, tunnel, self.audit_deadline()].into_iter().flatten().min()
    }

    pub(crate) fn context(&self) -> Option<Context<'_>> {
        let config = self.config.as_ref()?;
        let Fib { world, device, pods, now, .. } = self;
        Some(Context { world, config, device, pods, now: *now })
    }

    /// Who else changes our routes, as of the last input.
    pub fn rivals(&self) -> impl Iterator<Item = Rival> {
        self.rivals.iter(self.now)
    }

    /// Our rtm_protocol, once configured.
    pub fn protocol(&self) -> Option<u8> {
        self.config.as_ref().map(|config| config.protocol)
    }

    /// Whether the kernel's table is known.
    pub fn is_sure(&self) -> bool {
        self.sure
    }

    /// What it has done so far.
    pub fn tally(&self) -> &Tally {
        &self.books.tally
    }

    /// Whether the Rib has said that its start is over.
    pub fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether the kernel was asked for all that is wanted, and has answered. What it refused, and
    /// what waits to be tried again, counts as answered.
    pub fn is_at_rest(&self) -> bool {
        self.sure && self.dirty.is_empty() && self.flying.is_empty()
    }

    /// Prefixes that the kernel would not have when they were written last.
    pub fn refused_now(&self) -> usize {
        self.retry.refused_now()
    }

    /// Prefixes on which something is still to be done.
    pub fn pending(&self) -> usize {
        let waiting = self.dirty.to_vec();
        waiting.iter().filter(|prefix| !self.flying.contains(**prefix)).count() + self.flying.len()
    }

    fn wants_and_context(&mut self) -> Option<(&mut Wants, Context<'_>)> {
        let config = self.config.as_ref()?;
        let Fib { world, device, pods, now, .. } = self;
        Some((&mut self.wants, Context { world, config, device, pods, now: *now }))
    }

    fn configure(&mut self, config: FibConfig, now: Duration, out: &mut Vec<FibOut>) {
        if let Some(old) = &self.config
            && (&old.peers, &old.sessions) != (&config.peers, &config.sessions)
            && *old == with_peers_of(old, &config)
        {
            // Dynamic neighbours come and go: which gateways are BGP peers moves no route.
            self.config = Some(config);
            self.ways_due = true;
            return self.resolve_all();
        }
        self.auditor.configure(config.audit, now);
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
        self.world.remember(&config);
        self.ways_due = true;
        self.config = Some(config);
        self.review_tunnel(true, now, out);
        self.review_pods();
        if let Some((wants, context)) = self.wants_and_context() {
            wants.reclassify(context);
        }
        self.hold_pools();
        self.retry.clear();
        self.dirty.extend(self.wants.iter().map(|(prefix, _)| prefix));
        self.warned.clear();
        self.world.objects.hope();
        self.objects.configured();
    }

    /// Wants each pool as a whole to be unreachable, if so configured and the Rib knows no better.
    fn hold_pools(&mut self) {
        let Some(config) = &self.config else { return };
        let held: BTreeSet<IpNet> = match config.hold {
            Hold::Pools => config.pools.iter().map(|pool| pool.cidr.trunc()).collect(),
            Hold::Nothing | Hold::Destinations => BTreeSet::new(),
        };
        let before = std::mem::replace(&mut self.held, held.clone());
        let no_more = before.difference(&held).map(|pool| (*pool, None));
        let now = held.difference(&before).map(|pool| (*pool, Some(Target::Unreachable)));
        for (pool, target) in no_more.chain(now) {
            let Some((wants, context)) = self.wants_and_context() else { return };
            let known = wants.get(pool);
            if known.is_none() || known == Some(&Target::Unreachable) {
                wants.set(pool, target, context);
                self.withdrawn.insert(pool, ());
                self.dirty.push(pool);
            }
        }
    }

    fn want(&mut self, changes: Vec<RouteChange>) {
        for RouteChange { prefix, target } in changes {
            let prefix = prefix.trunc();
            let target = target.or(self.held.contains(&prefix).then_some(Target::Unreachable));
            self.touch(prefix);
            let gone = target.is_none();
            let Some((wants, context)) = self.wants_and_context() else { return };
            if wants.set(prefix, target, context) || gone {
                self.retry.unblock(prefix);
                self.dirty.push(prefix);
            }
            if !gone {
                self.withdrawn.remove(prefix);
                self.sweeping.remove(prefix);
            } else if !self.settled {
                self.withdrawn.insert(prefix, ());
            }
        }
    }

    /// Starts whatever can be started.
    fn advance(&mut self, now: Duration, out: &mut Vec<FibOut>) {
        let device = self.device.clone();
        self.review_tunnel(false, now, out);
        if device != self.device {
            self.resolve_all();
        }
        self.stop_lingering(now);
        self.tell(out);
        let due = self.retry.due(now);
        self.dirty.extend(due);
        match &self.work {
            Work::Idle => {}
            Work::Applying(writings) => {
                let is_to_read = self.reading.deadline().is_some_and(|due| due <= now);
                if writings.len() < UNDER_WAY && self.sure && self.is_coupled() && !is_to_read {
                    self.apply(out);
                }
                return;
            }
            Work::Dumping(_) => return,
        }
        if self.config.is_some() && self.reading.begin(now) {
            self.work = Work::Dumping(Vec::new());
            out.push(FibOut::Dump);
            return;
        }
        if self.sure {
            if self.is_coupled() {
                if std::mem::take(&mut self.to_sweep) {
                    self.sweep();
                }
                self.apply(out);
            } else {
                self.flush(out);
            }
            self.tidy_objects(out);
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
        let costs = self.wants.nexthops.untold(&self.world);
        if !costs.is_empty() {
            out.push(FibOut::Nexthops(costs));
        }
        out.extend(self.pods.news().map(FibOut::Pods));
        if let Some(config) = self.config.as_ref().filter(|_| std::mem::take(&mut self.ways_due)) {
            let ways = self.ways.review(&self.world, config);
            out.extend((!ways.is_empty()).then_some(FibOut::Ways(ways)));
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
}

/// `new` with the peers of `old`.
fn with_peers_of(old: &FibConfig, new: &FibConfig) -> FibConfig {
    let (peers, sessions) = (old.peers.clone(), old.sessions.clone());
    FibConfig { peers, sessions, ..new.clone() }
}

#[cfg(test)]
mod faults_tests;
#[cfg(test)]
mod objects_tests;
#[cfg(test)]
mod places;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod truth;
