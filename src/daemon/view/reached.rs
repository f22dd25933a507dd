//! How a next hop is reached, from the Fib's words into the API's, with the warning that network
//! D's operators never got: a route that leans on a gateway which has never heard of it.

use starling_fib::types::{How, Resolution};

use crate::api;

/// The API's form of a resolution.
pub(super) fn reached(resolution: &Resolution) -> api::Reached {
    let why = resolution.why.clone();
    let bare =
        |how| api::Reached { how, device: None, gateway: None, why: why.clone(), warning: None };
    match &resolution.how {
        How::Direct { name, .. } => {
            api::Reached { device: Some(name.clone()), ..bare(api::How::Direct) }
        }
        How::Tunnel { name, .. } => {
            api::Reached { device: Some(name.clone()), ..bare(api::How::Tunnel) }
        }
        How::Gateway { gateway, name, .. } => api::Reached {
            device: Some(name.clone()),
            gateway: Some(*gateway),
            warning: warning(resolution),
            ..bare(api::How::Gateway)
        },
        How::Blackhole => bare(api::How::Blackhole),
        How::Unreachable => bare(api::How::Unreachable),
    }
}

/// What is wrong with a route that is there all the same, and what to do.
fn warning(resolution: &Resolution) -> Option<String> {
    let How::Gateway { gateway, is_peer: false, .. } = &resolution.how else { return None };
    let cure = if gateway.is_ipv4() {
        "set the pool's ipip to \"cross-subnet\", or make the gateway a BGP peer ([[peer]])"
    } else {
        "make the gateway a BGP peer ([[peer]]); IPv6 is never encapsulated"
    };
    Some(format!("{}; {cure}", resolution.why))
}

/// What an own block comes to.
pub(super) fn own() -> api::Reached {
    api::Reached {
        how: api::How::Blackhole,
        device: None,
        gateway: None,
        why: "this node's own block; the pods' own routes are longer".to_owned(),
        warning: None,
    }
}
