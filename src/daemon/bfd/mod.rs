//! BFD's pump: one OS thread that owns all BFD sessions and their sockets.
//!
//! ```text
//!   Supervisor ──Watch(all neighbours)──►┌─────┐◄──packets── UDP 3784, 4784
//!   sessions   ──Established, or not─────►│ bfd │───packets─►
//!   control    ──Report──────────────────►└──┬──┘
//!                             News (never waits) ──► the log, the loss to the neighbour's pump,
//!                                                    and who else is overdue to the Rib
//! ```
//!
//! Packets must leave in time while a million routes are processed, so this thread waits for nobody:
//! no runtime, no shared lock, nothing logged from here. It asks for nice -20, so that a busy
//! host schedules it at once; that takes CAP_SYS_NICE, and is said where it is not granted.
//!
//! It begins with a neighbour once the BGP session is Established, and before that only answers
//! (RFC 5880 §6.1, the passive role): there is nothing yet that a loss could end, and nodes that are
//! down, or start all at once, cost each other nothing.

mod inbox;
mod pump;
mod socket;
mod sockets;

use std::net::IpAddr;
use std::time::Duration;

use starling_bgp::bfd::{Cause, Loss, Status};
use starling_bgp::msg::RibIn;
use starling_bgp::types::PeerId;
use starling_config::PeerKey;
use starling_config::model::Bfd;
use tokio::sync::{mpsc, oneshot};

use inbox::Outside;

use super::clock::Clock;
use super::peer::PeerHandle;
use super::privilege;
use super::rib;

/// How long it counts that a neighbour was overdue when another one was lost.
pub const OVERDUE: Duration = Duration::from_secs(5);

/// A neighbour to be watched.
#[derive(Clone, Debug)]
pub struct Target {
    /// Whom a loss is told.
    pub peer: PeerHandle,
    /// Its name, for the log.
    pub name: String,
    /// Where it is.
    pub who: PeerKey,
    /// Our address towards it; `None`: the kernel's choice.
    pub local: Option<IpAddr>,
    /// How.
    pub bfd: Bfd,
}

/// How BFD with a neighbour is.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it is configured.
    pub bfd: Bfd,
    /// Our address towards it.
    pub local: Option<IpAddr>,
    /// What its session says.
    pub status: Status,
    /// Something was heard since the session began.
    pub heard: bool,
    /// Packets of it that were not believed: malformed, from too far away, of another session.
    pub discarded: u64,
    /// Why nothing can be sent or received, in words.
    pub trouble: Option<String>,
}

/// What the thread is told.
#[derive(Debug)]
enum Command {
    /// All that shall be watched from now on.
    Watch(Vec<Target>),
    /// Whether this address of ours is waited for: it is on no interface.
    Waits(IpAddr, bool),
    /// Whether the BGP session with this neighbour is Established.
    Established(PeerId, bool),
    /// How are they?
    Report(oneshot::Sender<Vec<(PeerId, Report)>>),
    /// Say AdminDown to all, then end.
    Stop(oneshot::Sender<()>),
}

/// What the thread tells, in order.
#[derive(Debug)]
enum News {
    Up(Target),
    /// With the neighbours of which nothing was heard for too long either.
    Down(Target, Loss, Vec<PeerId>),
    /// Something is wrong with our side, said once until it changes.
    Trouble(Option<Target>, String),
}

/// The way to the thread. Telling it never waits; what is told after its end, when the daemon stops,
/// is lost.
#[derive(Clone, Debug)]
pub struct BfdHandle {
    commands: Outside,
}

impl BfdHandle {
    /// From now on these are watched, and no others. What stays keeps its state, with changed
    /// settings too; what goes is told that this is no failure.
    pub fn watch(&self, targets: Vec<Target>) {
        self.commands.tell(Command::Watch(targets));
    }

    /// Whether `local` is on no interface: nothing is tried from it until it is.
    pub fn waits(&self, local: IpAddr, waits: bool) {
        self.commands.tell(Command::Waits(local, waits));
    }

    /// Whether the BGP session with `peer` is Established: until it is, nothing is sent but answers.
    pub fn established(&self, peer: PeerId, established: bool) {
        self.commands.tell(Command::Established(peer, established));
    }

    /// How all of them are; none if the thread has ended.
    pub async fn report(&self) -> Vec<(PeerId, Report)> {
        let (answer, answered) = oneshot::channel();
        self.commands.tell(Command::Report(answer));
        answered.await.unwrap_or_default()
    }

    /// Tells all neighbours that what follows is no failure, and ends the thread.
    pub async fn stop(&self) {
        let (answer, answered) = oneshot::channel();
        self.commands.tell(Command::Stop(answer));
        let _ = answered.await;
    }
}

/// Starts the thread, and the task that carries its news.
///
/// # Errors
/// When the system gives no thread.
pub fn spawn(clock: Clock, rib: mpsc::Sender<rib::Control>) -> std::io::Result<BfdHandle> {
    let (commands, inbox) = inbox::open()?;
    // Without a bound, so that the thread never waits; a flap a second and session at the most.
    let (news, to_tell) = mpsc::unbounded_channel();
    std::thread::Builder::new().name("bfd".into()).spawn(move || {
        if let Err(error) = rustix::process::setpriority_process(None, -20) {
            let words = format!("BFD runs without priority ({error}): a busy host may delay it");
            let _ = news.send(News::Trouble(None, words));
        }
        privilege::shed();
        pump::Pump::new(clock, news).run(&inbox);
    })?;
    tokio::spawn(tell(to_tell, rib));
    Ok(BfdHandle { commands })
}

async fn tell(mut news: mpsc::UnboundedReceiver<News>, rib: mpsc::Sender<rib::Control>) {
    while let Some(news) = news.recv().await {
        match news {
            News::Up(target) => {
                tracing::info!(peer = target.name, address = %target.who, "BFD up");
                target.peer.bfd.send_replace(None);
            }
            News::Down(target, Loss { cause: Cause::AdminDown, .. }, _) => {
                tracing::info!(
                    peer = target.name, address = %target.who,
                    "BFD taken down by the neighbour: no failure"
                );
                target.peer.bfd.send_replace(None);
            }
            News::Down(target, loss, overdue) => {
                tracing::warn!(
                    peer = target.name, address = %target.who, "BFD down: {}", loss.cause
                );
                // Before it judges this loss, the Rib is to know whether it is the only one. A
                // closed channel means that the daemon is stopping.
                let overdue = RibIn::Overdue { peers: overdue, valid: OVERDUE };
                let _ = rib.send(rib::Control::In(overdue)).await;
                target.peer.bfd.send_replace(Some(loss));
            }
            News::Trouble(Some(target), words) => {
                tracing::warn!(peer = target.name, address = %target.who, "BFD: {words}");
            }
            News::Trouble(None, words) => tracing::warn!("{words}"),
        }
    }
}
