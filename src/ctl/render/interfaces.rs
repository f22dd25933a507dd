//! `bgpctl show interfaces`: a line each, with who uses it.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::{FAINT, GOOD, Page, WARN};
use crate::api::{Interface, LinkState};

/// So many neighbours are named.
const NAMED: usize = 4;

/// The interfaces that the daemon knows.
///
/// # Errors
/// Those of `out`.
pub fn interfaces(page: &Page, all: &[Interface], out: &mut impl Write) -> io::Result<()> {
    if all.is_empty() {
        return writeln!(out, "the daemon knows no interface yet");
    }
    let columns = vec![
        Column::left("INTERFACE"),
        Column::left("STATE"),
        Column::right("MTU"),
        Column::left("KIND"),
        Column::right("ROUTES"),
        Column::right("PODS"),
        Column::words("ADDRESSES"),
        Column::sentence("USED FOR"),
    ];
    // One alone is asked for to see all of it.
    let named = if all.len() == 1 { usize::MAX } else { NAMED };
    let row = |interface: &Interface| {
        let state = match interface.state {
            LinkState::Up => GOOD,
            LinkState::NoCarrier => WARN,
            LinkState::Down => FAINT,
        };
        let addresses: Vec<String> = interface.addresses.iter().map(ToString::to_string).collect();
        vec![
            Cell::new(&interface.name),
            Cell::styled(interface.state.to_string(), state),
            Cell::of(interface.mtu),
            Cell::new(interface.kind.as_deref().unwrap_or("-")),
            Cell::of(interface.routes),
            Cell::of(interface.pods),
            Cell::new(addresses.join(" ")),
            Cell::new(uses(interface, named)),
        ]
    };
    let rows: Vec<Vec<Cell>> = all.iter().map(row).collect();
    Table::new(page, columns).rows(&rows, out)
}

/// What it is for, in words; nothing where nobody uses it.
fn uses(interface: &Interface, named: usize) -> String {
    let mut words: Vec<String> =
        interface.own.iter().map(|own| format!("this node's address {own}")).collect();
    words.extend(interface.tunnel.then(|| "the tunnel of the pools".to_owned()));
    let neighbors = &interface.neighbors;
    let mut names: Vec<String> = neighbors.iter().take(named).cloned().collect();
    let rest = neighbors.len() - names.len();
    names.extend((rest > 0).then(|| format!("{rest} more")));
    words.extend((!names.is_empty()).then(|| format!("neighbours {}", names.join(", "))));
    words.extend(interface.table.map(|table| format!("the VRF of table {table}")));
    words.extend(interface.master.as_ref().map(|master| format!("part of {master}")));
    words.join("; ")
}
