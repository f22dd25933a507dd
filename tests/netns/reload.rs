//! The four ways to a reload, and the file that is refused.

use std::os::unix::fs::symlink;

use anyhow::{bail, ensure};
use starling::api::{Generation, Summary};
use starling_lab::{Cluster, Family, Node, Result, Signal, Starling, wait_for};

use crate::support::{SOON, binaries, cluster, established, logged};

fn generation(node: &mut Node) -> Result<u64> {
    Ok(node.daemon()?.read::<Summary>(&["show", "summary"])?.generation)
}

fn reaches(node: &mut Node, wanted: u64) -> Result {
    wait_for("the configuration's generation", SOON, || {
        let now = generation(node)?;
        ensure!(now == wanted, "it is {now}, not {wanted}; the log:\n{}", node.daemon()?.log());
        Ok(())
    })
}

/// Node 1 announces `count` blocks instead of one.
fn with_blocks(cluster: &Cluster, count: u8) -> String {
    let more: Vec<String> =
        (0..count).map(|i| format!("\"10.244.1.{}/26\"", u32::from(i) * 64)).collect();
    cluster.toml("never", "").replace("\"10.244.1.0/26\"", &more.join(", "))
}

fn announces(cluster: &mut Cluster, count: u8) -> Result {
    let mut wanted = vec!["blackhole 10.244.2.0/26 proto bird".to_owned()];
    wanted.extend(
        (0..count).map(|i| {
            format!("10.244.1.{}/26 via 10.50.0.1 dev net0 proto bird", u32::from(i) * 64)
        }),
    );
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    cluster.node(2)?.holds(Family::V4, &wanted, SOON)
}

#[test]
fn a_reload_by_signal_by_command_and_by_itself_changes_only_what_changed() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    announces(&mut cluster, 1)?;
    established(cluster.node(1)?, "n2")?;

    // By itself: the file changes under the daemon, on both nodes.
    cluster.configure(&with_blocks(&cluster, 2))?;
    reaches(cluster.node(1)?, 2)?;
    announces(&mut cluster, 2)?;

    // A signal or a command reads it again even if it says the same.
    cluster.node(1)?.daemon()?.proc().signal(Signal::HUP)?;
    reaches(cluster.node(1)?, 3)?;
    let said = cluster.node(1)?.daemon()?.bgpctl(&["reload"])?;
    ensure!(said.contains('4'), "{said}");
    reaches(cluster.node(1)?, 4)?;

    cluster.configure(&with_blocks(&cluster, 1))?;
    announces(&mut cluster, 1)?;
    no_session_was_lost(cluster.node(1)?)
}

fn no_session_was_lost(node: &mut Node) -> Result {
    let peer: starling::api::Neighbor = node.daemon()?.read(&["show", "neighbors", "n2"])?;
    ensure!(peer.flaps == 0 && peer.agreed.is_some(), "{peer:?}");
    Ok(())
}

#[test]
fn a_configmap_that_is_swapped_is_reloaded() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    // As a kubelet mounts it: cluster.toml -> ..data/cluster.toml, ..data -> a folder with a
    // time for a name; an update makes a new folder and renames a new ..data over the old.
    let mount = cluster.lab().subdir("mount")?;
    let publish = |stamp: &str, text: &str| -> Result {
        let folder = mount.join(format!("..{stamp}"));
        std::fs::create_dir(&folder)?;
        std::fs::write(folder.join("cluster.toml"), text)?;
        symlink(format!("..{stamp}"), mount.join("..data_tmp"))?;
        std::fs::rename(mount.join("..data_tmp"), mount.join("..data"))?;
        Ok(())
    };
    publish("2026_01", &with_blocks(&cluster, 1))?;
    symlink("..data/cluster.toml", mount.join("cluster.toml"))?;
    cluster.start(2)?;
    let node1 = &cluster.nodes()[0];
    let mut daemon = Starling::start(
        &binaries(),
        node1.netns(),
        "n1",
        &mount.join("cluster.toml"),
        node1.dir(),
    )?;
    daemon.wait_ready()?;
    announces(&mut cluster, 1)?;
    for (stamp, count) in [("2026_02", 2), ("2026_03", 3)] {
        publish(stamp, &with_blocks(&cluster, count))?;
        announces(&mut cluster, count).map_err(|error| error.context(daemon.log()))?;
        // The kubelet removes the old folder.
        let old = if count == 2 { "..2026_01" } else { "..2026_02" };
        std::fs::remove_dir_all(mount.join(old))?;
    }
    Ok(())
}

#[test]
fn a_bad_file_is_refused_with_its_place_and_the_running_one_stays() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    announces(&mut cluster, 1)?;
    established(cluster.node(1)?, "n2")?;
    let good = cluster.toml("never", "");
    let bad = good.replace("10.244.1.0/26", "10.244.1.0/33");
    let line = bad.lines().position(|line| line.contains("/33")).unwrap() + 1;
    let column = bad.lines().nth(line - 1).unwrap().find("\"10.244.1.0/33").unwrap() + 1;
    cluster.configure(&bad)?;

    let place = format!("{}:{line}:{column}", cluster.config().display());
    let node = cluster.node(1)?;
    let refused = node.daemon()?.try_bgpctl(&["reload"])?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = refused.stdout + &refused.stderr;
    assert!(said.contains(&place), "{place} is not in:\n{said}");
    assert!(said.contains("10.244.1.0/33"), "{said}");
    node.daemon()?.proc().signal(Signal::HUP)?;
    wait_for("the log", SOON, || {
        let log = node.daemon()?.log();
        if log.contains("rejected (SIGHUP)") && log.contains(&place) {
            return Ok(());
        }
        bail!("{log}")
    })?;
    assert_eq!(generation(node)?, 1);
    let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
    assert!(summary.ready.ready, "{:?}", summary.ready);
    assert!(summary.ready.reasons.iter().any(|reason| reason.code == "config_rejected"));
    no_session_was_lost(node)?;
    announces(&mut cluster, 1)?;

    cluster.configure(&good)?;
    let node = cluster.node(1)?;
    node.daemon()?.bgpctl(&["reload", "the", "block", "again"])?;
    logged(node, "reloaded (bgpctl reload: the block again)")?;
    let all: Vec<Generation> = node.daemon()?.read(&["show", "generations"])?;
    assert_eq!(all[0].reason.as_deref(), Some("the block again"), "{all:#?}");
    let shown = node.daemon()?.bgpctl(&["show", "generations"])?;
    assert!(shown.contains("bgpctl reload: the block again"), "{shown}");
    let summary: Summary = node.daemon()?.read(&["show", "summary"])?;
    assert!(summary.ready.reasons.is_empty(), "{:?}", summary.ready);
    no_session_was_lost(node)
}
