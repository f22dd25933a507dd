//! A node with fifty peers, and five more that are dead.
//!
//! The others have only that node as a peer: it is the one that is looked at.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use starling_lab::{Family, Monitor, Result, routes, wait_until};

use crate::PACE;
use crate::mesh::{Mesh, Software, watched};
use crate::table::Seen;
use crate::told::{Told, block};

/// Those that are there; 52 to 56 are known to all and nowhere.
const ALIVE: u8 = 51;
/// BIRD waits 240 s for the dead.
const WATCHED: Duration = Duration::from_secs(10);

pub fn start(software: Software) -> Result<Mesh> {
    let told = Told { star: true, ..Told::of(1..=ALIVE + 5) };
    Mesh::start(software, &[0; ALIVE as usize], told, PACE)
}

/// SIGTERM and start.
pub fn upgrade(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.take(1)?.stop(Duration::from_secs(60))?;
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    let over = mesh.whole_within(watched(software, WATCHED));
    let mut seen = mesh.lost(from);
    seen.unfinished = over.is_err();
    Ok(vec![seen])
}

/// Its cable is cut, until the kernel of every peer knows. When the last one did is what that
/// kernel itself said: looking at fifty takes longer than they need.
pub fn cable(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let mut monitors = Vec::new();
    for i in 2..=ALIVE {
        let log = mesh.dir(i)?.join("monitor.log");
        monitors.push(Monitor::start_with(mesh.netns(i)?, &["-ts"], &log)?);
    }
    let (from, begin) = (mesh.traffic.beat(), time_of_day()?);
    mesh.wires().ip_line("link set n1.net0 down")?;
    let known = wait_until("all peers to know", watched(software, WATCHED), || {
        (2..=ALIVE).all(|i| {
            let netns = mesh.netns(i);
            netns.and_then(|netns| routes(netns, Family::V4, &block(1))).is_ok_and(|r| r.is_empty())
        })
    });
    let mut seen = mesh.lost_by_now(from, |_, to| to == "n1");
    seen.unfinished = known.is_err();
    if known.is_ok() {
        let gone =
            monitors.iter().map(|monitor| when_gone(&monitor.seen()?).context("no time of it"));
        let gone: Vec<Duration> = gone.collect::<Result<_>>()?;
        let took = gone.iter().map(|at| at.saturating_sub(begin));
        let last = took.clone().max().context("no peers")?;
        seen.who = format!("{} peers, the first after {:?}", gone.len(), took.min());
        seen.lost.gap = last;
    }
    mesh.wires().ip_line("link set n1.net0 up")?;
    mesh.settle(Duration::from_secs(1))?;
    Ok(vec![seen])
}

/// When the route to the block was deleted, by the kernel's news that the monitor wrote down.
fn when_gone(seen: &str) -> Option<Duration> {
    let words = format!("Deleted {} ", block(1));
    let line = seen.lines().find(|line| line.contains(&words))?;
    // `[2026-01-31T23:59:58.123456] Deleted …`
    let (_, time) = line.split_once(']')?.0.split_once('T')?;
    let mut parts = time.split(':');
    let (hours, minutes) = (parts.next()?.parse::<u64>().ok()?, parts.next()?.parse::<u64>().ok()?);
    let seconds = Duration::try_from_secs_f64(parts.next()?.parse().ok()?).ok()?;
    Some(Duration::from_secs(hours * 3600 + minutes * 60) + seconds)
}

/// Since midnight.
fn time_of_day() -> Result<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Duration::from_secs(now.as_secs() % 86_400)
        + Duration::from_nanos(now.subsec_nanos().into()))
}
