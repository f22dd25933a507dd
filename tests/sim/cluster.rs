//! A cluster in one process: every node's real Peers, Rib and Fib, an in-memory kernel each, one
//! queue of events in virtual time.
//!
//! What the daemon's pumps do with channels and sockets is done here with the queue; the actors
//! are the ones that ship. Everything random comes from the seed, so one seed twice gives one
//! trace: [`Cluster::trace`] is the hash of all that happened.

use std::cmp::Ordering;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use starling_bgp::msg::{FibBest, PeerIn, PeerOut, RibIn, RibOut, Slot};
use starling_bgp::peer::Peer;
use starling_bgp::rib::Rib;
use starling_bgp::types::{PeerId, Time};
use starling_bgp::wire::Notification;
use starling_config::NodePlan;
use starling_fib::Fib;
use starling_fib::mem::Kernel;
use starling_fib::types::{FibIn, FibOut, RouteChange, Target};

use crate::network::{ConnId, End, LATENCY, Network, NodeIx};
use crate::rng::Rng;

/// Octets a pull asks for.
const PULL: usize = 64 * 1024;

/// What can happen.
#[derive(Debug)]
enum Event {
    /// An actor's deadline.
    Wake(NodeIx, u32, Actor),
    /// An attempt to connect reaches the other host.
    Dial { end: End, attempt: u64, to: IpAddr },
    /// Its outcome comes back: the connection, or why there is none.
    Dialled { end: End, attempt: u64, result: Result<ConnId, &'static str> },
    /// Bytes arrive; `None`: the other end has closed.
    Bytes { conn: ConnId, side: usize, what: Option<Bytes> },
    /// A message for the Rib; `session` numbers the session that it belongs to.
    ToRib { node: NodeIx, life: u32, session: u64, input: RibIn },
    /// The Rib's answer to a session's pull, or a wake (`None`).
    ToSession {
        node: NodeIx,
        life: u32,
        peer: usize,
        session: u64,
        frames: Option<(Vec<Bytes>, bool)>,
    },
    /// A message for the Fib.
    ToFib { node: NodeIx, life: u32, input: FibIn },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
enum Actor {
    Peer(usize),
    Rib,
    Fib,
}

struct Queued {
    at: Time,
    seq: u64,
    event: Event,
}

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Queued {}
impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Queued {
    /// The earliest is the greatest: `BinaryHeap` gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

/// A host: its kernel outlives its daemon.
pub struct Node {
    pub address: IpAddr,
    pub kernel: Kernel,
    pub plan: NodePlan,
    life: u32,
    daemon: Option<Daemon>,
    /// Reads nothing before this time.
    asleep: Time,
}

struct Daemon {
    rib: Rib,
    fib: Fib,
    sides: Vec<Side>,
    by_address: BTreeMap<IpAddr, usize>,
    /// Which session of a neighbour the Rib believes to be up.
    sessions: BTreeMap<PeerId, u64>,
    /// The deadlines for which an event is queued.
    wakes: BTreeMap<u64, Time>,
    /// Constant a life, so that a channel keeps its order.
    channel: Duration,
}

/// A neighbour's pump.
struct Side {
    peer: Peer,
    conns: [Option<(ConnId, usize)>; 2],
    inputs: [BytesMut; 2],
    attempt: Option<u64>,
    session: u64,
    live: Option<Live>,
}

struct Live {
    slot: Slot,
    pulling: bool,
    drained: bool,
}

/// The whole.
pub struct Cluster {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub network: Network,
    pub rng: Rng,
    pub established: u64,
    queue: BinaryHeap<Queued>,
    seq: u64,
    hasher: DefaultHasher,
    by_address: BTreeMap<IpAddr, NodeIx>,
}

impl Cluster {
    /// Hosts with these kernels, nothing running yet.
    pub fn new(seed: u64, hosts: Vec<(NodePlan, IpAddr, Kernel)>) -> Cluster {
        let by_address = hosts.iter().enumerate().map(|(ix, (_, a, _))| (*a, ix)).collect();
        let nodes = hosts
            .into_iter()
            .map(|(plan, address, kernel)| Node {
                address,
                kernel,
                plan,
                life: 0,
                daemon: None,
                asleep: Time::ZERO,
            })
            .collect();
        Cluster {
            now: Time::ZERO,
            nodes,
            network: Network::default(),
            rng: Rng::new(seed),
            established: 0,
            queue: BinaryHeap::new(),
            seq: 0,
            hasher: DefaultHasher::new(),
            by_address,
        }
    }

    /// The hash of everything that has happened.
    pub fn trace(&self) -> u64 {
        self.hasher.finish()
    }

    /// Whether the node's daemon runs.
    pub fn runs(&self, node: NodeIx) -> bool {
        self.nodes[node].daemon.is_some()
    }

    /// Runs until virtual time `until`.
    pub fn run_until(&mut self, until: Time) {
        while let Some(next) = self.queue.peek()
            && next.at <= until
        {
            let Some(Queued { at, event, .. }) = self.queue.pop() else { break };
            self.now = at;
            self.note(&event);
            self.happen(event);
        }
        self.now = until;
    }

    /// Starts a node's daemon on its kernel as it is.
    pub fn start(&mut self, ix: NodeIx) {
        let node = &mut self.nodes[ix];
        node.life += 1;
        let mut sides = Vec::new();
        let mut by_address = BTreeMap::new();
        for (at, peer) in node.plan.peers.iter().enumerate() {
            by_address.insert(peer.address, at);
            let id = PeerId(u32::try_from(at + 1).expect("few peers"));
            sides.push(Side {
                peer: Peer::new(peer.peer_config(id), self.rng.next()),
                conns: [None; 2],
                inputs: Default::default(),
                attempt: None,
                session: 0,
                live: None,
            });
        }
        node.daemon = Some(Daemon {
            rib: Rib::new(),
            fib: Fib::new(),
            sides,
            by_address,
            sessions: BTreeMap::new(),
            wakes: BTreeMap::new(),
            channel: Duration::from_micros(self.rng.below(300)),
        });
        self.configure(ix);
        for peer in 0..self.nodes[ix].plan.peers.len() {
            self.to_peer(ix, peer, PeerIn::Start);
        }
    }

    /// Gives a running node a new plan with the same neighbours, as a reload does.
    pub fn reload(&mut self, ix: NodeIx, plan: NodePlan) {
        assert_eq!(plan.peers.len(), self.nodes[ix].plan.peers.len(), "neighbours stay");
        self.nodes[ix].plan = plan;
        if self.runs(ix) {
            self.configure(ix);
        }
    }

    fn configure(&mut self, ix: NodeIx) {
        let plan = self.nodes[ix].plan.clone();
        let ids: BTreeMap<IpAddr, PeerId> = plan
            .peers
            .iter()
            .enumerate()
            .map(|(at, peer)| (peer.address, PeerId(u32::try_from(at + 1).expect("few peers"))))
            .collect();
        let rib = plan.rib_config(|peer| ids.get(&peer.address).copied());
        self.to_fib(ix, FibIn::Configure(Box::new(plan.fib.clone())));
        self.to_rib(ix, 0, RibIn::Configure(Box::new(rib)));
    }

    /// The daemon dies without a word: the kernel keeps its routes and resets the connections.
    pub fn crash(&mut self, ix: NodeIx) {
        let Some(daemon) = self.nodes[ix].daemon.take() else { return };
        for (conn, side) in daemon.sides.iter().flat_map(|side| side.conns.into_iter().flatten()) {
            self.hang_up(conn, side);
        }
    }

    /// The daemon is told to stop, as by SIGTERM.
    pub fn stop(&mut self, ix: NodeIx) {
        for peer in 0..self.nodes[ix].plan.peers.len() {
            if self.runs(ix) {
                self.to_peer(ix, peer, PeerIn::Stop(Notification::CEASE_SHUTDOWN));
            }
        }
        self.crash(ix);
    }

    /// Cuts these nodes off from the others.
    pub fn partition(&mut self, far: BTreeSet<NodeIx>) {
        self.network.partition(far);
    }

    /// Mends it: what TCP kept trying to send arrives.
    pub fn heal(&mut self) {
        for (conn, side, what) in self.network.heal() {
            self.schedule(LATENCY, Event::Bytes { conn, side, what });
        }
    }

    /// The node's daemon reads nothing from its sockets for a while.
    pub fn sleep(&mut self, ix: NodeIx, span: Duration) {
        self.nodes[ix].asleep = self.now.after(span);
    }

    /// Delivers what the node's kernel has to say since the last time (after an edit by hand).
    pub fn kernel_changed(&mut self, ix: NodeIx) {
        let Some(daemon) = &self.nodes[ix].daemon else {
            self.nodes[ix].kernel.events();
            return;
        };
        let delay = daemon.channel;
        let life = self.nodes[ix].life;
        let events = self.nodes[ix].kernel.events();
        if !events.is_empty() {
            self.schedule(delay, Event::ToFib { node: ix, life, input: FibIn::Events(events) });
        }
    }

    // ---- the queue --------------------------------------------------------------------------

    fn schedule(&mut self, delay: Duration, event: Event) {
        self.seq += 1;
        self.queue.push(Queued { at: self.now.after(delay), seq: self.seq, event });
    }

    fn note(&mut self, event: &Event) {
        self.now.0.hash(&mut self.hasher);
        match event {
            Event::Wake(node, life, actor) => (0, node, life, actor).hash(&mut self.hasher),
            Event::Bytes { conn, side, what } => (1, conn, side, what).hash(&mut self.hasher),
            other => format!("{other:?}").hash(&mut self.hasher),
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake(node, life, actor) => {
                let Some(daemon) = self.daemon(node, life) else { return };
                daemon.wakes.remove(&key(actor));
                match actor {
                    Actor::Peer(peer) => {
                        let unread = self.nodes[node].asleep > self.now;
                        self.to_peer(node, peer, PeerIn::Tick { unread });
                    }
                    Actor::Rib => self.to_rib(node, 0, RibIn::Tick),
                    Actor::Fib => self.to_fib(node, FibIn::Tick),
                }
            }
            Event::Dial { end, attempt, to } => self.dial_arrives(end, attempt, to),
            Event::Dialled { end, attempt, result } => self.dialled(end, attempt, result),
            Event::Bytes { conn, side, what } => self.arrive(conn, side, what),
            Event::ToRib { node, life, session, input } => {
                if self.daemon(node, life).is_some() {
                    self.to_rib(node, session, input);
                }
            }
            Event::ToSession { node, life, peer, session, frames } => {
                self.session_hears(node, life, peer, session, frames);
            }
            Event::ToFib { node, life, input } => {
                if self.daemon(node, life).is_some() {
                    self.to_fib(node, input);
                }
            }
        }
    }

    fn daemon(&mut self, node: NodeIx, life: u32) -> Option<&mut Daemon> {
        let node = &mut self.nodes[node];
        node.daemon.as_mut().filter(|_| node.life == life)
    }

    fn wake_at(&mut self, node: NodeIx, actor: Actor, deadline: Option<Time>) {
        let Some(at) = deadline else { return };
        let life = self.nodes[node].life;
        let now = self.now;
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let at = at.max(now);
        let queued = daemon.wakes.entry(key(actor)).or_insert(Time(u64::MAX));
        if at < *queued {
            *queued = at;
            self.schedule(at.since(now), Event::Wake(node, life, actor));
        }
    }

    // ---- connections ------------------------------------------------------------------------

    fn dial_arrives(&mut self, end: End, attempt: u64, to: IpAddr) {
        let result = match self.by_address.get(&to).copied() {
            Some(host) if !self.network.passes(end.node, host) => {
                return self.dial_times_out(end, attempt);
            }
            Some(host) => self.accept(end, host),
            None => Err("no route to host"),
        };
        self.schedule(LATENCY, Event::Dialled { end, attempt, result });
    }

    fn dial_times_out(&mut self, end: End, attempt: u64) {
        let result = Err("connection timed out");
        self.schedule(Duration::from_secs(20), Event::Dialled { end, attempt, result });
    }

    fn accept(&mut self, end: End, host: NodeIx) -> Result<ConnId, &'static str> {
        let caller = self.nodes[end.node].address;
        let node = &mut self.nodes[host];
        let life = node.life;
        let Some(daemon) = &mut node.daemon else { return Err("connection refused") };
        let Some(peer) = daemon.by_address.get(&caller).copied() else {
            return Err("connection reset by peer");
        };
        let before = daemon.sides[peer].conns[1].take();
        if let Some((conn, side)) = before {
            self.hang_up(conn, side);
            let reason = "the neighbour opened another connection".to_owned();
            self.to_peer(host, peer, PeerIn::Closed { slot: Slot::Accepted, reason });
        }
        let other = End { node: host, life, peer, slot: Slot::Accepted };
        let conn = self.network.open([end, other]);
        let (local, remote) = (self.socket(host), self.socket(end.node));
        if let Some(daemon) = &mut self.nodes[host].daemon {
            let side = &mut daemon.sides[peer];
            side.conns[1] = Some((conn, 1));
            side.inputs[1].clear();
        }
        self.to_peer(host, peer, PeerIn::Accepted { local, remote });
        Ok(conn)
    }

    fn dialled(&mut self, end: End, attempt: u64, result: Result<ConnId, &'static str>) {
        let (local, to) =
            (self.socket(end.node), self.nodes[end.node].plan.peers[end.peer].address);
        let wanted = self
            .daemon(end.node, end.life)
            .is_some_and(|daemon| daemon.sides[end.peer].attempt == Some(attempt));
        if !wanted {
            if let Ok(conn) = result {
                self.hang_up(conn, 0);
            }
            return;
        }
        let Some(daemon) = self.daemon(end.node, end.life) else { return };
        let side = &mut daemon.sides[end.peer];
        side.attempt = None;
        match result {
            Ok(conn) => {
                side.conns[0] = Some((conn, 0));
                side.inputs[0].clear();
                let remote = SocketAddr::new(to, 179);
                self.to_peer(end.node, end.peer, PeerIn::Connected { local, remote });
            }
            Err(reason) => {
                let reason = reason.to_owned();
                self.to_peer(end.node, end.peer, PeerIn::ConnectFailed { reason });
            }
        }
    }

    fn socket(&self, node: NodeIx) -> SocketAddr {
        SocketAddr::new(self.nodes[node].address, 179)
    }

    /// Sends on a connection; `None` closes it.
    fn transmit(&mut self, conn: ConnId, side: usize, what: Option<Bytes>) {
        let Some(connection) = self.network.connections.get_mut(&conn) else { return };
        let other = 1 - side;
        let ends = connection.ends;
        if self.network.passes(ends[0].node, ends[1].node) {
            self.schedule(LATENCY, Event::Bytes { conn, side: other, what });
        } else if let Some(connection) = self.network.connections.get_mut(&conn) {
            connection.stalled[other].push_back(what);
        }
    }

    fn hang_up(&mut self, conn: ConnId, side: usize) {
        self.transmit(conn, side, None);
        self.network.release(conn, side);
    }

    fn arrive(&mut self, conn: ConnId, side: usize, what: Option<Bytes>) {
        let Some(connection) = self.network.connections.get(&conn) else { return };
        let end = connection.ends[side];
        if !connection.held[side] {
            return;
        }
        if self.nodes[end.node].asleep > self.now {
            let later = self.nodes[end.node].asleep.since(self.now);
            return self.schedule(later, Event::Bytes { conn, side, what });
        }
        let slot = slot_ix(end.slot);
        let Some(daemon) = self.daemon(end.node, end.life) else {
            return self.network.release(conn, side);
        };
        let pump = &mut daemon.sides[end.peer];
        if pump.conns[slot] != Some((conn, side)) {
            // Bytes that overtake the news of their own connection wait for it.
            if pump.attempt.is_some() && end.slot == Slot::Dialled {
                self.schedule(LATENCY, Event::Bytes { conn, side, what });
            }
            return;
        }
        match what {
            Some(bytes) => {
                let mut input = std::mem::take(&mut pump.inputs[slot]);
                input.extend_from_slice(&bytes);
                self.to_peer(
                    end.node,
                    end.peer,
                    PeerIn::Received { slot: end.slot, bytes: &mut input },
                );
                if let Some(daemon) = self.daemon(end.node, end.life) {
                    daemon.sides[end.peer].inputs[slot] = input;
                }
            }
            None => {
                pump.conns[slot] = None;
                self.network.release(conn, side);
                let reason = "connection reset by peer".to_owned();
                self.to_peer(end.node, end.peer, PeerIn::Closed { slot: end.slot, reason });
            }
        }
    }

    // ---- actors -----------------------------------------------------------------------------

    fn to_peer(&mut self, node: NodeIx, peer: usize, input: PeerIn<'_>) {
        let now = self.now;
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let mut out = Vec::new();
        daemon.sides[peer].peer.handle(now, input, &mut out);
        for message in out {
            self.carry_out(node, peer, message);
        }
        self.pull(node, peer);
        let deadline = self.nodes[node]
            .daemon
            .as_ref()
            .and_then(|daemon| daemon.sides[peer].peer.next_deadline());
        self.wake_at(node, Actor::Peer(peer), deadline);
    }

    fn carry_out(&mut self, node: NodeIx, peer: usize, message: PeerOut) {
        let life = self.nodes[node].life;
        let id = PeerId(u32::try_from(peer + 1).expect("few peers"));
        let attempt = self.seq;
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let side = &mut daemon.sides[peer];
        match message {
            PeerOut::Dial => {
                side.attempt = Some(attempt);
                let to = side.peer.config().address;
                let end = End { node, life, peer, slot: Slot::Dialled };
                self.schedule(LATENCY, Event::Dial { end, attempt, to });
            }
            PeerOut::Send { slot, bytes } => {
                if let Some((conn, at)) = side.conns[slot_ix(slot)] {
                    self.transmit(conn, at, Some(bytes));
                }
            }
            PeerOut::Close { slot } => {
                if slot == Slot::Dialled {
                    side.attempt = None;
                }
                side.inputs[slot_ix(slot)].clear();
                if let Some((conn, at)) = side.conns[slot_ix(slot)].take() {
                    self.hang_up(conn, at);
                }
            }
            PeerOut::Up { slot, up } => {
                side.session += 1;
                side.live = Some(Live { slot, pulling: false, drained: false });
                self.established += 1;
                self.rib_later(node, peer, RibIn::PeerUp(up));
            }
            PeerOut::Down(_) => {
                side.live = None;
                self.rib_later(node, peer, RibIn::PeerDown(id));
            }
            PeerOut::Routes(batch) => self.rib_later(node, peer, RibIn::Routes(batch)),
            PeerOut::Refresh(family) => {
                self.rib_later(node, peer, RibIn::Refresh { peer: id, family });
            }
            PeerOut::Event(_) => {}
        }
    }

    fn rib_later(&mut self, node: NodeIx, peer: usize, input: RibIn) {
        let life = self.nodes[node].life;
        let Some(daemon) = &self.nodes[node].daemon else { return };
        let (delay, session) = (daemon.channel, daemon.sides[peer].session);
        self.schedule(delay, Event::ToRib { node, life, session, input });
    }

    fn pull(&mut self, node: NodeIx, peer: usize) {
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let Some(live) = &mut daemon.sides[peer].live else { return };
        if !live.pulling && !live.drained {
            live.pulling = true;
            let id = PeerId(u32::try_from(peer + 1).expect("few peers"));
            self.rib_later(node, peer, RibIn::Pull { peer: id, room: PULL });
        }
    }

    fn session_hears(
        &mut self,
        node: NodeIx,
        life: u32,
        peer: usize,
        session: u64,
        frames: Option<(Vec<Bytes>, bool)>,
    ) {
        let Some(daemon) = self.daemon(node, life) else { return };
        let side = &mut daemon.sides[peer];
        if side.session != session {
            return;
        }
        let Some(live) = &mut side.live else { return };
        match frames {
            None => live.drained = false,
            Some((frames, drained)) => {
                live.pulling = false;
                live.drained = drained;
                let conn = side.conns[slot_ix(live.slot)];
                for frame in frames {
                    if let Some((conn, at)) = conn {
                        self.transmit(conn, at, Some(frame));
                    }
                }
            }
        }
        self.pull(node, peer);
    }

    fn to_rib(&mut self, node: NodeIx, session: u64, input: RibIn) {
        let now = self.now;
        let life = self.nodes[node].life;
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        match &input {
            RibIn::PeerUp(up) => {
                daemon.sessions.insert(up.peer, session);
            }
            RibIn::PeerDown(peer) => {
                daemon.sessions.remove(peer);
            }
            _ => {}
        }
        let mut out = Vec::new();
        daemon.rib.handle(now, input, &mut out);
        let delay = daemon.channel;
        let deadline = daemon.rib.next_deadline();
        for message in out {
            let event = match message {
                RibOut::Wake(peer) => self.for_session(node, life, peer, None),
                RibOut::Frames { peer, frames, drained } => {
                    self.for_session(node, life, peer, Some((frames, drained)))
                }
                other => fib_message(other).map(|input| Event::ToFib { node, life, input }),
            };
            if let Some(event) = event {
                self.schedule(delay, event);
            }
        }
        self.wake_at(node, Actor::Rib, deadline);
    }

    fn for_session(
        &self,
        node: NodeIx,
        life: u32,
        peer: PeerId,
        frames: Option<(Vec<Bytes>, bool)>,
    ) -> Option<Event> {
        let session = *self.nodes[node].daemon.as_ref()?.sessions.get(&peer)?;
        let peer = usize::try_from(peer.0).ok()? - 1;
        Some(Event::ToSession { node, life, peer, session, frames })
    }

    fn to_fib(&mut self, node: NodeIx, input: FibIn) {
        let now = Duration::from_micros(self.now.0);
        let life = self.nodes[node].life;
        let Some(daemon) = &mut self.nodes[node].daemon else { return };
        let mut out = Vec::new();
        daemon.fib.handle(now, input, &mut out);
        let delay = daemon.channel;
        let deadline = daemon.fib.next_deadline();
        for message in out {
            let kernel = &mut self.nodes[node].kernel;
            let answer = match message {
                FibOut::Apply(ops) => FibIn::Applied(kernel.apply(&ops)),
                FibOut::Dump => FibIn::Dumped(Box::new(kernel.dump())),
                FibOut::Tunnel(spec) => FibIn::TunnelDone(kernel.tunnel(&spec)),
                FibOut::Nexthops(news) => {
                    let news = news.into_iter().map(|(address, metric)| {
                        starling_bgp::msg::NexthopNews { address, metric }
                    });
                    let input = RibIn::Nexthops(news.collect());
                    self.schedule(delay, Event::ToRib { node, life, session: 0, input });
                    continue;
                }
                FibOut::Report(_) => continue,
            };
            let span = Duration::from_micros(50 + self.rng.below(500));
            self.schedule(span, Event::ToFib { node, life, input: answer });
            self.kernel_changed(node);
        }
        self.wake_at(node, Actor::Fib, deadline.map(|d| Time(d.as_micros() as u64)));
    }
}

fn key(actor: Actor) -> u64 {
    match actor {
        Actor::Rib => 0,
        Actor::Fib => 1,
        Actor::Peer(peer) => 2 + peer as u64,
    }
}

fn slot_ix(slot: Slot) -> usize {
    match slot {
        Slot::Dialled => 0,
        Slot::Accepted => 1,
    }
}

fn fib_message(message: RibOut) -> Option<FibIn> {
    Some(match message {
        RibOut::Fib(batch) => FibIn::Routes(
            batch
                .routes
                .into_iter()
                .map(|route| RouteChange {
                    prefix: route.prefix,
                    target: route.best.map(|best| match best {
                        FibBest::Own => Target::Own,
                        FibBest::Via { next_hop, .. } => Target::Nexthops(vec![next_hop]),
                    }),
                })
                .collect(),
        ),
        RibOut::Track(addresses) => FibIn::Track(addresses),
        RibOut::Untrack(addresses) => FibIn::Untrack(addresses),
        RibOut::Settled => FibIn::Settled,
        RibOut::Wake(_) | RibOut::Frames { .. } => return None,
    })
}
