//! Interfaces, addresses and gateways that change under packets, one a millisecond and way between
//! two nodes' pods. What follows for the routes alone `fib/tests/kernel/places.rs` tries out.

use std::time::Duration;

use anyhow::{Context, ensure};
use starling_lab::{Cluster, End, Family, Netns, Result, Traffic, wait_for};

use crate::support::{SOON, cluster, established};

const OWN: &str = "blackhole 10.244.1.0/26 proto bird";

/// Both nodes run and reach each other's pods by what `way` says for node 1.
fn started(cluster: &mut Cluster, way: &str) -> Result<Traffic> {
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    leads(cluster, way)?;
    let nodes = cluster.nodes();
    let end = |at: usize, name| {
        let address = nodes[at].pod(Family::V4);
        End { name, netns: nodes[at].netns(), address }
    };
    let traffic =
        Traffic::start(&[end(0, "n1"), end(1, "n2")], &[(0, 1), (1, 0)], Duration::from_millis(1))?;
    // Neighbours are looked for.
    gets_through(&traffic, &["n1", "n2"])?;
    Ok(traffic)
}

/// Waits until nothing of what these send is lost any more.
fn gets_through(traffic: &Traffic, who: &[&str]) -> Result {
    wait_for("packets to get through", SOON, || {
        let from = traffic.beat();
        traffic.beats(from, 50)?;
        let lost = traffic.lost(from, traffic.calm(from), |name, _| who.contains(&name));
        ensure!(lost.lost == 0 && lost.sent >= 50, "{lost:?}");
        Ok(())
    })
}

/// Waits until node 1 reaches the pods of node 2 so.
fn leads(cluster: &mut Cluster, way: &str) -> Result {
    let route = format!("10.244.2.0/26 {way}");
    cluster.node(1)?.holds(Family::V4, &[OWN, &route], SOON)
}

/// What was lost since `from`, which must be nothing.
fn nothing_lost(traffic: &Traffic, from: usize, what: &str) -> Result {
    traffic.beats(traffic.beat(), 200)?;
    let until = traffic.calm(from);
    let lost = traffic.lost(from, until, |_, _| true);
    let losers = traffic.losers(from, until, |_, _| true);
    ensure!(lost.lost == 0 && lost.sent >= 400, "{what}: {lost:?} {losers:?}");
    Ok(())
}

#[test]
fn a_renamed_interface_and_a_second_one_in_the_same_subnet() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    // The kernel's own packets, those of the session, are to leave a link without a carrier too.
    cluster.node(1)?.netns().sysctl("net/ipv4/conf/all/ignore_routes_with_linkdown", "1")?;
    // Nor is the other one's kernel to send there for half a minute.
    for (key, value) in [
        ("base_reachable_time_ms", "500"),
        ("delay_first_probe_time", "1"),
        ("retrans_time_ms", "100"),
    ] {
        cluster.node(2)?.netns().sysctl(&format!("net/ipv4/neigh/net0/{key}"), value)?;
    }
    let traffic = started(&mut cluster, "via 10.50.0.2 dev net0 proto bird")?;
    let from = traffic.beat();
    cluster.node(1)?.netns().ip_line("link set net0 name lan0")?;
    leads(&mut cluster, "via 10.50.0.2 dev lan0 proto bird")?;
    nothing_lost(&traffic, from, "renamed")?;

    let from = traffic.beat();
    let address = ["address add 10.50.0.21/24 dev net1".to_owned()];
    let nodes = cluster.nodes();
    cluster.switch().plug("br0", nodes[0].netns(), "net1", &address)?;
    leads(&mut cluster, "via 10.50.0.2 dev lan0 proto bird")?;
    nothing_lost(&traffic, from, "a second interface")?;

    // The first one dies and comes back: the second one carries the packets meanwhile, and no
    // gateway is asked. What is lost is what the switch and the search for the neighbour take.
    for (state, device) in [("down", "net1"), ("up", "lan0")] {
        let from = traffic.beat();
        cluster.switch().netns().ip_line(&format!("link set n1.net0 {state}"))?;
        leads(&mut cluster, &format!("via 10.50.0.2 dev {device} proto bird"))?;
        let lost = traffic.lost(from, traffic.calm(from), |name, _| name == "n1");
        println!("the first one is {state}: {lost:?}");
        established(cluster.node(1)?, "n2")?;
        gets_through(&traffic, &["n1"]).context(state)?;
        leads(&mut cluster, &format!("via 10.50.0.2 dev {device} proto bird"))?;
    }
    Ok(())
}

/// So that gateways of two racks lead on to the pods of both.
fn knows_blocks(gateway: &Netns) -> Result {
    gateway.ip_lines(&[
        "route add 10.244.1.0/26 via 10.50.0.1".to_owned(),
        "route add 10.244.2.0/26 via 10.50.1.2".to_owned(),
    ])
}

#[test]
fn another_default_gateway_costs_nothing() -> Result {
    let mut cluster = cluster(&[0, 1])?;
    if let Some(gateway) = cluster.gateway() {
        knows_blocks(gateway)?;
    }
    let other = cluster.lab().netns("gw2")?;
    other.sysctl("net/ipv4/ip_forward", "1")?;
    for rack in [0, 1] {
        let (bridge, device) = (format!("br{rack}"), format!("net{rack}"));
        let address = [format!("address add 10.50.{rack}.253/24 dev {device}")];
        cluster.switch().plug(&bridge, &other, &device, &address)?;
    }
    knows_blocks(&other)?;
    let traffic = started(&mut cluster, "via 10.50.0.254 dev net0 proto bird")?;
    for gateway in ["10.50.0.253", "10.50.0.254"] {
        let from = traffic.beat();
        cluster.node(1)?.netns().ip_line(&format!("route replace default via {gateway}"))?;
        leads(&mut cluster, &format!("via {gateway} dev net0 proto bird"))?;
        nothing_lost(&traffic, from, gateway)?;
    }
    Ok(())
}

/// As clouds do it: a host address, and a gateway that is in no subnet.
#[test]
fn a_host_address_with_an_on_link_gateway() -> Result {
    let mut cluster = cluster(&[0, 1])?;
    if let Some(gateway) = cluster.gateway() {
        knows_blocks(gateway)?;
    }
    cluster.node(1)?.netns().ip_lines(&[
        "address del 10.50.0.1/24 dev net0".to_owned(),
        "address add 10.50.0.1/32 dev net0".to_owned(),
        "route add default via 10.50.0.254 dev net0 onlink".to_owned(),
    ])?;
    let traffic = started(&mut cluster, "via 10.50.0.254 dev net0 proto bird onlink")?;
    // The other way to say the same.
    let from = traffic.beat();
    cluster.node(1)?.netns().ip_lines(&[
        "route add 10.50.0.254/32 dev net0 scope link".to_owned(),
        "route replace default via 10.50.0.254 dev net0".to_owned(),
    ])?;
    leads(&mut cluster, "via 10.50.0.254 dev net0 proto bird")?;
    nothing_lost(&traffic, from, "on link by a route of its own")
}
