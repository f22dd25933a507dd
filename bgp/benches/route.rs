//! What a route costs on its way through: read, interned, put into the table, chosen, sent on.
//!
//! `cargo bench -p starling-bgp`. Ten thousand prefixes, three to an UPDATE and two UPDATEs to an
//! attribute set, as a full table has them: divide by ten thousand. A table of that size fits into
//! the caches; how cost grows beyond them is for tests/bench to show.
#![allow(missing_docs, reason = "criterion's macro makes a public function")]

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use ipnet::IpNet;
use starling_bgp::attrs::{AttrSet, AttrStore, Rank};
use starling_bgp::msg::{
    Export, NexthopNews, PeerPolicy, PeerUp, RibConfig, RibIn, RibOut, RouteBatch,
};
use starling_bgp::policy::ImportPolicy;
use starling_bgp::rib::Rib;
use starling_bgp::rib::decision::{Candidate, select};
use starling_bgp::session::Negotiated;
use starling_bgp::types::{Asn, Family, PeerId, PeerKind, Prefix, Time, V4};
use starling_bgp::wire::encode::{self, Dialect};
use starling_bgp::wire::judge::{Context, judge};
use starling_bgp::wire::update::Update;

const PREFIXES: u32 = 10_000;
const OWN: Asn = Asn(65000);
const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
/// Who sends, and who is sent to.
const FROM: u32 = 1;
const TO: u32 = 2;

fn asn(peer: u32) -> Asn {
    Asn(65000 + peer)
}

fn address(peer: u32) -> Ipv4Addr {
    Ipv4Addr::from(0x0a00_0000 + peer)
}

/// A set that a neighbour might send.
fn set(peer: u32, number: u32) -> AttrSet {
    let path = [asn(peer).0, 3000 + number % 500, 10_000 + number];
    let path = path.iter().flat_map(|asn| asn.to_be_bytes());
    let communities = (0..4).flat_map(|n| (0x0bb8_0000 + number + n).to_be_bytes());
    let bytes: Vec<u8> = [0x40, 1, 1, 0, 0x40, 2, 14, 2, 3]
        .into_iter()
        .chain(path)
        .chain([0xc0, 8, 16])
        .chain(communities)
        .collect();
    AttrSet::from_canonical(IpAddr::from(address(peer)), bytes.into())
}

/// The prefixes of each UPDATE, and the number of its set.
fn updates() -> Vec<(u32, Vec<V4>)> {
    let scattered = |n: u32| n.wrapping_mul(0x9e37_79b1) & 0xffff_ff00;
    let prefix = |n| V4::from_wire(24, &scattered(n).to_be_bytes());
    let all: Vec<V4> = (0..PREFIXES).filter_map(prefix).collect();
    (0..).map(|n| n / 2).zip(all.chunks(3).map(<[V4]>::to_vec)).collect()
}

/// The same as a neighbour sends them.
fn messages(peer: u32) -> Vec<Vec<u8>> {
    let dialect = Dialect { as4: true, ..Dialect::default() };
    let message = |(number, prefixes): (u32, Vec<V4>)| {
        let mut out = BytesMut::new();
        encode::announce(&set(peer, number), &dialect, &prefixes, &mut out);
        out.to_vec()
    };
    updates().into_iter().map(message).collect()
}

/// Read and judged.
fn read(peer: u32, messages: &[Vec<u8>]) -> RouteBatch {
    let context = Context {
        kind: PeerKind::External,
        families: [Family::Ipv4].into_iter().collect(),
        local_asn: OWN,
        peer_asn: asn(peer),
        router_id: HERE,
        ..Context::default()
    };
    let mut batch = RouteBatch::new(PeerId(peer));
    for message in messages {
        let body = message.get(19..).unwrap_or_default();
        let judged = Update::read(body).and_then(|update| judge(&update, &context, &mut batch));
        assert!(judged.is_ok());
    }
    batch
}

/// A Rib with two neighbours that are up, whose next hops can be reached.
fn rib(out: &mut Vec<RibOut>) -> Rib {
    // 0.0.0.0/0.
    let within = vec![IpNet::default()];
    let import = Arc::new(ImportPolicy { within, ..ImportPolicy::default() });
    let policy = |peer: u32| {
        let (name, import) = (format!("peer{peer}"), Arc::clone(&import));
        let families = [Family::Ipv4].into_iter().collect();
        let policy =
            PeerPolicy { name, import, export: Export::All, families, ..PeerPolicy::default() };
        (PeerId(peer), policy)
    };
    let config = RibConfig {
        asn: OWN,
        router_id: HERE,
        addresses: vec![HERE.into()],
        peers: [FROM, TO].map(policy).into(),
        ..RibConfig::default()
    };
    let mut rib = Rib::new();
    rib.handle(Time::ZERO, RibIn::Configure(Box::new(config)), out);
    for peer in [FROM, TO] {
        let negotiated = Negotiated {
            asn: asn(peer),
            router_id: address(peer),
            families: [Family::Ipv4].into_iter().collect(),
            as4: true,
            hold: Duration::from_secs(90),
            ..Negotiated::default()
        };
        let up = PeerUp {
            peer: PeerId(peer),
            kind: PeerKind::External,
            address: address(peer).into(),
            local: HERE.into(),
            scope: None,
            role: None,
            negotiated,
        };
        rib.handle(Time::ZERO, RibIn::PeerUp(Box::new(up)), out);
    }
    // A next hop is asked about when a route has it.
    let first = messages(FROM).into_iter().take(1).collect::<Vec<_>>();
    feed(&mut rib, read(FROM, &first), out);
    let next_hop = IpAddr::from(address(FROM)).into();
    let news = NexthopNews { next_hop, metric: Some(0), interface: None };
    rib.handle(Time::ZERO, RibIn::Nexthops(vec![news]), out);
    out.clear();
    rib
}

fn feed(rib: &mut Rib, batch: RouteBatch, out: &mut Vec<RibOut>) {
    rib.handle(Time::ZERO, RibIn::Routes(Box::new(batch)), out);
}

/// Everything that there is to tell; its octets.
fn pull(rib: &mut Rib, out: &mut Vec<RibOut>) -> usize {
    out.clear();
    rib.handle(Time::ZERO, RibIn::Pull { peer: PeerId(TO), room: usize::MAX }, out);
    let octets = |message: &RibOut| match message {
        RibOut::Frames { frames, .. } => frames.iter().map(bytes::Bytes::len).sum(),
        _ => 0,
    };
    out.iter().map(octets).sum()
}

fn codec(c: &mut Criterion) {
    let messages = messages(FROM);
    c.bench_function("read and judge", |b| b.iter(|| black_box(read(FROM, &messages))));
    let (set, dialect) = (set(FROM, 1), Dialect { as4: true, ..Dialect::default() });
    let prefixes: Vec<V4> = updates().into_iter().flat_map(|(_, prefixes)| prefixes).collect();
    let mut out = BytesMut::new();
    c.bench_function("write, one set", |b| {
        b.iter(|| {
            out.clear();
            encode::announce(&set, &dialect, black_box(&prefixes), &mut out)
        });
    });
}

fn interning(c: &mut Criterion) {
    let sets: Vec<AttrSet> = updates().into_iter().map(|(number, _)| set(FROM, number)).collect();
    c.bench_function("intern, half of them known", |b| {
        b.iter_batched(
            || (AttrStore::new(), sets.clone()),
            |(mut store, sets)| {
                let ids = store.intern_all(sets);
                (store, ids)
            },
            BatchSize::LargeInput,
        );
    });
}

fn table(c: &mut Criterion) {
    let (messages, mut out) = (messages(FROM), Vec::new());
    c.bench_function("rib: insert", |b| {
        b.iter_batched(
            || (rib(&mut Vec::new()), read(FROM, &messages)),
            |(mut rib, batch)| {
                out.clear();
                feed(&mut rib, batch, &mut out);
                rib
            },
            BatchSize::LargeInput,
        );
    });
    let full = || {
        let mut out = Vec::new();
        let mut rib = rib(&mut out);
        feed(&mut rib, read(FROM, &messages), &mut out);
        rib
    };
    assert!(pull(&mut full(), &mut out) > 4 * PREFIXES as usize);
    c.bench_function("export: encode", |b| {
        b.iter_batched(
            full,
            |mut rib| {
                assert!(pull(&mut rib, &mut out) > 0);
                rib
            },
            BatchSize::LargeInput,
        );
    });
}

fn decision(c: &mut Criterion) {
    // One of ten is longer; the others differ at the end only.
    let ranks: Vec<Rank> =
        (0..10).map(|n| Rank { path_len: 3 + n / 9, ..Rank::default() }).collect();
    let candidate = |(rank, peer): (_, u32)| Candidate {
        peer: PeerId(peer),
        path_id: 0,
        rank,
        med_among: Some(asn(peer)),
        long_lived_stale: false,
        internal: false,
        metric: 0,
        router_id: address(peer),
        address: address(peer).into(),
    };
    let candidates: Vec<Candidate<'_>> = ranks.iter().zip(1..).map(candidate).collect();
    assert_eq!(select(&candidates), Some(0));
    c.bench_function("decision, one of ten", |b| b.iter(|| select(black_box(&candidates))));
}

criterion_group!(benches, codec, interning, table, decision);
criterion_main!(benches);
