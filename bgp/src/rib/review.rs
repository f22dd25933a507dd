//! Paths looked at again: what was received stays, and what it is worth changes, with policy,
//! with the state of its neighbour, with the kernel's answers.
//!
//! Each is a walk over a table that ends, where that can be known, with the last path concerned.

use super::import::Judge;
use super::intake::{Intake, is_from};
use super::nexthop::Nexthops;
use super::peers::{Counts, Peer, Peers};
use super::receive::{Asked, Made, max};
use crate::table::{Keyed, Path, Sets, SourceId, Sources, Table, Tables, Verdict, slot_of};
use crate::types::PeerId;
use crate::wire::community::Community;

/// Which paths of a neighbour go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Going {
    All,
    /// Those that were not said again.
    Stale,
    /// Stale ones that must not be kept for long (RFC 9494 §4.2, NO_LLGR).
    NotForLong,
}

/// Takes out paths of a neighbour.
pub(crate) fn remove<P: Keyed>(
    peer: PeerId,
    going: Going,
    tables: &mut Tables,
    intake: &mut Intake<'_>,
) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    // How many may still be found.
    let left = |counts: &Counts| match going {
        Going::All => counts.received.get(family).copied(),
        Going::Stale | Going::NotForLong => counts.stale.get(family).copied(),
    };
    let mut spared = 0;
    for id in 0..table.end() {
        if left(intake.counts).is_none_or(|left| left <= spared) {
            break;
        }
        while let Some(source) = first(table, id, peer, going, intake) {
            intake.take(table, id, source);
        }
        if going == Going::NotForLong {
            spared += stale_at(table, id, peer, intake.sources);
        }
    }
}

/// The source of the first path at a destination that goes.
fn first<P: Keyed>(
    table: &Table<P>,
    id: u32,
    peer: PeerId,
    going: Going,
    intake: &Intake<'_>,
) -> Option<SourceId> {
    let goes = |path: &&Path| {
        is_from(path, peer, intake.sources)
            && match going {
                Going::All => true,
                Going::Stale => path.is_stale(),
                Going::NotForLong => path.is_stale() && forbids_long(path, intake.sets),
            }
    };
    table.get(id)?.paths.as_slice().iter().find(goes).map(Path::source)
}

fn stale_at<P: Keyed>(table: &Table<P>, id: u32, peer: PeerId, sources: &Sources) -> u32 {
    let stale = |path: &&Path| path.is_stale() && is_from(path, peer, sources);
    table.get(id).map_or(0, |d| d.paths.as_slice().iter().filter(stale).count() as u32)
}

fn forbids_long(path: &Path, sets: &Sets) -> bool {
    sets.get(path.received).is_some_and(|set| set.has_community(Community::NO_LLGR))
}

/// Marks all paths of a neighbour as stale. Nothing else changes, so nothing is touched.
pub(crate) fn mark<P: Keyed>(
    peer: PeerId,
    tables: &mut Tables,
    counts: &mut Counts,
    sources: &Sources,
) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    let (Some(received), Some(stale)) = (counts.received.get(family), counts.stale.get_mut(family))
    else {
        return;
    };
    for id in 0..table.end() {
        if *stale >= *received {
            break;
        }
        let Some(dest) = table.get_mut(id) else { continue };
        for path in dest.paths.as_mut_slice() {
            if is_from(path, peer, sources) && !path.is_stale() {
                *path = path.aged(true);
                *stale += 1;
            }
        }
    }
}

/// The policies, or the facts, of neighbours are new: `judges` (by number, ascending) judge their
/// paths again. Only destinations where something changed are touched.
pub(crate) fn judge_again<P: Keyed>(
    judges: &[(PeerId, Judge<'_>)],
    tables: &mut Tables,
    peers: &mut Peers,
    sets: &mut Sets,
    nexthops: &mut Nexthops,
    sources: &mut Sources,
) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    let mut made = Made::default();
    let (mut asked, mut last) = (Asked::default(), None);
    let mut limits: Vec<Room> =
        judges.iter().map(|(id, _)| Room::of(peers.get(*id), family)).collect();
    let mut concerned: Vec<(usize, Path)> = Vec::new();
    for id in 0..table.end() {
        let Some(dest) = table.get(id) else { continue };
        let prefix = dest.prefix;
        concerned.extend(dest.paths.as_slice().iter().filter_map(|path| {
            let from = sources.peer(path.source());
            let at = judges.binary_search_by_key(&from, |(id, _)| *id).ok()?;
            Some((at, *path))
        }));
        for (at, path) in concerned.drain(..) {
            let Some((from, judge)) = judges.get(at) else { continue };
            let Some(counts) = peers.counts_mut(*from) else { continue };
            if last != Some(at) {
                last = Some(at);
                asked = Asked::default();
                made.forget();
            }
            let mut intake = Intake { counts, sets, nexthops, sources };
            let over = limits.get_mut(at).is_some_and(|room| !room.takes(&path));
            let judged = match over {
                true => path.judged(path.received, Verdict::Over, false),
                false => {
                    let anew = anew(&path, prefix, judge, &mut asked, &mut made, &mut intake);
                    let Some(judged) = anew else { continue };
                    judged
                }
            };
            if judged != path {
                intake.replace(table, id, judged);
            }
        }
    }
    made.release(sets);
}

/// A path as import sees it now.
fn anew<'j, P: Keyed>(
    path: &Path,
    prefix: P,
    judge: &Judge<'j>,
    asked: &mut Asked,
    made: &mut Made<'j>,
    intake: &mut Intake<'_>,
) -> Option<Path> {
    let ready = asked.ready(path.received, judge, intake)?;
    let watched = judge.asks_interface() && ready.is_ok();
    Some(match judge.passes(ready, prefix) {
        Some(changes) => {
            let stale = path.is_stale();
            let used = made.used::<P>(path.received, judge, changes, stale, intake).0;
            path.judged(used, Verdict::Accepted, watched)
        }
        None => path.judged(path.received, Verdict::Rejected, watched),
    })
}

/// How many more paths of a neighbour are within its limit: what is in stays in before anything
/// else comes in.
struct Room {
    stay: u32,
    enter: u32,
}

impl Room {
    fn of(peer: Option<&Peer>, family: usize) -> Room {
        let max = max(peer.and_then(|peer| peer.limit(family)));
        let of = |counts: &[u32; 2]| counts.get(family).copied().unwrap_or_default();
        let inside = peer.map_or(0, |peer| of(&peer.counts.received) - of(&peer.counts.over));
        let stay = inside.min(max);
        Room { stay, enter: max - stay }
    }

    fn takes(&mut self, path: &Path) -> bool {
        let left = match path.verdict() {
            Verdict::Over => &mut self.enter,
            Verdict::Accepted | Verdict::Rejected => &mut self.stay,
        };
        let takes = *left > 0;
        *left = left.saturating_sub(1);
        takes
    }
}

/// There is room again under the limit of a neighbour: routes that were kept out come in.
pub(crate) fn admit<P: Keyed>(
    peer: PeerId,
    judge: &Judge<'_>,
    max: u32,
    tables: &mut Tables,
    intake: &mut Intake<'_>,
) {
    let table = P::table_mut(tables);
    let family = slot_of(P::FAMILY);
    let (mut made, mut asked) = (Made::default(), Asked::default());
    let mut out: Vec<Path> = Vec::new();
    for id in 0..table.end() {
        let done = intake.room(family, max) == 0 || intake.counts.over.get(family) == Some(&0);
        if done {
            break;
        }
        let Some(dest) = table.get(id) else { continue };
        let prefix = dest.prefix;
        let kept_out = |path: &&Path| path.verdict() == Verdict::Over;
        let paths = dest.paths.as_slice().iter().filter(kept_out);
        out.extend(paths.filter(|path| is_from(path, peer, intake.sources)));
        for path in out.drain(..) {
            if intake.room(family, max) == 0 {
                break;
            }
            let Some(judged) = anew(&path, prefix, judge, &mut asked, &mut made, intake) else {
                continue;
            };
            intake.replace(table, id, judged);
        }
    }
    made.release(intake.sets);
}

/// Names every destination that has a path of these neighbours (ascending): what others are told
/// of it may be different, though it is the same.
pub(crate) fn touch<P: Keyed>(peers: &[PeerId], tables: &mut Tables, sources: &Sources) {
    let table = P::table_mut(tables);
    for id in 0..table.end() {
        let Some(dest) = table.get(id) else { continue };
        let concerned = |path: &Path| peers.binary_search(&sources.peer(path.source())).is_ok();
        if dest.paths.as_slice().iter().any(concerned) {
            table.touched.push(id);
        }
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
