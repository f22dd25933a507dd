//! Route reflectors: which nodes `[reflector]` picks, and which routers can be clients.

use std::collections::BTreeSet;

use starling_bgp::types::Asn;

use super::peers::{pick, unknown_label};
use crate::model::Node;
use crate::outward::{Outward, Reflectors};
use crate::raw::{self, Raw, Selector};
use crate::source::Problems;

/// The reflectors, if there shall be any.
pub(super) fn check(raw: &Raw, nodes: &[Node], problems: &mut Problems) -> Option<Reflectors> {
    let said = raw.reflector.as_ref()?;
    let picked = match &said.nodes {
        // Noted, as unreadable or missing.
        Selector::All | Selector::Bad => return None,
        given => pick(given, nodes, problems),
    };
    if let (true, Selector::Labels(labels), false) =
        (picked.is_empty(), &said.nodes, nodes.is_empty())
    {
        let hint = labels.iter().find_map(|(key, value)| unknown_label(key, value, nodes));
        problems
            .error(said.nodes_at, "no node has these labels: nobody would reflect")
            .expected("labels that at least one [[node]] has")
            .maybe_hint(hint);
    }
    if let (Selector::Names(names), true) = (&said.nodes, picked.is_empty())
        && names.is_empty()
    {
        problems
            .error(said.nodes_at, "nobody would reflect")
            .expected("the names of one or more nodes, or labels that they have");
    }
    let names = picked.iter().filter_map(|index| nodes.get(*index)).map(|n| n.name.clone());
    let cluster_id = said.cluster_id.value().map(|id| id.0);
    Some(Reflectors { nodes: names.collect(), cluster_id })
}

/// What goes to a peer that these nodes, by index, have.
pub(super) fn outward(
    said: &raw::Peer,
    asn: Asn,
    picked: &BTreeSet<usize>,
    nodes: &[Node],
    problems: &mut Problems,
) -> Outward {
    let given = &said.outward;
    let is = |field: &crate::reader::Field<bool>| field.value().copied().unwrap_or(false);
    let internal = |index: &usize| nodes.get(*index).is_some_and(|node| node.asn == asn);
    if let Some(client) = given.client.get().filter(|client| client.value)
        && said.asn.value().is_some()
        && !picked.is_empty()
        && !picked.iter().any(internal)
    {
        problems
            .error(client.at, format!("a router in AS {asn} cannot be a client"))
            .expected("a router in the AS of the nodes: reflection is for iBGP (RFC 4456)");
    }
    Outward {
        next_hop: given.next_hop.value().copied().unwrap_or_default(),
        client: is(&given.client),
        default_route: is(&given.default_route),
        drain: is(&given.drain),
        best_external: given.best_external.value().copied(),
    }
}
