//! The simulated cluster's shape: racks of ten, a subnet each, both families, one pool of each.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use starling_config::{Config, Identity, NodePlan};
use starling_fib::mem::Kernel;
use starling_fib::types::{Hop, KernelRoute, Kind, Mode, RouteKey};

use crate::network::NodeIx;

/// Nodes that share a subnet.
const RACK: usize = 10;
/// The hold time of all sessions, in seconds.
pub const HOLD: u64 = 9;
/// The NIC's index in every simulated host; `lo` is the first.
pub const NIC: u32 = 2;

/// A configuration file, in what differs from one to another.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Settings {
    /// The nodes that it names.
    pub members: BTreeSet<NodeIx>,
    /// The IPv4 pool's mode.
    pub ipip: Mode,
    /// Those of them that it gives no blocks.
    pub bare: BTreeSet<NodeIx>,
    /// Those of them that reflect.
    pub reflectors: BTreeSet<NodeIx>,
    /// Whether every node is every other's neighbour, reflectors or not.
    pub mesh: bool,
    /// Whether sessions carry several paths for a prefix (RFC 7911).
    pub add_paths: bool,
    /// For how long the routes of a daemon that is away stay, and for how long after that as stale
    /// ones (RFC 4724, 9494), in seconds; `None`: they go at once.
    pub graceful: Option<(u64, u64)>,
    /// For how long a node that is cut off keeps the routes of the others, in seconds; 0: the rule
    /// is off.
    pub isolation: u64,
}

impl Settings {
    /// Names the first nodes.
    pub fn new(nodes: usize, ipip: Mode) -> Arc<Settings> {
        let (members, none) = ((0..nodes).collect(), BTreeSet::new());
        let (bare, reflectors, mesh) = (none.clone(), none, true);
        let (add_paths, graceful, isolation) = (false, None, 0);
        Arc::new(Settings { members, ipip, bare, reflectors, mesh, add_paths, graceful, isolation })
    }

    /// For how long the routes of a daemon that is away stay.
    pub fn patience(&self) -> Duration {
        self.graceful.map_or(Duration::ZERO, |(restart, stale)| {
            Duration::from_secs(restart) + Duration::from_secs(stale)
        })
    }

    /// Whether they make `a` and `b` neighbours.
    pub fn joins(&self, a: NodeIx, b: NodeIx) -> bool {
        let members = self.members.contains(&a) && self.members.contains(&b);
        members && (self.mesh || self.reflectors.contains(&a) || self.reflectors.contains(&b))
    }

    /// The same with something changed.
    pub fn with(&self, change: impl FnOnce(&mut Settings)) -> Arc<Settings> {
        let mut settings = self.clone();
        change(&mut settings);
        Arc::new(settings)
    }
}

/// A node's IPv4 address.
pub fn v4(node: NodeIx) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, octet(node / RACK), 10 + octet(node % RACK))
}

/// A node's IPv6 address.
pub fn v6(node: NodeIx) -> Ipv6Addr {
    let (rack, place) = (u16::from(octet(node / RACK)), 10 + u16::from(octet(node % RACK)));
    Ipv6Addr::new(0xfd00, 1, rack, 0, 0, 0, 0, place)
}

/// A rack's gateways.
pub fn gateways(node: NodeIx) -> (Ipv4Addr, Ipv6Addr) {
    let rack = octet(node / RACK);
    (Ipv4Addr::new(10, 1, rack, 1), Ipv6Addr::new(0xfd00, 1, u16::from(rack), 0, 0, 0, 0, 1))
}

/// Whether two nodes share a subnet.
pub fn rack_mates(a: NodeIx, b: NodeIx) -> bool {
    a / RACK == b / RACK
}

/// A node's blocks: one of each family.
pub fn blocks(node: NodeIx) -> [IpNet; 2] {
    let (high, low) = (octet(node / 256), octet(node % 256));
    let v6 = Ipv6Addr::new(0xfd00, 0x244, u16::from_be_bytes([high, low]), 0, 0, 0, 0, 0);
    [net(Ipv4Addr::new(10, 244 + high, low, 0), 24), net(v6, 64)]
}

fn octet(n: usize) -> u8 {
    u8::try_from(n).expect("few nodes")
}

fn net(address: impl Into<IpAddr>, length: u8) -> IpNet {
    IpNet::new(address.into(), length).expect("a valid length")
}

/// The file that users would write.
fn toml(settings: &Settings) -> String {
    let Settings { members, ipip, bare, reflectors, mesh, add_paths, graceful, isolation } =
        settings;
    let restart = match graceful {
        None => "graceful-restart = false".to_owned(),
        Some((restart, 0)) => format!("restart-time = \"{restart}s\""),
        Some((restart, stale)) => {
            format!("restart-time = \"{restart}s\"\nlong-lived = \"{stale}s\"")
        }
    };
    let paths = if *add_paths { "both" } else { "none" };
    let mut toml = format!(
        "[cluster]\nasn = 64512\nmesh = {mesh}\nadd-paths = \"{paths}\"\n{restart}\n\n\
         [timers]\nhold = \"{HOLD}s\"\nsettle = \"15s\"\n\n\
         [isolation]\nkeep = \"{isolation}s\"\n\n\
         [[pool]]\ncidr = \"10.244.0.0/14\"\nipip = \"{ipip}\"\n\n\
         [[pool]]\ncidr = \"fd00:244::/32\"\n"
    );
    if !reflectors.is_empty() {
        toml.push_str("\n[reflector]\nnodes = { role = \"reflector\" }\n");
    }
    for &node in members {
        let [block4, block6] = blocks(node);
        let blocks = match bare.contains(&node) {
            true => String::new(),
            false => format!("\"{block4}\", \"{block6}\""),
        };
        let labels = match reflectors.contains(&node) {
            true => "labels = { role = \"reflector\" }\n",
            false => "",
        };
        let (v4, v6) = (v4(node), v6(node));
        write!(
            toml,
            "\n[[node]]\nname = \"node{node}\"\naddress = [\"{v4}\", \"{v6}\"]\n\
             blocks = [{blocks}]\n{labels}"
        )
        .expect("strings grow");
    }
    toml
}

/// The plans of all nodes that the settings name, made from the file as the daemon makes them.
pub type Plans = Arc<BTreeMap<NodeIx, Arc<NodePlan>>>;

/// See [`Plans`]. Each file is read once, however many seeds play with it.
pub fn plans(settings: &Settings) -> Plans {
    static READ: Mutex<BTreeMap<Settings, Plans>> = Mutex::new(BTreeMap::new());
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(plans) = read.get(settings) {
        return Arc::clone(plans);
    }
    let text = toml(settings);
    let config = Config::parse(&[("cluster.toml", &text)]).unwrap_or_else(|e| panic!("{e}"));
    let plan = |node: NodeIx| {
        let identity = Identity { node: Some(format!("node{node}")), ..Identity::default() };
        let plan = config.plan(config.node(&identity).expect("it is in the file"));
        (node, Arc::new(plan))
    };
    let plans: Plans = Arc::new(settings.members.iter().copied().map(plan).collect());
    read.insert(settings.clone(), Arc::clone(&plans));
    plans
}

/// A host's kernel after the boot, before any daemon.
pub fn kernel(node: NodeIx) -> Kernel {
    let mut kernel = Kernel::new();
    kernel.link_add("lo", None, 65536);
    let nic = kernel.link_add("net0", Some("veth"), 1500);
    assert_eq!(nic, NIC, "interfaces are numbered in the order of their coming");
    boot(node, &mut kernel);
    kernel
}

/// What the boot sets up on the NIC: addresses and default routes. Nothing is done twice.
pub fn boot(node: NodeIx, kernel: &mut Kernel) {
    kernel.address_add(NIC, net(v4(node), 24));
    kernel.address_add(NIC, net(v6(node), 64));
    let (gw4, gw6) = gateways(node);
    for (everywhere, gateway, metric) in [
        (net(Ipv4Addr::UNSPECIFIED, 0), IpAddr::V4(gw4), 0),
        (net(Ipv6Addr::UNSPECIFIED, 0), IpAddr::V6(gw6), 1024),
    ] {
        // Refused where it is still there.
        let _ = kernel.add(KernelRoute {
            key: RouteKey { prefix: everywhere, table: 254, metric },
            protocol: 3,
            kind: Kind::Unicast,
            scope: 0,
            tos: 0,
            source: None,
            hops: [Hop { gateway: Some(gateway), device: NIC, onlink: false, weight: 1 }].into(),
            object: None,
        });
    }
}
