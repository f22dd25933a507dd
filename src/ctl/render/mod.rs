//! What people see: tables, blocks, ages and the notes that explain a `(!)`.
//!
//! In flow values of [`crate::api`] and the [`Page`] they shall fit; out flows text with ANSI
//! styles, which the stream below strips where they are not wanted (a pipe, NO_COLOR). Text that
//! came from a peer or a file is freed of control characters on its way.

mod audit;
mod bfd;
mod coupling;
mod doctor;
mod events;
mod fib;
mod interfaces;
mod memory;
mod mesh;
mod neighbor_tables;
mod neighbors;
mod networks;
mod nexthops;
mod nodes;
mod plan;
mod pods;
mod policies;
mod routes;
mod sent;
mod summary;
mod table;
mod text;
mod why;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};

use super::mrt::Written;
use crate::api::{ApiError, ReloadResult, Version};
pub use audit::audit;
pub use bfd::bfd;
pub use coupling::coupling;
pub use doctor::doctor;
pub use events::event;
pub use fib::FibTable;
pub use interfaces::interfaces;
pub use memory::memory;
pub use mesh::mesh;
pub use neighbor_tables::{neighbor_groups, neighbor_messages, neighbor_timers, neighbors_terse};
pub use neighbors::neighbors;
pub use networks::networks;
pub use nexthops::nexthops;
pub use nodes::nodes;
pub use plan::{applied, generations, plan};
pub use pods::PodTable;
pub use policies::{policies, policy_tests};
pub use routes::{RouteBlocks, RouteTable};
pub use sent::SentTable;
pub use summary::summary;
pub use text::age;
pub(crate) use text::clean;
use text::paragraph;
pub use why::why;

const PLAIN: Style = Style::new();
const BOLD: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();
const GOOD: Style = AnsiColor::Green.on_default();
const WARN: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();

/// What the output has to fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Page {
    /// Columns; none: as many as it takes, one row a line (for `grep` and `awk`).
    pub width: Option<usize>,
}

impl Page {
    /// `$COLUMNS`, else the terminal's width, else unlimited.
    pub fn of_stdout() -> Page {
        Page::of(io::stdout().is_terminal().then(|| terminal_size::terminal_size_of(io::stdout())))
    }

    /// Likewise for messages.
    pub fn of_stderr() -> Page {
        Page::of(io::stderr().is_terminal().then(|| terminal_size::terminal_size_of(io::stderr())))
    }

    /// Whether a line of so many columns fits.
    fn has_room(&self, columns: usize) -> bool {
        self.width.is_none_or(|width| columns <= width)
    }

    fn of(terminal: Option<Option<(terminal_size::Width, terminal_size::Height)>>) -> Page {
        let columns = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
        let columns = columns.or_else(|| terminal.flatten().map(|(width, _)| usize::from(width.0)));
        // A terminal that claims no or hardly any width does not know it.
        Page { width: columns.filter(|width| *width >= 20) }
    }
}

/// A table or list that is written while its rows still come.
pub trait Listing<T> {
    /// Writes `rows`. Those of the first call settle the widths.
    ///
    /// # Errors
    /// Those of `out`.
    fn rows(&mut self, rows: &[T], out: &mut impl Write) -> io::Result<()>;

    /// Writes what belongs below.
    ///
    /// # Errors
    /// Those of `out`.
    fn finish(&mut self, out: &mut impl Write) -> io::Result<()>;
}

/// What became of a reload.
///
/// # Errors
/// Those of `out`.
pub fn reload(page: &Page, result: &ReloadResult, out: &mut impl Write) -> io::Result<()> {
    let generation = result.generation;
    if !result.ok {
        let text = format!("configuration {generation} stays in force, the file has errors");
        let lead = "not reloaded:";
        match page.has_room(text::width(lead) + 1 + text::width(&text)) {
            true => writeln!(out, "{BAD}{lead}{BAD:#} {text}")?,
            false => paragraph(page, "", &format!("{lead} {text}"), BAD, out)?,
        }
        for error in &result.errors {
            // They quote the file line by line: their own breaks are part of the message.
            writeln!(out)?;
            for line in error.lines() {
                writeln!(out, "  {}", clean(line))?;
            }
        }
        return Ok(());
    }
    writeln!(out, "{GOOD}reloaded:{GOOD:#} configuration {generation} is in force")?;
    if result.changes.is_empty() {
        writeln!(out, "  nothing changed")?;
    }
    for change in &result.changes {
        paragraph(page, "  - ", &clean(change), PLAIN, out)?;
    }
    Ok(())
}

/// What a dump of the table came to.
///
/// # Errors
/// Those of `out`.
pub fn dumped(file: &Path, written: &Written, out: &mut impl Write) -> io::Result<()> {
    let Written { records, octets } = written;
    let file = file.display().to_string();
    writeln!(out, "{GOOD}written:{GOOD:#} {}, {records} records, {octets} octets", clean(&file))
}

/// One program's version.
///
/// # Errors
/// Those of `out`.
pub fn version(program: &str, version: &Version, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{program} {}", clean(&version.version))?;
    if let Some(commit) = &version.commit {
        write!(out, " ({})", clean(commit))?;
    }
    writeln!(out, ", API v{}", version.api)
}

/// Words that are not the matter itself, without an end of the line.
///
/// # Errors
/// Those of `out`.
pub fn faint(text: &str, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{FAINT}{}{FAINT:#}", clean(text))
}

/// What is wrong, likewise.
///
/// # Errors
/// Those of `out`.
pub fn trouble(text: &str, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{BAD}{}{BAD:#}", clean(text))
}

/// An error and its hint.
///
/// # Errors
/// Those of `out`.
pub fn error(page: &Page, error: &ApiError, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{BAD}error:{BAD:#} ")?;
    writeln!(out, "{}", clean(&error.error))?;
    match &error.hint {
        Some(hint) => paragraph(page, "hint: ", &clean(hint), PLAIN, out),
        None => Ok(()),
    }
}
