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
pub(crate) enum Settle {
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

impl Settle {
    /// The first configuration begins the wait; later ones change nothing.
    pub(crate) fn start(&mut self, now: Time, patience: Duration) {
        if matches!(self, Settle::Unstarted) {
            *self = Settle::Waiting(now.after(patience));
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Settle::Settled)
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        match self {
            Settle::Waiting(until) => Some(*until),
            _ => None,
        }
    }

    /// Whether our own End-of-RIB has nothing to wait for any more: every configured peer has sent
    /// what it will, or starts itself and waits for ours.
    pub(crate) fn may_end(&self, expected: &[PeerId], peers: &Peers, nexthops: &Nexthops) -> bool {
        let done = |id: &PeerId| peers.get(*id).is_some_and(|p| p.is_settled() || p.is_starting());
        match self {
            Settle::Unstarted => false,
            Settle::Waiting(_) => expected.iter().all(done) && nexthops.are_answered(),
            Settle::Answers => nexthops.are_answered(),
            Settle::Settled => true,
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
        let all = || expected.iter().all(|id| peers.get(*id).is_some_and(|p| p.is_settled()));
        match self {
            Settle::Unstarted | Settle::Settled => return false,
            Settle::Waiting(until) if now < *until && !all() => return false,
            Settle::Waiting(_) | Settle::Answers => {}
        }
        let ended = nexthops.are_answered();
        *self = if ended { Settle::Settled } else { Settle::Answers };
        ended
    }
}
