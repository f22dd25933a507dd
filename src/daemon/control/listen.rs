//! The sockets of the control API: who may connect, how many, and for how long.
//!
//! The control socket carries everything and is open to root and its group; what changes nothing
//! is also to be had from the readers' socket beside it, open to a group of their own, and over TCP,
//! open to anybody.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use starling_config::readers_socket;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};

use super::accept;
use super::unix::{self, ListenError, SocketFile};
use super::{Backend, read_only_router, router};

/// Connections at a time and socket.
const CONNECTIONS: usize = 128;

/// How long a connection may take to say what it wants, and may idle between two requests.
const HEADER: Duration = Duration::from_secs(30);

/// How long a connection of those may last who may only look, a table's reader included: a caller
/// that never reads must not hold a place for ever. On the control socket somebody may sit before
/// `less`.
const LOOKING: Duration = Duration::from_secs(600);

/// How long answers under way may take after the daemon was told to stop.
const FAREWELL: Duration = Duration::from_secs(2);

/// A bound socket that serves the control API once [`Listener::serve`] is called.
#[derive(Debug)]
pub struct Listener(Socket);

#[derive(Debug)]
enum Socket {
    Unix(UnixListener, SocketFile),
    Readers(UnixListener, SocketFile),
    Tcp(TcpListener),
}

impl Listener {
    /// Binds the Unix socket `path`, as [`unix::bind`] says.
    ///
    /// # Errors
    /// Where another daemon answers, where `path` is no socket, and where the system refuses.
    pub async fn unix(path: &Path) -> Result<Listener, ListenError> {
        let (listener, file) = unix::bind(path, None).await?;
        Ok(Listener(Socket::Unix(listener, file)))
    }

    /// Binds the socket for reading that is beside the control socket `path`, for members of
    /// `group`.
    ///
    /// # Errors
    /// As [`Listener::unix`], and where there is no such group, or it may not be given to it.
    pub async fn readers(path: &Path, group: &str) -> Result<Listener, ListenError> {
        let known = nix::unistd::Group::from_name(group).ok().flatten();
        let Some(known) = known else {
            return Err(ListenError::NoGroup { group: group.to_owned() });
        };
        let (listener, file) = unix::bind(&readers_socket(path), Some(known.gid.as_raw())).await?;
        Ok(Listener(Socket::Readers(listener, file)))
    }

    /// Binds `address` for the read-only part.
    ///
    /// # Errors
    /// Where the system refuses.
    pub async fn tcp(address: SocketAddr) -> Result<Listener, ListenError> {
        let listener = TcpListener::bind(address).await.map_err(|source| ListenError::Failed {
            step: "listen on",
            place: address.to_string(),
            source,
        })?;
        Ok(Listener(Socket::Tcp(listener)))
    }

    /// The TCP address, with the port that the system chose for port 0; none for a Unix socket.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Socket::Unix(..) | Socket::Readers(..) => None,
            Socket::Tcp(listener) => listener.local_addr().ok(),
        }
    }

    /// Serves until `shutdown` resolves and answers under way are finished (at most 2 s more).
    pub async fn serve<B: Backend>(self, backend: B, shutdown: impl Future<Output = ()>) {
        match self.0 {
            // `_file` is dropped, and so the path unlinked, when serving has ended.
            Socket::Unix(listener, _file) => {
                let accept = |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(s, _)| s);
                serve_http(accept, router(backend), Duration::MAX, shutdown).await;
            }
            Socket::Readers(listener, _file) => {
                let accept = |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(s, _)| s);
                serve_http(accept, read_only_router(backend), LOOKING, shutdown).await;
            }
            Socket::Tcp(listener) => {
                let accept = |cx: &mut Context<'_>| listener.poll_accept(cx).map_ok(|(s, _)| s);
                serve_http(accept, read_only_router(backend), LOOKING, shutdown).await;
            }
        }
    }
}

async fn serve_http<S>(
    accept: impl FnMut(&mut Context<'_>) -> Poll<io::Result<S>>,
    router: Router,
    life: Duration,
    shutdown: impl Future<Output = ()>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADER).half_close(false);
    let graceful = GracefulShutdown::new();
    let serve = |stream| {
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        async move {
            // How a connection ends concerns only its caller, who sees it.
            let _ = tokio::time::timeout(life, connection).await;
        }
    };
    let _connections = accept::each(CONNECTIONS, accept, serve, shutdown).await;
    let _ = tokio::time::timeout(FAREWELL, graceful.shutdown()).await;
}
