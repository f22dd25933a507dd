//! Routes that lean on a gateway that has never heard of the pods: right in the kernel, and nobody
//! is reached.

use crate::api::Level;
use crate::doctor::facts::Facts;
use crate::doctor::notes::Notes;

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(daemon) = &facts.daemon else { return };
    let gateways: Vec<_> =
        daemon.nodes.iter().filter_map(|node| Some((node, node.warning.as_ref()?))).collect();
    for (node, warning) in &gateways {
        notes.sick(
            Level::Problem,
            &node.name,
            format!("its pods are not reached by that: {warning}"),
            "set ipip = \"cross-subnet\" in the [[pool]], on all nodes; bgpctl reload",
        );
    }
    if gateways.is_empty() && daemon.nodes.len() > 1 {
        notes.ok("nodes", "none is reached through a gateway that is no BGP peer");
    }
}
