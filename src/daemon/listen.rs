//! Listening for neighbours: every accepted connection goes to the neighbour whose address it has.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{Domain, Protocol, Socket, Type};
use starling_bgp::wire::Notification;
use tokio::net::{TcpListener, TcpStream};

use super::conn::Conn;
use super::peer::{Command, PeerHandle};

/// Who may call: replaced as a whole at a reload. Off the route path, so a lock serves.
pub type Callers = Arc<RwLock<BTreeMap<IpAddr, PeerHandle>>>;

/// Connections that may wait to be accepted: a mesh's nodes all dial at once after a power cut.
const BACKLOG: i32 = 1024;
/// Strangers that are named in the log before it falls silent about them.
const STRANGERS: usize = 64;

/// Opens the listening sockets; `None`: one for all addresses of both families.
///
/// # Errors
/// The first that cannot be had, with its address and what to do.
pub fn bind(addresses: Option<&[IpAddr]>, port: u16) -> io::Result<Vec<TcpListener>> {
    if let Some(addresses) = addresses {
        return addresses.iter().map(|address| open(SocketAddr::new(*address, port))).collect();
    }
    let any6 = open(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port));
    match any6 {
        // A host without IPv6 has no [::] to listen on.
        Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
            Ok(vec![open(SocketAddr::new(IpAddr::from([0, 0, 0, 0]), port))?])
        }
        other => Ok(vec![other?]),
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let attempt = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(address.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED))?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    attempt().map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::AddrInUse => io::Error::new(
            error.kind(),
            format!(
                "cannot listen on {address}: the port is taken, probably by another BGP daemon \
                 (`ss -ltnp 'sport = :{}'` names it); stop it, or set [bgp] listen or port",
                address.port()
            ),
        ),
        _ if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => error,
        kind => io::Error::new(kind, format!("cannot listen on {address}: {error}")),
    })
}

/// Accepts for ever.
pub async fn serve(listener: TcpListener, callers: Callers) {
    let mut strangers = std::collections::BTreeSet::new();
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: no reason to spin.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let address = remote.ip().to_canonical();
        let known = callers.read().ok().and_then(|callers| callers.get(&address).cloned());
        match known {
            Some(peer) => {
                // A full inbox means a stuck task; dropping the connection makes the neighbour
                // try again, waiting here would keep all others out.
                if peer.commands.try_send(Command::Accepted(stream, remote)).is_err() {
                    tracing::debug!(%address, "connection dropped: the neighbour's task is busy");
                }
            }
            None => {
                if strangers.len() < STRANGERS && strangers.insert(address) {
                    tracing::warn!(
                        %address,
                        "connection refused: no [[node]] or [[peer]] has this address"
                    );
                }
                refuse(stream);
            }
        }
    }
}

/// Tells a stranger why, so that its operator sees more than a closed connection (RFC 4486 §4).
fn refuse(stream: TcpStream) {
    let mut message = BytesMut::new();
    Notification::CEASE_REJECTED.put(&mut message);
    let mut conn = Conn::new(stream);
    conn.send(message.freeze());
    conn.finish();
}
