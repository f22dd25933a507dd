//! The daemon of the first node ends, in every way there is, and comes back.

use std::time::Duration;

use starling_lab::{Proc, Result, Signal};

use crate::mesh::{Mesh, Software};
use crate::table::Seen;

const SOON: Duration = Duration::from_secs(60);

fn again(mesh: &mut Mesh, software: Software, end: impl Fn(Proc) -> Result) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    end(mesh.take(1)?)?;
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    // BIRD's neighbours give up stale routes late.
    mesh.settle(Duration::from_secs(5))?;
    Ok(vec![mesh.lost(from)])
}

/// Nothing happens: what the measuring itself loses.
pub fn nothing(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    std::thread::sleep(Duration::from_secs(3));
    Ok(vec![mesh.lost(from)])
}

/// SIGTERM.
pub fn stop(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    again(mesh, software, |proc| proc.stop(SOON).map(drop))
}

/// SIGKILL.
pub fn kill(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    again(mesh, software, |proc| {
        proc.crash();
        Ok(())
    })
}

/// SIGABRT.
pub fn abort(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    again(mesh, software, |mut proc| proc.signal(Signal::ABORT))
}

/// SIGKILL, and again when the sessions are on their way up.
pub fn twice(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.take(1)?.crash();
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    // The moment in which the first sessions are up and nothing is said yet: for BIRD after
    // its connect delay.
    std::thread::sleep(match software {
        Software::Starling => Duration::from_millis(20),
        Software::Bird => Duration::from_millis(2500),
    });
    mesh.take(1)?.crash();
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    mesh.settle(Duration::from_secs(5))?;
    Ok(vec![mesh.lost(from)])
}
