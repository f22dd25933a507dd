//! Ranges: neighbours that the file does not name one by one, told by where they call from.
//!
//! A range dials nobody. Whoever calls from an address in it, and is no neighbour otherwise,
//! becomes one for as long as its session lasts. Where ranges overlap the longest decides.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use starling_bgp::types::Asn;

use crate::plan::{NodePlan, PeerKey, PeerPlan};
use crate::value::link_local;

/// What the file says of a range.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Range {
    /// The addresses.
    pub net: IpNet,
    /// So many neighbours at most.
    pub limit: usize,
    /// Whose.
    pub asns: Asns,
    /// The file names it: so do the names of its neighbours.
    pub named: bool,
}

/// The AS numbers that a caller may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asns {
    /// One of these.
    These(Vec<Asn>),
    /// Any but the node's own.
    External,
}

impl Asns {
    /// Whether a caller of `asn` is let in by a node of `own`.
    pub fn admit(&self, asn: Asn, own: Asn) -> bool {
        match self {
            Asns::These(asns) => asns.contains(&asn),
            Asns::External => asn != own,
        }
    }

    /// One that is external to `own` or not, as an example of all such.
    pub(crate) fn example(&self, own: Asn, external: bool) -> Option<Asn> {
        match self {
            Asns::These(asns) => asns.iter().copied().find(|asn| (*asn != own) == external),
            // 0 is nobody's.
            Asns::External => external.then_some(Asn(0)),
        }
    }
}

impl fmt::Display for Asns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asns::These(asns) => {
                let asns: Vec<String> = asns.iter().map(ToString::to_string).collect();
                f.write_str(&asns.join(" or "))
            }
            Asns::External => f.write_str("any other"),
        }
    }
}

/// A range, for one node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangePlan {
    /// Name for people; the range itself where the file gives none.
    pub name: String,
    /// The range.
    pub range: Range,
    /// What a neighbour of our AS would be, and one of another; `None`: it is refused.
    pub(crate) internal: Option<PeerPlan>,
    pub(crate) external: Option<PeerPlan>,
}

impl RangePlan {
    /// Whether an address lies in it; of a link-local range, also on which link.
    pub fn contains(&self, who: &PeerKey) -> bool {
        let link = || self.template().is_some_and(|t| t.transport.interface == who.interface);
        self.range.net.contains(&who.address) && (!link_local(who.address) || link())
    }

    /// The neighbour that `who`, of `asn`, becomes; `None`: not with that AS.
    pub fn neighbour(&self, who: &PeerKey, asn: Asn) -> Option<PeerPlan> {
        let own = self.template()?.local_asn;
        if !self.range.asns.admit(asn, own) {
            return None;
        }
        let template = if asn == own { &self.internal } else { &self.external };
        let name = match self.range.named {
            true => format!("{}-{who}", self.name),
            false => who.to_string(),
        };
        let range = Some(self.range.net);
        template.clone().map(|t| PeerPlan { name, address: who.address, asn, range, ..t })
    }

    /// What neighbours of it have in common.
    pub fn template(&self) -> Option<&PeerPlan> {
        self.external.as_ref().or(self.internal.as_ref())
    }
}

impl NodePlan {
    /// The range that an address which is no configured neighbour lies in.
    pub fn range_of(&self, who: &PeerKey) -> Option<&RangePlan> {
        let within = self.ranges.iter().filter(|range| range.contains(who));
        within.max_by_key(|range| range.range.net.prefix_len())
    }

    /// The plan with those of `callers` (and their AS numbers) as neighbours that a range lets
    /// in and that are none already.
    #[must_use]
    pub fn with<'a>(&self, callers: impl IntoIterator<Item = (&'a PeerKey, Asn)>) -> NodePlan {
        let mut plan = self.clone();
        for (who, asn) in callers {
            if self.peers.iter().any(|peer| peer.key() == *who) {
                continue;
            }
            let range = self.range_of(who);
            plan.peers.extend(range.and_then(|range| range.neighbour(who, asn)));
        }
        plan.fib.peers = plan.peers.iter().map(|peer| peer.address).collect();
        plan.fib.sessions = plan.peers.iter().map(PeerPlan::ends).collect();
        plan
    }
}

impl PeerKey {
    /// The neighbour with this address; `interface` matters to link-local ones alone.
    pub fn new(address: IpAddr, interface: Option<&str>) -> PeerKey {
        let interface = interface.filter(|_| link_local(address)).map(str::to_owned);
        PeerKey { address, interface }
    }
}

impl fmt::Display for PeerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.interface {
            Some(interface) => write!(f, "{}%{interface}", self.address),
            None => write!(f, "{}", self.address),
        }
    }
}
