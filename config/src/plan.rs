//! What one node makes of the configuration: typed values for the BGP and Fib actors.
//!
//! Defaults are filled in here, and the rules of who may say what (RFC 8212): from the mesh and
//! from iBGP routers what lies in the pools, from eBGP routers nothing but their `import`, from
//! nobody our own blocks; to everybody own blocks, and more only where `export = "all"`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use starling_bgp::msg::{Export, IsolationRule, Originated, PeerPolicy, RibConfig};
use starling_bgp::policy::{ImportPolicy, Policy};
use starling_bgp::session::PeerConfig;
use starling_bgp::types::{Asn, Families, Family, PeerId, PeerKind, family_of};
use starling_fib::types::{Ends, FibConfig, Pool, TunnelConfig};

use crate::metrics::PerPeer;
use crate::model::{Bfd, Config, Local, Node, NodeAddress, Peer, Timers};
use crate::outward::Outward;
use crate::policy::{Compiler, Names, Neighbor};
use crate::range::{Range, RangePlan};
use crate::routing::{Allowance, Choice, originated};
use crate::session::Session;
use crate::transport::Transport;
use crate::value::link_local;

/// What one node does.
#[derive(Clone, PartialEq, Debug)]
pub struct NodePlan {
    /// The node's name.
    pub name: String,
    /// Its addresses, IPv4 first.
    pub addresses: Vec<NodeAddress>,
    /// Its AS.
    pub asn: Asn,
    /// Its BGP identifier.
    pub router_id: Ipv4Addr,
    /// Its pod blocks.
    pub blocks: Vec<IpNet>,
    /// Networks that it announces beside them.
    pub networks: Vec<Originated>,
    /// Blocks that fill a shorter prefix are announced as that.
    pub aggregate: bool,
    /// How it chooses routes.
    pub choice: Choice,
    /// The pools.
    pub pools: Vec<Pool>,
    /// Its neighbours: first the other nodes, then the routers, each in the order of the file.
    /// No two have the same address.
    pub peers: Vec<PeerPlan>,
    /// Where others may call from: its neighbours while they do.
    pub ranges: Vec<RangePlan>,
    /// Its CLUSTER_ID, if it reflects.
    pub cluster_id: Option<Ipv4Addr>,
    /// When it takes itself to be cut off; `None`: never.
    pub isolation: Option<IsolationRule>,
    /// How it programs its kernel.
    pub fib: FibConfig,
    /// Rules for what enters the kernel.
    pub kernel_rules: Arc<Policy>,
    /// Timers; those of sessions are in `peers` too.
    pub timers: Timers,
    /// The network namespace that it works in; `None`: that in which it is started.
    pub netns: Option<PathBuf>,
    /// Where the read-only HTTP listeners are; empty: none.
    pub http: Vec<SocketAddr>,
    /// Whether metrics are told neighbour by neighbour.
    pub per_peer: PerPeer,
    /// The control socket.
    pub control: PathBuf,
    /// The group that may look, over `read.sock` beside it; `None`: there is no such socket.
    pub readers: Option<String>,
    /// Where BIRD's control sockets are imitated (IPv4, IPv6); `None`: not at all.
    pub bird: [Option<PathBuf>; 2],
    /// The port to listen on for BGP.
    pub port: u16,
    /// The addresses to listen on; `None`: all of the host.
    pub listen: Option<Vec<IpAddr>>,
}

/// What tells neighbours apart, also across reloads: the address, and where that is link-local
/// the interface.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey {
    /// The address.
    pub address: IpAddr,
    /// The interface of a link-local one; `None` for all others.
    pub interface: Option<String>,
}

/// Where those may look who may not steer: beside the control socket.
pub fn readers_socket(control: &Path) -> PathBuf {
    control.with_file_name("read.sock")
}

/// One neighbour of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerPlan {
    /// Name for people.
    pub name: String,
    /// What it is to us.
    pub kind: PeerKind,
    /// It is another node (also where it has an AS of its own, and `kind` is `External`).
    pub node: bool,
    /// Every node has it, by the mesh or by a `[[peer]]` for all.
    pub everywhere: bool,
    /// The range that it called from; `None`: the file names it.
    pub range: Option<IpNet>,
    /// Its address.
    pub address: IpAddr,
    /// Its port.
    pub port: u16,
    /// The AS it must have.
    pub asn: Asn,
    /// Our AS.
    pub local_asn: Asn,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// Our end of the session; `None`: what the kernel chooses.
    pub local_address: Option<IpAddr>,
    /// Wait to be called.
    pub passive: bool,
    /// How its connection is made and protected.
    pub transport: Transport,
    /// What it may do.
    pub allowance: Allowance,
    /// What its session is to be.
    pub session: Session,
    /// Families that we offer.
    pub families: Families,
    /// Hold time that we offer.
    pub hold: Duration,
    /// Mean time between attempts to connect.
    pub connect_retry: Duration,
    /// What may come from it.
    pub import: Arc<ImportPolicy>,
    /// Rules for what comes.
    pub import_rules: Arc<Policy>,
    /// What goes to it beside own blocks.
    pub export: Export,
    /// Rules for what goes.
    pub export_rules: Arc<Policy>,
    /// BFD with it; `None`: off. Many sessions go slower than configured
    /// ([`starling_bgp::bfd::paced`]).
    pub bfd: Option<Bfd>,
    /// What goes to it and how.
    pub outward: Outward,
    /// Our CLUSTER_ID, if we reflect.
    pub cluster_id: Option<Ipv4Addr>,
}

impl PeerPlan {
    /// What tells it from others.
    pub fn key(&self) -> PeerKey {
        PeerKey::new(self.address, self.transport.interface.as_deref())
    }

    /// Its session's two ends, for the kernel's side.
    pub fn ends(&self) -> Ends {
        let interface = self.transport.interface.clone();
        Ends { peer: self.address, interface, local: self.local_address }
    }

    /// It, with the rules of these policies.
    fn with(self, names: &Names, policies: &Compiler<'_>) -> PeerPlan {
        let to = Some(Neighbor { name: &self.name, kind: self.kind, node: self.node });
        let import_rules = policies.policy(&names.import, to);
        let export_rules = policies.policy(&names.export, to);
        PeerPlan { import_rules, export_rules, ..self }
    }

    /// The settings of its session. `id` is the number that the daemon gave the neighbour.
    pub fn peer_config(&self, id: PeerId) -> PeerConfig {
        PeerConfig {
            id,
            name: self.name.clone(),
            kind: self.kind,
            address: self.address,
            local_asn: self.local_asn,
            asn: self.asn,
            router_id: self.router_id,
            local_address: self.local_address,
            passive: self.passive,
            families: self.families,
            hold: self.hold,
            connect_retry: self.connect_retry,
            idle_hold: self.session.idle_hold,
            send_hold: self.session.send_hold,
            offer: self.session.offer.clone(),
            allow_own_as: self.session.allow_own_as,
            first_as: self.session.first_as,
            cluster_id: self.cluster_id,
        }
    }

    /// What may come from it and what goes to it.
    pub fn policy(&self) -> PeerPolicy {
        PeerPolicy {
            name: self.name.clone(),
            import: Arc::clone(&self.import),
            export: self.export,
            import_rules: Arc::clone(&self.import_rules),
            export_rules: Arc::clone(&self.export_rules),
            families: self.families,
            client: self.outward.client,
            next_hop: self.outward.next_hop,
            best_external: self
                .outward
                .best_external
                .unwrap_or(self.kind.is_internal() && self.export == Export::All),
            default_route: self.outward.default_route,
            drain: self.outward.drain,
            limits: self.allowance.limits,
            blackhole: self.allowance.blackhole,
            add_path: self.session.paths_sent(),
        }
    }
}

impl NodePlan {
    /// The settings of the Rib. `ids` gives each neighbour's number; one without a number gets
    /// and gives nothing.
    pub fn rib_config(&self, ids: impl Fn(&PeerPlan) -> Option<PeerId>) -> RibConfig {
        RibConfig {
            asn: self.asn,
            router_id: self.router_id,
            cluster_id: self.cluster_id,
            originate: originated(&self.blocks, &self.networks, self.aggregate),
            addresses: self.addresses.iter().map(|a| a.address).collect(),
            peers: self.peers.iter().filter_map(|peer| Some((ids(peer)?, peer.policy()))).collect(),
            settle: self.timers.settle,
            kernel_rules: Arc::clone(&self.kernel_rules),
            max_paths: self.choice.max_paths,
            always_compare_med: self.choice.always_compare_med,
            metric_in_local_pref: self.choice.metric_from_local_pref,
            isolation: self.isolation,
            // Calico takes it back apart: 2147483647 less the kernel's metric.
            local_pref: self
                .choice
                .metric_from_local_pref
                .then(|| (i32::MAX as u32).saturating_sub(self.fib.metric)),
        }
    }
}

impl Config {
    /// What `node`, one of `self.nodes`, does.
    pub fn plan(&self, node: &Node) -> NodePlan {
        let policies = Compiler::new(self, node);
        let (peers, ranges) = (self.peers_of(node, &policies), self.ranges_of(node, &policies));
        let fib = FibConfig {
            pools: self.pools.clone(),
            addresses: node.addresses.iter().map(|a| a.address).collect(),
            subnets: node.addresses.iter().filter_map(|a| a.subnet).collect(),
            protocol: self.kernel.protocol,
            table: self.kernel.table,
            metric: self.kernel.metric,
            tunnel: TunnelConfig {
                device: self.tunnel.device.clone(),
                mtu: self.tunnel.mtu.filter(|_| self.tunnel.manage),
                address: node.tunnel_address.filter(|_| self.tunnel.manage),
                manage: self.tunnel.manage,
            },
            peers: peers.iter().map(|peer| peer.address).collect(),
            sessions: peers.iter().map(PeerPlan::ends).collect(),
            blocks: node.blocks.clone(),
            audit: self.kernel.audit,
            pods: self.pods.clone(),
            hold: self.kernel.hold,
            nexthop_objects: self.kernel.nexthop_objects,
        };
        NodePlan {
            name: node.name.clone(),
            addresses: node.addresses.clone(),
            asn: node.asn,
            router_id: node.router_id,
            cluster_id: self.cluster_id(node),
            blocks: node.blocks.clone(),
            networks: node.networks.clone(),
            aggregate: node.aggregate,
            choice: self.choice,
            pools: self.pools.clone(),
            peers,
            ranges,
            fib,
            isolation: self.isolation,
            kernel_rules: policies.policy(&self.kernel_policies, None),
            timers: self.timers,
            netns: self.kernel.netns.clone(),
            http: self.http.clone(),
            per_peer: self.per_peer,
            control: self.control.clone(),
            readers: self.readers.clone(),
            bird: self.bird.clone(),
            port: self.port,
            listen: match &self.listen {
                crate::model::Listen::All => None,
                crate::model::Listen::Node => {
                    Some(node.addresses.iter().map(|a| a.address).collect())
                }
                crate::model::Listen::On(addresses) => Some(addresses.clone()),
            },
        }
    }

    fn peers_of(&self, node: &Node, policies: &Compiler<'_>) -> Vec<PeerPlan> {
        let pools = self.pool_nets();
        // One for the whole mesh: neighbours with the same policy are told apart by nothing.
        let from_mesh = import(node, self.mesh_nets(), None);
        let from_mesh = Arc::new(ImportPolicy { borrowed: true, ..from_mesh });
        let peers = |other: &&Node| {
            let hub = self.is_reflector(node) || self.is_reflector(other);
            other.name != node.name && (self.mesh || hub)
        };
        let others = self.nodes.iter().filter(peers);
        let mesh = others.filter_map(|other| self.mesh_peer(node, other, &from_mesh));
        let mesh = mesh.map(|peer| peer.with(&self.mesh_policies, policies));
        let routers = self.picked(node).filter(|peer| peer.range.is_none());
        let router = |peer: &Peer| self.router(node, peer, &pools).with(&peer.policies, policies);
        let cluster_id = self.cluster_id(node);
        let all = mesh.chain(routers.map(router));
        all.map(|peer| PeerPlan { cluster_id, ..peer }).collect()
    }

    fn ranges_of(&self, node: &Node, policies: &Compiler<'_>) -> Vec<RangePlan> {
        let pools = self.pool_nets();
        let cluster_id = self.cluster_id(node);
        let ranges = self.picked(node).filter_map(|peer| Some((peer, peer.range.clone()?)));
        let plan = |(peer, range): (&Peer, Range)| {
            let template = |external| {
                let asn = range.asns.example(node.asn, external)?;
                let example = Peer { asn, ..peer.clone() };
                let plan = self.router(node, &example, &pools).with(&peer.policies, policies);
                Some(PeerPlan { cluster_id, ..plan })
            };
            let (internal, external) = (template(false), template(true));
            RangePlan { name: peer.name.clone(), range, internal, external }
        };
        ranges.map(plan).collect()
    }

    /// Whether `node` is one of those that reflect.
    fn is_reflector(&self, node: &Node) -> bool {
        self.reflectors.as_ref().is_some_and(|reflectors| reflectors.nodes.contains(&node.name))
    }

    /// Whether `other` is a client of `node`: all are that reflect nothing themselves.
    fn is_client(&self, node: &Node, other: &Node) -> bool {
        self.is_reflector(node) && !self.is_reflector(other) && other.asn == node.asn
    }

    /// The CLUSTER_ID of a node that has clients, among the nodes or the routers.
    fn cluster_id(&self, node: &Node) -> Option<Ipv4Addr> {
        let nodes = || self.nodes.iter().any(|other| self.is_client(node, other));
        let routers = || {
            let client = |peer: &Peer| peer.outward.client && peer.asn == node.asn;
            self.picked(node).any(client)
        };
        let of_all = || self.reflectors.as_ref().filter(|_| self.is_reflector(node))?.cluster_id;
        (nodes() || routers()).then(|| node.cluster_id.or_else(of_all).unwrap_or(node.router_id))
    }

    /// What may come from other nodes: what lies in the pools, and what their tables say.
    fn mesh_nets(&self) -> Vec<IpNet> {
        let networks = self.nodes.iter().flat_map(|node| &node.networks).map(|n| n.prefix);
        let mut within: Vec<IpNet> = self.pool_nets();
        for network in networks {
            if !within.contains(&network) {
                within.push(network);
            }
        }
        within
    }

    fn pool_nets(&self) -> Vec<IpNet> {
        self.pools.iter().map(|pool| pool.cidr).collect()
    }

    /// The `[[peer]]`s that apply to `node`.
    fn picked(&self, node: &Node) -> impl Iterator<Item = &Peer> {
        self.peers.iter().filter(|peer| peer.nodes.contains(&node.name))
    }

    /// The session with another node: one a pair, over IPv4 if both have it, and on it every
    /// family that both have. `None` if they have none in common.
    fn mesh_peer(&self, node: &Node, other: &Node, import: &Arc<ImportPolicy>) -> Option<PeerPlan> {
        let families = node.families().intersect(other.families());
        let over: Family = families.iter().next()?;
        Some(PeerPlan {
            name: other.name.clone(),
            kind: if other.asn == node.asn { PeerKind::Mesh } else { PeerKind::External },
            node: true,
            everywhere: self.mesh,
            range: None,
            address: other.address(over)?,
            port: self.port,
            asn: other.asn,
            local_asn: node.asn,
            router_id: node.router_id,
            local_address: node.address(over),
            passive: false,
            transport: Transport { key: self.mesh_key.clone(), ..Transport::default() },
            allowance: self.mesh_allowance,
            session: self.mesh_session.clone(),
            families,
            hold: self.timers.hold,
            connect_retry: self.timers.connect_retry,
            import: Arc::clone(import),
            import_rules: Arc::default(),
            export: Export::Own,
            export_rules: Arc::default(),
            bfd: self.bfd,
            outward: Outward { client: self.is_client(node, other), ..Outward::default() },
            cluster_id: None,
        })
    }

    fn router(&self, node: &Node, peer: &Peer, pools: &[IpNet]) -> PeerPlan {
        let kind = if peer.asn == node.asn { PeerKind::Internal } else { PeerKind::External };
        let over = family_of(peer.address);
        let local_address = match peer.local_address {
            // On another link than that of its address the node has another one.
            Local::Node if link_local(peer.address) => None,
            Local::Node => node.address(over),
            Local::Any => None,
            Local::Is(address) => Some(address),
        };
        let mut within = if kind.is_internal() { pools.to_vec() } else { Vec::new() };
        for net in &peer.import {
            if !within.contains(net) {
                within.push(*net);
            }
        }
        // We can be next hop of a family only with an address of it.
        let mut own_families = node.families();
        if local_address.is_some() || link_local(peer.address) {
            own_families.insert(over);
        }
        // Or, for IPv4, with an IPv6 one (RFC 8950).
        if peer.session.offer.extended_next_hop && over == Family::Ipv6 {
            own_families.insert(Family::Ipv4);
        }
        PeerPlan {
            name: peer.name.clone(),
            kind,
            node: false,
            everywhere: peer.nodes.len() == self.nodes.len(),
            range: None,
            address: peer.address,
            port: peer.port,
            asn: peer.asn,
            local_asn: node.asn,
            router_id: node.router_id,
            local_address,
            passive: peer.passive || peer.range.is_some(),
            transport: peer.transport.clone(),
            allowance: peer.allowance,
            session: peer.session.clone(),
            families: peer.families.intersect(own_families),
            hold: peer.hold.unwrap_or(self.timers.hold),
            connect_retry: peer.connect_retry.unwrap_or(self.timers.connect_retry),
            import: Arc::new(import(node, within, local_address)),
            import_rules: Arc::default(),
            export: peer.export,
            export_rules: Arc::default(),
            bfd: peer.bfd,
            outward: Outward { client: peer.outward.client && kind.is_internal(), ..peer.outward },
            cluster_id: None,
        }
    }
}

fn import(node: &Node, within: Vec<IpNet>, local: Option<IpAddr>) -> ImportPolicy {
    let mut own_addresses: Vec<IpAddr> = node.addresses.iter().map(|a| a.address).collect();
    own_addresses.extend(node.tunnel_address.map(IpAddr::V4));
    own_addresses.extend(local.filter(|local| !own_addresses.contains(local)).as_slice());
    ImportPolicy { within, except: node.blocks.clone(), borrowed: false, own_addresses }
}
