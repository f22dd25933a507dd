//! The notebook of an examination.

use crate::api::{Finding, Level, Unchecked};

/// Findings, as the checks make them.
#[derive(Default)]
pub struct Notes {
    check: &'static str,
    findings: Vec<Finding>,
    unchecked: Vec<Unchecked>,
}

impl Notes {
    /// What is noted from here on is of this check.
    pub fn begin(&mut self, check: &'static str) {
        self.check = check;
    }

    /// As it should be.
    pub fn ok(&mut self, subject: impl Into<String>, text: impl Into<String>) {
        self.note(Level::Ok, subject.into(), text.into(), None);
    }

    /// Not as it should be.
    pub fn sick(
        &mut self,
        level: Level,
        subject: impl Into<String>,
        text: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.note(level, subject.into(), text.into(), Some(cure.into()));
    }

    /// Not to be known from here.
    pub fn unchecked(&mut self, why: impl Into<String>) {
        self.unchecked.push(Unchecked { check: self.check.to_owned(), why: why.into() });
    }

    /// Whether this check has found nothing bad so far.
    pub fn is_well(&self) -> bool {
        !self.findings.iter().any(|f| f.check == self.check && f.level > Level::Ok)
    }

    /// Everything.
    pub fn finish(self) -> (Vec<Finding>, Vec<Unchecked>) {
        (self.findings, self.unchecked)
    }

    fn note(&mut self, level: Level, subject: String, text: String, cure: Option<String>) {
        let check = self.check.to_owned();
        self.findings.push(Finding { level, check, subject, text, cure });
    }
}

/// The first few of many, and how many more there are.
pub fn some<T: std::fmt::Display>(all: impl IntoIterator<Item = T>) -> String {
    const SHOWN: usize = 5;
    let all: Vec<T> = all.into_iter().collect();
    let shown: Vec<String> = all.iter().take(SHOWN).map(ToString::to_string).collect();
    match all.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// `1 node`, `2 nodes`.
pub fn count(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {one}s") }
}
