//! What the Rib keeps, by kind: counts and octets, from what its parts know of themselves. Nothing
//! is walked, so a full table costs no more to ask than an empty one.

use super::Rib;
use crate::table::{Keyed, Path};
use crate::types::{Family, V4, V6};

/// One kind of thing that is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kept {
    /// What it is.
    pub what: What,
    /// How many.
    pub count: usize,
    /// Octets of memory, room that is kept for more included.
    pub bytes: usize,
}

/// Kinds of things.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Attribute sets, each once.
    Attributes,
    /// Destinations with one path in each, and their index; IPv4, IPv6.
    Destinations(Family),
    /// Paths beside the first of their destination. Their octets are reckoned, not counted.
    FurtherPaths,
    /// Neighbours and their path identifiers.
    Sources,
    /// Next hops.
    Nexthops,
    /// What groups of neighbours are told.
    AdjOut,
    /// Messages for them, encoded.
    Encoded,
}

impl Rib {
    /// What is kept.
    pub fn kept(&self) -> Vec<Kept> {
        let kept = |what, (count, bytes)| Kept { what, count, bytes };
        let [adj_out, encoded] = self.exports.size();
        let ids = self.peers.ids().into_iter();
        let counts = ids.filter_map(|id| Some(&self.peers.get(id)?.counts));
        let paths: u32 = counts.chain([&self.peers.own]).flat_map(|counts| counts.received).sum();
        // Some destinations have none: only withdrawals of theirs are still to be told.
        let first = self.tables.v4.len() + self.tables.v6.len();
        let further = (paths as usize).saturating_sub(first);
        // A list of two holds the first one too, and its length.
        let each = 2 * size_of::<Path>() + size_of::<Vec<Path>>();
        vec![
            kept(What::Attributes, self.sets.size()),
            table::<V4>(self),
            table::<V6>(self),
            kept(What::FurtherPaths, (further, further * each)),
            kept(What::Sources, (self.sources.len(), self.sources.bytes())),
            kept(What::Nexthops, self.nexthops.size()),
            kept(What::AdjOut, adj_out),
            kept(What::Encoded, encoded),
        ]
    }
}

fn table<P: Keyed>(rib: &Rib) -> Kept {
    let table = P::table(&rib.tables);
    let what = What::Destinations(P::FAMILY);
    Kept { what, count: table.len(), bytes: table.bytes() }
}
