//! More than one path for a prefix: path identifiers in both directions (RFC 7911).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use starling::api::Route;
use starling_lab::matrix::Feature;
use starling_lab::speaker::{AddPath, Neighbor, Network, Router, Software};
use starling_lab::{Cluster, Netns, Result, wait_for};

use crate::beside::{Beside, NODE, Peer, number, toml};
use crate::speaker::{Speaker, mandatory};
use crate::support::SOON;

const PREFIX: &str = "203.0.113.0/24";
const IMPORT: &str = "import = [\"203.0.113.0/24\"]\n";

/// The `[[peer]]` of one of our own speakers, 10.50.0.`i`, which calls.
fn ours(i: u8) -> String {
    format!(
        "[[peer]]\nname = \"r{i}\"\naddress = \"10.50.0.{i}\"\nasn = {}\nnodes = [\"n1\"]\n\
         passive = true\n{IMPORT}",
        65000 + u32::from(i)
    )
}

/// One of our own speakers announces `PREFIX` to `remote`.
fn announcing(cluster: &Cluster, i: u8, remote: Ipv4Addr) -> Result<(Speaker, Netns)> {
    let (address, asn) = (Ipv4Addr::new(10, 50, 0, i), 65000 + u32::from(i));
    let netns = cluster.host(&format!("r{i}"), 0, i, &[])?;
    let mut speaker = wait_for("a session", SOON, || {
        let mut speaker = Speaker::dial(&netns, address, remote)?;
        speaker.establish(asn, address)?;
        Ok(speaker)
    })?;
    speaker.announce(&mandatory(&[asn], address), &[PREFIX])?;
    Ok((speaker, netns))
}

#[test]
fn several_paths_are_sent_with_identifiers() -> Result {
    let extra = ours(201) + &ours(202);
    let mut beside = Beside::establish(&Software::ALL, &extra, |software, router| {
        router.neighbors[0].add_path = AddPath { receive: true, send: false };
        Ok(toml(software, "export = \"all\"\nadd-paths = \"send\"\nadd-path-limit = 4"))
    })?;
    let _first = announcing(&beside.cluster, 201, NODE)?;
    let _second = announcing(&beside.cluster, 202, NODE)?;
    beside.each(Feature::AddPathSend, |_, peer| {
        wait_for("both paths", SOON, || {
            let mut heard = peer.speaker.heard(NODE.into())?;
            heard.retain(|heard| heard.prefix.to_string() == PREFIX);
            let paths: BTreeSet<&str> = heard.iter().map(|heard| heard.as_path.as_str()).collect();
            let wanted = BTreeSet::from(["64512 65201", "64512 65202"]);
            ensure!(paths == wanted, "{} has {heard:#?}", peer.software);
            Ok(())
        })
    })
}

/// Two of our own behind a peer, which call it.
fn behind(software: Software) -> [u8; 2] {
    [210 + number(software), 220 + number(software)]
}

fn with_two_behind(software: Software, router: &mut Router) -> Result<String> {
    router.neighbors[0].add_path = AddPath { receive: false, send: true };
    // It speaks for itself.
    if software == Software::ExaBgp {
        for (id, behind) in behind(software).into_iter().enumerate() {
            let mut network = Network::new(PREFIX)?;
            network.as_path.push(65000 + u32::from(behind));
            network.path_id = Some(u32::try_from(id)? + 1);
            router.networks.push(network);
        }
    } else {
        for i in behind(software) {
            let address = Ipv4Addr::new(10, 50, 0, i);
            let mut neighbor = Neighbor::new(address.into(), 65000 + u32::from(i));
            neighbor.passive = true;
            router.neighbors.push(neighbor);
        }
    }
    let toml = toml(software, "add-paths = \"receive\"");
    let lines = toml.lines().filter(|line| !line.starts_with("import"));
    Ok(lines.map(|line| format!("{line}\n")).collect::<String>() + IMPORT)
}

#[test]
fn several_paths_are_taken_by_their_identifiers() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", with_two_behind)?;
    let mut kept = Vec::new();
    for peer in beside.peers.iter().filter(|peer| peer.software != Software::ExaBgp) {
        for i in behind(peer.software) {
            kept.push(announcing(&beside.cluster, i, peer.router.address)?);
        }
    }
    let paths = |cluster: &mut Cluster, peer: &Peer| -> Result<BTreeSet<String>> {
        let rows: Vec<Route> =
            cluster.node(1)?.daemon()?.rows(&["show", "routes", PREFIX, "--detail"])?;
        let route = rows.first().context("no route")?;
        let from = route.paths.iter().filter(|path| path.from == peer.name());
        Ok(from.filter_map(|path| path.as_path.clone()).collect())
    };
    beside.each(Feature::AddPathReceive, |cluster, peer| {
        let wanted: BTreeSet<String> = behind(peer.software)
            .map(|i| format!("{} {}", peer.router.asn, 65000 + u32::from(i)))
            .into();
        wait_for("both paths", SOON, || {
            let paths = paths(cluster, peer)?;
            ensure!(paths == wanted, "{paths:?}, not {wanted:?}");
            Ok(())
        })
    })?;
    drop(kept);
    Ok(())
}
