//! The blackhole clock: for how long a node sent packets for another's pods the wrong way, or
//! nowhere, while both daemons ran, knew of each other and could talk. In virtual time, exact.

use std::fmt;
use std::time::Duration;

use starling_bgp::types::Time;

use crate::network::NodeIx;

/// A clock for each ordered pair.
#[derive(Clone, Debug)]
pub struct Blackholes {
    nodes: usize,
    /// Since when the pair's packets go astray.
    since: Vec<Option<Time>>,
    dark: usize,
    /// When the last pair came out of the dark.
    light: Time,
    account: Account,
}

/// What a stretch of time came to.
#[derive(Clone, Copy, Default, Debug)]
pub struct Account {
    /// The longest that one pair was in the dark at a stretch, and which.
    pub longest: Duration,
    pub pair: Option<(NodeIx, NodeIx)>,
    /// The sum over all pairs.
    pub total: Duration,
    /// How often some pair fell into the dark.
    pub times: u64,
}

impl Account {
    fn add(&mut self, span: Duration, pair: (NodeIx, NodeIx)) {
        self.total += span;
        self.times += 1;
        if span > self.longest {
            (self.longest, self.pair) = (span, Some(pair));
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "longest {:.3?}", self.longest)?;
        if let Some((from, to)) = self.pair {
            write!(f, " (node{from} to node{to})")?;
        }
        write!(f, ", {:.1?} in {} holes", self.total, self.times)
    }
}

impl Blackholes {
    pub fn new(nodes: usize) -> Blackholes {
        let since = vec![None; nodes * nodes];
        Blackholes { nodes, since, dark: 0, light: Time::ZERO, account: Account::default() }
    }

    /// Whether packets from one node to the other's pods go astray now.
    pub fn set(&mut self, now: Time, from: NodeIx, to: NodeIx, dark: bool) {
        let since = &mut self.since[from * self.nodes + to];
        match (*since, dark) {
            (None, true) => {
                *since = Some(now);
                self.dark += 1;
            }
            (Some(begin), false) => {
                *since = None;
                self.dark -= 1;
                self.light = now;
                if now > begin {
                    self.account.add(now.since(begin), (from, to));
                }
            }
            _ => {}
        }
    }

    /// Whether no packet goes astray.
    pub fn all_reach(&self) -> bool {
        self.dark == 0
    }

    /// When the last pair came out of the dark.
    pub fn light(&self) -> Time {
        self.light
    }

    /// What the time since the last call came to; a pair that is still in the dark counts until
    /// now, and from now on again.
    pub fn settle(&mut self, now: Time) -> Account {
        for (at, since) in self.since.iter_mut().enumerate() {
            if let Some(begin) = since.as_mut().filter(|begin| **begin < now) {
                self.account.add(now.since(*begin), (at / self.nodes, at % self.nodes));
                *begin = now;
            }
        }
        std::mem::take(&mut self.account)
    }
}
