//! How the Rib judges, originates and exports: the values of [`super::RibIn::Configure`].

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use crate::attrs::Origin;
use crate::policy::{AnyCommunity, ImportPolicy, Policy};
use crate::types::{Asn, Families, PeerId, Time};

/// How this node judges, originates and exports.
#[derive(Clone, Debug)]
pub struct RibConfig {
    /// Our AS.
    pub asn: Asn,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// Our CLUSTER_ID (RFC 4456 §7), if other than the BGP identifier.
    pub cluster_id: Option<Ipv4Addr>,
    /// What this node originates: its pod blocks, and networks beside them.
    pub originate: Vec<Originated>,
    /// Our own address per family: the NEXT_HOP of what we originate, where the session's own
    /// address is of the other family.
    pub addresses: Vec<IpAddr>,
    /// Per configured neighbour. One that is missing here gets and gives nothing.
    pub peers: Vec<(PeerId, PeerPolicy)>,
    /// How long after the start the Rib waits for End-of-RIB before it says `Settled`.
    pub settle: Duration,
    /// So many equal paths are used at most; 1: only the best one.
    pub max_paths: u8,
    /// MULTI_EXIT_DISC is compared between routes of different neighbouring ASes too.
    pub always_compare_med: bool,
    /// What enters the kernel; without rules, everything.
    pub kernel_rules: Arc<Policy>,
    /// LOCAL_PREF carries the kernel's metric as Calico has it since 3.32: 2147483647 less it.
    pub metric_in_local_pref: bool,
    /// LOCAL_PREF of what we originate; `None`: the default of 100.
    pub local_pref: Option<u32>,
    /// When this node takes itself to be cut off; `None`: never.
    pub isolation: Option<IsolationRule>,
}

/// When most neighbours fall silent at once, it is this node that is cut off, not they that died:
/// what they announced is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IsolationRule {
    /// For so long.
    pub keep: Duration,
    /// More than so many of a hundred are most.
    pub percent: u8,
    /// With fewer neighbours than these nobody can tell.
    pub peers: u16,
}

/// This node is taken to be cut off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Isolation {
    /// Since when.
    pub since: Time,
    /// The routes of those that are silent stay until then.
    pub until: Time,
    /// So many neighbours are silent …
    pub silent: usize,
    /// … of so many that had a session.
    pub of: usize,
}

impl Default for RibConfig {
    /// Nobody, who says nothing.
    fn default() -> RibConfig {
        RibConfig {
            asn: Asn(0),
            router_id: Ipv4Addr::UNSPECIFIED,
            cluster_id: None,
            originate: Vec::new(),
            addresses: Vec::new(),
            peers: Vec::new(),
            settle: Duration::ZERO,
            max_paths: 1,
            always_compare_med: false,
            kernel_rules: Arc::default(),
            metric_in_local_pref: false,
            local_pref: None,
            isolation: None,
        }
    }
}

/// A prefix that this node originates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Originated {
    /// The prefix.
    pub prefix: IpNet,
    /// Neighbours are told.
    pub announce: bool,
    /// The kernel gets a blackhole under the longer routes of what is in it.
    pub blackhole: bool,
}

impl From<IpNet> for Originated {
    /// A pod block: announced, with a blackhole.
    fn from(prefix: IpNet) -> Originated {
        Originated { prefix, announce: true, blackhole: true }
    }
}

/// A prefix that the operator has announced while the daemon runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wished {
    /// The prefix.
    pub prefix: IpNet,
    /// What it carries beside what all that this node originates does; `None`: nothing.
    pub carried: Option<Arc<Carried>>,
}

impl From<IpNet> for Wished {
    fn from(prefix: IpNet) -> Wished {
        Wished { prefix, carried: None }
    }
}

/// Attributes with which a network is originated. There is no NEXT_HOP among them: whoever
/// announces a network is the way to it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Carried {
    /// ORIGIN; `None`: IGP.
    pub origin: Option<Origin>,
    /// MULTI_EXIT_DISC. It goes to other ASes as well: it is ours to say there.
    pub med: Option<u32>,
    /// LOCAL_PREF, inside our AS; `None`: as all that this node originates.
    pub local_pref: Option<u32>,
    /// How often our AS is in AS_PATH beside the once that it is anyway, for other ASes: inside
    /// ours it would be a loop.
    pub prepend: u8,
    /// Communities of any kind, in this order.
    pub communities: Vec<AnyCommunity>,
}

/// What may come from a neighbour and what goes to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PeerPolicy {
    /// Name for people ("server2", "gw0").
    pub name: String,
    /// What may come where no rule decides, and what may never come.
    pub import: Arc<ImportPolicy>,
    /// Rules for what comes: the first that matches decides.
    pub import_rules: Arc<Policy>,
    /// What goes out beside own blocks where no rule decides; to iBGP nothing learned from iBGP,
    /// unless we reflect.
    pub export: Export,
    /// Rules for what goes out: the first that matches decides.
    pub export_rules: Arc<Policy>,
    /// Families that the session is configured for.
    pub families: Families,
    /// It is a client of ours: what comes from it over iBGP goes to all iBGP neighbours, and what
    /// comes over iBGP goes to it (RFC 4456 §6).
    pub client: bool,
    /// The NEXT_HOP that it is told.
    pub next_hop: NextHopMode,
    /// So many paths for a prefix at most, where the session has path identifiers (RFC 7911).
    pub add_path: u16,
    /// If the best path is not to be told, the best one that may be is.
    pub best_external: bool,
    /// It is told a default route, whatever else.
    pub default_route: bool,
    /// How many prefixes it may send (IPv4, IPv6).
    pub limits: [Option<PrefixLimit>; 2],
    /// It is being drained by configuration (RFC 8326).
    pub drain: bool,
    /// Its routes with the BLACKHOLE community (RFC 7999) discard what matches them.
    pub blackhole: bool,
}

impl Default for PeerPolicy {
    /// Nothing comes, own blocks go.
    fn default() -> PeerPolicy {
        PeerPolicy {
            name: String::new(),
            import: Arc::default(),
            import_rules: Arc::default(),
            export: Export::Own,
            export_rules: Arc::default(),
            families: Families::ALL,
            client: false,
            next_hop: NextHopMode::Auto,
            add_path: 0,
            best_external: false,
            default_route: false,
            limits: [None; 2],
            drain: false,
            blackhole: false,
        }
    }
}

/// The NEXT_HOP that a neighbour is told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub enum NextHopMode {
    /// Ours; but what is reflected keeps its own (RFC 4456 §10).
    #[default]
    Auto,
    /// Ours, always.
    Own,
    /// As received, where there is one.
    Keep,
}

/// How many prefixes may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PrefixLimit {
    /// So many.
    pub max: u32,
    /// What happens to more.
    pub action: LimitAction,
}

/// What happens to prefixes over the limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitAction {
    /// They are used, and the operator is told.
    Warn,
    /// They are kept as filtered.
    Drop,
    /// The session ends, and begins again after that time; `None`: when the operator says so.
    Close { restart: Option<Duration> },
}

/// What goes to a neighbour.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Export {
    /// What this node originates, nothing else (the default towards everybody).
    Own,
    /// Every best route that RFC 4271 lets pass (to iBGP: own and eBGP-learned ones).
    All,
}
