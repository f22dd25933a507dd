//! BFD's UDP sockets (RFC 5881 §4, §5; RFC 5883 §5): what comes, with its TTL and the address it
//! was sent to, and what goes.
//!
//! Everybody's packets come to one socket a port and family. Ours go from one socket a port and
//! local address, with TTL 255 always. So sessions share a source port, which RFC 5881 §4 would
//! rather not have; but a node of a large mesh would need a thousand sockets else.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, RecvMsg, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use rustix::net::netdevice::name_to_index;
use socket2::{Domain, Protocol, Socket, Type};
use starling_bgp::bfd::packet::LEN;

/// Where single-hop packets go (RFC 5881 §4) …
const SINGLE_HOP: u16 = 3784;
/// … and multihop ones (RFC 5883 §5).
const MULTIHOP: u16 = 4784;
/// Where they come from (RFC 5881 §4).
const SOURCES: std::ops::RangeInclusive<u16> = 49152..=65535;
/// Attempts to find a free one of those.
const TRIES: u16 = 64;
/// CS6, internetwork control: queues that are full of pods' traffic let it pass.
const TRAFFIC_CLASS: u32 = 0xc0;
/// Octets for packets that come while we are not scheduled.
const BACKLOG: usize = 1 << 20;

/// The index of an interface; 0, which none has, where there is none of that name.
pub fn index(interface: &str) -> u32 {
    plain(false).ok().and_then(|socket| name_to_index(&socket, interface).ok()).unwrap_or(0)
}

/// The destination port of a session's packets.
pub fn port(multihop: bool) -> u16 {
    if multihop { MULTIHOP } else { SINGLE_HOP }
}

/// An address, and the index of the interface where that is link-local; 0 where it is not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The address.
    pub address: IpAddr,
    /// The interface.
    pub scope: u32,
}

impl Place {
    fn port(self, port: u16) -> SocketAddr {
        match self.address {
            IpAddr::V4(v4) => SocketAddr::new(v4.into(), port),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, port, 0, self.scope).into(),
        }
    }
}

/// A datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram {
    /// Who sent it.
    pub source: Place,
    /// Which of our addresses it was sent to.
    pub destination: Option<IpAddr>,
    /// Its TTL or hop limit when it came; 0 if the kernel did not say.
    pub ttl: u8,
    octets: [u8; LEN + 8],
    length: usize,
}

impl Datagram {
    /// Its contents; what is longer than a BFD packet with some authentication is cut.
    pub fn payload(&self) -> &[u8] {
        self.octets.get(..self.length).unwrap_or_default()
    }
}

/// The socket to which everybody's packets of a port and family come.
#[derive(Debug)]
pub struct Receiver {
    socket: Socket,
    control: Vec<u8>,
}

impl Receiver {
    /// Opens it.
    ///
    /// # Errors
    /// The operating system's; for a taken port, what to do.
    pub fn open(multihop: bool, v6: bool) -> io::Result<Receiver> {
        let address = SocketAddr::new(unspecified(v6), port(multihop));
        let socket = plain(v6)?;
        if v6 {
            setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        }
        // Less than asked for is no reason to do without.
        let _ = socket.set_recv_buffer_size(BACKLOG);
        socket.bind(&address.into()).map_err(|error| match error.kind() {
            io::ErrorKind::AddrInUse => io::Error::new(
                error.kind(),
                format!("UDP port {} is taken, probably by another BFD daemon", address.port()),
            ),
            _ => error,
        })?;
        let control = nix::cmsg_space!(nix::libc::c_int, nix::libc::in6_pktinfo);
        Ok(Receiver { socket, control })
    }

    /// The next datagram, if there is one.
    ///
    /// # Errors
    /// The operating system's.
    pub fn next(&mut self) -> io::Result<Option<Datagram>> {
        let fd = self.socket.as_raw_fd();
        let mut octets = [0; LEN + 8];
        let mut slices = [IoSliceMut::new(&mut octets)];
        let control = Some(self.control.as_mut_slice());
        match recvmsg::<SockaddrStorage>(fd, &mut slices, control, MsgFlags::MSG_DONTWAIT) {
            Ok(message) => {
                let (length, source) = (message.bytes, message.address.and_then(|a| place(&a)));
                let (ttl, destination) = ancillary(&message);
                let datagram = |source| Datagram { source, destination, ttl, octets, length };
                source.map(datagram).map(Some).ok_or_else(|| io::Error::other("no source"))
            }
            Err(nix::errno::Errno::EAGAIN) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Receiver {
    /// Readable while there is a datagram.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn ancillary(message: &RecvMsg<'_, '_, SockaddrStorage>) -> (u8, Option<IpAddr>) {
    let (mut ttl, mut destination) = (0, None);
    for control in message.cmsgs().into_iter().flatten() {
        match control {
            ControlMessageOwned::Ipv4Ttl(value) | ControlMessageOwned::Ipv6HopLimit(value) => {
                ttl = u8::try_from(value).unwrap_or(0);
            }
            ControlMessageOwned::Ipv4PacketInfo(info) => {
                let address = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
                destination = Some(address.into());
            }
            ControlMessageOwned::Ipv6PacketInfo(info) => {
                destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
            }
            _ => {}
        }
    }
    (ttl, destination)
}

fn place(address: &SockaddrStorage) -> Option<Place> {
    if let Some(v4) = address.as_sockaddr_in() {
        return Some(Place { address: v4.ip().into(), scope: 0 });
    }
    let v6 = address.as_sockaddr_in6()?;
    let scope = if v6.ip().is_unicast_link_local() { v6.scope_id() } else { 0 };
    Some(Place { address: v6.ip().into(), scope })
}

/// A socket from which our packets go.
#[derive(Debug)]
pub struct Sender {
    socket: Socket,
}

impl Sender {
    /// Opens one at `local` (`None`: the kernel chooses for each packet), trying source ports from
    /// `first` on.
    ///
    /// # Errors
    /// The operating system's; a missing local address is said as such.
    pub fn open(local: Option<IpAddr>, v6: bool, first: u16) -> io::Result<Sender> {
        let socket = plain(v6)?;
        if v6 {
            socket.set_unicast_hops_v6(255)?;
            socket.set_tclass_v6(TRAFFIC_CLASS)?;
        } else {
            socket.set_ttl_v4(255)?;
            socket.set_tos_v4(TRAFFIC_CLASS)?;
        }
        let local = local.unwrap_or(unspecified(v6));
        let count = SOURCES.end() - SOURCES.start() + 1;
        for n in 0..TRIES {
            let port = SOURCES.start() + first.wrapping_add(n) % count;
            match socket.bind(&SocketAddr::new(local, port).into()) {
                Ok(()) => return Ok(Sender { socket }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => {
                    return Err(io::Error::new(error.kind(), absent(local)));
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::other("no source port from 49152 to 65535 is free"))
    }

    /// Sends `packet`, or loses it like any wire.
    ///
    /// # Errors
    /// The operating system's.
    pub fn send(&self, to: Place, port: u16, packet: &[u8; LEN]) -> io::Result<()> {
        self.socket.send_to(packet, &to.port(port).into()).map(drop)
    }
}

/// That `local` is on no interface, for people.
pub fn absent(local: IpAddr) -> String {
    format!("our address {local} is not on this host")
}

fn plain(v6: bool) -> io::Result<Socket> {
    let domain = if v6 { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if v6 {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn unspecified(v6: bool) -> IpAddr {
    if v6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}
