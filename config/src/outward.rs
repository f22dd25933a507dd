//! What goes to a neighbour and how, beside what `export` and the policies say; and which nodes
//! reflect (RFC 4456).

use std::net::Ipv4Addr;

use starling_bgp::msg::NextHopMode;

/// What goes to a neighbour and how.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Outward {
    /// The NEXT_HOP that it is told.
    pub next_hop: NextHopMode,
    /// It is a client of ours.
    pub client: bool,
    /// It is told a default route.
    pub default_route: bool,
    /// Traffic is being taken off it (RFC 8326).
    pub drain: bool,
    /// Whether it is told the best route that it may have where that is not the best one; `None`:
    /// where it is needed, which is iBGP with `export = "all"`: there a better route of another
    /// iBGP speaker would hide what our own eBGP neighbours bring.
    pub best_external: Option<bool>,
}

/// The nodes that reflect routes between the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reflectors {
    /// Their names, in the order of the file.
    pub nodes: Vec<String>,
    /// Their CLUSTER_ID; `None`: each its BGP identifier.
    pub cluster_id: Option<Ipv4Addr>,
}
