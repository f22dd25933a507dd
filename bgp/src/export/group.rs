//! An update group: one Adj-RIB-Out per family, and who reads it.

use bytes::{Bytes, BytesMut};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::adj_out::AdjOut;
use super::chunk::{self, Dialect};
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
    /// What attributes become on the way out, for the message at hand: within one a number means
    /// one set. Each value holds a reference until the flush.
    exported: HashMap<(AttrId, Learned), Option<AttrId>, FixedState>,
    /// The last entry of it: routes come in runs.
    last: Option<(Family, AttrId, Learned, Option<AttrId>)>,
}

impl Group {
    pub(crate) fn new(key: GroupKey) -> Group {
        Group {
            key,
            v4: AdjOut::default(),
            v6: AdjOut::default(),
            waiting: Vec::new(),
            changed: false,
            exported: HashMap::default(),
            last: None,
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

    pub(crate) fn dissolve(mut self, sets: &mut Sets, freed: &mut Vec<(Family, u32)>) {
        self.forget_exported(sets);
        for (family, adj) in [(Family::Ipv4, self.v4), (Family::Ipv6, self.v6)] {
            let mut dests = Vec::new();
            adj.dissolve(sets, &mut dests);
            freed.extend(dests.into_iter().map(|dest| (family, dest)));
        }
    }

    /// The best route of a destination is new; see [`super::Exports::feed`].
    #[inline]
    pub(crate) fn feed(
        &mut self,
        family: Family,
        dest: u32,
        route: Option<(AttrId, PeerId, Learned)>,
        sets: &mut Sets,
    ) {
        if !self.key.families.contains(family) {
            return;
        }
        let sent = route.and_then(|(attr, source, learned)| {
            Some((self.exported(family, attr, learned, sets)?, source))
        });
        self.changed |= self.adj_mut(family).set(dest, sent, sets);
    }

    /// What `attr` becomes on its way out, if it goes.
    #[inline]
    fn exported(
        &mut self,
        family: Family,
        attr: AttrId,
        learned: Learned,
        sets: &mut Sets,
    ) -> Option<AttrId> {
        if let Some((f, a, l, out)) = self.last
            && (f, a, l) == (family, attr, learned)
        {
            return out;
        }
        let out = match self.exported.get(&(attr, learned)) {
            Some(out) => *out,
            None => {
                let set = sets.get(attr).and_then(|set| self.key.export(family, learned, set));
                let out = set.map(|set| sets.intern(set));
                self.exported.insert((attr, learned), out);
                out
            }
        };
        self.last = Some((family, attr, learned, out));
        out
    }

    fn forget_exported(&mut self, sets: &mut Sets) {
        self.last = None;
        for (_, out) in self.exported.drain() {
            if let Some(id) = out {
                sets.release(id);
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
        let dialect = Dialect { as4: self.key.as4, internal: self.key.internal };
        let adj = self.adj_mut(family);
        let mut dests = Vec::new();
        let caught_up = loop {
            if *left == 0 {
                break adj.reader(peer).is_none_or(|r| r.next >= adj.log.end() && !r.end_due);
            }
            let Some((frame, end)) = chunk::next(adj, peer, P::table(tables), sets, dialect) else {
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
    pub(crate) fn flush(&mut self, sets: &mut Sets) -> Vec<PeerId> {
        if !self.exported.is_empty() {
            self.forget_exported(sets);
        }
        match std::mem::take(&mut self.changed) {
            true => std::mem::take(&mut self.waiting),
            false => Vec::new(),
        }
    }
}
