//! What `starlingd check FILE` says: who this node is and why, its neighbours, and how each other
//! node would be reached, for people ([`Display`](std::fmt::Display)) and programs (`Serialize`).
//!
//! It answers from the file and the host's interfaces alone, before anything runs; the running
//! daemon's answers come from the kernel.

mod reach;
mod text;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Serialize;
use starling_bgp::msg::Export;
use starling_bgp::policy::Policy;
use starling_bgp::types::PeerKind;
use starling_fib::types::Mode;

use crate::error::Problem;
use crate::identity::Chosen;
use crate::model::{Config, Node};
use crate::plan::{NodePlan, PeerPlan};
use crate::range::RangePlan;
use crate::transport::{Hops, Key};

pub use reach::{NodeReport, Way, WayTo};

/// What a node would do.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// The node's name.
    pub node: String,
    /// What says that this host is that node.
    pub because: Chosen,
    /// Its AS.
    pub asn: u32,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Its addresses and their subnets.
    pub addresses: Vec<AddressReport>,
    /// Its pod blocks.
    pub blocks: Vec<IpNet>,
    /// The pools: range and mode.
    pub pools: Vec<PoolReport>,
    /// Its tunnel device; `None`: no pool needs one.
    pub tunnel: Option<TunnelReport>,
    /// rtm_protocol of its routes.
    pub protocol: u8,
    /// Their table.
    pub table: u32,
    /// Their metric.
    pub metric: u32,
    /// The policies that say which of them there are; none: all.
    pub kernel_policy: Vec<String>,
    /// The hold time that it offers, in seconds.
    pub hold: u64,
    /// The port on which it listens for BGP.
    pub port: u16,
    /// The addresses on which it listens; `None`: all.
    pub listen: Option<Vec<IpAddr>>,
    /// The control socket.
    pub control: PathBuf,
    /// The group that may look, over the socket beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers: Option<String>,
    /// Its HTTP listeners.
    pub http: Vec<SocketAddr>,
    /// Its neighbours.
    pub peers: Vec<PeerReport>,
    /// Where others may call from.
    pub ranges: Vec<RangeReport>,
    /// The other nodes.
    pub nodes: Vec<NodeReport>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Problem>,
    /// The files read.
    pub files: Vec<PathBuf>,
}

/// An address of this node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AddressReport {
    /// The address.
    pub address: IpAddr,
    /// The interface that has it; `None`: none of this host.
    pub interface: Option<String>,
    /// Its subnet, if known.
    pub subnet: Option<IpNet>,
    /// The subnet is the file's, not the interface's.
    pub configured: bool,
}

/// A pool.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PoolReport {
    /// The range.
    pub cidr: IpNet,
    /// `always`, `cross-subnet` or `never`.
    pub ipip: String,
}

/// The tunnel device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TunnelReport {
    /// Its name.
    pub device: String,
    /// Its MTU; `None`: the underlay's less 20.
    pub mtu: Option<u32>,
    /// Its address; `None`: what is there is left.
    pub address: Option<Ipv4Addr>,
    /// Whether we make it and set it up.
    pub managed: bool,
}

/// A neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PeerReport {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// Its AS.
    pub asn: u32,
    /// `mesh`, `ibgp` or `ebgp`.
    pub kind: &'static str,
    /// `ipv4`, `ipv6`.
    pub families: Vec<String>,
    /// What may come: these and everything inside them.
    pub import: Vec<IpNet>,
    /// The same in words ("pools", "nothing").
    pub import_words: String,
    /// `own` or `all`.
    pub export: &'static str,
    /// What goes to it besides: "reflected", "default route".
    pub export_also: Vec<&'static str>,
    /// The policies whose rules are asked before `import`.
    pub import_policy: Vec<String>,
    /// The policies whose rules are asked before `export`.
    pub export_policy: Vec<String>,
    /// Our end of the session; `None`: what the kernel chooses.
    pub local_address: Option<IpAddr>,
    /// It is waited for, not called.
    pub passive: bool,
    /// The interface that the session is bound to.
    pub interface: Option<String>,
    /// `md5` or `tcp-ao`; `None`: segments are not signed.
    pub authentication: Option<&'static str>,
    /// `multihop N` or `ttl-security N`, if set.
    pub hops: Option<String>,
}

/// A range that neighbours may call from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RangeReport {
    /// The range.
    pub range: IpNet,
    /// So many neighbours of it at most.
    pub limit: usize,
    /// The AS numbers that they may have, in words.
    pub asns: String,
    /// What they have in common; `address` and `asn` are an example's.
    pub neighbors: PeerReport,
}

impl Report {
    /// What `node`, found by `because`, does. `interfaces`: the addresses on this host with
    /// their lengths, each with its interface's name.
    pub fn new(
        config: &Config,
        node: &Node,
        because: Chosen,
        interfaces: &[(String, IpNet)],
    ) -> Report {
        let plan = config.plan(node);
        let addresses: Vec<AddressReport> =
            node.addresses.iter().map(|own| address(own, interfaces)).collect();
        let others = config.nodes.iter().filter(|other| other.name != node.name);
        let nodes = others.map(|other| NodeReport::new(other, &addresses, &plan)).collect();
        let tunnelled = |p: &&starling_fib::types::Pool| p.mode != Mode::Never;
        let tunnel = plan.pools.iter().find(tunnelled).map(|_| TunnelReport {
            device: plan.fib.tunnel.device.clone(),
            mtu: plan.fib.tunnel.mtu,
            address: plan.fib.tunnel.address,
            managed: plan.fib.tunnel.manage,
        });
        let pools = plan.pools.iter();
        Report {
            because,
            asn: plan.asn.0,
            router_id: plan.router_id,
            addresses,
            blocks: plan.blocks.clone(),
            pools: pools.map(|p| PoolReport { cidr: p.cidr, ipip: p.mode.to_string() }).collect(),
            tunnel,
            protocol: plan.fib.protocol,
            table: plan.fib.table,
            metric: plan.fib.metric,
            kernel_policy: names(&plan.kernel_rules),
            hold: plan.timers.hold.as_secs(),
            port: plan.port,
            listen: plan.listen.clone(),
            peers: plan.peers.iter().map(|p| peer(p, &plan)).collect(),
            ranges: plan.ranges.iter().filter_map(|r| range(r, &plan)).collect(),
            nodes,
            warnings: config.warnings.clone(),
            files: config.files.clone(),
            node: plan.name,
            control: plan.control,
            readers: plan.readers,
            http: plan.http,
        }
    }
}

fn address(own: &crate::model::NodeAddress, interfaces: &[(String, IpNet)]) -> AddressReport {
    let found = interfaces.iter().find(|(_, net)| net.addr() == own.address);
    AddressReport {
        address: own.address,
        interface: found.map(|(name, _)| name.clone()),
        subnet: own.subnet.or(found.map(|(_, net)| net.trunc())),
        configured: own.subnet.is_some(),
    }
}

fn names(policy: &Policy) -> Vec<String> {
    policy.names().into_iter().map(str::to_owned).collect()
}

fn peer(peer: &PeerPlan, plan: &NodePlan) -> PeerReport {
    let within = &peer.import.within;
    let all_pools =
        !plan.pools.is_empty() && plan.pools.iter().all(|pool| within.contains(&pool.cidr));
    let pool = |net: &&IpNet| all_pools && plan.pools.iter().any(|pool| pool.cidr == **net);
    let mut words: Vec<String> = Vec::new();
    words.extend(all_pools.then(|| "pools".to_owned()));
    words.extend(within.iter().filter(|net| !pool(net)).map(|net| net.to_string()));
    PeerReport {
        name: peer.name.clone(),
        address: peer.address,
        port: peer.port,
        asn: peer.asn.0,
        kind: match (peer.node, peer.kind) {
            (true, _) => "mesh",
            (false, PeerKind::External) => "ebgp",
            (false, _) => "ibgp",
        },
        families: peer.families.iter().map(|family| family.to_string()).collect(),
        import: within.clone(),
        import_words: if words.is_empty() { "nothing".to_owned() } else { words.join(", ") },
        export: match peer.export {
            Export::Own => "own",
            Export::All => "all",
        },
        export_also: [
            peer.outward.client.then_some("reflected"),
            peer.outward.default_route.then_some("default route"),
        ]
        .into_iter()
        .flatten()
        .collect(),
        import_policy: names(&peer.import_rules),
        export_policy: names(&peer.export_rules),
        local_address: peer.local_address,
        passive: peer.passive,
        interface: peer.transport.interface.clone(),
        authentication: peer.transport.key.as_ref().map(|key| match key {
            Key::Md5(_) => "md5",
            Key::Ao(_) => "tcp-ao",
        }),
        hops: Some(peer.transport.hops).filter(|h| *h != Hops::Any).map(|h| h.to_string()),
    }
}

fn range(range: &RangePlan, plan: &NodePlan) -> Option<RangeReport> {
    Some(RangeReport {
        range: range.range.net,
        limit: range.range.limit,
        asns: range.range.asns.to_string(),
        neighbors: peer(range.template()?, plan),
    })
}
