//! Who sees whom, and what memory is used for.

use starling::api::{Memory, MemoryKind, MeshRow, Reach, SessionState, Sight};

fn sight(name: &str, reach: Reach) -> Sight {
    Sight {
        name: name.to_owned(),
        reach,
        session: Some(SessionState::Established),
        since_s: Some(192),
        reason: None,
    }
}

fn row(name: &str, last: u8, sees: Vec<Sight>) -> MeshRow {
    let address = std::net::IpAddr::from([10, 1, 5, last]);
    MeshRow { name: name.to_owned(), address, unknown: None, sees }
}

/// Every kind of sign.
pub(crate) fn mesh() -> Vec<MeshRow> {
    use Reach::{Direct, Gateway, Mixed, Tunnel, Unreachable};
    let down = Sight {
        session: Some(SessionState::Active),
        reason: Some("connection refused".to_owned()),
        ..sight("server4", Tunnel)
    };
    let reflected = Sight { session: None, since_s: None, ..sight("server6", Tunnel) };
    vec![
        row(
            "server1",
            10,
            vec![sight("server2", Direct), sight("server3", Tunnel), down.clone(), reflected],
        ),
        row("server2", 11, vec![sight("server1", Direct), sight("server3", Mixed), down]),
        row(
            "server3",
            12,
            vec![
                sight("server1", Direct),
                sight("server2", Gateway),
                sight("server6", Unreachable),
            ],
        ),
        MeshRow {
            unknown: Some("cannot connect to 10.1.5.13:9179: connection refused".to_owned()),
            ..row("server4", 13, vec![])
        },
        MeshRow {
            unknown: Some("cannot connect to 10.1.5.14:9179: connection refused".to_owned()),
            ..row("a-node-with-a-name-that-is-longer-than-most.example.net", 14, vec![])
        },
        row("server6", 15, vec![sight("server1", Tunnel)]),
    ]
}

/// A hundred nodes in racks of ten, of which node 37 is down.
pub(crate) fn hundred() -> Vec<MeshRow> {
    let name = |n: u8| format!("node{n:03}");
    (1..=100)
        .map(|own: u8| {
            let others = (1..=100).filter(|other| *other != own && own != 37);
            let sees = others.map(|other| {
                let rack = |n: u8| (n - 1) / 10;
                let reach = if rack(own) == rack(other) { Reach::Direct } else { Reach::Tunnel };
                let sight = sight(&name(other), reach);
                match other {
                    37 => Sight {
                        session: Some(SessionState::Active),
                        reason: Some("BFD: neighbour silent for 900 ms".to_owned()),
                        ..sight
                    },
                    _ => sight,
                }
            });
            let unknown = (own == 37).then(|| "has not answered within 8 s".to_owned());
            MeshRow { unknown, ..row(&name(own), own, sees.collect()) }
        })
        .collect()
}

pub(crate) fn memory() -> Memory {
    let kind = |kind: &str, what: &str, count, bytes, reckoned| MemoryKind {
        kind: kind.to_owned(),
        what: what.to_owned(),
        count,
        bytes,
        reckoned,
    };
    Memory {
        resident_bytes: 123_456_789,
        used_bytes: Some(101_000_000),
        free_bytes: Some(2_000_000),
        kinds: vec![
            kind("attributes", "sets of attributes, each once", 5000, 812_345, false),
            kind(
                "destinations_ipv4",
                "destinations, with a path in each",
                1_000_000,
                42_600_000,
                false,
            ),
            kind("destinations_ipv6", "destinations, with a path in each", 0, 0, false),
            kind("further_paths", "paths beside the first of their destination", 12, 672, true),
            kind("fib_wanted", "routes that the kernel should have", 1_000_000, 18_000_000, true),
        ],
    }
}
