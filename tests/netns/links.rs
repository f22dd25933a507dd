//! What the kernel sees of a neighbour's way ends a session, or begins it, long before a timer
//! would: the link, our own address, a host that does not answer, a connection that is reset. BFD
//! is off throughout, the hold time is 90 s.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, ensure};
use starling::api::{Neighbor, SessionState};
use starling_lab::{Cluster, Family, Monitor, Node, Result, ping_as, wait_for};

use crate::support::{SOON, cluster, established, logged, neighbour};

const NO_BFD: &str = "[bfd]\nenabled = false\n";
const OWN: &str = "blackhole 10.244.1.0/26 proto bird";
const RACK_MATE: &str = "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird";

fn mesh(racks: &[u8]) -> Result<Cluster> {
    let mut cluster = cluster(racks)?;
    cluster.configure(&cluster.toml("never", NO_BFD))?;
    cluster.start_all()?;
    for i in 1..=racks.len() {
        for other in (1..=racks.len()).filter(|other| *other != i) {
            established(cluster.node(i)?, &format!("n{other}"))?;
        }
    }
    Ok(cluster)
}

/// Waits until the last session of `node` with `name` has ended for a reason with these words.
fn ended(node: &mut Node, name: &str, words: &str) -> Result {
    wait_for("the end of the session", SOON, || {
        let neighbor: Neighbor = node.daemon()?.read(&["show", "neighbors", name])?;
        ensure!(neighbor.flaps > 0, "{neighbor:#?}");
        Ok(())
    })?;
    logged(node, &format!("no session: {words}"))
}

fn flaps(node: &mut Node, name: &str) -> Result<(SessionState, u32)> {
    let neighbor: Neighbor = node.daemon()?.read(&["show", "neighbors", name])?;
    Ok((neighbor.summary.state, neighbor.flaps.try_into()?))
}

#[test]
fn a_lost_carrier_ends_the_sessions_of_direct_neighbours_alone() -> Result {
    let mut cluster = mesh(&[0, 0, 1])?;
    let far = "10.244.3.0/26 via 10.50.0.254 dev net0 proto bird";
    cluster.node(1)?.holds(Family::V4, &[OWN, RACK_MATE, far], SOON)?;
    let log = cluster.lab().dir().join("monitor.log");
    let monitor = Monitor::start(cluster.node(2)?.netns(), &log)?;
    let port = |state: &str| format!("link set n1.net0 {state}");
    cluster.switch().netns().ip_line(&port("down"))?;
    ended(cluster.node(1)?, "n2", "link lost: net0 has no carrier")?;
    // What leans on that interface is gone at once, whoever it came from, and does not fall to the
    // default route.
    let held = "unreachable 10.244.2.0/26 proto bird";
    let too = "unreachable 10.244.3.0/26 proto bird";
    cluster.node(1)?.holds(Family::V4, &[OWN, held, too], SOON)?;
    // The kernel may know another way to one that is not directly connected: timers decide.
    assert_eq!(flaps(cluster.node(1)?, "n3")?, (SessionState::Established, 0));

    cluster.switch().netns().ip_line(&port("up"))?;
    established(cluster.node(1)?, "n2")?;
    cluster.node(1)?.holds(Family::V4, &[OWN, RACK_MATE, far], SOON)?;
    assert_eq!(flaps(cluster.node(1)?, "n3")?, (SessionState::Established, 0));
    let (one, two) = (&cluster.nodes()[0], &cluster.nodes()[1]);
    ping_as(one.netns(), one.pod(Family::V4), two.pod(Family::V4), 1)?.complete()?;
    // The other end kept the routes all the while, as after any lost connection.
    let seen = monitor.seen()?;
    ensure!(!seen.contains("Deleted 10.244.1."), "{seen}");
    Ok(())
}

#[test]
fn an_interface_that_is_taken_down_or_away_ends_them_too() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    let node = cluster.node(1)?;
    node.netns().ip_line("link set net0 down")?;
    ended(node, "n2", "link lost: net0 is down")?;
    node.netns().ip_line("link set net0 up")?;
    established(node, "n2")?;
    node.netns().ip_line("link del net0")?;
    logged(node, "is gone")?;
    assert_eq!(flaps(node, "n2")?.1, 2);
    Ok(())
}

/// Of a neighbour whose link-layer address the kernel cannot learn, a session that works is not
/// ended; one whose host acknowledges nothing is, and its routes go.
#[test]
fn a_host_that_does_not_answer_is_probed_before_it_is_given_up() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    let node = cluster.node(1)?;
    // An entry that somebody made fail, of a neighbour that is well: thrice, as a flap would.
    for _ in 0..3 {
        node.netns().ip_line("neigh replace 10.50.0.2 dev net0 nud failed")?;
        std::thread::sleep(Duration::from_millis(1200));
    }
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(flaps(node, "n2")?, (SessionState::Established, 0));

    // So that the kernel's search does not take its usual eight seconds.
    for (key, value) in [
        ("base_reachable_time_ms", "500"),
        ("delay_first_probe_time", "1"),
        ("retrans_time_ms", "100"),
    ] {
        node.netns().sysctl(&format!("net/ipv4/neigh/net0/{key}"), value)?;
    }
    let wires = cluster.switch().netns();
    wires.ip_line("link set n2.net0 nomaster")?;
    let log = cluster.lab().dir().join("ping.log");
    let ping = ["ping", "-n", "-i", "0.2", "10.50.0.2"];
    let _ping = cluster.node(1)?.netns().spawn("ping", &ping, &log)?;
    ended(cluster.node(1)?, "n2", "its host acknowledges nothing")?;
    // Not its daemon alone is gone: nothing is kept for its restart.
    cluster.node(1)?.holds(Family::V4, &[OWN], SOON)?;
    cluster.switch().netns().ip_line("link set n2.net0 master br0")?;
    established(cluster.node(1)?, "n2")?;
    cluster.node(1)?.holds(Family::V4, &[OWN, RACK_MATE], SOON)
}

#[test]
fn a_reset_is_known_at_once_and_costs_no_route() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    let log = cluster.lab().dir().join("monitor.log");
    let monitor = Monitor::start(cluster.node(1)?.netns(), &log)?;
    let nft = |rule: &str, node: &Node| -> Result {
        let mut command = node.netns().command("nft");
        starling_lab::run(command.arg(rule), SOON)?;
        Ok(())
    };
    let far = &cluster.nodes()[1];
    nft("add table ip test", far)?;
    nft("add chain ip test in { type filter hook input priority 0; }", far)?;
    nft("add rule ip test in ip saddr 10.50.0.1 tcp sport 179 reject with tcp reset", far)?;
    nft("add rule ip test in ip saddr 10.50.0.1 tcp dport 179 reject with tcp reset", far)?;
    // Something that goes at once.
    cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n2", "refresh"])?;
    ended(cluster.node(1)?, "n2", "connection lost: connection reset by peer")?;
    nft("delete table ip test", &cluster.nodes()[1])?;
    established(cluster.node(1)?, "n2")?;
    cluster.node(1)?.holds(Family::V4, &[OWN, RACK_MATE], SOON)?;
    let seen = monitor.seen()?;
    ensure!(!seen.contains("Deleted 10.244."), "{seen}");
    Ok(())
}

#[test]
fn our_address_of_a_session_is_waited_for_and_not_tried_in_a_loop() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.configure(&cluster.toml("never", NO_BFD))?;
    let node = cluster.node(1)?;
    node.netns().ip_line("address del 10.50.0.1/24 dev net0")?;
    // Its attempts are one a second, at least.
    cluster.start_with(1, &["--log", "debug"])?;
    cluster.start(2)?;
    let node = cluster.node(1)?;
    logged(node, "waiting: our address 10.50.0.1 is not on this host")?;
    std::thread::sleep(Duration::from_secs(6));
    let log = node.daemon()?.log();
    let attempts = log.lines().filter(|line| line.contains("-> Connect")).count();
    ensure!((1..=3).contains(&attempts), "{attempts} attempts:\n{log}");
    assert_ne!(neighbour(node, "n2")?.state, SessionState::Established);
    // Only this end dials, so that it is its own wait that ends.
    cluster.node(2)?.take_daemon()?.into_proc().stop(SOON)?;
    cluster.configure(
        &cluster.toml("never", NO_BFD).replace("connect-retry = \"1s\"", "connect-retry = \"1h\""),
    )?;
    cluster.start(2)?;
    logged(cluster.node(1)?, "reloaded")?;
    std::thread::sleep(Duration::from_secs(2));
    cluster.node(1)?.netns().ip_line("address add 10.50.0.1/24 dev net0")?;
    established(cluster.node(1)?, "n2")?;
    cluster.node(1)?.holds(Family::V4, &[OWN, RACK_MATE], SOON)
}

/// `[bgp] listen` names an address that comes later: the daemon starts, and is called there once
/// it is there.
#[test]
fn an_address_to_listen_on_may_come_later() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let text = cluster.toml("never", &format!("[bgp]\nlisten = \"node\"\n{NO_BFD}"));
    cluster.configure(&text)?;
    cluster.node(1)?.netns().ip_lines(&[
        "address del 10.50.0.1/24 dev net0".to_owned(),
        "address del fd50::1/64 dev net0".to_owned(),
    ])?;
    cluster.start_all()?;
    for address in ["10.50.0.1:179", "[fd50::1]:179"] {
        logged(cluster.node(1)?, &format!("listening on {address}, which is not on this host"))?;
    }
    cluster.node(1)?.netns().ip_lines(&[
        "address add 10.50.0.1/24 dev net0".to_owned(),
        "address add fd50::1/64 dev net0 nodad".to_owned(),
    ])?;
    for address in ["10.50.0.1:179", "[fd50::1]:179"] {
        let address: SocketAddr = address.parse()?;
        let call = || TcpStream::connect_timeout(&address, SOON);
        cluster.node(2)?.netns().inside(call)?.with_context(|| format!("calling {address}"))?;
    }
    established(cluster.node(1)?, "n2")?;
    Ok(())
}
