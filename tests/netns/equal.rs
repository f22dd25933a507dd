//! Equal paths: one prefix announced by several nodes, one route in the kernel with all of them as
//! next hops, each reached as the pool's mode says of it.

use anyhow::{Context, ensure};
use starling::api::{FibEntry, How, KernelState, Route};
use starling_lab::{Cluster, Family, Result};

use crate::support::{SOON, cluster, established};
use crate::tunnel::stand_in;

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
    let routes: Vec<Route> = daemon.rows(&["show", "routes", NETWORK])?;
    ensure!(routes.len() == 1 && routes[0].kernel.state == KernelState::Installed, "{routes:#?}");
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
    let monitor =
        cluster.node(1)?.netns().spawn("ip monitor", &["ip", "-4", "monitor", "route"], &log)?;
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
    let seen = monitor.log();
    ensure!(seen.contains(NETWORK), "the monitor saw nothing:\n{seen}");
    ensure!(!seen.contains("Deleted 10.244"), "a route was away for a moment:\n{seen}");
    Ok(())
}
