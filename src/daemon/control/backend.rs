//! Whom the handlers of the control API ask, and how it says no.
//!
//! The running daemon is one ([`crate::daemon::view`]); the tests have another, of a few values in
//! memory.

use std::future::Future;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use starling_fib::types::Coupling;

use super::mrt::Pieces;
use super::{Form, Listening, Rows, json};
use crate::api::{
    ApiError, Applied, BfdSession, ChangeQuery, Diagnosis, EventQuery, FibAudit, FibCoupling,
    FibEntry, FibQuery, Generation, Interface, InterfaceQuery, LogFilter, Memory, MeshRow,
    Neighbor, Network, NetworkChange, Nexthop, NexthopQuery, Node, Plan, Pod, Policy, PolicyQuery,
    PolicyTest, Proposal, Ready, ReloadResult, Route, RouteQuery, Steer, Summary, Terms, Version,
    Why, WhyQuery,
};

/// Whom the handlers ask. Every method must be cheap for the route path: a snapshot, or one
/// message to an actor. Dropping a returned future (or the [`Rows`]) gives the question up.
pub trait Backend: Clone + Send + Sync + 'static {
    /// The program that runs.
    fn version(&self) -> Version {
        Version::this()
    }
    /// The node's name.
    fn node(&self) -> String;
    /// The node and its sessions at a glance.
    fn summary(&self) -> impl Future<Output = Result<Summary, Refusal>> + Send;
    /// BFD with the neighbours for which it is on.
    fn bfd(&self) -> impl Future<Output = Result<Vec<BfdSession>, Refusal>> + Send;
    /// All neighbours.
    fn neighbors(&self) -> impl Future<Output = Result<Vec<Neighbor>, Refusal>> + Send;
    /// The neighbour of this name or address; [`Refusal::not_found`] where there is none.
    fn neighbor(&self, name: &str) -> impl Future<Output = Result<Neighbor, Refusal>> + Send;
    /// Ends the session with a neighbour, with these words for it, until it is let up again; or
    /// lets it up; or takes traffic off it; or asks it for its routes again. As the neighbour is
    /// then; [`Refusal::not_found`] where there is none, [`Refusal::conflict`] where it cannot be
    /// asked.
    fn steer(
        &self,
        name: &str,
        to: Steer,
    ) -> impl Future<Output = Result<Neighbor, Refusal>> + Send;
    /// What this node originates, in order of prefix.
    fn networks(&self) -> impl Future<Output = Result<Vec<Network>, Refusal>> + Send;
    /// Announces more or less on the operator's wish; what is originated then.
    /// [`Refusal::not_found`] where one to be deleted was never added.
    fn change_networks(
        &self,
        change: NetworkChange,
    ) -> impl Future<Output = Result<Vec<Network>, Refusal>> + Send;
    /// Routes in order of prefix; [`Refusal::not_found`] where `query.from` is no neighbour.
    fn routes(
        &self,
        query: RouteQuery,
    ) -> impl Future<Output = Result<Rows<Route>, Refusal>> + Send;
    /// The table in MRT's form, whole records in order.
    fn mrt(&self) -> impl Future<Output = Result<Pieces, Refusal>> + Send;
    /// The nodes of the cluster, this one included.
    fn nodes(&self) -> impl Future<Output = Result<Vec<Node>, Refusal>> + Send;
    /// What each of them sees of the others; `ask`: they are asked.
    fn mesh(&self, ask: bool) -> impl Future<Output = Result<Vec<MeshRow>, Refusal>> + Send;
    /// What memory is used for.
    fn memory(&self) -> impl Future<Output = Result<Memory, Refusal>> + Send;
    /// The next hops that accepted paths name, in order of addresses.
    fn nexthops(
        &self,
        query: NexthopQuery,
    ) -> impl Future<Output = Result<Vec<Nexthop>, Refusal>> + Send;
    /// The interfaces, in order of their numbers; [`Refusal::not_found`] where there is none of
    /// that name.
    fn interfaces(
        &self,
        query: InterfaceQuery,
    ) -> impl Future<Output = Result<Vec<Interface>, Refusal>> + Send;
    /// Wanted against present, in order of prefix.
    fn fib(&self, query: FibQuery) -> impl Future<Output = Result<Rows<FibEntry>, Refusal>> + Send;
    /// Listens to what happens from now on; `query.peers` are names or addresses.
    /// [`Refusal::not_found`] where one is no neighbour, [`Refusal::unavailable`] where too many
    /// listen.
    fn events(&self, query: EventQuery) -> impl Future<Output = Result<Listening, Refusal>> + Send;
    /// Has the kernel follow what is wanted, or not, or gives it up; how it stands then.
    fn couple(&self, to: Coupling) -> impl Future<Output = Result<FibCoupling, Refusal>> + Send;
    /// Why an address is reached or not; `both`: the other end is asked too, over the network.
    fn why(&self, query: WhyQuery) -> impl Future<Output = Result<Why, Refusal>> + Send;
    /// Has the kernel's table compared with what should be in it.
    fn audit(&self) -> impl Future<Output = Result<FibAudit, Refusal>> + Send;
    /// What breaks such networks, looked for on this node; `ask`: other nodes are asked as well.
    fn doctor(&self, ask: bool) -> impl Future<Output = Result<Diagnosis, Refusal>> + Send;
    /// The pods of this node, in order of addresses.
    fn pods(&self) -> impl Future<Output = Result<Rows<Pod>, Refusal>> + Send;
    /// The policies that are asked here, by name.
    fn policies(&self) -> impl Future<Output = Result<Vec<Policy>, Refusal>> + Send;
    /// Which rules decide about a route; [`Refusal::not_found`] where there is none to judge.
    fn policy_test(
        &self,
        query: PolicyQuery,
    ) -> impl Future<Output = Result<Vec<PolicyTest>, Refusal>> + Send;
    /// What is logged.
    fn log(&self) -> LogFilter;
    /// Has this logged from now on; [`Refusal::bad_request`] where it cannot be understood.
    fn set_log(&self, filter: &str) -> Result<LogFilter, Refusal>;
    /// What a file would do in the place of the configuration's.
    fn plan(&self, proposal: Proposal) -> impl Future<Output = Result<Plan, Refusal>> + Send;
    /// Applies it. [`Refusal::conflict`] while another change waits to be confirmed.
    fn apply(
        &self,
        proposal: Proposal,
        terms: Terms,
    ) -> impl Future<Output = Result<Applied, Refusal>> + Send;
    /// Keeps what waits to be confirmed, or (`dry`) only says which files will have to be written;
    /// [`Refusal::conflict`] where nothing waits.
    fn confirm(&self, dry: bool) -> impl Future<Output = Result<Applied, Refusal>> + Send;
    /// Goes back to what was before what waits to be confirmed, or in force before, or to
    /// `query.to`, or (`query.dry`) only says what that would do; [`Refusal::not_found`] where there is no such configuration.
    fn rollback(&self, query: ChangeQuery)
    -> impl Future<Output = Result<Applied, Refusal>> + Send;
    /// The configurations that were in force, the newest first.
    fn generations(&self) -> Vec<Generation>;
    /// Reads the configuration again, for that reason, which may be empty.
    fn reload(&self, reason: String) -> impl Future<Output = Result<ReloadResult, Refusal>> + Send;
    /// Whether the node does its job.
    fn ready(&self) -> impl Future<Output = Result<Ready, Refusal>> + Send;
    /// Whether the actors still answer; a refusal asks the supervisor for a restart.
    fn live(&self) -> impl Future<Output = Result<(), Refusal>> + Send;
    /// The text of `/metrics` ([`crate::daemon::metrics`]).
    fn metrics(&self, form: Form) -> impl Future<Output = Result<String, Refusal>> + Send;
}

/// An answer that is none, with its HTTP status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// 4xx or 5xx.
    pub status: StatusCode,
    /// What is wrong and what to do.
    pub body: ApiError,
}

impl Refusal {
    /// 400: the question makes no sense.
    pub fn bad_request(body: ApiError) -> Refusal {
        Refusal { status: StatusCode::BAD_REQUEST, body }
    }

    /// 404: what is asked for does not exist.
    pub fn not_found(body: ApiError) -> Refusal {
        Refusal { status: StatusCode::NOT_FOUND, body }
    }

    /// 409: not as things stand.
    pub fn conflict(body: ApiError) -> Refusal {
        Refusal { status: StatusCode::CONFLICT, body }
    }

    /// 503: the daemon cannot answer now.
    pub fn unavailable(body: ApiError) -> Refusal {
        Refusal { status: StatusCode::SERVICE_UNAVAILABLE, body }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        json(self.status, &self.body)
    }
}
