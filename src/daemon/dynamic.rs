//! Dynamic neighbours: those that called from a range, for as long as they are wanted.
//!
//! The set is only *who* and *of which AS*. What that makes of them is the plan's to say
//! ([`NodePlan::with`]), so that a reload treats them like all others.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use starling_bgp::types::Asn;
use starling_bgp::wire::Notification;
use starling_config::{NodePlan, PeerKey};

/// How long a neighbour without a session is remembered: its place is kept, and `bgpctl` can say
/// why the session ended.
pub const LINGER: Duration = Duration::from_secs(20);

/// How often it is looked whose time that is.
pub const REVIEW: Duration = Duration::from_secs(5);

/// Those that called.
#[derive(Clone, Debug, Default)]
pub struct Dynamic {
    by_key: BTreeMap<PeerKey, Asn>,
    /// Who was refused and why, as far as that was said.
    told: BTreeSet<(PeerKey, String)>,
}

/// Refusals that are said before the log falls silent about them, until something changes.
const TOLD: usize = 64;

/// Why a caller is not let in, for it and for people.
#[derive(Debug)]
pub struct Refused {
    /// What it is told.
    pub notification: Notification,
    /// What we say of it.
    pub words: String,
    /// It could be let in if others were gone.
    pub full: bool,
}

impl Dynamic {
    /// All, and their AS numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&PeerKey, Asn)> {
        self.by_key.iter().map(|(who, asn)| (who, *asn))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Lets `who` of `asn` in, if a range of `plan` does. Whether it is new.
    ///
    /// # Errors
    /// Why it is not let in.
    pub fn admit(&mut self, plan: &NodePlan, who: &PeerKey, asn: Asn) -> Result<bool, Refused> {
        let known = plan.peers.iter().any(|peer| peer.key() == *who);
        if known || self.by_key.contains_key(who) {
            return Ok(false);
        }
        let refused = |notification, words| Refused { notification, words, full: false };
        let Some(range) = plan.range_of(who) else {
            let words = "no range has this address any more".to_owned();
            return Err(refused(Notification::CEASE_REJECTED, words));
        };
        if range.neighbour(who, asn).is_none() {
            let words =
                format!("it says AS {asn}, range {} is for AS {}", range.name, range.range.asns);
            return Err(refused(Notification::BAD_PEER_AS, words));
        }
        let same = |other: &&PeerKey| plan.range_of(other).is_some_and(|r| r.range == range.range);
        if self.by_key.keys().filter(same).count() >= range.range.limit {
            let (name, limit) = (&range.name, range.range.limit);
            let words = format!("range {name} has its limit of {limit} neighbours");
            return Err(Refused { full: true, ..refused(Notification::CEASE_REJECTED, words) });
        }
        self.by_key.insert(who.clone(), asn);
        Ok(true)
    }

    /// Whether it is news that `who` is refused: a caller that is refused calls again, and again.
    pub fn is_news(&mut self, who: &PeerKey, refused: &Refused) -> bool {
        self.told.len() < TOLD && self.told.insert((who.clone(), refused.words.clone()))
    }

    /// Forgets one.
    pub fn forget(&mut self, who: &PeerKey) {
        self.by_key.remove(who);
        self.told.clear();
    }

    /// Forgets those that no range of `plan` lets in any more, or that it has by themselves now.
    pub fn review(&mut self, plan: &NodePlan) {
        self.told.clear();
        self.by_key.retain(|who, asn| {
            let range = plan.range_of(who).and_then(|range| range.neighbour(who, *asn));
            range.is_some() && plan.peers.iter().all(|peer| peer.key() != *who)
        });
    }
}
