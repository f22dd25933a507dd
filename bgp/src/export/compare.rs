//! What a neighbour is told by one state of the groups and not by another: for an operator who asks
//! what a change would announce before it is made.
//!
//! In: two states of which one was copied from the other, so that a group that is in both and has
//! said nothing since tells the same. Out: prefixes ([`Telling`]).

use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;

use super::Exports;
use super::group::Group;
use crate::attrs::AttrSet;
use crate::policy::Policy;
use crate::table::{Keyed, Sets, Tables};
use crate::types::{Family, PeerId, V4, V6};

/// What a neighbour is told that it was not before. A prefix with several paths (RFC 7911) counts
/// with each of them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Telling {
    /// Routes that are new to it.
    pub announced: Vec<IpNet>,
    /// Routes that it has no more.
    pub withdrawn: Vec<IpNet>,
    /// Routes with other attributes.
    pub changed: Vec<IpNet>,
    /// Routes that are sent again as they were, for its group is another one.
    pub again: usize,
}

/// One of two states, and what of the Rib it takes to read it.
#[derive(Clone, Copy)]
pub(crate) struct Side<'a> {
    pub(crate) exports: &'a Exports,
    pub(crate) tables: &'a Tables,
    pub(crate) sets: &'a Sets,
}

impl Exports {
    /// Shares no counters of rules with the state that this was copied from.
    pub(crate) fn detach(&mut self) {
        for group in &mut self.groups {
            group.key.rules = Arc::new(Policy::clone(&group.key.rules));
        }
    }
}

/// What `peer` is told by `after` and not by `before`.
pub(crate) fn compare(before: Side<'_>, after: Side<'_>, peer: PeerId) -> Telling {
    let mut telling = Telling::default();
    let groups = (before.exports.group_of(peer), after.exports.group_of(peer));
    let same = matches!(groups, (Some(a), Some(b)) if a.id == b.id);
    for family in Family::ALL {
        let end = |group: Option<&Group>| group.map(|g| g.channel(family).adj.log.end());
        if same && end(groups.0) == end(groups.1) {
            continue;
        }
        match family {
            Family::Ipv4 => {
                family_of::<V4>((before, groups.0), (after, groups.1), peer, &mut telling)
            }
            Family::Ipv6 => {
                family_of::<V6>((before, groups.0), (after, groups.1), peer, &mut telling)
            }
        }
    }
    if same {
        telling.again = 0;
    }
    telling
}

fn family_of<P: Keyed>(
    (before, old): (Side<'_>, Option<&Group>),
    (after, new): (Side<'_>, Option<&Group>),
    peer: PeerId,
    telling: &mut Telling,
) {
    let mut told: HashMap<(P, Option<u32>), &AttrSet, FixedState> =
        old.into_iter().flat_map(|group| said::<P>(before, group, peer)).collect();
    for (key, attrs) in new.into_iter().flat_map(|group| said::<P>(after, group, peer)) {
        match told.remove(&key) {
            None => telling.announced.push(key.0.net()),
            Some(was) if was != attrs => telling.changed.push(key.0.net()),
            Some(_) => telling.again += 1,
        }
    }
    telling.withdrawn.extend(told.into_keys().map(|(prefix, _)| prefix.net()));
    for nets in [&mut telling.announced, &mut telling.changed, &mut telling.withdrawn] {
        nets.sort_unstable();
    }
}

/// All that a group tells `peer` of a family.
fn said<'a, P: Keyed>(
    side: Side<'a>,
    group: &'a Group,
    peer: PeerId,
) -> impl Iterator<Item = ((P, Option<u32>), &'a AttrSet)> {
    let channel = group.channel(P::FAMILY);
    channel.adj.present().filter_map(move |slot| {
        let (attr, source) = channel.adj.said(slot)?;
        let key = channel.nlri(slot, P::table(side.tables))?;
        let attrs = side.sets.get(attr)?;
        (source != peer).then_some((key, attrs))
    })
}
