//! What may come in: the import side of a neighbour, judged per route by the Rib.

use std::net::IpAddr;

use ipnet::IpNet;

/// What may come from a neighbour. Anything not allowed is kept as filtered, shown as such, and
/// never used: a reload that allows it needs nothing from the neighbour.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ImportPolicy {
    /// Allowed: these prefixes and everything inside them.
    pub within: Vec<IpNet>,
    /// Never allowed: these and everything inside them (our own blocks).
    pub except: Vec<IpNet>,
    /// Never a valid NEXT_HOP: our own addresses (RFC 4271 §5.1.3).
    pub own_addresses: Vec<IpAddr>,
}
