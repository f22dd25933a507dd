//! Neighbours that the kernel looked for in vain: entries of its ARP and neighbour tables that
//! failed.
//!
//! In: the multicast group of neighbours, on a socket of its own, because a busy host changes
//! thousands of entries and only those that failed matter: the kernel drops the others before they
//! take room (a filter on ndm_state). Out: [`KernelEvent::Unanswered`]. What is lost here is lost
//! without a word: it is a hint, and the next packet to such a neighbour brings another one.

use std::io;
use std::net::IpAddr;

use netlink_packet_core::{DecodeError, NlasIterator};

use super::decode::{address, split};
use super::socket::{Message, Messages, RouteSocket};
use crate::types::KernelEvent;

/// RTMGRP_NEIGH.
const GROUP: u32 = libc::RTMGRP_NEIGH as u32;
/// Where ndm_state is in a datagram: behind nlmsghdr, family, padding and interface.
const STATE_AT: u32 = 24;
/// NDA_DST.
const DESTINATION: u16 = 1;

/// The socket.
pub(super) struct Neighbours {
    socket: RouteSocket,
}

impl Neighbours {
    /// Subscribes.
    pub(super) fn open() -> io::Result<Neighbours> {
        let socket = RouteSocket::open(GROUP)?;
        socket.only_half_word(STATE_AT, libc::NUD_FAILED)?;
        Ok(Neighbours { socket })
    }

    /// Waits for those that failed. Safe to drop before it is ready.
    ///
    /// # Errors
    ///
    /// The socket's, of which an overrun is none.
    pub(super) async fn next(&mut self) -> io::Result<Vec<KernelEvent>> {
        loop {
            let failed = read(self.socket.receive().await?);
            if !failed.is_empty() {
                return Ok(failed);
            }
        }
    }
}

fn read(messages: Messages<'_>) -> Vec<KernelEvent> {
    let failed = |message: Message<'_>| match message.kind {
        libc::RTM_NEWNEIGH => unanswered(message.payload).ok().flatten(),
        _ => None,
    };
    messages.flatten().filter_map(failed).collect()
}

/// Reads the payload of RTM_NEWNEIGH (struct ndmsg), if it says that the entry failed.
fn unanswered(payload: &[u8]) -> Result<Option<KernelEvent>, DecodeError> {
    let (header, attributes) = split::<12>(payload)?;
    let [_, _, _, _, d0, d1, d2, d3, s0, s1, ..] = *header;
    if u16::from_ne_bytes([s0, s1]) != libc::NUD_FAILED {
        return Ok(None);
    }
    let device = u32::from_ne_bytes([d0, d1, d2, d3]);
    for attribute in NlasIterator::new(attributes) {
        let attribute = attribute?;
        if attribute.kind() == DESTINATION {
            let address: IpAddr = address(&attribute)?;
            return Ok(Some(KernelEvent::Unanswered { device, address }));
        }
    }
    Ok(None)
}
