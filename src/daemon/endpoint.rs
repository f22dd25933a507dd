//! Where and how a neighbour is reached: calls to it, and which of its calls are let in.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::netdevice::name_to_index;
use starling_bgp::session::PeerConfig;
use starling_config::PeerPlan;
use starling_config::transport::{Hops, Transport};
use tokio::net::{TcpSocket, TcpStream};

use super::{conn, sockopt};

/// How it begins what is said of an attempt from an address that this host does not have …
pub const NO_ADDRESS: &str = "waiting: our address ";
/// … and of one over an interface that is not there.
pub const NO_INTERFACE: &str = "waiting: there is no interface ";

/// Where and how a neighbour is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// Its port.
    pub port: u16,
    /// How the connection is made and protected.
    pub transport: Transport,
}

impl Endpoint {
    /// As planned.
    pub fn of(plan: &PeerPlan) -> Endpoint {
        Endpoint { port: plan.port, transport: plan.transport.clone() }
    }

    /// Whether a session over this one ends for the other: the kernel gives a connection no other
    /// key, nor hears it by other rules, once it stands.
    pub fn is_left_for(&self, other: &Endpoint) -> bool {
        self.transport != other.transport
    }

    /// Opens a connection to the neighbour of `config`, from its local address if it has one.
    /// What is to be known is taken along: the future outlives settings.
    pub fn dial(
        &self,
        config: &PeerConfig,
    ) -> impl Future<Output = io::Result<TcpStream>> + Send + use<> {
        let remote = SocketAddr::new(config.address, self.port);
        let (local, patience, transport) =
            (config.local_address, patience(config), self.transport.clone());
        async move {
            let (socket, remote) = socket(remote, &transport)?;
            sockopt::connection(&socket, remote, &transport, patience)?;
            if let Some(local) = local.filter(|local| local.is_ipv4() == remote.is_ipv4()) {
                socket.set_reuseaddr(true)?;
                socket.bind(SocketAddr::new(local, 0)).map_err(|error| match error.kind() {
                    io::ErrorKind::AddrNotAvailable => {
                        let words = format!("{NO_ADDRESS}{local} is not on this host");
                        io::Error::new(error.kind(), words)
                    }
                    _ => error,
                })?;
            }
            socket.connect(remote).await
        }
    }

    /// Prepares a connection that came from the neighbour of `config`.
    ///
    /// # Errors
    /// Why it is not let in, for people: it came by another way than the transport allows, or
    /// the kernel cannot protect it.
    pub fn admit(
        &self,
        config: &PeerConfig,
        stream: &TcpStream,
        remote: SocketAddr,
    ) -> Result<(), String> {
        let Endpoint { transport, .. } = self;
        if let (Hops::Security(most), Some(came)) =
            (transport.hops, sockopt::hops_of_caller(stream))
            && came > most
        {
            return Err(format!("it came over {came} hops, ttl-security allows {most}"));
        }
        sockopt::connection(stream, remote, transport, patience(config))
            .map_err(|error| conn::words(&error))
    }
}

/// A socket for `remote`, and that with its link where it is link-local.
fn socket(mut remote: SocketAddr, transport: &Transport) -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = match remote {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if let (SocketAddr::V6(v6), Some(interface)) = (&mut remote, &transport.interface)
        && v6.ip().is_unicast_link_local()
    {
        let index = name_to_index(&socket, interface).map_err(|_| {
            let words = format!("{NO_INTERFACE}{interface} on this host");
            io::Error::new(io::ErrorKind::NotFound, words)
        })?;
        v6.set_scope_id(index);
    }
    Ok((socket, remote))
}

/// The kernel gives up so much later than the session, which knows what to say of it.
const GRACE: Duration = Duration::from_secs(5);

/// How long what we sent may stay unanswered: the send hold time (RFC 9687 §4) and a little, so that
/// the kernel gives a connection up that nobody watches any more. A dead path is noticed before, by the hold
/// timer; a neighbour that is alive and reads nothing is as dead to the kernel, but is to have
/// that much time. Zero: without hold times nothing is given up.
fn patience(config: &PeerConfig) -> Duration {
    let usual = (config.hold * 2).max(Duration::from_secs(8 * 60));
    if config.hold.is_zero() { Duration::ZERO } else { config.send_hold.unwrap_or(usual) + GRACE }
}
