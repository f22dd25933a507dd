//! A line that is said again and again is said a few times and then counted.
//!
//! In: events on their way into the log. Out: whether each is written, and once a minute how often
//! what was not written has happened. A neighbour that flaps, or a kernel that refuses the same
//! route all day, must neither fill the disk nor be passed over in silence. Two events are the same
//! line if they come from the same place in the program and say the same, fields included. What is
//! logged for debugging is written as it comes.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Condvar, Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use crate::daemon::privilege;

/// A line is written so often …
const WRITTEN: u32 = 5;
/// … in so long, and then counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Different lines that are watched at once; of more, the oldest count is told early.
const LINES: usize = 1024;
/// What says how often: never counted itself.
const TARGET: &str = "starlingd::repeated";

/// See the module.
#[derive(Clone)]
pub struct Repeats(Arc<Shared>);

impl Default for Repeats {
    fn default() -> Repeats {
        let (lines, counted, teller) = (Mutex::default(), Condvar::new(), Once::new());
        Repeats(Arc::new(Shared { lines, counted, teller }))
    }
}

struct Shared {
    lines: Mutex<Lines>,
    /// Something is counted that was not.
    counted: Condvar,
    /// Who tells; nobody before there is something to tell.
    teller: Once,
}

/// What was said lately.
#[derive(Default)]
struct Lines {
    known: HashMap<(tracing::callsite::Identifier, String), Line>,
}

struct Line {
    level: Level,
    since: Instant,
    times: u32,
}

/// How often a line was not written.
#[derive(PartialEq, Eq, Debug)]
struct Count {
    level: Level,
    text: String,
    times: u32,
}

impl<S: Subscriber> Layer<S> for Repeats {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO || metadata.target() == TARGET {
            return true;
        }
        let mut text = Text::default();
        event.record(&mut text);
        let key = (metadata.callsite(), text.whole());
        let mut lines = self.0.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let written = lines.written(key, *metadata.level(), Instant::now());
        drop(lines);
        if !written {
            self.0.teller.call_once(|| Shared::start(&self.0));
            self.0.counted.notify_one();
        }
        written
    }
}

impl Shared {
    /// The thread that tells counts, which sleeps while there are none.
    fn start(shared: &Arc<Shared>) {
        let shared = Arc::clone(shared);
        // Without one nothing is told; what is written is so all the same.
        let _ = std::thread::Builder::new().name("log".into()).spawn(move || {
            privilege::shed();
            shared.tell();
        });
    }

    fn tell(&self) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            let counts = lines.due(now);
            lines = match (counts.is_empty(), lines.next()) {
                (false, _) => {
                    // They are events too: whoever writes them may come by here.
                    drop(lines);
                    counts.into_iter().for_each(Count::log);
                    self.lines.lock().unwrap_or_else(PoisonError::into_inner)
                }
                (true, None) => self.counted.wait(lines).unwrap_or_else(PoisonError::into_inner),
                (true, Some(due)) => {
                    let wait = due.saturating_duration_since(now);
                    let woken = self.counted.wait_timeout(lines, wait);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Lines {
    /// Whether a line is written; else it is counted.
    fn written(
        &mut self,
        key: (tracing::callsite::Identifier, String),
        level: Level,
        now: Instant,
    ) -> bool {
        let is_over = |line: &Line| now.saturating_duration_since(line.since) >= WINDOW;
        if self.known.len() >= LINES && !self.known.contains_key(&key) {
            // Those that were never counted are nobody's loss.
            self.known.retain(|_, line| line.times > WRITTEN || !is_over(line));
            if self.known.len() >= LINES {
                return true;
            }
        }
        let line = self.known.entry(key).or_insert(Line { level, since: now, times: 0 });
        if is_over(line) && line.times <= WRITTEN {
            *line = Line { level, since: now, times: 0 };
        }
        line.times = line.times.saturating_add(1);
        line.times <= WRITTEN
    }

    /// The counts whose time is over; they begin again.
    fn due(&mut self, now: Instant) -> Vec<Count> {
        let is_over = |line: &Line| now.saturating_duration_since(line.since) >= WINDOW;
        let mut counts = Vec::new();
        self.known.retain(|(_, text), line| {
            let over = is_over(line);
            if over && line.times > WRITTEN {
                let times = line.times - WRITTEN;
                counts.push(Count { level: line.level, text: text.clone(), times });
            }
            !over
        });
        counts
    }

    /// When the next count is to be told.
    fn next(&self) -> Option<Instant> {
        let counted = self.known.values().filter(|line| line.times > WRITTEN);
        counted.map(|line| line.since + WINDOW).min()
    }
}

impl Count {
    fn log(self) {
        let Count { level, text, times } = self;
        let seconds = WINDOW.as_secs();
        match level {
            Level::ERROR => {
                tracing::error!(target: TARGET, times, "again within {seconds} s: {text}")
            }
            Level::WARN => {
                tracing::warn!(target: TARGET, times, "again within {seconds} s: {text}")
            }
            _ => tracing::info!(target: TARGET, times, "again within {seconds} s: {text}"),
        }
    }
}

/// What an event says: its message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn whole(self) -> String {
        self.message + &self.fields
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who asks for it has it noted, and is told where it is from.
    struct Place(Mutex<Option<tracing::callsite::Identifier>>);

    impl<S: Subscriber> Layer<S> for &'static Place {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            *self.0.lock().unwrap() = Some(event.metadata().callsite());
        }
    }

    fn key(text: &str) -> (tracing::callsite::Identifier, String) {
        use tracing_subscriber::layer::SubscriberExt;
        static PLACE: Place = Place(Mutex::new(None));
        let place = PLACE.0.lock().unwrap().clone();
        let place = place.unwrap_or_else(|| {
            let registry = tracing_subscriber::registry().with(&PLACE);
            tracing::subscriber::with_default(registry, || tracing::warn!("somewhere"));
            PLACE.0.lock().unwrap().clone().unwrap()
        });
        (place, text.to_owned())
    }

    #[test]
    fn a_line_is_written_a_few_times_and_then_counted() {
        let mut lines = Lines::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        let said =
            |lines: &mut Lines, seconds| lines.written(key("down"), Level::WARN, at(seconds));
        let written: Vec<bool> = (0..20).map(|second| said(&mut lines, second)).collect();
        assert_eq!(written, (0..20).map(|second| second < 5).collect::<Vec<_>>());
        // Another line is nobody's repetition.
        assert!(lines.written(key("up"), Level::INFO, at(20)));
        assert_eq!((lines.next(), lines.due(at(59))), (Some(at(60)), vec![]));
        let count = Count { level: Level::WARN, text: "down".to_owned(), times: 15 };
        assert_eq!(lines.due(at(60)), [count]);
        // It begins again, and what came seldom has no count.
        assert!(said(&mut lines, 61));
        assert_eq!((lines.next(), lines.due(at(200))), (None, vec![]));
        assert!(lines.known.is_empty());
    }

    #[test]
    fn more_lines_than_can_be_watched_are_written() {
        let mut lines = Lines::default();
        let now = Instant::now();
        for line in 0..LINES + 10 {
            assert!(lines.written(key(&line.to_string()), Level::WARN, now));
        }
        assert_eq!(lines.known.len(), LINES);
        let later = now + WINDOW;
        assert!(lines.written(key("new"), Level::WARN, later));
        assert_eq!(lines.known.len(), 1);
    }
}
