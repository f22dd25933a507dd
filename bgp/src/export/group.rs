//! An update group: one Adj-RIB-Out per family, and who reads it.

use super::channel::{Answer, Channel};
use super::judged::Judged;
use super::key::GroupKey;
use super::rules::Learned;
use super::{Feed, Lent, Offer};
use crate::attrs::{AttrId, AttrSet};
use crate::table::{Keyed, Sets, SourceId, Tables};
use crate::types::{Family, PeerId, V4, V6};

/// The number of a group; never given out again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct GroupId(pub(super) u64);

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(super) id: GroupId,
    pub(crate) key: GroupKey,
    v4: Channel,
    v6: Channel,
    /// Readers that were told that they are drained.
    waiting: Vec<PeerId>,
    /// Something to read came during the message at hand.
    changed: bool,
    /// The last answers, good for the message at hand.
    judged: Option<Judged>,
    /// The last answer of `says_same`, likewise.
    same: Option<(Family, AttrId, AttrId, bool)>,
    /// Slots of the destination at hand.
    scratch: Vec<u32>,
}

impl Group {
    pub(super) fn new(id: GroupId, key: GroupKey) -> Group {
        let channel = |family| Channel::new(key.paths(family).is_some());
        let (v4, v6) = (channel(Family::Ipv4), channel(Family::Ipv6));
        let (waiting, scratch) = (Vec::new(), Vec::new());
        Group { id, key, v4, v6, waiting, changed: false, judged: None, same: None, scratch }
    }

    pub(crate) fn channel(&self, family: Family) -> &Channel {
        match family {
            Family::Ipv4 => &self.v4,
            Family::Ipv6 => &self.v6,
        }
    }

    fn channel_mut(&mut self, family: Family) -> &mut Channel {
        match family {
            Family::Ipv4 => &mut self.v4,
            Family::Ipv6 => &mut self.v6,
        }
    }

    pub(crate) fn readers(&self) -> usize {
        self.v4.adj.readers()
    }

    pub(super) fn join(&mut self, peer: PeerId) {
        self.v4.adj.join(peer);
        self.v6.adj.join(peer);
    }

    pub(super) fn leave(&mut self, peer: PeerId, [v4, v6]: &mut [Vec<u32>; 2]) {
        self.stop_waiting(peer);
        self.v4.leave(peer, v4);
        self.v6.leave(peer, v6);
    }

    pub(super) fn dissolve(mut self, sets: &mut Sets, [v4, v6]: &mut [Vec<u32>; 2]) {
        self.forget_answers(sets);
        self.v4.dissolve(sets, v4);
        self.v6.dissolve(sets, v6);
    }

    /// The paths of a destination are new; see [`super::Exports::feed`].
    #[inline]
    pub(super) fn feed<P: Keyed>(
        &mut self,
        dest: u32,
        prefix: P,
        offer: Offer<'_>,
        lent: &mut Lent<'_>,
    ) {
        let family = P::FAMILY;
        if !self.key.families.contains(family) || self.channel(family).default == Some(dest) {
            return;
        }
        match self.key.paths(family) {
            None => {
                let routes = if self.key.best_external { offer.all } else { offer.best.as_slice() };
                let chosen = routes
                    .iter()
                    .find_map(|route| Some((self.judge(prefix, route, lent)?, route.peer)));
                self.say(family, dest, chosen, lent.sets);
            }
            Some(1) => self.feed_paths(dest, prefix, offer.best.as_slice(), 1, lent),
            Some(limit) => self.feed_paths(dest, prefix, offer.all, limit, lent),
        }
    }

    /// The best `limit` of the paths that may go out do, each in its own slot; others do not.
    /// (Where one path is all that goes, it is the one in use or none: the caller sees to that.)
    fn feed_paths<P: Keyed>(
        &mut self,
        dest: u32,
        prefix: P,
        routes: &[Feed],
        limit: u16,
        lent: &mut Lent<'_>,
    ) {
        let mut before = std::mem::take(&mut self.scratch);
        self.channel(P::FAMILY).slots.of(dest, &mut before);
        let (mut left, mut own) = (limit, false);
        for route in routes {
            // Who has a reason more to originate a prefix has no path more to it.
            let again = route.learned == Learned::Own && std::mem::replace(&mut own, true);
            if left == 0 || again {
                continue;
            }
            let Some(attr) = self.judge(prefix, route, lent) else { continue };
            left -= 1;
            let slot = self.channel_mut(P::FAMILY).slots.find_or_insert(dest, route.source);
            before.retain(|other| *other != slot);
            self.say(P::FAMILY, slot, Some((attr, route.peer)), lent.sets);
        }
        for slot in before.drain(..) {
            self.say(P::FAMILY, slot, None, lent.sets);
        }
        self.scratch = before;
    }

    /// The group's members are told of a default route of ours, which is that destination.
    pub(super) fn originate_default(&mut self, family: Family, dest: u32, sets: &mut Sets) {
        let unspecified: std::net::IpAddr = match family {
            Family::Ipv4 => std::net::Ipv4Addr::UNSPECIFIED.into(),
            Family::Ipv6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let own = AttrSet::originated(unspecified);
        let Some(exported) = self.key.exported(family, &own) else { return };
        let attr = sets.intern(if self.key.rewrites() { exported } else { own });
        let channel = self.channel_mut(family);
        channel.default = Some(dest);
        let slot = channel.slots.find_or_insert(dest, SourceId::BLOCK);
        self.say(family, slot, Some((attr, PeerId::LOCAL)), sets);
        sets.release(attr);
    }

    #[inline]
    fn judge<P: Keyed>(&mut self, prefix: P, route: &Feed, lent: &mut Lent<'_>) -> Option<AttrId> {
        let Group { key, judged, .. } = self;
        let judged = match judged {
            Some(judged) if judged.is_of(P::FAMILY, route) => judged,
            judged => {
                if let Some(old) = judged {
                    old.release(lent.sets);
                }
                judged.insert(Judged::new::<P>(key, route, lent))
            }
        };
        judged.verdict(key, prefix, lent.known, lent.sets)
    }

    /// From now on this is said of a slot: attributes and source, or nothing.
    #[inline]
    fn say(&mut self, family: Family, slot: u32, route: Option<(AttrId, PeerId)>, sets: &mut Sets) {
        let old = self.channel(family).adj.said(slot);
        self.changed |= match (old, route) {
            (Some(old), Some(new)) if old == new => false,
            (Some((old, from)), Some((new, source)))
                if from == source && self.says_same(family, old, new, sets) =>
            {
                self.channel_mut(family).adj.replace(slot, new, sets);
                false
            }
            (_, Some((attr, source))) => {
                self.channel_mut(family).adj.announce(slot, attr, source, sets);
                true
            }
            (Some(_), None) => {
                self.channel_mut(family).adj.withdraw(slot, sets);
                true
            }
            (None, None) => false,
        };
    }

    /// Whether two sets differ only in what does not go out: nobody needs to be told.
    fn says_same(&mut self, family: Family, old: AttrId, new: AttrId, sets: &Sets) -> bool {
        if self.key.rewrites() {
            return false;
        }
        match self.same {
            Some((f, o, n, same)) if (f, o, n) == (family, old, new) => same,
            _ => {
                let exported = |id| self.key.exported(family, sets.get(id)?);
                let same = exported(old) == exported(new);
                self.same = Some((family, old, new, same));
                same
            }
        }
    }

    /// The reader is drained: it is to be woken when something comes.
    pub(super) fn wait(&mut self, peer: PeerId) {
        self.waiting.push(peer);
        if self.waiting.len() == self.readers() {
            // Nobody will come to these places again.
            self.v4.adj.cache.clear();
            self.v6.adj.cache.clear();
        }
    }

    pub(super) fn stop_waiting(&mut self, peer: PeerId) {
        self.waiting.retain(|p| *p != peer);
    }

    /// `marked`: the reader understands BoRR and EoRR.
    pub(super) fn refresh(&mut self, peer: PeerId, family: Family, marked: bool) {
        self.channel_mut(family).adj.restart(peer, marked);
    }

    /// The readers that are owed an End-of-RIB.
    pub(super) fn unended(&self) -> Vec<PeerId> {
        let families = self.key.families.iter();
        families.flat_map(|family| self.channel(family).adj.unended()).collect()
    }

    /// Appends about `room` octets to `answer`; says whether the reader has read all. `gated`: it
    /// is not told an End-of-RIB yet.
    #[allow(clippy::too_many_arguments, reason = "what a pull needs, lent from all over the Rib")]
    pub(super) fn pull(
        &mut self,
        peer: PeerId,
        gated: bool,
        room: usize,
        tables: &Tables,
        sets: &Sets,
        answer: &mut Answer,
        [v4_freed, v6_freed]: &mut [Vec<u32>; 2],
    ) -> bool {
        let Group { key, v4, v6, .. } = self;
        let mut left = room;
        let mut all = true;
        for family in key.families.iter() {
            if !all {
                break;
            }
            let left = &mut left;
            all = match family {
                Family::Ipv4 => {
                    let table = V4::table(tables);
                    v4.pull(peer, gated, left, table, sets, key, answer, v4_freed)
                }
                Family::Ipv6 => {
                    let table = V6::table(tables);
                    v6.pull(peer, gated, left, table, sets, key, answer, v6_freed)
                }
            };
        }
        all
    }

    /// The end of a message: who is to be woken.
    pub(super) fn flush(&mut self, sets: &mut Sets) -> Vec<PeerId> {
        self.forget_answers(sets);
        match std::mem::take(&mut self.changed) {
            true => std::mem::take(&mut self.waiting),
            false => Vec::new(),
        }
    }

    fn forget_answers(&mut self, sets: &mut Sets) {
        self.same = None;
        if let Some(mut judged) = self.judged.take() {
            judged.release(sets);
        }
    }
}
