//! Handlers of what the operator does to the kernel's routes as a whole.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use starling_fib::types::Coupling;

use super::{ANSWER, Backend, NoQuery, Refusal, in_time, json, only_on_the_unix_socket};

/// An audit reads the kernel's whole table, in parts, beside everything else.
const AUDIT: Duration = Duration::from_secs(120);

/// `/v1/fib/…`; where nothing may be changed, the refusals.
pub(super) fn routes<B: Backend>(may_change: bool) -> Router<B> {
    let verbs = [
        ("/v1/fib/couple", post(couple::<B>)),
        ("/v1/fib/decouple", post(decouple::<B>)),
        ("/v1/fib/flush", post(flush::<B>)),
        ("/v1/fib/audit", post(audit::<B>)),
    ];
    verbs.into_iter().fold(Router::new(), |router, (path, handler)| {
        router.route(path, if may_change { handler } else { post(only_on_the_unix_socket) })
    })
}

async fn couple<B: Backend>(backend: State<B>, _: NoQuery) -> Result<Response, Refusal> {
    steer(backend, Coupling::Coupled).await
}

async fn decouple<B: Backend>(backend: State<B>, _: NoQuery) -> Result<Response, Refusal> {
    steer(backend, Coupling::Decoupled).await
}

async fn flush<B: Backend>(backend: State<B>, _: NoQuery) -> Result<Response, Refusal> {
    steer(backend, Coupling::Flushed).await
}

async fn audit<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(AUDIT, backend.audit()).await.map(|came_to| json(StatusCode::OK, &came_to))
}

async fn steer<B: Backend>(State(backend): State<B>, to: Coupling) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.couple(to)).await.map(|stands| json(StatusCode::OK, &stands))
}
