//! Debian's `birdc` asks a Starling: it cannot tell.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use starling_lab::{Family, Result, wait_for};

use crate::support::{SOON, cluster};
use crate::whole::exchanged;

/// What `birdc` prints for a command, without the line that greets.
fn birdc(socket: &Path, command: &str) -> Result<String> {
    let out = Command::new("birdc")
        .arg("-s")
        .arg(socket)
        .args(command.split(' '))
        .output()
        .context("birdc, of Debian's bird2")?;
    let text = String::from_utf8(out.stdout)?;
    // What is refused fails.
    ensure!(out.status.success() != text.contains("denied"), "{command}: {text}");
    let (greeting, rest) = text.split_once('\n').context("no greeting")?;
    ensure!(greeting.starts_with("BIRD v1.6.8+starling"), "{greeting}");
    Ok(rest.to_owned())
}

#[test]
fn birdc_shows_the_mesh_its_routes_and_that_nothing_can_be_changed() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let paths = ["bird.ctl", "bird6.ctl"].map(|name| cluster.nodes()[0].dir().join(name));
    let [bird, bird6] = &paths;
    let lines = format!("[control]\nbird = {bird:?}\nbird6 = {bird6:?}\n");
    // Sockets are of one node, and so is the file that names them.
    let text = cluster.toml("never", &lines);
    cluster.configure(&text)?;
    cluster.start(1)?;
    let (plain, _) = text.split_at(text.len() - lines.len());
    cluster.configure(plain)?;
    cluster.start(2)?;
    exchanged(&mut cluster)?;
    let own =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"];
    cluster.node(1)?.holds(Family::V4, &own, SOON)?;

    let status = birdc(bird, "show status")?;
    ensure!(status.contains("Router ID is 10.50.0.1\n"), "{status}");
    ensure!(status.ends_with("Daemon is up and running\n"), "{status}");
    // birdc knows BIRD 2's words and completes them itself.
    let table = birdc(bird, "show prot")?;
    let row =
        table.lines().find(|row| row.starts_with("Mesh_10_50_0_2 ")).context(table.clone())?;
    let fields: Vec<&str> = row.split_whitespace().collect();
    ensure!(matches!(fields[..], [_, "BGP", "master", "up", _, "Established"]), "{row}");
    let all = birdc(bird, "show protocols all Mesh_10_50_0_2")?;
    ensure!(all.contains("    Neighbor address: 10.50.0.2\n"), "{all}");
    ensure!(
        all.contains("  Routes:         1 imported, 0 filtered, 1 exported, 1 preferred\n"),
        "{all}"
    );
    let table = birdc(bird, "show route for 10.244.2.7")?;
    ensure!(
        table.starts_with("10.244.2.0/26      via 10.50.0.2 on net0 [Mesh_10_50_0_2 "),
        "{table}"
    );
    ensure!(table.trim_end().ends_with("] * (100/0) [i]"), "{table}");
    let table = birdc(bird, "show route 10.244.1.0/26")?;
    ensure!(table.starts_with("10.244.1.0/26      blackhole [static1 "), "{table}");
    ensure!(birdc(bird, "show route count")?.starts_with("2 of 2 routes for 2 networks"));
    let table = birdc(bird, "show route export Mesh_10_50_0_2 all")?;
    ensure!(table.starts_with("10.244.1.0/26      blackhole [static1 "), "{table}");
    ensure!(table.contains("\tBGP.next_hop: 10.50.0.1\n"), "{table}");
    ensure!(!table.contains("10.244.2.0/26"), "{table}");
    let table = birdc(bird, "show route noexport Mesh_10_50_0_2")?;
    ensure!(table.starts_with("10.244.2.0/26 ") && table.lines().count() == 1, "{table}");
    let count = birdc(bird, "show route export Mesh_10_50_0_2 count")?;
    ensure!(count.starts_with("1 of 1 routes for 1 networks"), "{count}");
    ensure!(birdc(bird, "configure")?.contains("Access denied"));

    // The session runs over IPv4; as a node of IPv6 it has its own name.
    let table = birdc(bird6, "show protocols")?;
    let row = table.lines().find(|row| row.starts_with("Mesh_fd50__2 ")).context(table.clone())?;
    ensure!(row.contains("Established"), "{row}");
    wait_for("the IPv6 route", SOON, || {
        let table = birdc(bird6, "show route")?;
        ensure!(table.contains("via fd50::2 on net0 [Mesh_fd50__2 "), "{table}");
        Ok(())
    })?;
    for path in &paths {
        ensure!(path.exists());
    }
    cluster.node(1)?.take_daemon()?.into_proc().stop(SOON)?;
    for path in &paths {
        ensure!(!path.exists(), "{} is left", path.display());
    }
    Ok(())
}
