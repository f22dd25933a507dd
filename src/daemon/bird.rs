//! BIRD's control socket, as a Calico node has it: what asks `bird.ctl` and `bird6.ctl` there need
//! not know that BIRD is gone.
//!
//! In flow the lines that `birdc`, `calicoctl node status`, the probes of calico-node,
//! bird_exporter and birdwatcher send; out flow the lines that BIRD 1.6 would answer, one socket a
//! family, as BIRD has one daemon a family. Nothing can be changed here: every connection is as
//! `restrict` leaves it. [`command`] reads the question, the others answer their part of it.
//!
//! A reply is made of lines with a code of four digits; which codes mean what is BIRD's own
//! business, so they are named where they are used. What Starling does not count is `---`, as BIRD
//! says it where something cannot be counted.

mod command;
mod names;
mod protocols;
mod reply;
mod routes;
mod status;
mod when;

use std::future::Future;
use std::io;
use std::path::Path;
use std::task::Context;
use std::time::Duration;

use starling_bgp::types::Family;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};

use super::control::unix::{self, SocketFile};
use super::control::{ANSWER, Backend, ListenError, Refusal, accept, in_time};
use command::Command;
use reply::Reply;

/// Connections at a time and socket.
const CONNECTIONS: usize = 64;

/// A question is a line of at most so many octets.
const LINE: u64 = 1024;

/// How long a reader may leave what it asked for unread.
const WRITE: Duration = Duration::from_secs(60);

/// A socket that speaks as BIRD does, once [`Socket::serve`] is called.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    /// Dropped, and so the path unlinked, when serving has ended.
    _file: SocketFile,
    family: Family,
}

impl Socket {
    /// Binds `path`, mode 0660, for what concerns `family`.
    ///
    /// # Errors
    /// Where somebody answers there already (BIRD itself), where it is no socket, and where the
    /// system refuses.
    pub async fn bind(path: &Path, family: Family) -> Result<Socket, ListenError> {
        let (listener, file) = unix::bind(path, None).await?;
        Ok(Socket { listener, _file: file, family })
    }

    /// Serves until `shutdown` resolves.
    pub async fn serve<B: Backend>(self, backend: B, shutdown: impl Future<Output = ()>) {
        let Socket { listener, _file, family } = self;
        let accept = |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(stream, _)| stream);
        let serve = |stream| {
            let face = Face { backend: backend.clone(), family };
            async move {
                // How a connection ends concerns only its caller, who sees it.
                let _ = face.talk(stream).await;
            }
        };
        accept::each(CONNECTIONS, accept, serve, shutdown).await;
    }
}

/// Who answers, and for which family.
struct Face<B> {
    backend: B,
    family: Family,
}

impl<B: Backend> Face<B> {
    async fn talk(&self, stream: UnixStream) -> io::Result<()> {
        let (read, write) = stream.into_split();
        let (mut lines, mut out) = (BufReader::new(read), Out(write));
        let mut greeting = Reply::default();
        greeting.end(1, &format!("BIRD {} ready.", status::version()));
        out.send(&mut greeting).await?;
        while let Some(line) = line(&mut lines).await? {
            self.answer(&line, &mut out).await?;
        }
        Ok(())
    }

    /// Answers one question; an error says that the caller is gone.
    async fn answer(&self, line: &str, out: &mut Out) -> io::Result<()> {
        let mut reply = Reply::default();
        let told = match command::parse(line) {
            Err(refused) => {
                reply.end(refused.code, &refused.text);
                Ok(())
            }
            Ok(Command::Nothing) => {
                reply.end(0, "");
                Ok(())
            }
            Ok(Command::Restrict) => {
                reply.end(16, "Access restricted");
                Ok(())
            }
            Ok(Command::Routes(asked)) => self.routes(&asked, &mut reply, out).await?,
            Ok(Command::Status) => in_time(ANSWER, self.status(&mut reply)).await,
            Ok(Command::Protocols { all, name }) => {
                in_time(ANSWER, self.protocols(all, name.as_deref(), &mut reply)).await
            }
            Ok(Command::Symbols) => in_time(ANSWER, self.symbols(&mut reply)).await,
            Ok(Command::Bfd) => in_time(ANSWER, self.bfd(&mut reply)).await,
        };
        if let Err(Refusal { body, .. }) = told {
            reply.end(8000, &body.error);
        }
        out.send(&mut reply).await
    }
}

/// Where replies go.
struct Out(OwnedWriteHalf);

impl Out {
    /// Writes what `reply` holds so far, and empties it.
    async fn send(&mut self, reply: &mut Reply) -> io::Result<()> {
        let text = reply.take();
        tokio::time::timeout(WRITE, self.0.write_all(text.as_bytes())).await?
    }
}

/// The next question; none at the end. One that is too long ends the connection.
async fn line(from: &mut BufReader<OwnedReadHalf>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let octets = from.take(LINE).read_until(b'\n', &mut line).await?;
    match line.last() {
        Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).into_owned())),
        // What is cut off in the middle was never asked.
        _ if octets == 0 || octets < LINE as usize => Ok(None),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
