//! One rtnetlink socket: opened with the options that make its answers trustworthy, written and
//! read a datagram at a time, and the framing of what is read.
//!
//! In: bytes to send. Out: [`Message`]s, and the [`Verdict`] of an ACK or of a dump's end
//! (RFC 3549 §2.3.2.2, with the kernel's extended ACK that says in words what it disliked).

use std::io;

use netlink_packet_core::{DecodeError, NLM_F_ACK_TLVS, NLM_F_CAPPED, NetlinkBuffer, NlasIterator};
use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};
use netlink_sys::{Socket, protocols::NETLINK_ROUTE};
use socket2::{SockFilter, SockRef};

/// Longer than any datagram the kernel sends: a dump's are at most 32 KiB, a notification is one
/// route, whose longest attribute is 64 KiB.
const DATAGRAM: usize = 128 * 1024;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSGERR_ATTR_MSG: u16 = 1;

/// A non-blocking NETLINK_ROUTE socket with the buffer that it is read into.
pub(super) struct RouteSocket {
    socket: TokioSocket,
    port: u32,
    sequence: u32,
    datagram: Vec<u8>,
}

impl RouteSocket {
    /// Opens a socket that is a member of `groups` (a bit mask of legacy RTMGRP_*, 0 for none).
    /// Must be called inside a tokio runtime.
    pub(super) fn open(groups: u32) -> io::Result<RouteSocket> {
        let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
        let plain = socket.socket_mut();
        // Kernels before 4.2 and 4.12 lack these: then errors come with errno's words only.
        let _ = plain.set_cap_ack(true);
        let _ = plain.set_ext_ack(true);
        plain.bind(&SocketAddr::new(0, groups))?;
        let mut address = SocketAddr::new(0, 0);
        plain.get_address(&mut address)?;
        Ok(RouteSocket {
            socket,
            port: address.port_number(),
            sequence: 0,
            datagram: Vec::with_capacity(DATAGRAM),
        })
    }

    /// The address of this socket; the kernel writes it into what our requests cause.
    pub(super) fn port(&self) -> u32 {
        self.port
    }

    /// The next `n` sequence numbers; returns the first. They may wrap.
    pub(super) fn take_sequence(&mut self, n: u32) -> u32 {
        let first = self.sequence;
        self.sequence = first.wrapping_add(n);
        first
    }

    /// Asks for room for `bytes` of unread messages: beyond net.core.rmem_max where we may
    /// (CAP_NET_ADMIN), else as much of it as is allowed. Returns what the kernel granted, in the
    /// unit it counts in (its bookkeeping included).
    pub(super) fn grow_receive_buffer(&self, bytes: usize) -> io::Result<usize> {
        let socket = self.plain();
        let wanted = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        if rustix::net::sockopt::set_socket_recv_buffer_size_force(socket, bytes).is_err() {
            socket.set_rx_buf_sz(wanted)?;
        }
        socket.get_rx_buf_sz()
    }

    /// Has the kernel check requests strictly; for dumps that means: filter as asked.
    pub(super) fn set_strict(&self) -> io::Result<()> {
        self.plain().set_netlink_get_strict_chk(true)
    }

    /// Has the kernel drop, before they take room in the receive buffer, messages that the
    /// requests of socket `port` caused.
    pub(super) fn ignore_port(&self, port: u32) -> io::Result<()> {
        const LOAD_WORD: u16 = 0x20;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        const PORT_AT: u32 = 12;
        SockRef::from(self.plain()).attach_filter(&[
            // The filter machine reads big-endian; netlink headers are in the host's order.
            SockFilter::new(LOAD_WORD, 0, 0, PORT_AT),
            SockFilter::new(JUMP_IF_EQUAL, 0, 1, port.to_be()),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ])
    }

    /// Has the kernel drop all messages but those with this half word (in the host's order) there.
    pub(super) fn only_half_word(&self, at: u32, value: u16) -> io::Result<()> {
        const LOAD_HALF_WORD: u16 = 0x28;
        const JUMP_IF_EQUAL: u16 = 0x15;
        const RETURN: u16 = 0x06;
        SockRef::from(self.plain()).attach_filter(&[
            SockFilter::new(LOAD_HALF_WORD, 0, 0, at),
            SockFilter::new(JUMP_IF_EQUAL, 1, 0, u32::from(value.to_be())),
            SockFilter::new(RETURN, 0, 0, 0),
            SockFilter::new(RETURN, 0, 0, u32::MAX),
        ])
    }

    /// Sends `bytes`, one or more whole messages. The kernel carries out requests before it
    /// returns, so this never waits for room.
    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        loop {
            match self.plain().send(bytes, 0) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(|_| ()),
            }
        }
    }

    /// Waits for a datagram from the kernel. ENOBUFS means that at least one was lost before it.
    /// Dropped before it is ready, it has read nothing.
    pub(super) async fn receive(&mut self) -> io::Result<Messages<'_>> {
        loop {
            self.datagram.clear();
            match self.socket.recv_from(&mut self.datagram).await {
                Ok(sender) if is_kernel(sender) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Messages(&self.datagram))
    }

    /// [`RouteSocket::receive`] of what is there as a rule: the kernel answers before `send` returns.
    pub(super) async fn receive_answer(&mut self) -> io::Result<Messages<'_>> {
        use io::ErrorKind::{Interrupted, WouldBlock};
        self.datagram.clear();
        match self.socket.socket_ref().recv_from(&mut self.datagram, 0) {
            Ok((_, sender)) if is_kernel(sender) => Ok(Messages(&self.datagram)),
            Err(error) if !matches!(error.kind(), WouldBlock | Interrupted) => Err(error),
            _ => self.receive().await,
        }
    }

    /// A datagram that is already there, or `None`.
    pub(super) fn receive_waiting(&mut self) -> io::Result<Option<Messages<'_>>> {
        loop {
            self.datagram.clear();
            match self.socket.socket_ref().recv_from(&mut self.datagram, 0) {
                Ok((_, sender)) if is_kernel(sender) => break,
                Ok(_) => {}
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(None),
                    io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
        Ok(Some(Messages(&self.datagram)))
    }

    fn plain(&self) -> &Socket {
        self.socket.socket_ref()
    }
}

/// Any process may write to a netlink socket; only port 0 is the kernel.
fn is_kernel(sender: SocketAddr) -> bool {
    sender.port_number() == 0
}

/// Whether the socket's receive buffer overflowed: messages were lost.
pub(super) fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// One netlink message.
pub(super) struct Message<'a> {
    /// nlmsg_type.
    pub(super) kind: u16,
    /// nlmsg_flags.
    pub(super) flags: u16,
    /// nlmsg_seq: of the request that this answers.
    pub(super) sequence: u32,
    /// nlmsg_pid: the socket whose request caused this, 0 for the kernel's own doing.
    pub(super) port: u32,
    /// What follows the header.
    pub(super) payload: &'a [u8],
}

/// The messages of one datagram; ends after the first malformed one.
pub(super) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let buffer = match NetlinkBuffer::new_checked(self.0) {
            Ok(buffer) => buffer,
            Err(error) => {
                self.0 = &[];
                return Some(Err(error));
            }
        };
        let length = buffer.length() as usize;
        let message = Message {
            kind: buffer.message_type(),
            flags: buffer.flags(),
            sequence: buffer.sequence_number(),
            port: buffer.port_number(),
            payload: self.0.get(16..length).unwrap_or_default(),
        };
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok(message))
    }
}

/// What became of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Verdict {
    /// errno, positive; 0: done.
    pub(super) errno: i32,
    /// The kernel's words, else errno's.
    pub(super) reason: String,
}

impl Verdict {
    /// The verdict that `errno` is, in the system's words.
    pub(super) fn of(errno: i32) -> Verdict {
        Verdict { errno, reason: io::Error::from_raw_os_error(errno).to_string() }
    }

    /// The verdict that a failed system call is.
    pub(super) fn of_io(error: &io::Error) -> Verdict {
        Verdict { errno: error.raw_os_error().unwrap_or(libc::EIO), reason: error.to_string() }
    }
}

impl Message<'_> {
    /// Whether this ends a dump.
    pub(super) fn is_done(&self) -> bool {
        self.kind == NLMSG_DONE
    }

    /// The verdict, if this is an ACK, an error or the end of a dump.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        if self.kind != NLMSG_ERROR && self.kind != NLMSG_DONE {
            return None;
        }
        let code = self.payload.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
        if code == 0 {
            return Some(Verdict { errno: 0, reason: String::new() });
        }
        let mut verdict = Verdict::of(code.saturating_neg());
        if let Some(words) = self.extended_ack() {
            verdict.reason = words;
        }
        Some(verdict)
    }

    /// NLMSGERR_ATTR_MSG. In an error it follows the echoed request (its header alone where
    /// capped), in the end of a dump the code.
    fn extended_ack(&self) -> Option<String> {
        if self.flags & NLM_F_ACK_TLVS == 0 {
            return None;
        }
        let skip = match self.kind {
            NLMSG_DONE => 4,
            _ if self.flags & NLM_F_CAPPED != 0 => 4 + 16,
            _ => {
                let request = self.payload.get(4..8)?.first_chunk()?;
                4 + (u32::from_ne_bytes(*request) as usize).next_multiple_of(4)
            }
        };
        let attributes = NlasIterator::new(self.payload.get(skip..)?);
        let text = attributes.flatten().find(|a| a.kind() == NLMSGERR_ATTR_MSG)?;
        let text = String::from_utf8_lossy(text.value());
        Some(text.trim_end_matches('\0').to_owned())
    }
}
