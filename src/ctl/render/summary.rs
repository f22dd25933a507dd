//! `bgpctl show summary`.

use std::io::{self, Write};

use super::table::{Cell, Column, Table};
use super::text::{age, clean, paragraph, parts};
use super::{BAD, BOLD, FAINT, GOOD, PLAIN, Page, WARN};
use crate::api::{PeerSummary, SessionState, Summary};

/// The node, what is wrong with it, and its sessions.
///
/// # Errors
/// Those of `out`.
pub fn summary(page: &Page, summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    let head = [
        (clean(&summary.node).into_owned(), BOLD),
        (format!("AS {}", summary.asn), PLAIN),
        (format!("router ID {}", summary.router_id), PLAIN),
        (format!("up {}", age(summary.uptime_s)), PLAIN),
        (format!("configuration {}", summary.generation), PLAIN),
        match summary.ready.ready {
            true => ("ready".to_owned(), GOOD),
            false => ("not ready".to_owned(), BAD),
        },
    ];
    parts(page, &head, out)?;
    let (digest, since) = (clean(&summary.digest), age(summary.reloaded_s));
    writeln!(out, "  {FAINT}its files are {digest:.12}, in force for {since}{FAINT:#}")?;
    for reason in &summary.ready.reasons {
        let style = if summary.ready.ready { WARN } else { BAD };
        let text = format!("{}: {}", clean(&reason.subject), clean(&reason.text));
        paragraph(page, "  (!) ", &text, style, out)?;
    }
    writeln!(out)?;
    if summary.peers.is_empty() {
        match summary.neighbors {
            0 if summary.ranges.is_empty() => writeln!(out, "no neighbours are configured")?,
            0 => {}
            all => writeln!(out, "none of the {all} neighbours is like that")?,
        }
        return ranges(page, summary, out);
    }
    let mut table = Table::new(
        page,
        vec![
            Column::left("NEIGHBOR"),
            Column::left("AS"),
            Column::left("KIND"),
            Column::left("STATE"),
            Column::right("SINCE"),
            Column::right("RECEIVED"),
            Column::right("ACCEPTED"),
            Column::right("SENT"),
            Column::sentence("REASON"),
        ],
    );
    let rows: Vec<Vec<Cell>> = summary
        .peers
        .iter()
        .map(|peer| {
            let up = peer.state == SessionState::Established;
            // Nothing of a session that is not up is in use: its numbers are no news.
            let count = |n| Cell::styled(u64::to_string(n), if up { PLAIN } else { FAINT });
            vec![
                Cell::new(&peer.name),
                Cell::of(peer.asn),
                match peer.range {
                    Some(_) => Cell::new(format!("{}*", peer.kind)),
                    None => Cell::of(peer.kind),
                },
                Cell::styled(peer.state.to_string(), state_style(peer.state)),
                Cell::new(age(peer.since_s)),
                count(&peer.received),
                count(&peer.accepted),
                count(&peer.sent),
                Cell::styled(why(peer), if up { WARN } else { BAD }),
            ]
        })
        .collect();
    table.rows(&rows, out)?;
    if !summary.ranges.is_empty() {
        writeln!(out)?;
    }
    ranges(page, summary, out)
}

/// Why a session is not up, and what has come of it since.
pub(super) fn why(peer: &PeerSummary) -> String {
    let reason = peer.reason.as_deref().unwrap_or_default();
    match &peer.since_then {
        Some(since) => format!("{reason}; since then: {since}"),
        None => reason.to_owned(),
    }
}

/// Where others may call from, and how many have.
fn ranges(page: &Page, summary: &Summary, out: &mut impl Write) -> io::Result<()> {
    if summary.ranges.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(
        page,
        vec![
            Column::left("RANGE"),
            Column::left("ADDRESSES"),
            Column::left("AS"),
            Column::right("NEIGHBORS"),
            Column::right("LIMIT"),
        ],
    );
    let rows: Vec<Vec<Cell>> = summary
        .ranges
        .iter()
        .map(|range| {
            vec![
                Cell::new(&range.name),
                Cell::of(range.range),
                Cell::new(&range.asns),
                Cell::of(range.neighbors),
                Cell::of(range.limit),
            ]
        })
        .collect();
    table.rows(&rows, out)
}

/// How a session's state is to be seen from afar.
pub(super) fn state_style(state: SessionState) -> anstyle::Style {
    match state {
        SessionState::Established => GOOD,
        _ => BAD,
    }
}
