//! What makes the output equal, and the rules of export.
//!
//! NEXT_HOP is always an address of ours (RFC 4271 §5.1.3): for our own routes because we are
//! the way to them; to eBGP because peers may be several hops away; to iBGP, where eBGP-learned
//! routes would by default keep theirs, because the mesh's nodes resolve the addresses of nodes,
//! not those of links to routers that only some of them have. It is the session's own address
//! where that is of the family, so the peer can reach it.

use std::net::IpAddr;

use crate::attrs::AttrSet;
use crate::msg::{Export, PeerUp, RibConfig};
use crate::types::{Asn, Families, Family, family_of};
use crate::wire::community::Community;

/// How a route came to us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Learned {
    /// We originate it.
    Own,
    /// Over iBGP; from a client of ours (RFC 4456 §6) or not.
    Internal {
        /// Whether from a client.
        client: bool,
    },
    /// Over eBGP.
    External,
}

/// Peers with equal keys are told the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct GroupKey {
    /// The sessions are iBGP.
    pub(crate) internal: bool,
    pub(crate) export: Export,
    /// AS numbers have four octets.
    pub(crate) as4: bool,
    pub(crate) families: Families,
    /// Our AS.
    pub(crate) asn: Asn,
    /// Our NEXT_HOP per family (IPv4, IPv6).
    pub(crate) next_hops: [Option<IpAddr>; 2],
}

impl GroupKey {
    /// The key of a session; `None` if its peer is not configured.
    pub(crate) fn of(up: &PeerUp, config: &RibConfig, export: Option<Export>) -> Option<GroupKey> {
        Some(GroupKey {
            internal: up.kind.is_internal(),
            export: export?,
            as4: up.negotiated.as4,
            families: up.negotiated.families,
            asn: config.asn,
            next_hops: Family::ALL.map(|f| next_hop(f, up.local, &config.addresses)),
        })
    }

    /// Whether a best route goes out to this group.
    pub(crate) fn passes(&self, family: Family, learned: Learned, attrs: &AttrSet) -> bool {
        let by_source = match learned {
            Learned::Own => true,
            // What one member of the mesh said, the others heard from it (RFC 4271 §9.2).
            Learned::Internal { client: _ } => self.export == Export::All && !self.internal,
            Learned::External => self.export == Export::All,
        };
        by_source && self.next_hop(family).is_some() && !self.forbidden_by_community(attrs)
    }

    /// The attributes with which a route that passes goes out.
    pub(crate) fn exported(&self, family: Family, attrs: &AttrSet) -> Option<AttrSet> {
        let next_hop = self.next_hop(family)?;
        Some(match self.internal {
            true => attrs.exported_internal(next_hop),
            false => attrs.exported_external(self.asn, next_hop),
        })
    }

    fn next_hop(&self, family: Family) -> Option<IpAddr> {
        self.next_hops.into_iter().flatten().find(|a| family_of(*a) == family)
    }

    /// RFC 1997: NO_ADVERTISE stays here; NO_EXPORT and NO_EXPORT_SUBCONFED stay in our AS.
    fn forbidden_by_community(&self, attrs: &AttrSet) -> bool {
        attrs.communities().iter().any(|c| match c {
            Community::NO_ADVERTISE => true,
            Community::NO_EXPORT | Community::NO_EXPORT_SUBCONFED => !self.internal,
            _ => false,
        })
    }
}

/// The session's own address, or else the node's.
fn next_hop(family: Family, local: IpAddr, addresses: &[IpAddr]) -> Option<IpAddr> {
    let mut candidates = std::iter::once(local).chain(addresses.iter().copied());
    candidates.find(|a| family_of(*a) == family && !is_link_local(*a))
}

/// An IPv6 link-local address means nothing to whoever resolves a NEXT_HOP further away.
fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(a) if a.is_unicast_link_local())
}
