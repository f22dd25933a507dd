//! A change rehearsed: on a copy of the Rib the same code runs that would run on the Rib itself, and
//! the copy is asked what came of it. Nothing is predicted by rules of its own.

use ipnet::IpNet;

use super::Rib;
use crate::export;
pub use crate::export::Telling;
use crate::table::{Keyed, Path};
use crate::types::{PeerId, V4, V6};

impl Rib {
    /// A copy that may be told anything: nothing that happens to it is seen here, hits of rules
    /// included. Takes as long, and as much memory, as the tables are large.
    pub fn rehearsal(&self) -> Rib {
        let mut copy = self.clone();
        copy.exports.detach();
        copy
    }

    /// What `peer` is told by `self` and was not by `before`, from which this was copied.
    pub fn telling(&self, before: &Rib, peer: PeerId) -> Telling {
        export::compare(before.side(), self.side(), peer)
    }

    /// For each of these neighbours (ascending) the destinations that lead through it alone: no path
    /// of anybody else can be used. In order of prefixes.
    pub fn only_from(&self, peers: &[PeerId]) -> Vec<Vec<IpNet>> {
        let mut all = vec![Vec::new(); peers.len()];
        self.only_of_family::<V4>(peers, &mut all);
        self.only_of_family::<V6>(peers, &mut all);
        all.iter_mut().for_each(|nets| nets.sort_unstable());
        all
    }

    fn only_of_family<P: Keyed>(&self, peers: &[PeerId], all: &mut [Vec<IpNet>]) {
        let table = P::table(&self.tables);
        let is_usable = |path: &&Path| {
            let reached = || self.nexthops.metric(path.used).is_some();
            path.is_accepted() && (path.source().is_own() || reached())
        };
        for id in 0..table.end() {
            let Some(dest) = table.get(id) else { continue };
            let mut from = dest.paths.as_slice().iter().filter(is_usable).map(|path| {
                match path.source().is_own() {
                    true => PeerId::LOCAL,
                    false => self.sources.peer(path.source()),
                }
            });
            let Some(first) = from.next() else { continue };
            if from.all(|other| other == first)
                && let Ok(at) = peers.binary_search(&first)
                && let Some(nets) = all.get_mut(at)
            {
                nets.push(dest.prefix.net());
            }
        }
    }

    fn side(&self) -> export::Side<'_> {
        let Rib { exports, tables, sets, .. } = self;
        export::Side { exports, tables, sets }
    }
}

#[cfg(test)]
#[path = "rehearse_tests.rs"]
mod tests;
