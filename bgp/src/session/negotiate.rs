//! What two OPENs make of a session: [`offer`] is ours, [`negotiate`] judges theirs against the
//! configuration (RFC 4271 §6.2, RFC 4760 §8, RFC 6286 §2.2, RFC 6793 §3, RFC 9234 §4.2);
//! `shortfalls` says in words what the result lacks.
//!
//! Graceful restart is always offered, at least with restart time 0 and no family: RFC 4724 §3
//! gives that the meaning "I send End-of-RIB, and I want yours", and promises nothing else.

mod shortfalls;

use std::time::Duration;

use bytes::BytesMut;

pub(crate) use self::shortfalls::shortfalls;
use super::{Forwarding, Graceful, Negotiated, PeerConfig, Restart};
use crate::types::{Families, Family, Role};
use crate::wire::Notification;
use crate::wire::capability::{
    ADD_PATH_RECEIVE, ADD_PATH_SEND, Capability, MOST_LONG_LIVED, MOST_RESTART, NOTIFICATION,
    PRESERVED, RESTARTING,
};
use crate::wire::open::Open;

/// The OPEN that we send; `forwarding` is what it says of our own restart.
pub fn offer(config: &PeerConfig, forwarding: Forwarding) -> Open {
    let (families, offer) = (config.families, &config.offer);
    let mut capabilities: Vec<Capability> = families.iter().map(Capability::family).collect();
    let mut also = |wanted: bool, capability: Capability| {
        if wanted {
            capabilities.push(capability);
        }
    };
    also(true, Capability::RouteRefresh);
    also(offer.extended_next_hop && families.contains(Family::Ipv4), Capability::ipv4_over_ipv6());
    also(offer.extended_messages, Capability::ExtendedMessage);
    if let Some(role) = own_role(config) {
        also(true, Capability::Role(role as u8));
    }
    also(true, graceful_restart(families, offer.restart, forwarding));
    also(true, Capability::FourOctetAs(config.local_asn));
    let add_path = u8::from(offer.add_path_receive) * ADD_PATH_RECEIVE
        + u8::from(offer.add_path_send) * ADD_PATH_SEND;
    also(add_path != 0, Capability::add_path(families, add_path));
    also(true, Capability::EnhancedRefresh);
    if is_long_lived(offer.restart) {
        also(true, long_lived(families, offer.restart, forwarding));
    }
    Open {
        asn: config.local_asn,
        hold: hold_seconds(config.hold),
        router_id: config.router_id,
        capabilities,
    }
}

/// RFC 4724 §3, RFC 8538 §2.
fn graceful_restart(
    families: Families,
    restart: Restart,
    Forwarding { restarting, preserved }: Forwarding,
) -> Capability {
    let time = u16::try_from(restart.time.as_secs()).unwrap_or(u16::MAX).min(MOST_RESTART);
    let restartable = time > 0;
    let flags = if restarting && restartable { RESTARTING } else { 0 }
        | if takes_notification(restart) { NOTIFICATION } else { 0 };
    let kept = if preserved { PRESERVED } else { 0 };
    let families = families.iter().filter(|_| restartable);
    Capability::GracefulRestart {
        flags_time: flags | time,
        families: families.map(|family| (family.afi(), 1, kept)).collect(),
    }
}

/// Whether we do anything at all beside End-of-RIB.
fn takes_notification(restart: Restart) -> bool {
    restart.helper || !restart.time.is_zero()
}

/// RFC 9494 §3.1: only together with graceful restart.
fn is_long_lived(restart: Restart) -> bool {
    !restart.long_lived.is_zero() && takes_notification(restart)
}

fn long_lived(families: Families, restart: Restart, forwarding: Forwarding) -> Capability {
    let time = u32::try_from(restart.long_lived.as_secs()).unwrap_or(u32::MAX);
    let time = time.min(MOST_LONG_LIVED);
    let kept = if forwarding.preserved { PRESERVED } else { 0 };
    Capability::LongLived(families.iter().map(|family| (family.afi(), 1, kept, time)).collect())
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
/// need if none is common, 2/11 for a role that does not fit ours.
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
    let role = role(config, open)?;
    let offer = &config.offer;
    let has = |wanted: fn(&Capability) -> bool| open.capabilities.iter().any(wanted);
    let add_path = |ours: bool, theirs: u8| match ours {
        true => add_paths(open, theirs).intersect(families),
        false => Families::NONE,
    };
    Ok(Negotiated {
        asn: open.asn,
        router_id: open.router_id,
        families,
        as4: has(|c| matches!(c, Capability::FourOctetAs(_))),
        refresh: has(|c| matches!(c, Capability::RouteRefresh)),
        end_of_rib: has(|c| matches!(c, Capability::GracefulRestart { .. })),
        hold: Duration::from_secs(hold_seconds(config.hold).min(open.hold).into()),
        enhanced_refresh: has(|c| matches!(c, Capability::EnhancedRefresh)),
        extended_messages: offer.extended_messages
            && has(|c| matches!(c, Capability::ExtendedMessage)),
        extended_next_hop: offer.extended_next_hop
            && families.contains(Family::Ipv4)
            && has(|c| matches!(c, Capability::ExtendedNextHop(list) if list.contains(&(1, 1, 2)))),
        add_path_receive: add_path(offer.add_path_receive, ADD_PATH_SEND),
        add_path_send: add_path(offer.add_path_send, ADD_PATH_RECEIVE),
        graceful: graceful(config, open, families),
        role,
    })
}

/// Our role, which only an external neighbour is told (RFC 9234 §4).
pub(crate) fn own_role(config: &PeerConfig) -> Option<Role> {
    config.offer.role.filter(|_| !config.kind.is_internal())
}

/// The neighbour's role against ours (RFC 9234 §4.2). Where we have none, it may have any.
fn role(config: &PeerConfig, open: &Open) -> Result<Option<Role>, Notification> {
    let mut codes = open.capabilities.iter().filter_map(|capability| match capability {
        Capability::Role(code) => Some(*code),
        _ => None,
    });
    let theirs = codes.next();
    let Some(ours) = own_role(config) else { return Ok(theirs.and_then(Role::from_wire)) };
    let Some(theirs) = theirs else {
        let strict = config.offer.strict_role;
        return if strict { Err(Notification::ROLE_MISMATCH) } else { Ok(None) };
    };
    let fits = Role::from_wire(theirs).filter(|role| *role == ours.opposite());
    match fits {
        Some(role) if codes.all(|code| code == theirs) => Ok(Some(role)),
        _ => Err(Notification::ROLE_MISMATCH),
    }
}

/// The families in which the neighbour does `what` with path identifiers. Of two words on one
/// family the first counts.
fn add_paths(open: &Open, what: u8) -> Families {
    let mut lists = open.capabilities.iter().filter_map(|capability| match capability {
        Capability::AddPath(list) => Some(list),
        _ => None,
    });
    let Some(list) = lists.next() else { return Families::NONE };
    let does = |family: &Family| {
        let said = list.iter().find(|(afi, safi, _)| (*afi, *safi) == (family.afi(), 1));
        said.is_some_and(|(.., does)| does & what != 0)
    };
    Family::ALL.into_iter().filter(does).collect()
}

/// Graceful restart as the neighbour offers it, if we offer more than End-of-RIB ourselves. Of
/// several capabilities the last one counts (RFC 4724 §3).
fn graceful(config: &PeerConfig, open: &Open, common: Families) -> Option<Graceful> {
    let restart = config.offer.restart;
    let mut capabilities = open.capabilities.iter().rev();
    let (flags_time, list) = capabilities.find_map(|capability| match capability {
        Capability::GracefulRestart { flags_time, families } => Some((*flags_time, families)),
        _ => None,
    })?;
    if !takes_notification(restart) {
        return None;
    }
    let named = |list: &mut dyn Iterator<Item = &(u16, u8, u8)>| -> Families {
        let named: Families =
            list.filter_map(|(afi, safi, _)| Family::from_wire(*afi, *safi)).collect();
        named.intersect(common)
    };
    let families = named(&mut list.iter());
    let mut stays = [Duration::ZERO; 2];
    let long_lived = open.capabilities.iter().rev().find_map(|capability| match capability {
        Capability::LongLived(list) if is_long_lived(restart) => Some(list),
        _ => None,
    });
    for (afi, safi, _, seconds) in long_lived.into_iter().flatten() {
        let family = Family::from_wire(*afi, *safi).filter(|family| common.contains(*family));
        match family {
            Some(Family::Ipv4) => stays[0] = Duration::from_secs(u64::from(*seconds)),
            Some(Family::Ipv6) => stays[1] = Duration::from_secs(u64::from(*seconds)),
            None => {}
        }
    }
    Some(Graceful {
        families,
        preserved: named(&mut list.iter().filter(|(.., flags)| flags & PRESERVED != 0)),
        restarting: flags_time & RESTARTING != 0,
        notification: flags_time & NOTIFICATION != 0,
        time: Duration::from_secs(u64::from(flags_time & MOST_RESTART)),
        long_lived: stays,
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

/// Whether `new` makes another session than `old`: what the OPEN carried, whom we expect, or
/// where it is.
fn remakes(old: &PeerConfig, new: &PeerConfig) -> bool {
    let PeerConfig {
        // What makes another neighbour of it is compared there.
        id: _,
        kind: _,
        address: _,
        local_asn: _,
        asn: _,
        router_id,
        local_address,
        families,
        hold,
        offer,
        // For what judges UPDATEs, routes are asked for again.
        allow_own_as: _,
        first_as: _,
        cluster_id: _,
        // These apply to the session as it is.
        name: _,
        passive: _,
        connect_retry: _,
        idle_hold: _,
        send_hold: _,
    } = old;
    becomes_another(old, new)
        || (router_id, local_address) != (&new.router_id, &new.local_address)
        || (families, hold, offer) != (&new.families, &new.hold, &new.offer)
}

/// What another configuration does to a session that runs by `old`. `refresh`: it is Established,
/// and the neighbour can be asked for its routes again; `None`: it is not Established.
pub fn effect(old: &PeerConfig, new: &PeerConfig, refresh: Option<bool>) -> Effect {
    let again = judges_otherwise(old, new);
    // Who cannot be asked for its routes again must come again itself.
    let deaf = refresh == Some(false);
    if remakes(old, new) || again && deaf {
        Effect::Anew
    } else if again {
        Effect::Refreshed
    } else {
        Effect::Stays
    }
}

/// What becomes of a session under another configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It ends, and begins again.
    Anew,
    /// It stays, and the neighbour is asked for its routes again.
    Refreshed,
    /// It stays.
    Stays,
}

/// Whether UPDATEs that came would be judged otherwise now.
fn judges_otherwise(old: &PeerConfig, new: &PeerConfig) -> bool {
    (old.allow_own_as, old.first_as, old.cluster_id)
        != (new.allow_own_as, new.first_as, new.cluster_id)
}

/// Whether `new` is about another neighbour than `old`, or puts us in another AS: then nothing of
/// the old session is worth keeping. A new identifier alone is a node that got another address:
/// its routes are what they were.
pub(crate) fn becomes_another(old: &PeerConfig, new: &PeerConfig) -> bool {
    (old.id, old.kind, old.address, old.asn) != (new.id, new.kind, new.address, new.asn)
        || old.local_asn != new.local_asn
}

#[cfg(test)]
#[path = "negotiate_tests.rs"]
mod tests;
