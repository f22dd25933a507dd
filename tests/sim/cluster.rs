//! A cluster in one process: every node's real Peers, Rib and Fib on an in-memory kernel each,
//! and one queue of events in virtual time.
//!
//! ```text
//!   scenarios ──► life      daemons start, crash, stop, reload, freeze; hosts lose their power
//!                 wire      TCP: dialling, accepting, bytes, and what a partition does to them
//!                 pumps     Peer ⇄ Rib ⇄ Fib, as the daemon's pumps move the messages
//!                 kernels   the Fib's requests carried out; what others do to a kernel
//! ```
//!
//! What the daemon's pumps do with channels, threads and sockets is done here with the queue; the
//! actors are the ones that ship. Everything random comes from the seed, so that one seed is one
//! history: [`Cluster::trace`] is its hash. While it happens, a clock ([`Blackholes`]) measures
//! how long pods could not be reached though they should have been.

mod kernels;
mod life;
mod pumps;
mod wire;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Debug;
use std::hash::Hasher;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use ipnet::IpNet;
use starling_bgp::msg::Slot;
use starling_bgp::peer::Peer;
use starling_bgp::rib::Rib;
use starling_bgp::rib::show::RouteFilter;
use starling_bgp::session::Forwarding;
use starling_bgp::types::Time;
use starling_config::NodePlan;
use starling_fib::Fib;
use starling_fib::mem::Kernel;

use self::kernels::Asked;
use crate::blackholes::Blackholes;
use crate::network::{ConnId, Network, NodeIx};
use crate::oracle;
use crate::queue::{Event, Queue};
use crate::rng::Rng;
use crate::topology::{self, Settings};

/// A host: its kernel outlives its daemon.
pub struct Node {
    pub address: IpAddr,
    pub kernel: Kernel,
    /// The newest configuration file on its disk that names it.
    pub settings: Arc<Settings>,
    plan: Arc<NodePlan>,
    /// Counts its daemons.
    life: u32,
    daemon: Option<Daemon>,
    /// Since when its daemon is gone, its host being well.
    away: Option<Time>,
    /// Routes of others that took the place of ours, and when the Fib heard of it.
    strangers: BTreeMap<IpNet, Option<Time>>,
}

/// A running `starlingd`.
struct Daemon {
    rib: Rib,
    fib: Fib,
    /// A neighbour's place is its number less one; retired ones keep theirs.
    sides: Vec<Side>,
    by_address: BTreeMap<IpAddr, usize>,
    rib_wake: Option<Time>,
    fib_wake: Option<Time>,
    delays: Delays,
    /// What the Fib asked of the kernel, the oldest first.
    asked: VecDeque<Asked>,
    /// When the kernel's last answer and its last news arrive: none overtakes another.
    last_answer: Time,
    last_news: Time,
    /// Reads nothing from its sockets before this time.
    deaf_until: Time,
    /// Does nothing at all; what came meanwhile.
    frozen: Option<VecDeque<Event>>,
    /// What its OPENs say of its own start.
    forwarding: Forwarding,
}

/// How long messages take. Constant in a life, so that a channel keeps its order.
struct Delays {
    to_rib: Duration,
    to_session: Duration,
    to_fib: Duration,
    from_fib: Duration,
}

/// A neighbour's pump.
struct Side {
    peer: Peer,
    /// By slot.
    conns: [Option<ConnId>; 2],
    /// A second accepted connection, until the actor has said which one stays.
    calling: Option<ConnId>,
    inputs: [BytesMut; 2],
    /// The attempt to connect that is under way.
    attempt: Option<u64>,
    attempts: u64,
    wake: Option<Time>,
    /// Counts sessions.
    session: u64,
    /// The session that the Rib believes to be up.
    known: Option<u64>,
    live: Option<Live>,
}

/// An Established session's side of the pull protocol.
struct Live {
    slot: Slot,
    pulling: bool,
    drained: bool,
}

/// What a node was told of another's pods.
#[derive(Clone, Copy, Default)]
struct News {
    /// It has to reach them.
    due: bool,
    /// When it last was told nothing more, having been told before.
    lost: Option<Time>,
}

/// The whole.
pub struct Cluster {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub network: Network,
    pub rng: Rng,
    /// Sessions that came up so far, each end by itself.
    pub ups: u64,
    /// How long pods were not reached.
    pub blackholes: Blackholes,
    /// What a node was told of another, by the pair.
    news: Vec<News>,
    seed: u64,
    /// Prints what operators would read in the logs.
    verbose: bool,
    queue: Queue,
    by_address: BTreeMap<IpAddr, NodeIx>,
    by_block: BTreeMap<IpNet, NodeIx>,
}

impl Cluster {
    /// Hosts after their boot, nothing running yet.
    pub fn new(seed: u64, nodes: usize, settings: &Arc<Settings>) -> Cluster {
        let plans = topology::plans(settings);
        let host = |ix: NodeIx| Node {
            address: topology::v4(ix).into(),
            kernel: topology::kernel(ix),
            settings: Arc::clone(settings),
            plan: plans.get(&ix).cloned().expect("every node is in the first configuration"),
            life: 0,
            daemon: None,
            away: None,
            strangers: BTreeMap::new(),
        };
        Cluster {
            now: Time::ZERO,
            nodes: (0..nodes).map(host).collect(),
            network: Network::default(),
            rng: Rng::new(seed),
            ups: 0,
            blackholes: Blackholes::new(nodes),
            news: vec![News::default(); nodes * nodes],
            seed,
            verbose: std::env::var_os("STARLING_SIM_LOG").is_some(),
            queue: Queue::default(),
            by_address: (0..nodes).map(|ix| (topology::v4(ix).into(), ix)).collect(),
            by_block: (0..nodes)
                .flat_map(|ix| topology::blocks(ix).map(|block| (block, ix)))
                .collect(),
        }
    }

    /// The hash of everything that has happened.
    pub fn trace(&self) -> u64 {
        self.queue.trace().finish()
    }

    /// Whether the node's daemon runs.
    pub fn runs(&self, node: NodeIx) -> bool {
        self.nodes[node].daemon.is_some()
    }

    /// Whether both run, can talk, and are each other's neighbours by their configurations.
    fn linked(&self, a: NodeIx, b: NodeIx) -> bool {
        self.runs(a)
            && self.runs(b)
            && self.network.passes(a, b)
            && self.nodes[a].settings.joins(a, b)
            && self.nodes[b].settings.joins(b, a)
    }

    /// Whether `a` is told the routes of `b`, by itself or by reflectors: then it has to reach its
    /// pods. A reflector tells its clients everything and other reflectors what clients told it
    /// (RFC 4456 §6), so that two reflectors at most are on the way.
    pub fn hears(&self, a: NodeIx, b: NodeIx) -> bool {
        let reflectors = &self.nodes[a].settings.reflectors;
        let plain = |node: NodeIx| !self.nodes[node].settings.reflectors.contains(&node);
        let last_of_two = |r: NodeIx| {
            let mut first = reflectors.iter();
            plain(a) && plain(b) && first.any(|s| self.linked(r, *s) && self.linked(*s, b))
        };
        let through = |r: NodeIx| {
            let directly = self.linked(r, b) && (plain(a) || plain(b));
            self.linked(a, r) && (directly || last_of_two(r))
        };
        self.linked(a, b) || reflectors.iter().any(|r| through(*r))
    }

    /// Whether the node has pods, by its own configuration.
    pub fn has_blocks(&self, node: NodeIx) -> bool {
        !self.nodes[node].settings.bare.contains(&node)
    }

    /// How many paths a node knows to the IPv4 pods of another.
    pub fn paths(&self, node: NodeIx, other: NodeIx) -> usize {
        let [block, _] = topology::blocks(other);
        let filter = RouteFilter { prefix: Some(block), ..RouteFilter::default() };
        let daemon = self.nodes[node].daemon.as_ref().expect("it runs");
        let (routes, _) = daemon.rib.routes(&filter, None, 1);
        routes.first().map_or(0, |route| route.paths.len())
    }

    /// Ends of sessions that are up now.
    pub fn sessions(&self) -> usize {
        let daemons = self.nodes.iter().filter_map(|node| node.daemon.as_ref());
        daemons.flat_map(|daemon| &daemon.sides).filter(|side| side.live.is_some()).count()
    }

    /// Its sessions that are up now.
    pub fn established(&self, node: NodeIx) -> usize {
        let daemon = self.nodes[node].daemon.as_ref();
        daemon.map_or(0, |daemon| daemon.sides.iter().filter(|side| side.live.is_some()).count())
    }

    /// Nodes that take themselves to be cut off.
    pub fn isolated(&self) -> BTreeSet<NodeIx> {
        let cut_off = |node: &NodeIx| {
            let daemon = self.nodes[*node].daemon.as_ref();
            daemon.is_some_and(|daemon| daemon.rib.isolation().is_some())
        };
        (0..self.nodes.len()).filter(cut_off).collect()
    }

    /// Runs until virtual time `until`.
    pub fn run_until(&mut self, until: Time) {
        while let Some((at, event)) = self.queue.next(until) {
            self.now = at;
            self.happen(event);
        }
        self.now = until;
    }

    /// Runs for a while.
    pub fn run(&mut self, span: Duration) {
        self.run_until(self.now.after(span));
    }

    /// A line of a node's log.
    fn log(&self, node: NodeIx, line: &dyn Debug) {
        if self.verbose {
            println!("{:>12} us  node{node}: {line:?}", self.now.0);
        }
    }

    fn after(&mut self, delay: Duration, event: Event) {
        self.queue.put(self.now.after(delay), event);
    }

    /// Some time in a range of microseconds.
    fn micros(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(from + self.rng.below(to - from))
    }

    fn happen(&mut self, event: Event) {
        if let Some((node, life)) = event.daemon() {
            let Some(daemon) = self.daemon(node, life) else { return };
            if let Some(waiting) = &mut daemon.frozen
                && !matches!(event, Event::Rouse { .. })
            {
                return waiting.push_back(event);
            }
        }
        match event {
            Event::Wake { node, actor, .. } => self.wake(node, actor),
            Event::Dial { end, attempt, to, tries } => self.dial_arrives(end, attempt, to, tries),
            Event::Dialled { end, attempt, result } => self.dialled(end, attempt, result),
            Event::Accept { node, conn, .. } => self.accept(node, conn),
            Event::Bytes { conn, side, what } => self.arrive(conn, side, what),
            Event::Resume { conn, side } => self.resume(conn, side),
            Event::ToRib { node, session, input, .. } => self.tell_rib(node, session, input),
            Event::ToSession { node, side, session, told, .. } => {
                self.tell_session(node, side, session, told);
            }
            Event::ToFib { node, input, .. } => self.tell_fib(node, input),
            Event::Serve { node, .. } => self.serve(node),
            Event::Rouse { node, .. } => self.rouse(node),
        }
    }

    /// The daemon of that life, if it still runs.
    fn daemon(&mut self, node: NodeIx, life: u32) -> Option<&mut Daemon> {
        let node = &mut self.nodes[node];
        node.daemon.as_mut().filter(|_| node.life == life)
    }

    // ---- the clock -------------------------------------------------------------------------

    fn judge(&mut self, from: NodeIx, to: NodeIx) {
        if from == to {
            return;
        }
        let hears = self.hears(from, to);
        let names = |a: NodeIx, b: NodeIx| self.nodes[a].settings.members.contains(&b);
        let kept = self.nodes[from].settings.graceful.is_some()
            && self.is_present(from)
            && self.is_present(to)
            && self.network.passes(from, to)
            && names(from, to)
            && names(to, from);
        let at = from * self.nodes.len() + to;
        let news = &mut self.news[at];
        match (hears, news.lost) {
            (true, _) => news.lost = None,
            (false, None) if news.due => news.lost = Some(self.now),
            _ => {}
        }
        // Who was told and has only lost his teller for a while reaches them still.
        news.due = hears || news.due && kept;
        let dark = news.due && self.has_blocks(to) && !oracle::reaches(self, from, to);
        self.blackholes.set(self.now, from, to, dark);
    }

    /// Whether the node's daemon runs, or is so shortly away that nobody forgets its routes.
    fn is_present(&self, node: NodeIx) -> bool {
        let Node { away, settings, .. } = &self.nodes[node];
        let restart = settings.graceful.map(|(restart, _)| Duration::from_secs(restart));
        let back_soon = |(away, restart): (Time, Duration)| self.now.since(away) < restart;
        self.runs(node) || away.zip(restart).is_some_and(back_soon)
    }

    /// Whether `node` may still have routes to the pods of `other`, though nobody tells it of them:
    /// until the end of its patience, which begins when the silence is noticed.
    pub fn may_keep(&self, node: NodeIx, other: NodeIx) -> bool {
        let (news, settings) =
            (self.news[node * self.nodes.len() + other], &self.nodes[node].settings);
        let noticed = Duration::from_secs(topology::HOLD + 1);
        let kept = |lost: Time| self.now.since(lost) < settings.patience() + noticed;
        settings.graceful.is_some()
            && settings.members.contains(&other)
            && news.lost.is_some_and(kept)
    }

    /// After the node's kernel changed.
    fn judge_kernel(&mut self, node: NodeIx) {
        (0..self.nodes.len()).for_each(|to| self.judge(node, to));
    }

    /// After something changed between the node and others.
    fn judge_node(&mut self, node: NodeIx) {
        for other in 0..self.nodes.len() {
            self.judge(node, other);
            self.judge(other, node);
        }
    }

    fn judge_all(&mut self) {
        (0..self.nodes.len()).for_each(|node| self.judge_kernel(node));
    }
}
