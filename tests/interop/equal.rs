//! Equal paths: one route in the kernel whose next hops are all five.

use std::collections::BTreeSet;

use anyhow::ensure;
use starling_lab::matrix::{self, Feature};
use starling_lab::speaker::{Network, Software};
use starling_lab::{Family, Result, routes, wait_for};

use crate::beside::{ASN, Beside, toml};
use crate::support::SOON;

const PREFIX: &str = "203.0.113.0/24";
const IMPORT: &str = "import = [\"203.0.113.0/24\"]\n";

#[test]
fn one_route_has_all_five_as_next_hops() -> Result {
    let mut beside = Beside::start(&Software::ALL, "", |software, router| {
        router.networks.push(Network::new(PREFIX)?);
        let toml = toml(software, "");
        let lines = toml.lines().filter(|line| !line.starts_with("import"));
        Ok(lines.map(|line| format!("{line}\n")).collect::<String>() + IMPORT)
    })?;
    let file = std::fs::read_to_string(beside.cluster.config())?;
    beside
        .cluster
        .configure(&file.replace("asn = 64512\n", &format!("asn = {ASN}\nmax-paths = 8\n")))?;
    beside.cluster.node(1)?.daemon()?.bgpctl(&["reload"])?;
    beside.sessions()?;
    let wanted: BTreeSet<String> =
        beside.peers.iter().map(|peer| peer.router.address.to_string()).collect();
    let netns = beside.cluster.nodes()[0].netns();
    wait_for("all next hops", SOON, || {
        let held = routes(netns, Family::V4, PREFIX)?;
        let hops = held.iter().flat_map(|route| &route.nexthops);
        let hops: BTreeSet<String> = hops.filter_map(|hop| hop.gateway.clone()).collect();
        ensure!(hops == wanted, "{held:#?}");
        Ok(())
    })?;
    for software in Software::ALL {
        matrix::pass(Feature::Multipath, software)?;
    }
    Ok(())
}
