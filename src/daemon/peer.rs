//! A neighbour's pump: its task, its sockets, its one Peer actor.
//!
//! ```text
//!   sockets ─bytes─► Peer ─PeerOut─► sockets, the log, and in order into the Rib's inbox
//!   Rib ─Frames─► this session's own channel ─► socket, as fast as it takes them
//!   Peer ─Established, or not─► BFD ─a loss, or Up─► Peer
//! ```
//!
//! Back-pressure: while the Rib's inbox is full nothing is read; while the socket's queue is long
//! nothing is pulled. Timers and commands are served throughout.

mod conns;
mod live;
pub mod tally;
mod told;
mod way;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use starling_bgp::bfd::Loss;
use starling_bgp::msg::{PeerIn, PeerOut, RibIn, Said, Slot};
use starling_bgp::peer::Peer;
use starling_bgp::session::{Forwarding, PeerConfig, PeerEvent, PeerStatus};
use starling_bgp::types::{PeerId, Time};
use starling_bgp::wire::Notification;
use starling_fib::types::Way;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};

use super::bfd::BfdHandle;
use super::broadcast::Broadcast;
use super::cause;
use super::clock::Clock;
use super::conn::Conn;
use super::delays::Delays;
use super::endpoint::Endpoint;
use super::events;
use super::rib::FromPeer;
use conns::{Dial, dialled, progress};
use live::{Live, from_rib};
use tally::Tally;
use told::Told;
use way::Doubt;

/// Notes kept for `bgpctl`.
const NOTES: usize = 10;

/// What the daemon tells a neighbour's pump.
#[derive(Debug)]
pub enum Command {
    /// Begin.
    Start,
    /// New settings, and where and how it is reached.
    Configure(Box<PeerConfig>, Endpoint),
    /// The neighbour opened this connection.
    Accepted(TcpStream, SocketAddr),
    /// What the kernel shows of the way to the neighbour; at first, nothing in it.
    Way(Way),
    /// The kernel looked for the neighbour's link-layer address in vain.
    Unanswered,
    /// How are you?
    Status(oneshot::Sender<Report>),
    /// The operator ends the session, with these words, until he says `Up`.
    Down(String),
    /// The operator lets it begin again.
    Up,
    /// The operator wants its routes again.
    Refresh,
    /// End the session, with these words, and begin it again.
    Clear(String),
    /// Say this to the neighbour, which shall forget us, then end the task.
    Retire(Notification),
    /// The daemon stops and shall be back: say what does not cost our routes, then end the task.
    Leave(Notification),
}

/// How a neighbour is.
#[derive(Clone, Debug)]
pub struct Report {
    /// What its actor says.
    pub status: PeerStatus,
    /// What an operator should know beside that, the latest last.
    pub notes: Vec<String>,
    /// He has ended the session himself (`bgpctl neighbor NAME down`).
    pub held: bool,
    /// Octets of memory of what was received and not read yet, and of what waits to be sent.
    pub buffered: usize,
    /// Octets that wait to be sent.
    pub queued: usize,
    /// What went by.
    pub tally: Tally,
}

/// The way to a neighbour's pump.
#[derive(Clone, Debug)]
pub struct PeerHandle {
    /// Its number.
    pub id: PeerId,
    /// Its inbox.
    pub commands: mpsc::Sender<Command>,
    /// What BFD has of the neighbour; a loss, until it is up. Telling it never waits.
    pub bfd: Arc<watch::Sender<Option<Loss>>>,
}

/// Whom a neighbour's pump tells and hears, beside the neighbour.
#[derive(Clone, Debug)]
pub struct Around {
    /// What the neighbour says goes there.
    pub rib: mpsc::Sender<FromPeer>,
    /// What OPENs say of our own restart.
    pub forwarding: watch::Receiver<Forwarding>,
    /// It watches whoever has a session.
    pub bfd: BfdHandle,
    /// It has the listeners to what happens.
    pub broadcast: Broadcast,
    /// How long it took until they were told.
    pub delays: Delays,
}

/// Starts a neighbour's task, idle until `Command::Start`. `seed` is for its jitter alone.
pub fn spawn(
    clock: Clock,
    config: PeerConfig,
    endpoint: Endpoint,
    seed: u64,
    around: Around,
) -> (PeerHandle, tokio::task::JoinHandle<()>) {
    let Around { rib, forwarding, bfd: watcher, broadcast, delays } = around;
    let (commands, inbox) = mpsc::channel(16);
    let (tell_bfd, bfd) = watch::channel(None);
    let handle = PeerHandle { id: config.id, commands, bfd: Arc::new(tell_bfd) };
    let pump = Pump {
        peer: Peer::new(config, seed),
        endpoint,
        clock,
        dialled: None,
        accepted: None,
        calling: None,
        dialling: None,
        live: None,
        to_rib: VecDeque::new(),
        notes: VecDeque::new(),
        retiring: false,
        held: false,
        forwarding,
        bfd,
        watcher,
        way: Way::default(),
        probed: None,
        doubt: None,
        told: Told::new(broadcast),
        tally: Tally::default(),
        read: Time::ZERO,
        behind: None,
        delays,
    };
    (handle, tokio::spawn(pump.run(inbox, rib)))
}

struct Pump {
    peer: Peer,
    endpoint: Endpoint,
    clock: Clock,
    dialled: Option<Conn>,
    accepted: Option<Conn>,
    /// A second accepted connection, until the actor has said which one stays.
    calling: Option<Conn>,
    dialling: Option<Dial>,
    live: Option<Live>,
    to_rib: VecDeque<FromPeer>,
    notes: VecDeque<String>,
    retiring: bool,
    /// The operator has ended the session; only he begins it again.
    held: bool,
    forwarding: watch::Receiver<Forwarding>,
    bfd: watch::Receiver<Option<Loss>>,
    watcher: BfdHandle,
    way: Way,
    /// When it is looked whether a KEEPALIVE was acknowledged, which went because the path may be
    /// dead.
    probed: Option<Time>,
    /// Whether the neighbour's host is alive though BFD hears nothing.
    doubt: Option<Doubt>,
    /// What those hear who listen.
    told: Told,
    tally: Tally,
    /// When something was read last.
    read: Time,
    /// When that came because of which what waits in the socket's queue is told.
    behind: Option<Time>,
    delays: Delays,
}

impl Pump {
    async fn run(mut self, mut inbox: mpsc::Receiver<Command>, rib: mpsc::Sender<FromPeer>) {
        let mut out = Vec::new();
        self.forwarding.mark_changed();
        while !(self.retiring && self.to_rib.is_empty()) {
            let read = self.to_rib.is_empty();
            tokio::select! {
                command = inbox.recv(), if !self.retiring => match command {
                    Some(command) => self.command(command, &mut out),
                    None => return,
                },
                result = dialled(&mut self.dialling) => {
                    self.dialling = None;
                    self.connected(result, &mut out);
                }
                result = progress(&mut self.dialled, read) => {
                    self.progressed(Slot::Dialled, result, &mut out);
                }
                result = progress(&mut self.accepted, read) => {
                    self.progressed(Slot::Accepted, result, &mut out);
                }
                message = from_rib(&mut self.live) => self.hear_rib(message, &mut out),
                Ok(()) = self.forwarding.changed() => {
                    let forwarding = *self.forwarding.borrow_and_update();
                    self.handle(PeerIn::Forwarding(forwarding), &mut out);
                }
                Ok(()) = self.bfd.changed() => {
                    let lost = *self.bfd.borrow_and_update();
                    self.bfd_is(lost, &mut out);
                }
                permit = rib.reserve(), if !self.to_rib.is_empty() => match permit {
                    Ok(permit) => if let Some(message) = self.to_rib.pop_front() {
                        permit.send(message);
                        // The Rib begins with what is there: what is read next comes while it works.
                        tokio::task::yield_now().await;
                    },
                    Err(_) => return,
                },
                () = self.clock.sleep_until(self.probed) => self.see_probe(&mut out),
                () = self.clock.sleep_until(self.doubt.map(|doubt| doubt.at)) => {
                    self.see_doubt(&mut out);
                }
                () = self.clock.sleep_until(self.peer.next_deadline()) => self.tick(&mut out),
            }
            self.carry_out(&mut out);
            self.pull();
            if self.behind.is_some() {
                self.see_whether_all_is_told();
            }
        }
    }

    fn handle(&mut self, input: PeerIn<'_>, out: &mut Vec<PeerOut>) {
        self.peer.handle(self.clock.now(), input, out);
    }

    fn command(&mut self, command: Command, out: &mut Vec<PeerOut>) {
        match command {
            Command::Start => self.start(out),
            Command::Down(text) => {
                self.held = true;
                let why = Notification::CEASE_SHUTDOWN.saying(&text);
                self.handle(PeerIn::Stop(why), out);
                // One that was away already is meant as well: nothing of it is waited for.
                let peer = self.peer.config().id;
                self.to_rib.push_back(FromPeer::In(RibIn::ForwardingLost { peer }));
            }
            Command::Up => {
                self.held = false;
                self.handle(PeerIn::Start, out);
            }
            Command::Refresh => self.handle(PeerIn::RequestRefresh, out),
            Command::Clear(text) => {
                self.handle(PeerIn::Leave(Notification::CEASE_RESET.saying(&text)), out);
                self.carry_out(out);
                self.start(out);
            }
            Command::Configure(config, endpoint) => self.configure(config, endpoint, out),
            Command::Way(way) => self.way_is(way, out),
            // One answer is enough.
            Command::Unanswered if self.probed.is_some() => {}
            Command::Unanswered => self.handle(PeerIn::Probe, out),
            Command::Accepted(stream, remote) => self.accept(stream, remote, out),
            Command::Status(answer) => {
                let mut status = self.peer.status();
                // The actor counts what it says itself; the Rib's messages pass it by.
                let Said { updates, refreshes, octets, .. } = self.tally.sent;
                status.sent.updates += updates;
                status.sent.refreshes += refreshes;
                status.sent.octets += octets;
                // Whoever asked may have gone away.
                let notes = self.notes.iter().cloned().collect();
                let connections = [&self.dialled, &self.accepted, &self.calling];
                let connections = connections.into_iter().flatten();
                let _ = answer.send(Report {
                    status,
                    notes,
                    held: self.held,
                    buffered: connections.clone().map(Conn::held).sum(),
                    queued: connections.map(Conn::queued).sum(),
                    tally: self.tally.clone(),
                });
            }
            Command::Leave(notification) => {
                self.handle(PeerIn::Leave(notification), out);
                self.retiring = true;
            }
            Command::Retire(notification) => {
                self.handle(PeerIn::Stop(notification), out);
                self.retiring = true;
            }
        }
    }

    /// A new transport takes a new session. What OPEN says may be the same as before, so the actor
    /// does not see it by itself.
    fn configure(&mut self, config: Box<PeerConfig>, endpoint: Endpoint, out: &mut Vec<PeerOut>) {
        let anew = self.endpoint.is_left_for(&endpoint);
        if anew {
            self.handle(PeerIn::Leave(Notification::CEASE_CONFIG_CHANGE), out);
            self.carry_out(out);
        }
        if self.peer.config().local_address != config.local_address {
            // What the kernel said is about another session; it says more if there is more.
            self.way_is(Way::default(), out);
        }
        self.endpoint = endpoint;
        self.handle(PeerIn::Configure(config), out);
        if anew {
            self.start(out);
        }
    }

    fn start(&mut self, out: &mut Vec<PeerOut>) {
        if !self.held {
            // Our first OPEN says how we started.
            let forwarding = *self.forwarding.borrow_and_update();
            self.handle(PeerIn::Forwarding(forwarding), out);
            self.handle(PeerIn::Start, out);
        }
    }

    /// Before the actor may judge that the neighbour is silent, it sees what waits in the socket.
    fn tick(&mut self, out: &mut Vec<PeerOut>) {
        let resting = !self.to_rib.is_empty();
        if !resting && let Some(slot) = self.live.as_ref().map(|live| live.slot) {
            let result = self.conn(slot).as_mut().map(Conn::read);
            if let Some(result) = result {
                self.progressed(slot, result, out);
                self.carry_out(out);
            }
        }
        let live = self.live.as_ref().map(|live| live.slot);
        let stalled = live.and_then(|slot| self.conn(slot).as_ref().map(Conn::stalled));
        let stalled = stalled.unwrap_or_default();
        self.handle(PeerIn::Tick { unread: resting, stalled }, out);
    }

    fn carry_out(&mut self, out: &mut Vec<PeerOut>) {
        for message in out.drain(..) {
            match message {
                PeerOut::Dial => {
                    self.dialling = Some(Box::pin(self.endpoint.dial(self.peer.config())));
                }
                PeerOut::Send { slot, bytes } => {
                    if let Some(conn) = self.conn(slot) {
                        conn.send(bytes);
                    }
                }
                PeerOut::Close { slot } => {
                    if slot == Slot::Dialled {
                        self.dialling = None;
                    }
                    if let Some(conn) = self.conn(slot).take() {
                        conn.finish();
                    }
                    if slot == Slot::Accepted {
                        self.accepted = self.calling.take();
                    }
                }
                PeerOut::Refuse(notification) => {
                    if let Some(mut conn) = self.calling.take().or_else(|| self.accepted.take()) {
                        let mut message = BytesMut::new();
                        notification.put(&mut message);
                        conn.send(message.freeze());
                        conn.finish();
                    }
                }
                PeerOut::Up { slot, up } => {
                    let (to_session, from_rib) = mpsc::channel(8);
                    self.live = Some(Live { slot, from_rib, pulling: false });
                    self.watcher.established(self.peer.config().id, true);
                    self.to_rib.push_back(FromPeer::Up(up, to_session));
                }
                PeerOut::Down { retain, reason } => {
                    self.live = None;
                    self.behind = None;
                    self.doubt = None;
                    self.tally.lost(cause::of(&reason, &self.endpoint.transport));
                    let (peer, silent) = (self.peer.config().id, reason.is_silence());
                    self.watcher.established(peer, false);
                    self.to_rib.push_back(FromPeer::In(RibIn::PeerDown { peer, retain, silent }));
                }
                PeerOut::Overdue { valid } => {
                    let peers = vec![self.peer.config().id];
                    self.to_rib.push_back(FromPeer::In(RibIn::Overdue { peers, valid }));
                }
                PeerOut::Routes(batch) => {
                    self.tally.routes(&batch);
                    self.to_rib.push_back(FromPeer::Routes(batch, self.read));
                }
                PeerOut::Watch => self.watch_for_an_answer(),
                PeerOut::ForwardingLost => {
                    let peer = self.peer.config().id;
                    self.to_rib.push_back(FromPeer::In(RibIn::ForwardingLost { peer }));
                }
                PeerOut::Refresh(family) => {
                    let peer = self.peer.config().id;
                    self.to_rib.push_back(FromPeer::In(RibIn::Refresh { peer, family }));
                }
                PeerOut::Event(event) => {
                    events::peer(self.peer.config(), &self.endpoint.transport, &event);
                    self.told.note(self.peer.config(), &self.endpoint.transport, &event);
                    self.note(event);
                }
            }
        }
        self.told.finish(self.peer.config());
    }

    fn note(&mut self, event: PeerEvent) {
        if let PeerEvent::Malformed(what) | PeerEvent::Mismatch(what) = event
            && self.notes.back() != Some(&what)
        {
            self.remember(what);
        }
    }

    fn remember(&mut self, note: String) {
        if self.notes.len() == NOTES {
            self.notes.pop_front();
        }
        self.notes.push_back(note);
    }
}
