//! Strangers by the ten thousand at port 179 beside a mesh: it costs them, and nobody else.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use socket2::{Domain, SockRef, Socket, Type};
use starling::api::{Neighbor, Summary};
use starling_lab::{Cluster, Family, Netns, Result, wait_for};

use crate::support::{SOON, cluster, established};

/// How long it lasts: several hold times of the sessions beside it.
const FLOOD: Duration = Duration::from_secs(7);
/// Connections that each flooder keeps open, and never reads.
const HELD: usize = 100;
/// Descriptors that strangers may cost: the places for them, and what is just being accepted.
const DESCRIPTORS: usize = 160;
/// kB that they may cost.
const MEMORY: usize = 8 << 10;

/// Connects as fast as it goes: some of it for a moment, some of it for as long as it can.
fn flood(to: SocketAddr, stop: &AtomicBool, count: &AtomicUsize) {
    let mut held: Vec<TcpStream> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        // A refused or lost attempt is one as well.
        count.fetch_add(1, Ordering::Relaxed);
        let Ok(socket) = Socket::new(Domain::for_address(to), Type::STREAM, None) else { continue };
        // Its port is free again at once, and its end is a reset.
        socket.set_linger(Some(Duration::ZERO)).ok();
        if socket.connect_timeout(&to.into(), Duration::from_millis(200)).is_ok() {
            if held.len() < HELD {
                SockRef::from(&socket).send(&[0xff; 19]).ok();
                held.push(socket.into());
            } else if count.load(Ordering::Relaxed).is_multiple_of(64) {
                held.clear();
            }
        }
    }
}

/// Runs `meanwhile` while four threads in `stranger` flood `to`; how often they tried.
fn while_flooded(
    stranger: &Netns,
    to: &[SocketAddr],
    meanwhile: impl FnOnce() -> Result,
) -> Result<usize> {
    let (stop, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let floods: Vec<_> = to
            .iter()
            .map(|to| scope.spawn(|| stranger.inside(|| flood(*to, &stop, &count))))
            .collect();
        let result = meanwhile();
        stop.store(true, Ordering::Relaxed);
        for flood in floods {
            flood.join().ok().context("a flooder panicked")??;
        }
        result
    })?;
    Ok(count.into_inner())
}

/// What the daemon of node 1 has open, and its memory in kB.
fn size(cluster: &mut Cluster) -> Result<(usize, usize)> {
    let pid = cluster.node(1)?.daemon()?.proc().pid();
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?.count();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("no VmRSS")?;
    let resident = line.split_whitespace().nth(1).context("no number")?.parse()?;
    Ok((open, resident))
}

#[test]
fn strangers_by_the_thousand_cost_the_mesh_nothing() -> Result {
    let mut cluster = cluster(&[0, 0, 0])?;
    // A late keepalive is seen by the neighbour's hold time; BFD would see other things as well.
    let text = cluster.toml("never", "[bfd]\nenabled = false\n");
    cluster.configure(&text.replace("[timers]\n", "[timers]\nhold = \"3s\"\n"))?;
    let stranger = cluster.host("stranger", 0, 99, &[])?;
    cluster.start(1)?;
    cluster.start(2)?;
    established(cluster.node(1)?, "n2")?;
    let before = size(&mut cluster)?;
    let flaps = |cluster: &mut Cluster, of: usize, peer: &str| -> Result<u64> {
        let peer: Neighbor = cluster.node(of)?.daemon()?.read(&["show", "neighbors", peer])?;
        Ok(peer.flaps)
    };

    let targets: Vec<SocketAddr> =
        ["10.50.0.1:179", "[fd50::1]:179", "10.50.0.1:179", "[fd50::1]:179"]
            .map(|a| a.parse().unwrap())
            .into();
    let mut most = before;
    let tried = while_flooded(&stranger, &targets, || {
        // Who belongs here gets in all the same.
        cluster.start(3)?;
        let begun = std::time::Instant::now();
        established(cluster.node(1)?, "n3")?;
        while begun.elapsed() < FLOOD {
            let now = size(&mut cluster)?;
            most = (most.0.max(now.0), most.1.max(now.1));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    })?;

    let summary: Summary = cluster.node(1)?.daemon()?.read(&["show", "summary"])?;
    let refused = summary.refused_connections;
    println!("{tried} tried, {refused} refused; before {before:?}, at most {most:?}");
    ensure!(refused > 1000, "that was no flood: {refused} of {tried}");
    for (of, peer) in [(1, "n2"), (2, "n1"), (1, "n3"), (3, "n1")] {
        established(cluster.node(of)?, peer)?;
        assert_eq!(flaps(&mut cluster, of, peer)?, 0, "n{of}'s session with {peer} was lost");
    }
    ensure!(most.0 < before.0 + DESCRIPTORS, "{before:?} {most:?}: descriptors");
    ensure!(most.1 < before.1 + MEMORY, "{before:?} {most:?}: memory");
    cluster.ping_all(Family::V4)?;
    wait_for("nothing left of it", SOON, || {
        let open = size(&mut cluster)?.0;
        ensure!(open <= before.0 + 8, "{open} descriptors, {} before", before.0);
        Ok(())
    })?;
    let log = cluster.node(1)?.daemon()?.log();
    ensure!(log.lines().count() < 100, "{log}");
    Ok(())
}
