//! `bgpctl network show`: what this node originates.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::{FAINT, Page};
use crate::api::Network;

/// A line each.
///
/// # Errors
/// Those of `out`.
pub fn networks(page: &Page, networks: &[Network], out: &mut impl Write) -> io::Result<()> {
    if networks.is_empty() {
        return writeln!(out, "nothing is originated here");
    }
    let mut columns = ["PREFIX", "WISHED BY", "ANNOUNCED", "KERNEL"].map(Column::left).to_vec();
    columns.push(Column::sentence("CARRIES"));
    let row = |network: &Network| {
        vec![
            Cell::of(network.prefix),
            Cell::new(network.wish.as_str()),
            Cell::new(if network.announced { "yes" } else { "no" }),
            match network.blackhole {
                true => Cell::new("blackhole"),
                false => Cell::styled("-", FAINT),
            },
            Cell::new(network.attributes.to_string()),
        ]
    };
    let rows: Vec<Vec<Cell>> = networks.iter().map(row).collect();
    Table::new(page, columns).rows(&rows, out)
}
