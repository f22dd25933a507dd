//! How another node's pods would be reached: the mode table, asked of the file and the host's
//! interfaces instead of the kernel.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use starling_bgp::types::{Family, family_of};
use starling_fib::types::{Mode, Pool};

use super::AddressReport;
use crate::model::Node;
use crate::plan::NodePlan;

/// Another node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// How its blocks are reached, one entry a pool (or block outside every pool).
    pub ways: Vec<WayTo>,
}

/// How a node's blocks of one pool are reached.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WayTo {
    /// The pool; `None`: the block lies in none.
    pub pool: Option<IpNet>,
    /// The blocks.
    pub blocks: Vec<IpNet>,
    /// The node's address: the next hop.
    pub next_hop: Option<IpAddr>,
    /// How.
    pub way: Way,
    /// Why, in words.
    pub why: String,
}

/// How a next hop is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// Straight to it: it is on the same subnet.
    Direct,
    /// Encapsulated.
    Tunnel,
    /// Through the gateway that the kernel's table gives, which may not know the pods.
    Gateway,
    /// It depends on the subnet, which is not known.
    Unknown,
    /// Not at all.
    Never,
}

impl NodeReport {
    /// How `other` is reached from a node with these addresses.
    pub(super) fn new(other: &Node, own: &[AddressReport], plan: &NodePlan) -> NodeReport {
        let mut ways: Vec<WayTo> = Vec::new();
        for block in &other.blocks {
            let pool = longest(&plan.pools, *block);
            let cidr = pool.map(|pool| pool.cidr);
            let family = family_of(block.addr());
            let known = ways.iter_mut().find(|way| {
                way.pool == cidr && way.blocks.iter().all(|b| family_of(b.addr()) == family)
            });
            match known {
                Some(way) => way.blocks.push(*block),
                None => ways.push(way(other, *block, pool, own, plan)),
            }
        }
        let addresses = other.addresses.iter().map(|a| a.address).collect();
        NodeReport { name: other.name.clone(), addresses, ways }
    }
}

/// The pool that decides about a prefix: the longest that contains it.
fn longest(pools: &[Pool], prefix: IpNet) -> Option<&Pool> {
    let around = pools.iter().filter(|pool| pool.cidr.contains(&prefix));
    around.max_by_key(|pool| pool.cidr.prefix_len())
}

fn way(
    other: &Node,
    block: IpNet,
    pool: Option<&Pool>,
    own: &[AddressReport],
    plan: &NodePlan,
) -> WayTo {
    let family = family_of(block.addr());
    let next_hop = other.address(family);
    let mine = own.iter().find(|a| family_of(a.address) == family);
    let (way, why) = match (next_hop, mine) {
        (Some(next_hop), Some(mine)) => judge(next_hop, pool, mine, plan),
        _ => (Way::Never, format!("one of the two nodes has no {family} address")),
    };
    WayTo { pool: pool.map(|pool| pool.cidr), blocks: vec![block], next_hop, way, why }
}

fn judge(
    next_hop: IpAddr,
    pool: Option<&Pool>,
    mine: &AddressReport,
    plan: &NodePlan,
) -> (Way, String) {
    let device = mine.interface.as_deref().unwrap_or("an interface that is not on this host");
    let same = mine.subnet.map(|subnet| (subnet, subnet.contains(&next_hop)));
    let where_it_is = match same {
        Some((subnet, inside)) => {
            let lies = if inside { "is in" } else { "is outside" };
            let source = if mine.configured { "as configured" } else { device };
            format!("{next_hop} {lies} {subnet} ({source})")
        }
        None => format!("the subnet is unknown: {} is on no interface here", mine.address),
    };
    let v4 = family_of(next_hop) == Family::Ipv4;
    let mode = pool.map(|pool| pool.mode).filter(|_| v4);
    let said = match (pool, mode) {
        (Some(_), Some(mode)) => format!("ipip is {mode}"),
        (Some(_), None) => "there is no IPIP for IPv6".to_owned(),
        (None, _) => "no pool holds the block".to_owned(),
    };
    let inside = same.map(|(_, inside)| inside);
    let way = match (mode, inside) {
        (Some(Mode::Always), _) | (Some(Mode::CrossSubnet), Some(false)) => Way::Tunnel,
        (_, Some(true)) => Way::Direct,
        (_, Some(false)) => Way::Gateway,
        (_, None) => Way::Unknown,
    };
    let why = match way {
        Way::Tunnel if mode == Some(Mode::Always) => said,
        Way::Gateway => {
            let near = |address| mine.subnet.is_some_and(|subnet| subnet.contains(&address));
            let routers = plan.peers.iter().filter(|peer| !peer.node && near(peer.address));
            let routers: Vec<&str> = routers.map(|peer| peer.name.as_str()).collect();
            let gateway = match routers.is_empty() {
                true => "no BGP router on the subnet, so its gateway cannot know the pods".into(),
                false => format!("it works if the gateway is {}", routers.join(" or ")),
            };
            format!("{where_it_is}, {said}: {gateway}")
        }
        _ => format!("{where_it_is}, {said}"),
    };
    (way, why)
}
