//! Each check on a healthy node and on a sick one.
//!
//! The node is server1 of two racks; what a test changes is all that is wrong with it.

mod actors;
mod host;
mod packets;

use std::collections::BTreeMap;
use std::net::IpAddr;

use starling_config::Config;
use starling_fib::types::{Address, Coupling, Link};

use crate::api::{Diagnosis, Finding, Level, Node, Reach, Rival};
use crate::doctor::examine;
use crate::doctor::facts::{Claim, Configured, Daemon, Facts, Host, Module, Session};

const TOML: &str = r#"
[cluster]
asn = 64512
[[pool]]
cidr = "10.244.0.0/16"
ipip = "cross-subnet"
[[node]]
name = "server1"
address = "10.1.5.10"
blocks = ["10.244.1.0/26"]
[[node]]
name = "server2"
address = "10.1.5.11/24"
blocks = ["10.244.2.0/26"]
[[node]]
name = "server3"
address = "10.1.8.10/24"
blocks = ["10.244.3.0/26"]
"#;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn configured(toml: &str) -> Configured {
    let config = Config::parse(&[("cluster.toml", toml)]).unwrap();
    Configured {
        plan: config.plan(&config.nodes[0]).into(),
        nodes: config.nodes.clone().into(),
        file: "/etc/starling/cluster.toml".to_owned(),
    }
}

fn link(index: u32, name: &str, kind: Option<&str>, mtu: u32) -> Link {
    let kind = kind.map(str::to_owned);
    let name = name.to_owned();
    Link { index, name, up: true, running: true, mtu, kind, ..Link::default() }
}

fn address(device: u32, net: &str) -> Address {
    Address { device, address: net.parse().unwrap() }
}

fn session(name: &str, address: &str, identifier: &str) -> Session {
    Session {
        name: name.to_owned(),
        address: ip(address),
        port: 179,
        node: true,
        bfd: Some(true),
        identifier: Some(identifier.parse().unwrap()),
        down: None,
    }
}

fn node(name: &str, address: &str, reach: Reach) -> Node {
    Node {
        name: name.to_owned(),
        address: ip(address),
        reach,
        through: None,
        why: String::new(),
        session: None,
        since_s: None,
        reason: None,
        labels: std::collections::BTreeMap::new(),
        blocks: Vec::new(),
        warning: None,
    }
}

fn claim(prefix: &str, next_hop: &str) -> Claim {
    Claim { prefix: prefix.parse().unwrap(), from: "x".to_owned(), next_hop: ip(next_hop) }
}

/// server1, with nothing wrong.
fn healthy() -> Facts {
    let mut host = Host {
        links: vec![
            link(1, "lo", None, 65536),
            link(2, "net0", Some("veth"), 1500),
            link(3, "tunl0", Some("ipip"), 1480),
            link(4, "cali1", Some("veth"), 1480),
        ],
        addresses: vec![address(2, "10.1.5.10/24"), address(3, "10.244.1.0/32")],
        programs: Some(Vec::new()),
        ipip: Module::Present,
        kernel: (6, 1),
        tunnel: Some((10, 10)),
        ..Host::default()
    };
    for (path, value) in [
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/rp_filter", "0"),
        ("net/ipv4/neigh/default/gc_thresh3", "1024"),
        ("net/ipv4/fib_multipath_hash_policy", "1"),
        ("net/ipv6/route/max_size", "4096"),
        ("net/netfilter/nf_conntrack_count", "10"),
        ("net/netfilter/nf_conntrack_max", "1000"),
        ("net/ipv4/conf/net0/forwarding", "1"),
        ("net/ipv4/conf/cali1/proxy_arp", "1"),
    ] {
        host.settings.insert(path.to_owned(), value.to_owned());
    }
    let daemon = Daemon {
        rejected: None,
        coupling: Coupling::Coupled,
        differing: 0,
        sessions: vec![
            session("server2", "10.1.5.11", "10.1.5.11"),
            session("server3", "10.1.8.10", "10.1.8.10"),
        ],
        nodes: vec![
            node("server1", "10.1.5.10", Reach::Local),
            node("server2", "10.1.5.11", Reach::Direct),
            node("server3", "10.1.8.10", Reach::Tunnel),
        ],
        claims: vec![
            claim("10.244.2.0/26", "10.1.5.11"),
            claim("10.244.3.0/26", "10.1.8.10"),
            // Borrowed from server3's block.
            claim("10.244.3.7/32", "10.1.5.11"),
        ],
        troubled: Vec::new(),
        rivals: Vec::new(),
        wanted: (3, 0),
        multipath: true,
        others: BTreeMap::new(),
    };
    Facts { configured: Ok(configured(TOML)), host, daemon: Ok(daemon) }
}

/// What is wrong with a node: exactly one finding of this check.
#[track_caller]
fn one(facts: &Facts, check: &str, level: Level) -> Finding {
    let Diagnosis { findings, worst, .. } = examine(facts);
    let sick: Vec<&Finding> = findings.iter().filter(|f| f.level > Level::Ok).collect();
    let [only] = sick.as_slice() else { panic!("{sick:#?}") };
    assert_eq!((only.check.as_str(), only.level, worst), (check, level, level), "{only:#?}");
    assert!(only.cure.is_some(), "{only:#?}");
    (*only).clone()
}

/// It, whose text has these words and whose cure has these.
#[track_caller]
fn says(facts: &Facts, check: &str, level: Level, words: &str, cure: &str) {
    let finding = one(facts, check, level);
    assert!(finding.text.contains(words), "{finding:#?}");
    assert!(finding.cure.as_ref().is_some_and(|text| text.contains(cure)), "{finding:#?}");
}

fn sick(change: impl FnOnce(&mut Facts)) -> Facts {
    let mut facts = healthy();
    change(&mut facts);
    facts
}

fn with_daemon(change: impl FnOnce(&mut Daemon)) -> Facts {
    sick(|facts| change(facts.daemon.as_mut().unwrap()))
}

fn with_host(change: impl FnOnce(&mut Host)) -> Facts {
    sick(|facts| change(&mut facts.host))
}

#[test]
fn a_healthy_node_is_told_so_check_by_check() {
    let Diagnosis { node, worst, findings, unchecked } = examine(&healthy());
    assert_eq!((node.as_deref(), worst), (Some("server1"), Level::Ok), "{findings:#?}");
    for (check, _) in super::ALL {
        assert!(findings.iter().any(|finding| finding.check == check), "{check} says nothing");
    }
    assert_eq!(unchecked, []);
}

#[test]
fn the_worst_comes_first() {
    let facts = sick(|facts| {
        facts.host.settings.insert("net/ipv4/fib_multipath_hash_policy".into(), "0".into());
        facts.host.settings.insert("net/ipv4/ip_forward".into(), "0".into());
        facts.host.settings.insert("net/ipv4/conf/cali1/proxy_arp".into(), "0".into());
    });
    let levels: Vec<Level> = examine(&facts).findings.iter().map(|f| f.level).collect();
    assert_eq!(levels[..3], [Level::Problem, Level::Warning, Level::Hint]);
    assert!(levels.is_sorted_by(|a, b| a >= b));
}
