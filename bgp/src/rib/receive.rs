//! Routes in: batches of neighbours, and what we originate.
//!
//! Each is judged (`import`) and taken in (`intake`); nothing here decides. There is no Adj-RIB-In
//! beside the table: a filtered path lies in its destination, marked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::Arc;

use super::import::{Judge, Ready};
use super::intake::{Intake, Route};
use super::nexthop::{HopId, Nexthops};
use super::peers::Peers;
use crate::attrs::{AttrId, AttrSet};
use crate::msg::{Carried, LimitAction, Op, PrefixLimit, RouteBatch};
use crate::policy::Changes;
use crate::table::{Ahead, Keyed, Sets, SourceId, Sources, Spot, Tables, Verdict, slot_of};
use crate::types::{Asn, Family, Time};

/// Seconds for [`crate::table::Path::since`].
pub(crate) fn seconds(now: Time) -> u32 {
    u32::try_from(now.0 / 1_000_000).unwrap_or(u32::MAX)
}

/// How many prefixes may be in use under a limit.
pub(crate) fn max(limit: Option<PrefixLimit>) -> u32 {
    match limit {
        Some(PrefixLimit { max, action: LimitAction::Drop | LimitAction::Close { .. } }) => max,
        Some(PrefixLimit { action: LimitAction::Warn, .. }) | None => u32::MAX,
    }
}

/// What a batch says beside routes: the neighbour begins or ends to say everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Marker {
    EndOfRib,
    RefreshBegins,
    RefreshEnds,
}

/// What of a batch is done.
pub(crate) enum Progress {
    /// All.
    Done,
    /// What is in front of this marker; it goes on behind it, with the op of that number.
    At(Family, Marker, usize),
}

/// A neighbour's batch from its op `from` on, up to the next marker; `ids` are its interned sets.
pub(crate) fn batch(
    now: Time,
    batch: &RouteBatch,
    ids: &[AttrId],
    from: usize,
    tables: &mut Tables,
    peers: &mut Peers,
    shared: (&mut Sets, &mut Nexthops, &mut Sources),
) -> Progress {
    let (sets, nexthops, sources) = shared;
    let Some(peer) = peers.get_mut(batch.peer) else { return Progress::Done };
    let mut counts = peer.counts;
    let mut intake = Intake { counts: &mut counts, sets, nexthops, sources };
    let mut progress = Progress::Done;
    let (mut v4, mut v6) = (Ahead::of(&batch.v4), Ahead::of(&batch.v6));
    if let Some(judge) = peer.judge() {
        for (op, at) in batch.ops.iter().skip(from).zip(from + 1..) {
            let range = |start: u32, end: u32| start as usize..end as usize;
            match *op {
                Op::Announce { family, attrs, start, end } => {
                    let Some(attr) = ids.get(attrs as usize).copied() else { continue };
                    let max = max(peer.limit(slot_of(family)));
                    let run = Run { attr, range: range(start, end), since: seconds(now), max };
                    let intake = &mut intake;
                    match family {
                        Family::Ipv4 => announce(batch, run, &mut v4, tables, &judge, intake),
                        Family::Ipv6 => announce(batch, run, &mut v6, tables, &judge, intake),
                    }
                }
                Op::Withdraw { family, start, end } => {
                    let range = range(start, end);
                    match family {
                        Family::Ipv4 => withdraw(batch, range, &mut v4, tables, &mut intake),
                        Family::Ipv6 => withdraw(batch, range, &mut v6, tables, &mut intake),
                    }
                }
                Op::EndOfRib(family) => progress = Progress::At(family, Marker::EndOfRib, at),
                Op::RefreshBegins(family) => {
                    progress = Progress::At(family, Marker::RefreshBegins, at);
                }
                Op::RefreshEnds(family) => progress = Progress::At(family, Marker::RefreshEnds, at),
            }
            if matches!(progress, Progress::At(..)) {
                break;
            }
        }
    }
    peer.counts = counts;
    progress
}

/// Prefixes of a batch that share attributes.
struct Run {
    attr: AttrId,
    range: Range<usize>,
    since: u32,
    /// How many prefixes the neighbour may send.
    max: u32,
}

/// The places of a range with their path identifiers; 0 where the session has none.
fn places<P: Keyed>(batch: &RouteBatch, range: Range<usize>) -> impl Iterator<Item = (usize, u32)> {
    let ids = P::path_ids(batch).get(range.clone()).unwrap_or_default().iter().copied();
    range.zip(ids.chain(std::iter::repeat(0)))
}

fn announce<P: Keyed>(
    batch: &RouteBatch,
    run: Run,
    ahead: &mut Ahead<'_, P>,
    tables: &mut Tables,
    judge: &Judge<'_>,
    intake: &mut Intake<'_>,
) {
    let Run { attr: received, range, since, max } = run;
    let Some(set) = intake.sets.get(received) else { return };
    let ready = judge.prepare(set, intake.nexthops);
    let watched = judge.asks_interface() && ready.is_ok();
    let watch = watched.then(|| intake.nexthops.resolve(received, set.next_hop()));
    let mut made = Made::default();
    let table = P::table_mut(tables);
    let mut last = (0, intake.sources.of(batch.peer, 0));
    for (at, path_id) in places::<P>(batch, range) {
        let Some((prefix, spot)) = ahead.get(at, table) else { break };
        if last.0 != path_id {
            last = (path_id, intake.sources.of(batch.peer, path_id));
        }
        let source = last.1;
        let (verdict, used, hop) = match judge.passes(&ready, prefix) {
            Some(changes) => {
                let (used, hop) = made.used::<P>(received, judge, changes, false, intake);
                (Verdict::Accepted, used, hop)
            }
            None => (Verdict::Rejected, received, None),
        };
        let route = Route { source, received, used, since, verdict, hop, watch };
        intake.put(table, (prefix, spot), route, max);
    }
    made.release(intake.sets);
}

/// What import made last of an attribute set: made once for all routes that it is made of alike.
#[derive(Default)]
pub(crate) struct Made<'a> {
    last: Option<Last<'a>>,
    /// References to give up at the end.
    held: Vec<AttrId>,
}

struct Last<'a> {
    received: AttrId,
    changes: Option<&'a Changes>,
    stale: bool,
    used: AttrId,
    hop: Option<HopId>,
}

impl<'a> Made<'a> {
    /// The set with which an accepted route is used, and its next hop.
    #[inline]
    pub(crate) fn used<P: Keyed>(
        &mut self,
        received: AttrId,
        judge: &Judge<'a>,
        changes: Option<&'a Changes>,
        stale: bool,
        intake: &mut Intake<'_>,
    ) -> (AttrId, Option<HopId>) {
        if let Some(last) = &self.last
            && (last.received, last.stale) == (received, stale)
            && match (last.changes, changes) {
                (None, None) => true,
                (Some(a), Some(b)) => std::ptr::eq(a, b),
                _ => false,
            }
        {
            return (last.used, last.hop);
        }
        let set = intake.sets.get(received);
        let made = set.and_then(|set| judge.used(P::FAMILY, set, changes, stale));
        let used = match made {
            Some(made) => {
                let used = intake.sets.intern(made);
                self.held.push(used);
                used
            }
            None => received,
        };
        let next_hop = intake.sets.get(used).map(AttrSet::next_hop);
        let hop = next_hop.map(|next_hop| intake.nexthops.resolve(used, next_hop));
        self.last = Some(Last { received, changes, stale, used, hop });
        (used, hop)
    }

    /// Another judge is next.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }

    pub(crate) fn release(self, sets: &mut Sets) {
        for id in self.held {
            sets.release(id);
        }
    }
}

fn withdraw<P: Keyed>(
    batch: &RouteBatch,
    range: Range<usize>,
    ahead: &mut Ahead<'_, P>,
    tables: &mut Tables,
    intake: &mut Intake<'_>,
) {
    let table = P::table_mut(tables);
    let mut last = None;
    for (at, path_id) in places::<P>(batch, range) {
        let Some((prefix, spot)) = ahead.get(at, table) else { break };
        let source = match last {
            Some((id, source)) if id == path_id => source,
            _ => last.insert((path_id, intake.sources.find(batch.peer, path_id))).1,
        };
        if let Some((source, id)) = source.zip(table.at(prefix, spot)) {
            intake.take(table, id, source);
        }
    }
}

/// What all carries that this node originates.
#[derive(Clone, Copy, Default)]
pub(crate) struct Base {
    /// Our AS.
    pub(crate) asn: Asn,
    /// LOCAL_PREF, if it is to be said.
    pub(crate) local_pref: Option<u32>,
}

/// A prefix that is originated, and what it carries beside that.
pub(crate) type Wish<P> = (P, Option<Arc<Carried>>);

/// What we originate on behalf of one source of our own changes from `old` to `new` (both
/// sorted by prefix).
pub(crate) fn originate<P: Keyed>(
    now: Time,
    source: SourceId,
    Base { asn, local_pref }: Base,
    (old, new): (&[Wish<P>], &[Wish<P>]),
    tables: &mut Tables,
    intake: &mut Intake<'_>,
) {
    fn of<P: Ord>(all: &[Wish<P>], prefix: &P) -> Option<usize> {
        all.binary_search_by(|(other, _)| other.cmp(prefix)).ok()
    }
    let table = P::table_mut(tables);
    for (prefix, _) in old.iter().filter(|(prefix, _)| of(new, prefix).is_none()) {
        if let Some(id) = table.find(*prefix) {
            intake.take(table, id, source);
        }
    }
    let unspecified: IpAddr = match P::FAMILY {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    let base = AttrSet::originated_at(unspecified, local_pref);
    let (since, verdict) = (seconds(now), Verdict::Accepted);
    // The set that was made last, for the next one that carries the same.
    let mut made: Option<(&Option<Arc<Carried>>, AttrId)> = None;
    for wish in new {
        let (prefix, carried) = wish;
        if of(old, prefix).and_then(|at| old.get(at)) == Some(wish) {
            continue;
        }
        let attr = match made {
            Some((last, attr)) if last == carried => attr,
            _ => {
                let set = match carried {
                    Some(carried) => carried.onto(asn, &base),
                    None => base.clone(),
                };
                let attr = intake.sets.intern(set);
                if let Some((_, former)) = made.replace((carried, attr)) {
                    intake.sets.release(former);
                }
                attr
            }
        };
        let (received, used, hop, watch) = (attr, attr, None, None);
        let route = Route { source, received, used, since, verdict, hop, watch };
        let spot = Spot::unknown(table, *prefix);
        intake.put(table, (*prefix, spot), route, u32::MAX);
    }
    if let Some((_, last)) = made {
        intake.sets.release(last);
    }
}

/// The question that comes before [`Judge::prefix`], kept for runs of equal attributes.
#[derive(Default)]
pub(crate) struct Asked(Option<(AttrId, Ready)>);

impl Asked {
    /// The answer for these attributes.
    pub(crate) fn ready<'s>(
        &'s mut self,
        received: AttrId,
        judge: &Judge<'_>,
        intake: &Intake<'_>,
    ) -> Option<&'s Ready> {
        if self.0.as_ref().is_none_or(|(id, _)| *id != received) {
            let set = intake.sets.get(received)?;
            self.0 = Some((received, judge.prepare(set, intake.nexthops)));
        }
        self.0.as_ref().map(|(_, ready)| ready)
    }
}
