//! What two OPENs make of a session: [`offer`] is ours, [`negotiate`] judges theirs against the
//! configuration (RFC 4271 §6.2, RFC 4760 §8, RFC 6286 §2.2, RFC 6793 §3), [`shortfalls`] says in
//! words what the result lacks.
//!
//! We offer graceful restart with restart time 0 and no family: RFC 4724 §3 gives that the meaning
//! "I send End-of-RIB, and I want yours", and promises nothing else.

use std::time::Duration;

use bytes::BytesMut;

use super::{Negotiated, PeerConfig};
use crate::types::{Families, Family};
use crate::wire::Notification;
use crate::wire::capability::Capability;
use crate::wire::open::Open;

/// The OPEN that we send.
pub fn offer(config: &PeerConfig) -> Open {
    let mut capabilities: Vec<Capability> =
        config.families.iter().map(Capability::family).collect();
    capabilities.push(Capability::RouteRefresh);
    capabilities.push(Capability::GracefulRestart { flags_time: 0, families: Vec::new() });
    capabilities.push(Capability::FourOctetAs(config.local_asn));
    Open {
        asn: config.local_asn,
        hold: hold_seconds(config.hold),
        router_id: config.router_id,
        capabilities,
    }
}

/// A hold time as OPEN carries it: whole seconds, never 1 or 2 (RFC 4271 §4.2).
fn hold_seconds(hold: Duration) -> u16 {
    match u16::try_from(hold.as_secs()) {
        Ok(0) if hold.is_zero() => 0,
        Ok(seconds) => seconds.max(3),
        Err(_) => u16::MAX,
    }
}

/// What the session would be, or the NOTIFICATION that refuses it: 2/2 for another AS than the
/// configured one, 2/3 for an internal neighbour with our own identifier, 2/7 with the families we
/// need if none is common.
pub fn negotiate(config: &PeerConfig, open: &Open) -> Result<Negotiated, Notification> {
    if open.asn != config.asn {
        return Err(Notification::BAD_PEER_AS);
    }
    // Between two ASes equal identifiers are legal (RFC 6286 §2.1).
    if open.asn == config.local_asn && open.router_id == config.router_id {
        return Err(Notification::BAD_BGP_IDENTIFIER);
    }
    let families = offered(open).intersect(config.families);
    if families.is_empty() {
        let mut needed = BytesMut::new();
        config.families.iter().for_each(|family| Capability::family(family).put(&mut needed));
        return Err(Notification::with(2, 7, needed));
    }
    let has = |wanted: fn(&Capability) -> bool| open.capabilities.iter().any(wanted);
    Ok(Negotiated {
        asn: open.asn,
        router_id: open.router_id,
        families,
        as4: has(|c| matches!(c, Capability::FourOctetAs(_))),
        refresh: has(|c| matches!(c, Capability::RouteRefresh)),
        end_of_rib: has(|c| matches!(c, Capability::GracefulRestart { .. })),
        hold: Duration::from_secs(hold_seconds(config.hold).min(open.hold).into()),
        ..Negotiated::default()
    })
}

/// The families that an OPEN offers: without any multiprotocol capability, IPv4 (RFC 4760 §8).
fn offered(open: &Open) -> Families {
    let mut none_at_all = true;
    let mut families = Families::NONE;
    for capability in &open.capabilities {
        if let Capability::Multiprotocol { afi, safi } = capability {
            none_at_all = false;
            Family::from_wire(*afi, *safi).into_iter().for_each(|f| families.insert(f));
        }
    }
    if none_at_all {
        families.insert(Family::Ipv4);
    }
    families
}

/// What the session lacks of what was configured or would serve it, in words for operators.
pub fn shortfalls(config: &PeerConfig, negotiated: &Negotiated) -> Vec<String> {
    let mut words: Vec<String> = config
        .families
        .iter()
        .filter(|family| !negotiated.families.contains(*family))
        .map(|family| format!("no {family}: the neighbour does not offer it"))
        .collect();
    let mut lacks = |lacking: bool, text: &str| {
        if lacking {
            words.push(text.to_owned());
        }
    };
    lacks(!negotiated.as4, "no four-octet AS numbers: the neighbour does not offer them");
    lacks(!negotiated.refresh, "no ROUTE-REFRESH: its routes cannot be asked for again");
    lacks(!negotiated.end_of_rib, "no End-of-RIB: its first routes are complete only by timeout");
    lacks(
        negotiated.hold.is_zero() && !config.hold.is_zero(),
        "no keepalives: the neighbour offers hold time 0, so its silent death goes unseen",
    );
    words
}

/// Whether `new` makes another session than `old`: what the OPEN carried, whom we expect, or
/// where it is.
pub(crate) fn remakes(old: &PeerConfig, new: &PeerConfig) -> bool {
    let PeerConfig {
        id,
        kind,
        address,
        local_asn,
        asn,
        router_id,
        local_address,
        families,
        hold,
        offer,
        allow_own_as,
        first_as,
        cluster_id,
        // These apply to the session as it is.
        name: _,
        passive: _,
        connect_retry: _,
        send_hold: _,
    } = old;
    (id, kind, address, asn, local_address)
        != (&new.id, &new.kind, &new.address, &new.asn, &new.local_address)
        || (local_asn, router_id, families, hold, offer)
            != (&new.local_asn, &new.router_id, &new.families, &new.hold, &new.offer)
        || (allow_own_as, first_as, cluster_id)
            != (&new.allow_own_as, &new.first_as, &new.cluster_id)
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
