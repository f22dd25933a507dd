//! Judges an UPDATE: RFC 7606 applied whole, once, so that nothing behind it checks again.
//!
//! [`Update`] in; out go a [`RouteBatch`]'s ops, attribute sets and prefixes, a [`Judgement`] of
//! what was done beside, or the NOTIFICATION that ends the session. `attributes` has the rules of
//! each attribute, `mp` the multiprotocol ones; here is what concerns the whole message.
//!
//! Choices. A malformed MP_REACH_NLRI or MP_UNREACH_NLRI takes its family out of the session, as
//! long as that leaves one (RFC 7606 §7.11); a session of one family ends, so that it can begin
//! anew. An external neighbour's AS_PATH must begin with its AS (RFC 4271 §6.3 has it as MAY)
//! unless [`Context::first_as`] says otherwise. Routes with an AS_SET count as withdrawn
//! (RFC 9774 §3).

mod attributes;
mod mp;

#[cfg(test)]
mod tests;

use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use ipnet::IpNet;

use crate::attrs::AttrSet;
use crate::msg::{Op, RouteBatch};
use crate::session::{Negotiated, PeerConfig};
use crate::types::{Asn, Families, Family, NextHop, PeerKind, Prefix};

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
    /// Our CLUSTER_ID, if we reflect (RFC 4456 §8).
    pub cluster_id: Option<Ipv4Addr>,
    /// How often our AS may be in AS_PATH.
    pub allow_own_as: u8,
    /// An external neighbour's AS_PATH must begin with its AS.
    pub first_as: bool,
    /// Families whose prefixes have path identifiers (RFC 7911).
    pub add_path: Families,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// The interface of a session between link-local addresses.
    pub scope: Option<NonZeroU32>,
}

impl Default for Context {
    /// A speaker with four-octet AS numbers inside some AS, both families, nothing else.
    fn default() -> Context {
        Context {
            kind: PeerKind::Internal,
            as4: true,
            families: Families::ALL,
            local_asn: Asn(0),
            peer_asn: Asn(0),
            router_id: Ipv4Addr::UNSPECIFIED,
            cluster_id: None,
            allow_own_as: 0,
            first_as: true,
            add_path: Families::NONE,
            extended_next_hop: false,
            scope: None,
        }
    }
}

impl Context {
    /// The context of an Established session; `scope` is the interface of its link-local ends.
    pub fn new(config: &PeerConfig, negotiated: &Negotiated, scope: Option<NonZeroU32>) -> Context {
        Context {
            kind: config.kind,
            as4: negotiated.as4,
            families: negotiated.families,
            local_asn: config.local_asn,
            peer_asn: negotiated.asn,
            router_id: config.router_id,
            cluster_id: config.cluster_id,
            allow_own_as: config.allow_own_as,
            first_as: config.first_as,
            add_path: negotiated.add_path_receive,
            extended_next_hop: negotiated.extended_next_hop,
            scope,
        }
    }
}

/// So many refused prefixes of an UPDATE are told.
const MOST_REFUSED: usize = 16;

/// What was done about an UPDATE beside taking its routes. Mostly nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Judgement {
    /// It was malformed, and its routes count as withdrawn: why.
    pub treat_as_withdraw: Option<String>,
    /// Attributes that were malformed and are ignored: which and why.
    pub discarded: Vec<String>,
    /// It is well-formed but its routes may not be used, so they count as withdrawn: why.
    pub unusable: Option<&'static str>,
    /// What it announced, of which that holds; of many prefixes the first ones.
    pub refused: Vec<IpNet>,
    /// A family of which nothing more can be told: it is to be ignored from now on, and what it
    /// brought so far is gone (RFC 7606 §2, AFI/SAFI disable). And why.
    pub disabled: Option<(Family, String)>,
}

impl Judgement {
    /// Takes `family` out of a session of `families`, or `None` if that would leave none.
    fn disable(&mut self, family: Family, families: Families, why: String) -> Option<()> {
        let mut left = families;
        left.remove(family);
        self.disabled.iter().for_each(|(other, _)| left.remove(*other));
        if left.is_empty() {
            return None;
        }
        self.disabled.get_or_insert((family, why));
        Some(())
    }
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
    let ids = (batch.v4_ids.len(), batch.v6_ids.len());
    let judged = Routes { families: context.families, add_path: context.add_path, batch }
        .of(update, context);
    if judged.is_err() {
        batch.ops.truncate(lengths.0);
        batch.attrs.truncate(lengths.1);
        batch.v4.truncate(lengths.2);
        batch.v6.truncate(lengths.3);
        batch.v4_ids.truncate(ids.0);
        batch.v6_ids.truncate(ids.1);
    }
    judged
}

/// Where routes go.
struct Routes<'b> {
    families: Families,
    add_path: Families,
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
        if let Some((family, _)) = &attributes.judgement.disabled {
            self.families.remove(*family);
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
            if self.put(unreach.family, unreach.nlri, Fate::Withdrawn).is_err() {
                self.disable(&mut attributes, unreach.family, "MP_UNREACH_NLRI")?;
            }
        }

        let usable = attributes.fault.is_none() && attributes.judgement.unusable.is_none();
        let first = self.batch.ops.len();
        if ipv4 && !nlri.is_empty() {
            let fate = self.fate(&attributes, next_hop.filter(|_| usable));
            self.put(Family::Ipv4, nlri, fate).map_err(network)?;
        }
        if let Some(reach) = attributes.reach.filter(|reach| !reach.nlri.is_empty()) {
            let fate = self.fate(&attributes, reach.next_hop.ok().filter(|_| usable));
            if self.put(reach.family, reach.nlri, fate).is_err() {
                self.disable(&mut attributes, reach.family, "MP_REACH_NLRI")?;
            }
        }

        if !usable {
            attributes.judgement.refused = self.refused(first);
        }
        let Attributes { fault, judgement, .. } = attributes;
        let treat_as_withdraw = fault.map(|Fault { why, .. }| why);
        Ok(Judgement { treat_as_withdraw, ..judgement })
    }

    /// The prefixes of the ops from the `first` on: as many as anybody would read.
    #[cold]
    fn refused(&self, first: usize) -> Vec<IpNet> {
        let ops = self.batch.ops.get(first..).unwrap_or_default();
        ops.iter().flat_map(|op| self.batch.prefixes(op)).take(MOST_REFUSED).collect()
    }

    /// With a next hop, the fate of the attributes' set with it; else withdrawal.
    fn fate(&mut self, attributes: &Attributes<'_>, next_hop: Option<NextHop>) -> Fate {
        let Some(next_hop) = next_hop else { return Fate::Withdrawn };
        let bytes = attributes.canonical();
        let sets = &mut self.batch.attrs;
        // A neighbour with much to say of one set says it in many messages.
        let known = sets.last().is_some_and(|s| s.next_hop() == next_hop && *s.bytes() == *bytes);
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
        let with_ids = self.add_path.contains(family);
        let (start, end) = match family {
            Family::Ipv4 => append(field, &mut batch.v4, with_ids.then_some(&mut batch.v4_ids))?,
            Family::Ipv6 => append(field, &mut batch.v6, with_ids.then_some(&mut batch.v6_ids))?,
        };
        batch.ops.push(match fate {
            Fate::Announced(attrs) => Op::Announce { family, attrs, start, end },
            Fate::Withdrawn => Op::Withdraw { family, start, end },
        });
        Ok(())
    }

    /// The prefixes of an MP attribute cannot be told apart (RFC 7606 §5.3).
    #[cold]
    fn disable(
        &mut self,
        attributes: &mut Attributes<'_>,
        family: Family,
        name: &str,
    ) -> Result<(), Notification> {
        let why = format!("{name}: incorrect prefixes");
        let left = attributes.judgement.disable(family, self.families, why);
        self.families.remove(family);
        left.ok_or(Notification::OPTIONAL_ATTRIBUTE)
    }

    fn end_of_rib(&mut self, family: Family) {
        if self.families.contains(family) {
            self.batch.ops.push(Op::EndOfRib(family));
        }
    }
}

/// Reads `field` into `arena`, and into `ids` where the prefixes have identifiers; returns where
/// they are. After an error both are as they were.
fn append<P: Prefix>(
    field: &[u8],
    arena: &mut Vec<P>,
    ids: Option<&mut Vec<u32>>,
) -> Result<(u32, u32), Incorrect> {
    let start = arena.len();
    let read = match ids {
        None => nlri::read(field, arena),
        Some(ids) => {
            let before = ids.len();
            nlri::read_with_ids(field, arena, ids).inspect_err(|_| ids.truncate(before))
        }
    };
    // The pump ends a batch long before its arenas outgrow their numbers.
    let number = |place: usize| u32::try_from(place).map_err(|_| Incorrect);
    match read {
        Ok(()) => Ok((number(start)?, number(arena.len())?)),
        Err(incorrect) => {
            arena.truncate(start);
            Err(incorrect)
        }
    }
}

/// RFC 4271 §6.3: the fields of the message.
#[cold]
fn network(Incorrect: Incorrect) -> Notification {
    Notification::INVALID_NETWORK
}
