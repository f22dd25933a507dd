//! Kernel routes into netlink requests.
//!
//! In: a [`RouteOp`]. Out: the bytes of one request (RFC 3549 §3.1.1) appended to a batch. What
//! each op asks of the kernel:
//!
//! * *Add*: `CREATE | EXCL`: EEXIST where any route sits under the key, ours or not.
//! * *Replace*, IPv4: the new one behind the old (`CREATE | APPEND`, no effect yet), then the old one
//!   deleted, exactly; see `apply.rs`. `REPLACE` would take the first route of the key, also one
//!   that somebody put in the place of ours a moment ago, unheard.
//! * *Replace*, IPv6: `REPLACE` without `CREATE`: one step, and ENOENT where nothing is. A route
//!   appended would join the old one's next hops, or a stranger's. The kernel picks the
//!   route of the same metric that is as able to have siblings as the new one, else the first of
//!   that metric, and removes all siblings of what it replaced, so single, several hops and
//!   blackhole replace each other. Several IPv6 hops are the exception to "one step": the kernel
//!   puts the first in place of the old route, then adds the others; there is never no route. One
//!   lookup that has picked the old route the moment it is let go may still fail: ENETUNREACH once
//!   in some 200 000 replaces of IPv6 routes under constant lookups, 400 000 of IPv4 (Linux 6.18),
//!   whatever replaces what, and none that asked again. No order of requests avoids that.
//! * *Delete*: the kernel matches every part that is given, so protocol and type are, always: a
//!   foreign route under our key does not match. Of a route through a nexthop object that is the
//!   object in place of the type, which the kernel shows otherwise than it keeps it. For an IPv6 route of several hops none is named,
//!   because naming hops deletes them one by one.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST};

use crate::have::same;
use crate::types::{Hop, KernelRoute, Kind, RouteOp};

/// More next hops than this do not fit RTA_MULTIPATH, whose length is 16 bits wide.
const MOST_HOPS: usize = 1024;
const RTNH_F_ONLINK: u8 = 4;
const RTA_NH_ID: u16 = 30;
const RTA_VIA: u16 = 18;
const RT_TABLE_UNSPEC: u8 = 0;

/// The op cannot be put in a message: more next hops than RTA_MULTIPATH holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

/// Appends the request for `op`, numbered `sequence`, to `batch`. A full table is a hundred million
/// octets of these: they are written in place, without a value for each attribute in between.
///
/// # Errors
///
/// The route has too many next hops; nothing is appended then.
pub fn request(op: &RouteOp, sequence: u32, batch: &mut Vec<u8>) -> Result<(), TooLong> {
    let (kind, flags, route) = match op {
        RouteOp::Add(new) => (libc::RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, new),
        RouteOp::Replace { new, .. } if is_exact(op) => {
            (libc::RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, new)
        }
        RouteOp::Replace { new, .. } => (libc::RTM_NEWROUTE, NLM_F_REPLACE, new),
        RouteOp::Delete(old) => (libc::RTM_DELROUTE, 0, old),
    };
    // Naming the next hops of an IPv6 route of several deletes them one by one.
    let is_whole = kind == libc::RTM_NEWROUTE
        || route.hops.len() < 2
        || matches!(route.key.prefix, IpNet::V4(_));
    // Those of an object are the object's.
    let hops = if is_whole && route.object.is_none() { route.hops.as_slice() } else { &[] };
    if hops.len() > MOST_HOPS {
        return Err(TooLong);
    }
    let start = batch.len();
    // struct nlmsghdr; its length follows.
    batch.extend_from_slice(&[0; 4]);
    batch.extend_from_slice(&kind.to_ne_bytes());
    batch.extend_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
    batch.extend_from_slice(&sequence.to_ne_bytes());
    batch.extend_from_slice(&[0; 4]);
    let is_delete = kind == libc::RTM_DELROUTE;
    header(route, hops, is_delete && route.object.is_some(), batch);
    attributes(route, hops, is_whole, batch);
    let length = (batch.len() - start) as u32;
    patch(batch, start, length.to_ne_bytes());
    Ok(())
}

/// Whether an op replaces by appending and then deleting the old route.
pub(super) fn is_exact(op: &RouteOp) -> bool {
    matches!(op, RouteOp::Replace { old, new }
        if matches!(new.key.prefix, IpNet::V4(_)) && !same(old, new))
}

/// struct rtmsg.
fn header(route: &KernelRoute, hops: &[Hop], any_kind: bool, batch: &mut Vec<u8>) {
    let prefix = route.key.prefix;
    let family = match prefix {
        IpNet::V4(_) => libc::AF_INET,
        IpNet::V6(_) => libc::AF_INET6,
    };
    let kind = match route.kind {
        _ if any_kind => libc::RTN_UNSPEC,
        Kind::Unicast => libc::RTN_UNICAST,
        Kind::Blackhole => libc::RTN_BLACKHOLE,
        Kind::Unreachable => libc::RTN_UNREACHABLE,
        Kind::Other(kind) => kind,
    };
    // RTA_TABLE is the one that counts; the octet holds what fits it.
    let table = u8::try_from(route.key.table).unwrap_or(RT_TABLE_UNSPEC);
    let onlink = matches!(hops, [Hop { onlink: true, .. }]);
    let flags = if onlink { u32::from(RTNH_F_ONLINK) } else { 0 };
    batch.extend_from_slice(&[family as u8, prefix.prefix_len(), 0, route.tos]);
    batch.extend_from_slice(&[table, route.protocol, route.scope, kind]);
    batch.extend_from_slice(&flags.to_ne_bytes());
}

fn attributes(route: &KernelRoute, hops: &[Hop], is_whole: bool, batch: &mut Vec<u8>) {
    let prefix = route.key.prefix;
    let is_v4 = matches!(prefix, IpNet::V4(_));
    if prefix.prefix_len() > 0 {
        address(libc::RTA_DST, prefix.network(), batch);
    }
    attribute(libc::RTA_TABLE, &route.key.table.to_ne_bytes(), batch);
    attribute(libc::RTA_PRIORITY, &route.key.metric.to_ne_bytes(), batch);
    if let Some(source) = route.source.filter(|_| is_whole) {
        address(libc::RTA_PREFSRC, source, batch);
    }
    if let Some(object) = route.object {
        attribute(RTA_NH_ID, &object.to_ne_bytes(), batch);
    }
    match hops {
        [] => {}
        [hop] => {
            attribute(libc::RTA_OIF, &hop.device.to_ne_bytes(), batch);
            gateway(hop, is_v4, batch);
        }
        hops => {
            let start = batch.len();
            attribute(libc::RTA_MULTIPATH, &[], batch);
            hops.iter().for_each(|hop| sibling(hop, is_v4, batch));
            // MOST_HOPS of 32 octets at most.
            let length = (batch.len() - start) as u16;
            patch(batch, start, length.to_ne_bytes());
        }
    }
}

/// struct rtnexthop, and its attributes.
fn sibling(hop: &Hop, is_v4: bool, batch: &mut Vec<u8>) {
    let start = batch.len();
    let less_one = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    batch.extend_from_slice(&[0, 0, if hop.onlink { RTNH_F_ONLINK } else { 0 }, less_one]);
    batch.extend_from_slice(&hop.device.to_ne_bytes());
    gateway(hop, is_v4, batch);
    let length = (batch.len() - start) as u16;
    patch(batch, start, length.to_ne_bytes());
}

/// A gateway of the route's own family, or of the other one (RFC 8950).
fn gateway(hop: &Hop, is_v4: bool, batch: &mut Vec<u8>) {
    match hop.gateway {
        None => {}
        Some(gateway) if gateway.is_ipv4() == is_v4 => address(libc::RTA_GATEWAY, gateway, batch),
        Some(gateway) => {
            // struct rtvia: the family, then the address.
            let start = batch.len();
            let family = if gateway.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
            attribute(RTA_VIA, &(family as u16).to_ne_bytes(), batch);
            batch.truncate(start + 6);
            extend(gateway, batch);
            let length = batch.len() - start;
            patch(batch, start, (length as u16).to_ne_bytes());
            batch.resize(start + length.next_multiple_of(4), 0);
        }
    }
}

pub(super) fn address(kind: u16, address: IpAddr, batch: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => attribute(kind, &address.octets(), batch),
        IpAddr::V6(address) => attribute(kind, &address.octets(), batch),
    }
}

fn extend(address: IpAddr, batch: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => batch.extend_from_slice(&address.octets()),
        IpAddr::V6(address) => batch.extend_from_slice(&address.octets()),
    }
}

/// struct rtattr and its value, filled up to a multiple of four.
pub(super) fn attribute(kind: u16, value: &[u8], batch: &mut Vec<u8>) {
    let length = 4 + value.len();
    batch.extend_from_slice(&(length as u16).to_ne_bytes());
    batch.extend_from_slice(&kind.to_ne_bytes());
    batch.extend_from_slice(value);
    batch.resize(batch.len() + length.next_multiple_of(4) - length, 0);
}

/// Writes over what is at `at`.
pub(super) fn patch<const N: usize>(batch: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = batch.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = value;
    }
}
