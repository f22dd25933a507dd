//! Sources of paths: a neighbour, and with path identifiers (RFC 7911 §3) one of them.
//!
//! A destination has at most one path per source, so a source's number is all that a path says of
//! its origin. A source exists while paths name it; its number is good until the end of the
//! message in which the last one went.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::slab::Slab;
use crate::types::PeerId;

/// The number of a source.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SourceId(pub(crate) u32);

impl SourceId {
    /// Our own: announced, and a blackhole in the kernel (a pod block);
    pub(crate) const BLOCK: SourceId = SourceId(0);
    /// announced only (a network of the configuration);
    pub(crate) const NETWORK: SourceId = SourceId(1);
    /// announced only, by the operator;
    pub(crate) const OPERATOR: SourceId = SourceId(2);
    /// announced only, the address of a local pod;
    pub(crate) const POD: SourceId = SourceId(3);
    /// a blackhole only.
    pub(crate) const SINK: SourceId = SourceId(4);

    const OWN: [SourceId; 5] =
        [SourceId::BLOCK, SourceId::NETWORK, SourceId::OPERATOR, SourceId::POD, SourceId::SINK];

    /// Whether what comes from it is told to neighbours.
    pub(crate) fn is_announced(self) -> bool {
        self != SourceId::SINK
    }

    /// Whether what is our own and comes from it is a blackhole in the kernel.
    pub(crate) fn is_blackhole(self) -> bool {
        matches!(self, SourceId::BLOCK | SourceId::SINK)
    }

    /// Whether we originate what comes from it.
    #[inline]
    pub(crate) fn is_own(self) -> bool {
        self.0 < SourceId::OWN.len() as u32
    }
}

#[derive(Clone, Copy, Debug)]
struct Source {
    peer: PeerId,
    /// 0 where the session has no path identifiers.
    path_id: u32,
    paths: u32,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    slab: Slab<Source>,
    ids: HashMap<(PeerId, u32), SourceId, FixedState>,
    /// Lost their last path in this message (and may have found another), or never had one.
    idle: Vec<SourceId>,
}

impl Default for Sources {
    fn default() -> Self {
        let (slab, ids, idle) = (Slab::default(), HashMap::default(), Vec::new());
        let mut sources = Sources { slab, ids, idle };
        for id in SourceId::OWN {
            // One use that nobody gives up.
            sources.slab.insert(Source { peer: PeerId::LOCAL, path_id: id.0, paths: 1 });
        }
        sources
    }
}

impl Sources {
    /// Octets of memory held.
    pub(crate) fn bytes(&self) -> usize {
        self.slab.bytes() + self.ids.allocation_size()
    }

    /// The source that `path_id` of `peer` is, known or new.
    pub(crate) fn of(&mut self, peer: PeerId, path_id: u32) -> SourceId {
        let Sources { slab, ids, idle } = self;
        *ids.entry((peer, path_id)).or_insert_with(|| {
            let id = SourceId(slab.insert(Source { peer, path_id, paths: 0 }));
            idle.push(id);
            id
        })
    }

    /// The same, if there is one.
    pub(crate) fn find(&self, peer: PeerId, path_id: u32) -> Option<SourceId> {
        self.ids.get(&(peer, path_id)).copied()
    }

    /// Whose it is.
    #[inline]
    pub(crate) fn peer(&self, id: SourceId) -> PeerId {
        self.slab.get(id.0).map_or(PeerId::LOCAL, |s| s.peer)
    }

    /// Whose it is, and the path identifier with which it came (0 where there are none; of our
    /// own, its number).
    #[inline]
    pub(crate) fn get(&self, id: SourceId) -> Option<(PeerId, u32)> {
        self.slab.get(id.0).map(|s| (s.peer, s.path_id))
    }

    /// One more path is from there.
    #[inline]
    pub(crate) fn acquire(&mut self, id: SourceId) {
        if let Some(source) = self.slab.get_mut(id.0) {
            source.paths += 1;
        }
    }

    /// One path less.
    #[inline]
    pub(crate) fn release(&mut self, id: SourceId) {
        if let Some(source) = self.slab.get_mut(id.0) {
            source.paths -= 1;
            if source.paths == 0 {
                self.idle.push(id);
            }
        }
    }

    /// The end of the message: sources without paths are forgotten.
    pub(crate) fn flush(&mut self) {
        for id in self.idle.drain(..) {
            if self.slab.get(id.0).is_some_and(|s| s.paths == 0)
                && let Some(source) = self.slab.remove(id.0)
            {
                self.ids.remove(&(source.peer, source.path_id));
            }
        }
        self.idle.shrink_to(4096);
    }

    /// How many there are, our own left out.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_lives_as_long_as_its_paths() {
        let mut sources = Sources::default();
        let (a, b) = (sources.of(PeerId(7), 0), sources.of(PeerId(7), 9));
        assert_ne!(a, b);
        assert_eq!((sources.of(PeerId(7), 9), sources.get(b)), (b, Some((PeerId(7), 9))));
        sources.acquire(a);
        sources.flush();
        // Nothing came from b; a has a path.
        assert_eq!((sources.len(), sources.find(PeerId(7), 0)), (1, Some(a)));
        sources.release(a);
        assert_eq!(sources.peer(a), PeerId(7), "known until the end of the message");
        sources.acquire(a);
        sources.flush();
        assert_eq!(sources.len(), 1);
        sources.release(a);
        sources.flush();
        assert_eq!((sources.len(), sources.find(PeerId(7), 0)), (0, None));
        assert!(SourceId::POD.is_own() && !a.is_own());
        assert_eq!(sources.peer(SourceId::OPERATOR), PeerId::LOCAL);
    }
}
