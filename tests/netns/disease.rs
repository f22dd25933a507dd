//! Network D's disease: a route that leans on a gateway which has never heard of it. It is
//! programmed all the same, as the mode table says, and said wherever somebody might look.

use anyhow::ensure;
use starling::api::{How, Node, Reach, Route};
use starling_lab::{Family, Result, ping_as};

use crate::support::{SOON, cluster, established, logged};

#[test]
fn a_route_that_leans_on_a_deaf_gateway_is_said_everywhere() -> Result {
    let mut cluster = cluster(&[0, 0, 1])?;
    cluster.start_all()?;
    for other in ["n2", "n3"] {
        established(cluster.node(1)?, other)?;
    }
    let wanted = [
        "blackhole 10.244.1.0/26 proto bird",
        "10.244.2.0/26 via 10.50.0.2 dev net0 proto bird",
        "10.244.3.0/26 via 10.50.0.254 dev net0 proto bird",
    ];
    cluster.node(1)?.holds(Family::V4, &wanted, SOON)?;
    let (from, mate, far) = (&cluster.nodes()[0], &cluster.nodes()[1], &cluster.nodes()[2]);
    ping_as(from.netns(), from.pod(Family::V4), mate.pod(Family::V4), 1)?.complete()?;
    ensure!(
        ping_as(from.netns(), from.pod(Family::V4), far.pod(Family::V4), 1)?.received == 0,
        "the gateway was supposed not to know the way"
    );

    let node = cluster.node(1)?;
    logged(node, "pods there may not be reachable")?;
    let table = node.daemon()?.bgpctl(&["show", "routes"])?;
    ensure!(table.contains("via 10.50.0.254 (!)"), "{table}");
    let routes: Vec<Route> = node.daemon()?.rows(&["show", "routes", "10.244.3.0/26"])?;
    let reached = &routes[0].paths[0].reached;
    assert_eq!(reached.how, How::Gateway);
    let warning = reached.warning.as_deref().unwrap_or_default();
    for word in ["10.50.1.3", "never", "10.50.0.254", "cross-subnet"] {
        ensure!(warning.contains(word), "{word:?} is not in {warning:?}");
    }
    let nodes: Vec<Node> = node.daemon()?.read(&["show", "nodes"])?;
    let far = nodes.iter().find(|node| node.name == "n3").unwrap();
    assert_eq!(far.reach, Reach::Gateway);
    ensure!(far.warning.is_some(), "{far:?}");
    let table = node.daemon()?.bgpctl(&["show", "nodes"])?;
    ensure!(table.contains("via 10.50.0.254 (!)"), "{table}");

    // Once in the log: also after a reload that changes nothing.
    node.daemon()?.bgpctl(&["reload"])?;
    std::thread::sleep(std::time::Duration::from_secs(1));
    let log = node.daemon()?.log();
    let said =
        log.lines().filter(|l| l.contains("may not be reachable") && l.contains("10.50.1.3"));
    assert_eq!(said.count(), 1, "{log}");
    Ok(())
}

#[test]
fn a_gateway_that_is_a_peer_is_no_disease() -> Result {
    let mut cluster = cluster(&[0, 1])?;
    let gateway =
        "[[peer]]\nname = \"gw\"\naddress = \"10.50.0.254\"\nasn = 65000\nnodes = [\"n1\"]\n";
    cluster.configure(&cluster.toml("never", gateway))?;
    cluster.start_all()?;
    established(cluster.node(1)?, "n2")?;
    let wanted =
        ["blackhole 10.244.1.0/26 proto bird", "10.244.2.0/26 via 10.50.0.254 dev net0 proto bird"];
    let node = cluster.node(1)?;
    node.holds(Family::V4, &wanted, SOON)?;
    let routes: Vec<Route> = node.daemon()?.rows(&["show", "routes", "10.244.2.0/26"])?;
    assert_eq!(routes[0].paths[0].reached.warning, None);
    let log = node.daemon()?.log();
    let v4 = log.lines().filter(|l| l.contains("may not be reachable") && l.contains("10.50."));
    assert_eq!(v4.count(), 0, "{log}");
    Ok(())
}
