//! What neighbours are called where BIRD's configuration is Calico's.
//!
//! `Mesh_10_0_0_2` is a node of the mesh, `Global_…` a neighbour of all nodes, `Node_…` one of
//! this node and some others; what follows is its address. Calico has a daemon and so a session a
//! family, Starling one session for both: where it runs over the other family, a node is called
//! by its address of this one, and a router without one by the IPv6 form of its IPv4 address.

use std::net::IpAddr;

use starling_bgp::types::Family;

use crate::api::Neighbor;

/// The name of this node's own routes: of blocks and networks.
pub(super) const OWN: &str = "static1";

/// Whether the session with `neighbor` carries `family`, or is meant to.
pub(super) fn carries(neighbor: &Neighbor, family: Family) -> bool {
    let agreed = neighbor.agreed.as_ref().map(|agreed| &agreed.families);
    let families = agreed.unwrap_or(&neighbor.configured.families);
    families.contains(&family.to_string())
}

/// The protocol of `neighbor` on the socket of `family`.
pub(super) fn protocol(neighbor: &Neighbor, family: Family) -> String {
    let kind = match neighbor {
        Neighbor { node: true, everywhere: true, .. } => "Mesh",
        Neighbor { everywhere: true, .. } => "Global",
        _ => "Node",
    };
    let address = match (neighbor.summary.address, neighbor.other_address, family) {
        (own @ IpAddr::V4(_), _, Family::Ipv4) | (own @ IpAddr::V6(_), _, Family::Ipv6) => own,
        (_, Some(other), _) => other,
        (own, None, _) => own,
    };
    let text = match (address, family) {
        (IpAddr::V4(v4), Family::Ipv6) => {
            let [.., high, low] = v4.to_ipv6_mapped().segments();
            format!("::ffff:{high:x}:{low:x}")
        }
        _ => address.to_string(),
    };
    // Addresses that are only unique on their link.
    let link = neighbor.summary.interface.as_ref().map_or(String::new(), |link| format!("_{link}"));
    let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    format!("{kind}_{text}{link}").chars().map(word).collect()
}
