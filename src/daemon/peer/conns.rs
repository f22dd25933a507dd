//! A neighbour's connections: the one that is dialled, those that it opens, and what becomes of them
//! until the actor has said which stays.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use starling_bgp::msg::{PeerIn, PeerOut, Slot};
use starling_bgp::wire::Notification;
use tokio::net::TcpStream;

use super::{Pump, way};
use crate::daemon::conn::{self, Conn};
use crate::daemon::listen;

/// A connection on its way.
pub(super) type Dial = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

impl Pump {
    pub(super) fn accept(&mut self, stream: TcpStream, remote: SocketAddr, out: &mut Vec<PeerOut>) {
        let Ok(local) = stream.local_addr() else { return };
        if let Err(why) = self.endpoint.admit(self.peer.config(), &stream, remote) {
            let note = format!("a connection from there was refused: {why}");
            if !self.notes.contains(&note) {
                let config = self.peer.config();
                tracing::warn!(peer = %config.name, address = %config.address, "{note}");
                self.remember(note);
            }
            listen::refuse(stream, &Notification::CEASE_REJECTED);
            return;
        }
        let conn = Some(Conn::new(stream));
        match self.accepted {
            None => self.accepted = conn,
            Some(_) => self.calling = conn,
        }
        self.handle(PeerIn::Accepted { local, remote }, out);
    }

    pub(super) fn connected(&mut self, result: io::Result<TcpStream>, out: &mut Vec<PeerOut>) {
        let connected = result.and_then(|stream| {
            let ends = (stream.local_addr()?, stream.peer_addr()?);
            Ok((stream, ends))
        });
        match connected {
            Ok((stream, (local, remote))) => {
                self.dialled = Some(Conn::new(stream));
                self.handle(PeerIn::Connected { local, remote }, out);
            }
            // The kernel's own news ends the wait, no timer.
            Err(error) if self.way.waits && way::is_absent(&error) => {
                self.handle(PeerIn::Waiting { reason: conn::words(&error) }, out);
            }
            Err(error) => {
                self.handle(PeerIn::ConnectFailed { reason: conn::words(&error) }, out);
            }
        }
    }

    pub(super) fn progressed(
        &mut self,
        slot: Slot,
        result: io::Result<bool>,
        out: &mut Vec<PeerOut>,
    ) {
        let now = self.clock.now();
        let conn = match slot {
            Slot::Dialled => &mut self.dialled,
            Slot::Accepted => &mut self.accepted,
        };
        match result {
            Ok(false) => {}
            Ok(true) => {
                self.read = now;
                if let Some(conn) = conn {
                    self.peer.handle(now, PeerIn::Received { slot, bytes: &mut conn.input }, out);
                }
            }
            Err(error) => {
                *conn = None;
                let reason = conn::words(&error);
                self.peer.handle(now, PeerIn::Closed { slot, reason }, out);
            }
        }
    }

    pub(super) fn conn(&mut self, slot: Slot) -> &mut Option<Conn> {
        match slot {
            Slot::Dialled => &mut self.dialled,
            Slot::Accepted => &mut self.accepted,
        }
    }
}

pub(super) async fn dialled(dialling: &mut Option<Dial>) -> io::Result<TcpStream> {
    match dialling {
        Some(dial) => dial.await,
        None => std::future::pending().await,
    }
}

pub(super) async fn progress(conn: &mut Option<Conn>, read: bool) -> io::Result<bool> {
    match conn {
        Some(conn) => conn.progress(read).await,
        None => std::future::pending().await,
    }
}
