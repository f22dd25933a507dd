//! How routes are chosen, limited and originated.

use std::collections::BTreeMap;

use ipnet::IpNet;
use starling_bgp::msg::Originated;

use crate::raw::{self, Raw};
use crate::reader::Field;
use crate::routing::{Allowance, Choice};
use crate::source::{At, Problems};
use crate::value::MaxPrefixes;

pub(super) fn choice(raw: &Raw) -> Choice {
    let mut choice = Choice::default();
    if let Some(cluster) = &raw.cluster {
        if let Some(paths) = cluster.max_paths.value() {
            choice.max_paths = paths.0;
        }
        choice.always_compare_med = cluster.always_compare_med.value().copied().unwrap_or(false);
    }
    if let Some(kernel) = &raw.kernel {
        let metric = kernel.metric_from_local_pref.value();
        choice.metric_from_local_pref = metric.copied().unwrap_or(false);
    }
    choice
}

/// What a neighbour of the mesh may do.
pub(super) fn mesh(raw: &Raw) -> Allowance {
    let limits = raw.cluster.as_ref().map(|cluster| limits(&cluster.max_prefixes));
    Allowance { limits: limits.unwrap_or_default(), blackhole: false }
}

/// What a router may do.
pub(super) fn router(said: &raw::Peer) -> Allowance {
    Allowance {
        limits: limits(&said.max_prefixes),
        blackhole: said.blackhole_community.value().copied().unwrap_or(false),
    }
}

fn limits(field: &Field<MaxPrefixes>) -> [Option<starling_bgp::msg::PrefixLimit>; 2] {
    field.value().map(|limits| limits.0).unwrap_or_default()
}

/// The networks of a node, and whether it aggregates its blocks.
pub(super) fn networks(
    raw: &Raw,
    said: &raw::Node,
    problems: &mut Problems,
) -> (Vec<Originated>, bool) {
    let mut seen: BTreeMap<IpNet, At> = BTreeMap::new();
    let mut networks = Vec::new();
    for network in said.networks.value().into_iter().flatten() {
        let prefix = network.value.0.prefix;
        if let Some(first) = seen.insert(prefix, network.at) {
            problems.warn(network.at, format!("{prefix} is there twice")).see(first, "the first");
            continue;
        }
        networks.push(network.value.0);
    }
    let all = raw.cluster.as_ref().and_then(|cluster| cluster.aggregate.value().copied());
    let own = said.aggregate.value().copied();
    (networks, own.or(all).unwrap_or(false))
}
