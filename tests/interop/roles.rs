//! Roles (RFC 9234): told to each other, checked against each other, and marks on routes.

use anyhow::{Context, ensure};
use starling::api::{Neighbor, SessionState};
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Capability, Network, Role, Software};
use starling_lab::{Result, wait_for};

use crate::beside::{Beside, NODE, networks, toml};
use crate::sessions::used;
use crate::support::SOON;

#[test]
fn roles_are_told_and_routes_marked() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        router.networks.push(Network::new(&networks(software)[0])?);
        router.neighbors[0].role = Some(Role::Provider);
        Ok(toml(software, "role = \"customer\""))
    })?;
    beside.each(Feature::Roles, |cluster, peer| {
        let session = peer.speaker.session(NODE.into())?;
        ensure!(session.offered.contains(&Capability::Role), "{session:?}");
        // From a provider: marked with its AS, by itself or by us.
        wait_for("its route", SOON, || {
            let path = used(cluster, &networks(peer.software)[0])?;
            let mark = format!("OTC {}", peer.router.asn);
            ensure!(path.other_attributes.contains(&mark), "{path:#?}");
            Ok(())
        })
    })
}

#[test]
fn two_customers_have_no_session() -> Result {
    let speaks = [Software::Bird, Software::Frr, Software::OpenBgpd];
    let mut beside = Beside::start(&speaks, "", |software, router| {
        router.neighbors[0].role = Some(Role::Customer);
        Ok(toml(software, "role = \"customer\""))
    })?;
    for peer in &beside.peers {
        let node = beside.cluster.node(1)?;
        wait_for("the reason", SOON, || {
            let told: Neighbor = node.daemon()?.read(&["show", "neighbors", &peer.name()])?;
            let last = told.last_down.clone().context("nothing happened yet")?;
            ensure!(told.summary.state != SessionState::Established, "{told:#?}");
            ensure!(last.text.to_lowercase().contains("role"), "{told:#?}");
            Ok(())
        })?;
    }
    Ok(())
}
