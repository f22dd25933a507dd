//! When the start is over: routes that a predecessor left in the kernel may go if nobody has
//! announced them again (RFC 4724 §4.1, the deferral, bounded).
//!
//! Nothing else waits for it: routes are decided, programmed and exported from the first one on,
//! so an unreachable neighbour delays only the removal of what is stale. The wait is over only
//! once the kernel's side has answered for every next hop: before, what came last is announced
//! but not yet decided, and its route of old would be taken for one that nobody announces.

use std::time::Duration;

use super::nexthop::Nexthops;
use super::peers::Peers;
use crate::types::{PeerId, Time};

/// The wait for the neighbours' End-of-RIB.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settle {
    phase: Phase,
    /// What a predecessor left waits for them …
    theirs: Holdout,
    /// … and our own End-of-RIB for these.
    ours: Holdout,
}

#[derive(Clone, Debug, Default)]
enum Phase {
    /// Not configured yet.
    #[default]
    Unstarted,
    /// Waiting, until then at the latest.
    Waiting(Time),
    /// Only for what the kernel's side has not answered yet.
    Answers,
    /// Over; it does not begin again.
    Settled,
}

/// Whoever was found to be waited for last is looked at first: where hundreds start at once, a
/// message of one of them does not have all of them looked at.
#[derive(Clone, Debug, Default)]
struct Holdout(Option<PeerId>);

impl Holdout {
    /// Whether all of `expected`, ascending, are done.
    fn is_none(&mut self, expected: &[PeerId], is_done: impl Fn(PeerId) -> bool) -> bool {
        let known = self.0.and_then(|last| expected.binary_search(&last).ok()).unwrap_or(0);
        let (before, from_there) = expected.split_at(known);
        self.0 = from_there.iter().chain(before).copied().find(|id| !is_done(*id));
        self.0.is_none()
    }
}

impl Settle {
    /// The first configuration begins the wait; later ones change nothing.
    pub(crate) fn start(&mut self, now: Time, patience: Duration) {
        if matches!(self.phase, Phase::Unstarted) {
            self.phase = Phase::Waiting(now.after(patience));
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Settled)
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match self.phase {
            Phase::Waiting(until) => Some(until),
            _ => None,
        }
    }

    /// Whether our own End-of-RIB has nothing to wait for any more: every configured peer has sent
    /// what it will, or starts itself and waits for ours.
    pub(crate) fn may_end(
        &mut self,
        expected: &[PeerId],
        peers: &Peers,
        nexthops: &Nexthops,
    ) -> bool {
        let done = |id| peers.get(id).is_some_and(|p| p.is_settled() || p.is_starting());
        match self.phase {
            Phase::Unstarted => false,
            Phase::Waiting(_) => self.ours.is_none(expected, done) && nexthops.are_answered(),
            Phase::Answers => nexthops.are_answered(),
            Phase::Settled => true,
        }
    }

    /// Whether the wait has just ended: time is up, or every configured peer (`expected`) is up
    /// and has sent what it will; and nothing of that is undecided.
    pub(crate) fn has_ended(
        &mut self,
        now: Time,
        expected: &[PeerId],
        peers: &Peers,
        nexthops: &Nexthops,
    ) -> bool {
        let done = |id| peers.get(id).is_some_and(|p| p.is_settled());
        match self.phase {
            Phase::Unstarted | Phase::Settled => return false,
            Phase::Waiting(until) if now < until && !self.theirs.is_none(expected, done) => {
                return false;
            }
            Phase::Waiting(_) | Phase::Answers => {}
        }
        let ended = nexthops.are_answered();
        self.phase = if ended { Phase::Settled } else { Phase::Answers };
        ended
    }
}

#[cfg(test)]
#[path = "settle_tests.rs"]
mod tests;
