//! Runs a test's body in a network namespace of its own, on the real kernel.
//!
//! A namespace belongs to a thread and entering one takes a system call that safe Rust does not
//! offer, so the test binary starts itself once more below `unshare --net`, for the one test. The
//! namespace goes when that process ends, with all that the test made in it. Needs root, and
//! util-linux and iproute2.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "test code outside #[test]")]

pub mod monitor;
pub mod pump;

use std::io::Write;
use std::net::IpAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use starling_fib::netlink::{Events, Netlink, NetlinkError, Options};
use starling_fib::types::{Dump, Hop, KernelEvent, KernelRoute, Kind, RouteKey};

/// Says to the inner process which test it is for.
const INNER: &str = "STARLING_NETNS_TEST";

/// Our rtm_protocol in these tests.
pub const BIRD: u8 = 12;
/// The main table.
pub const MAIN: u32 = 254;
/// A table whose number does not fit the header's octet.
pub const OTHER: u32 = 1000;

/// Long enough for anything that is going to happen at all, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `body` in a fresh namespace. `test` is the test's own name, as libtest knows it.
pub fn in_netns<F: Future<Output = ()>>(test: &str, body: impl FnOnce() -> F) {
    if std::env::var(INNER).as_deref() == Ok(test) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a tokio runtime");
        return runtime.block_on(body());
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    let is_root = uid.and_then(|uids| uids.split_whitespace().nth(1)) == Some("0");
    assert!(is_root, "this test makes a network namespace: run it as root");
    let output = Command::new("unshare")
        .arg("--net")
        .arg(std::env::current_exe().expect("the test's own path"))
        .args([test, "--exact", "--nocapture", "--include-ignored"])
        .env(INNER, test)
        .output()
        .expect("unshare (util-linux)");
    let said = String::from_utf8_lossy(&output.stdout);
    let erred = String::from_utf8_lossy(&output.stderr);
    print!("{said}");
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{test} in its namespace: {}\n{said}\n{erred}",
        output.status
    );
}

/// Runs `ip` with these words; it must succeed.
pub fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().expect("ip (iproute2)");
    let erred = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {words}: {erred}");
}

/// Runs many `ip` commands in one process: faster than anybody reads the news.
pub fn ip_batch(commands: impl IntoIterator<Item = String>) {
    let mut child =
        Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().expect("ip");
    let mut stdin = child.stdin.take().expect("a pipe");
    for command in commands {
        writeln!(stdin, "{command}").expect("ip reads");
    }
    drop(stdin);
    assert!(child.wait().expect("ip").success());
}

/// Two underlays: left (10.1.5.10/24, fd00:5::10/64) and right (10.1.6.10/24, fd00:6::10/64), both
/// with carrier.
pub fn two_underlays() -> (u32, u32) {
    ip("link set lo up");
    for (name, net) in [("left", 5), ("right", 6)] {
        ip(&format!("link add {name} type veth peer name {name}-far"));
        ip(&format!("link set {name} up"));
        ip(&format!("link set {name}-far up"));
        ip(&format!("address add 10.1.{net}.10/24 dev {name}"));
        ip(&format!("-6 address add fd00:{net}::10/64 dev {name} nodad"));
    }
    (index_of("left"), index_of("right"))
}

/// The index of an interface of this namespace.
pub fn index_of(name: &str) -> u32 {
    let shown = Command::new("ip").args(["-o", "link", "show", name]).output().expect("ip");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    shown.split(':').next().and_then(|n| n.trim().parse().ok()).expect("an index")
}

/// The kernel, opened as the daemon opens it.
pub fn open() -> (Netlink, Events) {
    Netlink::open(Options::default()).expect("netlink")
}

/// A route of ours: unicast, main table, universe, the family's default metric.
pub fn route(prefix: &str, hops: &[Hop]) -> KernelRoute {
    let prefix: ipnet::IpNet = prefix.parse().expect("a prefix");
    let metric = if matches!(prefix, ipnet::IpNet::V6(_)) { 1024 } else { 0 };
    KernelRoute {
        key: RouteKey { prefix, table: MAIN, metric },
        protocol: BIRD,
        kind: if hops.is_empty() { Kind::Blackhole } else { Kind::Unicast },
        scope: 0,
        tos: 0,
        source: None,
        hops: hops.into(),
        object: None,
    }
}

/// A next hop through a gateway.
pub fn via(gateway: &str, device: u32) -> Hop {
    let gateway: IpAddr = gateway.parse().expect("an address");
    Hop { gateway: Some(gateway), device, onlink: false, weight: 1 }
}

/// The same, whether or not the gateway is in a connected subnet.
pub fn onlink(gateway: &str, device: u32) -> Hop {
    Hop { onlink: true, ..via(gateway, device) }
}

/// A next hop that is the device itself.
pub fn out(device: u32) -> Hop {
    Hop { gateway: None, device, onlink: false, weight: 1 }
}

/// Everything, with the routes of both tables.
pub async fn dump(kernel: &mut Netlink) -> Dump {
    loop {
        match kernel.dump(OTHER).await {
            // Somebody changes things all the time: the test's patience is the limit.
            Err(NetlinkError::Interrupted { .. }) => {}
            other => return other.expect("a dump"),
        }
    }
}

/// Our routes, in order of their keys.
pub async fn ours(kernel: &mut Netlink) -> Vec<KernelRoute> {
    sorted(dump(kernel).await.routes.into_iter().filter(|r| r.protocol == BIRD))
}

/// The others' routes, in order of their keys.
pub async fn foreign(kernel: &mut Netlink) -> Vec<KernelRoute> {
    sorted(dump(kernel).await.routes.into_iter().filter(|r| r.protocol != BIRD))
}

/// In order of their keys.
pub fn sorted(routes: impl IntoIterator<Item = KernelRoute>) -> Vec<KernelRoute> {
    let mut routes: Vec<_> = routes.into_iter().collect();
    routes.sort_by_key(|r| r.key);
    routes
}

/// All news until there was none for a while, but for the link-local addresses that the kernel gives
/// its interfaces by itself: after it has looked for others with the same, which takes its time.
pub async fn news(events: &mut Events) -> Vec<KernelEvent> {
    let mut all = Vec::new();
    while let Ok(batch) = tokio::time::timeout(QUIET, events.next(OTHER)).await {
        all.extend(batch.expect("news"));
    }
    let is_given =
        |address: IpAddr| matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    all.retain(|event| match event {
        KernelEvent::Address(new) => !is_given(new.address.addr()),
        _ => true,
    });
    all
}

/// What counts as "no more news": notifications are sent while the command runs.
const QUIET: Duration = Duration::from_millis(200);
