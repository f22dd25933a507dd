//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3 and §4), and the next hops in them (RFC 2545 §3,
//! RFC 8950 §4).
//!
//! An attribute's value in, its family, next hop and the run of prefixes out. What is incorrect
//! here leaves no way to know the prefixes (RFC 7606 §5.3, §7.11).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Context;
use crate::types::{Families, Family, NextHop};

/// MP_REACH_NLRI of a negotiated family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach<'a> {
    pub(super) family: Family,
    pub(super) next_hop: Result<NextHop, NoHop>,
    /// Prefixes in wire form.
    pub(super) nlri: &'a [u8],
}

/// MP_UNREACH_NLRI of a negotiated family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unreach<'a> {
    pub(super) family: Family,
    /// Prefixes in wire form.
    pub(super) nlri: &'a [u8],
}

/// Either attribute: of a family that was negotiated, or of one to be ignored.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mp<T> {
    Ours(T),
    Foreign { afi: u16, safi: u8 },
}

/// An address that nothing can be sent to; the words go behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoHop {
    pub(super) address: IpAddr,
    pub(super) why: &'static str,
}

/// Reads MP_REACH_NLRI.
///
/// # Errors
/// Why it is malformed.
pub(super) fn reach<'a>(value: &'a [u8], context: &Context) -> Result<Mp<Reach<'a>>, &'static str> {
    let Some((&[a, b, safi, length], rest)) = value.split_first_chunk() else {
        return Err("shorter than five octets");
    };
    let afi = u16::from_be_bytes([a, b]);
    let Some(family) = ours(afi, safi, context.families) else {
        return Ok(Mp::Foreign { afi, safi });
    };
    // The octet between next hop and prefixes is reserved and to be ignored.
    let Some((octets, [_, nlri @ ..])) = rest.split_at_checked(usize::from(length)) else {
        return Err("the next hop is longer than the attribute");
    };
    let next_hop = next_hop(family, octets, context)
        .ok_or("the length of the next hop is not its family's")?;
    Ok(Mp::Ours(Reach { family, next_hop, nlri }))
}

/// Reads MP_UNREACH_NLRI.
///
/// # Errors
/// Why it is malformed.
pub(super) fn unreach(value: &[u8], families: Families) -> Result<Mp<Unreach<'_>>, &'static str> {
    let Some((&[a, b, safi], nlri)) = value.split_first_chunk() else {
        return Err("shorter than three octets");
    };
    let afi = u16::from_be_bytes([a, b]);
    Ok(match ours(afi, safi, families) {
        Some(family) => Mp::Ours(Unreach { family, nlri }),
        None => Mp::Foreign { afi, safi },
    })
}

/// The family that either attribute begins with, if that can be told.
pub(super) fn family(value: &[u8]) -> Option<(u16, u8)> {
    let &[a, b, safi] = value.first_chunk()?;
    Some((u16::from_be_bytes([a, b]), safi))
}

fn ours(afi: u16, safi: u8, families: Families) -> Option<Family> {
    Family::from_wire(afi, safi).filter(|family| families.contains(*family))
}

/// The next hop in its octets; `None`: there are not as many as the family has.
///
/// Of two IPv6 addresses the global one, which is the first (RFC 2545 §3), unless the sender had
/// none to put there. One that is link-local means something only with the interface that the
/// session is on. An IPv6 address for IPv4 that was not negotiated (RFC 8950 §4) is no reason to
/// lose more than its routes: their place is clear.
fn next_hop(family: Family, octets: &[u8], context: &Context) -> Option<Result<NextHop, NoHop>> {
    if let (Family::Ipv4, Ok(v4)) = (family, <[u8; 4]>::try_from(octets)) {
        return Some(host(IpAddr::V4(Ipv4Addr::from(v4))));
    }
    let (addresses, []) = octets.as_chunks::<16>() else { return None };
    let mut addresses = addresses.iter().map(|octets| Ipv6Addr::from(*octets));
    let first = addresses.next()?;
    let address = match (addresses.next(), addresses.next()) {
        (Some(link_local), None) if first.is_unspecified() || first.is_unicast_link_local() => {
            link_local
        }
        (_, None) => first,
        _ => return None,
    };
    let no_hop = |why| Err(NoHop { address: address.into(), why });
    Some(match (family, context.scope) {
        (Family::Ipv4, _) if !context.extended_next_hop => {
            no_hop("as next hop of ipv4 was not negotiated (RFC 8950)")
        }
        (_, None) if address.is_unicast_link_local() => {
            no_hop("is link-local, but the session is not: it is no next hop")
        }
        (_, scope) if address.is_unicast_link_local() => {
            Ok(NextHop { address: address.into(), scope })
        }
        _ => host(address.into()),
    })
}

fn host(address: IpAddr) -> Result<NextHop, NoHop> {
    if is_host(address) {
        Ok(address.into())
    } else {
        Err(NoHop { address, why: "is no next hop" })
    }
}

/// Whether a packet can be sent to this address (RFC 4271 §6.3: a valid IP host address).
pub(super) fn is_host(address: IpAddr) -> bool {
    match address {
        // 0/8, 127/8, multicast and what was class E, the broadcast address included.
        IpAddr::V4(v4) => !matches!(v4.octets()[0], 0 | 127 | 224..),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_loopback() || v6.is_multicast()),
    }
}
