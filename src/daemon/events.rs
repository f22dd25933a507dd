//! What happens to neighbours, as log lines a person would want: one line an event.

use starling_bgp::session::{DownReason, PeerConfig, PeerEvent, State};

/// A neighbour's event.
pub fn peer(config: &PeerConfig, event: &PeerEvent) {
    let (peer, address) = (config.name.as_str(), config.address);
    match event {
        PeerEvent::State { to: State::Established, .. } => {
            tracing::info!(peer, %address, "session established");
        }
        PeerEvent::State { from, to } => {
            tracing::debug!(peer, %address, "{from:?} -> {to:?}");
        }
        PeerEvent::Down(reason) => {
            tracing::warn!(peer, %address, "no session: {}", words(reason));
        }
        PeerEvent::Malformed(what) => {
            tracing::warn!(peer, %address, "malformed UPDATE, session kept: {what}");
        }
        PeerEvent::Mismatch(what) => {
            tracing::warn!(peer, %address, "{what}");
        }
    }
}

/// Why a session is not up, for people.
pub fn words(reason: &DownReason) -> String {
    match reason {
        DownReason::Sent(notification) => {
            format!("we closed it: {notification}{}", hint(notification.code, notification.subcode))
        }
        DownReason::Received(notification) => {
            format!(
                "the neighbour closed it: {notification}{}",
                hint(notification.code, notification.subcode)
            )
        }
        DownReason::Lost(words) => format!("connection lost: {words}"),
        DownReason::ConnectFailed(words) => format!("cannot connect: {words}"),
        DownReason::Bfd(loss) => format!("BFD: {}", loss.cause),
    }
}

/// What to look at, for the ends that have one usual cause.
fn hint(code: u8, subcode: u8) -> &'static str {
    match (code, subcode) {
        (2, 2) => "; the AS numbers of the two configurations differ",
        (2, 3) => "; two routers use the same identifier, or one uses 0.0.0.0",
        (2, 6) => "; one side asks for a hold time of less than 3 s",
        (4, 0) => "; nothing was heard for the hold time",
        (6, 5) => "; the other side does not know this node",
        _ => "",
    }
}
