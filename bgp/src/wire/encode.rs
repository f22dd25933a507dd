//! Writes UPDATEs: attributes once, then as many prefixes as a message of the session holds.
//!
//! An [`AttrSet`] and prefixes in, whole messages out, header included. IPv4 with an IPv4 next hop
//! takes the fields of RFC 4271 §4.3; IPv6, and IPv4 with an IPv6 next hop (RFC 8950), take
//! MP_REACH_NLRI, as the first attribute (RFC 7606 §5.1). To a neighbour of two-octet AS numbers
//! AS_PATH and AGGREGATOR go with AS4_PATH and AS4_AGGREGATOR where they lose something
//! (RFC 6793 §4.2.2).

use std::net::{IpAddr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use super::as_path::AsPath;
use super::attr::{Attr, EXTENDED, OPTIONAL, PARTIAL, TRANSITIVE, code};
use super::header::{self, HEADER_LEN, Kind};
use super::{as4, nlri};
use crate::attrs::AttrSet;
use crate::types::{Asn, Family, Prefix};

/// Octets of flags, code and a two-octet length in front of a value.
const ATTR_HEADER: usize = 4;

/// How a session's messages are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Dialect {
    /// AS numbers have four octets (RFC 6793).
    pub as4: bool,
    /// The session is iBGP: LOCAL_PREF and the marks of reflectors go along; on others they stay
    /// away, whatever the set has.
    pub internal: bool,
    /// Messages may have 65535 octets (RFC 8654), not 4096.
    pub extended: bool,
    /// Our global and our link-local address, where the neighbour is on the same link: the one as
    /// NEXT_HOP takes the other along (RFC 2545 §3).
    pub link: Option<(Ipv6Addr, Ipv6Addr)>,
}

impl Dialect {
    /// Octets of the longest message.
    fn max_len(&self) -> usize {
        if self.extended { usize::from(u16::MAX) } else { 4096 }
    }
}

/// Prefixes, and their path identifiers where the session has them (RFC 7911 §3): one each, or
/// none at all.
#[derive(Clone, Copy, Debug)]
pub struct Nlri<'a, P> {
    /// The prefixes.
    pub prefixes: &'a [P],
    /// Their path identifiers.
    pub ids: &'a [u32],
}

impl<'a, P, T: AsRef<[P]> + ?Sized> From<&'a T> for Nlri<'a, P> {
    /// Without path identifiers.
    fn from(prefixes: &'a T) -> Nlri<'a, P> {
        Nlri { prefixes: prefixes.as_ref(), ids: &[] }
    }
}

impl<'a, P: Prefix> Nlri<'a, P> {
    /// Octets of a path identifier.
    fn id_len(&self) -> usize {
        if self.ids.is_empty() { 0 } else { 4 }
    }

    /// The first `count`, and the others.
    fn split(self, count: usize) -> (Nlri<'a, P>, Nlri<'a, P>) {
        let (prefixes, later) = self.prefixes.split_at_checked(count).unwrap_or_default();
        let (ids, later_ids) = self.ids.split_at_checked(count).unwrap_or_default();
        (Nlri { prefixes, ids }, Nlri { prefixes: later, ids: later_ids })
    }

    fn put(&self, out: &mut BytesMut) {
        match self.ids.is_empty() {
            true => self.prefixes.iter().for_each(|prefix| prefix.put(out)),
            false => self.prefixes.iter().zip(self.ids).for_each(|(prefix, id)| {
                out.put_u32(*id);
                prefix.put(out);
            }),
        }
    }
}

/// Appends UPDATEs that announce `nlri` with `attrs`, as much in each as fits, and returns how
/// many.
///
/// Zero, although there are prefixes: the set does not fit into a message, or its next hop
/// cannot be said for this family (IPv4 for IPv6); nothing was written.
pub fn announce<'a, P: Prefix>(
    attrs: &AttrSet,
    dialect: &Dialect,
    nlri: impl Into<Nlri<'a, P>>,
    out: &mut BytesMut,
) -> usize {
    let mut common = BytesMut::with_capacity(attrs.bytes().len() + 32);
    let place = match (P::FAMILY, attrs.next_hop().address) {
        (Family::Ipv4, IpAddr::V4(next_hop)) => {
            put_attributes(attrs, dialect, Some(next_hop.octets()), &mut common);
            Place::Field { attributes: &common }
        }
        (_, IpAddr::V6(next_hop)) => {
            put_attributes(attrs, dialect, None, &mut common);
            let link_local = dialect.link.filter(|(global, _)| *global == next_hop);
            let link_local = link_local.map(|(_, link_local)| link_local);
            Place::Reach { next_hop, link_local, attributes: &common }
        }
        (Family::Ipv6, IpAddr::V4(_)) => return 0,
    };
    put_messages(&place, dialect.max_len(), nlri.into(), out)
}

/// Appends a set as a table that is stored has it (RFC 6396 §4.3.4): every attribute as it is, AS
/// numbers of four octets, NEXT_HOP, or of IPv6 an MP_REACH_NLRI that is the next hop and its length
/// alone.
pub fn stored(attrs: &AttrSet, out: &mut BytesMut) {
    let dialect = Dialect { as4: true, internal: true, ..Dialect::default() };
    let next_hop = match attrs.next_hop().address {
        IpAddr::V4(next_hop) => Some(next_hop.octets()),
        IpAddr::V6(next_hop) => {
            out.put_slice(&[OPTIONAL, code::MP_REACH_NLRI, 17, 16]);
            out.put_slice(&next_hop.octets());
            None
        }
    };
    put_with(attrs, &dialect, Added { next_hop, ..Added::default() }, out);
}

/// Appends UPDATEs that withdraw `nlri` and returns how many.
pub fn withdraw<'a, P: Prefix>(
    dialect: &Dialect,
    nlri: impl Into<Nlri<'a, P>>,
    out: &mut BytesMut,
) -> usize {
    let place = match P::FAMILY {
        Family::Ipv4 => Place::Withdrawn,
        Family::Ipv6 => Place::Unreach,
    };
    put_messages(&place, dialect.max_len(), nlri.into(), out)
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
    Reach { next_hop: Ipv6Addr, link_local: Option<Ipv6Addr>, attributes: &'a [u8] },
}

impl Place<'_> {
    /// Octets of a message without its prefixes.
    fn around(&self) -> usize {
        HEADER_LEN
            + 4
            + match self {
                Place::Withdrawn => 0,
                Place::Field { attributes } => attributes.len(),
                Place::Unreach => ATTR_HEADER + 3,
                Place::Reach { link_local, attributes, .. } => {
                    let next_hop = if link_local.is_some() { 32 } else { 16 };
                    ATTR_HEADER + 3 + 1 + next_hop + 1 + attributes.len()
                }
            }
    }
}

/// Appends messages until every prefix is in one; none at all if one prefix might not fit.
fn put_messages<P: Prefix>(
    place: &Place<'_>,
    max_len: usize,
    nlri: Nlri<'_, P>,
    out: &mut BytesMut,
) -> usize {
    let (around, id) = (place.around(), nlri.id_len());
    let longest_prefix = id + 1 + usize::from(P::MAX_LEN / 8);
    if around + longest_prefix > max_len {
        return 0;
    }
    let mut messages = 0;
    let mut rest = nlri;
    while !rest.prefixes.is_empty() {
        let mut room = max_len - around;
        let fits = |prefix: &&P| {
            let left = room.checked_sub(id + nlri::wire_len(**prefix));
            room = left.unwrap_or(0);
            left.is_some()
        };
        let count = rest.prefixes.iter().take_while(fits).count();
        let (now, later) = rest.split(count);
        put_message(place, now, out);
        rest = later;
        messages += 1;
    }
    messages
}

/// Appends one message, which `nlri` must fit into.
fn put_message<P: Prefix>(place: &Place<'_>, nlri: Nlri<'_, P>, out: &mut BytesMut) {
    header::put(out, Kind::Update, |out| match place {
        Place::Withdrawn => {
            put_sized(out, |out| nlri.put(out));
            out.put_u16(0);
        }
        Place::Field { attributes } => {
            out.put_u16(0);
            put_sized(out, |out| out.put_slice(attributes));
            nlri.put(out);
        }
        Place::Unreach => {
            out.put_u16(0);
            put_sized(out, |out| {
                out.put_slice(&[OPTIONAL | EXTENDED, code::MP_UNREACH_NLRI]);
                put_sized(out, |out| {
                    put_family(P::FAMILY, out);
                    nlri.put(out);
                });
            });
        }
        Place::Reach { next_hop, link_local, attributes } => {
            out.put_u16(0);
            put_sized(out, |out| {
                out.put_slice(&[OPTIONAL | EXTENDED, code::MP_REACH_NLRI]);
                put_sized(out, |out| {
                    put_family(P::FAMILY, out);
                    out.put_u8(if link_local.is_some() { 32 } else { 16 });
                    out.put_slice(&next_hop.octets());
                    link_local.iter().for_each(|address| out.put_slice(&address.octets()));
                    out.put_u8(0);
                    nlri.put(out);
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
    // No message is longer than 65535 octets.
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
    dialect: &Dialect,
    next_hop: Option<[u8; 4]>,
    out: &mut BytesMut,
) {
    let mut added = Added { next_hop, ..Added::default() };
    if dialect.internal && !attrs.has(code::LOCAL_PREF) {
        added.local_pref = Some(attrs.rank().local_pref.to_be_bytes());
    }
    put_with(attrs, dialect, added, out);
}

/// Appends the set's attributes in type order, with what goes along.
fn put_with<'a>(attrs: &'a AttrSet, dialect: &Dialect, mut added: Added<'a>, out: &mut BytesMut) {
    let Dialect { as4, internal, .. } = *dialect;
    // Canonical bytes are those of the wire: copied in as few pieces as what is added, left out or
    // written otherwise leaves. `piece` begins behind what is in `out` already.
    let mut piece = attrs.bytes();
    let mut walk = attrs.iter();
    loop {
        let before = walk.rest();
        let Some(attr) = walk.next() else { break };
        let other = match attr.code {
            code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST => !internal,
            code::AS_PATH | code::AGGREGATOR => !as4,
            _ => false,
        };
        if !other && !added.is_due(attr.code) {
            continue;
        }
        out.put_slice(piece.get(..piece.len() - before.len()).unwrap_or(&[]));
        piece = before;
        added.put_before(attr.code, out);
        if !other {
            continue;
        }
        piece = walk.rest();
        match attr.code {
            code::AS_PATH => {
                let (path, lossy) = as4::narrow(AsPath::new(attr.value));
                put_attr(attr.flags, attr.code, &path, out);
                added.as4_path = lossy.then_some(attr.value);
            }
            code::AGGREGATOR => added.as4_aggregator = put_two_octets(attr, out),
            _ => {}
        }
    }
    out.put_slice(piece);
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
    /// Whether something belongs before `next` and is not there yet.
    fn is_due(&self, next: u8) -> bool {
        (self.next_hop.is_some() && next > code::NEXT_HOP)
            || (self.local_pref.is_some() && next > code::LOCAL_PREF)
            || (self.as4_path.is_some() && next > code::AS4_PATH)
            || (self.as4_aggregator.is_some() && next > code::AS4_AGGREGATOR)
    }

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
