//! What an operator does to a neighbour with `bgpctl neighbor NAME …`, over the daemon's own socket
//! and with each of the five at the other end: down with words and up again (RFC 9003), drained
//! and not any more (RFC 8326), asked for its routes again (RFC 2918).

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use starling::api::{Neighbor, SessionState};
use starling_lab::matrix::{self, Feature};
use starling_lab::speaker::{Heard, Network, NotOffered, Software};
use starling_lab::{Cluster, Result, wait_for, wait_until};

use crate::beside::{ASN, Beside, NODE, Peer, asn, networks, toml};
use crate::sessions::used;
use crate::support::{SOON, established};

/// The node's block, as neighbours are told of it.
const BLOCK: &str = "10.244.1.0/26";
const GRACEFUL_SHUTDOWN: &str = "65535:0";

/// `bgpctl neighbor NAME …`: what it answers.
fn steer(cluster: &mut Cluster, peer: &Peer, to: &[&str]) -> Result<Neighbor> {
    let name = peer.name();
    let all = [&["neighbor", &name], to].concat();
    cluster.node(1)?.daemon()?.read(&all)
}

fn neighbor(cluster: &mut Cluster, peer: &Peer) -> Result<Neighbor> {
    cluster.node(1)?.daemon()?.read(&["show", "neighbors", &peer.name()])
}

/// Each with a network of its own.
fn announcing() -> Result<Beside> {
    Beside::establish(&Software::ALL, "", |software, router| {
        router.networks.push(Network::new(&networks(software)[0])?);
        Ok(toml(software, ""))
    })
}

/// It has no session for some time, though it calls every second.
fn stays_down(cluster: &mut Cluster, peer: &Peer) -> Result {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        let now = neighbor(cluster, peer)?;
        ensure!(now.held && now.summary.state == SessionState::Idle, "{now:#?}");
        ensure!(!peer.speaker.session(NODE.into())?.established, "the peer's session is up");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn down_with_words_that_the_neighbour_shows_and_up_again() -> Result {
    let mut beside = announcing()?;
    beside.each(Feature::OurShutdownText, |cluster, peer| {
        let prefix = &networks(peer.software)[0];
        wait_for("its route", SOON, || used(cluster, prefix))?;
        let words = format!("{} rests until noon", peer.software);
        let answer = steer(cluster, peer, &["down", "--reason", &words])?;
        ensure!(answer.held, "{answer:#?}");
        wait_for("the end of its session", SOON, || {
            let session = peer.speaker.session(NODE.into())?;
            ensure!(!session.established, "{session:?}");
            Ok(())
        })?;
        let shown = match peer.speaker.farewell(NODE.into()) {
            Err(error) if error.is::<NotOffered>() => Err(error),
            _ => wait_for("our words", SOON, || {
                let shown = peer.speaker.farewell(NODE.into())?;
                // With its next call, which is refused, some forget them, but for their log.
                let log = peer.speaker.log();
                ensure!(shown.contains(&words) || log.contains(&words), "{shown}\n{log}");
                Ok(())
            }),
        };
        wait_for("the end of its route", SOON, || {
            ensure!(used(cluster, prefix).is_err(), "its route is still in use");
            Ok(())
        })?;
        stays_down(cluster, peer)?;
        let told = neighbor(cluster, peer)?;
        let reason = told.summary.reason.clone().context("no reason")?;
        ensure!(reason.contains("held down"), "{told:#?}");
        let last = told.last_down.clone().context("no end")?;
        ensure!(last.text.contains(&words), "{told:#?}");

        let answer = steer(cluster, peer, &["up"])?;
        ensure!(!answer.held, "{answer:#?}");
        established(cluster.node(1)?, &peer.name())?;
        wait_for("its route", SOON, || used(cluster, prefix))?;
        peer.hears(NODE.into(), BLOCK, |_| Ok(()))?;
        shown
    })
}

/// Drained: it avoids us, we avoid it. Then not any more.
fn drained_and_back(cluster: &mut Cluster, peer: &Peer, internal: bool) -> Result {
    let prefix = &networks(peer.software)[0];
    let as_usual = |cluster: &mut Cluster| -> Result {
        wait_for("its route", SOON, || {
            let path = used(cluster, prefix)?;
            ensure!(path.local_pref != Some(0), "{path:#?}");
            Ok(())
        })?;
        peer.hears(NODE.into(), BLOCK, |heard| {
            ensure!(!heard.communities.contains(GRACEFUL_SHUTDOWN), "marked");
            ensure!(!internal || heard.local_pref == Some(100), "LOCAL_PREF");
            Ok(())
        })?;
        Ok(())
    };
    as_usual(cluster)?;
    let before = neighbor(cluster, peer)?;
    let answer = steer(cluster, peer, &["drain"])?;
    ensure!(answer.draining && answer.agreed.is_some(), "{answer:#?}");
    peer.hears(NODE.into(), BLOCK, |heard| {
        ensure!(heard.communities.contains(GRACEFUL_SHUTDOWN), "not marked");
        ensure!(!internal || heard.local_pref == Some(0), "LOCAL_PREF");
        Ok(())
    })?;
    wait_for("its route to come last", SOON, || {
        let path = used(cluster, prefix)?;
        ensure!(path.local_pref == Some(0), "{path:#?}");
        Ok(())
    })?;
    let answer = steer(cluster, peer, &["drain", "--off"])?;
    ensure!(!answer.draining, "{answer:#?}");
    as_usual(cluster)?;
    let told = neighbor(cluster, peer)?;
    ensure!(told.flaps == before.flaps && told.agreed.is_some(), "lost: {told:#?}");
    Ok(())
}

#[test]
fn drained_and_back_over_ebgp() -> Result {
    let mut beside = announcing()?;
    beside.each(Feature::GracefulShutdown, |cluster, peer| drained_and_back(cluster, peer, false))
}

#[test]
fn drained_and_back_over_ibgp_with_local_pref() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        router.asn = ASN;
        router.networks.push(Network::new(&networks(software)[0])?);
        Ok(toml(software, "").replace(&asn(software).to_string(), &ASN.to_string()))
    })?;
    beside.each(Feature::GracefulShutdown, |cluster, peer| drained_and_back(cluster, peer, true))
}

/// What of a neighbour is counted in `/metrics`.
fn metric(cluster: &mut Cluster, peer: &Peer, name: &str) -> Result<u64> {
    let text = cluster.node(1)?.daemon()?.bgpctl(&["show", "metrics"])?;
    let begins = format!("starling_{name}{{peer=\"{}\",", peer.name());
    let line = text.lines().find(|line| line.starts_with(&begins)).context(begins)?;
    Ok(line.rsplit(' ').next().context(line.to_owned())?.parse()?)
}

#[test]
fn what_neighbours_are_told_is_counted_announced_and_withdrawn() -> Result {
    let added = ["10.244.200.0/24", "10.244.201.0/24"];
    let mut beside =
        Beside::establish(&[Software::Bird, Software::Frr], "", |software, router| {
            router.networks.push(Network::new(&networks(software)[0])?);
            Ok(toml(software, ""))
        })?;
    let Beside { peers, cluster, .. } = &mut beside;
    let mut before = Vec::new();
    for peer in peers.iter() {
        peer.hears(NODE.into(), BLOCK, |_| Ok(()))?;
        wait_for("its route", SOON, || used(cluster, &networks(peer.software)[0]))?;
        let now = neighbor(cluster, peer)?;
        ensure!(now.updates_received.announced >= 1 && now.updates_sent.announced >= 1, "{now:#?}");
        ensure!(now.updates_sent.withdrawn == 0, "{now:#?}");
        before.push(now);
    }
    cluster.node(1)?.daemon()?.bgpctl(&[&["network", "add"], &added[..]].concat())?;
    for prefix in added {
        peers
            .iter()
            .try_for_each(|peer| peer.hears(NODE.into(), prefix, |_| Ok(())).map(|_| ()))?;
    }
    cluster.node(1)?.daemon()?.bgpctl(&[&["network", "delete"], &added[..]].concat())?;
    for (peer, before) in peers.iter().zip(before) {
        wait_for("the withdrawals", SOON, || {
            let heard = peer.speaker.heard(NODE.into())?;
            let gone = |heard: &Heard| !added.contains(&heard.prefix.to_string().as_str());
            ensure!(heard.iter().all(gone), "{heard:#?}");
            Ok(())
        })?;
        let now = neighbor(cluster, peer)?;
        let (was, is) = (before.updates_sent, now.updates_sent);
        ensure!((is.announced, is.withdrawn) == (was.announced + 2, 2), "{was:?}, {is:?}");
        let shown = cluster.node(1)?.daemon()?.bgpctl(&["show", "neighbors", &peer.name()])?;
        let words = format!("{} announced and 2 withdrawn by us", is.announced);
        ensure!(shown.contains(&words), "{shown}");
        ensure!(metric(cluster, peer, "peer_announcements_sent_total")? == is.announced);
        ensure!(metric(cluster, peer, "peer_withdrawals_sent_total")? == 2);
    }
    Ok(())
}

/// Whether the network's path may have our own AS in it: OpenBGPD announces nobody's paths but
/// its own.
fn loops(software: Software) -> bool {
    software != Software::OpenBgpd
}

#[test]
fn routes_are_asked_for_again_where_their_judgement_changes_and_on_command() -> Result {
    let mut beside = Beside::establish(&Software::ALL, "", |software, router| {
        let mut network = Network::new(&networks(software)[0])?;
        if loops(software) {
            network.as_path = vec![ASN];
        }
        router.networks = vec![network, Network::new(&networks(software)[1])?];
        Ok(toml(software, ""))
    })?;
    for peer in &beside.peers {
        let cluster = &mut beside.cluster;
        wait_for("its other route", SOON, || used(cluster, &networks(peer.software)[1]))?;
        wait_for("its route without a loop", SOON, || {
            let looped = used(cluster, &networks(peer.software)[0]);
            ensure!(looped.is_err() == loops(peer.software), "{}: {looped:#?}", peer.software);
            Ok(())
        })?;
    }
    let file = beside.cluster.config().to_owned();
    let before: Vec<Neighbor> = beside
        .peers
        .iter()
        .map(|peer| neighbor(&mut beside.cluster, peer))
        .collect::<Result<_>>()?;
    // A loop is no loop any more: what was thrown away must come again.
    let text = std::fs::read_to_string(&file)?;
    beside.cluster.configure(&text.replace("asn = 64512\n", "asn = 64512\nallow-own-as = 1\n"))?;
    beside.cluster.node(1)?.daemon()?.bgpctl(&["reload"])?;
    let outcomes: Vec<Result> = beside
        .peers
        .iter()
        .zip(&before)
        .map(|(peer, before)| {
            let cluster = &mut beside.cluster;
            answers(cluster, peer, before)?;
            wait_for("the route with our AS", SOON, || used(cluster, &networks(peer.software)[0]))?;
            let before = neighbor(cluster, peer)?;
            steer(cluster, peer, &["refresh"])?;
            answers(cluster, peer, &before)
        })
        .collect();
    for (peer, outcome) in beside.peers.iter().zip(outcomes) {
        matrix::tried(Feature::RefreshAsked, peer.software, outcome)?;
    }
    // Who is not there cannot be asked.
    let peer = beside.peers.first().context("nobody")?;
    steer(&mut beside.cluster, peer, &["down"])?;
    let name = peer.name();
    let refused = beside.cluster.node(1)?.daemon()?.try_bgpctl(&["neighbor", &name, "refresh"])?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    ensure!(refused.stderr.contains("no session"), "{refused:?}");
    Ok(())
}

/// The neighbour was asked for both families, and has sent its routes; its session stands.
fn answers(cluster: &mut Cluster, peer: &Peer, before: &Neighbor) -> Result {
    let lacks = |what| Err(NotOffered { software: peer.software, what }.into());
    match peer.software {
        // 7.7 refuses every request, with these words (its issue 46).
        Software::OpenBgpd => {
            let refuses = || peer.speaker.log().contains("AID IPv4 unicast not negotiated");
            wait_until("its refusal", SOON, refuses)?;
            return lacks("answer to a request for its routes");
        }
        // 4.2.21 trips over its own mark of the beginning (RFC 7313) and starts anew.
        Software::ExaBgp => {
            wait_for("the end of its session", SOON, || {
                let now = neighbor(cluster, peer)?;
                ensure!(now.flaps > before.flaps, "{now:#?}");
                Ok(())
            })?;
            return lacks("answer to a request for its routes");
        }
        _ => {}
    }
    wait_for("its answer", SOON, || {
        let now = neighbor(cluster, peer)?;
        ensure!(now.flaps == before.flaps && now.agreed.is_some(), "lost: {now:#?}");
        let asked = now.messages_sent.refreshes - before.messages_sent.refreshes;
        ensure!(asked >= 2, "{now:#?}");
        let answered = now.messages_received.updates - before.messages_received.updates;
        ensure!(answered >= 2, "{now:#?}");
        Ok(())
    })
}
