//! The nodes of the cluster as seen from this one: how their pods are reached, and why.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use starling_bgp::rib::show::RouteFilter;
use starling_bgp::types::PeerId;
use starling_fib::Fib;
use starling_fib::types::NextHop;

use super::{Refusal, View, reached, stopping};
use crate::api::{How, Node, PeerSummary, Reach, Reached};
use crate::daemon::bridge;
use crate::daemon::roster::Roster;

/// Routes looked at in one question to the Rib.
const CHUNK: usize = 1024;

/// What a node announces and we use, by the node's name: the block, and its next hop.
type Blocks = BTreeMap<String, Vec<(IpNet, NextHop)>>;

/// A node that is looked at.
struct Other {
    name: String,
    address: IpAddr,
    blocks: Vec<(IpNet, NextHop)>,
}

impl View {
    pub(super) async fn all_nodes(&self) -> Result<Vec<Node>, Refusal> {
        let roster = self.roster();
        let sessions = self.peer_summaries(&roster).await?;
        let sessions: BTreeMap<IpAddr, PeerSummary> =
            sessions.into_iter().map(|peer| (peer.address, peer)).collect();
        let mut blocks = self.blocks_in_use(&roster).await?;
        let mut asked: Vec<Other> = Vec::new();
        for (plan, _) in roster.peers.iter().filter(|(plan, _)| plan.node) {
            let blocks = blocks.remove(&plan.name).unwrap_or_default();
            asked.push(Other { name: plan.name.clone(), address: plan.address, blocks });
        }
        // Those that only a reflector speaks for.
        for node in roster.config.nodes.iter().filter(|node| node.name != roster.plan.name) {
            if let (Some(blocks), Some(own)) = (blocks.remove(&node.name), node.addresses.first()) {
                asked.push(Other { name: node.name.clone(), address: own.address, blocks });
            }
        }
        let pools: Vec<IpNet> = roster.plan.pools.iter().map(|pool| pool.cidr).collect();
        let answer = self.fib.ask(move |fib| -> Vec<Node> {
            asked.iter().map(|other| node(fib, other, &pools)).collect()
        });
        let mut nodes = vec![self.this_node(&roster.plan)];
        for mut node in answer.await.ok_or_else(stopping)? {
            if let Some(session) = sessions.get(&node.address) {
                node.session = Some(session.state);
                node.since_s = Some(session.since_s);
                node.reason.clone_from(&session.reason);
            }
            nodes.push(node);
        }
        for node in &mut nodes {
            let mut configured = roster.config.nodes.iter();
            if let Some(known) = configured.find(|known| known.name == node.name) {
                node.labels.clone_from(&known.labels);
            }
        }
        nodes.sort_by_key(|node| node.address);
        Ok(nodes)
    }

    fn this_node(&self, plan: &starling_config::NodePlan) -> Node {
        let address = plan.addresses.first().map(|own| own.address);
        Node {
            name: plan.name.clone(),
            address: address.unwrap_or_else(|| plan.router_id.into()),
            reach: Reach::Local,
            through: None,
            why: "this node".to_owned(),
            session: None,
            since_s: None,
            reason: None,
            labels: BTreeMap::new(),
            blocks: plan.blocks.clone(),
            warning: None,
        }
    }

    /// A block is that of the node whose address is its next hop, else of the node that announced it.
    async fn blocks_in_use(&self, roster: &Roster) -> Result<Blocks, Refusal> {
        let nodes = roster.config.nodes.iter();
        let addresses = nodes.flat_map(|n| n.addresses.iter().map(|own| (own.address, &n.name)));
        let by_address: BTreeMap<IpAddr, &String> = addresses.collect();
        let peers = roster.peers.iter().filter(|(plan, _)| plan.node);
        let by_peer: BTreeMap<PeerId, &String> =
            peers.map(|(plan, handle)| (handle.id, &plan.name)).collect();
        let mut blocks = Blocks::new();
        let mut cursor = None;
        loop {
            let question = RouteFilter::default();
            let answer = self.rib.ask(move |rib| rib.routes(&question, cursor, CHUNK)).await;
            let (routes, next) = answer.ok_or_else(stopping)?;
            for route in routes {
                for path in route.paths.iter().filter(|path| path.best) {
                    let Some(next_hop) = path.next_hop else { continue };
                    let of = by_address.get(&next_hop.address).or_else(|| by_peer.get(&path.peer));
                    if let Some(name) = of {
                        let block = (route.prefix, bridge::next_hop(next_hop));
                        blocks.entry((*name).clone()).or_default().push(block);
                    }
                }
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(blocks),
            }
        }
    }
}

/// A node that has announced nothing is judged by what its pods would be: the pools.
fn node(fib: &Fib, other: &Other, pools: &[IpNet]) -> Node {
    let Other { name, address, blocks } = other;
    let supposed = || {
        let same_family = |pool: &&IpNet| pool.addr().is_ipv4() == address.is_ipv4();
        pools.iter().filter(same_family).map(|pool| (*pool, (*address).into())).collect()
    };
    let asked: Vec<(IpNet, NextHop)> = if blocks.is_empty() { supposed() } else { blocks.to_vec() };
    let mut ways: Vec<Reached> = Vec::new();
    for (prefix, next_hop) in asked {
        let way = reached::reached(&fib.resolution_of(prefix, next_hop));
        if !ways.contains(&way) {
            ways.push(way);
        }
    }
    let reach = match ways.as_slice() {
        [] => Reach::Unreachable,
        [first, rest @ ..] if rest.iter().all(|way| way.how == first.how) => kind(first.how),
        _ => Reach::Mixed,
    };
    let through = ways.first().and_then(|way| {
        way.gateway.map(|gateway| gateway.to_string()).or_else(|| way.device.clone())
    });
    let whys: Vec<&str> = ways.iter().map(|way| way.why.as_str()).collect();
    Node {
        name: name.clone(),
        address: *address,
        reach,
        through,
        why: if whys.is_empty() { "no pool is configured".to_owned() } else { whys.join("; ") },
        session: None,
        since_s: None,
        reason: None,
        labels: BTreeMap::new(),
        blocks: blocks.iter().map(|(prefix, _)| *prefix).collect(),
        warning: ways.iter().find_map(|way| way.warning.clone()),
    }
}

fn kind(how: How) -> Reach {
    match how {
        How::Direct => Reach::Direct,
        How::Tunnel => Reach::Tunnel,
        How::Gateway => Reach::Gateway,
        How::Blackhole | How::Local => Reach::Local,
        How::Unreachable => Reach::Unreachable,
    }
}
