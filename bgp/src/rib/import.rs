//! Import: from what a neighbour sent to what is used of it, or the reason why nothing is.
//!
//! ```text
//!  received ──► floor ──► rules ──► default ──► built in ──► used
//!              (never)   (first    (within)    (GRACEFUL_SHUTDOWN, drain: LOCAL_PREF 0;
//!                         match)                OTC; LLGR_STALE)
//! ```
//!
//! Asked once an attribute set ([`Judge::prepare`]), then per prefix ([`Judge::prefix`]). What
//! rules change is made once per rule and set ([`Judge::used`]), not per route.

use std::fmt;
use std::net::IpAddr;

use super::nexthop::Nexthops;
use super::peers::Peer;
use crate::attrs::AttrSet;
use crate::policy::{Changes, Import, Prepared, Rejection};
use crate::session::Negotiated;
use crate::types::{Asn, Family, PeerKind, Prefix, Role};
use crate::wire::attr::code;
use crate::wire::community::Community;

/// Why a route is kept but not used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Filtered {
    /// The configuration says so.
    Policy(Rejection),
    /// Nothing can be sent to such an address.
    Martian(IpAddr),
    /// The neighbour passes on what was meant for its own customers (RFC 9234 §5); the AS that
    /// said so first.
    Leak(Role, Asn),
}

impl fmt::Display for Filtered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filtered::Policy(rejection) => rejection.fmt(f),
            Filtered::Martian(address) => {
                write!(f, "NEXT_HOP {address} is no address that traffic can be sent to")
            }
            Filtered::Leak(ours, asn) => write!(
                f,
                "a route leak: AS {asn} meant it for customers only (OTC), and the neighbour is \
                 our {}",
                ours.opposite()
            ),
        }
    }
}

impl From<Rejection> for Filtered {
    fn from(rejection: Rejection) -> Filtered {
        Filtered::Policy(rejection)
    }
}

/// What of a neighbour, beside its policy, decides about its routes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) kind: PeerKind,
    pub(crate) asn: Asn,
    /// Our own address of the session.
    pub(crate) local: IpAddr,
    /// What we are to it.
    pub(crate) role: Option<Role>,
    /// Traffic is being taken off it (RFC 8326).
    pub(crate) draining: bool,
    /// Families whose stale routes have been so for longer than a restart takes (RFC 9494).
    pub(crate) long_lived: [bool; 2],
}

impl Facts {
    /// Those of a neighbour that is or was up; `None`: it has no routes.
    pub(crate) fn of(peer: &Peer) -> Option<Facts> {
        let up = peer.session()?;
        let Negotiated { asn, .. } = up.negotiated;
        let role = up.role.filter(|_| !up.kind.is_internal());
        let draining = peer.is_draining();
        let long_lived = peer.stale.map(|stale| stale.is_some_and(|s| s.long_lived));
        Some(Facts { kind: up.kind, asn, local: up.local, role, draining, long_lived })
    }
}

/// What judges the routes of one neighbour.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge<'a> {
    import: Option<Import<'a>>,
    facts: Facts,
}

/// What is left to ask of prefixes with given attributes.
pub(crate) type Ready = Result<Prepared, Filtered>;

impl<'a> Judge<'a> {
    /// That of a neighbour with this policy; without one, nothing passes.
    pub(crate) fn new(policy: Option<&'a crate::msg::PeerPolicy>, facts: Facts) -> Judge<'a> {
        Judge { import: policy.map(|policy| Import::new(policy, facts.kind)), facts }
    }

    /// Whether rules ask for the interface of the next hop as received: then it is watched also
    /// of routes that are rejected, and they are judged again when it is another.
    #[inline]
    pub(crate) fn asks_interface(&self) -> bool {
        self.import.is_some_and(Import::asks_interface)
    }

    /// The first question, once for all routes with these attributes.
    pub(crate) fn prepare(&self, received: &AttrSet, nexthops: &Nexthops) -> Ready {
        let Some(import) = self.import else { return Err(Rejection::NotConfigured.into()) };
        let next_hop = received.next_hop().address;
        if next_hop == self.facts.local {
            return Err(Rejection::OwnNextHop(next_hop).into());
        }
        if is_martian(next_hop) {
            return Err(Filtered::Martian(next_hop));
        }
        if let Some((role, asn)) = self.leak(received) {
            return Err(Filtered::Leak(role, asn));
        }
        // Not known before the kernel's first answer; such a route is not used either.
        let asked = self.asks_interface().then(|| nexthops.interface(received.next_hop()));
        Ok(import.prepare(received, asked.flatten())?)
    }

    /// The second: what becomes of a prefix; accepted as it is (`None`) or so changed.
    #[inline]
    pub(crate) fn prefix<P: Prefix>(
        &self,
        ready: &Ready,
        prefix: P,
    ) -> Result<Option<&'a Changes>, Filtered> {
        let Some(import) = self.import else { return Err(Rejection::NotConfigured.into()) };
        let prepared = ready.as_ref().map_err(Clone::clone)?;
        Ok(import.prefix(prepared, prefix)?)
    }

    /// The same of a route that comes, when nobody wants to know why not: a rule that decides has
    /// a hit.
    #[inline]
    pub(crate) fn passes<P: Prefix>(
        &self,
        ready: &Ready,
        prefix: P,
    ) -> Option<Option<&'a Changes>> {
        let (import, prepared) = (self.import?, ready.as_ref().ok()?);
        import.passes(prepared, prefix)
    }

    /// What an accepted route is used with, if not with what was received.
    pub(crate) fn used(
        &self,
        family: Family,
        received: &AttrSet,
        changes: Option<&Changes>,
        stale: bool,
    ) -> Option<AttrSet> {
        let changed = changes.filter(|c| c.touch_attributes()).map(|c| c.apply(received));
        let set = changed.as_ref().unwrap_or(received);
        let mut edits: Vec<(u8, Vec<u8>)> = Vec::new();
        let has = |community| set.has_community(community);
        // RFC 8326 §4.2: as unattractive as can be, yet usable while there is nothing else.
        let leaving = self.facts.draining || has(Community::GRACEFUL_SHUTDOWN);
        if leaving && set.local_pref() != Some(0) {
            edits.push((code::LOCAL_PREF, vec![0; 4]));
        }
        let long = self.facts.long_lived.get(crate::table::slot_of(family)).copied();
        if stale && long.unwrap_or(false) && !has(Community::LLGR_STALE) {
            let mut value: Vec<u8> =
                set.communities().iter().flat_map(|c| c.0.to_be_bytes()).collect();
            value.extend(Community::LLGR_STALE.0.to_be_bytes());
            edits.push((code::COMMUNITIES, value));
        }
        // RFC 9234 §5: what comes from above or from the side goes down only.
        if matches!(self.facts.role, Some(Role::Customer | Role::Peer | Role::RouteServerClient))
            && !set.has(code::OTC)
        {
            edits.push((code::OTC, self.facts.asn.0.to_be_bytes().to_vec()));
        }
        match edits.is_empty() {
            true => changed,
            false => Some(set.edited(set.next_hop(), &edits)),
        }
    }

    /// RFC 9234 §5, ingress: OTC from below, or from the side with another AS in it.
    fn leak(&self, received: &AttrSet) -> Option<(Role, Asn)> {
        let (role, asn) = (self.facts.role?, received.only_to_customer()?);
        let leaked = match role {
            Role::Provider | Role::RouteServer => true,
            Role::Peer => asn != self.facts.asn,
            Role::Customer | Role::RouteServerClient => false,
        };
        leaked.then_some((role, asn))
    }
}

/// RFC 1122 §3.2.1.3, RFC 1112 §4, RFC 4291 §2.5 and §2.7: no host is there, or only ourselves.
fn is_martian(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets().first(), Some(0 | 127 | 224..)),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_loopback() || v6.is_multicast(),
    }
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
