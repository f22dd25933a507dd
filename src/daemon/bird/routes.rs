//! `show route`: paths, in BIRD's columns.
//!
//! ```text
//! 10.244.2.0/26      via 10.0.0.2 on eth0 [Mesh_10_0_0_2 10:20:30] * (100/0) [i]
//! ```
//!
//! `*` is the path in use, `!` one in use that the kernel would not have. What can be a million
//! lines goes out as it comes from the daemon's table.

use std::collections::HashMap;
use std::io;

use axum::http::StatusCode;
use starling_bgp::wire::community::Community;

use super::command::Routes;
use super::names::{self, OWN};
use super::reply::Reply;
use super::when::Ages;
use super::{Face, Out};
use crate::api::{How, KernelState, Lookup, Neighbor, Origin, Path, Route, RouteQuery, SentState};
use crate::daemon::control::rows::in_memory;
use crate::daemon::control::{ANSWER, Backend, Refusal, Rows, in_time};

/// So much waits before it is written.
const WRITTEN: usize = 64 << 10;

/// What has been counted.
#[derive(Default)]
struct Counts {
    shown: usize,
    paths: usize,
    nets: usize,
}

impl<B: Backend> Face<B> {
    /// Answers; the outer error says that the caller is gone.
    pub(super) async fn routes(
        &self,
        asked: &Routes,
        reply: &mut Reply,
        out: &mut Out,
    ) -> io::Result<Result<(), Refusal>> {
        let began = in_time(ANSWER, self.begin(asked)).await;
        let (protocols, mut rows) = match began {
            Ok(Some(began)) => began,
            Ok(None) => {
                let named = asked.protocol.as_deref().or(asked.export.as_deref());
                let name = named.unwrap_or_default();
                reply.end(8003, &format!("{name}: no such protocol"));
                return Ok(Ok(()));
            }
            Err(refusal) => return Ok(Err(refusal)),
        };
        let mut ages = Ages::new();
        let mut counts = Counts::default();
        while let Some(chunk) = rows.recv().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(error) => return Ok(Err(Refusal::unavailable(error))),
            };
            for route in chunk.iter().filter(|r| r.prefix.addr().is_ipv4() == self.is_v4()) {
                show(route, asked, &protocols, &mut ages, &mut counts, reply);
                if reply.len() >= WRITTEN {
                    out.send(reply).await?;
                }
            }
        }
        let Counts { shown, paths, nets } = counts;
        match asked {
            Routes { count: true, .. } => {
                reply.end(14, &format!("{shown} of {paths} routes for {nets} networks"));
            }
            Routes { lookup: Some(_), .. } if nets == 0 => reply.end(8001, "Network not in table"),
            _ => reply.end(0, ""),
        }
        Ok(Ok(()))
    }

    /// What the neighbours are called here, and the table; none where the protocol that is asked
    /// for is not there.
    async fn begin(
        &self,
        asked: &Routes,
    ) -> Result<Option<(HashMap<String, String>, Rows<Route>)>, Refusal> {
        let neighbors = self.backend.neighbors().await?;
        let called = |n: &Neighbor| (n.summary.name.clone(), names::protocol(n, self.family));
        let mut protocols: HashMap<String, String> = neighbors.iter().map(called).collect();
        protocols.insert("local".to_owned(), OWN.to_owned());
        let known = |name: &String| {
            ["kernel1", "device1"].contains(&name.as_str()) || protocols.values().any(|p| p == name)
        };
        if ![&asked.protocol, &asked.export].into_iter().flatten().all(known) {
            return Ok(None);
        }
        let told = asked.export.as_ref().map(|to| protocols.iter().find(|(_, p)| *p == to));
        let told = told.map(|found| found.map(|(neighbor, _)| neighbor.clone()));
        if told.as_ref().is_some_and(|to| to.as_deref().is_none_or(|to| to == "local")) {
            // These are told nothing by BGP.
            return Ok(Some((protocols, in_memory(Vec::new()))));
        }
        let family = |lookup: &Lookup| match lookup {
            Lookup::Prefix(net) => net.addr().is_ipv4(),
            Lookup::Address(address) => address.is_ipv4(),
        };
        if asked.lookup.as_ref().is_some_and(|lookup| family(lookup) != self.is_v4()) {
            return Ok(Some((protocols, in_memory(Vec::new()))));
        }
        let query = RouteQuery {
            lookup: asked.lookup,
            to: told.flatten(),
            withheld: asked.withheld,
            detail: true,
            ..RouteQuery::default()
        };
        match self.backend.routes(query).await {
            // Without a session nothing is told.
            Err(refusal) if asked.export.is_some() && refusal.status == StatusCode::CONFLICT => {
                Ok(Some((protocols, in_memory(Vec::new()))))
            }
            rows => Ok(Some((protocols, rows?))),
        }
    }
}

/// The paths of one destination that are asked for.
fn show(
    route: &Route,
    asked: &Routes,
    protocols: &HashMap<String, String>,
    ages: &mut Ages,
    counts: &mut Counts,
    reply: &mut Reply,
) {
    let mut first = true;
    counts.nets += 1;
    for path in &route.paths {
        counts.paths += usize::from(path.filtered.is_none());
        let protocol = protocols.get(&path.from).map_or(path.from.as_str(), String::as_str);
        let told = path.sent.as_ref().is_some_and(|sent| sent.state != SentState::Withheld);
        let wanted = path.filtered.is_some() == asked.filtered
            && (asked.export.is_none() || told != asked.withheld)
            && (path.best || !asked.primary)
            && asked.protocol.as_ref().is_none_or(|only| only == protocol);
        if !wanted {
            continue;
        }
        counts.shown += 1;
        if asked.count {
            continue;
        }
        // Several paths of a destination name it once.
        let net = if first { route.prefix.to_string() } else { String::new() };
        first = false;
        let since = ages.since(path.age_s);
        let refused = matches!(route.kernel.state, KernelState::Refused | KernelState::Occupied);
        let used = match path.best {
            true if refused => " !",
            true => " *",
            false => "",
        };
        let via = via(path);
        let path = &as_told(path);
        let info = info(path);
        reply.line(1007, &format!("{net:<18} {via} [{protocol} {since}]{used} {info}"));
        if asked.all {
            attributes(path, reply);
        }
    }
}

/// With what it carries to the neighbour that was asked about, where one was.
fn as_told(path: &Path) -> Path {
    let path = path.clone();
    let Some(told) = path.sent.as_ref().and_then(|sent| sent.attributes.clone()) else {
        return path;
    };
    Path {
        next_hop: Some(told.next_hop),
        origin: Some(told.origin),
        local_pref: told.local_pref,
        med: told.med,
        as_path: Some(told.as_path),
        communities: told.communities,
        large_communities: told.large_communities,
        extended_communities: told.extended_communities,
        other_attributes: told.other_attributes,
        ..path
    }
}

/// Where it leads.
fn via(path: &Path) -> String {
    let device = path.reached.device.as_deref().unwrap_or("?");
    let on = |gateway| format!("via {gateway} on {device}");
    match (path.reached.how, path.reached.gateway, path.next_hop) {
        (How::Blackhole, ..) => "blackhole".to_owned(),
        (How::Local, ..) => format!("dev {}", path.reached.device.as_deref().unwrap_or("lo")),
        (How::Gateway, Some(gateway), _) | (_, None, Some(gateway))
            if path.reached.how != How::Unreachable =>
        {
            on(gateway)
        }
        (How::Direct | How::Tunnel, Some(_), Some(gateway)) => on(gateway),
        _ => "unreachable".to_owned(),
    }
}

/// Preference, the way to the next hop, and in brackets where the route began.
fn info(path: &Path) -> String {
    if path.from == "local" {
        return "(200)".to_owned();
    }
    let stale = if path.stale.is_some() { "s" } else { "" };
    let metric = if path.reached.how == How::Unreachable { "-" } else { "0" };
    let ases = path.as_path.as_deref().unwrap_or_default();
    // The AS where it began; an aggregate's set says of none that it did.
    let last = ases.split_whitespace().next_back().filter(|word| word.parse::<u32>().is_ok());
    let began = last.map_or(String::new(), |asn| format!("AS{asn}"));
    let origin = match path.origin {
        Some(Origin::Igp) => "i",
        Some(Origin::Egp) => "e",
        Some(Origin::Incomplete) | None => "?",
    };
    format!("(100{stale}/{metric}) [{began}{origin}]")
}

fn attributes(path: &Path, reply: &mut Reply) {
    if path.from == "local" {
        reply.line(1008, "\tType: static blackhole univ");
        if path.sent.is_none() {
            return;
        }
    } else {
        reply.line(1008, "\tType: BGP unicast univ");
    }
    let mut say = |name: &str, value: String| reply.line(1012, &format!("\tBGP.{name}: {value}"));
    if let Some(origin) = path.origin {
        let word = match origin {
            Origin::Igp => "IGP",
            Origin::Egp => "EGP",
            Origin::Incomplete => "Incomplete",
        };
        say("origin", word.to_owned());
    }
    say("as_path", path.as_path.clone().unwrap_or_default());
    if let Some(next_hop) = path.next_hop {
        say("next_hop", next_hop.to_string());
    }
    if let Some(med) = path.med {
        say("med", med.to_string());
    }
    // To other ASes none goes.
    let told = path.sent.as_ref().is_some_and(|sent| sent.attributes.is_some());
    if let Some(local_pref) = path.local_pref.or((!told).then_some(100)) {
        say("local_pref", local_pref.to_string());
    }
    let communities = [
        ("community", &path.communities),
        ("ext_community", &path.extended_communities),
        ("large_community", &path.large_communities),
    ];
    for (name, values) in communities.into_iter().filter(|(_, values)| !values.is_empty()) {
        let numbers: Vec<String> = values.iter().map(|value| numbers(value)).collect();
        say(name, numbers.join(" "));
    }
}

/// `(65000,100)`: also of a community that has a name.
fn numbers(value: &str) -> String {
    match Community::named(value) {
        Some(Community(octets)) => format!("({},{})", octets >> 16, octets & 0xffff),
        None => format!("({})", value.replace(':', ",")),
    }
}
