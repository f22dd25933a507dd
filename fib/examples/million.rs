//! A million routes into this machine's kernel and out again: how long, and how much memory.
//!
//! Run by hand as root (`make million`); it makes a network namespace of its own and leaves nothing
//! behind. What is measured is the daemon's kernel side whole: the Fib, its mirror of the kernel,
//! netlink. Arguments: how many routes (1048576), `via` for some fifty next hops (the default) or
//! `one` for a single one, and `objects` to have the routes go through nexthop objects. The CPU time
//! is this process's, with what the kernel does for it.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program for people")]

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command as Process;
use std::time::{Duration, Instant};

use ipnet::{IpNet, Ipv4Net};
use starling_fib::Fib;
use starling_fib::audit::Audit;
use starling_fib::have::Have;
use starling_fib::netlink::{Command, Options, run};
use starling_fib::types::{
    FibConfig, FibIn, Hop, Hops, KernelRoute, Kind, RouteChange, RouteKey, Target,
};
use tokio::sync::{mpsc, oneshot};

const INNER: &str = "STARLING_MILLION";
/// Routes in a message, as the Rib sends them.
const BATCH: u32 = 4096;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let count = arguments.next().map_or(1 << 20, |n| n.parse().expect("a number of routes"));
    let next_hops = if arguments.next().as_deref() == Some("one") { 1 } else { 50 };
    let objects = arguments.next().as_deref() == Some("objects");
    if std::env::var_os(INNER).is_none() {
        let status = Process::new("unshare")
            .arg("--net")
            .arg(std::env::current_exe().expect("its own path"))
            .args(std::env::args().skip(1))
            .env(INNER, "1")
            .status()
            .expect("unshare (util-linux)");
        std::process::exit(status.code().unwrap_or(1));
    }
    for words in [
        "link set lo up",
        "link add left type veth peer name far",
        "link set left up",
        "link set far up",
        "address add 192.168.5.10/24 dev left",
    ] {
        let done = Process::new("ip").args(words.split(' ')).status().expect("ip (iproute2)");
        assert!(done.success(), "ip {words}");
    }
    mirror(count);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(program(count, next_hops, objects));
}

/// A /28 of 10.0.0.0/8.
fn prefix(n: u32) -> IpNet {
    let address = Ipv4Addr::from_bits(0x0a00_0000 | n << 4);
    IpNet::V4(Ipv4Net::new(address, 28).expect("a length"))
}

fn next_hop(n: u32) -> IpAddr {
    Ipv4Addr::new(192, 168, 5, 100 + u8::try_from(n).unwrap_or(0)).into()
}

/// What the mirror of the kernel alone takes.
fn mirror(count: u32) {
    let before = resident();
    let mut have = Have::default();
    for n in 0..count {
        let hop = Hop { gateway: Some(next_hop(n % 50)), device: 2, onlink: false, weight: 1 };
        have.insert(&KernelRoute {
            key: RouteKey { prefix: prefix(n), table: 254, metric: 0 },
            protocol: 12,
            kind: Kind::Unicast,
            scope: 0,
            tos: 0,
            source: None,
            hops: Hops::from([hop]),
            object: None,
        });
    }
    let bytes = (resident() - before) * 1024 / u64::from(count);
    println!("mirror: {} routes, {bytes} B a route", have.len());
}

async fn program(count: u32, next_hops: u32, nexthop_objects: bool) {
    let (commands, inbox) = mpsc::channel(64);
    let (say, mut news) = mpsc::unbounded_channel();
    let pump = tokio::spawn(run(Options::default(), inbox, say));
    tokio::spawn(async move { while news.recv().await.is_some() {} });
    let fib = Pump(commands);
    fib.tell(FibIn::Configure(Box::new(FibConfig {
        addresses: vec![Ipv4Addr::new(192, 168, 5, 10).into()],
        nexthop_objects,
        ..FibConfig::default()
    })))
    .await;
    fib.tell(FibIn::Settled).await;
    fib.calm().await;
    let before = resident();
    println!("before: {} MB resident", before / 1024);
    for (what, shift) in [("programmed", Some(0)), ("moved", Some(1)), ("removed", None)] {
        let (begun, cpu_before) = (Instant::now(), cpu());
        let mut n = 0;
        while n < count {
            let change = |n: u32| {
                let target = shift.map(|by| Target::via([next_hop((n + by) % (next_hops + 1))]));
                RouteChange { prefix: prefix(n), target }
            };
            let end = (n + BATCH).min(count);
            fib.tell(FibIn::Routes((n..end).map(change).collect())).await;
            n = end;
        }
        fib.calm().await;
        let took = begun.elapsed();
        let (user, system) = (cpu().0 - cpu_before.0, cpu().1 - cpu_before.1);
        let each = took.as_secs_f64() * 1e6 / f64::from(count);
        let (now, peak) = (resident(), peak());
        let share = now.saturating_sub(before) * 1024 / u64::from(count);
        println!(
            "{what}: {count} routes in {:.1} s ({each:.1} us each; CPU {user:.2} s + {system:.2} s in \
             the kernel); {} MB resident ({share} B a route), at most {} MB",
            took.as_secs_f64(),
            now / 1024,
            peak / 1024
        );
        let audit = fib.audit().await;
        println!(
            "  audit: {} compared, {} missing, {} wrong, {} extra, {} unheard, in {:.1} s; at most {} MB",
            audit.compared,
            audit.missing,
            audit.wrong,
            audit.extra,
            audit.unheard,
            audit.took.as_secs_f64(),
            self::peak() / 1024
        );
        assert!(audit.is_clean(), "{audit:?}");
        assert_eq!(audit.compared, if shift.is_some() { count as usize } else { 0 });
    }
    drop(fib);
    pump.await.expect("no panic").expect("no error");
}

struct Pump(mpsc::Sender<Command>);

impl Pump {
    async fn tell(&self, input: FibIn) {
        assert!(self.0.send(Command::Fib(input)).await.is_ok(), "the pump stopped");
    }

    /// Until the kernel holds what it should.
    async fn calm(&self) {
        loop {
            let (answer, answered) = oneshot::channel();
            let query = Command::Query(Box::new(move |fib: &Fib| {
                let _ = answer.send(fib.healthy().is_ok());
            }));
            assert!(self.0.send(query).await.is_ok(), "the pump stopped");
            if answered.await.expect("an answer") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn audit(&self) -> Audit {
        let (answer, answered) = oneshot::channel();
        assert!(self.0.send(Command::Audit(answer)).await.is_ok(), "the pump stopped");
        answered.await.expect("an answer").expect("an audit")
    }
}

/// CPU time of this process so far, its own and the kernel's for it, in seconds.
fn cpu() -> (f64, f64) {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc");
    let fields = stat.rsplit(')').next().expect("the fields behind the name");
    let mut ticks = fields.split_whitespace().skip(11).map(|n| n.parse::<f64>().expect("ticks"));
    // USER_HZ is 100 wherever Linux runs.
    (ticks.next().expect("utime") / 100.0, ticks.next().expect("stime") / 100.0)
}

/// This process's memory, in kB.
fn resident() -> u64 {
    status("VmRSS:")
}

/// The most that it ever was, in kB.
fn peak() -> u64 {
    status("VmHWM:")
}

fn status(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("a line");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
}
