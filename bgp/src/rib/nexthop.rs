//! Next hops: who uses them, and what the kernel says about them (RFC 4271 §9.1.2.1).
//!
//! In: paths that begin and cease to use an attribute set; news from the kernel. Out: which
//! addresses to watch ([`Nexthops::flush`]), and the metric per attribute set for the decision.
//! Until the kernel has answered, a next hop counts as unreachable. Only accepted paths count as
//! users: a filtered route gives the kernel side nothing to watch, unless the rules of import ask
//! on which interface its next hop is; then it is a watcher.
//!
//! From attribute set to next hop there is an index (4 B a set). From next hop to destinations
//! there is none: it would cost more than the table's paths themselves. The news' users are
//! found by a walk that stops when the counted users are all found, newest first, because what
//! is news is nearly always the next hop of what came last.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::attrs::AttrId;
use crate::msg::{NexthopNews, RibOut};
use crate::slab::{Slab, Sparse};
use crate::types::NextHop;

/// The number of a next hop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HopId(u32);

#[derive(Clone, Debug)]
struct Hop {
    address: NextHop,
    /// Accepted paths whose attributes name it.
    users: usize,
    /// Paths that came with it and must be judged again when it is on another interface.
    watchers: usize,
    /// What the kernel said last; `None` before that.
    answer: Option<Option<u32>>,
    /// The interface that leads there, while something does.
    interface: Option<String>,
    /// `RibOut::Track` has named it.
    tracked: bool,
    /// Among the answers of the batch at hand.
    news: bool,
}

impl Hop {
    fn is_unused(&self) -> bool {
        self.users == 0 && self.watchers == 0
    }
}

/// What is known about a next hop, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// Reachable at this interior cost.
    Metric(u32),
    /// The kernel has no way to it.
    Unreachable,
    /// The kernel has not answered yet.
    Unanswered,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nexthops {
    hops: Slab<Hop>,
    by_address: HashMap<NextHop, u32, FixedState>,
    /// Per attribute set in use by an accepted path, or of a watched one: its hop + 1.
    of_attr: Sparse<u32>,
    /// Made since the last flush.
    fresh: Vec<u32>,
    /// Lost its last user since the last flush (and may have found another).
    idle: Vec<u32>,
}

impl Nexthops {
    /// How many there are, and the octets of memory that they take.
    pub(crate) fn size(&self) -> (usize, usize) {
        let index = self.by_address.allocation_size();
        (self.hops.len(), self.hops.bytes() + index + self.of_attr.bytes())
    }

    /// The hop of an attribute set that accepted paths are about to use.
    pub(crate) fn resolve(&mut self, attr: AttrId, address: NextHop) -> HopId {
        let id = match self.by_address.get(&address) {
            Some(id) => *id,
            None => {
                let hop = Hop {
                    address,
                    users: 0,
                    watchers: 0,
                    answer: None,
                    interface: None,
                    tracked: false,
                    news: false,
                };
                let id = self.hops.insert(hop);
                self.by_address.insert(address, id);
                self.fresh.push(id);
                id
            }
        };
        self.of_attr.set(attr.0, id + 1);
        HopId(id)
    }

    /// One more accepted path uses it.
    pub(crate) fn acquire(&mut self, hop: HopId) {
        if let Some(hop) = self.hops.get_mut(hop.0) {
            hop.users += 1;
        }
    }

    /// An accepted path with these attributes is gone.
    pub(crate) fn release(&mut self, attr: AttrId) {
        let Some(id) = self.id_of(attr) else { return };
        if let Some(hop) = self.hops.get_mut(id) {
            hop.users = hop.users.saturating_sub(1);
            if hop.is_unused() {
                self.idle.push(id);
            }
        }
    }

    /// One more path came with it whose verdict depends on its interface.
    pub(crate) fn watch(&mut self, hop: HopId) {
        if let Some(hop) = self.hops.get_mut(hop.0) {
            hop.watchers += 1;
        }
    }

    /// Such a path, received with these attributes, is gone.
    pub(crate) fn unwatch(&mut self, attr: AttrId) {
        let Some(id) = self.id_of(attr) else { return };
        if let Some(hop) = self.hops.get_mut(id) {
            hop.watchers = hop.watchers.saturating_sub(1);
            if hop.is_unused() {
                self.idle.push(id);
            }
        }
    }

    fn id_of(&self, attr: AttrId) -> Option<u32> {
        self.of_attr.get(attr.0).checked_sub(1)
    }

    fn of(&self, attr: AttrId) -> Option<&Hop> {
        self.hops.get(self.id_of(attr)?)
    }

    /// The metric that an accepted path with these attributes competes with; `None`: it may not.
    #[inline]
    pub(crate) fn metric(&self, attr: AttrId) -> Option<u32> {
        self.of(attr)?.answer.flatten()
    }

    /// Whether the kernel has said that there is no way to it.
    pub(crate) fn is_unreachable(&self, attr: AttrId) -> bool {
        self.of(attr).is_some_and(|hop| hop.answer == Some(None))
    }

    /// The same, for people.
    pub(crate) fn reach(&self, address: NextHop) -> Reach {
        let hop = self.by_address.get(&address).and_then(|id| self.hops.get(*id));
        match hop.and_then(|hop| hop.answer) {
            Some(Some(metric)) => Reach::Metric(metric),
            Some(None) => Reach::Unreachable,
            None => Reach::Unanswered,
        }
    }

    /// The interface that leads to a next hop, where it is known.
    pub(crate) fn interface(&self, address: NextHop) -> Option<&str> {
        let id = self.by_address.get(&address)?;
        self.hops.get(*id)?.interface.as_deref()
    }

    /// Whether news say of a next hop that it is on another interface than before.
    pub(crate) fn moves(&self, news: &[NexthopNews]) -> bool {
        news.iter().any(|new| self.interface(new.next_hop) != new.interface.as_deref())
    }

    /// Whether they say it of one that paths are judged by.
    pub(crate) fn moves_watched(&self, news: &[NexthopNews]) -> bool {
        news.iter().any(|new| {
            let id = self.by_address.get(&new.next_hop);
            let hop = id.and_then(|id| self.hops.get(*id)).filter(|hop| hop.watchers > 0);
            hop.is_some_and(|hop| hop.interface != new.interface)
        })
    }

    /// Whether the kernel has answered for every next hop in use.
    pub(crate) fn are_answered(&self) -> bool {
        let mut hops = self.by_address.values().filter_map(|id| self.hops.get(*id));
        hops.all(|hop| hop.answer.is_some() || hop.is_unused())
    }

    /// Takes answers in, and says how many paths they concern: those for which
    /// [`Nexthops::is_news`] is true until [`Nexthops::end_news`].
    pub(crate) fn learn(&mut self, news: &[NexthopNews]) -> usize {
        let mut users = 0;
        for NexthopNews { next_hop: address, metric, interface } in news {
            let Some(id) = self.by_address.get(address) else { continue };
            let Some(hop) = self.hops.get_mut(*id) else { continue };
            let before = hop.answer.replace(*metric);
            if hop.interface != *interface {
                hop.interface.clone_from(interface);
            }
            if before != Some(*metric) && !hop.news {
                hop.news = true;
                users += hop.users;
            }
        }
        users
    }

    /// Whether the answer that was just learned concerns paths with these attributes.
    #[inline]
    pub(crate) fn is_news(&self, attr: AttrId) -> bool {
        self.of(attr).is_some_and(|hop| hop.news)
    }

    /// The users of the news have been found.
    pub(crate) fn end_news(&mut self, news: &[NexthopNews]) {
        for NexthopNews { next_hop: address, .. } in news {
            let id = self.by_address.get(address);
            if let Some(hop) = id.and_then(|id| self.hops.get_mut(*id)) {
                hop.news = false;
            }
        }
    }

    /// Forgets hops that nobody uses; says which to watch and which no longer.
    pub(crate) fn flush(&mut self, out: &mut Vec<RibOut>) {
        let mut untrack = Vec::new();
        for id in self.idle.drain(..).chain(self.fresh.iter().copied()) {
            if self.hops.get(id).is_some_and(Hop::is_unused)
                && let Some(hop) = self.hops.remove(id)
            {
                self.by_address.remove(&hop.address);
                if hop.tracked {
                    untrack.push(hop.address);
                }
            }
        }
        let mut track = Vec::new();
        for id in self.fresh.drain(..) {
            if let Some(hop) = self.hops.get_mut(id)
                && !hop.tracked
            {
                hop.tracked = true;
                track.push(hop.address);
            }
        }
        if !track.is_empty() {
            out.push(RibOut::Track(track));
        }
        if !untrack.is_empty() {
            out.push(RibOut::Untrack(untrack));
        }
    }
}
