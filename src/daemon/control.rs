//! The control API: HTTP handlers that turn a request into a question to the daemon and its
//! answer into JSON.
//!
//! In flow requests of `bgpctl`, `curl`, Prometheus and the kubelet; out flow the types of
//! [`crate::api`], which states the paths and their rules. Whom the handlers ask is a [`Backend`]:
//! the running daemon, or a few values in memory for the tests; what asks for a change has files of
//! its own beside this one, as have the longer answers. [`listen`] owns the sockets,
//! [`rows`] the tables that may be too big for memory.
//!
//! A handler never waits without end: what the backend has not answered in time becomes a 503, so
//! that a probe notices a stuck daemon instead of hanging on it.

pub(crate) mod accept;
mod backend;
mod change;
mod doctor;
mod events;
mod fib;
pub mod listen;
mod log;
mod mesh;
pub mod mrt;
mod networks;
mod openapi;
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
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};

pub use super::broadcast::Listener as Listening;
pub use super::metrics::Form;
use crate::api::change::reason;
use crate::api::{
    ApiError, FibQuery, InterfaceQuery, Live, NeighborQuery, NexthopQuery, PolicyQuery, RouteQuery,
    Summary, SummaryQuery,
};
pub use backend::{Backend, Refusal};
pub use listen::Listener;
pub use rows::{Rows, RowsSender};
pub use unix::ListenError;

/// How long a question may take. Snapshots take microseconds; seconds mean that an actor is stuck.
pub(crate) const ANSWER: Duration = Duration::from_secs(10);

/// How long a reload may take: it reads files and waits for every actor to have taken its part.
const RELOAD: Duration = Duration::from_secs(30);

/// Everything: for the Unix socket, which only root and its group can open.
pub fn router<B: Backend>(backend: B) -> Router {
    let session = [post(steer::down::<B>), post(steer::up::<B>), post(steer::refresh::<B>)];
    let traffic = [post(steer::drain::<B>), post(steer::undrain::<B>)];
    routes(post(reload::<B>), session, traffic, true)
        .route("/v1/why", get(why::any::<B>))
        .route("/v1/log", get(log::shown::<B>).post(log::set::<B>))
        .with_state(backend)
}

/// What changes nothing: for TCP, where anybody may call, and for the readers' socket.
pub fn read_only_router<B: Backend>(backend: B) -> Router {
    let refused = || post(only_on_the_unix_socket);
    let two = || [refused(), refused()];
    let three = [refused(), refused(), refused()];
    routes(refused(), three, two(), false)
        .route("/", get(page::page))
        .route("/v1/why", get(why::one_way::<B>))
        .route("/v1/log", get(log::shown::<B>).post(only_on_the_unix_socket))
        .with_state(backend)
}

fn routes<B: Backend>(
    reload: MethodRouter<B>,
    [down, up, refresh]: [MethodRouter<B>; 3],
    [drain, undrain]: [MethodRouter<B>; 2],
    may_change: bool,
) -> Router<B> {
    Router::new()
        .route("/v1/version", get(version::<B>))
        .route("/v1/openapi.json", get(openapi::document))
        .route("/v1/summary", get(summary::<B>))
        .route("/v1/neighbors", get(neighbors::<B>))
        .route("/v1/neighbors/{name}", get(neighbor::<B>))
        .route("/v1/bfd", get(bfd::<B>))
        .route("/v1/neighbors/{name}/down", down)
        .route("/v1/neighbors/{name}/up", up)
        .route("/v1/neighbors/{name}/refresh", refresh)
        .route("/v1/neighbors/{name}/drain", drain)
        .route("/v1/neighbors/{name}/undrain", undrain)
        .merge(networks::routes(may_change))
        .route("/v1/routes", get(routes_table::<B>))
        .route("/v1/mrt", get(mrt::table::<B>))
        .route("/v1/nodes", get(nodes::<B>))
        .route("/v1/mesh", mesh::route::<B>(may_change))
        .route("/v1/memory", mesh::memory::<B>())
        .route("/v1/nexthops", get(nexthops::<B>))
        .route("/v1/interfaces", get(interfaces::<B>))
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

async fn summary<B: Backend>(State(backend): State<B>, pairs: Pairs) -> Result<Response, Refusal> {
    let query = SummaryQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)?;
    let mut summary: Summary = in_time(ANSWER, backend.summary()).await?;
    summary.peers.retain(|peer| query.takes(peer));
    Ok(json(StatusCode::OK, &summary))
}

async fn neighbors<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    let query = NeighborQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)?;
    let chosen = query.choose(in_time(ANSWER, backend.neighbors()).await?);
    Ok(json(StatusCode::OK, &chosen.map_err(Refusal::not_found)?))
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
    pairs: Pairs,
) -> Result<Response, Refusal> {
    let query = RouteQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)?;
    in_time(ANSWER, backend.routes(query)).await.map(rows::response)
}

async fn nodes<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.nodes()).await.map(|nodes| json(StatusCode::OK, &nodes))
}

async fn nexthops<B: Backend>(State(backend): State<B>, pairs: Pairs) -> Result<Response, Refusal> {
    let query = NexthopQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)?;
    in_time(ANSWER, backend.nexthops(query)).await.map(|all| json(StatusCode::OK, &all))
}

async fn interfaces<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    let query = InterfaceQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)?;
    in_time(ANSWER, backend.interfaces(query)).await.map(|all| json(StatusCode::OK, &all))
}

async fn fib_table<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    let query = FibQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)?;
    in_time(ANSWER, backend.fib(query)).await.map(rows::response)
}

async fn pods<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.pods()).await.map(rows::response)
}

async fn policies<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.policies()).await.map(|all| json(StatusCode::OK, &all))
}

async fn policy_test<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    let query = PolicyQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)?;
    in_time(ANSWER, backend.policy_test(query)).await.map(|tests| json(StatusCode::OK, &tests))
}

async fn reload<B: Backend>(State(backend): State<B>, pairs: Pairs) -> Result<Response, Refusal> {
    let reason = reason(&steer::reason(pairs)?).map_err(Refusal::bad_request)?;
    let result = in_time(RELOAD, backend.reload(reason)).await?;
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

async fn metrics<B: Backend>(
    State(backend): State<B>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let form = Form::wanted(accept);
    let text = in_time(ANSWER, backend.metrics(form)).await?;
    Ok(([(header::CONTENT_TYPE, form.content_type())], text).into_response())
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
        "known are /v1/{version,openapi.json,summary,neighbors,neighbors/NAME,bfd,networks,routes,nexthops,\
         interfaces,mrt,nodes,mesh,memory,fib,events,why,doctor,pods,policies,policy/test,log,reload,plan,apply,confirm,\
         rollback,generations}, /livez, /readyz and /metrics",
    ))
}

async fn wrong_method(uri: Uri) -> Refusal {
    let path = uri.path();
    let changes = ["/v1/reload", "/v1/plan", "/v1/apply", "/v1/confirm", "/v1/rollback"];
    let steers = changes.contains(&path)
        || path.starts_with("/v1/fib/")
        || [
            "/down",
            "/up",
            "/clear",
            "/refresh",
            "/resend",
            "/drain",
            "/undrain",
            "/add",
            "/delete",
            "/networks/flush",
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

/// A query, as axum has it.
type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

/// The pairs of a query.
fn decoded(pairs: Pairs) -> Result<Vec<(String, String)>, Refusal> {
    match pairs {
        Ok(Query(pairs)) => Ok(pairs),
        Err(e) => Err(Refusal::bad_request(ApiError::new(e.body_text()))),
    }
}

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
