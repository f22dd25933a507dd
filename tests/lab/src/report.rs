//! What a run says: progress and findings for a person, one line a check for a log.

use crate::Result;
use std::cell::RefCell;
use std::io::Write;
use std::time::Instant;

/// Who reads along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Somebody who wants to see the network: progress, tables, packets.
    Person,
    /// A log: checks only, and whatever explains a failed one.
    Log,
}

/// Counts checks and says how each one ended.
#[derive(Debug)]
pub struct Stage {
    audience: Audience,
    start: Instant,
    passed: usize,
    failed: usize,
    label: String,
    /// What was said, where it is not said at once.
    held: Option<RefCell<String>>,
}

impl Stage {
    /// A stage on which nothing has happened yet.
    #[must_use]
    pub fn new(audience: Audience) -> Self {
        let (start, label) = (Instant::now(), String::new());
        Self { audience, start, passed: 0, failed: 0, label, held: None }
    }

    /// One beside this, for what goes on at the same time: what is said on it is said when it is
    /// [joined](Stage::join).
    #[must_use]
    pub fn beside(&self) -> Self {
        Self { held: Some(RefCell::default()), start: self.start, ..Self::new(self.audience) }
    }

    /// Says what was said there, and counts what was counted.
    pub fn join(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        if let Some(held) = other.held {
            self.say(held.into_inner().trim_end_matches('\n'));
        }
    }

    fn say(&self, line: &str) {
        match &self.held {
            Some(held) => {
                let mut held = held.borrow_mut();
                held.push_str(line);
                held.push('\n');
            }
            None => say(line),
        }
    }

    /// Names the network whose checks follow.
    pub fn enter(&mut self, label: &str, what: &str) {
        label.clone_into(&mut self.label);
        self.say(&format!("\n=== network {label}: {what}"));
    }

    /// Something begins that may take a moment.
    pub fn step(&self, what: &str) {
        if self.audience == Audience::Person {
            self.say(&format!("[{:5.1}s] {what}", self.start.elapsed().as_secs_f64()));
        }
    }

    /// A table, an answer, packets: shown as they are, to a person.
    pub fn show(&self, title: &str, text: &str) {
        if self.audience == Audience::Person {
            self.say(&format!("\n  # {title}"));
            for line in text.trim_end().lines() {
                self.say(&format!("  {line}"));
            }
        }
    }

    /// What explains a failure: shown to everybody.
    pub fn explain(&self, title: &str, text: &str) {
        self.say(&format!("     {title}:"));
        for line in text.trim_end().lines() {
            self.say(&format!("     | {line}"));
        }
    }

    /// Says how a check ended; gives what it found.
    pub fn check<T>(&mut self, what: &str, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(value) => {
                self.passed += 1;
                self.say(&format!("ok   {}: {what}", self.label));
                Some(value)
            }
            Err(error) => {
                self.failed += 1;
                let reason = format!("{error:#}").trim_end().replace('\n', "\n       ");
                self.say(&format!("FAIL {}: {what}\n     {reason}", self.label));
                None
            }
        }
    }

    /// True as long as no check has failed.
    #[must_use]
    pub fn all_passed(&self) -> bool {
        self.failed == 0
    }

    /// The last line: `N passed, N failed`.
    pub fn close(&self) {
        self.say(&format!("\n{} passed, {} failed", self.passed, self.failed));
    }
}

/// A line on standard output. A reader that went away is no reason to stop the lab.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}
