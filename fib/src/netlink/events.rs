//! News from the kernel, as it happens.
//!
//! In: the multicast groups of links, addresses and routes. Out: batches of [`KernelEvent`], never
//! silently incomplete: what cannot be known from the news alone becomes [`KernelEvent::Lost`],
//! whose cure is a dump. A batch with a loss is the loss alone, since the dump covers the rest.
//!
//! * What our own [`super::Netlink::apply`] changed is not repeated here: the kernel drops it
//!   before it fills the buffer. Its answer said it already, and a late echo would look like news.
//! * The receive buffer overflowed (ENOBUFS), or a message is malformed: lost.
//! * A route was appended beside another of the same key (NLM_F_APPEND): which of them counts is
//!   not said: lost.
//! * IPv6 takes hops away from a route one at a time, and reports each as if it had been a route
//!   of its own: somebody's removal of a route with one gateway may leave others: lost.
//! * IPv4 drops the routes of a nexthop object with it, and says only that the object is gone; with
//!   an interface that goes down or loses its carrier not even that.
//! * IPv4 drops routes without any news when their device goes down, or when the last address of
//!   the device or their own source address goes. Only the device's or the address's news comes
//!   ([`KernelEvent::Link`], `LinkGone`, `AddressGone`): whoever keeps a route that leans on it
//!   must dump.

use std::io;

use ipnet::IpNet;
use netlink_packet_core::{DecodeError, NLM_F_APPEND};

use super::NetlinkError;
use super::decode::{self, Tables};
use super::neighbours::Neighbours;
use super::objects::{self, RTM_DELNEXTHOP, RTM_NEWNEXTHOP};
use super::socket::{Message, Messages, RouteSocket, is_overrun};
use crate::types::{KernelEvent, KernelRoute};

/// Events of one batch, at most: what is handled at once without a look at other messages.
const MOST_EVENTS: usize = 4096;

/// The multicast groups, as bits (RTMGRP_*).
const GROUPS: u32 = (libc::RTMGRP_LINK
    | libc::RTMGRP_IPV4_IFADDR
    | libc::RTMGRP_IPV6_IFADDR
    | libc::RTMGRP_IPV4_ROUTE
    | libc::RTMGRP_IPV6_ROUTE) as u32
    | objects::GROUP;

/// The socket that news arrives at.
pub struct Events {
    socket: RouteSocket,
    own_port: u32,
    /// Where hints come from; `None`: this kernel gives none.
    neighbours: Option<Neighbours>,
}

impl Events {
    /// Subscribes, with room for `receive_buffer` bytes of unread news; changes made through
    /// socket `own_port` are no news.
    pub(super) fn open(receive_buffer: usize, own_port: u32) -> io::Result<Events> {
        let socket = RouteSocket::open(GROUPS)?;
        let granted = socket.grow_receive_buffer(receive_buffer)?;
        if granted < receive_buffer {
            tracing::info!(granted, receive_buffer, "kernel news has less room than asked for");
        }
        if let Err(error) = socket.ignore_port(own_port) {
            tracing::debug!(%error, "no socket filter: own changes are dropped here instead");
        }
        let neighbours = Neighbours::open();
        if let Err(error) = &neighbours {
            tracing::debug!(%error, "no news of neighbours that do not answer");
        }
        Ok(Events { socket, own_port, neighbours: neighbours.ok() })
    }

    /// Waits for news, then takes all that is there. Routes of main and of `table` only. Never
    /// empty. Safe to drop before it is ready: nothing read is lost.
    ///
    /// # Errors
    ///
    /// The socket is broken.
    pub async fn next(&mut self, table: u32) -> Result<Vec<KernelEvent>, NetlinkError> {
        let tables = Tables::new(table);
        let mut batch = Batch { own_port: self.own_port, tables, events: Vec::new(), lost: false };
        while batch.events.is_empty() && !batch.lost {
            let received = tokio::select! {
                biased;
                received = self.socket.receive() => received,
                failed = failed(&mut self.neighbours) => return Ok(failed),
            };
            batch.take(received.map(Some))?;
            while batch.events.len() < MOST_EVENTS && batch.take(self.socket.receive_waiting())? {}
        }
        Ok(if batch.lost { vec![KernelEvent::Lost] } else { batch.events })
    }
}

/// Waits for neighbours that the kernel looked for in vain; an overrun is no matter.
async fn failed(neighbours: &mut Option<Neighbours>) -> Vec<KernelEvent> {
    loop {
        match neighbours {
            None => return std::future::pending().await,
            Some(open) => match open.next().await {
                Ok(failed) => return failed,
                Err(error) if is_overrun(&error) => {}
                Err(error) => {
                    tracing::debug!(%error, "no more news of neighbours that do not answer");
                    *neighbours = None;
                }
            },
        }
    }
}

/// News being collected.
struct Batch {
    own_port: u32,
    tables: Tables,
    events: Vec<KernelEvent>,
    lost: bool,
}

impl Batch {
    /// Adds what was received; `false` if nothing was there.
    fn take(&mut self, received: io::Result<Option<Messages<'_>>>) -> Result<bool, NetlinkError> {
        let messages = match received {
            Ok(Some(messages)) => messages,
            Ok(None) => return Ok(false),
            // What comes after the gap can be read.
            Err(error) if is_overrun(&error) => {
                self.lost = true;
                return Ok(true);
            }
            Err(source) => return Err(NetlinkError::Socket { what: "news", source }),
        };
        for message in messages {
            if let Err(error) = message.and_then(|message| self.add(&message)) {
                tracing::warn!(%error, "unreadable news from the kernel");
                self.lost = true;
            }
        }
        Ok(true)
    }

    fn add(&mut self, message: &Message<'_>) -> Result<(), DecodeError> {
        let event = match message.kind {
            libc::RTM_NEWLINK => decode::link(message.payload)?.map(KernelEvent::Link),
            libc::RTM_DELLINK => {
                decode::link(message.payload)?.map(|link| KernelEvent::LinkGone(link.index))
            }
            libc::RTM_NEWADDR => decode::device_address(message.payload)?.map(KernelEvent::Address),
            libc::RTM_DELADDR => {
                decode::device_address(message.payload)?.map(KernelEvent::AddressGone)
            }
            libc::RTM_NEWROUTE | libc::RTM_DELROUTE if message.port == self.own_port => None,
            libc::RTM_NEWROUTE => {
                let route = decode::route(message.payload, self.tables)?;
                self.lost |= route.is_some() && message.flags & NLM_F_APPEND != 0;
                route.map(KernelEvent::Route)
            }
            libc::RTM_DELROUTE => {
                let route = decode::route(message.payload, self.tables)?;
                self.lost |= route.as_ref().is_some_and(may_leave_siblings);
                route.map(KernelEvent::RouteGone)
            }
            RTM_NEWNEXTHOP | RTM_DELNEXTHOP if message.port == self.own_port => None,
            RTM_NEWNEXTHOP => objects::object(message.payload)?.map(KernelEvent::Object),
            RTM_DELNEXTHOP => {
                objects::object(message.payload)?.map(|object| KernelEvent::ObjectGone(object.id))
            }
            _ => None,
        };
        self.events.extend(event);
        Ok(())
    }
}

fn may_leave_siblings(route: &KernelRoute) -> bool {
    matches!(route.key.prefix, IpNet::V6(_))
        && route.object.is_none()
        && matches!(route.hops.as_slice(), [hop] if hop.gateway.is_some())
}
