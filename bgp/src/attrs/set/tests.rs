//! What a set says of itself, and what becomes of it on its way out.

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const OWN: Asn = Asn(64512);

fn set(attributes: &[&[u8]]) -> AttrSet {
    AttrSet::from_canonical(THERE, attributes.concat().into())
}

const ORIGIN: &[u8] = &[0x40, 1, 1, 2];
const AS_PATH: &[u8] = &[0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xe9, 0, 3, 0x0d, 0x40];
const MED: &[u8] = &[0x80, 4, 4, 0, 0, 0, 7];
const LOCAL_PREF: &[u8] = &[0x40, 5, 4, 0, 0, 0, 200];
const ATOMIC: &[u8] = &[0x40, 6, 0];
const COMMUNITIES: &[u8] = &[0xe0, 8, 4, 0xff, 0xff, 0xff, 2];
const ORIGINATOR: &[u8] = &[0x80, 9, 4, 10, 0, 0, 9];
const CLUSTERS: &[u8] = &[0x80, 10, 8, 10, 0, 0, 8, 10, 0, 0, 7];
const EXTENDED: &[u8] =
    &[0xc0, 16, 16, 0, 2, 0xfd, 0xe9, 0, 0, 0, 1, 0x40, 2, 0xfd, 0xe9, 0, 0, 0, 2];
const UNKNOWN: &[u8] = &[0xe0, 99, 1, 5];

fn full() -> AttrSet {
    set(&[
        ORIGIN,
        AS_PATH,
        MED,
        LOCAL_PREF,
        ATOMIC,
        COMMUNITIES,
        ORIGINATOR,
        CLUSTERS,
        EXTENDED,
        UNKNOWN,
    ])
}

#[test]
fn accessors_find_everything() {
    let set = full();
    assert_eq!(set.origin(), Origin::Incomplete);
    assert_eq!(set.as_path().to_string(), "65001 200000");
    assert_eq!((set.med(), set.local_pref()), (Some(7), Some(200)));
    assert!(set.atomic_aggregate());
    assert_eq!(set.aggregator(), None);
    assert_eq!(set.communities().to_string(), "no-advertise");
    assert_eq!(set.extended_communities().iter().len(), 2);
    assert!(set.large_communities().is_empty());
    assert_eq!(set.cluster_list().len(), 2);
    assert_eq!(set.iter().count(), 10);
    let rank = Rank {
        local_pref: 200,
        path_len: 2,
        origin: Origin::Incomplete,
        med: 7,
        neighbor_as: Some(Asn(65001)),
        originator: Some(Ipv4Addr::new(10, 0, 0, 9)),
        cluster_len: 2,
    };
    assert_eq!(set.rank(), &rank);
}

#[test]
fn equal_content_has_an_equal_hash_and_other_content_another() {
    assert_eq!(full().hash(), full().hash());
    let elsewhere = AttrSet::from_canonical(HERE, full().bytes().into());
    assert_ne!(full().hash(), elsewhere.hash());
    assert_ne!(full().hash(), set(&[ORIGIN, AS_PATH]).hash());
}

#[test]
fn an_originated_set_is_short() {
    let set = AttrSet::originated(HERE);
    assert_eq!(set.bytes(), [0x40, 1, 1, 0, 0x40, 2, 0]);
    assert_eq!((set.next_hop().address, set.origin(), set.rank().path_len), (HERE, Origin::Igp, 0));
    assert_eq!(set.rank().neighbor_as, None);
}

#[test]
fn inside_the_as_local_pref_is_added_in_its_place() {
    for behind in [&[][..], &[MED], &[MED, COMMUNITIES], &[COMMUNITIES, UNKNOWN]] {
        let mut attributes = vec![ORIGIN, AS_PATH];
        attributes.extend(behind);
        let sent = set(&attributes).exported_internal(HERE);
        assert_eq!((sent.next_hop().address, sent.local_pref()), (HERE, Some(100)));
        assert!(sent.iter().is_sorted_by(|a, b| a.code < b.code));
        assert_eq!(sent.iter().count(), attributes.len() + 1);
        assert_eq!(sent.rank(), &Rank::of(sent.bytes()));
    }
    assert_eq!(full().exported_internal(HERE).bytes(), full().bytes());
}

#[test]
fn outside_the_as_only_what_may_leave() {
    let sent = full().exported_external(OWN, HERE);
    assert_eq!(*sent.rank(), Rank::of(sent.bytes()));
    let crossing: &[u8] = &[0xc0, 16, 8, 0, 2, 0xfd, 0xe9, 0, 0, 0, 1];
    let longer: &[u8] = &[0x40, 2, 14, 2, 3, 0, 0, 0xfc, 0, 0, 0, 0xfd, 0xe9, 0, 3, 0x0d, 0x40];
    let expected = [ORIGIN, longer, ATOMIC, COMMUNITIES, crossing, UNKNOWN].concat();
    assert_eq!(sent.bytes(), expected);
    assert_eq!(sent.next_hop().address, HERE);
    assert_eq!(sent.rank(), &Rank::of(&expected));
    // Extended communities of which none may leave go whole.
    let inside: &[u8] = &[0xc0, 16, 8, 0x40, 2, 0xfd, 0xe9, 0, 0, 0, 2];
    let sent = set(&[ORIGIN, AS_PATH, inside]).exported_external(OWN, HERE);
    assert!(sent.extended_communities().is_empty());
    assert_eq!(sent.iter().count(), 2);
}

#[test]
fn our_as_goes_into_the_first_sequence_or_before_it() {
    let prepended = |path: &[u8]| {
        let mut bytes = vec![0x50, 2];
        bytes.extend((path.len() as u16).to_be_bytes());
        bytes.extend(path);
        let sent = set(&[ORIGIN, &bytes]).exported_external(OWN, HERE);
        assert_eq!(*sent.rank(), Rank::of(sent.bytes()));
        assert_eq!(sent.rank().neighbor_as, Some(OWN));
        sent.as_path().octets().to_vec()
    };
    assert_eq!(prepended(&[]), [2, 1, 0, 0, 0xfc, 0]);
    let set: &[u8] = &[1, 1, 0, 0, 0, 9];
    assert_eq!(prepended(set), [&[2, 1, 0, 0, 0xfc, 0], set].concat());
    let full: Vec<u8> = [2, 255].into_iter().chain([0, 0, 0, 9].repeat(255)).collect();
    assert_eq!(prepended(&full), [&[2, 1, 0, 0, 0xfc, 0], &full[..]].concat());
    let nearly: Vec<u8> = [2, 254].into_iter().chain([0, 0, 0, 9].repeat(254)).collect();
    assert_eq!(prepended(&nearly)[..2], [2, 255]);
}

#[test]
fn what_is_known_beforehand_is_what_the_bytes_say() {
    let otc: &[u8] = &[0xc0, 35, 4, 0, 0, 0xfd, 0xe9];
    let aigp: &[u8] = &[0x80, 26, 11, 1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 9];
    for attributes in [&[LOCAL_PREF][..], &[otc], &[aigp], &[LOCAL_PREF, aigp, otc], &[MED]] {
        let set = set(&[&[ORIGIN, AS_PATH], attributes].concat());
        for code in 0..=u8::MAX {
            assert_eq!(set.has(code), set.find(code).is_some(), "{code}");
        }
        assert_eq!(set.only_to_customer(), attributes.contains(&otc).then_some(Asn(65001)));
    }
    let names = Community::names().filter_map(Community::named);
    let known: Vec<Community> = names.chain([Community(0xfde9_0001)]).collect();
    for has in &known {
        let bytes = [&[0xc0, 8, 8, 0, 1, 0, 2][..], &has.0.to_be_bytes()].concat();
        let set = set(&[ORIGIN, AS_PATH, &bytes]);
        for asked in &known {
            assert_eq!(set.has_community(*asked), has == asked, "{has} {asked}");
        }
    }
}
