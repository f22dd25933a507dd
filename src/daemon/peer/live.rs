//! An Established session beside the Rib: its frames go to the socket as fast as that takes them, more
//! is pulled when there is room, and what all of it took is known.

use starling_bgp::msg::{LimitAction, PeerIn, PeerOut, PrefixLimit, RibIn, Slot};
use starling_bgp::types::Family;
use tokio::sync::mpsc;

use super::Pump;
use crate::daemon::events;
use crate::daemon::rib::{FromPeer, ToPeer};

/// Pull when less than this is queued on the socket …
const LOW_WATER: usize = 64 * 1024;
/// … and about this much at a time.
const PULL: usize = 256 * 1024;
/// An Established session's side of the pull protocol.
pub(super) struct Live {
    pub(super) slot: Slot,
    pub(super) from_rib: mpsc::Receiver<ToPeer>,
    /// A pull is unanswered; it will be when there is something.
    pub(super) pulling: bool,
}

impl Pump {
    pub(super) fn hear_rib(&mut self, message: Option<ToPeer>, out: &mut Vec<PeerOut>) {
        let Some(live) = &mut self.live else { return };
        match message {
            Some(ToPeer::Frames { frames, said, behind }) => {
                self.tally.sent += said;
                live.pulling = false;
                self.behind = self.behind.or(behind);
                let slot = live.slot;
                for frame in frames {
                    if let Some(conn) = self.conn(slot) {
                        conn.send(frame);
                    }
                }
            }
            Some(ToPeer::OverLimit { family, limit }) => self.over_limit(family, limit, out),
            // The Rib's task is gone: the daemon is stopping.
            None => self.live = None,
        }
    }

    /// The neighbour sent more prefixes than it may: said once, and the session ends if it is to.
    fn over_limit(&mut self, family: Family, limit: PrefixLimit, out: &mut Vec<PeerOut>) {
        let PrefixLimit { max, action } = limit;
        self.remember(events::over_limit(self.peer.config(), family, limit));
        if let LimitAction::Close { restart: idle } = action {
            self.handle(PeerIn::OverLimit { family, limit: max, idle }, out);
        }
    }

    pub(super) fn see_whether_all_is_told(&mut self) {
        let slot = self.live.as_ref().map(|live| live.slot);
        let waits = slot.and_then(|slot| self.conn(slot).as_ref()).is_some_and(|c| c.queued() > 0);
        if !waits && let Some(came) = self.behind.take() {
            self.delays.neighbours.took(self.clock.now().since(came));
        }
    }

    pub(super) fn pull(&mut self) {
        let Some(live) = &self.live else { return };
        let (slot, idle) = (live.slot, !live.pulling);
        let room = self.conn(slot).as_ref().is_some_and(|conn| conn.queued() < LOW_WATER);
        if idle
            && room
            && let Some(live) = &mut self.live
        {
            live.pulling = true;
            let peer = self.peer.config().id;
            self.to_rib.push_back(FromPeer::In(RibIn::Pull { peer, room: PULL }));
        }
    }
}

pub(super) async fn from_rib(live: &mut Option<Live>) -> Option<ToPeer> {
    match live {
        Some(live) => live.from_rib.recv().await,
        None => std::future::pending().await,
    }
}
