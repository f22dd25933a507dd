//! What the kernel says of the way to a neighbour, for its session.
//!
//! In: the Fib's [`Way`] (a dead interface, an address of ours that is not there), its hint that
//! the kernel looked for the neighbour's link-layer address in vain, and BFD's losses. Out: what
//! follows for the session. The hint alone ends nothing: whether the host is gone, TCP shows, whose
//! KEEPALIVE a living kernel acknowledges. Nor does BFD where TCP says already that it is the
//! daemon that is gone.

use std::io;
use std::time::Duration;

use starling_bgp::bfd::Loss;
use starling_bgp::msg::{PeerIn, PeerOut};
use starling_fib::types::Way;

use super::{Conn, Pump};

/// A neighbour that the kernel looked for in vain has so long to acknowledge a KEEPALIVE.
const PROBED: Duration = Duration::from_secs(3);

impl Pump {
    pub(super) fn way_is(&mut self, way: Way, out: &mut Vec<PeerOut>) {
        let before = std::mem::replace(&mut self.way, way);
        match &self.way.cut {
            Some(why) if before.cut.is_none() => {
                let why = why.clone();
                self.handle(PeerIn::LinkDown(why), out);
            }
            _ => {}
        }
        let freed =
            before.waits && !self.way.waits || before.cut.is_some() && self.way.cut.is_none();
        if freed {
            self.handle(PeerIn::Retry, out);
        }
    }

    /// BFD missed the neighbour. Where its kernel has ended the connection meanwhile, it is its
    /// daemon that ended, of which BFD shares the fate: that is a restart, told by the end of the
    /// connection, and BFD says no more than that (RFC 5882 §4.3.2). On a starved host, or behind
    /// much that is yet to be read, BFD's news is here first all the same, and would cost the
    /// neighbour's routes.
    pub(super) fn bfd_down(&mut self, loss: Loss, out: &mut Vec<PeerOut>) {
        let slot = self.live.as_ref().map(|live| live.slot);
        let ended = slot.and_then(|slot| self.conn(slot).as_ref()).is_some_and(Conn::is_ended);
        if loss.forwarding_lost || !ended {
            self.handle(PeerIn::BfdDown(loss), out);
        }
    }

    /// The neighbour's host may be gone: a living one acknowledges a KEEPALIVE, whatever its
    /// daemon does.
    pub(super) fn watch_for_an_answer(&mut self) {
        self.probed.get_or_insert(self.clock.now().after(PROBED));
    }

    pub(super) fn see_probe(&mut self, out: &mut Vec<PeerOut>) {
        self.probed = None;
        let Some(slot) = self.live.as_ref().map(|live| live.slot) else { return };
        let silent = self.conn(slot).as_ref().and_then(Conn::unacknowledged);
        // A new session within that time has acknowledged something since.
        if let Some(silent) = silent.filter(|silent| *silent >= PROBED) {
            let silent = silent.as_secs();
            let why = format!("its host acknowledges nothing, for {silent} s now");
            self.handle(PeerIn::Unanswered(why), out);
        }
    }
}

/// An address or an interface of this host is not there.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::NotFound)
}
