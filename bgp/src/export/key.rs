//! What makes the output equal.
//!
//! Two sessions with equal keys are told the same, so the key holds everything that [`super::rules`]
//! and the codec ask of a session, and nothing else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::msg::{Export, NextHopMode, PeerPolicy, PeerUp, RibConfig};
use crate::policy::Policy;
use crate::table::slot_of;
use crate::types::{Asn, Families, Family, Role};
use crate::wire::encode::Dialect;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct GroupKey {
    /// How messages are written; among it whether the sessions are iBGP.
    pub(crate) dialect: Dialect,
    pub(crate) families: Families,
    /// Our AS.
    pub(crate) asn: Asn,
    /// What goes out where no rule decides.
    pub(crate) export: Export,
    /// The operator's rules.
    pub(crate) rules: Arc<Policy>,
    /// Our NEXT_HOP per family (IPv4, IPv6).
    pub(crate) next_hops: [Option<IpAddr>; 2],
    /// Whether it replaces the one that a route has.
    pub(crate) next_hop: NextHopMode,
    /// IPv4 routes may have IPv6 next hops (RFC 8950).
    pub(crate) v4_through_v6: bool,
    /// Our CLUSTER_ID, on iBGP sessions of a node that reflects (RFC 4456).
    pub(crate) cluster: Option<Ipv4Addr>,
    /// The members are clients of ours.
    pub(crate) client: bool,
    /// What we are to the members (RFC 9234).
    pub(crate) role: Option<Role>,
    /// Traffic is being taken off the members (RFC 8326).
    pub(crate) drain: bool,
    /// Families in which the members understand LLGR_STALE (RFC 9494).
    pub(crate) long_lived: Families,
    /// How many paths go out for a prefix, where prefixes have path identifiers (RFC 7911), per
    /// family (IPv4, IPv6).
    pub(crate) paths: [Option<u16>; 2],
    /// Where the best path is not to be told, the next one that may be is.
    pub(crate) best_external: bool,
    /// A default route of ours goes out.
    pub(crate) default_route: bool,
}

impl GroupKey {
    /// The key of a session under that policy. `reflects`: we have clients. `drain`: the operator
    /// takes traffic off it.
    pub(crate) fn of(
        up: &PeerUp,
        config: &RibConfig,
        policy: &PeerPolicy,
        reflects: bool,
        drain: bool,
    ) -> GroupKey {
        let negotiated = &up.negotiated;
        let internal = up.kind.is_internal();
        let ours = Addresses::of(up, config);
        let long_lived = |family: &Family| {
            let times = negotiated.graceful.map(|graceful| graceful.long_lived);
            times.is_some_and(|times| times.get(slot_of(*family)).is_some_and(|t| !t.is_zero()))
        };
        GroupKey {
            dialect: Dialect {
                as4: negotiated.as4,
                internal,
                extended: negotiated.extended_messages,
                link: ours.link,
            },
            families: negotiated.families,
            asn: config.asn,
            export: policy.export,
            rules: Arc::clone(&policy.export_rules),
            next_hops: [ours.v4, ours.v6],
            next_hop: policy.next_hop,
            v4_through_v6: negotiated.extended_next_hop,
            cluster: (internal && reflects).then(|| config.cluster_id.unwrap_or(config.router_id)),
            client: internal && policy.client,
            role: up.role.filter(|_| !internal),
            drain: policy.drain || drain,
            long_lived: Family::ALL.into_iter().filter(long_lived).collect(),
            paths: Family::ALL.map(|family| {
                negotiated.add_path_send.contains(family).then(|| policy.add_path.max(1))
            }),
            best_external: policy.best_external,
            default_route: policy.default_route,
        }
    }

    /// Whether members may be told more of a destination than its best path.
    pub(crate) fn wants_all(&self) -> bool {
        self.best_external || self.paths.iter().flatten().any(|limit| *limit > 1)
    }

    /// Whether only what we originate goes out, whoever comes.
    pub(crate) fn is_own_only(&self) -> bool {
        self.export == Export::Own && self.rules.is_empty() && self.cluster.is_none()
    }

    /// How many paths for a prefix of the family have path identifiers; `None`: they have none.
    pub(crate) fn paths(&self, family: Family) -> Option<u16> {
        self.paths.get(slot_of(family)).copied().flatten()
    }
}

/// Our addresses towards a neighbour.
///
/// Ours is the session's own address where that is of the family, so that the neighbour can reach
/// it; else the node's. IPv4 over an IPv6 session goes through its IPv6 address where both sides
/// read that (RFC 8950): on such a link there need be no IPv4 at all.
struct Addresses {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
    /// The global and the link-local one, where the session is between link-local addresses
    /// (RFC 2545 §3).
    link: Option<(Ipv6Addr, Ipv6Addr)>,
}

impl Addresses {
    fn of(up: &PeerUp, config: &RibConfig) -> Addresses {
        let link_local = match up.local {
            IpAddr::V6(local) if local.is_unicast_link_local() => Some(local),
            _ => None,
        };
        let all = || std::iter::once(up.local).chain(config.addresses.iter().copied());
        let global = all().find_map(|address| match address {
            IpAddr::V6(v6) if !v6.is_unicast_link_local() => Some(v6),
            _ => None,
        });
        // Alone, a link-local address says the way on the link as well.
        let v6 = global.or(link_local).map(IpAddr::V6);
        let v4 = match up.local {
            IpAddr::V6(_) if up.negotiated.extended_next_hop => v6,
            _ => all().find(IpAddr::is_ipv4),
        };
        Addresses { v4, v6, link: global.zip(link_local) }
    }
}
