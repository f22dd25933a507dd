//! Writes the seed corpora: `cargo run --manifest-path tests/fuzz/Cargo.toml --example seeds`.
//!
//! Seeds are messages as this speaker and others write them, one a file, so that fuzzing begins
//! behind the first length check. The same program writes the same files.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroU32;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use starling_bgp::attrs::AttrSet;
use starling_bgp::bfd::{Diag, Packet, State};
use starling_bgp::types::{Asn, Family, Prefix, V4, V6};
use starling_bgp::wire::capability::Capability;
use starling_bgp::wire::encode::Dialect;
use starling_bgp::wire::header::{self, KEEPALIVE};
use starling_bgp::wire::open::Open;
use starling_bgp::wire::refresh::Refresh;
use starling_bgp::wire::{Notification, encode};

fn main() -> std::io::Result<()> {
    let mut stream = BytesMut::new();
    for (name, open) in opens() {
        let message = put(|out| open.put(out));
        seed("open", name, body(&message))?;
        stream.extend_from_slice(&message);
    }
    for (name, refresh) in [
        ("ipv4", Refresh::Request(Family::Ipv4)),
        ("ipv6", Refresh::Request(Family::Ipv6)),
        ("begins", Refresh::Begin(Family::Ipv4)),
        ("ends", Refresh::End(Family::Ipv6)),
    ] {
        let message = put(|out| refresh.put(out));
        seed("refresh", name, body(&message))?;
        stream.extend_from_slice(&message);
    }
    for (name, session, message) in updates() {
        seed("update", name, &[&[session], body(&message)].concat())?;
        stream.extend_from_slice(&message);
    }
    for (name, notification) in [
        ("hold", Notification::HOLD_TIMER_EXPIRED),
        ("shutdown", Notification::CEASE_SHUTDOWN.saying("later")),
        ("hard", Notification::CEASE_RESET.saying("now").hard()),
        ("limit", Notification::over_limit(Family::Ipv4, 1000)),
        ("unknown", Notification::new(200, 100)),
    ] {
        let message = put(|out| notification.put(out));
        seed("notification", name, body(&message))?;
        stream.extend_from_slice(&message);
    }
    for (name, states) in [
        ("comes-up", &[State::Down, State::Init, State::Up][..]),
        ("falls", &[State::Init, State::Up, State::Down]),
        ("on-purpose", &[State::Down, State::Up, State::AdminDown]),
    ] {
        seed("bfd", name, &bfd(states))?;
    }
    stream.extend_from_slice(&KEEPALIVE);
    seed("header", "stream", &stream)?;
    seed("header", "part", &KEEPALIVE[..7])?;
    seed("config", "mesh", MESH.as_bytes())?;
    seed("config", "peers", PEERS.as_bytes())
}

fn seed(target: &str, name: &str, octets: &[u8]) -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(name), octets)
}

/// One packet in each of these states, 200 ms apart (`targets/bfd.rs`).
fn bfd(states: &[State]) -> Vec<u8> {
    let packet = |state: &State| Packet {
        diag: Diag::NONE,
        state: *state,
        poll: *state == State::Init,
        finish: *state == State::Up,
        independent: true,
        demand: false,
        multiplier: 3,
        my_discriminator: NonZeroU32::MIN,
        your_discriminator: (*state != State::Down).then_some(NonZeroU32::MIN),
        desired_min_tx: 300_000,
        required_min_rx: 300_000,
        required_min_echo_rx: 0,
    };
    let record = |state| [&[50][..], &packet(state).bytes()].concat();
    states.iter().flat_map(record).collect()
}

fn put(message: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut out = BytesMut::new();
    message(&mut out);
    out
}

fn body(message: &[u8]) -> &[u8] {
    &message[header::HEADER_LEN..]
}

fn opens() -> [(&'static str, Open); 2] {
    let plain = Open {
        asn: Asn(64512),
        hold: 90,
        router_id: Ipv4Addr::new(10, 1, 5, 10),
        capabilities: Vec::new(),
    };
    let capabilities = vec![
        Capability::family(Family::Ipv4),
        Capability::family(Family::Ipv6),
        Capability::RouteRefresh,
        Capability::ipv4_over_ipv6(),
        Capability::ExtendedMessage,
        Capability::Role(3),
        Capability::GracefulRestart { flags_time: 0xc078, families: vec![(1, 1, 0x80)] },
        Capability::FourOctetAs(Asn(200_000)),
        Capability::AddPath(vec![(1, 1, 3), (2, 1, 1)]),
        Capability::EnhancedRefresh,
        Capability::LongLived(vec![(1, 1, 0x80, 3600)]),
        Capability::Unknown { code: 73, value: Bytes::from_static(b"\x07server1\x00") },
    ];
    [("plain", plain.clone()), ("capable", Open { asn: Asn(200_000), capabilities, ..plain })]
}

/// Name, kind of session (`targets/update.rs`) and message.
fn updates() -> Vec<(&'static str, u8, BytesMut)> {
    const INTERNAL: u8 = 0;
    const EXTERNAL: u8 = 1;
    const TWO_OCTETS: u8 = 2;
    let v4_hop = IpAddr::from([10, 1, 5, 10]);
    let v6_hop = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
    let v4: Vec<V4> = [[10, 244, 1, 0], [10, 244, 2, 64]]
        .iter()
        .filter_map(|octets| V4::from_wire(26, octets))
        .collect();
    let v6: Vec<V6> = V6::from_wire(64, &[0x20, 1, 0x0d, 0xb8, 0, 1]).into_iter().collect();
    // ORIGIN, AS_PATH 200000 7, MED, LOCAL_PREF, AGGREGATOR, three kinds of communities.
    let rich = [
        &[0x40, 1, 1, 2][..],
        &[0x40, 2, 10, 2, 2, 0, 3, 0x0d, 0x40, 0, 0, 0, 7],
        &[0x80, 4, 4, 0, 0, 0, 7],
        &[0x40, 5, 4, 0, 0, 0, 200],
        &[0x40, 6, 0],
        &[0xc0, 7, 8, 0, 3, 0x0d, 0x40, 9, 9, 9, 9],
        &[0xc0, 8, 8, 0xff, 0xff, 0xff, 1, 0xfd, 0xe9, 0, 100],
        &[0xc0, 16, 8, 0, 2, 0xfd, 0xe9, 0, 0, 0, 1],
        &[0xc0, 32, 12, 0, 0, 0xfd, 0xe9, 0, 0, 0, 1, 0, 0, 0, 2],
        &[0xe0, 99, 2, 1, 2],
    ]
    .concat();
    let rich = |next_hop| AttrSet::from_canonical(next_hop, rich.clone().into());
    let own = AttrSet::originated(v4_hop);
    let outside = rich(v4_hop).exported_external(Asn(65001), v4_hop);
    let outside6 = rich(v6_hop).exported_external(Asn(65001), v6_hop);
    let dialect = |as4, internal| Dialect { as4, internal, ..Dialect::default() };
    let announce4 = |set: &AttrSet, as4, internal| {
        put(|out| {
            encode::announce(set, &dialect(as4, internal), &v4, out);
        })
    };
    vec![
        ("own-block", INTERNAL, announce4(&own, true, true)),
        ("rich", INTERNAL, announce4(&rich(v4_hop), true, true)),
        ("external", EXTERNAL, announce4(&outside, true, false)),
        ("two-octets", EXTERNAL | TWO_OCTETS, announce4(&outside, false, false)),
        ("ipv4-through-ipv6", EXTERNAL, announce4(&outside6, true, false)),
        (
            "ipv6",
            EXTERNAL,
            put(|out| {
                encode::announce(&outside6, &dialect(true, false), &v6, out);
            }),
        ),
        (
            "withdraw-ipv4",
            INTERNAL,
            put(|out| {
                encode::withdraw(&Dialect::default(), &v4, out);
            }),
        ),
        (
            "withdraw-ipv6",
            INTERNAL,
            put(|out| {
                encode::withdraw(&Dialect::default(), &v6, out);
            }),
        ),
        ("end-of-ipv4", INTERNAL, put(|out| encode::end_of_rib(Family::Ipv4, out))),
        ("end-of-ipv6", INTERNAL, put(|out| encode::end_of_rib(Family::Ipv6, out))),
    ]
}

const MESH: &str = r#"[cluster]
asn = 64512

[[pool]]
cidr = "10.244.0.0/16"
ipip = "cross-subnet"

[[node]]
name = "server1"
address = "10.1.5.10"
blocks = ["10.244.1.0/26"]
labels = { rack = "rack0" }

[[node]]
name = "server2"
address = "10.1.8.10/24"
blocks = ["10.244.2.64/26"]
labels = { rack = "rack1" }
"#;

const PEERS: &str = r#"[cluster]
asn = 64512
mesh = false

[[node]]
name = "server1"
address = "10.1.5.10"
blocks = ["10.244.1.0/26"]

[[peer]]
name = "gw0"
address = "10.1.5.1"
asn = 65000
import = ["0.0.0.0/0"]
"#;
