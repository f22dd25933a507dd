//! The simulated network: TCP as the actors see it. A connection comes up, carries bytes in
//! order, stalls in a partition, and breaks when an end dies.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use starling_bgp::msg::Slot;

/// One-way delay between two nodes.
pub const LATENCY: Duration = Duration::from_micros(200);

/// A node, by its place in the cluster.
pub type NodeIx = usize;

/// A connection's number; never reused.
pub type ConnId = u64;

/// One end of a connection: which neighbour of which node holds it, and in which slot. `life`
/// tells a restarted daemon's connections from its predecessor's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct End {
    pub node: NodeIx,
    pub life: u32,
    pub peer: usize,
    pub slot: Slot,
}

/// A connection; index 0 of each pair is the side that dialled.
#[derive(Clone, Debug)]
pub struct Connection {
    pub ends: [End; 2],
    /// Which ends still hold it.
    pub held: [bool; 2],
    /// What a partition keeps back, by the side that shall get it. `None`: the other end closed.
    pub stalled: [VecDeque<Option<Bytes>>; 2],
}

/// Which nodes can talk, and every connection between them.
#[derive(Debug, Default)]
pub struct Network {
    /// Nodes on the far side of the partition.
    far: BTreeSet<NodeIx>,
    pub connections: BTreeMap<ConnId, Connection>,
    last: ConnId,
}

impl Network {
    pub fn open(&mut self, ends: [End; 2]) -> ConnId {
        self.last += 1;
        let connection = Connection { ends, held: [true; 2], stalled: Default::default() };
        self.connections.insert(self.last, connection);
        self.last
    }

    /// Whether packets pass between two nodes.
    pub fn passes(&self, a: NodeIx, b: NodeIx) -> bool {
        self.far.contains(&a) == self.far.contains(&b)
    }

    /// Cuts `far` off from all others.
    pub fn partition(&mut self, far: BTreeSet<NodeIx>) {
        self.far = far;
    }

    /// Mends the partition; what it kept back is returned in order, as (connection, side, what).
    pub fn heal(&mut self) -> Vec<(ConnId, usize, Option<Bytes>)> {
        self.far.clear();
        let mut flowing = Vec::new();
        for (id, connection) in &mut self.connections {
            for (side, stalled) in connection.stalled.iter_mut().enumerate() {
                flowing.extend(stalled.drain(..).map(|what| (*id, side, what)));
            }
        }
        flowing
    }

    /// `side` lets go of the connection; forgotten when both have.
    pub fn release(&mut self, id: ConnId, side: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.held[side] = false;
        if connection.held == [false; 2] {
            self.connections.remove(&id);
        }
    }
}
