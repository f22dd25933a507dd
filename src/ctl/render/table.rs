//! Aligned columns that fit the page, written while rows still come.
//!
//! The rows of the first call settle the widths; a later row that needs more pushes its own rest
//! to the right and no other. Where the page is too narrow, columns that may wrap give way, the
//! widest first; where that is not enough, the column that is worth a line of its own gets it,
//! below its row.

use std::io::{self, Write};

use anstyle::Style;

use super::text::{clean, width, wrap};
use super::{BOLD, PLAIN, Page};

/// Between two columns.
const GAP: usize = 2;
/// Narrower than this no column is worth reading.
const NARROWEST: usize = 18;
/// Of a cell that stands below its row.
const INDENT: usize = 4;

/// A column.
#[derive(Clone, Copy)]
pub(super) struct Column {
    title: &'static str,
    right: bool,
    give: Give,
}

/// What a column does where the page is too narrow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Give {
    Nothing,
    Wrap,
    /// Wrap; if that is not enough, stand below the row.
    WrapOrBelow,
}

impl Column {
    pub(super) fn left(title: &'static str) -> Column {
        Column { title, right: false, give: Give::Nothing }
    }

    /// For numbers.
    pub(super) fn right(title: &'static str) -> Column {
        Column { title, right: true, give: Give::Nothing }
    }

    /// For a few words.
    pub(super) fn words(title: &'static str) -> Column {
        Column { title, right: false, give: Give::Wrap }
    }

    /// For a sentence; at most one in a table.
    pub(super) fn sentence(title: &'static str) -> Column {
        Column { title, right: false, give: Give::WrapOrBelow }
    }
}

/// A cell of one line or more.
pub(super) struct Cell {
    lines: Vec<String>,
    style: Style,
}

impl Cell {
    pub(super) fn new(text: impl AsRef<str>) -> Cell {
        Cell::styled(text, PLAIN)
    }

    pub(super) fn styled(text: impl AsRef<str>, style: Style) -> Cell {
        Cell { lines: vec![clean(text.as_ref()).into_owned()], style }
    }

    /// A line for each.
    pub(super) fn lines<T: AsRef<str>>(lines: impl IntoIterator<Item = T>) -> Cell {
        let lines = lines.into_iter().map(|line| clean(line.as_ref()).into_owned()).collect();
        Cell { lines, style: PLAIN }
    }

    fn is_empty(&self) -> bool {
        self.lines.iter().all(String::is_empty)
    }

    pub(super) fn of(value: impl std::fmt::Display) -> Cell {
        Cell::new(value.to_string())
    }
}

/// A table that is being written.
pub(super) struct Table {
    columns: Vec<Column>,
    page: Page,
    layout: Option<Layout>,
}

/// Settled by the first rows.
struct Layout {
    widths: Vec<usize>,
    /// The column that stands below its row.
    below: Option<usize>,
}

impl Table {
    pub(super) fn new(page: &Page, columns: Vec<Column>) -> Table {
        Table { columns, page: *page, layout: None }
    }

    /// Writes `rows`, each as long as there are columns; before the first, the head.
    pub(super) fn rows(&mut self, rows: &[Vec<Cell>], out: &mut impl Write) -> io::Result<()> {
        let layout = match self.layout.take() {
            Some(layout) => layout,
            None => {
                let layout = Layout::of(&self.columns, rows, self.page.width);
                let head: Vec<Cell> =
                    self.columns.iter().map(|c| Cell::styled(c.title, BOLD)).collect();
                self.write_row(&layout, &head, true, out)?;
                layout
            }
        };
        for row in rows {
            self.write_row(&layout, row, false, out)?;
        }
        self.layout = Some(layout);
        Ok(())
    }

    fn write_row(
        &self,
        layout: &Layout,
        row: &[Cell],
        head: bool,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let shown: Vec<(&Column, &Cell, usize)> = self
            .columns
            .iter()
            .zip(row)
            .zip(&layout.widths)
            .enumerate()
            .filter(|(i, _)| layout.below != Some(*i))
            .map(|(_, ((column, cell), width))| (column, cell, *width))
            .collect();
        let wrapped: Vec<Vec<String>> = shown
            .iter()
            .map(|(column, cell, width)| match column.give {
                Give::Nothing => cell.lines.clone(),
                _ if self.page.width.is_none() => cell.lines.clone(),
                _ => cell.lines.iter().flat_map(|line| wrap(line, *width)).collect(),
            })
            .collect();
        let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            // Spaces that are due before the next text: none are left at a line's end.
            let mut due = 0;
            for ((column, cell, columns), lines) in shown.iter().zip(&wrapped) {
                let text = lines.get(line).map_or("", String::as_str);
                let pad = columns.saturating_sub(width(text));
                if text.is_empty() {
                    due += columns + GAP;
                    continue;
                }
                let before = due + if column.right { pad } else { 0 };
                let style = cell.style;
                write!(out, "{:before$}{style}{text}{style:#}", "")?;
                due = GAP + if column.right { 0 } else { pad };
            }
            writeln!(out)?;
        }
        let below = layout.below.and_then(|i| row.get(i)).filter(|cell| !cell.is_empty());
        if let (Some(cell), Some(page), false) = (below, self.page.width, head) {
            let style = cell.style;
            let room = page.saturating_sub(INDENT);
            for line in cell.lines.iter().flat_map(|line| wrap(line, room)) {
                writeln!(out, "{:INDENT$}{style}{line}{style:#}", "")?;
            }
        }
        Ok(())
    }
}

impl Layout {
    fn of(columns: &[Column], rows: &[Vec<Cell>], page: Option<usize>) -> Layout {
        let natural: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(i, column)| {
                let cells = rows.iter().filter_map(|row| row.get(i));
                let cells = cells.flat_map(|cell| &cell.lines).map(|line| width(line));
                cells.chain([width(column.title)]).max().unwrap_or(0)
            })
            .collect();
        let Some(page) = page else { return Layout { widths: natural, below: None } };
        let below = columns.iter().position(|column| column.give == Give::WrapOrBelow);
        let inline = Layout { widths: natural.clone(), below: None };
        if let Some(inline) = inline.squeezed(columns, page) {
            return inline;
        }
        let layout = Layout { widths: natural.clone(), below };
        // Wider than the page whatever is tried: unbroken lines are the least bad.
        layout.squeezed(columns, page).unwrap_or(Layout { widths: natural, below })
    }

    /// Narrower, until it fits; `None` if it cannot.
    fn squeezed(mut self, columns: &[Column], page: usize) -> Option<Layout> {
        loop {
            let shown = self
                .widths
                .iter()
                .enumerate()
                .filter(|(i, _)| self.below != Some(*i))
                .map(|c| *c.1);
            let (count, sum) = shown.fold((0, 0), |(count, sum), width| (count + 1, sum + width));
            if sum + GAP * usize::saturating_sub(count, 1) <= page {
                return Some(self);
            }
            let below = self.below;
            let widest = self
                .widths
                .iter_mut()
                .zip(columns)
                .enumerate()
                .filter(|(i, (width, column))| {
                    below != Some(*i) && column.give != Give::Nothing && **width > NARROWEST
                })
                .map(|(_, (width, _))| width)
                .max_by_key(|width| **width)?;
            *widest -= 1;
        }
    }
}
