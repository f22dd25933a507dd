//! Speakers that know only AS numbers of two octets (RFC 6793): each of the five with the
//! capability switched off, and one that never heard of it.

use anyhow::{Context, ensure};
use starling::api::Neighbor;
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Network, Software};
use starling_lab::{Family, Result, wait_for};

use crate::beside::{Beside, NODE, networks, number, toml};
use crate::sessions::used;
use crate::support::SOON;

/// An AS that two octets cannot say.
const WIDE: u32 = 4_200_000_099;

/// A peer's own AS, of two octets.
fn narrow(software: Software) -> u32 {
    65100 + u32::from(number(software))
}

#[test]
fn wide_numbers_cross_a_narrow_session_both_ways() -> Result {
    // A network of the node's own AS path: WIDE stands behind it, by way of another peer.
    let source = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 4200000099\n\
        nodes = [\"n1\"]\npassive = true\nimport = [\"203.0.113.0/24\"]\n";
    let mut beside = Beside::establish(&Software::ALL, source, |software, router| {
        router.asn = narrow(software);
        let mut network = Network::new(&networks(software)[0])?;
        // OpenBGPD announces nobody's paths but its own.
        if software != Software::OpenBgpd {
            network.as_path.push(WIDE);
        }
        router.networks.push(network);
        router.neighbors[0].four_octet_as = false;
        router.neighbors[0].families = vec![Family::V4];
        let wide = crate::beside::asn(software).to_string();
        let toml = toml(software, "export = \"all\"").replace(&wide, &router.asn.to_string());
        Ok(toml.replace(", \"ipv6\"", ""))
    })?;
    let cluster = &mut beside.cluster;
    let netns = cluster.host("r1", 0, 201, &[])?;
    let address = "10.50.0.201".parse()?;
    let mut r1 = crate::speaker::Speaker::dial(&netns, address, NODE)?;
    r1.establish(WIDE, address)?;
    r1.announce(&crate::speaker::mandatory(&[WIDE, 65300], address), &["203.0.113.0/24"])?;

    beside.each(Feature::TwoOctetSpeaker, |cluster, peer| {
        let name = peer.name();
        let told: Neighbor = cluster.node(1)?.daemon()?.read(&["show", "neighbors", &name])?;
        let agreed = told.agreed.context("no session")?;
        ensure!(!agreed.four_octet_as, "{agreed:?}");
        // From it: AS_TRANS in its path becomes the number of its AS4_PATH.
        let wanted = match peer.software {
            Software::OpenBgpd => peer.router.asn.to_string(),
            _ => format!("{} {WIDE}", peer.router.asn),
        };
        wait_for("its route", SOON, || {
            let path = used(cluster, &networks(peer.software)[0])?;
            ensure!(path.as_path.as_deref() == Some(&wanted), "{path:#?}");
            Ok(())
        })?;
        // To it: it puts the path together again; FRR, told to negotiate nothing, does not.
        peer.hears(NODE.into(), "203.0.113.0/24", |heard| {
            let whole = heard.as_path == format!("64512 {WIDE} 65300");
            let halves = peer.software == Software::Frr && heard.as_path == "64512 23456 65300";
            ensure!(whole || halves, "another path");
            Ok(())
        })?;
        Ok(())
    })
}
