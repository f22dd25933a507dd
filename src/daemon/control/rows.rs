//! Tables that may be too big for memory: NDJSON, one row a line, made as fast as it is read.
//!
//! The backend's task pushes chunks of rows into a bounded channel; the HTTP body pulls them,
//! encodes a chunk when the socket has room for it, and forgets it. A reader that is slow fills
//! the channel and so slows that one task, nothing else; a reader that goes away closes it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::api::ApiError;

/// Chunks that wait between the backend and the socket.
const WAITING: usize = 4;

/// Rows in a chunk, as a measure for backends: enough to be cheap, few enough to be quick to
/// encode (about 50 KB) and small in memory.
pub const CHUNK: usize = 256;

/// The reading end of a table. An `Err` is its last item: the table is not complete.
pub type Rows<T> = mpsc::Receiver<Result<Vec<T>, ApiError>>;

/// The writing end of a table. Sending waits while the reader is slow, and fails once the reader
/// is gone: then stop.
pub type RowsSender<T> = mpsc::Sender<Result<Vec<T>, ApiError>>;

/// A table's two ends.
pub fn rows<T>() -> (RowsSender<T>, Rows<T>) {
    mpsc::channel(WAITING)
}

/// A small table that is already in memory.
pub fn in_memory<T>(table: Vec<T>) -> Rows<T> {
    let (sender, rows) = rows();
    // A new channel has room for one chunk, so this cannot fail.
    let _ = sender.try_send(Ok(table));
    rows
}

pub(super) fn response<T: Serialize + Send + 'static>(rows: Rows<T>) -> Response {
    let body = Body::new(Ndjson { rows: Some(rows) });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

struct Ndjson<T> {
    /// None after the last item.
    rows: Option<Rows<T>>,
}

impl<T: Serialize + Send + 'static> hyper::body::Body for Ndjson<T> {
    type Data = Bytes;
    type Error = serde_json::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, serde_json::Error>>> {
        let Some(rows) = self.rows.as_mut() else { return Poll::Ready(None) };
        let encoded = match ready!(rows.poll_recv(cx)) {
            None => {
                self.rows = None;
                return Poll::Ready(None);
            }
            Some(Ok(chunk)) => lines(&chunk),
            Some(Err(error)) => {
                self.rows = None;
                lines(&[error])
            }
        };
        Poll::Ready(Some(encoded.map(|bytes| Frame::data(bytes.into()))))
    }
}

fn lines<T: Serialize>(rows: &[T]) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(rows.len() * 256);
    for row in rows {
        serde_json::to_writer(&mut out, row)?;
        out.push(b'\n');
    }
    Ok(out)
}
