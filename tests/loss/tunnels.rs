//! Two racks with a gateway that knows every block, so that a pool may be of any mode.

use std::time::Duration;

use starling_lab::Result;

use crate::mesh::{Mesh, Software};
use crate::table::Seen;
use crate::told::Told;

/// Where the processor is emulated, a packet a millisecond would be all that it does.
const PACE: Duration = Duration::from_millis(20);

pub fn start(software: Software) -> Result<Mesh> {
    let racks = [0, 0, 1];
    let told = Told { ipip: "cross-subnet", ..Told::in_racks((1..).zip(racks)) };
    Mesh::start(software, &racks, told, PACE)
}

/// From `cross-subnet` over `always` and `never` back, a reload each.
pub fn modes(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let mut seen = Vec::new();
    for ipip in ["always", "never", "cross-subnet"] {
        let from = mesh.traffic.beat();
        mesh.tell(Told { ipip, ..mesh.told.clone() })?;
        mesh.settle(Duration::from_secs(2))?;
        seen.push(mesh.lost(from));
    }
    Ok(seen)
}
