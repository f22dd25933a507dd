//! Strangers by the ten thousand at port 179 beside a mesh: it costs them, and nobody else.
//!
//! In the gate for a few seconds, beside other tests. `make flood` makes a minute of it, alone: then
//! BFD runs too, and the flood must be of the size that is meant.

use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use socket2::{Domain, SockRef, Socket, Type};
use starling::api::{BfdState, Neighbor, Summary};
use starling_lab::{Cluster, Family, Netns, Proc, Result, Signal, wait_for};

use crate::support::{SOON, cluster, established};

/// How long it lasts unless `FLOOD_SECONDS` says: two hold times of the sessions beside it.
const FLOOD: Duration = Duration::from_secs(12);
/// The hold time: to be met beside other tests, and by a long flood alone.
const HOLD: [&str; 2] = ["6s", "3s"];
/// Connections that the daemon refuses before it is over, however slow the machine is.
const REFUSED: u64 = 1000;
/// Attempts a second that a long one must come to.
const RATE: f64 = 10_000.0;
/// Between two keepalives of the sessions beside a long one, at most; a third of their hold time …
const KEEPALIVE: Duration = Duration::from_secs(1);
/// … and what a processor that four flooders want may take to send one: the next is due by then.
const LATE: Duration = Duration::from_secs(1);
/// Connections that each flooder keeps open, and never reads.
const HELD: usize = 100;
/// Descriptors that strangers may cost: the places for them, and what is just being accepted.
const DESCRIPTORS: usize = 160;
/// kB that they may cost, however long it lasts.
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
        // That of connecting too.
        socket.set_write_timeout(Some(Duration::from_millis(200))).ok();
        if socket.connect(&to.into()).is_ok() {
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

/// How long it is to last, if somebody said.
fn asked() -> Result<Option<Duration>> {
    let Some(seconds) = std::env::var_os("FLOOD_SECONDS") else { return Ok(None) };
    let seconds = seconds.to_str().and_then(|text| text.parse().ok());
    Ok(Some(Duration::from_secs(seconds.context("FLOOD_SECONDS is no number")?)))
}

/// What one node says to another on port 179, from the wire.
struct Listening(Proc);

impl Listening {
    fn start(from: &str, to: &str, at: &Netns, log: &Path) -> Result<Listening> {
        let words = format!(
            "src host {from} and dst host {to} and tcp port 179 and tcp[tcpflags] & tcp-push != 0"
        );
        let argv = ["tcpdump", "-i", "net0", "-n", "-l", "--immediate-mode", "-tt", &words];
        let proc = at.spawn("tcpdump", &argv, log)?;
        wait_for("tcpdump", SOON, || {
            ensure!(proc.log().contains("listening on"), "{}", proc.log());
            Ok(())
        })?;
        Ok(Listening(proc))
    }

    /// The longest silence.
    fn longest(mut self) -> Result<Duration> {
        self.0.signal(Signal::INT)?;
        wait_for("tcpdump's end", SOON, || {
            ensure!(self.0.log().contains("dropped by kernel"), "{}", self.0.log());
            Ok(())
        })?;
        let text = self.0.log();
        let times: Vec<f64> = text
            .lines()
            .filter_map(|line| line.split_once(" IP ")?.0.trim().parse().ok())
            .collect();
        ensure!(times.len() > 3, "so few messages: {text}");
        let gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
        Ok(Duration::from_secs_f64(gaps.fold(0.0, f64::max)))
    }
}

#[test]
fn strangers_by_the_thousand_cost_the_mesh_nothing() -> Result {
    let asked = asked()?;
    let lasts = asked.unwrap_or(FLOOD);
    let mut cluster = cluster(&[0, 0, 0])?;
    // Beside other tests BFD would see those as well.
    let text = cluster.toml("never", &format!("[bfd]\nenabled = {}\n", asked.is_some()));
    let hold = HOLD[usize::from(asked.is_some())];
    cluster.configure(&text.replace("[timers]\n", &format!("[timers]\nhold = \"{hold}\"\n")))?;
    let stranger = cluster.host("stranger", 0, 99, &[])?;
    cluster.start(1)?;
    cluster.start(2)?;
    established(cluster.node(1)?, "n2")?;
    let before = size(&mut cluster)?;
    let neighbour = |cluster: &mut Cluster, of: usize, peer: &str| -> Result<Neighbor> {
        cluster.node(of)?.daemon()?.read(&["show", "neighbors", peer])
    };

    let targets: Vec<SocketAddr> =
        ["10.50.0.1:179", "[fd50::1]:179", "10.50.0.1:179", "[fd50::1]:179"]
            .map(|a| a.parse().unwrap())
            .into();
    let log = cluster.lab().dir().join("tcpdump.log");
    let n2 = cluster.nodes()[1].netns();
    let heard = Listening::start("10.50.0.1", "10.50.0.2", n2, &log)?;
    let mut most = before;
    let begun = Instant::now();
    let tried = while_flooded(&stranger, &targets, || {
        // Who belongs here gets in all the same.
        cluster.start(3)?;
        established(cluster.node(1)?, "n3")?;
        while begun.elapsed() < lasts {
            let now = size(&mut cluster)?;
            most = (most.0.max(now.0), most.1.max(now.1));
            std::thread::sleep(Duration::from_millis(50));
        }
        wait_for("a flood", SOON, || {
            let summary: Summary = cluster.node(1)?.daemon()?.read(&["show", "summary"])?;
            let refused = summary.refused_connections;
            ensure!(refused > REFUSED, "that is no flood: {refused}");
            Ok(())
        })
    })?;
    let rate = tried as f64 / begun.elapsed().as_secs_f64();
    let gap = heard.longest()?;

    let summary: Summary = cluster.node(1)?.daemon()?.read(&["show", "summary"])?;
    let refused = summary.refused_connections;
    println!(
        "{tried} tried in {:?}, {rate:.0} a second, {refused} refused by the daemon; \
         its descriptors and kB {before:?} before, {most:?} at most; \
         longest time between two keepalives {gap:?}",
        begun.elapsed()
    );
    // Beside other tests the sessions' hold time is all that counts.
    if asked.is_some() {
        ensure!(rate >= RATE, "that was no such flood: {rate:.0} a second");
        ensure!(gap < KEEPALIVE + LATE, "a keepalive came {gap:?} after the one before");
    }
    for (of, peer) in [(1, "n2"), (2, "n1"), (1, "n3"), (3, "n1")] {
        established(cluster.node(of)?, peer)?;
        let seen = neighbour(&mut cluster, of, peer)?;
        assert_eq!(seen.flaps, 0, "n{of}'s session with {peer} was lost");
        let bfd = seen.bfd.map(|bfd| (bfd.state, bfd.flaps));
        assert_eq!(bfd, asked.map(|_| (BfdState::Up, 0)), "BFD of n{of} with {peer}");
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
