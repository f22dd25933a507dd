//! Routes in: batches of neighbours, our own routes, the end of a session, a changed policy.
//!
//! Everything here changes paths, keeps the counts and references right, and names the
//! destinations it touched; nothing here decides. There is no Adj-RIB-In beside the table: a
//! filtered path lies in its destination, marked.

use super::dest::Path;
use super::nexthop::{HopId, Nexthops};
use super::peers::{Counts, Peer, Peers};
use super::sets::Sets;
use super::table::{Keyed, Table, Tables, slot_of};
use crate::attrs::{AttrId, AttrSet};
use crate::msg::{Op, RouteBatch};
use crate::types::{Family, PeerId, Time, V4, V6};

/// What changes along with paths.
pub(crate) struct Intake<'a> {
    pub(crate) peer: PeerId,
    pub(crate) counts: &'a mut Counts,
    pub(crate) sets: &'a mut Sets,
    pub(crate) nexthops: &'a mut Nexthops,
}

/// Seconds for [`Path::since`].
pub(crate) fn seconds(now: Time) -> u32 {
    u32::try_from(now.0 / 1_000_000).unwrap_or(u32::MAX)
}

impl Intake<'_> {
    /// `prefix` now has `attr` from this peer. `hop`: its next hop if it was accepted and is not
    /// ours. The path takes a reference of its own to `attr`.
    #[inline]
    fn put<P: Keyed>(&mut self, table: &mut Table<P>, prefix: P, path: Path, hop: Option<HopId>) {
        let id = table.find_or_insert(prefix);
        let Some(dest) = table.get_mut(id) else { return };
        let family = slot_of(P::FAMILY);
        match dest.paths.of_mut(self.peer) {
            Some(old) if old.attr == path.attr && old.filtered == path.filtered => return,
            Some(old) => {
                let old = std::mem::replace(old, path);
                self.give_up(old, family);
            }
            None => dest.paths.push(path),
        }
        self.sets.retain(path.attr);
        if let Some(hop) = hop {
            self.nexthops.acquire(hop);
        }
        add(&mut self.counts.received, family, 1);
        add(&mut self.counts.accepted, family, u32::from(!path.filtered));
        table.touched.push(id);
    }

    /// The destination has no path of this peer any more.
    fn take<P: Keyed>(&mut self, table: &mut Table<P>, id: u32) {
        let Some(path) = table.get_mut(id).and_then(|d| d.paths.remove(self.peer)) else { return };
        self.give_up(path, slot_of(P::FAMILY));
        table.touched.push(id);
    }

    fn give_up(&mut self, path: Path, family: usize) {
        self.sets.release(path.attr);
        if !path.filtered && path.peer != PeerId::LOCAL {
            self.nexthops.release(path.attr);
        }
        subtract(&mut self.counts.received, family, 1);
        subtract(&mut self.counts.accepted, family, u32::from(!path.filtered));
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
) {
    let Some(peer) = peers.get_mut(batch.peer).filter(|p| p.up.is_some()) else { return };
    // Interned once a batch; the references of this function go at its end.
    let mut batch = batch;
    let ids: Vec<AttrId> = batch.attrs.drain(..).map(|set| sets.intern(set)).collect();
    for op in &batch.ops {
        match *op {
            Op::Announce { family, attrs, start, end } => {
                let Some(attr) = ids.get(attrs as usize).copied() else { continue };
                let run = Run { attr, start, end, since: seconds(now) };
                match family {
                    Family::Ipv4 => announce::<V4>(&batch, run, tables, peer, sets, nexthops),
                    Family::Ipv6 => announce::<V6>(&batch, run, tables, peer, sets, nexthops),
                }
            }
            Op::Withdraw { family, start, end } => {
                let counts = &mut peer.counts;
                let mut intake = Intake { peer: batch.peer, counts, sets, nexthops };
                match family {
                    Family::Ipv4 => withdraw::<V4>(&batch, start, end, tables, &mut intake),
                    Family::Ipv6 => withdraw::<V6>(&batch, start, end, tables, &mut intake),
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
#[derive(Clone, Copy)]
struct Run {
    attr: AttrId,
    start: u32,
    end: u32,
    since: u32,
}

fn announce<P: Keyed>(
    batch: &RouteBatch,
    run: Run,
    tables: &mut Tables,
    peer: &mut Peer,
    sets: &mut Sets,
    nexthops: &mut Nexthops,
) {
    let Some(prefixes) = P::arena(batch).get(run.start as usize..run.end as usize) else { return };
    let Some(attrs) = sets.get(run.attr) else { return };
    let mut counts = peer.counts;
    let judge = peer.judge();
    let usable = judge.attributes(attrs).is_none();
    let hop = usable.then(|| nexthops.resolve(run.attr, attrs.next_hop()));
    let mut intake = Intake { peer: batch.peer, counts: &mut counts, sets, nexthops };
    let table = P::table_mut(tables);
    for prefix in prefixes {
        let hop = hop.filter(|_| judge.prefix(*prefix).is_none());
        let Run { attr, since, .. } = run;
        let path = Path { peer: batch.peer, attr, since, filtered: hop.is_none() };
        intake.put(table, *prefix, path, hop);
    }
    peer.counts = counts;
}

fn withdraw<P: Keyed>(
    batch: &RouteBatch,
    start: u32,
    end: u32,
    tables: &mut Tables,
    intake: &mut Intake<'_>,
) {
    let table = P::table_mut(tables);
    for prefix in P::arena(batch).get(start as usize..end as usize).unwrap_or_default() {
        if let Some(id) = table.find(*prefix) {
            intake.take(table, id);
        }
    }
}

/// The session of `intake.peer` is over: all its paths go, found in one walk over the table that
/// ends with the last of them.
pub(crate) fn remove_all<P: Keyed>(tables: &mut Tables, intake: &mut Intake<'_>) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    for id in 0..table.end() {
        if intake.counts.received.get(family) == Some(&0) {
            break;
        }
        if table.get(id).is_some_and(|d| d.paths.of(intake.peer).is_some()) {
            intake.take(table, id);
        }
    }
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
            intake.take(table, id);
        }
    }
    let unspecified: std::net::IpAddr = match P::FAMILY {
        Family::Ipv4 => std::net::Ipv4Addr::UNSPECIFIED.into(),
        Family::Ipv6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let attr = intake.sets.intern(AttrSet::originated(unspecified));
    for prefix in new.iter().filter(|p| old.binary_search(p).is_err()) {
        let path = Path { peer: PeerId::LOCAL, attr, since: seconds(now), filtered: false };
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
) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    let mut flipped: Vec<Path> = Vec::new();
    for id in 0..table.end() {
        let Some(dest) = table.get(id) else { continue };
        for path in dest.paths.as_slice() {
            if changed.binary_search(&path.peer).is_err() {
                continue;
            }
            let (Some(peer), Some(attrs)) = (peers.get(path.peer), sets.get(path.attr)) else {
                continue;
            };
            let judge = peer.judge();
            let filtered = judge.attributes(attrs).is_some() || judge.prefix(dest.prefix).is_some();
            if filtered != path.filtered {
                flipped.push(Path { filtered, ..*path });
            }
        }
        if flipped.is_empty() {
            continue;
        }
        for new in flipped.drain(..) {
            if let Some(path) = table.get_mut(id).and_then(|d| d.paths.of_mut(new.peer)) {
                path.filtered = new.filtered;
            }
            let Some(counts) = peers.counts_mut(new.peer) else { continue };
            if new.filtered {
                nexthops.release(new.attr);
                subtract(&mut counts.accepted, family, 1);
            } else if let Some(attrs) = sets.get(new.attr) {
                let hop = nexthops.resolve(new.attr, attrs.next_hop());
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
            |p: &&Path| !p.filtered && p.peer != PeerId::LOCAL && nexthops.is_news(p.attr);
        let concerned = dest.paths.as_slice().iter().filter(concerned).count();
        if concerned > 0 {
            *users = users.saturating_sub(concerned);
            table.touched.push(id);
        }
    }
}
