//! Records, octet by octet, as RFC 6396 and RFC 8050 have them.

use super::*;
use crate::types::{V4, V6};
use crate::wire::attr::code;

fn set(next_hop: &str) -> AttrSet {
    let next_hop: IpAddr = next_hop.parse().unwrap();
    let base = AttrSet::originated(next_hop);
    base.edited(next_hop.into(), &[(code::COMMUNITIES, vec![0xfd, 0xe8, 0, 1])])
}

#[test]
fn neighbours_come_first() {
    let peer = |router_id: [u8; 4], address: &str, asn| Peer {
        router_id: router_id.into(),
        address: address.parse().unwrap(),
        asn: Asn(asn),
    };
    let all = [peer([10, 1, 5, 10], "0.0.0.0", 64512), peer([0; 4], "fd00::1", 4_200_000_001)];
    let mut out = BytesMut::new();
    peers(0x0102_0304, Ipv4Addr::new(10, 1, 5, 10), "n1", &all, &mut out);
    let wanted: Vec<u8> = [
        &[1, 2, 3, 4, 0, 13, 0, 1, 0, 0, 0, 48][..],
        &[10, 1, 5, 10, 0, 2, b'n', b'1', 0, 2],
        &[2, 10, 1, 5, 10, 0, 0, 0, 0, 0, 0, 0xfc, 0],
        &[3, 0, 0, 0, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        &[0xfa, 0x56, 0xea, 1],
    ]
    .concat();
    assert_eq!(out[..], wanted[..]);
}

#[test]
fn paths_with_and_without_identifiers_have_records_of_their_own() {
    let set = set("10.1.5.11");
    let path = |peer, path_id| Entry { peer, since: 7, path_id, attrs: &set };
    let (mut out, mut sequence) = (BytesMut::new(), 5);
    let prefix = V4::from_net("10.244.2.0/26".parse().unwrap()).unwrap();
    let paths = [path(1, None), path(2, Some(9)), path(3, None)];
    destination(1, &mut sequence, prefix, &paths, &mut out);
    let attributes = [
        &[0x40, 1, 1, 0][..],
        &[0x40, 2, 0],
        &[0x40, 3, 4, 10, 1, 5, 11],
        &[0xc0, 8, 4, 0xfd, 0xe8, 0, 1],
    ]
    .concat();
    let entry = |peer: u8, id: &[u8]| {
        [&[0, peer, 0, 0, 0, 7][..], id, &[0, attributes.len() as u8], &attributes].concat()
    };
    let destination = [26, 10, 244, 2, 0];
    let plain = [&[0, 0, 0, 5][..], &destination, &[0, 2], &entry(1, &[]), &entry(3, &[])].concat();
    let identified = [&[0, 0, 0, 6][..], &destination, &[0, 1], &entry(2, &[0, 0, 0, 9])].concat();
    let record = |subtype, body: &[u8]| {
        [&[0, 0, 0, 1, 0, 13, 0, subtype, 0, 0, 0, body.len() as u8], body].concat()
    };
    assert_eq!(out[..], [record(2, &plain), record(8, &identified)].concat()[..]);
    assert_eq!(sequence, 7);
}

#[test]
fn of_ipv6_the_next_hop_stands_alone_in_its_attribute() {
    let set = set("fd00::11");
    let (mut out, mut sequence) = (BytesMut::new(), 0);
    let prefix = V6::from_net("fd00:244::/64".parse().unwrap()).unwrap();
    let paths = [Entry { peer: 1, since: 7, path_id: None, attrs: &set }];
    destination(1, &mut sequence, prefix, &paths, &mut out);
    // Header, sequence, prefix, count, peer and time, length.
    let attributes = &out[12 + 4 + 9 + 2 + 6 + 2..];
    assert_eq!(attributes[..4], [0x80, 14, 17, 16]);
    assert_eq!(attributes[4..20], "fd00::11".parse::<std::net::Ipv6Addr>().unwrap().octets());
    assert_eq!(attributes[20..24], [0x40, 1, 1, 0]);
    assert_eq!(out[7], 4, "RIB_IPV6_UNICAST");

    // A destination without a path is none.
    let before = out.len();
    destination(1, &mut sequence, prefix, &[], &mut out);
    assert_eq!((out.len(), sequence), (before, 1));
}
