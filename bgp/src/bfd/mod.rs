//! BFD: whether the path to a neighbour still carries packets, known in less than a second
//! (RFC 5880 asynchronous mode; 5881, 5883 for its use over IP; 5882 for what BGP makes of it).
//!
//! ```text
//!  packet   the 24 octets, read strictly (§6.8.6) and written
//!  session  one neighbour: the state machine, who may send how often, when silence is a loss
//! ```
//!
//! [`Session`] is an actor like the others ([`crate::msg::BfdIn`], [`crate::msg::BfdOut`]): sockets,
//! the clock and whose packet it is are its pump's affair. No echo, no authentication; Demand mode
//! is obeyed (§6.6) and never asked for.
//!
//! What a loss means to BGP (RFC 5882) is decided by who reads `BfdOut::Down`: only a session that
//! was Up can be lost, so a neighbour that speaks no BFD is never worse off for our asking.

pub mod packet;
pub mod session;

use std::fmt;
use std::time::Duration;

pub use packet::{Diag, Malformed, Packet, State};
pub use session::Session;

use crate::types::Time;

/// While a session is not Up its packets go no faster (RFC 5880 §6.8.3).
pub const SLOW: Duration = Duration::from_secs(1);

/// How a session is configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Config {
    /// How often we want to send, and how often we can take packets (the wire's microseconds; more
    /// than 71 minutes is cut to that).
    pub interval: Duration,
    /// So many intervals of silence are a loss; zero counts as one.
    pub multiplier: u8,
    /// Who begins.
    pub role: Role,
}

/// Who begins (RFC 5880 §6.1); both ends may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// We do: packets go whether the neighbour is heard or not.
    Active,
    /// The neighbour: nothing goes while it is not heard.
    Passive,
}

/// Packets a second that a node sends at most, all its sessions together.
const MOST_PER_SECOND: u32 = 500;

/// The interval that keeps a node of `sessions` sessions at 500 packets a second on average, or
/// `wanted` if that is longer. Jitter makes seven eighths of an interval on average (§6.8.7).
pub fn paced(wanted: Duration, sessions: usize) -> Duration {
    let sessions = u32::try_from(sessions).unwrap_or(u32::MAX);
    let each = Duration::from_micros(8_000_000 / 7 / u64::from(MOST_PER_SECOND) + 1);
    wanted.max(each.saturating_mul(sessions))
}

/// Why a session that was Up is not any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss {
    /// What happened.
    pub cause: Cause,
    /// What is lost is the neighbour's forwarding, not only its control plane: it said before that
    /// its BFD does not share the fate of its control plane (the C bit). Where this is false, a
    /// loss during the neighbour's graceful restart says nothing about its routes
    /// (RFC 5882 §4.3.2).
    pub forwarding_lost: bool,
    /// So far it is known that the path carried: when the neighbour was heard last, or, where it is
    /// the neighbour that misses us, when it has heard us yet at the latest. A BGP session that
    /// began later is no part of what was lost.
    pub heard: Time,
}

/// What ended a session that was Up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// Nothing was heard for this long, the detection time.
    Silent(Duration),
    /// The neighbour says that its end is down, and why: mostly that it hears nothing from us.
    Signalled(Diag),
    /// The neighbour's operator took its end down. No failure, and no reason to doubt the path
    /// (RFC 5882 §3.2).
    AdminDown,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Silent(time) => write!(f, "neighbour silent for {} ms", time.as_millis()),
            Cause::Signalled(Diag::NONE) => f.write_str("neighbour signalled down"),
            Cause::Signalled(diag) => write!(f, "neighbour signalled down: {diag}"),
            Cause::AdminDown => f.write_str("neighbour took it down administratively"),
        }
    }
}

/// What there is to tell an operator.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Status {
    /// Our end.
    pub state: State,
    /// When it entered that state.
    pub since: Time,
    /// What the neighbour said last, unless a detection time has passed since.
    pub remote: Option<Packet>,
    /// Our own diagnostic: why we were down last.
    pub diag: Diag,
    /// How often we send (before jitter).
    pub transmit: Duration,
    /// How often the neighbour may send: what we demand or it desires, the longer one. `None`:
    /// nothing is heard.
    pub receive: Option<Duration>,
    /// So long a silence is a loss. `None`: nothing is heard.
    pub detection: Option<Duration>,
    /// A change of intervals waits for the neighbour's answer.
    pub polling: bool,
    /// Packets sent.
    pub sent: u64,
    /// Packets received that were this session's.
    pub received: u64,
    /// How often it was lost after it had been Up, administrative ends aside.
    pub flaps: u32,
    /// The last end after it had been Up, and when.
    pub last_down: Option<(Loss, Time)>,
}
