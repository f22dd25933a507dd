//! Questions of operators and scrapes to the Rib, which has routes to move first.
//!
//! `bgpctl show routes` on a full table asks four thousand times, and each answer costs others,
//! who put it into words and read them, some fifteen times what it costs the Rib. So while many
//! routes come, or go out to neighbours, answers take one part in [`SHARE`] of the Rib's time; the
//! first one, and all of them when there has been little to do for a moment, are given at once. A
//! change now and then makes nobody wait.

use std::collections::VecDeque;
use std::time::Duration;

use starling_bgp::rib::Rib;
use starling_bgp::types::Time;

use super::clock::Clock;

/// Routes come as long as many of them came less than this ago …
const CALM: Duration = Duration::from_millis(50);
/// … which is so many within as long.
const MANY: usize = 256;
/// After an answer, so many times as long as it took belongs to them …
const SHARE: u32 = 256;
/// … but never more: whoever asks has a patience of seconds, and maybe others before it.
const LONGEST: Duration = Duration::from_millis(100);

/// Runs where the Rib does, so it must be short.
pub type Question = Box<dyn FnOnce(&Rib) + Send>;

/// Those that wait.
#[derive(Default)]
pub struct Questions {
    waiting: VecDeque<Question>,
    /// Until then routes come first …
    rest: Time,
    /// … if they still come: until then they do.
    busy: Time,
    /// So many have come since …
    came: usize,
    /// … this is counted, which it is until then.
    counted: Time,
}

impl Questions {
    /// One more.
    pub fn push(&mut self, question: Question) {
        self.waiting.push_back(question);
    }

    /// Routes came.
    pub fn came(&mut self, now: Time, routes: usize) {
        if self.counted <= now {
            (self.came, self.counted) = (0, now.after(CALM));
        }
        self.came = self.came.saturating_add(routes);
        if self.came >= MANY {
            self.busy(now);
        }
    }

    /// There is much to do.
    pub fn busy(&mut self, now: Time) {
        self.busy = now.after(CALM);
    }

    /// When the first is to be answered; `None`: there is none.
    pub fn next_deadline(&self) -> Option<Time> {
        (!self.waiting.is_empty()).then_some(self.rest.min(self.busy))
    }

    /// Whether that is now.
    pub fn are_due(&self, now: Time) -> bool {
        self.next_deadline().is_some_and(|at| at <= now)
    }

    /// Answers the first.
    pub fn answer(&mut self, clock: Clock, rib: &Rib) {
        let Some(question) = self.waiting.pop_front() else { return };
        let began = clock.now();
        question(rib);
        let now = clock.now();
        self.rest = now.after((now.since(began) * SHARE).min(LONGEST));
    }
}

#[cfg(test)]
#[path = "questions_tests.rs"]
mod tests;
