//! What happens, told to all who listen: the source of `GET /v1/events`.
//!
//! ```text
//!   peers ──sessions──┐                  ┌─ queue (bounded) ──► a reader
//!   Fib ──the kernel──┼──► [Broadcast] ──┼─ queue (bounded) ──► a reader
//!   Rib ──best paths──┘    number, time  └─ …         │
//!    ▲                                                │
//!    └───────── who wants what, and has room ─────────┘
//! ```
//!
//! Who tells never waits: a queue that is full counts what it could not take, and its reader is told
//! how many. While nobody listens, telling is one look at a number, and what would be told is not
//! made. An event is made once, however many listen; best paths, of which there may be a million in
//! a second, are put into words by who reads them.

pub(crate) mod kernel;
mod reader;
pub(crate) mod routes;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ipnet::IpNet;
use jiff::Timestamp;

use crate::api::{Event, EventKind, EventQuery, Happening};
pub use reader::Listener;
use reader::{Reader, Waiting};

/// So many may listen at a time.
const READERS: usize = 64;

/// Where events are told. Clones tell the same readers.
#[derive(Clone, Debug, Default)]
pub struct Broadcast(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Readers that want a kind, by kind: what is looked at before anything is made.
    wanted: [AtomicUsize; 3],
    /// Of those who listen to best paths somebody has come, gone or read.
    moved: AtomicBool,
    readers: Mutex<Readers>,
}

#[derive(Debug, Default)]
struct Readers {
    seq: u64,
    all: Vec<Arc<Reader>>,
    /// Nothing more is told, for this reason.
    ended: Option<String>,
}

/// Whom to tell of something without making it first.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// What kind it is.
    pub kind: EventKind,
    /// The destination that it is about.
    pub prefix: Option<IpNet>,
    /// The neighbour whose session it is about, by name.
    pub peer: Option<&'a str>,
}

impl About<'_> {
    /// Whether it may be what was asked for.
    fn is_for(&self, query: &EventQuery) -> bool {
        query.wants(self.kind)
            && query.covers(self.prefix)
            && self.peer.is_none_or(|name| query.names(name))
    }
}

impl Broadcast {
    /// Whether anybody wants events of that kind.
    pub fn is_wanted(&self, kind: EventKind) -> bool {
        self.0.wanted(kind).load(Ordering::Relaxed) > 0
    }

    /// Tells one thing.
    pub fn tell(&self, about: About<'_>, make: impl FnOnce() -> Happening) {
        let mut make = Some(make);
        self.tell_each(about.kind, &[about], |about| *about, |_| make.take().map(|make| make()));
    }

    /// Makes only what somebody wants and has room for.
    pub(crate) fn tell_each<'a, T>(
        &self,
        kind: EventKind,
        items: &'a [T],
        about: impl Fn(&'a T) -> About<'a>,
        mut make: impl FnMut(&'a T) -> Option<Happening>,
    ) {
        if !self.is_wanted(kind) {
            return;
        }
        let time = written(Timestamp::now());
        let mut readers = lock(&self.0.readers);
        let Readers { seq, all, .. } = &mut *readers;
        for item in items {
            *seq += 1;
            let about = about(item);
            let mut made: Option<Arc<Event>> = None;
            for reader in all.iter().filter(|reader| about.is_for(&reader.query)) {
                let mut queue = lock(&reader.queue);
                if !queue.has_room(kind) {
                    queue.lose(1);
                    continue;
                }
                if made.is_none() {
                    let Some(what) = make(item) else { break };
                    made = Some(Arc::new(Event { seq: *seq, time: time.clone(), what }));
                }
                if let Some(event) = made.as_ref().filter(|event| reader.query.takes(&event.what)) {
                    queue.waiting.push_back(Waiting::Said(Arc::clone(event)));
                    reader.news.notify_one();
                }
            }
        }
    }

    /// A new reader, told what happens from now on; none where too many listen already, or where
    /// nothing more is told.
    pub fn listen(&self, query: EventQuery) -> Option<Listener> {
        let mut readers = lock(&self.0.readers);
        if readers.all.len() >= READERS || readers.ended.is_some() {
            return None;
        }
        for kind in EventKind::ALL.into_iter().filter(|kind| query.wants(*kind)) {
            self.0.wanted(kind).fetch_add(1, Ordering::Relaxed);
        }
        let reader = Arc::new(Reader::new(query));
        readers.all.push(Arc::clone(&reader));
        self.0.moved(&reader);
        Some(Listener::new(readers.seq, reader, Arc::downgrade(&self.0)))
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
}

impl Inner {
    fn wanted(&self, kind: EventKind) -> &AtomicUsize {
        let [session, route, fib] = &self.wanted;
        match kind {
            EventKind::Session => session,
            EventKind::Route => route,
            EventKind::Fib => fib,
        }
    }

    /// A reader has come, gone, or read.
    fn moved(&self, reader: &Reader) {
        if reader.query.wants(EventKind::Route) {
            self.moved.store(true, Ordering::Release);
        }
    }

    /// A reader listens no more.
    fn forget(&self, gone: &Arc<Reader>) {
        lock(&self.readers).all.retain(|reader| !Arc::ptr_eq(reader, gone));
        for kind in EventKind::ALL.into_iter().filter(|kind| gone.query.wants(*kind)) {
            self.wanted(kind).fetch_sub(1, Ordering::Relaxed);
        }
        self.moved(gone);
    }
}

/// A time as events have it.
fn written(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// What is behind these locks is whole between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "broadcast_tests.rs"]
mod tests;
