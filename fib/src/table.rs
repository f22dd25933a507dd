//! Wanted against present as one table, in the words of `ip route`: `bgpctl show fib`.
//!
//! Read in pieces, by prefix, so that a table of any size holds up nobody: a piece begins behind
//! the last prefix of the piece before, whatever changed in between.

use ipnet::IpNet;

use crate::fib::Fib;
use crate::types::{KernelRoute, NextHop, Resolution};
use crate::view::{KernelState, Words};

/// One destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The destination.
    pub prefix: IpNet,
    /// What should be there; `None`: nothing.
    pub want: Option<Words>,
    /// What is there, of ours: nearly always one at most.
    pub have: Vec<Words>,
    /// How the two stand.
    pub state: EntryState,
    /// What each BGP next hop comes to; without an address for an own block.
    pub resolutions: Vec<(Option<NextHop>, Resolution)>,
}

/// How wanted and present stand to each other.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EntryState {
    /// It is wanted.
    Wanted(KernelState),
    /// Nobody wants it: a predecessor's, until the neighbours have spoken.
    Leftover,
}

impl Fib {
    /// Up to `limit` destinations behind `after` (`None`: from the first), in order of prefixes.
    pub fn entries(&self, after: Option<IpNet>, limit: usize) -> Vec<Entry> {
        self.each(after, limit, |prefix, is_wanted| self.entry(prefix, is_wanted))
    }

    /// The same destinations without what takes words: how each stands.
    pub fn states(&self, after: Option<IpNet>, limit: usize) -> Vec<(IpNet, EntryState)> {
        self.each(after, limit, |prefix, is_wanted| {
            let state = if is_wanted { self.state_of(prefix) } else { None };
            (prefix, state.map_or(EntryState::Leftover, EntryState::Wanted))
        })
    }

    fn each<T>(
        &self,
        after: Option<IpNet>,
        limit: usize,
        mut make: impl FnMut(IpNet, bool) -> T,
    ) -> Vec<T> {
        let have = self.world.have();
        let mut present = have.prefixes_after(after).peekable();
        let mut wanted = self.wants.after(after).peekable();
        let mut entries = Vec::new();
        while entries.len() < limit {
            let next = match (wanted.peek(), present.peek()) {
                (Some((a, _)), Some(b)) => *a.min(b),
                (Some((a, _)), None) => *a,
                (None, Some(b)) => *b,
                (None, None) => break,
            };
            let is_wanted = wanted.next_if(|(prefix, _)| *prefix == next).is_some();
            while present.next_if_eq(&next).is_some() {}
            entries.push(make(next, is_wanted));
        }
        entries
    }

    fn entry(&self, prefix: IpNet, is_wanted: bool) -> Entry {
        let words = |route: &KernelRoute| Words::of(route, &self.world);
        let have = self.world.have().of(prefix).map(|route| words(&route)).collect();
        let Some(route) = self.view_of(prefix).filter(|_| is_wanted) else {
            let state = EntryState::Leftover;
            return Entry { prefix, want: None, have, state, resolutions: Vec::new() };
        };
        Entry {
            prefix,
            want: self.wanted(prefix).map(|want| words(&want)),
            have,
            state: EntryState::Wanted(route.state),
            resolutions: route.resolutions,
        }
    }
}
