//! The pump on this namespace's kernel.

use std::time::Duration;

use starling_fib::Fib;
use starling_fib::audit::Audit;
use starling_fib::netlink::{Command, NetlinkError, News, Options, run};
use starling_fib::types::{
    FibConfig, FibIn, KernelRoute, Mode, Pool, Report, RouteChange, Target, TunnelConfig,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::{PATIENCE, open, ours};

/// The pump, and the ways in and out.
pub struct Daemon {
    pub commands: mpsc::Sender<Command>,
    news: mpsc::UnboundedReceiver<News>,
    task: JoinHandle<Result<(), NetlinkError>>,
}

impl Daemon {
    /// Starts it in this namespace.
    pub fn start() -> Daemon {
        Daemon::start_with(Options::default())
    }

    /// The same, with room for so much unread news.
    pub fn start_with(options: Options) -> Daemon {
        let options = Options { accept_any_tunnel_kind: true, ..options };
        let (commands, inbox) = mpsc::channel(64);
        let (say, news) = mpsc::unbounded_channel();
        Daemon { commands, news, task: tokio::spawn(run(options, inbox, say)) }
    }

    /// A message for the Fib.
    pub async fn tell(&self, input: FibIn) {
        assert!(self.commands.send(Command::Fib(input)).await.is_ok(), "the pump stopped");
    }

    /// A best route.
    pub async fn want(&self, prefix: &str, target: Option<Target>) {
        let prefix = prefix.parse().expect("a prefix");
        self.tell(FibIn::Routes(vec![RouteChange { prefix, target }])).await;
    }

    /// A look at the Fib.
    pub async fn ask<T: Send + 'static>(&self, look: impl FnOnce(&Fib) -> T + Send + 'static) -> T {
        let (answer, answered) = oneshot::channel();
        let query = Command::Query(Box::new(move |fib| {
            let _ = answer.send(look(fib));
        }));
        assert!(self.commands.send(query).await.is_ok(), "the pump stopped");
        answered.await.expect("an answer")
    }

    /// What an audit comes to.
    pub async fn audit(&self) -> Audit {
        let (answer, answered) = oneshot::channel();
        assert!(self.commands.send(Command::Audit(answer)).await.is_ok(), "the pump stopped");
        let answer = tokio::time::timeout(PATIENCE, answered).await.expect("an end");
        answer.expect("an answer").expect("an audit")
    }

    /// Keeps it from hearing anything until what this gives is dropped; returns when it has begun
    /// to be deaf.
    #[must_use]
    pub async fn deafen(&self) -> std::sync::mpsc::Sender<()> {
        let (begun, is_deaf) = oneshot::channel();
        let (deaf, until) = std::sync::mpsc::channel();
        let query = Command::Query(Box::new(move |_| {
            let _ = begun.send(());
            // Nothing is ever sent.
            let _ = until.recv();
        }));
        assert!(self.commands.send(query).await.is_ok(), "the pump stopped");
        is_deaf.await.expect("it begins");
        deaf
    }

    /// Waits for a report.
    pub async fn report(&mut self, wanted: impl Fn(&Report) -> bool) -> Report {
        let found = async {
            loop {
                match self.news.recv().await.expect("the pump stopped") {
                    News::Report(report) if wanted(&report) => return report,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("a report")
    }

    /// No more commands: it finishes what is under way.
    pub async fn stop(self) {
        drop(self.commands);
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("an end");
        ended.expect("no panic").expect("no error");
    }
}

/// Left's addresses, and these pools.
pub fn config(pools: &[(&str, Mode)]) -> FibIn {
    let pools =
        pools.iter().map(|(cidr, mode)| Pool { cidr: cidr.parse().expect("a pool"), mode: *mode });
    FibIn::Configure(Box::new(FibConfig {
        pools: pools.collect(),
        addresses: ["10.1.5.10", "fd00:5::10"].map(|own| own.parse().expect("an address")).into(),
        tunnel: TunnelConfig {
            mtu: Some(1440),
            address: Some("192.168.70.57".parse().expect("an address")),
            ..TunnelConfig::default()
        },
        ..FibConfig::default()
    }))
}

/// To one next hop.
pub fn to(next_hop: &str) -> Option<Target> {
    Some(Target::via([next_hop.parse().expect("an address")]))
}

/// Waits until the kernel's routes of ours are these.
pub async fn until(expected: &[KernelRoute]) {
    let (mut kernel, _events) = open();
    let reached = async {
        while ours(&mut kernel).await != expected {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, reached).await.is_err() {
        assert_eq!(ours(&mut kernel).await, expected);
    }
}
