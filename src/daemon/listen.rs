//! Listening for neighbours: every accepted connection goes to the neighbour whose address it has.
//!
//! ```text
//!   accept ─► a neighbour's address ──────────────────────► its task
//!          ├► an address in a range ─► wait for its OPEN ─► the supervisor, which makes a
//!          └► neither: Cease, connection rejected           neighbour of it
//! ```

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use rustix::net::netdevice::index_to_name;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use starling_bgp::types::Asn;
use starling_bgp::wire::Notification;
use starling_bgp::wire::header::{self, Kind};
use starling_bgp::wire::open::Open;
use starling_config::PeerKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::callers::{Call, Caller, Callers};
use super::conn::Conn;
use super::crowd::Crowd;
use super::peer::Command;
use super::sockopt;

/// Connections that may wait to be accepted: a mesh's nodes all dial at once after a power cut.
const BACKLOG: i32 = 1024;
/// Strangers that are named in the log before it falls silent about them.
const STRANGERS: usize = 64;
/// How long a caller from a range may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens the listening sockets; `None`: one for all addresses of both families.
///
/// # Errors
/// The first that cannot be had, with its address and what to do.
pub fn bind(addresses: Option<&[IpAddr]>, port: u16) -> io::Result<Vec<Arc<TcpListener>>> {
    let open = |address| open(address).map(Arc::new);
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
        sockopt::listening(&socket, address.is_ipv6())?;
        bind_early(&socket, address)?;
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

/// An address that is not there yet may come any moment: callers reach the socket from then on, and
/// nothing needs to be done for it.
fn bind_early(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    let error = match socket.bind(&address.into()) {
        Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => error,
        other => return other,
    };
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => socket.set_freebind_v6(true)?,
    }
    // The kernel's first answer is the one to tell, should it say no again.
    socket.bind(&address.into()).map_err(|_| error)?;
    tracing::warn!(
        "listening on {address}, which is not on this host: nobody can call before it is there"
    );
    Ok(())
}

/// Accepts for ever.
pub async fn serve(listener: Arc<TcpListener>, callers: Callers) {
    let mut strangers = BTreeSet::new();
    let mut failed = false;
    // Of ranges, while they say who they are; and others, while they read our refusal.
    let (screened, refused) = (Crowd::default(), Crowd::default());
    loop {
        let (stream, remote) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, mostly: no reason to spin, and one line is enough.
                if !std::mem::replace(&mut failed, true) {
                    tracing::warn!(%error, "cannot accept connections; trying on");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        if std::mem::take(&mut failed) {
            tracing::info!("connections are accepted again");
        }
        let who = caller(&listener, remote);
        match callers.find(&who) {
            Caller::Known(peer) => {
                // A full inbox means a stuck task; dropping the connection makes the neighbour
                // try again, waiting here would keep all others out.
                if peer.commands.try_send(Command::Accepted(stream, remote)).is_err() {
                    tracing::debug!(%who, "connection dropped: the neighbour's task is busy");
                }
            }
            Caller::InRange => match screened.enter(who.address) {
                Some(place) => {
                    let callers = callers.clone();
                    tokio::spawn(async move {
                        screen(stream, remote, who, &callers).await;
                        drop(place);
                    });
                }
                None => {
                    callers.count_refused();
                    tracing::debug!(%who, "connection dropped: too many callers at once");
                }
            },
            Caller::Stranger => {
                callers.count_refused();
                if strangers.len() < STRANGERS && strangers.insert(who.clone()) {
                    tracing::warn!(
                        address = %who,
                        "connection refused: no [[node]] or [[peer]] has this address"
                    );
                }
                match refused.enter(remote.ip()) {
                    Some(place) => {
                        let told = refuse(stream, &Notification::CEASE_REJECTED);
                        tokio::spawn(async move {
                            // It has read it, hung up, or does not read.
                            let _ = told.await;
                            drop(place);
                        });
                    }
                    // Without a goodbye that is waited for: it may be lost, and costs nothing.
                    None => brush_off(&stream, &Notification::CEASE_REJECTED),
                }
            }
        }
    }
}

/// Says why not, as far as that takes no time.
fn brush_off(stream: &TcpStream, why: &Notification) {
    let mut message = BytesMut::new();
    why.put(&mut message);
    // Where nothing was sent before there is room; whoever has gone hears nothing.
    let _ = SockRef::from(stream).send(&message);
}

/// Who is at the other end; of a link-local address, on which link.
fn caller(listener: &TcpListener, remote: SocketAddr) -> PeerKey {
    let interface = match remote {
        SocketAddr::V6(v6) if v6.scope_id() != 0 => index_to_name(listener, v6.scope_id()).ok(),
        _ => None,
    };
    PeerKey::new(remote.ip().to_canonical(), interface.as_deref())
}

/// Waits until a caller from a range has said its AS, without taking anything from the
/// connection: who says nothing that makes sense never becomes a neighbour.
async fn screen(stream: TcpStream, remote: SocketAddr, who: PeerKey, callers: &Callers) {
    let refusal = match tokio::time::timeout(PATIENCE, asn_of(&stream)).await {
        Ok(Ok(asn)) => return callers.ask(Call { stream, remote, who, asn }).await,
        Ok(Err(Some(refusal))) => refusal,
        // It went away.
        Ok(Err(None)) => return,
        Err(_) => Notification::HOLD_TIMER_EXPIRED,
    };
    callers.count_refused();
    tracing::debug!(%who, "a caller from a range is no BGP speaker: {refusal}");
    refuse(stream, &refusal);
}

/// The AS in the OPEN at the front of a connection.
async fn asn_of(stream: &TcpStream) -> Result<Asn, Option<Notification>> {
    let mut bytes = vec![0; header::MAX_LEN];
    let mut seen = 0;
    loop {
        let length = stream.peek(&mut bytes).await.map_err(|_| None)?;
        if length == 0 {
            return Err(None);
        }
        match header::next(bytes.get(..length).unwrap_or_default()).map_err(Some)? {
            Some(frame) if frame.kind == Kind::Open => {
                return Open::read(frame.body).map(|open| open.asn).map_err(Some);
            }
            Some(_) => return Err(Some(Notification::FSM_IN_OPEN_SENT)),
            // What is there stays there, so nothing tells when more comes.
            None if seen == length => tokio::time::sleep(Duration::from_millis(50)).await,
            None => seen = length,
        }
    }
}

/// Tells a caller why not, so that its operator sees more than a closed connection (RFC 4486 §4);
/// done when it has heard it, or will not.
pub fn refuse(stream: TcpStream, why: &Notification) -> JoinHandle<()> {
    let mut message = BytesMut::new();
    why.put(&mut message);
    let mut conn = Conn::new(stream);
    conn.send(message.freeze());
    conn.finish()
}
