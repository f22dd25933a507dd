//! One connection and exactly what is true of it; two of them side by side.
//!
//! A connection that stands while the neighbour's OPEN on the other one is already accepted is
//! `Held`: it says nothing (RFC 4271 §8.1.1 calls that DelayOpen). So an end that has accepted one
//! connection never makes the other end choose the other one; see `fsm`.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use super::Negotiated;
use super::State;
use crate::msg::Slot;
use crate::types::Time;
use crate::wire::capability::Capability;

/// An OPEN unanswered for so long does not win a collision any more: the other end may be gone
/// without a trace (it lost its power), while a later connection of its next life is well.
pub(crate) const CLAIM: Duration = Duration::from_secs(5);

impl Slot {
    /// Both.
    pub(crate) const BOTH: [Slot; 2] = [Slot::Dialled, Slot::Accepted];

    /// The other one.
    pub(crate) fn other(self) -> Slot {
        match self {
            Slot::Dialled => Slot::Accepted,
            Slot::Accepted => Slot::Dialled,
        }
    }
}

/// Our end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// Our address of it.
    pub(crate) local: IpAddr,
    /// The interface it is on, where its addresses are link-local (RFC 4007 §6).
    pub(crate) scope: Option<NonZeroU32>,
}

impl End {
    /// Our end of a connection between these two.
    pub(crate) fn of(local: SocketAddr, remote: SocketAddr) -> End {
        let scope = |address: SocketAddr| match address {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => NonZeroU32::new(v6.scope_id()),
            _ => None,
        };
        End { local: local.ip().to_canonical(), scope: scope(local).or_else(|| scope(remote)) }
    }
}

/// A connection on the way to Established.
#[derive(Debug)]
pub(crate) struct Conn {
    /// Our end of it.
    pub(crate) end: End,
    /// How far it is.
    pub(crate) stage: Stage,
}

/// How far a connection is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// It stands; our OPEN is held back as long as the other connection is in OpenConfirm.
    Held,
    /// Our OPEN went out then.
    OpenSent(Time),
    /// Theirs is accepted too, and a KEEPALIVE says so.
    OpenConfirm(Box<Agreed>),
}

impl Conn {
    /// Whether the collision rule may choose this connection over one that just got an OPEN.
    pub(crate) fn may_win(&self, now: Time) -> bool {
        match self.stage {
            Stage::Held => false,
            Stage::OpenSent(since) => now.since(since) < CLAIM,
            Stage::OpenConfirm(_) => true,
        }
    }

    /// The state of RFC 4271 §8.2.2.
    fn state(&self, slot: Slot) -> State {
        match (&self.stage, slot) {
            (Stage::Held, Slot::Dialled) => State::Connect,
            (Stage::Held, Slot::Accepted) => State::Active,
            (Stage::OpenSent(_), _) => State::OpenSent,
            (Stage::OpenConfirm(_), _) => State::OpenConfirm,
        }
    }
}

/// What both OPENs came to.
#[derive(Debug)]
pub(crate) struct Agreed {
    /// The result.
    pub(crate) negotiated: Negotiated,
    /// What it lacks, in words.
    pub(crate) shortfalls: Vec<String>,
    /// What the neighbour offered.
    pub(crate) capabilities: Vec<Capability>,
}

/// A started neighbour without an Established session.
#[derive(Default, Debug)]
pub(crate) struct Opening {
    /// The connection that we make.
    pub(crate) dial: Dial,
    /// The connection that the neighbour made.
    pub(crate) accepted: Option<Conn>,
}

/// The connection that we make.
#[derive(Default, Debug)]
pub(crate) enum Dial {
    /// No attempt is under way. One follows when ConnectRetry ends, if that timer runs.
    #[default]
    Waiting,
    /// Until it stands, fails, or ConnectRetry ends.
    UnderWay,
    /// It stands.
    Made(Conn),
}

impl Opening {
    /// The connection in `slot`.
    pub(crate) fn conn(&self, slot: Slot) -> Option<&Conn> {
        match (slot, &self.dial) {
            (Slot::Dialled, Dial::Made(conn)) => Some(conn),
            (Slot::Dialled, _) => None,
            (Slot::Accepted, _) => self.accepted.as_ref(),
        }
    }

    /// The connection in `slot`, to be changed.
    pub(crate) fn conn_mut(&mut self, slot: Slot) -> Option<&mut Conn> {
        match (slot, &mut self.dial) {
            (Slot::Dialled, Dial::Made(conn)) => Some(conn),
            (Slot::Dialled, _) => None,
            (Slot::Accepted, _) => self.accepted.as_mut(),
        }
    }

    /// Puts a connection into `slot`; whatever was there is forgotten.
    pub(crate) fn put(&mut self, slot: Slot, conn: Conn) {
        match slot {
            Slot::Dialled => self.dial = Dial::Made(conn),
            Slot::Accepted => self.accepted = Some(conn),
        }
    }

    /// Takes the connection out of `slot`. An attempt under way stays.
    pub(crate) fn take(&mut self, slot: Slot) -> Option<Conn> {
        match slot {
            Slot::Accepted => self.accepted.take(),
            Slot::Dialled => match std::mem::take(&mut self.dial) {
                Dial::Made(conn) => Some(conn),
                other => {
                    self.dial = other;
                    None
                }
            },
        }
    }

    /// What was agreed on the connection in `slot`, if it is in OpenConfirm.
    pub(crate) fn confirming(&self, slot: Slot) -> Option<&Agreed> {
        match &self.conn(slot)?.stage {
            Stage::OpenConfirm(agreed) => Some(agreed),
            _ => None,
        }
    }

    /// The state of the more advanced connection.
    pub(crate) fn state(&self) -> State {
        let dial = match &self.dial {
            Dial::Waiting => State::Active,
            Dial::UnderWay => State::Connect,
            Dial::Made(conn) => conn.state(Slot::Dialled),
        };
        let accepted = self.accepted.as_ref().map(|conn| conn.state(Slot::Accepted));
        accepted.map_or(dial, |accepted| accepted.max(dial))
    }

    /// Whether there is neither a connection nor an attempt.
    pub(crate) fn is_quiet(&self) -> bool {
        self.accepted.is_none() && matches!(self.dial, Dial::Waiting)
    }
}

/// An Established session.
#[derive(Debug)]
pub(crate) struct Live {
    /// The connection that it is on.
    pub(crate) slot: Slot,
    /// Our end of that.
    pub(crate) end: End,
    /// What was agreed.
    pub(crate) agreed: Box<Agreed>,
    /// When it came up.
    pub(crate) since: Time,
    /// When the neighbour was last asked for a sign of life beside the regular ones.
    pub(crate) probed: Time,
}
