//! Two connections at once with a speaker that does it by the book (RFC 4271 §6.8): the one that
//! the higher identifier dialled stays, the other one is told Cease / Connection Collision.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use anyhow::ensure;
use starling::api::Neighbor;
use starling_lab::{Result, wait_for};

use crate::speaker::{KEEPALIVE, OPEN, Speaker};
use crate::support::{SOON, cluster, established};

const NODE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 1);
const R1: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 201);
const PEER: &str = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65001\n";

fn collide(id: Ipv4Addr, callers_stays: bool) -> Result {
    let mut cluster = cluster(&[0])?;
    let r1 = cluster.host("r1", 0, 201, &[])?;
    cluster.configure(&cluster.toml("never", PEER))?;
    let listener = r1.inside(|| TcpListener::bind(SocketAddr::from((R1, 179))))??;
    listener.set_nonblocking(true)?;
    cluster.start(1)?;
    let called = wait_for("a call", SOON, || Ok(listener.accept()?.0))?;
    called.set_nonblocking(false)?;
    let (mut theirs, mut ours) = (Speaker::on(called)?, Speaker::dial(&r1, R1, NODE)?);
    // Both connections stand, and on both the daemon has said OPEN, before we say anything.
    theirs.expect(OPEN)?;
    ours.expect(OPEN)?;
    ours.open(65001, id)?;
    theirs.open(65001, id)?;
    let (mut stays, mut goes) = if callers_stays { (ours, theirs) } else { (theirs, ours) };
    assert_eq!(goes.notification()?, (6, 7));
    stays.expect(KEEPALIVE)?;
    stays.send(KEEPALIVE, &[])?;
    let node = cluster.node(1)?;
    established(node, "r1")?;
    // A third one, now that the session stands, is refused, and the session does not notice.
    let mut late = Speaker::dial(&r1, R1, NODE)?;
    assert_eq!(late.notification()?, (6, 7));
    let peer: Neighbor = node.daemon()?.read(&["show", "neighbors", "r1"])?;
    ensure!(peer.flaps == 0 && peer.agreed.is_some(), "{peer:?}");
    Ok(())
}

#[test]
fn the_higher_identifier_is_theirs() -> Result {
    collide(R1, true)
}

#[test]
fn the_higher_identifier_is_ours() -> Result {
    collide(Ipv4Addr::new(1, 1, 1, 1), false)
}
