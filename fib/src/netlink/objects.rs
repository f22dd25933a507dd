//! Nexthop objects to and from the kernel's messages (linux/nexthop.h), which no library here knows.
//!
//! In: an [`ObjectOp`], or the payload of RTM_NEWNEXTHOP and RTM_DELNEXTHOP: struct nhmsg, then NHA_*
//! attributes. Out: a request appended to a batch, or an [`Object`]. What an object has beyond a
//! gateway, an interface and the on-link flag makes it [`Inside::Other`], which we never make.

use std::net::IpAddr;

use netlink_packet_core::{
    DecodeError, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NlasIterator,
};

use super::decode::{RTNH_F_ONLINK, address, malformed, number, split};
use super::encode::{address as put_address, attribute, patch};
use crate::types::{Hop, Inside, Member, Object, ObjectOp};

pub(super) const RTM_NEWNEXTHOP: u16 = 104;
pub(super) const RTM_DELNEXTHOP: u16 = 105;
const RTM_GETNEXTHOP: u16 = 106;
/// RTNLGRP_NEXTHOP (32) as a bit. Kernels without it ignore the bit.
pub(super) const GROUP: u32 = 1 << 31;

const NHA_ID: u16 = 1;
const NHA_GROUP: u16 = 2;
const NHA_GROUP_TYPE: u16 = 3;
const NHA_BLACKHOLE: u16 = 4;
const NHA_OIF: u16 = 5;
const NHA_GATEWAY: u16 = 6;
const NHA_ENCAP_TYPE: u16 = 7;
const NHA_ENCAP: u16 = 8;
const NHA_FDB: u16 = 11;
const NHA_RES_GROUP: u16 = 12;

/// Octets of struct nexthop_grp.
const MEMBER: usize = 8;

/// A request, numbered `sequence` and to be acknowledged.
pub(super) fn request(op: &ObjectOp, sequence: u32, batch: &mut Vec<u8>) {
    let (kind, flags) = match op {
        ObjectOp::Make(_) => (RTM_NEWNEXTHOP, NLM_F_CREATE | NLM_F_EXCL),
        ObjectOp::Remove(_) => (RTM_DELNEXTHOP, 0),
    };
    let object = op.object();
    let (family, protocol, onlink) = match (op, &object.inside) {
        // The kernel wants nothing but the number here.
        (ObjectOp::Remove(_), _) => (libc::AF_UNSPEC, 0, false),
        (_, Inside::Hop(Hop { gateway: Some(IpAddr::V6(_)), onlink, .. })) => {
            (libc::AF_INET6, object.protocol, *onlink)
        }
        (_, Inside::Hop(hop)) => (libc::AF_INET, object.protocol, hop.onlink),
        (_, Inside::Group(_) | Inside::Other(_)) => (libc::AF_UNSPEC, object.protocol, false),
    };
    let start = begin(kind, NLM_F_REQUEST | NLM_F_ACK | flags, sequence, batch);
    let flags = if onlink { RTNH_F_ONLINK } else { 0 };
    batch.extend_from_slice(&[family as u8, 0, protocol, 0]);
    batch.extend_from_slice(&flags.to_ne_bytes());
    attribute(NHA_ID, &object.id.to_ne_bytes(), batch);
    match (op, &object.inside) {
        (ObjectOp::Make(_), Inside::Hop(hop)) => {
            attribute(NHA_OIF, &hop.device.to_ne_bytes(), batch);
            if let Some(gateway) = hop.gateway {
                put_address(NHA_GATEWAY, gateway, batch);
            }
        }
        (ObjectOp::Make(_), Inside::Group(members)) => {
            let group: Vec<u8> = members.iter().flat_map(put_member).collect();
            attribute(NHA_GROUP, &group, batch);
        }
        // Asked for by nobody: the kernel refuses an object of nothing.
        (ObjectOp::Make(_), Inside::Other(_)) | (ObjectOp::Remove(_), _) => {}
    }
    end(start, batch);
}

/// The request for all of them.
pub(super) fn dump(sequence: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let start = begin(RTM_GETNEXTHOP, NLM_F_REQUEST | NLM_F_DUMP, sequence, &mut bytes);
    bytes.extend_from_slice(&[0; 8]);
    end(start, &mut bytes);
    bytes
}

/// struct nlmsghdr, its length yet to come.
fn begin(kind: u16, flags: u16, sequence: u32, batch: &mut Vec<u8>) -> usize {
    let start = batch.len();
    batch.extend_from_slice(&[0; 4]);
    batch.extend_from_slice(&kind.to_ne_bytes());
    batch.extend_from_slice(&flags.to_ne_bytes());
    batch.extend_from_slice(&sequence.to_ne_bytes());
    batch.extend_from_slice(&[0; 4]);
    start
}

fn end(start: usize, batch: &mut [u8]) {
    let length = (batch.len() - start) as u32;
    patch(batch, start, length.to_ne_bytes());
}

/// struct nexthop_grp: the number, the weight less one (its upper octet: Linux 6.12), two spare.
fn put_member(member: &Member) -> [u8; MEMBER] {
    let [i0, i1, i2, i3] = member.id.to_ne_bytes();
    let less_one = u16::try_from(member.weight.saturating_sub(1)).unwrap_or(u16::MAX);
    let [low, high] = less_one.to_le_bytes();
    [i0, i1, i2, i3, low, high, 0, 0]
}

fn member(bytes: [u8; MEMBER]) -> Member {
    let [i0, i1, i2, i3, low, high, _, _] = bytes;
    let weight = u32::from(u16::from_le_bytes([low, high])) + 1;
    Member { id: u32::from_ne_bytes([i0, i1, i2, i3]), weight }
}

/// Reads the payload of RTM_NEWNEXTHOP or RTM_DELNEXTHOP; `None`: an entry of a bridge's table.
pub(super) fn object(payload: &[u8]) -> Result<Option<Object>, DecodeError> {
    let (header, attributes) = split::<8>(payload)?;
    let [_, _, protocol, _, flags @ ..] = *header;
    let onlink = u32::from_ne_bytes(flags) & RTNH_F_ONLINK != 0;
    let mut id = 0;
    let mut hop = Hop { gateway: None, device: 0, onlink, weight: 1 };
    let mut group = None;
    let mut strange = false;
    for found in NlasIterator::new(attributes) {
        let found = found?;
        match found.kind() {
            NHA_ID => id = number(&found)?,
            NHA_OIF => hop.device = number(&found)?,
            NHA_GATEWAY => hop.gateway = Some(address(&found)?),
            NHA_GROUP => {
                let (members, rest) = found.value().as_chunks::<MEMBER>();
                if !rest.is_empty() {
                    return Err(malformed("nexthop group"));
                }
                group = Some(members.iter().map(|bytes| member(*bytes)).collect());
            }
            // 0: packets are spread by a hash of their flow, as over any route of several hops.
            NHA_GROUP_TYPE => strange |= found.value().iter().any(|octet| *octet != 0),
            NHA_BLACKHOLE | NHA_ENCAP_TYPE | NHA_ENCAP | NHA_RES_GROUP => strange = true,
            NHA_FDB => return Ok(None),
            _ => {}
        }
    }
    if id == 0 {
        return Err(malformed("nexthop number"));
    }
    let leads = hop.device != 0 || hop.gateway.is_some();
    let inside = match group {
        Some(members) if !strange => Inside::Group(members),
        None if leads && !strange => Inside::Hop(hop),
        None | Some(_) => Inside::Other(leads.then_some(hop)),
    };
    Ok(Some(Object { id, protocol, inside }))
}

#[cfg(test)]
#[path = "objects_tests.rs"]
mod tests;
