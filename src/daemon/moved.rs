//! Neighbours whose address a reload changed: the former one stays until the new one is in.
//!
//! A node that gets another address becomes a neighbour of another key, with a session of its own;
//! its routes must not go with the old session before they have come with the new one. So the
//! former neighbour stays in the plan for its restart time, drained: its routes carry traffic while
//! there are no others, and no longer than that (RFC 8326). Without BFD, since whoever took the
//! address away did so on purpose.

use std::collections::BTreeMap;

use starling_bgp::types::Time;
use starling_config::{NodePlan, PeerKey, PeerPlan};

/// The former neighbours.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    former: BTreeMap<PeerKey, Former>,
}

#[derive(Clone, Debug)]
struct Former {
    /// What it is called in the configuration.
    name: String,
    plan: PeerPlan,
    until: Time,
}

impl Moved {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.former.is_empty()
    }

    /// A reload makes `new` of `old`: takes in those that have another address now, and forgets
    /// those that are back, or whose name is gone.
    pub fn review(&mut self, now: Time, old: &NodePlan, new: &NodePlan) {
        let named = |plan: &NodePlan, name: &str| plan.peers.iter().any(|peer| peer.name == name);
        let known = |plan: &NodePlan, who: &PeerKey| plan.peers.iter().any(|p| p.key() == *who);
        for peer in old.peers.iter().filter(|peer| peer.range.is_none()) {
            let stays = peer.session.offer.restart.time;
            let moved = !known(new, &peer.key()) && named(new, &peer.name);
            if !moved || stays.is_zero() {
                continue;
            }
            let name = peer.name.clone();
            let mut plan = peer.clone();
            plan.name = format!("{name} at {}", peer.address);
            plan.outward.drain = true;
            plan.bfd = None;
            self.former.insert(peer.key(), Former { name, plan, until: now.after(stays) });
        }
        self.former.retain(|who, former| !known(new, who) && named(new, &former.name));
    }

    /// Forgets those whose time is over. Whether there were any.
    pub fn expire(&mut self, now: Time) -> bool {
        let before = self.former.len();
        self.former.retain(|_, former| now < former.until);
        self.former.len() < before
    }

    /// Adds them to the neighbours of `plan`.
    pub fn join(&self, plan: &mut NodePlan) {
        let former: Vec<PeerPlan> =
            self.former.values().map(|former| former.plan.clone()).collect();
        plan.fib.peers.extend(former.iter().map(|peer| peer.address));
        plan.peers.extend(former);
    }
}

#[cfg(test)]
#[path = "moved_tests.rs"]
mod tests;
