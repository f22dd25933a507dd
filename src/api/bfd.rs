//! BFD in the control API: the session with one neighbour.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use starling_bgp::bfd;

use super::LastDown;

/// The states of RFC 5880 §6.2, and one for a neighbour that may not speak BFD at all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BfdState {
    /// Down, and no packet of the neighbour ever came: BGP does without.
    NotHeard,
    /// Held down by an operator.
    AdminDown,
    /// The neighbour is not heard any more.
    Down,
    /// The neighbour is heard but does not hear us yet.
    Init,
    /// Both hear each other.
    Up,
}

impl BfdState {
    /// Every state.
    pub const ALL: [BfdState; 5] =
        [BfdState::NotHeard, BfdState::AdminDown, BfdState::Down, BfdState::Init, BfdState::Up];
}

impl From<bfd::State> for BfdState {
    fn from(state: bfd::State) -> BfdState {
        match state {
            bfd::State::AdminDown => BfdState::AdminDown,
            bfd::State::Down => BfdState::Down,
            bfd::State::Init => BfdState::Init,
            bfd::State::Up => BfdState::Up,
        }
    }
}

/// As the RFC spells them.
impl fmt::Display for BfdState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BfdState::NotHeard => "not heard",
            BfdState::AdminDown => "AdminDown",
            BfdState::Down => "Down",
            BfdState::Init => "Init",
            BfdState::Up => "Up",
        })
    }
}

/// BFD with one neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BfdSession {
    /// The neighbour's name in the configuration.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// Our address towards it; none: the kernel's choice.
    pub local_address: Option<IpAddr>,
    /// RFC 5883 on port 4784; otherwise RFC 5881 on port 3784.
    pub multihop: bool,
    /// Our end.
    pub state: BfdState,
    /// For how long it has been in that state.
    pub since_s: u64,
    /// The neighbour's end, as it said last; none while it is not heard.
    pub remote_state: Option<BfdState>,
    /// The configured interval, already slowed where there are many sessions.
    pub interval_ms: u64,
    /// The configured number of intervals whose silence is a loss.
    pub multiplier: u8,
    /// How often we send, before jitter: the agreed value.
    pub transmit_ms: u64,
    /// How often the neighbour sends; none while it is not heard.
    pub receive_ms: Option<u64>,
    /// So long a silence is a loss; none while nothing is heard.
    pub detection_ms: Option<u64>,
    /// Our diagnostic in words: why we were down last.
    pub diagnostic: String,
    /// The neighbour's; none while it is not heard.
    pub remote_diagnostic: Option<String>,
    /// Packets sent.
    pub sent: u64,
    /// Packets received.
    pub received: u64,
    /// Packets from its address that were not believed: malformed, from too many hops away.
    pub discarded: u64,
    /// How often it went down after it had been Up, ends on purpose aside.
    pub flaps: u64,
    /// The last time that happened, ends on purpose included.
    pub last_down: Option<LastDown>,
    /// Why nothing can be sent or received here ("UDP port 4784 is taken, …").
    pub trouble: Option<String>,
}
