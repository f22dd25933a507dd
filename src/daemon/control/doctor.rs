//! The handler of an examination.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Backend, NoQuery, Refusal, in_time, json};

/// It starts programs that may take their time; a client waits a little longer.
const EXAMINATION: Duration = Duration::from_secs(14);

pub(super) async fn doctor<B: Backend>(
    State(backend): State<B>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    in_time(EXAMINATION, backend.doctor()).await.map(|all| json(StatusCode::OK, &all))
}
