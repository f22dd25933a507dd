//! A node of a mesh of BIRDs changes to Starling, and back: at first five run BIRD.
//!
//! Starling is given BIRD's metric, so that BIRD finds under its own key what Starling left.

use std::time::Duration;

use starling_lab::Result;

use crate::PACE;
use crate::mesh::{Mesh, Software};
use crate::table::Seen;
use crate::told::Told;

const SOON: Duration = Duration::from_secs(60);

/// What BIRD 2 writes unless it is told otherwise.
const METRIC: u32 = 32;

pub fn start(_: Software) -> Result<Mesh> {
    let told = Told { metric: Some(METRIC), ..Told::of(1..=5) };
    Mesh::start(Software::Bird, &[0; 5], told, PACE)
}

fn starts(mesh: &mut Mesh, software: Software) -> Result {
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    mesh.settle(Duration::from_secs(6))
}

/// `birdc graceful restart` ends BIRD so that its neighbours keep its routes.
pub fn to_starling(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.bird(1)?.birdc("graceful restart")?;
    mesh.take(1)?.ended(SOON)?;
    starts(mesh, Software::Starling)?;
    Ok(vec![mesh.lost(from)])
}

/// SIGTERM and a start, with BIRDs as neighbours.
pub fn among_birds(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.take(1)?.stop(SOON)?;
    starts(mesh, Software::Starling)?;
    Ok(vec![mesh.lost(from)])
}

/// SIGTERM, then BIRD.
pub fn to_bird(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.take(1)?.stop(SOON)?;
    starts(mesh, Software::Bird)?;
    Ok(vec![mesh.lost(from)])
}

/// SIGKILL ends a BIRD that knows no such command, with the same effect.
pub fn killed_to_starling(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.take(1)?.crash();
    starts(mesh, Software::Starling)?;
    Ok(vec![mesh.lost(from)])
}
