//! Routes in: batches of neighbours, and what we originate.
//!
//! Everything here changes paths, keeps the counts and references right, and names the
//! destinations it touched; nothing here decides. There is no Adj-RIB-In beside the table: a
//! filtered path lies in its destination, marked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::import::{Judge, Ready};
use super::nexthop::{HopId, Nexthops};
use super::peers::{Counts, Peers};
use crate::attrs::{AttrId, AttrSet};
use crate::msg::{LimitAction, Op, PrefixLimit, RouteBatch};
use crate::policy::Changes;
use crate::table::{Keyed, Path, Sets, SourceId, Sources, Table, Tables, Verdict, slot_of};
use crate::types::{Family, PeerId, Time, V4, V6};

/// What changes along with paths.
pub(crate) struct Intake<'a> {
    /// Of the neighbour whose paths they are.
    pub(crate) counts: &'a mut Counts,
    pub(crate) sets: &'a mut Sets,
    pub(crate) nexthops: &'a mut Nexthops,
    pub(crate) sources: &'a mut Sources,
}

/// Seconds for [`Path::since`].
pub(crate) fn seconds(now: Time) -> u32 {
    u32::try_from(now.0 / 1_000_000).unwrap_or(u32::MAX)
}

/// A route as import left it.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) source: SourceId,
    pub(crate) received: AttrId,
    pub(crate) used: AttrId,
    pub(crate) since: u32,
    pub(crate) verdict: Verdict,
    /// Its next hop as used, of an accepted one.
    pub(crate) hop: Option<HopId>,
    /// Its next hop as received, if the verdict depends on the interface of that.
    pub(crate) watch: Option<HopId>,
}

impl Intake<'_> {
    /// `prefix` now has this route. One that is new to a neighbour with as many as it may have
    /// (`max`) is kept out.
    #[inline]
    fn put<P: Keyed>(&mut self, table: &mut Table<P>, prefix: P, route: Route, max: u32) {
        let Route { source, received, used, since, verdict, hop, watch } = route;
        let id = table.find_or_insert(prefix);
        let Some(dest) = table.get_mut(id) else { return };
        let family = slot_of(P::FAMILY);
        let mut path = Path::new(source, received, used, since, verdict);
        if watch.is_some() {
            path = path.judged(used, verdict, true);
        }
        let old = dest.paths.of_mut(source);
        let counted = old.as_ref().is_some_and(|old| old.verdict() != Verdict::Over);
        if !counted && self.room(family, max) == 0 {
            path = Path::new(source, received, received, since, Verdict::Over);
        }
        match old {
            Some(old)
                if (old.received, old.used) == (path.received, path.used)
                    && old.aged(false).has_marks_of(&path) =>
            {
                if old.is_stale() {
                    // Said again: that is all the news there is.
                    *old = old.aged(false);
                    subtract(&mut self.counts.stale, family, 1);
                }
                return;
            }
            Some(old) => {
                let old = std::mem::replace(old, path);
                self.give_up(old, family);
            }
            None => dest.paths.push(path),
        }
        self.take_up(path, family, hop, watch);
        table.touched.push(id);
    }

    /// How many more prefixes a neighbour that may send `max` may send.
    #[inline]
    pub(crate) fn room(&self, family: usize, max: u32) -> u32 {
        let of = |counts: &[u32; 2]| counts.get(family).copied().unwrap_or_default();
        max.saturating_sub(of(&self.counts.received) - of(&self.counts.over))
    }

    /// A path is there now.
    #[inline]
    fn take_up(&mut self, path: Path, family: usize, hop: Option<HopId>, watch: Option<HopId>) {
        self.sources.acquire(path.source());
        self.sets.retain(path.received);
        if path.used != path.received {
            self.sets.retain(path.used);
        }
        if let Some(hop) = hop
            && path.is_accepted()
        {
            self.nexthops.acquire(hop);
        }
        if let Some(hop) = watch
            && path.is_watched()
        {
            self.nexthops.watch(hop);
        }
        let counts = &mut *self.counts;
        add(&mut counts.received, family, 1);
        add(&mut counts.accepted, family, u32::from(path.is_accepted()));
        add(&mut counts.stale, family, u32::from(path.is_stale()));
        add(&mut counts.over, family, u32::from(path.verdict() == Verdict::Over));
    }

    /// It is not there any more.
    fn give_up(&mut self, path: Path, family: usize) {
        self.sources.release(path.source());
        self.sets.release(path.received);
        if path.used != path.received {
            self.sets.release(path.used);
        }
        if path.is_accepted() && !path.source().is_own() {
            self.nexthops.release(path.used);
        }
        if path.is_watched() {
            self.nexthops.unwatch(path.received);
        }
        let counts = &mut *self.counts;
        subtract(&mut counts.received, family, 1);
        subtract(&mut counts.accepted, family, u32::from(path.is_accepted()));
        subtract(&mut counts.stale, family, u32::from(path.is_stale()));
        subtract(&mut counts.over, family, u32::from(path.verdict() == Verdict::Over));
    }

    /// The destination has no path of this source any more.
    pub(crate) fn take<P: Keyed>(&mut self, table: &mut Table<P>, id: u32, source: SourceId) {
        let Some(path) = table.get_mut(id).and_then(|d| d.paths.remove(source)) else { return };
        self.give_up(path, slot_of(P::FAMILY));
        table.touched.push(id);
    }

    /// The path that lies at a destination is now this one: the same route, judged anew.
    pub(crate) fn replace<P: Keyed>(&mut self, table: &mut Table<P>, id: u32, path: Path) {
        let Some(old) = table.get_mut(id).and_then(|d| d.paths.of_mut(path.source())) else {
            return;
        };
        let old = std::mem::replace(old, path);
        let Intake { sets, nexthops, .. } = self;
        let mut of = |attr: AttrId, wanted: bool| {
            let next_hop = sets.get(attr).filter(|_| wanted).map(AttrSet::next_hop);
            next_hop.map(|next_hop| nexthops.resolve(attr, next_hop))
        };
        let hop = of(path.used, path.is_accepted());
        let watch = of(path.received, path.is_watched());
        let family = slot_of(P::FAMILY);
        self.take_up(path, family, hop, watch);
        self.give_up(old, family);
        if (old.used, old.verdict()) != (path.used, path.verdict()) {
            table.touched.push(id);
        }
    }
}

fn add(counts: &mut [u32; 2], family: usize, n: u32) {
    if let Some(count) = counts.get_mut(family) {
        *count += n;
    }
}

fn subtract(counts: &mut [u32; 2], family: usize, n: u32) {
    if let Some(count) = counts.get_mut(family) {
        *count = count.saturating_sub(n);
    }
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
    if let Some(judge) = peer.judge() {
        for (op, at) in batch.ops.iter().skip(from).zip(from + 1..) {
            let range = |start: u32, end: u32| start as usize..end as usize;
            match *op {
                Op::Announce { family, attrs, start, end } => {
                    let Some(attr) = ids.get(attrs as usize).copied() else { continue };
                    let max = max(peer.limit(slot_of(family)));
                    let run = Run { attr, range: range(start, end), since: seconds(now), max };
                    match family {
                        Family::Ipv4 => announce::<V4>(batch, run, tables, &judge, &mut intake),
                        Family::Ipv6 => announce::<V6>(batch, run, tables, &judge, &mut intake),
                    }
                }
                Op::Withdraw { family, start, end } => {
                    let range = range(start, end);
                    match family {
                        Family::Ipv4 => withdraw::<V4>(batch, range, tables, &mut intake),
                        Family::Ipv6 => withdraw::<V6>(batch, range, tables, &mut intake),
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

/// The prefixes of a range with their path identifiers; 0 where the session has none.
fn routes<P: Keyed>(batch: &RouteBatch, range: Range<usize>) -> impl Iterator<Item = (P, u32)> {
    let (prefixes, ids) = P::arena(batch);
    let ids = ids.get(range.clone()).unwrap_or_default().iter().copied();
    let prefixes = prefixes.get(range).unwrap_or_default().iter().copied();
    prefixes.zip(ids.chain(std::iter::repeat(0)))
}

fn announce<P: Keyed>(
    batch: &RouteBatch,
    run: Run,
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
    for (prefix, path_id) in routes::<P>(batch, range) {
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
        intake.put(table, prefix, route, max);
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
    tables: &mut Tables,
    intake: &mut Intake<'_>,
) {
    let table = P::table_mut(tables);
    let mut last = None;
    for (prefix, path_id) in routes::<P>(batch, range) {
        let source = match last {
            Some((id, source)) if id == path_id => source,
            _ => last.insert((path_id, intake.sources.find(batch.peer, path_id))).1,
        };
        if let Some((source, id)) = source.zip(table.find(prefix)) {
            intake.take(table, id, source);
        }
    }
}

/// What we originate on behalf of one source of our own changes from `old` to `new` (both
/// sorted).
pub(crate) fn originate<P: Keyed>(
    now: Time,
    source: SourceId,
    local_pref: Option<u32>,
    (old, new): (&[P], &[P]),
    tables: &mut Tables,
    intake: &mut Intake<'_>,
) {
    let table = P::table_mut(tables);
    for prefix in old.iter().filter(|p| new.binary_search(p).is_err()) {
        if let Some(id) = table.find(*prefix) {
            intake.take(table, id, source);
        }
    }
    let unspecified: IpAddr = match P::FAMILY {
        Family::Ipv4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => Ipv6Addr::UNSPECIFIED.into(),
    };
    let attr = intake.sets.intern(AttrSet::originated_at(unspecified, local_pref));
    let (since, verdict) = (seconds(now), Verdict::Accepted);
    for prefix in new.iter().filter(|p| old.binary_search(p).is_err()) {
        let (received, used, hop, watch) = (attr, attr, None, None);
        let route = Route { source, received, used, since, verdict, hop, watch };
        intake.put(table, *prefix, route, u32::MAX);
    }
    intake.sets.release(attr);
}

/// Whether a path is from that neighbour.
pub(crate) fn is_from(path: &Path, peer: PeerId, sources: &Sources) -> bool {
    !path.source().is_own() && sources.peer(path.source()) == peer
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
