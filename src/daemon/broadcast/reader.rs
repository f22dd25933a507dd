//! One who listens: a bounded queue of what it is still to be told, and the end that reads it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};

use jiff::Timestamp;
use starling_bgp::msg::BestChange;
use tokio::sync::Notify;

use super::routes::in_words;
use super::{Inner, lock, written};
use crate::api::{Event, EventKind, EventQuery, Happening};

/// Events that wait for one reader: a burst of a mesh of 500, and about a megabyte at most.
pub(super) const WAITING: usize = 4096;
/// So many more of them may be of sessions, which a flood of routes is not to drown.
const SESSIONS: usize = 1024;
/// The most that is read at a time: what is read makes room.
const AT_ONCE: usize = 256;

#[derive(Debug)]
pub(super) struct Reader {
    pub(super) query: EventQuery,
    pub(super) queue: Mutex<Queue>,
    pub(super) news: Notify,
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) ended: bool,
}

/// In a queue.
#[derive(Debug)]
pub(super) enum Waiting {
    /// In words, which readers share.
    Said(Arc<Event>),
    /// To be put into words.
    Route { seq: u64, time: Timestamp, change: BestChange },
    /// So many are missing here.
    Lost(u64),
}

impl Reader {
    pub(super) fn new(query: EventQuery) -> Reader {
        Reader { query, queue: Mutex::default(), news: Notify::new() }
    }
}

impl Queue {
    /// For how many more events there is room, those of sessions aside.
    pub(super) fn room(&self) -> usize {
        WAITING.saturating_sub(self.waiting.len())
    }

    pub(super) fn has_room(&self, kind: EventKind) -> bool {
        let reserve = if kind == EventKind::Session { SESSIONS } else { 0 };
        self.waiting.len() < WAITING + reserve
    }

    /// So many would have their place here.
    pub(super) fn lose(&mut self, more: u64) {
        match self.waiting.back_mut() {
            Some(Waiting::Lost(count)) => *count += more,
            _ => self.waiting.push_back(Waiting::Lost(more)),
        }
    }

    /// The first ones; and whether that was all that there will ever be.
    fn take(&mut self) -> (Vec<Waiting>, bool) {
        let first: Vec<Waiting> = match self.waiting.len() {
            0..=AT_ONCE => std::mem::take(&mut self.waiting).into(),
            _ => self.waiting.drain(..AT_ONCE).collect(),
        };
        (first, self.ended && self.waiting.is_empty())
    }
}

/// A reader's end. Dropping it ends the listening.
#[derive(Debug)]
pub struct Listener {
    /// The number of the last event that it has read, or that was before it listened.
    seq: u64,
    reader: Arc<Reader>,
    of: Weak<Inner>,
    is_over: bool,
}

impl Listener {
    pub(super) fn new(seq: u64, reader: Arc<Reader>, of: Weak<Inner>) -> Listener {
        Listener { seq, reader, of, is_over: false }
    }

    /// An event that concerns this reader alone.
    pub fn own(&mut self, what: Happening) -> Arc<Event> {
        Arc::new(Event { seq: self.seq, time: written(Timestamp::now()), what })
    }

    /// Some of what has come since the last call, at least one; where some were lost, how many.
    /// `None`: that was all. Giving up a call half-way loses nothing.
    pub async fn next(&mut self) -> Option<Vec<Arc<Event>>> {
        loop {
            if self.is_over {
                return None;
            }
            let (waiting, is_over) = lock(&self.reader.queue).take();
            if !waiting.is_empty()
                && let Some(of) = self.of.upgrade()
            {
                of.moved(&self.reader);
            }
            let mut events: Vec<_> = waiting.into_iter().map(|one| self.event(one)).collect();
            if is_over {
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

    fn event(&mut self, waiting: Waiting) -> Arc<Event> {
        let event = match waiting {
            Waiting::Said(event) => event,
            Waiting::Route { seq, time, change } => {
                let what = Happening::Route(in_words(&change));
                Arc::new(Event { seq, time: written(time), what })
            }
            Waiting::Lost(count) => self.own(Happening::Lost { count }),
        };
        self.seq = event.seq;
        event
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(of) = self.of.upgrade() {
            of.forget(&self.reader);
        }
        // The Rib's task may know the reader for a while yet.
        lock(&self.reader.queue).waiting = VecDeque::new();
    }
}
