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
//!   makes the neighbour's kernel reset a session that only we still believe in.
//! * *Damping* (§8.1.1 DampPeerOscillations). Attempts follow each other after 1 s, 2 s, 4 s …
//!   up to `connect_retry`. After an error (any NOTIFICATION but a Cease), the neighbour's own
//!   attempts are refused for a second, then welcome, so that both ends recover.
//! * *An attempt* to connect is given up after 15 s if `connect_retry` is longer.

use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::collision::survivor;
use super::conn::{Agreed, Conn, Dial, Live, Opening, Stage};
use super::journal::Journal;
use super::negotiate::{negotiate, offer, remakes, shortfalls};
use super::timer::{Backoff, Jitter, LARGE_HOLD, Timer, Timers};
use super::{DownReason, PeerConfig, PeerEvent, State};
use crate::msg::{PeerOut, PeerUp, Slot};
use crate::types::Time;
use crate::wire::header::{KEEPALIVE, Kind};
use crate::wire::open::Open;
use crate::wire::{Notification, refresh};

/// First dials spread over this, so that a mesh that starts as one does not dial in one burst.
const SPREAD: Duration = Duration::from_millis(100);

/// An attempt to connect is given up after this, or after `connect_retry` if that is shorter.
const DIAL_LIMIT: Duration = Duration::from_secs(15);

/// After an error the neighbour's connections are refused for this long.
const IDLE_HOLD: Duration = Duration::from_secs(1);

/// A session that stood this long owes nothing to the failures before it.
const STEADY: Duration = Duration::from_secs(60);

/// A neighbour is asked for a sign of life no more often than this.
const PROBE: Duration = Duration::from_secs(1);

/// What happens to a session. Messages are already read.
#[derive(Debug)]
pub(crate) enum Event {
    Start,
    Stop(Notification),
    Configure(Box<PeerConfig>),
    Connected {
        local: IpAddr,
    },
    ConnectFailed(String),
    Accepted {
        local: IpAddr,
    },
    Closed(Slot, String),
    Tick {
        unread: bool,
    },
    RequestRefresh,
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
    journal: Journal,
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
            journal: Journal::new(),
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

    /// The Established session, if there is one.
    pub(crate) fn live(&self) -> Option<&Live> {
        match &self.phase {
            Phase::Established(live) => Some(live),
            _ => None,
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
            Phase::Opening(opening) if opening.is_quiet() && self.timers.idle_hold() => State::Idle,
            Phase::Opening(opening) => opening.state(),
            Phase::Established(_) => State::Established,
        }
    }

    /// Takes one event; effects are appended to `out` in the order in which they are due.
    pub(crate) fn handle(&mut self, now: Time, event: Event, out: &mut Vec<PeerOut>) {
        match event {
            Event::Start => self.start(now),
            Event::Stop(why) => self.stop(now, &why, out),
            Event::Configure(config) => self.configure(now, *config, out),
            Event::Connected { local } => self.connected(now, local, out),
            Event::ConnectFailed(reason) => self.connect_failed(now, reason, out),
            Event::Accepted { local } => self.accepted(now, local, out),
            Event::Closed(slot, reason) => self.ended(now, slot, DownReason::Lost(reason), out),
            Event::Tick { unread } => self.tick(now, unread, out),
            Event::RequestRefresh => self.request_refresh(out),
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
        self.dial_soon(now);
    }

    fn dial_soon(&mut self, now: Time) {
        if !self.config.passive {
            self.timers.start(Timer::ConnectRetry, now.after(self.jitter.within(SPREAD)));
        }
    }

    /// Ends whatever is open.
    fn stop(&mut self, now: Time, why: &Notification, out: &mut Vec<PeerOut>) {
        let phase = std::mem::replace(&mut self.phase, Phase::Stopped);
        let anything = match &phase {
            Phase::Stopped => false,
            Phase::Opening(opening) => {
                if let Dial::UnderWay = opening.dial {
                    out.push(PeerOut::Close { slot: Slot::Dialled });
                }
                let before = self.journal.sent.notifications;
                for slot in Slot::BOTH.into_iter().filter(|slot| opening.conn(*slot).is_some()) {
                    self.hang_up(slot, why, out);
                }
                self.journal.sent.notifications > before
            }
            Phase::Established(live) => {
                self.hang_up(live.slot, why, out);
                out.push(PeerOut::Down(DownReason::Sent(why.clone())));
                self.journal.flaps += 1;
                true
            }
        };
        self.timers = Timers::default();
        if anything {
            self.journal.ended(now, DownReason::Sent(why.clone()), out);
        }
    }

    fn configure(&mut self, now: Time, config: PeerConfig, out: &mut Vec<PeerOut>) {
        let remake = remakes(&self.config, &config);
        let running = !matches!(self.phase, Phase::Stopped);
        if remake && running {
            self.stop(now, &Notification::CEASE_CONFIG_CHANGE, out);
            self.config = config;
            self.begin(now);
            return;
        }
        let (passive, connect_retry) = (self.config.passive, self.config.connect_retry);
        self.config = config;
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
            refresh::put(family, &mut bytes);
            self.journal.sent.refreshes += 1;
            self.send(slot, bytes.freeze(), out);
        }
    }

    // ---- Connections come and go ------------------------------------------------------------

    fn dial(&mut self, now: Time, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        opening.dial = Dial::UnderWay;
        out.push(PeerOut::Dial);
        let limit = self.jitter.scale(self.config.connect_retry.clamp(PROBE, DIAL_LIMIT));
        self.timers.start(Timer::ConnectRetry, now.after(limit));
    }

    fn connected(&mut self, now: Time, local: IpAddr, out: &mut Vec<PeerOut>) {
        match &self.phase {
            Phase::Opening(Opening { dial: Dial::UnderWay, .. }) => {
                self.timers.stop(Timer::ConnectRetry);
                self.stands(now, Slot::Dialled, local, out);
            }
            // Not asked for, or not any more. One that stands already would be a second report.
            _ if !self.is_open(Slot::Dialled) => {
                out.push(PeerOut::Close { slot: Slot::Dialled });
            }
            _ => {}
        }
    }

    fn connect_failed(&mut self, now: Time, reason: String, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        if let Dial::UnderWay = opening.dial {
            opening.dial = Dial::Waiting;
            self.timers.stop(Timer::ConnectRetry);
            if opening.accepted.is_none() {
                self.journal.ended(now, DownReason::ConnectFailed(reason), out);
            }
            self.retry_later(now);
        }
    }

    fn accepted(&mut self, now: Time, local: IpAddr, out: &mut Vec<PeerOut>) {
        let refusal = match &self.phase {
            Phase::Stopped => Some(Notification::CEASE_REJECTED),
            Phase::Opening(_) if self.timers.idle_hold() => Some(Notification::CEASE_REJECTED),
            Phase::Opening(_) => None,
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
                self.stands(now, Slot::Accepted, local, out);
            }
        }
    }

    /// Somebody at the neighbour's address wants a new session: is the old one still alive? If
    /// the neighbour has forgotten it, its kernel answers any segment with a reset.
    fn probe(&mut self, now: Time, out: &mut Vec<PeerOut>) {
        let Phase::Established(live) = &mut self.phase else { return };
        if now.since(live.probed) >= PROBE {
            live.probed = now;
            let slot = live.slot;
            self.send_keepalive(slot, out);
        }
    }

    /// A connection stands: our OPEN goes, unless the other one is about to be the session.
    fn stands(&mut self, now: Time, slot: Slot, local: IpAddr, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        opening.put(slot, Conn { local, stage: Stage::Held });
        if opening.confirming(slot.other()).is_none() {
            self.introduce(now, slot, out);
        }
    }

    /// Sends our OPEN on a connection that had none.
    fn introduce(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let Some(conn) = opening.conn_mut(slot) else { return };
        conn.stage = Stage::OpenSent(now);
        self.timers.start(Timer::Hold(slot), now.after(LARGE_HOLD));
        let mut bytes = BytesMut::new();
        offer(&self.config).put(&mut bytes);
        self.journal.sent.opens += 1;
        self.send(slot, bytes.freeze(), out);
    }

    /// Closes the connection that a collision costs; the other one goes on.
    fn lose(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) {
        self.hang_up(slot, &Notification::CEASE_COLLISION, out);
        self.forget(now, slot, out);
    }

    /// Takes a connection off the books, if there is one on the way up, and lets the other one
    /// speak if it was held back. Whether there is another one.
    fn forget(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) -> Option<bool> {
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
    fn ended(&mut self, now: Time, slot: Slot, reason: DownReason, out: &mut Vec<PeerOut>) {
        match &self.phase {
            Phase::Established(live) if live.slot == slot => {
                let orderly = match &reason {
                    DownReason::Received(why) => why.code == 6,
                    DownReason::Sent(_) => false,
                    DownReason::Lost(_) | DownReason::ConnectFailed(_) => true,
                };
                if orderly || now.since(live.since) >= STEADY {
                    self.backoff = Backoff::default();
                }
                out.push(PeerOut::Down(reason.clone()));
                self.journal.flaps += 1;
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
        if let DownReason::Sent(why) | DownReason::Received(why) = &reason
            && why.code != 6
        {
            self.timers.start(Timer::IdleHold, now.after(IDLE_HOLD));
        }
        self.journal.ended(now, reason, out);
    }

    /// Another attempt follows, if it is ours to make and none is due.
    fn retry_later(&mut self, now: Time) {
        let Phase::Opening(Opening { dial: Dial::Waiting, .. }) = self.phase else { return };
        if !self.config.passive && self.timers.at(Timer::ConnectRetry).is_none() {
            let wait = self.backoff.next(self.config.connect_retry);
            self.timers.start(Timer::ConnectRetry, now.after(self.jitter.scale(wait)));
        }
    }

    // ---- Messages ---------------------------------------------------------------------------

    fn open(&mut self, now: Time, slot: Slot, open: &Open, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &self.phase else {
            return self.out_of_turn(now, slot, Kind::Open, out);
        };
        let Some(conn) = opening.conn(slot) else { return };
        if let Stage::OpenConfirm(_) = conn.stage {
            return self.out_of_turn(now, slot, Kind::Open, out);
        }
        let negotiated = match negotiate(&self.config, open) {
            Ok(negotiated) => negotiated,
            Err(why) => return self.fault(now, slot, why, out),
        };
        let other = opening.conn(slot.other());
        let we = (self.config.router_id, self.config.local_asn);
        if other.is_some_and(|conn| conn.may_win(now))
            && survivor(we, (open.router_id, open.asn)) != slot
        {
            return self.lose(now, slot, out);
        }
        if other.is_some() {
            // If this one was held back, its OPEN goes now.
            self.lose(now, slot.other(), out);
        }
        self.confirm(now, slot, negotiated, open, out);
    }

    /// Their OPEN is accepted: a KEEPALIVE says so, and the agreed hold time runs.
    fn confirm(
        &mut self,
        now: Time,
        slot: Slot,
        negotiated: super::Negotiated,
        open: &Open,
        out: &mut Vec<PeerOut>,
    ) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let Some(conn) = opening.conn_mut(slot) else { return };
        let hold = negotiated.hold;
        conn.stage = Stage::OpenConfirm(Box::new(Agreed {
            shortfalls: shortfalls(&self.config, &negotiated),
            negotiated,
            capabilities: open.capabilities.clone(),
        }));
        // Without a hold time, the large one still bounds the wait for their KEEPALIVE.
        let wait = if hold.is_zero() { LARGE_HOLD } else { hold };
        self.timers.start(Timer::Hold(slot), now.after(wait));
        self.send_keepalive(slot, out);
        self.next_keepalive(now, slot, hold);
    }

    fn keepalive(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) {
        match &self.phase {
            Phase::Established(live) if live.slot == slot => self.heard(now),
            Phase::Opening(opening) if opening.confirming(slot).is_some() => {
                self.establish(now, slot, out);
            }
            _ => self.out_of_turn(now, slot, Kind::Keepalive, out),
        }
    }

    fn routing(&mut self, now: Time, slot: Slot, kind: Kind, out: &mut Vec<PeerOut>) {
        match &self.phase {
            Phase::Established(live) if live.slot == slot => self.heard(now),
            _ => self.out_of_turn(now, slot, kind, out),
        }
    }

    fn establish(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let Some(Conn { local, stage: Stage::OpenConfirm(agreed) }) = opening.take(slot) else {
            return;
        };
        let attempt = matches!(opening.dial, Dial::UnderWay);
        if opening.conn(slot.other()).is_some() {
            self.hang_up(slot.other(), &Notification::CEASE_COLLISION, out);
        }
        if attempt {
            out.push(PeerOut::Close { slot: Slot::Dialled });
        }
        self.timers.stop_conn(slot.other());
        self.timers.stop(Timer::ConnectRetry);
        self.timers.stop(Timer::IdleHold);
        let up = PeerUp {
            peer: self.config.id,
            kind: self.config.kind,
            address: self.config.address,
            local: local.to_canonical(),
            negotiated: agreed.negotiated.clone(),
        };
        out.push(PeerOut::Up { slot, up: Box::new(up) });
        self.journal.up(&agreed.shortfalls, out);
        self.phase = Phase::Established(Live { slot, agreed, since: now, probed: now });
        self.timers.stop(Timer::Hold(slot));
        self.heard(now);
    }

    /// The neighbour of the Established session is alive.
    fn heard(&mut self, now: Time) {
        let Phase::Established(live) = &self.phase else { return };
        let hold = live.agreed.negotiated.hold;
        if !hold.is_zero() {
            self.timers.start(Timer::Hold(live.slot), now.after(hold));
        }
    }

    /// A message that the state has no place for (RFC 6608): the session ends.
    fn out_of_turn(&mut self, now: Time, slot: Slot, kind: Kind, out: &mut Vec<PeerOut>) {
        let subcode = match &self.phase {
            Phase::Established(_) => 3,
            Phase::Opening(opening) => match opening.conn(slot).map(|conn| &conn.stage) {
                Some(Stage::OpenSent(_)) => 1,
                Some(Stage::OpenConfirm(_)) => 2,
                Some(Stage::Held) | None => 0,
            },
            Phase::Stopped => 0,
        };
        self.fault(now, slot, Notification::with(5, subcode, vec![kind as u8]), out);
    }

    /// Ends a connection for what the neighbour did or did not do on it.
    fn fault(&mut self, now: Time, slot: Slot, why: Notification, out: &mut Vec<PeerOut>) {
        if self.is_open(slot) {
            self.hang_up(slot, &why, out);
            self.ended(now, slot, DownReason::Sent(why), out);
        }
    }

    // ---- Time -------------------------------------------------------------------------------

    fn tick(&mut self, now: Time, unread: bool, out: &mut Vec<PeerOut>) {
        for timer in Timer::ALL {
            if self.timers.take_due(timer, now) {
                self.expired(now, timer, unread, out);
            }
        }
    }

    fn expired(&mut self, now: Time, timer: Timer, unread: bool, out: &mut Vec<PeerOut>) {
        match (timer, &self.phase) {
            (Timer::IdleHold, _) => {}
            (Timer::Hold(slot), Phase::Established(live)) if unread && live.slot == slot => {
                // Reading what waits restarts it in full.
                let more = (live.agreed.negotiated.hold / 3).max(Duration::from_secs(1));
                self.timers.start(timer, now.after(more));
            }
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

    fn next_keepalive(&mut self, now: Time, slot: Slot, hold: Duration) {
        if let Some(interval) = self.jitter.keepalive(hold) {
            self.timers.start(Timer::Keepalive(slot), now.after(interval));
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
