//! The connections of all five: signed, near, far, and from neighbours that the file does not
//! name. What is particular to each of those is tested in `transport`.

use anyhow::ensure;
use starling::api::{Authentication, Neighbor};
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Network, Software};
use starling_lab::{Result, wait_for};

use crate::beside::{Beside, KEY, NODE, asn, name, networks, number, toml};
use crate::sessions::used;
use crate::support::{SOON, established, neighbour};

#[test]
fn signed_with_md5() -> Result {
    let mut beside = Beside::start(&Software::ALL, "", |software, router| {
        router.neighbors[0].password = Some(KEY.to_owned());
        Ok(toml(software, "password-file = \"md5.key\""))
    })?;
    beside.sessions()?;
    beside.each(Feature::Md5, |cluster, peer| {
        let told: Neighbor =
            cluster.node(1)?.daemon()?.read(&["show", "neighbors", &peer.name()])?;
        ensure!(told.transport.authentication == Some(Authentication::Md5), "{told:#?}");
        peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(()))?;
        Ok(())
    })
}

#[test]
fn from_one_hop_away_and_no_further() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        router.neighbors[0].ttl_security = Some(1);
        Ok(toml(software, "ttl-security = 1"))
    })?;
    beside.each(Feature::Gtsm, |cluster, peer| {
        // Neither end would hear the other with an ordinary TTL.
        let told: Neighbor =
            cluster.node(1)?.daemon()?.read(&["show", "neighbors", &peer.name()])?;
        ensure!(told.transport.ttl_security == Some(1), "{told:#?}");
        peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(()))?;
        Ok(())
    })
}

#[test]
fn ebgp_from_behind_a_gateway() -> Result {
    // A second node makes the second rack and the gateway between them.
    let mut beside = Beside::build(&[0, 1], &Software::ALL, "", |software, router| {
        let i = 100 + number(software);
        router.address = format!("10.50.1.{i}").parse()?;
        router.address6 = format!("fd50:1::{i}").parse()?;
        router.neighbors[0].multihop = Some(2);
        for prefix in networks(software) {
            router.networks.push(Network::new(&prefix)?);
        }
        let toml = toml(software, "multihop = 2");
        Ok(toml.replace(&format!("\"10.50.0.{i}\""), &format!("\"10.50.1.{i}\"")))
    })?;
    beside.sessions()?;
    beside.each(Feature::Multihop, |cluster, peer| {
        for prefix in networks(peer.software) {
            wait_for("its route", SOON, || used(cluster, &prefix))?;
        }
        peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(()))?;
        Ok(())
    })
}

#[test]
fn neighbours_that_only_a_range_names() -> Result {
    let numbers: Vec<String> = Software::ALL.map(|software| asn(software).to_string()).into();
    let prefixes: Vec<String> =
        Software::ALL.iter().map(|software| format!("\"{}\"", networks(*software)[0])).collect();
    let range = format!(
        "[[peer]]\nname = \"leaf\"\naddress = \"10.50.0.96/27\"\nasn = [{}]\nnodes = [\"n1\"]\n\
         families = [\"ipv4\", \"ipv6\"]\nimport = [{}]\n",
        numbers.join(", "),
        prefixes.join(", ")
    );
    let mut beside = Beside::start(&Software::ALL, &range, |software, router| {
        router.networks.push(Network::new(&networks(software)[0])?);
        Ok(String::new())
    })?;
    beside.each(Feature::DynamicNeighbors, |cluster, peer| {
        let found = format!("leaf-{}", peer.router.address);
        established(cluster.node(1)?, &found)?;
        ensure!(neighbour(cluster.node(1)?, &name(peer.software)).is_err(), "it is in the file");
        wait_for("its route", SOON, || used(cluster, &networks(peer.software)[0]))?;
        peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(()))?;
        Ok(())
    })
}
