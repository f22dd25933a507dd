//! TCP between the nodes: who dials, who is called, what is read when.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use starling_bgp::msg::{PeerIn, Slot};
use starling_bgp::wire::Notification;

use super::Cluster;
use crate::network::{Arrival, ConnId, End, Fate, NodeIx};
use crate::queue::Event;

/// A SYN is repeated so often, after 1 s, 2 s, 4 s …
const SYN_RETRIES: u32 = 5;

pub(super) fn slot_ix(slot: Slot) -> usize {
    match slot {
        Slot::Dialled => 0,
        Slot::Accepted => 1,
    }
}

impl Cluster {
    /// `to`'s host is asked for a connection.
    pub(super) fn dial(&mut self, node: NodeIx, side: usize) {
        let life = self.nodes[node].life;
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let pump = &mut daemon.sides[side];
        pump.attempts += 1;
        pump.attempt = Some(pump.attempts);
        let (attempt, to) = (pump.attempts, pump.peer.config().address);
        let end = End { node, life, side, slot: Slot::Dialled };
        let delay = self.micros(50, 400);
        self.after(delay, Event::Dial { end, attempt, to, tries: 0 });
    }

    pub(super) fn dial_arrives(&mut self, end: End, attempt: u64, to: IpAddr, tries: u32) {
        let wanted = self
            .daemon(end.node, end.life)
            .is_some_and(|daemon| daemon.sides[end.side].attempt == Some(attempt));
        if !wanted {
            return;
        }
        let latency = self.micros(50, 400);
        let result = match self.by_address.get(&to).copied() {
            None => Err("no route to host"),
            Some(_) if self.network.is_cut(end.node) => Err("network is unreachable"),
            Some(host) if !self.network.passes(end.node, host) => {
                if tries < SYN_RETRIES {
                    let wait = Duration::from_secs(1 << tries);
                    return self.after(wait, Event::Dial { end, attempt, to, tries: tries + 1 });
                }
                Err("connection timed out")
            }
            Some(host) if !self.runs(host) => Err("connection refused"),
            Some(host) => {
                // From here on the host's kernel has it; its daemon takes it a little later. Which
                // neighbour it is from is found then.
                let life = self.nodes[host].life;
                let other = End { node: host, life, side: usize::MAX, slot: Slot::Accepted };
                let conn = self.network.open([end, other], latency);
                let backlog = self.micros(1, 200);
                self.after(backlog, Event::Accept { node: host, life, conn });
                Ok(conn)
            }
        };
        self.after(latency, Event::Dialled { end, attempt, result });
    }

    pub(super) fn dialled(&mut self, end: End, attempt: u64, result: Result<ConnId, &'static str>) {
        let local = self.socket(end.node);
        let Some(daemon) = self.daemon(end.node, end.life) else { return };
        let side = &mut daemon.sides[end.side];
        if side.attempt != Some(attempt) {
            if let Ok(conn) = result {
                self.hang_up(conn, 0);
            }
            return;
        }
        side.attempt = None;
        match result {
            Ok(conn) => {
                side.conns[0] = Some(conn);
                side.inputs[0].clear();
                let remote = SocketAddr::new(side.peer.config().address, 179);
                self.tell_peer(end.node, end.side, PeerIn::Connected { local, remote });
                self.read(end.node, end.side);
            }
            Err(reason) => {
                let reason = reason.to_owned();
                self.tell_peer(end.node, end.side, PeerIn::ConnectFailed { reason });
            }
        }
    }

    /// The listener hands a connection to its neighbour's pump, by the address of the caller.
    pub(super) fn accept(&mut self, node: NodeIx, conn: ConnId) {
        let Some([caller, _]) = self.network.ends(conn) else { return };
        let (local, remote) = (self.socket(node), self.socket(caller.node));
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let Some(at) = daemon.by_address.get(&remote.ip()).copied() else {
            return self.refuse(conn, &Notification::CEASE_REJECTED);
        };
        self.network.claim(conn, at);
        let side = &mut daemon.sides[at];
        match side.conns[1] {
            None => {
                side.conns[1] = Some(conn);
                side.inputs[1].clear();
            }
            Some(_) => side.calling = Some(conn),
        }
        self.tell_peer(node, at, PeerIn::Accepted { local, remote });
        self.read(node, at);
    }

    /// Says why to whoever called, and closes.
    pub(super) fn refuse(&mut self, conn: ConnId, why: &Notification) {
        let mut message = BytesMut::new();
        why.put(&mut message);
        self.transmit(conn, 1, Some(message.freeze()));
        self.hang_up(conn, 1);
    }

    fn socket(&self, node: NodeIx) -> SocketAddr {
        SocketAddr::new(self.nodes[node].address, 179)
    }

    /// Sends on a connection; `None` closes it.
    pub(super) fn transmit(&mut self, conn: ConnId, side: usize, what: Option<Bytes>) {
        if let Fate::Arrives(latency) = self.network.send(conn, side, &what) {
            self.after(latency, Event::Bytes { conn, side: 1 - side, what });
        }
    }

    pub(super) fn hang_up(&mut self, conn: ConnId, side: usize) {
        self.transmit(conn, side, None);
        self.network.release(conn, side);
    }

    pub(super) fn arrive(&mut self, conn: ConnId, side: usize, what: Option<Bytes>) {
        match self.network.arrive(conn, side, what) {
            Arrival::Waiting(end) if self.daemon(end.node, end.life).is_some() => {
                self.read_slot(end.node, end.side, end.slot);
            }
            Arrival::Waiting(_) | Arrival::Lost => {}
            Arrival::Reset => self.transmit(conn, side, None),
        }
    }

    /// Reads what waits for a neighbour's pump.
    pub(super) fn read(&mut self, node: NodeIx, side: usize) {
        for slot in [Slot::Dialled, Slot::Accepted] {
            self.read_slot(node, side, slot);
        }
    }

    pub(super) fn read_slot(&mut self, node: NodeIx, at: usize, slot: Slot) {
        let ix = slot_ix(slot);
        loop {
            let now = self.now;
            let Some(daemon) = &mut self.nodes[node].daemon else { return };
            if daemon.frozen.is_some() || daemon.deaf_until > now {
                return;
            }
            // A connection that no pump has yet: it will read when it has it.
            let Some(side) = daemon.sides.get_mut(at) else { return };
            let Some(conn) = side.conns[ix] else { return };
            match self.network.read(conn, ix) {
                None => return,
                Some(Some(bytes)) => {
                    let mut input = std::mem::take(&mut side.inputs[ix]);
                    // TCP keeps no boundaries: now and then a read ends amid a message, and one
                    // gets all that waits.
                    let whole = bytes.len();
                    let some = match self.rng.below(8) {
                        0 => self.rng.pick(whole),
                        _ => whole,
                    };
                    input.extend_from_slice(&bytes[..some]);
                    match some < whole {
                        true => self.network.unread(conn, ix, bytes.slice(some..)),
                        false => self.network.read_on(conn, ix, &mut input),
                    }
                    self.tell_peer(node, at, PeerIn::Received { slot, bytes: &mut input });
                    if let Some(daemon) = &mut self.nodes[node].daemon
                        && daemon.sides[at].conns[ix] == Some(conn)
                    {
                        daemon.sides[at].inputs[ix] = input;
                    }
                }
                Some(None) => {
                    side.conns[ix] = None;
                    self.network.release(conn, ix);
                    let reason = "the neighbour closed the connection".to_owned();
                    self.tell_peer(node, at, PeerIn::Closed { slot, reason });
                }
            }
        }
    }

    /// After something in the way of packets was removed: TCP notices in its own time.
    pub(super) fn try_again(&mut self) {
        for (conn, side) in self.network.stalled() {
            let wait = self.micros(200, 1_500_000);
            self.after(wait, Event::Resume { conn, side });
        }
    }

    pub(super) fn resume(&mut self, conn: ConnId, side: usize) {
        let (latency, flowing) = self.network.resume(conn, side);
        for what in flowing {
            self.after(latency, Event::Bytes { conn, side, what });
        }
    }
}
