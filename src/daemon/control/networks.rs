//! Handlers of what this node originates: in flow prefixes, in the query or as lines of the body with
//! what they carry, out flows what is originated then.

use axum::Router;
use axum::extract::rejection::StringRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::only_on_the_unix_socket;
use super::{ANSWER, Backend, NoQuery, Pairs, Refusal, decoded, in_time, json};
use crate::api::{ApiError, NetworkAttributes, NetworkChange, NetworkLine, network};

/// A body: a million prefixes.
const LONGEST: usize = 32 << 20;

/// All of them; where nothing may be changed, with the refusals.
pub(super) fn routes<B: Backend>(may_change: bool) -> Router<B> {
    let verbs = [
        ("/v1/networks/add", post(add::<B>)),
        ("/v1/networks/delete", post(delete::<B>)),
        ("/v1/networks/flush", post(flush::<B>)),
    ];
    verbs
        .into_iter()
        .fold(Router::new(), |router, (path, handler)| {
            router.route(path, if may_change { handler } else { post(only_on_the_unix_socket) })
        })
        .layer(DefaultBodyLimit::max(LONGEST))
        .route("/v1/networks", get(all::<B>))
}

async fn all<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.networks()).await.map(|all| json(StatusCode::OK, &all))
}

async fn add<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
    body: Result<String, StringRejection>,
) -> Result<Response, Refusal> {
    change(backend, NetworkChange::Add(networks(pairs, body)?)).await
}

async fn delete<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
    body: Result<String, StringRejection>,
) -> Result<Response, Refusal> {
    let all = networks(pairs, body)?;
    if let Some(line) = all.iter().find(|line| !line.attributes.is_empty()) {
        let error = format!("{} is deleted whatever it carries", line.prefix);
        return Err(Refusal::bad_request(ApiError::new(error).hint("name the prefix alone")));
    }
    let prefixes = all.into_iter().map(|line| line.prefix).collect();
    change(backend, NetworkChange::Delete(prefixes)).await
}

async fn flush<B: Backend>(State(backend): State<B>, _: NoQuery) -> Result<Response, Refusal> {
    change(backend, NetworkChange::Flush).await
}

async fn change<B: Backend>(backend: B, change: NetworkChange) -> Result<Response, Refusal> {
    let changed = backend.change_networks(change);
    in_time(ANSWER, changed).await.map(|all| json(StatusCode::OK, &all))
}

fn networks(
    pairs: Pairs,
    body: Result<String, StringRejection>,
) -> Result<Vec<NetworkLine>, Refusal> {
    let named = |(key, value): &(String, String)| match key.as_str() {
        "prefix" => {
            let attributes = NetworkAttributes::default();
            network::prefix(value).map(|prefix| NetworkLine { prefix, attributes })
        }
        _ => Err(ApiError::new(format!("`{key}` is not known here")).hint("known is prefix=")),
    };
    let named: Result<Vec<NetworkLine>, ApiError> = decoded(pairs)?.iter().map(named).collect();
    let mut networks = named.map_err(Refusal::bad_request)?;
    let text = body.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    networks.extend(network::lines(&text).map_err(Refusal::bad_request)?);
    if networks.is_empty() {
        let hint = "prefix=, once or more, or a body with a prefix a line";
        return Err(Refusal::bad_request(ApiError::new("no network is named").hint(hint)));
    }
    Ok(networks)
}
