//! What a session is to be beyond its families and timers: what OPEN offers, which paths count.

use std::time::Duration;

use starling_bgp::session::{IdleHold, Offer, Restart};

/// Settings of a session. `[cluster]` has those of the mesh, and what a `[[peer]]` that says
/// nothing gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// What OPEN offers.
    pub offer: Offer,
    /// Paths for a prefix that are sent at most, where several are.
    pub add_path_limit: u16,
    /// How often the own AS may be in a received AS_PATH.
    pub allow_own_as: u8,
    /// An external neighbour's AS_PATH must begin with its AS.
    pub first_as: bool,
    /// How long a neighbour is left alone after its errors.
    pub idle_hold: IdleHold,
    /// How long bytes may wait unsent; `None`: RFC 9687's default.
    pub send_hold: Option<Duration>,
}

impl Default for Session {
    /// What serves everybody: graceful restart in both roles, one path for a prefix.
    fn default() -> Session {
        Session {
            offer: Offer::default(),
            add_path_limit: 4,
            allow_own_as: 0,
            first_as: true,
            idle_hold: IdleHold::default(),
            send_hold: None,
        }
    }
}

impl Session {
    /// Paths for a prefix that go out at most; 0: path identifiers are not offered.
    pub fn paths_sent(&self) -> u16 {
        if self.offer.add_path_send { self.add_path_limit } else { 0 }
    }
}

/// `graceful-restart` in the words of the file.
pub(crate) fn graceful_restart(restart: &Restart) -> &'static str {
    match (restart.helper, restart.time.is_zero()) {
        (false, _) => "false",
        (true, true) => "helper",
        (true, false) => "true",
    }
}

/// `add-paths` in the words of the file.
pub(crate) fn add_paths(offer: &Offer) -> &'static str {
    match (offer.add_path_receive, offer.add_path_send) {
        (false, false) => "none",
        (true, false) => "receive",
        (false, true) => "send",
        (true, true) => "both",
    }
}
