//! `bgpctl show`: what can be shown, and which document or table answers.

use std::io::Write;
use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};
use clap_complete::ArgValueCompleter;

use super::cli::{Cli, lookup, words};
use super::client::{self, Client, Failure};
use super::neighbors::{self, Neighbors};
use super::render::{self, Page};
use super::routes::{self, Routes};
use super::{change, complete, document, table};
use crate::api::{
    ApiError, BfdSession, FibEntry, FibQuery, Interface, InterfaceQuery, KernelState, Lookup,
    Memory, MeshRow, Nexthop, NexthopQuery, Node, Pod, Policy, Summary, SummaryQuery, select,
};

/// What to show.
#[derive(Subcommand, Clone, PartialEq, Eq, Debug)]
pub enum Show {
    /// The sessions at a glance; for one that is not up, why.
    Summary(Sessions),
    /// Everything about the neighbours, or about one.
    #[command(alias = "neighbours")]
    Neighbors(Neighbors),
    /// Routes: where they lead, how that is reached, why they are best, what the kernel says.
    #[command(alias = "rib")]
    Routes(Box<Routes>),
    /// The next hops of routes: how each is reached, and by which routes and neighbours it is used.
    Nexthops {
        /// Only this one, with all of its routes.
        #[arg(value_name = "ADDR")]
        address: Option<IpAddr>,
    },
    /// The interfaces as the daemon knows them: state, addresses, and who uses each.
    Interfaces {
        /// Only this one, with all neighbours.
        #[arg(add = ArgValueCompleter::new(complete::interfaces))]
        name: Option<String>,
    },
    /// The pods of this node: on which interface, announced or why not.
    Pods,
    /// The policies of this node, rule by rule, and where each is asked.
    Policies,
    /// BFD with the neighbours: state, negotiated times, packets, what was lost.
    Bfd,
    /// The nodes of the cluster: rack mate or tunnelled, and why.
    Nodes,
    /// Who sees whom: each node's word on all others, as far as they answer over [http] listen.
    Mesh,
    /// What the daemon's memory is used for.
    Memory,
    /// What the kernel should hold against what it holds.
    Fib(Kernel),
    /// The daemon's metrics, in OpenMetrics' own form (also with --json).
    Metrics,
    /// The configurations that were in force, the newest first: since when, by whom, their digests.
    Generations,
}

/// Which sessions.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Sessions {
    /// Only sessions that stand, or only those that do not.
    pub state: Option<Standing>,
    /// Only neighbours in this AS.
    #[arg(long = "as", value_name = "ASN")]
    pub asn: Option<u32>,
}

/// Whether a session stands.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It does.
    #[value(alias = "up")]
    Established,
    /// It does not.
    #[value(alias = "down")]
    Failed,
}

/// Which of the kernel's routes.
#[derive(Args, Clone, PartialEq, Eq, Debug)]
pub struct Kernel {
    /// Exactly this prefix, or the longest one that this address is in.
    #[arg(
        value_name = "PREFIX|ADDR",
        value_parser = lookup,
        add = ArgValueCompleter::new(complete::prefixes)
    )]
    pub lookup: Option<Lookup>,
    /// Only those that stand so: installed, pending, refused, occupied, unresolved, out, stale; may
    /// be repeated.
    #[arg(
        long,
        value_name = "STATE",
        value_parser = state,
        add = ArgValueCompleter::new(complete::kernel_states)
    )]
    pub state: Vec<KernelState>,
}

fn state(text: &str) -> Result<KernelState, String> {
    select::kernel_state(text).map_err(words)
}

impl Show {
    /// Whether the daemon answers with rows, not with one document.
    pub(super) fn is_of_rows(&self) -> bool {
        matches!(self, Show::Routes(_) | Show::Pods | Show::Fib(_))
    }
}

/// Shows it.
///
/// # Errors
/// As [`super::run`].
pub(super) async fn run<W: Write>(
    cli: &Cli,
    client: &Client,
    page: &Page,
    show: &Show,
    out: &mut W,
) -> Result<u8, Failure> {
    match show {
        Show::Generations => return change::generations(cli, client, page, out).await,
        Show::Summary(Sessions { state, asn }) => {
            let established = state.map(|state| state == Standing::Established);
            let query = SummaryQuery { established, asn: *asn };
            let path = client::with_query("/v1/summary", &query.to_pairs());
            document::<Summary, _>(cli, client, &path, out, |summary, out| {
                render::summary(page, summary, out)
            })
            .await?;
        }
        Show::Neighbors(which) => {
            let meant = which.meant().map_err(|why| Failure::Refused(ApiError::new(why)))?;
            neighbors::run(cli, client, page, meant, out).await?;
        }
        Show::Nexthops { address } => {
            let query = NexthopQuery { address: *address };
            let path = client::with_query("/v1/nexthops", &query.to_pairs());
            document::<Vec<Nexthop>, _>(cli, client, &path, out, |all, out| {
                render::nexthops(page, all, out)
            })
            .await?;
        }
        Show::Interfaces { name } => {
            let query = InterfaceQuery { name: name.clone() };
            let path = client::with_query("/v1/interfaces", &query.to_pairs());
            document::<Vec<Interface>, _>(cli, client, &path, out, |all, out| {
                render::interfaces(page, all, out)
            })
            .await?;
        }
        Show::Bfd => {
            document::<Vec<BfdSession>, _>(cli, client, "/v1/bfd", out, |sessions, out| {
                render::bfd(page, sessions, out)
            })
            .await?;
        }
        Show::Nodes => {
            document::<Vec<Node>, _>(cli, client, "/v1/nodes", out, |nodes, out| {
                render::nodes(page, nodes, out)
            })
            .await?;
        }
        Show::Mesh => {
            document::<Vec<MeshRow>, _>(cli, client, "/v1/mesh", out, |rows, out| {
                render::mesh(page, rows, out)
            })
            .await?;
        }
        Show::Memory => {
            document::<Memory, _>(cli, client, "/v1/memory", out, |memory, out| {
                render::memory(page, memory, out)
            })
            .await?;
        }
        Show::Policies => {
            document::<Vec<Policy>, _>(cli, client, "/v1/policies", out, |policies, out| {
                render::policies(page, policies, out)
            })
            .await?;
        }
        Show::Routes(which) => routes::run(cli, client, page, which, out).await?,
        Show::Pods => {
            let rows = client.rows("/v1/pods").await?;
            table::<Pod>(cli, rows, &mut render::PodTable::new(page), out).await?;
        }
        Show::Fib(Kernel { lookup, state }) => {
            let query = FibQuery { lookup: *lookup, states: state.clone() };
            let none = match query == FibQuery::default() {
                true => "no routes wanted, none of ours present",
                false => "no route wanted or present is like that",
            };
            let rows = client.rows(&client::with_query("/v1/fib", &query.to_pairs())).await?;
            table::<FibEntry>(cli, rows, &mut render::FibTable::new(page, none), out).await?;
        }
        Show::Metrics if cli.watch.is_some() && cli.json => {
            let refusal = ApiError::new("metrics are text, which is no line of JSON");
            return Err(Failure::Refused(refusal.hint("`bgpctl show memory`, `show summary`")));
        }
        Show::Metrics => {
            let text = client.document("/metrics").await?;
            out.write_all(&text).map_err(Failure::Output)?;
        }
    }
    Ok(0)
}
