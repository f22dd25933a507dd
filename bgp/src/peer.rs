//! One neighbour, from bytes to routes: frames what comes, drives the session, and in Established
//! reads and judges UPDATEs (RFC 4271 §6.3, RFC 7606).
//!
//! In: [`PeerIn`]. Out: [`PeerOut`], in the order in which it is due; routes always before the
//! `Down` that ends them. A call with bytes gives one [`RouteBatch`] (more only where it would
//! grow past [`FULL`] prefixes), whatever the number of messages in it.

use bytes::{Buf, BytesMut};

use crate::msg::{Op, PeerIn, PeerOut, RouteBatch, Slot};
use crate::session::conn::End;
use crate::session::fsm::{Event, Session};
use crate::session::refused::Refused;
use crate::session::restart::Farewell;
use crate::session::{Counters, PeerConfig, PeerEvent, PeerStatus};
use crate::types::{Families, Family, Time};
use crate::wire::Notification;
use crate::wire::header::{self, Frame, Kind};
use crate::wire::judge::{Context, Judgement, judge};
use crate::wire::open::Open;
use crate::wire::refresh::{self, Refresh};
use crate::wire::update::Update;

/// A batch with so many prefixes is handed on before more is read.
const FULL: usize = 1 << 16;

/// So many different complaints about UPDATEs are told in one session.
const MOST_COMPLAINTS: usize = 16;

/// The actor of one neighbour.
#[derive(Debug)]
pub struct Peer {
    session: Session,
    received: Counters,
    last_received: Option<Time>,
    complaints: Vec<String>,
    refused: Refused,
    /// Families that the session has but that are ignored: an UPDATE of theirs was beyond reading
    /// (RFC 7606 §2, AFI/SAFI disable).
    ignored: Families,
}

impl Peer {
    /// A neighbour that is not started. `seed` decides every jitter.
    pub fn new(config: PeerConfig, seed: u64) -> Peer {
        Peer {
            session: Session::new(config, seed),
            received: Counters::default(),
            last_received: None,
            complaints: Vec::new(),
            refused: Refused::default(),
            ignored: Families::NONE,
        }
    }

    /// Takes one input at `now`, which never goes back; appends what is to be done to `out`.
    pub fn handle(&mut self, now: Time, input: PeerIn<'_>, out: &mut Vec<PeerOut>) {
        let event = match input {
            PeerIn::Received { slot, bytes } => return self.received(now, slot, bytes, out),
            PeerIn::Start => Event::Start,
            PeerIn::Stop(why) => Event::Stop(why, Farewell::ForGood),
            PeerIn::Leave(why) => Event::Stop(why, Farewell::ForNow),
            PeerIn::Forwarding(forwarding) => Event::Forwarding(forwarding),
            PeerIn::OverLimit { family, limit, idle } => Event::OverLimit(family, limit, idle),
            PeerIn::Configure(config) => Event::Configure(config),
            PeerIn::Connected { local, remote } => Event::Connected(End::of(local, remote)),
            PeerIn::ConnectFailed { reason } => Event::ConnectFailed(reason),
            PeerIn::Accepted { local, remote } => Event::Accepted(End::of(local, remote)),
            PeerIn::Closed { slot, reason } => Event::Closed(slot, reason),
            PeerIn::Tick { unread, stalled } => Event::Tick(unread, stalled),
            PeerIn::RequestRefresh => Event::RequestRefresh,
            PeerIn::BfdDown(loss) => Event::BfdDown(loss),
            PeerIn::LinkDown(why) => Event::LinkDown(why),
            PeerIn::Probe => Event::Probe,
            PeerIn::Unanswered(why) => Event::Unanswered(why),
            PeerIn::Waiting { reason } => Event::Waiting(reason),
            PeerIn::Retry => Event::Retry,
        };
        self.session.handle(now, event, out);
    }

    /// When `Tick` is due, if no other input comes before.
    pub fn next_deadline(&self) -> Option<Time> {
        self.session.next_deadline()
    }

    /// The settings in force.
    pub fn config(&self) -> &PeerConfig {
        self.session.config()
    }

    /// What there is to tell an operator.
    pub fn status(&self) -> PeerStatus {
        let journal = self.session.journal();
        let agreed = self.session.live().map(|live| &live.agreed);
        PeerStatus {
            state: journal.state,
            since: journal.since,
            negotiated: agreed.map(|agreed| agreed.negotiated.clone()),
            capabilities: agreed.map(|agreed| agreed.capabilities.clone()).unwrap_or_default(),
            offered: self.session.offered().to_vec(),
            last_down: journal.last_down.clone(),
            notified: journal.notified.clone(),
            lost: journal.lost.clone(),
            flaps: journal.flaps,
            received: self.received,
            sent: journal.sent,
            last_received: self.last_received,
            refused: self.refused.all(),
            idle_until: self.session.idle_until(),
            timers: self.session.timers(),
        }
    }

    fn received(&mut self, now: Time, slot: Slot, bytes: &mut BytesMut, out: &mut Vec<PeerOut>) {
        let mut batch = RouteBatch::new(self.config().id);
        let mut used = 0;
        while self.session.is_open(slot) {
            let rest = bytes.get(used..).unwrap_or_default();
            match header::next_of(rest, self.session.longest(slot)) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    used += frame.len();
                    self.last_received = Some(now);
                    self.received.octets += frame.len() as u64;
                    self.message(now, slot, frame, &mut batch, out);
                }
                Err(why) => self.tell(now, Event::Fault(slot, why), &mut batch, out),
            }
        }
        hand_on(&mut batch, out);
        // What follows the message that ended a connection is nobody's.
        bytes.advance(if self.session.is_open(slot) { used } else { bytes.len() });
    }

    fn message(
        &mut self,
        now: Time,
        slot: Slot,
        frame: Frame<'_>,
        batch: &mut RouteBatch,
        out: &mut Vec<PeerOut>,
    ) {
        match frame.kind {
            Kind::Update => {
                self.received.updates += 1;
                self.update(now, slot, frame.body, batch, out);
            }
            Kind::Keepalive => {
                self.received.keepalives += 1;
                self.tell(now, Event::Keepalive(slot), batch, out);
            }
            Kind::RouteRefresh => {
                self.received.refreshes += 1;
                self.tell(now, Event::Routing(slot, Kind::RouteRefresh), batch, out);
                self.refresh(now, slot, frame.body, batch, out);
            }
            Kind::Open => {
                self.received.opens += 1;
                let event = match Open::read(frame.body) {
                    Ok(open) => Event::Open(slot, open),
                    Err(why) => Event::Fault(slot, why),
                };
                self.tell(now, event, batch, out);
            }
            Kind::Notification => {
                self.received.notifications += 1;
                let why = Notification::read(frame.body);
                self.tell(now, Event::Notification(slot, why), batch, out);
            }
        }
    }

    fn update(
        &mut self,
        now: Time,
        slot: Slot,
        body: &[u8],
        batch: &mut RouteBatch,
        out: &mut Vec<PeerOut>,
    ) {
        self.tell(now, Event::Routing(slot, Kind::Update), batch, out);
        let Some(live) = self.session.live().filter(|live| live.slot == slot) else { return };
        let negotiated = &live.agreed.negotiated;
        let mut context = Context::new(self.config(), negotiated, live.end.scope);
        self.ignored.iter().for_each(|family| context.families.remove(family));
        let first = batch.ops.len();
        match Update::read(body).and_then(|update| judge(&update, &context, batch)) {
            Ok(mut judgement) => {
                self.refused.said(batch, first);
                if !judgement.refused.is_empty() {
                    let why = judgement.treat_as_withdraw.as_deref().or(judgement.unusable);
                    self.refused.add(now, why.unwrap_or_default(), &judgement.refused);
                }
                if let Some((family, why)) = judgement.disabled.take() {
                    self.disable(family, why, batch, out);
                }
                self.complain(judgement, out);
            }
            Err(why) => self.tell(now, Event::Fault(slot, why), batch, out),
        }
        if batch.v4.len() + batch.v6.len() >= FULL {
            hand_on(batch, out);
        }
    }

    /// From now on `family` is ignored. What it has brought goes the way of a refresh that brings
    /// nothing.
    #[cold]
    fn disable(
        &mut self,
        family: Family,
        why: String,
        batch: &mut RouteBatch,
        out: &mut Vec<PeerOut>,
    ) {
        self.ignored.insert(family);
        let gone = [Op::RefreshBegins(family), Op::RefreshEnds(family), Op::EndOfRib(family)];
        batch.ops.extend(gone);
        let text = format!("{why}: {family} is ignored until the session is made anew");
        out.push(PeerOut::Event(PeerEvent::Malformed(text)));
    }

    /// A ROUTE-REFRESH: theirs to us, or the marks around what we asked for.
    fn refresh(
        &mut self,
        now: Time,
        slot: Slot,
        body: &[u8],
        batch: &mut RouteBatch,
        out: &mut Vec<PeerOut>,
    ) {
        let Some(live) = self.session.live().filter(|live| live.slot == slot) else { return };
        let negotiated = &live.agreed.negotiated;
        let families = negotiated.families;
        let ignored = self.ignored;
        let heard = |family| families.contains(family) && !ignored.contains(family);
        match refresh::read(body, negotiated.enhanced_refresh) {
            Ok(Some(Refresh::Request(family))) if families.contains(family) => {
                out.push(PeerOut::Refresh(family));
            }
            Ok(Some(Refresh::Begin(family))) if heard(family) => {
                batch.ops.push(Op::RefreshBegins(family));
            }
            Ok(Some(Refresh::End(family))) if heard(family) => {
                batch.ops.push(Op::RefreshEnds(family));
            }
            Ok(_) => {}
            Err(why) => self.tell(now, Event::Fault(slot, why), batch, out),
        }
    }

    /// Hands an event to the session. If it ends the session, the routes of before go first.
    fn tell(&mut self, now: Time, event: Event, batch: &mut RouteBatch, out: &mut Vec<PeerOut>) {
        let was_live = self.session.live().is_some();
        let mut effects = Vec::new();
        self.session.handle(now, event, &mut effects);
        match (was_live, self.session.live().is_some()) {
            (true, false) => hand_on(batch, out),
            (false, true) => {
                self.complaints.clear();
                self.refused.clear();
                self.ignored = Families::NONE;
            }
            _ => {}
        }
        out.append(&mut effects);
    }

    /// Tells what was wrong with an UPDATE, each thing once a session.
    fn complain(&mut self, judgement: Judgement, out: &mut Vec<PeerOut>) {
        for text in judgement.treat_as_withdraw.into_iter().chain(judgement.discarded) {
            if self.complaints.len() < MOST_COMPLAINTS && !self.complaints.contains(&text) {
                self.complaints.push(text.clone());
                out.push(PeerOut::Event(PeerEvent::Malformed(text)));
            }
        }
    }
}

/// Hands the batch on, if there is anything in it, and begins another.
fn hand_on(batch: &mut RouteBatch, out: &mut Vec<PeerOut>) {
    if !batch.is_empty() {
        let next = RouteBatch::new(batch.peer);
        out.push(PeerOut::Routes(Box::new(std::mem::replace(batch, next))));
    }
}

#[cfg(test)]
mod tests;
