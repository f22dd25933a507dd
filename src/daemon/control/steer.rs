//! What the operator does to a neighbour: in flows `POST /v1/neighbors/NAME/{down,up,refresh,drain,
//! undrain}`, out flows the neighbour as it is then.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{ANSWER, Backend, NoQuery, Refusal, in_time, json};
use crate::api::{ApiError, Steer};

/// Ends the session, with `reason` for the neighbour, until it is let up again.
pub(super) async fn down<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(pairs) = pairs.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    let mut reason = String::new();
    for (key, value) in pairs {
        match key.as_str() {
            "reason" => reason = value,
            _ => {
                return Err(Refusal::bad_request(
                    ApiError::new(format!("`{key}` is not known here")).hint("known is reason="),
                ));
            }
        }
    }
    steer(&backend, name, Steer::Down { reason }).await
}

/// Lets it begin again.
pub(super) async fn up<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    steer(&backend, name, Steer::Up).await
}

/// Takes traffic off it.
pub(super) async fn drain<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    steer(&backend, name, Steer::Drain { on: true }).await
}

/// Not any more.
pub(super) async fn undrain<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    steer(&backend, name, Steer::Drain { on: false }).await
}

/// Asks for its routes again.
pub(super) async fn refresh<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    steer(&backend, name, Steer::Refresh).await
}

async fn steer<B: Backend>(
    backend: &B,
    name: Result<Path<String>, PathRejection>,
    to: Steer,
) -> Result<Response, Refusal> {
    let Path(name) = name.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    in_time(ANSWER, backend.steer(&name, to)).await.map(|one| json(StatusCode::OK, &one))
}
