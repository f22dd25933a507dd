//! Where a value stands in which file, and the notebook in which problems are collected.
//!
//! Everything read from a file keeps its place ([`Sp`]), so that a check made long after parsing
//! still points at the line. [`Problems`] takes notes while files are read and checked;
//! [`Problems::finish`] turns them into [`Problem`]s with line, column and excerpt.

use crate::error::{Problem, Related, Severity};

/// A place: byte range `start..end` of file number `file`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct At {
    pub(crate) file: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl At {
    /// The file as a whole: what is wrong is that something is not in it.
    pub(crate) fn whole(file: usize) -> At {
        At { file, start: usize::MAX, end: usize::MAX }
    }
}

/// A value and its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sp<T> {
    pub(crate) value: T,
    pub(crate) at: At,
}

/// A file that was read.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// As people call it.
    pub(crate) name: String,
    pub(crate) text: String,
}

/// A problem before it is rendered.
#[derive(Debug)]
pub(crate) struct Note {
    severity: Severity,
    at: At,
    message: String,
    expected: Option<String>,
    hint: Option<String>,
    related: Vec<(At, String)>,
}

impl Note {
    /// What would have been right.
    pub(crate) fn expected(&mut self, text: impl Into<String>) -> &mut Note {
        self.expected = Some(text.into());
        self
    }

    /// What to do about it.
    pub(crate) fn hint(&mut self, text: impl Into<String>) -> &mut Note {
        self.hint = Some(text.into());
        self
    }

    /// What to do about it, if we know.
    pub(crate) fn maybe_hint(&mut self, text: Option<String>) -> &mut Note {
        self.hint = text;
        self
    }

    /// Another place that has to do with it.
    pub(crate) fn see(&mut self, at: At, what: impl Into<String>) -> &mut Note {
        self.related.push((at, what.into()));
        self
    }
}

/// The files read so far and what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    sources: Vec<Source>,
    notes: Vec<Note>,
    /// The note that is still being written.
    open: Option<Note>,
}

impl Problems {
    /// Takes a file in and gives its number.
    pub(crate) fn add_source(&mut self, name: String, text: String) -> usize {
        self.sources.push(Source { name, text });
        self.sources.len() - 1
    }

    /// The name of file number `file`.
    pub(crate) fn source(&self, file: usize) -> &str {
        self.sources.get(file).map_or("", |source| &source.name)
    }

    /// Notes an error.
    pub(crate) fn error(&mut self, at: At, message: impl Into<String>) -> &mut Note {
        self.note(Severity::Error, at, message.into())
    }

    /// Notes a warning.
    pub(crate) fn warn(&mut self, at: At, message: impl Into<String>) -> &mut Note {
        self.note(Severity::Warning, at, message.into())
    }

    fn note(&mut self, severity: Severity, at: At, message: String) -> &mut Note {
        self.notes.extend(self.open.take());
        let related = Vec::new();
        self.open.insert(Note { severity, at, message, expected: None, hint: None, related })
    }

    /// Whether an error was noted.
    pub(crate) fn has_errors(&self) -> bool {
        self.notes.iter().chain(&self.open).any(|note| note.severity == Severity::Error)
    }

    /// Errors and warnings, each in the order of their places.
    pub(crate) fn finish(mut self) -> (Vec<Problem>, Vec<Problem>) {
        self.notes.extend(self.open.take());
        self.notes.sort_by(|a, b| (a.at, &a.message).cmp(&(b.at, &b.message)));
        let lines: Vec<Lines<'_>> = self.sources.iter().map(Lines::new).collect();
        self.notes
            .into_iter()
            .map(|note| render(note, &lines))
            .partition(|problem| problem.severity == Severity::Error)
    }
}

fn render(note: Note, lines: &[Lines<'_>]) -> Problem {
    let place = place(note.at, lines);
    let related = note.related.into_iter().map(|(at, what)| {
        let p = self::place(at, lines);
        Related { file: p.file, line: p.line, column: p.column, what }
    });
    Problem {
        severity: note.severity,
        file: place.file,
        line: place.line,
        column: place.column,
        width: place.width,
        excerpt: place.excerpt,
        message: note.message,
        expected: note.expected,
        hint: note.hint,
        related: related.collect(),
    }
}

struct Place {
    file: String,
    line: usize,
    column: usize,
    width: usize,
    excerpt: String,
}

fn place(at: At, lines: &[Lines<'_>]) -> Place {
    match lines.get(at.file) {
        Some(lines) => lines.place(at),
        None => Place { file: String::new(), line: 0, column: 0, width: 0, excerpt: String::new() },
    }
}

/// A file with the start of each of its lines.
struct Lines<'a> {
    source: &'a Source,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(source: &'a Source) -> Lines<'a> {
        let newlines = source.text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let starts = std::iter::once(0).chain(newlines.map(|(i, _)| i + 1)).collect();
        Lines { source, starts }
    }

    fn place(&self, at: At) -> Place {
        let text = &self.source.text;
        let file = self.source.name.clone();
        if at.start == usize::MAX {
            return Place { file, line: 0, column: 0, width: 0, excerpt: String::new() };
        }
        let start = floor_char(text, at.start);
        let line = self.starts.partition_point(|s| *s <= start);
        let from = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let to = self.starts.get(line).copied().unwrap_or(text.len());
        let whole = text.get(from..to).unwrap_or("");
        let excerpt = whole.trim_end_matches(['\n', '\r']);
        // The end of file may lie one past the last line.
        let before = excerpt.get(..start - from).unwrap_or(excerpt);
        let end = floor_char(text, at.end).clamp(start, from + excerpt.len().max(start - from));
        let width = text.get(start..end).unwrap_or("").chars().count().max(1);
        Place { file, line, column: before.chars().count() + 1, width, excerpt: excerpt.to_owned() }
    }
}

/// The largest character boundary that is not after `index`.
fn floor_char(text: &str, index: usize) -> usize {
    let index = index.min(text.len());
    (0..=index).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0)
}

/// `text` for a message: control characters escaped, cut to a readable length.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 64;
    let mut out: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}
