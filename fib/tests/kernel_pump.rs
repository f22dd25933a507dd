//! The pump end to end: the real Fib on the real kernel.
#![allow(clippy::expect_used, reason = "test code outside #[test]")]

mod netns;

use std::time::Duration;

use netns::*;
use starling_fib::Fib;
use starling_fib::netlink::{Command, NetlinkError, News, Options, run};
use starling_fib::types::{
    FibConfig, FibIn, KernelRoute, Mode, Pool, Report, RouteChange, Target, TunnelConfig,
};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// Long enough for anything that is going to happen at all.
const PATIENCE: Duration = Duration::from_secs(20);

struct Daemon {
    commands: mpsc::Sender<Command>,
    news: mpsc::UnboundedReceiver<News>,
    task: JoinHandle<Result<(), NetlinkError>>,
}

impl Daemon {
    fn start() -> Daemon {
        let options = Options { accept_any_tunnel_kind: true, ..Options::default() };
        let (commands, inbox) = mpsc::channel(64);
        let (say, news) = mpsc::unbounded_channel();
        Daemon { commands, news, task: tokio::spawn(run(options, inbox, say)) }
    }

    async fn tell(&self, input: FibIn) {
        assert!(self.commands.send(Command::Fib(input)).await.is_ok(), "the pump stopped");
    }

    async fn want(&self, prefix: &str, target: Option<Target>) {
        let prefix = prefix.parse().expect("a prefix");
        self.tell(FibIn::Routes(vec![RouteChange { prefix, target }])).await;
    }

    async fn ask<T: Send + 'static>(&self, look: impl FnOnce(&Fib) -> T + Send + 'static) -> T {
        let (answer, answered) = oneshot::channel();
        let query = Command::Query(Box::new(move |fib| {
            let _ = answer.send(look(fib));
        }));
        assert!(self.commands.send(query).await.is_ok(), "the pump stopped");
        answered.await.expect("an answer")
    }

    async fn report(&mut self, wanted: impl Fn(&Report) -> bool) -> Report {
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
    async fn stop(self) {
        drop(self.commands);
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("an end");
        ended.expect("no panic").expect("no error");
    }
}

fn config(pools: &[(&str, Mode)]) -> FibIn {
    let pools =
        pools.iter().map(|(cidr, mode)| Pool { cidr: cidr.parse().expect("a pool"), mode: *mode });
    FibIn::Configure(Box::new(FibConfig {
        pools: pools.collect(),
        addresses: vec!["10.1.5.10".parse().expect("an address")],
        subnets: Vec::new(),
        protocol: BIRD,
        table: MAIN,
        metric: 0,
        tunnel: TunnelConfig {
            device: "tunl0".to_owned(),
            mtu: Some(1440),
            address: Some("192.168.70.57".parse().expect("an address")),
            manage: true,
        },
        peers: Vec::new(),
        blocks: Vec::new(),
        pod_interfaces: vec!["cali*".to_owned()],
    }))
}

fn to(next_hop: &str) -> Option<Target> {
    Some(Target::via([next_hop.parse().expect("an address")]))
}

/// Waits until the kernel's routes of ours are these.
async fn until(expected: &[KernelRoute]) {
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

/// Network B's mode table, a reload that moves a pool into the tunnel, and a stop that leaves all.
#[test]
fn routes_follow_the_modes() {
    in_netns("routes_follow_the_modes", || async {
        let (left, _right) = two_underlays();
        ip("route add default via 10.1.5.1");
        ip("tuntap add tunl0 mode tun");
        let tunl0 = index_of("tunl0");
        let daemon = Daemon::start();
        daemon.tell(config(&[("10.244.0.0/16", Mode::CrossSubnet)])).await;
        daemon.want("10.244.0.0/26", Some(Target::Own)).await;
        daemon.want("10.244.1.0/26", to("10.1.5.11")).await;
        daemon.want("10.244.2.0/26", to("10.1.8.10")).await;
        let own = route("10.244.0.0/26", &[]);
        let direct = route("10.244.1.0/26", &[via("10.1.5.11", left)]);
        let tunneled = route("10.244.2.0/26", &[onlink("10.1.8.10", tunl0)]);
        until(&[own.clone(), direct, tunneled.clone()]).await;

        daemon.tell(config(&[("10.244.0.0/16", Mode::Always)])).await;
        let neighbour = route("10.244.1.0/26", &[onlink("10.1.5.11", tunl0)]);
        until(&[own.clone(), neighbour.clone(), tunneled.clone()]).await;

        daemon.want("10.244.2.0/26", None).await;
        daemon.stop().await;
        until(&[own, neighbour]).await;
    });
}

#[test]
fn what_others_remove_is_put_back() {
    in_netns("what_others_remove_is_put_back", || async {
        let (left, _right) = two_underlays();
        let mut daemon = Daemon::start();
        daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
        daemon.want("10.244.1.0/26", to("10.1.5.11")).await;
        let wanted = [route("10.244.1.0/26", &[via("10.1.5.11", left)])];
        until(&wanted).await;
        ip("route del 10.244.1.0/26");
        daemon.report(|report| matches!(report, Report::Drift { .. })).await;
        until(&wanted).await;
        // IPv4 says nothing of the routes that it drops with their interface.
        ip("link set left down");
        ip("link set left up");
        until(&wanted).await;
        daemon.stop().await;
    });
}

#[test]
fn a_frozen_pump_leaves_the_kernel_as_it_is() {
    in_netns("a_frozen_pump_leaves_the_kernel_as_it_is", || async {
        let (left, _right) = two_underlays();
        let daemon = Daemon::start();
        daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
        daemon.want("10.244.1.0/26", to("10.1.5.11")).await;
        let wanted = [route("10.244.1.0/26", &[via("10.1.5.11", left)])];
        until(&wanted).await;
        assert!(daemon.commands.send(Command::Freeze).await.is_ok(), "the pump stopped");
        // What the sessions' end brings.
        daemon.want("10.244.1.0/26", None).await;
        assert_eq!(daemon.ask(|fib| fib.view().count()).await, 0);
        daemon.stop().await;
        until(&wanted).await;
    });
}

#[test]
fn forwarding_that_is_off_is_said_once() {
    in_netns("forwarding_that_is_off_is_said_once", || async {
        two_underlays();
        let v4 = "/proc/sys/net/ipv4/ip_forward";
        let v6 = "/proc/sys/net/ipv6/conf/all/forwarding";
        for switch in [v4, v6] {
            std::fs::write(switch, "0").expect("root");
        }
        let mut daemon = Daemon::start();
        let off = |report: &Report| matches!(report, Report::ForwardingOff(_));
        for _ in 0..2 {
            daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
        }
        assert_eq!(daemon.report(off).await, Report::ForwardingOff("net.ipv4.ip_forward"));
        // The next one is about IPv6: IPv4's was said once, and IPv6 was no matter before.
        daemon.want("fd00:244::/64", to("fd00:5::11")).await;
        assert_eq!(daemon.report(off).await, Report::ForwardingOff("net.ipv6.conf.all.forwarding"));
        for value in ["1", "0"] {
            std::fs::write(v4, value).expect("root");
            daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
            daemon.ask(|_| ()).await;
        }
        assert_eq!(daemon.report(off).await, Report::ForwardingOff("net.ipv4.ip_forward"));
        daemon.stop().await;
    });
}

#[test]
fn a_query_sees_what_was_sent_before_it() {
    in_netns("a_query_sees_what_was_sent_before_it", || async {
        two_underlays();
        let daemon = Daemon::start();
        daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
        for n in 0..200 {
            daemon.want(&format!("10.244.{n}.0/26"), to("10.1.5.11")).await;
            let seen = daemon.ask(|fib| fib.view().count()).await;
            assert_eq!(seen, n + 1);
        }
        daemon.stop().await;
        let (mut kernel, _events) = open();
        assert_eq!(ours(&mut kernel).await.len(), 200, "written before the end");
    });
}
