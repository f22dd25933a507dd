//! `bgpctl show routes`: its arguments, the question that they come to, and which table answers it.

use std::io::Write;

use clap::Args;
use clap_complete::ArgValueCompleter;
use starling_bgp::policy::CommunityPattern;
use starling_bgp::rib::show::{PathMask, PathState};
use starling_bgp::types::Family;

use super::cli::{Cli, lookup, words};
use super::client::{self, Client, Failure};
use super::render::{self, Page};
use super::{complete, table};
use crate::api::{Lookup, Origin, Route, RouteQuery, query};

/// Which routes, and how much of them. Every condition must hold.
#[derive(Args, Clone, PartialEq, Eq, Default, Debug)]
pub struct Routes {
    /// Exactly this prefix, or the route that a packet to this address takes.
    #[arg(
        value_name = "PREFIX|ADDR",
        value_parser = lookup,
        add = ArgValueCompleter::new(complete::prefixes)
    )]
    pub lookup: Option<Lookup>,
    /// Also the longer prefixes that lie in PREFIX.
    #[arg(long, requires = "lookup")]
    pub longer: bool,
    /// Also the shorter prefixes that PREFIX or ADDR lies in.
    #[arg(long, requires = "lookup")]
    pub shorter: bool,
    /// What came from this neighbour (name, address, or "local"), filtered or not: Adj-RIB-In.
    #[arg(long, value_name = "PEER", add = ArgValueCompleter::new(complete::neighbours))]
    pub from: Option<String>,
    /// What this neighbour is told, as it goes out: Adj-RIB-Out. Of one PREFIX also what is not
    /// told, and why.
    #[arg(long, value_name = "PEER", add = ArgValueCompleter::new(complete::neighbours))]
    pub to: Option<String>,
    /// With --to: what is best here and not told, and why.
    #[arg(long, requires = "to")]
    pub withheld: bool,
    /// Only ipv4 or ipv6.
    #[arg(long, value_parser = family, add = ArgValueCompleter::new(complete::families))]
    pub family: Option<Family>,
    /// Only paths that are best, valid, used (best or beside it), stale, unreachable or filtered;
    /// may be repeated.
    #[arg(
        long,
        value_name = "STATE",
        value_parser = state,
        add = ArgValueCompleter::new(complete::path_states)
    )]
    pub state: Vec<PathState>,
    /// Only paths with such a community: 65000:100, 65000:*, 65000:1:2, rt:65000:1, no-export; may
    /// be repeated. With --to, this and those below are asked of what goes out.
    #[arg(long, value_parser = community)]
    pub community: Vec<CommunityPattern>,
    /// Only paths through this AS; may be repeated.
    #[arg(long = "as", value_name = "ASN")]
    pub through: Vec<u32>,
    /// Only paths with such an AS path, nearest AS first: "65000 * 65010"; ? is any AS, * any
    /// number of them, "" none.
    #[arg(long, value_name = "SKETCH", value_parser = as_path)]
    pub as_path: Option<PathMask>,
    /// Only paths of this origin: igp, egp, incomplete.
    #[arg(long, value_parser = origin, add = ArgValueCompleter::new(complete::origins))]
    pub origin: Option<Origin>,
    /// All paths and attributes, also of paths that are not best or filtered, and why.
    #[arg(long)]
    pub detail: bool,
}

fn family(text: &str) -> Result<Family, String> {
    query::family(text).map_err(words)
}

fn state(text: &str) -> Result<PathState, String> {
    query::state(text).map_err(words)
}

fn community(text: &str) -> Result<CommunityPattern, String> {
    query::community(text).map_err(words)
}

fn as_path(text: &str) -> Result<PathMask, String> {
    query::as_path(text).map_err(words)
}

fn origin(text: &str) -> Result<Origin, String> {
    query::origin(text).map_err(words)
}

impl Routes {
    /// The question to the daemon.
    pub fn query(&self) -> RouteQuery {
        RouteQuery {
            lookup: self.lookup,
            longer: self.longer,
            shorter: self.shorter,
            from: self.from.clone(),
            to: self.to.clone(),
            withheld: self.withheld,
            family: self.family,
            states: self.state.clone(),
            communities: self.community.clone(),
            through: self.through.clone(),
            as_path: self.as_path.clone(),
            origin: self.origin,
            detail: self.detail,
        }
    }
}

/// Asks, and writes the table as it comes.
pub(super) async fn run(
    cli: &Cli,
    client: &Client,
    page: &Page,
    routes: &Routes,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let query = routes.query();
    let none = nothing_found(&query);
    let rows = client.rows(&client::with_query("/v1/routes", &query.to_pairs())).await?;
    if query.detail {
        table::<Route>(cli, rows, &mut render::RouteBlocks::new(page, none), out).await
    } else if query.to.is_some() {
        table::<Route>(cli, rows, &mut render::SentTable::new(page, none), out).await
    } else {
        table::<Route>(cli, rows, &mut render::RouteTable::new(page, none), out).await
    }
}

/// What to say instead of an empty table.
fn nothing_found(query: &RouteQuery) -> String {
    let mut what = match query.lookup {
        None => "no routes".to_owned(),
        Some(Lookup::Prefix(prefix)) if query.longer || query.shorter => {
            format!("no routes around {prefix}")
        }
        Some(Lookup::Prefix(prefix)) => format!("no route for exactly {prefix}"),
        Some(Lookup::Address(address)) => format!("no route leads to {address}"),
    };
    if let Some(peer) = &query.from {
        what += &format!(" from {peer}");
    }
    match &query.to {
        Some(peer) if query.withheld => what += &format!(" that {peer} is not told"),
        Some(peer) if !query.is_of_one() => what += &format!(" that {peer} is told"),
        _ => {}
    }
    let only = RouteQuery { from: None, to: None, ..query.clone() };
    if only.chooses_paths() || only.family.is_some() {
        what += " are like that";
    }
    what
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_named() {
        let none = |query: &RouteQuery| nothing_found(query);
        let to = RouteQuery { to: Some("gw0".to_owned()), ..RouteQuery::default() };
        assert_eq!(none(&to), "no routes that gw0 is told");
        assert_eq!(
            none(&RouteQuery { withheld: true, ..to.clone() }),
            "no routes that gw0 is not told"
        );
        let lookup = Some("10.0.0.0/8".parse().unwrap());
        assert_eq!(none(&RouteQuery { lookup, ..to }), "no route for exactly 10.0.0.0/8");
        let longer = RouteQuery { lookup, longer: true, through: vec![1], ..RouteQuery::default() };
        assert_eq!(none(&longer), "no routes around 10.0.0.0/8 are like that");
    }
}
