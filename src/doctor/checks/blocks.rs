//! Blocks that two nodes call theirs: half of the packets go to a node that has no such pod.
//!
//! The nodes' files differ then, for one file cannot give a block to two. Who has a single address
//! of another node's block has borrowed it; networks that several nodes are to announce are no
//! blocks; what a router announces is a way to a node's block, not a claim.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::api::Level;
use crate::doctor::facts::{Configured, Facts};
use crate::doctor::notes::{Notes, count, some};

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(configured) = &facts.configured else { return };
    let Ok(daemon) = &facts.daemon else {
        return notes.unchecked("only the daemon knows who announces what");
    };
    let mut claims: BTreeMap<IpNet, BTreeSet<&str>> = BTreeMap::new();
    for claim in &daemon.claims {
        if let Some(node) = configured.node_at(claim.next_hop) {
            claims.entry(claim.prefix).or_default().insert(&node.name);
        }
    }
    for (prefix, names) in &claims {
        judge(configured, *prefix, names, notes);
    }
    if notes.is_well() {
        notes.ok("blocks", format!("{}, each of one node", count(claims.len(), "block")));
    }
}

fn judge(configured: &Configured, prefix: IpNet, names: &BTreeSet<&str>, notes: &mut Notes) {
    let shared = configured
        .nodes
        .iter()
        .filter(|node| node.networks.iter().any(|network| network.prefix == prefix));
    if shared.count() > 0 {
        return;
    }
    let is_host = prefix.prefix_len() == prefix.max_prefix_len();
    let owner = configured
        .nodes
        .iter()
        .find(|node| node.blocks.iter().any(|block| block.contains(&prefix)))
        .map(|node| node.name.as_str());
    let others: Vec<&&str> = names.iter().filter(|name| Some(**name) != owner).collect();
    let subject = prefix.to_string();
    let cure = |wrong: &str| {
        format!("on {wrong}: starlingd check /etc/starling/cluster.toml; give all nodes one file")
    };
    let Some(first) = others.first() else { return };
    if is_host {
        if others.len() > 1 {
            let text = format!("{} have a pod of this address", some(names));
            notes.sick(Level::Warning, subject, text, "end one of the pods");
        }
        return;
    }
    match owner {
        Some(owner) if owner == configured.plan.name => notes.sick(
            Level::Problem,
            subject,
            format!("it is this node's, and {} announces it as well: pods get each other's packets, or none", some(&others)),
            cure(first),
        ),
        Some(owner) if names.contains(owner) => notes.sick(
            Level::Problem,
            subject,
            format!("{} both announce it; the file here gives it to {owner}", some(names)),
            cure(first),
        ),
        Some(owner) => notes.sick(
            Level::Warning,
            subject,
            format!("{} announces it; the file here gives it to {owner}", some(&others)),
            cure(first),
        ),
        None if others.len() > 1 => notes.sick(
            Level::Problem,
            subject,
            format!("{} both announce it; the file here gives it to nobody", some(names)),
            cure(first),
        ),
        None => {}
    }
}
