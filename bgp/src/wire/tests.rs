//! Whatever the bytes, every public decoder answers: noise, and bytes that are nearly right.
//! What comes out can be looked at from all sides. (Fuzzing goes on where this ends.)

use proptest::collection::vec;
use proptest::prelude::*;

use super::as_path::{AsPath, SegmentKind};
use super::attr::{self, Attr, Attrs};
use super::capability::Capability;
use super::community::{Communities, ExtendedCommunities, LargeCommunities};
use super::judge::{Context, judge};
use super::notification::Notification;
use super::open::Open;
use super::update::Update;
use super::{header, nlri, refresh};
use crate::attrs::{AttrSet, Origin, Rank};
use crate::bfd;
use crate::msg::RouteBatch;
use crate::types::{Asn, Families, PeerId, PeerKind, Prefix, V4, V6};

/// Noise; small numbers, of which lengths and codes are made; and runs of attributes whose lengths
/// are mostly true.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let flags = prop_oneof![Just(0x40u8), Just(0x80), Just(0xc0), Just(0x50), any::<u8>()];
    let one = (flags, 0u8..40, vec(0u8..6, 0..20), prop::option::weighted(0.1, any::<u8>()));
    let attribute = one.prop_map(|(flags, code, value, lie)| {
        let length = lie.unwrap_or(value.len() as u8);
        let mut all = vec![flags, code];
        // Extended length.
        all.extend((flags & 0x10 != 0).then_some(0));
        all.push(length);
        all.extend(value);
        all
    });
    prop_oneof![
        2 => vec(any::<u8>(), 0..400),
        1 => vec(0u8..40, 0..200),
        2 => vec(attribute, 0..8).prop_map(|all| all.concat()),
    ]
}

fn prefixes<P: Prefix>(field: &[u8]) {
    let mut found: Vec<P> = Vec::new();
    let whole = nlri::read(field, &mut found).is_ok();
    let octets: usize = found.iter().map(|prefix| nlri::wire_len(*prefix)).sum();
    assert!(octets <= field.len() && (octets == field.len() || !whole));
    let (mut found, mut ids) = (Vec::<P>::new(), Vec::new());
    let whole = nlri::read_with_ids(field, &mut found, &mut ids).is_ok();
    let octets: usize = found.iter().map(|prefix| 4 + nlri::wire_len(*prefix)).sum();
    assert_eq!(found.len(), ids.len());
    assert!(octets <= field.len() && (octets == field.len() || !whole));
    for prefix in found {
        assert_eq!(P::from_net(prefix.net()), Some(prefix));
    }
    if let Some((len, octets)) = field.split_first() {
        assert_eq!(P::from_wire(*len, octets).is_some(), *len <= P::MAX_LEN);
    }
}

/// An attribute's value, seen as each kind of value.
fn value(value: &[u8]) {
    let path = AsPath::new(value);
    let shown = format!("{path} {:?} {:?} {}", path.first(), path.origin(), path.is_empty());
    let all: Vec<Asn> = path.asns().collect();
    assert!(!shown.is_empty() && all.len() * 4 <= value.len());
    assert!(all.iter().all(|asn| path.contains(*asn)));
    let segments: usize = path.segments().map(|segment| segment.asns().count()).sum();
    assert_eq!(segments, all.len());
    // A set counts as one, even an empty one; a confederation as none.
    assert!(path.len() <= all.len() + path.segments().count());
    let prepended = path.prepended(&[Asn(1), Asn(2)]);
    let octets: usize = path.segments().map(|segment| 2 + 4 * segment.asns().len()).sum();
    if octets == value.len() {
        let first: Vec<Asn> = AsPath::new(&prepended).asns().take(2).collect();
        assert_eq!(first, [Asn(1), Asn(2)]);
    }
    let (four, twelve, eight) =
        (Communities::new(value), LargeCommunities::new(value), ExtendedCommunities::new(value));
    let counts = [four.iter().len(), twelve.iter().len(), eight.iter().len()];
    assert_eq!(counts, [value.len() / 4, value.len() / 12, value.len() / 8]);
    assert!(format!("{four} {twelve} {eight}").len() >= 2);
}

/// More with PROPTEST_CASES, as everywhere.
fn at_least(cases: u32) -> ProptestConfig {
    let settings = ProptestConfig::default();
    ProptestConfig { cases: cases.max(settings.cases), ..settings }
}

proptest! {
    #![proptest_config(at_least(512))]

    #[test]
    fn messages(body in bytes(), most in 0usize..70_000) {
        for frame in [header::next(&body), header::next_of(&body, most)] {
            if let Ok(Some(frame)) = frame {
                prop_assert!(frame.len() <= body.len());
            }
        }
        if let Ok(open) = Open::read(&body) {
            let words = format!("{open:?}");
            prop_assert!(!words.is_empty());
        }
        let notification = Notification::read(&body);
        let words = format!("{notification} {:?}", notification.text());
        prop_assert!(!words.is_empty());
        prop_assert_eq!(notification.hard().is_hard_reset(), true);
        for enhanced in [false, true] {
            let _ = refresh::read(&body, enhanced);
        }
        if let Ok(packet) = bfd::Packet::read(&body) {
            prop_assert_eq!(bfd::Packet::read(&packet.bytes()), Ok(packet));
        }
        if let Ok(all) = Capability::read_all(&body) {
            let mut again = bytes::BytesMut::new();
            all.iter().for_each(|capability| capability.put(&mut again));
            prop_assert_eq!(Capability::read_all(&again), Ok(all));
        }
    }

    #[test]
    fn updates(
        withdrawn in vec(0u8..40, 0..10),
        attributes in bytes(),
        nlri in vec(0u8..40, 0..20),
        session in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let (as4, internal, ids, extended_next_hop) = session;
        let length = |field: &[u8]| (field.len() as u16).to_be_bytes();
        let body = [&length(&withdrawn)[..], &withdrawn, &length(&attributes), &attributes, &nlri].concat();
        let context = Context {
            kind: if internal { PeerKind::Mesh } else { PeerKind::External },
            as4,
            add_path: if ids { Families::ALL } else { Families::NONE },
            extended_next_hop,
            scope: std::num::NonZeroU32::new(7),
            ..Context::default()
        };
        for body in [&body, &attributes] {
            let mut batch = RouteBatch::new(PeerId(1));
            let Ok(update) = Update::read(body) else { continue };
            if judge(&update, &context, &mut batch).is_err() {
                prop_assert!(batch.is_empty() && batch.attrs.is_empty());
            }
            for set in &batch.attrs {
                let words = format!("{set:?}");
                prop_assert!(!words.is_empty());
            }
        }
    }

    #[test]
    fn attributes(bytes in bytes()) {
        let mut rest: &[u8] = &bytes;
        while let Some((attr, after)) = Attr::split(rest) {
            prop_assert!(attr.value.len() + after.len() < rest.len());
            value(attr.value);
            prop_assert_eq!(attr.u32().is_some(), attr.value.len() == 4);
            let _ = attr::spec(attr.code);
            rest = after;
        }
        let mut all = Attrs::new(&bytes);
        all.by_ref().for_each(drop);
        prop_assert_eq!(all.rest(), rest);
        value(&bytes);
        for code in &bytes {
            let _ = (Origin::from_wire(*code), SegmentKind::from_wire(*code));
        }
        // Not canonical, most of them: whoever has them by mistake sees nonsense and no panic.
        let set = AttrSet::from_canonical(std::net::IpAddr::from([192, 0, 2, 1]), bytes.clone().into());
        prop_assert_eq!(set.rank(), &Rank::of(&bytes));
        let words = format!(
            "{} {:?} {:?} {:?} {} {:?} {:?}",
            set.origin(), set.med(), set.local_pref(), set.aggregator(), set.communities(),
            set.only_to_customer(), set.cluster_list().collect::<Vec<_>>(),
        );
        prop_assert!(!words.is_empty());
    }

    #[test]
    fn runs_of_prefixes(field in bytes()) {
        prefixes::<V4>(&field);
        prefixes::<V6>(&field);
    }
}
