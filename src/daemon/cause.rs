//! Why a session is not up, in one word for programs: the other half of [`super::events::words`].

use std::io;

use starling_bgp::session::DownReason;
use starling_bgp::wire::Notification;
use starling_config::transport::Transport;

use super::{conn, endpoint};
use crate::api::DownCause;

/// An end of a session, or a failure to begin one.
pub fn of(reason: &DownReason, transport: &Transport) -> DownCause {
    match reason {
        DownReason::Sent(said) | DownReason::Left(said) | DownReason::Received(said) => told(said),
        DownReason::Lost(_) => DownCause::ConnectionLost,
        DownReason::Bfd(_) => DownCause::BfdDown,
        DownReason::Link(_) => DownCause::LinkDown,
        DownReason::Unanswered(_) => DownCause::HostGone,
        DownReason::ConnectFailed(words) => connecting(words, transport.key.is_some()),
    }
}

/// RFC 4271 §4.5, 4486, 8203, 8538, 9234, 9384, 9687.
fn told(said: &Notification) -> DownCause {
    match (said.code, said.subcode) {
        (2, 2) => DownCause::AsMismatch,
        (2, 3) => DownCause::IdentifierClash,
        (2, 6) => DownCause::HoldTimeRefused,
        (2, 11) => DownCause::RoleMismatch,
        (2, _) => DownCause::OpenRefused,
        (4, _) => DownCause::HoldExpired,
        (6, 1) => DownCause::PrefixLimit,
        (6, 2) => DownCause::Shutdown,
        (6, 3) => DownCause::Deconfigured,
        (6, 4) => DownCause::Reset,
        (6, 5) => DownCause::Rejected,
        (6, 6) => DownCause::ConfigChanged,
        (6, 7) => DownCause::Collision,
        (6, 8) => DownCause::OutOfResources,
        // What made the reset a hard one is inside.
        (6, 9) => match &said.data[..] {
            [code, subcode, ..] if (*code, *subcode) != (6, 9) => {
                told(&Notification::new(*code, *subcode))
            }
            _ => DownCause::Reset,
        },
        (6, 10) => DownCause::BfdDown,
        (6, _) => DownCause::Ceased,
        (8, _) => DownCause::SendHoldExpired,
        _ => DownCause::ProtocolError,
    }
}

/// The actor keeps of an attempt the words that it was told ([`conn::words`], and its own for one
/// that took too long).
fn connecting(words: &str, keyed: bool) -> DownCause {
    let is = |errno: i32| conn::words(&io::Error::from_raw_os_error(errno)) == words;
    if words.starts_with(endpoint::NO_ADDRESS) {
        DownCause::AddressAbsent
    } else if words.starts_with(endpoint::NO_INTERFACE) {
        DownCause::InterfaceAbsent
    } else if is(libc::ECONNREFUSED) {
        DownCause::Refused
    } else if is(libc::ENETUNREACH) {
        DownCause::NoRoute
    } else if is(libc::EHOSTUNREACH) || is(libc::EHOSTDOWN) {
        DownCause::HostUnreachable
    } else if words == "no answer" || is(libc::ETIMEDOUT) {
        if keyed { DownCause::NoAnswerKeyed } else { DownCause::NoAnswer }
    } else {
        DownCause::ConnectFailed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use starling_bgp::session::DownReason::{ConnectFailed, Received, Sent};
    use starling_config::transport::Hops;

    const PLAIN: Transport = Transport { key: None, hops: Hops::Any, interface: None };

    #[test]
    fn the_systems_own_words_are_known() {
        for (errno, cause) in [
            (libc::ECONNREFUSED, DownCause::Refused),
            (libc::ENETUNREACH, DownCause::NoRoute),
            (libc::EHOSTUNREACH, DownCause::HostUnreachable),
            (libc::ETIMEDOUT, DownCause::NoAnswer),
            (libc::EACCES, DownCause::ConnectFailed),
        ] {
            let words = conn::words(&io::Error::from_raw_os_error(errno));
            assert_eq!(of(&ConnectFailed(words), &PLAIN), cause);
        }
        let absent = format!("{}10.1.5.10 is not on this host", endpoint::NO_ADDRESS);
        assert_eq!(of(&ConnectFailed(absent), &PLAIN), DownCause::AddressAbsent);
        let absent = format!("{}eth7 on this host", endpoint::NO_INTERFACE);
        assert_eq!(of(&ConnectFailed(absent), &PLAIN), DownCause::InterfaceAbsent);
        assert_eq!(connecting("no answer", true), DownCause::NoAnswerKeyed);
        assert_eq!(connecting("connection refused", true), DownCause::Refused);
    }

    #[test]
    fn what_was_said_is_the_cause_whoever_said_it() {
        for (said, cause) in [
            (Notification::BAD_PEER_AS, DownCause::AsMismatch),
            (Notification::BAD_BGP_IDENTIFIER, DownCause::IdentifierClash),
            (Notification::HOLD_TIMER_EXPIRED, DownCause::HoldExpired),
            (Notification::CEASE_REJECTED, DownCause::Rejected),
            (Notification::CEASE_BFD_DOWN, DownCause::BfdDown),
            (Notification::MALFORMED_AS_PATH, DownCause::ProtocolError),
            (Notification::with(6, 9, vec![6, 3]), DownCause::Deconfigured),
            (Notification::with(6, 9, vec![6, 9, 6]), DownCause::Reset),
            (Notification::CEASE_HARD_RESET, DownCause::Reset),
        ] {
            assert_eq!(of(&Received(said.clone()), &PLAIN), cause);
            assert_eq!(of(&Sent(said), &PLAIN), cause);
        }
    }

    #[test]
    fn words_for_programs_are_those_of_the_api() {
        for cause in DownCause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.word());
        }
    }
}
