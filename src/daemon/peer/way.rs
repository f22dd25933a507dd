//! What the kernel says of the way to a neighbour, for its session.
//!
//! In: the Fib's [`Way`] (a dead interface, an address of ours that is not there), and its hint that
//! the kernel looked for the neighbour's link-layer address in vain. Out: what follows for the
//! session. The hint alone ends nothing: whether the host is gone, TCP shows, whose KEEPALIVE a
//! living kernel acknowledges.

use std::io;
use std::time::Duration;

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

    /// The neighbour's host may be gone: a living one acknowledges a KEEPALIVE, whatever its
    /// daemon does.
    pub(super) fn probe(&mut self, out: &mut Vec<PeerOut>) {
        if self.live.is_some() && self.probed.is_none() {
            self.handle(PeerIn::Probe, out);
            self.probed = Some(self.clock.now().after(PROBED));
        }
    }

    pub(super) fn see_probe(&mut self, out: &mut Vec<PeerOut>) {
        self.probed = None;
        let Some(slot) = self.live.as_ref().map(|live| live.slot) else { return };
        let silent = self.conn(slot).as_ref().and_then(Conn::unacknowledged);
        // A new session within that time has acknowledged something since.
        if let Some(silent) = silent.filter(|silent| *silent >= PROBED) {
            let why = format!(
                "its host answers neither the kernel's search for its link-layer address nor, for \
                 {} s, what was sent",
                silent.as_secs()
            );
            self.handle(PeerIn::Unanswered(why), out);
        }
    }
}

/// An address or an interface of this host is not there.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::NotFound)
}
