//! What is done to `tunl0` by hand is put right, and who bears its name without being it is let
//! alone; what that costs is counted.

use super::super::topology::{Topology, holds};
use super::{PATIENCE, daemon, is_well};
use crate::{End, Result, Stage, Traffic, wait_for};
use anyhow::ensure;
use std::time::Duration;

const PACE: Duration = Duration::from_millis(1);
/// After all is well again: nothing of so many beats may be lost any more.
const TAIL: usize = 100;

/// Something done by hand on one of the hosts.
struct Deed {
    host: usize,
    /// In the words of `ip`; tried again where the daemon was quicker than the second line.
    lines: &'static [&'static str],
    /// What the daemon says that it found: the last state of several that it heard of, or an
    /// earlier one.
    found: &'static [&'static str],
    /// So many packets may be lost; `None`: what carries them was gone.
    price: Option<usize>,
}

const DEEDS: [Deed; 6] = [
    Deed { host: 0, lines: &["link set tunl0 mtu 1300"], found: &["mtu 1300"], price: Some(0) },
    // The kernel flushes the routes out of an interface that goes down or loses its last address.
    Deed { host: 0, lines: &["link set tunl0 down"], found: &["down"], price: None },
    Deed {
        host: 0,
        lines: &["address del 10.244.1.0/32 dev tunl0"],
        found: &["without 10.244.1.0"],
        price: None,
    },
    // Linux 6.1 renames only what is down.
    Deed {
        host: 0,
        lines: &["link set tunl0 down", "link set tunl0 name other0"],
        found: &["gone", "down"],
        price: None,
    },
    Deed {
        host: 1,
        lines: &["link set tunl0 type ipip ttl 64 pmtudisc"],
        found: &["pmtudisc"],
        // The kernel takes a tunnel out of its table to change it: by hand and by us, both ways.
        price: Some(4),
    },
    Deed { host: 1, lines: &["link del tunl0"], found: &["gone", "down"], price: None },
];

/// Plays it; afterwards the network is as before.
pub(super) fn play(net: &Topology, stage: &mut Stage) -> Result {
    stage.step("changing tunl0 by hand while the pods talk, a packet a millisecond each way");
    let ends = net.nodes.iter().map(|node| End {
        name: node.host.host(),
        netns: &node.pod.netns,
        address: node.pod.address.into(),
    });
    let traffic = Traffic::start(&ends.collect::<Vec<_>>(), &[(0, 1), (1, 0)], PACE)?;
    for deed in &DEEDS {
        let node = net.node(deed.host)?;
        let name = node.host.host();
        let (from, before) = (traffic.beat(), daemon(node)?.log().len());
        let lines = words(deed.lines);
        wait_for("the deed", PATIENCE, || node.host.ip_lines(&lines))?;
        let done = format!("{name}: `ip {}`", deed.lines.join("`, `ip "));
        let healed = wait_for("it to be put right", PATIENCE, || {
            let log = daemon(node)?.log();
            let new = log.get(before..).unwrap_or_default();
            let said = |found: &&&str| new.contains(&format!("put right: {found}"));
            ensure!(deed.found.iter().any(|found| said(&found)), "the log says:\n{new}");
            is_well(net, deed.host, 1480)
        });
        let counted = healed.and_then(|()| count(&traffic, from));
        match counted {
            Ok((lost, figures)) => {
                let dear = deed.price.is_some_and(|price| lost > price);
                let clean = if dear { Err(anyhow::anyhow!("{figures}")) } else { Ok(()) };
                if stage.check(&format!("{done}: put right, {figures}"), clean).is_none() {
                    net.explain(stage, node);
                }
            }
            Err(error) => {
                stage.check(&format!("{done}: put right"), Err::<(), _>(error));
                net.explain(stage, node);
            }
        }
    }
    stage.step("another device in the place of host2's tunl0");
    let far_end = "link add tunl0 type ipip remote 192.0.2.1";
    foreign(net, stage, &traffic, far_end, "remote 192.0.2.1", "it leads to 192.0.2.1 only")?;
    let bridge = "link add tunl0 type bridge";
    foreign(net, stage, &traffic, bridge, "bridge", "tunl0 exists but is a bridge device, not ipip")
}

fn words(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

/// How many packets were lost since beat `from`, and in words; none is lost any more.
fn count(traffic: &Traffic, from: usize) -> Result<(usize, String)> {
    let until = wait_for("no more losses", PATIENCE, || {
        let well = traffic.beat();
        traffic.beats(well, TAIL)?;
        let until = traffic.calm(well);
        let late = traffic.losers(well, until, |_, _| true);
        ensure!(late.is_empty(), "{}", late.join(", "));
        Ok(until)
    })?;
    let all = traffic.lost(from, until, |_, _| true);
    let figures = match all.lost {
        0 => format!("none of {} packets lost", all.sent),
        lost => format!("{lost} of {} packets lost in {} ms", all.sent, all.gap.as_millis()),
    };
    Ok((all.lost, figures))
}

/// A device in the place of host2's own, made by `line`: it is let alone for `reason` and goes on
/// looking as `look`; when it goes, ours is back.
fn foreign(
    net: &Topology,
    stage: &mut Stage,
    traffic: &Traffic,
    line: &str,
    look: &str,
    reason: &str,
) -> Result {
    let node = net.node(1)?;
    let lines = words(&["link del tunl0", line]);
    // Sooner than ours is there again.
    wait_for("the other device", PATIENCE, || node.host.ip_lines(&lines))?;
    let told = wait_for("the daemon's words", PATIENCE, || {
        let log = daemon(node)?.log();
        ensure!(log.contains(reason), "{reason:?} is not in the log");
        let summary = daemon(node)?.bgpctl(&["show", "summary"])?;
        ensure!(summary.contains("not ready") && summary.contains(reason), "{summary}");
        holds(node, &["unreachable 10.244.1.0/26 proto bird", "blackhole 10.244.2.0/26 proto bird"])
    });
    let what = format!("`ip {line}`: let alone, the log and `show summary` say why");
    if stage.check(&what, told).is_none() {
        net.explain(stage, node);
    }
    let kept = node.host.ip_line("-d link show tunl0").and_then(|shown| {
        ensure!(shown.contains(look) && !shown.contains(",UP"), "{shown}");
        Ok(())
    });
    stage.check("and it is untouched", kept);
    let from = traffic.beat();
    node.host.ip_line("link del tunl0")?;
    let back = wait_for("ours", PATIENCE, || is_well(net, 1, 1480));
    let counted = back.and_then(|()| count(traffic, from));
    let figures = counted.as_ref().map(|(_, figures)| format!(", {figures}")).unwrap_or_default();
    stage.check(&format!("it goes, and ours is there{figures}"), counted);
    Ok(())
}
