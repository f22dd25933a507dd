//! Handler of `/v1/events`: what happens, as NDJSON or as server-sent events, without an end.
//!
//! A task of its own reads the listener's queue and fills a channel that holds one piece; the HTTP
//! body pulls from that. A reader that is slow fills the queue, which counts what it cannot take; a
//! reader that goes away ends the task.
//!
//! A quick reader is not told more than [`EACH`] allows: an event costs whoever writes, reads and
//! shows it many times what the change behind it costs, on the same processors. A burst that fits
//! the queue is told whole; of a table that comes a reader hears a part, and how much it missed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::{ANSWER, Backend, Listening, Refusal, in_time};
use crate::api::{ApiError, Event, EventQuery, Happening};

/// After so long without an event, a comment keeps the way of server-sent events open: browsers and
/// what is between notice a dead connection by that alone.
const QUIET: Duration = Duration::from_secs(15);

/// An event takes a reader's task so long, its rest included: ten thousand in a second.
const EACH: Duration = Duration::from_micros(100);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Ndjson,
    /// <https://html.spec.whatwg.org/multipage/server-sent-events.html>
    ServerSent,
}

pub(super) async fn stream<B: Backend>(
    State(backend): State<B>,
    headers: HeaderMap,
    pairs: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, Refusal> {
    let Query(pairs) = pairs.map_err(|e| Refusal::bad_request(ApiError::new(e.body_text())))?;
    let query = EventQuery::from_pairs(&pairs).map_err(Refusal::bad_request)?;
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let (form, kind) = match accepted {
        Some(accepted) if accepted.contains("text/event-stream") => {
            (Form::ServerSent, "text/event-stream")
        }
        _ => (Form::Ndjson, "application/x-ndjson"),
    };
    let listening = in_time(ANSWER, backend.events(query)).await?;
    let (pieces, body) = mpsc::channel(1);
    tokio::spawn(pump(listening, backend.node(), form, pieces));
    let head = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-store")];
    Ok((head, Body::new(Pieces(body))).into_response())
}

/// Until the reader is gone, or all is told.
async fn pump(mut listening: Listening, node: String, form: Form, pieces: mpsc::Sender<Bytes>) {
    let mut events = vec![listening.own(Happening::Begin { node })];
    loop {
        if !events.is_empty() && pieces.send(encoded(&events, form)).await.is_err() {
            return;
        }
        sleep(EACH * u32::try_from(events.len()).unwrap_or(u32::MAX)).await;
        let next = tokio::select! {
            () = pieces.closed() => return,
            next = timeout(QUIET, listening.next()) => next,
        };
        events = match next {
            Ok(Some(events)) => events,
            Ok(None) => return,
            Err(_quiet) => {
                if form == Form::ServerSent
                    && pieces.send(Bytes::from_static(b":\n\n")).await.is_err()
                {
                    return;
                }
                Vec::new()
            }
        };
    }
}

fn encoded(events: &[Arc<Event>], form: Form) -> Bytes {
    let mut out = Vec::with_capacity(events.len() * 256);
    for event in events {
        // Strings, numbers and lists of them: there is nothing in it that cannot be encoded.
        let Ok(line) = serde_json::to_vec(&**event) else { continue };
        if form == Form::ServerSent {
            out.extend_from_slice(b"data: ");
        }
        out.extend_from_slice(&line);
        out.extend_from_slice(if form == Form::ServerSent { b"\n\n" } else { b"\n" });
    }
    out.into()
}

struct Pieces(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}
