//! The simulated network: TCP as daemons see it, and which nodes can talk.
//!
//! A connection comes up, carries bytes in order, and ends. What arrives waits in the receiver's
//! socket until its daemon reads it. What a partition keeps from passing waits at the sender, as
//! TCP keeps trying, and passes some time after the partition has healed. A host that loses its
//! power says nothing; when it is back, it answers what it does not know with a reset.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use starling_bgp::msg::Slot;

/// A node, by its place in the cluster.
pub type NodeIx = usize;

/// A connection's number, by which it is found; never reused.
pub type ConnId = usize;

/// One end of a connection: which neighbour of which node holds it, and in which slot. `life`
/// tells a restarted daemon's connections from its predecessor's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    pub node: NodeIx,
    pub life: u32,
    pub side: usize,
    pub slot: Slot,
}

/// Whether an end still has its connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Grip {
    Held,
    /// It was closed, and the other end told.
    Closed,
    /// Forgotten without a word: whatever comes is answered with a reset.
    Dead,
}

/// One end's socket. `None` among the bytes: the other end has closed.
#[derive(Clone, Debug)]
struct Socket {
    grip: Grip,
    /// Arrived, unread.
    inbox: VecDeque<Option<Bytes>>,
    /// On the way to here, kept back by a partition.
    stalled: VecDeque<Option<Bytes>>,
}

/// A connection. Side 0 has dialled (its slot is `Dialled`), side 1 was called.
#[derive(Clone, Debug)]
pub struct Connection {
    pub ends: [End; 2],
    /// One way.
    pub latency: Duration,
    sockets: [Socket; 2],
}

/// What becomes of something that is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It arrives after so long.
    Arrives(Duration),
    /// It waits until the way is free, or nobody will ever want it.
    Waits,
}

/// What becomes of something that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// It lies in this end's socket.
    Waiting(End),
    /// Nobody wants it.
    Lost,
    /// The host does not know the connection: it answers with a reset.
    Reset,
}

/// Which nodes can talk, and every connection between them.
#[derive(Debug, Default)]
pub struct Network {
    /// Nodes on the far side of the partition.
    far: BTreeSet<NodeIx>,
    /// Nodes without power or with a dead NIC.
    cut: BTreeSet<NodeIx>,
    connections: Vec<Option<Box<Connection>>>,
}

impl Network {
    /// Whether packets pass between two nodes.
    pub fn passes(&self, a: NodeIx, b: NodeIx) -> bool {
        !self.cut.contains(&a)
            && !self.cut.contains(&b)
            && self.far.contains(&a) == self.far.contains(&b)
    }

    /// Parts `far` from all others; nobody, if it is empty.
    pub fn part(&mut self, far: BTreeSet<NodeIx>) {
        self.far = far;
    }

    /// Cuts one node off, or mends that.
    pub fn cut(&mut self, node: NodeIx, off: bool) {
        match off {
            true => self.cut.insert(node),
            false => self.cut.remove(&node),
        };
    }

    /// Whether the node is cut off.
    pub fn is_cut(&self, node: NodeIx) -> bool {
        self.cut.contains(&node)
    }

    /// How many connections at least one end holds.
    pub fn len(&self) -> usize {
        self.connections.iter().flatten().count()
    }

    /// A new connection.
    pub fn open(&mut self, ends: [End; 2], latency: Duration) -> ConnId {
        let socket = Socket { grip: Grip::Held, inbox: VecDeque::new(), stalled: VecDeque::new() };
        let connection = Connection { ends, latency, sockets: [socket.clone(), socket] };
        self.connections.push(Some(Box::new(connection)));
        self.connections.len() - 1
    }

    /// The called daemon has found which neighbour it is from.
    pub fn claim(&mut self, id: ConnId, side: usize) {
        if let Some(connection) = self.get_mut(id) {
            connection.ends[1].side = side;
        }
    }

    /// Its ends.
    pub fn ends(&self, id: ConnId) -> Option<[End; 2]> {
        Some(self.get(id)?.ends)
    }

    /// Connections that a node holds an end of, and which end.
    pub fn of(&self, node: NodeIx) -> Vec<(ConnId, usize)> {
        self.sides()
            .filter(|(_, side, c)| {
                c.ends[*side].node == node && c.sockets[*side].grip == Grip::Held
            })
            .map(|(id, side, _)| (id, side))
            .collect()
    }

    /// Something is sent from `side`.
    pub fn send(&mut self, id: ConnId, side: usize, what: &Option<Bytes>) -> Fate {
        let Some(connection) = self.get(id) else { return Fate::Waits };
        let [a, b] = connection.ends;
        let passes = self.passes(a.node, b.node);
        let Some(connection) = self.get_mut(id) else { return Fate::Waits };
        let receiver = &mut connection.sockets[1 - side];
        if passes && receiver.stalled.is_empty() {
            return Fate::Arrives(connection.latency);
        }
        receiver.stalled.push_back(what.clone());
        Fate::Waits
    }

    /// Something arrives at `side`.
    pub fn arrive(&mut self, id: ConnId, side: usize, what: Option<Bytes>) -> Arrival {
        let Some(connection) = self.get_mut(id) else { return Arrival::Lost };
        let socket = &mut connection.sockets[side];
        match socket.grip {
            Grip::Held => {
                socket.inbox.push_back(what);
                Arrival::Waiting(connection.ends[side])
            }
            Grip::Closed => Arrival::Lost,
            Grip::Dead => Arrival::Reset,
        }
    }

    /// What `side` reads next.
    pub fn read(&mut self, id: ConnId, side: usize) -> Option<Option<Bytes>> {
        self.get_mut(id)?.sockets[side].inbox.pop_front()
    }

    /// What more waits there, up to the end of the connection.
    pub fn read_on(&mut self, id: ConnId, side: usize, input: &mut BytesMut) {
        let Some(connection) = self.get_mut(id) else { return };
        let inbox = &mut connection.sockets[side].inbox;
        while let Some(Some(bytes)) = inbox.front() {
            input.extend_from_slice(bytes);
            inbox.pop_front();
        }
    }

    /// Puts back what one read did not take.
    pub fn unread(&mut self, id: ConnId, side: usize, rest: Bytes) {
        if let Some(connection) = self.get_mut(id) {
            connection.sockets[side].inbox.push_front(Some(rest));
        }
    }

    /// Directions in which something waits for the way to be free, and now may pass.
    pub fn stalled(&self) -> Vec<(ConnId, usize)> {
        self.sides()
            .filter(|(_, side, c)| {
                !c.sockets[*side].stalled.is_empty() && self.passes(c.ends[0].node, c.ends[1].node)
            })
            .map(|(id, side, _)| (id, side))
            .collect()
    }

    /// TCP tries again towards `side`: what gets through, and how long it travels.
    pub fn resume(&mut self, id: ConnId, side: usize) -> (Duration, VecDeque<Option<Bytes>>) {
        let passes = self.ends(id).is_some_and(|[a, b]| self.passes(a.node, b.node));
        match self.get_mut(id) {
            Some(connection) if passes => {
                (connection.latency, std::mem::take(&mut connection.sockets[side].stalled))
            }
            _ => (Duration::ZERO, VecDeque::new()),
        }
    }

    /// `side` has closed the connection, or has been told that the other end did.
    pub fn release(&mut self, id: ConnId, side: usize) {
        self.let_go(id, side, Grip::Closed);
    }

    /// `side` has forgotten the connection without a word.
    pub fn forget(&mut self, id: ConnId, side: usize) {
        self.let_go(id, side, Grip::Dead);
    }

    fn let_go(&mut self, id: ConnId, side: usize, grip: Grip) {
        let Some(connection) = self.get_mut(id) else { return };
        connection.sockets[side].grip = grip;
        connection.sockets[side].inbox.clear();
        if connection.sockets.iter().all(|socket| socket.grip != Grip::Held) {
            self.connections[id] = None;
        }
    }

    fn get(&self, id: ConnId) -> Option<&Connection> {
        self.connections.get(id)?.as_deref()
    }

    fn get_mut(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.connections.get_mut(id)?.as_deref_mut()
    }

    fn sides(&self) -> impl Iterator<Item = (ConnId, usize, &Connection)> {
        let all = self.connections.iter().enumerate();
        let open = all.filter_map(|(id, connection)| Some((id, connection.as_deref()?)));
        open.flat_map(|(id, connection)| [(id, 0, connection), (id, 1, connection)])
    }
}
