//! `bgpctl plan`, `apply`, `confirm`, `rollback` and `show generations`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use ipnet::IpNet;

use super::table::{Cell, Column, Table};
use super::text::{age, clean, paragraph};
use super::{BAD, BOLD, FAINT, GOOD, PLAIN, Page, WARN};
use crate::api::{
    Applied, Generation, Plan, Prefixes, RouteFate, RoutePlan, SessionFate, SessionPlan,
};

/// Digits of a digest that people compare.
const DIGITS: usize = 12;
/// Neighbours that a line names.
const NAMES: usize = 4;
/// Sessions whose end is told by itself.
const ENDINGS: usize = 10;

/// What a configuration would do.
///
/// # Errors
/// Those of `out`.
pub fn plan(page: &Page, plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    if !plan.ok {
        return errors(plan, out);
    }
    for warning in &plan.warnings {
        quoted(warning, out)?;
    }
    if !plan.differs {
        let same = plan.digest == plan.new_digest;
        let how = if same { "it is the file in force" } else { "it says the same in other words" };
        return writeln!(out, "{GOOD}nothing would change:{GOOD:#} {how}");
    }
    writeln!(
        out,
        "{BOLD}configuration {}{BOLD:#} ({:.DIGITS$}) would become {:.DIGITS$}",
        plan.generation, plan.digest, plan.new_digest
    )?;
    body(page, plan, out)
}

/// What was done, and what was written for it.
///
/// # Errors
/// Those of `out`.
pub fn applied(
    page: &Page,
    applied: &Applied,
    written: &[&Path],
    out: &mut impl Write,
) -> io::Result<()> {
    if !applied.plan.ok {
        return errors(&applied.plan, out);
    }
    for warning in &applied.plan.warnings {
        quoted(warning, out)?;
    }
    if applied.plan.differs {
        body(page, &applied.plan, out)?;
    }
    let (generation, digest) = (applied.generation, &applied.digest);
    writeln!(out, "{GOOD}configuration {generation}{GOOD:#} ({digest:.DIGITS$}) is in force")?;
    for file in written {
        let file = file.display().to_string();
        writeln!(out, "  written to {}", clean(&file))?;
    }
    if let Some(seconds) = applied.confirm_s {
        let text = format!(
            "it is undone in {} unless `bgpctl confirm` comes; `bgpctl rollback` undoes it at once",
            age(seconds)
        );
        paragraph(page, "  (!) ", &text, WARN, out)?;
    }
    Ok(())
}

/// The configurations that were in force.
///
/// # Errors
/// Those of `out`.
pub fn generations(page: &Page, all: &[Generation], out: &mut impl Write) -> io::Result<()> {
    let columns = vec![
        Column::right("GENERATION"),
        Column::right("AGE"),
        Column::left("DIGEST"),
        Column::words("BY"),
        Column::sentence("CHANGES"),
    ];
    let row = |generation: &Generation| {
        let style = if generation.current { GOOD } else { PLAIN };
        let mark = if generation.current { "*" } else { "" };
        let changes = match (generation.confirm_s, generation.changes.as_slice()) {
            (None, changes) if generation.unconfirmed => {
                format!("never confirmed: {}", changes.join("; "))
            }
            (None, []) => String::new(),
            (None, [only]) => only.clone(),
            (None, [first, rest @ ..]) => format!("{first} and {} more", rest.len()),
            (Some(seconds), changes) => {
                format!("{} to be confirmed within {}", changes.len(), age(seconds))
            }
        };
        vec![
            Cell::styled(format!("{mark}{}", generation.generation), style),
            Cell::new(age(generation.age_s)),
            Cell::new(format!("{:.DIGITS$}", generation.digest)),
            Cell::new(match &generation.reason {
                Some(reason) => format!("{}: {reason}", generation.source),
                None => generation.source.clone(),
            }),
            Cell::new(changes),
        ]
    };
    let rows: Vec<Vec<Cell>> = all.iter().map(row).collect();
    Table::new(page, columns).rows(&rows, out)
}

fn errors(plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    let generation = plan.generation;
    writeln!(
        out,
        "{BAD}no configuration:{BAD:#} {generation} stays in force, the file has errors"
    )?;
    plan.errors.iter().try_for_each(|error| quoted(error, out))
}

/// It quotes the file line by line: its own breaks are part of the message.
fn quoted(message: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    message.lines().try_for_each(|line| writeln!(out, "  {}", clean(line)))
}

fn body(page: &Page, plan: &Plan, out: &mut impl Write) -> io::Result<()> {
    for setting in &plan.settings {
        paragraph(page, "  ", &clean(setting), PLAIN, out)?;
    }
    sessions(page, &plan.sessions, out)?;
    endings(page, &plan.sessions, out)?;
    announcements(page, &plan.sessions, out)?;
    routes(page, "routes", &plan.routes, out)?;
    match plan.meanwhile.shifted() {
        0 => Ok(()),
        _ => routes(page, "meanwhile", &plan.meanwhile, out),
    }
}

fn heading(
    page: &Page,
    title: &str,
    parts: &[(u64, &str)],
    out: &mut impl Write,
) -> io::Result<()> {
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, what)| format!("{count} {what}")).collect();
    let parts = if parts.is_empty() { "none".to_owned() } else { parts.join(", ") };
    paragraph(page, &format!("{title:<9}  "), &parts, BOLD, out)
}

fn sessions(page: &Page, all: &[SessionPlan], out: &mut impl Write) -> io::Result<()> {
    let fates = [
        SessionFate::Added,
        SessionFate::Removed,
        SessionFate::Anew,
        SessionFate::Refreshed,
        SessionFate::Changed,
        SessionFate::Untouched,
    ];
    let count = |fate| all.iter().filter(|s| s.becomes == fate).count() as u64;
    let parts = fates.map(|fate| (count(fate), fate.as_str()));
    heading(page, "sessions", &parts, out)?;
    let mut rows = Vec::new();
    for session in all.iter().filter(|s| s.becomes != SessionFate::Untouched) {
        let style = match session.becomes {
            SessionFate::Removed | SessionFate::Anew if session.established => BAD,
            SessionFate::Refreshed => WARN,
            _ => PLAIN,
        };
        let accepted = match session.accepted == session.accepted_then {
            true => session.accepted.to_string(),
            false => format!("{} -> {}", session.accepted, session.accepted_then),
        };
        rows.push(vec![
            Cell::new(format!("  {}", session.name)),
            Cell::of(session.address),
            Cell::styled(session.becomes.as_str(), style),
            Cell::of(session.received),
            Cell::new(accepted),
            Cell::new(session.because.join("; ")),
        ]);
    }
    if rows.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Column::left("  NEIGHBOR"),
        Column::left("ADDRESS"),
        Column::left("BECOMES"),
        Column::right("RECEIVED"),
        Column::right("ACCEPTED"),
        Column::sentence("BECAUSE OF"),
    ];
    Table::new(page, columns).rows(&rows, out)
}

/// What leads through sessions alone that end, and whether it outlives that.
fn endings(page: &Page, all: &[SessionPlan], out: &mut impl Write) -> io::Result<()> {
    let ends: Vec<&SessionPlan> = all.iter().filter(|s| s.only.count > 0).collect();
    let (named, rest) = ends.split_at(ends.len().min(ENDINGS));
    for session in named {
        let count = session.only.count;
        let nets =
            if count == 1 { "1 destination".to_owned() } else { format!("{count} destinations") };
        let fate = match (session.becomes, session.kept_s) {
            (SessionFate::Removed, _) => "gone with it".to_owned(),
            (_, None) => "gone until it is back".to_owned(),
            (_, Some(kept)) => format!("kept for {} (graceful restart)", age(kept)),
        };
        let ours = match (session.becomes, session.keeps_s) {
            (SessionFate::Anew, None) => ", and it drops ours meanwhile",
            _ => "",
        };
        let name = clean(&session.name);
        let text = format!("{name} alone leads to {nets}, {fate}{ours}: {}", words(&session.only));
        let style = if session.kept_s.is_some() { PLAIN } else { BAD };
        paragraph(page, "  ! ", &text, style, out)?;
    }
    if !rest.is_empty() {
        let nets: u64 = rest.iter().map(|session| session.only.count).sum();
        let text = format!("and {} more such sessions, with {nets} destinations", rest.len());
        paragraph(page, "  ! ", &text, PLAIN, out)?;
    }
    Ok(())
}

/// Prefixes, and how many more there are.
fn words(Prefixes { count, first }: &Prefixes) -> String {
    let mut nets: Vec<String> = first.iter().map(ToString::to_string).collect();
    let rest = count.saturating_sub(first.len() as u64);
    nets.extend((rest > 0).then(|| format!("and {rest} more")));
    nets.join(" ")
}

/// What is told alike is told once, with those who hear it.
fn announcements(page: &Page, all: &[SessionPlan], out: &mut impl Write) -> io::Result<()> {
    let mut alike: BTreeMap<(u8, Vec<IpNet>, u64), Vec<&str>> = BTreeMap::new();
    let mut again = (0, 0);
    for session in all {
        let parts = [&session.announced, &session.withdrawn, &session.changed];
        for (sign, Prefixes { count, first }) in (0_u8..).zip(parts).filter(|(_, p)| p.count > 0) {
            let who = alike.entry((sign, first.clone(), *count)).or_default();
            who.push(&session.name);
        }
        if session.again > 0 {
            again = (again.0 + session.again, again.1 + 1);
        }
    }
    let count = |sign: u8| {
        let of = |((s, _, count), who): (&(u8, Vec<IpNet>, u64), &Vec<&str>)| {
            if *s == sign { count * who.len() as u64 } else { 0 }
        };
        alike.iter().map(of).sum::<u64>()
    };
    let again_words = format!("sent again as they are (to {})", again.1);
    heading(
        page,
        "announced",
        &[
            (count(0), "more"),
            (count(1), "withdrawn"),
            (count(2), "with other attributes"),
            (again.0, &again_words),
        ],
        out,
    )?;
    for ((sign, first, count), who) in &alike {
        let sign = match sign {
            0 => "+",
            1 => "-",
            _ => "~",
        };
        let nets = words(&Prefixes { count: *count, first: first.clone() });
        let mut names: Vec<String> =
            who.iter().take(NAMES).map(|n| clean(n).into_owned()).collect();
        let rest = who.len().saturating_sub(NAMES);
        names.extend((rest > 0).then(|| format!("{rest} more")));
        let text = format!("{nets} (to {})", names.join(", "));
        paragraph(page, &format!("  {sign} "), &text, PLAIN, out)?;
    }
    Ok(())
}

fn routes(page: &Page, title: &str, plan: &RoutePlan, out: &mut impl Write) -> io::Result<()> {
    let kinds = [
        (plan.added, RouteFate::Added),
        (plan.removed, RouteFate::Removed),
        (plan.kind, RouteFate::Kind),
        (plan.encapsulated, RouteFate::Encapsulated),
        (plan.in_clear, RouteFate::InClear),
        (plan.next_hops, RouteFate::NextHops),
        (plan.key, RouteFate::Key),
    ];
    let mut parts: Vec<_> = kinds.iter().map(|(count, fate)| (*count, fate.as_str())).collect();
    parts.push((plan.unchanged, "unchanged"));
    heading(page, title, &parts, out)?;
    let row = |shift: &crate::api::RouteShift| {
        let word = |words: &Option<String>| words.clone().unwrap_or_else(|| "none".to_owned());
        vec![
            Cell::new(format!("  {}", shift.prefix)),
            Cell::new(shift.becomes.as_str()),
            Cell::new(word(&shift.from)),
            Cell::new(word(&shift.to)),
        ]
    };
    let rows: Vec<Vec<Cell>> = plan.shifts.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let columns = vec![
        Column::left("  PREFIX"),
        Column::left("BECOMES"),
        Column::words("FROM"),
        Column::words("TO"),
    ];
    Table::new(page, columns).rows(&rows, out)?;
    let more = plan.shifted() - rows.len() as u64;
    if more > 0 {
        writeln!(out, "  {FAINT}and {more} more: --all names them{FAINT:#}")?;
    }
    Ok(())
}
