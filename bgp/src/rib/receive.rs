//! Routes in: batches of neighbours, our own routes, the end of a session, a changed policy.
//!
//! Everything here changes paths, keeps the counts and references right, and names the
//! destinations it touched; nothing here decides. There is no Adj-RIB-In beside the table: a
//! filtered path lies in its destination, marked.

use std::ops::Range;

use super::dest::{Path, Verdict};
use super::nexthop::{HopId, Nexthops};
use super::peers::{Counts, Peer, Peers};
use super::sets::Sets;
use super::source::{SourceId, Sources};
use super::table::{Keyed, Table, Tables, slot_of};
use crate::attrs::{AttrId, AttrSet};
use crate::msg::{Op, RouteBatch};
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

impl Intake<'_> {
    /// `prefix` now has this path. `hop`: its next hop if it was accepted and is not ours. The
    /// path takes references of its own to its sets.
    #[inline]
    fn put<P: Keyed>(&mut self, table: &mut Table<P>, prefix: P, path: Path, hop: Option<HopId>) {
        let id = table.find_or_insert(prefix);
        let Some(dest) = table.get_mut(id) else { return };
        let family = slot_of(P::FAMILY);
        match dest.paths.of_mut(path.source()) {
            Some(old)
                if (old.received, old.used) == (path.received, path.used)
                    && old.verdict() == path.verdict() =>
            {
                return;
            }
            Some(old) => {
                let old = std::mem::replace(old, path);
                self.give_up(old, family);
            }
            None => dest.paths.push(path),
        }
        self.sources.acquire(path.source());
        self.sets.retain(path.received);
        if path.used != path.received {
            self.sets.retain(path.used);
        }
        if let Some(hop) = hop {
            self.nexthops.acquire(hop);
        }
        add(&mut self.counts.received, family, 1);
        add(&mut self.counts.accepted, family, u32::from(path.is_accepted()));
        table.touched.push(id);
    }

    /// The destination has no path of this source any more.
    fn take<P: Keyed>(&mut self, table: &mut Table<P>, id: u32, source: SourceId) {
        let Some(path) = table.get_mut(id).and_then(|d| d.paths.remove(source)) else { return };
        self.give_up(path, slot_of(P::FAMILY));
        table.touched.push(id);
    }

    fn give_up(&mut self, path: Path, family: usize) {
        self.sources.release(path.source());
        self.sets.release(path.received);
        if path.used != path.received {
            self.sets.release(path.used);
        }
        if path.is_accepted() && !path.source().is_own() {
            self.nexthops.release(path.used);
        }
        subtract(&mut self.counts.received, family, 1);
        subtract(&mut self.counts.accepted, family, u32::from(path.is_accepted()));
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

/// A neighbour's batch. One of a peer without session is dropped: its routes went with it.
pub(crate) fn batch(
    now: Time,
    batch: RouteBatch,
    tables: &mut Tables,
    peers: &mut Peers,
    sets: &mut Sets,
    nexthops: &mut Nexthops,
    sources: &mut Sources,
) {
    let Some(peer) = peers.get_mut(batch.peer).filter(|p| p.up.is_some()) else { return };
    // Interned once a batch; the references of this function go at its end.
    let mut batch = batch;
    let ids: Vec<AttrId> = batch.attrs.drain(..).map(|set| sets.intern(set)).collect();
    for op in &batch.ops {
        let range = |start: u32, end: u32| start as usize..end as usize;
        match *op {
            Op::Announce { family, attrs, start, end } => {
                let Some(attr) = ids.get(attrs as usize).copied() else { continue };
                let run = Run { attr, range: range(start, end), since: seconds(now) };
                let counts = &mut peer.counts.clone();
                let mut intake = Intake { counts, sets, nexthops, sources };
                match family {
                    Family::Ipv4 => announce::<V4>(&batch, run, tables, peer, &mut intake),
                    Family::Ipv6 => announce::<V6>(&batch, run, tables, peer, &mut intake),
                }
                peer.counts = *counts;
            }
            Op::Withdraw { family, start, end } => {
                let counts = &mut peer.counts;
                let mut intake = Intake { counts, sets, nexthops, sources };
                match family {
                    Family::Ipv4 => withdraw::<V4>(&batch, range(start, end), tables, &mut intake),
                    Family::Ipv6 => withdraw::<V6>(&batch, range(start, end), tables, &mut intake),
                }
            }
            Op::EndOfRib(family) => peer.ended.insert(family),
            Op::RefreshBegins(_) | Op::RefreshEnds(_) => {}
        }
    }
    for id in ids {
        sets.release(id);
    }
}

/// Prefixes of a batch that share attributes.
#[derive(Clone)]
struct Run {
    attr: AttrId,
    range: Range<usize>,
    since: u32,
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
    peer: &Peer,
    intake: &mut Intake<'_>,
) {
    let Run { attr, range, since } = run;
    let Some(attrs) = intake.sets.get(attr) else { return };
    let judge = peer.judge();
    let usable = judge.attributes(attrs).is_none();
    let hop = usable.then(|| intake.nexthops.resolve(attr, attrs.next_hop()));
    let table = P::table_mut(tables);
    let mut last = (0, intake.sources.of(batch.peer, 0));
    for (prefix, path_id) in routes::<P>(batch, range) {
        if last.0 != path_id {
            last = (path_id, intake.sources.of(batch.peer, path_id));
        }
        let hop = hop.filter(|_| judge.prefix(prefix).is_none());
        let verdict = if hop.is_some() { Verdict::Accepted } else { Verdict::Rejected };
        intake.put(table, prefix, Path::new(last.1, attr, attr, since, verdict), hop);
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

/// The session of `peer` is over: all its paths go, found in one walk over the table that ends
/// with the last of them.
pub(crate) fn remove_all<P: Keyed>(peer: PeerId, tables: &mut Tables, intake: &mut Intake<'_>) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    for id in 0..table.end() {
        if intake.counts.received.get(family) == Some(&0) {
            break;
        }
        while let Some(source) = source_at(table, id, peer, intake.sources) {
            intake.take(table, id, source);
        }
    }
}

/// The first source of `peer` that has a path to the destination.
fn source_at<P: Keyed>(
    table: &Table<P>,
    id: u32,
    peer: PeerId,
    sources: &Sources,
) -> Option<SourceId> {
    let mut from = table.get(id)?.paths.as_slice().iter().map(Path::source);
    from.find(|source| sources.peer(*source) == peer)
}

/// What we originate changes from `old` to `new` (both sorted).
pub(crate) fn originate<P: Keyed>(
    now: Time,
    old: &[P],
    new: &[P],
    tables: &mut Tables,
    intake: &mut Intake<'_>,
) {
    let table = P::table_mut(tables);
    for prefix in old.iter().filter(|p| new.binary_search(p).is_err()) {
        if let Some(id) = table.find(*prefix) {
            intake.take(table, id, SourceId::CONFIGURED);
        }
    }
    let unspecified: std::net::IpAddr = match P::FAMILY {
        Family::Ipv4 => std::net::Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let attr = intake.sets.intern(AttrSet::originated(unspecified));
    for prefix in new.iter().filter(|p| old.binary_search(p).is_err()) {
        let since = seconds(now);
        let path = Path::new(SourceId::CONFIGURED, attr, attr, since, Verdict::Accepted);
        intake.put(table, *prefix, path, None);
    }
    intake.sets.release(attr);
}

/// The policies of `changed` neighbours (sorted) are new: judges their paths again, and touches
/// only destinations where a verdict changed.
pub(crate) fn judge_again<P: Keyed>(
    changed: &[PeerId],
    tables: &mut Tables,
    peers: &mut Peers,
    sets: &Sets,
    nexthops: &mut Nexthops,
    sources: &Sources,
) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    let mut flipped: Vec<Path> = Vec::new();
    for id in 0..table.end() {
        let Some(dest) = table.get(id) else { continue };
        for path in dest.paths.as_slice() {
            let from = sources.peer(path.source());
            if changed.binary_search(&from).is_err() {
                continue;
            }
            let (Some(peer), Some(attrs)) = (peers.get(from), sets.get(path.received)) else {
                continue;
            };
            let judge = peer.judge();
            let filtered = judge.attributes(attrs).is_some() || judge.prefix(dest.prefix).is_some();
            let verdict = if filtered { Verdict::Rejected } else { Verdict::Accepted };
            if verdict != path.verdict() {
                flipped.push(path.marked(verdict, path.is_stale()));
            }
        }
        if flipped.is_empty() {
            continue;
        }
        for new in flipped.drain(..) {
            if let Some(path) = table.get_mut(id).and_then(|d| d.paths.of_mut(new.source())) {
                *path = new;
            }
            let Some(counts) = peers.counts_mut(sources.peer(new.source())) else { continue };
            if !new.is_accepted() {
                nexthops.release(new.used);
                subtract(&mut counts.accepted, family, 1);
            } else if let Some(attrs) = sets.get(new.used) {
                let hop = nexthops.resolve(new.used, attrs.next_hop());
                nexthops.acquire(hop);
                add(&mut counts.accepted, family, 1);
            }
        }
        table.touched.push(id);
    }
}

/// The kernel changed its mind about next hops (`Nexthops::learn` has the news and counted
/// `users` paths): touches the destinations of those paths. Newest first; see `nexthop.rs`.
pub(crate) fn touch_users<P: Keyed>(tables: &mut Tables, nexthops: &Nexthops, users: &mut usize) {
    let table = P::table_mut(tables);
    for id in (0..table.end()).rev() {
        if *users == 0 {
            break;
        }
        let Some(dest) = table.get(id) else { continue };
        let concerned =
            |p: &&Path| p.is_accepted() && !p.source().is_own() && nexthops.is_news(p.used);
        let concerned = dest.paths.as_slice().iter().filter(concerned).count();
        if concerned > 0 {
            *users = users.saturating_sub(concerned);
            table.touched.push(id);
        }
    }
}
