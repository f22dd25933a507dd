//! What goes out: update groups, each with one Adj-RIB-Out that its members read at their own
//! pace (RFC 4271 §9.1.3, §9.2).
//!
//! ```text
//!  Rib ──best route of a destination──► Group (one per GroupKey)
//!                                         │ AdjOut: one entry a destination, in order of last
//!                                         │ change; a later change replaces the pending one
//!  pump ──Pull{peer, room}──► cursor of ──┘
//!       ◄──Frames───────────── that reader   encoded once per group and place, not per peer
//! ```
//!
//! * `key`: what two peers must share to be told the same, and the rules of export;
//! * `log`: the order of last change;
//! * `adj_out`: the entries, how far each reader has read, withdrawals that still wait for one;
//! * `chunk`: a stretch of the log as bytes;
//! * `group`: the above for both families, and who waits.
//!
//! A route is not sent to the peer that it came from (split horizon). End-of-RIB goes out when a
//! reader has caught up for the first time: whatever was there when it joined is before it, also
//! what changed in the meantime (RFC 4724 §2 asks for the former only).

mod adj_out;
mod chunk;
mod group;
mod key;
mod log;

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};

pub(crate) use key::{GroupKey, Learned};

use self::group::Group;
use crate::attrs::AttrId;
use crate::msg::{PeerUp, RibOut};
use crate::rib::change::Ranking;
use crate::rib::sets::Sets;
use crate::rib::source::SourceId;
use crate::rib::table::{Keyed, Tables};
use crate::types::{Family, PeerId, V4, V6};
use crate::wire::encode;

/// Prefixes a frame of withdrawals that a change of group makes due.
const WITHDRAWALS: usize = 8192;

/// A peer whose session is up.
#[derive(Debug, Default)]
struct Member {
    /// Its group; `None`: it gets nothing.
    key: Option<GroupKey>,
    /// To be sent before anything of the group: what the former group told and this one does not.
    owed: VecDeque<Bytes>,
    /// It was told so, and waits for `Wake`.
    drained: bool,
}

/// Every group and its members.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    groups: Vec<Group>,
    members: BTreeMap<PeerId, Member>,
    /// To be woken at the end of the message.
    wakes: Vec<PeerId>,
    /// Destinations that a group has let go; somebody must see whether they can go altogether.
    pub(crate) freed: Vec<(Family, u32)>,
    /// The start is over; see [`Exports::settle`].
    #[allow(dead_code, reason = "groups do not wait with End-of-RIB yet")]
    settled: bool,
}

/// A usable path to a destination, as groups are fed it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Feed {
    /// What it carries, after import.
    pub(crate) attr: AttrId,
    /// Where it is from: tells the paths of a destination apart.
    pub(crate) source: SourceId,
    /// Whose it is; it is not told back there.
    pub(crate) peer: PeerId,
    pub(crate) learned: Learned,
}

/// What the Rib lends for a change of membership.
pub(crate) struct Routes<'a> {
    pub(crate) tables: &'a Tables,
    pub(crate) sets: &'a mut Sets,
    pub(crate) ranking: Ranking<'a>,
}

impl Exports {
    /// A session is up. It gets nothing before [`Exports::assign`] says what.
    pub(crate) fn up(&mut self, up: &PeerUp) {
        self.members.insert(up.peer, Member::default());
    }

    /// A session is over.
    pub(crate) fn down(&mut self, peer: PeerId, sets: &mut Sets) {
        let key = self.members.remove(&peer).and_then(|m| m.key);
        self.leave(peer, key.as_ref(), sets);
    }

    /// Puts `peer` into the group of `key` (none: it gets nothing any more). What it was told by
    /// its former group and will not be told anew is withdrawn.
    pub(crate) fn assign(&mut self, peer: PeerId, key: Option<GroupKey>, routes: &mut Routes<'_>) {
        let Some(member) = self.members.get(&peer) else { return };
        if member.key == key {
            return;
        }
        let old = member.key.clone();
        if let Some(key) = &key {
            self.join(peer, key, routes);
        }
        let mut owed = VecDeque::new();
        for family in old.iter().flat_map(|key| key.families.iter()) {
            match family {
                Family::Ipv4 => self.owe::<V4>(peer, &old, &key, routes.tables, &mut owed),
                Family::Ipv6 => self.owe::<V6>(peer, &old, &key, routes.tables, &mut owed),
            }
        }
        self.leave(peer, old.as_ref(), routes.sets);
        if let Some(member) = self.members.get_mut(&peer) {
            member.key = key;
            member.owed.extend(owed);
        }
        self.wake(peer);
    }

    fn join(&mut self, peer: PeerId, key: &GroupKey, routes: &mut Routes<'_>) {
        let at = self.groups.iter().position(|g| g.key == *key).unwrap_or_else(|| {
            let mut group = Group::new(key.clone());
            fill::<V4>(&mut group, routes);
            fill::<V6>(&mut group, routes);
            self.groups.push(group);
            self.groups.len() - 1
        });
        if let Some(group) = self.groups.get_mut(at) {
            group.join(peer);
        }
    }

    fn leave(&mut self, peer: PeerId, key: Option<&GroupKey>, sets: &mut Sets) {
        let Some(at) = self.groups.iter().position(|g| Some(&g.key) == key) else { return };
        let Some(group) = self.groups.get_mut(at) else { return };
        group.leave(peer, &mut self.freed);
        if group.is_deserted() {
            self.groups.remove(at).dissolve(sets, &mut self.freed);
        }
    }

    /// Encodes the withdrawal of what the old group may have told `peer` and the new one will
    /// not replace.
    fn owe<P: Keyed>(
        &self,
        peer: PeerId,
        old: &Option<GroupKey>,
        new: &Option<GroupKey>,
        tables: &Tables,
        owed: &mut VecDeque<Bytes>,
    ) {
        let find =
            |key: &Option<GroupKey>| self.groups.iter().find(|g| Some(&g.key) == key.as_ref());
        let Some(old) = find(old) else { return };
        let (old, new) = (old.adj(P::FAMILY), find(new).map(|g| g.adj(P::FAMILY)));
        let table = P::table(tables);
        let gone: Vec<P> = old
            .present()
            .filter(|id| !new.is_some_and(|new| new.tells(*id, peer)))
            .filter_map(|id| Some(table.get(id)?.prefix))
            .collect();
        for part in gone.chunks(WITHDRAWALS) {
            let mut frame = BytesMut::new();
            encode::withdraw(part, &mut frame);
            owed.push_back(frame.freeze());
        }
    }

    /// The usable paths to a destination are others: the best first, and only that one unless
    /// [`Exports::wants_all`]; none: there is none any more.
    #[inline]
    pub(crate) fn feed(&mut self, family: Family, dest: u32, routes: &[Feed], sets: &mut Sets) {
        for group in &mut self.groups {
            group.feed(family, dest, routes, sets);
        }
    }

    /// Whether a group needs more than the best path to a destination.
    pub(crate) fn wants_all(&self) -> bool {
        false
    }

    /// The start is over (RFC 4724 §4.1): End-of-RIB may be said of learned routes too.
    pub(crate) fn settle(&mut self) {
        self.settled = true;
    }

    /// Whether a group still has something to say about a destination.
    pub(crate) fn holds(&self, family: Family, dest: u32) -> bool {
        self.groups.iter().any(|g| g.adj(family).holds(dest))
    }

    /// `peer` wants everything of that family again (RFC 2918).
    pub(crate) fn refresh(&mut self, peer: PeerId, family: Family) {
        let key = self.members.get(&peer).and_then(|m| m.key.as_ref());
        if let Some(group) = self.groups.iter_mut().find(|g| Some(&g.key) == key) {
            group.refresh(peer, family);
        }
        self.wake(peer);
    }

    /// About `room` bytes of what `peer` has not been told; at least one chunk, if there is one.
    pub(crate) fn pull(
        &mut self,
        peer: PeerId,
        room: usize,
        tables: &Tables,
        sets: &Sets,
        out: &mut Vec<RibOut>,
    ) {
        let Some(member) = self.members.get_mut(&peer) else { return };
        let (mut frames, mut taken) = (Vec::new(), 0);
        while taken < room
            && let Some(frame) = member.owed.pop_front()
        {
            taken += frame.len();
            frames.push(frame);
        }
        let mut drained = member.owed.is_empty();
        let key = member.key.as_ref();
        if drained && let Some(group) = self.groups.iter_mut().find(|g| Some(&g.key) == key) {
            let room = room.saturating_sub(taken);
            drained = group.pull(peer, room, tables, sets, &mut frames, &mut self.freed);
            if drained && !member.drained {
                group.wait(peer);
            }
        }
        member.drained = drained;
        out.push(RibOut::Frames { peer, frames, drained });
    }

    fn wake(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer)
            && member.drained
        {
            member.drained = false;
            self.wakes.push(peer);
            let key = member.key.as_ref();
            if let Some(group) = self.groups.iter_mut().find(|g| Some(&g.key) == key) {
                group.stop_waiting(peer);
            }
        }
    }

    /// The end of a message: wakes those who waited for what has come.
    pub(crate) fn flush(&mut self, out: &mut Vec<RibOut>) {
        for group in &mut self.groups {
            for peer in group.flush() {
                if let Some(member) = self.members.get_mut(&peer) {
                    member.drained = false;
                    self.wakes.push(peer);
                }
            }
        }
        out.extend(self.wakes.drain(..).map(RibOut::Wake));
    }

    /// How many routes `peer` has been told and not withdrawn, per family.
    pub(crate) fn sent(&self, peer: PeerId) -> [u32; 2] {
        let key = self.members.get(&peer).and_then(|m| m.key.as_ref());
        let group = self.groups.iter().find(|g| Some(&g.key) == key);
        group.map_or([0; 2], |g| Family::ALL.map(|f| g.adj(f).sent(peer)))
    }

    /// Per group: its key and how many members it has.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupKey, usize)> {
        self.groups.iter().map(|g| (&g.key, g.adj(Family::Ipv4).readers()))
    }
}

/// Feeds a new group from the table.
fn fill<P: Keyed>(group: &mut Group, routes: &mut Routes<'_>) {
    if !group.key.families.contains(P::FAMILY) {
        return;
    }
    let table = P::table(routes.tables);
    for id in 0..table.end() {
        let Some(best) = table.get(id).and_then(|d| d.best()) else { continue };
        if let Some(feed) = routes.ranking.feed(best) {
            group.feed(P::FAMILY, id, &[feed], routes.sets);
        }
    }
}

#[cfg(test)]
mod tests;
