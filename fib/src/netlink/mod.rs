//! The Linux kernel behind the [`crate::types`] messages: the only code that talks to it.
//!
//! ```text
//!               ┌──────────────── task: the pump ────────────────┐
//!  Command ───► │  Fib ──Apply──► Netlink::apply   (apply, encode)│ ──► News
//!               │      ──Dump───► Netlink::dump    (dump, decode) │
//!               │      ──Tunnel─► Netlink::tunnel  (tunnel)       │
//!               │      ◄─Events── Events::next     (events, decode)│
//!               └─────────────────────────────────────────────────┘
//! ```
//!
//! rtnetlink (RFC 3549 and the kernel's own headers). Routes, dumps and news have a socket each,
//! read and written directly: one request per future, as the rtnetlink crate does it, is too slow
//! for a hundred thousand routes and cannot tell an interrupted dump. The tunnel device, where
//! neither matters, is set up through that crate.

mod apply;
mod ask;
#[cfg(test)]
mod codec_tests;
mod decode;
mod dump;
pub mod encode;
mod events;
mod forwarding;
mod neighbours;
mod objects;
mod socket;
mod task;
mod tunnel;

use std::io;

pub use ask::Asker;
pub use events::Events;
pub use task::{Command, News, Seen, run};

use crate::types::{Dump, ObjectFailure, ObjectOp, OpFailure, RouteOp, TunnelError, TunnelSpec};
use decode::Tables;
use tokio::sync::mpsc;

/// How to open the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Room for unread news, in bytes as the kernel counts them (about 1000 a route). Beyond
    /// net.core.rmem_max it takes CAP_NET_ADMIN.
    pub receive_buffer: usize,
    /// Take a tunnel device of any kind for what it is named. For tests of route programming, on
    /// kernels that have no ipip; nothing is encapsulated then.
    pub accept_any_tunnel_kind: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { receive_buffer: 32 << 20, accept_any_tunnel_kind: false }
    }
}

/// Why the kernel could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// A system call failed.
    #[error("netlink socket for {what}: {source}")]
    Socket {
        /// What the socket is for.
        what: &'static str,
        /// The failure.
        source: io::Error,
    },
    /// The kernel's tables changed under every attempt to read them.
    #[error("the kernel's {what} changed during each of {attempts} attempts to read them")]
    Interrupted {
        /// What was read.
        what: &'static str,
        /// How often.
        attempts: usize,
    },
    /// The kernel does not want to tell.
    #[error("the kernel refuses to list its {what}: {reason}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        /// errno, positive.
        errno: i32,
        /// The kernel's words.
        reason: String,
    },
}

/// The kernel of the network namespace that this was opened in.
pub struct Netlink {
    writer: apply::Writer,
    reader: dump::Reader,
    tunnel: tunnel::Tunnel,
}

impl Netlink {
    /// Opens the sockets. The [`Events`] begin now: a [`Netlink::dump`] after this and the events
    /// together are the whole truth. Must be called inside a tokio runtime.
    ///
    /// # Errors
    ///
    /// A socket cannot be had.
    pub fn open(options: Options) -> Result<(Netlink, Events), NetlinkError> {
        let failed = |what| move |source| NetlinkError::Socket { what, source };
        let writer = apply::Writer::open().map_err(failed("route changes"))?;
        let events = Events::open(options.receive_buffer, writer.port()).map_err(failed("news"))?;
        let reader = dump::Reader::open().map_err(failed("dumps"))?;
        let tunnel = tunnel::Tunnel::new(options.accept_any_tunnel_kind);
        Ok((Netlink { writer, reader, tunnel }, events))
    }

    /// Everything the kernel has, with the routes of main and of `table`.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or its tables change under every one of several attempts.
    pub async fn dump(&mut self, table: u32) -> Result<Dump, NetlinkError> {
        self.reader.dump(Tables::new(table)).await
    }

    /// A reader of its own for [`Auditor::stream`], which may take long.
    ///
    /// # Errors
    ///
    /// A socket cannot be had.
    pub fn auditor() -> Result<Auditor, NetlinkError> {
        let failed = |source| NetlinkError::Socket { what: "audits", source };
        Ok(Auditor(dump::Reader::open().map_err(failed)?))
    }

    /// The interfaces and their addresses; no routes.
    ///
    /// # Errors
    ///
    /// As [`Netlink::dump`].
    pub async fn interfaces(&mut self) -> Result<Dump, NetlinkError> {
        self.reader.interfaces().await
    }

    /// Carries out `ops` in order and returns those that failed; the others are done. One op's
    /// failure does not keep the others from being tried. The kernel works on the calling thread:
    /// about a thousand ops between two yields.
    ///
    /// errno ENOBUFS and ETIMEDOUT mean "unknown": the op may have been done.
    pub async fn apply(&mut self, ops: &[RouteOp]) -> Vec<OpFailure> {
        self.writer.apply(ops).await
    }

    /// Makes and removes nexthop objects, in order; returns those ops that failed. The others are
    /// done, and acknowledged.
    pub async fn apply_objects(&mut self, ops: &[ObjectOp]) -> Vec<ObjectFailure> {
        self.writer.apply_objects(ops).await
    }

    /// Makes and sets up the tunnel device.
    ///
    /// # Errors
    ///
    /// There is no IPIP, or the device's name is taken, or the kernel refuses.
    pub async fn tunnel(&mut self, spec: &TunnelSpec) -> Result<(), TunnelError> {
        self.tunnel.ensure(spec).await
    }
}

/// Reads the kernel's table for an audit, beside everything else.
pub struct Auditor(dump::Reader);

impl Auditor {
    /// Everything, with the routes of main and of `table`, in parts as `sink` takes them;
    /// interfaces and addresses are in the first.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or says that its tables changed meanwhile.
    pub async fn stream(
        &mut self,
        table: u32,
        sink: &mpsc::Sender<Dump>,
    ) -> Result<(), NetlinkError> {
        self.0.stream(Tables::new(table), sink).await
    }
}
