//! Who may call, as the listening sockets see it, and the calls that they cannot decide.
//!
//! The book is replaced as a whole at a reload. Off the route path, so a lock serves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use starling_bgp::types::Asn;
use starling_config::{NodePlan, PeerKey};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::peer::PeerHandle;

/// A connection from a range, and the AS that its OPEN says: the supervisor decides.
#[derive(Debug)]
pub struct Call {
    /// The connection; nothing is read from it yet.
    pub stream: TcpStream,
    /// Its other end.
    pub remote: SocketAddr,
    /// Who that is.
    pub who: PeerKey,
    /// What it says to be.
    pub asn: Asn,
}

/// What a caller is.
#[derive(Debug)]
pub enum Caller {
    /// A neighbour.
    Known(PeerHandle),
    /// One that may become a neighbour.
    InRange,
    /// Nobody we know.
    Stranger,
}

/// Shared by the listening sockets and the supervisor.
#[derive(Clone, Debug)]
pub struct Callers {
    book: Arc<RwLock<Book>>,
    refused: Arc<AtomicU64>,
    calls: mpsc::Sender<Call>,
}

#[derive(Debug, Default)]
struct Book {
    known: BTreeMap<PeerKey, PeerHandle>,
    plan: Option<Arc<NodePlan>>,
}

impl Callers {
    /// Nobody may call yet. What only the supervisor can decide goes to `calls`.
    pub fn new(calls: mpsc::Sender<Call>) -> Callers {
        Callers { book: Arc::default(), refused: Arc::default(), calls }
    }

    /// From now on these may, and whom the ranges of `plan` let in.
    pub fn replace(&self, known: BTreeMap<PeerKey, PeerHandle>, plan: Arc<NodePlan>) {
        if let Ok(mut book) = self.book.write() {
            *book = Book { known, plan: Some(plan) };
        }
    }

    /// Who that is.
    pub fn find(&self, who: &PeerKey) -> Caller {
        let Ok(book) = self.book.read() else { return Caller::Stranger };
        if let Some(peer) = book.known.get(who) {
            return Caller::Known(peer.clone());
        }
        match book.plan.as_ref().and_then(|plan| plan.range_of(who)) {
            Some(_) => Caller::InRange,
            None => Caller::Stranger,
        }
    }

    /// Hands a call to the supervisor.
    pub async fn ask(&self, call: Call) {
        // The supervisor is gone: the daemon is stopping.
        let _ = self.calls.send(call).await;
    }

    /// Counts a connection that was refused.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many were.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
