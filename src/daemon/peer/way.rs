//! What the kernel says of the way to a neighbour, for its session.
//!
//! In: the Fib's [`Way`] (a dead interface, an address of ours that is not there), its hint that
//! the kernel looked for the neighbour's link-layer address in vain, and BFD's losses. Out: what
//! follows for the session. The hint alone ends nothing: whether the host is gone, TCP shows, whose
//! KEEPALIVE a living kernel acknowledges. Nor does BFD that shares the fate of a daemon, where
//! the host answers that way.

use std::io;
use std::time::Duration;

use starling_bgp::bfd::Loss;
use starling_bgp::msg::{PeerIn, PeerOut};
use starling_bgp::types::Time;
use starling_fib::types::Way;

use super::{Conn, Pump};

/// So long a living kernel may take to acknowledge a KEEPALIVE once BFD has missed its daemon.
const ASKED: Duration = Duration::from_millis(50);

/// So often it is asked while BFD hears nothing.
const AGAIN: Duration = Duration::from_secs(1);

/// A neighbour that the kernel looked for in vain has so long to acknowledge a KEEPALIVE.
const PROBED: Duration = Duration::from_secs(3);

/// BFD hears nothing of the neighbour, whose kernel is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    loss: Loss,
    /// When it is looked what it acknowledged.
    pub(super) at: Time,
    /// It has acknowledged something, which was said.
    kept: bool,
}

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

    /// BFD missed the neighbour. Where it shares the fate of the neighbour's daemon (no C bit) that
    /// may be the daemon alone, gone or starved, while the host forwards (RFC 5882 §4.3.2); its
    /// routes would go for nothing. The end of a process closes its connection, but not at once
    /// on a busy host, or with gigabytes to free. So the kernel of that host is asked: what
    /// acknowledges a KEEPALIVE is alive, and reached both ways.
    pub(super) fn bfd_is(&mut self, lost: Option<Loss>, out: &mut Vec<PeerOut>) {
        self.doubt = None;
        let Some(loss) = lost else { return };
        let slot = self.live.as_ref().map(|live| live.slot);
        let conn = slot.and_then(|slot| self.conn(slot).as_ref());
        match conn.filter(|_| !loss.forwarding_lost) {
            Some(conn) if conn.is_ended() => {}
            Some(_) => {
                self.doubt = Some(Doubt { loss, at: self.clock.now().after(ASKED), kept: false });
                self.handle(PeerIn::Probe, out);
            }
            None => self.handle(PeerIn::BfdDown(loss), out),
        }
    }

    /// What the neighbour's kernel has made of the question. As long as BFD hears nothing it is
    /// asked again.
    pub(super) fn see_doubt(&mut self, out: &mut Vec<PeerOut>) {
        let Some(doubt) = self.doubt.take() else { return };
        let Some(slot) = self.live.as_ref().map(|live| live.slot) else { return };
        let silent = self.conn(slot).as_ref().and_then(Conn::unacknowledged);
        if silent.is_some_and(|silent| silent >= ASKED) {
            // What it did not acknowledge was sent in this session, so the loss is this one's.
            let heard = self.clock.now();
            return self.handle(PeerIn::BfdDown(Loss { heard, ..doubt.loss }), out);
        }
        if !doubt.kept {
            let note = "BFD is down, but its host acknowledges what it is sent: its daemon is slow \
                        or gone, its routes stay";
            let config = self.peer.config();
            tracing::warn!(peer = %config.name, address = %config.address, "{note}");
            self.remember(note.to_owned());
        }
        self.doubt = Some(Doubt { at: self.clock.now().after(AGAIN), kept: true, ..doubt });
        self.handle(PeerIn::Probe, out);
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
