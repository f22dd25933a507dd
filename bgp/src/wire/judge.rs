//! Judges an UPDATE: RFC 7606 applied whole, once, so that nothing behind it checks again.
//!
//! [`Update`] in; out go a [`RouteBatch`]'s ops, attribute sets and prefixes, a [`Judgement`] of
//! what was done beside, or the NOTIFICATION that ends the session. `attributes` has the rules of
//! each attribute, `mp` the multiprotocol ones; here is what concerns the whole message.
//!
//! Deviations. A malformed MP_REACH_NLRI or MP_UNREACH_NLRI ends the session: the other choice of
//! RFC 7606 §7.11, to ignore the family from then on, would leave it silently empty. An external
//! neighbour's AS_PATH must begin with its AS (RFC 4271 §6.3 has it as MAY).

mod attributes;
mod mp;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr};

use crate::attrs::AttrSet;
use crate::msg::{Op, RouteBatch};
use crate::session::{Negotiated, PeerConfig};
use crate::types::{Asn, Families, Family, PeerKind, Prefix};

use attributes::{Attributes, Fault};

use super::Notification;
use super::nlri::{self, Incorrect};
use super::update::Update;

/// What there is to know about a session to judge its UPDATEs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    /// What the neighbour is to us.
    pub kind: PeerKind,
    /// AS numbers are four octets (RFC 6793).
    pub as4: bool,
    /// Families that were negotiated; others are ignored.
    pub families: Families,
    /// Our AS towards the neighbour.
    pub local_asn: Asn,
    /// The neighbour's AS.
    pub peer_asn: Asn,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
}

impl Context {
    /// The context of an Established session.
    pub fn new(config: &PeerConfig, negotiated: &Negotiated) -> Context {
        Context {
            kind: config.kind,
            as4: negotiated.as4,
            families: negotiated.families,
            local_asn: config.local_asn,
            peer_asn: negotiated.asn,
            router_id: config.router_id,
        }
    }
}

/// What was done about an UPDATE beside taking its routes. Mostly nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Judgement {
    /// It was malformed, and its routes count as withdrawn: why.
    pub treat_as_withdraw: Option<String>,
    /// Attributes that were malformed and are ignored: which and why.
    pub discarded: Vec<String>,
    /// It is well-formed but its routes may not be used, so they count as withdrawn: why.
    pub unusable: Option<&'static str>,
}

/// Judges `update` and appends what it says to `batch`.
///
/// # Errors
/// The NOTIFICATION that ends the session; `batch` is then as it was.
pub fn judge(
    update: &Update<'_>,
    context: &Context,
    batch: &mut RouteBatch,
) -> Result<Judgement, Notification> {
    let lengths = (batch.ops.len(), batch.attrs.len(), batch.v4.len(), batch.v6.len());
    let judged = Routes { families: context.families, batch }.of(update, context);
    if judged.is_err() {
        batch.ops.truncate(lengths.0);
        batch.attrs.truncate(lengths.1);
        batch.v4.truncate(lengths.2);
        batch.v6.truncate(lengths.3);
    }
    judged
}

/// Where routes go.
struct Routes<'b> {
    families: Families,
    batch: &'b mut RouteBatch,
}

/// What becomes of prefixes.
#[derive(Clone, Copy)]
enum Fate {
    /// They have this number of the batch's attribute sets.
    Announced(u32),
    Withdrawn,
}

impl Routes<'_> {
    fn of(mut self, update: &Update<'_>, context: &Context) -> Result<Judgement, Notification> {
        let Update { withdrawn, attributes: raw, nlri } = *update;
        if withdrawn.is_empty() && raw.is_empty() && nlri.is_empty() {
            self.end_of_rib(Family::Ipv4);
            return Ok(Judgement::default());
        }
        let mut attributes = Attributes::of(raw, context);
        attributes.read()?;
        let announces = !nlri.is_empty() || attributes.announces();
        let next_hop = if announces { attributes.conclude(!nlri.is_empty()) } else { None };
        if let Some(fault) = &attributes.fault
            && !announces
        {
            // Its prefixes may be what we failed to read (RFC 7606 §5.2).
            return Err(fault.notification.clone());
        }

        let ipv4 = self.families.contains(Family::Ipv4);
        let ipv4_routes = !withdrawn.is_empty() || !nlri.is_empty();
        if ipv4_routes && !ipv4 {
            attributes.judgement.discarded.push("NLRI: ipv4 was not negotiated".to_owned());
        }

        // What the message withdraws goes first: a prefix that it also announces stands
        // (RFC 4271 §4.3).
        self.put(Family::Ipv4, withdrawn, Fate::Withdrawn).map_err(network)?;
        if let Some(unreach) = attributes.unreach {
            let alone = withdrawn.is_empty() && nlri.is_empty() && attributes.count == 1;
            if unreach.nlri.is_empty() && alone {
                self.end_of_rib(unreach.family);
            }
            self.put(unreach.family, unreach.nlri, Fate::Withdrawn).map_err(optional)?;
        }

        let usable = attributes.fault.is_none() && attributes.judgement.unusable.is_none();
        if ipv4 && !nlri.is_empty() {
            let fate = self.fate(&attributes, next_hop.filter(|_| usable));
            self.put(Family::Ipv4, nlri, fate).map_err(network)?;
        }
        if let Some(reach) = attributes.reach.filter(|reach| !reach.nlri.is_empty()) {
            let fate = self.fate(&attributes, Some(reach.next_hop).filter(|_| usable));
            self.put(reach.family, reach.nlri, fate).map_err(optional)?;
        }

        let Attributes { fault, judgement, .. } = attributes;
        let treat_as_withdraw = fault.map(|Fault { why, .. }| why);
        Ok(Judgement { treat_as_withdraw, ..judgement })
    }

    /// With a next hop, the fate of the attributes' set with it; else withdrawal.
    fn fate(&mut self, attributes: &Attributes<'_>, next_hop: Option<IpAddr>) -> Fate {
        let Some(next_hop) = next_hop else { return Fate::Withdrawn };
        let bytes = attributes.canonical();
        let sets = &mut self.batch.attrs;
        // A neighbour with much to say of one set says it in many messages.
        let known =
            sets.last().is_some_and(|s| s.next_hop().address == next_hop && *s.bytes() == *bytes);
        if !known {
            sets.push(AttrSet::from_parts(next_hop, attributes.rank, bytes));
        }
        // There are as many sets as messages at most, so that a u32 holds their number.
        Fate::Announced(u32::try_from(sets.len()).unwrap_or(u32::MAX).saturating_sub(1))
    }

    /// Reads the prefixes of `field` into the family's arena and says what becomes of them.
    fn put(&mut self, family: Family, field: &[u8], fate: Fate) -> Result<(), Incorrect> {
        if field.is_empty() || !self.families.contains(family) {
            return Ok(());
        }
        let batch = &mut *self.batch;
        let (start, end) = match family {
            Family::Ipv4 => append(field, &mut batch.v4)?,
            Family::Ipv6 => append(field, &mut batch.v6)?,
        };
        batch.ops.push(match fate {
            Fate::Announced(attrs) => Op::Announce { family, attrs, start, end },
            Fate::Withdrawn => Op::Withdraw { family, start, end },
        });
        Ok(())
    }

    fn end_of_rib(&mut self, family: Family) {
        if self.families.contains(family) {
            self.batch.ops.push(Op::EndOfRib(family));
        }
    }
}

/// Reads `field` into `arena`; returns where its prefixes are.
fn append<P: Prefix>(field: &[u8], arena: &mut Vec<P>) -> Result<(u32, u32), Incorrect> {
    let start = arena.len();
    nlri::read(field, arena)?;
    // The pump ends a batch long before its arenas outgrow their numbers.
    let number = |place: usize| u32::try_from(place).map_err(|_| Incorrect);
    Ok((number(start)?, number(arena.len())?))
}

/// RFC 4271 §6.3: the fields of the message.
#[cold]
fn network(Incorrect: Incorrect) -> Notification {
    Notification::INVALID_NETWORK
}

/// RFC 4760 §7: the multiprotocol attributes.
#[cold]
fn optional(Incorrect: Incorrect) -> Notification {
    Notification::OPTIONAL_ATTRIBUTE
}
