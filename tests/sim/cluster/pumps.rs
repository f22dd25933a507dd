//! A daemon's pumps: what each actor wants done is done, as `src/daemon` does it with channels.

use std::time::Duration;

use starling::daemon::bridge;
use starling_bgp::msg::{PeerIn, PeerOut, RibIn, RibOut};
use starling_bgp::types::{PeerId, Time};
use starling_fib::types::FibIn;

use super::life::id_of;
use super::wire::slot_ix;
use super::{Cluster, Live};
use crate::network::NodeIx;
use crate::queue::{Actor, Event, Told};

/// Octets that a pull asks for.
const PULL: usize = 64 * 1024;

impl Cluster {
    pub(super) fn wake(&mut self, node: NodeIx, actor: Actor) {
        let now = self.now;
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        match actor {
            Actor::Peer(at) => {
                daemon.sides[at].wake = None;
                let deaf = daemon.deaf_until > now;
                // Before the actor may judge that the neighbour is silent, it sees what waits in
                // the socket.
                if let Some(slot) = daemon.sides[at].live.as_ref().map(|live| live.slot) {
                    self.read_slot(node, at, slot);
                }
                self.tell_peer(node, at, PeerIn::Tick { unread: deaf, stalled: Duration::ZERO });
            }
            Actor::Rib => {
                daemon.rib_wake = None;
                self.tell_rib(node, 0, RibIn::Tick);
            }
            Actor::Fib => {
                daemon.fib_wake = None;
                self.tell_fib(node, FibIn::Tick);
            }
        }
    }

    /// Queues a deadline, unless an earlier one is queued: the actor then says it again.
    fn wake_at(&mut self, node: NodeIx, actor: Actor, deadline: Option<Time>) {
        let (now, life) = (self.now, self.nodes[node].life);
        let (Some(deadline), Some(daemon)) = (deadline, &mut self.nodes[node].daemon) else {
            return;
        };
        let queued = match actor {
            Actor::Peer(at) => &mut daemon.sides[at].wake,
            Actor::Rib => &mut daemon.rib_wake,
            Actor::Fib => &mut daemon.fib_wake,
        };
        let at = deadline.max(now);
        if queued.is_none_or(|queued| at < queued) {
            *queued = Some(at);
            self.queue.put(at, Event::Wake { node, life, actor });
        }
    }

    // ---- a neighbour -----------------------------------------------------------------------

    pub(super) fn tell_peer(&mut self, node: NodeIx, at: usize, input: PeerIn<'_>) {
        let now = self.now;
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let mut out = Vec::new();
        daemon.sides[at].peer.handle(now, input, &mut out);
        let deadline = daemon.sides[at].peer.next_deadline();
        for message in out {
            self.carry_out(node, at, message);
        }
        self.pull(node, at);
        self.wake_at(node, Actor::Peer(at), deadline);
    }

    fn carry_out(&mut self, node: NodeIx, at: usize, message: PeerOut) {
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let side = &mut daemon.sides[at];
        let peer = id_of(at);
        match message {
            PeerOut::Dial => self.dial(node, at),
            PeerOut::Send { slot, bytes } => {
                if let Some(conn) = side.conns[slot_ix(slot)] {
                    self.transmit(conn, slot_ix(slot), Some(bytes));
                }
            }
            PeerOut::Close { slot } => {
                let ix = slot_ix(slot);
                side.inputs[ix].clear();
                let conn = side.conns[ix].take();
                match ix {
                    0 => side.attempt = None,
                    _ => side.conns[1] = side.calling.take(),
                }
                if let Some(conn) = conn {
                    self.hang_up(conn, ix);
                }
            }
            PeerOut::Refuse(why) => {
                if let Some(conn) = side.calling.take().or_else(|| side.conns[1].take()) {
                    self.refuse(conn, &why);
                }
            }
            PeerOut::Up { slot, up } => {
                side.session += 1;
                side.live = Some(Live { slot, pulling: false, drained: false });
                self.ups += 1;
                self.rib_later(node, at, RibIn::PeerUp(up));
            }
            PeerOut::Down { retain, reason } => {
                side.live = None;
                let silent = reason.is_silence();
                self.rib_later(node, at, RibIn::PeerDown { peer, retain, silent });
            }
            PeerOut::Overdue { valid } => {
                self.rib_later(node, at, RibIn::Overdue { peers: vec![peer], valid });
            }
            PeerOut::Routes(batch) => self.rib_later(node, at, RibIn::Routes(batch)),
            // No BFD here, and hosts are as alive as what they acknowledge.
            PeerOut::Watch => {}
            PeerOut::ForwardingLost => self.rib_later(node, at, RibIn::ForwardingLost { peer }),
            PeerOut::Refresh(family) => self.rib_later(node, at, RibIn::Refresh { peer, family }),
            PeerOut::Event(event) => {
                let name = side.peer.config().name.clone();
                self.log(node, &(name, event));
            }
        }
    }

    fn rib_later(&mut self, node: NodeIx, at: usize, input: RibIn) {
        let life = self.nodes[node].life;
        let Some(daemon) = &self.nodes[node].daemon else { return };
        let (delay, session) = (daemon.delays.to_rib, daemon.sides[at].session);
        self.after(delay, Event::ToRib { node, life, session, input });
    }

    fn pull(&mut self, node: NodeIx, at: usize) {
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let Some(live) = &mut daemon.sides[at].live else { return };
        if !live.pulling && !live.drained {
            live.pulling = true;
            self.rib_later(node, at, RibIn::Pull { peer: id_of(at), room: PULL });
        }
    }

    pub(super) fn tell_session(&mut self, node: NodeIx, at: usize, session: u64, told: Told) {
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let side = &mut daemon.sides[at];
        let Some(live) = side.live.as_mut().filter(|_| side.session == session) else { return };
        match told {
            Told::Wake => live.drained = false,
            Told::Frames { frames, drained } => {
                live.pulling = false;
                live.drained = drained;
                let ix = slot_ix(live.slot);
                if let Some(conn) = side.conns[ix]
                    && !frames.is_empty()
                {
                    // One write for all that is queued, as the daemon does it.
                    self.transmit(conn, ix, Some(frames.concat().into()));
                }
            }
        }
        self.pull(node, at);
    }

    // ---- Rib and Fib -----------------------------------------------------------------------

    pub(super) fn tell_rib(&mut self, node: NodeIx, session: u64, input: RibIn) {
        let (now, life) = (self.now, self.nodes[node].life);
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        match &input {
            RibIn::PeerUp(up) => daemon.sides[place_of(up.peer)].known = Some(session),
            RibIn::PeerDown { peer, .. } => daemon.sides[place_of(*peer)].known = None,
            _ => {}
        }
        let mut out = Vec::new();
        daemon.rib.handle(now, input, &mut out);
        let deadline = daemon.rib.next_deadline();
        for message in out {
            self.deliver(node, life, message);
        }
        self.wake_at(node, Actor::Rib, deadline);
    }

    fn deliver(&mut self, node: NodeIx, life: u32, message: RibOut) {
        let Some(daemon) = &self.nodes[node].daemon else { return };
        let (peer, told) = match message {
            RibOut::Wake(peer) => (peer, Told::Wake),
            RibOut::Frames { peer, frames, drained, .. } => {
                (peer, Told::Frames { frames, drained })
            }
            RibOut::Fib(batch) => {
                return self.fib_later(node, FibIn::Routes(bridge::routes(&batch)));
            }
            RibOut::Track(hops) => {
                return self.fib_later(node, FibIn::Track(bridge::next_hops(hops)));
            }
            RibOut::Untrack(hops) => {
                return self.fib_later(node, FibIn::Untrack(bridge::next_hops(hops)));
            }
            RibOut::Settled => {
                self.fib_later(node, FibIn::Settled);
                return self.settled(node);
            }
            RibOut::CutOff(isolation) => return self.log(node, &("cut off", isolation)),
            RibOut::Rejoined(isolation) => return self.log(node, &("rejoined", isolation)),
            RibOut::OverLimit { .. } | RibOut::Best(_) => return,
        };
        let side = place_of(peer);
        if let Some(session) = daemon.sides[side].known {
            let delay = daemon.delays.to_session;
            self.after(delay, Event::ToSession { node, life, side, session, told });
        }
    }

    fn fib_later(&mut self, node: NodeIx, input: FibIn) {
        let life = self.nodes[node].life;
        let Some(daemon) = &self.nodes[node].daemon else { return };
        self.after(daemon.delays.to_fib, Event::ToFib { node, life, input });
    }

    pub(super) fn tell_fib(&mut self, node: NodeIx, input: FibIn) {
        let now = self.now;
        self.hear_of_strangers(node, &input);
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let mut out = Vec::new();
        daemon.fib.handle(input, std::time::Duration::from_micros(now.0), &mut out);
        let deadline = daemon.fib.next_deadline();
        for message in out {
            self.ask(node, message);
        }
        let deadline = deadline.map(|deadline| Time::ZERO.after(deadline));
        self.wake_at(node, Actor::Fib, deadline);
    }
}

/// The place of the neighbour with that number.
fn place_of(peer: PeerId) -> usize {
    usize::try_from(peer.0).expect("few neighbours") - 1
}
