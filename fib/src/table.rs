//! Wanted against present as one table, in the words of `ip route`: `bgpctl show fib`.
//!
//! Read in pieces, by prefix, so that a table of any size holds up nobody: a piece begins behind
//! the last prefix of the piece before, whatever changed in between.

use ipnet::IpNet;

use crate::fib::Fib;
use crate::types::{KernelRoute, NextHop, Resolution};
use crate::view::{KernelState, words};

/// One destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The destination.
    pub prefix: IpNet,
    /// What should be there; `None`: nothing.
    pub want: Option<String>,
    /// What is there, of ours; `None`: nothing.
    pub have: Option<String>,
    /// How the two stand.
    pub state: EntryState,
    /// How the next hops were resolved, in words.
    pub why: Option<String>,
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
            entries.push(self.entry(next, is_wanted));
        }
        entries
    }

    fn entry(&self, prefix: IpNet, is_wanted: bool) -> Entry {
        let held: Vec<String> = self.world.have().of(prefix).map(|r| self.words(&r)).collect();
        let have = (!held.is_empty()).then(|| held.join(", "));
        let route = self.view_of(prefix).filter(|_| is_wanted);
        let Some(route) = route else {
            return Entry { prefix, want: None, have, state: EntryState::Leftover, why: None };
        };
        let whys: Vec<String> = route.resolutions.iter().map(reason).collect();
        Entry {
            prefix,
            want: self.wanted(prefix).map(|want| self.words(&want)),
            have,
            state: EntryState::Wanted(route.state),
            why: (!whys.is_empty()).then(|| whys.join("; ")),
        }
    }

    fn words(&self, route: &KernelRoute) -> String {
        words(route, &self.world)
    }
}

fn reason((_, resolution): &(Option<NextHop>, Resolution)) -> String {
    resolution.why.clone()
}
