//! `bgpctl show nexthops`: a line each, with who uses it; of a single one all of its routes.

use std::io::{self, Write};

use super::routes::{how_style, way};
use super::table::{Cell, Column, Table};
use super::text::Notes;
use super::{BAD, FAINT, Page, WARN};
use crate::api::{Nexthop, NexthopState, Prefixes};

/// The next hops that paths name.
///
/// # Errors
/// Those of `out`.
pub fn nexthops(page: &Page, all: &[Nexthop], out: &mut impl Write) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "no path that was accepted names a next hop");
    }
    let columns = vec![
        Column::left("NEXT HOP"),
        Column::right("COST"),
        Column::left("REACHED"),
        Column::right("PATHS"),
        Column::right("ROUTES"),
        Column::words("FROM"),
        Column::sentence("USED FOR"),
    ];
    let mut notes = Notes::default();
    let rows: Vec<Vec<Cell>> = all.iter().map(|hop| row(hop, &mut notes)).collect();
    Table::new(page, columns).rows(&rows, out)?;
    notes.write(page, out)
}

fn row(hop: &Nexthop, notes: &mut Notes) -> Vec<Cell> {
    let name = hop.next_hop.to_string();
    let cost = match (hop.state, hop.cost) {
        (NexthopState::Unanswered, _) => Cell::styled("?", WARN),
        (_, Some(cost)) => Cell::of(cost),
        (_, None) => Cell::styled("-", FAINT),
    };
    let mut lines = Vec::new();
    for reached in &hop.reached {
        let warning = reached.warning.as_ref();
        let note =
            warning.or_else(|| (hop.state == NexthopState::Unreachable).then_some(&reached.why));
        if let Some(note) = note {
            notes.add(&name, note);
        }
        lines.push(format!("{}{}", way(reached), if note.is_some() { " (!)" } else { "" }));
    }
    let reached = match (hop.state, hop.reached.first()) {
        (NexthopState::Unreachable, _) => Cell::styled("unreachable (!)", BAD),
        (_, None) => Cell::styled("-", FAINT),
        (_, Some(first)) => Cell::lines(lines).with(how_style(first)),
    };
    vec![
        Cell::new(&name),
        cost,
        reached,
        Cell::of(hop.paths),
        Cell::of(hop.routes.count),
        Cell::new(hop.from.join(", ")),
        Cell::new(prefixes(&hop.routes)),
    ]
}

fn prefixes(Prefixes { count, first }: &Prefixes) -> String {
    let mut words: Vec<String> = first.iter().map(ToString::to_string).collect();
    let rest = count.saturating_sub(first.len() as u64);
    words.extend((rest > 0).then(|| format!("and {rest} more")));
    words.join(" ")
}
