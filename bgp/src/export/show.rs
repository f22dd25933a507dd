//! What a neighbour has been told, and why not more: for people who ask.
//!
//! Read from the group's Adj-RIB-Out as it is. A route counts as told when the neighbour's reader
//! has passed its last change; before that it is pending, whatever the neighbour heard earlier.

use super::Exports;
use crate::attrs::{AttrId, AttrSet};
use crate::policy::{Subject, Verdict};
use crate::table::{Keyed, Sets, SourceId};
use crate::types::{Family, PeerId, Prefix};

/// A route that goes to a neighbour.
#[derive(Debug)]
pub(crate) struct Told {
    /// As it goes out.
    pub(crate) attrs: AttrSet,
    /// What the Adj-RIB-Out holds: as chosen, where the group does not rewrite.
    pub(crate) entry: AttrId,
    /// Whom it came from.
    pub(crate) from: PeerId,
    /// Which path of several it is, where each has a slot.
    pub(crate) source: Option<SourceId>,
    /// The identifier with which it goes (RFC 7911).
    pub(crate) path_id: Option<u32>,
    /// The neighbour has not read it yet.
    pub(crate) pending: bool,
    /// It is the default route that goes out whatever routes there are.
    pub(crate) default: bool,
}

impl Exports {
    /// Whether `peer` has a session over which it is told anything.
    pub(crate) fn has_reader(&self, peer: PeerId) -> bool {
        self.group_of(peer).is_some()
    }

    /// What `peer` is told of a destination.
    pub(crate) fn told<P: Keyed>(&self, peer: PeerId, dest: u32, sets: &Sets) -> Vec<Told> {
        let Some(group) = self.group_of(peer) else { return Vec::new() };
        if !group.key.families.contains(P::FAMILY) {
            return Vec::new();
        }
        let channel = group.channel(P::FAMILY);
        let mut slots = Vec::new();
        channel.slots.of(dest, &mut slots);
        let told = |slot: u32| {
            let (entry, from, pending) = channel.adj.told(slot, peer)?;
            let (_, source) = channel.slots.key(slot)?;
            let set = sets.get(entry)?;
            let attrs = match group.key.rewrites() {
                true => set.clone(),
                false => group.key.exported(P::FAMILY, set)?,
            };
            let path_id = source.map(super::slots::path_id);
            let default = channel.default == Some(dest);
            Some(Told { attrs, entry, from, source, path_id, pending, default })
        };
        slots.into_iter().filter_map(told).collect()
    }

    /// Whether what `peer` is told of that destination is a default route of ours, whatever
    /// routes to it there are.
    pub(crate) fn is_default(&self, peer: PeerId, family: Family, dest: u32) -> bool {
        self.group_of(peer).is_some_and(|group| group.channel(family).default == Some(dest))
    }

    /// Why rules or the configuration keep a route from `to` that no RFC forbids; `by_default`:
    /// it goes out where no rule decides. Nothing is counted as a hit.
    pub(crate) fn refusal<P: Prefix>(
        &self,
        to: PeerId,
        subject: &Subject<'_>,
        prefix: P,
        by_default: bool,
    ) -> Option<String> {
        let rules = &self.group_of(to)?.key.rules;
        let rule = rules.would_decide(&rules.prepare(subject), prefix);
        match rule.map(|rule| (&rule.name, &rule.verdict)) {
            Some((name, Verdict::Reject)) => Some(format!("rejected by {name}")),
            Some((_, Verdict::Accept(_))) => None,
            None if by_default => None,
            None if rules.is_empty() => {
                Some("`export` lets only this node's own routes pass".to_owned())
            }
            None => Some("no rule decides, and `export` does not let it pass".to_owned()),
        }
    }

    /// The Adj-RIBs-Out of all groups, then what of them is encoded for readers: entries and
    /// messages, and their octets.
    pub(crate) fn size(&self) -> [(usize, usize); 2] {
        let mut sizes = [(0, 0); 2];
        let [entries, encoded] = &mut sizes;
        for group in &self.groups {
            for family in Family::ALL {
                let channel = group.channel(family);
                let (count, bytes) = channel.adj.size();
                entries.0 += count;
                entries.1 += bytes + channel.slots.bytes();
                let (count, bytes) = channel.adj.cache.size();
                encoded.0 += count;
                encoded.1 += bytes;
            }
        }
        for owed in self.members.values().flat_map(|member| &member.owed) {
            encoded.0 += 1;
            encoded.1 += owed.frames.len();
        }
        sizes
    }

    /// How many paths for a prefix go to `to` at most, and whether another one goes where the best
    /// may not.
    pub(crate) fn choice(&self, to: PeerId, family: Family) -> (u16, bool) {
        let key = self.group_of(to).map(|group| &group.key);
        key.map_or((0, false), |key| (key.paths(family).unwrap_or(1), key.best_external))
    }
}
