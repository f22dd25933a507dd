//! `bgpctl show fib`: wanted against present.

use std::io::{self, Write};

use super::routes::kernel_style;
use super::table::{Cell, Column, Table};
use super::{FAINT, Listing, PLAIN, Page};
use crate::api::{FibEntry, KernelState};

/// The table of `show fib`.
pub struct FibTable {
    table: Table,
    /// What to say if no row comes.
    none: Option<&'static str>,
}

impl FibTable {
    /// An empty one; it says `none` if it stays so.
    pub fn new(page: &Page, none: &'static str) -> FibTable {
        let columns = vec![
            Column::left("PREFIX"),
            Column::left("STATE"),
            Column::words("WANTED"),
            Column::words("PRESENT"),
            Column::sentence("WHY"),
        ];
        FibTable { table: Table::new(page, columns), none: Some(none) }
    }
}

impl Listing<FibEntry> for FibTable {
    fn rows(&mut self, entries: &[FibEntry], out: &mut impl Write) -> io::Result<()> {
        let rows: Vec<Vec<Cell>> = entries.iter().map(row).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.none = None;
        self.table.rows(&rows, out)
    }

    fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.none.map_or(Ok(()), |none| writeln!(out, "{none}"))
    }
}

fn row(entry: &FibEntry) -> Vec<Cell> {
    let sorted = |hops: &[String]| {
        let mut hops = hops.to_vec();
        hops.sort_unstable();
        hops
    };
    // The kernel keeps the next hops in an order of its own.
    let same = entry.want.is_some()
        && entry.want == entry.have
        && sorted(&entry.want_hops) == sorted(&entry.have_hops);
    let present = match &entry.have {
        Some(_) if same => Cell::styled("as wanted", FAINT),
        Some(have) => words(have, &entry.have_hops),
        None => Cell::styled("nothing", FAINT),
    };
    let wanted = match &entry.want {
        Some(want) => words(want, &entry.want_hops),
        None => Cell::styled("nothing", FAINT),
    };
    let why_style =
        if entry.state == KernelState::Installed { PLAIN } else { kernel_style(entry.state) };
    vec![
        Cell::of(entry.prefix),
        Cell::styled(entry.state.as_str(), kernel_style(entry.state)),
        wanted,
        present,
        Cell::styled(entry.why.as_deref().unwrap_or(""), why_style),
    ]
}

/// A route, and below it a line for each of its next hops where it has several.
fn words(line: &str, hops: &[String]) -> Cell {
    Cell::lines([line].into_iter().chain(hops.iter().map(String::as_str)))
}
