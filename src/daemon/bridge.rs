//! The same things in the words of the Rib and of the Fib: neither crate knows the other.

use std::collections::HashMap;
use std::sync::Arc;

use starling_bgp::msg::{Encapsulation, FibBatch, FibBest, FibRoute, NexthopNews, RibIn, Via};
use starling_bgp::types::NextHop;
use starling_fib::types as fib;

/// A next hop for the Fib.
pub fn next_hop(hop: NextHop) -> fib::NextHop {
    fib::NextHop { address: hop.address, scope: hop.scope }
}

/// Next hops for the Fib.
pub fn next_hops(hops: Vec<NextHop>) -> Vec<fib::NextHop> {
    hops.into_iter().map(next_hop).collect()
}

/// Costs for the Rib.
pub fn costs(costs: Vec<(fib::NextHop, Option<fib::Cost>)>) -> RibIn {
    let news = |(hop, cost): (fib::NextHop, Option<fib::Cost>)| {
        let next_hop = NextHop { address: hop.address, scope: hop.scope };
        let metric = cost.as_ref().map(|cost| cost.metric);
        let interface = cost.map(|cost| cost.device).filter(|name| !name.is_empty());
        NexthopNews { next_hop, metric, interface }
    };
    RibIn::Nexthops(costs.into_iter().map(news).collect())
}

/// Best routes for the Fib. What they share there they share here: one allocation a [`Via`].
pub fn routes(batch: &FibBatch) -> Vec<fib::RouteChange> {
    // The batch keeps every Via alive as long as this looks at its place in memory.
    let mut known: HashMap<*const Via, Arc<fib::Via>> = HashMap::new();
    let mut target = |best: &FibBest| match best {
        FibBest::Own => fib::Target::Own,
        FibBest::Unreachable => fib::Target::Unreachable,
        FibBest::Via(way) => {
            let there = known.entry(Arc::as_ptr(way)).or_insert_with(|| Arc::new(via(way)));
            fib::Target::Via(there.clone())
        }
    };
    let change = |route: &FibRoute| {
        let target = route.best.as_ref().map(&mut target);
        fib::RouteChange { prefix: route.prefix, target }
    };
    batch.routes.iter().map(change).collect()
}

fn via(way: &Via) -> fib::Via {
    fib::Via {
        hops: way.hops.iter().map(|hop| next_hop(hop.next_hop)).collect(),
        metric: way.metric,
        encap: match way.encapsulation {
            Encapsulation::ByPool => fib::Encap::ByPool,
            Encapsulation::Never => fib::Encap::Never,
            Encapsulation::Always => fib::Encap::Always,
        },
    }
}
