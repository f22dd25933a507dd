//! What goes out: update groups, each with one Adj-RIB-Out that its members read at their own
//! pace (RFC 4271 §9.1.3, §9.2).
//!
//! ```text
//!  Rib ──paths of a destination──► Group (one per GroupKey)
//!                                     │ AdjOut: one entry a slot, in order of last change;
//!                                     │ a later change replaces the pending one
//!  pump ──Pull{peer, room}──► cursor of that reader
//!       ◄──Frames───────────── encoded once per group and place, not per peer
//! ```
//!
//! * `key`: what two peers must share to be told the same;
//! * `rules`: what may go out, and with which attributes; `judged`: that, asked once for a run;
//! * `slots`: what an entry is about: a destination, or with path identifiers a path to it;
//! * `log`: the order of last change;
//! * `adj_out`: the entries, how far each reader has read, withdrawals that still wait for one;
//! * `chunk`: a stretch of the log as bytes;
//! * `channel`: the last four for one family;
//! * `group`: two channels, and who waits;
//! * `compare`: what a neighbour is told by one state of all this and not by another.
//!
//! A path is not sent to the peer that it came from (split horizon). End-of-RIB goes out when a
//! reader has caught up for the first time: whatever was there when it joined is before it, also
//! what changed in the meantime (RFC 4724 §2 asks for the former only). A group that passes on
//! what others said holds it back until our own start is over ([`Exports::settle`]).

mod adj_out;
mod channel;
mod chunk;
mod compare;
mod group;
mod judged;
mod key;
mod log;
mod rules;
mod show;
mod slots;

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;

use bytes::BytesMut;

pub use compare::Telling;
pub(crate) use compare::{Side, compare};
pub(crate) use key::GroupKey;
pub(crate) use rules::Learned;
pub(crate) use show::Told;

use self::channel::Answer;
use self::chunk::Messages;
use self::group::{Group, GroupId};
use crate::attrs::{AttrId, AttrSet};
use crate::msg::{PeerUp, Prefixes, RibOut, Said};
use crate::policy::Source;
use crate::table::{Best, Keyed, Path, Sets, SourceId, Tables};
use crate::types::{Family, NextHop, PeerId, V4, V6};
use crate::wire::encode::{self, Nlri};

/// Prefixes a frame of withdrawals that a change of group makes due.
const WITHDRAWALS: usize = 8192;

/// A peer whose session is up.
#[derive(Clone, Debug, Default)]
struct Member {
    /// Its group; `None`: it gets nothing.
    group: Option<GroupId>,
    /// It understands the marks of RFC 7313.
    marked: bool,
    /// To be sent before anything of the group: what the former group told and this one does not.
    owed: VecDeque<Messages>,
    /// It was told so, and waits for `Wake`.
    drained: bool,
}

/// Every group and its members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exports {
    groups: Vec<Group>,
    /// The number of the next group.
    next: u64,
    members: BTreeMap<PeerId, Member>,
    /// To be woken at the end of the message.
    wakes: Vec<PeerId>,
    /// Our own start is over: what we pass on is all there is.
    settled: bool,
    /// Destinations that a group has let go; somebody must see whether they can go altogether.
    pub(crate) freed: [Vec<u32>; 2],
}

/// What is asked of the Rib, which knows neighbours, next hops and the decision.
pub(crate) trait Known {
    /// What a neighbour is to rules.
    fn source(&self, peer: PeerId) -> Source<'_>;
    /// The BGP identifier of a neighbour whose routes there are.
    fn router_id(&self, peer: PeerId) -> Option<Ipv4Addr>;
    /// The interface that leads to a next hop, where it is known.
    fn interface(&self, next_hop: NextHop) -> Option<&str>;
    /// A path as groups are fed it; `None`: it is not for neighbours, or its session is gone.
    fn feed(&self, best: Best) -> Option<Feed>;
    /// All usable paths in the order of the decision, as groups are fed them.
    fn feeds(&self, paths: &[Path], sets: &Sets, feeds: &mut Vec<Feed>);
}

/// What the Rib lends to those who judge routes.
pub(crate) struct Lent<'a> {
    pub(crate) known: &'a dyn Known,
    pub(crate) sets: &'a mut Sets,
}

/// What the Rib lends for a change of membership.
pub(crate) struct Routes<'a> {
    pub(crate) tables: &'a mut Tables,
    pub(crate) sets: &'a mut Sets,
    pub(crate) known: &'a dyn Known,
}

/// What of a route's way to a neighbour is not for rules to say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sending {
    /// Why it never goes there; `None`: rules are asked.
    pub forbidden: Option<&'static str>,
    /// Whether it goes where no rule decides.
    pub by_default: bool,
}

/// What may be told of a destination; nothing if it has no path.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer<'a> {
    /// The path in use, if that one may be told: all that a plain neighbour ever hears of
    /// (RFC 4271 §9.2).
    pub(crate) best: Option<Feed>,
    /// For who takes more than that: if [`Exports::wants_all`] every usable path that may be told,
    /// in the order of the decision, else `best`.
    pub(crate) all: &'a [Feed],
}

/// A path that may be told to somebody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Feed {
    /// Its attributes, after import.
    pub(crate) attr: AttrId,
    /// Where it is from,
    pub(crate) source: SourceId,
    /// whose that is,
    pub(crate) peer: PeerId,
    /// and how it came.
    pub(crate) learned: Learned,
}

impl Exports {
    /// What becomes of a route that `from` sent, on its way to `to`, rules aside.
    pub(crate) fn sending(
        &self,
        (to, from): (PeerId, PeerId),
        family: Family,
        learned: Option<Learned>,
        attrs: &AttrSet,
    ) -> Sending {
        let never = |why| Sending { forbidden: Some(why), by_default: false };
        let group = self.members.get(&to).and_then(|member| member.group);
        let Some(key) = group.and_then(|id| self.group(id)).map(|group| &group.key) else {
            return never("the session is not up");
        };
        let Some(learned) = learned else {
            return never("the session that it would be from is not up");
        };
        if !key.families.contains(family) {
            return never("the session does not carry the family");
        }
        if to == from {
            return never("nothing goes back to whom it came from");
        }
        let forbidden = key.forbidden(family, learned, attrs);
        Sending { forbidden, by_default: key.by_default(learned) }
    }

    /// A session is up. It gets nothing before [`Exports::assign`] says what.
    pub(crate) fn up(&mut self, up: &PeerUp) {
        let marked = up.negotiated.enhanced_refresh;
        self.members.insert(up.peer, Member { marked, ..Member::default() });
    }

    /// A session is over.
    pub(crate) fn down(&mut self, peer: PeerId, sets: &mut Sets) {
        let group = self.members.remove(&peer).and_then(|m| m.group);
        self.leave(peer, group, sets);
    }

    /// Puts `peer` into the group of `key` (none: it gets nothing any more). What it was told by
    /// its former group and will not be told anew is withdrawn.
    pub(crate) fn assign(&mut self, peer: PeerId, key: Option<GroupKey>, routes: &mut Routes<'_>) {
        let Some(old) = self.members.get(&peer).map(|member| member.group) else { return };
        if old.and_then(|id| self.group(id)).map(|group| &group.key) == key.as_ref() {
            return;
        }
        let new = key.map(|key| self.join(peer, key, routes));
        let mut owed = VecDeque::new();
        if let Some(old) = old.and_then(|id| self.group(id)) {
            let new = new.and_then(|id| self.group(id));
            for family in old.key.families.iter() {
                match family {
                    Family::Ipv4 => owe::<V4>(peer, old, new, routes.tables, &mut owed),
                    Family::Ipv6 => owe::<V6>(peer, old, new, routes.tables, &mut owed),
                }
            }
        }
        self.leave(peer, old, routes.sets);
        if let Some(member) = self.members.get_mut(&peer) {
            member.group = new;
            member.owed.extend(owed);
        }
        self.wake(peer);
    }

    fn join(&mut self, peer: PeerId, key: GroupKey, routes: &mut Routes<'_>) -> GroupId {
        if let Some(group) = self.groups.iter_mut().find(|g| g.key == key) {
            group.join(peer);
            return group.id;
        }
        let id = GroupId(self.next);
        self.next += 1;
        let mut group = Group::new(id, key);
        for family in group.key.families.iter() {
            match family {
                Family::Ipv4 => originate_default::<V4>(&mut group, routes),
                Family::Ipv6 => originate_default::<V6>(&mut group, routes),
            }
        }
        fill::<V4>(&mut group, routes);
        fill::<V6>(&mut group, routes);
        group.join(peer);
        self.groups.push(group);
        id
    }

    fn leave(&mut self, peer: PeerId, id: Option<GroupId>, sets: &mut Sets) {
        let Some(at) = self.groups.iter().position(|g| Some(g.id) == id) else { return };
        let Some(group) = self.groups.get_mut(at) else { return };
        group.leave(peer, &mut self.freed);
        if group.readers() == 0 {
            self.groups.remove(at).dissolve(sets, &mut self.freed);
        }
    }

    fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.iter().find(|g| g.id == id)
    }

    /// The group of a peer.
    fn group_of(&self, peer: PeerId) -> Option<&Group> {
        self.group(self.members.get(&peer)?.group?)
    }

    /// Whether a group tells more of a destination than its best path: then [`Exports::feed`]
    /// wants every path that may be used.
    pub(crate) fn wants_all(&self) -> bool {
        self.groups.iter().any(|group| group.key.wants_all())
    }

    /// The paths of a destination are new.
    #[inline]
    pub(crate) fn feed<P: Keyed>(
        &mut self,
        dest: u32,
        prefix: P,
        offer: Offer<'_>,
        lent: &mut Lent<'_>,
    ) {
        for group in &mut self.groups {
            group.feed(dest, prefix, offer, lent);
        }
    }

    /// Whether a group still has something to say about a destination.
    pub(crate) fn holds(&self, family: Family, dest: u32) -> bool {
        self.groups.iter().any(|g| g.channel(family).holds(dest))
    }

    /// `peer` wants everything of that family again (RFC 2918).
    pub(crate) fn refresh(&mut self, peer: PeerId, family: Family) {
        let Some(member) = self.members.get(&peer) else { return };
        let (id, marked) = (member.group, member.marked);
        if let Some(group) = self.groups.iter_mut().find(|g| Some(g.id) == id) {
            group.refresh(peer, family, marked);
        }
        self.wake(peer);
    }

    /// Whether End-of-RIB is said of what we pass on.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled
    }

    /// Our start is over: who waits for the End-of-RIB of what we pass on may have it.
    pub(crate) fn settle(&mut self) {
        if !std::mem::replace(&mut self.settled, true) {
            let unended: Vec<PeerId> = self.groups.iter().flat_map(Group::unended).collect();
            unended.into_iter().for_each(|peer| self.wake(peer));
        }
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
        let Exports { groups, members, freed, settled, .. } = self;
        let Some(member) = members.get_mut(&peer) else { return };
        let (mut answer, mut taken) = (Answer::default(), 0);
        while taken < room
            && let Some(messages) = member.owed.pop_front()
        {
            taken += messages.frames.len();
            answer.push(messages);
        }
        let mut drained = member.owed.is_empty();
        let id = member.group;
        if drained && let Some(group) = groups.iter_mut().find(|g| Some(g.id) == id) {
            let room = room.saturating_sub(taken);
            let gated = !*settled && !group.key.is_own_only();
            drained = group.pull(peer, gated, room, tables, sets, &mut answer, freed);
            if drained && !member.drained {
                group.wait(peer);
            }
        }
        member.drained = drained;
        let Answer { frames, said } = answer;
        out.push(RibOut::Frames { peer, frames, said, drained });
    }

    fn wake(&mut self, peer: PeerId) {
        if let Some(member) = self.members.get_mut(&peer)
            && member.drained
        {
            member.drained = false;
            self.wakes.push(peer);
            let id = member.group;
            if let Some(group) = self.groups.iter_mut().find(|g| Some(g.id) == id) {
                group.stop_waiting(peer);
            }
        }
    }

    /// The end of a message: wakes those who waited for what has come.
    pub(crate) fn flush(&mut self, sets: &mut Sets, out: &mut Vec<RibOut>) {
        for group in &mut self.groups {
            for peer in group.flush(sets) {
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
        let group = self.group_of(peer);
        group.map_or([0; 2], |g| Family::ALL.map(|f| g.channel(f).adj.sent(peer)))
    }

    /// Per group: its key and how many members it has.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&GroupKey, usize)> {
        self.groups.iter().map(|g| (&g.key, g.readers()))
    }
}

/// Encodes the withdrawal of what the old group may have told `peer` and the new one will not
/// replace.
fn owe<P: Keyed>(
    peer: PeerId,
    old: &Group,
    new: Option<&Group>,
    tables: &Tables,
    owed: &mut VecDeque<Messages>,
) {
    let (table, told) = (P::table(tables), old.channel(P::FAMILY));
    let new = new.map(|group| group.channel(P::FAMILY));
    let is_gone = |slot: &u32| {
        let key = told.slots.key(*slot);
        !key.zip(new).is_some_and(|(key, new)| new.tells(key, peer))
    };
    let gone = told.adj.present().filter(is_gone);
    let gone: Vec<(P, Option<u32>)> = gone.filter_map(|slot| told.nlri(slot, table)).collect();
    for part in gone.chunks(WITHDRAWALS) {
        let prefixes: Vec<P> = part.iter().map(|(prefix, _)| *prefix).collect();
        let ids: Vec<u32> = part.iter().filter_map(|(_, id)| *id).collect();
        let mut frame = BytesMut::new();
        let nlri = Nlri { prefixes: &prefixes, ids: &ids };
        let updates = encode::withdraw(&old.key.dialect, nlri, &mut frame) as u64;
        let prefixes = Prefixes { withdrawn: part.len() as u64, announced: 0 };
        owed.push_back(Messages::new(frame, Said { updates, prefixes, ..Said::default() }));
    }
}

/// The default route of a new group, if it has one.
fn originate_default<P: Keyed>(group: &mut Group, routes: &mut Routes<'_>) {
    if group.key.default_route
        && let Some(prefix) = P::from_wire(0, &[])
    {
        let dest = P::table_mut(routes.tables).find_or_insert(prefix);
        group.originate_default(P::FAMILY, dest, routes.sets);
    }
}

/// Feeds a new group from the table.
fn fill<P: Keyed>(group: &mut Group, routes: &mut Routes<'_>) {
    if !group.key.families.contains(P::FAMILY) {
        return;
    }
    let Routes { tables, sets, known } = routes;
    let table = P::table(tables);
    let mut feeds = Vec::new();
    for id in 0..table.end() {
        let Some(dest) = table.get(id) else { continue };
        feeds.clear();
        let best = dest.best().and_then(|best| known.feed(best));
        match group.key.wants_all() {
            true => known.feeds(dest.paths.as_slice(), sets, &mut feeds),
            false => feeds.extend(best),
        }
        let offer = Offer { best, all: &feeds };
        group.feed(id, dest.prefix, offer, &mut Lent { known: *known, sets });
    }
}

#[cfg(test)]
mod tests;
