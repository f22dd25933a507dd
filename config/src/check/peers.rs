//! Routers: which nodes a `[[peer]]` applies to, and whether it can.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use starling_bgp::msg::Export;
use starling_bgp::types::{Asn, Families, Family, family_of};

use super::reflector;
use super::routing;
use super::session;
use super::settings::{self, BGP_PORT};
use super::transport::{self, Place};
use crate::model::{Local, Node, Peer};
use crate::policy::Names;
use crate::raw::{self, Raw, Selector};
use crate::reader::nearest;
use crate::source::{At, Problems, Sp, shown};
use crate::value::{LocalAddress, Name, link_local};

/// The routers, one for each `[[peer]]` whose address could be read.
pub(super) fn check(raw: &Raw, nodes: &[Node], problems: &mut Problems) -> Vec<Peer> {
    let mut addresses: BTreeMap<IpAddr, (&raw::Node, At)> = BTreeMap::new();
    for node in &raw.nodes {
        for address in node.addresses.value().into_iter().flatten() {
            addresses.insert(address.value.address, (node, address.at));
        }
    }
    let mut peers = Vec::new();
    let mut picked = Vec::new();
    for said in &raw.peers {
        let Some(place) = transport::place(said, problems) else { continue };
        let one = Some(&place.address).filter(|_| place.range.is_none());
        if let Some((node, at)) = one.and_then(|address| addresses.get(address)) {
            let name = super::nodes::called(node);
            problems
                .error(place.at, format!("{} is the address of node {name}", place.address))
                .expected("the address of a router that is no node")
                .hint("nodes peer with each other by themselves while the mesh is on")
                .see(*at, name);
        }
        name_of_a_node(said, raw, problems);
        let (peer, nodes) = build(said, &place, raw, nodes, problems);
        peers.push(peer);
        picked.push((said, nodes));
    }
    twice(&peers, &picked, nodes, problems);
    peers
}

fn build(
    said: &raw::Peer,
    place: &Place,
    raw: &Raw,
    nodes: &[Node],
    problems: &mut Problems,
) -> (Peer, BTreeSet<usize>) {
    let family = family_of(place.address);
    let name = said.name.value().map_or_else(|| place.label.clone(), |n| n.0.clone());
    let mut picked = select(said, &name, nodes, problems);
    let lacking = |index: &usize, family: Family| {
        nodes.get(*index).is_some_and(|n| !n.addresses.is_empty() && n.address(family).is_none())
    };
    let (local_address, families) = (said.local_address.get(), families(said, family, problems));
    // Without an own address of the family there is no NEXT_HOP that we could give.
    let own = matches!(local_address, Some(Sp { value: LocalAddress::Is(_), .. }));
    if !own && !link_local(place.address) {
        let without: Vec<usize> = picked.iter().copied().filter(|i| lacking(i, family)).collect();
        picked.retain(|index| !without.contains(index));
        if let Some(example) = without.first().and_then(|index| nodes.get(*index)) {
            let (example, family) = (&example.name, in_words(family));
            let message = match without.len() {
                1 => format!("no session with {name} on {example}, which has no {family} address"),
                n => format!(
                    "no session with {name} on {n} nodes without an {family} address, such as \
                     {example}"
                ),
            };
            problems.warn(place.at, message).hint("pick the other nodes with nodes = { … }");
        }
    }
    for extra in families.iter().filter(|f| *f != family) {
        let lacks = picked.iter().find(|i| lacking(i, extra)).and_then(|i| nodes.get(*i));
        if let Some(node) = lacks {
            let message = format!(
                "{name} shall carry {extra}, but {} has no {} address: not offered there",
                node.name,
                in_words(extra)
            );
            problems.warn(said.families.get().map_or(said.at, |f| f.at), message);
        }
    }
    let local_address = match local_address {
        None => Local::Node,
        Some(Sp { value: LocalAddress::Any, .. }) => Local::Any,
        Some(Sp { value: LocalAddress::Is(local), at }) => {
            if family_of(*local) != family {
                problems
                    .error(*at, format!("{local} cannot talk to {}", place.label))
                    .expected(format!("an {} address", in_words(family)));
            } else if picked.len() > 1 {
                problems
                    .error(
                        *at,
                        format!("{local} would be the local address on {} nodes", picked.len()),
                    )
                    .expected("a [[peer]] that picks one node: nodes = [\"server1\"]");
            }
            Local::Is(*local)
        }
    };
    let import = said.import.value().into_iter().flatten().map(|net| net.value).collect();
    let transport = transport::transport(said, place, raw, problems);
    let asn = said.asn.value().copied().unwrap_or(Asn(0));
    let peer = Peer {
        name,
        address: place.address,
        asn,
        range: transport::range(said, place, problems),
        nodes: picked.iter().filter_map(|i| nodes.get(*i)).map(|n| n.name.clone()).collect(),
        import,
        export: said.export.value().copied().unwrap_or(Export::Own),
        passive: said.passive.value().copied().unwrap_or(false),
        port: said.port.value().map_or(BGP_PORT, |port| port.0),
        families,
        local_address,
        policies: Names::new(&said.import_policy, &said.export_policy),
        bfd: super::bfd::peer(&said.bfd, transport.hops, problems),
        transport,
        outward: reflector::outward(said, asn, &picked, nodes, problems),
        allowance: routing::router(said),
        session: session::of_peer(said, link_local(place.address), raw, problems),
        hold: said.transport.hold.get().map(|hold| settings::hold(hold, problems)),
        connect_retry: said
            .transport
            .connect_retry
            .get()
            .map(|retry| settings::connect_retry(retry, problems)),
    };
    (peer, picked)
}

fn in_words(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

/// The families of a session: those of `families`, else the one of its address, which is what a
/// router offers when nobody says otherwise.
fn families(said: &raw::Peer, of_address: Family, problems: &mut Problems) -> Families {
    match said.families.get() {
        None => [of_address].into_iter().collect(),
        Some(list) => {
            if list.value.is_empty() {
                problems
                    .error(list.at, "a session without a family carries nothing")
                    .expected("families = [\"ipv4\"], [\"ipv6\"] or both");
            }
            list.value.iter().map(|family| family.value).collect()
        }
    }
}

/// The nodes that a selector picks, by index.
pub(super) fn pick(
    selector: &Selector,
    nodes: &[Node],
    problems: &mut Problems,
) -> BTreeSet<usize> {
    let all = nodes.iter().enumerate();
    match selector {
        Selector::All | Selector::Bad => all.map(|(index, _)| index).collect(),
        Selector::Labels(labels) => {
            let has = |node: &Node| {
                labels.iter().all(|(k, v)| node.labels.get(&k.value) == Some(&v.value))
            };
            all.filter(|(_, node)| has(node)).map(|(index, _)| index).collect()
        }
        Selector::Names(names) => {
            names.iter().filter_map(|name| named(name, nodes, problems)).collect()
        }
    }
}

/// The nodes that peer with `said`, by index.
fn select(
    said: &raw::Peer,
    name: &str,
    nodes: &[Node],
    problems: &mut Problems,
) -> BTreeSet<usize> {
    let picked = pick(&said.nodes, nodes, problems);
    if let (true, Selector::Labels(labels), false) =
        (picked.is_empty(), &said.nodes, nodes.is_empty())
    {
        let hint = labels.iter().find_map(|(key, value)| unknown_label(key, value, nodes));
        problems
            .warn(said.nodes_at, format!("no node has these labels: nobody peers with {name}"))
            .maybe_hint(hint);
    }
    picked
}

fn named(name: &Sp<Name>, nodes: &[Node], problems: &mut Problems) -> Option<usize> {
    let found = nodes.iter().position(|node| node.name.eq_ignore_ascii_case(&name.value.0));
    // Where a node's own name could not be read, it may be the one that is meant.
    if found.is_none() && nodes.iter().all(|node| !node.name.is_empty()) {
        let near = nearest(&name.value.0, nodes.iter().map(|node| node.name.as_str()));
        problems
            .error(name.at, format!("there is no node {}", shown(&name.value.0)))
            .expected("the name of a [[node]]")
            .maybe_hint(near.map(|near| format!("did you mean \"{near}\"?")));
    }
    found
}

/// What is odd about a label that a selector asks for.
pub(super) fn unknown_label(
    key: &Sp<String>,
    value: &Sp<String>,
    nodes: &[Node],
) -> Option<String> {
    let keys: BTreeSet<&str> =
        nodes.iter().flat_map(|n| n.labels.keys()).map(String::as_str).collect();
    let (key, value) = (shown(&key.value), shown(&value.value));
    if !keys.contains(key.as_str()) {
        return Some(match nearest(&key, keys.iter().copied()) {
            Some(near) => format!("no node has the label {key}; did you mean {near}?"),
            None => format!("no node has the label {key}"),
        });
    }
    let values: BTreeSet<&str> =
        nodes.iter().filter_map(|n| n.labels.get(&key)).map(String::as_str).collect();
    if values.contains(value.as_str()) {
        return None;
    }
    let near = nearest(&value, values.iter().copied());
    near.map(|near| format!("no node has {key} = \"{value}\"; did you mean \"{near}\"?"))
}

fn name_of_a_node(said: &raw::Peer, raw: &Raw, problems: &mut Problems) {
    let Some(name) = said.name.get() else { return };
    let same = |node: &&raw::Node| {
        node.name.value().is_some_and(|n| n.0.eq_ignore_ascii_case(&name.value.0))
    };
    if let Some(node) = raw.nodes.iter().find(same) {
        let at = node.name.get().map_or(node.at, |n| n.at);
        problems
            .error(name.at, format!("{} is also the name of a node", name.value.0))
            .expected("a name of its own: bgpctl finds neighbours by it")
            .see(at, "the node");
    }
}

/// Two peers with one name or one address, on the same node. On different ones it is a custom:
/// each rack's gateway has the same address.
fn twice(
    peers: &[Peer],
    picked: &[(&raw::Peer, BTreeSet<usize>)],
    nodes: &[Node],
    problems: &mut Problems,
) {
    let mut by_address: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, peer) in peers.iter().enumerate() {
        by_address.entry(transport::label(peer)).or_default().push(index);
        by_name.entry(&peer.name).or_default().push(index);
    }
    let mut report = |group: &[usize], what: &str, by_name: bool| {
        for (position, later) in group.iter().enumerate() {
            let Some((said, mine)) = picked.get(*later) else { continue };
            for first in group.iter().take(position) {
                let Some((other, theirs)) = picked.get(*first) else { continue };
                let Some(node) = mine.intersection(theirs).find_map(|i| nodes.get(*i)) else {
                    continue;
                };
                let place = |peer: &raw::Peer| {
                    let name = peer.name.get().filter(|_| by_name).map(|n| n.at);
                    name.or(peer.address.get().map(|a| a.at)).unwrap_or(peer.at)
                };
                problems
                    .error(place(said), format!("a second [[peer]] {what} on node {}", node.name))
                    .expected("one session between a node and a router")
                    .see(place(other), "the first");
                break;
            }
        }
    };
    for (address, group) in &by_address {
        report(group, &format!("with address {address}"), false);
    }
    for (name, group) in &by_name {
        // Named after the same address: told above.
        if !by_address.contains_key(*name) {
            report(group, &format!("named {name}"), true);
        }
    }
}
