//! Who else writes to our routes: counted, and named when it becomes a habit.
//!
//! In: each change of a route of ours by somebody else, with the rtm_protocol that sits there now,
//! if something does. Out: whether one more line about a single prefix is worth reading, how long
//! to wait before it is put back, and a report when it goes on. A route that is lost once is put
//! back at once however many go with it; what is fought is the same rival doing the same to the
//! same prefixes again and again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ipnet::IpNet;

use crate::types::Report;

/// What counts together.
pub const WINDOW: Duration = Duration::from_secs(60);
/// So many changes in a window are a habit, which people are told of.
pub const HABIT: u64 = 5;
/// Single changes of one rival that are told in a window, one by one.
const LINES: u64 = 10;
/// Repeated changes in a window that are put back at once.
const REPEATS_AT_ONCE: u64 = 20;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Who it is: the rtm_protocol of the route that is there now. `None`: there is none, and the
/// kernel does not say who removed ours.
pub type Who = Option<u8>;

/// What one rival did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rival {
    /// Who.
    pub who: Who,
    /// Changes in the last [`WINDOW`].
    pub recent: u64,
    /// Changes since the start.
    pub total: u64,
    /// The prefix that it changed last.
    pub last: IpNet,
    /// How long ago.
    pub ago: Duration,
}

/// What becomes of one change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Tell people of it by itself.
    pub line: bool,
    /// Put it back after this, not at once.
    pub wait: Option<Duration>,
}

/// Events in the last window, by the second.
#[derive(Clone, Default, Debug)]
struct Recent(VecDeque<(u64, u64)>);

impl Recent {
    fn add(&mut self, now: Duration) {
        match self.0.back_mut() {
            Some((second, n)) if *second == now.as_secs() => *n += 1,
            _ => self.0.push_back((now.as_secs(), 1)),
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Duration) {
        let oldest = now.saturating_sub(WINDOW).as_secs();
        while self.0.front().is_some_and(|(second, _)| *second < oldest) {
            self.0.pop_front();
        }
    }

    fn count(&self, now: Duration) -> u64 {
        let oldest = now.saturating_sub(WINDOW).as_secs();
        self.0.iter().filter(|(second, _)| *second >= oldest).map(|(_, n)| n).sum()
    }
}

#[derive(Clone, Debug)]
struct Record {
    recent: Recent,
    repeats: Recent,
    total: u64,
    last: (IpNet, Duration),
    told: Option<Duration>,
    wait: Duration,
    /// When the wait grew last.
    grew: Duration,
}

/// All rivals.
#[derive(Clone, Default, Debug)]
pub struct Rivals {
    all: BTreeMap<Who, Record>,
    /// Of whom there may be something to tell.
    busy: BTreeSet<Who>,
}

impl Rivals {
    /// A change of a route of ours. `repeated`: this prefix was changed a moment ago too.
    pub fn act(&mut self, who: Who, prefix: IpNet, repeated: bool, now: Duration) -> Answer {
        let record = self.all.entry(who).or_insert_with(|| Record {
            recent: Recent::default(),
            repeats: Recent::default(),
            total: 0,
            last: (prefix, now),
            told: None,
            wait: Duration::ZERO,
            grew: now,
        });
        record.recent.add(now);
        record.total += 1;
        record.last = (prefix, now);
        self.busy.insert(who);
        let line = record.recent.count(now) <= LINES;
        record.repeats.forget(now);
        if repeated {
            record.repeats.add(now);
        }
        if record.repeats.count(now) <= REPEATS_AT_ONCE {
            if now.saturating_sub(record.grew) > LONGEST_WAIT.saturating_add(record.wait) {
                record.wait = Duration::ZERO;
            }
            return Answer { line, wait: None };
        }
        // What comes in a wave is one round of the quarrel.
        if now.saturating_sub(record.grew) >= record.wait {
            record.wait = (record.wait * 2).clamp(FIRST_WAIT, LONGEST_WAIT);
            record.grew = now;
        }
        Answer { line, wait: repeated.then_some(record.wait) }
    }

    /// Whether so much is known of one that its next deed by itself is not worth a line.
    pub fn is_known(&self, who: Who, now: Duration) -> bool {
        self.all.get(&who).is_some_and(|record| record.recent.count(now) > LINES)
    }

    /// What people should know of now; each rival at most once in a window. `own`: our protocol.
    pub fn news(&mut self, own: u8, now: Duration) -> Vec<Report> {
        let mut news = Vec::new();
        for who in std::mem::take(&mut self.busy) {
            let Some(record) = self.all.get_mut(&who) else { continue };
            let recent = record.recent.count(now);
            let told_lately = record.told.is_some_and(|told| now.saturating_sub(told) < WINDOW);
            if recent < HABIT || told_lately {
                continue;
            }
            record.told = Some(now);
            let waits = record.wait > Duration::ZERO;
            let example = record.last.0;
            let what = words(who, recent, own);
            news.push(Report::Rival { who, recent, example, waits, what });
        }
        news
    }

    /// All that were ever seen.
    pub fn iter(&self, now: Duration) -> impl Iterator<Item = Rival> {
        self.all.iter().map(move |(who, record)| Rival {
            who: *who,
            recent: record.recent.count(now),
            total: record.total,
            last: record.last.0,
            ago: now.saturating_sub(record.last.1),
        })
    }
}

/// What a rival did, in words: "proto 80 replaced 14 of our routes in 60 s". `own`: our protocol.
pub fn words(who: Who, recent: u64, own: u8) -> String {
    let (subject, verb) = match who {
        None => ("somebody (the kernel does not say who)".to_owned(), "removed"),
        Some(protocol) if protocol == own => {
            (format!("somebody who writes as proto {protocol}, as we do,"), "changed")
        }
        Some(protocol) => (format!("proto {protocol}"), "replaced"),
    };
    format!("{subject} {verb} {recent} of our routes in {} s", WINDOW.as_secs())
}

#[cfg(test)]
mod tests;
