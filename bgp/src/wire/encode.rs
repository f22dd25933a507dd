//! Writes UPDATEs: attributes once, then as many prefixes as a message of 4096 octets holds.
//!
//! An [`AttrSet`] and prefixes in, whole messages out, header included. IPv4 with an IPv4 next hop
//! takes the fields of RFC 4271 §4.3; IPv6, and IPv4 with an IPv6 next hop (RFC 8950), take
//! MP_REACH_NLRI, as the first attribute (RFC 7606 §5.1). To a neighbour of two-octet AS numbers
//! AS_PATH and AGGREGATOR go with AS4_PATH and AS4_AGGREGATOR where they lose something
//! (RFC 6793 §4.2.2).

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use super::as_path::AsPath;
use super::attr::{Attr, EXTENDED, OPTIONAL, PARTIAL, TRANSITIVE, code};
use super::header::{self, HEADER_LEN, Kind, MAX_LEN};
use super::{as4, nlri};
use crate::attrs::AttrSet;
use crate::types::{Asn, Family, Prefix};

/// Octets of flags, code and a two-octet length in front of a value.
const ATTR_HEADER: usize = 4;

/// Appends UPDATEs that announce `prefixes` with `attrs`, as many in each as fit into 4096
/// octets, and returns how many. `as4`: the session has four-octet AS numbers. `internal`: it is
/// iBGP, so that LOCAL_PREF goes along; on others it stays away, whatever the set has.
///
/// Zero, although there are prefixes: the set does not fit into a message, or its next hop
/// cannot be said for this family (IPv4 for IPv6); nothing was written.
pub fn announce<P: Prefix>(
    attrs: &AttrSet,
    as4: bool,
    internal: bool,
    prefixes: &[P],
    out: &mut BytesMut,
) -> usize {
    let mut common = BytesMut::with_capacity(attrs.bytes().len() + 32);
    match (P::FAMILY, attrs.next_hop().address) {
        (Family::Ipv4, IpAddr::V4(next_hop)) => {
            put_attributes(attrs, as4, internal, Some(next_hop.octets()), &mut common);
            let nlri = Place::Field { attributes: &common };
            put_messages(&nlri, prefixes, out)
        }
        (_, IpAddr::V6(next_hop)) => {
            put_attributes(attrs, as4, internal, None, &mut common);
            let nlri = Place::Reach { next_hop: next_hop.octets(), attributes: &common };
            put_messages(&nlri, prefixes, out)
        }
        (Family::Ipv6, IpAddr::V4(_)) => 0,
    }
}

/// Appends UPDATEs that withdraw `prefixes` and returns how many.
pub fn withdraw<P: Prefix>(prefixes: &[P], out: &mut BytesMut) -> usize {
    match P::FAMILY {
        Family::Ipv4 => put_messages(&Place::Withdrawn, prefixes, out),
        Family::Ipv6 => put_messages(&Place::Unreach, prefixes, out),
    }
}

/// Appends the End-of-RIB marker of `family` (RFC 4724 §2).
pub fn end_of_rib(family: Family, out: &mut BytesMut) {
    header::put(out, Kind::Update, |out| match family {
        Family::Ipv4 => out.put_bytes(0, 4),
        Family::Ipv6 => {
            out.put_u32(6);
            out.put_slice(&[OPTIONAL, code::MP_UNREACH_NLRI, 3]);
            put_family(family, out);
        }
    });
}

// ---- Messages ---------------------------------------------------------------------------------

/// Where a message has its prefixes, and what goes around them.
enum Place<'a> {
    /// In Withdrawn Routes.
    Withdrawn,
    /// In the NLRI field, behind these attributes.
    Field { attributes: &'a [u8] },
    /// In MP_UNREACH_NLRI.
    Unreach,
    /// In MP_REACH_NLRI, before these attributes.
    Reach { next_hop: [u8; 16], attributes: &'a [u8] },
}

/// Appends messages until every prefix is in one; none at all if one prefix might not fit.
fn put_messages<P: Prefix>(place: &Place<'_>, prefixes: &[P], out: &mut BytesMut) -> usize {
    let around = HEADER_LEN
        + 4
        + match place {
            Place::Withdrawn => 0,
            Place::Field { attributes } => attributes.len(),
            Place::Unreach => ATTR_HEADER + 3,
            Place::Reach { next_hop, attributes } => {
                ATTR_HEADER + 3 + 1 + next_hop.len() + 1 + attributes.len()
            }
        };
    let longest_prefix = 1 + usize::from(P::MAX_LEN / 8);
    if around + longest_prefix > MAX_LEN {
        return 0;
    }
    let mut messages = 0;
    let mut rest = prefixes;
    while !rest.is_empty() {
        let mut room = MAX_LEN - around;
        let fits = |prefix: &&P| {
            let left = room.checked_sub(nlri::wire_len(**prefix));
            room = left.unwrap_or(0);
            left.is_some()
        };
        let count = rest.iter().take_while(fits).count();
        let (now, later) = rest.split_at(count);
        put_message(place, now, out);
        rest = later;
        messages += 1;
    }
    messages
}

/// Appends one message, which `prefixes` must fit into.
fn put_message<P: Prefix>(place: &Place<'_>, prefixes: &[P], out: &mut BytesMut) {
    let put_prefixes = |out: &mut BytesMut| prefixes.iter().for_each(|prefix| prefix.put(out));
    header::put(out, Kind::Update, |out| match place {
        Place::Withdrawn => {
            put_sized(out, put_prefixes);
            out.put_u16(0);
        }
        Place::Field { attributes } => {
            out.put_u16(0);
            put_sized(out, |out| out.put_slice(attributes));
            put_prefixes(out);
        }
        Place::Unreach => {
            out.put_u16(0);
            put_sized(out, |out| {
                out.put_slice(&[OPTIONAL | EXTENDED, code::MP_UNREACH_NLRI]);
                put_sized(out, |out| {
                    put_family(P::FAMILY, out);
                    put_prefixes(out);
                });
            });
        }
        Place::Reach { next_hop, attributes } => {
            out.put_u16(0);
            put_sized(out, |out| {
                out.put_slice(&[OPTIONAL | EXTENDED, code::MP_REACH_NLRI]);
                put_sized(out, |out| {
                    put_family(P::FAMILY, out);
                    out.put_u8(16);
                    out.put_slice(next_hop);
                    out.put_u8(0);
                    put_prefixes(out);
                });
                out.put_slice(attributes);
            });
        }
    });
}

/// Appends a length of two octets, then what `body` writes, which it is the length of.
fn put_sized(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u16(0);
    body(out);
    // No message is longer than `MAX_LEN`.
    let length = u16::try_from(out.len() - start - 2).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(start..start + 2) {
        field.copy_from_slice(&length.to_be_bytes());
    }
}

fn put_family(family: Family, out: &mut BytesMut) {
    out.put_u16(family.afi());
    out.put_u8(1);
}

// ---- Attributes -------------------------------------------------------------------------------

/// Appends the set's attributes in type order, NEXT_HOP among them if there is one to be said.
fn put_attributes(
    attrs: &AttrSet,
    as4: bool,
    internal: bool,
    next_hop: Option<[u8; 4]>,
    out: &mut BytesMut,
) {
    let mut added = Added { next_hop, ..Added::default() };
    if internal && attrs.local_pref().is_none() {
        added.local_pref = Some(attrs.rank().local_pref.to_be_bytes());
    }
    for attr in attrs.iter() {
        added.put_before(attr.code, out);
        match attr.code {
            code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST if !internal => {}
            code::AS_PATH if !as4 => {
                let (path, lossy) = as4::narrow(AsPath::new(attr.value));
                put_attr(attr.flags, attr.code, &path, out);
                added.as4_path = lossy.then_some(attr.value);
            }
            code::AGGREGATOR if !as4 => added.as4_aggregator = put_two_octets(attr, out),
            _ => put_attr(attr.flags, attr.code, attr.value, out),
        }
    }
    added.put_before(u8::MAX, out);
}

/// What goes along although the set does not have it, each in its place in the type order.
#[derive(Default)]
struct Added<'a> {
    next_hop: Option<[u8; 4]>,
    local_pref: Option<[u8; 4]>,
    as4_path: Option<&'a [u8]>,
    as4_aggregator: Option<&'a [u8]>,
}

impl Added<'_> {
    /// Appends what belongs before `next` and is not there yet.
    fn put_before(&mut self, next: u8, out: &mut BytesMut) {
        if next > code::NEXT_HOP
            && let Some(value) = self.next_hop.take()
        {
            put_attr(TRANSITIVE, code::NEXT_HOP, &value, out);
        }
        if next > code::LOCAL_PREF
            && let Some(value) = self.local_pref.take()
        {
            put_attr(TRANSITIVE, code::LOCAL_PREF, &value, out);
        }
        if next > code::AS4_PATH
            && let Some(value) = self.as4_path.take()
        {
            put_attr(OPTIONAL | TRANSITIVE, code::AS4_PATH, value, out);
        }
        if next > code::AS4_AGGREGATOR
            && let Some(value) = self.as4_aggregator.take()
        {
            put_attr(OPTIONAL | TRANSITIVE, code::AS4_AGGREGATOR, value, out);
        }
    }
}

/// Appends AGGREGATOR with two octets for the AS; returns the whole value if that loses something.
fn put_two_octets<'a>(attr: Attr<'a>, out: &mut BytesMut) -> Option<&'a [u8]> {
    let (asn, speaker) = attr.value.split_first_chunk::<4>()?;
    let asn = Asn(u32::from_be_bytes(*asn));
    let mut value = asn.two_octets().to_be_bytes().to_vec();
    value.extend_from_slice(speaker);
    put_attr(attr.flags, attr.code, &value, out);
    (!as4::fits(asn)).then_some(attr.value)
}

fn put_attr(flags: u8, code: u8, value: &[u8], out: &mut BytesMut) {
    let flags = flags & (OPTIONAL | TRANSITIVE | PARTIAL);
    match u8::try_from(value.len()) {
        Ok(length) => out.put_slice(&[flags, code, length]),
        Err(_) => {
            out.put_slice(&[flags | EXTENDED, code]);
            // A longer value makes the set too long for a message, so that it is never sent.
            out.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        }
    }
    out.put_slice(value);
}

#[cfg(test)]
mod tests;
