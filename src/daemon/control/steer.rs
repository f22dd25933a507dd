//! What the operator does to a neighbour: in flows `POST /v1/neighbors/NAME/{down,up,clear,refresh,
//! resend,drain,undrain}`, out flows the neighbour as it is then.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;

use super::only_on_the_unix_socket;
use super::{ANSWER, Backend, NoQuery, Pairs, Refusal, decoded, in_time, json};
use crate::api::{ApiError, Steer};

/// Ends the session, with `reason` for the neighbour, until it is let up again.
pub(super) async fn down<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    let reason = reason(pairs)?;
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

/// `…/clear` and `…/resend`; where nothing may be changed, the refusals.
pub(super) fn routes<B: Backend>(may_change: bool) -> Router<B> {
    let verbs = [
        ("/v1/neighbors/{name}/clear", post(clear::<B>)),
        ("/v1/neighbors/{name}/resend", post(resend::<B>)),
    ];
    verbs.into_iter().fold(Router::new(), |router, (path, handler)| {
        router.route(path, if may_change { handler } else { post(only_on_the_unix_socket) })
    })
}

/// Ends the session and begins it again.
async fn clear<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    let reason = reason(pairs)?;
    steer(&backend, name, Steer::Clear { reason }).await
}

/// Sends it our routes again.
async fn resend<B: Backend>(
    State(backend): State<B>,
    name: Result<Path<String>, PathRejection>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    steer(&backend, name, Steer::Resend).await
}

/// Words for the neighbour's operator, or for whoever reads the log.
pub(super) fn reason(pairs: Pairs) -> Result<String, Refusal> {
    let mut reason = String::new();
    for (key, value) in decoded(pairs)? {
        match key.as_str() {
            "reason" => reason = value,
            _ => {
                return Err(Refusal::bad_request(
                    ApiError::new(format!("`{key}` is not known here")).hint("known is reason="),
                ));
            }
        }
    }
    Ok(reason)
}

async fn steer<B: Backend>(
    backend: &B,
    name: Result<Path<String>, PathRejection>,
    to: Steer,
) -> Result<Response, Refusal> {
    let Path(name) = name.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    in_time(ANSWER, backend.steer(&name, to)).await.map(|one| json(StatusCode::OK, &one))
}
