//! What listeners hear of a session: its changes of state, each with the reason where there is one.

use starling_bgp::session::{DownReason, PeerConfig, PeerEvent};
use starling_config::transport::Transport;

use crate::api::{EventKind, Happening, SessionEvent, SessionState};
use crate::daemon::broadcast::{About, Broadcast};
use crate::daemon::events;

/// One neighbour's.
pub(super) struct Told {
    broadcast: Broadcast,
    state: SessionState,
    /// An end whose change of state has not been told yet.
    ended: Option<String>,
}

impl Told {
    pub(super) fn new(broadcast: Broadcast) -> Told {
        Told { broadcast, state: SessionState::Idle, ended: None }
    }

    /// Takes what the actor says. Why something ended it says before the state that follows.
    pub(super) fn note(&mut self, config: &PeerConfig, transport: &Transport, event: &PeerEvent) {
        match event {
            PeerEvent::State { from, to } => {
                self.state = (*to).into();
                let reason = self.ended.take();
                self.tell(config, Some((*from).into()), || reason);
            }
            PeerEvent::Down(reason) => self.end(transport, reason),
            PeerEvent::Malformed(what) => {
                self.tell(config, None, || Some(format!("malformed UPDATE, session kept: {what}")));
            }
            PeerEvent::Mismatch(what) => self.tell(config, None, || Some(what.clone())),
        }
    }

    fn end(&mut self, transport: &Transport, reason: &DownReason) {
        if self.broadcast.is_wanted(EventKind::Session) {
            self.ended = Some(events::words(reason, transport));
        }
    }

    /// The actor has said all: an end that changed no state is told by itself.
    pub(super) fn finish(&mut self, config: &PeerConfig) {
        if let Some(reason) = self.ended.take() {
            self.tell(config, None, || Some(reason));
        }
    }

    fn tell(
        &self,
        config: &PeerConfig,
        was: Option<SessionState>,
        reason: impl FnOnce() -> Option<String>,
    ) {
        let about = About { kind: EventKind::Session, prefix: None, peer: Some(&config.name) };
        self.broadcast.tell(about, || {
            Happening::Session(SessionEvent {
                peer: config.name.clone(),
                address: config.address,
                was,
                state: self.state,
                reason: reason(),
            })
        });
    }
}
