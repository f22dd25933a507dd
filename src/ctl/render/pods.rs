//! `bgpctl show pods`: the pods of this node, and whether neighbours are told of them.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::{FAINT, GOOD, Listing, Page};
use crate::api::Pod;

/// The table of `show pods`.
pub struct PodTable {
    table: Table,
    empty: bool,
}

impl PodTable {
    /// An empty one.
    pub fn new(page: &Page) -> PodTable {
        let columns = vec![
            Column::left("ADDRESS"),
            Column::left("INTERFACE"),
            Column::left("PROTOCOL"),
            Column::left("ANNOUNCED"),
            Column::sentence("WHY"),
        ];
        PodTable { table: Table::new(page, columns), empty: true }
    }
}

impl Listing<Pod> for PodTable {
    fn rows(&mut self, pods: &[Pod], out: &mut impl Write) -> io::Result<()> {
        self.empty &= pods.is_empty();
        let rows: Vec<Vec<Cell>> = pods.iter().map(row).collect();
        if rows.is_empty() { Ok(()) } else { self.table.rows(&rows, out) }
    }

    fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        if self.empty {
            writeln!(out, "no pod has a route here ([pods] says where)")
        } else {
            Ok(())
        }
    }
}

fn row(pod: &Pod) -> Vec<Cell> {
    vec![
        Cell::of(pod.address),
        Cell::new(&pod.interface),
        Cell::of(pod.protocol_name()),
        match pod.announced {
            true => Cell::styled("yes", GOOD),
            false => Cell::styled("no", FAINT),
        },
        Cell::new(&pod.why),
    ]
}
