//! Aligned columns that fit the page, written while rows still come.
//!
//! The rows of the first call settle the widths; a later row that needs more pushes its own rest
//! to the right and no other. Where the page is too narrow, columns that may wrap give way, the
//! widest first, as long as no word is broken; where that is not enough, the column that is worth a
//! line of its own gets it, below its row; and where that is not enough either, so do the last ones
//! of the others, each with its title. The first column names the row and stays.

use std::io::{self, Write};

use anstyle::Style;

use super::text::{clean, width, wrap};
use super::{BOLD, FAINT, PLAIN, Page};

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

    /// The same in another style.
    pub(super) fn with(self, style: Style) -> Cell {
        Cell { style, ..self }
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
    /// The columns that stand below their row.
    below: Vec<usize>,
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
            .filter(|(i, _)| !layout.below.contains(i))
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
        match (head, self.page.width) {
            (false, Some(page)) => self.write_below(layout, row, page - INDENT.min(page), out),
            _ => Ok(()),
        }
    }

    fn write_below(
        &self,
        layout: &Layout,
        row: &[Cell],
        room: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let all = self.columns.iter().zip(row).enumerate();
        let below = all.filter(|(i, (_, cell))| layout.below.contains(i) && !cell.is_empty());
        let (sentences, others): (Vec<_>, Vec<_>) =
            below.map(|(_, pair)| pair).partition(|(column, _)| column.give == Give::WrapOrBelow);
        // How much of the line is written.
        let mut written = 0;
        for (column, cell) in others {
            let (title, style) = (column.title.trim_start(), cell.style);
            let text = cell.lines.join(", ");
            let long = width(title) + 1 + width(&text);
            if written > 0 && written + GAP + long > room {
                writeln!(out)?;
                written = 0;
            }
            let before = if written == 0 { INDENT } else { GAP };
            write!(out, "{:before$}{FAINT}{title}{FAINT:#} ", "")?;
            if written == 0 && long > room {
                // Its further lines are indented as the first.
                let lines = wrap(&text, room.saturating_sub(width(title) + 1));
                for (i, line) in lines.iter().enumerate() {
                    let before = if i == 0 { 0 } else { INDENT + width(title) + 1 };
                    writeln!(out, "{:before$}{style}{line}{style:#}", "")?;
                }
                continue;
            }
            write!(out, "{style}{text}{style:#}")?;
            written += if written == 0 { long } else { GAP + long };
        }
        if written > 0 {
            writeln!(out)?;
        }
        for (_, cell) in sentences {
            let style = cell.style;
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
        let Some(page) = page else { return Layout { widths: natural, below: Vec::new() } };
        let word = |i: usize| {
            let lines = rows.iter().filter_map(|row| row.get(i)).flat_map(|cell| &cell.lines);
            lines.flat_map(|line| line.split_whitespace()).map(width).max().unwrap_or(0)
        };
        let least: Vec<usize> = (0..columns.len()).map(|i| word(i).max(NARROWEST)).collect();
        let sentence = columns.iter().position(|column| column.give == Give::WrapOrBelow);
        let mut below = Vec::new();
        loop {
            let layout = Layout { widths: natural.clone(), below: below.clone() };
            if let Some(fits) = layout.squeezed(columns, &least, page) {
                return fits;
            }
            let next = sentence.filter(|at| !below.contains(at));
            let next = next.or_else(|| (1..columns.len()).rev().find(|at| !below.contains(at)));
            match next {
                Some(next) => below.push(next),
                // A first column that is wider than the page: unbroken lines are the least bad.
                None => return Layout { widths: natural, below },
            }
        }
    }

    /// Narrower, until it fits; `None` if it cannot.
    fn squeezed(mut self, columns: &[Column], least: &[usize], page: usize) -> Option<Layout> {
        loop {
            let shown = self
                .widths
                .iter()
                .enumerate()
                .filter(|(i, _)| !self.below.contains(i))
                .map(|c| *c.1);
            let (count, sum) = shown.fold((0, 0), |(count, sum), width| (count + 1, sum + width));
            if sum + GAP * usize::saturating_sub(count, 1) <= page {
                return Some(self);
            }
            let below = &self.below;
            let widest = self
                .widths
                .iter_mut()
                .zip(columns.iter().zip(least))
                .enumerate()
                .filter(|(i, (width, (column, least)))| {
                    !below.contains(i) && column.give != Give::Nothing && **width > **least
                })
                .map(|(_, (width, _))| width)
                .max_by_key(|width| **width)?;
            *widest -= 1;
        }
    }
}
