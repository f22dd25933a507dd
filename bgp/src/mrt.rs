//! A routing table in MRT's form TABLE_DUMP_V2 (RFC 6396 §4.3, with path identifiers RFC 8050): what
//! route collectors keep and the tools of analysts read.
//!
//! In: the neighbours, once; then destination by destination the paths to it. Out: whole records,
//! each a header and a body. Nothing is kept in between, so a table of any size can be written
//! while it is read. Who takes such a dump counts its [`Records`].
//!
//! ```text
//!   peers  ──PEER_INDEX_TABLE──►  0: this node itself, 1: server2, 2: gw0 …
//!   routes ──RIB_IPV4_UNICAST──►  10.244.2.0/26: from 1 since …: ORIGIN, AS_PATH, NEXT_HOP …
//! ```

mod records;

use std::net::{IpAddr, Ipv4Addr};

use bytes::{BufMut, BytesMut};

pub use records::Records;

use crate::attrs::AttrSet;
use crate::types::{Asn, Family, Prefix};
use crate::wire::encode;

/// RFC 6396 §4: the type of all records here.
const TABLE_DUMP_V2: u16 = 13;
/// RFC 6396 §4.3.1.
const PEER_INDEX_TABLE: u16 = 1;
/// §4.3.1: the neighbour's address is an IPv6 one …
const PEER_IPV6: u8 = 1;
/// … and its AS number has four octets.
const PEER_AS4: u8 = 2;

/// A neighbour.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its BGP identifier; unspecified where it is not known.
    pub router_id: Ipv4Addr,
    /// Its address; of this node itself, which has no session with itself, unspecified.
    pub address: IpAddr,
    /// Its AS.
    pub asn: Asn,
}

/// A path to a destination.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its neighbour's place among the peers.
    pub peer: u16,
    /// When it came, in seconds since 1970.
    pub since: u32,
    /// The identifier with which it came (RFC 7911), if it came with one.
    pub path_id: Option<u32>,
    /// What it carries.
    pub attrs: &'a AttrSet,
}

/// Appends the record that comes first: who `collector` is, what its table is called, and its
/// neighbours, of which there are 65535 at most. `at`: seconds since 1970, as everywhere here.
pub fn peers(at: u32, collector: Ipv4Addr, view: &str, peers: &[Peer], out: &mut BytesMut) {
    record(at, PEER_INDEX_TABLE, out, |out| {
        out.put_u32(collector.to_bits());
        let view = view.as_bytes();
        let view = view.get(..usize::from(u16::MAX)).unwrap_or(view);
        out.put_u16(u16::try_from(view.len()).unwrap_or_default());
        out.put_slice(view);
        let peers = peers.get(..usize::from(u16::MAX)).unwrap_or(peers);
        out.put_u16(u16::try_from(peers.len()).unwrap_or_default());
        for Peer { router_id, address, asn } in peers {
            out.put_u8(if address.is_ipv6() { PEER_IPV6 | PEER_AS4 } else { PEER_AS4 });
            out.put_u32(router_id.to_bits());
            match address {
                IpAddr::V4(v4) => out.put_slice(&v4.octets()),
                IpAddr::V6(v6) => out.put_slice(&v6.octets()),
            }
            out.put_u32(asn.0);
        }
    });
}

/// Appends a destination with these paths to it, numbered on from `sequence`: those without an
/// identifier in a record of RFC 6396 §4.3.2, those with one in a record of RFC 8050 §4; where
/// there are none, none.
pub fn destination<P: Prefix>(
    at: u32,
    sequence: &mut u32,
    prefix: P,
    paths: &[Entry<'_>],
    out: &mut BytesMut,
) {
    let (plain, identified) = match P::FAMILY {
        Family::Ipv4 => (2, 8),
        Family::Ipv6 => (4, 10),
    };
    for (subtype, with_ids) in [(plain, false), (identified, true)] {
        let of = || paths.iter().filter(|path| path.path_id.is_some() == with_ids);
        let count = u16::try_from(of().count()).unwrap_or(u16::MAX);
        if count == 0 {
            continue;
        }
        record(at, subtype, out, |out| {
            out.put_u32(*sequence);
            prefix.put(out);
            out.put_u16(count);
            of().take(usize::from(count)).for_each(|path| entry(path, out));
        });
        *sequence = sequence.wrapping_add(1);
    }
}

/// RFC 6396 §4.3.4.
fn entry(path: &Entry<'_>, out: &mut BytesMut) {
    out.put_u16(path.peer);
    out.put_u32(path.since);
    if let Some(id) = path.path_id {
        out.put_u32(id);
    }
    let length = out.len();
    out.put_u16(0);
    encode::stored(path.attrs, out);
    // A set that came in a message is shorter than a message.
    let octets = u16::try_from(out.len() - length - 2).unwrap_or(u16::MAX);
    patch(out, length, &octets.to_be_bytes());
}

/// RFC 6396 §2: a header, whose length is that of what `body` writes.
fn record(at: u32, subtype: u16, out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    out.put_u32(at);
    out.put_u16(TABLE_DUMP_V2);
    out.put_u16(subtype);
    let length = out.len();
    out.put_u32(0);
    body(out);
    let octets = u32::try_from(out.len() - length - 4).unwrap_or(u32::MAX);
    patch(out, length, &octets.to_be_bytes());
}

fn patch(out: &mut BytesMut, at: usize, value: &[u8]) {
    if let Some(field) = out.get_mut(at..at + value.len()) {
        field.copy_from_slice(value);
    }
}

#[cfg(test)]
mod tests;
