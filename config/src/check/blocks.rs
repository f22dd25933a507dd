//! Pod blocks: inside a pool, apart from each other, clear of the nodes' own addresses.
//!
//! An overlap would be no error to BGP, only traffic to the wrong node; here it is one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use starling_bgp::types::Family;
use starling_fib::types::Pool;

use super::nodes::called;
use crate::model::Node;
use crate::raw::{self, Raw};
use crate::source::{At, Problems, Sp};

pub(super) fn check(raw: &Raw, nodes: &[Node], pools: &[Pool], problems: &mut Problems) {
    for (said, node) in raw.nodes.iter().zip(nodes) {
        for block in said.blocks.value().into_iter().flatten() {
            one(block, said, node, problems);
        }
    }
    outside(raw, pools, problems);
    overlaps(raw, problems);
    addresses_inside(raw, pools, problems);
    tunnel_addresses(raw, problems);
}

/// Whether no host could have an address in `net`.
pub(super) fn no_unicast(net: IpNet) -> bool {
    match net {
        IpNet::V4(v4) => {
            let first = v4.network();
            first.is_multicast() || first.is_loopback() || first.octets().starts_with(&[0])
        }
        IpNet::V6(v6) => {
            let first = v6.network();
            first.is_multicast() || first.is_loopback() || first.is_unicast_link_local()
        }
    }
}

fn one(block: &Sp<IpNet>, said: &raw::Node, node: &Node, problems: &mut Problems) {
    let (net, at) = (block.value, block.at);
    if no_unicast(net) {
        problems
            .error(at, format!("block {net} holds no addresses that a pod could have"))
            .expected("a part of a pool");
    }
    let family = match net {
        IpNet::V4(_) => Family::Ipv4,
        IpNet::V6(_) => Family::Ipv6,
    };
    // Without an address readable there is already an error, and it may be of this family.
    if !node.addresses.is_empty() && node.address(family).is_none() {
        let (name, block_family) =
            (called(said), if family == Family::Ipv4 { "IPv4" } else { "IPv6" });
        problems
            .error(at, format!("{name} has an {block_family} block but no {block_family} address"))
            .expected("an address of that family: it is the next hop of the block");
    }
}

fn outside(raw: &Raw, pools: &[Pool], problems: &mut Problems) {
    // Without pools there is a warning about just that; a pool that could not be read may be
    // the one that is missed.
    if raw.pools.is_empty() || pools.len() < raw.pools.len() {
        return;
    }
    for node in &raw.nodes {
        for block in node.blocks.value().into_iter().flatten() {
            if pools.iter().any(|pool| pool.cidr.contains(&block.value)) {
                continue;
            }
            let list: Vec<String> = pools.iter().map(|pool| pool.cidr.to_string()).collect();
            problems
                .error(block.at, format!("block {} is in no pool", block.value))
                .expected(format!("a part of {}", list.join(" or ")))
                .hint("other nodes accept routes inside the pools only");
        }
    }
}

fn overlaps(raw: &Raw, problems: &mut Problems) {
    let mut blocks: Vec<(IpNet, At, &raw::Node)> = raw
        .nodes
        .iter()
        .flat_map(|node| {
            let blocks = node.blocks.value().into_iter().flatten();
            blocks.map(move |block| (block.value, block.at, node))
        })
        .collect();
    // Shorter before longer at the same address: what encloses comes first.
    blocks.sort_by_key(|(net, at, _)| (*net, *at));
    let mut enclosing: Vec<(IpNet, At, &raw::Node)> = Vec::new();
    for block in blocks {
        while enclosing.last().is_some_and(|(outer, ..)| !outer.contains(&block.0)) {
            enclosing.pop();
        }
        if let Some(outer) = enclosing.last() {
            // Told at the one that came later in the files.
            let (first, later) = if outer.1 < block.1 { (outer, &block) } else { (&block, outer) };
            let message = match first.0 == later.0 {
                true => format!("block {} is also a block of {}", later.0, called(first.2)),
                false => format!("block {} overlaps {} of {}", later.0, first.0, called(first.2)),
            };
            problems
                .error(later.1, message)
                .expected("blocks that no other node has a part of")
                .see(first.1, format!("{} of {}", first.0, called(first.2)));
        }
        enclosing.push(block);
    }
}

/// Blocks of all nodes by their first address, to find the one that holds an address.
fn by_address(raw: &Raw) -> BTreeMap<IpAddr, (IpNet, At, &raw::Node)> {
    let blocks = raw.nodes.iter().flat_map(|node| {
        let blocks = node.blocks.value().into_iter().flatten();
        blocks.map(move |b| (b.value.network(), (b.value, b.at, node)))
    });
    blocks.collect()
}

fn holder<'a, 'r>(
    blocks: &'a BTreeMap<IpAddr, (IpNet, At, &'r raw::Node)>,
    address: IpAddr,
) -> Option<&'a (IpNet, At, &'r raw::Node)> {
    let (_, found) = blocks.range(..=address).next_back()?;
    found.0.contains(&address).then_some(found)
}

/// A node in a block would be dropped into the block's blackhole; in a pool it is only odd.
fn addresses_inside(raw: &Raw, pools: &[Pool], problems: &mut Problems) {
    let blocks = by_address(raw);
    let mut told = vec![false; pools.len()];
    for node in &raw.nodes {
        for address in node.addresses.value().into_iter().flatten() {
            let (ip, at) = (address.value.address, address.at);
            if let Some((net, block_at, _)) = holder(&blocks, ip) {
                problems
                    .error(
                        *block_at,
                        format!("block {net} holds the address {ip} of {}", called(node)),
                    )
                    .expected("addresses of pods only")
                    .see(at, called(node));
                continue;
            }
            for (pool, told) in pools.iter().zip(&mut told) {
                // A pool of everything is already an error.
                if !*told && pool.cidr.prefix_len() > 0 && pool.cidr.contains(&ip) {
                    *told = true;
                    problems
                        .warn(at, format!("{ip} lies in pool {}", pool.cidr))
                        .hint("pools are for pods: routes inside them are accepted from all nodes");
                }
            }
        }
    }
}

fn tunnel_addresses(raw: &Raw, problems: &mut Problems) {
    let blocks = by_address(raw);
    for node in &raw.nodes {
        let Some(tunnel) = node.tunnel_address.get() else { continue };
        match holder(&blocks, IpAddr::V4(tunnel.value)) {
            Some((_, _, owner)) if std::ptr::eq(*owner, node) => {}
            Some((net, at, owner)) => {
                let message = format!("{} lies in block {net} of {}", tunnel.value, called(owner));
                problems
                    .error(tunnel.at, message)
                    .expected("an address in a block of the same node")
                    .see(*at, called(owner));
            }
            None => {
                problems
                    .warn(
                        tunnel.at,
                        format!("{} lies in no block of {}", tunnel.value, called(node)),
                    )
                    .hint("nobody has a route back to it; take an address of a block of the node");
            }
        }
    }
}
