//! `bgpctl monitor`: one event, one line.

use std::io::{self, Write};

use anstyle::Style;
use jiff::tz::TimeZone;

use super::summary::state_style;
use super::text::clean;
use super::{BAD, BOLD, FAINT, GOOD, PLAIN, WARN};
use crate::api::{
    BestPath, Event, FibAction, FibEvent, Happening, RouteEvent, SessionEvent, SessionState,
};

/// One event, with the time of day in `zone`.
///
/// # Errors
/// Those of `out`.
pub fn event(event: &Event, zone: &TimeZone, out: &mut impl Write) -> io::Result<()> {
    let time = match event.time.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned(zone.clone()).strftime("%H:%M:%S%.3f").to_string(),
        Err(_) => clean(&event.time).into_owned(),
    };
    write!(out, "{FAINT}{time}{FAINT:#}  ")?;
    match &event.what {
        Happening::Session(event) => session(event, out),
        Happening::Route(event) => route(event, out),
        Happening::Fib(event) => fib(event, out),
        Happening::Begin { node } => {
            writeln!(out, "{FAINT}begin    {}: Ctrl-C ends it{FAINT:#}", clean(node))
        }
        Happening::Lost { count } => {
            writeln!(
                out,
                "{WARN}skipped  {count} events: they came faster than they are told{WARN:#}"
            )
        }
        Happening::End { reason } => writeln!(out, "{WARN}ended    {}{WARN:#}", clean(reason)),
    }
}

fn session(event: &SessionEvent, out: &mut impl Write) -> io::Result<()> {
    let peer = clean(&event.peer);
    write!(out, "session  {BOLD}{peer}{BOLD:#}  ")?;
    // On the way up nothing is wrong yet.
    let ended = event.was == Some(SessionState::Established);
    let style = match event.state {
        SessionState::Established => state_style(event.state),
        _ if ended => BAD,
        _ => PLAIN,
    };
    write!(out, "{style}{}{style:#}", event.state)?;
    if let Some(was) = event.was {
        write!(out, "{FAINT}, was {was}{FAINT:#}")?;
    }
    if let Some(reason) = &event.reason {
        let style = if ended { BAD } else { WARN };
        write!(out, ": {style}{}{style:#}", clean(reason))?;
    }
    writeln!(out)
}

fn route(event: &RouteEvent, out: &mut impl Write) -> io::Result<()> {
    write!(out, "route    {BOLD}{}{BOLD:#}  ", event.prefix)?;
    match (&event.old, &event.new) {
        (None, Some(new)) => writeln!(out, "{GOOD}new{GOOD:#}: {}", path(new)),
        (Some(old), None) => writeln!(out, "{BAD}gone{BAD:#}{FAINT}, was {}{FAINT:#}", path(old)),
        (Some(old), Some(new)) => {
            writeln!(out, "{WARN}changed{WARN:#}: {}{FAINT}, was {}{FAINT:#}", path(new), path(old))
        }
        (None, None) => writeln!(out, "nothing leads there"),
    }
}

/// A path as it differs from others.
fn path(path: &BestPath) -> String {
    let mut words = match path.next_hop {
        Some(next_hop) => format!("via {next_hop} from {}", clean(&path.from)),
        None => "this node's own".to_owned(),
    };
    if !path.as_path.is_empty() {
        words += &format!(" path {}", clean(&path.as_path));
    }
    if let Some(local_pref) = path.local_pref.filter(|pref| *pref != 100) {
        words += &format!(" local-pref {local_pref}");
    }
    if let Some(med) = path.med {
        words += &format!(" med {med}");
    }
    words
}

fn fib(event: &FibEvent, out: &mut impl Write) -> io::Result<()> {
    write!(out, "fib      ")?;
    if let Some(prefix) = event.prefix {
        write!(out, "{BOLD}{prefix}{BOLD:#}  ")?;
    }
    let style: Style = match event.action {
        FibAction::Added => GOOD,
        FibAction::Replaced | FibAction::Deleted => PLAIN,
        FibAction::Drift | FibAction::Note => WARN,
        FibAction::Refused | FibAction::Rival | FibAction::Occupied => BAD,
    };
    write!(out, "{style}{}{style:#}", event.action)?;
    let words = |text: &String| clean(text).into_owned();
    match (event.old.as_ref().map(words), event.new.as_ref().map(words)) {
        (None, None) => {}
        (None, Some(new)) => write!(out, ": {new}")?,
        (Some(old), None) => write!(out, ": {old}")?,
        (Some(old), Some(new)) => write!(out, ": {new}{FAINT}, was {old}{FAINT:#}")?,
    }
    if let Some(text) = &event.text {
        write!(out, ": {}", clean(text))?;
    }
    writeln!(out)
}
