//! Daemons start, stop, crash, freeze and reload; hosts lose their power; the network parts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use starling_bgp::msg::{PeerIn, RibIn};
use starling_bgp::peer::Peer;
use starling_bgp::rib::Rib;
use starling_bgp::session::Forwarding;
use starling_bgp::types::{PeerId, Time};
use starling_bgp::wire::Notification;
use starling_config::PeerPlan;
use starling_fib::Fib;
use starling_fib::types::FibIn;

use super::{Cluster, Daemon, Delays, Side};
use crate::network::NodeIx;
use crate::oracle::PROTOCOL;
use crate::queue::Event;
use crate::topology::{self, Settings};

/// The number that the daemon gives the neighbour at a place.
pub(super) fn id_of(side: usize) -> PeerId {
    PeerId(u32::try_from(side + 1).expect("few neighbours"))
}

impl Cluster {
    /// Starts a node's daemon on its kernel as it is.
    pub fn start(&mut self, ix: NodeIx) {
        if self.runs(ix) {
            return;
        }
        let delays = Delays {
            to_rib: self.micros(1, 300),
            to_session: self.micros(1, 300),
            to_fib: self.micros(1, 300),
            from_fib: self.micros(1, 300),
        };
        let node = &mut self.nodes[ix];
        node.life += 1;
        node.away = None;
        node.strangers.values_mut().for_each(|heard| *heard = None);
        // What happened before is in no event.
        node.kernel.take_events();
        let preserved = node.kernel.routes().any(|route| route.protocol == PROTOCOL);
        node.daemon = Some(Daemon {
            rib: Rib::new(),
            fib: Fib::new(),
            sides: Vec::new(),
            by_address: BTreeMap::new(),
            rib_wake: None,
            fib_wake: None,
            delays,
            asked: VecDeque::new(),
            last_answer: Time::ZERO,
            last_news: Time::ZERO,
            deaf_until: Time::ZERO,
            frozen: None,
            forwarding: Forwarding { restarting: true, preserved },
        });
        self.configure(ix);
        self.judge_node(ix);
    }

    /// Puts another configuration on a node's disk and tells its daemon to read it. A file that
    /// does not name the node is rejected: the old one stays in force.
    pub fn reload(&mut self, ix: NodeIx, settings: &Arc<Settings>) {
        let Some(plan) = topology::plans(settings).get(&ix).cloned() else { return };
        self.nodes[ix].settings = Arc::clone(settings);
        self.nodes[ix].plan = plan;
        if self.runs(ix) {
            self.thaw(ix);
            self.configure(ix);
        }
        self.judge_node(ix);
    }

    /// As the daemon's supervisor does it: numbers for new neighbours, the Fib, the Rib, then the
    /// sessions.
    fn configure(&mut self, ix: NodeIx) {
        let plan = Arc::clone(&self.nodes[ix].plan);
        let seed = self.rng.next();
        let Some(daemon) = &mut self.nodes[ix].daemon else { return };
        for peer in &plan.peers {
            if !daemon.by_address.contains_key(&peer.address) {
                let at = daemon.sides.len();
                let config = peer.peer_config(id_of(at));
                let seed = seed ^ (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                daemon.by_address.insert(peer.address, at);
                daemon.sides.push(Side {
                    peer: Peer::new(config, seed),
                    conns: [None; 2],
                    calling: None,
                    inputs: Default::default(),
                    attempt: None,
                    attempts: 0,
                    wake: None,
                    session: 0,
                    known: None,
                    live: None,
                });
            }
        }
        let ids = daemon.by_address.clone();
        let rib = plan.rib_config(|peer| ids.get(&peer.address).map(|at| id_of(*at)));
        self.tell_fib(ix, FibIn::Configure(Box::new(plan.fib.clone())));
        self.tell_rib(ix, 0, RibIn::Configure(Box::new(rib)));

        let wanted: BTreeMap<IpAddr, &PeerPlan> =
            plan.peers.iter().map(|peer| (peer.address, peer)).collect();
        for (address, at) in ids {
            if !wanted.contains_key(&address) {
                self.tell_peer(ix, at, PeerIn::Stop(Notification::CEASE_DECONFIGURED));
                if let Some(daemon) = &mut self.nodes[ix].daemon {
                    daemon.by_address.remove(&address);
                }
            }
        }
        for (address, peer) in wanted {
            let Some(daemon) = &self.nodes[ix].daemon else { return };
            let forwarding = daemon.forwarding;
            let Some(at) = daemon.by_address.get(&address).copied() else { continue };
            let config = peer.peer_config(id_of(at));
            if *daemon.sides[at].peer.config() != config {
                self.tell_peer(ix, at, PeerIn::Configure(Box::new(config)));
            }
            self.tell_peer(ix, at, PeerIn::Forwarding(forwarding));
            self.tell_peer(ix, at, PeerIn::Start);
        }
    }

    /// The daemon dies without a word: the kernel keeps its routes and closes the connections.
    pub fn crash(&mut self, ix: NodeIx) {
        self.carry_out_some(ix);
        if self.nodes[ix].daemon.take().is_some() {
            self.nodes[ix].away = Some(self.now);
            for (conn, side) in self.network.of(ix) {
                self.hang_up(conn, side);
            }
        }
        self.judge_node(ix);
    }

    /// Its start is over: what it still knows of before would be in its neighbours' way.
    pub(super) fn settled(&mut self, ix: NodeIx) {
        let Some(daemon) = &mut self.nodes[ix].daemon else { return };
        daemon.forwarding = Forwarding { restarting: false, preserved: true };
        let (forwarding, sides) = (daemon.forwarding, daemon.sides.len());
        (0..sides).for_each(|at| self.tell_peer(ix, at, PeerIn::Forwarding(forwarding)));
    }

    /// The daemon is told to stop, as by SIGTERM; one that hangs is killed.
    pub fn stop(&mut self, ix: NodeIx) {
        let sides = match &self.nodes[ix].daemon {
            Some(daemon) if daemon.frozen.is_none() => daemon.sides.len(),
            _ => 0,
        };
        for side in 0..sides {
            self.tell_peer(ix, side, PeerIn::Leave(Notification::CEASE_SHUTDOWN));
        }
        self.crash(ix);
    }

    /// The host loses its power: nobody hears of it, and its kernel forgets everything.
    pub fn power_off(&mut self, ix: NodeIx) {
        (self.nodes[ix].daemon, self.nodes[ix].away) = (None, None);
        for (conn, side) in self.network.of(ix) {
            self.network.forget(conn, side);
        }
        self.network.cut(ix, true);
        self.nodes[ix].kernel = topology::kernel(ix);
        self.nodes[ix].strangers.clear();
        self.judge_node(ix);
    }

    /// Power is back, the host has booted; its daemon is not started yet.
    pub fn power_on(&mut self, ix: NodeIx) {
        self.network.cut(ix, false);
        self.try_again();
        self.judge_node(ix);
    }

    /// The daemon gets no CPU for a while; its kernel goes on.
    pub fn freeze(&mut self, ix: NodeIx, span: Duration) {
        let life = self.nodes[ix].life;
        if let Some(daemon) = &mut self.nodes[ix].daemon {
            daemon.frozen.get_or_insert_default();
            self.after(span, Event::Rouse { node: ix, life });
        }
    }

    /// The daemon reads nothing from its sockets for a while.
    pub fn deafen(&mut self, ix: NodeIx, span: Duration) {
        let (life, until) = (self.nodes[ix].life, self.now.after(span));
        if let Some(daemon) = &mut self.nodes[ix].daemon {
            daemon.deaf_until = daemon.deaf_until.max(until);
            self.after(span, Event::Rouse { node: ix, life });
        }
    }

    /// Goes on: what came meanwhile, and what waits in the sockets.
    pub(super) fn rouse(&mut self, ix: NodeIx) {
        self.thaw(ix);
        let sides = self.nodes[ix].daemon.as_ref().map_or(0, |daemon| daemon.sides.len());
        for side in 0..sides {
            self.read(ix, side);
        }
    }

    fn thaw(&mut self, ix: NodeIx) {
        let waiting = self.nodes[ix].daemon.as_mut().and_then(|daemon| daemon.frozen.take());
        waiting.into_iter().flatten().for_each(|event| self.happen(event));
    }

    /// Cuts these nodes off from the others.
    pub fn partition(&mut self, far: BTreeSet<NodeIx>) {
        self.network.part(far);
        self.try_again();
        self.judge_all();
    }

    /// Mends it: what TCP kept trying to send arrives.
    pub fn heal(&mut self) {
        self.partition(BTreeSet::new());
    }

    /// Everything is as it should be from now on: nobody is cut off, no fault is to come, all
    /// daemons run and have these settings.
    pub fn make_peace(&mut self, settings: &Arc<Settings>) {
        self.heal();
        for ix in 0..self.nodes.len() {
            if self.network.is_cut(ix) {
                self.power_on(ix);
            }
            self.nodes[ix].kernel.heal();
            self.reload(ix, settings);
            self.start(ix);
        }
    }
}
