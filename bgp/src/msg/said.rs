//! How much a neighbour is told. It is counted where messages are encoded, once for all who get the
//! same ones: nobody who only passes them on has to read them again.

use std::ops::AddAssign;

/// What messages to a neighbour hold.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Said {
    /// UPDATEs, the markers of End-of-RIB among them.
    pub updates: u64,
    /// ROUTE-REFRESHes: the marks of RFC 7313, which are no UPDATEs.
    pub refreshes: u64,
    /// Octets of all of them, headers included.
    pub octets: u64,
    /// What the UPDATEs announce and withdraw.
    pub prefixes: Prefixes,
}

impl AddAssign for Said {
    fn add_assign(&mut self, more: Said) {
        self.updates += more.updates;
        self.refreshes += more.refreshes;
        self.octets += more.octets;
        self.prefixes += more.prefixes;
    }
}

/// How many prefixes UPDATEs announce and withdraw; with path identifiers, paths to them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Prefixes {
    /// Announced, …
    pub announced: u64,
    /// … withdrawn.
    pub withdrawn: u64,
}

impl AddAssign for Prefixes {
    fn add_assign(&mut self, more: Prefixes) {
        self.announced += more.announced;
        self.withdrawn += more.withdrawn;
    }
}
