//! Networks that come and go while the daemon runs, and the limit that ends a session.

use anyhow::{Context, ensure};
use starling::api::{LimitAction, Neighbor, Network, Wish};
use starling_lab::{Cluster, Family, Node, Result, wait_for};

use crate::support::{SOON, cluster, established, logged};

const MORE: [&str; 2] = ["10.244.200.0/24", "10.244.201.0/24"];

/// What node 2 has: its own block, that of node 1, and those of `more` that node 1 added.
fn node_2_holds(cluster: &mut Cluster, more: &[&str]) -> Result {
    let mut wanted = vec!["blackhole 10.244.2.0/26 proto bird".to_owned()];
    let via = |net: &&str| format!("{net} via 10.50.0.1 dev net0 proto bird");
    wanted.extend(["10.244.1.0/26"].iter().chain(more).map(via));
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    cluster.node(2)?.holds(Family::V4, &wanted, SOON)
}

/// What an operator added.
fn added(node: &mut Node) -> Result<Vec<String>> {
    let all: Vec<Network> = node.daemon()?.read(&["network", "show"])?;
    let operators = all.iter().filter(|network| network.wish == Wish::Operator);
    Ok(operators.map(|network| network.prefix.to_string()).collect())
}

#[test]
fn a_network_added_at_run_time_is_announced_until_it_is_deleted() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    node_2_holds(&mut cluster, &[])?;

    let [one, two] = MORE;
    let said = cluster.node(1)?.daemon()?.bgpctl(&["network", "add", one, two])?;
    ensure!(said.contains(one) && said.contains("operator"), "{said}");
    node_2_holds(&mut cluster, &MORE)?;
    // It is announced, no more: the node's own kernel has nothing of it.
    let own =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird"];
    cluster.node(1)?.holds(Family::V4, &own, SOON)?;

    // Another is added to them, and a reload leaves them alone.
    let third = "10.244.202.0/24";
    cluster.node(1)?.daemon()?.bgpctl(&["network", "add", third, one])?;
    cluster.node(1)?.daemon()?.bgpctl(&["reload"])?;
    assert_eq!(added(cluster.node(1)?)?, [one, two, third]);
    node_2_holds(&mut cluster, &[one, two, third])?;

    cluster.node(1)?.daemon()?.bgpctl(&["network", "delete", two, third])?;
    node_2_holds(&mut cluster, &[one])?;
    // One that is not there: nothing is deleted.
    let refused = cluster.node(1)?.daemon()?.try_bgpctl(&["network", "delete", one, two])?;
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    ensure!(refused.stderr.contains("10.244.201.0/24 was not added"), "{refused:?}");
    assert_eq!(added(cluster.node(1)?)?, [one]);
    cluster.node(1)?.daemon()?.bgpctl(&["network", "delete", one])?;
    node_2_holds(&mut cluster, &[])
}

#[test]
fn a_limit_ends_the_session_and_it_is_back_after_its_restart_time() -> Result {
    let mut cluster = cluster(&[0, 0])?;
    let limit = "max-prefixes = { ipv4 = 2, action = \"close\", restart = \"3s\" }";
    let limited = format!("[cluster]\n{limit}\n");
    cluster.configure(&cluster.toml("never", "").replace("[cluster]\n", &limited))?;
    cluster.start_all()?;
    established(cluster.node(2)?, "n1")?;
    node_2_holds(&mut cluster, &[])?;

    // The second is the last one that may come.
    let [one, two] = MORE;
    cluster.node(1)?.daemon()?.bgpctl(&["network", "add", one])?;
    node_2_holds(&mut cluster, &[one])?;
    cluster.node(1)?.daemon()?.bgpctl(&["network", "add", two])?;
    logged(cluster.node(2)?, "more than 2 ipv4 prefixes: the session ends")?;
    // Cease 6/1 (RFC 4486): the other end is told.
    logged(cluster.node(1)?, "(6/1)")?;
    cluster.node(1)?.daemon()?.bgpctl(&["network", "delete", one, two])?;

    wait_for("the session after the restart time", SOON, || {
        let n1: Neighbor = cluster.node(2)?.daemon()?.read(&["show", "neighbors", "n1"])?;
        ensure!(n1.flaps > 0 && n1.agreed.is_some(), "{n1:#?}");
        let down = n1.last_down.clone().context("it was never down")?;
        ensure!(down.text.contains("(6/1)"), "{down:?}");
        // Not sooner; both are whole seconds, rounded down.
        ensure!(down.ago_s >= n1.summary.since_s + 2, "{down:?}, up for {}", n1.summary.since_s);
        let limit = n1.limits.first().context("no limit is shown")?;
        let shown = (limit.family.as_str(), limit.max, limit.action, limit.restart_s);
        ensure!(shown == ("ipv4", 2, LimitAction::Close, Some(3)), "{limit:?}");
        ensure!(limit.received == 1, "{limit:?}");
        Ok(())
    })?;
    node_2_holds(&mut cluster, &[])
}
