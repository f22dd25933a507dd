//! A peer that reads nothing any more though its connection stands: each of the five, frozen while
//! more is to be said than its socket takes. The send hold timer (RFC 9687) gives it up; the hold
//! timer does not help, for none was agreed.

use std::time::Duration;

use anyhow::{Context, ensure};
use starling::api::{Neighbor, SessionState};
use starling_lab::matrix::{self, Feature};
use starling_lab::speaker::Software;
use starling_lab::{Result, must, wait_for};

use crate::beside::{Beside, toml};
use crate::crossing::source;
use crate::speaker::{OPTIONAL, Speaker, TRANSITIVE, attribute, mandatory};
use crate::support::{SOON, established};

/// Where routes come from.
const R1_PEER: &str = "[[peer]]\nname = \"r1\"\naddress = \"10.50.0.201\"\nasn = 65201\n\
    nodes = [\"n1\"]\npassive = true\nimport = [\"20.0.0.0/8\"]\n";

/// So many routes of a kilobyte each: more than the sockets of both ends hold.
const ROUTES: u16 = 6000;

fn say_much(r1: &mut Speaker) -> Result {
    for number in 0..ROUTES {
        let mut attributes = mandatory(&[65201], [10, 50, 0, 201].into());
        let [high, low] = number.to_be_bytes();
        // Unknown ones are carried on; no two routes have the same.
        let unknown = |code| attribute(OPTIONAL | TRANSITIVE, code, [high, low].repeat(120));
        attributes.extend((200..204).map(unknown));
        r1.announce_encoded(&attributes, [24, 20, high, low])?;
    }
    Ok(())
}

/// A process and those that it started: OpenBGPD's sockets are a child's.
fn family(pid: u32) -> Result<Vec<String>> {
    let mut all = vec![pid.to_string()];
    let mut next = 0;
    while let Some(pid) = all.get(next) {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        all.extend(children.split_whitespace().map(str::to_owned));
        next += 1;
    }
    Ok(all)
}

fn signal(name: &str, pids: &[String]) -> Result {
    let mut all = vec!["kill".to_owned(), format!("-{name}")];
    all.extend_from_slice(pids);
    must(&all).map(drop)
}

#[test]
fn a_peer_that_takes_nothing_is_given_up_and_comes_back() -> Result {
    let settings = "export = \"all\"\nhold = \"0s\"\nsend-hold = \"3s\"";
    let mut beside =
        Beside::establish(&Software::ALL, R1_PEER, |software, _| Ok(toml(software, settings)))?;
    let (mut r1, _netns) = source(&mut beside.cluster)?;
    let frozen: Vec<Vec<String>> =
        beside.peers.iter_mut().map(|p| family(p.speaker.proc().pid())).collect::<Result<_>>()?;
    for pids in &frozen {
        signal("STOP", pids)?;
    }
    let said = say_much(&mut r1);
    let outcomes: Vec<Result> = beside
        .peers
        .iter()
        .map(|peer| {
            let cluster = &mut beside.cluster;
            wait_for("the end of the session", SOON, || {
                let told: Neighbor =
                    cluster.node(1)?.daemon()?.read(&["show", "neighbors", &peer.name()])?;
                ensure!(told.summary.state != SessionState::Established, "{told:#?}");
                let last = told.last_lost.clone().context("no end")?;
                ensure!(last.text.contains("send hold timer"), "{told:#?}");
                Ok(())
            })
        })
        .collect();
    // Whoever lives on unfrozen is not to be mistaken for one that is dead.
    for pids in &frozen {
        signal("CONT", pids)?;
    }
    said?;
    for (peer, outcome) in beside.peers.iter().zip(outcomes) {
        let outcome =
            outcome.and_then(|()| established(beside.cluster.node(1)?, &peer.name()).map(drop));
        matrix::tried(Feature::SendHoldTimer, peer.software, outcome)?;
    }
    // Who takes what is said keeps its session, however long.
    std::thread::sleep(Duration::from_secs(4));
    established(beside.cluster.node(1)?, "r1").map(drop)
}
