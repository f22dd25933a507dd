//! When most neighbours fall silent at once, it is this node that is cut off, not they that died.
//!
//! In: which sessions ended because nothing was heard any more, and who else is overdue at that
//! moment. Out: whether, and for how long, the routes of those neighbours stay. A neighbour that
//! lives is heard at least every third of the time after which it is given up, by BFD and by
//! KEEPALIVEs alike; so when the first one is given up, those behind the same cut have been silent
//! for more than half of that time too, and say so ([`crate::msg::RibIn::Overdue`]). Nobody has to
//! wait for a second loss: the first one is judged when it comes, and a single dead neighbour, of
//! whom the others know nothing, is forgotten as fast as ever.
//!
//! ```text
//!             one more falls silent, and with it       keep is over: what is left goes
//!   together ────── more than `percent` ──────► cut off ──────────────────────────────► together
//!      ▲                                          │
//!      └───── so many are back that no more ◄─────┘  who is not back by then gets a last
//!             than `percent` are missing             grace, for his death was his own
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Rib;
use super::peers::Peers;
use super::stale::Stage;
use crate::msg::{Isolation, IsolationRule, RibOut};
use crate::table::slot_of;
use crate::types::{Family, PeerId, Time};

/// Neighbours that fell silent so short a time before count as lost at once.
const AT_ONCE: Duration = Duration::from_secs(5);
/// How long a neighbour may take that is not back when most of the others are.
const GRACE: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Silence {
    /// Neighbours with a session of which nothing was heard for too long, and until when that
    /// counts.
    overdue: BTreeMap<PeerId, Time>,
    /// Neighbours that fell silent and are not back, and when.
    lost: BTreeMap<PeerId, Time>,
    cut: Option<Cut>,
}

/// This node is taken to be cut off.
#[derive(Clone, Debug)]
struct Cut {
    since: Time,
    until: Time,
    /// Who had a session when it began, or had lost it just before.
    of: BTreeSet<PeerId>,
    /// Those of them that are silent: they lost their session, or were overdue as it began.
    missing: BTreeSet<PeerId>,
    /// Those that lost their session.
    gone: BTreeSet<PeerId>,
    percent: u8,
}

impl Cut {
    fn view(&self) -> Isolation {
        Isolation {
            since: self.since,
            until: self.until,
            silent: self.missing.len(),
            of: self.of.len(),
        }
    }
}

impl Silence {
    /// When it is over by time.
    pub(crate) fn deadline(&self) -> Option<Time> {
        self.cut.as_ref().map(|cut| cut.until)
    }

    /// For people: whether this node is taken to be cut off.
    pub(crate) fn view(&self) -> Option<Isolation> {
        self.cut.as_ref().map(Cut::view)
    }

    fn overdue(&mut self, now: Time, peers: &[PeerId], valid: Duration) {
        self.overdue.retain(|_, until| *until > now);
        self.overdue.extend(peers.iter().map(|peer| (*peer, now.after(valid))));
    }

    /// A neighbour fell silent, its session is about to end. How long its routes stay; `None`:
    /// its silence is its own.
    fn fell_silent(
        &mut self,
        now: Time,
        id: PeerId,
        peers: &Peers,
        rule: &IsolationRule,
    ) -> Option<Duration> {
        self.overdue.remove(&id);
        self.lost.retain(|_, at| now.since(*at) < AT_ONCE);
        self.lost.insert(id, now);
        if let Some(cut) = &mut self.cut {
            cut.of.insert(id);
            cut.missing.insert(id);
            cut.gone.insert(id);
            return Some(cut.until.since(now));
        }
        let up = |id: &PeerId| peers.get(*id).is_some_and(|peer| peer.up().is_some());
        let gone: BTreeSet<PeerId> = self.lost.keys().copied().collect();
        let mut missing = gone.clone();
        let overdue = self.overdue.iter().filter(|(id, until)| **until > now && up(id));
        missing.extend(overdue.map(|(id, _)| *id));
        let of: BTreeSet<PeerId> =
            peers.ids().into_iter().filter(up).chain(missing.iter().copied()).collect();
        if of.len() < rule.peers.into() || !most(missing.len(), of.len(), rule.percent) {
            return None;
        }
        let (until, percent) = (now.after(rule.keep), rule.percent);
        self.cut = Some(Cut { since: now, until, of, missing, gone, percent });
        Some(rule.keep)
    }

    /// A neighbour is back. Whether that ends the isolation.
    fn back(&mut self, now: Time, id: PeerId) -> bool {
        self.overdue.remove(&id);
        self.lost.remove(&id);
        let Some(cut) = &mut self.cut else { return false };
        cut.gone.remove(&id);
        // Who was overdue and has its session still has been heard since.
        let overdue = |id: &PeerId| self.overdue.get(id).is_some_and(|until| *until > now);
        let gone = &cut.gone;
        cut.missing.retain(|id| gone.contains(id) || overdue(id));
        !most(cut.missing.len(), cut.of.len(), cut.percent)
    }
}

fn most(part: usize, of: usize, percent: u8) -> bool {
    part * 100 > of * usize::from(percent)
}

impl Rib {
    /// Whether, and since when, this node is taken to be cut off.
    pub fn isolation(&self) -> Option<Isolation> {
        self.silence.view()
    }

    pub(super) fn note_overdue(&mut self, now: Time, peers: &[PeerId], valid: Duration) {
        self.silence.overdue(now, peers, valid);
    }

    /// A session is about to end in silence. How long its routes stay because it is we who are cut
    /// off; `None`: they do not.
    pub(super) fn judge_silence(
        &mut self,
        now: Time,
        id: PeerId,
        out: &mut Vec<RibOut>,
    ) -> Option<Duration> {
        let rule = self.config.as_ref()?.isolation?;
        let was_cut_off = self.silence.view().is_some();
        let keep = self.silence.fell_silent(now, id, &self.peers, &rule)?;
        if !was_cut_off {
            out.extend(self.silence.view().map(RibOut::CutOff));
        }
        Some(keep)
    }

    /// A session is up.
    pub(super) fn end_silence(&mut self, now: Time, id: PeerId, out: &mut Vec<RibOut>) {
        if self.silence.back(now, id) {
            self.rejoin(now, out);
        }
    }

    /// The time is over, or the rule is gone.
    pub(super) fn review_isolation(&mut self, now: Time, out: &mut Vec<RibOut>) {
        let rule = self.config.as_ref().and_then(|config| config.isolation);
        if self.silence.deadline().is_some_and(|until| until <= now || rule.is_none()) {
            self.rejoin(now, out);
        }
    }

    /// This node is not cut off any more. Who is not back has a short time left.
    fn rejoin(&mut self, now: Time, out: &mut Vec<RibOut>) {
        let Some(cut) = self.silence.cut.take() else { return };
        for id in &cut.missing {
            for family in Family::ALL {
                let Some(peer) = self.peers.get(*id) else { break };
                let stale = peer.stale.get(slot_of(family)).copied().flatten();
                if let Some(mut stale) = stale
                    && let Stage::Away { cut_off: true, .. } = stale.stage
                {
                    stale.until = stale.until.min(now.after(GRACE));
                    self.wait(*id, family, Some(stale));
                }
            }
        }
        out.push(RibOut::Rejoined(cut.view()));
    }
}

#[cfg(test)]
#[path = "isolation_tests.rs"]
mod tests;
