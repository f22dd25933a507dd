//! BFD between nodes: a path that dies without a sign is noticed long before the hold time, and
//! what is done on purpose is not taken for that.

use std::time::Duration;

use anyhow::{Context, ensure};
use starling::api::{BfdSession, BfdState, Neighbor, SessionState};
use starling_lab::{Cluster, Family, Monitor, Node, Result, Signal, holds, routes, wait_for};

use crate::support::{SOON, cluster, established, logged, neighbour};

fn session(node: &mut Node, name: &str) -> Result<BfdSession> {
    let all: Vec<BfdSession> = node.daemon()?.read(&["show", "bfd"])?;
    let found = all.iter().find(|session| session.name == name).cloned();
    found.with_context(|| format!("no BFD with {name} in {all:#?}"))
}

/// Waits until BFD of `node` with `name` is as `right` says.
fn bfd(node: &mut Node, name: &str, right: impl Fn(&BfdSession) -> bool) -> Result<BfdSession> {
    wait_for("BFD", SOON, || {
        let session = session(node, name)?;
        ensure!(right(&session), "{session:#?}");
        Ok(session)
    })
}

fn fast(session: &BfdSession) -> bool {
    session.state == BfdState::Up && session.detection_ms == Some(900)
}

fn mesh(nodes: &[u8]) -> Result<Cluster> {
    let mut cluster = cluster(nodes)?;
    cluster.start_all()?;
    for i in 1..=nodes.len() {
        for other in (1..=nodes.len()).filter(|other| *other != i) {
            let (node, name) = (cluster.node(i)?, format!("n{other}"));
            established(node, &name)?;
            bfd(node, &name, fast)?;
        }
    }
    Ok(cluster)
}

/// Nothing comes or goes on `host`'s wire any more; its interface has its carrier all the same.
fn unplug(cluster: &Cluster, host: &str) -> Result {
    cluster.switch().netns().ip_line(&format!("link set {host}.net0 nomaster")).map(drop)
}

fn plug(cluster: &Cluster, host: &str) -> Result {
    cluster.switch().netns().ip_line(&format!("link set {host}.net0 master br0")).map(drop)
}

#[test]
fn a_cut_is_noticed_at_both_ends_and_ends_the_sessions() -> Result {
    let mut cluster = mesh(&[0, 0, 0])?;
    let ends = [(1, "n3"), (2, "n3"), (3, "n1"), (3, "n2")];
    // How often BFD had missed it already: this machine may have stood still.
    let missed: Vec<u64> = ends
        .iter()
        .map(|(node, lost)| Ok(session(cluster.node(*node)?, lost)?.flaps))
        .collect::<Result<_>>()?;
    // At once: it may be that BFD has heard nothing since the sessions began.
    unplug(&cluster, "n3")?;
    // The hold time is 90 s.
    for ((node, lost), missed) in ends.into_iter().zip(missed) {
        let node = cluster.node(node)?;
        wait_for("the end of the session", SOON, || {
            let neighbor: Neighbor = node.daemon()?.read(&["show", "neighbors", lost])?;
            let last = neighbor.last_down.clone().map(|down| down.text).unwrap_or_default();
            let said = last == "BFD: neighbour silent for 900 ms";
            ensure!(said || neighbor.flaps == 1 && last.contains("connect"), "{neighbor:#?}");
            ensure!(neighbor.summary.state != SessionState::Established, "{neighbor:#?}");
            Ok(())
        })?;
        logged(node, "no session: BFD: neighbour silent for 900 ms")?;
        let session = session(node, lost)?;
        assert_eq!((session.state, session.flaps), (BfdState::Down, missed + 1), "{session:#?}");
        assert_eq!(session.diagnostic, "control detection time expired");
    }
    let left =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"];
    holds(cluster.nodes()[0].netns(), Family::V4, "proto bird", &left, SOON)?;
    let other = established(cluster.node(1)?, "n2")?;
    assert!(other.received == 2, "nobody else is touched: {other:?}");

    plug(&cluster, "n3")?;
    for (node, other) in [(1, "n3"), (2, "n3")] {
        established(cluster.node(node)?, other)?;
        bfd(cluster.node(node)?, other, fast)?;
    }
    let back = "10.244.3.0/26 via 10.50.0.3 dev net0 proto bird";
    for node in [1, 2] {
        wait_for("its route", SOON, || {
            let held = routes(cluster.node(node)?.netns(), Family::V4, "proto bird")?;
            ensure!(held.iter().any(|route| route.to_string() == back), "n{node}: {held:?}");
            Ok(())
        })?;
    }
    cluster.ping_all(Family::V4)
}

#[test]
fn a_node_that_stops_is_not_called_lost() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    let node = cluster.node(1)?;
    let (missed, said) = (session(node, "n2")?.flaps, node.daemon()?.log().len());
    cluster.node(2)?.take_daemon()?.into_proc().stop(SOON)?;
    let node = cluster.node(1)?;
    logged(node, "BFD taken down by the neighbour: no failure")?;
    let down = bfd(node, "n2", |session| session.state == BfdState::Down)?;
    assert_eq!(down.flaps, missed, "{down:#?}");
    let log = node.daemon()?.log();
    assert!(!log.get(said..).unwrap_or_default().contains("BFD down"), "{log}");
    // Who is not there is sent nothing.
    let quiet = bfd(node, "n2", |session| session.remote_state.is_none())?.sent;
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(session(node, "n2")?.sent, quiet);
    // Its next life has another discriminator.
    cluster.start(2)?;
    established(cluster.node(1)?, "n2")?;
    bfd(cluster.node(1)?, "n2", fast)?;
    Ok(())
}

#[test]
fn a_reload_changes_bfd_and_not_bgp() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    let text = |bfd: &str| cluster.toml("never", bfd);
    let slower = text("[bfd]\ninterval = \"500ms\"\nmultiplier = 4\n");
    let off = text("[bfd]\nenabled = false\n");
    let missed = [session(cluster.node(1)?, "n2")?.flaps, session(cluster.node(2)?, "n1")?.flaps];
    cluster.configure(&slower)?;
    for (i, other, missed) in [(1, "n2", missed[0]), (2, "n1", missed[1])] {
        let session = bfd(cluster.node(i)?, other, |session| session.detection_ms == Some(2000))?;
        assert_eq!((session.transmit_ms, session.flaps), (500, missed), "{session:#?}");
    }
    cluster.configure(&off)?;
    for i in [1, 2] {
        let node = cluster.node(i)?;
        wait_for("no BFD", SOON, || {
            let all: Vec<BfdSession> = node.daemon()?.read(&["show", "bfd"])?;
            ensure!(all.is_empty(), "{all:#?}");
            Ok(())
        })?;
    }
    for (i, other) in [(1, "n2"), (2, "n1")] {
        let node = cluster.node(i)?;
        assert_eq!(neighbour(node, other)?.state, SessionState::Established);
        let neighbor: Neighbor = node.daemon()?.read(&["show", "neighbors", other])?;
        assert_eq!((neighbor.flaps, &neighbor.bfd), (0, &None), "{neighbor:#?}");
    }
    Ok(())
}

/// BFD shares the fate of a daemon, packets do not: while the neighbour's kernel answers, a daemon
/// that does not run loses nothing. Once that is silent too, the cable is cut.
#[test]
fn a_daemon_that_stands_still_keeps_its_routes_until_its_host_is_silent() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    let log = cluster.lab().dir().join("monitor.log");
    let monitor = Monitor::start(cluster.node(1)?.netns(), &log)?;
    let still = "its host acknowledges what it is sent";
    let times = |cluster: &mut Cluster| -> Result<usize> {
        Ok(cluster.node(1)?.daemon()?.log().matches(still).count())
    };
    let missed = session(cluster.node(1)?, "n2")?.flaps;
    cluster.node(2)?.daemon()?.proc().signal(Signal::STOP)?;
    logged(cluster.node(1)?, still)?;
    std::thread::sleep(Duration::from_millis(2500));
    cluster.node(2)?.daemon()?.proc().signal(Signal::CONT)?;
    bfd(cluster.node(1)?, "n2", |session| fast(session) && session.flaps > missed)?;
    let neighbor: Neighbor = cluster.node(1)?.daemon()?.read(&["show", "neighbors", "n2"])?;
    ensure!(neighbor.flaps == 0 && neighbor.agreed.is_some(), "{neighbor:#?}");
    let seen = monitor.seen()?;
    ensure!(!seen.contains("Deleted 10.244.2."), "{seen}");

    let before = times(&mut cluster)?;
    cluster.node(2)?.daemon()?.proc().signal(Signal::STOP)?;
    wait_for("BFD to miss it again", SOON, || {
        ensure!(times(&mut cluster)? > before, "{}", cluster.node(1)?.daemon()?.log());
        Ok(())
    })?;
    unplug(&cluster, "n2")?;
    logged(cluster.node(1)?, "no session: BFD: neighbour silent for 900 ms")?;
    cluster.node(2)?.daemon()?.proc().signal(Signal::CONT)
}

/// While BFD misses a neighbour its kernel is asked each second; not any more once nobody watches.
#[test]
fn switched_off_while_it_misses_a_neighbour_bfd_has_nobody_asked() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    cluster.node(2)?.daemon()?.proc().signal(Signal::STOP)?;
    logged(cluster.node(1)?, "its host acknowledges what it is sent")?;
    let sent = |cluster: &mut Cluster| -> Result<u64> {
        let n2: Neighbor = cluster.node(1)?.daemon()?.read(&["show", "neighbors", "n2"])?;
        Ok(n2.messages_sent.keepalives)
    };
    let (before, off) = (sent(&mut cluster)?, "[bfd]\nenabled = false\n");
    // The session's own are 30 s apart: not three of them in that time.
    wait_for("the third question", Duration::from_secs(20), || {
        let times = sent(&mut cluster)? - before;
        ensure!(times >= 3, "{times} times");
        Ok(())
    })?;
    cluster.configure(&cluster.toml("never", off))?;
    wait_for("no BFD", SOON, || {
        let all: Vec<BfdSession> = cluster.node(1)?.daemon()?.read(&["show", "bfd"])?;
        ensure!(all.is_empty(), "{all:#?}");
        Ok(())
    })?;
    let before = sent(&mut cluster)?;
    std::thread::sleep(Duration::from_millis(2500));
    let times = sent(&mut cluster)? - before;
    ensure!(times <= 1, "{times} times");
    cluster.node(2)?.daemon()?.proc().signal(Signal::CONT)
}

/// A starved host may learn from BFD that a neighbour is silent before it has seen that the
/// neighbour's daemon ended, which its kernel had said long ago: that is a restart all the same.
#[test]
fn a_daemon_that_dies_while_we_do_not_run_keeps_its_routes() -> Result {
    let mut cluster = mesh(&[0, 0])?;
    let log = cluster.lab().dir().join("monitor.log");
    let monitor = Monitor::start(cluster.node(1)?.netns(), &log)?;
    for life in 1..=3 {
        cluster.node(1)?.daemon()?.proc().signal(Signal::STOP)?;
        cluster.node(2)?.take_daemon()?.into_proc().crash();
        std::thread::sleep(Duration::from_millis(1500));
        cluster.node(1)?.daemon()?.proc().signal(Signal::CONT)?;
        wait_for("both to be noticed", SOON, || {
            let neighbor: Neighbor =
                cluster.node(1)?.daemon()?.read(&["show", "neighbors", "n2"])?;
            ensure!(neighbor.flaps == life, "{neighbor:#?}");
            let down = session(cluster.node(1)?, "n2")?;
            ensure!(down.state == BfdState::Down, "{down:#?}");
            Ok(())
        })?;
        cluster.start(2)?;
        established(cluster.node(1)?, "n2")?;
        bfd(cluster.node(1)?, "n2", fast)?;
    }
    let (seen, said) = (monitor.seen()?, cluster.node(1)?.daemon()?.log());
    ensure!(!seen.contains("Deleted 10.244.2."), "{seen}\n{said}");
    ensure!(said.contains("no session: connection lost"), "{said}");
    Ok(())
}

#[test]
fn our_address_is_waited_for() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.node(1)?.netns().ip_line("address del 10.50.0.1/24 dev net0")?;
    cluster.start_all()?;
    let waiting = "waiting: our address 10.50.0.1 is not on this host";
    let waits = |session: &BfdSession| session.trouble.as_deref() == Some(waiting);
    bfd(cluster.node(1)?, "n2", waits)?;
    cluster.node(1)?.netns().ip_line("address add 10.50.0.1/24 dev net0")?;
    let up = bfd(cluster.node(1)?, "n2", fast)?;
    assert_eq!(up.trouble, None, "{up:#?}");
    Ok(())
}
