//! What our OPEN says of our own restart (RFC 4724 §3): that the kernel forwards by the routes of a
//! predecessor, if it has some, and not if it has none.

use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use starling_lab::Result;

use crate::speaker::{OPEN, Speaker};
use crate::support::cluster;

const NODE: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 1);
const R1: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 201);
const R1_PEER: &str = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65001\n\
    nodes = [\"n1\"]\npassive = true\nfamilies = [\"ipv4\", \"ipv6\"]\n";

/// Code of the capability.
const GRACEFUL_RESTART: u8 = 64;
/// "Restart State", the first bit of the capability.
const RESTARTING: u8 = 0x80;
/// "Forwarding State", the first bit of a family's flags.
const PRESERVED: u8 = 0x80;

/// The value of a capability in the body of an OPEN (RFC 5492 §4).
fn capability(open: &[u8], code: u8) -> Option<&[u8]> {
    let mut parameters = open.get(10..)?;
    while let [kind, length, rest @ ..] = parameters {
        let (mut value, after) = rest.split_at_checked(usize::from(*length))?;
        while let (2, [this, length, rest @ ..]) = (*kind, value) {
            let (found, others) = rest.split_at_checked(usize::from(*length))?;
            if *this == code {
                return Some(found);
            }
            value = others;
        }
        parameters = after;
    }
    None
}

/// The value of Graceful Restart in the first OPEN of a daemon that starts over `left` in its
/// kernel's tables.
fn told_over(left: &[&str]) -> Result<Vec<u8>> {
    let mut cluster = cluster(&[0])?;
    let r1 = cluster.host("r1", 0, 201, &[])?;
    cluster.configure(&cluster.toml("never", R1_PEER))?;
    for route in left {
        cluster.node(1)?.netns().ip_line(&format!("route add {route}"))?;
    }
    cluster.start(1)?;
    let mut ours = Speaker::dial(&r1, R1, NODE)?;
    ours.open(65001, R1)?;
    let (kind, body) = ours.next()?;
    ensure!(kind == OPEN, "type {kind}: {body:?}");
    capability(&body, GRACEFUL_RESTART).map(<[u8]>::to_vec).context("no graceful restart in it")
}

/// Restart flags, and (AFI, SAFI, flags) of each family.
fn read(value: &[u8]) -> (u8, Vec<[u8; 4]>) {
    let families = value[2..].chunks_exact(4).map(|chunk| chunk.try_into().unwrap());
    (value[0] & 0xf0, families.collect())
}

#[test]
fn a_daemon_over_a_predecessors_routes_says_that_they_forward() -> Result {
    let value = told_over(&["10.244.77.0/26 via 10.50.0.77 dev net0 proto bird"])?;
    let (flags, families) = read(&value);
    ensure!(flags & RESTARTING != 0, "{value:?}");
    ensure!(families == [[0, 1, 1, PRESERVED], [0, 2, 1, PRESERVED]], "{value:?}");
    Ok(())
}

#[test]
fn a_daemon_over_an_empty_table_says_that_nothing_forwards() -> Result {
    // A route of somebody else's is nobody's predecessor.
    let value = told_over(&["10.244.77.0/26 via 10.50.0.77 dev net0 proto static"])?;
    let (flags, families) = read(&value);
    ensure!(flags & RESTARTING != 0, "{value:?}");
    ensure!(families == [[0, 1, 1, 0], [0, 2, 1, 0]], "{value:?}");
    Ok(())
}
