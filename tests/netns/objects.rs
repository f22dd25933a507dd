//! `[kernel] nexthop-objects`: routes that share their next hops in the kernel, switched on and off
//! under traffic.

use std::time::Duration;

use anyhow::ensure;
use starling::api::FibEntry;
use starling_lab::{Cluster, End, Family, Result, Traffic, wait_for};

use crate::support::{SOON, cluster, established, logged};

fn toml(cluster: &Cluster, objects: bool) -> String {
    cluster.toml("never", &format!("[kernel]\nnexthop-objects = {objects}\n"))
}

/// Waits until node 1 has its three routes of each family, those to others through an object each
/// or none of them.
fn held(cluster: &mut Cluster, objects: bool) -> Result {
    let node = cluster.node(1)?;
    let v4 = [
        "blackhole 10.244.1.0/26 proto bird",
        "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird",
        "10.244.3.0/26 via 10.50.0.3 dev net0 proto bird",
    ];
    let v6 = [
        "blackhole fd00:244:1::/64 dev lo proto bird metric 1024",
        "fd00:244:2::/64 via fd50::2 dev net0 proto bird metric 1024",
        "fd00:244:3::/64 via fd50::3 dev net0 proto bird metric 1024",
    ];
    node.holds(Family::V4, &v4, SOON)?;
    node.holds(Family::V6, &v6, SOON)?;
    wait_for("routes through objects, or without", SOON, || {
        let netns = node.netns();
        let shown = netns.ip(&["-4", "route", "show", "proto", "bird"])?
            + &netns.ip(&["-6", "route", "show", "proto", "bird"])?;
        let made = netns.ip(&["nexthop", "show"])?;
        let expected = if objects { 4 } else { 0 };
        ensure!(shown.matches(" nhid ").count() == expected, "{shown}");
        ensure!(made.matches(" proto bird").count() == expected, "{made}");
        Ok(())
    })
}

#[test]
fn the_option_is_switched_by_reload_and_restart_and_no_packet_is_lost() -> Result {
    let mut cluster = cluster(&[0, 0, 0])?;
    cluster.configure(&toml(&cluster, false))?;
    cluster.start_all()?;
    for other in ["n2", "n3"] {
        established(cluster.node(1)?, other)?;
    }
    held(&mut cluster, false)?;
    let (nodes, mut ends) = (cluster.nodes(), Vec::new());
    for (name, family) in [("IPv4", Family::V4), ("IPv6", Family::V6)] {
        let of = |node: &'static str, at: usize| End {
            name: if at == 0 { name } else { node },
            netns: nodes[at].netns(),
            address: nodes[at].pod(family),
        };
        ends.extend([of("n1", 0), of("n2", 1), of("n3", 2)]);
    }
    let pairs = [(0, 1), (0, 2), (3, 4), (3, 5)];
    let traffic = Traffic::start(&ends, &pairs, Duration::from_millis(1))?;
    let begin = traffic.beat();
    for objects in [true, false, true] {
        cluster.configure(&toml(&cluster, objects))?;
        held(&mut cluster, objects)?;
    }

    let daemon = cluster.node(1)?.daemon()?;
    let entries: Vec<FibEntry> = daemon.rows(&["show", "fib"])?;
    let object = |prefix: &str| {
        entries.iter().find(|entry| entry.prefix.to_string() == prefix).and_then(|e| e.object)
    };
    ensure!(object("10.244.1.0/26").is_none(), "{entries:#?}");
    let [a, b] = ["10.244.2.0/26", "10.244.3.0/26"].map(object);
    ensure!(a.is_some() && b.is_some() && a != b, "{entries:#?}");
    let text = daemon.bgpctl(&["show", "fib"])?;
    ensure!(text.contains("nhid "), "{text}");

    // The next daemon finds them and leaves them as they are.
    let before = cluster.node(1)?.netns().ip(&["nexthop", "show"])?;
    drop(cluster.node(1)?.take_daemon()?);
    cluster.start(1)?;
    for other in ["n2", "n3"] {
        established(cluster.node(1)?, other)?;
    }
    logged(cluster.node(1)?, "adopted a predecessor's routes")?;
    held(&mut cluster, true)?;
    ensure!(cluster.node(1)?.netns().ip(&["nexthop", "show"])? == before);

    traffic.beats(begin, 300)?;
    let until = traffic.calm(begin);
    let lost = traffic.lost(begin, until, |_, _| true);
    println!("{} sent, {} lost", lost.sent, lost.lost);
    ensure!(lost.lost == 0 && lost.sent > 1000, "{lost:?}");
    drop(traffic);

    // Somebody removes one, and with it the routes.
    let node = cluster.node(1)?;
    let id = a.map(|id| id.to_string()).unwrap_or_default();
    node.netns().ip(&["nexthop", "del", "id", &id])?;
    logged(node, "somebody else removed a nexthop object of ours")?;
    held(&mut cluster, true)
}
