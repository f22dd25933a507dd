//! `bgpctl show routes --to`: what goes to a neighbour, a line for each path.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::{FAINT, GOOD, Listing, Page, WARN};
use crate::api::{Attributes, Path, Route, Sent, SentState};

/// The table of `show routes --to`.
pub struct SentTable {
    table: Table,
    /// What to say if no row comes.
    none: Option<String>,
}

impl SentTable {
    /// An empty one; it says `none` if it stays so.
    pub fn new(page: &Page, none: String) -> SentTable {
        let columns = vec![
            Column::left("PREFIX"),
            Column::left("FROM"),
            Column::left("NEXT HOP"),
            Column::words("AS PATH"),
            Column::words("CARRIES"),
            Column::sentence("STATE"),
        ];
        SentTable { table: Table::new(page, columns), none: Some(none) }
    }
}

fn row(route: &Route, path: &Path, sent: &Sent) -> Vec<Cell> {
    let state = match (sent.state, &sent.why, sent.path_id) {
        (SentState::Withheld, Some(why), _) => format!("withheld: {why}"),
        (state, _, Some(id)) => format!("{state} (path {id})"),
        (state, ..) => state.to_string(),
    };
    let style = if sent.state == SentState::Sent { GOOD } else { WARN };
    let dash = || Cell::styled("-", FAINT);
    let text = |text: String| if text.is_empty() { dash() } else { Cell::new(text) };
    let carried = sent.attributes.as_ref();
    vec![
        Cell::of(route.prefix),
        Cell::new(&path.from),
        carried.map_or_else(dash, |attributes| Cell::of(attributes.next_hop)),
        carried.map_or_else(dash, |attributes| text(attributes.as_path.clone())),
        carried.map_or_else(dash, |attributes| text(carries(attributes))),
        Cell::styled(state, style),
    ]
}

/// What is not the same of all.
fn carries(a: &Attributes) -> String {
    let mut words = Vec::new();
    words.extend(a.local_pref.map(|n| format!("pref {n}")));
    words.extend(a.med.map(|n| format!("MED {n}")));
    words.extend(Some(communities(a)).filter(|c| !c.is_empty()));
    words.join(" ")
}

/// Of all kinds.
pub(super) fn communities(attributes: &Attributes) -> String {
    let Attributes { communities, large_communities, extended_communities, .. } = attributes;
    [communities, large_communities, extended_communities]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

/// What it carries on its way, in one line; why it stays here.
pub(super) fn words(sent: &Sent) -> String {
    let Some(a) = &sent.attributes else {
        return format!("{}: {}", sent.state, sent.why.as_deref().unwrap_or_default());
    };
    let mut words = vec![format!("{}: next hop {}", sent.state, a.next_hop)];
    words.extend(sent.path_id.map(|id| format!("path {id}")));
    words.push(match a.as_path.as_str() {
        "" => "empty AS path".to_owned(),
        path => format!("AS path {path}"),
    });
    words.push(format!("origin {}", a.origin));
    words.extend(a.local_pref.map(|n| format!("local pref {n}")));
    words.extend(a.med.map(|n| format!("MED {n}")));
    words
        .extend(Some(communities(a)).filter(|c| !c.is_empty()).map(|c| format!("communities {c}")));
    words.extend(a.other_attributes.iter().cloned());
    words.join(", ")
}

impl Listing<Route> for SentTable {
    fn rows(&mut self, routes: &[Route], out: &mut impl Write) -> io::Result<()> {
        let paths = routes.iter().flat_map(|route| route.paths.iter().map(move |p| (route, p)));
        let rows: Vec<Vec<Cell>> =
            paths.filter_map(|(route, path)| Some(row(route, path, path.sent.as_ref()?))).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.none = None;
        self.table.rows(&rows, out)
    }

    fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        match self.none.take() {
            Some(none) => writeln!(out, "{none}"),
            None => Ok(()),
        }
    }
}
