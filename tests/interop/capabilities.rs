//! What is offered and agreed beside families, with each of the five that has it: messages of
//! more than 4096 octets, and refreshes with a beginning and an end.

use std::collections::BTreeSet;

use anyhow::ensure;
use starling::api::Neighbor;
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Capability, Network, NotOffered, Software};
use starling_lab::{Family, Result, wait_for};

use crate::beside::{Beside, NODE, networks, toml};
use crate::support::{SOON, established};

/// 12 octets each: more than one ordinary message holds.
fn many() -> Vec<String> {
    (0..600).map(|i| format!("64999:1:{i}")).collect()
}

#[test]
fn messages_of_more_than_4096_octets() -> Result {
    // Who has them announces a route that needs one; who has not must not be harmed by it.
    let senders = [Software::Bird, Software::ExaBgp];
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        let able = [Software::Bird, Software::Frr, Software::ExaBgp].contains(&software);
        router.neighbors[0].extended_messages = able;
        let mut network = Network::new(&networks(software)[0])?;
        if senders.contains(&software) {
            network.large_communities = many();
        }
        router.networks.push(network);
        Ok(toml(software, "export = \"all\""))
    })?;
    let wanted: BTreeSet<String> = many().into_iter().collect();
    beside.each(Feature::ExtendedMessages, |cluster, peer| {
        let session = peer.speaker.session(NODE.into())?;
        if !peer.router.neighbors[0].extended_messages {
            let what = "extended messages";
            established(cluster.node(1)?, &peer.name())?;
            return Err(NotOffered { software: peer.software, what }.into());
        }
        ensure!(session.offered.contains(&Capability::ExtendedMessages), "{session:?}");
        for sender in senders.into_iter().filter(|sender| *sender != peer.software) {
            peer.hears(NODE.into(), &networks(sender)[0], |heard| {
                // BIRD shows the first of a long list.
                let all = heard.large_communities == wanted;
                let first = peer.software == Software::Bird && heard.large_communities.len() > 20;
                ensure!(all || first, "not all communities");
                Ok(())
            })?;
        }
        Ok(())
    })?;
    for peer in &beside.peers {
        let daemon = beside.cluster.node(1)?.daemon()?;
        let told: Neighbor = daemon.read(&["show", "neighbors", &peer.name()])?;
        ensure!(told.flaps == 0 && told.agreed.is_some(), "{told:#?}");
    }
    Ok(())
}

#[test]
fn a_refresh_has_a_beginning_and_an_end() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, _| Ok(toml(software, "")))?;
    beside.each(Feature::EnhancedRefresh, |cluster, peer| {
        peer.speaker.refreshed(NODE.into())?;
        let session = peer.speaker.session(NODE.into())?;
        ensure!(session.offered.contains(&Capability::EnhancedRefresh), "{session:?}");
        peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(()))?;
        peer.speaker.refresh(NODE.into(), Family::V4)?;
        wait_for("the end of the refresh", SOON, || {
            ensure!(peer.speaker.refreshed(NODE.into())?, "{}", peer.speaker.log());
            Ok(())
        })?;
        // Nothing was lost on the way.
        peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(()))?;
        let told: Neighbor =
            cluster.node(1)?.daemon()?.read(&["show", "neighbors", &peer.name()])?;
        ensure!(told.flaps == 0, "{told:#?}");
        Ok(())
    })
}
