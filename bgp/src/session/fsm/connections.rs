//! Connections come and go: dialling, accepting, refusing, the backoff between attempts, and what
//! the end of one means for the neighbour as a whole (RFC 4271 §8.2.1, §8.2.2).

use std::time::Duration;

use bytes::BytesMut;

use super::{Phase, Session};
use crate::msg::{PeerOut, Slot};
use crate::session::conn::{CLAIM, Conn, Dial, End, Live, Opening, Stage};
use crate::session::negotiate::offer;
use crate::session::restart::retain;
use crate::session::timer::{Backoff, LARGE_HOLD, Timer, Timers};
use crate::session::{DownReason, IdleHold};
use crate::types::Time;
use crate::wire::Notification;

/// An attempt to connect is given up after this, or after `connect_retry` if that is shorter.
const DIAL_LIMIT: Duration = Duration::from_secs(15);

/// But not before this: a far neighbour's answer takes a while.
const DIAL_LEAST: Duration = Duration::from_secs(2);

/// After the neighbour's complaint its connections are refused for this long at most.
const IDLE: Duration = Duration::from_secs(1);

/// A session that stood this long owes nothing to the failures before it.
const STEADY: Duration = Duration::from_secs(60);

/// A neighbour is asked for a sign of life no more often than this.
const PROBE: Duration = Duration::from_secs(1);

impl Session {
    pub(super) fn dial(&mut self, now: Time, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        opening.dial = Dial::UnderWay;
        out.push(PeerOut::Dial);
        let limit = self.config.connect_retry.clamp(DIAL_LEAST, DIAL_LIMIT);
        let limit = self.jitter.scale(limit);
        self.timers.start(Timer::ConnectRetry, now.after(limit));
    }

    pub(super) fn connected(&mut self, now: Time, end: End, out: &mut Vec<PeerOut>) {
        match &self.phase {
            Phase::Opening(Opening { dial: Dial::UnderWay, .. }) => {
                self.timers.stop(Timer::ConnectRetry);
                self.stands(now, Slot::Dialled, end, out);
            }
            // Not asked for, or not any more. One that stands already would be a second report.
            _ if !self.is_open(Slot::Dialled) => {
                out.push(PeerOut::Close { slot: Slot::Dialled });
            }
            _ => {}
        }
    }

    pub(super) fn connect_failed(&mut self, now: Time, reason: String, out: &mut Vec<PeerOut>) {
        if self.attempt_ended(now, reason, out) {
            self.retry_later(now);
        }
    }

    /// The attempt cannot even begin: no timer, `retry` brings the next one.
    pub(super) fn waiting(&mut self, now: Time, reason: String, out: &mut Vec<PeerOut>) {
        self.attempt_ended(now, reason, out);
    }

    /// Whether there was an attempt to end.
    fn attempt_ended(&mut self, now: Time, reason: String, out: &mut Vec<PeerOut>) -> bool {
        let Phase::Opening(opening) = &mut self.phase else { return false };
        let Dial::UnderWay = opening.dial else { return false };
        opening.dial = Dial::Waiting;
        self.timers.stop(Timer::ConnectRetry);
        if opening.accepted.is_none() {
            self.journal.ended(now, DownReason::ConnectFailed(reason), out);
        }
        true
    }

    /// What was in the way is gone: whatever wait is left is none.
    pub(super) fn retry(&mut self, now: Time) {
        let Phase::Opening(Opening { dial: Dial::Waiting, .. }) = self.phase else { return };
        if self.timers.idle_hold().is_none() {
            self.dial_soon(now);
        }
    }

    pub(super) fn accepted(&mut self, now: Time, end: End, out: &mut Vec<PeerOut>) {
        let refusal = match &self.phase {
            Phase::Stopped => Some(Notification::CEASE_REJECTED),
            Phase::Opening(_) if self.timers.idle_hold().is_some() => {
                Some(Notification::CEASE_REJECTED)
            }
            Phase::Opening(_) => None,
            Phase::Established(live) if is_outlived(live, now) => {
                let slot = live.slot;
                out.push(PeerOut::Close { slot });
                let why = "the neighbour connected anew".to_owned();
                self.ended(now, slot, DownReason::Lost(why), out);
                None
            }
            Phase::Established(_) => Some(Notification::CEASE_COLLISION),
        };
        match refusal {
            Some(why) => {
                self.journal.sent.notifications += 1;
                self.journal.sent.octets += 21;
                out.push(PeerOut::Refuse(why));
                self.probe(now, out);
            }
            None => {
                // A neighbour that connects again has given up the connection before.
                if self.is_open(Slot::Accepted) {
                    self.lose(now, Slot::Accepted, out);
                }
                self.stands(now, Slot::Accepted, end, out);
            }
        }
    }

    /// Somebody at the neighbour's address wants a new session: is the old one still alive? If
    /// the neighbour has forgotten it, its kernel answers any segment with a reset.
    pub(super) fn probe(&mut self, now: Time, out: &mut Vec<PeerOut>) {
        let Phase::Established(live) = &mut self.phase else { return };
        if now.since(live.probed) >= PROBE {
            live.probed = now;
            let slot = live.slot;
            self.send_keepalive(slot, out);
        }
    }

    /// Something says that the path is dead, and may be wrong: what the neighbour's kernel
    /// acknowledges decides.
    pub(super) fn suspect(&mut self, now: Time, out: &mut Vec<PeerOut>) {
        let Phase::Established(live) = &mut self.phase else { return };
        live.probed = now;
        let slot = live.slot;
        self.send_keepalive(slot, out);
        out.push(PeerOut::Watch);
    }

    /// A connection stands: our OPEN goes, unless the other one is about to be the session.
    pub(super) fn stands(&mut self, now: Time, slot: Slot, end: End, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        opening.put(slot, Conn { end, stage: Stage::Held });
        if opening.confirming(slot.other()).is_none() {
            self.introduce(now, slot, out);
        }
    }

    /// Sends our OPEN on a connection that had none.
    pub(super) fn introduce(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let Some(conn) = opening.conn_mut(slot) else { return };
        conn.stage = Stage::OpenSent(now);
        self.timers.start(Timer::Hold(slot), now.after(LARGE_HOLD));
        let mut bytes = BytesMut::new();
        let open = offer(&self.config, self.forwarding);
        open.put(&mut bytes);
        self.offered = open.capabilities;
        self.journal.sent.opens += 1;
        self.send(slot, bytes.freeze(), out);
    }

    /// Closes the connection that a collision costs; the other one goes on.
    pub(super) fn lose(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) {
        self.hang_up(slot, &Notification::CEASE_COLLISION, out);
        self.forget(now, slot, out);
    }

    /// Takes a connection off the books, if there is one on the way up, and lets the other one
    /// speak if it was held back. Whether there is another one.
    pub(super) fn forget(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) -> Option<bool> {
        let Phase::Opening(opening) = &mut self.phase else { return None };
        opening.take(slot)?;
        self.timers.stop_conn(slot);
        let other = opening.conn(slot.other()).map(|conn| matches!(conn.stage, Stage::Held));
        if other == Some(true) {
            self.introduce(now, slot.other(), out);
        }
        self.retry_later(now);
        Some(other.is_some())
    }

    /// A connection is gone, `Close`d before if that was ours to do.
    pub(super) fn ended(
        &mut self,
        now: Time,
        slot: Slot,
        reason: DownReason,
        out: &mut Vec<PeerOut>,
    ) {
        match &self.phase {
            Phase::Established(live) if live.slot == slot => {
                let orderly = match &reason {
                    DownReason::Received(why) => why.code == 6,
                    DownReason::Sent(_) => false,
                    DownReason::Left(_)
                    | DownReason::Lost(_)
                    | DownReason::ConnectFailed(_)
                    | DownReason::Bfd(_)
                    | DownReason::Link(_)
                    | DownReason::Unanswered(_) => true,
                };
                if orderly || now.since(live.since) >= STEADY {
                    self.backoff = Backoff::default();
                    self.damping = Backoff::default();
                }
                let graceful = live.agreed.negotiated.graceful.as_ref();
                let stays = retain(&self.config, graceful, &reason);
                out.push(PeerOut::Down { reason: reason.clone(), retain: stays });
                self.journal.down(now, &reason);
                self.phase = Phase::Opening(Opening::default());
                self.timers = Timers::default();
                self.retry_later(now);
            }
            // The end of one of two is no news: the other may well succeed.
            _ => match self.forget(now, slot, out) {
                None | Some(true) => return,
                Some(false) => {}
            },
        }
        self.leave_alone(now, &reason);
        self.journal.ended(now, reason, out);
    }

    /// Starts the IdleHoldTimer where `reason` is an error.
    fn leave_alone(&mut self, now: Time, reason: &DownReason) {
        let IdleHold { first, most } = self.config.idle_hold;
        let idle = match reason {
            _ if first.is_zero() => return,
            DownReason::Sent(why) if why.code != 6 => {
                let most = most.unwrap_or(self.config.connect_retry).max(first);
                self.damping.next_from(first, most)
            }
            // What it finds wrong with us it judges by itself.
            DownReason::Received(why) if why.code != 6 => first.min(IDLE),
            _ => return,
        };
        let until = now.after(idle);
        self.timers.start(Timer::IdleHold, until);
        // It is not called before that either.
        let waiting = matches!(self.phase, Phase::Opening(Opening { dial: Dial::Waiting, .. }));
        if waiting && self.timers.at(Timer::ConnectRetry).is_some_and(|at| at < until) {
            self.timers.start(Timer::ConnectRetry, until);
        }
    }

    /// Another attempt follows, if it is ours to make and none is due.
    pub(super) fn retry_later(&mut self, now: Time) {
        let Phase::Opening(Opening { dial: Dial::Waiting, .. }) = self.phase else { return };
        if !self.config.passive && self.timers.at(Timer::ConnectRetry).is_none() {
            let wait = self.backoff.next(self.config.connect_retry);
            self.timers.start(Timer::ConnectRetry, now.after(self.jitter.scale(wait)));
        }
    }
}

/// Whether a new connection is the end of this session (RFC 4724 §5): the neighbour has restarted,
/// and where graceful restart was agreed nothing is lost by believing it. Just after the session
/// came up it may as well be the other half of a collision.
fn is_outlived(live: &Live, now: Time) -> bool {
    let graceful = live.agreed.negotiated.graceful;
    graceful.is_some_and(|graceful| !graceful.families.is_empty()) && now.since(live.since) >= CLAIM
}
