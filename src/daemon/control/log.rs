//! Handlers of what is logged.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{Backend, NoQuery, Pairs, Refusal, decoded, json};
use crate::api::ApiError;

pub(super) async fn shown<B: Backend>(State(backend): State<B>, _: NoQuery) -> Response {
    json(StatusCode::OK, &backend.log())
}

pub(super) async fn set<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    match decoded(pairs)?.as_slice() {
        [(key, filter)] if key == "filter" => {
            backend.set_log(filter).map(|now| json(StatusCode::OK, &now))
        }
        _ => Err(Refusal::bad_request(
            ApiError::new("it is not said what is to be logged")
                .hint("filter=, once: info, or info,starling_fib=debug"),
        )),
    }
}
