//! A neighbour that is away for its graceful restart, and whose BFD then falls silent (RFC 5882
//! §4.3): if its BFD does not share the fate of its control plane (the C bit) its forwarding is
//! lost, and with it its routes; else nothing is known of that, and they wait for it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, ensure};
use starling::api::{BfdSession, BfdState, Route, SessionState};
use starling_bgp::bfd::{Diag, Packet, State};
use starling_lab::{Cluster, Netns, Result, wait_for};

use crate::speaker::{KEEPALIVE, OPEN, Speaker, mandatory};
use crate::support::{SOON, cluster, established, neighbour};

const NODE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 1);
const R1: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 201);
const R1_PEER: &str = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65001\n\
    nodes = [\"n1\"]\npassive = true\nbfd = true\nimport = [\"203.0.113.0/24\"]\n";
const PREFIX: &str = "203.0.113.0/24";

/// Graceful restart within 100 s, IPv4 unicast preserved.
const GRACEFUL: [u8; 8] = [64, 6, 0, 100, 0, 1, 1, 0x80];

/// BFD over one hop (RFC 5881), until it is dropped.
struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Watch {
    fn start(netns: &Netns, independent: bool) -> Result<Watch> {
        let (hears, says) = netns.inside(|| -> io::Result<(UdpSocket, UdpSocket)> {
            let says = UdpSocket::bind(SocketAddr::from((R1, 49_200)))?;
            says.set_ttl(255)?;
            Ok((UdpSocket::bind(SocketAddr::from((R1, 3784)))?, says))
        })??;
        hears.set_read_timeout(Some(Duration::from_millis(50)))?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let speak = move || -> io::Result<()> {
            let mut packet = Packet {
                diag: Diag::NONE,
                state: State::Down,
                poll: false,
                finish: false,
                independent,
                demand: false,
                multiplier: 3,
                my_discriminator: NonZeroU32::MIN,
                your_discriminator: None,
                // It says something much more often; this machine may stand still for a moment.
                desired_min_tx: 1_000_000,
                required_min_rx: 300_000,
                required_min_echo_rx: 0,
            };
            while !told.load(Ordering::Relaxed) {
                let mut octets = [0; 64];
                if let Ok(length) = hears.recv(&mut octets)
                    && let Ok(theirs) = Packet::read(&octets[..length])
                {
                    packet.your_discriminator = Some(theirs.my_discriminator);
                    packet.finish = theirs.poll;
                    packet.state = match (packet.state, theirs.state) {
                        (State::Down, State::Down) => State::Init,
                        (State::Down | State::Init, State::Init | State::Up) => State::Up,
                        (state, _) => state,
                    };
                }
                says.send_to(&packet.bytes(), (NODE, 3784))?;
            }
            Ok(())
        };
        Ok(Watch { stop, thread: Some(std::thread::spawn(speak)) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // What it could not send shows in the node's BFD.
        self.thread.take().map(JoinHandle::join);
    }
}

fn bfd(cluster: &mut Cluster) -> Result<BfdState> {
    let all: Vec<BfdSession> = cluster.node(1)?.daemon()?.read(&["show", "bfd"])?;
    Ok(all.iter().find(|session| session.name == "r1").context("no BFD")?.state)
}

/// Whether the route is there, and stale.
fn kept(cluster: &mut Cluster) -> Result<bool> {
    let rows: Vec<Route> = cluster.node(1)?.daemon()?.rows(&["show", "routes", PREFIX])?;
    let Some(path) = rows.first().and_then(|route| route.paths.first()) else { return Ok(false) };
    ensure!(path.stale.is_some(), "{path:#?}");
    Ok(true)
}

/// A neighbour announces a route and goes; then its BFD falls silent. Whether the route is there
/// after each.
fn goes_and_falls_silent(independent: bool) -> Result<[bool; 2]> {
    let mut cluster = cluster(&[0])?;
    let netns = cluster.host("r1", 0, 201, &[])?;
    cluster.configure(&cluster.toml("never", R1_PEER))?;
    cluster.start(1)?;
    let watch = Watch::start(&netns, independent)?;
    let mut speaker = Speaker::dial(&netns, R1, NODE)?;
    speaker.open_with(65001, R1, &GRACEFUL)?;
    speaker.expect(OPEN)?;
    speaker.send(KEEPALIVE, &[])?;
    speaker.expect(KEEPALIVE)?;
    speaker.announce(&mandatory(&[65001], R1), &[PREFIX])?;
    established(cluster.node(1)?, "r1")?;
    wait_for("BFD and the route", SOON, || {
        let state = bfd(&mut cluster)?;
        ensure!(state == BfdState::Up, "{state:?}");
        let line = neighbour(cluster.node(1)?, "r1")?;
        ensure!(line.received == 1, "{line:?}");
        Ok(())
    })?;
    // Its control plane goes.
    drop(speaker);
    wait_for("the end of the session", SOON, || {
        let line = neighbour(cluster.node(1)?, "r1")?;
        ensure!(line.state != SessionState::Established, "{line:?}");
        Ok(())
    })?;
    let before = kept(&mut cluster)? && bfd(&mut cluster)? == BfdState::Up;
    drop(watch);
    wait_for("BFD to be lost", SOON, || {
        let state = bfd(&mut cluster)?;
        ensure!(state == BfdState::Down, "{state:?}");
        Ok(())
    })?;
    if independent {
        wait_for("the end of the route", SOON, || {
            ensure!(!kept(&mut cluster)?, "it is there");
            Ok(())
        })?;
    }
    // Longer than news of it takes on its way to the routes.
    std::thread::sleep(Duration::from_millis(500));
    Ok([before, kept(&mut cluster)?])
}

#[test]
fn retained_routes_go_with_the_forwarding_that_bfd_misses() -> Result {
    assert_eq!(goes_and_falls_silent(true)?, [true, false]);
    Ok(())
}

#[test]
fn bfd_that_shares_the_fate_of_the_control_plane_costs_no_retained_route() -> Result {
    assert_eq!(goes_and_falls_silent(false)?, [true, true]);
    Ok(())
}
