//! Everything that will happen, in the order of virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hash::Hash;
use std::net::IpAddr;

use bytes::Bytes;
use starling_bgp::msg::{Op, RibIn, RouteBatch};
use starling_bgp::types::Time;
use starling_fib::types::FibIn;

use crate::network::{ConnId, End, NodeIx};
use crate::trace::Trace;

/// An actor of a daemon that has deadlines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Actor {
    /// By the neighbour's place.
    Peer(usize),
    Rib,
    Fib,
}

/// What the Rib tells a session.
#[derive(Debug)]
pub enum Told {
    Wake,
    Frames { frames: Vec<Bytes>, drained: bool },
}

/// What can happen. `life` is that of the daemon that it is for: a successor never hears it.
#[derive(Debug)]
pub enum Event {
    /// An actor's deadline.
    Wake { node: NodeIx, life: u32, actor: Actor },
    /// An attempt to connect reaches the other host, or would; `tries` failed before.
    Dial { end: End, attempt: u64, to: IpAddr, tries: u32 },
    /// Its outcome comes back: the connection, or why there is none.
    Dialled { end: End, attempt: u64, result: Result<ConnId, &'static str> },
    /// A listening daemon takes a connection from the backlog.
    Accept { node: NodeIx, life: u32, conn: ConnId },
    /// Bytes arrive at a host; `None`: the other end has closed.
    Bytes { conn: ConnId, side: usize, what: Option<Bytes> },
    /// TCP sends again what a partition kept back from `side`.
    Resume { conn: ConnId, side: usize },
    /// A message for the Rib; `session` numbers the session that it belongs to.
    ToRib { node: NodeIx, life: u32, session: u64, input: RibIn },
    /// A message of the Rib to a session.
    ToSession { node: NodeIx, life: u32, side: usize, session: u64, told: Told },
    /// A message for the Fib.
    ToFib { node: NodeIx, life: u32, input: FibIn },
    /// The kernel carries out the oldest request of the Fib.
    Serve { node: NodeIx, life: u32 },
    /// A daemon that was frozen or did not read goes on.
    Rouse { node: NodeIx, life: u32 },
}

impl Event {
    /// The daemon without which it does not happen; `None`: the kernels and the network do it.
    pub fn daemon(&self) -> Option<(NodeIx, u32)> {
        match self {
            Event::Wake { node, life, .. }
            | Event::Accept { node, life, .. }
            | Event::ToRib { node, life, .. }
            | Event::ToSession { node, life, .. }
            | Event::ToFib { node, life, .. }
            | Event::Serve { node, life }
            | Event::Rouse { node, life } => Some((*node, *life)),
            Event::Dialled { end, .. } => Some((end.node, end.life)),
            Event::Dial { .. } | Event::Bytes { .. } | Event::Resume { .. } => None,
        }
    }

    /// Adds it to the trace: all that tells two histories apart.
    fn mark(&self, trace: &mut Trace) {
        self.daemon().hash(trace);
        match self {
            Event::Wake { actor, .. } => actor.hash(trace),
            Event::Dial { end, attempt, tries, .. } => (1, end.side, attempt, tries).hash(trace),
            Event::Dialled { end, attempt, result } => (2, end.side, attempt, result).hash(trace),
            Event::Accept { conn, .. } => (3, conn).hash(trace),
            Event::Bytes { conn, side, what } => (4, conn, side, what).hash(trace),
            Event::Resume { conn, side } => (5, conn, side).hash(trace),
            Event::ToRib { session, input, .. } => {
                (6, session).hash(trace);
                mark_rib(input, trace);
            }
            Event::ToSession { side, session, told, .. } => {
                (7, side, session).hash(trace);
                if let Told::Frames { frames, drained } = told {
                    (frames, drained).hash(trace);
                }
            }
            Event::ToFib { input, .. } => {
                8.hash(trace);
                mark_fib(input, trace);
            }
            Event::Serve { .. } => 9.hash(trace),
            Event::Rouse { .. } => 10.hash(trace),
        }
    }
}

fn mark_rib(input: &RibIn, trace: &mut Trace) {
    std::mem::discriminant(input).hash(trace);
    match input {
        RibIn::Routes(batch) => {
            let RouteBatch { peer, ops, v4, v6, .. } = &**batch;
            (peer, v4, v6).hash(trace);
            for op in ops {
                match op {
                    Op::Announce { start, end, .. } => (0, start, end).hash(trace),
                    Op::Withdraw { start, end, .. } => (1, start, end).hash(trace),
                    Op::EndOfRib(family) | Op::RefreshBegins(family) | Op::RefreshEnds(family) => {
                        family.hash(trace);
                    }
                }
            }
        }
        RibIn::PeerDown { peer, .. } | RibIn::Pull { peer, .. } => peer.hash(trace),
        RibIn::PeerUp(up) => up.peer.hash(trace),
        RibIn::Nexthops(news) => {
            news.iter().for_each(|news| (news.next_hop.address, news.metric).hash(trace));
        }
        _ => {}
    }
}

fn mark_fib(input: &FibIn, trace: &mut Trace) {
    std::mem::discriminant(input).hash(trace);
    match input {
        FibIn::Routes(changes) => {
            changes.iter().for_each(|change| (change.prefix, &change.target).hash(trace));
        }
        FibIn::Dumped(dump) => {
            (dump.links.len(), &dump.addresses).hash(trace);
            dump.routes.iter().for_each(|route| (route.key, &route.hops).hash(trace));
        }
        FibIn::Events(events) => events.len().hash(trace),
        FibIn::Applied(failures) => {
            failures.iter().for_each(|failure| failure.errno.hash(trace));
        }
        _ => {}
    }
}

/// The events to come. Those of one moment happen in the order in which they were put.
///
/// The heap orders numbers, which is quick in an unoptimised build; the events lie in a slab.
#[derive(Default)]
pub struct Queue {
    /// Moment, count and place of an event, 48, 48 and 32 bits of one number.
    heap: BinaryHeap<Reverse<u128>>,
    events: Vec<Option<Event>>,
    free: Vec<u32>,
    count: u64,
    trace: Trace,
}

fn key(at: Time, count: u64, place: u32) -> u128 {
    u128::from(at.0) << 80 | u128::from(count) << 32 | u128::from(place)
}

fn moment(key: u128) -> Time {
    Time((key >> 80) as u64)
}

fn place(key: u128) -> u32 {
    key as u32
}

impl Queue {
    pub fn put(&mut self, at: Time, event: Event) {
        // A deadline beyond eight years is never.
        let at = at.min(moment(u128::MAX));
        self.count += 1;
        let free = self.free.pop().unwrap_or_else(|| {
            self.events.push(None);
            u32::try_from(self.events.len() - 1).expect("few events")
        });
        self.events[free as usize] = Some(event);
        self.heap.push(Reverse(key(at, self.count, free)));
    }

    /// The next event, if it comes until then. It counts as happened.
    pub fn next(&mut self, until: Time) -> Option<(Time, Event)> {
        if moment(self.heap.peek()?.0) > until {
            return None;
        }
        let Reverse(key) = self.heap.pop()?;
        let (at, place) = (moment(key), place(key));
        self.free.push(place);
        let event = self.events[place as usize].take()?;
        at.hash(&mut self.trace);
        event.mark(&mut self.trace);
        Some((at, event))
    }

    /// What has happened, as one number.
    pub fn trace(&self) -> Trace {
        self.trace
    }
}
