//! A router with very many routes: what must go out in time does, whatever else there is to do.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, ensure};
use starling::api::{BfdSession, BfdState, Neighbor};
use starling_lab::{Node, Result, wait_for};

use crate::speaker::{OPTIONAL, Speaker, UPDATE, attribute, mandatory};
use crate::support::{SOON, cluster, established};

const NODE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 1);
const R1: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 201);

/// Prefixes a message, and messages.
const EACH: u32 = 900;
const MESSAGES: u32 = 250;

/// Time for all of them to be read, decided and written into the kernel by a build for tests.
const ALL: Duration = Duration::from_secs(300);

/// A /24 by its number.
fn nlri(number: u32) -> [u8; 4] {
    let [_, a, b, c] = number.to_be_bytes();
    [24, 20 + a, b, c]
}

fn count(node: &mut Node, name: &str) -> Result<u64> {
    let peer: Neighbor = node.daemon()?.read(&["show", "neighbors", name])?;
    ensure!(peer.flaps == 0, "{peer:#?}");
    Ok(peer.summary.received)
}

fn bfd(node: &mut Node) -> Result<BfdSession> {
    let all: Vec<BfdSession> = node.daemon()?.read(&["show", "bfd"])?;
    all.into_iter().find(|session| session.name == "n2").context("no BFD with n2")
}

/// Two nodes watch each other 3 x 300 ms while one of them learns, installs and forgets a quarter
/// of a million routes: no packet of theirs is so late that it would be missed.
#[test]
fn bfd_packets_leave_in_time_while_very_many_routes_come_and_go() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let r1 = cluster.host("r1", 0, 201, &[])?;
    let peer = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65001\n\
        nodes = [\"n1\"]\npassive = true\nhold = \"0s\"\nimport = [\"20.0.0.0/6\"]\n";
    cluster.configure(&cluster.toml("never", peer))?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    wait_for("BFD", SOON, || {
        let session = bfd(cluster.node(1)?)?;
        ensure!(session.state == BfdState::Up, "{session:#?}");
        Ok(())
    })?;

    let mut speaker = Speaker::dial(&r1, R1, NODE)?;
    speaker.establish(65001, R1)?;
    for message in 0..MESSAGES {
        let mut attributes = mandatory(&[65001], R1);
        attributes.push(attribute(OPTIONAL, 4, message.to_be_bytes()));
        let prefixes = (message * EACH..(message + 1) * EACH).flat_map(nlri);
        speaker.announce_encoded(&attributes, prefixes)?;
    }
    let node = cluster.node(1)?;
    wait_for("all of them", ALL, || {
        let received = count(node, "r1")?;
        ensure!(received == u64::from(MESSAGES * EACH), "{received} so far");
        Ok(())
    })?;
    for message in 0..MESSAGES {
        let prefixes: Vec<u8> = (message * EACH..(message + 1) * EACH).flat_map(nlri).collect();
        let mut body = u16::try_from(prefixes.len())?.to_be_bytes().to_vec();
        body.extend(prefixes);
        body.extend([0, 0]);
        speaker.send(UPDATE, &body)?;
    }
    wait_for("the end of them", ALL, || {
        let received = count(node, "r1")?;
        ensure!(received == 0, "{received} left");
        Ok(())
    })?;
    for (node, other) in [(1, "n2"), (2, "n1")] {
        let node = cluster.node(node)?;
        count(node, other)?;
        let all: Vec<BfdSession> = node.daemon()?.read(&["show", "bfd"])?;
        let session = all.iter().find(|s| s.name == other).context("it is not shown")?;
        ensure!((session.state, session.flaps) == (BfdState::Up, 0), "{session:#?}");
    }
    Ok(())
}
