//! Equal paths: one prefix announced by several nodes, one route in the kernel with all of them as
//! next hops, each reached as the pool's mode says of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, ensure};
use ipnet::IpNet;
use starling::api::{FibEntry, How, KernelState, Route};
use starling_lab::{Cluster, End, Family, Monitor, Result, Traffic, wait_for};

use crate::support::{SOON, cluster, established};
use crate::tunnel::{replaced_in_place, stand_in};

const NETWORK: &str = "10.244.9.0/26";
const NETWORK6: &str = "fd00:244:9::/64";

/// The cluster's file: what the nodes of these names announce beside their blocks.
fn toml(cluster: &Cluster, announcing: &[&str]) -> String {
    let text =
        cluster.toml("cross-subnet", "").replace("asn = 64512\n", "asn = 64512\nmax-paths = 4\n");
    announcing.iter().fold(text, |text, name| {
        let line = format!("name = \"{name}\"\n");
        text.replace(&line, &format!("{line}networks = [\"{NETWORK}\", \"{NETWORK6}\"]\n"))
    })
}

/// What the kernel of n1 holds: the blocks, and beside them the networks by these next hops.
fn held(cluster: &mut Cluster, by: [&str; 2]) -> Result {
    let v4 = [
        "blackhole 10.244.1.0/26 proto bird",
        "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird",
        "10.244.3.0/26 via 10.50.0.3 dev net0 proto bird",
        "10.244.4.0/26 via 10.50.1.4 dev tunl0 proto bird onlink",
    ];
    let v6 = [
        "blackhole fd00:244:1::/64 dev lo proto bird metric 1024",
        "fd00:244:2::/64 via fd50::2 dev net0 proto bird metric 1024",
        "fd00:244:3::/64 via fd50::3 dev net0 proto bird metric 1024",
        "fd00:244:4::/64 via fd50::fe dev net0 proto bird metric 1024",
    ];
    let node = cluster.node(1)?;
    for (family, blocks, network) in [(Family::V4, v4, by[0]), (Family::V6, v6, by[1])] {
        let all: Vec<&str> = blocks.into_iter().chain([network]).collect();
        node.holds(family, &all, SOON)?;
    }
    Ok(())
}

#[test]
fn neighbours_and_a_tunnel_are_the_next_hops_of_one_route() -> Result {
    let mut cluster = cluster(&[0, 0, 0, 1])?;
    cluster.configure(&toml(&cluster, &["n2", "n3", "n4"]))?;
    // To n1 the far node is as near as the others: no gateway between them that it knows of, as
    // where a router answers ARP for another subnet. Otherwise the cost would break the tie.
    let gateway = cluster.gateway().context("two racks have a gateway")?;
    gateway.sysctl("net/ipv4/conf/net0/proxy_arp", "1")?;
    gateway.sysctl("net/ipv4/neigh/net0/proxy_delay", "0")?;
    cluster.node(1)?.netns().ip_line("route add 10.50.1.4/32 dev net0 scope link")?;
    for i in 1..=4 {
        stand_in(cluster.node(i)?.netns())?;
        cluster.start_with(i, &["--tunnel-stand-in"])?;
    }
    for other in ["n2", "n3", "n4"] {
        established(cluster.node(1)?, other)?;
    }
    let all = [
        "10.244.9.0/26 proto bird nexthop via 10.50.0.2 dev net0 nexthop via 10.50.0.3 dev net0 \
         nexthop via 10.50.1.4 dev tunl0 onlink",
        // To n4 there is a gateway: farther, so no tie.
        "fd00:244:9::/64 proto bird metric 1024 nexthop via fd50::2 dev net0 \
         nexthop via fd50::3 dev net0",
    ];
    held(&mut cluster, all)?;

    let daemon = cluster.node(1)?.daemon()?;
    // The kernel shows a route before the daemon has its answer.
    let routes: Vec<Route> = wait_for("the kernel's answer", SOON, || {
        let routes: Vec<Route> = daemon.rows(&["show", "routes", NETWORK])?;
        let [route] = &routes[..] else { anyhow::bail!("{routes:#?}") };
        ensure!(route.kernel.state == KernelState::Installed, "{routes:#?}");
        Ok(routes)
    })?;
    let mut ways: Vec<(String, How)> =
        routes[0].next_hops.iter().map(|hop| (hop.from.join(" "), hop.reached.how)).collect();
    ways.sort();
    let wanted = [("n2", How::Direct), ("n3", How::Direct), ("n4", How::Tunnel)];
    ensure!(ways == wanted.map(|(from, how)| (from.to_owned(), how)), "{routes:#?}");
    let fib: Vec<FibEntry> = daemon.rows(&["show", "fib"])?;
    let entry = fib.iter().find(|entry| entry.prefix.to_string() == NETWORK);
    ensure!(
        entry.is_some_and(|entry| {
            entry.state == KernelState::Installed
                && entry.want_hops.len() == 3
                && entry.have_hops.len() == 3
        }),
        "{fib:#?}"
    );
    for question in [&["show", "routes", NETWORK][..], &["show", "fib"]] {
        let text = daemon.bgpctl(question)?;
        for hop in ["10.50.0.2", "10.50.0.3", "10.50.1.4"] {
            ensure!(text.contains(hop), "{hop} is not in\n{text}");
        }
    }

    // One goes, the tunnelled one goes, both are back: the rest carry on meanwhile.
    let log = cluster.lab().dir().join("monitor.log");
    let monitor = Monitor::start(cluster.node(1)?.netns(), &log)?;
    let single6 = "fd00:244:9::/64 via fd50::3 dev net0 proto bird metric 1024";
    cluster.configure(&toml(&cluster, &["n3", "n4"]))?;
    held(
        &mut cluster,
        [
            "10.244.9.0/26 proto bird nexthop via 10.50.0.3 dev net0 \
             nexthop via 10.50.1.4 dev tunl0 onlink",
            single6,
        ],
    )?;
    cluster.configure(&toml(&cluster, &["n3"]))?;
    held(&mut cluster, ["10.244.9.0/26 via 10.50.0.3 dev net0 proto bird", single6])?;
    cluster.configure(&toml(&cluster, &["n2", "n3", "n4"]))?;
    held(&mut cluster, all)?;
    let seen = monitor.seen()?;
    ensure!(seen.contains(NETWORK), "the monitor saw nothing:\n{seen}");
    replaced_in_place(&seen, "10.244.")?;
    Ok(())
}

/// Flows that the kernel spreads over the next hops: by a hash whose seed is new with each boot, so
/// there are enough of them for each next hop to have some.
const FLOWS: u8 = 32;

#[test]
fn the_loss_of_one_next_hop_costs_the_flows_of_the_others_nothing() -> Result {
    let mut cluster = cluster(&[0, 0, 0, 0])?;
    cluster.configure(&toml(&cluster, &["n2", "n3", "n4"]))?;
    cluster.start_all()?;
    for other in ["n2", "n3", "n4"] {
        established(cluster.node(1)?, other)?;
    }
    // The same addresses behind each of the three: whoever gets a packet has it arrive.
    let shared: [IpAddr; 2] = ["10.244.9.1".parse()?, "fd00:244:9::1".parse()?];
    for i in 2..=4 {
        let add = shared.map(|address| format!("address add {} dev lo", IpNet::from(address)));
        cluster.node(i)?.netns().ip_lines(&add)?;
    }
    let sources = |n: u8| -> [IpAddr; 2] {
        let v6 = Ipv6Addr::new(0xfd00, 0x244, 1, 0, 0, 0, 0, 16 + u16::from(n));
        [Ipv4Addr::new(10, 244, 1, 10 + n).into(), v6.into()]
    };
    for source in (0..FLOWS).flat_map(sources) {
        let add = format!("address add {} dev lo", IpNet::from(source));
        cluster.node(1)?.netns().ip_line(&add)?;
    }
    let all = [
        "10.244.9.0/26 proto bird nexthop via 10.50.0.2 dev net0 \
         nexthop via 10.50.0.3 dev net0 nexthop via 10.50.0.4 dev net0",
        "fd00:244:9::/64 proto bird metric 1024 nexthop via fd50::2 dev net0 \
         nexthop via fd50::3 dev net0 nexthop via fd50::4 dev net0",
    ];
    let without = |i: u8| {
        let [v4, v6] = all;
        let hop = |start: &str| format!(" nexthop via {start}{i} dev net0");
        [v4.replace(&hop("10.50.0."), ""), v6.replace(&hop("fd50::"), "")]
    };
    let holds = |cluster: &mut Cluster, networks: [&str; 2], alive: &[u8]| -> Result {
        let mut v4 = vec!["blackhole 10.244.1.0/26 proto bird".to_owned()];
        let mut v6 = vec!["blackhole fd00:244:1::/64 dev lo proto bird metric 1024".to_owned()];
        for i in alive {
            v4.push(format!("10.244.{i}.0/26 via 10.50.0.{i} dev net0 proto bird"));
            v6.push(format!("fd00:244:{i}::/64 via fd50::{i} dev net0 proto bird metric 1024"));
        }
        for (family, blocks, network) in
            [(Family::V4, &v4, networks[0]), (Family::V6, &v6, networks[1])]
        {
            let all: Vec<&str> = blocks.iter().map(String::as_str).chain([network]).collect();
            cluster.node(1)?.holds(family, &all, SOON)?;
        }
        Ok(())
    };
    let rest = |i: u8, cluster: &mut Cluster, alive: &[u8]| {
        let [v4, v6] = without(i);
        holds(cluster, [&v4, &v6], alive)
    };
    holds(&mut cluster, all, &[2, 3, 4])?;

    let nodes = cluster.nodes();
    let mut ends = Vec::new();
    for (at, name) in ["IPv4", "IPv6"].into_iter().enumerate() {
        let from = (0..FLOWS).map(|n| (0, sources(n)[at]));
        let to = (1..=3).map(|node| (node, shared[at]));
        let netns = |node: usize| nodes[node].netns();
        ends.extend(from.chain(to).map(|(node, address)| End {
            name,
            netns: netns(node),
            address,
        }));
    }
    let each = usize::from(FLOWS) + 3;
    let pairs: Vec<(usize, usize)> = [0, each]
        .into_iter()
        .flat_map(|first| {
            (0..usize::from(FLOWS)).map(move |from| (first + from, first + usize::from(FLOWS)))
        })
        .collect();
    let traffic = Traffic::start(&ends, &pairs, Duration::from_millis(2))?;
    let begin = traffic.beat();
    // One is withdrawn, and back; then one's daemon dies while its host lives.
    cluster.configure(&toml(&cluster, &["n3", "n4"]))?;
    rest(2, &mut cluster, &[2, 3, 4])?;
    cluster.configure(&toml(&cluster, &["n2", "n3", "n4"]))?;
    holds(&mut cluster, all, &[2, 3, 4])?;
    traffic.beats(begin, 20)?;
    let until = traffic.calm(begin);
    let lost = traffic.lost(begin, until, |_, _| true);
    println!("withdrawn and announced again: {} sent, {} lost", lost.sent, lost.lost);
    let losers = traffic.losers(begin, until, |_, _| true);
    ensure!(lost.lost == 0 && lost.sent > 1000, "{lost:?} {losers:?}");

    // A cable is cut, with BFD at its default: only what went over it is lost, until it is known.
    let begin = traffic.beat();
    cluster.switch().netns().ip_line("link set n4.net0 nomaster")?;
    rest(4, &mut cluster, &[2, 3])?;
    let until = traffic.calm(begin);
    for family in ["IPv4", "IPv6"] {
        let losers = traffic.losers(begin, until, |name, _| name == family);
        let lost = traffic.lost(begin, until, |name, _| name == family);
        println!(
            "one of three cut, {family}: {} sent, {} lost, by {} of {FLOWS} flows, for {} ms",
            lost.sent,
            lost.lost,
            losers.len(),
            lost.gap.as_millis()
        );
        ensure!(!losers.is_empty() && losers.len() < usize::from(FLOWS), "{losers:#?}");
    }
    // Nor do those that have moved lose anything afterwards.
    let begin = traffic.beat();
    traffic.beats(begin, 100)?;
    let lost = traffic.lost(begin, traffic.calm(begin), |_, _| true);
    ensure!(lost.lost == 0, "{lost:?}");
    Ok(())
}
