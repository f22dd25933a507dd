//! The handlers of what concerns the mesh as a whole, and of memory.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::{ANSWER, Backend, NoQuery, in_time, json};

/// `/v1/mesh`. Others are only asked for whoever may open the Unix socket: over TCP one question
/// must not become many.
pub(super) fn route<B: Backend>(may_ask: bool) -> MethodRouter<B> {
    get(move |State(backend): State<B>, _: NoQuery| async move {
        let rows = in_time(ANSWER, backend.mesh(may_ask)).await;
        rows.map(|all| -> Response { json(StatusCode::OK, &all) })
    })
}

/// `/v1/memory`.
pub(super) fn memory<B: Backend>() -> MethodRouter<B> {
    get(|State(backend): State<B>, _: NoQuery| async move {
        let memory = in_time(ANSWER, backend.memory()).await;
        memory.map(|all| -> Response { json(StatusCode::OK, &all) })
    })
}
