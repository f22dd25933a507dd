//! Handlers of what this node originates.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use ipnet::IpNet;

use super::{ANSWER, Backend, NoQuery, Refusal, in_time, json};
use crate::api::{ApiError, network};

/// Pairs of a query.
type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

pub(super) async fn all<B: Backend>(
    State(backend): State<B>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.networks()).await.map(|all| json(StatusCode::OK, &all))
}

pub(super) async fn add<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    change(backend, pairs, true).await
}

pub(super) async fn delete<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    change(backend, pairs, false).await
}

async fn change<B: Backend>(backend: B, pairs: Pairs, add: bool) -> Result<Response, Refusal> {
    let Query(pairs) = pairs.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    let prefixes = prefixes(&pairs).map_err(Refusal::bad_request)?;
    let changed = backend.change_networks(prefixes, add);
    in_time(ANSWER, changed).await.map(|all| json(StatusCode::OK, &all))
}

fn prefixes(pairs: &[(String, String)]) -> Result<Vec<IpNet>, ApiError> {
    if pairs.is_empty() {
        return Err(ApiError::new("no network is named").hint("prefix=, once or more"));
    }
    let prefix = |(key, value): &(String, String)| match key.as_str() {
        "prefix" => network::prefix(value),
        _ => Err(ApiError::new(format!("`{key}` is not known here")).hint("known is prefix=")),
    };
    pairs.iter().map(prefix).collect()
}
