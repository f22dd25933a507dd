//! Writes UPDATEs: attributes once, then as many prefixes as a message of 4096 octets holds.
//!
//! An [`AttrSet`] and prefixes in, whole messages out, header included. IPv4 with an IPv4 next hop
//! takes the fields of RFC 4271 §4.3; IPv6, and IPv4 with an IPv6 next hop (RFC 8950), take
//! MP_REACH_NLRI, as the first attribute (RFC 7606 §5.1). To a neighbour of two-octet AS numbers
//! AS_PATH and AGGREGATOR go with AS4_PATH and AS4_AGGREGATOR where they lose something
//! (RFC 6793 §4.2.2).

use std::net::IpAddr;

use bytes::{BufMut, BytesMut};

use super::as4;
use super::attr::{Attr, EXTENDED, OPTIONAL, PARTIAL, TRANSITIVE, code};
use crate::attrs::AttrSet;
use crate::types::{Asn, Family, Prefix};
use crate::wire::as_path::AsPath;
use crate::wire::nlri;

/// Octets of the longest message (RFC 4271 §4).
const LONGEST: usize = 4096;
/// Octets of the header; its last is the type, 2 for UPDATE.
const HEADER: usize = 19;
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
    match (P::FAMILY, attrs.next_hop()) {
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
    let message = begin(out);
    match family {
        Family::Ipv4 => out.put_bytes(0, 4),
        Family::Ipv6 => {
            out.put_u32(6);
            out.put_slice(&[OPTIONAL, code::MP_UNREACH_NLRI, 3]);
            put_family(family, out);
        }
    }
    put_length(out, message, HEADER - 3, message);
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
    let around = HEADER
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
    if around + longest_prefix > LONGEST {
        return 0;
    }
    let mut messages = 0;
    let mut rest = prefixes;
    while !rest.is_empty() {
        let mut room = LONGEST - around;
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
    let message = begin(out);
    let body = out.len();
    match place {
        Place::Withdrawn => {
            out.put_u16(0);
            prefixes.iter().for_each(|prefix| prefix.put(out));
            put_length(out, body, 0, body + 2);
            out.put_u16(0);
        }
        Place::Field { attributes } => {
            out.put_u32(0);
            out.put_slice(attributes);
            put_length(out, body, 2, body + 4);
            prefixes.iter().for_each(|prefix| prefix.put(out));
        }
        Place::Unreach => {
            out.put_u32(0);
            out.put_slice(&[OPTIONAL | EXTENDED, code::MP_UNREACH_NLRI, 0, 0]);
            put_family(P::FAMILY, out);
            prefixes.iter().for_each(|prefix| prefix.put(out));
            put_length(out, body + 4, 2, body + 4 + ATTR_HEADER);
            put_length(out, body, 2, body + 4);
        }
        Place::Reach { next_hop, attributes } => {
            out.put_u32(0);
            out.put_slice(&[OPTIONAL | EXTENDED, code::MP_REACH_NLRI, 0, 0]);
            put_family(P::FAMILY, out);
            out.put_u8(16);
            out.put_slice(next_hop);
            out.put_u8(0);
            prefixes.iter().for_each(|prefix| prefix.put(out));
            put_length(out, body + 4, 2, body + 4 + ATTR_HEADER);
            out.put_slice(attributes);
            put_length(out, body, 2, body + 4);
        }
    }
    put_length(out, message, HEADER - 3, message);
}

/// Appends the header of an UPDATE, its length to be filled in, and returns where it begins.
fn begin(out: &mut BytesMut) -> usize {
    let start = out.len();
    out.reserve(LONGEST);
    out.put_bytes(0xff, 16);
    out.put_slice(&[0, 0, 2]);
    start
}

/// Writes the octets from `since` to the end of `out` into the length field at `base + offset`.
fn put_length(out: &mut BytesMut, base: usize, offset: usize, since: usize) {
    // No message is longer than `LONGEST`.
    let length = u16::try_from(out.len().saturating_sub(since)).unwrap_or(u16::MAX);
    if let Some(field) = out.get_mut(base + offset..base + offset + 2) {
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
    // Those that the set lacks, in type order; each goes before the first that comes after it.
    let local_pref =
        (internal && attrs.local_pref().is_none()).then(|| attrs.rank().local_pref.to_be_bytes());
    let mut missing = [(code::NEXT_HOP, next_hop), (code::LOCAL_PREF, local_pref)].into_iter();
    let mut next_missing = missing.next();
    let mut before = |code: u8, out: &mut BytesMut| {
        while let Some((this, value)) = next_missing.filter(|(this, _)| *this < code) {
            if let Some(value) = value {
                put_attr(TRANSITIVE, this, &value, out);
            }
            next_missing = missing.next();
        }
    };
    let mut lost = Lost::default();
    for attr in attrs.iter() {
        before(attr.code, out);
        if attr.code > code::AS4_AGGREGATOR {
            lost.put(out);
        }
        match attr.code {
            code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST if !internal => {}
            code::AS_PATH if !as4 => {
                let (path, lossy) = as4::narrow(AsPath::new(attr.value));
                put_attr(attr.flags, attr.code, &path, out);
                lost.path = lossy.then_some(attr.value);
            }
            code::AGGREGATOR if !as4 => lost.aggregator = put_two_octets(attr, out),
            _ => put_attr(attr.flags, attr.code, attr.value, out),
        }
    }
    before(u8::MAX, out);
    lost.put(out);
}

/// What a two-octet speaker only carries (RFC 6793 §3).
#[derive(Default)]
struct Lost<'a> {
    path: Option<&'a [u8]>,
    aggregator: Option<&'a [u8]>,
}

impl Lost<'_> {
    /// Appends what there is, once.
    fn put(&mut self, out: &mut BytesMut) {
        let flags = OPTIONAL | TRANSITIVE;
        if let Some(path) = self.path.take() {
            put_attr(flags, code::AS4_PATH, path, out);
        }
        if let Some(aggregator) = self.aggregator.take() {
            put_attr(flags, code::AS4_AGGREGATOR, aggregator, out);
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
