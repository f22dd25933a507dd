//! Reading everything the kernel has: links, addresses, nexthop objects, routes.
//!
//! In: nothing but which tables. Out: a [`Dump`]. The kernel lets itself be asked in parts while
//! others change things; a part during which it noticed that (NLM_F_DUMP_INTR) is read again, a
//! few times. Changes between the parts are no loss: the event socket was open before, and holds
//! them. The table filter is the kernel's (strict checking, Linux 4.20), so a large foreign table
//! is not even sent; older kernels send everything and the filter is [`Tables`] alone.

use std::io;
use std::time::Duration;

use netlink_packet_core::NetlinkMessage;
use netlink_packet_core::{DecodeError, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST};
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::route::{RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::sync::mpsc;

use super::NetlinkError;
use super::decode::{self, Tables};
use super::objects;
use super::socket::RouteSocket;
use crate::types::{Dump, Object};

/// How often an interrupted part is read before giving up.
const ATTEMPTS: usize = 8;
/// Routes of one part of a stream, about.
const MOST_ROUTES: usize = 4096;
/// The kernel answers while it is asked; this long only if something is very wrong.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket that dumps are read from.
pub(super) struct Reader {
    socket: RouteSocket,
    strict: bool,
}

impl Reader {
    pub(super) fn open() -> io::Result<Reader> {
        let socket = RouteSocket::open(0)?;
        let strict = socket.set_strict().is_ok();
        Ok(Reader { socket, strict })
    }

    /// Reads interfaces and addresses; no routes.
    pub(super) async fn interfaces(&mut self) -> Result<Dump, NetlinkError> {
        let mut dump = Dump {
            links: self.part("links", links(), decode::link, Vec::push).await?,
            ..Dump::default()
        };
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let decode = of_family(family, decode::device_address);
            let found = self.part("addresses", addresses(family), decode, Vec::push).await?;
            dump.addresses.extend(found);
        }
        Ok(dump)
    }

    /// Reads all nexthop objects; `None`: this kernel knows of none.
    async fn objects(&mut self) -> Result<Option<Vec<Object>>, NetlinkError> {
        let what = "nexthop objects";
        for _ in 0..ATTEMPTS {
            let sequence = self.socket.take_sequence(1);
            let sent = self.socket.send(&objects::dump(sequence));
            sent.map_err(|source| NetlinkError::Socket { what, source })?;
            let mut answer = Answer { what, sequence, interrupted: false };
            let mut found = Vec::new();
            loop {
                match self.more(&mut answer, objects::object, Vec::push, &mut found).await {
                    Ok(true) => return Ok(Some(found)),
                    Ok(false) => {}
                    Err(NetlinkError::Interrupted { .. }) => break,
                    Err(NetlinkError::Refused { errno: libc::EOPNOTSUPP, .. }) => return Ok(None),
                    Err(error) => return Err(error),
                }
            }
            tokio::task::yield_now().await;
        }
        Err(NetlinkError::Interrupted { what, attempts: ATTEMPTS })
    }

    /// Reads everything, routes of `tables` only.
    pub(super) async fn dump(&mut self, tables: Tables) -> Result<Dump, NetlinkError> {
        let mut dump = self.interfaces().await?;
        // Before the routes: what they lead through is known then, or its news is on its way.
        dump.objects = self.objects().await?;
        for (family, request) in self.route_parts(tables) {
            let decode = of_family(family, |payload| decode::route(payload, tables));
            match self.part("routes", request, decode, decode::collect).await {
                Ok(found) if dump.routes.is_empty() => dump.routes = found,
                Ok(found) => dump.routes.extend(found),
                Err(error) if is_no_table(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(dump)
    }

    /// The same in parts that are handed over as they come, so that they never are in memory at
    /// once: the kernel makes up the next only when there is room for it. Interfaces and addresses
    /// are in the first. Nothing is read again: an interruption ends it.
    pub(super) async fn stream(
        &mut self,
        tables: Tables,
        sink: &mpsc::Sender<Dump>,
    ) -> Result<(), NetlinkError> {
        let mut part = self.interfaces().await?;
        part.objects = self.objects().await?;
        for (family, request) in self.route_parts(tables) {
            let decode = of_family(family, |payload| decode::route(payload, tables));
            let mut request = NetlinkMessage::from(request);
            request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
            let mut answer = self.begin("routes", &mut request)?;
            loop {
                match self.more(&mut answer, &decode, decode::collect, &mut part.routes).await {
                    Ok(true) => break,
                    Ok(false) => {}
                    Err(error) if is_no_table(&error) => break,
                    Err(error) => return Err(error),
                }
                if part.routes.len() > MOST_ROUTES {
                    // The last one may be a piece of a route (`decode::collect`).
                    let piece = part.routes.pop();
                    let whole = std::mem::take(&mut part);
                    part.routes.extend(piece);
                    if sink.send(whole).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        // Whoever hung up does not want it.
        let _ = sink.send(part).await;
        Ok(())
    }

    /// The requests that together ask for all routes of `tables`.
    fn route_parts(&self, tables: Tables) -> Vec<(AddressFamily, RouteNetlinkMessage)> {
        let strict = self.strict;
        let tables: Vec<Option<u32>> = tables
            .iter()
            .map(|table| strict.then_some(table))
            .take(if strict { 2 } else { 1 })
            .collect();
        [AddressFamily::Inet, AddressFamily::Inet6]
            .into_iter()
            .flat_map(|family| tables.iter().map(move |table| (family, routes(family, *table))))
            .collect()
    }

    /// Reads one part whole, again if it was interrupted.
    async fn part<T>(
        &mut self,
        what: &'static str,
        request: RouteNetlinkMessage,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
        collect: impl Fn(&mut Vec<T>, T),
    ) -> Result<Vec<T>, NetlinkError> {
        let mut request = NetlinkMessage::from(request);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        for _ in 0..ATTEMPTS {
            match self.attempt(what, &mut request, &decode, &collect).await {
                Err(NetlinkError::Interrupted { .. }) => tokio::task::yield_now().await,
                other => return other,
            }
        }
        Err(NetlinkError::Interrupted { what, attempts: ATTEMPTS })
    }

    async fn attempt<T>(
        &mut self,
        what: &'static str,
        request: &mut NetlinkMessage<RouteNetlinkMessage>,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
        collect: impl Fn(&mut Vec<T>, T),
    ) -> Result<Vec<T>, NetlinkError> {
        let mut answer = self.begin(what, request)?;
        let mut found = Vec::new();
        while !self.more(&mut answer, &decode, &collect, &mut found).await? {}
        Ok(found)
    }

    /// Asks for a part.
    fn begin(
        &mut self,
        what: &'static str,
        request: &mut NetlinkMessage<RouteNetlinkMessage>,
    ) -> Result<Answer, NetlinkError> {
        let sequence = self.socket.take_sequence(1);
        request.header.sequence_number = sequence;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes).map_err(|source| NetlinkError::Socket { what, source })?;
        Ok(Answer { what, sequence, interrupted: false })
    }

    /// Reads some of the answer into `found`; whether that was the last of it.
    async fn more<T>(
        &mut self,
        answer: &mut Answer,
        decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
        collect: impl Fn(&mut Vec<T>, T),
        found: &mut Vec<T>,
    ) -> Result<bool, NetlinkError> {
        let what = answer.what;
        let failed = |source| NetlinkError::Socket { what, source };
        let received = tokio::time::timeout(PATIENCE, self.socket.receive()).await;
        let messages =
            received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
        for message in messages {
            let message = message
                .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))?;
            // The rest of an earlier dump that ended in an error.
            if message.sequence != answer.sequence {
                continue;
            }
            answer.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
            if let Some(verdict) = message.verdict() {
                if verdict.errno != 0 {
                    let (errno, reason) = (verdict.errno, verdict.reason);
                    return Err(NetlinkError::Refused { what, errno, reason });
                }
                if message.is_done() {
                    return match answer.interrupted {
                        true => Err(NetlinkError::Interrupted { what, attempts: 1 }),
                        false => Ok(true),
                    };
                }
                continue;
            }
            match decode(message.payload) {
                Ok(Some(value)) => collect(found, value),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, what, "skipped a message of a dump"),
            }
        }
        Ok(false)
    }
}

/// The answer to a dump request, as far as it came.
struct Answer {
    what: &'static str,
    sequence: u32,
    /// The kernel said that its tables changed meanwhile.
    interrupted: bool,
}

/// So the kernel says that a table does not exist yet.
fn is_no_table(error: &NetlinkError) -> bool {
    matches!(error, NetlinkError::Refused { errno: libc::ENOENT, .. })
}

/// A kernel without IPv6 answers a dump of it with all families: keeps those of `family`, which is
/// the first octet of every header.
fn of_family<T>(
    family: AddressFamily,
    decode: impl Fn(&[u8]) -> Result<Option<T>, DecodeError>,
) -> impl Fn(&[u8]) -> Result<Option<T>, DecodeError> {
    let family = u8::from(family);
    move |payload| if payload.first() == Some(&family) { decode(payload) } else { Ok(None) }
}

fn links() -> RouteNetlinkMessage {
    RouteNetlinkMessage::GetLink(LinkMessage::default())
}

fn addresses(family: AddressFamily) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = family;
    RouteNetlinkMessage::GetAddress(message)
}

fn routes(family: AddressFamily, table: Option<u32>) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family;
    message.attributes.extend(table.map(RouteAttribute::Table));
    RouteNetlinkMessage::GetRoute(message)
}
