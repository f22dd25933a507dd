//! The handler of `/v1/mrt`: octets as fast as they are read, and no faster.
//!
//! An answer that had to stop half-way is cut off without its end, which every reader of HTTP
//! notices: octets have no place for words.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::{ANSWER, Backend, NoQuery, Refusal, in_time};
use crate::api::ApiError;

/// Pieces that wait between the backend and the socket.
const WAITING: usize = 4;

/// The reading end of a table as octets. An `Err` is its last item: it is not complete.
pub type Pieces = mpsc::Receiver<Result<Bytes, ApiError>>;

/// The writing end. Sending waits while the reader is slow, and fails once it is gone.
pub type PiecesSender = mpsc::Sender<Result<Bytes, ApiError>>;

/// Both.
pub fn pieces() -> (PiecesSender, Pieces) {
    mpsc::channel(WAITING)
}

/// `/v1/mrt`.
pub(super) async fn table<B: Backend>(
    State(backend): State<B>,
    _: NoQuery,
) -> Result<Response, Refusal> {
    let pieces = in_time(ANSWER, backend.mrt()).await?;
    let body = Body::new(Octets(pieces));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

struct Octets(Pieces);

impl hyper::body::Body for Octets {
    type Data = Bytes;
    type Error = ApiError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ApiError>>> {
        let piece = ready!(self.0.poll_recv(cx));
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }
}
