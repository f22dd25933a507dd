//! The control API: HTTP handlers that turn a request into a question to the daemon and its
//! answer into JSON.
//!
//! In flow requests of `bgpctl`, `curl`, Prometheus and the kubelet; out flow the types of
//! [`crate::api`], which states the paths and their rules. Whom the handlers ask is a [`Backend`]:
//! the running daemon, or a few values in memory for the tests. [`listen`] owns the sockets,
//! [`rows`] the tables that may be too big for memory.
//!
//! A handler never waits without end: what the backend has not answered in time becomes a 503, so
//! that a probe notices a stuck daemon instead of hanging on it.

pub(crate) mod accept;
mod change;
mod doctor;
mod events;
mod fib;
pub mod listen;
mod log;
mod mesh;
mod networks;
mod page;
pub mod rows;
mod steer;
pub(crate) mod unix;
mod why;

use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use ipnet::IpNet;
use starling_fib::types::Coupling;

pub use super::broadcast::Listener as Listening;
use crate::api::{
    ApiError, Applied, BfdSession, ChangeQuery, Diagnosis, EventQuery, FibAudit, FibCoupling,
    FibEntry, Generation, Live, LogFilter, Memory, MeshRow, Neighbor, Network, Node, Plan, Pod,
    Policy, PolicyQuery, PolicyTest, Proposal, Ready, ReloadResult, Route, RouteQuery, Steer,
    Summary, Terms, Version, Why, WhyQuery,
};
pub use listen::Listener;
pub use rows::{Rows, RowsSender};
pub use unix::ListenError;

/// How long a question may take. Snapshots take microseconds; seconds mean that an actor is stuck.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// How long a reload may take: it reads files and waits for every actor to have taken its part.
const RELOAD: Duration = Duration::from_secs(30);

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
    /// Announces `prefixes` too, or (not `add`) no more, all of them or none; what is originated
    /// then. [`Refusal::not_found`] where one to be deleted was never added.
    fn change_networks(
        &self,
        prefixes: Vec<IpNet>,
        add: bool,
    ) -> impl Future<Output = Result<Vec<Network>, Refusal>> + Send;
    /// Routes in order of prefix; [`Refusal::not_found`] where `query.from` is no neighbour.
    fn routes(
        &self,
        query: RouteQuery,
    ) -> impl Future<Output = Result<Rows<Route>, Refusal>> + Send;
    /// The nodes of the cluster, this one included.
    fn nodes(&self) -> impl Future<Output = Result<Vec<Node>, Refusal>> + Send;
    /// What each of them sees of the others; `ask`: they are asked.
    fn mesh(&self, ask: bool) -> impl Future<Output = Result<Vec<MeshRow>, Refusal>> + Send;
    /// What memory is used for.
    fn memory(&self) -> impl Future<Output = Result<Memory, Refusal>> + Send;
    /// Wanted against present, in order of prefix.
    fn fib(&self) -> impl Future<Output = Result<Rows<FibEntry>, Refusal>> + Send;
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
    /// Goes back to what was before what waits to be confirmed, or in force before, or to `query.to`, or (`query.dry`) only says what that would do;
    /// [`Refusal::not_found`] where there is no such configuration.
    fn rollback(&self, query: ChangeQuery)
    -> impl Future<Output = Result<Applied, Refusal>> + Send;
    /// The configurations that were in force, the newest first.
    fn generations(&self) -> Vec<Generation>;
    /// Reads the configuration again.
    fn reload(&self) -> impl Future<Output = Result<ReloadResult, Refusal>> + Send;
    /// Whether the node does its job.
    fn ready(&self) -> impl Future<Output = Result<Ready, Refusal>> + Send;
    /// Whether the actors still answer; a refusal asks the supervisor for a restart.
    fn live(&self) -> impl Future<Output = Result<(), Refusal>> + Send;
    /// The text of `/metrics` ([`crate::daemon::metrics`]).
    fn metrics(&self) -> impl Future<Output = Result<String, Refusal>> + Send;
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

/// Everything: for the Unix socket, which only root and its group can open.
pub fn router<B: Backend>(backend: B) -> Router {
    let session = [post(steer::down::<B>), post(steer::up::<B>), post(steer::refresh::<B>)];
    let traffic = [post(steer::drain::<B>), post(steer::undrain::<B>)];
    let originated = [post(networks::add::<B>), post(networks::delete::<B>)];
    routes(post(reload::<B>), session, traffic, originated, true)
        .route("/v1/why", get(why::any::<B>))
        .route("/v1/log", get(log::shown::<B>).post(log::set::<B>))
        .with_state(backend)
}

/// What changes nothing: for TCP, where anybody may call, and for the readers' socket.
pub fn read_only_router<B: Backend>(backend: B) -> Router {
    let refused = || post(only_on_the_unix_socket);
    let two = || [refused(), refused()];
    let three = [refused(), refused(), refused()];
    routes(refused(), three, two(), two(), false)
        .route("/", get(page::page))
        .route("/v1/why", get(why::one_way::<B>))
        .route("/v1/log", get(log::shown::<B>).post(only_on_the_unix_socket))
        .with_state(backend)
}

fn routes<B: Backend>(
    reload: MethodRouter<B>,
    [down, up, refresh]: [MethodRouter<B>; 3],
    [drain, undrain]: [MethodRouter<B>; 2],
    [add, delete]: [MethodRouter<B>; 2],
    may_change: bool,
) -> Router<B> {
    Router::new()
        .route("/v1/version", get(version::<B>))
        .route("/v1/summary", get(summary::<B>))
        .route("/v1/neighbors", get(neighbors::<B>))
        .route("/v1/neighbors/{name}", get(neighbor::<B>))
        .route("/v1/bfd", get(bfd::<B>))
        .route("/v1/neighbors/{name}/down", down)
        .route("/v1/neighbors/{name}/up", up)
        .route("/v1/neighbors/{name}/refresh", refresh)
        .route("/v1/neighbors/{name}/drain", drain)
        .route("/v1/neighbors/{name}/undrain", undrain)
        .route("/v1/networks", get(networks::all::<B>))
        .route("/v1/networks/add", add)
        .route("/v1/networks/delete", delete)
        .route("/v1/routes", get(routes_table::<B>))
        .route("/v1/nodes", get(nodes::<B>))
        .route("/v1/mesh", mesh::route::<B>(may_change))
        .route("/v1/memory", mesh::memory::<B>())
        .route("/v1/fib", get(fib_table::<B>))
        .merge(fib::routes(may_change))
        .route("/v1/events", get(events::stream::<B>))
        .merge(change::routes(may_change))
        .merge(steer::routes(may_change))
        .route("/v1/doctor", doctor::route::<B>(may_change))
        .route("/v1/pods", get(pods::<B>))
        .route("/v1/policies", get(policies::<B>))
        .route("/v1/policy/test", get(policy_test::<B>))
        .route("/v1/reload", reload)
        .route("/livez", get(live::<B>))
        .route("/readyz", get(ready::<B>))
        .route("/metrics", get(metrics::<B>))
        .fallback(unknown_path)
        // Of the routes above it only.
        .method_not_allowed_fallback(wrong_method)
}

// ---- Handlers -------------------------------------------------------------------------------

async fn version<B: Backend>(State(backend): State<B>, _: NoQuery) -> Response {
    json(StatusCode::OK, &backend.version())
}

async fn summary<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.summary()).await.map(|summary| json(StatusCode::OK, &summary))
}

async fn neighbors<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.neighbors()).await.map(|all| json(StatusCode::OK, &all))
}

async fn neighbor<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    let Path(name) = name.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    in_time(ANSWER, backend.neighbor(&name)).await.map(|one| json(StatusCode::OK, &one))
}

async fn bfd<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.bfd()).await.map(|sessions| json(StatusCode::OK, &sessions))
}

async fn routes_table<B: Backend>(
    State(backend): State<B>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(pairs) = pairs.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    let query = RouteQuery::from_pairs(&pairs).map_err(Refusal::bad_request)?;
    in_time(ANSWER, backend.routes(query)).await.map(rows::response)
}

async fn nodes<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.nodes()).await.map(|nodes| json(StatusCode::OK, &nodes))
}

async fn fib_table<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.fib()).await.map(rows::response)
}

async fn pods<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.pods()).await.map(rows::response)
}

async fn policies<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.policies()).await.map(|all| json(StatusCode::OK, &all))
}

async fn policy_test<B: Backend>(
    State(backend): State<B>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(pairs) = pairs.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    let query = PolicyQuery::from_pairs(&pairs).map_err(Refusal::bad_request)?;
    in_time(ANSWER, backend.policy_test(query)).await.map(|tests| json(StatusCode::OK, &tests))
}

async fn reload<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    let result = in_time(RELOAD, backend.reload()).await?;
    let status = if result.ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok(json(status, &result))
}

async fn live<B: Backend>(State(backend): State<B>) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.live()).await.map(|()| json(StatusCode::OK, &Live { live: true }))
}

async fn ready<B: Backend>(State(backend): State<B>) -> Result<Response, Refusal> {
    let ready = in_time(ANSWER, backend.ready()).await?;
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok(json(status, &ready))
}

async fn metrics<B: Backend>(State(backend): State<B>) -> Result<Response, Refusal> {
    let text = in_time(ANSWER, backend.metrics()).await?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

async fn only_on_the_unix_socket() -> Refusal {
    Refusal {
        status: StatusCode::FORBIDDEN,
        body: ApiError::new("nothing is changed here, where others than root may only look")
            .hint("use the control socket: `bgpctl` on the node, as root or a member of its group"),
    }
}

async fn unknown_path(uri: Uri) -> Refusal {
    Refusal::not_found(ApiError::new(format!("there is no `{}` here", uri.path())).hint(
        "known are /v1/{version,summary,neighbors,neighbors/NAME,bfd,networks,routes,nodes,mesh,\
         memory,fib,events,why,doctor,pods,policies,policy/test,log,reload,plan,apply,confirm,\
         rollback,generations}, /livez, /readyz and /metrics",
    ))
}

async fn wrong_method(uri: Uri) -> Refusal {
    let path = uri.path();
    let changes = ["/v1/reload", "/v1/plan", "/v1/apply", "/v1/confirm", "/v1/rollback"];
    let steers = changes.contains(&path)
        || path.starts_with("/v1/fib/")
        || [
            "/down", "/up", "/clear", "/refresh", "/resend", "/drain", "/undrain", "/add",
            "/delete",
        ]
        .iter()
        .any(|verb| path.ends_with(verb));
    let hint = if steers { "use POST" } else { "use GET" };
    Refusal {
        status: StatusCode::METHOD_NOT_ALLOWED,
        body: ApiError::new(format!("`{}` does not take this method", uri.path())).hint(hint),
    }
}

// ---- What they share ------------------------------------------------------------------------

pub(crate) async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| {
        Err(Refusal::unavailable(
            ApiError::new(format!("the daemon has not answered within {} s", limit.as_secs()))
                .hint("its log says whether it is busy or stuck; /livez answers 503 when stuck"),
        ))
    })
}

/// `value` as one line of JSON; the newline is for people with `curl`.
fn json<T: serde::Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(mut body) => {
            body.push(b'\n');
            (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
        }
        Err(e) => {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("cannot encode: {e}\n")).into_response()
        }
    }
}

/// Refuses a query where none is understood: answering the whole table to somebody who filtered
/// it would be a lie. Not used for probes and metrics, to which callers add parameters at will.
struct NoQuery;

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<NoQuery, Refusal> {
        match parts.uri.query() {
            None | Some("") => Ok(NoQuery),
            Some(query) => Err(Refusal::bad_request(
                ApiError::new(format!("`{}` takes no query, got `{query}`", parts.uri.path()))
                    .hint("/v1/routes takes one (prefix=, from=, to=, …), /v1/why and /v1/policy/test do too"),
            )),
        }
    }
}
