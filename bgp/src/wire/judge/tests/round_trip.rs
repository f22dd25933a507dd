//! Properties: what is written is read back, nothing panics, canonical bytes are a fixed point.

use bytes::BytesMut;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::attrs::Rank;
use crate::wire::attr::Attr;
use crate::wire::encode::{self, Dialect};

const INSIDE: Dialect = Dialect { as4: true, internal: true, extended: false, link: None };
const OUTSIDE: Dialect = Dialect { internal: false, ..INSIDE };

/// Attributes of a well-formed route, by code: value and partial bit, in canonical terms.
fn canonical() -> impl Strategy<Value = Vec<u8>> {
    let segments = vec(vec(1..=400_000u32, 1..6), 0..4);
    let runs = |size: usize| vec(vec(any::<u8>(), size), 1..5).prop_map(|runs| runs.concat());
    let known = (
        0..3u8,
        segments,
        option::of(any::<u32>()),
        option::of(any::<u32>()),
        any::<bool>(),
        option::of((1..=400_000u32, any::<u32>())),
        option::of(runs(4)),
        option::of(runs(8)),
        option::of(runs(12)),
    );
    let unknown = btree_map(40..=255u8, vec(any::<u8>(), 0..300), 0..4);
    (known, any::<bool>(), unknown).prop_map(|(known, partial, unknown)| {
        let (origin, segments, med, local_pref, atomic, aggregator, standard, extended, large) =
            known;
        let partial = if partial { 0x20 } else { 0 };
        let mut path = Vec::new();
        for asns in segments {
            path.extend([2, asns.len() as u8]);
            path.extend(asns.iter().flat_map(|asn| asn.to_be_bytes()));
        }
        let mut message =
            Message::new().attr(0x40, code::ORIGIN, &[origin]).attr(0x40, code::AS_PATH, &path);
        let number = |n: Option<u32>| n.map(|n| n.to_be_bytes().to_vec());
        let aggregator = aggregator.map(|(asn, id)| [asn.to_be_bytes(), id.to_be_bytes()].concat());
        for (flags, code, value) in [
            (0x80, code::MULTI_EXIT_DISC, number(med)),
            (0x40, code::LOCAL_PREF, number(local_pref)),
            (0x40, code::ATOMIC_AGGREGATE, atomic.then(Vec::new)),
            (0xc0, code::AGGREGATOR, aggregator),
            (0xc0 | partial, code::COMMUNITIES, standard),
            (0xc0, code::EXTENDED_COMMUNITIES, extended),
            (0xc0, code::LARGE_COMMUNITIES, large),
        ] {
            if let Some(value) = value {
                message = message.attr(flags, code, &value);
            }
        }
        for (code, value) in unknown {
            message = message.attr(0xe0, code, &value);
        }
        message.attributes
    })
}

fn v4s() -> impl Strategy<Value = Vec<V4>> {
    vec((0..=32u8, any::<[u8; 4]>()), 1..1500)
        .prop_map(|nets| nets.iter().filter_map(|(len, o)| V4::from_wire(*len, o)).collect())
}

fn v6s() -> impl Strategy<Value = Vec<V6>> {
    vec((0..=128u8, any::<[u8; 16]>()), 1..500)
        .prop_map(|nets| nets.iter().filter_map(|(len, o)| V6::from_wire(*len, o)).collect())
}

/// Judges every message in `out`, having checked its header.
fn read_back(mut out: &[u8], context: &Context) -> RouteBatch {
    let mut batch = RouteBatch::new(PeerId(1));
    while !out.is_empty() {
        let length = usize::from(u16::from_be_bytes([out[16], out[17]]));
        assert_eq!((&out[..16], out[18]), (&[0xff; 16][..], 2));
        assert!((23..=4096).contains(&length));
        let update = Update::read(&out[19..length]).unwrap();
        assert_eq!(judge(&update, context, &mut batch), Ok(Judgement::default()));
        out = &out[length..];
    }
    batch
}

/// The set of a batch that has one, and that every op announces.
fn only_set(batch: &RouteBatch) -> &AttrSet {
    assert!(batch.ops.iter().all(|op| matches!(op, Op::Announce { attrs: 0, .. })));
    assert_eq!(batch.attrs.len(), 1);
    &batch.attrs[0]
}

proptest! {
    #[test]
    fn ipv4_is_read_back(bytes in canonical(), prefixes in v4s(), as4: bool) {
        let next_hop = IpAddr::from([192, 0, 2, 1]);
        let set = AttrSet::from_canonical(next_hop, bytes.into()).exported_internal(next_hop);
        let mut out = BytesMut::new();
        let messages = encode::announce(&set, &Dialect { as4, ..INSIDE }, &prefixes, &mut out);
        let batch = read_back(&out, &Context { as4, local_asn: Asn(500_000), ..internal() });
        prop_assert_eq!(batch.ops.len(), messages);
        prop_assert_eq!(&batch.v4, &prefixes);
        prop_assert_eq!(only_set(&batch).rank(), set.rank());
        if as4 {
            prop_assert_eq!(only_set(&batch), &set);
        }
        out.clear();
        encode::withdraw(&INSIDE, &prefixes, &mut out);
        prop_assert_eq!(read_back(&out, &internal()).v4, prefixes);
    }

    #[test]
    fn ipv6_and_ipv4_through_ipv6_are_read_back(bytes in canonical(), v4 in v4s(), v6 in v6s()) {
        let next_hop: IpAddr = "2001:db8::1".parse().unwrap();
        let set = AttrSet::from_canonical(next_hop, bytes.into()).exported_internal(next_hop);
        let context =
            Context { local_asn: Asn(500_000), extended_next_hop: true, ..internal() };
        let mut out = BytesMut::new();
        let messages = encode::announce(&set, &INSIDE, &v6, &mut out)
            + encode::announce(&set, &INSIDE, &v4, &mut out);
        let batch = read_back(&out, &context);
        prop_assert_eq!(batch.ops.len(), messages);
        prop_assert_eq!((&batch.v4, &batch.v6), (&v4, &v6));
        prop_assert_eq!(only_set(&batch), &set);
        out.clear();
        encode::withdraw(&INSIDE, &v6, &mut out);
        prop_assert_eq!(read_back(&out, &context).v6, v6);
    }

    #[test]
    fn an_external_neighbour_gets_what_it_may(bytes in canonical()) {
        let next_hop = IpAddr::from([192, 0, 2, 1]);
        let set = AttrSet::from_canonical(next_hop, bytes.into());
        let sent = set.exported_external(PEER, next_hop);
        prop_assert_eq!(sent.as_path().len(), set.as_path().len() + 1);
        let kept = |code| ![code::MULTI_EXIT_DISC, code::LOCAL_PREF].contains(&code);
        prop_assert!(sent.iter().all(|attr| kept(attr.code)));
        let mut out = BytesMut::new();
        encode::announce(&sent, &OUTSIDE, &[V4::from_wire(8, &[10]).unwrap()], &mut out);
        let batch = read_back(&out, &Context { local_asn: Asn(500_000), ..external() });
        prop_assert_eq!(only_set(&batch), &sent);
    }

    #[test]
    fn canonical_bytes_are_a_fixed_point(bytes in canonical(), order in any::<u64>()) {
        // The same attributes in another order, with extended lengths.
        let mut attrs: Vec<Attr<'_>> = Attrs::new(&bytes).collect();
        attrs.sort_by_key(|attr| order.rotate_left(u32::from(attr.code)));
        let mut message = Message::new().attr(0x40, code::NEXT_HOP, &[192, 0, 2, 1]).nlri(&[8, 10]);
        for attr in attrs {
            let length = (attr.value.len() as u16).to_be_bytes();
            let head = [attr.flags | 0x10, attr.code, length[0], length[1]];
            message = message.raw(&head).raw(attr.value);
        }
        let batch = message.routes(&Context { local_asn: Asn(500_000), ..internal() });
        prop_assert_eq!(batch.attrs[0].bytes(), &bytes[..]);
        prop_assert_eq!(batch.attrs[0].rank(), &Rank::of(&bytes));
    }

    #[test]
    fn no_bytes_panic(
        body in vec(any::<u8>(), 0..200),
        as4: bool,
        inside: bool,
        add_path: bool,
        extended_next_hop: bool,
    ) {
        let add_path = if add_path { Families::ALL } else { Families::NONE };
        let context = Context {
            as4,
            add_path,
            extended_next_hop,
            ..if inside { internal() } else { external() }
        };
        let mut batch = RouteBatch::new(PeerId(1));
        if let Ok(update) = Update::read(&body) {
            let _ = judge(&update, &context, &mut batch);
            sound(&batch);
            let ids = [batch.v4_ids.len(), batch.v6_ids.len()];
            let prefixes = [batch.v4.len(), batch.v6.len()];
            prop_assert_eq!(ids, if add_path.is_empty() { [0, 0] } else { prefixes });
        }
    }

    /// Attributes that are nearly right reach deeper than noise.
    #[test]
    fn no_attributes_panic(
        attrs in vec((any::<u8>(), 0..40u8, vec(0..5u8, 0..24)), 0..8),
        nlri in vec(0..34u8, 0..12),
        as4: bool,
        inside: bool,
    ) {
        let context = Context { as4, ..if inside { internal() } else { external() } };
        let mut message = Message::new().nlri(&nlri);
        for (noise, code, value) in attrs {
            let right = crate::wire::attr::spec(code).map_or(0xc0, |spec| spec.flags);
            let flags = if noise < 16 { noise << 4 } else { right };
            message = message.attr(flags & !0x10, code, &value);
        }
        if let Ok((_, batch)) = message.judged(&context) {
            sound(&batch);
        }
    }
}

/// What every batch promises to those who read it.
fn sound(batch: &RouteBatch) {
    for op in &batch.ops {
        let (family, start, end) = match *op {
            Op::Announce { family, attrs, start, end } => {
                let set = &batch.attrs[attrs as usize];
                assert_eq!(set.rank(), &Rank::of(set.bytes()));
                let rest = Attrs::new(set.bytes());
                assert!(rest.clone().is_sorted_by(|a, b| a.code < b.code));
                (family, start, end)
            }
            Op::Withdraw { family, start, end } => (family, start, end),
            Op::EndOfRib(_) | Op::RefreshBegins(_) | Op::RefreshEnds(_) => continue,
        };
        let arena = if family == Family::Ipv4 { batch.v4.len() } else { batch.v6.len() };
        assert!(start < end && end as usize <= arena);
    }
}
