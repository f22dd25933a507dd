//! The state machine of a neighbour (RFC 4271 §8): events in, effects out.
//!
//! [`Session::handle`] accepts every event in every state; what makes no sense is ignored (news of
//! a connection that is gone) or answered as the RFC says (a message out of turn). The phase holds
//! what is true: stopped; opening, with up to two connections; established, with one.
//!
//! Where the RFC leaves a choice or we differ:
//! * *Collision* (§6.8). The rule is applied at the first OPEN that comes while the other
//!   connection has ours, not only against one in OpenConfirm; and a connection that stands later
//!   than that stays silent (`Stage::Held`). Under the plain rule, one end can be Established on
//!   one connection and close the other, while the other end closes the first: both are lost.
//! * *Established wins* over any new connection. That is refused with 6/7, and a KEEPALIVE at once
//!   makes the neighbour's kernel reset a session that only we still believe in. Except with
//!   graceful restart: then a new connection is the restarted neighbour's, and the end of the old
//!   one (RFC 4724 §5), unless the session is so young that both ends may still be dialling. Its
//!   OPEN is not waited for: whoever can connect from the neighbour's address can send one too.
//! * *Damping* (§8.1.1 DampPeerOscillations). Attempts follow each other after 1 s, 2 s, 4 s …
//!   up to `connect_retry`. After an error of the neighbour (any NOTIFICATION of ours but a Cease)
//!   its own attempts are refused, and none of ours is made, for a time that grows alike
//!   (`idle_hold`), after its complaint for a second at most; then they are welcome, so that both
//!   ends recover.
//! * *An attempt* to connect is given up after 15 s if `connect_retry` is longer.

mod connections;
mod messages;

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::conn::{Dial, End, Live, Opening};
use super::journal::Journal;
use super::negotiate::{Effect, effect};
use super::restart::{Farewell, farewell, goodbye, retain};
use super::timer::{Backoff, Jitter, Timer, Timers, send_hold};
use super::{DownReason, Forwarding, PeerConfig, PeerEvent, Running, State};
use crate::bfd::Loss;
use crate::msg::{PeerOut, Slot};
use crate::types::{Family, Time};
use crate::wire::Notification;
use crate::wire::capability::Capability;
use crate::wire::header::{KEEPALIVE, Kind, MAX_EXTENDED_LEN, MAX_LEN};
use crate::wire::open::Open;
use crate::wire::refresh::Refresh;

/// First dials spread over this, so that a mesh that starts as one does not dial in one burst.
const SPREAD: Duration = Duration::from_millis(100);

/// What happens to a session. Messages are already read.
#[derive(Debug)]
pub(crate) enum Event {
    Start,
    Stop(Notification, Farewell),
    Forwarding(Forwarding),
    OverLimit(Family, u32, Option<Duration>),
    Configure(Box<PeerConfig>),
    /// The connection that we dialled stands.
    Connected(End),
    ConnectFailed(String),
    /// The neighbour made one.
    Accepted(End),
    Closed(Slot, String),
    /// Time passed. Whether bytes of the Established session wait unread, and how long ours have
    /// waited unsent.
    Tick(bool, Duration),
    RequestRefresh,
    BfdDown(Loss),
    LinkDown(String),
    Probe,
    Unanswered(String),
    Waiting(String),
    Retry,
    Open(Slot, Open),
    Keepalive(Slot),
    /// An UPDATE or ROUTE-REFRESH came; in Established its contents are not the session's.
    Routing(Slot, Kind),
    Notification(Slot, Notification),
    /// What came cannot be read: that is the answer.
    Fault(Slot, Notification),
}

/// The session with one neighbour.
#[derive(Debug)]
pub(crate) struct Session {
    config: PeerConfig,
    phase: Phase,
    timers: Timers,
    jitter: Jitter,
    backoff: Backoff,
    /// How long the next error makes us refuse.
    damping: Backoff,
    journal: Journal,
    forwarding: Forwarding,
    /// What our last OPEN offered.
    offered: Vec<Capability>,
}

#[derive(Debug)]
enum Phase {
    Stopped,
    Opening(Opening),
    Established(Live),
}

impl Session {
    pub(crate) fn new(config: PeerConfig, seed: u64) -> Session {
        Session {
            config,
            phase: Phase::Stopped,
            timers: Timers::default(),
            jitter: Jitter::new(seed),
            backoff: Backoff::default(),
            damping: Backoff::default(),
            journal: Journal::new(),
            forwarding: Forwarding::default(),
            offered: Vec::new(),
        }
    }

    pub(crate) fn config(&self) -> &PeerConfig {
        &self.config
    }

    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        self.timers.next()
    }

    /// When the IdleHoldTimer runs out, if it runs.
    pub(crate) fn idle_until(&self) -> Option<Time> {
        self.timers.idle_hold()
    }

    /// The timers that run.
    pub(crate) fn timers(&self) -> Running {
        self.timers.running()
    }

    /// The Established session, if there is one.
    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.phase {
            Phase::Established(live) => Some(live),
            _ => None,
        }
    }

    /// What our last OPEN offered.
    pub(crate) fn offered(&self) -> &[Capability] {
        &self.offered
    }

    /// Octets of the longest message that may come on the connection in `slot` (RFC 8654 §3).
    pub(crate) fn longest(&self, slot: Slot) -> usize {
        let agreed = match &self.phase {
            Phase::Stopped => None,
            Phase::Opening(opening) => opening.confirming(slot),
            Phase::Established(live) => (live.slot == slot).then_some(&*live.agreed),
        };
        match agreed {
            Some(agreed) if agreed.negotiated.extended_messages => MAX_EXTENDED_LEN,
            _ => MAX_LEN,
        }
    }

    /// Whether there is a connection in `slot`.
    pub(crate) fn is_open(&self, slot: Slot) -> bool {
        match &self.phase {
            Phase::Stopped => false,
            Phase::Opening(opening) => opening.conn(slot).is_some(),
            Phase::Established(live) => live.slot == slot,
        }
    }

    fn state(&self) -> State {
        match &self.phase {
            Phase::Stopped => State::Idle,
            Phase::Opening(opening) if opening.is_quiet() && self.timers.idle_hold().is_some() => {
                State::Idle
            }
            Phase::Opening(opening) => opening.state(),
            Phase::Established(_) => State::Established,
        }
    }

    /// Takes one event; effects are appended to `out` in the order in which they are due.
    pub(crate) fn handle(&mut self, now: Time, event: Event, out: &mut Vec<PeerOut>) {
        match event {
            Event::Start => self.start(now),
            Event::Stop(why, farewell) => self.stop(now, &why, farewell, out),
            Event::Forwarding(forwarding) => self.forwarding = forwarding,
            Event::OverLimit(family, limit, idle) => self.over_limit(now, family, limit, idle, out),
            Event::Configure(config) => self.configure(now, *config, out),
            Event::Connected(end) => self.connected(now, end, out),
            Event::ConnectFailed(reason) => self.connect_failed(now, reason, out),
            Event::Accepted(end) => self.accepted(now, end, out),
            Event::Closed(slot, reason) => self.ended(now, slot, DownReason::Lost(reason), out),
            Event::Tick(unread, stalled) => self.tick(now, unread, stalled, out),
            Event::RequestRefresh => self.request_refresh(out),
            Event::BfdDown(loss) => self.bfd_down(now, loss, out),
            Event::LinkDown(why) => self.abandon(now, DownReason::Link(why), out),
            Event::Probe => self.suspect(now, out),
            Event::Unanswered(why) => self.abandon(now, DownReason::Unanswered(why), out),
            Event::Waiting(reason) => self.waiting(now, reason, out),
            Event::Retry => self.retry(now),
            Event::Open(slot, open) => self.open(now, slot, &open, out),
            Event::Keepalive(slot) => self.keepalive(now, slot, out),
            Event::Routing(slot, kind) => self.routing(now, slot, kind, out),
            Event::Notification(slot, why) => {
                if self.is_open(slot) {
                    out.push(PeerOut::Close { slot });
                    self.ended(now, slot, DownReason::Received(why), out);
                }
            }
            Event::Fault(slot, why) => self.fault(now, slot, why, out),
        }
        let state = self.state();
        self.journal.state(now, state, out);
    }

    // ---- What the operator does -------------------------------------------------------------

    fn start(&mut self, now: Time) {
        if let Phase::Stopped = self.phase {
            self.begin(now);
        }
    }

    /// Starts from nothing.
    fn begin(&mut self, now: Time) {
        self.phase = Phase::Opening(Opening::default());
        self.timers = Timers::default();
        self.backoff = Backoff::default();
        self.damping = Backoff::default();
        self.journal.begins();
        self.dial_soon(now);
    }

    fn dial_soon(&mut self, now: Time) {
        if !self.config.passive {
            self.timers.start(Timer::ConnectRetry, now.after(self.jitter.within(SPREAD)));
        }
    }

    /// Ends whatever is open.
    fn stop(&mut self, now: Time, why: &Notification, farewell: Farewell, out: &mut Vec<PeerOut>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Stopped);
        let ended = match &phase {
            Phase::Stopped => None,
            Phase::Opening(opening) => {
                if let Dial::UnderWay = opening.dial {
                    out.push(PeerOut::Close { slot: Slot::Dialled });
                }
                let before = self.journal.sent.notifications;
                for slot in Slot::BOTH.into_iter().filter(|slot| opening.conn(*slot).is_some()) {
                    self.hang_up(slot, why, out);
                }
                let anything = self.journal.sent.notifications > before;
                anything.then(|| DownReason::Sent(why.clone()))
            }
            Phase::Established(live) => {
                let graceful = live.agreed.negotiated.graceful.as_ref();
                let reason = goodbye(&self.config, graceful, why.clone(), farewell);
                match &reason {
                    DownReason::Sent(why) => self.hang_up(live.slot, why, out),
                    _ => out.push(PeerOut::Close { slot: live.slot }),
                }
                let stays = match farewell {
                    Farewell::ForGood => None,
                    Farewell::ForNow => retain(&self.config, graceful, &reason),
                };
                out.push(PeerOut::Down { reason: reason.clone(), retain: stays });
                self.journal.down(now, &reason);
                Some(reason)
            }
        };
        self.timers = Timers::default();
        if let Some(reason) = ended {
            self.journal.ended(now, reason, out);
        }
    }

    /// The neighbour sent more than it may: the session stops, and begins again after `idle`.
    fn over_limit(
        &mut self,
        now: Time,
        family: Family,
        limit: u32,
        idle: Option<Duration>,
        out: &mut Vec<PeerOut>,
    ) {
        // News of a session that has ended meanwhile is none.
        let Phase::Established(_) = self.phase else { return };
        let why = Notification::over_limit(family, limit);
        self.stop(now, &why, Farewell::ForGood, out);
        if let Some(idle) = idle {
            self.timers.start(Timer::IdleHold, now.after(idle));
        }
    }

    fn configure(&mut self, now: Time, config: PeerConfig, out: &mut Vec<PeerOut>) {
        let refresh = self.live().map(|live| live.agreed.negotiated.refresh);
        let effect = effect(&self.config, &config, refresh);
        let running = !matches!(self.phase, Phase::Stopped);
        if effect == Effect::Anew && running {
            let farewell = farewell(&self.config, &config);
            self.stop(now, &Notification::CEASE_CONFIG_CHANGE, farewell, out);
            self.config = config;
            self.begin(now);
            return;
        }
        let (passive, connect_retry) = (self.config.passive, self.config.connect_retry);
        self.config = config;
        self.watch_sending(now, Duration::ZERO);
        if effect == Effect::Refreshed {
            self.request_refresh(out);
        }
        if (passive, connect_retry) == (self.config.passive, self.config.connect_retry) {
            return;
        }
        let Phase::Opening(opening) = &mut self.phase else { return };
        match (self.config.passive, &opening.dial) {
            (true, Dial::UnderWay) => {
                opening.dial = Dial::Waiting;
                out.push(PeerOut::Close { slot: Slot::Dialled });
                self.timers.stop(Timer::ConnectRetry);
            }
            (true, Dial::Waiting) => self.timers.stop(Timer::ConnectRetry),
            // The wait under way may be far longer than what is wanted now.
            (false, Dial::Waiting) => self.dial_soon(now),
            _ => {}
        }
    }

    fn request_refresh(&mut self, out: &mut Vec<PeerOut>) {
        let Phase::Established(live) = &self.phase else { return };
        if !live.agreed.negotiated.refresh {
            let text = "routes cannot be asked for again: the neighbour does not offer it";
            out.push(PeerOut::Event(PeerEvent::Mismatch(text.to_owned())));
            return;
        }
        let (slot, families) = (live.slot, live.agreed.negotiated.families);
        for family in families.iter() {
            let mut bytes = BytesMut::new();
            Refresh::Request(family).put(&mut bytes);
            self.journal.sent.refreshes += 1;
            self.send(slot, bytes.freeze(), out);
        }
    }

    /// The path is dead (RFC 5882 §4.3, RFC 9384). A connection on the way up proves by itself
    /// whether it works; what waits for it need not forward meanwhile.
    fn bfd_down(&mut self, now: Time, loss: Loss, out: &mut Vec<PeerOut>) {
        let Phase::Established(live) = &self.phase else {
            if loss.forwarding_lost {
                out.push(PeerOut::ForwardingLost);
            }
            return;
        };
        if loss.heard <= live.since {
            return self.suspect(now, out);
        }
        let slot = live.slot;
        self.hang_up(slot, &Notification::CEASE_BFD_DOWN, out);
        self.ended(now, slot, DownReason::Bfd(loss), out);
    }

    /// Nothing gets through to the neighbour: no message is tried.
    fn abandon(&mut self, now: Time, reason: DownReason, out: &mut Vec<PeerOut>) {
        let Phase::Established(live) = &self.phase else { return };
        let slot = live.slot;
        out.push(PeerOut::Close { slot });
        self.ended(now, slot, reason, out);
    }

    // ---- Time -------------------------------------------------------------------------------

    fn tick(&mut self, now: Time, unread: bool, stalled: Duration, out: &mut Vec<PeerOut>) {
        for timer in Timer::ALL {
            if self.timers.take_due(timer, now) {
                self.expired(now, timer, (unread, stalled), out);
            }
        }
    }

    fn expired(
        &mut self,
        now: Time,
        timer: Timer,
        (unread, stalled): (bool, Duration),
        out: &mut Vec<PeerOut>,
    ) {
        match (timer, &self.phase) {
            (Timer::IdleHold, Phase::Stopped) => self.begin(now),
            (Timer::IdleHold, _) => {}
            (Timer::SendHold, Phase::Established(live)) => {
                let (slot, hold) = (live.slot, live.agreed.negotiated.hold);
                if stalled >= send_hold(self.config.send_hold, hold) {
                    // It will hardly get through; RFC 9687 §4.2 lets us try.
                    self.fault(now, slot, Notification::SEND_HOLD_EXPIRED, out);
                } else {
                    self.watch_sending(now, stalled);
                }
            }
            (Timer::SendHold, _) => {}
            (Timer::Hold(slot), Phase::Established(live)) if unread && live.slot == slot => {
                // Reading what waits restarts it in full.
                let more = (live.agreed.negotiated.hold / 3).max(Duration::from_secs(1));
                self.timers.start(timer, now.after(more));
            }
            (Timer::Overdue(slot), Phase::Established(live)) if live.slot == slot => {
                let rest = live.agreed.negotiated.hold / 2;
                if unread {
                    self.timers.start(timer, now.after(rest.max(Duration::from_secs(1))));
                } else {
                    out.push(PeerOut::Overdue { valid: rest });
                }
            }
            (Timer::Overdue(_), _) => {}
            (Timer::Hold(slot), _) => {
                self.fault(now, slot, Notification::HOLD_TIMER_EXPIRED, out);
            }
            (Timer::Keepalive(slot), Phase::Established(live)) => {
                let hold = live.agreed.negotiated.hold;
                self.send_keepalive(slot, out);
                self.next_keepalive(now, slot, hold);
            }
            (Timer::Keepalive(slot), Phase::Opening(opening)) => {
                let hold = opening.confirming(slot).map(|agreed| agreed.negotiated.hold);
                self.send_keepalive(slot, out);
                self.next_keepalive(now, slot, hold.unwrap_or_default());
            }
            (Timer::ConnectRetry, Phase::Opening(opening)) => match opening.dial {
                // While the neighbour's connection is confirmed, ours would only be held back;
                // its end brings the next attempt.
                Dial::Waiting if opening.confirming(Slot::Accepted).is_some() => {}
                Dial::Waiting => self.dial(now, out),
                Dial::UnderWay => {
                    out.push(PeerOut::Close { slot: Slot::Dialled });
                    self.connect_failed(now, "no answer".to_owned(), out);
                }
                Dial::Made(_) => {}
            },
            (Timer::ConnectRetry, Phase::Established(_)) | (_, Phase::Stopped) => {}
        }
    }

    /// Looks again when bytes that have waited for `stalled` could have waited too long.
    fn watch_sending(&mut self, now: Time, stalled: Duration) {
        let Phase::Established(live) = &self.phase else { return };
        let limit = send_hold(self.config.send_hold, live.agreed.negotiated.hold);
        let rest = limit.saturating_sub(stalled).max(Duration::from_secs(1));
        self.timers.start(Timer::SendHold, now.after(rest));
    }

    fn next_keepalive(&mut self, now: Time, slot: Slot, hold: Duration) {
        if let Some(at) = self.jitter.keepalive(now, hold) {
            self.timers.start(Timer::Keepalive(slot), at);
        }
    }

    // ---- Sending ----------------------------------------------------------------------------

    fn send(&mut self, slot: Slot, bytes: Bytes, out: &mut Vec<PeerOut>) {
        self.journal.sent.octets += bytes.len() as u64;
        out.push(PeerOut::Send { slot, bytes });
    }

    fn send_keepalive(&mut self, slot: Slot, out: &mut Vec<PeerOut>) {
        self.journal.sent.keepalives += 1;
        self.send(slot, KEEPALIVE, out);
    }

    fn hang_up(&mut self, slot: Slot, why: &Notification, out: &mut Vec<PeerOut>) {
        let mut bytes = BytesMut::new();
        why.put(&mut bytes);
        self.journal.sent.notifications += 1;
        self.send(slot, bytes.freeze(), out);
        out.push(PeerOut::Close { slot });
        self.timers.stop_conn(slot);
    }
}
