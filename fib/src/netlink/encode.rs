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
//!   foreign route under our key does not match. For an IPv6 route of several hops none is named,
//!   because naming hops deletes them one by one.

use ipnet::IpNet;
use std::net::IpAddr;

use netlink_packet_core::{
    NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkMessage,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteNextHop, RouteNextHopFlags,
    RouteVia,
};
use netlink_packet_route::{AddressFamily, route::RouteType};

use crate::have::same;
use crate::types::{Hop, KernelRoute, Kind, RouteOp};

/// More next hops than this do not fit RTA_MULTIPATH, whose length is 16 bits wide.
const MOST_HOPS: usize = 1024;

/// The op cannot be put in a message: more next hops than RTA_MULTIPATH holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct TooLong;

/// Appends the request for `op`, numbered `sequence`, to `batch`.
pub(super) fn request(op: &RouteOp, sequence: u32, batch: &mut Vec<u8>) -> Result<(), TooLong> {
    let (flags, message) = match op {
        RouteOp::Add(new) => {
            (NLM_F_CREATE | NLM_F_EXCL, RouteNetlinkMessage::NewRoute(whole(new)?))
        }
        RouteOp::Replace { new, .. } if is_exact(op) => {
            (NLM_F_CREATE | NLM_F_APPEND, RouteNetlinkMessage::NewRoute(whole(new)?))
        }
        RouteOp::Replace { new, .. } => (NLM_F_REPLACE, RouteNetlinkMessage::NewRoute(whole(new)?)),
        RouteOp::Delete(old) => (0, RouteNetlinkMessage::DelRoute(identity(old)?)),
    };
    let mut request = NetlinkMessage::from(message);
    request.header.flags = NLM_F_REQUEST | flags;
    request.header.sequence_number = sequence;
    request.finalize();
    let at = batch.len();
    batch.resize(at + request.buffer_len(), 0);
    if let Some(room) = batch.get_mut(at..) {
        request.serialize(room);
    }
    Ok(())
}

/// Whether an op replaces by appending and then deleting the old route.
pub(super) fn is_exact(op: &RouteOp) -> bool {
    matches!(op, RouteOp::Replace { old, new }
        if matches!(new.key.prefix, IpNet::V4(_)) && !same(old, new))
}

/// The message that makes `route` and nothing else.
fn whole(route: &KernelRoute) -> Result<RouteMessage, TooLong> {
    let mut message = key(route);
    if let Some(source) = route.source {
        message.attributes.push(RouteAttribute::PrefSource(source.into()));
    }
    hops(route, &mut message)?;
    Ok(message)
}

/// The message that matches `route` for deletion.
fn identity(route: &KernelRoute) -> Result<RouteMessage, TooLong> {
    let siblings = route.hops.len() > 1 && matches!(route.key.prefix, IpNet::V6(_));
    if siblings { Ok(key(route)) } else { whole(route) }
}

fn key(route: &KernelRoute) -> RouteMessage {
    let prefix = route.key.prefix;
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: match prefix {
            IpNet::V4(_) => AddressFamily::Inet,
            IpNet::V6(_) => AddressFamily::Inet6,
        },
        destination_prefix_length: prefix.prefix_len(),
        tos: route.tos,
        // RTA_TABLE is the one that counts; the octet holds what fits it.
        table: u8::try_from(route.key.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC),
        protocol: route.protocol.into(),
        scope: route.scope.into(),
        kind: match route.kind {
            Kind::Unicast => RouteType::Unicast,
            Kind::Blackhole => RouteType::BlackHole,
            Kind::Unreachable => RouteType::Unreachable,
            Kind::Other(kind) => kind.into(),
        },
        ..RouteHeader::default()
    };
    message.attributes.reserve(6);
    if prefix.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(prefix.network().into()));
    }
    message.attributes.push(RouteAttribute::Table(route.key.table));
    message.attributes.push(RouteAttribute::Priority(route.key.metric));
    message
}

fn hops(route: &KernelRoute, message: &mut RouteMessage) -> Result<(), TooLong> {
    let v4 = matches!(route.key.prefix, IpNet::V4(_));
    match route.hops.as_slice() {
        [] => {}
        [hop] => {
            if hop.onlink {
                message.header.flags |= RouteFlags::Onlink;
            }
            message.attributes.push(RouteAttribute::Oif(hop.device));
            message.attributes.extend(hop.gateway.map(|gateway| via(gateway, v4)));
        }
        hops if hops.len() > MOST_HOPS => return Err(TooLong),
        hops => {
            let hops = hops.iter().map(|hop| sibling(hop, v4)).collect();
            message.attributes.push(RouteAttribute::MultiPath(hops));
        }
    }
    Ok(())
}

fn sibling(hop: &Hop, v4: bool) -> RouteNextHop {
    let mut next_hop = RouteNextHop::default();
    next_hop.interface_index = hop.device;
    next_hop.hops = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    next_hop.flags.set(RouteNextHopFlags::Onlink, hop.onlink);
    next_hop.attributes.extend(hop.gateway.map(|gateway| via(gateway, v4)));
    next_hop
}

/// A gateway of the route's own family, or of the other one (RFC 8950).
fn via(gateway: IpAddr, v4: bool) -> RouteAttribute {
    if gateway.is_ipv4() == v4 {
        RouteAttribute::Gateway(gateway.into())
    } else {
        RouteAttribute::Via(RouteVia::from(gateway))
    }
}
