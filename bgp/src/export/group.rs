//! An update group: one Adj-RIB-Out per family, and who reads it.

use bytes::{Bytes, BytesMut};

use super::Feed;
use super::adj_out::AdjOut;
use super::chunk;
use super::key::{GroupKey, Learned};
use crate::attrs::AttrId;
use crate::rib::sets::Sets;
use crate::rib::table::{Keyed, Tables};
use crate::types::{Family, PeerId, V4, V6};
use crate::wire::encode;

/// See the module.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) key: GroupKey,
    v4: AdjOut,
    v6: AdjOut,
    /// Readers that were told that they are drained.
    waiting: Vec<PeerId>,
    /// Something to read came during the message at hand.
    changed: bool,
    /// The last answer of `passes`, good for the message at hand: routes come in runs, and within
    /// a message a number means one set.
    passed: Option<(Family, AttrId, Learned, bool)>,
    /// The last answer of `says_same`, likewise.
    same: Option<(Family, AttrId, AttrId, bool)>,
}

impl Group {
    pub(crate) fn new(key: GroupKey) -> Group {
        Group {
            key,
            v4: AdjOut::default(),
            v6: AdjOut::default(),
            waiting: Vec::new(),
            changed: false,
            passed: None,
            same: None,
        }
    }

    pub(crate) fn adj(&self, family: Family) -> &AdjOut {
        match family {
            Family::Ipv4 => &self.v4,
            Family::Ipv6 => &self.v6,
        }
    }

    fn adj_mut(&mut self, family: Family) -> &mut AdjOut {
        match family {
            Family::Ipv4 => &mut self.v4,
            Family::Ipv6 => &mut self.v6,
        }
    }

    pub(crate) fn join(&mut self, peer: PeerId) {
        self.v4.join(peer);
        self.v6.join(peer);
    }

    pub(crate) fn leave(&mut self, peer: PeerId, freed: &mut Vec<(Family, u32)>) {
        self.stop_waiting(peer);
        for family in Family::ALL {
            let mut dests = Vec::new();
            self.adj_mut(family).leave(peer, &mut dests);
            freed.extend(dests.into_iter().map(|dest| (family, dest)));
        }
    }

    pub(crate) fn is_deserted(&self) -> bool {
        self.v4.readers() == 0
    }

    pub(crate) fn dissolve(self, sets: &mut Sets, freed: &mut Vec<(Family, u32)>) {
        for (family, adj) in [(Family::Ipv4, self.v4), (Family::Ipv6, self.v6)] {
            let mut dests = Vec::new();
            adj.dissolve(sets, &mut dests);
            freed.extend(dests.into_iter().map(|dest| (family, dest)));
        }
    }

    /// The paths to a destination are others; see [`super::Exports::feed`].
    #[inline]
    pub(crate) fn feed(&mut self, family: Family, dest: u32, routes: &[Feed], sets: &mut Sets) {
        if !self.key.families.contains(family) {
            return;
        }
        let best = routes.first().filter(|r| self.passes(family, r.attr, r.learned, sets));
        let route = best.map(|r| (r.attr, r.peer));
        let old = self.adj(family).said(dest);
        self.changed |= match (old, route) {
            (Some(old), Some(new)) if old == new => false,
            (Some((old, from)), Some((new, source)))
                if from == source && self.says_same(family, old, new, sets) =>
            {
                self.adj_mut(family).replace(dest, new, sets);
                false
            }
            (_, Some((attr, source))) => {
                self.adj_mut(family).announce(dest, attr, source, sets);
                true
            }
            (Some(_), None) => {
                self.adj_mut(family).withdraw(dest, sets);
                true
            }
            (None, None) => false,
        };
    }

    #[inline]
    fn passes(&mut self, family: Family, attr: AttrId, learned: Learned, sets: &Sets) -> bool {
        match self.passed {
            Some((f, a, l, passes)) if (f, a, l) == (family, attr, learned) => passes,
            _ => {
                let set = sets.get(attr);
                let passes = set.is_some_and(|set| self.key.passes(family, learned, set));
                self.passed = Some((family, attr, learned, passes));
                passes
            }
        }
    }

    /// Whether two sets differ only in what does not go out: nobody needs to be told.
    fn says_same(&mut self, family: Family, old: AttrId, new: AttrId, sets: &Sets) -> bool {
        match self.same {
            Some((f, o, n, same)) if (f, o, n) == (family, old, new) => same,
            _ => {
                let exported = |id| self.key.exported(family, sets.get(id)?);
                let same = exported(old) == exported(new);
                self.same = Some((family, old, new, same));
                same
            }
        }
    }

    /// The reader is drained: it is to be woken when something comes.
    pub(crate) fn wait(&mut self, peer: PeerId) {
        self.waiting.push(peer);
        if self.waiting.len() == self.v4.readers() {
            // Nobody will come to these places again.
            self.v4.cache.clear();
            self.v6.cache.clear();
        }
    }

    pub(crate) fn stop_waiting(&mut self, peer: PeerId) {
        self.waiting.retain(|p| *p != peer);
    }

    pub(crate) fn refresh(&mut self, peer: PeerId, family: Family) {
        self.adj_mut(family).restart(peer);
    }

    /// Appends about `room` octets to `frames`; says whether the reader has read all.
    pub(crate) fn pull(
        &mut self,
        peer: PeerId,
        room: usize,
        tables: &Tables,
        sets: &Sets,
        frames: &mut Vec<Bytes>,
        freed: &mut Vec<(Family, u32)>,
    ) -> bool {
        let mut left = room;
        self.pull_family::<V4>(peer, &mut left, tables, sets, frames, freed)
            && self.pull_family::<V6>(peer, &mut left, tables, sets, frames, freed)
    }

    fn pull_family<P: Keyed>(
        &mut self,
        peer: PeerId,
        left: &mut usize,
        tables: &Tables,
        sets: &Sets,
        frames: &mut Vec<Bytes>,
        freed: &mut Vec<(Family, u32)>,
    ) -> bool {
        let family = P::FAMILY;
        if !self.key.families.contains(family) {
            return true;
        }
        let Group { key, v4, v6, .. } = self;
        let adj = if family == Family::Ipv4 { v4 } else { v6 };
        let mut dests = Vec::new();
        let caught_up = loop {
            if *left == 0 {
                break adj.reader(peer).is_none_or(|r| r.next >= adj.log.end() && !r.end_due);
            }
            let Some((frame, end)) = chunk::next(adj, peer, P::table(tables), sets, key) else {
                break true;
            };
            adj.advance(peer, end, &mut dests);
            *left = left.saturating_sub(frame.len());
            if !frame.is_empty() {
                frames.push(frame);
            }
        };
        if caught_up && adj.take_end(peer) {
            let mut frame = BytesMut::new();
            encode::end_of_rib(family, &mut frame);
            *left = left.saturating_sub(frame.len());
            frames.push(frame.freeze());
        }
        freed.extend(dests.into_iter().map(|dest| (family, dest)));
        caught_up
    }

    /// The end of a message: who is to be woken.
    pub(crate) fn flush(&mut self) -> Vec<PeerId> {
        (self.passed, self.same) = (None, None);
        match std::mem::take(&mut self.changed) {
            true => std::mem::take(&mut self.waiting),
            false => Vec::new(),
        }
    }
}
