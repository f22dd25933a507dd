//! `bgpctl fib …`: the operator's hand on the kernel's routes.

use anyhow::ensure;
use starling::api::{AuditFault, FibAudit, FibCoupling, Summary};
use starling_lab::{Cluster, Family, Result, wait_for};

use crate::support::{SOON, cluster, established, logged};
use crate::whole::exchanged;

const OWN: &str = "blackhole 10.244.1.0/26 proto bird";
const OTHER: &str = "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird";
/// Of our protocol, in another table.
const BESIDE: &str = "10.99.0.0/16 via 10.50.0.2 dev net0 table 77 proto bird";
/// In our table, of another protocol.
const FOREIGN: &str = "10.98.0.0/16 via 10.50.0.2 dev net0 proto static";

fn pair() -> Result<Cluster> {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    cluster.node(1)?.holds(Family::V4, &[OWN, OTHER], SOON)?;
    exchanged(&mut cluster)?;
    Ok(cluster)
}

fn fib(cluster: &mut Cluster, words: &[&str]) -> Result<FibCoupling> {
    let all: Vec<&str> = ["fib"].iter().chain(words).copied().collect();
    cluster.node(1)?.daemon()?.read(&all)
}

fn summary(cluster: &mut Cluster) -> Result<Summary> {
    cluster.node(1)?.daemon()?.read(&["show", "summary"])
}

fn is_told(cluster: &mut Cluster) -> Result<bool> {
    let ready = summary(cluster)?.ready;
    let told = ready.reasons.iter().any(|reason| reason.code == "decoupled");
    ensure!(!(told && ready.ready), "{ready:?}");
    Ok(told)
}

#[test]
fn decoupled_the_kernel_keeps_what_it_has_across_reloads_and_couple_writes_the_difference() -> Result
{
    let mut cluster = pair()?;
    let stands = fib(&mut cluster, &["decouple"])?;
    assert_eq!(stands, FibCoupling { coupled: false, differing: 0, removed: None });
    assert!(is_told(&mut cluster)?);
    logged(cluster.node(1)?, "decoupled by the operator")?;

    // The neighbour takes its routes with it, somebody removes one of ours, a reload takes an
    // own block away: none of it reaches the kernel.
    cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n2", "down"])?;
    cluster.node(1)?.netns().ip_line("route del 10.244.1.0/26")?;
    let toml = cluster.toml("never", "").replace("\"10.244.1.0/26\", ", "");
    cluster.configure(&toml)?;
    wait_for("the reload", SOON, || {
        let all = summary(&mut cluster)?;
        ensure!(all.generation == 2 && all.ready.reasons.len() == 2, "{all:?}");
        Ok(())
    })?;
    assert!(is_told(&mut cluster)?);
    cluster.node(1)?.holds(Family::V4, &[OTHER], SOON)?;
    let shown = cluster.node(1)?.daemon()?.bgpctl(&["show", "summary"])?;
    ensure!(shown.contains("not ready") && shown.contains("bgpctl fib couple"), "{shown}");

    cluster.configure(&cluster.toml("never", ""))?;
    wait_for("the reload", SOON, || {
        ensure!(summary(&mut cluster)?.generation == 3);
        Ok(())
    })?;
    let stands = fib(&mut cluster, &["couple"])?;
    assert_eq!(stands, FibCoupling { coupled: true, differing: 0, removed: None });
    assert!(!is_told(&mut cluster)?);
    cluster.node(1)?.holds(Family::V4, &[OWN], SOON)
}

#[test]
fn a_flush_takes_ours_and_nothing_else_until_couple_or_a_restart() -> Result {
    let mut cluster = pair()?;
    for route in [BESIDE, FOREIGN] {
        cluster.node(1)?.netns().ip_line(&format!("route add {route}"))?;
    }
    // Both families: a block and the other node's.
    let stands = fib(&mut cluster, &["flush", "--yes"])?;
    assert_eq!(stands, FibCoupling { coupled: false, differing: 4, removed: Some(4) });
    assert!(is_told(&mut cluster)?);
    let left = |cluster: &mut Cluster| -> Result<String> {
        cluster.node(1)?.netns().ip_line("route show table all")
    };
    let routes = left(&mut cluster)?;
    for route in ["10.99.0.0/16", "10.98.0.0/16"] {
        ensure!(routes.contains(route), "{routes}");
    }
    // What neighbours say goes on being heard, and stays out of the kernel.
    for verb in ["down", "up"] {
        cluster.node(1)?.daemon()?.bgpctl(&["neighbor", "n2", verb])?;
    }
    established(cluster.node(1)?, "n2")?;
    cluster.node(1)?.holds(Family::V4, &[], SOON)?;
    cluster.node(1)?.holds(Family::V6, &[], SOON)?;

    cluster.node(1)?.take_daemon()?.into_proc().stop(SOON)?;
    cluster.start(1)?;
    cluster.node(1)?.holds(Family::V4, &[OWN, OTHER], SOON)?;
    ensure!(left(&mut cluster)?.contains("10.98.0.0/16"));
    Ok(())
}

#[test]
fn an_audit_says_what_it_compared_and_found() -> Result {
    let mut cluster = pair()?;
    let audit = |cluster: &mut Cluster| -> Result<FibAudit> {
        cluster.node(1)?.daemon()?.read(&["fib", "audit"])
    };
    let clean = audit(&mut cluster)?;
    assert_eq!((clean.compared, clean.missing, clean.wrong, clean.extra), (4, 0, 0, 0));
    assert_eq!(clean.findings, []);
    // Decoupled nothing is put right, so that there is something to be found.
    fib(&mut cluster, &["decouple"])?;
    for line in [
        "route del 10.244.1.0/26",
        "route replace 10.244.2.0/26 via 10.50.0.99 dev net0 proto bird",
        "route add 10.244.9.0/26 via 10.50.0.99 dev net0 proto bird",
    ] {
        cluster.node(1)?.netns().ip_line(line)?;
    }
    let found = audit(&mut cluster)?;
    assert_eq!(
        (found.missing, found.wrong, found.extra, found.repaired),
        (1, 1, 1, 0),
        "{found:#?}"
    );
    let faults: Vec<(String, AuditFault)> =
        found.findings.iter().map(|f| (f.prefix.to_string(), f.fault)).collect();
    let is = |prefix: &str, fault| faults.contains(&(prefix.to_owned(), fault));
    ensure!(is("10.244.1.0/26", AuditFault::Missing), "{faults:?}");
    ensure!(is("10.244.2.0/26", AuditFault::Wrong), "{faults:?}");
    ensure!(is("10.244.9.0/26", AuditFault::Extra), "{faults:?}");
    fib(&mut cluster, &["couple"])?;
    let clean = audit(&mut cluster)?;
    assert_eq!((clean.missing, clean.wrong, clean.extra), (0, 0, 0), "{clean:#?}");
    cluster.node(1)?.holds(Family::V4, &[OWN, OTHER], SOON)
}
