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
//! Routes lie in [`crate::table`]. Adj-RIB-In, Loc-RIB and the reasons are one: filtered and unreachable
//! paths lie beside the best one, marked; why a path won or lost is found again when asked
//! ([`show`]), not stored.
//!
//! Deviations: MED is compared over all paths at once, never in order of arrival
//! ([`decision`]); a next hop that the kernel has not answered for yet counts as unreachable.

mod change;
mod configure;
pub mod decision;
mod import;
mod intake;
mod isolation;
mod kernel;
mod limit;
mod nexthop;
mod origin;
mod peers;
mod receive;
mod rehearse;
mod review;
mod settle;
pub mod show;
mod stale;
mod watch;

pub use nexthop::Reach;
pub use rehearse::Telling;

use self::change::Change;
use self::isolation::Silence;
use self::kernel::Kernel;
use self::nexthop::Nexthops;
use self::origin::Origins;
use self::peers::Peers;
use self::receive::Progress;
use self::settle::Settle;
use self::stale::Waits;
use self::watch::Watch;
use crate::export::Exports;
use crate::msg::{FibBatch, NexthopNews, PeerPolicy, RibConfig, RibIn, RibOut, RouteBatch};
use crate::table::{Sets, Sources, Tables};
use crate::types::{Family, PeerId, Time, V4, V6};

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Rib {
    config: Option<RibConfig>,
    /// Configured peers, ascending.
    expected: Vec<PeerId>,
    peers: Peers,
    tables: Tables,
    sets: Sets,
    nexthops: Nexthops,
    sources: Sources,
    kernel: Kernel,
    exports: Exports,
    origins: Origins,
    settle: Settle,
    waits: Waits,
    silence: Silence,
    /// Set while somebody watches best paths change.
    watch: Option<Watch>,
    /// What groups are to be fed again of the destinations touched, though their paths are the
    /// same: how one was learned has changed.
    refeed: bool,
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
            RibIn::Configure(config) => {
                self.configure(now, *config, out);
                self.review_isolation(now, out);
            }
            RibIn::PeerUp(up) => self.peer_up(now, *up, out),
            RibIn::PeerDown { peer, retain, silent } => {
                let kept = if silent { self.judge_silence(now, peer, out) } else { None };
                self.peer_down(now, peer, (retain, kept), out);
            }
            RibIn::Overdue { peers, valid } => self.note_overdue(now, &peers, valid),
            RibIn::Routes(batch) => self.take_routes(now, *batch, out),
            RibIn::ForwardingLost { peer } => self.forwarding_lost(peer, out),
            RibIn::Refresh { peer, family } => self.exports.refresh(peer, family),
            RibIn::Pull { peer, room } => {
                self.exports.pull(peer, room, &self.tables, &self.sets, out);
            }
            RibIn::Nexthops(news) => self.nexthop_news(&news, out),
            RibIn::Originate(nets) => self.originate_for_operator(now, nets),
            RibIn::Pods { came, went } => self.originate_for_pods(now, &came, &went),
            RibIn::Drain { peer, on } => self.drain(peer, on),
            RibIn::Watch(watchers) => self.watch = Watch::of(watchers),
            RibIn::Tick => {
                self.review_isolation(now, out);
                self.expire(now, out);
            }
        }
        self.conclude(out);
        let ended = self.settle.has_ended(now, &self.expected, &self.peers, &self.nexthops);
        if !self.exports.is_settled()
            && self.settle.may_end(&self.expected, &self.peers, &self.nexthops)
        {
            self.exports.settle();
            self.exports.flush(&mut self.sets, out);
        }
        if ended {
            out.push(RibOut::Settled);
        }
    }

    /// When to send [`RibIn::Tick`]. Any message may change it.
    pub fn next_deadline(&self) -> Option<Time> {
        let deadlines = [self.settle.deadline(), self.waits.deadline(), self.silence.deadline()];
        deadlines.into_iter().flatten().min()
    }

    /// A neighbour's batch. One of a peer without session is dropped: its routes went with it.
    fn take_routes(&mut self, now: Time, mut batch: RouteBatch, out: &mut Vec<RibOut>) {
        let id = batch.peer;
        if self.peers.get(id).is_none_or(|p| p.up().is_none()) {
            return;
        }
        // Interned once a batch; the references of this function go at its end.
        let sets = std::mem::take(&mut batch.attrs);
        let ids = self.sets.intern_all(sets);
        let mut from = 0;
        loop {
            let Rib { tables, peers, sets, nexthops, sources, .. } = self;
            let shared = (sets, nexthops, sources);
            match receive::batch(now, &batch, &ids, from, tables, peers, shared) {
                Progress::Done => break,
                Progress::At(family, marker, next) => {
                    self.marker(now, id, family, marker);
                    from = next;
                }
            }
        }
        for id in ids {
            self.sets.release(id);
        }
        self.mind_limits(id, out);
    }

    /// Traffic is to be taken off a neighbour, or not any more.
    fn drain(&mut self, id: PeerId, on: bool) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        if std::mem::replace(&mut peer.drained, on) != on {
            self.judge_again::<V4>(&[id]);
            self.judge_again::<V6>(&[id]);
            self.regroup(id);
        }
    }

    fn nexthop_news(&mut self, news: &[NexthopNews], out: &mut Vec<RibOut>) {
        // Rules that ask for the interface are asked again about everything: that is rare, and
        // what they said before must be known before they can say otherwise.
        let moves = self.config.as_ref().filter(|_| self.nexthops.moves(news));
        let kernel = moves.filter(|config| config.kernel_rules.asks_interface());
        let before = kernel.map(|config| self.told(config));
        let asks = |policy: &PeerPolicy| policy.export_rules.asks_interface();
        if moves.is_some_and(|config| config.peers.iter().any(|(_, policy)| asks(policy))) {
            self.refeed = true;
            self.tables.v4.touch_all();
            self.tables.v6.touch_all();
        }
        let judged_by = |(id, policy): &(PeerId, PeerPolicy)| {
            policy.import_rules.asks_interface().then_some(*id)
        };
        let mut judged: Vec<PeerId> = match &self.config {
            Some(config) if self.nexthops.moves_watched(news) => {
                config.peers.iter().filter_map(judged_by).collect()
            }
            _ => Vec::new(),
        };
        judged.sort_unstable();
        let Rib { tables, nexthops, .. } = self;
        let mut users = nexthops.learn(news);
        review::touch_users::<V4>(tables, nexthops, &mut users);
        review::touch_users::<V6>(tables, nexthops, &mut users);
        nexthops.end_news(news);
        if !judged.is_empty() {
            self.judge_again::<V4>(&judged);
            self.judge_again::<V6>(&judged);
        }
        if let Some(before) = before {
            let mut said = Vec::new();
            self.conclude(&mut said);
            // What the kernel is told of it follows, with all the rest.
            out.extend(said.into_iter().filter(|message| !matches!(message, RibOut::Fib(_))));
            self.tell_anew(&before, out);
        }
    }

    /// Decides what was touched, and says what follows. What one message touched is one batch.
    fn conclude(&mut self, out: &mut Vec<RibOut>) {
        let refeed = std::mem::take(&mut self.refeed);
        let Rib { config, tables, peers, sets, nexthops, sources, kernel, exports, watch, .. } =
            self;
        let mut fib = FibBatch::default();
        let unconfigured;
        let config = match config {
            Some(config) => &*config,
            None => {
                unconfigured = RibConfig::default();
                &unconfigured
            }
        };
        let mut change =
            Change { config, peers, sets, nexthops, sources, kernel, exports, watch, refeed };
        change.decide_touched::<V4>(tables, &mut fib.routes);
        change.decide_touched::<V6>(tables, &mut fib.routes);
        let [v4, v6] = std::mem::take(&mut exports.freed);
        tables.v4.remove_unused(&v4, |id| exports.holds(Family::Ipv4, id));
        tables.v6.remove_unused(&v6, |id| exports.holds(Family::Ipv6, id));
        nexthops.flush(out);
        if !fib.routes.is_empty() {
            out.push(RibOut::Fib(fib));
        }
        out.extend(watch.as_mut().and_then(Watch::take).map(RibOut::Best));
        exports.flush(sets, out);
        sources.flush();
        sets.flush();
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
