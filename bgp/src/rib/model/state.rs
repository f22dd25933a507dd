//! The whole state as maps, and what messages do to it: nothing here decides.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::Key;
use super::acts::{Answer, Mark, Wisher};
use crate::attrs::AttrSet;
use crate::msg::{LimitAction, PeerPolicy, PeerUp, PrefixLimit, RibConfig};
use crate::session::Retain;
use crate::types::{Families, Family, PeerId, Time, family_of};
use crate::wire::community::Community;

pub(super) struct Model {
    pub(super) now: Time,
    pub(super) config: RibConfig,
    pub(super) up: BTreeMap<PeerId, PeerUp>,
    /// Sessions that ended, whose routes are kept.
    pub(super) away: BTreeMap<PeerId, PeerUp>,
    pub(super) routes: BTreeMap<Key, Held>,
    pub(super) waits: BTreeMap<(PeerId, Family), Wait>,
    /// By the operator.
    pub(super) drained: BTreeSet<PeerId>,
    pub(super) wishes: BTreeMap<Wisher, BTreeSet<IpNet>>,
    pub(super) answers: BTreeMap<IpAddr, Answer>,
    /// Who was said to be over its limit, and is not far below it again.
    alarmed: BTreeSet<(PeerId, Family)>,
    /// Everybody who ever was, and over which limit.
    pub(super) alarms: Vec<(u32, u32)>,
}

/// A route as it came.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) attrs: AttrSet,
    pub(super) stale: bool,
    /// The limit keeps it out.
    pub(super) over: bool,
}

/// Why routes of a neighbour's family may be stale, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wait {
    /// The last time that nobody waited.
    since: Time,
    pub(super) until: Time,
    pub(super) stage: Stage,
    pub(super) long_lived: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// For the session; and then for so long.
    Session(Duration),
    EndOfRib,
    Refresh,
}

impl Model {
    pub(super) fn new(config: RibConfig) -> Model {
        Model {
            now: Time::ZERO,
            config,
            up: BTreeMap::new(),
            away: BTreeMap::new(),
            routes: BTreeMap::new(),
            waits: BTreeMap::new(),
            drained: BTreeSet::new(),
            wishes: BTreeMap::new(),
            answers: BTreeMap::new(),
            alarmed: BTreeSet::new(),
            alarms: Vec::new(),
        }
    }

    pub(super) fn policy(&self, peer: PeerId) -> Option<&PeerPolicy> {
        self.config.peers.iter().find(|(id, _)| *id == peer).map(|(_, p)| p)
    }

    /// The session that routes of a neighbour came over.
    pub(super) fn session(&self, peer: PeerId) -> Option<&PeerUp> {
        self.up.get(&peer).or_else(|| self.away.get(&peer))
    }

    pub(super) fn of(&self, peer: PeerId, family: Family) -> impl Iterator<Item = (&Key, &Held)> {
        self.routes.iter().filter(move |(key, _)| is_of(key, peer, family))
    }

    /// The limit that keeps routes out, if there is one.
    pub(super) fn cap(&self, peer: PeerId, family: Family) -> Option<u32> {
        let limit = self.limit(peer, family)?;
        (limit.action != LimitAction::Warn).then_some(limit.max)
    }

    fn limit(&self, peer: PeerId, family: Family) -> Option<PrefixLimit> {
        self.policy(peer)?.limits[usize::from(family == Family::Ipv6)]
    }

    // ---- sessions ----

    pub(super) fn peer_up(&mut self, up: PeerUp) {
        let peer = up.peer;
        let same = self.away.get(&peer).is_some_and(|old| {
            (old.kind, old.negotiated.asn, old.negotiated.router_id)
                == (up.kind, up.negotiated.asn, up.negotiated.router_id)
        });
        for family in Family::ALL {
            let graceful = up.negotiated.graceful.unwrap();
            if !same || !graceful.preserved.contains(family) {
                self.sweep(peer, family);
            } else if let Some(wait) = self.waits.get_mut(&(peer, family)) {
                wait.until = self.now.after(graceful.time.max(Duration::from_secs(180)));
                wait.stage = Stage::EndOfRib;
            }
        }
        self.away.remove(&peer);
        self.alarmed.retain(|(id, _)| *id != peer);
        self.up.insert(peer, up);
    }

    pub(super) fn peer_down(&mut self, peer: PeerId, retain: Option<Retain>) {
        let was_up = self.up.remove(&peer).map(|session| self.away.insert(peer, session)).is_some();
        let retain = retain.filter(|_| self.policy(peer).is_some());
        for family in Family::ALL {
            let families = retain.map_or(Families::NONE, |retain| retain.families);
            if !families.contains(family) {
                self.routes.retain(|key, _| !is_of(key, peer, family));
                self.waits.remove(&(peer, family));
                continue;
            }
            if !was_up {
                continue;
            }
            let had = self.waits.remove(&(peer, family)).filter(|w| w.stage == Stage::EndOfRib);
            self.mark_stale(peer, family);
            let retain = retain.unwrap();
            let since = had.map_or(self.now, |wait| wait.since);
            let until = self.now.after(retain.time).min(since.after(retain.time * 4));
            let until = until.max(self.now);
            let stage = Stage::Session(retain.long_lived[usize::from(family == Family::Ipv6)]);
            let wait = Wait { since, until, stage, long_lived: false };
            self.waits.insert((peer, family), wait);
        }
        self.part();
    }

    /// Who is away and has left nothing is gone.
    fn part(&mut self) {
        let Model { routes, away, waits, .. } = self;
        away.retain(|peer, _| routes.keys().any(|(_, from, _)| from == peer));
        waits.retain(|(peer, _), _| away.contains_key(peer) || self.up.contains_key(peer));
        let configured: Vec<PeerId> = self.config.peers.iter().map(|(id, _)| *id).collect();
        self.drained.retain(|peer| {
            configured.contains(peer) || self.up.contains_key(peer) || self.away.contains_key(peer)
        });
    }

    fn mark_stale(&mut self, peer: PeerId, family: Family) {
        let all = self.routes.iter_mut().filter(|(key, _)| is_of(key, peer, family));
        all.for_each(|(_, held)| held.stale = true);
    }

    fn sweep(&mut self, peer: PeerId, family: Family) {
        self.routes.retain(|key, held| !is_of(key, peer, family) || !held.stale);
        self.waits.remove(&(peer, family));
    }

    pub(super) fn mark(&mut self, peer: PeerId, family: Family, mark: Mark) {
        if !self.up.contains_key(&peer) {
            return;
        }
        let stage = self.waits.get(&(peer, family)).map(|wait| wait.stage);
        match (mark, stage) {
            (Mark::EndOfRib, Some(Stage::EndOfRib)) | (Mark::RefreshEnds, Some(Stage::Refresh)) => {
                self.sweep(peer, family);
            }
            (Mark::RefreshBegins, None | Some(Stage::Refresh)) => {
                self.mark_stale(peer, family);
                let until = self.now.after(Duration::from_secs(300));
                let wait =
                    Wait { since: self.now, until, stage: Stage::Refresh, long_lived: false };
                self.waits.insert((peer, family), wait);
            }
            _ => {}
        }
        self.mind_limits(peer);
    }

    /// Ends what ends now.
    pub(super) fn expire(&mut self) {
        let due = |wait: &Wait| wait.until <= self.now;
        let due: Vec<_> =
            self.waits.iter().filter(|(_, w)| due(w)).map(|(at, w)| (*at, *w)).collect();
        for ((peer, family), wait) in due {
            match wait.stage {
                Stage::Session(time) if !wait.long_lived && !time.is_zero() => {
                    let no = |held: &Held| {
                        held.attrs.communities().iter().any(|c| c == Community::NO_LLGR)
                    };
                    self.routes.retain(|key, held| !is_of(key, peer, family) || !no(held));
                    let until = self.now.after(time);
                    self.waits.insert((peer, family), Wait { until, long_lived: true, ..wait });
                }
                _ => self.sweep(peer, family),
            }
            self.mind_limits(peer);
        }
        self.part();
    }

    // ---- routes ----

    pub(super) fn announce(&mut self, key: Key, attrs: AttrSet) {
        if self.up.contains_key(&key.1) {
            // Whether there is room for a new one is seen after the fact.
            let over = self.routes.get(&key).is_none_or(|held| held.over);
            self.routes.insert(key, Held { attrs, stale: false, over });
            self.mind_limits(key.1);
        }
    }

    pub(super) fn withdraw(&mut self, key: Key) {
        if self.up.contains_key(&key.1) {
            self.routes.remove(&key);
            self.mind_limits(key.1);
        }
    }

    /// Says once that somebody sends too much.
    fn mind_limits(&mut self, peer: PeerId) {
        for family in Family::ALL {
            let Some(limit) = self.limit(peer, family) else { continue };
            let received = self.of(peer, family).count() as u32;
            if received > limit.max && self.alarmed.insert((peer, family)) {
                self.alarms.push((peer.0, limit.max));
            } else if received <= limit.max - limit.max / 10 {
                self.alarmed.remove(&(peer, family));
            }
        }
    }

    // ---- configuration ----

    pub(super) fn configure(&mut self, config: RibConfig) {
        let old = std::mem::replace(&mut self.config, config);
        let judged = |policy: &PeerPolicy| {
            let rules = policy.import_rules.clone();
            (policy.import.clone(), rules, policy.limits, policy.drain)
        };
        for id in super::PEERS.map(PeerId) {
            let was = old.peers.iter().find(|(peer, _)| *peer == id).map(|(_, p)| judged(p));
            let is = self.policy(id).map(judged);
            if is.is_none() && self.away.contains_key(&id) {
                Family::ALL.into_iter().for_each(|family| self.sweep(id, family));
            }
            if was != is && self.routes.keys().any(|(_, from, _)| *from == id) {
                self.mind_limits(id);
            }
        }
        self.part();
    }

    pub(super) fn drain(&mut self, peer: PeerId, on: bool) {
        match on {
            true => self.drained.insert(peer),
            false => self.drained.remove(&peer),
        };
        self.part();
    }

    // ---- next hops ----

    /// What is no longer tracked is forgotten.
    pub(super) fn forget(&mut self) {
        let tracked = self.tracked();
        self.answers.retain(|hop, _| tracked.contains(hop));
    }
}

pub(super) fn is_of(key: &Key, peer: PeerId, family: Family) -> bool {
    key.1 == peer && family_of(key.0.addr()) == family
}
