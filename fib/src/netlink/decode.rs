//! What the kernel sends, into routes, links and addresses.
//!
//! In: the payload of an RTM_NEW… or RTM_DEL… message (a fixed header, then attributes; RFC 3549
//! §3.1). Out: the plain values of [`crate::types`], or `None` where the message is of no concern:
//! routes that deliver locally, broadcast or multicast, cached clones, routes that also match on
//! the source, tables that nobody asked for, and a bridge's view of its ports.
//!
//! Only the attributes that [`crate::types`] has a place for are looked at, by hand: a foreign
//! route with an attribute that no library knows yet must not make a whole dump unreadable.
//!
//! Routes through nexthop objects (RTA_NH_ID) carry their hops spelled out as well, unless
//! net.ipv4.nexthop_compat_mode is 0: then their hops are empty here, and [`crate::learn`] knows them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, NlaBuffer, NlasIterator};

use crate::types::{Address, Hop, Hops, KernelRoute, Kind, Link, RouteKey};

const RT_TABLE_MAIN: u32 = libc::RT_TABLE_MAIN as u32;
const AF_INET: u8 = libc::AF_INET as u8;
const AF_INET6: u8 = libc::AF_INET6 as u8;
const IFF_UP: u32 = libc::IFF_UP as u32;
const IFF_RUNNING: u32 = libc::IFF_RUNNING as u32;
pub(super) const RTNH_F_ONLINK: u32 = 4;
const RTA_VIA: u16 = 18;
const RTA_NH_ID: u16 = 30;
const IFLA_VRF_TABLE: u16 = 1;
const IFLA_IPTUN_REMOTE: u16 = 3;
const IFLA_IPTUN_PMTUDISC: u16 = 10;

/// The tables whose routes are wanted: main, because next hops are resolved there, and ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tables {
    own: u32,
}

impl Tables {
    /// Main and `own`, which may be main.
    pub(super) fn new(own: u32) -> Tables {
        Tables { own }
    }

    /// Each once.
    pub(super) fn iter(self) -> impl Iterator<Item = u32> {
        std::iter::once(RT_TABLE_MAIN).chain((self.own != RT_TABLE_MAIN).then_some(self.own))
    }

    fn contains(self, table: u32) -> bool {
        table == RT_TABLE_MAIN || table == self.own
    }
}

/// Reads the payload of RTM_NEWROUTE or RTM_DELROUTE (struct rtmsg).
pub(super) fn route(payload: &[u8], tables: Tables) -> Result<Option<KernelRoute>, DecodeError> {
    let (header, _) = split::<12>(payload)?;
    let [_, _, source_length, _, _, _, _, kind, flags @ ..] = *header;
    let is_kept = source_length == 0
        && u32::from_ne_bytes(flags) & libc::RTM_F_CLONED == 0
        && !matches!(
            kind,
            libc::RTN_LOCAL | libc::RTN_BROADCAST | libc::RTN_ANYCAST | libc::RTN_MULTICAST
        );
    if !is_kept {
        return Ok(None);
    }
    Ok(any_route(payload)?.filter(|route| tables.contains(route.key.table)))
}

/// The same of any route of IPv4 or IPv6, of whatever table and type, clones too.
pub(super) fn any_route(payload: &[u8]) -> Result<Option<KernelRoute>, DecodeError> {
    let (header, attributes) = split::<12>(payload)?;
    let [family, length, _, tos, table, protocol, scope, kind, flags @ ..] = *header;
    let flags = u32::from_ne_bytes(flags);
    let kind = match kind {
        libc::RTN_UNICAST => Kind::Unicast,
        libc::RTN_BLACKHOLE => Kind::Blackhole,
        libc::RTN_UNREACHABLE => Kind::Unreachable,
        other => Kind::Other(other),
    };
    if !matches!(family, AF_INET | AF_INET6) {
        return Ok(None);
    }
    let mut destination =
        if family == AF_INET { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let mut key_table = u32::from(table);
    let mut metric = 0;
    let mut source = None;
    let mut object = None;
    let mut single = Hop { gateway: None, device: 0, onlink: onlink(flags), weight: 1 };
    let mut hops = Hops::new();
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute?;
        match attribute.kind() {
            libc::RTA_DST => destination = address(&attribute)?,
            libc::RTA_TABLE => key_table = number(&attribute)?,
            libc::RTA_PRIORITY => metric = number(&attribute)?,
            libc::RTA_PREFSRC => source = Some(address(&attribute)?),
            libc::RTA_OIF => single.device = number(&attribute)?,
            libc::RTA_GATEWAY => single.gateway = Some(address(&attribute)?),
            RTA_VIA => single.gateway = Some(via(&attribute)?),
            RTA_NH_ID => object = Some(number(&attribute)?),
            libc::RTA_MULTIPATH => multipath(attribute.value(), &mut hops)?,
            _ => {}
        }
    }
    // IPv6 shows loopback as the device of routes that lead nowhere.
    if kind != Kind::Unicast {
        hops.clear();
    } else if hops.is_empty() && (single.device != 0 || single.gateway.is_some()) {
        hops.push(single);
    }
    let prefix = IpNet::new(destination, length).map_err(|_| malformed("prefix length"))?;
    let key = RouteKey { prefix, table: key_table, metric };
    Ok(Some(KernelRoute { key, protocol, kind, scope, tos, source, hops, object }))
}

/// Appends `route` to a dump. Kernels before 4.11 dump an IPv6 route of several hops as a message
/// each, one after the other; here they become one route again.
pub(super) fn collect(routes: &mut Vec<KernelRoute>, route: KernelRoute) {
    let has_gateways = |r: &KernelRoute| {
        r.object.is_none() && !r.hops.is_empty() && r.hops.iter().all(|h| h.gateway.is_some())
    };
    match routes.last_mut() {
        Some(last)
            if matches!(route.key.prefix, IpNet::V6(_))
                && last.key == route.key
                && last.protocol == route.protocol
                && has_gateways(last)
                && has_gateways(&route) =>
        {
            last.hops.extend(route.hops);
        }
        _ => routes.push(route),
    }
}

/// Reads the payload of RTM_NEWLINK or RTM_DELLINK (struct ifinfomsg). `None` also for messages
/// that say nothing of name or MTU (news of a wireless or bridge driver).
pub(super) fn link(payload: &[u8]) -> Result<Option<Link>, DecodeError> {
    let (header, attributes) = split::<16>(payload)?;
    let [family, _, _, _, i0, i1, i2, i3, f0, f1, f2, f3, ..] = *header;
    if family != 0 {
        return Ok(None);
    }
    let flags = u32::from_ne_bytes([f0, f1, f2, f3]);
    let (mut name, mut mtu, mut master) = (None, None, None);
    let (mut kind, mut data) = (None, Vec::new());
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute?;
        match attribute.kind() {
            libc::IFLA_IFNAME => name = Some(text(attribute.value())),
            libc::IFLA_MTU => mtu = Some(number(&attribute)?),
            libc::IFLA_MASTER => master = Some(number(&attribute)?),
            libc::IFLA_LINKINFO => {
                for info in NlasIterator::new(attribute.value()) {
                    let info = info?;
                    match info.kind() {
                        libc::IFLA_INFO_KIND => kind = Some(text(info.value())),
                        libc::IFLA_INFO_DATA => data = info.value().to_vec(),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    let (Some(name), Some(mtu)) = (name, mtu) else { return Ok(None) };
    let ((remote, pmtudisc), vrf) = match kind.as_deref() {
        Some("ipip") => (ipip(&data)?, None),
        Some("vrf") => ((None, false), vrf_table(&data)?),
        _ => ((None, false), None),
    };
    Ok(Some(Link {
        index: u32::from_ne_bytes([i0, i1, i2, i3]),
        name,
        up: flags & IFF_UP != 0,
        running: flags & IFF_RUNNING != 0,
        mtu,
        kind,
        remote,
        pmtudisc,
        vrf,
        master: master.filter(|master| *master != 0),
    }))
}

/// The far end that an ipip device names (none if it leads anywhere), and whether it forbids
/// fragments.
fn ipip(data: &[u8]) -> Result<(Option<Ipv4Addr>, bool), DecodeError> {
    let (mut remote, mut pmtudisc) = (None, false);
    for datum in NlasIterator::new(data) {
        let datum = datum?;
        match datum.kind() {
            IFLA_IPTUN_REMOTE => {
                if let IpAddr::V4(far) = address(&datum)? {
                    remote = (!far.is_unspecified()).then_some(far);
                }
            }
            IFLA_IPTUN_PMTUDISC => pmtudisc = datum.value().first().is_some_and(|on| *on != 0),
            _ => {}
        }
    }
    Ok((remote, pmtudisc))
}

/// The table of a VRF device.
fn vrf_table(data: &[u8]) -> Result<Option<u32>, DecodeError> {
    for datum in NlasIterator::new(data) {
        let datum = datum?;
        if datum.kind() == IFLA_VRF_TABLE {
            return number(&datum).map(Some);
        }
    }
    Ok(None)
}

/// Reads the payload of RTM_NEWADDR or RTM_DELADDR (struct ifaddrmsg).
pub(super) fn device_address(payload: &[u8]) -> Result<Option<Address>, DecodeError> {
    let (header, attributes) = split::<8>(payload)?;
    let [family, length, _, _, device @ ..] = *header;
    if !matches!(family, AF_INET | AF_INET6) {
        return Ok(None);
    }
    // On a point-to-point link IFA_ADDRESS is the far end's; IFA_LOCAL, if there, is our own.
    let (mut local, mut far) = (None, None);
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute?;
        match attribute.kind() {
            libc::IFA_LOCAL => local = Some(address(&attribute)?),
            libc::IFA_ADDRESS => far = Some(address(&attribute)?),
            _ => {}
        }
    }
    let Some(own) = local.or(far) else { return Ok(None) };
    let address = IpNet::new(own, length).map_err(|_| malformed("prefix length"))?;
    Ok(Some(Address { device: u32::from_ne_bytes(device), address }))
}

/// RTA_MULTIPATH: a row of struct rtnexthop, each with attributes of its own.
fn multipath(mut rest: &[u8], hops: &mut Hops) -> Result<(), DecodeError> {
    while !rest.is_empty() {
        let (header, _) = split::<8>(rest)?;
        let [l0, l1, flags, less_one, device @ ..] = *header;
        let length = usize::from(u16::from_ne_bytes([l0, l1]));
        let attributes = rest.get(8..length).ok_or_else(|| malformed("rtnexthop length"))?;
        let mut hop = Hop {
            gateway: None,
            device: u32::from_ne_bytes(device),
            onlink: onlink(u32::from(flags)),
            weight: u16::from(less_one) + 1,
        };
        for attribute in NlasIterator::new(attributes) {
            let attribute = attribute?;
            match attribute.kind() {
                libc::RTA_GATEWAY => hop.gateway = Some(address(&attribute)?),
                RTA_VIA => hop.gateway = Some(via(&attribute)?),
                _ => {}
            }
        }
        hops.push(hop);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(())
}

fn onlink(flags: u32) -> bool {
    flags & RTNH_F_ONLINK != 0
}

pub(super) fn split<const N: usize>(payload: &[u8]) -> Result<(&[u8; N], &[u8]), DecodeError> {
    payload.split_first_chunk().ok_or_else(|| malformed("header"))
}

pub(super) fn number(attribute: &NlaBuffer<&[u8]>) -> Result<u32, DecodeError> {
    let value = attribute.value().try_into().map_err(|_| malformed("number"))?;
    Ok(u32::from_ne_bytes(value))
}

pub(super) fn address(attribute: &NlaBuffer<&[u8]>) -> Result<IpAddr, DecodeError> {
    ip(attribute.value())
}

/// RTA_VIA (struct rtvia): the family, then the address.
fn via(attribute: &NlaBuffer<&[u8]>) -> Result<IpAddr, DecodeError> {
    ip(attribute.value().get(2..).unwrap_or_default())
}

fn ip(octets: &[u8]) -> Result<IpAddr, DecodeError> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Ok(v4.into());
    }
    let v6 = <[u8; 16]>::try_from(octets).map_err(|_| malformed("address"))?;
    Ok(v6.into())
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).trim_end_matches('\0').to_owned()
}

pub(super) fn malformed(what: &str) -> DecodeError {
    DecodeError::from(format!("bad {what} in a message of the kernel"))
}
