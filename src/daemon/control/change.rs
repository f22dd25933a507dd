//! Handlers of changes with a net: in flow a file and how it is to be applied, out flows what it
//! would do or did. The file comes in the body, so that whoever asks reads it by his own rights.

use std::time::Duration;

use axum::Router;
use axum::extract::rejection::StringRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::{Backend, NoQuery, Pairs, Refusal, decoded, in_time, json, only_on_the_unix_socket};
use crate::api::{ApiError, Applied, ChangeQuery, Proposal};

/// A rehearsal copies the tables, and a change waits for every actor to have taken its part.
const CHANGE: Duration = Duration::from_secs(60);
/// As long as a configuration may be.
const LONGEST: usize = 32 << 20;

/// A file.
type Body = Result<String, StringRejection>;

/// What changes the configuration; where nothing may be changed, the refusals.
pub(super) fn routes<B: Backend>(may_change: bool) -> Router<B> {
    let verbs = [
        ("/v1/plan", post(plan::<B>)),
        ("/v1/apply", post(apply::<B>)),
        ("/v1/confirm", post(confirm::<B>)),
        ("/v1/rollback", post(rollback::<B>)),
    ];
    verbs
        .into_iter()
        .fold(Router::new(), |router, (path, handler)| {
            router.route(path, if may_change { handler } else { post(only_on_the_unix_socket) })
        })
        .layer(DefaultBodyLimit::max(LONGEST))
        .route("/v1/generations", get(generations::<B>))
}

async fn generations<B: Backend>(State(backend): State<B>, _: NoQuery) -> Response {
    json(StatusCode::OK, &backend.generations())
}

async fn plan<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
    body: Body,
) -> Result<Response, Refusal> {
    let (_, proposal) = proposal(pairs, body)?;
    let plan = in_time(CHANGE, backend.plan(proposal)).await?;
    Ok(json(status(plan.ok), &plan))
}

async fn apply<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
    body: Body,
) -> Result<Response, Refusal> {
    let (query, proposal) = proposal(pairs, body)?;
    answer(in_time(CHANGE, backend.apply(proposal, query.terms)).await?)
}

async fn confirm<B: Backend>(State(backend): State<B>, pairs: Pairs) -> Result<Response, Refusal> {
    answer(in_time(CHANGE, backend.confirm(query(pairs)?.dry)).await?)
}

async fn rollback<B: Backend>(State(backend): State<B>, pairs: Pairs) -> Result<Response, Refusal> {
    answer(in_time(CHANGE, backend.rollback(query(pairs)?)).await?)
}

fn answer(applied: Applied) -> Result<Response, Refusal> {
    Ok(json(status(applied.plan.ok), &applied))
}

fn status(ok: bool) -> StatusCode {
    if ok { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

fn query(pairs: Pairs) -> Result<ChangeQuery, Refusal> {
    ChangeQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)
}

fn proposal(pairs: Pairs, body: Body) -> Result<(ChangeQuery, Proposal), Refusal> {
    let query = query(pairs)?;
    let text = body.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    let name = query.name.clone().unwrap_or_else(|| "the request".to_owned());
    let reason = query.reason.clone().unwrap_or_default();
    let proposal = Proposal { name, text, all: query.all, reason };
    Ok((query, proposal))
}
