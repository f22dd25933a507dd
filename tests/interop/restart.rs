//! Graceful restart with each of the five, in both roles: who crashes and comes back is routed to
//! meanwhile, and what it does not announce again goes when it has said all.

use anyhow::ensure;
use starling::api::SessionState;
use starling_lab::matrix::{self, Feature};
use starling_lab::speaker::{GracefulRestart, Network, NotOffered, Router, Software};
use starling_lab::{Cluster, Result, Signal, wait_for};

use crate::beside::{Beside, NODE, Peer, name, networks, number, toml};
use crate::sessions::used;
use crate::support::{SOON, established, neighbour};

/// Long enough for a restart on a busy machine.
const RESTART: GracefulRestart =
    GracefulRestart { restart: 180, long_lived: None, notification: false };

/// A network that is announced before the restart and not after it.
fn forgotten(software: Software) -> String {
    format!("198.51.{}.128/25", number(software))
}

fn with_networks(software: Software, router: &mut Router) -> Result<String> {
    router.networks =
        vec![Network::new(&networks(software)[0])?, Network::new(&forgotten(software))?];
    router.neighbors[0].graceful_restart = Some(RESTART);
    Ok(toml(software, ""))
}

/// Both networks are in use, or only the first.
fn uses(cluster: &mut Cluster, software: Software, both: bool) -> Result {
    used(cluster, &networks(software)[0])?;
    let second = used(cluster, &forgotten(software));
    ensure!(second.is_ok() == both, "{}: {second:?}", forgotten(software));
    Ok(())
}

/// The peer crashes; its routes stay in use; it comes back with one of them.
fn crash_and_return(cluster: &mut Cluster, peer: Peer) -> Result {
    let Peer { software, speaker, netns, mut router } = peer;
    wait_for("its routes", SOON, || uses(cluster, software, true))?;
    speaker.into_proc().crash();
    wait_for("the end of the session", SOON, || {
        let line = neighbour(cluster.node(1)?, &name(software))?;
        ensure!(line.state != SessionState::Established, "{line:?}");
        Ok(())
    })?;
    uses(cluster, software, true)?;
    router.networks.truncate(1);
    router.restarting = true;
    let dir = cluster.lab().subdir(&name(software))?;
    let speaker = software.start(&netns, &dir, &router)?;
    established(cluster.node(1)?, &name(software))?;
    // The first network is never out of use; the second one goes with End-of-RIB.
    wait_for("what it did not say again to go", SOON, || {
        used(cluster, &networks(software)[0])?;
        uses(cluster, software, false)
    })?;
    drop(speaker);
    Ok(())
}

#[test]
fn routes_of_a_neighbour_that_restarts_are_kept_and_then_compared() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", with_networks)?;
    for peer in std::mem::take(&mut beside.peers) {
        let software = peer.software;
        let outcome = match software {
            // "Currently only the End-of-RIB marker is supported."
            Software::OpenBgpd => Err(NotOffered { software, what: "restart of its own" }.into()),
            _ => crash_and_return(&mut beside.cluster, peer),
        };
        matrix::tried(Feature::RestartHelper, software, outcome)?;
    }
    Ok(())
}

#[test]
fn neighbours_keep_our_routes_while_we_restart() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", with_networks)?;
    let has = |peer: &Peer| peer.hears(NODE.into(), "10.244.1.0/26", |_| Ok(())).map(drop);
    for peer in &beside.peers {
        has(peer)?;
    }
    beside.cluster.node(1)?.take_daemon()?.into_proc().crash();
    let keeps: Vec<&Peer> =
        beside.peers.iter().filter(|peer| peer.software != Software::ExaBgp).collect();
    let still_there = |peer: &Peer| -> Result {
        let heard = peer.speaker.heard(NODE.into())?;
        let there = heard.iter().any(|heard| heard.prefix.to_string() == "10.244.1.0/26");
        ensure!(there, "{} has lost our route: {heard:#?}", peer.software);
        Ok(())
    };
    for peer in &keeps {
        wait_for("the end of the session", SOON, || {
            let session = peer.speaker.session(NODE.into())?;
            ensure!(!session.established, "{session:?}");
            Ok(())
        })?;
        still_there(peer)?;
    }
    beside.cluster.start(1)?;
    for peer in &keeps {
        wait_for("the session", SOON, || {
            still_there(peer)?;
            let session = peer.speaker.session(NODE.into())?;
            ensure!(session.established, "{session:?}");
            Ok(())
        })?;
    }
    beside.sessions()?;
    beside.each(Feature::Restarting, |cluster, peer| {
        if peer.software == Software::ExaBgp {
            return Err(NotOffered { software: peer.software, what: "table to keep" }.into());
        }
        still_there(peer)?;
        wait_for("its routes", SOON, || uses(cluster, peer.software, true))
    })
}

/// Freezes the peer until the hold time ends the session with a NOTIFICATION, and wakes it again.
fn freeze(
    cluster: &mut Cluster,
    peer: &mut Peer,
    meanwhile: impl Fn(&mut Cluster) -> Result,
) -> Result {
    peer.speaker.proc().signal(Signal::STOP)?;
    let outcome = wait_for("the end of the session", SOON, || {
        let line = neighbour(cluster.node(1)?, &peer.name())?;
        ensure!(line.state != SessionState::Established, "{line:?}");
        Ok(())
    });
    let outcome = outcome.and_then(|()| meanwhile(cluster));
    peer.speaker.proc().signal(Signal::CONT)?;
    outcome?;
    established(cluster.node(1)?, &peer.name()).map(drop)
}

#[test]
fn routes_outlive_a_notification_where_both_say_so() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        let toml = with_networks(software, router)?;
        router.hold = 3;
        router.neighbors[0].graceful_restart =
            Some(GracefulRestart { notification: true, ..RESTART });
        Ok(toml)
    })?;
    beside.each(Feature::NotificationRestart, |cluster, peer| {
        let software = peer.software;
        wait_for("its routes", SOON, || uses(cluster, software, true))?;
        freeze(cluster, peer, |cluster| uses(cluster, software, true))?;
        wait_for("its routes", SOON, || uses(cluster, software, true))
    })
}

#[test]
fn routes_of_a_neighbour_that_stays_away_are_kept_as_a_last_resort() -> Result {
    let long_lived = GracefulRestart { restart: 2, long_lived: Some(600), notification: false };
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        with_networks(software, router)?;
        router.neighbors[0].graceful_restart = Some(long_lived);
        Ok(toml(software, "long-lived = \"10m\""))
    })?;
    for lacking in &beside.lacking {
        matrix::not_offered(Feature::LongLivedRestart, lacking.software)?;
    }
    for peer in std::mem::take(&mut beside.peers) {
        let Peer { software, speaker, netns, mut router } = peer;
        let cluster = &mut beside.cluster;
        let outcome = (|| -> Result {
            wait_for("its routes", SOON, || uses(cluster, software, true))?;
            speaker.into_proc().crash();
            wait_for("the mark of what is stale", SOON, || {
                let path = used(cluster, &networks(software)[0])?;
                ensure!(path.communities.iter().any(|c| c == "llgr-stale"), "{path:#?}");
                Ok(())
            })?;
            router.restarting = true;
            let dir = cluster.lab().subdir(&name(software))?;
            let _speaker = software.start(&netns, &dir, &router)?;
            established(cluster.node(1)?, &name(software))?;
            wait_for("the route without the mark", SOON, || {
                let path = used(cluster, &networks(software)[0])?;
                ensure!(path.communities.is_empty(), "{path:#?}");
                Ok(())
            })
        })();
        matrix::tried(Feature::LongLivedRestart, software, outcome)?;
    }
    Ok(())
}
