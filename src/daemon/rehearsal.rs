//! What a configuration would do on this node, found by a rehearsal: copies of the Rib and of the
//! Fib are told it, answer each other as the originals do, and are compared with what they were.
//!
//! In: a [`Scene`]. Out: a [`Plan`]. Which sessions begin anew, and which of their routes outlive
//! that, is asked of the functions that a reload asks; nothing here knows a rule. A second act ends
//! the sessions that begin anew: what is lost until they are back. What a neighbour will send after
//! that, and what a new one will, is not known: it is taken to be what it sends now, and nothing.

use std::collections::{BTreeMap, VecDeque};

use starling_bgp::msg::{RibIn, RibOut};
use starling_bgp::rib::{Rib, Telling};
use starling_bgp::session::Negotiated;
use starling_bgp::session::negotiate::{self, Effect};
use starling_bgp::session::restart::{Outlives, outlives};
use starling_bgp::types::{PeerId, Time};
use starling_config::{Changes, NodePlan, PeerKey, PeerPlan};
use starling_fib::fib::draft::{Draft, Shifted};
use starling_fib::types::{FibIn, FibOut, PodNews};

use super::bridge;
use super::endpoint::Endpoint;
use crate::api::{Plan, Prefixes, RouteFate, RoutePlan, RouteShift, SessionFate, SessionPlan};

/// So much of each kind is named, unless all is asked for.
const NAMED: usize = 10;
/// Messages that the copies exchange before they are taken to have no end.
const MOST: usize = 100_000;

/// The node as it is, and what it would be.
pub struct Scene {
    /// The time.
    pub now: Time,
    /// A copy of the Rib.
    pub rib: Rib,
    /// A copy of the Fib.
    pub fib: Draft,
    /// What the node does, with neighbours that called or moved.
    pub old: NodePlan,
    /// What it would do, likewise.
    pub new: NodePlan,
    /// The neighbours that it has.
    pub sessions: BTreeMap<PeerKey, Standing>,
}

/// How a neighbour stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Its number.
    pub id: PeerId,
    /// What was agreed, where its session is Established.
    pub negotiated: Option<Negotiated>,
}

impl Scene {
    /// Plays it; `all`: everything is named. Takes as long as the tables are large.
    pub fn play(self, all: bool) -> Plan {
        let named = if all { usize::MAX } else { NAMED };
        let Scene { now, rib: before, fib: was, old, new, sessions } = self;
        let (mut rib, mut fib) = (before.rehearsal(), was.next());
        let id = |peer: &PeerPlan| Some(sessions.get(&peer.key())?.id);
        let mut to_rib = VecDeque::new();
        let configure = FibIn::Configure(Box::new(new.fib.clone()));
        to_rib.extend(fib.take(configure).into_iter().filter_map(for_rib));
        to_rib.push_front(RibIn::Configure(Box::new(new.rib_config(id))));
        settle(now, &mut rib, &mut fib, to_rib);
        let changes = starling_config::diff(&old, &new);
        let ending = ending(&old, &new, &sessions);
        let both = Both { before: &before, after: &rib, changes: &changes, ending: &ending, named };
        let sessions = both.sessions(&old, &new, &sessions);
        let routes = routes(&was, &fib, named);
        let meanwhile = meanwhile(now, &rib, &fib, &ending, named);
        let touched = |session: &SessionPlan| {
            let told = [&session.announced, &session.withdrawn, &session.changed];
            session.becomes != SessionFate::Untouched || told.iter().any(|told| told.count > 0)
        };
        let differs = !changes.is_empty() || routes.shifted() > 0 || sessions.iter().any(touched);
        Plan { ok: true, differs, sessions, routes, meanwhile, ..Plan::default() }
    }
}

/// Has the copies talk until they have nothing more to say.
fn settle(now: Time, rib: &mut Rib, fib: &mut Draft, mut to_rib: VecDeque<RibIn>) {
    let mut out = Vec::new();
    for _ in 0..MOST {
        let Some(input) = to_rib.pop_front() else { break };
        rib.handle(now, input, &mut out);
        let told = out.drain(..).filter_map(for_fib);
        to_rib.extend(told.flat_map(|input| fib.take(input)).filter_map(for_rib));
    }
}

/// The Established sessions that end, by their numbers, and what outlives them; of one that is
/// removed nothing does, and it does not come back.
type Ending = BTreeMap<PeerId, Option<Outlives>>;

fn ending(old: &NodePlan, new: &NodePlan, known: &BTreeMap<PeerKey, Standing>) -> Ending {
    let then: BTreeMap<PeerKey, &PeerPlan> =
        new.peers.iter().map(|peer| (peer.key(), peer)).collect();
    let ends = |old: &PeerPlan| {
        let standing = known.get(&old.key())?;
        let negotiated = standing.negotiated.as_ref()?;
        let Some(new) = then.get(&old.key()) else { return Some((standing.id, None)) };
        let anew = fate(old, new, Some(standing)) == SessionFate::Anew;
        let (config, next) = (old.peer_config(standing.id), new.peer_config(standing.id));
        // Another transport is not what the OPEN says: whom it leads to stays who it is.
        let next = if is_left(old, new) { &config } else { &next };
        anew.then(|| (standing.id, Some(outlives(&config, next, negotiated))))
    };
    old.peers.iter().filter_map(ends).collect()
}

/// What the kernel is told while the sessions that are made anew are away.
fn meanwhile(now: Time, rib: &Rib, fib: &Draft, ending: &Ending, named: usize) -> RoutePlan {
    let down = |(peer, outlives): (&PeerId, &Option<Outlives>)| {
        let retain = outlives.as_ref()?.here;
        Some(RibIn::PeerDown { peer: *peer, retain, silent: false })
    };
    let downs: VecDeque<RibIn> = ending.iter().filter_map(down).collect();
    if downs.is_empty() {
        return RoutePlan::default();
    }
    let (mut gap, mut then) = (rib.rehearsal(), fib.next());
    settle(now, &mut gap, &mut then, downs);
    routes(fib, &then, named)
}

/// What the Rib says to the Fib.
fn for_fib(said: RibOut) -> Option<FibIn> {
    match said {
        RibOut::Fib(batch) => Some(FibIn::Routes(bridge::routes(&batch))),
        RibOut::Track(hops) => Some(FibIn::Track(bridge::next_hops(hops))),
        RibOut::Untrack(hops) => Some(FibIn::Untrack(bridge::next_hops(hops))),
        _ => None,
    }
}

/// And the Fib to the Rib.
fn for_rib(said: FibOut) -> Option<RibIn> {
    match said {
        FibOut::Nexthops(costs) => Some(bridge::costs(costs)),
        FibOut::Pods(PodNews { came, went }) => Some(RibIn::Pods { came, went }),
        _ => None,
    }
}

/// The Rib before and after.
struct Both<'a> {
    before: &'a Rib,
    after: &'a Rib,
    changes: &'a Changes,
    ending: &'a Ending,
    named: usize,
}

impl Both<'_> {
    /// All neighbours, those that were and those that would be.
    fn sessions(
        &self,
        old: &NodePlan,
        new: &NodePlan,
        known: &BTreeMap<PeerKey, Standing>,
    ) -> Vec<SessionPlan> {
        let mut plans: BTreeMap<PeerKey, (Option<&PeerPlan>, Option<&PeerPlan>)> = BTreeMap::new();
        old.peers.iter().for_each(|peer| plans.entry(peer.key()).or_default().0 = Some(peer));
        new.peers.iter().for_each(|peer| plans.entry(peer.key()).or_default().1 = Some(peer));
        let ends: Vec<PeerId> = self.ending.keys().copied().collect();
        let only = self.before.only_from(&ends);
        let only: BTreeMap<PeerId, Vec<ipnet::IpNet>> = ends.into_iter().zip(only).collect();
        let plan = |(key, plans): (&PeerKey, &(Option<&PeerPlan>, Option<&PeerPlan>))| {
            let standing = known.get(key);
            let (becomes, peer) = match *plans {
                (None, None) => return None,
                (None, Some(new)) => (SessionFate::Added, new),
                (Some(old), None) => (SessionFate::Removed, old),
                (Some(old), Some(new)) => (fate(old, new, standing), new),
            };
            let plan = self.session(peer, becomes, standing);
            let id = standing.map(|standing| standing.id);
            let only = id.and_then(|id| only.get(&id)).cloned().unwrap_or_default();
            Some(SessionPlan { only: self.prefixes(only), ..plan })
        };
        plans.iter().filter_map(plan).collect()
    }

    fn session(
        &self,
        peer: &PeerPlan,
        becomes: SessionFate,
        standing: Option<&Standing>,
    ) -> SessionPlan {
        let is_it = |name: &str, address| (name, address) == (peer.name.as_str(), peer.address);
        let mut changed = self.changes.peers_changed.iter();
        let because = changed.find(|change| is_it(&change.peer.name, change.peer.address));
        let because = because.map_or_else(Vec::new, |change| {
            let all = change.session.iter().chain(&change.policy).chain(&change.live);
            all.map(ToString::to_string).collect()
        });
        let id = standing.map(|standing| standing.id);
        let counts = |rib: &Rib| id.map(|id| rib.peer_counts(id)).unwrap_or_default();
        let (before, after) = (counts(self.before), counts(self.after));
        // Who is gone is told nothing, not even that.
        let id = id.filter(|_| becomes != SessionFate::Removed);
        let telling = id.map(|id| self.after.telling(self.before, id)).unwrap_or_default();
        let Telling { announced, withdrawn, changed, again } = telling;
        let sum = |counts: [u32; 2]| counts.iter().map(|count| u64::from(*count)).sum();
        let ending = standing.and_then(|standing| self.ending.get(&standing.id));
        let outlives = ending.copied().flatten();
        let here = outlives.and_then(|outlives| outlives.here);
        SessionPlan {
            name: peer.name.clone(),
            address: peer.address,
            becomes,
            because,
            established: standing.is_some_and(|standing| standing.negotiated.is_some()),
            received: sum(before.received),
            accepted: sum(before.accepted),
            accepted_then: sum(after.accepted),
            announced: self.prefixes(announced),
            withdrawn: self.prefixes(withdrawn),
            changed: self.prefixes(changed),
            again: again as u64,
            only: Prefixes::default(),
            kept_s: here
                .map(|kept| (kept.time + kept.long_lived[0].max(kept.long_lived[1])).as_secs()),
            keeps_s: outlives.and_then(|outlives| outlives.there).map(|time| time.as_secs()),
        }
    }

    fn prefixes(&self, mut all: Vec<ipnet::IpNet>) -> Prefixes {
        let count = all.len() as u64;
        all.truncate(self.named);
        Prefixes { count, first: all }
    }
}

/// What becomes of a session that was and is to be.
fn fate(old: &PeerPlan, new: &PeerPlan, standing: Option<&Standing>) -> SessionFate {
    if old == new {
        return SessionFate::Untouched;
    }
    let id = standing.map_or(PeerId(0), |standing| standing.id);
    let negotiated = standing.and_then(|standing| standing.negotiated.as_ref());
    let refresh = negotiated.map(|negotiated| negotiated.refresh);
    if is_left(old, new) {
        return SessionFate::Anew;
    }
    match negotiate::effect(&old.peer_config(id), &new.peer_config(id), refresh) {
        Effect::Anew => SessionFate::Anew,
        Effect::Refreshed => SessionFate::Refreshed,
        Effect::Stays => SessionFate::Changed,
    }
}

/// Whether another transport makes the session anew, whatever the OPEN says.
fn is_left(old: &PeerPlan, new: &PeerPlan) -> bool {
    Endpoint::of(old).is_left_for(&Endpoint::of(new))
}

fn routes(before: &Draft, after: &Draft, named: usize) -> RoutePlan {
    let mut plan = RoutePlan::default();
    for shift in after.shifts(before) {
        let (count, becomes) = match shift.what {
            Shifted::Added => (&mut plan.added, RouteFate::Added),
            Shifted::Removed => (&mut plan.removed, RouteFate::Removed),
            Shifted::Kind => (&mut plan.kind, RouteFate::Kind),
            Shifted::Encapsulated => (&mut plan.encapsulated, RouteFate::Encapsulated),
            Shifted::InClear => (&mut plan.in_clear, RouteFate::InClear),
            Shifted::Hops => (&mut plan.next_hops, RouteFate::NextHops),
            Shifted::Key => (&mut plan.key, RouteFate::Key),
        };
        *count += 1;
        if *count <= named as u64 {
            let (prefix, from, to) = (shift.prefix, shift.from, shift.to);
            plan.shifts.push(RouteShift { prefix, becomes, from, to });
        }
    }
    let moved = plan.shifted() - plan.added;
    plan.unchanged = (before.len() as u64).saturating_sub(moved);
    plan
}
