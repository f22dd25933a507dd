//! May a route go out, and with which attributes: the rules of export, one function a question.
//!
//! In their order: what the protocol forbids ([`GroupKey::forbids`]), the operator's rules, what
//! goes out where no rule decides ([`GroupKey::by_default`]), the attributes that it then gets
//! ([`GroupKey::made`]).
//!
//! NEXT_HOP is an address of ours (RFC 4271 §5.1.3) unless a rule or the configuration keeps the
//! route's own: for our own routes because we are the way to them; to eBGP because peers may be
//! several hops away; to iBGP, where eBGP-learned routes would by default keep theirs, because
//! the mesh's nodes resolve the addresses of nodes, not those of links to routers that only some
//! of them have. What is reflected keeps its own (RFC 4456 §10), but for a link-local one, which
//! means nothing on another link.
//!
//! Deviations: a route with LLGR_STALE goes to no neighbour that does not know it, not even over
//! iBGP with LOCAL_PREF 0 (RFC 9494 §4.6 allows it); AIGP stays with a route only where its next
//! hop does, because its value is the distance from there (RFC 7311 §3.4.2 would have us add).

use std::net::{IpAddr, Ipv4Addr};

use super::key::GroupKey;
use crate::attrs::AttrSet;
use crate::msg::{Export, NextHopMode};
use crate::policy::{Changes, NextHopChange};
use crate::table::slot_of;
use crate::types::{Family, NextHop, Role};
use crate::wire::attr::code;
use crate::wire::community::Community;

/// How a route came to us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Learned {
    /// We originate it.
    Own,
    /// Over iBGP.
    Internal {
        /// From a client of ours (RFC 4456).
        client: bool,
    },
    /// Over eBGP.
    External,
}

impl GroupKey {
    /// Whether routes change on their way by more than what is the same for all with these
    /// attributes: rules and reflection know the source, and rules the prefix.
    pub(crate) fn rewrites(&self) -> bool {
        self.cluster.is_some() || !self.rules.is_empty()
    }

    /// Whether RFCs keep the route from these neighbours, whatever the configuration says.
    #[inline]
    pub(crate) fn forbids(&self, family: Family, learned: Learned, attrs: &AttrSet) -> bool {
        self.forbidden(family, learned, attrs).is_some()
    }

    /// Why they do, in words.
    pub(crate) fn forbidden(
        &self,
        family: Family,
        learned: Learned,
        attrs: &AttrSet,
    ) -> Option<&'static str> {
        let reflected_or_external = match learned {
            Learned::Own | Learned::External => true,
            // What one member of the mesh said, the others heard from it (RFC 4271 §9.2); but
            // RFC 4456 §6: from clients to all, from others to clients.
            Learned::Internal { client } if self.dialect.internal => {
                self.cluster.is_some() && (client || self.client)
            }
            Learned::Internal { .. } => true,
        };
        if !reflected_or_external {
            Some("what iBGP brought goes to no iBGP neighbour (RFC 4271 §9.2)")
        } else if self.own_next_hop(family).is_none() {
            Some("this node has no address of the family to give as NEXT_HOP")
        } else if self.community_forbids(family, attrs) {
            Some("a community of its own keeps it from there (RFC 1997, RFC 9494)")
        } else if self.role_forbids(attrs) {
            Some("it goes to customers only (RFC 9234)")
        } else {
            None
        }
    }

    /// RFC 1997: NO_ADVERTISE stays here; NO_EXPORT and NO_EXPORT_SUBCONFED stay in our AS.
    /// RFC 9494 §4.3: LLGR_STALE goes to nobody who does not know what it means.
    fn community_forbids(&self, family: Family, attrs: &AttrSet) -> bool {
        let has = |community| attrs.has_community(community);
        let stays = || has(Community::NO_EXPORT) || has(Community::NO_EXPORT_SUBCONFED);
        has(Community::NO_ADVERTISE)
            || (!self.dialect.internal && stays())
            || (!self.long_lived.contains(family) && has(Community::LLGR_STALE))
    }

    /// RFC 9234 §5: what came from a provider, a peer or a route server goes to customers only.
    fn role_forbids(&self, attrs: &AttrSet) -> bool {
        let upward = Some(Role::Customer) == self.role
            || Some(Role::Peer) == self.role
            || Some(Role::RouteServerClient) == self.role;
        upward && attrs.has(code::OTC)
    }

    /// Whether a route goes out that no rule decides about. What is reflected does: that is what
    /// a client is for.
    pub(crate) fn by_default(&self, learned: Learned) -> bool {
        match learned {
            Learned::Own => true,
            Learned::Internal { .. } if self.dialect.internal => true,
            Learned::Internal { .. } | Learned::External => self.export == Export::All,
        }
    }

    /// The attributes with which a route goes out of a group that does not rewrite; `None`: they
    /// cannot be said.
    pub(crate) fn exported(&self, family: Family, attrs: &AttrSet) -> Option<AttrSet> {
        self.made(family, attrs, None, &Changes::default())
    }

    /// The attributes with which a route goes out. `reflected`: the identifier of the neighbour
    /// that it came from over iBGP, if it goes on over iBGP.
    pub(crate) fn made(
        &self,
        family: Family,
        attrs: &AttrSet,
        reflected: Option<Ipv4Addr>,
        changes: &Changes,
    ) -> Option<AttrSet> {
        let had = attrs.next_hop();
        let internal = self.dialect.internal;
        // What we originate has no next hop. Our AS in its path is for other ASes: inside ours it
        // would be taken for a loop.
        let is_own = had.address.is_unspecified();
        let bare = is_own && internal && !attrs.as_path().is_empty();
        let bare = bare.then(|| attrs.without_path());
        let attrs = bare.as_ref().unwrap_or(attrs);
        let changed = changes.touch_attributes().then(|| changes.apply(attrs));
        let attrs = changed.as_ref().unwrap_or(attrs);
        let own = || self.own_next_hop(family).map(NextHop::from);
        let kept = || keepable(attrs.next_hop()).or_else(own);
        let next_hop = match (changes.next_hop, self.next_hop) {
            (Some(NextHopChange::Own), _) => own(),
            (Some(NextHopChange::Keep | NextHopChange::Is(_)), _) => kept(),
            (None, NextHopMode::Keep) => kept(),
            (None, NextHopMode::Auto) if reflected.is_some() => kept(),
            (None, _) => own(),
        }?;
        if !self.can_say(family, next_hop.address) {
            return None;
        }
        let mut set = match internal {
            true => attrs.exported_internal(next_hop),
            false => changes.after_export(attrs.exported_external(self.asn, next_hop)),
        };
        // A MED of our own is ours to say: it is received ones that go no further (RFC 4271 §5.1.4).
        if !internal
            && is_own
            && let Some(med) = attrs.med()
        {
            set = set.edited(next_hop, &[(code::MULTI_EXIT_DISC, med.to_be_bytes().to_vec())]);
        }
        if let Some((originator, cluster)) = reflected.zip(self.cluster) {
            set = set.reflected(originator, cluster);
        }
        if self.drain {
            set = set.drained(internal);
        }
        if next_hop != had && set.has(code::AIGP) {
            set = set.edited(next_hop, &[(code::AIGP, Vec::new())]);
        }
        // RFC 9234 §5: what goes to customers, peers and clients of our route server says so.
        let downward = [Role::Provider, Role::Peer, Role::RouteServer];
        if self.role.is_some_and(|role| downward.contains(&role)) && !set.has(code::OTC) {
            set = set.edited(next_hop, &[(code::OTC, self.asn.0.to_be_bytes().to_vec())]);
        }
        Some(set)
    }

    fn own_next_hop(&self, family: Family) -> Option<IpAddr> {
        self.next_hops.get(slot_of(family)).copied().flatten()
    }

    /// Whether such an address can be the NEXT_HOP of such a route on these sessions.
    fn can_say(&self, family: Family, next_hop: IpAddr) -> bool {
        match family {
            Family::Ipv4 => next_hop.is_ipv4() || self.v4_through_v6,
            Family::Ipv6 => next_hop.is_ipv6(),
        }
    }
}

/// A next hop that means something elsewhere too: our own routes have none, and a link-local one
/// is good for its link alone.
fn keepable(next_hop: NextHop) -> Option<NextHop> {
    (next_hop.scope.is_none() && !next_hop.address.is_unspecified()).then_some(next_hop)
}
