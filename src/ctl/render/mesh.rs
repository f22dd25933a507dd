//! `bgpctl show mesh`: a row for each node, a sign for each other one that it sees.
//!
//! A sign is one character, so that a hundred nodes fit a terminal; where they do not, the columns
//! go on below. What is behind a sign that is not good is told under the matrix.

use std::collections::HashMap;
use std::io::{self, Write};

use anstyle::Style;

use super::text::{Notes, clean, paragraph, width};
use super::{BAD, BOLD, FAINT, GOOD, PLAIN, Page, WARN};
use crate::api::{MeshRow, Reach, SessionState, Sight};

/// Signs between two gaps.
const GROUP: usize = 10;
/// Names are cut at so many characters.
const NAME: usize = 24;
/// What the signs mean.
const LEGEND: &str = "= direct  # tunnelled  > through a gateway  ~ one pool so, another otherwise  \
                      x not reached  ! session down  ? not known  . itself  - nothing to do with it";

/// The matrix of `rows`, which are all nodes in the order of the columns.
///
/// # Errors
/// Those of `out`.
pub fn mesh(page: &Page, rows: &[MeshRow], out: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return writeln!(out, "no nodes are configured");
    }
    let number = rows.len().to_string().len();
    let name = rows.iter().map(|row| width(&short(&row.name))).max().unwrap_or(0);
    let lead = number + 1 + name + 2;
    let room = page.width.map_or(usize::MAX, |width| width.saturating_sub(lead));
    let groups = (room.saturating_add(1) / (GROUP + 1)).max(1);
    let columns = groups.saturating_mul(GROUP);
    let seen: Vec<HashMap<&str, &Sight>> = rows
        .iter()
        .map(|row| row.sees.iter().map(|sight| (sight.name.as_str(), sight)).collect())
        .collect();
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    for (block, of) in names.chunks(columns.min(names.len())).enumerate() {
        if block > 0 {
            writeln!(out)?;
        }
        let first = block * columns.min(names.len()) + 1;
        write!(out, "{:lead$}", "")?;
        let heads: Vec<String> = (0..of.len().div_ceil(GROUP))
            .map(|group| (first + group * GROUP).to_string())
            .collect();
        let head = heads.iter().map(|head| format!("{head:<GROUP$}")).collect::<Vec<_>>();
        writeln!(out, "{BOLD}{}{BOLD:#}", head.join(" ").trim_end())?;
        for (at, (row, sees)) in rows.iter().zip(&seen).enumerate() {
            let label = short(&row.name);
            write!(out, "{:>number$} {label:<name$} ", at + 1)?;
            for (i, other) in of.iter().enumerate() {
                let gap = if i % GROUP == 0 { " " } else { "" };
                let (sign, style) = sign(row, other, sees.get(other).copied());
                write!(out, "{gap}{style}{sign}{style:#}")?;
            }
            writeln!(out)?;
        }
    }
    writeln!(out)?;
    paragraph(page, "", LEGEND, PLAIN, out)?;
    notes(rows, &seen).write(page, out)
}

/// A name of a line's length.
fn short(name: &str) -> String {
    let name = clean(name);
    match width(&name) {
        0..=NAME => name.into_owned(),
        _ => name.chars().take(NAME - 1).chain(['…']).collect(),
    }
}

/// What a node is to another one in one character.
fn sign(row: &MeshRow, other: &str, sight: Option<&Sight>) -> (char, Style) {
    if row.name == other {
        return ('.', FAINT);
    }
    if row.unknown.is_some() {
        return ('?', FAINT);
    }
    let Some(sight) = sight else { return ('-', FAINT) };
    if !is_up(sight) {
        return ('!', BAD);
    }
    match sight.reach {
        Reach::Direct | Reach::Local => ('=', GOOD),
        Reach::Tunnel => ('#', GOOD),
        Reach::Gateway => ('>', WARN),
        Reach::Mixed => ('~', WARN),
        Reach::Unreachable => ('x', BAD),
    }
}

/// Whether the session stands, or there is to be none.
fn is_up(sight: &Sight) -> bool {
    sight.session.is_none_or(|state| state == SessionState::Established)
}

/// What is behind the signs that are not good; and pairs of which only one end tunnels.
fn notes(rows: &[MeshRow], seen: &[HashMap<&str, &Sight>]) -> Notes {
    let mut notes = Notes::default();
    let by_name: HashMap<&str, usize> =
        rows.iter().enumerate().map(|(at, row)| (row.name.as_str(), at)).collect();
    for (at, row) in rows.iter().enumerate() {
        if let Some(why) = &row.unknown {
            notes.add(&row.name, why);
        }
        for sight in &row.sees {
            let pair = format!("{} to {}", row.name, sight.name);
            match (&sight.reason, sight.session) {
                (Some(reason), _) if !is_up(sight) => {
                    notes.add(&pair, &format!("the session is not up: {reason}"));
                }
                (None, Some(state)) if !is_up(sight) => {
                    notes.add(&pair, &format!("the session is not up: {state}"));
                }
                _ => {}
            }
            let back = by_name.get(sight.name.as_str()).filter(|other| **other > at);
            let back = back.and_then(|other| seen.get(*other)?.get(row.name.as_str()));
            let tunnelled = |reach: Reach| reach == Reach::Tunnel;
            if let Some(back) = back
                && tunnelled(back.reach) != tunnelled(sight.reach)
                && ![back.reach, sight.reach].contains(&Reach::Unreachable)
            {
                let pair = format!("{} and {}", row.name, sight.name);
                notes.add(&pair, "one of them tunnels to the other and is not tunnelled to");
            }
        }
    }
    notes
}
