//! What was seen, as the tables of tests/README.md and of the front page, and as JSON.
//!
//! A row is an event; its columns are the packets sent while it went on and those that were
//! lost, with Starling and with BIRD in its place. Where a gap is told, it is the longest time in
//! which one flow had nothing through.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use starling_lab::{Lost, Result};

/// What came of an event.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub lost: Lost,
    /// It was not over yet when the measuring ended.
    pub unfinished: bool,
    /// In words, who lost what: for a person that looks for the reason.
    pub who: String,
}

/// What Starling may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allowed {
    /// Nothing.
    Nothing,
    /// What is sent in such a time.
    Gap(Duration),
}

/// A row.
#[derive(Debug, Clone)]
pub struct Row {
    pub event: &'static str,
    pub allowed: Allowed,
    pub starling: Option<Seen>,
    pub bird: Option<Seen>,
}

#[derive(Serialize, Deserialize)]
struct Json {
    event: String,
    starling: Option<Figures>,
    bird: Option<Figures>,
}

#[derive(Serialize, Deserialize)]
struct Figures {
    sent: usize,
    lost: usize,
    longest_gap_us: u64,
    unfinished: bool,
    flows: String,
}

impl From<&Seen> for Figures {
    fn from(seen: &Seen) -> Self {
        let Lost { sent, lost, gap } = seen.lost;
        let longest_gap_us = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
        let (unfinished, flows) = (seen.unfinished, seen.who.clone());
        Self { sent, lost, longest_gap_us, unfinished, flows }
    }
}

/// A row an object, a line each.
pub fn json(rows: &[Row]) -> Result<String> {
    let mut text = String::new();
    for row in rows {
        let [starling, bird] =
            [&row.starling, &row.bird].map(|seen| seen.as_ref().map(Figures::from));
        let row = Json { event: row.event.to_owned(), starling, bird };
        writeln!(text, "{}", serde_json::to_string(&row)?)?;
    }
    Ok(text)
}

/// What was seen with Starling, by event, out of such lines; others may be among them.
pub fn read(text: &str) -> Result<BTreeMap<String, Seen>> {
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        let row: Json = serde_json::from_str(line).context(line.to_owned())?;
        if let Some(Figures { sent, lost, longest_gap_us, unfinished, flows }) = row.starling {
            let lost = Lost { sent, lost, gap: Duration::from_micros(longest_gap_us) };
            all.insert(row.event, Seen { lost, unfinished, who: flows });
        }
    }
    Ok(all)
}

fn duration(gap: Duration) -> String {
    match gap.as_millis() {
        ms @ 0..1000 => format!("{ms} ms"),
        ms => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
    }
}

fn cells(seen: Option<&Seen>) -> [String; 2] {
    let Some(Seen { lost: Lost { sent, lost, gap }, unfinished, .. }) = seen else {
        return [String::new(), "–".to_owned()];
    };
    let least = if *unfinished { "≥ " } else { "" };
    let lost = match lost {
        0 => "0".to_owned(),
        lost => format!("{least}{lost} ({least}{})", duration(*gap)),
    };
    [sent.to_string(), lost]
}

/// The table in Markdown, every column as wide as its widest cell.
pub fn markdown(rows: &[Row]) -> String {
    let head = ["event", "sent", "lost with Starling", "sent", "lost with BIRD"];
    let mut lines = vec![head.map(str::to_owned)];
    for row in rows {
        let [a, b] = cells(row.starling.as_ref());
        let [c, d] = cells(row.bird.as_ref());
        lines.push([row.event.to_owned(), a, b, c, d]);
    }
    let mut text = String::new();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    for (number, line) in lines.iter().enumerate() {
        for (at, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.chars().count());
            let cell = if at == 0 { format!("{cell}{pad}") } else { format!("{pad}{cell}") };
            text += &format!("| {cell} ");
        }
        text += "|\n";
        if number == 0 {
            for (at, width) in widths.iter().enumerate() {
                let dashes = "-".repeat(width + 1);
                text += &if at == 0 { format!("|{dashes}-") } else { format!("|{dashes}:") };
            }
            text += "|\n";
        }
    }
    text
}

/// What Starling lost where it must not, in words.
pub fn faults(rows: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    for row in rows {
        let Some(seen) = &row.starling else { continue };
        let Lost { sent, lost, gap } = seen.lost;
        let good = match row.allowed {
            Allowed::Nothing => lost == 0,
            Allowed::Gap(most) => gap <= most,
        };
        if !good {
            let (event, allowed, who) = (row.event, row.allowed, &seen.who);
            faults.push(format!("{event}: lost {lost} of {sent}, allowed is {allowed:?}: {who}"));
        }
    }
    faults
}

const BEGIN: &str = "<!-- loss: `UPDATE_LOSS=1 make test-loss` writes it -->\n";
const END: &str = "<!-- end of loss -->\n";

/// The whole table is in the first, some of its rows are in the second.
const PAGES: [&str; 2] = ["tests/README.md", "README.md"];

fn read_page(name: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// What is before the table of a page, the table, what comes after.
fn split(page: &str) -> Result<(&str, &str, &str)> {
    let (before, rest) = page.split_once(BEGIN).context("a page has no mark of the losses")?;
    let (table, after) = rest.split_once(END).context("a page's table of losses has no end")?;
    Ok((before, table, after))
}

fn event(line: &str) -> Option<&str> {
    line.split('|').nth(1).map(str::trim)
}

/// The rows of `some` as they are in `whole`, with its head.
fn pick(some: &str, whole: &str) -> String {
    let told: Vec<_> = some.lines().skip(2).filter_map(event).collect();
    let head = whole.lines().take(2);
    let row = |name: &&str| whole.lines().find(|line| event(line) == Some(*name));
    let rows = told.iter().filter_map(row);
    head.chain(rows).flat_map(|line| [line, "\n"]).collect()
}

/// Puts the table into the pages.
pub fn write(rows: &[Row]) -> Result {
    let whole = markdown(rows);
    for name in PAGES {
        let page = read_page(name)?;
        let (before, old, after) = split(&page)?;
        let table = if name == PAGES[0] { whole.clone() } else { pick(old, &whole) };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        std::fs::write(path, format!("{before}{BEGIN}{table}{END}{after}"))?;
    }
    Ok(())
}

/// The pages tell of these events and no others; what they may cost says [`faults`].
pub fn compare(rows: &[Row]) -> Result {
    let [page, front] = [read_page(PAGES[0])?, read_page(PAGES[1])?];
    let (_, table, _) = split(&page)?;
    let told: Vec<_> = table.lines().skip(2).filter_map(event).collect();
    let seen: Vec<_> = rows.iter().map(|row| row.event).collect();
    let hint = "UPDATE_LOSS=1 make test-loss writes it";
    ensure!(told == seen, "the table has {told:?}, the events are {seen:?}: {hint}");
    let (_, some, _) = split(&front)?;
    ensure!(some == pick(some, table), "the front page's rows are not those of the table: {hint}");
    Ok(())
}
