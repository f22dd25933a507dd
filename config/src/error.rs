//! What is wrong with a configuration, for people (`Display`) and for programs (`Serialize`).
//!
//! ```text
//! cluster.toml:14:11: error: block 10.244.1.0/26 of server2 overlaps 10.244.1.0/24 of server1
//!    |
//! 14 | blocks = ["10.244.1.0/26"]
//!    |           ^^^^^^^^^^^^^^^
//!    = expected: blocks that no other node has
//!    = see cluster.toml:9:11: 10.244.1.0/24 of server1
//!    = hint: …
//! ```
//!
//! The first line has the form that editors and CI systems jump from.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can, but probably does not do what was meant.
    Warning,
}

/// One thing that is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    /// How bad it is.
    pub severity: Severity,
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1; 0: the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0: the file as a whole.
    pub column: usize,
    /// How many characters of the line are concerned.
    pub width: usize,
    /// The line.
    pub excerpt: String,
    /// What is wrong.
    pub message: String,
    /// What would have been right.
    pub expected: Option<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Other places that have to do with it.
    pub related: Vec<Related>,
}

/// Another place that has to do with a problem.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Related {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is there.
    pub what: String,
}

/// The widest excerpt that is shown; longer lines are cut around the span.
const EXCERPT_WIDTH: usize = 90;

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let number = match self.line {
            0 => {
                writeln!(f, "{}: {severity}: {}", self.file, self.message)?;
                String::new()
            }
            line => {
                let at = format_args!("{}:{line}:{}", self.file, self.column);
                writeln!(f, "{at}: {severity}: {}", self.message)?;
                line.to_string()
            }
        };
        let gutter = " ".repeat(number.len());
        if self.line > 0 {
            let (text, before, width) = self.window();
            writeln!(f, "{gutter} |")?;
            writeln!(f, "{number} | {text}")?;
            writeln!(f, "{gutter} | {before}{}", "^".repeat(width))?;
        }
        for (what, text) in [("expected", &self.expected), ("hint", &self.hint)] {
            if let Some(text) = text {
                writeln!(f, "{gutter} = {what}: {text}")?;
            }
        }
        for other in &self.related {
            let Related { file, line, column, what } = other;
            writeln!(f, "{gutter} = see {file}:{line}:{column}: {what}")?;
        }
        Ok(())
    }
}

impl Problem {
    /// The part of the line that is shown, the blanks before the carets, and how many carets.
    /// Tabs stay tabs in both, so that the carets sit right; other invisible ones are
    /// replaced, so that a file cannot speak to the terminal.
    fn window(&self) -> (String, String, usize) {
        let chars: Vec<char> = self
            .excerpt
            .chars()
            .map(|c| if invisible(c) { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        let start = self.column.saturating_sub(1);
        let from = if chars.len() <= EXCERPT_WIDTH {
            0
        } else {
            start.saturating_sub(EXCERPT_WIDTH / 3).min(chars.len() - EXCERPT_WIDTH)
        };
        let to = chars.len().min(from + EXCERPT_WIDTH);
        let mut text: String = chars.iter().skip(from).take(to - from).collect();
        let mut before: String = chars
            .iter()
            .take(start)
            .skip(from)
            .map(|c| if *c == '\t' { '\t' } else { ' ' })
            .collect();
        if from > 0 {
            text.insert(0, '…');
            before.insert(0, ' ');
        }
        if to < chars.len() {
            text.push('…');
        }
        (text, before, self.width.min((to + 1).saturating_sub(start)).max(1))
    }
}

/// Whether a character would make the excerpt look like what it is not: control characters, and
/// those of no width or that turn the direction of writing.
fn invisible(c: char) -> bool {
    c.is_control() && c != '\t'
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Why there is no configuration: at least one error, and the warnings beside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Errors {
    /// Errors, in the order of files and lines.
    pub errors: Vec<Problem>,
    /// Warnings, likewise.
    pub warnings: Vec<Problem>,
    /// The files that were read: a change of one of them may cure it.
    pub files: Vec<PathBuf>,
}

/// More than this is no help.
const MOST_SHOWN: usize = 50;

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.errors.iter().take(MOST_SHOWN) {
            writeln!(f, "{problem}")?;
        }
        if let Some(more) = self.errors.len().checked_sub(MOST_SHOWN).filter(|n| *n > 0) {
            writeln!(f, "… and {more} more\n")?;
        }
        for problem in self.warnings.iter().take(MOST_SHOWN) {
            writeln!(f, "{problem}")?;
        }
        let plural = |n: usize, what: &str| match n {
            1 => format!("1 {what}"),
            n => format!("{n} {what}s"),
        };
        f.write_str(&plural(self.errors.len(), "error"))?;
        if !self.warnings.is_empty() {
            write!(f, ", {}", plural(self.warnings.len(), "warning"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}
