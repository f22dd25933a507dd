//! The table as it is stored: `bgpctl mrt dump`.
//!
//! In: where a walk goes on, and the neighbours' places. Out: MRT's records of the destinations
//! behind it ([`crate::mrt`]), encoded where they lie: a path costs a copy of its attributes, where
//! `bgpctl show routes` puts it into words. What import dropped is in no table.

use bytes::BytesMut;
use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{Cursor, LOOKS};
use crate::mrt::{self, Entry};
use crate::rib::Rib;
use crate::table::{Keyed, Path};
use crate::types::{Family, PeerId, V4, V6};

/// A dump that is being written.
#[derive(Clone, Debug)]
pub struct Dump {
    /// When it began, in seconds since 1970.
    at: u32,
    /// When [`crate::types::Time`] began, likewise.
    epoch: u32,
    /// The neighbours' places in the table of peers.
    places: HashMap<PeerId, u16, FixedState>,
    sequence: u32,
}

impl Dump {
    /// One that began `at`, of these neighbours in their order. Paths of others, who came since, are
    /// left out.
    pub fn new(at: u32, epoch: u32, peers: impl IntoIterator<Item = PeerId>) -> Dump {
        let places = peers.into_iter().zip(0..u16::MAX).collect();
        Dump { at, epoch, places, sequence: 0 }
    }
}

impl Rib {
    /// Appends the records of about `limit` destinations from `after` on (`None`: from the
    /// beginning), and says where to go on; `None`: that was all.
    pub fn dump(
        &self,
        dump: &mut Dump,
        after: Option<Cursor>,
        limit: usize,
        out: &mut BytesMut,
    ) -> Option<Cursor> {
        let mut at = after.unwrap_or(Cursor { family: Family::Ipv4, id: 0 });
        if at.family == Family::Ipv4 {
            if let Some(id) = self.dump_family::<V4>(dump, at.id, limit, out) {
                return Some(Cursor { id, ..at });
            }
            at = Cursor { family: Family::Ipv6, id: 0 };
            if !out.is_empty() {
                return Some(at);
            }
        }
        let next = self.dump_family::<V6>(dump, at.id, limit, out);
        next.map(|id| Cursor { id, ..at })
    }

    /// Returns where to go on in this family.
    fn dump_family<P: Keyed>(
        &self,
        dump: &mut Dump,
        start: u32,
        limit: usize,
        out: &mut BytesMut,
    ) -> Option<u32> {
        let table = P::table(&self.tables);
        let mut paths: Vec<Entry<'_>> = Vec::new();
        let mut found = 0;
        for id in start..table.end() {
            if found >= limit || id - start >= LOOKS {
                return Some(id);
            }
            let Some(dest) = table.get(id) else { continue };
            let best = dest.best().map(|best| best.source);
            let all = || dest.paths.as_slice().iter().filter(|path| path.is_accepted());
            let is_best = |path: &&Path| Some(path.source()) == best;
            // The best one first, as everywhere.
            let first = all().filter(is_best);
            let ordered = first.chain(all().filter(|path| !is_best(path)));
            paths.clear();
            paths.extend(ordered.filter_map(|path| self.entry(dump, path)));
            mrt::destination(dump.at, &mut dump.sequence, dest.prefix, &paths, out);
            found += 1;
        }
        None
    }

    /// A path as used; `None`: it is of nobody who was there when the dump began.
    fn entry(&self, dump: &Dump, path: &Path) -> Option<Entry<'_>> {
        let (peer, path_id) = self.sources.get(path.source())?;
        Some(Entry {
            peer: *dump.places.get(&peer)?,
            since: dump.epoch.saturating_add(path.since),
            path_id: Some(path_id).filter(|id| *id != 0 && !path.source().is_own()),
            attrs: self.sets.get(path.used)?,
        })
    }
}
