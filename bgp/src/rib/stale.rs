//! Sessions come and go, and what stays of their routes meanwhile (RFC 4724 §4.2, RFC 8538,
//! RFC 9494, RFC 7313 §4).
//!
//! ```text
//!            PeerDown{retain}        restart time over         long-lived time over
//!   fresh ─────────────────► Away ─────────────────────► Away, long-lived ──────────► gone
//!     ▲                       │                                │
//!     │ said again            └──────► PeerUp, F bit ◄─────────┘
//!     └───────────────────────────── Returned ──────► End-of-RIB, or patience over ──► gone
//! ```
//!
//! Where it is we who are cut off ([`super::isolation`]), the routes of whoever falls silent are
//! kept in the same way, with graceful restart or without.
//!
//! A stale route is used and told to others as any other, until the restart time is over; then,
//! with RFC 9494, it has LLGR_STALE and loses against all that has not. Every wait is of one
//! neighbour and one family: a dead neighbour delays nobody else.
//!
//! Deviation: a route that was stale already when the next session ended is kept, not deleted
//! (RFC 4724 §4.2 "consecutive restarts"; RFC 8538 §4.1 drops that sentence where the N bit is
//! exchanged). What bounds it is that all staleness since the last End-of-RIB together lasts
//! [`RESTARTS`] restart times at most.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Rib;
use super::import::Judge;
use super::intake::Intake;
use super::peers::Session;
use super::receive::Marker;
use super::review::{self, Going};
use crate::export::Exports;
use crate::msg::{PeerUp, RibOut};
use crate::session::Retain;
use crate::table::{Keyed, slot_of};
use crate::types::{Family, PeerId, Time, V4, V6};

/// How long a neighbour that is back may take to say everything, if it asked for less itself.
const RESYNC: Duration = Duration::from_secs(180);
/// How long it may take to say everything again after a BoRR.
const REFRESH: Duration = Duration::from_secs(300);
/// How long a neighbour without graceful restart may take to say everything, after we were cut
/// off: no End-of-RIB tells.
const HEARD_OUT: Duration = Duration::from_secs(30);
/// So many restart times in a row are waited for without an End-of-RIB between them.
const RESTARTS: u32 = 4;

/// Routes of a neighbour's family that may be stale.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stale {
    /// When the wait began that no End-of-RIB has ended since.
    since: Time,
    /// When what is still stale goes, or becomes so for long.
    pub(crate) until: Time,
    pub(crate) stage: Stage,
    /// The restart time is over: they have LLGR_STALE.
    pub(crate) long_lived: bool,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// The session; after that the time for which they may be stale for long.
    Away {
        /// Zero: they may not.
        long_lived: Duration,
        /// It is we who are cut off, as it seems.
        cut_off: bool,
    },
    /// End-of-RIB of the session that is up again.
    Returned,
    /// The end of a refresh (EoRR).
    Refresh,
}

/// All waits, the soonest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waits(BTreeSet<(Time, PeerId, Family)>);

impl Waits {
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.0.first().map(|(until, _, _)| *until)
    }

    /// Takes out one that is over.
    fn take_due(&mut self, now: Time) -> Option<(PeerId, Family)> {
        let due = *self.0.first().filter(|(until, _, _)| *until <= now)?;
        self.0.remove(&due);
        let (_, peer, family) = due;
        Some((peer, family))
    }
}

impl Rib {
    pub(super) fn peer_up(&mut self, now: Time, up: PeerUp, out: &mut Vec<RibOut>) {
        let id = up.peer;
        if self.peers.get(id).is_some_and(|p| p.up().is_some()) {
            // A new session without the end of the old one: that is what it means.
            self.peer_down(now, id, (None, None), out);
        }
        self.end_silence(now, id, out);
        let (graceful, families) = (up.negotiated.graceful, up.negotiated.families);
        for family in Family::ALL {
            let Some(peer) = self.peers.get_mut(id) else { break };
            let Some(stale) = peer.stale.get(slot_of(family)).copied().flatten() else { continue };
            let same = peer.session().is_some_and(|old| is_same(old, &up));
            let kept = graceful.filter(|graceful| {
                let families = graceful.families.intersect(graceful.preserved);
                same && families.intersect(up.negotiated.families).contains(family)
            });
            let was_cut_off = matches!(stale.stage, Stage::Away { cut_off: true, .. });
            let patience = match (graceful, kept) {
                (_, Some(graceful)) => Some(graceful.time.max(RESYNC)),
                (None, None) if was_cut_off && same && families.contains(family) => Some(HEARD_OUT),
                // It has forgotten what it told us, or is somebody else.
                _ => None,
            };
            match patience {
                Some(patience) => {
                    let until = now.after(patience);
                    self.wait(id, family, Some(Stale { until, stage: Stage::Returned, ..stale }));
                }
                None => self.sweep(id, family),
            }
        }
        // What goes was the former session's: it is decided as such.
        self.conclude(out);
        self.exports.up(&up);
        let peer = self.peers.entry(id);
        peer.ended = Default::default();
        peer.alarmed = Default::default();
        peer.session = Session::Up(Box::new(up));
        self.regroup(id);
    }

    pub(super) fn peer_down(
        &mut self,
        now: Time,
        id: PeerId,
        (retain, kept): (Option<Retain>, Option<Duration>),
        out: &mut Vec<RibOut>,
    ) {
        let Rib { exports, sets, peers, .. } = self;
        Exports::down(exports, id, sets);
        let Some(peer) = peers.get_mut(id) else { return };
        let was_up = peer.up().is_some();
        let (Session::Up(up) | Session::Away(up)) = std::mem::take(&mut peer.session) else {
            return;
        };
        // Who is not configured any more will not come back.
        let retain = retain.filter(|_| peer.policy.is_some());
        let kept = kept.filter(|_| peer.policy.is_some());
        let families = up.negotiated.families;
        let had = peer.stale;
        peer.session = Session::Away(up);
        for family in Family::ALL {
            let at = slot_of(family);
            let retained = retain.filter(|retain| retain.families.contains(family));
            let kept = kept.filter(|_| families.contains(family));
            let time = retained.map(|retain| retain.time).max(kept);
            let Some(time) = time else {
                self.remove(id, family, Going::All);
                self.wait(id, family, None);
                continue;
            };
            let long_lived = retained.map(|retain| retain.long_lived).unwrap_or_default();
            if !was_up {
                // It is waited for already.
                continue;
            }
            self.mark(id, family);
            let had = had.get(at).copied().flatten().filter(|s| s.stage == Stage::Returned);
            let since = had.map_or(now, |stale| stale.since);
            let until = now.after(time).min(since.after(time * RESTARTS)).max(now);
            let long_lived = long_lived.get(at).copied().unwrap_or_default();
            let stage = Stage::Away { long_lived, cut_off: kept.is_some() };
            let stale = Stale { since, until, stage, long_lived: false };
            self.wait(id, family, Some(stale));
            if had.is_some_and(|stale| stale.long_lived) {
                // A restart again: what has been stale for long is so no longer than the rest.
                self.judge_one_again(id, family);
            }
        }
        // Decide while the session is still known: the counts of its best routes go down with it.
        self.conclude(out);
        self.part(id);
    }

    /// The neighbour begins or ends to say everything.
    pub(super) fn marker(&mut self, now: Time, id: PeerId, family: Family, marker: Marker) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let stage = peer.stale.get(slot_of(family)).copied().flatten().map(|s| s.stage);
        match (marker, stage) {
            (Marker::EndOfRib, stage) => {
                peer.ended.insert(family);
                if stage == Some(Stage::Returned) {
                    self.sweep(id, family);
                }
            }
            // RFC 7313 §4: the End-of-RIB of a restart is waited for first.
            (Marker::RefreshBegins, Some(Stage::Returned)) => {}
            (Marker::RefreshBegins, _) => {
                self.mark(id, family);
                let (since, until, stage) = (now, now.after(REFRESH), Stage::Refresh);
                self.wait(id, family, Some(Stale { since, until, stage, long_lived: false }));
            }
            (Marker::RefreshEnds, Some(Stage::Refresh)) => self.sweep(id, family),
            // The end of what never began.
            (Marker::RefreshEnds, _) => {}
        }
    }

    /// Ends the waits that are over.
    pub(super) fn expire(&mut self, now: Time, out: &mut Vec<RibOut>) {
        let mut gone = Vec::new();
        while let Some((id, family)) = self.waits.take_due(now) {
            gone.push(id);
            let Some(peer) = self.peers.get(id) else { continue };
            let stale = peer.stale.get(slot_of(family)).copied().flatten();
            match stale {
                Some(
                    stale @ Stale {
                        stage: Stage::Away { long_lived, .. }, long_lived: false, ..
                    },
                ) if !long_lived.is_zero() => {
                    let until = now.after(long_lived);
                    self.wait(id, family, Some(Stale { until, long_lived: true, ..stale }));
                    self.remove(id, family, Going::NotForLong);
                    self.judge_one_again(id, family);
                }
                Some(_) => self.sweep(id, family),
                None => {}
            }
            // What goes makes room.
            self.mind_limits(id, out);
        }
        // Decide while the sessions are still known: the counts of their best routes go with them.
        self.conclude(out);
        gone.into_iter().for_each(|id| self.part(id));
    }

    /// A neighbour that is away and of which nothing is left is gone.
    pub(super) fn part(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(id)
            && matches!(peer.session, Session::Away(_))
            && peer.counts.received == [0, 0]
        {
            peer.session = Session::None;
            for family in Family::ALL {
                self.wait(id, family, None);
            }
            self.peers.forget_if_gone(id);
        }
    }

    /// What is left of a neighbour that is away goes.
    pub(super) fn give_up(&mut self, id: PeerId) {
        if self.peers.get(id).is_some_and(|p| matches!(p.session, Session::Away(_))) {
            for family in Family::ALL {
                self.sweep(id, family);
            }
        }
    }

    /// A neighbour that is away does not forward any more: nothing of it is waited for.
    pub(super) fn forwarding_lost(&mut self, id: PeerId, out: &mut Vec<RibOut>) {
        // Where it is we who are cut off, that is no news of the neighbour.
        if self.isolation().is_some() {
            return;
        }
        self.give_up(id);
        // Decided while the session is still known, as in `peer_down`.
        self.conclude(out);
        self.part(id);
    }

    /// Drops what is still stale.
    fn sweep(&mut self, id: PeerId, family: Family) {
        self.remove(id, family, Going::Stale);
        self.wait(id, family, None);
    }

    pub(super) fn wait(&mut self, id: PeerId, family: Family, stale: Option<Stale>) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        let Some(slot) = peer.stale.get_mut(slot_of(family)) else { return };
        if let Some(old) = std::mem::replace(slot, stale) {
            self.waits.0.remove(&(old.until, id, family));
        }
        if let Some(new) = stale {
            self.waits.0.insert((new.until, id, family));
        }
    }

    fn mark(&mut self, id: PeerId, family: Family) {
        let Rib { tables, peers, sources, .. } = self;
        let Some(counts) = peers.counts_mut(id) else { return };
        match family {
            Family::Ipv4 => review::mark::<V4>(id, tables, counts, sources),
            Family::Ipv6 => review::mark::<V6>(id, tables, counts, sources),
        }
    }

    fn remove(&mut self, id: PeerId, family: Family, going: Going) {
        let Rib { tables, peers, sets, nexthops, sources, .. } = self;
        let Some(counts) = peers.counts_mut(id) else { return };
        let mut intake = Intake { counts, sets, nexthops, sources };
        match family {
            Family::Ipv4 => review::remove::<V4>(id, going, tables, &mut intake),
            Family::Ipv6 => review::remove::<V6>(id, going, tables, &mut intake),
        }
    }

    fn judge_one_again(&mut self, id: PeerId, family: Family) {
        match family {
            Family::Ipv4 => self.judge_again::<V4>(&[id]),
            Family::Ipv6 => self.judge_again::<V6>(&[id]),
        }
    }

    /// Judges all routes of these neighbours (ascending) again.
    pub(super) fn judge_again<P: Keyed>(&mut self, ids: &[PeerId]) {
        let Rib { tables, peers, sets, nexthops, sources, .. } = self;
        let known: Vec<_> = ids
            .iter()
            .filter_map(|id| {
                let peer = peers.get(*id)?;
                Some((*id, peer.policy.clone(), super::import::Facts::of(peer)?))
            })
            .collect();
        let judges: Vec<(PeerId, Judge<'_>)> = known
            .iter()
            .map(|(id, policy, facts)| (*id, Judge::new(policy.as_ref(), *facts)))
            .collect();
        review::judge_again::<P>(&judges, tables, peers, sets, nexthops, sources);
    }
}

/// Whether a neighbour that is back is the one that went.
fn is_same(old: &PeerUp, new: &PeerUp) -> bool {
    old.kind == new.kind
        && old.negotiated.asn == new.negotiated.asn
        && old.negotiated.router_id == new.negotiated.router_id
}

#[cfg(test)]
#[path = "stale_tests.rs"]
mod tests;
