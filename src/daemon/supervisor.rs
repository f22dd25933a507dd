//! The supervisor: starts everything in its order, applies configurations, ends it.
//!
//! It owns the running configuration and its generation number. Whoever wants to see them reads
//! the published [`Roster`]; whoever wants them changed sends a [`Request`]. `reload` reads files
//! again, `change` makes changes with a way back, `past` keeps what was in force.

mod change;
mod past;
mod reload;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use starling_bgp::msg::RibIn;
use starling_bgp::session::Forwarding;
use starling_bgp::session::State;
use starling_config::{Config, NodePlan};
use starling_fib::types::FibIn;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};

use super::bfd::{self, BfdHandle};
use super::broadcast::Broadcast;
use super::callers::{Call, Callers};
use super::clock::Clock;
use super::delays::Delays;
use super::doors::Doors;
use super::dynamic::{Dynamic, LINGER, REVIEW};
use super::fib::FibHandle;
use super::generations::Wish;
use super::generations::shelf::Shelf;
use super::keyring::Keyring;
use super::listen;
use super::moved::Moved;
use super::neighbours::Neighbours;
use super::peer::{Around, Command, Report};
use super::rib::{self, Control, RibHandle};
use super::roster::{Request, Roster};
use super::view::{Actors, View};
use super::watch::ConfigWatch;
use super::{Options, fib, identity, privilege, watchdog};
use change::Trial;
use reload::Loaded;

/// How long the start waits for the kernel's table …
const LOOK: Duration = Duration::from_secs(2);
/// … looking so often.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// What kept it from starting, for people.
pub async fn run(options: Options) -> Result<(), String> {
    let clock = Clock::start();
    let host = identity::host().await.map_err(|error| error.to_string())?;
    let Loaded { config, plan } =
        reload::load(&options, &host).map_err(|errors| errors.join("\n"))?;
    tracing::info!(
        node = %plan.name, asn = %plan.asn, router_id = %plan.router_id,
        peers = plan.peers.len(), "starlingd {} starts", env!("CARGO_PKG_VERSION")
    );

    let socket = options.control.clone().unwrap_or_else(|| plan.control.clone());
    let doors = Doors::open(&plan, &socket).await?;

    let (kernel_lost, mut lost_kernel) = oneshot::channel();
    let (broadcast, delays) = (Broadcast::default(), Delays::default());
    let (fib, news) =
        fib::spawn(options.tunnel_stand_in, kernel_lost, broadcast.clone(), delays.clone());
    let forwarding = watch::Sender::new(Forwarding { restarting: true, preserved: false });
    let (to_fib, told) = (fib.commands.clone(), broadcast.clone());
    let rib = rib::spawn(clock, to_fib, forwarding.clone(), told, delays.clone());
    let (for_sessions, mut to_sessions) = mpsc::unbounded_channel();
    tokio::spawn(fib::bring_news(news, rib.control.clone(), for_sessions));

    let bfd = bfd::spawn(clock, rib.control.clone()).map_err(|error| error.to_string())?;
    privilege::shed();

    let (calls, mut called) = mpsc::channel(16);
    let callers = Callers::new(calls);
    let (changed, mut changes) = mpsc::channel(1);
    let watch = match ConfigWatch::start(changed) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "cannot watch the configuration: changes need SIGHUP or `bgpctl reload`");
            None
        }
    };
    let seed = getrandom::u64().map_err(|error| error.to_string())?;
    let around = Around {
        rib: rib.routes.clone(),
        forwarding: forwarding.subscribe(),
        bfd: bfd.clone(),
        broadcast: broadcast.clone(),
        delays: delays.clone(),
    };
    let neighbours = Neighbours::new(clock, around, callers.clone(), seed);
    let (config, plan) = (Arc::new(config), Arc::new(plan));
    let (shelf, generations) = past::open(&options);
    let roster = Roster {
        config: Arc::clone(&config),
        plan: Arc::clone(&plan),
        file: options.config.clone(),
        generation: 0,
        digest: config.texts.digest(),
        generations: Arc::new(generations),
        unconfirmed: None,
        since: clock.now(),
        peers: Vec::new(),
        rejected: None,
    };
    let mut supervisor = Supervisor {
        options,
        clock,
        on_disk: Some(Arc::clone(&config)),
        trial: None,
        shelf,
        starting: true,
        config,
        callers: callers.clone(),
        neighbours,
        dynamic: Dynamic::default(),
        moved: Moved::default(),
        keyring: Keyring::new(doors.bgp().to_vec()),
        rib: rib.clone(),
        fib: fib.clone(),
        bfd: bfd.clone(),
        watch,
        roster: watch::Sender::new(roster),
        forwarding,
    };
    supervisor.apply(plan, Wish::of("the start"), Vec::new()).await;
    let (requests, mut inbox) = mpsc::channel(8);
    let log = supervisor.options.log.clone();
    let actors = Actors { rib, fib, bfd, broadcast: broadcast.clone(), delays };
    tokio::spawn(watchdog::run(actors.clone(), requests.clone()));
    let view =
        &View::new(clock, supervisor.roster.subscribe(), actors, callers.clone(), requests, log);
    let (stop, stopping) = watch::channel(false);
    // Only now is it known who may call; until then connections wait in the backlog.
    let mut services = doors.serve(&callers, view, &stopping);

    let mut hangup = signal(SignalKind::hangup()).map_err(|error| error.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    notify(&[sd_notify::NotifyState::Ready]);
    let mut review = tokio::time::interval(REVIEW);
    review.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let due = supervisor.trial.as_ref().map(|trial| trial.until);
        tokio::select! {
            Some(call) = called.recv() => supervisor.answer(call).await,
            Some(news) = to_sessions.recv() => {
                supervisor.neighbours.heed(news, &supervisor.rib.control).await;
            }
            _ = review.tick(), if !supervisor.dynamic.is_empty() || !supervisor.moved.is_empty() => {
                supervisor.review(LINGER).await;
            }
            Some(request) = inbox.recv() => supervisor.serve(request).await,
            () = clock.sleep_until(due) => supervisor.expire().await,
            _ = hangup.recv() => supervisor.hung_up().await,
            Some(()) = changes.recv() => supervisor.changed().await,
            Ok(error) = &mut lost_kernel => return Err(error),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("stopping: the kernel's routes stay");
    notify(&[sd_notify::NotifyState::Stopping]);
    supervisor.fib.freeze().await;
    // Before the sessions end, or their neighbours would see paths fail.
    supervisor.bfd.stop().await;
    supervisor.neighbours.shut_down().await;
    broadcast.end("the daemon is stopping");
    // The receivers may be gone already.
    let _ = stop.send(true);
    let closing = async { while services.join_next().await.is_some() {} };
    // Listeners accept for ever; the control sockets close by themselves.
    let _ = tokio::time::timeout(std::time::Duration::from_millis(200), closing).await;
    services.shutdown().await;
    Ok(())
}

struct Supervisor {
    options: Options,
    clock: Clock,
    /// In force.
    config: Arc<Config>,
    /// What the files said when they were read or written last; `None`: never anything.
    on_disk: Option<Arc<Config>>,
    /// What waits to be confirmed.
    trial: Option<Trial>,
    /// Where configurations outlive the daemon.
    shelf: Option<Shelf>,
    /// Nothing is in force yet.
    starting: bool,
    callers: Callers,
    neighbours: Neighbours,
    dynamic: Dynamic,
    moved: Moved,
    keyring: Keyring,
    rib: RibHandle,
    fib: FibHandle,
    bfd: BfdHandle,
    watch: Option<ConfigWatch>,
    roster: watch::Sender<Roster>,
    /// What OPENs say of our own restart.
    forwarding: watch::Sender<Forwarding>,
}

impl Supervisor {
    /// What an operator wants. Whoever asked may have hung up; it is done all the same.
    async fn serve(&mut self, request: Request) {
        match request {
            Request::Alive(answer) => drop(answer.send(())),
            Request::Reload { reason, answer } => drop(answer.send(self.asked(&reason).await)),
            Request::Plan(proposal, answer) => self.plan(proposal, answer).await,
            Request::Apply(proposal, terms, answer) => {
                drop(answer.send(self.make(proposal, terms).await));
            }
            Request::Confirm { dry, answer } => drop(answer.send(self.confirm(dry).await)),
            Request::RollBack { query, answer } => {
                drop(answer.send(self.roll_back(&query).await));
            }
        }
    }

    /// Makes `plan` the running one.
    async fn apply(&mut self, plan: Arc<NodePlan>, wish: Wish<'_>, changes: Vec<String>) {
        self.dynamic.review(&plan);
        self.moved.review(self.clock.now(), &self.roster.borrow().plan, &plan);
        self.keyring.apply(&plan);
        self.enact(&plan).await;
        if let Some(watch) = &mut self.watch {
            let config = &self.config;
            watch.watch(config.files.iter().chain(&config.folders).map(PathBuf::as_path));
        }
        self.count(plan, wish, changes).await;
    }

    /// Tells the actors what is the plan, with the neighbours that called or moved. The kernel's side
    /// first: a route must never be programmed by the old pools once a session runs by the new
    /// ones.
    async fn enact(&mut self, plan: &NodePlan) {
        let plan = Arc::new(change::whole(plan, &self.dynamic, &self.moved));
        self.neighbours.prepare(&plan);
        let neighbours = &self.neighbours;
        let rib = plan.rib_config(|peer| neighbours.id(&peer.key()));
        self.fib.tell(FibIn::Configure(Box::new(plan.fib.clone()))).await;
        // A closed channel means that the Rib's task has ended: the daemon is stopping.
        let _ = self.rib.control.send(Control::In(RibIn::Configure(Box::new(rib)))).await;
        if std::mem::take(&mut self.starting) {
            self.look_for_a_predecessor().await;
        }
        self.neighbours.settle(plan).await;
        self.bfd.watch(self.neighbours.watched());
        let peers = self.neighbours.iter().map(|n| (n.plan.clone(), n.handle.clone())).collect();
        self.roster.send_modify(|roster| roster.peers = peers);
    }

    /// Whether the kernel still forwards by routes of a predecessor (RFC 4724 §4.1): neighbours are
    /// told with the first OPEN, so nobody is called before the kernel's table has been read once,
    /// or cannot be.
    async fn look_for_a_predecessor(&self) {
        let read = async {
            loop {
                let seen = self.fib.ask(|fib| (fib.is_sure(), fib.leftovers().next().is_some()));
                match seen.await {
                    Some((false, _)) => tokio::time::sleep(LOOK_AGAIN).await,
                    Some((true, preserved)) => return preserved,
                    None => return false,
                }
            }
        };
        let preserved = tokio::time::timeout(LOOK, read).await.unwrap_or(false);
        self.forwarding.send_modify(|forwarding| forwarding.preserved |= preserved);
    }

    /// A caller from a range: makes a neighbour of it, or says why not.
    async fn answer(&mut self, call: Call) {
        let plan = Arc::clone(&self.roster.borrow().plan);
        let Call { stream, remote, who, asn } = call;
        let mut admitted = self.dynamic.admit(&plan, &who, asn);
        if matches!(&admitted, Err(refused) if refused.full) {
            // Those that are gone make room at once.
            self.review(Duration::ZERO).await;
            admitted = self.dynamic.admit(&plan, &who, asn);
        }
        match admitted {
            Ok(new) => {
                if new {
                    tracing::info!(address = %who, %asn, "a neighbour called from a range");
                    self.enact(&plan).await;
                }
                if let Some(peer) = self.neighbours.handle(&who) {
                    // As for any caller: a task that is busy makes it try again.
                    let _ = peer.commands.try_send(Command::Accepted(stream, remote));
                }
            }
            Err(refused) => {
                if self.dynamic.is_news(&who, &refused) {
                    tracing::warn!(address = %who, "connection refused: {}", refused.words);
                }
                self.callers.count_refused();
                listen::refuse(stream, &refused.notification);
            }
        }
    }

    /// Forgets dynamic neighbours that have had no session for `linger`, and of which the Rib
    /// keeps nothing (a restarting one's routes stay, and so does it), and those whose address was
    /// changed long enough ago.
    async fn review(&mut self, linger: Duration) {
        let mut gone = self.moved.expire(self.clock.now());
        let mut idle = Vec::new();
        for (who, _) in self.dynamic.iter() {
            let Some(peer) = self.neighbours.handle(who) else { continue };
            let (answer, answered) = oneshot::channel();
            if peer.commands.send(Command::Status(answer)).await.is_err() {
                continue;
            }
            let Ok(Report { status, .. }) = answered.await else { continue };
            let since = self.clock.now().since(status.since);
            let waiting = matches!(status.state, State::Idle | State::Active);
            if waiting && since >= linger {
                idle.push((who.clone(), peer.id));
            }
        }
        let ids: Vec<_> = idle.iter().map(|(_, id)| *id).collect();
        let counts = self.rib.ask(move |rib| -> Vec<_> {
            ids.into_iter().map(|id| rib.peer_counts(id).received).collect()
        });
        let Some(counts) = counts.await else { return };
        for ((who, _), _) in idle.iter().zip(counts).filter(|(_, received)| *received == [0, 0]) {
            tracing::info!(address = %who, "a neighbour from a range is gone");
            self.dynamic.forget(who);
            gone = true;
        }
        if gone {
            let plan = Arc::clone(&self.roster.borrow().plan);
            self.enact(&plan).await;
        }
    }
}

/// Tells systemd, where it listens; elsewhere this does nothing.
pub(super) fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "sd_notify");
    }
}
