//! What no speaker should say: RFC 7606's answers keep the session where they can, RFC 4271's
//! end it with the right words, and nobody else's session notices.

use std::net::Ipv4Addr;

use anyhow::ensure;
use starling::api::{Neighbor, Route};
use starling_lab::{Cluster, Netns, Result, wait_for};

use crate::speaker::{
    KEEPALIVE, OPEN, OPTIONAL, Speaker, TRANSITIVE, UPDATE, attribute, mandatory,
};
use crate::support::{SOON, cluster, established, logged};

const NODE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 1);
const R1: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 201);

const PEER: &str = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65001\n\
    nodes = [\"n1\"]\npassive = true\nimport = [\"203.0.113.0/24\"]\n";

/// n1 with a mesh neighbour and a router that is ours to play.
fn network() -> Result<(Cluster, Netns)> {
    let mut cluster = cluster(&[0, 0])?;
    let r1 = cluster.host("r1", 0, 201, &[])?;
    cluster.configure(&cluster.toml("never", PEER))?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    Ok((cluster, r1))
}

fn prefixes(cluster: &mut Cluster) -> Result<Vec<String>> {
    let rows: Vec<Route> = cluster.node(1)?.daemon()?.rows(&["show", "routes", "--from", "r1"])?;
    Ok(rows.iter().map(|route| route.prefix.to_string()).collect())
}

fn come_to_hold(cluster: &mut Cluster, wanted: &[&str]) -> Result {
    wait_for("its routes", SOON, || {
        let held = prefixes(cluster)?;
        ensure!(held == wanted, "{held:?} instead of {wanted:?}");
        Ok(())
    })
}

fn unharmed(cluster: &mut Cluster) -> Result {
    let node = cluster.node(1)?;
    let peer: Neighbor = node.daemon()?.read(&["show", "neighbors", "n2"])?;
    ensure!(peer.flaps == 0 && peer.agreed.is_some(), "{peer:?}");
    let log = node.daemon()?.log();
    ensure!(!log.contains("panicked"), "{log}");
    Ok(())
}

#[test]
fn a_malformed_update_withdraws_and_keeps_the_session() -> Result {
    let (mut cluster, r1) = network()?;
    let mut speaker = Speaker::dial(&r1, R1, NODE)?;
    speaker.establish(65001, R1)?;
    let good = mandatory(&[65001], R1);
    let spoiled = [
        // ORIGIN of no known value (RFC 7606 §7.1).
        [&[attribute(TRANSITIVE, 1, [7])], &good[1..]].concat(),
        // AS_PATH that says more numbers than it has (§7.2).
        [&good[..1], &[attribute(TRANSITIVE, 2, [2, 3, 0, 0, 253, 233])], &good[2..]].concat(),
        // NEXT_HOP of three octets (§7.3).
        [&good[..2], &[attribute(TRANSITIVE, 3, [10, 50, 0])]].concat(),
        // No NEXT_HOP (§3 d).
        good[..2].to_vec(),
        // COMMUNITIES of five octets (§7.8).
        [&good[..], &[attribute(OPTIONAL | TRANSITIVE, 8, [0, 1, 0, 2, 9])]].concat(),
        // ORIGIN with the flags of an optional attribute (§3 c).
        [&[attribute(OPTIONAL | TRANSITIVE, 1, [0])], &good[1..]].concat(),
    ];
    let count = spoiled.len();
    for (index, attributes) in spoiled.iter().enumerate() {
        speaker.announce(&good, &["203.0.113.0/25", "203.0.113.128/25"])?;
        come_to_hold(&mut cluster, &["203.0.113.0/25", "203.0.113.128/25"])?;
        speaker.announce(attributes, &["203.0.113.0/25"])?;
        come_to_hold(&mut cluster, &["203.0.113.128/25"])
            .map_err(|error| error.context(format!("case {index}: {attributes:?}")))?;
    }
    let peer: Neighbor = cluster.node(1)?.daemon()?.read(&["show", "neighbors", "r1"])?;
    ensure!(peer.flaps == 0 && peer.agreed.is_some(), "{peer:?}");
    ensure!(peer.notes.len() >= count.min(5), "{:#?}", peer.notes);
    logged(cluster.node(1)?, "malformed UPDATE, session kept")?;
    unharmed(&mut cluster)
}

#[test]
fn bytes_that_are_no_bgp_end_only_their_own_session() -> Result {
    let (mut cluster, r1) = network()?;
    let header = |length: u16, kind: u8| {
        let mut bytes = vec![0xff; 16];
        bytes.extend(length.to_be_bytes());
        bytes.push(kind);
        bytes
    };
    // In an Established session, and before an OPEN.
    let cases: [(&str, Vec<u8>, (u8, u8)); 5] = [
        ("marker", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(), (1, 1)),
        ("too short", header(18, KEEPALIVE), (1, 2)),
        ("too long", header(4097, UPDATE), (1, 2)),
        ("KEEPALIVE with a body", [header(20, KEEPALIVE), vec![0]].concat(), (1, 2)),
        ("type", header(19, 9), (1, 3)),
    ];
    for (what, bytes, wanted) in &cases {
        for established in [true, false] {
            let words = format!("{what}, established: {established}");
            let outcome = (|| -> Result<(u8, u8)> {
                // After an error a neighbour's calls are refused for a second.
                let mut speaker = wait_for("a session", SOON, || {
                    let mut speaker = Speaker::dial(&r1, R1, NODE)?;
                    match established {
                        true => speaker.establish(65001, R1)?,
                        false => speaker.expect(OPEN)?,
                    }
                    Ok(speaker)
                })?;
                speaker.send_bytes(bytes)?;
                speaker.notification()
            })();
            assert_eq!(outcome.map_err(|error| error.context(words.clone()))?, *wanted, "{words}");
        }
    }
    unharmed(&mut cluster)
}

#[test]
fn an_open_that_cannot_be_accepted_is_answered_with_the_reason() -> Result {
    let (mut cluster, r1) = network()?;
    let open = |version: u8, asn: u16, hold: u16, id: Ipv4Addr| {
        let mut body = vec![version];
        body.extend(asn.to_be_bytes());
        body.extend(hold.to_be_bytes());
        body.extend(id.octets());
        body.push(0);
        body
    };
    let cases = [
        ("version", open(3, 65001, 90, R1), (2, 1)),
        ("AS", open(4, 65009, 90, R1), (2, 2)),
        ("identifier", open(4, 65001, 90, Ipv4Addr::UNSPECIFIED), (2, 3)),
        ("hold time", open(4, 65001, 1, R1), (2, 6)),
    ];
    for (what, body, wanted) in cases {
        let mut speaker = wait_for("a connection", SOON, || {
            let mut speaker = Speaker::dial(&r1, R1, NODE)?;
            speaker.expect(OPEN)?;
            Ok(speaker)
        })?;
        speaker.send(OPEN, &body)?;
        assert_eq!(speaker.notification()?, wanted, "{what}");
    }
    unharmed(&mut cluster)
}
