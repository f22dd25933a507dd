//! Paths come into the table and go out of it: counts and references stay right, and the
//! destinations that were touched are named. Nothing here judges or decides.

use super::nexthop::{HopId, Nexthops};
use super::peers::Counts;
use crate::attrs::{AttrId, AttrSet};
use crate::table::{Keyed, Path, Sets, SourceId, Sources, Spot, Table, Verdict, slot_of};
use crate::types::PeerId;

/// What changes along with paths.
pub(crate) struct Intake<'a> {
    /// Of the neighbour whose paths they are.
    pub(crate) counts: &'a mut Counts,
    pub(crate) sets: &'a mut Sets,
    pub(crate) nexthops: &'a mut Nexthops,
    pub(crate) sources: &'a mut Sources,
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
    /// `prefix`, looked up ahead, now has this route. One that is new to a neighbour with as many as it may have
    /// (`max`) is kept out.
    #[inline]
    pub(crate) fn put<P: Keyed>(
        &mut self,
        table: &mut Table<P>,
        (prefix, spot): (P, Spot),
        route: Route,
        max: u32,
    ) {
        let Route { source, received, used, since, verdict, hop, watch } = route;
        let id = table.at_or_insert(prefix, spot);
        let Some(dest) = table.get_mut(id) else { return };
        let family = slot_of(P::FAMILY);
        let old = dest.paths.of_mut(source);
        let counted = old.as_ref().is_some_and(|old| old.verdict() != Verdict::Over);
        let (used, verdict) = match counted || self.room(family, max) > 0 {
            true => (used, verdict),
            false => (received, Verdict::Over),
        };
        let path = Path::new(source, received, used, since, (verdict, watch.is_some()));
        match old {
            Some(old)
                if (old.received, old.used) == (path.received, path.used)
                    && old.aged(false).has_marks_of(path) =>
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
    #[inline(always)]
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

/// Whether a path is from that neighbour.
pub(crate) fn is_from(path: &Path, peer: PeerId, sources: &Sources) -> bool {
    !path.source().is_own() && sources.peer(path.source()) == peer
}
