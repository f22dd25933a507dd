//! Whole messages in the dress that other speakers give them, judged.

use std::num::NonZeroU32;

use super::*;

fn octets(hex: &str) -> Vec<u8> {
    let hex: String = hex.split_whitespace().collect();
    let pair = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(pair).collect()
}

fn judged(hex: &str, context: &Context) -> RouteBatch {
    let body = octets(hex);
    let mut batch = RouteBatch::new(PeerId(1));
    let update = Update::read(&body).unwrap();
    assert_eq!(judge(&update, context, &mut batch), Ok(Judgement::default()));
    batch
}

/// A pod block as a mesh neighbour announces it: extended lengths nobody needs, an empty path.
#[test]
fn a_block_from_the_mesh() {
    let batch = judged(
        "0000 001e
         40 01 01 00
         50 02 0000
         40 03 04 0a01080a
         40 05 04 00000064
         d0 08 0004 fbf40064
         1a 0af40240",
        &internal(),
    );
    assert_eq!(said(&batch), ["10.244.2.64/26 via 10.1.8.10 path []"]);
    let set = &batch.attrs[0];
    assert_eq!(set.communities().to_string(), "64500:100");
    assert_eq!(set.bytes(), octets("40010100 400200 40050400000064 c00804fbf40064"));
}

/// IPv6 from an external router: MP_REACH_NLRI first, global and link-local next hop.
#[test]
fn ipv6_with_two_next_hops() {
    let batch = judged(
        "0000 0040
         90 0e 002a 0002 01 20
           20010db8000000000000000000000001 fe800000000000000000000000000001 00
           20 20010db8
         40 01 01 02
         50 02 000a 02 02 0000fde9 00030d40",
        &external(),
    );
    assert_eq!(said(&batch), ["2001:db8::/32 via 2001:db8::1 path [65001 200000]"]);
    assert_eq!(batch.attrs[0].rank().origin, Origin::Incomplete);
}

/// A session between link-local addresses on interface 7, IPv4 over IPv6 next hops agreed.
fn unnumbered() -> Context {
    Context { scope: NonZeroU32::new(7), extended_next_hop: true, ..external() }
}

/// Without a global next hop the link-local one counts, on the interface of the session.
#[test]
fn ipv6_with_a_link_local_next_hop_only() {
    let batch = judged(
        "0000 003a
         80 0e 2a 0002 01 20
           00000000000000000000000000000000 fe800000000000000000000000000001 00
           20 20010db8
         40 01 01 00
         40 02 06 02 01 0000fde9",
        &unnumbered(),
    );
    assert_eq!(said(&batch), ["2001:db8::/32 via fe80::1%7 path [65001]"]);
}

/// IPv4 through an IPv6 next hop (RFC 8950), the attribute in the middle.
#[test]
fn ipv4_through_ipv6() {
    let batch = judged(
        "0000 0029
         40 01 01 00
         80 0e 19 0001 01 10 fe800000000000000000000000000001 00 18 cb0071
         40 02 06 02 01 0000fde9",
        &unnumbered(),
    );
    assert_eq!(said(&batch), ["203.0.113.0/24 via fe80::1%7 path [65001]"]);
}

/// IPv4 in MP_REACH_NLRI with an IPv4 next hop, and a second set in the NLRI field beside it.
#[test]
fn ipv4_in_both_places() {
    let batch = judged(
        "0000 0024
         80 0e 0d 0001 01 04 c0000202 00 18 cb0071
         40 01 01 00
         40 02 06 02 01 0000fde9
         40 03 04 c0000201
         08 0a",
        &external(),
    );
    let expected =
        ["10.0.0.0/8 via 192.0.2.1 path [65001]", "203.0.113.0/24 via 192.0.2.2 path [65001]"];
    assert_eq!(said(&batch), expected);
}

/// A withdrawal of both families, default routes included.
#[test]
fn withdrawals() {
    let batch = judged("0006 00 20c0000201 0007 800f04 000201 00", &internal());
    assert_eq!(said(&batch), ["no 0.0.0.0/0 192.0.2.1/32", "no ::/0"]);
}

/// An aggregate of several ASes, host bits that are not zero.
#[test]
fn an_aggregate() {
    let batch = judged(
        "0000 0022
         40 01 01 00
         40 02 06 02 01 0000fde9
         40 03 04 c0000201
         40 06 00
         c0 07 08 0000fde9 c0000207
         0f 0aff",
        &external(),
    );
    assert_eq!(said(&batch), ["10.254.0.0/15 via 192.0.2.1 path [65001]"]);
    assert!(batch.attrs[0].atomic_aggregate());
}
