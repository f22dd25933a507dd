//! What a daemon might say, in the five networks of the documentation's examples.

mod change;
mod links;
mod mesh;
mod peers;
mod policies;
mod routes;

use starling::api::{
    AuditFault, AuditFinding, Diagnosis, FibAudit, FibCoupling, Finding, Level, Network,
    NetworkAttributes, Origin, Pod, Unchecked, Wish,
};
use starling_fib::types::Coupling;

pub(crate) use self::change::{applied, generations, plan};
pub(crate) use self::links::interfaces;
pub(crate) use self::mesh::{hundred, memory, mesh};
pub(crate) use self::peers::{bfd, neighbors, summary};
pub(crate) use self::policies::{policies, policy_tests};
pub(crate) use self::routes::{advertised, detailed, fib, nexthops, nodes, routes};

pub(crate) fn audit() -> FibAudit {
    let finding = |prefix: &str, fault, want: Option<&str>, have: &[&str]| AuditFinding {
        prefix: prefix.parse().unwrap(),
        fault,
        want: want.map(str::to_owned),
        have: have.iter().map(|line| (*line).to_owned()).collect(),
    };
    let right = "via 10.1.5.11 dev net0 proto 12 metric 0";
    FibAudit {
        compared: 4,
        missing: 1,
        wrong: 1,
        extra: 1,
        unheard: 3,
        repaired: 3,
        findings: vec![
            finding("10.244.2.0/26", AuditFault::Missing, Some(right), &[]),
            finding(
                "10.244.3.0/26",
                AuditFault::Wrong,
                Some("via 10.1.8.10 dev tunl0 onlink proto 12 metric 0"),
                &["via 10.1.5.1 dev net0 proto 12 metric 0", "blackhole proto 12 metric 7"],
            ),
            finding("10.244.9.0/26", AuditFault::Extra, None, &[right]),
        ],
        took_ms: 12,
    }
}

pub(crate) fn diagnosis() -> Diagnosis {
    let finding = |level, check: &str, subject: &str, text: &str, cure: Option<&str>| Finding {
        level,
        check: check.to_owned(),
        subject: subject.to_owned(),
        text: text.to_owned(),
        cure: cure.map(str::to_owned),
    };
    Diagnosis {
        node: Some("server1".to_owned()),
        worst: Level::Problem,
        findings: vec![
            finding(
                Level::Problem,
                "filter",
                "filter input",
                "IP in IP (protocol 4) from server3, server4 is dropped: policy drop",
                Some("nft insert rule inet filter input ip saddr '{ 10.1.8.10, 10.1.8.11 }' ip protocol 4 accept"),
            ),
            finding(
                Level::Warning,
                "reverse_path",
                "a-device-with-a-long-name",
                "rp_filter is strict: what a node tunnels that is answered in clear is dropped without a word",
                Some("sysctl -w net.ipv4.conf.tunl0.rp_filter=2"),
            ),
            finding(
                Level::Hint,
                "sessions",
                "gw0",
                "no session with 10.1.5.1: the neighbour closed it: \u{1b}[2J",
                Some("bgpctl show neighbors gw0"),
            ),
            finding(Level::Ok, "forwarding", "net.ipv4.ip_forward", "on", None),
        ],
        unchecked: vec![Unchecked {
            check: "encapsulation".to_owned(),
            why: "the subnets of 3 other nodes are those of their own interfaces: `bgpctl doctor` there".to_owned(),
        }],
    }
}

pub(crate) fn coupling(to: Coupling) -> FibCoupling {
    match to {
        Coupling::Coupled => FibCoupling { coupled: true, differing: 0, removed: None },
        Coupling::Decoupled => FibCoupling { coupled: false, differing: 1, removed: None },
        Coupling::Flushed => FibCoupling { coupled: false, differing: 3, removed: Some(3) },
    }
}

pub(crate) fn networks() -> Vec<Network> {
    let network = |prefix: &str, wish, announced, blackhole| Network {
        prefix: prefix.parse().unwrap(),
        wish,
        announced,
        blackhole,
        attributes: NetworkAttributes::default(),
    };
    let carrying = Network {
        attributes: NetworkAttributes {
            origin: Some(Origin::Incomplete),
            med: Some(50),
            local_pref: Some(200),
            prepend: Some(2),
            communities: ["65000:1", "no-export", "64512:1:2"].map(str::to_owned).into(),
        },
        ..network("fd00:50::/64", Wish::Operator, true, false)
    };
    vec![
        network("10.50.0.0/16", Wish::Configured, true, false),
        network("10.244.1.0/26", Wish::Configured, false, true),
        network("10.244.2.9/32", Wish::Borrowed, true, false),
        carrying,
    ]
}

pub(crate) fn pods() -> Vec<Pod> {
    let pod = |address: &str, interface: &str, protocol, announced, why: &str| Pod {
        address: address.parse().unwrap(),
        interface: interface.to_owned(),
        protocol,
        announced,
        why: why.to_owned(),
    };
    vec![
        pod("10.244.1.7", "cali1a2b3c4d5e6", 80, false, "its block 10.244.1.0/26 is announced"),
        pod("10.244.2.9", "cali0f0f0f0f0f0", 3, true, "in no block of this node"),
        pod("192.0.2.7", "cali123", 2, false, "routes of protocol 2 are not learned"),
        pod("fd00:244:9::7", "cali123", 4, true, "every pod is announced"),
    ]
}
