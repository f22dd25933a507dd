//! What happens to neighbours, as log lines a person would want: one line an event.

use starling_bgp::msg::{LimitAction, PrefixLimit};
use starling_bgp::session::{DownReason, PeerConfig, PeerEvent, State};
use starling_bgp::types::Family;
use starling_config::transport::{Hops, Key, Transport};

/// A neighbour's event.
pub fn peer(config: &PeerConfig, transport: &Transport, event: &PeerEvent) {
    let (peer, address) = (config.name.as_str(), config.address);
    match event {
        PeerEvent::State { to: State::Established, .. } => {
            tracing::info!(peer, %address, "session established");
        }
        PeerEvent::State { from, to } => {
            tracing::debug!(peer, %address, "{from:?} -> {to:?}");
        }
        PeerEvent::Down(reason) => {
            tracing::warn!(peer, %address, "no session: {}", words(reason, transport));
        }
        PeerEvent::Malformed(what) => {
            tracing::warn!(peer, %address, "malformed UPDATE, session kept: {what}");
        }
        PeerEvent::Mismatch(what) => {
            tracing::warn!(peer, %address, "{what}");
        }
    }
}

/// A neighbour sent more prefixes than it may; the words, for `bgpctl` too.
pub fn over_limit(config: &PeerConfig, family: Family, limit: PrefixLimit) -> String {
    let PrefixLimit { max, action } = limit;
    let then = match action {
        LimitAction::Warn => "all are taken",
        LimitAction::Drop => "the excess is kept out",
        LimitAction::Close { restart: Some(_) } => "the session ends and will be tried again",
        LimitAction::Close { restart: None } => "the session ends",
    };
    let words = format!("more than {max} {family} prefixes: {then}");
    tracing::warn!(peer = config.name, address = %config.address, "{words}");
    words
}

/// Why a session is not up, for people.
pub fn words(reason: &DownReason, transport: &Transport) -> String {
    match reason {
        DownReason::Sent(notification) => {
            format!("we closed it: {notification}{}", hint(notification.code, notification.subcode))
        }
        DownReason::Left(notification) => {
            format!(
                "we left without a word, so that the neighbour keeps our routes: {notification}"
            )
        }
        DownReason::Received(notification) => {
            format!(
                "the neighbour closed it: {notification}{}",
                hint(notification.code, notification.subcode)
            )
        }
        DownReason::Lost(words) => format!("connection lost: {words}"),
        DownReason::Bfd(loss) => format!("BFD: {}", loss.cause),
        DownReason::Link(words) => format!("link lost: {words}"),
        DownReason::Unanswered(words) => words.clone(),
        DownReason::ConnectFailed(words) => {
            let silent = matches!(words.as_str(), "no answer" | "connection timed out");
            let why = silent.then(|| silence(transport)).flatten().unwrap_or_default();
            format!("cannot connect: {words}{why}")
        }
    }
}

/// What may keep a neighbour's packets from being heard, or ours from being answered, without a
/// word from either kernel.
pub fn silence(transport: &Transport) -> Option<String> {
    let key = transport.key.as_ref().map(|key| match key {
        Key::Md5(_) => "; a password is set: the neighbour may have another one, or none",
        Key::Ao(_) => "; tcp-ao is set: the neighbour's key or ids may be others, or none",
    });
    let hops = match transport.hops {
        Hops::Any => None,
        Hops::Multihop(hops) => Some(format!("; multihop = {hops}: it may be farther away")),
        Hops::Security(hops) => Some(format!(
            "; ttl-security = {hops}: it may be farther away, or not send with TTL 255"
        )),
    };
    let both = [key.map(str::to_owned), hops];
    let both: String = both.into_iter().flatten().collect();
    (!both.is_empty()).then_some(both)
}

/// What to look at, for the ends that have one usual cause.
fn hint(code: u8, subcode: u8) -> &'static str {
    match (code, subcode) {
        (2, 2) => "; the AS numbers of the two configurations differ",
        (2, 3) => "; two routers use the same identifier, or one uses 0.0.0.0",
        (2, 6) => "; one side asks for a hold time of less than 3 s",
        (2, 11) => "; what each side is to the other (`role`) does not fit",
        (4, 0) => "; nothing was heard for the hold time",
        (8, 0) => "; the neighbour took nothing that was sent to it",
        (6, 5) => "; the other side does not know this node",
        _ => "",
    }
}
