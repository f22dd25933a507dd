//! What every kernel must hold once all is quiet, written the slow obvious way from the mode
//! table of the mission; it shares no code with what it judges.

use std::net::IpAddr;

use ipnet::IpNet;
use starling_fib::mem::Kernel;
use starling_fib::types::{KernelRoute, Kind, Mode};

use crate::cluster::Cluster;
use crate::network::NodeIx;
use crate::topology;

/// The rtm_protocol of our routes.
pub const PROTOCOL: u8 = 12;

/// A route, in the fields that the mode table speaks of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    pub prefix: IpNet,
    pub path: Path,
}

/// Where a route leads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Path {
    Blackhole,
    /// Announced, and no way there at the moment.
    Unreachable,
    Via {
        gateway: IpAddr,
        device: Device,
        onlink: bool,
    },
}

/// By name, whatever number it has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Device {
    Net0,
    Tunl0,
    Other(String),
}

/// The routes by which `node` reaches the pods of `other`.
pub fn routes_between(cluster: &Cluster, node: NodeIx, other: NodeIx) -> [Route; 2] {
    let [block4, block6] = topology::blocks(other);
    let (nh4, nh6) = (IpAddr::V4(topology::v4(other)), IpAddr::V6(topology::v6(other)));
    let (gw4, gw6) = topology::gateways(node);
    let (gw4, gw6) = (IpAddr::V4(gw4), IpAddr::V6(gw6));
    let clear = |gateway| Path::Via { gateway, device: Device::Net0, onlink: false };
    let tunnel = |gateway| Path::Via { gateway, device: Device::Tunl0, onlink: true };

    let same_subnet = topology::rack_mates(node, other);
    let path4 = match (cluster.nodes[node].settings.ipip, same_subnet) {
        (Mode::Always, true) => tunnel(nh4),
        (Mode::Always, false) => tunnel(nh4),
        (Mode::CrossSubnet, true) => clear(nh4),
        (Mode::CrossSubnet, false) => tunnel(nh4),
        (Mode::Never, true) => clear(nh4),
        (Mode::Never, false) => clear(gw4),
    };
    let path6 = if same_subnet { clear(nh6) } else { clear(gw6) };
    [Route { prefix: block4, path: path4 }, Route { prefix: block6, path: path6 }]
}

/// The routes that `node`'s kernel must hold, given who can be heard.
pub fn expected(cluster: &Cluster, node: NodeIx) -> Vec<Route> {
    let mut routes = Vec::new();
    if cluster.has_blocks(node) {
        for prefix in topology::blocks(node) {
            routes.push(Route { prefix, path: Path::Blackhole });
        }
    }
    for other in 0..cluster.nodes.len() {
        if other != node && cluster.hears(node, other) && cluster.has_blocks(other) {
            routes.extend(routes_between(cluster, node, other));
        }
    }
    // Where somebody else's route sits in our place, ours must not be.
    routes.retain(|route| !is_taken(&cluster.nodes[node].kernel, route.prefix));
    routes.sort_unstable();
    routes
}

/// The routes that `node`'s kernel may hold beside those, of daemons that are away.
fn may_hold(cluster: &Cluster, node: NodeIx) -> Vec<Route> {
    let others = (0..cluster.nodes.len()).filter(|other| cluster.may_keep(node, *other));
    others.flat_map(|other| routes_between(cluster, node, other)).collect()
}

/// Our routes that a kernel holds.
pub fn held(cluster: &Cluster, node: NodeIx) -> Vec<Route> {
    let kernel = &cluster.nodes[node].kernel;
    let ours = kernel.routes().filter(|route| route.protocol == PROTOCOL);
    let mut routes: Vec<Route> = ours.map(|route| read(kernel, route)).collect();
    routes.sort_unstable();
    routes
}

/// Whether `node` sends packets for the pods of `other` the right way now.
pub fn reaches(cluster: &Cluster, node: NodeIx, other: NodeIx) -> bool {
    let kernel = &cluster.nodes[node].kernel;
    routes_between(cluster, node, other).into_iter().all(|route| {
        let there = kernel.routes_to(route.prefix);
        let ours: Vec<&KernelRoute> = there.iter().filter(|r| r.protocol == PROTOCOL).collect();
        match ours.as_slice() {
            [only] => read(kernel, only) == route,
            [] => is_taken(kernel, route.prefix),
            _ => false,
        }
    })
}

/// Every kernel of a running node against the mode table; the differences, for people.
pub fn differences(cluster: &Cluster) -> Vec<String> {
    let mut differences = Vec::new();
    for node in (0..cluster.nodes.len()).filter(|node| cluster.runs(*node)) {
        let (want, have) = (expected(cluster, node), held(cluster, node));
        if want == have {
            continue;
        }
        let lacking = want.iter().filter(|route| !have.contains(route));
        let kept = may_hold(cluster, node);
        let surplus = have.iter().filter(|route| !want.contains(route) && !kept.contains(route));
        let twice = have.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]);
        differences.extend(lacking.map(|route| format!("node{node} lacks {route:?}")));
        differences.extend(surplus.map(|route| format!("node{node} has {route:?}")));
        differences.extend(twice.map(|route| format!("node{node} has twice {route:?}")));
    }
    differences
}

fn is_taken(kernel: &Kernel, prefix: IpNet) -> bool {
    kernel.routes_to(prefix).iter().any(|route| route.protocol != PROTOCOL)
}

fn read(kernel: &Kernel, route: &KernelRoute) -> Route {
    let device = |index| match kernel.links().find(|link| link.index == index) {
        Some(link) if link.name == "net0" => Device::Net0,
        Some(link) if link.name == "tunl0" => Device::Tunl0,
        other => Device::Other(format!("{other:?}")),
    };
    let path = match (route.kind, route.hops.as_slice()) {
        (Kind::Blackhole, []) => Path::Blackhole,
        (Kind::Unreachable, []) => Path::Unreachable,
        (Kind::Unicast, [hop]) => Path::Via {
            gateway: hop.gateway.expect("ours have gateways"),
            device: device(hop.device),
            onlink: hop.onlink,
        },
        (kind, hops) => panic!("{}: {kind:?} with {hops:?}", route.key.prefix),
    };
    Route { prefix: route.key.prefix, path }
}
