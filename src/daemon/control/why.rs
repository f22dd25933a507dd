//! Handlers of `/v1/why`. Over TCP, where anybody may call, the other end is not asked: nobody
//! shall make this daemon call others.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::{ANSWER, Backend, Pairs, Refusal, decoded, in_time, json};
use crate::api::{ApiError, WhyQuery};

/// One way, or both.
pub(super) async fn any<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    answer(backend, read(pairs)?).await
}

/// One way.
pub(super) async fn one_way<B: Backend>(
    State(backend): State<B>,
    pairs: Pairs,
) -> Result<Response, Refusal> {
    let query = read(pairs)?;
    if query.both {
        return Err(Refusal {
            status: StatusCode::FORBIDDEN,
            body: ApiError::new(
                "the way back is not asked for here, where others than root may only look",
            )
            .hint(
                "use the control socket: `bgpctl why … --both` on the node, as root; or ask the \
                     other node",
            ),
        });
    }
    answer(backend, query).await
}

fn read(pairs: Pairs) -> Result<WhyQuery, Refusal> {
    WhyQuery::from_pairs(&decoded(pairs)?).map_err(Refusal::bad_request)
}

async fn answer<B: Backend>(backend: B, query: WhyQuery) -> Result<Response, Refusal> {
    in_time(ANSWER, backend.why(query)).await.map(|why| json(StatusCode::OK, &why))
}
