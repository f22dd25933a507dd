//! BFD with BIRD's own and with FRR's bfdd, over one hop and several, IPv4 and IPv6; and beside
//! them a BIRD that speaks none and is left alone.

use anyhow::{Context, ensure};
use starling::api::{BfdSession, BfdState, Neighbor, SessionState};
use starling_lab::matrix::{self, Feature};
use starling_lab::speaker::Software;
use starling_lab::{Bird, Cluster, Frr, Netns, Node, Result, wait_for};

use crate::support::{SOON, cluster, established, logged, neighbour};

fn peer(name: &str, address: &str, rest: &str) -> String {
    format!("[[peer]]\nname = \"{name}\"\naddress = \"{address}\"\nasn = 65000\n{rest}\n\n")
}

/// Waits until BFD of `node` with `name` is Up and both ends go at full speed.
fn up(node: &mut Node, name: &str) -> Result<BfdSession> {
    wait_for("BFD", SOON, || {
        let all: Vec<BfdSession> = node.daemon()?.read(&["show", "bfd"])?;
        let session = all.iter().find(|s| s.name == name).cloned().context("it is not shown")?;
        let fast = session.detection_ms == Some(900) && session.transmit_ms == 300;
        ensure!(session.state == BfdState::Up && fast, "{session:#?}");
        Ok(session)
    })
}

/// How often a session was lost, and BFD with it. Theirs runs as any other program does, and misses
/// us where this machine stands still for a moment.
fn losses(node: &mut Node, name: &str) -> Result<[u64; 2]> {
    let neighbor: Neighbor = node.daemon()?.read(&["show", "neighbors", name])?;
    Ok([neighbor.flaps, neighbor.bfd.context("no BFD")?.flaps])
}

/// Waits until the session is gone once more, and that because of BFD.
fn lost(node: &mut Node, name: &str, [sessions, bfd]: [u64; 2]) -> Result {
    // The hold times are longer than this test waits.
    wait_for("the end of the session", SOON, || {
        let neighbor: Neighbor = node.daemon()?.read(&["show", "neighbors", name])?;
        ensure!(neighbor.summary.state != SessionState::Established, "{neighbor:#?}");
        let flaps = neighbor.bfd.as_ref().map(|bfd| bfd.flaps);
        ensure!((neighbor.flaps, flaps) == (sessions + 1, Some(bfd + 1)), "{neighbor:#?}");
        Ok(())
    })?;
    logged(node, "no session: BFD: neighbour silent for 900 ms")
}

/// A BIRD at `name`, 10.50.0.`number`, whose neighbours are n1 as `sessions` have it: name, family,
/// our address, n1's address, more words.
fn bird(
    cluster: &Cluster,
    name: &str,
    number: u8,
    bfd: &str,
    sessions: &[[&str; 5]],
) -> Result<(Bird, Netns)> {
    let more = ["address add 10.50.0.33/24 dev net0", "address add fd50::33/64 dev net0 nodad"];
    let netns = cluster.host(name, 0, number, &more.map(str::to_owned)[..])?;
    let mut config = format!("router id 10.50.0.{number};\nlog stderr all;\n{bfd}");
    config += "protocol device { scan time 1; }\n";
    for [name, family, own, theirs, words] in sessions {
        config += &format!(
            "protocol bgp {name} {{\n local {own} as 65000;\n neighbor {theirs} as 64512;\n \
             hold time 90; connect delay time 1; connect retry time 1; error wait time 1, 2;\n \
             {family} {{ import all; export none; }};\n {words}\n}}\n"
        );
    }
    Ok((Bird::start(&netns, &cluster.lab().subdir(name)?, &config)?, netns))
}

const BIRD_BFD: &str = "protocol bfd {\n interface \"*\" { interval 300 ms; multiplier 3; };\n \
                        multihop { interval 300 ms; multiplier 3; };\n}\n";

/// Frames of `host` are dropped from now on; its interface keeps its carrier.
fn unplug(cluster: &Cluster, host: &str) -> Result {
    cluster.switch().netns().ip_line(&format!("link set {host}.net0 nomaster")).map(drop)
}

#[test]
fn birds_bfd_is_understood_and_a_bird_without_is_left_alone() -> Result {
    let mut cluster = cluster(&[0])?;
    // BIRD has one session at most with an address.
    let own = ["address add 10.50.0.21/24 dev net0", "address add fd50::21/64 dev net0 nodad"];
    cluster.nodes()[0].netns().ip_lines(&own.map(str::to_owned))?;
    let one = "bfd = true";
    let several = |local| format!("bfd = {{ multihop = true }}\nlocal-address = \"{local}\"");
    let names = ["one4", "one6", "several4", "several6"];
    let extra = peer("one4", "10.50.0.30", one)
        + &peer("one6", "fd50::30", one)
        + &peer("several4", "10.50.0.33", &several("10.50.0.21"))
        + &peer("several6", "fd50::33", &several("fd50::21"))
        + &peer("plain", "10.50.0.40", one);
    cluster.configure(&cluster.toml("never", &extra))?;
    cluster.start_all()?;
    let (watched, _netns) = bird(
        &cluster,
        "watched",
        30,
        BIRD_BFD,
        &[
            ["one4", "ipv4", "10.50.0.30", "10.50.0.1", "bfd on;"],
            ["one6", "ipv6", "fd50::30", "fd50::1", "bfd on;"],
            ["several4", "ipv4", "10.50.0.33", "10.50.0.21", "multihop; bfd on;"],
            ["several6", "ipv6", "fd50::33", "fd50::21", "multihop; bfd on;"],
        ],
    )?;
    let (_plain, _there) =
        bird(&cluster, "plain", 40, "", &[["n1", "ipv4", "10.50.0.40", "10.50.0.1", ""]])?;
    let node = cluster.node(1)?;
    established(node, "plain")?;
    for name in names {
        established(node, name)?;
        up(node, name)?;
    }
    wait_for("BIRD's own view", SOON, || {
        let theirs = watched.birdc("show bfd sessions")?;
        ensure!(theirs.matches(" Up ").count() == 4, "{theirs}");
        Ok(())
    })?;

    let before = names.map(|name| losses(node, name));
    unplug(&cluster, "watched")?;
    let node = cluster.node(1)?;
    for (name, before) in names.into_iter().zip(before) {
        lost(node, name, before?)?;
    }
    wait_for("BIRD to notice", SOON, || {
        let theirs = watched.birdc("show bfd sessions")?;
        ensure!(!theirs.contains(" Up "), "{theirs}");
        let sessions = watched.birdc("show protocols")?;
        ensure!(!sessions.contains("Established"), "{sessions}");
        Ok(())
    })?;
    let plain: Neighbor = node.daemon()?.read(&["show", "neighbors", "plain"])?;
    assert_eq!(plain.summary.state, SessionState::Established);
    assert_eq!((plain.flaps, plain.bfd.map(|bfd| bfd.state)), (0, Some(BfdState::NotHeard)));
    matrix::pass(Feature::Bfd, Software::Bird)
}

#[test]
fn frrs_bfdd_is_understood() -> Result {
    let mut cluster = cluster(&[0])?;
    let extra = peer("one4", "10.50.0.254", "bfd = true")
        + &peer("several6", "fd50::254", "bfd = { multihop = true, min-ttl = 254 }");
    cluster.configure(&cluster.toml("never", &extra))?;
    cluster.start_all()?;
    let netns = cluster.host("gw", 0, 254, &[])?;
    let config = "router bgp 65000\n bgp router-id 10.50.0.254\n no bgp ebgp-requires-policy\n \
                  neighbor 10.50.0.1 remote-as 64512\n neighbor 10.50.0.1 timers connect 1\n \
                  neighbor 10.50.0.1 bfd\n neighbor fd50::1 remote-as 64512\n \
                  neighbor fd50::1 timers connect 1\n neighbor fd50::1 ebgp-multihop 3\n \
                  neighbor fd50::1 update-source fd50::254\n neighbor fd50::1 bfd\n \
                  address-family ipv6 unicast\n  neighbor fd50::1 activate\n \
                  exit-address-family\nexit\n";
    let frr = Frr::start_with_bfd(&netns, &cluster.lab().subdir("gw")?, config)?;
    let node = cluster.node(1)?;
    for name in ["one4", "several6"] {
        established(node, name)?;
        up(node, name)?;
    }
    let states = || -> Result<Vec<String>> {
        let peers: serde_json::Value = serde_json::from_str(&frr.bfd("show bfd peers json")?)?;
        let peers = peers.as_array().cloned().unwrap_or_default();
        let state = |peer: &serde_json::Value| peer["status"].as_str().unwrap_or("?").to_owned();
        Ok(peers.iter().map(state).collect())
    };
    wait_for("FRR's own view", SOON, || {
        let states = states()?;
        ensure!(states == ["up", "up"], "{states:?}");
        Ok(())
    })?;
    let names = ["one4", "several6"];
    let before = names.map(|name| losses(cluster.node(1)?, name));
    unplug(&cluster, "gw")?;
    let node = cluster.node(1)?;
    for (name, before) in names.into_iter().zip(before) {
        lost(node, name, before?)?;
    }
    wait_for("FRR to notice", SOON, || {
        let states = states()?;
        ensure!(states == ["down", "down"], "{states:?}");
        let summary = frr.vtysh("show bgp summary json")?;
        ensure!(!summary.contains("\"state\":\"Established\""), "{summary}");
        Ok(())
    })?;
    // The wire is mended: everything comes back by itself.
    cluster.switch().netns().ip_line("link set gw.net0 master br0")?;
    let node = cluster.node(1)?;
    for name in ["one4", "several6"] {
        established(node, name)?;
        up(node, name)?;
        assert_eq!(neighbour(node, name)?.state, SessionState::Established);
    }
    matrix::pass(Feature::Bfd, Software::Frr)?;
    for without in [Software::GoBgp, Software::OpenBgpd, Software::ExaBgp] {
        matrix::not_offered(Feature::Bfd, without)?;
    }
    Ok(())
}
