//! Pulls that the Rib has not answered yet: which are due, how long they have waited, and which
//! wait for something to be told.
//!
//! ```text
//!   ask ──► due ──next──► the Rib ──► frames: answered
//!            ▲                └─────► nothing ──park──► parked
//!            └──────────────wake────────────────────────┘
//! ```

use std::collections::{BTreeMap, VecDeque};

use starling_bgp::types::PeerId;

/// Pulls wait while no more than so many routes are taken in front of them: a fraction of a second.
const LATE: usize = 1 << 18;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pulls {
    due: VecDeque<(PeerId, usize)>,
    /// With the room that they asked for.
    parked: BTreeMap<PeerId, usize>,
    /// The one that the Rib is about to answer.
    asked: Option<(PeerId, usize)>,
    /// Routes that were taken while some were due.
    delayed: usize,
}

impl Pulls {
    /// A peer has room for so many octets.
    pub(super) fn ask(&mut self, peer: PeerId, room: usize) {
        self.due.push_back((peer, room));
    }

    /// So many routes went first.
    pub(super) fn delay(&mut self, routes: usize) {
        if !self.due.is_empty() {
            self.delayed += routes;
        }
    }

    /// Whether those that are due have waited long enough, whatever else there is to do.
    pub(super) fn are_late(&self) -> bool {
        self.delayed >= LATE
    }

    /// The one that the Rib is to answer next, if one is due.
    pub(super) fn next(&mut self) -> Option<(PeerId, usize)> {
        self.asked = self.due.pop_front();
        if self.asked.is_none() {
            self.delayed = 0;
        }
        self.asked
    }

    /// There was nothing for the one that was asked last: it waits.
    pub(super) fn park(&mut self, peer: PeerId) {
        if let Some((asked, room)) = self.asked.take()
            && asked == peer
        {
            self.parked.insert(peer, room);
        }
    }

    /// There is something for a peer that had read all.
    pub(super) fn wake(&mut self, peer: PeerId) {
        if let Some(room) = self.parked.remove(&peer) {
            self.due.push_back((peer, room));
        }
    }

    /// The peer's session is over.
    pub(super) fn forget(&mut self, peer: PeerId) {
        self.parked.remove(&peer);
        self.due.retain(|(other, _)| *other != peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: PeerId = PeerId(1);
    const TWO: PeerId = PeerId(2);

    #[test]
    fn who_has_read_all_is_asked_for_again_when_woken() {
        let mut pulls = Pulls::default();
        pulls.ask(ONE, 100);
        assert_eq!(pulls.next(), Some((ONE, 100)));
        pulls.park(ONE);
        assert_eq!(pulls.next(), None);
        pulls.wake(TWO);
        assert_eq!(pulls.next(), None);
        pulls.wake(ONE);
        pulls.wake(ONE);
        assert_eq!((pulls.next(), pulls.next()), (Some((ONE, 100)), None));
        // It was answered; it will ask again.
        pulls.wake(ONE);
        assert_eq!(pulls.next(), None);
    }

    #[test]
    fn a_session_that_is_over_is_not_answered() {
        let mut pulls = Pulls::default();
        pulls.ask(ONE, 1);
        pulls.ask(TWO, 2);
        pulls.forget(ONE);
        assert_eq!(pulls.next(), Some((TWO, 2)));
        pulls.park(TWO);
        pulls.forget(TWO);
        pulls.wake(TWO);
        assert_eq!(pulls.next(), None);
    }

    #[test]
    fn routes_go_first_but_not_for_ever() {
        let mut pulls = Pulls::default();
        pulls.delay(LATE);
        assert!(!pulls.are_late(), "nobody waited");
        pulls.ask(ONE, 1);
        pulls.delay(LATE - 1);
        assert!(!pulls.are_late());
        pulls.delay(1);
        assert!(pulls.are_late());
        assert_eq!((pulls.next(), pulls.next()), (Some((ONE, 1)), None));
        assert!(!pulls.are_late());
    }
}
