//! Pools: which may lie in which, and what a mode means for each family.

use std::collections::BTreeMap;

use ipnet::IpNet;
use starling_fib::types::{Mode, Pool};

use crate::raw::Raw;
use crate::source::{At, Problems};

/// What a pool without `ipip` does: right on one subnet and across several, unlike `never`
/// (packets to a gateway that knows no pods) and without the cost of `always`.
const DEFAULT_MODE: Mode = Mode::CrossSubnet;

/// The pools. One may lie in another, the longest that contains a prefix decides; twice the same
/// would leave nothing to decide by.
pub(super) fn check(raw: &Raw, problems: &mut Problems) -> Vec<Pool> {
    let mut pools = Vec::new();
    let mut seen: BTreeMap<IpNet, At> = BTreeMap::new();
    for pool in &raw.pools {
        let Some(cidr) = pool.cidr.get() else { continue };
        let (net, at) = (cidr.value, cidr.at);
        if let Some(first) = seen.insert(net, at) {
            problems
                .error(at, format!("pool {net} comes twice"))
                .expected("each pool once; a smaller one may lie in a larger one")
                .see(first, "the first");
        }
        if net.prefix_len() == 0 {
            problems
                .error(at, format!("pool {net} is every address there is, the nodes' too"))
                .expected("the addresses of the pods");
        } else if super::blocks::no_unicast(net) {
            problems
                .error(at, format!("pool {net} holds no addresses that a pod could have"))
                .expected("the addresses of the pods");
        }
        let mode = match (net, pool.ipip.get()) {
            (IpNet::V4(_), Some(mode)) => mode.value,
            (IpNet::V4(_), None) => DEFAULT_MODE,
            (IpNet::V6(_), set) => {
                if let Some(mode) = set.filter(|mode| mode.value != Mode::Never) {
                    problems
                        .warn(mode.at, "ipip has no effect on an IPv6 pool")
                        .hint("IPIP carries IPv4 in IPv4; leave it out or set \"never\"");
                }
                Mode::Never
            }
        };
        pools.push(Pool { cidr: net, mode });
    }
    pools
}
