//! What every session has, with each of the five: both families over either transport, AS numbers
//! of four octets, refresh, communities in both directions.

use std::net::IpAddr;

use anyhow::{Context, ensure};
use starling::api::{Neighbor, Path, Route};
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Capability, Network, Software};
use starling_lab::{Cluster, Family, Result, routes, wait_for};

use crate::beside::{ASN, Beside, NODE, NODE6, Peer, networks, toml};
use crate::support::SOON;

/// The path to `prefix` that the node uses, with all its attributes.
pub fn used(cluster: &mut Cluster, prefix: &str) -> Result<Path> {
    let rows: Vec<Route> =
        cluster.node(1)?.daemon()?.rows(&["show", "routes", prefix, "--detail"])?;
    let path = rows.first().and_then(|route| route.paths.first());
    let path = path.with_context(|| format!("no route to {prefix}"))?;
    ensure!(path.best, "{path:#?}");
    Ok(path.clone())
}

fn neighbor(cluster: &mut Cluster, peer: &Peer) -> Result<Neighbor> {
    cluster.node(1)?.daemon()?.read(&["show", "neighbors", &peer.name()])
}

/// Both ends have the other's routes of both families, from the right next hops.
fn exchanged(cluster: &mut Cluster, peer: &Peer, session: IpAddr) -> Result {
    let next_hops: [(String, IpAddr); 2] = {
        let [v4, v6] = networks(peer.software);
        [(v4, peer.router.address.into()), (v6, peer.router.address6.into())]
    };
    for (prefix, next_hop) in &next_hops {
        wait_for("its route", SOON, || {
            let path = used(cluster, prefix)?;
            ensure!(path.next_hop == Some(*next_hop), "{path:#?}");
            ensure!(path.as_path.as_deref() == Some(&peer.router.asn.to_string()), "{path:#?}");
            Ok(())
        })?;
    }
    for (prefix, next_hop) in
        [("10.244.1.0/26", IpAddr::from(NODE)), ("fd00:244:1::/64", NODE6.into())]
    {
        peer.hears(session, prefix, |heard| {
            ensure!(heard.next_hop == Some(next_hop), "another next hop");
            ensure!(heard.as_path == ASN.to_string(), "another AS path");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn both_families_and_all_kinds_of_communities_over_ipv4() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        for prefix in networks(software) {
            let mut network = Network::new(&prefix)?;
            network.communities = vec!["64999:1".to_owned(), "64999:2".to_owned()];
            network.large_communities = vec!["4200000000:1:2".to_owned()];
            network.route_targets = vec!["64999:3".to_owned()];
            network.med = Some(77);
            router.networks.push(network);
        }
        Ok(toml(software, ""))
    })?;
    beside.each(Feature::OverIpv4, |cluster, peer| exchanged(cluster, peer, NODE.into()))?;
    beside.each(Feature::FourOctetAs, |cluster, peer| {
        let agreed = neighbor(cluster, peer)?.agreed.context("nothing agreed")?;
        ensure!(agreed.four_octet_as && agreed.asn > 65535, "{agreed:?}");
        let session = peer.speaker.session(NODE.into())?;
        ensure!(session.offered.contains(&Capability::FourOctetAs), "{session:?}");
        Ok(())
    })?;
    beside.each(Feature::Communities, |cluster, peer| {
        for prefix in networks(peer.software) {
            let path = used(cluster, &prefix)?;
            ensure!(path.communities == ["64999:1", "64999:2"], "{path:#?}");
            ensure!(path.large_communities == ["4200000000:1:2"], "{path:#?}");
            ensure!(path.extended_communities == ["rt:64999:3"], "{path:#?}");
            ensure!(path.med == Some(77), "{path:#?}");
        }
        Ok(())
    })?;
    beside.each(Feature::RefreshAnswered, |cluster, peer| {
        let before = neighbor(cluster, peer)?;
        ensure!(before.agreed.as_ref().is_some_and(|agreed| agreed.route_refresh), "{before:#?}");
        peer.speaker.refresh(NODE.into(), Family::V4)?;
        wait_for("its request and our answer", SOON, || {
            let now = neighbor(cluster, peer)?;
            ensure!(
                now.messages_received.refreshes > before.messages_received.refreshes,
                "{now:#?}"
            );
            ensure!(now.messages_sent.updates > before.messages_sent.updates, "{now:#?}");
            Ok(())
        })?;
        peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(()))?;
        Ok(())
    })
}

#[test]
fn both_families_over_ipv6() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        for prefix in networks(software) {
            router.networks.push(Network::new(&prefix)?);
        }
        router.neighbors[0].address = NODE6.into();
        Ok(toml(software, "").replace("10.50.0.", "fd50::"))
    })?;
    beside.each(Feature::OverIpv6, |cluster, peer| exchanged(cluster, peer, NODE6.into()))
}

#[test]
fn ipv4_with_ipv6_next_hops() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        let mut network = Network::new(&networks(software)[0])?;
        // Who is told its next hops is told this one.
        if [Software::GoBgp, Software::ExaBgp].contains(&software) {
            network.next_hop = Some(router.address6.into());
        }
        router.networks.push(network);
        router.neighbors[0].address = NODE6.into();
        router.neighbors[0].extended_next_hop = true;
        Ok(toml(software, "extended-next-hop = true").replace("10.50.0.", "fd50::"))
    })?;
    beside.each(Feature::ExtendedNextHop, |cluster, peer| {
        let prefix = &networks(peer.software)[0];
        wait_for("its route", SOON, || {
            let path = used(cluster, prefix)?;
            ensure!(path.next_hop == Some(peer.router.address6.into()), "{path:#?}");
            let held = routes(cluster.nodes()[0].netns(), Family::V4, prefix)?;
            let via = format!("via inet6 {}", peer.router.address6);
            ensure!(held.len() == 1 && held[0].to_string().contains(&via), "{held:#?}");
            Ok(())
        })?;
        peer.hears(NODE6.into(), "10.244.1.0/26", |heard| {
            ensure!(heard.next_hop == Some(NODE6.into()), "another next hop");
            Ok(())
        })?;
        Ok(())
    })
}

#[test]
fn the_words_at_the_end_of_a_session_are_shown() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, _| Ok(toml(software, "")))?;
    beside.each(Feature::ShutdownText, |cluster, peer| {
        let words = format!("{} has work to do", peer.software);
        peer.speaker.reset(NODE.into(), &words)?;
        wait_for("its words", SOON, || {
            let told = neighbor(cluster, peer)?;
            // Not the last that went wrong: it calls again at once.
            let last = told.last_lost.clone().context("no end yet")?;
            ensure!(last.text.contains(&words), "{told:#?}");
            Ok(())
        })
    })
}
