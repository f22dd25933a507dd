//! What every kernel must hold once all is quiet, written the slow obvious way from the mode
//! table; it shares no code with what it judges.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use starling_fib::types::{KernelRoute, Kind};

use crate::cluster::Cluster;
use crate::network::NodeIx;
use crate::topology;

/// A route, in the fields that the mode table speaks of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Expected {
    Blackhole(IpNet),
    Via { prefix: IpNet, gateway: IpAddr, device: String, onlink: bool },
}

/// The routes that `node`'s kernel must hold, given who can be heard.
pub fn expected(cluster: &Cluster, node: NodeIx, ipip: &str) -> BTreeSet<Expected> {
    let mut routes = BTreeSet::new();
    for other in 0..cluster.nodes.len() {
        let heard = cluster.runs(other) && cluster.network.passes(node, other);
        let [block4, block6] = topology::blocks(other);
        if other == node {
            routes.insert(Expected::Blackhole(block4));
            routes.insert(Expected::Blackhole(block6));
        } else if heard {
            let mate = topology::rack_mates(node, other);
            let (gw4, gw6) = topology::gateways(node);
            let (nh4, nh6) = (topology::v4(other), topology::v6(other));
            let nic = "net0".to_owned();
            let tunnel = Expected::Via {
                prefix: block4,
                gateway: nh4.into(),
                device: "tunl0".into(),
                onlink: true,
            };
            let clear = |prefix, gateway: IpAddr| Expected::Via {
                prefix,
                gateway,
                device: nic.clone(),
                onlink: false,
            };
            routes.insert(match (ipip, mate) {
                ("always", _) | ("cross-subnet", false) => tunnel,
                ("cross-subnet" | "never", true) => clear(block4, nh4.into()),
                ("never", false) => clear(block4, gw4.into()),
                (other, _) => panic!("no such mode: {other}"),
            });
            routes.insert(clear(block6, if mate { nh6.into() } else { gw6.into() }));
        }
    }
    routes
}

/// Our routes that a kernel holds.
pub fn held(cluster: &Cluster, node: NodeIx) -> BTreeSet<Expected> {
    let dump = cluster.nodes[node].kernel.dump();
    let name = |index| {
        dump.links.iter().find(|link| link.index == index).map_or("?".into(), |l| l.name.clone())
    };
    let ours = dump.routes.iter().filter(|route| route.protocol == 12);
    ours.map(|route| match (route.kind, route.hops.as_slice()) {
        (Kind::Blackhole, _) => Expected::Blackhole(route.key.prefix),
        (_, [hop]) => Expected::Via {
            prefix: route.key.prefix,
            gateway: hop.gateway.expect("ours have gateways"),
            device: name(hop.device),
            onlink: hop.onlink,
        },
        (kind, hops) => panic!("{}: {kind:?} with {hops:?}", route.key.prefix),
    })
    .collect()
}

/// What others put there.
pub fn foreign(cluster: &Cluster, node: NodeIx) -> Vec<KernelRoute> {
    let routes = cluster.nodes[node].kernel.dump().routes;
    routes.into_iter().filter(|route| route.protocol != 12).collect()
}

/// Every kernel of a running node against the mode table; the differences, for people.
pub fn differences(cluster: &Cluster, ipip: &str) -> Vec<String> {
    let mut differences = Vec::new();
    for node in (0..cluster.nodes.len()).filter(|node| cluster.runs(*node)) {
        let (want, have) = (expected(cluster, node, ipip), held(cluster, node));
        differences.extend(want.difference(&have).map(|r| format!("node{node} lacks {r:?}")));
        differences.extend(have.difference(&want).map(|r| format!("node{node} has {r:?}")));
    }
    differences
}
