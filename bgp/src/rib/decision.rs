//! Which of several paths is best, and why (RFC 4271 §9.1.2, RFC 4456 §9).
//!
//! In: candidates that are eligible (not filtered, next hop reachable). Out: the winner; and for
//! people, the step at which each loser was beaten and by whom.
//!
//! 1. our own route before a learned one
//! 2. one that is not stale for long (LLGR_STALE, RFC 9494 §4.3)
//! 3. higher LOCAL_PREF
//! 4. shorter AS_PATH (a)
//! 5. lower ORIGIN (b)
//! 6. lower MULTI_EXIT_DISC, among routes of the same neighbouring AS only (c), or of all
//! 7. external before internal (d)
//! 8. lower interior cost to the NEXT_HOP (e)
//! 9. lower BGP identifier, ORIGINATOR_ID in its place (f, RFC 4456)
//! 10. shorter CLUSTER_LIST (RFC 4456)
//! 11. lower peer address (g), of one peer lower path identifier
//!
//! Paths that are equal to the best up to step 8 may be used beside it ([`equal`]); what AS_PATH
//! says beside its length does not matter.
//!
//! Step 6 makes "better than" of two routes depend on the others, so the best of many is *not*
//! the winner of a chain of duels: [`select`] removes what step 6 removes first, as the RFC's
//! text does, and the result does not depend on the order of arrival.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::attrs::Rank;
use crate::types::{Asn, PeerId};

/// An eligible path as the decision sees it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Whose path it is; [`PeerId::LOCAL`] for our own routes.
    pub peer: PeerId,
    /// Its path identifier, where its neighbour has them.
    pub path_id: u32,
    /// What its attributes say.
    pub rank: &'a Rank,
    /// MULTI_EXIT_DISC counts among routes that have the same here: the neighbouring AS.
    pub med_among: Option<Asn>,
    /// It has LLGR_STALE (RFC 9494).
    pub long_lived_stale: bool,
    /// Learned over iBGP.
    pub internal: bool,
    /// Interior cost to its next hop, as the kernel said.
    pub metric: u32,
    /// BGP identifier of the neighbour.
    pub router_id: Ipv4Addr,
    /// Address of the neighbour.
    pub address: IpAddr,
}

impl Candidate<'_> {
    fn identifier(&self) -> Ipv4Addr {
        self.rank.originator.unwrap_or(self.router_id)
    }
}

/// The step at which two paths first differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Why {
    /// Our own routes come first.
    Local,
    /// LLGR_STALE.
    LongLivedStale,
    /// LOCAL_PREF.
    LocalPref,
    /// Length of AS_PATH.
    PathLength,
    /// ORIGIN.
    Origin,
    /// MULTI_EXIT_DISC of two routes from the same neighbouring AS.
    Med,
    /// eBGP before iBGP.
    External,
    /// Interior cost to the next hop.
    Metric,
    /// BGP identifier or ORIGINATOR_ID.
    Identifier,
    /// Length of CLUSTER_LIST.
    ClusterLength,
    /// Address of the neighbour.
    PeerAddress,
}

impl Why {
    /// The steps in order.
    pub const STEPS: [Why; 11] = [
        Why::Local,
        Why::LongLivedStale,
        Why::LocalPref,
        Why::PathLength,
        Why::Origin,
        Why::Med,
        Why::External,
        Why::Metric,
        Why::Identifier,
        Why::ClusterLength,
        Why::PeerAddress,
    ];

    /// How `a` and `b` stand at this step alone: `Greater` means that `a` is better.
    fn compare(self, a: &Candidate<'_>, b: &Candidate<'_>) -> Ordering {
        match self {
            Why::Local => (a.peer == PeerId::LOCAL).cmp(&(b.peer == PeerId::LOCAL)),
            Why::LongLivedStale => b.long_lived_stale.cmp(&a.long_lived_stale),
            Why::LocalPref => a.rank.local_pref.cmp(&b.rank.local_pref),
            Why::PathLength => b.rank.path_len.cmp(&a.rank.path_len),
            Why::Origin => b.rank.origin.cmp(&a.rank.origin),
            Why::Med if a.med_among == b.med_among => b.rank.med.cmp(&a.rank.med),
            Why::Med => Ordering::Equal,
            Why::External => b.internal.cmp(&a.internal),
            Why::Metric => b.metric.cmp(&a.metric),
            Why::Identifier => b.identifier().cmp(&a.identifier()),
            Why::ClusterLength => b.rank.cluster_len.cmp(&a.rank.cluster_len),
            Why::PeerAddress => {
                let key = |c: &Candidate<'_>| (c.address, c.peer, c.path_id);
                key(b).cmp(&key(a))
            }
        }
    }

    /// What `path` has at this step against what `other` has, in words:
    /// "LOCAL_PREF 200 against 100".
    pub fn words(self, path: &Candidate<'_>, other: &Candidate<'_>) -> String {
        fn against(what: &str, a: impl fmt::Display, b: impl fmt::Display) -> String {
            format!("{what} {a} against {b}")
        }
        let (a, b) = (path.rank, other.rank);
        match self {
            Why::Local => "our own route comes before learned ones".to_owned(),
            Why::LongLivedStale if path.long_lived_stale => {
                "stale for long (LLGR_STALE)".to_owned()
            }
            Why::LongLivedStale => "not stale for long, as the other is".to_owned(),
            Why::LocalPref => against("LOCAL_PREF", a.local_pref, b.local_pref),
            Why::PathLength => against("AS_PATH length", a.path_len, b.path_len),
            Why::Origin => format!("ORIGIN {:?} against {:?}", a.origin, b.origin),
            Why::Med => against("MULTI_EXIT_DISC", a.med, b.med),
            Why::External if path.internal => "iBGP against eBGP".to_owned(),
            Why::External => "eBGP against iBGP".to_owned(),
            Why::Metric => against("metric to the next hop", path.metric, other.metric),
            Why::Identifier => against("BGP identifier", path.identifier(), other.identifier()),
            Why::ClusterLength => against("CLUSTER_LIST length", a.cluster_len, b.cluster_len),
            Why::PeerAddress if (path.address, path.peer) == (other.address, other.peer) => {
                against("path identifier", path.path_id, other.path_id)
            }
            Why::PeerAddress => against("peer address", path.address, other.address),
        }
    }
}

/// Compares two paths: `Greater` means that `a` is better; the step at which they first differ.
///
/// Of exactly two paths the greater one is best. Of more, see the module: use [`select`].
pub fn decide(a: &Candidate<'_>, b: &Candidate<'_>) -> (Ordering, Why) {
    for why in Why::STEPS {
        let order = why.compare(a, b);
        if order != Ordering::Equal {
            return (order, why);
        }
    }
    (Ordering::Equal, Why::PeerAddress)
}

/// Steps 1 to 5 as one number: the higher it is, the better. Where it differs, nothing else counts.
pub(crate) fn standing(own: bool, long_lived_stale: bool, rank: &Rank) -> u128 {
    let flags = u128::from(own) << 1 | u128::from(!long_lived_stale);
    let path_len = u128::from(u32::MAX - rank.path_len);
    let origin = u128::from(u8::MAX - rank.origin as u8);
    flags << 72 | u128::from(rank.local_pref) << 40 | path_len << 8 | origin
}

/// The best of `candidates`, by position.
pub fn select(candidates: &[Candidate<'_>]) -> Option<usize> {
    match candidates {
        [] => return None,
        [_] => return Some(0),
        [a, b] => return Some(usize::from(decide(a, b).0 == Ordering::Less)),
        _ => {}
    }
    let before_med = |a: &Candidate<'_>, b: &Candidate<'_>| {
        let steps = Why::STEPS.into_iter().take_while(|step| *step < Why::Med);
        steps.map(|s| s.compare(a, b)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
    };
    let top = candidates.iter().max_by(|a, b| before_med(a, b))?;
    let tied = || candidates.iter().enumerate().filter(|(_, c)| before_med(c, top).is_eq());
    // By neighbouring AS, then MED: what follows a smaller MED of the same AS is out.
    let mut by_med: Vec<(usize, &Candidate<'_>)> = tied().collect();
    by_med.sort_by_key(|(_, c)| (c.med_among, c.rank.med));
    let mut best: Option<(usize, &Candidate<'_>)> = None;
    let mut lowest: Option<&Candidate<'_>> = None;
    for (at, candidate) in by_med {
        match lowest {
            Some(low) if low.med_among == candidate.med_among => {
                if low.rank.med < candidate.rank.med {
                    continue;
                }
            }
            _ => lowest = Some(candidate),
        }
        // What remains differs in step 7 and after, except for MEDs of different ASes, which
        // `compare` leaves alone.
        if best.is_none_or(|(_, b)| decide(candidate, b).0 == Ordering::Greater) {
            best = Some((at, candidate));
        }
    }
    best.map(|(at, _)| at)
}

/// The positions of all candidates, the best first, then the best of the others, and so on: the
/// order in which paths are told to who takes several (RFC 7911 leaves it to us).
pub fn in_order(candidates: &[Candidate<'_>]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..candidates.len()).collect();
    let mut rest = candidates.to_vec();
    let mut order = Vec::with_capacity(places.len());
    while let Some(best) = select(&rest) {
        rest.remove(best);
        order.push(places.remove(best));
    }
    order
}

/// The positions of the candidates that are as good as the `best` one up to the interior cost,
/// without it, in order: these may carry traffic beside it.
pub fn equal(candidates: &[Candidate<'_>], best: usize) -> Vec<usize> {
    let Some(winner) = candidates.get(best) else { return Vec::new() };
    let ties = |c: &Candidate<'_>| {
        let steps = Why::STEPS.into_iter().take_while(|step| *step <= Why::Metric);
        steps.into_iter().all(|step| step.compare(c, winner).is_eq())
    };
    let before_med = |c: &Candidate<'_>| {
        let steps = Why::STEPS.into_iter().take_while(|step| *step < Why::Med);
        steps.into_iter().all(|step| step.compare(c, winner).is_eq())
    };
    // Step 6 compares it with routes of its own neighbouring AS, which may not be the winner's.
    let beaten = |c: &Candidate<'_>| {
        let rivals = candidates.iter().filter(|rival| before_med(rival));
        rivals.into_iter().any(|rival| Why::Med.compare(rival, c).is_gt())
    };
    let others = candidates.iter().enumerate().filter(|(at, _)| *at != best);
    let mut equal: Vec<(usize, &Candidate<'_>)> =
        others.filter(|(_, c)| ties(c) && !beaten(c)).collect();
    equal.sort_by(|(_, a), (_, b)| decide(b, a).0);
    equal.into_iter().map(|(at, _)| at).collect()
}

/// Where and to whom a path lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The step.
    pub why: Why,
    /// The position of the path that beat it (with step 6 not always the final winner).
    pub to: usize,
}

/// The whole decision, for people: per candidate how it lost; `None` for the winner.
pub fn explain(candidates: &[Candidate<'_>]) -> Vec<Option<Loss>> {
    let mut losses: Vec<Option<Loss>> = vec![None; candidates.len()];
    for why in Why::STEPS {
        let alive: Vec<(usize, &Candidate<'_>)> = candidates
            .iter()
            .enumerate()
            .filter(|(at, _)| losses.get(*at) == Some(&None))
            .collect();
        // Who competes with whom: at step 6 only routes of one neighbouring AS.
        let rivals = |c: &Candidate<'_>| (why == Why::Med).then_some(c.med_among);
        let mut strongest: BTreeMap<_, (usize, &Candidate<'_>)> = BTreeMap::new();
        for (at, candidate) in &alive {
            let champion = strongest.entry(rivals(candidate)).or_insert((*at, candidate));
            if why.compare(candidate, champion.1).is_gt() {
                *champion = (*at, candidate);
            }
        }
        for (at, candidate) in &alive {
            let Some((to, champion)) = strongest.get(&rivals(candidate)) else { continue };
            if let Some(loss) = losses.get_mut(*at)
                && why.compare(champion, candidate).is_gt()
            {
                *loss = Some(Loss { why, to: *to });
            }
        }
    }
    losses
}

#[cfg(test)]
#[path = "decision_tests.rs"]
pub(in crate::rib) mod tests;
