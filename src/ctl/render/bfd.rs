//! `bgpctl show bfd`, and the BFD lines of a neighbour's block.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::text::{age, field};
use super::{BAD, FAINT, GOOD, PLAIN, Page, WARN};
use crate::api::{BfdSession, BfdState};

/// A line for each of `sessions`.
///
/// # Errors
/// Those of `out`.
pub fn bfd(page: &Page, sessions: &[BfdSession], out: &mut impl Write) -> io::Result<()> {
    if sessions.is_empty() {
        return writeln!(out, "BFD is on for no neighbour");
    }
    let mut table = Table::new(
        page,
        vec![
            Column::left("NEIGHBOR"),
            Column::left("STATE"),
            Column::right("SINCE"),
            Column::left("KIND"),
            Column::right("EVERY"),
            Column::right("DETECT"),
            Column::right("SENT"),
            Column::right("RECEIVED"),
            Column::right("FLAPS"),
            Column::sentence("LAST DOWN"),
        ],
    );
    let rows: Vec<Vec<Cell>> = sessions
        .iter()
        .map(|session| {
            let detect = session.detection_ms.map_or("-".to_owned(), |ms| format!("{ms}ms"));
            vec![
                Cell::new(&session.name),
                Cell::styled(session.state.to_string(), style(session.state)),
                Cell::new(age(session.since_s)),
                Cell::new(kind(session)),
                Cell::new(format!("{}ms", session.transmit_ms)),
                Cell::new(detect),
                Cell::of(session.sent),
                Cell::of(session.received),
                Cell::of(session.flaps),
                match &session.trouble {
                    Some(trouble) => Cell::styled(trouble, BAD),
                    None => Cell::new(last_down(session)),
                },
            ]
        })
        .collect();
    table.rows(&rows, out)
}

/// What a neighbour's block says of it.
pub(super) fn lines(page: &Page, session: &BfdSession, out: &mut impl Write) -> io::Result<()> {
    let detect = session.detection_ms.map_or(String::new(), |ms| format!(", detects in {ms}ms"));
    let state = format!(
        "{} for {}, {}, every {}ms{detect}",
        session.state,
        age(session.since_s),
        kind(session),
        session.transmit_ms
    );
    field(page, "BFD", &state, style(session.state), out)?;
    let discarded = match session.discarded {
        0 => String::new(),
        n => format!(", {n} not believed"),
    };
    let packets = format!("{} sent, {} received{discarded}", session.sent, session.received);
    field(page, "BFD packets", &packets, PLAIN, out)?;
    let flaps = match session.flaps {
        0 => String::new(),
        1 => "; lost once".to_owned(),
        n => format!("; lost {n} times"),
    };
    let said = [
        (session.state != BfdState::Up).then(|| session.diagnostic.clone()),
        session.remote_diagnostic.as_ref().map(|diagnostic| format!("neighbour's: {diagnostic}")),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    field(page, "BFD diag", &said.join(", "), PLAIN, out)?;
    let down = last_down(session);
    if !down.is_empty() {
        field(page, "BFD down", &format!("{down}{flaps}"), PLAIN, out)?;
    }
    field(page, "BFD trouble", session.trouble.as_deref().unwrap_or(""), BAD, out)
}

fn kind(session: &BfdSession) -> &'static str {
    if session.multihop { "multihop" } else { "one hop" }
}

fn last_down(session: &BfdSession) -> String {
    let down = session.last_down.as_ref();
    down.map_or(String::new(), |down| format!("{} ago: {}", age(down.ago_s), down.text))
}

fn style(state: BfdState) -> anstyle::Style {
    match state {
        BfdState::Up => GOOD,
        // Nothing leans on it.
        BfdState::NotHeard => FAINT,
        BfdState::Init | BfdState::AdminDown => WARN,
        BfdState::Down => BAD,
    }
}
