//! Two racks with a gateway that knows every block, so that a pool may be of any mode; and somebody
//! else's hands on the first node's tunnel.

use std::time::Duration;

use anyhow::ensure;
use starling_lab::{Lab, Result, wait_for};

use crate::mesh::{Mesh, Software};
use crate::table::Seen;
use crate::told::Told;

/// Where the processor is emulated, a packet a millisecond on each flow would be all that it does.
const PACE: Duration = Duration::from_millis(20);
const SOON: Duration = Duration::from_secs(60);

/// The nodes' tunnels are made by Starling: those that the module ipip brings cannot be deleted.
pub fn start(software: Software) -> Result<Mesh> {
    let racks = [0, 0, 1];
    let told = Told { ipip: "cross-subnet", ..Told::in_racks((1..).zip(racks)) };
    Mesh::start_in(Lab::unique()?.without_tunl0(), software, &racks, told, PACE)
}

/// From `cross-subnet` over `never` and `cross-subnet` to `always`, and back, a reload each.
pub fn modes(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let mut seen = Vec::new();
    for ipip in ["never", "cross-subnet", "always", "cross-subnet"] {
        let from = mesh.traffic.beat();
        mesh.tell(Told { ipip, ..mesh.told.clone() })?;
        mesh.settle(Duration::from_secs(2))?;
        seen.push(mesh.lost(from));
    }
    Ok(seen)
}

/// Does `lines` to the tunnel of n1, and waits until it and the routes are as before.
fn meddle(mesh: &mut Mesh, lines: &[&str]) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    // Again where Starling was quicker than the second line.
    wait_for("the deed", SOON, || mesh.netns(1)?.ip_lines(&lines))?;
    wait_for("tunl0", SOON, || {
        let shown = mesh.netns(1)?.ip_line("address show dev tunl0")?;
        for words in ["mtu 1480 ", "inet 10.244.1.0/32 ", ",UP"] {
            ensure!(shown.contains(words), "no {words:?} in\n{shown}");
        }
        Ok(())
    })?;
    mesh.whole()?;
    Ok(vec![mesh.lost(from)])
}

/// Its MTU.
pub fn mtu(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    meddle(mesh, &["link set tunl0 mtu 1300"])
}

/// Down.
pub fn down(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    meddle(mesh, &["link set tunl0 down"])
}

/// Its address goes, and with its last address every route out of an interface.
pub fn address(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    meddle(mesh, &["address del 10.244.1.0/32 dev tunl0"])
}

/// Another name, which Linux before 6.2 gives only to what is down.
pub fn renamed(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    meddle(mesh, &["link set tunl0 down", "link set tunl0 name other0"])
}

/// The device itself goes.
pub fn deleted(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    meddle(mesh, &["link del tunl0"])
}
