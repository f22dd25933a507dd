//! Route reflection (RFC 4456) with each of the five: as clients of ours, and as reflectors
//! between us and somebody else.

use std::net::Ipv4Addr;

use anyhow::ensure;
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Neighbor, Router, Software};
use starling_lab::{Cluster, Netns, Result, wait_for};

use crate::beside::{ASN, Beside, NODE, asn, number, toml};
use crate::sessions::used;
use crate::speaker::{Speaker, attribute, mandatory};
use crate::support::SOON;

const PREFIX: &str = "203.0.113.0/24";

/// iBGP, and what may come.
pub fn internal(software: Software, more: &str) -> String {
    let toml = toml(software, more).replace(&asn(software).to_string(), &ASN.to_string());
    let lines = toml.lines().filter(|line| !line.starts_with("import"));
    lines.map(|line| format!("{line}\n")).collect::<String>() + "import = [\"203.0.113.0/24\"]\n"
}

/// A speaker of ours in the same AS.
pub fn speaker(cluster: &Cluster, i: u8, remote: Ipv4Addr) -> Result<(Speaker, Netns)> {
    let address = Ipv4Addr::new(10, 50, 0, i);
    let netns = cluster.host(&format!("r{i}"), 0, i, &[])?;
    let speaker = wait_for("a session", SOON, || {
        let mut speaker = Speaker::dial(&netns, address, remote)?;
        speaker.establish(ASN, address)?;
        Ok(speaker)
    })?;
    Ok((speaker, netns))
}

fn announce(speaker: &mut Speaker, i: u8) -> Result {
    let mut attributes = mandatory(&[], Ipv4Addr::new(10, 50, 0, i));
    attributes[1].value.clear();
    attributes.push(attribute(0x40, 5, 100u32.to_be_bytes()));
    speaker.announce(&attributes, &[PREFIX])
}

#[test]
fn clients_hear_of_each_other_through_us() -> Result {
    let source = format!(
        "[[peer]]\nname = \"r201\"\naddress = \"10.50.0.201\"\nasn = {ASN}\nnodes = [\"n1\"]\n\
         passive = true\nroute-reflector-client = true\nimport = [\"203.0.113.0/24\"]\n"
    );
    let mut beside = Beside::establish(&Software::ALL, &source, |software, router| {
        router.asn = ASN;
        Ok(internal(software, "route-reflector-client = true"))
    })?;
    let (mut r1, _netns) = speaker(&beside.cluster, 201, NODE)?;
    announce(&mut r1, 201)?;
    beside.each(Feature::Reflector, |_, peer| {
        peer.hears(NODE.into(), PREFIX, |heard| {
            ensure!(heard.next_hop == Some(Ipv4Addr::new(10, 50, 0, 201).into()), "next hop");
            ensure!(heard.as_path.is_empty(), "AS path");
            // ORIGINATOR_ID: r1; CLUSTER_LIST: the node.
            if peer.software != Software::OpenBgpd {
                ensure!(heard.rest.contains("10.50.0.201"), "originator");
                ensure!(heard.rest.contains("10.50.0.1"), "cluster");
            }
            Ok(())
        })?;
        Ok(())
    })
}

/// One of ours behind a peer, its second client.
fn behind(software: Software) -> u8 {
    210 + number(software)
}

fn reflecting(software: Software, router: &mut Router) -> Result<String> {
    router.asn = ASN;
    let mut other = Neighbor::new(Ipv4Addr::new(10, 50, 0, behind(software)).into(), ASN);
    other.passive = true;
    other.reflector_client = true;
    router.neighbors.push(other);
    router.neighbors[0].reflector_client = true;
    Ok(internal(software, ""))
}

#[test]
fn they_reflect_between_us_and_others() -> Result {
    // One at a time: all announce the same prefix.
    let mut beside = Beside::establish(&Software::ALL, "", reflecting)?;
    beside.each(Feature::ReflectorClient, |cluster, peer| {
        let i = behind(peer.software);
        let (mut ours, _netns) = speaker(cluster, i, peer.router.address)?;
        let update = ours.update_for("10.244.1.0/26")?;
        let value = |code| update.attribute(code).map(|attribute| attribute.value.clone());
        ensure!(value(3) == Some(NODE.octets().to_vec()), "{update:#?}");
        ensure!(value(9) == Some(NODE.octets().to_vec()), "{update:#?}");
        ensure!(value(10) == Some(peer.router.address.octets().to_vec()), "{update:#?}");
        announce(&mut ours, i)?;
        wait_for("its route", SOON, || {
            let path = used(cluster, PREFIX)?;
            ensure!(path.from == peer.name(), "{path:#?}");
            ensure!(path.next_hop == Some(Ipv4Addr::new(10, 50, 0, i).into()), "{path:#?}");
            let others = path.other_attributes.join(" ");
            ensure!(others.contains(&format!("10.50.0.{i}")), "{path:#?}");
            Ok(())
        })
    })
}
