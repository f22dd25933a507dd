//! UPDATE (`wire::update`, `wire::judge`, `wire::encode`): whatever a neighbour sends, the batch
//! is sound, and its routes survive being announced to the next neighbour.
//!
//! The first octet chooses the session: bit 0 external, bit 1 two-octet AS numbers, bit 2 without
//! IPv6, bit 3 path identifiers, bit 4 IPv4 over IPv6 next hops, bit 5 link-local on interface 7,
//! bit 6 a reflector that allows its own AS once. The rest is the body.
#![no_main]

use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use starling_bgp::attrs::{AttrSet, Rank};
use starling_bgp::msg::{Op, RouteBatch};
use starling_bgp::types::{Asn, Families, Family, PeerId, PeerKind, Prefix};
use starling_bgp::wire::judge::{Context, Judgement, judge};
use starling_bgp::wire::encode::Dialect;
use starling_bgp::wire::update::Update;
use starling_bgp::wire::{encode, header};

fuzz_target!(|input: &[u8]| {
    let Some((flags, body)) = input.split_first() else { return };
    let mut context = Context {
        kind: if flags & 1 == 0 { PeerKind::Mesh } else { PeerKind::External },
        as4: flags & 2 == 0,
        families: Families::ALL,
        local_asn: Asn(64512),
        peer_asn: Asn(65001),
        router_id: Ipv4Addr::new(10, 0, 0, 1),
        add_path: if flags & 8 == 0 { Families::NONE } else { Families::ALL },
        extended_next_hop: flags & 16 != 0,
        scope: NonZeroU32::new(7).filter(|_| flags & 32 != 0),
        cluster_id: (flags & 64 != 0).then_some(Ipv4Addr::new(9, 9, 9, 9)),
        allow_own_as: flags >> 6 & 1,
        first_as: true,
    };
    if flags & 4 != 0 {
        context.families.remove(Family::Ipv6);
    }
    let mut batch = RouteBatch::new(PeerId(1));
    let judged = Update::read(body).and_then(|update| judge(&update, &context, &mut batch));
    match judged {
        Ok(judgement) => {
            if let Some((family, _)) = judgement.disabled {
                context.families.remove(family);
                assert!(!context.families.is_empty());
            }
            batch.ops.iter().for_each(|op| check(op, &batch));
            for (prefixes, ids) in
                [(batch.v4.len(), batch.v4_ids.len()), (batch.v6.len(), batch.v6_ids.len())]
            {
                assert_eq!(ids, if context.add_path.is_empty() { 0 } else { prefixes });
            }
        }
        Err(notification) => {
            assert_eq!(notification.code, 3);
            assert!(batch.ops.is_empty() && batch.attrs.is_empty());
            assert!(batch.v4.is_empty() && batch.v6.is_empty());
            assert!(batch.v4_ids.is_empty() && batch.v6_ids.is_empty());
        }
    }
});

fn check(op: &Op, batch: &RouteBatch) {
    match *op {
        Op::Announce { family, attrs, start, end } => {
            let set = &batch.attrs[attrs as usize];
            assert_eq!(set.rank(), &Rank::of(set.bytes()));
            show(set);
            let places = start as usize..end as usize;
            assert!(!places.is_empty());
            match family {
                Family::Ipv4 => announce_again(set, &batch.v4[places]),
                Family::Ipv6 => announce_again(set, &batch.v6[places]),
            }
        }
        Op::Withdraw { family, start, end } => {
            let places = start as usize..end as usize;
            let octets = match family {
                Family::Ipv4 => std::mem::size_of_val(&batch.v4[places]),
                Family::Ipv6 => std::mem::size_of_val(&batch.v6[places]),
            };
            assert_ne!(octets, 0);
        }
        Op::EndOfRib(_) | Op::RefreshBegins(_) | Op::RefreshEnds(_) => {}
    }
}

/// Everything that can be shown of a set can be shown of this one.
fn show(set: &AttrSet) {
    let words = format!(
        "{} {} {} {} {} {:?} {:?}",
        set.origin(),
        set.as_path(),
        set.communities(),
        set.large_communities(),
        set.extended_communities(),
        set.aggregator(),
        set.rank(),
    );
    assert!(!words.is_empty());
}

/// Announces the routes inside the AS and to two kinds of external neighbours, and reads what was
/// written with the eyes of each.
fn announce_again<P: Prefix>(set: &AttrSet, prefixes: &[P]) {
    let own = Asn(200_000);
    let inside = set.exported_internal(set.next_hop());
    let outside = set.exported_external(own, set.next_hop());
    // A reader whom the route never passed: to it nothing is a loop.
    let local_asn = (1..).map(Asn).find(|asn| *asn != own && !set.as_path().contains(*asn));
    let router_id = match set.rank().originator {
        Some(Ipv4Addr::UNSPECIFIED) | None => Ipv4Addr::BROADCAST,
        Some(_) => Ipv4Addr::UNSPECIFIED,
    };
    for (set, kind, as4) in [
        (&inside, PeerKind::Mesh, true),
        (&outside, PeerKind::External, true),
        (&outside, PeerKind::External, false),
    ] {
        let mut out = BytesMut::new();
        let dialect = Dialect { as4, internal: kind.is_internal(), ..Dialect::default() };
        let messages = encode::announce(set, &dialect, prefixes, &mut out);
        let context = Context {
            kind,
            as4,
            families: Families::ALL,
            local_asn: local_asn.unwrap(),
            peer_asn: own,
            router_id,
            extended_next_hop: true,
            scope: NonZeroU32::new(7),
            ..Context::default()
        };
        let batch = read_back(&out, &context);
        assert_eq!(batch.ops.len(), messages);
        if messages == 0 {
            // Too much for one message, or a next hop of the other family.
            continue;
        }
        let count = batch.v4.len() + batch.v6.len();
        assert_eq!(count, prefixes.len());
        assert_eq!(batch.attrs.len(), 1);
        if as4 {
            assert_eq!(&batch.attrs[0], set);
        }
    }
}

fn read_back(mut out: &[u8], context: &Context) -> RouteBatch {
    let mut batch = RouteBatch::new(PeerId(2));
    while let Some(frame) = header::next(out).unwrap() {
        let update = Update::read(frame.body).unwrap();
        assert_eq!(judge(&update, context, &mut batch), Ok(Judgement::default()));
        out = &out[frame.len()..];
    }
    assert!(out.is_empty());
    batch
}
