//! The RIB: the one owner of routes (RFC 4271 §3.2, §9.1).
//!
//! ```text
//!  RouteBatch ──► receive ──┐ touched                       ┌──► FibBatch
//!  Configure ───► configure ┼─────────► change: decision ───┤
//!  NexthopNews ─► nexthop ──┘           (once each)         └──► export: groups ──► Frames
//! ```
//!
//! An actor: [`Rib::handle`] takes one message, changes paths, decides every touched destination
//! once, and tells the Fib and the update groups what became of them, as one batch. The same
//! messages give the same answers, byte for byte.
//!
//! A table per family: `table` (index), `dest` (a destination and its paths, packed), and `sets`
//! (attributes) for both. Adj-RIB-In, Loc-RIB and the reasons are one: filtered and unreachable
//! paths lie beside the best one, marked; why a path won or lost is found again when asked
//! ([`show`]), not stored.
//!
//! Deviations: MED is compared over all paths at once, never in order of arrival
//! ([`decision`]); a next hop that the kernel has not answered for yet counts as unreachable.

pub(crate) mod change;
mod configure;
pub mod decision;
pub(crate) mod dest;
mod nexthop;
pub(crate) mod peers;
mod receive;
pub(crate) mod sets;
mod settle;
pub mod show;
pub(crate) mod slab;
pub(crate) mod source;
pub(crate) mod table;

pub use nexthop::Reach;

use self::nexthop::Nexthops;
use self::peers::Peers;
use self::receive::Intake;
use self::sets::Sets;
use self::settle::Settle;
use self::source::Sources;
use self::table::Tables;
use crate::export::Exports;
use crate::msg::{FibBatch, NexthopNews, PeerUp, RibConfig, RibIn, RibOut};
use crate::types::{Family, PeerId, Time, V4, V6};

/// See the module.
#[derive(Debug, Default)]
pub struct Rib {
    config: Option<RibConfig>,
    /// Configured peers, ascending.
    expected: Vec<PeerId>,
    peers: Peers,
    tables: Tables,
    sets: Sets,
    nexthops: Nexthops,
    sources: Sources,
    exports: Exports,
    settle: Settle,
}

impl Rib {
    /// An empty one. Its first message should be `Configure`: before it, everything received is
    /// filtered, and nothing goes out.
    pub fn new() -> Rib {
        Rib::default()
    }

    /// Takes one message; appends what follows from it, in the order in which it is to be done.
    pub fn handle(&mut self, now: Time, input: RibIn, out: &mut Vec<RibOut>) {
        match input {
            RibIn::Configure(config) => self.configure(now, *config),
            RibIn::PeerUp(up) => self.peer_up(*up, out),
            RibIn::PeerDown { peer, retain: _ } => self.peer_down(peer, out),
            RibIn::Routes(batch) => {
                let Rib { tables, peers, sets, nexthops, sources, .. } = self;
                receive::batch(now, *batch, tables, peers, sets, nexthops, sources);
            }
            RibIn::Refresh { peer, family } => self.exports.refresh(peer, family),
            RibIn::Pull { peer, room } => {
                self.exports.pull(peer, room, &self.tables, &self.sets, out);
            }
            RibIn::Nexthops(news) => self.nexthop_news(&news),
            RibIn::Originate(..) | RibIn::Drain { .. } | RibIn::Tick => {}
        }
        self.conclude(out);
        if self.settle.has_ended(now, &self.expected, &self.peers, &self.nexthops) {
            self.exports.settle();
            self.exports.flush(&mut self.sets, out);
            out.push(RibOut::Settled);
        }
    }

    /// When to send [`RibIn::Tick`]. Changes with `Configure`, and when `Settled` was said.
    pub fn next_deadline(&self) -> Option<Time> {
        self.settle.deadline()
    }

    fn peer_up(&mut self, up: PeerUp, out: &mut Vec<RibOut>) {
        let id = up.peer;
        if self.peers.get(id).is_some_and(|p| p.up.is_some()) {
            // A new session without the end of the old one: that is what it means.
            self.peer_down(id, out);
            self.conclude(out);
        }
        self.exports.up(&up);
        let peer = self.peers.entry(id);
        peer.ended = Default::default();
        peer.up = Some(up);
        self.regroup(id);
    }

    fn peer_down(&mut self, id: PeerId, out: &mut Vec<RibOut>) {
        let Rib { tables, peers, sets, nexthops, sources, exports, .. } = self;
        exports.down(id, sets);
        let Some(peer) = peers.get_mut(id) else { return };
        let mut intake = Intake { counts: &mut peer.counts, sets, nexthops, sources };
        receive::remove_all::<V4>(id, tables, &mut intake);
        receive::remove_all::<V6>(id, tables, &mut intake);
        peer.up = None;
        // Decide while the peer is still known: the counts of its best routes go down with it.
        self.conclude(out);
        self.peers.forget_if_gone(id);
    }

    fn nexthop_news(&mut self, news: &[NexthopNews]) {
        let Rib { tables, nexthops, .. } = self;
        let mut users = nexthops.learn(news);
        receive::touch_users::<V4>(tables, nexthops, &mut users);
        receive::touch_users::<V6>(tables, nexthops, &mut users);
        nexthops.end_news(news);
    }

    /// Decides what was touched, and says what follows. What one message touched is one batch.
    fn conclude(&mut self, out: &mut Vec<RibOut>) {
        let Rib { tables, peers, sets, nexthops, sources, exports, .. } = self;
        let mut fib = FibBatch::default();
        let routes = &mut fib.routes;
        change::decide_touched::<V4>(tables, peers, sets, nexthops, sources, exports, routes);
        change::decide_touched::<V6>(tables, peers, sets, nexthops, sources, exports, routes);
        for (family, id) in std::mem::take(&mut exports.freed) {
            match family {
                Family::Ipv4 => change::forget_if_unused(&mut tables.v4, id, exports),
                Family::Ipv6 => change::forget_if_unused(&mut tables.v6, id, exports),
            }
        }
        nexthops.flush(out);
        if !fib.routes.is_empty() {
            out.push(RibOut::Fib(fib));
        }
        exports.flush(sets, out);
        sources.flush();
        sets.flush();
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;
