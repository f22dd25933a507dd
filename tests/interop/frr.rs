//! FRR, which is what VyOS and many top-of-rack switches run: eBGP with and without permission
//! to import, iBGP, sessions over IPv6, and an AS that is not the expected one.

use std::net::IpAddr;

use anyhow::ensure;
use ipnet::IpNet;
use starling::api::{Route, SessionState};
use starling_lab::{
    Cluster, Family, Frr, FrrNeighbor, FrrRouter, Netns, Node, Result, ping_as, routes, wait_for,
};

use crate::support::{SOON, cluster, neighbour};

const GATEWAY: &str = "10.50.0.254";

/// A gateway of AS `asn` beside the nodes, with a network behind it, that peers with n1 and n2.
fn gateway(cluster: &Cluster, asn: u32, peers: &[&str], networks: &[&str]) -> Result<(Frr, Netns)> {
    let own = [
        "address add 203.0.113.1/32 dev lo".to_owned(),
        "address add 2001:db8:99::1/128 dev lo nodad".to_owned(),
    ];
    let netns = cluster.host("gw", 0, 254, &own)?;
    let mut neighbors = Vec::new();
    for peer in peers {
        neighbors.push(FrrNeighbor { address: peer.parse::<IpAddr>()?, asn: 64512 });
    }
    let router = FrrRouter {
        asn,
        router_id: GATEWAY.parse()?,
        neighbors,
        networks: networks.iter().map(|&network| network.to_owned()).collect(),
    };
    let frr = Frr::start(&netns, &cluster.lab().subdir("gw")?, &router.config())?;
    Ok((frr, netns))
}

fn peer(name: &str, address: &str, asn: u32, rest: &str) -> String {
    format!("[[peer]]\nname = \"{name}\"\naddress = \"{address}\"\nasn = {asn}\n{rest}\n\n")
}

/// Destination, gateway and device of what `protocol` wrote, in order.
fn ways(netns: &Netns, family: Family, protocol: &str) -> Result<Vec<String>> {
    let mut held: Vec<String> = routes(netns, family, &format!("proto {protocol}"))?
        .into_iter()
        .map(|route| {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            format!("{} {} {}", route.dst, text(&route.gateway), text(&route.dev))
        })
        .collect();
    held.sort();
    Ok(held)
}

fn has_ways(netns: &Netns, family: Family, protocol: &str, wanted: &[&str]) -> Result {
    let mut wanted = wanted.to_vec();
    wanted.sort_unstable();
    wait_for("the kernel's routes", SOON, || {
        let held = ways(netns, family, protocol)?;
        ensure!(held == wanted, "{} holds {held:#?}, not {wanted:#?}", netns.name());
        Ok(())
    })
}

/// Waits until so many prefixes were received, accepted and sent.
fn counts(node: &mut Node, name: &str, wanted: (u64, u64, u64)) -> Result {
    wait_for("all of both", SOON, || {
        let line = neighbour(node, name)?;
        ensure!((line.received, line.accepted, line.sent) == wanted, "{line:?}");
        Ok(())
    })
}

#[test]
fn ebgp_gives_own_blocks_and_takes_only_what_import_allows() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let both = "families = [\"ipv4\", \"ipv6\"]\n";
    let open = format!("{both}nodes = [\"n1\"]\nimport = [\"203.0.113.0/24\", \"2001:db8::/32\"]");
    let shut = format!("{both}nodes = [\"n2\"]");
    let extra = peer("gw", GATEWAY, 65000, &open) + &peer("gw-shut", GATEWAY, 65000, &shut);
    cluster.configure(&cluster.toml("never", &extra))?;
    cluster.start_all()?;
    let networks = ["203.0.113.0/24", "198.51.100.0/24", "2001:db8:99::/48"];
    let (frr, gw) = gateway(&cluster, 65000, &["10.50.0.1", "10.50.0.2"], &networks)?;

    has_ways(
        &gw,
        Family::V4,
        "bgp",
        &["10.244.1.0/26 10.50.0.1 net0", "10.244.2.0/26 10.50.0.2 net0"],
    )?;
    has_ways(
        &gw,
        Family::V6,
        "bgp",
        &["fd00:244:1::/64 fd50::1 net0", "fd00:244:2::/64 fd50::2 net0"],
    )?;
    // A node tells the router of its own blocks only: one path each, through its owner.
    let told: serde_json::Value = serde_json::from_str(&frr.vtysh("show bgp ipv4 unicast json")?)?;
    for (prefix, next_hop) in [("10.244.1.0/26", "10.50.0.1"), ("10.244.2.0/26", "10.50.0.2")] {
        let paths = told["routes"][prefix].as_array().cloned().unwrap_or_default();
        ensure!(paths.len() == 1, "{prefix}: {paths:#?}");
        ensure!(paths[0].to_string().contains(next_hop), "{prefix}: {paths:#?}");
        assert_eq!(paths[0]["path"], "64512");
    }

    let n1 = ["10.244.1.0/26  ", "10.244.2.0/26 10.50.0.2 net0", "203.0.113.0/24 10.50.0.254 net0"];
    has_ways(cluster.nodes()[0].netns(), Family::V4, "bird", &n1)?;
    // n2 may import nothing, and n1 does not hand on what an eBGP peer told it.
    let n2 = ["10.244.1.0/26 10.50.0.1 net0", "10.244.2.0/26  "];
    has_ways(cluster.nodes()[1].netns(), Family::V4, "bird", &n2)?;
    has_ways(
        cluster.nodes()[0].netns(),
        Family::V6,
        "bird",
        &["2001:db8:99::/48 fd50::254 net0", "fd00:244:1::/64  lo", "fd00:244:2::/64 fd50::2 net0"],
    )?;
    counts(cluster.node(2)?, "gw-shut", (3, 0, 2))?;

    for (i, family, to) in [(0, Family::V4, "203.0.113.1"), (0, Family::V6, "2001:db8:99::1")] {
        let node = &cluster.nodes()[i];
        ping_as(node.netns(), node.pod(family), to.parse()?, 2)?.complete()?;
        ping_as(&gw, to.parse()?, node.pod(family), 2)?.complete()?;
    }
    // What was refused is shown with the reason where one asks for it.
    let node = cluster.node(2)?;
    let refused: Vec<Route> =
        node.daemon()?.rows(&["show", "routes", "--from", "gw-shut", "--detail"])?;
    ensure!(!refused.is_empty(), "what the policy refuses is shown nowhere");
    ensure!(refused.iter().all(|route| route.paths[0].filtered.is_some()), "{refused:#?}");
    Ok(())
}

#[test]
fn an_ibgp_router_gives_and_takes_what_lies_in_the_pools() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let rest = "families = [\"ipv4\", \"ipv6\"]";
    cluster.configure(&cluster.toml("never", &peer("gw", GATEWAY, 64512, rest)))?;
    cluster.start_all()?;
    let networks = ["10.244.200.0/24", "198.51.100.0/24", "fd00:244:200::/64"];
    let (frr, gw) = gateway(&cluster, 64512, &["10.50.0.1", "10.50.0.2"], &networks)?;
    has_ways(
        &gw,
        Family::V4,
        "bgp",
        &["10.244.1.0/26 10.50.0.1 net0", "10.244.2.0/26 10.50.0.2 net0"],
    )?;
    let n1 =
        ["10.244.1.0/26  ", "10.244.2.0/26 10.50.0.2 net0", "10.244.200.0/24 10.50.0.254 net0"];
    has_ways(cluster.nodes()[0].netns(), Family::V4, "bird", &n1)?;
    let n1 =
        ["fd00:244:1::/64  lo", "fd00:244:200::/64 fd50::254 net0", "fd00:244:2::/64 fd50::2 net0"];
    has_ways(cluster.nodes()[0].netns(), Family::V6, "bird", &n1)?;
    // Nothing goes from iBGP to iBGP: the router has each block from its owner alone.
    let told: serde_json::Value = serde_json::from_str(&frr.vtysh("show bgp ipv4 unicast json")?)?;
    let paths = told["routes"]["10.244.2.0/26"].as_array().cloned().unwrap_or_default();
    ensure!(paths.len() == 1, "{paths:#?}");
    counts(cluster.node(1)?, "gw", (3, 2, 2))
}

#[test]
fn a_session_over_ipv6_carries_ipv6() -> Result {
    let mut cluster = cluster(&[0])?;
    let rest = "import = [\"2001:db8::/32\"]";
    cluster.configure(&cluster.toml("never", &peer("gw6", "fd50::254", 65000, rest)))?;
    cluster.start_all()?;
    let (_frr, gw) = gateway(&cluster, 65000, &["fd50::1"], &["2001:db8:99::/48"])?;
    has_ways(&gw, Family::V6, "bgp", &["fd00:244:1::/64 fd50::1 net0"])?;
    has_ways(
        cluster.nodes()[0].netns(),
        Family::V6,
        "bird",
        &["2001:db8:99::/48 fd50::254 net0", "fd00:244:1::/64  lo"],
    )?;
    let node = &cluster.nodes()[0];
    ping_as(node.netns(), node.pod(Family::V6), "2001:db8:99::1".parse()?, 2)?.complete()?;
    counts(cluster.node(1)?, "gw6", (1, 1, 1))?;
    let block: IpNet = "2001:db8:99::/48".parse()?;
    let shown: Vec<Route> =
        cluster.node(1)?.daemon()?.rows(&["show", "routes", &block.to_string(), "--detail"])?;
    assert_eq!(shown[0].paths[0].as_path.as_deref(), Some("65000"));
    Ok(())
}

#[test]
fn a_router_of_another_as_is_refused_and_the_reason_said() -> Result {
    let mut cluster = cluster(&[0])?;
    cluster.configure(&cluster.toml("never", &peer("gw", GATEWAY, 65001, "")))?;
    cluster.start_all()?;
    let (_frr, _gw) = gateway(&cluster, 65000, &["10.50.0.1"], &[])?;
    let node = cluster.node(1)?;
    wait_for("the reason", SOON, || {
        let line = neighbour(node, "gw")?;
        let reason = line.reason.clone().unwrap_or_default();
        let said = reason.contains("bad peer AS") && reason.contains("AS numbers");
        ensure!(line.state != SessionState::Established && said, "{line:?}");
        Ok(())
    })?;
    let table = node.daemon()?.bgpctl(&["show", "summary"])?;
    // Beside the AS that was expected.
    ensure!(table.contains("bad peer AS") && table.contains("65001"), "{table}");
    Ok(())
}
