//! Pools that need the tunnel, on a kernel that has none.
//!
//! `starlingd run --tunnel-stand-in` takes a TUN device for `tunl0`: it shows which routes are
//! programmed, and nothing about encapsulation.

use std::collections::BTreeSet;

use anyhow::ensure;
use starling::api::{Neighbor, Reach, Summary};
use starling_lab::{Family, Monitor, Netns, Result, has_ipip, wait_for};

use crate::support::{SOON, cluster, established, logged};

const CROSS: [&str; 3] = [
    "blackhole 10.244.1.0/26 proto bird",
    "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird",
    "10.244.3.0/26 via 10.50.1.3 dev tunl0 proto bird onlink",
];

pub fn stand_in(netns: &Netns) -> Result {
    netns.ip_line("tuntap add dev tunl0 mode tun")?;
    netns.ip_line("link set tunl0 mtu 1480 up").map(drop)
}

/// Checks that no route `within` was away for a moment, by what `ip monitor route` has seen: before
/// one of a destination is deleted, another one is there.
pub fn replaced_in_place(seen: &str, within: &str) -> Result {
    let mut added = BTreeSet::new();
    for line in seen.lines() {
        let gone = line.strip_prefix("Deleted ");
        let Some(destination) = gone.unwrap_or(line).split(' ').next() else { continue };
        if !destination.starts_with(within) {
            continue;
        }
        if gone.is_none() {
            added.insert(destination);
        } else {
            ensure!(added.remove(destination), "{destination} was away for a moment:\n{seen}");
        }
    }
    Ok(())
}

#[test]
fn a_change_of_the_mode_replaces_routes_in_place_and_drops_no_session() -> Result {
    let mut cluster = cluster(&[0, 0, 1])?;
    for i in 1..=3 {
        stand_in(cluster.node(i)?.netns())?;
        cluster.start_with(i, &["--tunnel-stand-in"])?;
    }
    let never = [CROSS[0], CROSS[1], "10.244.3.0/26 via 10.50.0.254 dev net0 proto bird"];
    let always = [CROSS[0], "10.244.2.0/26 via 10.50.0.2 dev tunl0 proto bird onlink", CROSS[2]];
    for other in ["n2", "n3"] {
        established(cluster.node(1)?, other)?;
    }
    cluster.node(1)?.holds(Family::V4, &never, SOON)?;
    let log = cluster.lab().dir().join("monitor.log");
    let monitor = Monitor::start(cluster.node(1)?.netns(), &log)?;
    for (mode, wanted) in [("cross-subnet", &CROSS), ("always", &always), ("never", &never)] {
        cluster.configure(&cluster.toml(mode, ""))?;
        cluster.node(1)?.holds(Family::V4, wanted, SOON)?;
        if mode == "cross-subnet" {
            logged(cluster.node(1)?, "no longer leaning on a gateway")?;
            let nodes: Vec<starling::api::Node> =
                cluster.node(1)?.daemon()?.read(&["show", "nodes"])?;
            let reach: Vec<Reach> = nodes.iter().map(|node| node.reach).collect();
            ensure!(reach[..2] == [Reach::Local, Reach::Direct], "{nodes:#?}");
            let ways: Vec<starling::api::Route> =
                cluster.node(1)?.daemon()?.rows(&["show", "routes", "10.244.3.1"])?;
            assert_eq!(ways[0].paths[0].reached.how, starling::api::How::Tunnel);
        }
    }
    let seen = monitor.seen()?;
    ensure!(seen.contains("10.244.3.0/26"), "the monitor saw nothing:\n{seen}");
    replaced_in_place(&seen, "10.244.")?;
    for other in ["n2", "n3"] {
        let peer: Neighbor = cluster.node(1)?.daemon()?.read(&["show", "neighbors", other])?;
        assert!(peer.flaps == 0 && peer.agreed.is_some(), "{peer:?}");
    }
    Ok(())
}

#[test]
fn without_ipip_the_error_names_the_module_and_direct_routes_work_on() -> Result {
    if has_ipip()? {
        // This kernel can do what is to fail here; a tunnel of another kind in the way
        // shows the same path.
        return a_device_in_the_way();
    }
    let mut cluster = cluster(&[0, 0, 1])?;
    let http = "[http]\nlisten = \"127.0.0.1:9179\"\n";
    cluster.configure(&cluster.toml("cross-subnet", http))?;
    cluster.start_all()?;
    let node = cluster.node(1)?;
    established(node, "n3")?;
    let held = [CROSS[0], CROSS[1], "unreachable 10.244.3.0/26 proto bird"];
    node.holds(Family::V4, &held, SOON)?;
    logged(node, "module `ipip`")?;
    let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
    ensure!(!summary.ready.ready, "{:?}", summary.ready);
    let reason = summary.ready.reasons.iter().find(|reason| reason.code == "no_ipip");
    ensure!(reason.is_some_and(|r| r.text.contains("modprobe ipip")), "{:?}", summary.ready);
    let table = node.daemon()?.bgpctl(&["show", "summary"])?;
    ensure!(table.contains("not ready") && table.contains("modprobe ipip"), "{table}");
    let ready = get(node.netns(), "127.0.0.1:9179", "/readyz")?;
    ensure!(ready.starts_with("HTTP/1.1 503"), "{ready}");
    ensure!(ready.contains("modprobe ipip"), "{ready}");
    ensure!(get(node.netns(), "127.0.0.1:9179", "/livez")?.starts_with("HTTP/1.1 200"));
    let routes = node.daemon()?.bgpctl(&["show", "routes"])?;
    ensure!(routes.contains("unreachable (!)"), "{routes}");

    // The words of the cure are true.
    cluster.configure(&cluster.toml("never", http))?;
    let node = cluster.node(1)?;
    wait_for("the node to be ready", SOON, || {
        let ready = get(node.netns(), "127.0.0.1:9179", "/readyz")?;
        ensure!(ready.starts_with("HTTP/1.1 200"), "{ready}");
        Ok(())
    })
}

#[test]
fn a_device_in_the_way() -> Result {
    let mut cluster = cluster(&[0, 1])?;
    let node = cluster.node(1)?;
    // The module brings its own tunl0 into every namespace.
    node.netns().ip_line("link del tunl0").ok();
    if node.netns().ip_line("link show tunl0").is_ok() {
        node.netns().ip_line("link set tunl0 name tunl9")?;
    }
    node.netns().ip_line("link add tunl0 type bridge")?;
    cluster.configure(&cluster.toml("cross-subnet", ""))?;
    cluster.start_all()?;
    let node = cluster.node(1)?;
    established(node, "n2")?;
    logged(node, "tunl0 exists but is a bridge device, not ipip")?;
    node.holds(Family::V4, &[CROSS[0], "unreachable 10.244.2.0/26 proto bird"], SOON)?;
    let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
    ensure!(!summary.ready.ready, "{:?}", summary.ready);
    ensure!(summary.ready.reasons.iter().any(|r| r.code == "no_tunnel"), "{:?}", summary.ready);
    Ok(())
}

/// A GET without a client: what came back, whole.
pub fn get(netns: &Netns, address: &str, path: &str) -> Result<String> {
    use std::io::{Read, Write};
    Ok(netns.inside(|| -> std::io::Result<String> {
        let mut stream = std::net::TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SOON))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    })??)
}
