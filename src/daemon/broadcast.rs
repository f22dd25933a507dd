//! What happens, told to all who listen: the source of `GET /v1/events`.
//!
//! ```text
//!   peers ──sessions──┐                  ┌─ queue (bounded) ──► a reader
//!   Rib ──best paths──┼──► [Broadcast] ──┼─ queue (bounded) ──► a reader
//!   Fib ──the kernel──┘    number, time  └─ …
//! ```
//!
//! Who tells never waits: a queue that is full counts what it could not take, and its reader is told
//! how many. While nobody listens, telling is one look at a number, and what would be told is not
//! made. An event is made once, however many listen.

pub(crate) mod kernel;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ipnet::IpNet;
use starling_bgp::msg::BestChange;
use tokio::sync::Notify;

use crate::api::{BestPath, Event, EventKind, EventQuery, Happening, RouteEvent};

/// Events that wait for one reader: a burst of a mesh of 500, and about a megabyte at most.
const WAITING: usize = 4096;
/// So many may listen at a time.
const READERS: usize = 64;

/// Where events are told. Clones tell the same readers.
#[derive(Clone, Debug, Default)]
pub struct Broadcast(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Readers that want a kind, by kind: what is looked at before anything is made.
    wanted: [AtomicUsize; 3],
    readers: Mutex<Readers>,
}

#[derive(Debug, Default)]
struct Readers {
    seq: u64,
    all: Vec<Arc<Reader>>,
    /// Nothing more is told, for this reason.
    ended: Option<String>,
}

#[derive(Debug)]
struct Reader {
    query: EventQuery,
    queue: Mutex<Queue>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<Event>>,
    lost: u64,
    ended: bool,
}

/// Whom to tell of something without making it first.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// What kind it is.
    pub kind: EventKind,
    /// The destination that it is about.
    pub prefix: Option<IpNet>,
}

impl Broadcast {
    /// Whether anybody wants events of that kind.
    pub fn is_wanted(&self, kind: EventKind) -> bool {
        self.wanted(kind).load(Ordering::Relaxed) > 0
    }

    /// Tells one thing.
    pub fn tell(&self, about: About, make: impl FnOnce() -> Happening) {
        let mut make = Some(make);
        self.tell_each(
            about.kind,
            &[about],
            |about| about.prefix,
            |_| make.take().map(|make| make()),
        );
    }

    /// Tells the best paths that changed. Says whether somebody wants to hear of them.
    pub fn tell_routes(&self, changes: &[BestChange]) -> bool {
        let path = |path: &Arc<starling_bgp::msg::BestPath>| BestPath {
            from: path.from.clone(),
            next_hop: (!path.own).then(|| path.attrs.next_hop().address),
            as_path: path.attrs.as_path().to_string(),
            local_pref: path.attrs.local_pref(),
            med: path.attrs.med(),
        };
        let make = |change: &BestChange| {
            let (old, new) = (change.old.as_ref().map(path), change.new.as_ref().map(path));
            Some(Happening::Route(RouteEvent { prefix: change.prefix, old, new }))
        };
        self.tell_each(EventKind::Route, changes, |change| Some(change.prefix), make)
    }

    /// Makes only what somebody wants and has room for. Says whether anybody wants the kind.
    pub(crate) fn tell_each<T>(
        &self,
        kind: EventKind,
        items: &[T],
        prefix: impl Fn(&T) -> Option<IpNet>,
        mut make: impl FnMut(&T) -> Option<Happening>,
    ) -> bool {
        if !self.is_wanted(kind) {
            return false;
        }
        let time = format!("{:.3}", jiff::Timestamp::now());
        let mut readers = lock(&self.0.readers);
        let Readers { seq, all, .. } = &mut *readers;
        for item in items {
            *seq += 1;
            let prefix = prefix(item);
            let mut made: Option<Arc<Event>> = None;
            for reader in all.iter().filter(|r| r.query.wants(kind) && r.query.covers(prefix)) {
                let mut queue = lock(&reader.queue);
                if queue.waiting.len() >= WAITING {
                    queue.lost += 1;
                    continue;
                }
                if made.is_none() {
                    let Some(what) = make(item) else { break };
                    made = Some(Arc::new(Event { seq: *seq, time: time.clone(), what }));
                }
                if let Some(event) = made.as_ref().filter(|event| reader.query.takes(&event.what)) {
                    queue.waiting.push_back(Arc::clone(event));
                    reader.news.notify_one();
                }
            }
        }
        true
    }

    /// A new reader, told what happens from now on; none where too many listen already, or where
    /// nothing more is told.
    pub fn listen(&self, query: EventQuery) -> Option<Listener> {
        let mut readers = lock(&self.0.readers);
        if readers.all.len() >= READERS || readers.ended.is_some() {
            return None;
        }
        for kind in EventKind::ALL.into_iter().filter(|kind| query.wants(*kind)) {
            self.wanted(kind).fetch_add(1, Ordering::Relaxed);
        }
        let reader = Arc::new(Reader { query, queue: Mutex::default(), news: Notify::new() });
        readers.all.push(Arc::clone(&reader));
        Some(Listener { seq: readers.seq, reader, of: Arc::downgrade(&self.0), is_over: false })
    }

    /// Nothing more is told: readers hear why, after what waits for them.
    pub fn end(&self, reason: &str) {
        let mut readers = lock(&self.0.readers);
        readers.ended = Some(reason.to_owned());
        for reader in &readers.all {
            lock(&reader.queue).ended = true;
            reader.news.notify_one();
        }
    }

    fn wanted(&self, kind: EventKind) -> &AtomicUsize {
        let [session, route, fib] = &self.0.wanted;
        match kind {
            EventKind::Session => session,
            EventKind::Route => route,
            EventKind::Fib => fib,
        }
    }
}

/// A reader's end. Dropping it ends the listening.
#[derive(Debug)]
pub struct Listener {
    /// The number of the last event before it listened.
    seq: u64,
    reader: Arc<Reader>,
    of: Weak<Inner>,
    is_over: bool,
}

impl Listener {
    /// An event that concerns this reader alone.
    pub fn own(&mut self, what: Happening) -> Arc<Event> {
        Arc::new(Event { seq: self.seq, time: format!("{:.3}", jiff::Timestamp::now()), what })
    }

    /// What has come since the last call, at least one; after what was lost, how many that were.
    /// `None`: that was all. Giving up a call half-way loses nothing.
    pub async fn next(&mut self) -> Option<Vec<Arc<Event>>> {
        loop {
            if self.is_over {
                return None;
            }
            let (mut events, lost, ended) = {
                let mut queue = lock(&self.reader.queue);
                let lost = std::mem::take(&mut queue.lost);
                (Vec::from(std::mem::take(&mut queue.waiting)), lost, queue.ended)
            };
            if let Some(last) = events.last() {
                self.seq = last.seq;
            }
            if lost > 0 {
                events.push(self.own(Happening::Lost { count: lost }));
            }
            if ended {
                self.is_over = true;
                let reason = self.of.upgrade().and_then(|of| lock(&of.readers).ended.clone());
                let reason = reason.unwrap_or_else(|| "the daemon is stopping".to_owned());
                events.push(self.own(Happening::End { reason }));
            }
            if !events.is_empty() {
                return Some(events);
            }
            self.reader.news.notified().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let Some(of) = self.of.upgrade() else { return };
        let of = Broadcast(of);
        let mut readers = lock(&of.0.readers);
        readers.all.retain(|reader| !Arc::ptr_eq(reader, &self.reader));
        for kind in EventKind::ALL.into_iter().filter(|kind| self.reader.query.wants(*kind)) {
            of.wanted(kind).fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// What is behind these locks is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "broadcast_tests.rs"]
mod tests;
