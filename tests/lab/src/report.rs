//! What a run says: progress and findings for a person, one line a check for a log.

use crate::Result;
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
}

impl Stage {
    /// A stage on which nothing has happened yet.
    #[must_use]
    pub fn new(audience: Audience) -> Self {
        Self { audience, start: Instant::now(), passed: 0, failed: 0, label: String::new() }
    }

    /// Names the network whose checks follow.
    pub fn enter(&mut self, label: &str, what: &str) {
        label.clone_into(&mut self.label);
        say(&format!("\n=== network {label}: {what}"));
    }

    /// Something begins that may take a moment.
    pub fn step(&self, what: &str) {
        if self.audience == Audience::Person {
            say(&format!("[{:5.1}s] {what}", self.start.elapsed().as_secs_f64()));
        }
    }

    /// A table, an answer, packets: shown as they are, to a person.
    pub fn show(&self, title: &str, text: &str) {
        if self.audience == Audience::Person {
            say(&format!("\n  # {title}"));
            for line in text.trim_end().lines() {
                say(&format!("  {line}"));
            }
        }
    }

    /// What explains a failure: shown to everybody.
    pub fn explain(&self, title: &str, text: &str) {
        say(&format!("     {title}:"));
        for line in text.trim_end().lines() {
            say(&format!("     | {line}"));
        }
    }

    /// Says how a check ended; gives what it found.
    pub fn check<T>(&mut self, what: &str, outcome: Result<T>) -> Option<T> {
        let label = &self.label;
        match outcome {
            Ok(value) => {
                self.passed += 1;
                say(&format!("ok   {label}: {what}"));
                Some(value)
            }
            Err(error) => {
                self.failed += 1;
                let reason = format!("{error:#}").trim_end().replace('\n', "\n       ");
                say(&format!("FAIL {label}: {what}\n     {reason}"));
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
        say(&format!("\n{} passed, {} failed", self.passed, self.failed));
    }
}

/// A line on standard output. A reader that went away is no reason to stop the lab.
pub(crate) fn say(line: &str) {
    writeln!(std::io::stdout().lock(), "{line}").ok();
}
