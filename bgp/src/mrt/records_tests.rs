//! Pieces that end in a header, in a body, and between records.

use std::net::{IpAddr, Ipv4Addr};

use bytes::BytesMut;

use super::*;
use crate::attrs::AttrSet;
use crate::mrt::{self, Entry, Peer};
use crate::types::{Asn, Prefix, V4};

#[test]
fn records_are_counted_wherever_pieces_end() {
    let record = |length: u8| {
        let mut record = vec![0, 0, 0, 1, 0, 13, 0, 2, 0, 0, 0, length];
        record.resize(HEADER + usize::from(length), 7);
        record
    };
    let all = [record(5), record(0), record(200)].concat();
    for size in [1, 3, 12, 17, 500] {
        let mut records = Records::default();
        all.chunks(size).for_each(|piece| records.see(piece));
        let seen = (records.count(), records.octets(), records.is_whole());
        assert_eq!(seen, (3, 241, true), "{size}");
    }
    for cut in [all.len() - 1, 20, 5] {
        let mut records = Records::default();
        records.see(&all[..cut]);
        assert!(!records.is_whole(), "{cut}");
    }
}

#[test]
fn what_is_written_beside_it_is_read() {
    let router = Ipv4Addr::new(10, 1, 5, 10);
    let peer = Peer { router_id: router, address: router.into(), asn: Asn(64512) };
    let set = AttrSet::originated(IpAddr::V4(router));
    let path = |path_id| Entry { peer: 0, since: 7, path_id, attrs: &set };
    let (mut out, mut sequence) = (BytesMut::new(), 0);
    mrt::peers(1, router, "n1", &[peer], &mut out);
    for net in ["10.244.2.0/26", "10.244.3.0/26"] {
        let prefix = V4::from_net(net.parse().unwrap()).unwrap();
        mrt::destination(1, &mut sequence, prefix, &[path(None), path(Some(9))], &mut out);
    }
    let mut records = Records::default();
    out.chunks(7).for_each(|piece| records.see(piece));
    // The neighbours, and of each destination one record without and one with identifiers.
    let seen = (records.count(), records.octets(), records.is_whole());
    assert_eq!(seen, (5, out.len() as u64, true));
}
