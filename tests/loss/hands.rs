//! Somebody else's hands in the kernel's table, and what a predecessor left there.
//!
//! Both softwares write metric 512 here, so that a wrong route with a better one can appear.

use std::time::Duration;

use starling_lab::Result;

use crate::PACE;
use crate::mesh::{Mesh, Software};
use crate::table::Seen;
use crate::told::Told;

const METRIC: u32 = 512;
/// Nobody has it.
const WRONG: &str = "via 10.50.0.99 dev net0 proto bird";

pub fn start(software: Software) -> Result<Mesh> {
    Mesh::start(software, &[0; 5], Told { metric: Some(METRIC), ..Told::of(1..=5) }, PACE)
}

/// Does `lines` to the routes of n1, and waits until they are right again; if they are not after
/// `limit`, undoes it with `undo`.
fn meddle(mesh: &mut Mesh, lines: &[String], undo: &str, limit: Duration) -> Result<Seen> {
    let from = mesh.traffic.beat();
    mesh.netns(1)?.ip_lines(lines)?;
    let healed = mesh.whole_within(limit);
    let mut seen = mesh.lost(from);
    seen.unfinished = healed.is_err();
    if healed.is_err() {
        mesh.netns(1)?.ip_line(undo)?;
        mesh.whole()?;
    }
    Ok(seen)
}

/// Longer than BIRD's looks at the kernel are apart.
const LIMIT: Duration = Duration::from_secs(5);

/// A route to n2 is deleted.
pub fn deleted(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let right = format!("10.244.2.0/26 via 10.50.0.2 dev net0 proto bird metric {METRIC}");
    let delete = format!("route del {right}");
    Ok(vec![meddle(mesh, &[delete], &format!("route replace {right}"), LIMIT)?])
}

/// A route to n2 leads to a wrong gateway.
pub fn bent(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let right = format!("10.244.2.0/26 via 10.50.0.2 dev net0 proto bird metric {METRIC}");
    let bend = format!("route replace 10.244.2.0/26 {WRONG} metric {METRIC}");
    Ok(vec![meddle(mesh, &[bend], &format!("route replace {right}"), LIMIT)?])
}

/// A second route to n2, to a wrong gateway, with a better metric.
pub fn shadowed(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let shadow = format!("10.244.2.0/26 {WRONG} metric 77");
    let add = format!("route add {shadow}");
    Ok(vec![meddle(mesh, &[add], &format!("route del {shadow}"), LIMIT)?])
}

/// What a predecessor left is wrong, with every metric that one of BIRD's may have, and beside
/// it are the right ones.
pub fn leftovers(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    mesh.take(1)?.crash();
    let left: Vec<String> = [(2, 0), (3, 1024), (4, 2_147_483_547), (5, METRIC)]
        .iter()
        .map(|(i, metric)| format!("route replace 10.244.{i}.0/26 {WRONG} metric {metric}"))
        .collect();
    mesh.netns(1)?.ip_lines(&left)?;
    let from = mesh.traffic.beat();
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    let healed = mesh.whole_within(Duration::from_secs(10));
    let mut seen = mesh.lost(from);
    seen.unfinished = healed.is_err();
    if healed.is_err() {
        mesh.netns(1)?.ip_line(&format!("route del 10.244.2.0/26 {WRONG} metric 0")).ok();
    }
    Ok(vec![seen])
}
