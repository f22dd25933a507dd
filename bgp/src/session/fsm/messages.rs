//! What the neighbour says: its OPEN and the collisions that show then (RFC 4271 §6.8), the
//! KEEPALIVE that makes the session, and messages out of turn (RFC 6608).

use std::time::Duration;

use super::{Phase, Session};
use crate::msg::{PeerOut, PeerUp, Slot};
use crate::session::collision::survivor;
use crate::session::conn::{Agreed, Conn, Dial, Live, Stage};
use crate::session::negotiate::{negotiate, own_role, shortfalls};
use crate::session::timer::{LARGE_HOLD, Timer};
use crate::session::{DownReason, Negotiated};
use crate::types::Time;
use crate::wire::Notification;
use crate::wire::header::Kind;
use crate::wire::open::Open;

impl Session {
    pub(super) fn open(&mut self, now: Time, slot: Slot, open: &Open, out: &mut Vec<PeerOut>) {
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
    pub(super) fn confirm(
        &mut self,
        now: Time,
        slot: Slot,
        negotiated: Negotiated,
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

    pub(super) fn keepalive(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) {
        match &self.phase {
            Phase::Established(live) if live.slot == slot => self.heard(now),
            Phase::Opening(opening) if opening.confirming(slot).is_some() => {
                self.establish(now, slot, out);
            }
            _ => self.out_of_turn(now, slot, Kind::Keepalive, out),
        }
    }

    pub(super) fn routing(&mut self, now: Time, slot: Slot, kind: Kind, out: &mut Vec<PeerOut>) {
        match &self.phase {
            Phase::Established(live) if live.slot == slot => self.heard(now),
            _ => self.out_of_turn(now, slot, kind, out),
        }
    }

    pub(super) fn establish(&mut self, now: Time, slot: Slot, out: &mut Vec<PeerOut>) {
        let Phase::Opening(opening) = &mut self.phase else { return };
        let Some(Conn { end, stage: Stage::OpenConfirm(agreed) }) = opening.take(slot) else {
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
            local: end.local,
            scope: end.scope,
            role: own_role(&self.config),
            negotiated: agreed.negotiated.clone(),
        };
        out.push(PeerOut::Up { slot, up: Box::new(up) });
        self.journal.up(&agreed.shortfalls, out);
        self.phase = Phase::Established(Live { slot, end, agreed, since: now, probed: now });
        self.watch_sending(now, Duration::ZERO);
        self.timers.stop(Timer::Hold(slot));
        self.heard(now);
    }

    /// The neighbour of the Established session is alive.
    pub(super) fn heard(&mut self, now: Time) {
        let Phase::Established(live) = &self.phase else { return };
        let hold = live.agreed.negotiated.hold;
        if !hold.is_zero() {
            self.timers.start(Timer::Hold(live.slot), now.after(hold));
            self.timers.start(Timer::Overdue(live.slot), now.after(hold / 2));
        }
    }

    /// A message that the state has no place for (RFC 6608): the session ends.
    pub(super) fn out_of_turn(
        &mut self,
        now: Time,
        slot: Slot,
        kind: Kind,
        out: &mut Vec<PeerOut>,
    ) {
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
    pub(super) fn fault(
        &mut self,
        now: Time,
        slot: Slot,
        why: Notification,
        out: &mut Vec<PeerOut>,
    ) {
        if self.is_open(slot) {
            self.hang_up(slot, &why, out);
            self.ended(now, slot, DownReason::Sent(why), out);
        }
    }
}
