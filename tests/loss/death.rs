//! Nodes die: the daemon alone, or the node with it.

use std::time::{Duration, Instant};

use starling_lab::{Family, Result, routes};

use crate::mesh::{Mesh, Software, watched};
use crate::table::Seen;
use crate::told::block;

/// So long BIRD's silence about a dead node is watched; it lasts 160 to 240 s.
const WATCHED: Duration = Duration::from_secs(6);

/// The daemon of n1 is dead for a while, the node lives.
pub fn daemon(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.take(1)?.crash();
    std::thread::sleep(Duration::from_secs(8));
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    mesh.settle(Duration::from_secs(5))?;
    Ok(vec![mesh.lost(from)])
}

/// The cable of n5 is cut: packets to it are lost until the other kernels know.
pub fn cable(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let gone = |mesh: &Mesh| -> Result<bool> {
        for i in 1..=4 {
            if !routes(mesh.netns(i)?, Family::V4, &block(5))?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let from = mesh.traffic.beat();
    let begin = Instant::now();
    mesh.wires().ip_line("link set n5.net0 down")?;
    let mut known = false;
    while !known && begin.elapsed() < watched(software, WATCHED) {
        std::thread::sleep(Duration::from_millis(10));
        known = gone(mesh)?;
    }
    let took = begin.elapsed();
    let mut dead = mesh.lost_by_now(from, |_, to| to == "n5");
    (dead.lost.gap, dead.unfinished) = (took, !known);
    let others = mesh.lost_by_now(from, |a, b| ![a, b].contains(&"n5"));
    mesh.wires().ip_line("link set n5.net0 up")?;
    mesh.settle(Duration::from_secs(1))?;
    Ok(vec![dead, others])
}

/// The NIC of n1 is down for so long: too short for the BFD of others to miss it.
const DARK: Duration = Duration::from_millis(300);

/// The NIC of n1 is taken down, and up again.
pub fn nic(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.netns(1)?.ip_line("link set net0 down")?;
    std::thread::sleep(DARK);
    mesh.netns(1)?.ip_line("link set net0 up")?;
    let healed = mesh.whole_within(watched(software, Duration::from_secs(20)));
    let mut own = mesh.lost_of(from, |a, b| [a, b].contains(&"n1"));
    own.unfinished = healed.is_err();
    let others = mesh.lost_by_now(from, |a, b| ![a, b].contains(&"n1"));
    Ok(vec![own, others])
}
