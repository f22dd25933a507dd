//! A node with fifty others, of which five are dead.
//!
//! The others have only that node as a peer: it is the one that is looked at.

use std::time::Duration;

use starling_lab::Result;

use crate::PACE;
use crate::mesh::{Mesh, Software};
use crate::table::Seen;
use crate::told::Told;

/// Those that are there; 47 to 51 are known to all and nowhere.
const ALIVE: usize = 46;
/// BIRD waits 240 s for the dead.
const WATCHED: Duration = Duration::from_secs(10);

pub fn start(software: Software) -> Result<Mesh> {
    let told = Told { star: true, ..Told::of(1..=51) };
    Mesh::start(software, &[0; ALIVE], told, PACE)
}

/// SIGTERM and start.
pub fn upgrade(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.take(1)?.stop(Duration::from_secs(20))?;
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    let over = mesh.whole_within(WATCHED);
    let mut seen = mesh.lost(from);
    seen.unfinished = over.is_err();
    Ok(vec![seen])
}
