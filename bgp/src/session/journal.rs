//! What an operator is told of a neighbour, and what he can ask: state and since when, the last
//! end, how often. An attempt that fails like one before is counted as the last end but not told
//! again until the session was up in between: a neighbour that is down for a night is one line.

use super::{Counters, DownReason, PeerEvent, State};
use crate::msg::PeerOut;
use crate::types::Time;
use crate::wire::Notification;

/// As many different reasons are told between two sessions.
const MOST_TOLD: usize = 16;

/// See the module.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The state that was told last.
    pub(crate) state: State,
    /// When it was entered.
    pub(crate) since: Time,
    /// The last end of a session or an attempt.
    pub(crate) last_down: Option<(DownReason, Time)>,
    /// What one side said to the other last, as an end that came with a NOTIFICATION: until a
    /// session is Established or the operator begins anew. Attempts that merely fail say less.
    pub(crate) notified: Option<(DownReason, Time)>,
    /// The last end of an Established session.
    pub(crate) lost: Option<(DownReason, Time)>,
    /// How often an Established session ended.
    pub(crate) flaps: u32,
    /// Messages that the session itself sent.
    pub(crate) sent: Counters,
    told: Vec<DownReason>,
    /// A collision cost us a connection since; the next one that does is worth telling.
    collided: bool,
    shortfalls: Vec<String>,
}

impl Journal {
    pub(crate) fn new() -> Journal {
        Journal {
            state: State::Idle,
            since: Time::ZERO,
            last_down: None,
            notified: None,
            lost: None,
            flaps: 0,
            sent: Counters::default(),
            told: Vec::new(),
            collided: false,
            shortfalls: Vec::new(),
        }
    }

    /// The state is `to` now; told if it was another.
    pub(crate) fn state(&mut self, now: Time, to: State, out: &mut Vec<PeerOut>) {
        if self.state != to {
            out.push(PeerOut::Event(PeerEvent::State { from: self.state, to }));
            self.state = to;
            self.since = now;
        }
    }

    /// A session is Established, lacking `shortfalls`.
    pub(crate) fn up(&mut self, shortfalls: &[String], out: &mut Vec<PeerOut>) {
        self.told.clear();
        self.notified = None;
        self.collided = false;
        for text in shortfalls.iter().filter(|text| !self.shortfalls.contains(text)) {
            out.push(PeerOut::Event(PeerEvent::Mismatch(text.clone())));
        }
        self.shortfalls = shortfalls.to_vec();
    }

    /// The operator begins anew: what was said before is over.
    pub(crate) fn begins(&mut self) {
        self.notified = None;
    }

    /// The Established session is not any more, for this `reason`; `ended` tells it.
    pub(crate) fn down(&mut self, now: Time, reason: &DownReason) {
        self.lost = Some((reason.clone(), now));
        self.flaps += 1;
        self.collided = true;
    }

    /// An attempt or a session ended.
    pub(crate) fn ended(&mut self, now: Time, reason: DownReason, out: &mut Vec<PeerOut>) {
        // The connection that the neighbour prefers may be one that we have yet to accept. If it
        // says so again, it believes in a session that does not exist here.
        if reason == DownReason::Received(Notification::CEASE_COLLISION)
            && !std::mem::replace(&mut self.collided, true)
        {
            return;
        }
        if self.told.len() < MOST_TOLD && !self.told.iter().any(|told| alike(told, &reason)) {
            self.told.push(reason.clone());
            out.push(PeerOut::Event(PeerEvent::Down(reason.clone())));
        }
        if explains(&reason) || (self.notified.is_none() && is_notification(&reason)) {
            self.notified = Some((reason.clone(), now));
        }
        self.last_down = Some((reason, now));
    }
}

fn is_notification(reason: &DownReason) -> bool {
    matches!(reason, DownReason::Sent(_) | DownReason::Received(_))
}

/// Whether a NOTIFICATION says what is wrong. Who is left alone after an error hears Connection
/// Rejected (Cease 6/5), which says nothing of that error; of two connections one is a collision
/// too many (6/7).
fn explains(reason: &DownReason) -> bool {
    match reason {
        DownReason::Sent(why) | DownReason::Received(why) => {
            *why != Notification::CEASE_REJECTED && *why != Notification::CEASE_COLLISION
        }
        _ => false,
    }
}

/// Whether an operator who knows one reason learns nothing from the other.
fn alike(one: &DownReason, other: &DownReason) -> bool {
    match (one, other) {
        (DownReason::Sent(a), DownReason::Sent(b))
        | (DownReason::Received(a), DownReason::Received(b)) => {
            (a.code, a.subcode, a.text()) == (b.code, b.subcode, b.text())
        }
        _ => one == other,
    }
}
