//! What the kernel tells the Fib: dumps and events, and what they set in motion.
//!
//! In: a dump, events. Out: a [`World`] that is as right as can be known, dirty prefixes, and for
//! people whatever somebody else did to our routes. Deferral and replay keep news in order: events
//! about prefixes that are being written wait for what becomes of the writes, and those that come
//! while a dump is read are learned again on top of it.

use std::collections::BTreeSet;
use std::time::Duration;

use ipnet::IpNet;

use super::{Fib, Work};
use crate::learn::{News, World};
use crate::plan::Desired;
use crate::types::{Address, Dump, FibOut, KernelEvent, Report};
use crate::underlay::host;

impl Fib {
    pub(super) fn dumped(&mut self, dump: Dump, now: Duration, out: &mut Vec<FibOut>) {
        let Work::Dumping(since) = std::mem::replace(&mut self.work, Work::Idle) else { return };
        self.reading.succeeded(now);
        self.auditor.spoil();
        let first = !self.world.read;
        let before = self.world.replace(dump);
        self.objects.tidy = true;
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
        self.tell_of_objects(out);
        self.ways_due = true;
        if let Some(config) = &self.config {
            self.world.remember(config);
        }
        self.review_tunnel(false, now, out);
        self.review_pods();
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
    }

    /// Routes that were right before a dump and are not in it.
    pub(super) fn find_drift(&mut self, before: &World, now: Duration, out: &mut Vec<FibOut>) {
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

    pub(super) fn drifted(&mut self, prefix: IpNet, now: Duration, out: &mut Vec<FibOut>) {
        // What nobody puts back is nobody's trespass.
        let Some(config) = self.config.as_ref().filter(|_| self.is_coupled()) else { return };
        let key = self.wants.key_of(prefix, config);
        let wanted = self.wants.contains(prefix);
        let there = (self.world.others_at(key).next(), self.world.have().at(key).next());
        let who = match &there {
            (Some(other), _) => Some(other.protocol),
            (None, Some(ours)) => Some(ours.protocol),
            (None, None) => None,
        };
        let what = match there {
            (Some(other), _) => format!("taken over by protocol {}", other.protocol),
            (None, Some(_)) if !wanted => "added by somebody else".to_owned(),
            (None, Some(ours)) => {
                format!("changed to {}", crate::view::Words::of(&ours, &self.world))
            }
            (None, None) => "removed".to_owned(),
        };
        self.books.drifted(prefix);
        let repeated = self.retry.drifted(prefix, now);
        let answer = self.rivals.act(who, prefix, repeated, now);
        if let Some(wait) = answer.wait {
            self.retry.delay(prefix, now.saturating_add(wait));
        }
        if answer.line {
            out.push(FibOut::Report(Report::Drift { prefix, what }));
        }
    }

    pub(super) fn events(
        &mut self,
        events: Vec<KernelEvent>,
        now: Duration,
        out: &mut Vec<FibOut>,
    ) {
        let mut news = News::default();
        let mut were_right = BTreeSet::new();
        let mut strays = BTreeSet::new();
        for event in events {
            if let KernelEvent::Unanswered { device, address } = event {
                let concerned = self.ways.behind(address, device);
                out.extend((!concerned.is_empty()).then_some(FibOut::Unanswered(concerned)));
                continue;
            }
            if let KernelEvent::Route(route) | KernelEvent::RouteGone(route) = &event {
                let prefix = route.key.prefix;
                self.touch(prefix);
                if self.flying.contains(prefix) {
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
            if self.object_drift(&event, out) {
                // What is being written may lead through it.
                news.lost |= matches!(self.work, Work::Applying(_));
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
    pub(super) fn is_amiss(&self, prefix: IpNet) -> bool {
        self.context().is_some_and(|context| match self.wants.desired(prefix, context) {
            Desired::Route(want) => !self.world.have().holds(&want),
            _ => false,
        })
    }

    /// Whether the kernel holds what a wanted prefix should have.
    pub(super) fn is_right(&self, prefix: IpNet) -> bool {
        self.wants.contains(prefix)
            && self.context().is_some_and(|context| match self.wants.desired(prefix, context) {
                Desired::Route(want) => self.world.have().holds(&want),
                _ => false,
            })
    }

    pub(super) fn heed(&mut self, news: News, now: Duration, out: &mut Vec<FibOut>) {
        if news.lost {
            self.sure = false;
            self.auditor.spoil();
            self.reading.soon(now);
        } else if news.doubt {
            self.reading.eventually(now);
        }
        let is_wide = self.is_wide(&news);
        self.ways_due |= is_wide || self.ways.concerns(&news, &self.world);
        let News { links, addresses, mut others, ours, .. } = news;
        self.dirty.extend(ours);
        if !links.is_empty() || !addresses.is_empty() {
            self.auditor.spoil();
        }
        if is_wide {
            if let Work::Applying(_) = self.work {
                // What is being written may have been flushed again: find out.
                self.sure = false;
                self.reading.soon(now);
            }
            if let Some(config) = &self.config {
                self.world.remember(config);
            }
            self.review_tunnel(false, now, out);
            self.review_pods();
            self.resolve_all();
        } else {
            others.extend(links.iter().flat_map(|link| self.world.others_out_of(*link)));
            self.review_pods_at(&others);
            let hosts = addresses.iter().map(|address| host(address.address.addr()));
            let mut concerned = BTreeSet::new();
            if let Some((wants, context)) = self.wants_and_context() {
                for prefix in others.iter().copied().chain(hosts) {
                    wants.resolve_within(prefix, context, &mut concerned);
                }
            }
            self.concern(concerned);
        }
        for prefix in &others {
            if self.wants.contains(*prefix) {
                self.dirty.push(*prefix);
            }
        }
    }

    /// Whether news of interfaces and addresses may change the way to any next hop. A pod's
    /// interface comes and goes without: nothing but host routes leads out of it, and it has no
    /// address that matters; then only what lies in those routes is looked at.
    fn is_wide(&self, news: &News) -> bool {
        let Some(config) = &self.config else { return false };
        let is_own = |address: &Address| config.addresses.contains(&address.address.addr());
        let written = |device: u32| match &self.work {
            Work::Applying(writings) => {
                writings.iter().any(|writing| writing.devices.contains(&device))
            }
            Work::Idle | Work::Dumping(_) => false,
        };
        let used = |device: u32| written(device) || self.world.have().uses(device);
        let leads_on = |device: u32| {
            let wide = |prefix: IpNet| prefix.prefix_len() < prefix.max_prefix_len();
            self.world.others_out_of(device).any(wide)
        };
        let link = |device: u32| {
            used(device)
                || leads_on(device)
                || self.wants.nexthops.may_be_on(device)
                || self.world.addresses.on(device).any(is_own)
                || self.world.places.values().any(|place| place.device == device)
        };
        // Ours went with an interface: what is known of it is less than was.
        !news.links.is_empty() && !news.ours.is_empty()
            || news.links.iter().any(|device| link(*device))
            || news.addresses.iter().any(|address| is_own(address) || used(address.device))
    }

    /// Asks everything of every next hop anew.
    pub(super) fn resolve_all(&mut self) {
        let mut concerned = BTreeSet::new();
        if let Some((wants, context)) = self.wants_and_context() {
            wants.resolve_all(context, &mut concerned);
        }
        self.concern(concerned);
    }

    /// Next hops that seemed to be behind a gateway for long enough are.
    pub(super) fn stop_lingering(&mut self, now: Duration) {
        let due = self.wants.nexthops.due(now);
        let mut concerned = BTreeSet::new();
        if let Some((wants, context)) = self.wants_and_context() {
            for next_hop in due {
                wants.resolve_one(next_hop, context, &mut concerned);
            }
        }
        self.concern(concerned);
    }

    pub(super) fn concern(&mut self, concerned: BTreeSet<IpNet>) {
        concerned.iter().for_each(|prefix| self.retry.unblock(*prefix));
        self.dirty.extend(concerned);
    }

    pub(super) fn review_tunnel(&mut self, fresh: bool, now: Duration, out: &mut Vec<FibOut>) {
        if let Some(config) = &self.config {
            let demanded = self.wants.encapsulates();
            if self.is_coupled() {
                self.tunnel.review(config, &self.world, demanded, fresh, now, out);
            }
            self.device = self.tunnel.device(config, &self.world);
        }
    }

    /// Looks for local pods everywhere.
    pub(super) fn review_pods(&mut self) {
        let mut moved = BTreeSet::new();
        if let Some(config) = &self.config {
            self.pods.review_all(&self.world, config, &mut moved);
        }
        self.concern_wanted(moved);
    }

    /// The same where routes changed, or the interface that they lead out of.
    fn review_pods_at(&mut self, changed: &BTreeSet<IpNet>) {
        let mut moved = BTreeSet::new();
        if let Some(config) = &self.config {
            self.pods.review(&self.world, config, changed.iter().copied(), &mut moved);
        }
        self.concern_wanted(moved);
    }

    fn concern_wanted(&mut self, mut moved: BTreeSet<IpNet>) {
        moved.retain(|prefix| self.wants.contains(*prefix));
        self.concern(moved);
    }
}
