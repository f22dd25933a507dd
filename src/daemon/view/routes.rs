//! Routes, streamed: a chunk from the Rib, what the Fib makes of it, a chunk to the reader, and only
//! then the next.

use ipnet::IpNet;
use starling_bgp::attrs::AttrSet;
use starling_bgp::rib::show::{PathView, RouteFilter, RouteView, SentView, StaleView};
use starling_bgp::wire::attr;
use starling_fib::Fib;
use starling_fib::types::{NextHop, Resolution};

use super::changes::changes;
use super::table::state;
use super::{Refusal, View, reached, stopping};
use crate::api::{
    Attributes, Kernel, KernelState, Path, Route, RouteQuery, Sent, SentState, Stale, UsedHop,
};
use crate::daemon::bridge;
use crate::daemon::control::rows::{self, CHUNK};
use crate::daemon::control::{Rows, RowsSender};

impl View {
    pub(super) async fn route_rows(&self, query: RouteQuery) -> Result<Rows<Route>, Refusal> {
        let filter = self.filter(&query).await?;
        let (sender, rows) = rows::rows();
        tokio::spawn(self.clone().stream_routes(filter, query, sender));
        Ok(rows)
    }

    async fn stream_routes(self, filter: RouteFilter, query: RouteQuery, rows: RowsSender<Route>) {
        let shown = if query.detail || query.chooses_paths() { usize::MAX } else { 1 };
        let mut cursor = None;
        let mut whole = true;
        // Where nothing is found nothing is sent, and only this says that the reader has gone.
        while !rows.is_closed() {
            let question = filter.clone();
            let answer = self.rib.ask(move |rib| rib.routes(&question, cursor, CHUNK)).await;
            let Some((routes, next)) = answer else {
                // The reader may have gone as well.
                let _ = rows.send(Err(stopping().body)).await;
                return;
            };
            let Some(fates) = self.fates(&routes).await else { return };
            let mut chunk: Vec<Route> = routes
                .iter()
                .zip(fates)
                .map(|(route, fate)| self.route(route, fate, (shown, query.detail)))
                .collect();
            if whole && next.is_none() {
                // The Rib knows no order; a table that fits one answer gets one.
                chunk.sort_by_key(|route| route.prefix);
            }
            whole = false;
            if !chunk.is_empty() && rows.send(Ok(chunk)).await.is_err() {
                return;
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return,
            }
        }
    }

    /// What the Fib makes of each route and of each of its paths.
    pub(super) async fn fates(&self, routes: &[RouteView]) -> Option<Vec<Fate>> {
        if routes.is_empty() {
            return Some(Vec::new());
        }
        let next_hop = |path: &PathView| path.next_hop.map(bridge::next_hop);
        let asked: Vec<(IpNet, Vec<Option<NextHop>>)> = routes
            .iter()
            .map(|route| (route.prefix, route.paths.iter().map(next_hop).collect()))
            .collect();
        self.fib
            .ask(move |fib| {
                asked
                    .into_iter()
                    .map(|(prefix, next_hops)| Fate {
                        kernel: kernel(fib, prefix),
                        used: fib.view_of(prefix).map(|view| view.resolutions).unwrap_or_default(),
                        resolutions: next_hops
                            .into_iter()
                            .map(|hop| Some(fib.resolution_of(prefix, hop?)))
                            .collect(),
                    })
                    .collect()
            })
            .await
    }

    /// A route with the first `shown` of its paths, with all attributes or without.
    pub(super) fn route(
        &self,
        route: &RouteView,
        fate: Fate,
        (shown, detail): (usize, bool),
    ) -> Route {
        let paths = route.paths.iter().zip(&fate.resolutions);
        Route {
            prefix: route.prefix,
            paths: paths.take(shown).map(|(path, how)| self.path(path, how, detail)).collect(),
            next_hops: match fate.used.len() {
                0 | 1 => Vec::new(),
                _ => fate.used.iter().map(|hop| used(hop, &route.paths)).collect(),
            },
            kernel: given(route, fate.kernel),
        }
    }

    fn path(&self, path: &PathView, resolution: &Option<Resolution>, detail: bool) -> Path {
        // As used: what made it best or not.
        let attrs = path.used.as_ref().unwrap_or(&path.attrs);
        let bare = Path {
            from: path.name.clone(),
            next_hop: path.next_hop.map(|hop| hop.address),
            reached: match resolution {
                Some(resolution) => reached::reached(resolution),
                None => reached::own(path.wish),
            },
            age_s: self.seconds_since(path.received),
            best: path.best,
            multipath: path.multipath,
            path_id: Some(path.path_id).filter(|id| *id != 0),
            stale: path.stale.map(|stale| self.stale(stale)),
            changed: Vec::new(),
            why: path.why.clone(),
            filtered: path.filtered.clone(),
            origin: None,
            local_pref: None,
            med: None,
            as_path: None,
            communities: Vec::new(),
            large_communities: Vec::new(),
            extended_communities: Vec::new(),
            other_attributes: Vec::new(),
            sent: path.sent.as_ref().map(sent),
        };
        if !detail {
            return bare;
        }
        let Attributes {
            origin,
            local_pref,
            med,
            as_path,
            communities,
            large_communities,
            extended_communities,
            other_attributes,
            next_hop: _,
        } = attributes(attrs);
        Path {
            changed: path.used.as_ref().map_or_else(Vec::new, |used| changes(&path.attrs, used)),
            origin: Some(origin),
            local_pref,
            med,
            as_path: Some(as_path),
            communities,
            large_communities,
            extended_communities,
            other_attributes,
            ..bare
        }
    }

    fn stale(&self, stale: StaleView) -> Stale {
        Stale {
            waits: stale.waits.into(),
            left_s: stale.until.since(self.clock.now()).as_secs(),
            long_lived: stale.long_lived,
        }
    }
}

/// What the Fib makes of one route.
pub(super) struct Fate {
    kernel: Kernel,
    /// The next hops that the Rib wants used.
    used: Vec<(Option<NextHop>, Resolution)>,
    resolutions: Vec<Option<Resolution>>,
}

fn kernel(fib: &Fib, prefix: IpNet) -> Kernel {
    match fib.view_of(prefix) {
        Some(route) => {
            let (state, why) = state(&route.state);
            Kernel { state, why }
        }
        None => Kernel { state: KernelState::Unresolved, why: Some("no usable path".to_owned()) },
    }
}

/// The same of what the Fib was not given.
fn given(route: &RouteView, kernel: Kernel) -> Kernel {
    let best = route.paths.first().filter(|path| path.best);
    let why = match (&route.kept_out, best) {
        _ if kernel.state != KernelState::Unresolved => return kernel,
        (Some(rule), _) => rule.clone(),
        (None, Some(path)) if path.next_hop.is_none() => "only announced from here".to_owned(),
        _ => return kernel,
    };
    Kernel { state: KernelState::Out, why: Some(why) }
}

/// A next hop in use; `paths`: the paths among which are those that it comes from.
pub(super) fn used(
    (hop, resolution): &(Option<NextHop>, Resolution),
    paths: &[PathView],
) -> UsedHop {
    let brings =
        |path: &&PathView| path.filtered.is_none() && path.next_hop.map(bridge::next_hop) == *hop;
    UsedHop {
        next_hop: hop.map(|hop| hop.address),
        from: paths.iter().filter(brings).map(|path| path.name.clone()).collect(),
        reached: reached::reached(resolution),
    }
}

/// A path on its way to a neighbour, or why it stays here.
fn sent(sent: &Result<SentView, String>) -> Sent {
    match sent {
        Ok(SentView { attrs, path_id, pending }) => Sent {
            state: if *pending { SentState::Pending } else { SentState::Sent },
            why: None,
            path_id: *path_id,
            attributes: Some(attributes(attrs)),
        },
        Err(why) => Sent {
            state: SentState::Withheld,
            why: Some(why.clone()),
            path_id: None,
            attributes: None,
        },
    }
}

fn attributes(attrs: &AttrSet) -> Attributes {
    Attributes {
        next_hop: attrs.next_hop().address,
        origin: attrs.origin().into(),
        local_pref: attrs.local_pref(),
        med: attrs.med(),
        as_path: attrs.as_path().to_string(),
        communities: attrs.communities().iter().map(|c| c.to_string()).collect(),
        large_communities: attrs.large_communities().iter().map(|c| c.to_string()).collect(),
        extended_communities: attrs.extended_communities().iter().map(|c| c.to_string()).collect(),
        other_attributes: others(attrs),
    }
}

/// Attributes that have no field of their own.
fn others(attrs: &AttrSet) -> Vec<String> {
    let mut others = Vec::new();
    if attrs.atomic_aggregate() {
        others.push("ATOMIC_AGGREGATE".to_owned());
    }
    if let Some((asn, address)) = attrs.aggregator() {
        others.push(format!("AGGREGATOR {asn} {address}"));
    }
    if let Some(originator) = attrs.rank().originator {
        others.push(format!("ORIGINATOR_ID {originator}"));
    }
    if let Some(asn) = attrs.only_to_customer() {
        others.push(format!("OTC {asn}"));
    }
    let clusters: Vec<String> = attrs.cluster_list().map(|id| id.to_string()).collect();
    if !clusters.is_empty() {
        others.push(format!("CLUSTER_LIST {}", clusters.join(" ")));
    }
    others.extend(attrs.iter().filter(|a| attr::spec(a.code).is_none()).map(|attr| {
        let partial = if attr.flags & 0x20 != 0 { ", partial" } else { "" };
        format!("type {}, {} octets{partial}", attr.code, attr.value.len())
    }));
    others
}
