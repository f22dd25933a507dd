//! AIGP (RFC 7311): the distance that iBGP neighbours with it announce goes with the next hop to
//! others, octet by octet, and ours comes to them.

use anyhow::{bail, ensure};
use starling_lab::Result;
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Network, NotOffered, Software};

use crate::beside::{ASN, Beside, NODE, number};
use crate::reflection::{internal, speaker};
use crate::speaker::{OPTIONAL, Speaker, TRANSITIVE, Update, attribute, mandatory};

/// What a speaker of ours announces.
const PREFIX: &str = "203.0.113.0/28";
/// Type code of the attribute (RFC 7311 §3).
const AIGP: u8 = 26;

/// The value: one TLV of type 1, 11 octets long (§3).
fn value(metric: u64) -> Vec<u8> {
    [&[1, 0, 11], &metric.to_be_bytes()[..]].concat()
}

/// A network and its metric for each.
fn network(software: Software) -> (String, u32) {
    let i = number(software);
    (format!("203.0.113.{}/28", 16 * i), 7700 + u32::from(i))
}

/// The UPDATEs for all of these, in whatever order they come.
fn updates(ours: &mut Speaker, mut wanted: Vec<String>) -> Result<Vec<(String, Update)>> {
    let mut all = Vec::new();
    while !wanted.is_empty() {
        let update = ours.update()?;
        for prefix in update.announced.iter().map(ToString::to_string) {
            if wanted.contains(&prefix) {
                wanted.retain(|other| *other != prefix);
                all.push((prefix, update.clone()));
            }
        }
    }
    Ok(all)
}

#[test]
fn the_distance_goes_along_from_each_and_to_each() -> Result {
    let source = format!(
        "[[peer]]\nname = \"r201\"\naddress = \"10.50.0.201\"\nasn = {ASN}\nnodes = [\"n1\"]\n\
         passive = true\nroute-reflector-client = true\nimport = [\"203.0.113.0/24\"]\n"
    );
    let mut beside = Beside::establish(&Software::ALL, &source, |software, router| {
        router.asn = ASN;
        let (prefix, metric) = network(software);
        let network = Network { aigp: Some(metric), ..Network::new(&prefix)? };
        router.networks.push(network);
        Ok(internal(software, "route-reflector-client = true"))
    })?;
    let (mut ours, _netns) = speaker(&beside.cluster, 201, NODE)?;
    let mut attributes = mandatory(&[], [10, 50, 0, 201].into());
    attributes[1].value.clear();
    attributes.push(attribute(TRANSITIVE, 5, 100u32.to_be_bytes()));
    attributes.push(attribute(OPTIONAL, AIGP, value(4711)));
    ours.announce(&attributes, &[PREFIX])?;

    let wanted = beside.peers.iter().map(|peer| network(peer.software).0).collect();
    let told = updates(&mut ours, wanted)?;
    beside.each(Feature::Aigp, |_, peer| {
        let (prefix, metric) = network(peer.software);
        let Some((_, update)) = told.iter().find(|(one, _)| *one == prefix) else {
            bail!("nothing of {prefix}");
        };
        let wanted = attribute(OPTIONAL, AIGP, value(metric.into()));
        ensure!(update.attribute(AIGP) == Some(&wanted), "{update:#?}");
        Ok(())
    })?;
    beside.each(Feature::AigpSend, |_, peer| {
        if peer.software == Software::ExaBgp {
            // It ignores the attribute, or with `aigp enable` falls over it.
            return Err(NotOffered { software: peer.software, what: "reader of AIGP" }.into());
        }
        peer.hears(NODE.into(), PREFIX, |heard| {
            ensure!(heard.rest.contains("4711"), "no distance");
            Ok(())
        })?;
        Ok(())
    })
}
