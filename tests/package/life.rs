//! Installed, configured, started, upgraded under traffic, hung, removed, purged.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use starling::api::Summary;
use starling_lab::{Cluster, End, Family, Result, Traffic, must, routes, wait_for};

use crate::machine::Machine;
use crate::rights;
use crate::{SOON, binaries, package};

const PACE: Duration = Duration::from_millis(2);
const HELD: [&str; 3] = [
    "blackhole 10.244.1.0/26 proto bird",
    "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird",
    "10.244.3.0/26 via 10.50.0.3 dev net0 proto bird",
];

/// The same package with another version, and another file to begin with.
fn successor(deb: &Path) -> Result<()> {
    let folder = deb.with_file_name("successor");
    let (deb, path) = (deb.display().to_string(), folder.display().to_string());
    must(&["dpkg-deb", "-R", &deb, &path])?;
    let edit = |name: &str, from: &str, to: &str| -> Result {
        let text = std::fs::read_to_string(folder.join(name))?;
        ensure!(text.contains(from), "{name} has no {from}");
        Ok(std::fs::write(folder.join(name), text.replace(from, to))?)
    };
    edit("DEBIAN/control", "Version: 0", "Version: 9")?;
    edit("etc/starling/cluster.toml", "# The cluster", "# Your cluster")?;
    let new = folder.with_file_name("new.deb").display().to_string();
    must(&["dpkg-deb", "-Znone", "--root-owner-group", "-b", &path, &new]).map(drop)
}

fn install(machine: &Machine, deb: &str) -> Result<String> {
    let deb = format!("/lab/{deb}");
    machine.must(&["dpkg", "--force-confdef", "--force-confold", "--install", &deb])
}

#[test]
fn a_package_lives_through_it_all_and_no_packet_is_lost() -> Result {
    let mut cluster = Cluster::new(binaries(), &[0, 0, 0])?;
    for other in [2, 3] {
        cluster.start(other)?;
    }
    let folder = cluster.lab().subdir("machine")?;
    let machine = Machine::boot(cluster.nodes()[0].netns(), &folder)?;
    let deb = package(&folder, "none")?;
    std::fs::rename(&deb, folder.join("old.deb"))?;
    successor(&folder.join("old.deb"))?;

    installed(&machine)?;
    configured(&machine, &cluster)?;
    rights::of_the_service(&machine, &cluster)?;
    upgraded(&machine, &cluster)?;
    hung(&machine, &cluster)?;
    removed(&machine, &cluster)
}

/// There, and not running before anybody has said what the cluster is.
fn installed(machine: &Machine) -> Result {
    // OpenBGPD has a bgpctl of its own, which would be found first.
    let refused = machine.run(&["dpkg", "--install", "/lab/old.deb"])?;
    ensure!(!refused.status.success() && refused.stderr.contains("openbgpd"), "{refused:?}");
    machine.must(&["dpkg", "--purge", "openbgpd"])?;
    install(machine, "old.deb")?;
    assert_eq!(machine.service("ActiveState")?, "inactive");
    assert_eq!(machine.service("UnitFileState")?, "disabled");
    let access = |path| machine.must(&["stat", "-c", "%A %U %G", path]);
    assert_eq!(access("/etc/starling/cluster.toml")?, "-rw-r----- root starling\n");
    let example = machine.run(&["starlingd", "check", "/etc/starling/cluster.toml"])?;
    ensure!(example.stderr.contains("there is no [[node]]"), "{example:?}");
    assert_eq!(example.stderr.matches(" error: ").count(), 1, "{example:?}");
    Ok(())
}

/// Filled in, started and reloaded as dist/README.md says; what a reload refuses, systemctl says.
fn configured(machine: &Machine, cluster: &Cluster) -> Result {
    let text = cluster.toml("never", "[control]\nreaders = \"starling-read\"\n");
    std::fs::write(machine.folder().join("cluster.toml"), text)?;
    let fill_in = || {
        machine.must(&["sh", "-c", "cat /lab/cluster.toml >/etc/starling/cluster.toml"]).map(drop)
    };
    fill_in()?;
    // So short that a daemon which does not say that it lives would not live until the end, and
    // long enough for one that a busy machine keeps waiting.
    let dropin = "mkdir -p /etc/systemd/system/starlingd.service.d && printf \
                  '[Service]\\nWatchdogSec=6s\\nTimeoutAbortSec=1s\\n' \
                  >/etc/systemd/system/starlingd.service.d/soon.conf && systemctl daemon-reload";
    machine.must(&["sh", "-c", dropin])?;
    machine.must(&["systemctl", "enable", "--now", "starlingd"])?;
    assert_eq!(machine.service("ActiveState")?, "active", "systemctl waits until it is ready");
    cluster.nodes()[0].holds(Family::V4, &HELD, SOON)?;
    cluster.ping_all(Family::V4)?;

    machine.must(&["systemctl", "reload", "starlingd"])?;
    machine.must(&["sh", "-c", "echo nonsense >>/etc/starling/cluster.toml"])?;
    let refused = machine.run(&["systemctl", "reload", "starlingd"])?;
    ensure!(!refused.status.success(), "{refused:?}");
    assert_eq!(machine.service("ActiveState")?, "active");
    fill_in()?;
    machine.must(&["systemctl", "reload", "starlingd"]).map(drop)
}

/// The next version comes while pods of all nodes talk; the file stays as it was edited.
fn upgraded(machine: &Machine, cluster: &Cluster) -> Result {
    let nodes = cluster.nodes();
    machine.converged(nodes[2].pod(Family::V4))?;
    let ends: Vec<End> = nodes
        .iter()
        .map(|node| End { name: node.name(), netns: node.netns(), address: node.pod(Family::V4) })
        .collect();
    let pairs = [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)];
    let traffic = Traffic::start(&ends, &pairs, PACE)?;
    let (before, from) = (machine.service("MainPID")?, traffic.beat());
    let said = install(machine, "new.deb")?;
    ensure!(said.contains("over (0.1.0)"), "{said}");
    let after = machine.service("MainPID")?;
    ensure!(after != before && after != "0", "the new program does not run: {before}, {after}");
    machine.converged(nodes[2].pod(Family::V4))?;
    // Once its start is over, what nobody announced again would be removed.
    wait_for("the end of its start", SOON, || {
        let now: Summary = machine.read(&["show", "summary"])?;
        ensure!(now.ready.reasons.iter().all(|reason| reason.code != "starting"), "{now:#?}");
        Ok(())
    })?;
    traffic.beats(traffic.beat(), 200)?;
    let until = traffic.calm(from);
    let lost = traffic.lost(from, until, |_, _| true);
    ensure!(lost.sent > 1000, "{lost:?}");
    assert_eq!(lost.lost, 0, "{:?}", traffic.losers(from, until, |_, _| true));

    let edited = machine.must(&["grep", "-c", "^name = \"n", "/etc/starling/cluster.toml"])?;
    assert_eq!(edited.trim(), "3");
    let offered = machine.must(&["head", "-1", "/etc/starling/cluster.toml.dpkg-dist"])?;
    ensure!(offered.starts_with("# Your cluster"), "{offered}");
    assert_eq!(machine.service("NRestarts")?, "0", "the watchdog heard of it all the time");
    Ok(())
}

/// A daemon that does not answer any more is ended and started, and its routes stay.
fn hung(machine: &Machine, cluster: &Cluster) -> Result {
    let pid = machine.service("MainPID")?;
    machine.must(&["kill", "-STOP", &pid])?;
    wait_for("the watchdog", SOON, || {
        let now = machine.service("MainPID")?;
        ensure!(now != pid && now != "0", "still {pid}");
        let held = routes(cluster.nodes()[0].netns(), Family::V4, "proto bird")?;
        assert_eq!(held.len(), HELD.len(), "{held:?}");
        ensure!(machine.service("ActiveState")? == "active");
        Ok(())
    })?;
    assert_eq!(machine.service("NRestarts")?, "1");
    machine.converged(cluster.nodes()[2].pod(Family::V4))
}

/// Gone but for what was edited; then that as well. What it wrote to the kernel stays.
fn removed(machine: &Machine, cluster: &Cluster) -> Result {
    machine.must(&["dpkg", "--remove", "starling"])?;
    let there =
        |path| Ok::<bool, anyhow::Error>(machine.run(&["test", "-e", path])?.status.success());
    ensure!(!there("/usr/sbin/starlingd")? && !there("/run/starling")?, "it is still there");
    ensure!(there("/etc/starling/cluster.toml")?, "the file is gone");
    let running = machine.run(&["pidof", "starlingd"])?;
    ensure!(!running.status.success(), "it still runs: {running:?}");
    cluster.nodes()[0]
        .holds(Family::V4, &HELD, SOON)
        .context("the routes that pods are reached by")?;
    ensure!(there("/var/lib/starling/generations/1.json")?, "no past is kept");
    machine.must(&["dpkg", "--purge", "starling"])?;
    ensure!(!there("/etc/starling/cluster.toml")?, "the file is still there");
    ensure!(!there("/var/lib/starling")?, "the past is still there");
    let left = machine.must(&["find", "/etc/systemd/system", "-name", "starlingd.service"])?;
    assert_eq!(left, "");
    Ok(())
}
