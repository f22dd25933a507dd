//! The Rib's pump: the one task that owns the Rib and moves its messages.
//!
//! ```text
//!   peers ──routes (bounded)──►┐
//!   fib, control ──control───► │ Rib │ ──ToPeer──► each session's own channel
//!                              │     │ ──Command─► the Fib's inbox (bounded)
//! ```
//!
//! Pulls are not answered before what waits in `routes` is taken, or much of it: a prefix that ten
//! neighbours announce is told to the eleventh once, and not each time that it gets a better path.
//! Nobody waits for a clock. A reader that has read all leaves its pull here and is answered when there
//! is something: news reach an idle neighbour's pump in one step.
//!
//! Two inboxes keep it free of deadlock: while the Fib's inbox is full, `routes` rests (so peers
//! stop reading and TCP pushes back) but `control` is still served, and the Fib, which only ever
//! waits for `control`, can go on.
//!
//! A single route is handled where it was read: the session's task, this one and the next session's
//! follow each other on one thread, and no other has to be woken, which takes longer than all that
//! they do. Much at once has a thread of its own, so that sessions go on reading, writing and
//! keeping their neighbours' time meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use starling_bgp::msg::{Isolation, PeerUp, PrefixLimit, RibIn, RibOut, RouteBatch, Said};
use starling_bgp::rib::Rib;
use starling_bgp::session::Forwarding;
use starling_bgp::types::{Family, PeerId, Time};
use starling_fib::netlink::Command;
use starling_fib::types::FibIn;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::block_in_place;
use tokio::time::timeout;

use super::bridge;
use super::broadcast::Broadcast;
use super::broadcast::routes::Watching;
use super::clock::Clock;
use super::delays::Delays;
use super::memory::{self, HighWater};
use super::pulls::Pulls;
use super::questions::{Question, Questions};

/// Messages that wait for the Fib before the Rib stops taking routes.
const FIB_BACKLOG: usize = 16;
/// Messages of peers that wait for the Rib. One may have ten thousand routes and what they came
/// with: a longer queue only takes memory, and holds what the caches of the processor had.
const INBOX: usize = 8;
/// A message with more routes begins a busy time, …
const MANY: usize = 256;
/// … and so does one that caused more octets for neighbours, …
const MUCH: u64 = 16 * 1024;
/// … which ends when there was nothing to do for so long.
const CALM: Duration = Duration::from_millis(5);

/// What the Rib tells a session's pump.
#[derive(Debug)]
pub enum ToPeer {
    /// The answer to a pull, and what is in it. `behind`: with these it has been told all that there
    /// was to tell since what came then.
    Frames { frames: Vec<Bytes>, said: Said, behind: Option<Time> },
    /// The neighbour sent more prefixes than it may.
    OverLimit { family: Family, limit: PrefixLimit },
}

/// What comes from peers.
#[derive(Debug)]
pub enum FromPeer {
    /// A session is up; this is where its frames go until it is down.
    Up(Box<PeerUp>, mpsc::Sender<ToPeer>),
    /// Routes, and when they were read.
    Routes(Box<RouteBatch>, Time),
    /// A message for the Rib as it is.
    In(RibIn),
}

/// What comes from the rest of the daemon.
pub enum Control {
    /// A message for the Rib as it is.
    In(RibIn),
    /// A question.
    Ask(Question),
}

/// The ways into the Rib.
#[derive(Clone, Debug)]
pub struct RibHandle {
    /// For peers.
    pub routes: mpsc::Sender<FromPeer>,
    /// For everybody else.
    pub control: mpsc::Sender<Control>,
    /// What the Rib has for the Fib and the Fib has no room for, in messages.
    pub to_fib: Arc<AtomicUsize>,
}

impl RibHandle {
    /// Asks the Rib; `None` if its task is gone (the daemon is stopping).
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Rib) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let ask = Control::Ask(Box::new(move |rib| {
            // Nobody waits for the answer any more: nothing is lost.
            let _ = answer.send(question(rib));
        }));
        self.control.send(ask).await.ok()?;
        answered.await.ok()
    }
}

/// Starts the task. It ends when every `RibHandle` is gone. The runtime must be one of several
/// threads.
pub fn spawn(
    clock: Clock,
    fib: mpsc::Sender<Command>,
    forwarding: watch::Sender<Forwarding>,
    broadcast: Broadcast,
    delays: Delays,
) -> RibHandle {
    let (routes, routes_in) = mpsc::channel(INBOX);
    let (control, control_in) = mpsc::channel(256);
    let ways = Ways { routes: routes_in, control: control_in, fib };
    let pump = Pump {
        rib: Rib::new(),
        clock,
        sessions: BTreeMap::new(),
        pulls: Pulls::default(),
        questions: Questions::default(),
        table: HighWater::default(),
        octets: 0,
        came: Time::ZERO,
        delays,
        out: Vec::new(),
        to_fib: VecDeque::new(),
        fib_waits: Arc::default(),
        forwarding,
        broadcast,
        watching: Watching::default(),
    };
    let to_fib = Arc::clone(&pump.fib_waits);
    tokio::spawn(pump.run(ways));
    RibHandle { routes, control, to_fib }
}

/// What a turn of the pump was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Light,
    /// There may be more of it, or it took long: nobody should have to wait behind it.
    Heavy,
}

/// The channels' ends at the pump.
struct Ways {
    routes: mpsc::Receiver<FromPeer>,
    control: mpsc::Receiver<Control>,
    fib: mpsc::Sender<Command>,
}

/// An Established session.
struct Session {
    to: mpsc::Sender<ToPeer>,
    /// When that came because of which it is to be told something; `None`: it has been told all.
    behind: Option<Time>,
}

struct Pump {
    rib: Rib,
    clock: Clock,
    sessions: BTreeMap<PeerId, Session>,
    pulls: Pulls,
    questions: Questions,
    table: HighWater,
    /// For neighbours, in this turn.
    octets: u64,
    /// When that came which the Rib is hearing.
    came: Time,
    delays: Delays,
    /// What the Rib said, on its way; empty between turns.
    out: Vec<RibOut>,
    to_fib: VecDeque<Command>,
    /// How many those are, for who asks.
    fib_waits: Arc<AtomicUsize>,
    /// What our OPENs say of our own restart.
    forwarding: watch::Sender<Forwarding>,
    /// Where best paths are told while somebody listens …
    broadcast: Broadcast,
    /// … and who does, as the Rib knows them.
    watching: Watching,
}

impl Pump {
    async fn run(mut self, mut ways: Ways) {
        loop {
            let Some(turn) = self.turn(&mut ways).await else { return };
            let busy = || Handle::current().block_on(self.busy(&mut ways));
            if turn == Turn::Heavy && block_in_place(busy).is_none() {
                return;
            }
        }
    }

    /// Turns until there is nothing to do for a moment; `None`: nobody is left to do it for.
    async fn busy(&mut self, ways: &mut Ways) -> Option<()> {
        while let Ok(turn) = timeout(CALM, self.turn(ways)).await {
            turn?;
        }
        Some(())
    }

    /// Takes one thing that there is to do and does it. Dropped before it is ready, it has done
    /// nothing. `None`: nobody is left to do it for.
    async fn turn(&mut self, ways: &mut Ways) -> Option<Turn> {
        let mut turn = Turn::Light;
        tokio::select! {
            biased;
            message = ways.control.recv() => match message? {
                Control::In(input) => self.handle(input),
                Control::Ask(question) => self.questions.push(question),
            },
            () = std::future::ready(()), if self.questions.are_due(self.clock.now()) => {
                self.questions.answer(self.clock, &self.rib);
                turn = Turn::Heavy;
            }
            () = self.clock.sleep_until(self.questions.next_deadline()) => {}
            permit = ways.fib.reserve(), if !self.to_fib.is_empty() => {
                let permit = permit.ok()?;
                if let Some(message) = self.to_fib.pop_front() {
                    permit.send(message);
                }
            }
            message = ways.routes.recv(), if self.to_fib.len() < FIB_BACKLOG => {
                turn = self.hear(message?);
            }
            () = self.clock.sleep_until(self.rib.next_deadline()) => self.handle(RibIn::Tick),
            () = self.clock.sleep_until(self.table.next_deadline()) => {
                block_in_place(memory::give_back);
                self.table.begin_again(self.destinations());
            }
        }
        let resting = ways.routes.is_empty() || self.to_fib.len() >= FIB_BACKLOG;
        if resting || self.pulls.are_late() {
            while let Some((peer, room)) = self.pulls.next() {
                self.handle(RibIn::Pull { peer, room });
            }
        }
        self.fib_waits.store(self.to_fib.len(), Ordering::Relaxed);
        let now = self.clock.now();
        self.table.see(self.destinations(), now);
        if std::mem::take(&mut self.octets) > MUCH {
            self.questions.busy(now);
            turn = Turn::Heavy;
        }
        Some(turn)
    }

    fn destinations(&self) -> usize {
        self.rib.destinations().iter().sum()
    }

    fn hear(&mut self, message: FromPeer) -> Turn {
        let input = match message {
            FromPeer::Up(up, to) => {
                self.sessions.insert(up.peer, Session { to, behind: None });
                RibIn::PeerUp(up)
            }
            FromPeer::Routes(batch, came) => return self.hear_routes(batch, came),
            FromPeer::In(RibIn::Pull { peer, room }) => {
                self.pulls.ask(peer, room);
                return Turn::Light;
            }
            FromPeer::In(input) => input,
        };
        if let RibIn::PeerDown { peer, .. } = &input {
            self.sessions.remove(peer);
            self.pulls.forget(*peer);
        }
        self.handle(input);
        Turn::Light
    }

    fn hear_routes(&mut self, batch: Box<RouteBatch>, came: Time) -> Turn {
        let routes = batch.v4.len() + batch.v6.len();
        self.pulls.delay(routes);
        let began = self.clock.now();
        self.questions.came(began, routes);
        self.came = came;
        self.handle_at(began, RibIn::Routes(batch));
        self.delays.decision.took(self.clock.now().since(began));
        if routes > MANY { Turn::Heavy } else { Turn::Light }
    }

    fn handle(&mut self, input: RibIn) {
        let now = self.clock.now();
        self.came = now;
        self.handle_at(now, input);
    }

    fn handle_at(&mut self, now: Time, input: RibIn) {
        let mut out = std::mem::take(&mut self.out);
        if let Some(watchers) = self.broadcast.watchers(&mut self.watching) {
            self.rib.handle(now, RibIn::Watch(watchers), &mut out);
        }
        self.rib.handle(now, input, &mut out);
        for message in out.drain(..) {
            self.deliver(message);
        }
        self.out = out;
    }

    fn deliver(&mut self, message: RibOut) {
        match message {
            RibOut::Wake(peer) => {
                if let Some(session) = self.sessions.get_mut(&peer) {
                    session.behind.get_or_insert(self.came);
                }
                self.pulls.wake(peer);
            }
            RibOut::Frames { peer, frames, said, drained } => {
                let session = self.sessions.get_mut(&peer).filter(|_| drained);
                let behind = session.and_then(|session| session.behind.take());
                if frames.is_empty() && drained {
                    self.pulls.park(peer);
                } else {
                    self.octets += said.octets;
                    self.tell(peer, ToPeer::Frames { frames, said, behind });
                }
            }
            RibOut::Fib(batch) => {
                let came = self.clock.moment(self.came);
                self.to_fib.push_back(Command::Routes(bridge::routes(&batch), came));
            }
            RibOut::Track(hops) => {
                self.tell_fib(FibIn::Track(bridge::next_hops(hops)));
            }
            RibOut::Untrack(hops) => {
                self.tell_fib(FibIn::Untrack(bridge::next_hops(hops)));
            }
            RibOut::Best(news) => self.broadcast.tell_routes(&news, &self.watching),
            RibOut::OverLimit { peer, family, limit } => {
                self.tell(peer, ToPeer::OverLimit { family, limit });
            }
            RibOut::CutOff(Isolation { since, until, silent, of }) => {
                let keep = until.since(since);
                tracing::error!(
                    "{silent} of {of} neighbours fell silent at once: this node is taken to be cut \
                     off, and keeps their routes for {keep:?}"
                );
            }
            RibOut::Rejoined(Isolation { silent: 0, .. }) => {
                tracing::info!("all neighbours are back: this node is not cut off any more");
            }
            RibOut::Rejoined(Isolation { silent, of, .. }) => tracing::warn!(
                "this node is not taken to be cut off any more: {silent} of {of} neighbours are \
                 not back, and their routes go"
            ),
            RibOut::Settled => {
                self.tell_fib(FibIn::Settled);
                // From now on the kernel's routes are what neighbours announce.
                self.forwarding.send_replace(Forwarding { restarting: false, preserved: true });
            }
        }
    }

    fn tell_fib(&mut self, message: FibIn) {
        self.to_fib.push_back(Command::Fib(message));
    }

    /// One pull is under way at most, and going over a limit is rarely said, so the session's
    /// channel never fills; a closed one means that its `PeerDown` is on the way.
    fn tell(&self, peer: PeerId, message: ToPeer) {
        let Some(session) = self.sessions.get(&peer) else { return };
        if let Err(mpsc::error::TrySendError::Full(lost)) = session.to.try_send(message) {
            tracing::error!(
                ?peer,
                ?lost,
                "a session's channel is full: the pull protocol is broken"
            );
        }
    }
}
