//! Times as BIRD 1.6 writes them: local, and without a day while that is clear.

use std::time::Duration;

use jiff::Zoned;

/// After so long the time of the day alone would be ambiguous.
const TODAY: u64 = 20 * 3600;

/// When something began that has lasted `seconds`, as one word.
pub(super) fn since(now: &Zoned, seconds: u64) -> String {
    let format = if seconds < TODAY { "%H:%M:%S" } else { "%Y-%m-%d" };
    before(now, seconds).strftime(format).to_string()
}

/// [`since`] for rows of which one is often as old as the one before.
pub(super) struct Ages {
    now: Zoned,
    last: Option<(u64, String)>,
}

impl Ages {
    pub(super) fn new() -> Ages {
        Ages { now: Zoned::now(), last: None }
    }

    pub(super) fn since(&mut self, seconds: u64) -> &str {
        let known = self.last.take().filter(|(age, _)| *age == seconds);
        let text = known.map_or_else(|| since(&self.now, seconds), |(_, text)| text);
        &self.last.insert((seconds, text)).1
    }
}

/// The same, in full.
pub(super) fn full(now: &Zoned, seconds: u64) -> String {
    before(now, seconds).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn before(now: &Zoned, seconds: u64) -> Zoned {
    // Only out of range where the age is longer than the calendar.
    now.checked_sub(Duration::from_secs(seconds)).unwrap_or_else(|_| now.clone())
}

#[cfg(test)]
mod tests;
