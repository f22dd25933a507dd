//! `bgpctl show nodes`: rack mate or tunnelled, and why.

use std::io::{self, Write};

use super::summary::state_style;
use super::table::{Cell, Column, Table};
use super::text::{Notes, age};
use super::{BAD, FAINT, PLAIN, Page, WARN};
use crate::api::{Node, Reach, SessionState};

/// The nodes of the cluster.
///
/// # Errors
/// Those of `out`.
pub fn nodes(page: &Page, nodes: &[Node], out: &mut impl Write) -> io::Result<()> {
    if nodes.is_empty() {
        return writeln!(out, "no nodes are configured");
    }
    let mut table = Table::new(
        page,
        vec![
            Column::left("NAME"),
            Column::left("ADDRESS"),
            Column::left("REACH"),
            Column::left("SESSION"),
            Column::left("BLOCKS"),
            Column::sentence("WHY"),
        ],
    );
    let mut notes = Notes::default();
    let rows: Vec<Vec<Cell>> = nodes
        .iter()
        .map(|node| {
            if let Some(warning) = &node.warning {
                notes.add(&node.name, warning);
            }
            if let Some(reason) = &node.reason {
                notes.add(&node.name, &format!("the session is not up: {reason}"));
            }
            vec![
                Cell::new(&node.name),
                Cell::of(node.address),
                reach(node),
                session(node),
                blocks(node),
                Cell::new(&node.why),
            ]
        })
        .collect();
    table.rows(&rows, out)?;
    notes.write(page, out)
}

fn reach(node: &Node) -> Cell {
    let word = match node.reach {
        Reach::Local => "this node",
        Reach::Direct => "rack mate",
        Reach::Tunnel => "tunnelled",
        Reach::Gateway => "via",
        Reach::Mixed => "mixed",
        Reach::Unreachable => "unreachable",
    };
    let text = match (&node.through, node.reach) {
        (Some(gateway), Reach::Gateway) => format!("{word} {gateway}"),
        (None, Reach::Gateway) => "gateway".to_owned(),
        (Some(device), Reach::Direct | Reach::Tunnel) => format!("{word} ({device})"),
        _ => word.to_owned(),
    };
    let style = match node.reach {
        Reach::Unreachable => BAD,
        _ if node.warning.is_some() => WARN,
        _ => PLAIN,
    };
    let mark = if node.warning.is_some() { " (!)" } else { "" };
    Cell::styled(text + mark, style)
}

fn session(node: &Node) -> Cell {
    let Some(state) = node.session else { return Cell::styled("-", FAINT) };
    let since = node.since_s.map(|s| format!(" {}", age(s))).unwrap_or_default();
    let mark =
        if node.reason.is_some() && state != SessionState::Established { " (!)" } else { "" };
    Cell::styled(format!("{state}{since}{mark}"), state_style(state))
}

fn blocks(node: &Node) -> Cell {
    match node.blocks.as_slice() {
        [] => Cell::styled("none", FAINT),
        [one] => Cell::of(one),
        [first, rest @ ..] => Cell::new(format!("{first} +{}", rest.len())),
    }
}
