//! The rules of each attribute that this speaker understands: what its value must look like, and
//! what of it the routes need.

use std::net::Ipv4Addr;

use super::{Attributes, Malformed};
use crate::attrs::Origin;
use crate::wire::as_path;
use crate::wire::attr::{Attr, code};
use crate::wire::judge::mp::{self, Mp};
use crate::wire::{Notification, as4};

impl<'a> Attributes<'a> {
    /// Applies the rules of one attribute that this speaker understands.
    #[inline]
    pub(super) fn value(&mut self, attr: Attr<'a>) -> Result<(), Malformed> {
        let value = attr.value;
        match attr.code {
            code::ORIGIN => {
                let [octet] = value else { return Err(length(value)) };
                let Some(origin) = Origin::from_wire(*octet) else {
                    return Err((Notification::INVALID_ORIGIN, format!("value {octet}")));
                };
                self.rank.origin = origin;
            }
            code::AS_PATH if self.context.as4 => {
                let shape = as_path::check::<4>(value, self.context.local_asn).map_err(path)?;
                self.shape(shape, value);
            }
            code::AS_PATH => {
                as_path::check::<2>(value, self.context.local_asn).map_err(path)?;
                let wide = as4::widen(value);
                self.keep(attr, wide.len());
                self.path = Some(wide);
                return Ok(());
            }
            code::NEXT_HOP => {
                self.next_hop = Some(attr);
                return Ok(());
            }
            code::MULTI_EXIT_DISC => self.rank.med = number(attr)?,
            code::LOCAL_PREF => self.rank.local_pref = number(attr)?,
            code::ATOMIC_AGGREGATE if !value.is_empty() => return Err(length(value)),
            code::AGGREGATOR => {
                let asn = match (value.len(), self.context.as4) {
                    (8, true) => value.get(..4),
                    (6, false) => value.get(..2),
                    _ => return Err(length(value)),
                };
                not_zero(asn)?;
                self.aggregator = Some(value);
                self.keep(attr, 8);
                return Ok(());
            }
            code::COMMUNITIES => multiple(value, 4)?,
            code::EXTENDED_COMMUNITIES => multiple(value, 8)?,
            code::IPV6_EXTENDED_COMMUNITIES => multiple(value, 20)?,
            code::LARGE_COMMUNITIES => multiple(value, 12)?,
            code::ORIGINATOR_ID => {
                let originator = Ipv4Addr::from(number(attr)?);
                self.rank.originator = Some(originator);
                if originator == self.context.router_id {
                    self.judgement.unusable = Some("we are its ORIGINATOR_ID");
                }
            }
            code::CLUSTER_LIST => {
                multiple(value, 4)?;
                self.rank.cluster_len = u16::try_from(value.len() / 4).unwrap_or(u16::MAX);
                let own = self.context.cluster_id.map(|id| id.octets());
                if own.is_some_and(|own| value.as_chunks().0.contains(&own)) {
                    self.judgement.unusable = Some("our own CLUSTER_ID is in CLUSTER_LIST");
                }
            }
            code::AIGP => aigp(value)?,
            code::OTC => {
                number(attr)?;
            }
            code::AS4_PATH => {
                self.as4_path = Some(value);
                return Ok(());
            }
            code::AS4_AGGREGATOR => {
                if value.len() != 8 {
                    return Err(length(value));
                }
                not_zero(value.get(..4))?;
                self.as4_aggregator = Some(value);
                return Ok(());
            }
            code::MP_REACH_NLRI => {
                match mp::reach(value, self.context).map_err(optional)? {
                    Mp::Ours(reach) => self.reach = Some(reach),
                    Mp::Foreign { afi, safi } => self.foreign(attr.code, afi, safi),
                }
                return Ok(());
            }
            code::MP_UNREACH_NLRI => {
                match mp::unreach(value, self.context.families).map_err(optional)? {
                    Mp::Ours(unreach) => self.unreach = Some(unreach),
                    Mp::Foreign { afi, safi } => self.foreign(attr.code, afi, safi),
                }
                return Ok(());
            }
            _ => {}
        }
        self.keep(attr, value.len());
        Ok(())
    }
}

#[cold]
fn length(value: &[u8]) -> Malformed {
    (Notification::ATTRIBUTE_LENGTH, format!("length {}", value.len()))
}

#[cold]
fn path(why: &'static str) -> Malformed {
    (Notification::MALFORMED_AS_PATH, why.to_owned())
}

#[cold]
fn optional(why: &'static str) -> Malformed {
    (Notification::OPTIONAL_ATTRIBUTE, why.to_owned())
}

#[inline]
fn number(attr: Attr<'_>) -> Result<u32, Malformed> {
    attr.u32().ok_or_else(|| length(attr.value))
}

/// A value is a run of things of `octets`, one at least.
#[inline]
fn multiple(value: &[u8], octets: usize) -> Result<(), Malformed> {
    let right = !value.is_empty() && value.len().is_multiple_of(octets);
    if right { Ok(()) } else { Err(length(value)) }
}

/// RFC 7311 §3: a run of TLVs, whose length counts their three first octets; the metric's is 11.
fn aigp(value: &[u8]) -> Result<(), Malformed> {
    let mut rest = value;
    while let Some((&[kind, high, low], _)) = rest.split_first_chunk() {
        let size = usize::from(u16::from_be_bytes([high, low]));
        let right = if kind == 1 { size == 11 } else { size >= 3 };
        rest = match rest.get(size..) {
            Some(after) if right => after,
            _ => return Err(optional("a TLV of a wrong length")),
        };
    }
    if rest.is_empty() { Ok(()) } else { Err(optional("a TLV of a wrong length")) }
}

/// RFC 7607: there is no AS 0.
fn not_zero(asn: Option<&[u8]>) -> Result<(), Malformed> {
    match asn {
        Some(octets) if octets.iter().any(|o| *o != 0) => Ok(()),
        _ => Err((Notification::OPTIONAL_ATTRIBUTE, "AS 0".to_owned())),
    }
}
