//! How a next hop is reached, from the Fib's words into the API's, with the warning that network
//! D's operators never got: a route that leans on a gateway which has never heard of it.

use starling_bgp::rib::show::Wish;
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

/// What a prefix comes to that is this node's own by that wish.
pub(super) fn own(wish: Option<Wish>) -> api::Reached {
    let (how, why) = match wish {
        None | Some(Wish::Block) => {
            (api::How::Blackhole, "this node's own block; the pods' own routes are longer")
        }
        Some(Wish::Sink) => (api::How::Blackhole, "what has no longer route here is discarded"),
        Some(Wish::Default) => (api::How::Local, "told to one neighbour whatever routes there are"),
        Some(Wish::Network) => (api::How::Local, "a network of the configuration"),
        Some(Wish::Operator) => (api::How::Local, "added by `bgpctl network add`"),
        Some(Wish::Pod) => (api::How::Local, "a local pod's: its own route leads to it"),
    };
    api::Reached { how, device: None, gateway: None, why: why.to_owned(), warning: None }
}
