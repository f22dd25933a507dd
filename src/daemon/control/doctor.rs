//! The handler of an examination.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{MethodRouter, get};

use super::{Backend, NoQuery, in_time, json};

/// It starts programs that may take their time; a client waits a little longer.
const EXAMINATION: Duration = Duration::from_secs(14);

/// `/v1/doctor`. Others are only asked for whoever may open the Unix socket: over TCP one question
/// must not become many.
pub(super) fn route<B: Backend>(may_ask: bool) -> MethodRouter<B> {
    get(move |State(backend): State<B>, _: NoQuery| async move {
        let diagnosis = in_time(EXAMINATION, backend.doctor(may_ask)).await;
        diagnosis.map(|all| -> Response { json(StatusCode::OK, &all) })
    })
}
