//! The pump end to end: the real Fib on the real kernel.

use crate::netns::pump::{Daemon, config, to, until};
use crate::netns::*;
use starling_fib::netlink::{Command, Seen};
use starling_fib::types::{FibIn, Mode, Report, RouteChange, Target};
use std::time::Instant;

/// Network B's mode table, a reload that moves a pool into the tunnel, and a stop that leaves all.
#[test]
fn routes_follow_the_modes() {
    in_netns("pump::routes_follow_the_modes", || async {
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
    in_netns("pump::what_others_remove_is_put_back", || async {
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

/// From what came to the kernel's answer: told once for all that came meanwhile, and only if
/// something had to be written.
#[test]
fn it_is_told_when_the_kernel_has_caught_up() {
    in_netns("pump::it_is_told_when_the_kernel_has_caught_up", || async {
        let (left, _right) = two_underlays();
        let daemon = Daemon::start();
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let watch = move |_: &starling_fib::Fib, seen: Seen<'_>| {
            if let Seen::CaughtUp(came) = seen {
                let _ = tell.send(came);
            }
        };
        assert!(daemon.commands.send(Command::Watch(Box::new(watch))).await.is_ok());
        daemon.tell(config(&[("10.244.0.0/16", Mode::Never)])).await;
        let change = |prefix: &str, hop: &str| RouteChange {
            prefix: prefix.parse().expect("a prefix"),
            target: to(hop),
        };
        let (first, later) = (Instant::now(), Instant::now());
        let batch = vec![change("10.244.1.0/26", "10.1.5.11")];
        assert!(daemon.commands.send(Command::Routes(batch.clone(), first)).await.is_ok());
        until(&[route("10.244.1.0/26", &[via("10.1.5.11", left)])]).await;
        assert_eq!(told.recv().await, Some(first));
        // Nothing changes by it.
        assert!(daemon.commands.send(Command::Routes(batch, later)).await.is_ok());
        daemon.ask(|_| ()).await;
        daemon.stop().await;
        assert_eq!(told.recv().await, None);
    });
}

#[test]
fn a_frozen_pump_leaves_the_kernel_as_it_is() {
    in_netns("pump::a_frozen_pump_leaves_the_kernel_as_it_is", || async {
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

/// Everything that the kernel shows is what it had told, also after others worked in it.
#[test]
fn an_audit_of_the_real_kernel_finds_nothing() {
    in_netns("pump::an_audit_of_the_real_kernel_finds_nothing", || async {
        let (left, right) = two_underlays();
        ip("route add default via 10.1.5.1");
        ip("-6 route add 2001:db8:1::/48 nexthop via fd00:5::1 nexthop via fd00:6::1");
        ip("route add 10.9.0.0/16 nexthop via 10.1.5.9 weight 3 nexthop via 10.1.6.9");
        let daemon = Daemon::start();
        daemon.tell(config(&[])).await;
        daemon.tell(FibIn::Settled).await;
        daemon.want("10.244.0.0/26", Some(Target::Own)).await;
        daemon.want("10.244.1.0/26", to("10.1.5.11")).await;
        daemon.want("fd00:244::/64", to("fd00:5::11")).await;
        let wanted = [
            route("10.244.0.0/26", &[]),
            route("10.244.1.0/26", &[via("10.1.5.11", left)]),
            route("fd00:244::/64", &[via("fd00:5::11", left)]),
        ];
        until(&wanted).await;
        let found = daemon.audit().await;
        assert!(found.is_clean() && found.compared == 3, "{found:?}");
        ip("route add 10.8.0.0/16 via 10.1.6.8");
        ip("route replace 10.9.0.0/16 via 10.1.6.7");
        ip("address add 10.1.7.10/24 dev right");
        ip("link set right mtu 1400");
        ip("link set left-far down");
        ip("link set left-far up");
        // While its link was down it may have been taken out, and is on its way back.
        ip("route flush 10.244.1.0/26");
        ip("link del right");
        until(&wanted).await;
        let found = daemon.audit().await;
        assert!(found.is_clean() && found.compared == 3, "{found:?}");
        let _ = right;
        daemon.stop().await;
    });
}

/// A program that hears nothing of it puts a route in and takes one out: with news from nowhere
/// else, only the audit can know.
#[test]
fn an_audit_counts_what_is_missing_wrong_and_extra() {
    in_netns("pump::an_audit_counts_what_is_missing_wrong_and_extra", || async {
        two_underlays();
        let mut daemon = Daemon::start();
        daemon.tell(config(&[])).await;
        ip("route add 10.244.1.0/26 via 10.1.5.99 proto static");
        ip("route add 10.244.2.0/26 via 10.1.5.98 proto bird");
        daemon.want("10.244.1.0/26", to("10.1.5.11")).await;
        daemon.report(|report| matches!(report, Report::Occupied { .. })).await;
        let found = daemon.audit().await;
        // Somebody's place, and a leftover of whoever wrote with our protocol.
        assert_eq!((found.missing, found.wrong, found.extra, found.unheard), (1, 0, 1, 0));
        daemon.stop().await;
    });
}

#[test]
fn forwarding_that_is_off_is_said_once() {
    in_netns("pump::forwarding_that_is_off_is_said_once", || async {
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
    in_netns("pump::a_query_sees_what_was_sent_before_it", || async {
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
