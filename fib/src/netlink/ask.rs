//! Single questions to the kernel: where a packet goes, and whether the next one on its way is
//! there.
//!
//! In: an address. Out: the kernel's own answer, of the namespace that the socket was opened in
//! and through its rules (`ip rule`), as [`crate::packet`] has it. A packet's way is asked for
//! twice (RTM_GETROUTE): for the route that matches (RTM_F_FIB_MATCH, Linux 4.13), and for what
//! becomes of this packet, which of several next hops is one. What drops the packet has only an
//! errno to say so (net/ipv4/fib_semantics.c, net/ipv6/route.c: the same four).

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage, NlasIterator};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage};
use netlink_packet_route::route::{RouteAttribute, RouteFlags, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::NetlinkError;
use super::decode;
use super::socket::{RouteSocket, Verdict};
use crate::packet::{Answer, Discard, Neighbour, NeighbourState};
use crate::types::{KernelRoute, Kind};

/// The kernel answers while it is asked; this long only if something is very wrong.
const PATIENCE: Duration = Duration::from_secs(5);

const NDA_LLADDR: u16 = 2;

/// A socket for questions.
pub struct Asker {
    socket: RouteSocket,
}

impl Asker {
    /// Opens it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// A socket cannot be had.
    pub fn open() -> Result<Asker, NetlinkError> {
        let socket = RouteSocket::open(0);
        let socket = socket.map_err(|source| NetlinkError::Socket { what: "questions", source })?;
        Ok(Asker { socket })
    }

    /// What the kernel does with a packet of this host to `address`, or of the VRF device `vrf`.
    ///
    /// # Errors
    ///
    /// The socket is broken.
    pub async fn packet(
        &mut self,
        address: IpAddr,
        vrf: Option<u32>,
    ) -> Result<Answer, NetlinkError> {
        let matched = match self.route(address, vrf, RouteFlags::FibMatch).await? {
            Ok(route) => route,
            Err(verdict) => return Ok(refused(verdict)),
        };
        // Between the two questions the table may change: then this one's answer is the newer.
        let packet = match self.route(address, vrf, RouteFlags::empty()).await? {
            Ok(route) => route,
            Err(verdict) => return Ok(refused(verdict)),
        };
        match (matched, packet) {
            (Some(route), _) if route.kind != Kind::Unicast => Ok(Answer::Local(route)),
            (Some(route), Some(packet)) => Ok(Answer::Sent {
                hop: packet.hops.first().copied().or_else(|| route.hops.first().copied()),
                source: packet.source.or(route.source),
                route,
            }),
            _ => Ok(Answer::Failed(libc::EINVAL, "the kernel's answer is no route".to_owned())),
        }
    }

    /// The kernel's entry for a neighbour on an interface; `None`: it has none (nothing was sent
    /// there lately), or cannot be asked for one alone (before Linux 5.0).
    ///
    /// # Errors
    ///
    /// The socket is broken.
    pub async fn neighbour(
        &mut self,
        device: u32,
        address: IpAddr,
    ) -> Result<Option<Neighbour>, NetlinkError> {
        let mut message = NeighbourMessage::default();
        message.header.family = family(address);
        message.header.ifindex = device;
        let to = match address {
            IpAddr::V4(v4) => NeighbourAddress::Inet(v4),
            IpAddr::V6(v6) => NeighbourAddress::Inet6(v6),
        };
        message.attributes.push(NeighbourAttribute::Destination(to));
        let answer = self.ask(RouteNetlinkMessage::GetNeighbour(message), neighbour).await?;
        Ok(answer.ok().flatten())
    }

    async fn route(
        &mut self,
        address: IpAddr,
        vrf: Option<u32>,
        flags: RouteFlags,
    ) -> Result<Result<Option<KernelRoute>, Verdict>, NetlinkError> {
        let mut message = RouteMessage::default();
        message.header.address_family = family(address);
        message.header.destination_prefix_length = if address.is_ipv4() { 32 } else { 128 };
        // Without it the answer names main, whatever table it is from.
        message.header.flags = flags | RouteFlags::LookupTable;
        message.attributes.push(RouteAttribute::Destination(address.into()));
        message.attributes.extend(vrf.map(RouteAttribute::Oif));
        let decode = |payload: &[u8]| decode::any_route(payload).ok().flatten();
        self.ask(RouteNetlinkMessage::GetRoute(message), decode).await
    }

    /// One request and its answer, or the kernel's refusal.
    async fn ask<T>(
        &mut self,
        request: RouteNetlinkMessage,
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Result<Option<T>, Verdict>, NetlinkError> {
        let failed = |source| NetlinkError::Socket { what: "questions", source };
        let sequence = self.socket.take_sequence(1);
        let mut request = NetlinkMessage::from(request);
        request.header.flags = NLM_F_REQUEST;
        request.header.sequence_number = sequence;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes).map_err(failed)?;
        loop {
            let received = tokio::time::timeout(PATIENCE, self.socket.receive()).await;
            let messages =
                received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
            for message in messages {
                let message = message
                    .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))?;
                if message.sequence != sequence {
                    continue;
                }
                return Ok(match message.verdict() {
                    Some(verdict) => Err(verdict),
                    None => Ok(decode(message.payload)),
                });
            }
        }
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

/// What an errno says of a packet.
fn refused(verdict: Verdict) -> Answer {
    match verdict.errno {
        libc::EINVAL => Answer::Dropped(Discard::Blackhole),
        libc::EHOSTUNREACH => Answer::Dropped(Discard::Unreachable),
        libc::EACCES => Answer::Dropped(Discard::Prohibit),
        libc::ENETUNREACH => Answer::NoRoute,
        errno => Answer::Failed(errno, verdict.reason),
    }
}

/// Reads the payload of RTM_NEWNEIGH (struct ndmsg).
pub(super) fn neighbour(payload: &[u8]) -> Option<Neighbour> {
    let (header, attributes) = payload.split_first_chunk::<12>()?;
    let [_, _, _, _, _, _, _, _, s0, s1, ..] = *header;
    let lladdr = NlasIterator::new(attributes)
        .flatten()
        .find(|attribute| attribute.kind() == NDA_LLADDR)
        .map(|attribute| {
            let octets: Vec<String> =
                attribute.value().iter().map(|octet| format!("{octet:02x}")).collect();
            octets.join(":")
        });
    Some(Neighbour { state: state(u16::from_ne_bytes([s0, s1])), lladdr })
}

fn state(number: u16) -> NeighbourState {
    match number {
        0x01 => NeighbourState::Incomplete,
        0x02 => NeighbourState::Reachable,
        0x04 => NeighbourState::Stale,
        0x08 => NeighbourState::Delay,
        0x10 => NeighbourState::Probe,
        0x20 => NeighbourState::Failed,
        0x40 | 0x80 => NeighbourState::Permanent,
        other => NeighbourState::Other(other),
    }
}
