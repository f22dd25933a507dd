//! The groups that neighbours are in: what the configuration says of several at once.
//!
//! There is no list of groups in the file. What neighbours have in common there makes one: what
//! they are to this node, the range that they called from, their node's labels (a rack), their role
//! (RFC 9234), whether they are clients of a reflector, the policies that they share.

use std::collections::BTreeSet;

use starling_bgp::types::PeerKind;
use starling_config::PeerPlan;

use crate::daemon::roster::Roster;

/// The groups of one neighbour, the widest first: one word each, as `bgpctl show neighbors group`
/// takes it.
pub(super) fn groups(plan: &PeerPlan, roster: &Roster) -> Vec<String> {
    let kind = match plan.kind {
        PeerKind::Mesh => "mesh",
        PeerKind::Internal => "ibgp",
        PeerKind::External => "ebgp",
    };
    let mut groups = vec![kind.to_owned()];
    groups.extend((plan.node && plan.kind != PeerKind::Mesh).then(|| "nodes".to_owned()));
    let range = roster.plan.ranges.iter().find(|range| Some(range.range.net) == plan.range);
    groups.extend(range.map(|range| format!("range={}", range.name)));
    let node = roster.config.nodes.iter().find(|node| plan.node && node.name == plan.name);
    let labels = node.into_iter().flat_map(|node| &node.labels);
    groups.extend(labels.map(|(key, value)| format!("{key}={value}")));
    groups.extend(plan.outward.client.then(|| "clients".to_owned()));
    let role = plan.session.offer.role.map(|own| own.opposite());
    groups.extend(role.map(|role| format!("role={role}")));
    for (place, rules) in [("import", &plan.import_rules), ("export", &plan.export_rules)] {
        groups.extend(rules.names().iter().map(|name| format!("{place}={name}")));
    }
    // A label may have the name of something else.
    let mut seen = BTreeSet::new();
    groups.retain(|group| seen.insert(group.clone()));
    groups
}
