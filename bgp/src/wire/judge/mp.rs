//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3 and §4, next hops of RFC 2545 and RFC 8950).
//!
//! An attribute's value in, its family, next hop and the run of prefixes out. What is incorrect
//! here leaves no way to know the prefixes, so the session ends (RFC 7606 §5.3, §7.11).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::types::{Families, Family};

/// MP_REACH_NLRI of a negotiated family.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach<'a> {
    pub(super) family: Family,
    pub(super) next_hop: IpAddr,
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

/// Reads MP_REACH_NLRI.
///
/// # Errors
/// Why it is malformed.
pub(super) fn reach(value: &[u8], families: Families) -> Result<Mp<Reach<'_>>, &'static str> {
    let Some((&[a, b, safi, length], rest)) = value.split_first_chunk() else {
        return Err("shorter than five octets");
    };
    let afi = u16::from_be_bytes([a, b]);
    // The octet between next hop and prefixes is reserved and to be ignored.
    let Some((next_hop, [_, nlri @ ..])) = rest.split_at_checked(usize::from(length)) else {
        return Err("the next hop is longer than the attribute");
    };
    let Some(family) = Family::from_wire(afi, safi).filter(|f| families.contains(*f)) else {
        return Ok(Mp::Foreign { afi, safi });
    };
    let next_hop =
        address(family, next_hop).ok_or("the length of the next hop is not its family's")?;
    Ok(Mp::Ours(Reach { family, next_hop, nlri }))
}

/// The next hop: of two IPv6 addresses the global one, which is the first (RFC 2545 §3), unless
/// the sender had none to put there.
fn address(family: Family, octets: &[u8]) -> Option<IpAddr> {
    if let (Family::Ipv4, Ok(v4)) = (family, <[u8; 4]>::try_from(octets)) {
        return Some(IpAddr::V4(Ipv4Addr::from(v4)));
    }
    let (addresses, []) = octets.as_chunks::<16>() else { return None };
    let global = match addresses {
        [only] => only,
        [[0, ..], link_local] if addresses.first() == Some(&[0; 16]) => link_local,
        [global, _] => global,
        _ => return None,
    };
    Some(IpAddr::V6(Ipv6Addr::from(*global)))
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
    Ok(match Family::from_wire(afi, safi).filter(|f| families.contains(*f)) {
        Some(family) => Mp::Ours(Unreach { family, nlri }),
        None => Mp::Foreign { afi, safi },
    })
}

/// Whether a packet can be sent to this address (RFC 4271 §6.3: a valid IP host address).
pub(super) fn is_host(address: IpAddr) -> bool {
    match address {
        // 0/8, 127/8, multicast and what was class E, the broadcast address included.
        IpAddr::V4(v4) => !matches!(v4.octets()[0], 0 | 127 | 224..),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_loopback() || v6.is_multicast()),
    }
}
