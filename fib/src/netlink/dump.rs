//! Reading everything the kernel has: links, addresses, routes.
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

use super::NetlinkError;
use super::decode::{self, Tables};
use super::socket::RouteSocket;
use crate::types::Dump;

/// How often an interrupted part is read before giving up.
const ATTEMPTS: usize = 8;
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

    /// Reads everything, routes of `tables` only.
    pub(super) async fn dump(&mut self, tables: Tables) -> Result<Dump, NetlinkError> {
        let mut dump = self.interfaces().await?;
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            for table in tables.iter().map(Some).take(if self.strict { 2 } else { 1 }) {
                let request = routes(family, table.filter(|_| self.strict));
                let decode = of_family(family, |payload| decode::route(payload, tables));
                match self.part("routes", request, decode, decode::collect).await {
                    Ok(found) if dump.routes.is_empty() => dump.routes = found,
                    Ok(found) => dump.routes.extend(found),
                    // So the kernel says that the table does not exist yet.
                    Err(NetlinkError::Refused { errno: libc::ENOENT, .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(dump)
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
        let failed = |source| NetlinkError::Socket { what, source };
        let sequence = self.socket.take_sequence(1);
        request.header.sequence_number = sequence;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes).map_err(failed)?;

        let mut found = Vec::new();
        let mut interrupted = false;
        loop {
            let received = tokio::time::timeout(PATIENCE, self.socket.receive()).await;
            let messages =
                received.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(failed)?;
            for message in messages {
                let message = message
                    .map_err(|error| failed(io::Error::new(io::ErrorKind::InvalidData, error)))?;
                // The rest of an earlier dump that ended in an error.
                if message.sequence != sequence {
                    continue;
                }
                interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
                if let Some(verdict) = message.verdict() {
                    if verdict.errno != 0 {
                        let (errno, reason) = (verdict.errno, verdict.reason);
                        return Err(NetlinkError::Refused { what, errno, reason });
                    }
                    if message.is_done() {
                        return match interrupted {
                            true => Err(NetlinkError::Interrupted { what, attempts: 1 }),
                            false => Ok(found),
                        };
                    }
                    continue;
                }
                match decode(message.payload) {
                    Ok(Some(value)) => collect(&mut found, value),
                    Ok(None) => {}
                    Err(error) => tracing::warn!(%error, what, "skipped a message of a dump"),
                }
            }
        }
    }
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
