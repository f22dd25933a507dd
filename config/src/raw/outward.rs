//! What `[[peer]]` says of what goes out, and `[reflector]`.

use starling_bgp::msg::NextHopMode;

use super::{Selector, selector};
use crate::reader::{Field, Section};
use crate::source::At;
use crate::value::RouterId;

/// The keys of `[reflector]`.
pub(super) const REFLECTOR: super::Keys = &["nodes", "cluster-id"];

/// What goes to a peer and how.
#[derive(Debug)]
pub(crate) struct Outward {
    pub(crate) next_hop: Field<NextHopMode>,
    pub(crate) client: Field<bool>,
    pub(crate) default_route: Field<bool>,
    pub(crate) drain: Field<bool>,
    pub(crate) best_external: Field<bool>,
}

/// Which nodes reflect.
#[derive(Debug)]
pub(crate) struct Reflector {
    pub(crate) at: At,
    pub(crate) nodes: Selector,
    /// The place of `nodes`, or of the table.
    pub(crate) nodes_at: At,
    pub(crate) cluster_id: Field<RouterId>,
}

pub(super) fn outward(s: &mut Section<'_, '_>) -> Outward {
    Outward {
        next_hop: s.one("next-hop"),
        client: s.one("route-reflector-client"),
        default_route: s.one("default-route"),
        drain: s.one("drain"),
        best_external: s.one("best-external"),
    }
}

pub(super) fn reflector(s: &mut Section<'_, '_>) -> Reflector {
    let (nodes, nodes_at) = selector(s);
    if matches!(nodes, Selector::All) {
        s.missing("nodes", "{ role = \"reflector\" } or [\"server1\", \"server2\"]");
    }
    Reflector { at: s.at, nodes, nodes_at, cluster_id: s.one("cluster-id") }
}
