//! Words on a page: ages, wrapping, paragraphs, and what is not printable.

use std::borrow::Cow;
use std::io::{self, Write};

use anstyle::Style;

use super::{FAINT, Page, WARN};
pub use crate::api::age;

/// `text` without characters that a terminal would obey: a neighbour's shutdown message or a name
/// in a file must not move the cursor.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let escape = |c: char| {
        if c.is_control() { c.escape_default().to_string() } else { c.to_string() }
    };
    Cow::Owned(text.chars().map(escape).collect())
}

/// How many columns `text` takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// `text` in lines of at most `limit` columns, broken between words; a word that is longer than a
/// line has one for itself. At least one line.
pub(super) fn wrap(text: &str, limit: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let Some(line) = lines.last_mut() else { continue };
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= limit {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// `text` behind `lead`, its further lines indented to match.
pub(super) fn paragraph(
    page: &Page,
    lead: &str,
    text: &str,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    let indent = width(lead);
    let lines = match page.width {
        None => vec![text.to_owned()],
        Some(columns) => wrap(text, columns.saturating_sub(indent).max(20)),
    };
    for (i, line) in lines.iter().enumerate() {
        if i == 0 {
            write!(out, "{lead}")?;
        } else {
            write!(out, "{:indent$}", "")?;
        }
        writeln!(out, "{style}{line}{style:#}")?;
    }
    Ok(())
}

/// Words that belong together, two blanks between them; where the page is too narrow they go on
/// in further lines, indented.
pub(super) fn parts(page: &Page, all: &[(String, Style)], out: &mut impl Write) -> io::Result<()> {
    let room = page.width.unwrap_or(usize::MAX);
    let mut written = 0;
    for (text, style) in all.iter().filter(|(text, _)| !text.is_empty()) {
        let long = width(text);
        let gap = if written == 0 { 0 } else { 2 };
        if written > 0 && written + gap + long > room {
            write!(out, "\n  {style}{text}{style:#}")?;
            written = 2 + long;
        } else {
            write!(out, "{:gap$}{style}{text}{style:#}", "")?;
            written += gap + long;
        }
    }
    writeln!(out)
}

/// One labelled line of a block; nothing where there is nothing to say.
pub(super) fn field(
    page: &Page,
    label: &str,
    text: &str,
    style: Style,
    out: &mut impl Write,
) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    paragraph(page, &format!("    {label:<13} "), &clean(text), style, out)
}

/// The explanations of a table's `(!)`, each once however many rows it concerns.
#[derive(Default)]
pub(super) struct Notes {
    entries: Vec<Note>,
    /// Rows whose explanation found no place any more.
    left_out: u64,
}

struct Note {
    text: String,
    /// The first row that it concerns.
    subject: String,
    rows: u64,
}

impl Notes {
    /// More would be a second table.
    const MOST: usize = 24;

    /// `subject` bears a `(!)` because of `text`.
    pub(super) fn add(&mut self, subject: &str, text: &str) {
        if let Some(note) = self.entries.iter_mut().find(|note| note.text == text) {
            note.rows += 1;
        } else if self.entries.len() < Notes::MOST {
            let (subject, text) = (subject.to_owned(), text.to_owned());
            self.entries.push(Note { text, subject, rows: 1 });
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn write(&self, page: &Page, out: &mut impl Write) -> io::Result<()> {
        if !self.entries.is_empty() {
            writeln!(out)?;
        }
        for note in &self.entries {
            let subject = clean(&note.subject);
            let more = match note.rows {
                1 => String::new(),
                rows => format!(" and {} more", rows - 1),
            };
            let text = format!("{subject}{more}: {}", clean(&note.text));
            write!(out, "{WARN}(!){WARN:#} ")?;
            // The mark is written already: the paragraph only has to know its width.
            let Some(columns) = page.width else {
                writeln!(out, "{text}")?;
                continue;
            };
            for (i, line) in wrap(&text, columns.saturating_sub(4).max(20)).iter().enumerate() {
                writeln!(out, "{}{line}", if i == 0 { "" } else { "    " })?;
            }
        }
        if self.left_out > 0 {
            writeln!(
                out,
                "{FAINT}and {} more rows with a (!) of their own: --json tells each{FAINT:#}",
                self.left_out
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
