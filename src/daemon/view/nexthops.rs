//! The next hops of the table, how each is reached, and who uses them: `bgpctl show nexthops`.
//!
//! In: the Rib's routes, chunk by chunk, and what the Fib makes of each next hop. Who uses one is
//! counted when it is asked: from next hop to routes the Rib has no index, on purpose.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use starling_bgp::rib::show::{RouteFilter, RouteView};
use starling_fib::types::NextHop;

use super::{Refusal, View, reached, stopping};
use crate::api::{Nexthop, NexthopQuery, NexthopState, Prefixes, Reached};
use crate::daemon::bridge;

/// Routes looked at in one question to the Rib.
const CHUNK: usize = 1024;
/// So many routes of each next hop are named, unless one alone is asked for.
const NAMED: usize = 3;
/// So many pools and their like are taken to be all that a next hop is used in.
const ASKED: usize = 16;

/// Who uses a next hop.
#[derive(Default)]
struct Users {
    paths: u64,
    from: BTreeSet<String>,
    routes: Prefixes,
    /// Destinations for which it is asked how it is reached.
    asked: Vec<IpNet>,
}

impl View {
    pub(super) async fn all_nexthops(&self, query: NexthopQuery) -> Result<Vec<Nexthop>, Refusal> {
        let mut all: BTreeMap<NextHop, Users> = BTreeMap::new();
        let mut cursor = None;
        loop {
            let question = RouteFilter::default();
            let answer = self.rib.ask(move |rib| rib.routes(&question, cursor, CHUNK)).await;
            let (routes, next) = answer.ok_or_else(stopping)?;
            routes.iter().for_each(|route| count(route, query, &mut all));
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let asked: Vec<(NextHop, Vec<IpNet>)> =
            all.iter().map(|(hop, users)| (*hop, users.asked.clone())).collect();
        let answer = self.fib.ask(move |fib| {
            let costs: BTreeMap<NextHop, Option<u32>> = fib.nexthops().collect();
            let ways = |hop: NextHop, prefixes: &[IpNet]| {
                let mut ways: Vec<Reached> = Vec::new();
                for prefix in prefixes {
                    let way = reached::reached(&fib.resolution_of(*prefix, hop));
                    if !ways.contains(&way) {
                        ways.push(way);
                    }
                }
                ways
            };
            let of = |(hop, prefixes): &(NextHop, Vec<IpNet>)| {
                (costs.get(hop).copied(), ways(*hop, prefixes))
            };
            asked.iter().map(of).collect::<Vec<_>>()
        });
        let answers = answer.await.ok_or_else(stopping)?;
        let row =
            |((hop, users), (cost, reached)): ((NextHop, Users), (Option<Option<u32>>, _))| {
                let state = match cost {
                    Some(Some(_)) => NexthopState::Reachable,
                    Some(None) => NexthopState::Unreachable,
                    None => NexthopState::Unanswered,
                };
                let Users { paths, from, routes, .. } = users;
                let from = from.into_iter().collect();
                Nexthop {
                    next_hop: hop.address,
                    state,
                    cost: cost.flatten(),
                    reached,
                    paths,
                    from,
                    routes,
                }
            };
        Ok(all.into_iter().zip(answers).map(row).collect())
    }
}

/// The next hops of a route's paths have one user more.
fn count(route: &RouteView, query: NexthopQuery, all: &mut BTreeMap<NextHop, Users>) {
    let named = if query.address.is_some() { usize::MAX } else { NAMED };
    let mut used = BTreeSet::new();
    for path in route.paths.iter().filter(|path| path.filtered.is_none()) {
        let Some(hop) = path.next_hop.map(bridge::next_hop) else { continue };
        if query.address.is_some_and(|address| address != hop.address) {
            continue;
        }
        let users = all.entry(hop).or_default();
        users.paths += 1;
        if !users.from.contains(&path.name) {
            users.from.insert(path.name.clone());
        }
        if users.asked.len() < ASKED && users.asked.last() != Some(&route.prefix) {
            users.asked.push(route.prefix);
        }
        // Two paths to one destination by the same next hop make one route.
        if (path.best || path.multipath) && used.insert(hop) {
            users.routes.count += 1;
            if users.routes.first.len() < named {
                users.routes.first.push(route.prefix);
            }
        }
    }
}
