//! Somebody else's hands in the kernel's table, and what a predecessor left there.
//!
//! Both softwares write metric 512 here, so that a wrong route with a better one can appear.

use std::time::Duration;

use anyhow::ensure;
use starling_lab::Result;

use crate::PACE;
use crate::mesh::{Mesh, Software, watched};
use crate::table::Seen;
use crate::told::{Told, block, block6};

const METRIC: u32 = 512;

pub fn start(software: Software) -> Result<Mesh> {
    Mesh::start(software, &[0; 5], Told { metric: Some(METRIC), ..Told::of(1..=5) }, PACE)
}

/// The same with IPv6.
pub fn start6(software: Software) -> Result<Mesh> {
    let told = Told { metric: Some(METRIC), v6: true, ..Told::of(1..=5) };
    Mesh::start(software, &[0; 5], told, PACE)
}

/// A route of n1 to the block of node `i`: where it leads, or to a gateway that nobody has.
fn route(mesh: &Mesh, i: u8, is_right: bool) -> String {
    let to = if is_right { i } else { 99 };
    match mesh.told.v6 {
        true => format!("{} via fd50::{to} dev net0", block6(i)),
        false => format!("{} via 10.50.0.{to} dev net0", block(i)),
    }
}

/// What is done to a route and how it is undone by hand, both in `ip`'s words.
type Deed = fn(&Mesh, u8) -> (Vec<String>, String);

/// Longer than BIRD's looks at the kernel are apart.
const LIMIT: Duration = Duration::from_secs(5);
/// The nodes whose routes are meddled with, one after the other: packets go from n1 to each.
const VICTIMS: [u8; 3] = [2, 3, 5];
/// A route of ours is right again after so long at most, on most of the occasions: a machine that
/// is busy with something else may be late once. It takes milliseconds, since the kernel tells of
/// it; who looks at the kernel from time to time takes longer than this.
const BACK: Duration = Duration::from_secs(1);

/// Does `deed` to the routes of n1, each time until they are right again; if they are not within
/// [`LIMIT`], that is undone, and tried no more.
fn meddle(mesh: &mut Mesh, software: Software, deed: Deed) -> Result<Vec<Seen>> {
    let mut all = Seen::default();
    let mut gaps = Vec::new();
    for victim in VICTIMS {
        let from = mesh.traffic.beat();
        let (lines, undo) = deed(mesh, victim);
        mesh.netns(1)?.ip_lines(&lines)?;
        let healed = mesh.whole_within(watched(software, LIMIT));
        let Seen { lost, who, .. } = mesh.lost(from);
        gaps.push(lost.gap);
        let unfinished = healed.is_err();
        all = Seen { lost: all.lost.and(lost), unfinished, who: format!("{} {who}", all.who) };
        if unfinished {
            mesh.netns(1)?.ip_line(&undo)?;
            mesh.whole()?;
            break;
        }
    }
    gaps.sort_unstable();
    let middle = gaps.get(gaps.len() / 2).copied().unwrap_or_default();
    ensure!(software == Software::Bird || middle <= BACK, "back after {gaps:?}, not {BACK:?}");
    Ok(vec![all])
}

/// A route is deleted.
pub fn deleted(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    meddle(mesh, software, |mesh, i| {
        let right = format!("{} proto bird metric {METRIC}", route(mesh, i, true));
        (vec![format!("route del {right}")], format!("route replace {right}"))
    })
}

/// A route leads to a wrong gateway.
pub fn bent(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    meddle(mesh, software, |mesh, i| {
        let bend = |is_right| {
            let route = route(mesh, i, is_right);
            format!("route replace {route} proto bird metric {METRIC}")
        };
        (vec![bend(false)], bend(true))
    })
}

/// A second route to the same, by a wrong gateway, with a better metric.
pub fn shadowed(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    meddle(mesh, software, |mesh, i| {
        let shadow = format!("{} proto bird metric 77", route(mesh, i, false));
        (vec![format!("route add {shadow}")], format!("route del {shadow}"))
    })
}

/// Another program's route takes the place of ours, as `ip route replace` has it, and goes again.
pub fn taken(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    meddle(mesh, software, |mesh, i| {
        let theirs = format!("{} proto static metric {METRIC}", route(mesh, i, true));
        let ours = format!("{} proto bird metric {METRIC}", route(mesh, i, true));
        let lines = vec![format!("route replace {theirs}"), format!("route del {theirs}")];
        (lines, format!("route replace {ours}"))
    })
}

/// What a predecessor left is wrong, with every metric that one of BIRD's may have, and beside
/// it are the right ones.
pub fn leftovers(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    mesh.take(1)?.crash();
    let left: Vec<String> = [(2, 0), (3, 1024), (4, 2_147_483_547), (5, METRIC)]
        .iter()
        .map(|(i, metric)| {
            format!("route replace {} proto bird metric {metric}", route(mesh, *i, false))
        })
        .collect();
    mesh.netns(1)?.ip_lines(&left)?;
    let from = mesh.traffic.beat();
    mesh.launch(1, software)?;
    mesh.ready(1)?;
    let healed = mesh.whole_within(watched(software, Duration::from_secs(10)));
    let mut seen = mesh.lost(from);
    seen.unfinished = healed.is_err();
    if healed.is_err() {
        let wrong = format!("{} proto bird metric 0", route(mesh, 2, false));
        mesh.netns(1)?.ip_line(&format!("route del {wrong}")).ok();
    }
    Ok(vec![seen])
}
