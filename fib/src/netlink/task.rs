//! The pump: moves messages between the Rib, the [`Fib`] and the kernel.
//!
//! In: [`Command`]s through a bounded channel (a full one makes the sender wait). Out: [`News`].
//! The Fib decides, this carries out; it holds no opinion and no state of its own. The kernel works
//! in a task beside it, one request after the other, so that queries and news are answered while a
//! large batch is written. What takes long has a thread of its own for that time; the little that a
//! single route needs is done where it arrives, for waking a thread takes longer.

use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};
use tokio::task::block_in_place;
use tokio::time::Instant;

use super::forwarding::Forwarding;
use super::{Auditor, Netlink, NetlinkError, Options};
use crate::Fib;
use crate::audit::Audit;
use crate::types::{
    Cost, Coupling, Dump, Ends, FibIn, FibOut, NextHop, ObjectOp, OpFailure, PodNews, Report,
    RouteChange, RouteOp, TunnelSpec, Way,
};

/// Commands taken from the channel before the Fib is told.
const INBOX: usize = 1024;
/// More routes than this take long.
const MANY: usize = 256;
/// The main table, until a configuration names another.
const RT_TABLE_MAIN: u32 = 254;

/// What the pump takes.
pub enum Command {
    /// A message for the Fib. Answers of the kernel are the pump's own to give.
    Fib(FibIn),
    /// Best routes that changed, as [`FibIn::Routes`], because of what came then.
    Routes(Vec<RouteChange>, Moment),
    /// Audits the kernel's table and answers what that came to, or why it came to nothing.
    Audit(oneshot::Sender<Result<Audit, String>>),
    /// A look at the Fib, after all that was sent before.
    Query(Box<dyn FnOnce(&Fib) + Send>),
    /// Shows what happens to this from now on, in its order; the Fib is as it was before it heard
    /// of a batch that was carried out.
    Watch(Watch),
    /// From here on the kernel is left as it is. Said before the sessions are closed at the end:
    /// what their neighbours announced is gone then, and must stay in the kernel all the same.
    Freeze,
}

/// Who is shown what happens.
pub type Watch = Box<dyn FnMut(&Fib, Seen<'_>) + Send>;

/// What a [`Watch`] sees, in the order in which it happens.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A batch that the kernel answered, and what of it failed.
    Written(&'a [RouteOp], &'a [OpFailure]),
    /// What is told to people.
    Reported(&'a Report),
    /// The kernel has answered all that it was asked for, after it had been behind since what came
    /// then. Nothing is said where nothing had to be written.
    CaughtUp(Moment),
}

/// What the pump gives.
#[derive(Debug)]
pub enum News {
    /// For the Rib: cost to tracked next hops; `None`: unreachable.
    Nexthops(Vec<(NextHop, Option<Cost>)>),
    /// For the Rib: local pods that neighbours are to be told of, as they come and go.
    Pods(PodNews),
    /// For the sessions: ways to peers that changed.
    Ways(Vec<(Ends, Way)>),
    /// For the sessions: peers that the kernel looked for in vain.
    Unanswered(Vec<Ends>),
    /// For people.
    Report(Report),
}

/// Runs a Fib on the kernel of this network namespace until all senders of `commands` are gone
/// and what they asked for is written. Routes stay.
///
/// `news` is unbounded: the Rib must never wait for the Fib while the Fib waits for the Rib. It is
/// bounded by the tracked next hops and by the Fib, which says a thing once.
///
/// Where the runtime has several threads, other tasks do not notice how long the kernel works, and
/// what comes next is planned while it writes.
///
/// # Errors
///
/// The sockets cannot be had, or the one for news broke.
pub async fn run(
    options: Options,
    mut commands: mpsc::Receiver<Command>,
    news: mpsc::UnboundedSender<News>,
) -> Result<(), NetlinkError> {
    let (kernel, mut events) = Netlink::open(options)?;
    let (requests, to_do) = mpsc::unbounded_channel();
    let (done, mut answers) = mpsc::unbounded_channel();
    tokio::spawn(serve(kernel, to_do, done));
    let (to_read, reads) = mpsc::unbounded_channel();
    let (read, mut parts) = mpsc::channel(1);
    tokio::spawn(serve_audits(Netlink::auditor()?, reads, read));
    let mut pump = Pump {
        fib: Fib::new(),
        begun: Instant::now(),
        table: RT_TABLE_MAIN,
        requests,
        to_read,
        auditing: Vec::new(),
        watch: None,
        under_way: 0,
        writes_many: false,
        behind: None,
        frozen: false,
        news,
        forwarding: Forwarding::new(),
    };
    let mut inbox = Vec::new();
    let mut open = true;
    while open || pump.under_way > 0 {
        let deadline = pump.fib.next_deadline();
        tokio::select! {
            taken = commands.recv_many(&mut inbox, INBOX), if open => {
                open = taken > 0;
                pump.take(&mut inbox);
            }
            Some(answer) = answers.recv() => {
                pump.under_way = pump.under_way.saturating_sub(1);
                pump.answered(answer);
            }
            Some(part) = parts.recv() => pump.tell(part),
            happened = events.next(pump.table) => pump.tell(FibIn::Events(happened?)),
            () = sleep_until(pump.begun, deadline) => pump.tell(FibIn::Tick),
        }
    }
    Ok(())
}

/// A request to the kernel.
enum Request {
    Apply(Arc<Vec<RouteOp>>),
    Objects(Arc<Vec<ObjectOp>>),
    /// With the routes of this table.
    Dump(u32),
    Tunnel(TunnelSpec),
}

/// What the kernel's side answers.
struct Answer {
    /// For the Fib.
    told: FibIn,
    /// Where it is `Applied`: what was.
    carried_out: Option<Arc<Vec<RouteOp>>>,
}

/// The kernel's side: carries out requests in order.
async fn serve(
    mut kernel: Netlink,
    mut requests: mpsc::UnboundedReceiver<Request>,
    answers: mpsc::UnboundedSender<Answer>,
) {
    while let Some(request) = requests.recv().await {
        let mut carried_out = None;
        let told = match request {
            Request::Apply(ops) => {
                let failures = match ops.len() > MANY && others_can_go_on() {
                    true => block_in_place(|| Handle::current().block_on(kernel.apply(&ops))),
                    false => kernel.apply(&ops).await,
                };
                carried_out = Some(ops);
                FibIn::Applied(failures)
            }
            Request::Objects(ops) => FibIn::ObjectsDone(kernel.apply_objects(&ops).await),
            Request::Dump(table) => match kernel.dump(table).await {
                Ok(dump) => FibIn::Dumped(Box::new(dump)),
                Err(error) => FibIn::DumpFailed(error.to_string()),
            },
            Request::Tunnel(spec) => FibIn::TunnelDone(kernel.tunnel(&spec).await),
        };
        if answers.send(Answer { told, carried_out }).is_err() {
            return;
        }
    }
}

/// The other side of audits: reads the table beside what else the kernel does, one part at a time.
async fn serve_audits(
    mut auditor: Auditor,
    mut requests: mpsc::UnboundedReceiver<u32>,
    answers: mpsc::Sender<FibIn>,
) {
    while let Some(table) = requests.recv().await {
        let (sink, mut parts) = mpsc::channel::<Dump>(1);
        let pass_on = async {
            while let Some(part) = parts.recv().await {
                // The pump has ended: the next request will not come.
                let _ = answers.send(FibIn::Part(Box::new(part))).await;
            }
        };
        let read = async {
            let result = auditor.stream(table, &sink).await;
            drop(sink);
            result
        };
        let (result, ()) = tokio::join!(read, pass_on);
        let result = result.map_err(|error| error.to_string());
        if answers.send(FibIn::PartsDone(result)).await.is_err() {
            return;
        }
    }
}

struct Pump {
    fib: Fib,
    begun: Instant,
    table: u32,
    requests: mpsc::UnboundedSender<Request>,
    to_read: mpsc::UnboundedSender<u32>,
    /// Who waits for an audit.
    auditing: Vec<oneshot::Sender<Result<Audit, String>>>,
    watch: Option<Watch>,
    /// Requests not yet answered.
    under_way: usize,
    /// The last batch of routes for the kernel was a large one; its answer brings on the next.
    writes_many: bool,
    /// Since when the kernel is behind, by what came; whether it was asked for anything since.
    behind: Option<(Moment, bool)>,
    /// Nothing is asked of the kernel any more.
    frozen: bool,
    news: mpsc::UnboundedSender<News>,
    forwarding: Forwarding,
}

impl Pump {
    /// Tells the Fib all of the inbox. Route changes that follow each other become one message, so
    /// that they become one batch for the kernel.
    fn take(&mut self, inbox: &mut Vec<Command>) {
        let mut routes = Vec::new();
        for command in inbox.drain(..) {
            match command {
                Command::Fib(FibIn::Routes(more)) => routes.extend(more),
                Command::Routes(more, came) => {
                    self.behind.get_or_insert((came, false));
                    routes.extend(more);
                }
                command => {
                    self.flush(&mut routes);
                    self.obey(command);
                }
            }
        }
        self.flush(&mut routes);
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Fib(input) => self.tell(input),
            Command::Routes(changes, _) => self.tell(FibIn::Routes(changes)),
            Command::Query(look) => {
                // What it shows of the time is of now.
                self.tell(FibIn::Tick);
                look(&self.fib);
            }
            Command::Audit(_) if self.frozen => {}
            Command::Audit(answer) => {
                self.auditing.push(answer);
                self.tell(FibIn::Audit);
            }
            Command::Watch(watch) => self.watch = Some(watch),
            Command::Freeze => self.frozen = true,
        }
    }

    fn flush(&mut self, routes: &mut Vec<RouteChange>) {
        if !routes.is_empty() {
            self.tell(FibIn::Routes(std::mem::take(routes)));
        }
    }

    fn answered(&mut self, Answer { told, carried_out }: Answer) {
        if let (Some(watch), Some(ops), FibIn::Applied(failures)) =
            (&mut self.watch, carried_out, &told)
        {
            watch(&self.fib, Seen::Written(&ops, failures));
        }
        self.tell(told);
    }

    fn tell(&mut self, input: FibIn) {
        for report in self.forwarding.heed(&input) {
            self.say(News::Report(report));
        }
        if let FibIn::Configure(config) = &input {
            self.table = config.table;
        }
        let mut out = Vec::new();
        let now = self.begun.elapsed();
        match self.is_long(&input) && others_can_go_on() {
            true => block_in_place(|| self.fib.handle(input, now, &mut out)),
            false => self.fib.handle(input, now, &mut out),
        }
        for wanted in out {
            match wanted {
                FibOut::Apply(ops) => self.request(Request::Apply(ops)),
                FibOut::Objects(ops) => self.request(Request::Objects(ops)),
                FibOut::Dump => self.request(Request::Dump(self.table)),
                FibOut::Read => {
                    // The reader is gone when the daemon goes down.
                    let _ = self.to_read.send(self.table);
                }
                FibOut::Audited(result) => {
                    for answer in self.auditing.drain(..) {
                        // Whoever hung up does not want it.
                        let _ = answer.send(result.clone());
                    }
                }
                FibOut::Tunnel(spec) => self.request(Request::Tunnel(spec)),
                FibOut::Nexthops(costs) => self.say(News::Nexthops(costs)),
                FibOut::Pods(pods) => self.say(News::Pods(pods)),
                FibOut::Ways(ways) => self.say(News::Ways(ways)),
                FibOut::Unanswered(peers) => self.say(News::Unanswered(peers)),
                FibOut::Report(report) => self.say(News::Report(report)),
            }
        }
        if self.behind.is_some() {
            self.see_whether_it_caught_up();
        }
    }

    fn see_whether_it_caught_up(&mut self) {
        let rests = self.fib.is_at_rest();
        if !rests && !self.frozen && self.fib.coupling() == Coupling::Coupled {
            return;
        }
        if let (Some((came, true)), true, Some(watch)) =
            (self.behind.take(), rests, &mut self.watch)
        {
            watch(&self.fib, Seen::CaughtUp(came));
        }
    }

    /// Whether the Fib will have much to do.
    fn is_long(&self, input: &FibIn) -> bool {
        match input {
            FibIn::Routes(changes) => changes.len() > MANY,
            FibIn::Events(events) => events.len() > MANY,
            FibIn::Applied(_) => self.writes_many,
            FibIn::Configure(_) | FibIn::Dumped(_) | FibIn::Part(_) | FibIn::PartsDone(_) => true,
            _ => false,
        }
    }

    fn request(&mut self, request: Request) {
        if let Request::Apply(ops) = &request {
            self.writes_many = ops.len() > MANY;
            if let Some((_, asked)) = &mut self.behind {
                *asked = true;
            }
        }
        if !self.frozen && self.requests.send(request).is_ok() {
            self.under_way += 1;
        }
    }

    /// Nobody listens any more when the daemon goes down: then there is nobody to tell.
    fn say(&mut self, news: News) {
        if let (Some(watch), News::Report(report)) = (&mut self.watch, &news) {
            watch(&self.fib, Seen::Reported(report));
        }
        let _ = self.news.send(news);
    }
}

/// Whether there is another thread for other tasks while this one is busy.
fn others_can_go_on() -> bool {
    Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
}

/// Until `deadline` after `begun`; for ever without one.
async fn sleep_until(begun: Instant, deadline: Option<Duration>) {
    match deadline.and_then(|deadline| begun.checked_add(deadline)) {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
