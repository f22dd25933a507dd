//! What the daemon shows: answers to the control API, asked of the actors when they are asked of
//! us.
//!
//! Nothing is stored for it. Neighbours, Rib and Fib are each asked by message, in pieces so
//! small that routing does not notice; a slow reader slows its own answer alone.

mod bfd;
mod change;
mod changes;
mod doctor;
mod events;
mod fib;
mod filter;
mod groups;
mod interfaces;
mod memory;
mod mesh;
mod metrics;
mod mrt;
mod neighbors;
mod networks;
mod nexthops;
mod nodes;
mod pods;
mod policies;
mod reached;
mod ready;
mod routes;
mod table;
mod why;

use std::sync::Arc;

use starling_bgp::types::Time;
use starling_fib::types::Coupling;
use tokio::sync::{Mutex, mpsc, watch};

use super::bfd::BfdHandle;
use super::broadcast::{Broadcast, Listener};
use super::callers::Callers;
use super::clock::Clock;
use super::control::mrt::Pieces;
use super::control::{Backend, Refusal, Rows};
use super::delays::Delays;
use super::fib::FibHandle;
use super::log::Log;
use super::metrics::Form;
use super::metrics::ledger::Ledger;
use super::rib::RibHandle;
use super::roster::{Request, Roster};
use crate::api::{
    ApiError, Applied, BfdSession, ChangeQuery, Diagnosis, EventQuery, FibAudit, FibCoupling,
    FibEntry, FibQuery, Generation, Interface, InterfaceQuery, LogFilter, Memory, MeshRow,
    Neighbor, Network, NetworkChange, Nexthop, NexthopQuery, Node, PeerSummary, Plan, Pod, Policy,
    PolicyQuery, PolicyTest, Proposal, RangeSummary, Ready, ReloadResult, Route, RouteQuery, Steer,
    Summary, Terms, Why, WhyQuery,
};

/// The daemon, as the control API sees it.
#[derive(Clone, Debug)]
pub struct View {
    clock: Clock,
    roster: watch::Receiver<Roster>,
    rib: RibHandle,
    fib: FibHandle,
    bfd: BfdHandle,
    broadcast: Broadcast,
    callers: Callers,
    supervisor: mpsc::Sender<Request>,
    log: Log,
    /// Held while the operator's networks change.
    networks: Arc<Mutex<()>>,
    examination: doctor::Last,
    delays: Delays,
    ledger: Arc<std::sync::Mutex<Ledger>>,
}

/// Whom a view asks.
#[derive(Clone, Debug)]
pub struct Actors {
    /// Routes.
    pub rib: RibHandle,
    /// The kernel's side.
    pub fib: FibHandle,
    /// Liveness.
    pub bfd: BfdHandle,
    /// What they tell while somebody listens.
    pub broadcast: Broadcast,
    /// How long they take.
    pub delays: Delays,
}

impl View {
    /// A view of these.
    pub fn new(
        clock: Clock,
        roster: watch::Receiver<Roster>,
        Actors { rib, fib, bfd, broadcast, delays }: Actors,
        callers: Callers,
        supervisor: mpsc::Sender<Request>,
        log: Log,
    ) -> View {
        let (networks, examination, ledger) = Default::default();
        View {
            clock,
            roster,
            rib,
            fib,
            bfd,
            broadcast,
            callers,
            supervisor,
            log,
            networks,
            examination,
            delays,
            ledger,
        }
    }

    fn roster(&self) -> Roster {
        self.roster.borrow().clone()
    }

    fn seconds_since(&self, then: Time) -> u64 {
        self.clock.now().since(then).as_secs()
    }

    /// With what neighbours have said of themselves.
    async fn summary_with(
        &self,
        roster: &Roster,
        peers: Vec<PeerSummary>,
    ) -> Result<Summary, Refusal> {
        Ok(Summary {
            node: roster.plan.name.clone(),
            asn: roster.plan.asn.0,
            router_id: roster.plan.router_id,
            uptime_s: self.seconds_since(Time::ZERO),
            generation: roster.generation,
            reloaded_s: self.seconds_since(roster.since),
            digest: roster.digest.to_string(),
            config_file: std::path::absolute(&roster.file).unwrap_or_else(|_| roster.file.clone()),
            confirm_s: roster.unconfirmed.map(|until| self.seconds_until(until)),
            recovering: self.fib.ask(|fib| fib.leftovers().next().is_some()).await.unwrap_or(false),
            resident: Some(crate::daemon::memory::resident()),
            ready: self.readiness(roster, &peers).await?,
            ranges: ranges(roster),
            neighbors: peers.len() as u64,
            peers,
            rivals: self.rivals().await?,
            refused_connections: self.callers.refused(),
        })
    }

    /// Rounded up: what is not over has a second yet.
    fn seconds_until(&self, then: Time) -> u64 {
        then.since(self.clock.now()).as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
    }
}

/// The ranges, with how many neighbours of each there are.
fn ranges(roster: &Roster) -> Vec<RangeSummary> {
    let of = |net| roster.peers.iter().filter(|(plan, _)| plan.range == Some(net)).count();
    let ranges = roster.plan.ranges.iter();
    ranges
        .map(|range| RangeSummary {
            name: range.name.clone(),
            range: range.range.net,
            asns: range.range.asns.to_string(),
            neighbors: of(range.range.net),
            limit: range.range.limit,
        })
        .collect()
}

/// An actor that does not answer has ended: the daemon is stopping.
fn stopping() -> Refusal {
    Refusal::unavailable(ApiError::new("the daemon is stopping"))
}

/// A neighbour that is asked for and not there.
fn no_such_neighbor(name: &str, roster: &Roster) -> Refusal {
    let names: Vec<&str> = roster.peers.iter().map(|(plan, _)| plan.name.as_str()).collect();
    let hint = match names.len() {
        0 => "no neighbour is configured".to_owned(),
        1..=20 => format!("known are {}", names.join(", ")),
        n => format!("{n} are known: `bgpctl show summary` lists them"),
    };
    Refusal::not_found(ApiError::new(format!("no neighbour is called `{name}`")).hint(hint))
}

impl Backend for View {
    fn node(&self) -> String {
        self.roster.borrow().plan.name.clone()
    }

    async fn summary(&self) -> Result<Summary, Refusal> {
        let roster = self.roster();
        let peers = self.peer_summaries(&roster).await?;
        self.summary_with(&roster, peers).await
    }

    async fn bfd(&self) -> Result<Vec<BfdSession>, Refusal> {
        let roster = self.roster();
        Ok(self.bfd_sessions(&roster).await)
    }

    async fn neighbors(&self) -> Result<Vec<Neighbor>, Refusal> {
        let roster = self.roster();
        self.all_neighbors(&roster).await
    }

    async fn neighbor(&self, name: &str) -> Result<Neighbor, Refusal> {
        let roster = self.roster();
        let all = self.all_neighbors(&roster).await?;
        let called = |n: &Neighbor| n.summary.name == name || n.summary.place() == name;
        all.into_iter().find(called).ok_or_else(|| no_such_neighbor(name, &roster))
    }

    async fn steer(&self, name: &str, to: Steer) -> Result<Neighbor, Refusal> {
        self.steered(name, to).await
    }

    async fn networks(&self) -> Result<Vec<Network>, Refusal> {
        self.all_networks().await
    }

    async fn change_networks(&self, change: NetworkChange) -> Result<Vec<Network>, Refusal> {
        self.changed_networks(change).await
    }

    async fn routes(&self, query: RouteQuery) -> Result<Rows<Route>, Refusal> {
        self.route_rows(query).await
    }

    async fn mrt(&self) -> Result<Pieces, Refusal> {
        self.dumped().await
    }

    async fn nodes(&self) -> Result<Vec<Node>, Refusal> {
        self.all_nodes().await
    }

    async fn mesh(&self, ask: bool) -> Result<Vec<MeshRow>, Refusal> {
        self.meshed(ask).await
    }

    async fn memory(&self) -> Result<Memory, Refusal> {
        self.memory_used().await
    }

    async fn nexthops(&self, query: NexthopQuery) -> Result<Vec<Nexthop>, Refusal> {
        self.all_nexthops(query).await
    }

    async fn interfaces(&self, query: InterfaceQuery) -> Result<Vec<Interface>, Refusal> {
        self.all_interfaces(query).await
    }

    async fn fib(&self, query: FibQuery) -> Result<Rows<FibEntry>, Refusal> {
        Ok(self.fib_rows(query))
    }

    async fn events(&self, query: EventQuery) -> Result<Listener, Refusal> {
        self.listened(query)
    }

    async fn couple(&self, to: Coupling) -> Result<FibCoupling, Refusal> {
        self.coupled(to).await
    }

    async fn why(&self, query: WhyQuery) -> Result<Why, Refusal> {
        self.why_of(query).await
    }

    async fn audit(&self) -> Result<FibAudit, Refusal> {
        self.audited().await
    }

    async fn doctor(&self, ask: bool) -> Result<Diagnosis, Refusal> {
        self.examined(ask).await
    }

    async fn pods(&self) -> Result<Rows<Pod>, Refusal> {
        Ok(self.pod_rows())
    }

    async fn policies(&self) -> Result<Vec<Policy>, Refusal> {
        Ok(self.all_policies())
    }

    async fn policy_test(&self, query: PolicyQuery) -> Result<Vec<PolicyTest>, Refusal> {
        self.tested(query).await
    }

    fn log(&self) -> LogFilter {
        LogFilter { filter: self.log.filter() }
    }

    fn set_log(&self, filter: &str) -> Result<LogFilter, Refusal> {
        self.log.set(filter).map_err(|error| {
            let hint = "levels are error, warn, info, debug, trace, off";
            Refusal::bad_request(ApiError::new(error).hint(hint))
        })?;
        tracing::info!("the operator has `{}` logged", self.log.filter());
        Ok(Backend::log(self))
    }

    async fn plan(&self, proposal: Proposal) -> Result<Plan, Refusal> {
        self.supervised(|answer| Request::Plan(proposal, answer)).await
    }

    async fn apply(&self, proposal: Proposal, terms: Terms) -> Result<Applied, Refusal> {
        self.supervised(|answer| Request::Apply(proposal, terms, answer)).await
    }

    async fn confirm(&self, dry: bool) -> Result<Applied, Refusal> {
        self.supervised(|answer| Request::Confirm { dry, answer }).await
    }

    async fn rollback(&self, query: ChangeQuery) -> Result<Applied, Refusal> {
        self.supervised(|answer| Request::RollBack { query, answer }).await
    }

    fn generations(&self) -> Vec<Generation> {
        self.all_generations()
    }

    async fn reload(&self, reason: String) -> Result<ReloadResult, Refusal> {
        self.supervised(|answer| Request::Reload { reason, answer }).await
    }

    async fn ready(&self) -> Result<Ready, Refusal> {
        let roster = self.roster();
        let peers = self.peer_summaries(&roster).await?;
        self.readiness(&roster, &peers).await
    }

    async fn live(&self) -> Result<(), Refusal> {
        let rib = self.rib.ask(|_| ()).await;
        let fib = self.fib.ask(|_| ()).await;
        rib.and(fib).ok_or_else(stopping)
    }

    async fn metrics(&self, form: Form) -> Result<String, Refusal> {
        let text = self.scraped().await?.text(form);
        text.map_err(|error| Refusal::unavailable(ApiError::new(error.to_string())))
    }
}
