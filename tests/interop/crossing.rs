//! Attributes that cross Starling on their way to each of the five, seen octet by octet behind
//! them: what comes from `r1` goes through the node, through the peer, to a speaker of ours.
//!
//! ```text
//!   r1 (ours) ── n1 (Starling) ──┬── BIRD ────── behind BIRD (ours)
//!                                ├── FRR ─────── behind FRR
//!                                ├── …
//!                                └── ExaBGP, which hands nothing on: its own words are read
//! ```

use std::net::Ipv4Addr;

use anyhow::{Context, ensure};
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Neighbor, Network, Router, Software};
use starling_lab::{Cluster, Netns, Result, wait_for};

use crate::beside::{Beside, NODE, Peer, networks, number, toml};
use crate::sessions::used;
use crate::speaker::{
    Attribute, OPTIONAL, PARTIAL, Speaker, TRANSITIVE, Update, attribute, mandatory,
};
use crate::support::{SOON, established};

/// The source of routes.
const R1: Ipv4Addr = Ipv4Addr::new(10, 50, 0, 201);
const R1_PEER: &str = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65201\n\
    nodes = [\"n1\"]\npassive = true\nimport = [\"203.0.113.0/24\"]\nexport = \"all\"\n";
const PREFIX: &str = "203.0.113.0/24";

/// The source, with a session.
pub fn source(cluster: &mut Cluster) -> Result<(Speaker, Netns)> {
    let netns = cluster.host("r1", 0, 201, &[])?;
    let mut r1 = Speaker::dial(&netns, R1, NODE)?;
    r1.establish(65201, R1)?;
    established(cluster.node(1)?, "r1")?;
    Ok((r1, netns))
}

/// Ours behind a peer: address and AS.
fn behind(software: Software) -> (Ipv4Addr, u32) {
    let i = number(software);
    (Ipv4Addr::new(10, 50, 0, 210 + i), 65210 + u32::from(i))
}

/// The peer waits to be called by ours.
fn with_one_behind(software: Software, router: &mut Router) {
    let (address, asn) = behind(software);
    let mut neighbor = Neighbor::new(address.into(), asn);
    neighbor.passive = true;
    router.neighbors.push(neighbor);
}

/// What the peer hands on of `PREFIX`.
fn handed_on(cluster: &mut Cluster, peer: &Peer) -> Result<Update> {
    let (address, asn) = behind(peer.software);
    let name = format!("b{}", number(peer.software));
    let netns = cluster.host(&name, 0, 210 + number(peer.software), &[])?;
    let mut ours = wait_for("a session with the peer", SOON, || {
        let mut ours = Speaker::dial(&netns, address, peer.router.address)?;
        ours.establish(asn, address)?;
        Ok(ours)
    })?;
    ours.update_for(PREFIX)
}

#[test]
fn what_comes_with_a_route_arrives_behind_each_peer() -> Result {
    let mut beside = Beside::establish(&Software::ALL, R1_PEER, |software, router| {
        with_one_behind(software, router);
        Ok(toml(software, "export = \"all\""))
    })?;
    let (mut r1, _netns) = source(&mut beside.cluster)?;
    let standard = attribute(OPTIONAL | TRANSITIVE, 8, [253, 233, 0, 100, 253, 233, 0, 200]);
    let extended = attribute(OPTIONAL | TRANSITIVE, 16, [0, 2, 253, 233, 0, 0, 0, 7]);
    let large = attribute(OPTIONAL | TRANSITIVE, 32, [0, 0, 253, 233, 0, 0, 0, 1, 0, 0, 0, 2]);
    let atomic = attribute(TRANSITIVE, 6, []);
    let aggregator = attribute(OPTIONAL | TRANSITIVE, 7, [0, 0, 254, 177, 192, 0, 2, 1]);
    let unknown = attribute(OPTIONAL | TRANSITIVE, 200, *b"carry me, all of me");
    let all = [&standard, &extended, &large, &atomic, &aggregator, &unknown].map(Clone::clone);
    r1.announce(&[mandatory(&[65201], R1), all.to_vec()].concat(), &[PREFIX])?;

    // Each carries on what the others do not understand, and marks it as such.
    let carried = attribute(OPTIONAL | TRANSITIVE | PARTIAL, 200, *b"carry me, all of me");
    let mut seen: Vec<(Software, Update)> = Vec::new();
    for peer in &beside.peers {
        peer.hears(NODE.into(), PREFIX, |heard| {
            ensure!(heard.as_path == "64512 65201", "another path");
            ensure!(heard.communities.contains("65001:100") && heard.communities.len() == 2);
            ensure!(heard.large_communities.contains("65001:1:2"));
            ensure!(heard.extended_communities.contains("rt:65001:7"));
            Ok(())
        })?;
        if peer.software != Software::ExaBgp {
            let update = handed_on(&mut beside.cluster, peer);
            seen.push((peer.software, update.with_context(|| peer.name())?));
        }
    }
    let update = |software: Software| seen.iter().find(|(one, _)| *one == software).map(|(_, u)| u);
    let arrives = |peer: &Peer, wanted: &Attribute, words: &str| -> Result {
        match update(peer.software) {
            Some(update) => {
                ensure!(update.attribute(wanted.code) == Some(wanted), "{update:#?}");
            }
            None => {
                let heard = peer.hears(NODE.into(), PREFIX, |_| Ok(()))?;
                ensure!(heard.rest.contains(words), "{heard:#?}");
            }
        }
        Ok(())
    };
    beside.each(Feature::UnknownAttributes, |_, peer| {
        // "carry me, all of me", as ExaBGP writes it.
        arrives(peer, &carried, "0x6361727279206d652c20616c6c206f66206d65")
    })?;
    beside.each(Feature::AtomicAggregate, |_, peer| {
        arrives(peer, &atomic, "\"atomic-aggregate\":true")?;
        arrives(peer, &aggregator, "\"aggregator\":\"65201:192.0.2.1\"")
    })
}

/// Peers that mark everything with one community; what another neighbour is told, which hears of
/// those marked routes where `handed_on`.
fn marked(community: &str, handed_on: bool) -> Result<(Beside, Speaker, Netns, Vec<String>)> {
    let mut beside = Beside::establish(&Software::ALL, R1_PEER, |software, router| {
        let prefix = &networks(software)[0];
        router.networks.push(Network::new(prefix)?);
        router.neighbors[0].communities = vec![community.to_owned()];
        Ok(toml(software, ""))
    })?;
    for peer in &beside.peers {
        let prefix = &networks(peer.software)[0];
        let cluster = &mut beside.cluster;
        wait_for("its route", SOON, || used(cluster, prefix))?;
    }
    let (mut r1, netns) = source(&mut beside.cluster)?;
    let mut wanted = vec!["10.244.1.0/26".to_owned()];
    if handed_on {
        wanted.extend(beside.peers.iter().map(|peer| networks(peer.software)[0].clone()));
    }
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let told = r1.announced(&wanted)?.iter().map(ToString::to_string).collect();
    Ok((beside, r1, netns, told))
}

#[test]
fn well_known_communities_are_obeyed() -> Result {
    // What is not marked is handed on: the second half of the proof.
    let (beside, _r1, _netns, told) = marked("64999:1", true)?;
    for peer in &beside.peers {
        let prefix = &networks(peer.software)[0];
        ensure!(told.contains(prefix), "{prefix} of {} is not in {told:?}", peer.software);
    }
    drop(beside);
    let (beside, _r1, _netns, unexported) = marked("65535:65281", false)?;
    drop(beside);
    let (mut beside, _r1, _netns, unadvertised) = marked("65535:65282", false)?;
    beside.each(Feature::WellKnownCommunities, |_, peer| {
        let prefix = &networks(peer.software)[0];
        for told in [&unexported, &unadvertised] {
            ensure!(!told.contains(prefix), "{prefix} is handed on: {told:?}");
            ensure!(told.contains(&"10.244.1.0/26".to_owned()), "{told:?}");
        }
        Ok(())
    })
}
