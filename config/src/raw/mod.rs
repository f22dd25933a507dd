//! What the files say, each value with its place; nothing is compared yet.
//!
//! One struct a table, in the words of the file. Each `[[node]]` and `[[peer]]` is read by itself.
//! Files are read one after the other into the same [`Raw`], whichever tables they hold.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use starling_bgp::msg::Export;
use starling_bgp::types::{Asn, Family};
use starling_fib::types::{Hold, Mode};
use toml::de::{DeTable, DeValue};

use crate::reader::{Field, Section, kind, place, strings};
use crate::secret::Keys as Keyring;
use crate::source::{At, Problems, Sp};
use crate::value::{
    Device, HostAddress, KeyFile, LocalAddress, MaxPaths, MaxPrefixes, Mtu, Name, Netns, Network,
    PeerAddress, Port, Protocol, RouterId, RouterIds, Table,
};

mod bfd;
mod isolation;
mod metrics;
mod outward;
mod pods;
pub(crate) mod policy;
mod session;
mod tables;
mod transport;

pub(crate) use bfd::{Bfd, PeerBfd};
pub(crate) use outward::{Outward, Reflector};
pub(crate) use pods::Pods;
use policy::{COMMUNITY_SET, CommunitySet, POLICY, PREFIX_SET, Policy, PrefixSet};
pub(crate) use session::{OwnRole, Session};
use tables::{patterns, table, tables, unknown_table};
pub(crate) use transport::{PeerAsn, Transport};

type Keys = &'static [&'static str];

const CLUSTER: Keys = &[
    "asn",
    "mesh",
    "router-id",
    "import-policy",
    "export-policy",
    "password-file",
    "max-paths",
    "always-compare-med",
    "max-prefixes",
    "aggregate",
    "graceful-restart",
    "restart-time",
    "long-lived",
    "extended-messages",
    "extended-next-hop",
    "add-paths",
    "add-path-limit",
    "allow-own-as",
    "first-as",
    "idle-hold",
    "idle-hold-max",
    "send-hold",
];
const POOL: Keys = &["cidr", "ipip"];
const NODE: Keys = &[
    "name",
    "address",
    "blocks",
    "labels",
    "asn",
    "tunnel-address",
    "router-id",
    "cluster-id",
    "networks",
    "aggregate",
];
const PEER: Keys = &[
    "name",
    "address",
    "asn",
    "nodes",
    "import",
    "import-policy",
    "export",
    "export-policy",
    "passive",
    "port",
    "families",
    "local-address",
    "interface",
    "password-file",
    "tcp-ao",
    "ttl-security",
    "multihop",
    "hold",
    "connect-retry",
    "limit",
    "bfd",
    "next-hop",
    "route-reflector-client",
    "default-route",
    "drain",
    "best-external",
    "max-prefixes",
    "blackhole-community",
    "graceful-restart",
    "restart-time",
    "long-lived",
    "extended-messages",
    "extended-next-hop",
    "add-paths",
    "add-path-limit",
    "allow-own-as",
    "first-as",
    "idle-hold",
    "idle-hold-max",
    "send-hold",
    "role",
    "strict-role",
];
const KERNEL: Keys = &[
    "protocol",
    "table",
    "metric",
    "policy",
    "metric-from-local-pref",
    "audit",
    "hold-pools",
    "nexthop-objects",
    "netns",
];
const TUNNEL: Keys = &["device", "mtu", "manage"];
const TIMERS: Keys = &["hold", "connect-retry", "settle"];
const HTTP: Keys = &["listen"];
const CONTROL: Keys = &["socket", "readers", "bird", "bird6"];
const BGP: Keys = &["port", "listen"];

/// Every table and what it may have. Those in `[[ ]]` may come several times.
const TABLES: &[(&str, Keys)] = &[
    ("[cluster]", CLUSTER),
    ("[[pool]]", POOL),
    ("[[node]]", NODE),
    ("[[peer]]", PEER),
    ("[[policy]]", POLICY),
    ("[[prefix-set]]", PREFIX_SET),
    ("[[community-set]]", COMMUNITY_SET),
    ("[reflector]", outward::REFLECTOR),
    ("[kernel]", KERNEL),
    ("[tunnel]", TUNNEL),
    ("[timers]", TIMERS),
    ("[http]", HTTP),
    ("[metrics]", metrics::TABLE),
    ("[control]", CONTROL),
    ("[bgp]", BGP),
    ("[bfd]", bfd::TABLE),
    ("[pods]", pods::TABLE),
    ("[isolation]", isolation::TABLE),
];

/// What all files say together.
#[derive(Debug, Default)]
pub(crate) struct Raw {
    pub(crate) cluster: Option<Cluster>,
    pub(crate) pools: Vec<Pool>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) peers: Vec<Peer>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) prefix_sets: Vec<PrefixSet>,
    pub(crate) community_sets: Vec<CommunitySet>,
    pub(crate) reflector: Option<Reflector>,
    pub(crate) kernel: Option<Kernel>,
    pub(crate) tunnel: Option<Tunnel>,
    pub(crate) timers: Option<Timers>,
    pub(crate) http: Option<Http>,
    pub(crate) metrics: Option<metrics::Metrics>,
    pub(crate) control: Option<Control>,
    pub(crate) bgp: Option<Bgp>,
    pub(crate) bfd: Option<Bfd>,
    pub(crate) pods: Option<Pods>,
    pub(crate) isolation: Option<isolation::Isolation>,
    /// Tables that are there but in the wrong brackets (and noted): they are not missing.
    pub(crate) refused: Vec<&'static str>,
    /// The keys whose files are named, once all files are read.
    pub(crate) keys: Keyring,
}

#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) at: At,
    pub(crate) asn: Field<Asn>,
    pub(crate) mesh: Field<bool>,
    pub(crate) router_id: Field<RouterIds>,
    pub(crate) import_policy: Field<Vec<Sp<Name>>>,
    pub(crate) export_policy: Field<Vec<Sp<Name>>>,
    pub(crate) password_file: Field<KeyFile>,
    pub(crate) max_paths: Field<MaxPaths>,
    pub(crate) always_compare_med: Field<bool>,
    pub(crate) max_prefixes: Field<MaxPrefixes>,
    pub(crate) aggregate: Field<bool>,
    pub(crate) session: Session,
}

#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) cidr: Field<IpNet>,
    pub(crate) ipip: Field<Mode>,
}

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) name: Field<Name>,
    pub(crate) addresses: Field<Vec<Sp<HostAddress>>>,
    pub(crate) blocks: Field<Vec<Sp<IpNet>>>,
    pub(crate) labels: Vec<(Sp<String>, Sp<String>)>,
    pub(crate) asn: Field<Asn>,
    pub(crate) tunnel_address: Field<Ipv4Addr>,
    pub(crate) router_id: Field<RouterId>,
    pub(crate) cluster_id: Field<RouterId>,
    pub(crate) networks: Field<Vec<Sp<Network>>>,
    pub(crate) aggregate: Field<bool>,
}

/// Which nodes a peer applies to.
#[derive(Debug)]
pub(crate) enum Selector {
    All,
    Labels(Vec<(Sp<String>, Sp<String>)>),
    Names(Vec<Sp<Name>>),
    /// Unreadable (and noted).
    Bad,
}

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) at: At,
    pub(crate) name: Field<Name>,
    pub(crate) address: Field<PeerAddress>,
    pub(crate) asn: PeerAsn,
    pub(crate) nodes: Selector,
    /// The place of `nodes`, or of the table.
    pub(crate) nodes_at: At,
    pub(crate) import: Field<Vec<Sp<IpNet>>>,
    pub(crate) import_policy: Field<Vec<Sp<Name>>>,
    pub(crate) export: Field<Export>,
    pub(crate) export_policy: Field<Vec<Sp<Name>>>,
    pub(crate) passive: Field<bool>,
    pub(crate) port: Field<Port>,
    pub(crate) families: Field<Vec<Sp<Family>>>,
    pub(crate) local_address: Field<LocalAddress>,
    pub(crate) transport: Transport,
    pub(crate) bfd: PeerBfd,
    pub(crate) outward: Outward,
    pub(crate) max_prefixes: Field<MaxPrefixes>,
    pub(crate) blackhole_community: Field<bool>,
    pub(crate) session: Session,
    pub(crate) own_role: OwnRole,
}

#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) at: At,
    pub(crate) protocol: Field<Protocol>,
    pub(crate) table: Field<Table>,
    pub(crate) metric: Field<u32>,
    pub(crate) policy: Field<Vec<Sp<Name>>>,
    pub(crate) metric_from_local_pref: Field<bool>,
    pub(crate) audit: Field<Duration>,
    pub(crate) hold_pools: Field<Hold>,
    pub(crate) nexthop_objects: Field<bool>,
    pub(crate) netns: Field<Netns>,
}

#[derive(Debug)]
pub(crate) struct Tunnel {
    pub(crate) at: At,
    pub(crate) device: Field<Device>,
    pub(crate) mtu: Field<Mtu>,
    pub(crate) manage: Field<bool>,
}

#[derive(Debug)]
pub(crate) struct Timers {
    pub(crate) at: At,
    pub(crate) hold: Field<Duration>,
    pub(crate) connect_retry: Field<Duration>,
    pub(crate) settle: Field<Duration>,
}

#[derive(Debug)]
pub(crate) struct Http {
    pub(crate) at: At,
    pub(crate) listen: Field<Vec<Sp<SocketAddr>>>,
}

#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) at: At,
    pub(crate) socket: Field<PathBuf>,
    /// A group of users.
    pub(crate) readers: Field<Name>,
    /// Of BIRD: for IPv4, and for IPv6.
    pub(crate) bird: [Field<PathBuf>; 2],
}

/// `listen` of `[bgp]`.
#[derive(Debug)]
pub(crate) enum Listen {
    All,
    Node,
    On(Vec<Sp<IpAddr>>),
}

#[derive(Debug)]
pub(crate) struct Bgp {
    pub(crate) at: At,
    pub(crate) port: Field<Port>,
    pub(crate) listen: Listen,
}

impl Raw {
    /// Takes in one file's document; gives its `include` patterns.
    pub(crate) fn read(
        &mut self,
        document: &DeTable<'_>,
        file: usize,
        problems: &mut Problems,
    ) -> Vec<Sp<String>> {
        let mut include = Vec::new();
        for (key, value) in document.iter() {
            let name: &str = key.get_ref();
            let key_at = place(file, key);
            if name == "include" {
                include = patterns(document, key_at, problems);
                continue;
            }
            let Some((what, keys)) =
                TABLES.iter().find(|(what, _)| what.trim_matches(['[', ']']) == name)
            else {
                unknown_table(name, key_at, problems);
                continue;
            };
            if what.starts_with("[[") != matches!(value.get_ref(), DeValue::Array(_)) {
                self.refused.push(what);
            }
            if what.starts_with("[[") {
                for (table, at) in tables(what, value, key_at, problems) {
                    self.read_one_of_many(Section::new(what, table, at, keys, TABLES, problems));
                }
            } else if let Some(table) = table(what, value, key_at, problems) {
                self.read_single(Section::new(what, table, key_at, keys, TABLES, problems));
            }
        }
        include
    }

    fn read_one_of_many(&mut self, mut s: Section<'_, '_>) {
        match s.what {
            "[[pool]]" => {
                let pool = Pool { cidr: s.needed("cidr"), ipip: s.one("ipip") };
                self.pools.push(pool);
            }
            "[[node]]" => self.nodes.push(node(s)),
            "[[policy]]" => self.policies.push(policy::policy(s)),
            "[[prefix-set]]" => self.prefix_sets.push(policy::prefix_set(s)),
            "[[community-set]]" => self.community_sets.push(policy::community_set(s)),
            _ => self.peers.push(peer(s)),
        }
    }

    fn read_single(&mut self, mut s: Section<'_, '_>) {
        let at = s.at;
        let before = match s.what {
            "[cluster]" => {
                let cluster = Cluster {
                    at,
                    asn: s.needed("asn"),
                    mesh: s.one("mesh"),
                    router_id: s.one("router-id"),
                    import_policy: s.one_or_list("import-policy"),
                    export_policy: s.one_or_list("export-policy"),
                    password_file: s.one("password-file"),
                    max_paths: s.one("max-paths"),
                    always_compare_med: s.one("always-compare-med"),
                    max_prefixes: s.one("max-prefixes"),
                    aggregate: s.one("aggregate"),
                    session: session::session(&mut s),
                };
                self.cluster.replace(cluster).map(|b| b.at)
            }
            "[reflector]" => self.reflector.replace(outward::reflector(&mut s)).map(|b| b.at),
            "[kernel]" => {
                let (protocol, table) = (s.one("protocol"), s.one("table"));
                let kernel = Kernel {
                    at,
                    protocol,
                    table,
                    metric: s.one("metric"),
                    policy: s.one_or_list("policy"),
                    metric_from_local_pref: s.one("metric-from-local-pref"),
                    audit: s.one("audit"),
                    hold_pools: s.one("hold-pools"),
                    nexthop_objects: s.one("nexthop-objects"),
                    netns: s.one("netns"),
                };
                self.kernel.replace(kernel).map(|b| b.at)
            }
            "[tunnel]" => {
                let (device, mtu, manage) = (s.one("device"), s.one("mtu"), s.one("manage"));
                self.tunnel.replace(Tunnel { at, device, mtu, manage }).map(|b| b.at)
            }
            "[timers]" => {
                let (hold, settle) = (s.one("hold"), s.one("settle"));
                let connect_retry = s.one("connect-retry");
                self.timers.replace(Timers { at, hold, connect_retry, settle }).map(|b| b.at)
            }
            "[http]" => {
                let listen = s.one_or_list("listen");
                self.http.replace(Http { at, listen }).map(|b| b.at)
            }
            "[metrics]" => self.metrics.replace(metrics::table(&mut s)).map(|b| b.at),
            "[control]" => {
                let (socket, bird) = (s.one("socket"), [s.one("bird"), s.one("bird6")]);
                let readers = s.one("readers");
                self.control.replace(Control { at, socket, readers, bird }).map(|b| b.at)
            }
            "[bfd]" => self.bfd.replace(bfd::table(&mut s)).map(|b| b.at),
            "[pods]" => self.pods.replace(pods::table(&mut s)).map(|b| b.at),
            "[isolation]" => self.isolation.replace(isolation::table(&mut s)).map(|b| b.at),
            _ => {
                let (port, listen) = (s.one("port"), listen(&mut s));
                self.bgp.replace(Bgp { at, port, listen }).map(|b| b.at)
            }
        };
        // Within one file TOML itself refuses a second one; here it came from another file.
        if let Some(before) = before {
            let what = s.what;
            s.problems()
                .error(at, format!("a second {what}"))
                .expected("each of these tables once in all files together")
                .see(before, "the first");
        }
    }
}

fn node(mut s: Section<'_, '_>) -> Node {
    let name = s.needed("name");
    let addresses = s.one_or_list("address");
    if addresses.is_absent() {
        s.missing("address", "\"10.1.5.10\"");
    }
    let labels = match s.any("labels") {
        None => Vec::new(),
        Some((DeValue::Table(table), at)) => strings(table, at.file, s.problems()),
        Some((other, at)) => {
            s.problems()
                .error(at, format!("`labels` is {}", kind(other)))
                .expected("labels = { rack = \"rack0\" }");
            Vec::new()
        }
    };
    Node {
        at: s.at,
        name,
        addresses,
        blocks: s.list("blocks"),
        labels,
        asn: s.one("asn"),
        tunnel_address: s.one("tunnel-address"),
        router_id: s.one("router-id"),
        cluster_id: s.one("cluster-id"),
        networks: s.list("networks"),
        aggregate: s.one("aggregate"),
    }
}

/// Which nodes are meant, and the place where it says so, or of the table.
fn selector(s: &mut Section<'_, '_>) -> (Selector, At) {
    match s.any("nodes") {
        None => (Selector::All, s.at),
        Some((DeValue::Table(table), at)) => {
            (Selector::Labels(strings(table, at.file, s.problems())), at)
        }
        Some((DeValue::Array(_), at)) => match s.list("nodes") {
            Field::Is(names) => (Selector::Names(names.value), at),
            _ => (Selector::Bad, at),
        },
        Some((other, at)) => {
            s.problems()
                .error(at, format!("`nodes` is {}", kind(other)))
                .expected("nodes = { rack = \"rack0\" } or nodes = [\"server1\"]");
            (Selector::Bad, at)
        }
    }
}

fn peer(mut s: Section<'_, '_>) -> Peer {
    let name = s.one("name");
    let address = s.needed("address");
    let asn = transport::asn(&mut s);
    let (nodes, nodes_at) = selector(&mut s);
    Peer {
        at: s.at,
        name,
        address,
        asn,
        nodes,
        nodes_at,
        import: s.list("import"),
        import_policy: s.one_or_list("import-policy"),
        export: s.one("export"),
        export_policy: s.one_or_list("export-policy"),
        passive: s.one("passive"),
        port: s.one("port"),
        families: s.list("families"),
        local_address: s.one("local-address"),
        transport: transport::transport(&mut s),
        bfd: bfd::of_peer(&mut s),
        outward: outward::outward(&mut s),
        max_prefixes: s.one("max-prefixes"),
        blackhole_community: s.one("blackhole-community"),
        session: session::session(&mut s),
        own_role: session::own_role(&mut s),
    }
}

fn listen(s: &mut Section<'_, '_>) -> Listen {
    match s.any("listen") {
        None => Listen::All,
        Some((DeValue::String(text), _)) if text == "all" => Listen::All,
        Some((DeValue::String(text), _)) if text == "node" => Listen::Node,
        Some((DeValue::Array(_), _)) => match s.list::<IpAddr>("listen") {
            Field::Is(list) => Listen::On(list.value),
            _ => Listen::All,
        },
        Some((_, at)) => {
            s.problems()
                .error(at, "this says not where to listen")
                .expected("\"all\", \"node\" (the node's own addresses) or an array of addresses");
            Listen::All
        }
    }
}
