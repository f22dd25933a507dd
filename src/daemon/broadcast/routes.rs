//! Best paths, from the Rib to those who listen to them.
//!
//! A table that comes is a million of them in a second, and no reader keeps up with that. So the Rib
//! knows who wants what, and for how many more there is room: it makes no other, and counts them. It
//! is told anew, before its next message, when somebody has come, gone or read; whether that is so
//! is one look at a flag. Words are made by who reads them, in its own time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use starling_bgp::msg::{self, BestChange, BestNews, WATCHERS, Watcher};

use super::reader::{Reader, Waiting};
use super::{Broadcast, READERS, lock};
use crate::api::{BestPath, EventKind, RouteEvent};

const _: () = assert!(READERS <= WATCHERS, "the Rib tells every reader");

/// Those who listen to best paths, in the order in which the Rib knows them.
#[derive(Debug, Default)]
pub(crate) struct Watching(Vec<Arc<Reader>>);

impl Broadcast {
    /// What the Rib is to be told of those who listen; `None`: it knows.
    pub(crate) fn watchers(&self, watching: &mut Watching) -> Option<Vec<Watcher>> {
        let moved = &self.0.moved;
        if !moved.load(Ordering::Relaxed) || !moved.swap(false, Ordering::Acquire) {
            return None;
        }
        let readers = lock(&self.0.readers);
        let wants = |reader: &&Arc<Reader>| reader.query.wants(EventKind::Route);
        watching.0 = readers.all.iter().filter(wants).cloned().collect();
        let watcher = |reader: &Arc<Reader>| Watcher {
            within: reader.query.prefixes.clone(),
            from: reader.query.peers.clone(),
            room: lock(&reader.queue).room(),
        };
        Some(watching.0.iter().map(watcher).collect())
    }

    /// Tells what the Rib has said to those whom it meant.
    pub(crate) fn tell_routes(&self, news: &BestNews, watching: &Watching) {
        let time = Timestamp::now();
        let mut readers = lock(&self.0.readers);
        let first = readers.seq + 1;
        readers.seq += news.changes.len() as u64;
        for (place, reader) in watching.0.iter().enumerate() {
            let mut queue = lock(&reader.queue);
            let before = queue.waiting.len();
            for (seq, change) in (first..).zip(&news.changes) {
                if (change.whom >> place) & 1 == 1 {
                    let change = change.clone();
                    queue.waiting.push_back(Waiting::Route { seq, time, change });
                }
            }
            if let Some((_, missed)) = news.missed.iter().find(|(whose, _)| *whose == place) {
                queue.lose(*missed);
            }
            if queue.waiting.len() > before {
                reader.news.notify_one();
            }
        }
    }
}

/// A change as readers are told of it.
pub(super) fn in_words(change: &BestChange) -> RouteEvent {
    let path = |path: &Arc<msg::BestPath>| BestPath {
        from: path.from.clone(),
        next_hop: (!path.own).then(|| path.attrs.next_hop().address),
        as_path: path.attrs.as_path().to_string(),
        local_pref: path.attrs.local_pref(),
        med: path.attrs.med(),
    };
    let (old, new) = (change.old.as_ref().map(path), change.new.as_ref().map(path));
    RouteEvent { prefix: change.prefix, old, new }
}

#[cfg(test)]
#[path = "routes_tests.rs"]
mod tests;
