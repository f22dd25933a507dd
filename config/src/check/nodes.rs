//! Nodes: names, addresses, identifiers. Their blocks: `blocks`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use starling_bgp::types::{Asn, Family, family_of};

use super::routing;
use crate::model::{Node, NodeAddress, default_tunnel_address, derived_router_id};
use crate::raw::{self, Raw};
use crate::source::{At, Problems};
use crate::value::RouterIds;

/// The nodes, one for each `[[node]]` and in the same order.
pub(super) fn check(raw: &Raw, asn: Asn, whole_file: At, problems: &mut Problems) -> Vec<Node> {
    if raw.nodes.is_empty() && !raw.refused.contains(&"[[node]]") {
        problems
            .error(whole_file, "there is no [[node]]")
            .expected("a [[node]] with name, address and blocks for each node of the cluster");
    }
    let ids = raw.cluster.as_ref().and_then(|cluster| cluster.router_id.value().copied());
    let ids = ids.unwrap_or(RouterIds::Address);
    let nodes: Vec<Node> =
        raw.nodes.iter().map(|node| build(raw, node, asn, ids, problems)).collect();
    names(raw, problems);
    unique_addresses(raw, problems);
    router_ids(raw, &nodes, problems);
    nodes
}

fn build(all: &Raw, raw: &raw::Node, asn: Asn, ids: RouterIds, problems: &mut Problems) -> Node {
    let name = raw.name.value().map_or_else(String::new, |name| name.0.clone());
    let addresses = addresses(raw, problems);
    let blocks: Vec<IpNet> =
        raw.blocks.value().into_iter().flatten().map(|block| block.value).collect();
    let v4 = addresses.iter().find_map(|a| match a.address {
        IpAddr::V4(v4) => Some(v4),
        IpAddr::V6(_) => None,
    });
    let router_id = match (raw.router_id.value(), ids, v4) {
        (Some(id), ..) => id.0,
        (None, RouterIds::Address, Some(v4)) => v4,
        (None, ..) => derived_router_id(&name),
    };
    let tunnel_address = match raw.tunnel_address.value() {
        Some(address) => Some(*address),
        None => default_tunnel_address(&blocks),
    };
    let labels = raw.labels.iter().map(|(k, v)| (k.value.clone(), v.value.clone())).collect();
    let asn = raw.asn.value().copied().unwrap_or(asn);
    let cluster_id = raw.cluster_id.value().map(|id| id.0);
    let (networks, aggregate) = routing::networks(all, raw, problems);
    Node {
        name,
        addresses,
        blocks,
        labels,
        asn,
        router_id,
        cluster_id,
        tunnel_address,
        networks,
        aggregate,
    }
}

fn addresses(raw: &raw::Node, problems: &mut Problems) -> Vec<NodeAddress> {
    let Some(list) = raw.addresses.get() else { return Vec::new() };
    if list.value.is_empty() {
        problems
            .error(list.at, "a node without an address")
            .expected("address = \"10.1.5.10\", or one of each family in an array");
    }
    let mut found: [Option<(NodeAddress, At)>; 2] = [None, None];
    for address in &list.value {
        let (value, at) = (address.value, address.at);
        let place = match (family_of(value.address), &mut found) {
            (Family::Ipv4, [v4, _]) => v4,
            (Family::Ipv6, [_, v6]) => v6,
        };
        if let Some((_, first)) = place {
            problems
                .error(at, "a second address of the same family")
                .expected("at most one IPv4 and one IPv6 address a node")
                .see(*first, "the first");
            continue;
        }
        match value.subnet {
            Some(net) if net.prefix_len() == net.max_prefix_len() => {
                problems
                    .warn(at, format!("with {net} no other node is on the node's subnet"))
                    .hint("leave the length out: it is then read from the interface");
            }
            _ => {}
        }
        if value.address.is_loopback() {
            problems.warn(at, "a loopback address: only this host can reach it");
        }
        *place = Some((NodeAddress { address: value.address, subnet: value.subnet }, at));
    }
    found.into_iter().flatten().map(|(address, _)| address).collect()
}

fn names(raw: &Raw, problems: &mut Problems) {
    // Host names know no case, and nodes are found by theirs.
    let mut seen: BTreeMap<String, At> = BTreeMap::new();
    for name in raw.nodes.iter().filter_map(|node| node.name.get()) {
        if let Some(first) = seen.get(&name.value.0.to_lowercase()) {
            problems
                .error(name.at, format!("a second node named {}", name.value.0))
                .expected("a name for each node (upper and lower case count as the same)")
                .see(*first, "the first");
        } else {
            seen.insert(name.value.0.to_lowercase(), name.at);
        }
    }
}

/// The name of a raw node for a message.
pub(super) fn called(node: &raw::Node) -> &str {
    node.name.value().map_or("a node without a name", |name| &name.0)
}

fn unique_addresses(raw: &Raw, problems: &mut Problems) {
    let mut seen: BTreeMap<IpAddr, (&raw::Node, At)> = BTreeMap::new();
    for node in &raw.nodes {
        for address in node.addresses.value().into_iter().flatten() {
            let (ip, at) = (address.value.address, address.at);
            match seen.get(&ip) {
                Some((other, _)) if std::ptr::eq(*other, node) => {}
                Some((other, first)) => {
                    problems
                        .error(at, format!("{ip} is also the address of {}", called(other)))
                        .expected("an address that no other node has")
                        .see(*first, called(other));
                }
                None => drop(seen.insert(ip, (node, at))),
            }
        }
    }
    let mut tunnels: BTreeMap<Ipv4Addr, (&raw::Node, At)> = BTreeMap::new();
    for node in &raw.nodes {
        let Some(tunnel) = node.tunnel_address.get() else { continue };
        let taken = seen.get(&IpAddr::V4(tunnel.value)).or_else(|| tunnels.get(&tunnel.value));
        if let Some((other, first)) = taken {
            problems
                .error(tunnel.at, format!("{} is taken by {}", tunnel.value, called(other)))
                .expected("a tunnel-address that nothing else has")
                .see(*first, called(other));
        }
        tunnels.insert(tunnel.value, (node, tunnel.at));
    }
}

fn router_ids(raw: &Raw, nodes: &[Node], problems: &mut Problems) {
    let mut seen: BTreeMap<Ipv4Addr, usize> = BTreeMap::new();
    for (index, (node, said)) in nodes.iter().zip(&raw.nodes).enumerate() {
        let Some(other) = seen.insert(node.router_id, index).and_then(|i| raw.nodes.get(i)) else {
            continue;
        };
        // Made from the same address or the same name: noted as that.
        let made = said.router_id.get().is_none() && other.router_id.get().is_none();
        let same = |a: &NodeAddress| nodes_share(a.address, other);
        if made && (called(said) == called(other) || node.addresses.iter().any(same)) {
            continue;
        }
        let at = said.router_id.get().map_or(said.at, |id| id.at);
        let message = format!(
            "{} and {} have the same BGP identifier {}",
            called(other),
            called(said),
            node.router_id
        );
        problems
            .error(at, message)
            .expected("an identifier of its own for each node (RFC 6286)")
            .hint("without router-id it is the IPv4 address, or made from the name")
            .see(other.router_id.get().map_or(other.at, |id| id.at), called(other));
    }
}

fn nodes_share(address: IpAddr, other: &raw::Node) -> bool {
    other.addresses.value().into_iter().flatten().any(|a| a.value.address == address)
}
