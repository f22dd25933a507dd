//! How another node's pods would be reached: the mode table of `starling_fib`, the one that the
//! daemon asks, here with subnets from the file and the host's interfaces.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;
use starling_bgp::types::family_of;
use starling_fib::resolve::{Class, Path, path_of};
use starling_fib::types::Mode;
use starling_fib::underlay::{Subnet, SubnetSource};

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
    /// How its blocks are reached: one entry for all that are reached alike.
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
        let mut ways: BTreeMap<(Class, Option<IpNet>), WayTo> = BTreeMap::new();
        for block in &other.blocks {
            // The class of IPv6 names no pool (no mode applies); people still want to see it.
            let around = plan.pools.iter().map(|pool| pool.cidr).filter(|p| p.contains(block));
            let pool = around.max_by_key(|pool| pool.prefix_len());
            let class = Class::of(*block, &plan.pools);
            let way = ways.entry((class, pool)).or_insert_with(|| {
                let family = family_of(block.addr());
                let next_hop = other.address(family);
                let mine = own.iter().find(|a| family_of(a.address) == family);
                let (way, why) = match (next_hop, mine) {
                    (Some(next_hop), Some(mine)) => judge(next_hop, class, mine, plan),
                    _ => (Way::Never, format!("one of the two nodes has no {family} address")),
                };
                WayTo { pool, blocks: Vec::new(), next_hop, way, why }
            });
            way.blocks.push(*block);
        }
        let addresses = other.addresses.iter().map(|a| a.address).collect();
        NodeReport { name: other.name.clone(), addresses, ways: ways.into_values().collect() }
    }
}

fn judge(next_hop: IpAddr, class: Class, mine: &AddressReport, plan: &NodePlan) -> (Way, String) {
    let subnet = mine.subnet();
    let (path, why) = path_of(class, next_hop, subnet.as_ref());
    let always = class.pool.is_some_and(|pool| pool.mode == Mode::Always);
    match (path, &subnet) {
        (Path::Tunnel, _) if always => (Way::Tunnel, why),
        (_, None) => {
            let own = mine.address;
            (Way::Unknown, format!("it depends on the subnet of {own}, which is not on this host"))
        }
        (Path::Tunnel, Some(_)) => (Way::Tunnel, why),
        (Path::Direct, Some(_)) => (Way::Direct, why),
        (Path::Gateway, Some(subnet)) => (Way::Gateway, format!("{why}: {}", doubt(subnet, plan))),
    }
}

/// What may be wrong with a way through a gateway: network D's disease, before it breaks out.
fn doubt(subnet: &Subnet, plan: &NodePlan) -> String {
    let near = |address| subnet.net.contains(&IpNet::from(address));
    let routers = plan.peers.iter().filter(|peer| !peer.node && near(peer.address));
    let routers: Vec<&str> = routers.map(|peer| peer.name.as_str()).collect();
    match routers.is_empty() {
        true => "no BGP router is on the subnet, so the gateway must know the pods anyhow".into(),
        false => format!("it works if the gateway is {}", routers.join(" or ")),
    }
}

impl AddressReport {
    fn subnet(&self) -> Option<Subnet> {
        let source = match (self.configured, &self.interface) {
            (true, _) => SubnetSource::Configured,
            (false, Some(name)) => SubnetSource::Interface(name.clone()),
            (false, None) => return None,
        };
        self.subnet.map(|net| Subnet { net, source })
    }
}
