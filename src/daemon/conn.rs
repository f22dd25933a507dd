//! One TCP connection of a neighbour: bytes in a buffer, whole messages out of a queue.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::sockopt;

/// Room for what is read at first: most neighbours of a mesh never send more at a time …
const READ: usize = 4 * 1024;
/// … and at most, once one has filled what it was given, before the actor sees it.
const MOST: usize = 128 * 1024;
/// Slices given to one `writev`.
const SLICES: usize = 32;
/// How long a closing connection may take to deliver what was queued.
const LINGER: Duration = Duration::from_secs(2);

/// A connection and its two buffers.
#[derive(Debug)]
pub struct Conn {
    stream: TcpStream,
    /// Received, not yet consumed.
    pub input: BytesMut,
    /// How much of that is made room for.
    room: usize,
    /// Nothing went yet, and nobody looked whether something came.
    fresh: bool,
    output: VecDeque<Bytes>,
    queued: usize,
    /// When the kernel last took something, or the queue began; `None`: nothing waits.
    waiting: Option<Instant>,
}

impl Conn {
    /// Takes over a connected stream.
    pub fn new(stream: TcpStream) -> Conn {
        // Keepalives and single withdrawals must not wait for a full segment.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
        Conn {
            stream,
            input: BytesMut::new(),
            room: READ,
            fresh: true,
            output: VecDeque::new(),
            queued: 0,
            waiting: None,
        }
    }

    /// Octets queued and not yet taken by the kernel.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Octets of memory of both buffers.
    pub fn held(&self) -> usize {
        self.input.capacity() + self.queued
    }

    /// How long what is queued has waited without the kernel taking any of it (RFC 9687).
    pub fn stalled(&self) -> Duration {
        self.waiting.map(|since| since.elapsed()).unwrap_or_default()
    }

    /// For how long the neighbour's kernel has acknowledged nothing, if something waits for that;
    /// `None`: nothing does, or the kernel does not say.
    pub fn unacknowledged(&self) -> Option<Duration> {
        sockopt::unacknowledged(&self.stream).ok().flatten()
    }

    /// Whether the neighbour's kernel has ended the connection, whatever is yet to be read of it.
    pub fn is_ended(&self) -> bool {
        sockopt::is_ended(&self.stream).unwrap_or(false)
    }

    /// Queues whole messages.
    pub fn send(&mut self, bytes: Bytes) {
        self.waiting.get_or_insert_with(Instant::now);
        self.queued += bytes.len();
        self.output.push_back(bytes);
    }

    /// Waits until there is something to do: bytes to read (if `read`) or room to write (if
    /// something is queued); then does it. `true`: `input` grew.
    ///
    /// # Errors
    /// The operating system's, and `UnexpectedEof` where the neighbour closed.
    pub async fn progress(&mut self, read: bool) -> io::Result<bool> {
        let interest = match (read, self.queued > 0) {
            (true, true) => Interest::READABLE | Interest::WRITABLE,
            (true, false) => Interest::READABLE,
            (false, true) => Interest::WRITABLE,
            (false, false) => return std::future::pending().await,
        };
        let ready = self.stream.ready(interest).await?;
        // A caller's OPEN has often come by now: our OPEN and the KEEPALIVE that answers go together.
        let listens_first = std::mem::take(&mut self.fresh) && read && ready.is_readable();
        if ready.is_writable() && !listens_first {
            self.write()?;
        }
        if read && ready.is_readable() {
            return self.read();
        }
        Ok(false)
    }

    /// Reads what is there. `true`: `input` grew.
    ///
    /// # Errors
    /// As [`Conn::progress`].
    pub fn read(&mut self) -> io::Result<bool> {
        self.input.reserve(self.room);
        // Asked once, by nobody who waits. What did not fill the room was all that there was, and
        // tokio then waits for the kernel's next word instead of asking it for nothing.
        let mut context = Context::from_waker(Waker::noop());
        match pin!(self.stream.read_buf(&mut self.input)).poll(&mut context) {
            Poll::Pending => Ok(false),
            Poll::Ready(Ok(0)) => Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the neighbour closed the connection",
            )),
            Poll::Ready(Ok(octets)) => {
                if octets >= self.room {
                    self.room = (self.room * 4).min(MOST);
                }
                Ok(true)
            }
            Poll::Ready(Err(error)) => Err(error),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while self.queued > 0 {
            let mut slices = [IoSlice::new(&[]); SLICES];
            for (slice, bytes) in slices.iter_mut().zip(&self.output) {
                *slice = IoSlice::new(bytes);
            }
            match self.stream.try_write_vectored(&slices) {
                Ok(written) => self.written(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn written(&mut self, mut octets: usize) {
        self.queued = self.queued.saturating_sub(octets);
        self.waiting = (self.queued > 0).then(Instant::now);
        while let Some(first) = self.output.front_mut() {
            if octets < first.len() {
                first.advance(octets);
                return;
            }
            octets -= first.len();
            self.output.pop_front();
        }
    }

    /// Delivers what is queued (a NOTIFICATION, mostly), then closes, in the background and
    /// within [`LINGER`]. Unread input is drained first: closing over it would reset the
    /// connection, and the reset could overtake the NOTIFICATION.
    pub fn finish(mut self) -> JoinHandle<()> {
        let farewell = tokio::time::timeout(LINGER, async move {
            for bytes in std::mem::take(&mut self.output) {
                self.stream.write_all(&bytes).await?;
            }
            self.stream.shutdown().await?;
            let mut sink = [0; 4096];
            while self.stream.read(&mut sink).await? > 0 {}
            io::Result::Ok(())
        });
        tokio::spawn(async move {
            // Whether it was heard changes nothing any more.
            let _ = farewell.await;
        })
    }
}

/// An I/O error for people: the bare words, without "(os error N)".
pub fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => "unknown error".into(),
    }
}

#[cfg(test)]
#[path = "conn_tests.rs"]
mod tests;
