//! The Fib's task, and its words for operators in the log.

use starling_bgp::msg::RibIn;
use starling_fib::Fib;
use starling_fib::netlink::{self, Command, News, Options, Seen};
use starling_fib::types::{Coupling, Ends, FibIn, PodNews, Report, RouteOp, Way};
use tokio::sync::{mpsc, oneshot};

use super::bridge;
use super::broadcast::Broadcast;
use super::delays::Delays;
use super::rib::Control;

/// The way into the Fib.
#[derive(Clone, Debug)]
pub struct FibHandle {
    /// Its inbox.
    pub commands: mpsc::Sender<Command>,
}

impl FibHandle {
    /// Tells the Fib; one that has ended hears nothing (the daemon is stopping).
    pub async fn tell(&self, input: FibIn) {
        if self.commands.send(Command::Fib(input)).await.is_err() {
            tracing::debug!("the Fib has ended");
        }
    }

    /// Leaves the kernel's routes as they are, whatever the Rib says from now on.
    pub async fn freeze(&self) {
        if self.commands.send(Command::Freeze).await.is_err() {
            tracing::debug!("the Fib has ended");
        }
    }

    /// Asks the Fib; `None` if it has ended.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Fib) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let query = Command::Query(Box::new(move |fib| {
            // Nobody waits for the answer any more: nothing is lost.
            let _ = answer.send(question(fib));
        }));
        self.commands.send(query).await.ok()?;
        answered.await.ok()
    }
}

/// Starts the Fib. `failed` gets the words if it ends because the kernel cannot be talked to;
/// `broadcast` what is written and what is said of it, `delays` how long it took.
pub fn spawn(
    tunnel_stand_in: bool,
    failed: oneshot::Sender<String>,
    broadcast: Broadcast,
    delays: Delays,
) -> (FibHandle, mpsc::UnboundedReceiver<News>) {
    let (commands, inbox) = mpsc::channel(64);
    let watch = move |fib: &Fib, seen: Seen<'_>| match seen {
        Seen::Written(ops, failures) => broadcast.tell_writes(fib, ops, failures),
        Seen::Reported(report) => broadcast.tell_report(report),
        Seen::CaughtUp(came) => delays.kernel.took(came.elapsed()),
    };
    // A new channel has room.
    let _ = commands.try_send(Command::Watch(Box::new(watch)));
    let (news, news_in) = mpsc::unbounded_channel();
    let options = Options { accept_any_tunnel_kind: tunnel_stand_in, ..Options::default() };
    tokio::spawn(async move {
        if let Err(error) = netlink::run(options, inbox, news).await {
            // Nobody listens when the daemon is stopping anyway.
            let _ = failed.send(error.to_string());
        }
    });
    (FibHandle { commands }, news_in)
}

/// What the sessions should know of the kernel.
#[derive(Debug)]
pub enum ForSessions {
    /// Ways that changed.
    Ways(Vec<(Ends, Way)>),
    /// Peers that the kernel looked for in vain.
    Unanswered(Vec<Ends>),
}

/// Brings the Fib's news to the Rib, to the sessions and into the log, until the Rib is gone.
pub async fn bring_news(
    mut news: mpsc::UnboundedReceiver<News>,
    rib: mpsc::Sender<Control>,
    sessions: mpsc::UnboundedSender<ForSessions>,
) {
    while let Some(news) = news.recv().await {
        let input = match news {
            News::Nexthops(costs) => bridge::costs(costs),
            News::Pods(PodNews { came, went }) => {
                tracing::debug!(came = came.len(), went = went.len(), "local pods are announced");
                RibIn::Pods { came, went }
            }
            // Without a bound, as the news itself is; nobody listens when the daemon is stopping.
            News::Ways(ways) => {
                let _ = sessions.send(ForSessions::Ways(ways));
                continue;
            }
            News::Unanswered(peers) => {
                let _ = sessions.send(ForSessions::Unanswered(peers));
                continue;
            }
            News::Report(report) => {
                log(&report);
                continue;
            }
        };
        if rib.send(Control::In(input)).await.is_err() {
            return;
        }
    }
}

/// One line a report; the Fib says each thing once.
fn log(report: &Report) {
    match report {
        Report::Disease { next_hop, prefix, why, .. } => tracing::warn!(
            %prefix, %next_hop,
            "pods there may not be reachable: {why}; set the pool's ipip to \"cross-subnet\" or \
             make the gateway a BGP peer"
        ),
        Report::Cured { next_hop } => {
            tracing::info!(%next_hop, "no longer leaning on a gateway that is no BGP peer");
        }
        Report::Refused(failure) => {
            let (RouteOp::Add(route)
            | RouteOp::Replace { new: route, .. }
            | RouteOp::Delete(route)) = &failure.op;
            tracing::error!(
                prefix = %route.key.prefix, errno = failure.errno,
                "the kernel refused a route: {}; it is tried again", failure.reason
            );
        }
        Report::Drift { prefix, what } => {
            tracing::warn!(%prefix, "somebody else changed a route of ours, put back: {what}");
        }
        Report::Rival { what, example, waits, .. } => {
            let again = match waits {
                true => "ours are put back after growing waits",
                false => "ours are put back where their place is free",
            };
            tracing::warn!(last = %example, "{what}: two programs manage the same routes; {again}");
        }
        Report::Unheard { differences, first, what } => tracing::error!(
            differences,
            first = first.map(tracing::field::display),
            "an audit found the kernel other than its news had said ({what}): everything is read \
             again and put right; where this repeats, something is wrong with starlingd"
        ),
        Report::Occupied { key, protocol } => tracing::warn!(
            prefix = %key.prefix, protocol,
            "a route that is not ours sits under our key; it is left alone, and ours is not there"
        ),
        Report::NoObjects(why) => tracing::warn!("[kernel] nexthop-objects: {why}"),
        Report::ObjectDrift { id, routes, what } => tracing::warn!(
            id,
            routes,
            "somebody else {what} a nexthop object of ours; another takes its place"
        ),
        Report::Tunnel(error) => tracing::error!("no tunnel: {error}"),
        Report::TunnelDrift { device, what } => {
            tracing::warn!(device, "somebody else changed the tunnel, put right: {what}");
        }
        Report::Subnet { why, .. } => tracing::warn!("{why}"),
        Report::ForwardingOff(sysctl) => tracing::error!(
            "{sysctl} is off: this node forwards nothing to its pods; `sysctl -w {sysctl}=1`"
        ),
        Report::Adopted(routes) => {
            tracing::info!(routes, "adopted a predecessor's routes");
        }
        Report::Swept(routes) => {
            tracing::info!(routes, "removed a predecessor's routes that nobody announced again");
        }
        Report::Coupling(Coupling::Coupled) => {
            tracing::info!("the kernel follows again: coupled by the operator");
        }
        Report::Coupling(Coupling::Decoupled) => tracing::warn!(
            "decoupled by the operator: the kernel keeps what it has, until `bgpctl fib couple`"
        ),
        Report::Coupling(Coupling::Flushed) => tracing::warn!(
            "the operator has all our routes removed from the kernel; none is written until \
             `bgpctl fib couple`"
        ),
        Report::Flushed(routes) => {
            tracing::warn!(routes, "our routes are gone from the kernel, as the operator wanted");
        }
    }
}
