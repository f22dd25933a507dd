//! Which routes are asked for: by destination, by neighbour, by what they carry, by how they
//! stand.
//!
//! Every condition that is given must hold: more of them never show more. A route is meant if one
//! of its paths is, and only those paths of it are shown.

use std::net::IpAddr;

use ipnet::IpNet;

use super::mask::PathMask;
use crate::attrs::{AttrSet, Origin};
use crate::policy::CommunityPattern;
use crate::types::{Asn, Families, PeerId, Prefix};

/// Which routes.
#[derive(Clone, Debug)]
pub struct RouteFilter {
    /// This one only.
    pub prefix: Option<IpNet>,
    /// Those that contain this address, the longest match first.
    pub covering: Option<IpAddr>,
    /// With `covering`: not only the longest. With `prefix`: also those that it lies in.
    pub shorter: bool,
    /// With `prefix`: also those that lie in it.
    pub longer: bool,
    /// Only these families.
    pub families: Families,
    /// Only paths from this neighbour.
    pub from: Option<PeerId>,
    /// Only paths that this neighbour is told of, or is not. Then what they carry is asked of them
    /// as they go out.
    pub to: Option<(PeerId, Outward)>,
    /// Only paths that stand so.
    pub states: Vec<PathState>,
    /// Only paths with a community of each of these.
    pub communities: Vec<CommunityPattern>,
    /// Only paths through all of these.
    pub through: Vec<Asn>,
    /// Only paths whose AS_PATH is such.
    pub as_path: Option<PathMask>,
    /// Only paths with this ORIGIN.
    pub origin: Option<Origin>,
}

/// Which routes, where a neighbour is named that is told of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outward {
    /// What it is told.
    Told,
    /// What is best here and is not told.
    Withheld,
    /// Either, and paths that are not best.
    Any,
}

/// How a path stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PathState {
    /// It is the one in use.
    Best,
    /// It may be used: import let it pass, its next hop is reachable.
    Valid,
    /// It carries traffic: the best one, and those beside it.
    Used,
    /// Its neighbour has not said it again.
    Stale,
    /// Its next hop cannot be reached.
    Unreachable,
    /// Import dropped it.
    Filtered,
}

impl Default for RouteFilter {
    /// Everything.
    fn default() -> Self {
        RouteFilter {
            prefix: None,
            covering: None,
            shorter: false,
            longer: false,
            families: Families::ALL,
            from: None,
            to: None,
            states: Vec::new(),
            communities: Vec::new(),
            through: Vec::new(),
            as_path: None,
            origin: None,
        }
    }
}

impl RouteFilter {
    /// Whether a destination that a walk comes by is meant.
    pub(super) fn is_inside<P: Prefix>(&self, prefix: P) -> bool {
        self.families.contains(P::FAMILY)
            && self.prefix.is_none_or(|net| {
                // Of the other family it never is.
                net.contains(&prefix.net())
            })
    }

    /// Whether there is a condition on what paths carry.
    pub(super) fn asks_attributes(&self) -> bool {
        !self.communities.is_empty()
            || !self.through.is_empty()
            || self.as_path.is_some()
            || self.origin.is_some()
    }

    /// Whether a path that carries this is meant.
    pub(super) fn holds(&self, attrs: &AttrSet) -> bool {
        self.origin.is_none_or(|origin| origin == attrs.origin())
            && self.communities.iter().all(|community| community.is_in(attrs))
            && self.through.iter().all(|asn| attrs.as_path().contains(*asn))
            && self.as_path.as_ref().is_none_or(|mask| mask.matches(attrs.as_path()))
    }
}
