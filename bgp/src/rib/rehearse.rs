//! A change rehearsed: on a copy of the Rib the same code runs that would run on the Rib itself, and
//! the copy is asked what came of it. Nothing is predicted by rules of its own.

use super::Rib;
use crate::export;
pub use crate::export::Telling;
use crate::types::PeerId;

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

    fn side(&self) -> export::Side<'_> {
        let Rib { exports, tables, sets, .. } = self;
        export::Side { exports, tables, sets }
    }
}

#[cfg(test)]
#[path = "rehearse_tests.rs"]
mod tests;
