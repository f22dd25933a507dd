//! The Rib's pump: one OS thread that owns the Rib and moves its messages.
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

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use starling_bgp::msg::{Isolation, PeerUp, PrefixLimit, RibIn, RibOut};
use starling_bgp::rib::Rib;
use starling_bgp::session::Forwarding;
use starling_bgp::types::{Family, PeerId};
use starling_fib::netlink::Command;
use starling_fib::types::FibIn;
use tokio::sync::{mpsc, oneshot, watch};

use super::bridge;
use super::broadcast::Broadcast;
use super::clock::Clock;
use super::memory::{self, HighWater};
use super::privilege;
use super::pulls::Pulls;
use super::questions::{Question, Questions};

/// Messages that wait for the Fib before the Rib stops taking routes.
const FIB_BACKLOG: usize = 16;
/// Messages of peers that wait for the Rib. One may have ten thousand routes and what they came
/// with: a longer queue only takes memory, and holds what the caches of the processor had.
const INBOX: usize = 8;

/// What the Rib tells a session's pump.
#[derive(Debug)]
pub enum ToPeer {
    /// The answer to a pull.
    Frames(Vec<Bytes>),
    /// The neighbour sent more prefixes than it may.
    OverLimit { family: Family, limit: PrefixLimit },
}

/// What comes from peers.
#[derive(Debug)]
pub enum FromPeer {
    /// A session is up; this is where its frames go until it is down.
    Up(Box<PeerUp>, mpsc::Sender<ToPeer>),
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
}

impl RibHandle {
    /// Asks the Rib; `None` if its thread is gone (the daemon is stopping).
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

/// Starts the thread. It ends when every `RibHandle` is gone.
pub fn spawn(
    clock: Clock,
    fib: mpsc::Sender<Command>,
    forwarding: watch::Sender<Forwarding>,
    broadcast: Broadcast,
) -> std::io::Result<RibHandle> {
    let (routes, routes_in) = mpsc::channel(INBOX);
    let (control, control_in) = mpsc::channel(256);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    privilege::thread("rib", move || {
        let pump = Pump {
            rib: Rib::new(),
            clock,
            sessions: BTreeMap::new(),
            pulls: Pulls::default(),
            questions: Questions::default(),
            table: HighWater::default(),
            to_fib: VecDeque::new(),
            forwarding,
            broadcast,
        };
        runtime.block_on(pump.run(routes_in, control_in, fib));
    })?;
    Ok(RibHandle { routes, control })
}

struct Pump {
    rib: Rib,
    clock: Clock,
    sessions: BTreeMap<PeerId, mpsc::Sender<ToPeer>>,
    pulls: Pulls,
    questions: Questions,
    table: HighWater,
    to_fib: VecDeque<FibIn>,
    /// What our OPENs say of our own restart.
    forwarding: watch::Sender<Forwarding>,
    /// Who hears of best paths while somebody watches.
    broadcast: Broadcast,
}

impl Pump {
    async fn run(
        mut self,
        mut routes: mpsc::Receiver<FromPeer>,
        mut control: mpsc::Receiver<Control>,
        fib: mpsc::Sender<Command>,
    ) {
        let mut out = Vec::new();
        loop {
            tokio::select! {
                biased;
                message = control.recv() => match message {
                    Some(Control::In(input)) => self.rib.handle(self.clock.now(), input, &mut out),
                    Some(Control::Ask(question)) => self.questions.push(question),
                    None => return,
                },
                () = std::future::ready(()), if self.questions.are_due(self.clock.now()) => {
                    self.questions.answer(self.clock, &self.rib);
                }
                () = self.clock.sleep_until(self.questions.next_deadline()) => {}
                permit = fib.reserve(), if !self.to_fib.is_empty() => match permit {
                    Ok(permit) => if let Some(message) = self.to_fib.pop_front() {
                        permit.send(Command::Fib(message));
                    },
                    Err(_) => return,
                },
                message = routes.recv(), if self.to_fib.len() < FIB_BACKLOG => match message {
                    Some(FromPeer::Up(up, session)) => {
                        self.sessions.insert(up.peer, session);
                        self.rib.handle(self.clock.now(), RibIn::PeerUp(up), &mut out);
                    }
                    Some(FromPeer::In(RibIn::Pull { peer, room })) => self.pulls.ask(peer, room),
                    Some(FromPeer::In(input)) => {
                        match &input {
                            RibIn::PeerDown { peer, .. } => {
                                self.sessions.remove(peer);
                                self.pulls.forget(*peer);
                            }
                            RibIn::Routes(batch) => {
                                self.pulls.delay(batch.v4.len() + batch.v6.len());
                                self.questions.busy(self.clock.now());
                            }
                            _ => {}
                        }
                        self.rib.handle(self.clock.now(), input, &mut out);
                    }
                    None => return,
                },
                () = self.clock.sleep_until(self.rib.next_deadline()) => {
                    self.rib.handle(self.clock.now(), RibIn::Tick, &mut out);
                }
            }
            self.deliver_all(&mut out);
            let resting = routes.is_empty() || self.to_fib.len() >= FIB_BACKLOG;
            if resting || self.pulls.are_late() {
                while let Some((peer, room)) = self.pulls.next() {
                    self.rib.handle(self.clock.now(), RibIn::Pull { peer, room }, &mut out);
                    self.deliver_all(&mut out);
                }
            }
            if resting && self.table.has_fallen(self.rib.destinations().iter().sum()) {
                memory::give_back();
            }
        }
    }

    fn deliver_all(&mut self, out: &mut Vec<RibOut>) {
        for message in out.drain(..) {
            self.deliver(message);
        }
    }

    fn deliver(&mut self, message: RibOut) {
        match message {
            RibOut::Wake(peer) => self.pulls.wake(peer),
            RibOut::Frames { peer, frames, drained } => {
                if frames.is_empty() && drained {
                    self.pulls.park(peer);
                } else {
                    self.tell(peer, ToPeer::Frames(frames));
                }
            }
            RibOut::Fib(batch) => {
                self.to_fib.push_back(FibIn::Routes(bridge::routes(&batch)));
            }
            RibOut::Track(hops) => {
                self.to_fib.push_back(FibIn::Track(bridge::next_hops(hops)));
            }
            RibOut::Untrack(hops) => {
                self.to_fib.push_back(FibIn::Untrack(bridge::next_hops(hops)));
            }
            RibOut::Best(changes) => {
                if !self.broadcast.tell_routes(&changes) {
                    // The last one has gone. What follows is delivered as all else is.
                    let mut out = Vec::new();
                    self.rib.handle(self.clock.now(), RibIn::Watch(false), &mut out);
                    self.deliver_all(&mut out);
                }
            }
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
                self.to_fib.push_back(FibIn::Settled);
                // From now on the kernel's routes are what neighbours announce.
                self.forwarding.send_replace(Forwarding { restarting: false, preserved: true });
            }
        }
    }

    /// One pull is under way at most, and going over a limit is rarely said, so the session's
    /// channel never fills; a closed one means that its `PeerDown` is on the way.
    fn tell(&self, peer: PeerId, message: ToPeer) {
        let Some(session) = self.sessions.get(&peer) else { return };
        if let Err(mpsc::error::TrySendError::Full(lost)) = session.try_send(message) {
            tracing::error!(
                ?peer,
                ?lost,
                "a session's channel is full: the pull protocol is broken"
            );
        }
    }
}
