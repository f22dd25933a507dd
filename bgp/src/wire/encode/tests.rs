//! Golden bytes and limits. That what is written is read back: `judge::tests::round_trip`.

use std::net::Ipv4Addr;

use super::*;
use crate::attrs::AttrSet;
use crate::types::{V4, V6};

const NEXT_HOP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 1, 5, 10));

fn v4(net: &str) -> V4 {
    V4::new(net.parse().unwrap())
}

fn v6(net: &str) -> V6 {
    V6::new(net.parse().unwrap())
}

/// A canonical set of ORIGIN IGP, this path and these attributes.
fn set(next_hop: IpAddr, path: &[u32], more: &[&[u8]]) -> AttrSet {
    let mut bytes = vec![0x40, 1, 1, 0, 0x40, 2];
    if path.is_empty() {
        bytes.push(0);
    } else {
        bytes.extend([2 + 4 * path.len() as u8, 2, path.len() as u8]);
        bytes.extend(path.iter().flat_map(|asn| asn.to_be_bytes()));
    }
    bytes.extend(more.concat());
    AttrSet::from_canonical(next_hop, bytes.into())
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// The messages in `out`, without their headers, which are checked.
fn bodies(mut out: &[u8]) -> Vec<&[u8]> {
    let mut bodies = Vec::new();
    while !out.is_empty() {
        assert_eq!((&out[..16], out[18]), (&[0xff; 16][..], 2));
        let length = usize::from(u16::from_be_bytes([out[16], out[17]]));
        bodies.push(&out[19..length]);
        out = &out[length..];
    }
    bodies
}

const MESH: Dialect = Dialect { as4: true, internal: true, extended: false, link: None };
const OUTSIDE: Dialect = Dialect { internal: false, ..MESH };
const TWO_OCTETS: Dialect = Dialect { as4: false, ..OUTSIDE };

fn announced<P: Prefix>(set: &AttrSet, dialect: Dialect, prefixes: &[P]) -> String {
    let mut out = BytesMut::new();
    assert_eq!(announce(set, &dialect, prefixes, &mut out), 1);
    hex(bodies(&out)[0])
}

#[test]
fn an_own_block_to_the_mesh() {
    let set = AttrSet::originated(NEXT_HOP);
    let expected =
        "0000 0015 40010100 400200 4003040a01050a 40050400000064 1a0af40100".replace(' ', "");
    assert_eq!(announced(&set, MESH, &[v4("10.244.1.0/26")]), expected);
    let exported = set.exported_internal(NEXT_HOP);
    assert_eq!(announced(&exported, MESH, &[v4("10.244.1.0/26")]), expected);
}

#[test]
fn an_own_block_to_an_external_router() {
    let set = AttrSet::originated(NEXT_HOP).exported_external(Asn(64512), NEXT_HOP);
    let expected =
        "00000014 40010100 400206 02010000fc00 4003040a01050a 1a0af40100".replace(' ', "");
    assert_eq!(announced(&set, OUTSIDE, &[v4("10.244.1.0/26")]), expected);
}

#[test]
fn ipv6_goes_first_in_mp_reach() {
    let set = AttrSet::originated("2001:db8::10".parse::<IpAddr>().unwrap());
    let expected = "0000 0030
        900e001e 000201 10 20010db8000000000000000000000010 00 40 20010db800000001
        40010100 400200 40050400000064"
        .replace([' ', '\n'], "");
    assert_eq!(announced(&set, MESH, &[v6("2001:db8:0:1::/64")]), expected);
}

#[test]
fn ipv4_through_ipv6_goes_in_mp_reach() {
    let set = set("fe80::1".parse().unwrap(), &[64512], &[]);
    let expected = "0000 002b
        900e001a 000101 10 fe800000000000000000000000000001 00 1a0af40100
        40010100 400206 02010000fc00"
        .replace([' ', '\n'], "");
    assert_eq!(announced(&set, OUTSIDE, &[v4("10.244.1.0/26")]), expected);
}

#[test]
fn ipv6_through_ipv4_cannot_be_said() {
    let mut out = BytesMut::new();
    let set = AttrSet::originated(NEXT_HOP);
    assert_eq!(announce(&set, &MESH, &[v6("2001:db8::/32")], &mut out), 0);
    assert!(out.is_empty());
}

#[test]
fn attributes_keep_their_order_around_those_that_are_added() {
    let med: &[u8] = &[0x80, 4, 4, 0, 0, 0, 7];
    let community: &[u8] = &[0xc0, 8, 4, 0xfd, 0xe9, 0, 1];
    let set = set(NEXT_HOP, &[65001], &[med, community]);
    let expected =
        "40010100 400206 02010000fde9 4003040a01050a 80040400000007 40050400000064 c00804fde90001";
    let body = announced(&set, MESH, &[v4("0.0.0.0/0")]);
    assert!(body.contains(&expected.replace(' ', "")), "{body}");
}

#[test]
fn what_must_stay_inside_does() {
    let local_pref: &[u8] = &[0x40, 5, 4, 0, 0, 0, 200];
    let originator: &[u8] = &[0x80, 9, 4, 10, 0, 0, 9];
    let clusters: &[u8] = &[0x80, 10, 4, 10, 0, 0, 8];
    let set = set(NEXT_HOP, &[65001], &[local_pref, originator, clusters]);
    let inside = announced(&set, MESH, &[v4("10.0.0.0/8")]);
    let outside = announced(&set, OUTSIDE, &[v4("10.0.0.0/8")]);
    for attribute in [local_pref, originator, clusters] {
        assert!(inside.contains(&hex(attribute)), "{inside}");
        assert!(!outside.contains(&hex(attribute)), "{outside}");
    }
}

#[test]
fn two_octet_neighbours_get_both_paths_where_one_loses() {
    let aggregator: &[u8] = &[0xc0, 7, 8, 0, 3, 0x0d, 0x40, 9, 9, 9, 9];
    let large: &[u8] = &[0xc0, 32, 12, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    let lossy = set(NEXT_HOP, &[65001, 200_000], &[aggregator, large]);
    let expected = "40010100 400206 0202fde95ba0 4003040a01050a c00706 5ba009090909
        c0110a 02020000fde900030d40 c01208 00030d4009090909
        c0200c 000000010000000200000003 080a";
    let body = announced(&lossy, TWO_OCTETS, &[v4("10.0.0.0/8")]);
    assert_eq!(&body[8..], expected.replace([' ', '\n'], ""));

    let small: &[u8] = &[0xc0, 7, 8, 0, 0, 0xfd, 0xe9, 9, 9, 9, 9];
    let lossless = set(NEXT_HOP, &[65001, 65002], &[small]);
    let expected = "40010100 400206 0202fde9fdea 4003040a01050a c00706 fde909090909 080a";
    let body = announced(&lossless, TWO_OCTETS, &[v4("10.0.0.0/8")]);
    assert_eq!(&body[8..], expected.replace(' ', ""));
}

#[test]
fn withdrawals_and_markers() {
    let mut out = BytesMut::new();
    assert_eq!(withdraw(&MESH, &[v4("10.0.0.0/8"), v4("0.0.0.0/0")], &mut out), 1);
    assert_eq!(withdraw(&MESH, &[v6("2001:db8::/32")], &mut out), 1);
    end_of_rib(Family::Ipv4, &mut out);
    end_of_rib(Family::Ipv6, &mut out);
    let said: Vec<String> = bodies(&out).into_iter().map(hex).collect();
    let expected =
        ["0003080a000000", "0000000c900f00080002012020010db8", "00000000", "00000006800f03000201"];
    assert_eq!(said, expected);
}

#[test]
fn nothing_to_say_is_no_message() {
    let mut out = BytesMut::new();
    let set = AttrSet::originated(NEXT_HOP);
    assert_eq!(announce::<V4>(&set, &MESH, &[], &mut out), 0);
    assert_eq!(withdraw::<V6>(&MESH, &[], &mut out), 0);
    assert!(out.is_empty());
}

/// Messages are filled to the last octet that the next prefix does not need.
#[test]
fn messages_are_as_full_as_can_be() {
    let prefixes: Vec<V4> =
        (0..5000u32).map(|i| V4::from_wire(32, &i.to_be_bytes()).unwrap()).collect();
    let mut out = BytesMut::new();
    let messages = withdraw(&MESH, &prefixes, &mut out);
    // 4096 octets less header and two length fields hold 814 prefixes of five octets.
    assert_eq!(messages, 5000usize.div_ceil(814));
    let lengths: Vec<usize> = bodies(&out).iter().map(|body| body.len() + 19).collect();
    assert_eq!(lengths[0], 23 + 814 * 5);
    assert!(lengths.iter().all(|length| *length <= 4096));
}

/// A set of which `octets` are left of a message with one IPv4 prefix of 32 bits, next hop and
/// all.
fn large(next_hop: IpAddr, max_len: usize, left: usize) -> AttrSet {
    // Around: ORIGIN 4, AS_PATH 3, the unknown attribute's own header 4, the prefix 5; header and
    // lengths 23; NEXT_HOP 7, or MP_REACH_NLRI with a next hop of 16 octets and its length 25.
    let next_hop_len = if next_hop.is_ipv4() { 7 } else { 25 };
    let len = max_len - left - 23 - 4 - 3 - 4 - 5 - next_hop_len;
    let mut unknown = vec![0xf0, 99];
    unknown.extend((len as u16).to_be_bytes());
    unknown.extend(vec![0; len]);
    set(next_hop, &[], &[&unknown])
}

#[test]
fn a_set_too_large_for_a_message_is_not_sent() {
    let prefix = [v4("10.0.0.1/32")];
    let hops = [NEXT_HOP, "2001:db8::1".parse().unwrap()];
    let lengths = [(4096, OUTSIDE), (65_535, Dialect { extended: true, ..OUTSIDE })];
    for (next_hop, (max_len, dialect)) in hops.iter().flat_map(|h| lengths.map(|l| (*h, l))) {
        let mut out = BytesMut::new();
        let fits = large(next_hop, max_len, 0);
        assert_eq!(announce(&fits, &dialect, &prefix, &mut out), 1);
        assert_eq!((out.len(), bodies(&out).len()), (max_len, 1));
        // A path identifier takes the four octets that are not there.
        let with_id = Nlri { prefixes: &prefix, ids: &[7] };
        assert_eq!(announce(&fits, &dialect, with_id, &mut BytesMut::new()), 0);
        let smaller = large(next_hop, max_len, 4);
        out.clear();
        assert_eq!(announce(&smaller, &dialect, with_id, &mut out), 1);
        assert_eq!(out.len(), max_len);
        if max_len == 4096 {
            out.clear();
            let larger = large(next_hop, max_len + 1, 0);
            assert_eq!(announce(&larger, &dialect, &prefix, &mut out), 0);
            assert!(out.is_empty());
        }
    }
}

#[test]
fn an_extended_message_holds_what_sixteen_did() {
    let prefixes: Vec<V4> =
        (0..20_000u32).map(|i| V4::from_wire(32, &i.to_be_bytes()).unwrap()).collect();
    let mut out = BytesMut::new();
    assert_eq!(withdraw(&Dialect { extended: true, ..MESH }, &prefixes, &mut out), 2);
    let lengths: Vec<usize> = bodies(&out).iter().map(|body| body.len() + 19).collect();
    // 65535 octets less 23 hold 13102 prefixes of five octets.
    assert_eq!(lengths, [23 + 13_102 * 5, 23 + 6_898 * 5]);
}

#[test]
fn path_identifiers_go_before_their_prefixes() {
    let (v4s, v6s) = ([v4("10.0.0.0/8"), v4("0.0.0.0/0")], [v6("2001:db8::/32")]);
    let mut out = BytesMut::new();
    let set = AttrSet::originated(NEXT_HOP);
    let nlri = Nlri { prefixes: &v4s, ids: &[1, 0x0102_0304] };
    assert_eq!(announce(&set, &MESH, nlri, &mut out), 1);
    assert_eq!(withdraw(&MESH, nlri, &mut out), 1);
    assert_eq!(withdraw(&MESH, Nlri { prefixes: &v6s, ids: &[9] }, &mut out), 1);
    let set = AttrSet::originated("2001:db8::10".parse::<IpAddr>().unwrap());
    assert_eq!(announce(&set, &MESH, Nlri { prefixes: &v6s, ids: &[9] }, &mut out), 1);
    let said: Vec<String> = bodies(&out).into_iter().map(hex).collect();
    assert!(said[0].ends_with("00000001080a0102030400"), "{}", said[0]);
    assert_eq!(said[1], "000b00000001080a01020304000000");
    assert_eq!(said[2], "00000010900f000c000201000000092020010db8");
    assert!(said[3].contains("00000000092020010db840010100"), "{}", said[3]);
}

/// RFC 2545 §3: both addresses to a neighbour on the link, where the global one is ours.
#[test]
fn a_neighbour_on_the_link_gets_both_addresses() {
    let [global, link_local] = ["2001:db8::10", "fe80::1"].map(|a| a.parse().unwrap());
    let dialect = Dialect { link: Some((global, link_local)), ..OUTSIDE };
    let own = set(IpAddr::V6(global), &[64512], &[]);
    let said = announced(&own, dialect, &[v6("2001:db8:1::/48")]);
    assert!(
        said.contains(
            "000201 20 20010db8000000000000000000000010 fe800000000000000000000000000001 00 30"
                .replace(' ', "")
                .as_str()
        )
    );
    let other = set("2001:db8::20".parse().unwrap(), &[64512], &[]);
    let said = announced(&other, dialect, &[v6("2001:db8:1::/48")]);
    assert!(said.contains("0002011020010db8000000000000000000000020"), "{said}");
}
