//! The cluster is told something else: peers, metrics, nodes, blocks.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Context;
use starling_lab::Result;

use crate::PACE;
use crate::mesh::{MOVED, MOVING, Mesh, Software};
use crate::table::Seen;
use crate::told::Told;

/// A node more than run, and a block that will move.
pub fn start(software: Software) -> Result<Mesh> {
    let mut told = Told::of(1..=5);
    blocks(&mut told, 2)?.push(MOVING.to_owned());
    let mesh = Mesh::start(software, &[0; 6], told, PACE)?;
    pod(&mesh, 2, "add")?;
    Ok(mesh)
}

fn blocks(told: &mut Told, i: u8) -> Result<&mut Vec<String>> {
    Ok(&mut told.nodes.get_mut(&i).with_context(|| format!("no n{i}"))?.blocks)
}

/// Node `i` has the pod of the block that moves, or no more.
fn pod(mesh: &Mesh, i: u8, verb: &str) -> Result {
    mesh.netns(i)?.ip_line(&format!("route {verb} {MOVED} dev cali1 scope link")).map(drop)
}

fn tell(mesh: &mut Mesh, change: impl Fn(&mut Told)) -> Result {
    let mut told = mesh.told.clone();
    change(&mut told);
    mesh.tell(told)?;
    mesh.settle(Duration::from_secs(3))
}

/// A router that nobody has ever seen comes, and goes.
pub fn peer(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    tell(mesh, |told| {
        told.more = "[[peer]]\naddress = \"10.50.0.250\"\nasn = 65000\n".to_owned();
        told.more_bird = "protocol bgp stranger {\n  local as 64512;\n  \
            neighbor 10.50.0.250 as 65000;\n  ipv4 { import none; export filter to_peers; };\n}\n"
            .to_owned();
    })?;
    tell(mesh, |told| {
        told.more.clear();
        told.more_bird.clear();
    })?;
    Ok(vec![mesh.lost_of(from, among_five)])
}

/// To 512, and back. BIRD leaves the routes with the former metric where they are, so nothing but
/// its packets can be looked at, here and afterwards.
pub fn metric(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    for metric in [Some(512), None] {
        match software {
            Software::Starling => tell(mesh, |told| told.metric = metric)?,
            Software::Bird => {
                mesh.tell(Told { metric, ..mesh.told.clone() })?;
                std::thread::sleep(Duration::from_secs(4));
            }
        }
    }
    Ok(vec![mesh.lost_of(from, among_five)])
}

fn among_five(from: &str, to: &str) -> bool {
    ![from, to].contains(&"n6")
}

/// The sixth: the others are told, then it starts.
pub fn joins(mesh: &mut Mesh, software: Software) -> Result<Vec<Seen>> {
    let mut told = mesh.told.clone();
    told.nodes.extend(Told::of([6]).nodes);
    let from = mesh.traffic.beat();
    mesh.tell(told)?;
    // It takes a moment until a new node's daemon is started.
    std::thread::sleep(Duration::from_secs(1));
    let begins = mesh.traffic.beat();
    mesh.launch(6, software)?;
    mesh.ready(6)?;
    mesh.settle(Duration::from_secs(5))?;
    let others = mesh.lost_of(from, among_five);
    let own = mesh.lost_of(begins, |from, to| !among_five(from, to));
    Ok(vec![others, own])
}

/// The sixth: it stops, then the others are told.
pub fn leaves(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.take(6)?.stop(Duration::from_secs(60))?;
    tell(mesh, |told| {
        told.nodes.remove(&6);
    })?;
    Ok(vec![mesh.lost_of(from, among_five)])
}

/// From n2 to n3, the pod first.
pub fn moves(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    pod(mesh, 2, "del")?;
    pod(mesh, 3, "add")?;
    let mut told = mesh.told.clone();
    blocks(&mut told, 2)?.retain(|block| block != MOVING);
    blocks(&mut told, 3)?.push(MOVING.to_owned());
    mesh.tell(told)?;
    mesh.settle(Duration::from_secs(8))?;
    let own = mesh.lost_of(from, |_, to| to == "moved");
    let others = mesh.lost_of(from, |a, b| b != "moved" && among_five(a, b));
    Ok(vec![own, others])
}

/// The first gets a second address, the cluster is told that this one is it, and the former goes.
pub fn address(mesh: &mut Mesh, _: Software) -> Result<Vec<Seen>> {
    let from = mesh.traffic.beat();
    mesh.netns(1)?.sysctl("net/ipv4/conf/net0/promote_secondaries", "1")?;
    mesh.netns(1)?.ip_line("address add 10.50.0.11/24 dev net0")?;
    tell(mesh, |told| {
        if let Some(node) = told.nodes.get_mut(&1) {
            node.address = Ipv4Addr::new(10, 50, 0, 11);
        }
    })?;
    mesh.netns(1)?.ip_line("address del 10.50.0.1/24 dev net0")?;
    mesh.settle(Duration::from_secs(2))?;
    Ok(vec![mesh.lost_of(from, among_five)])
}
