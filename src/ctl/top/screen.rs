//! What `bgpctl top` shows: the last answers, rates between two of them, and the view's own state.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::api::{Counters, Event, Happening, Neighbor, PeerSummary, SessionState, Summary};

/// Events kept for the last lines.
const EVENTS: usize = 100;
/// Rows that a page key moves.
const PAGE: usize = 10;

/// What is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Column {
    /// Those that are not Established first, then by name.
    #[default]
    State,
    /// By name.
    Name,
    /// The most prefixes from it first.
    Received,
    /// The most prefixes to it first.
    Sent,
    /// The most UPDATEs of the last second first, both ways.
    Updates,
    /// The latest change first.
    Since,
}

impl Column {
    /// The next one, for the key that goes through them.
    fn next(self) -> Column {
        match self {
            Column::State => Column::Name,
            Column::Name => Column::Received,
            Column::Received => Column::Sent,
            Column::Sent => Column::Updates,
            Column::Updates => Column::Since,
            Column::Since => Column::State,
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Column::State => "state",
            Column::Name => "name",
            Column::Received => "received",
            Column::Sent => "sent",
            Column::Updates => "updates",
            Column::Since => "since",
        }
    }
}

/// What a key means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A character.
    Char(char),
    /// Ctrl-C: the end, wherever one is.
    Interrupt,
    /// Enter.
    Enter,
    /// Escape.
    Escape,
    /// Backspace.
    Backspace,
    /// So many rows down (up: negative).
    Move(isize),
    /// The first row.
    Home,
    /// The last one.
    End,
}

impl Key {
    /// A key press; none: it means nothing here.
    pub fn of(key: &KeyEvent) -> Option<Key> {
        let page = isize::try_from(PAGE).unwrap_or(isize::MAX);
        Some(match key.code {
            KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
            KeyCode::Char(c) => Key::Char(c),
            KeyCode::Enter => Key::Enter,
            KeyCode::Esc => Key::Escape,
            KeyCode::Backspace => Key::Backspace,
            KeyCode::Up => Key::Move(-1),
            KeyCode::Down => Key::Move(1),
            KeyCode::PageUp => Key::Move(-page),
            KeyCode::PageDown => Key::Move(page),
            KeyCode::Home => Key::Home,
            KeyCode::End => Key::End,
            _ => return None,
        })
    }
}

/// A neighbour's line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) peer: PeerSummary,
    /// Messages a second: in, out.
    pub(super) messages: [f64; 2],
    /// UPDATEs a second: in, out.
    pub(super) updates: [f64; 2],
}

/// Events of a kind since the last sample.
#[derive(Clone, Copy, Default, Debug)]
struct Tally {
    routes: u64,
    writes: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Screen {
    pub(super) summary: Option<Summary>,
    rows: Vec<Row>,
    before: BTreeMap<String, [Counters; 2]>,
    at: Duration,
    tally: Tally,
    /// Best paths and kernel routes that changed, a second.
    pub(super) rates: [f64; 2],
    pub(super) events: VecDeque<Event>,
    pub(super) lost: u64,
    pub(super) trouble: Option<String>,
    pub(super) sort: Column,
    pub(super) reverse: bool,
    pub(super) filter: String,
    /// The filter is being typed.
    pub(super) typing: bool,
    /// The first row that is shown.
    pub(super) top: usize,
}

impl Screen {
    /// What the daemon said at a time since the beginning.
    pub fn sample(&mut self, at: Duration, summary: Summary, neighbors: Vec<Neighbor>) {
        let seconds = at.saturating_sub(self.at).as_secs_f64();
        let rate = |n: u64| if seconds > 0.0 { n as f64 / seconds } else { 0.0 };
        let mut before = std::mem::take(&mut self.before);
        self.rows.clear();
        for neighbor in neighbors {
            let key = neighbor.summary.place();
            let now = [neighbor.messages_received, neighbor.messages_sent];
            // One that is new has done nothing since; one that began anew counts from zero.
            let was = before.remove(&key).unwrap_or(now);
            let [received, sent] = &now;
            let [received_was, sent_was] = &was;
            let grown = |now: u64, was: u64| rate(if now < was { now } else { now - was });
            let row = Row {
                messages: [
                    grown(all(received), all(received_was)),
                    grown(all(sent), all(sent_was)),
                ],
                updates: [
                    grown(received.updates, received_was.updates),
                    grown(sent.updates, sent_was.updates),
                ],
                peer: neighbor.summary,
            };
            self.rows.push(row);
            self.before.insert(key, now);
        }
        let Tally { routes, writes } = std::mem::take(&mut self.tally);
        self.rates = [rate(routes), rate(writes)];
        (self.at, self.summary, self.trouble) = (at, Some(summary), None);
    }

    /// What happened.
    pub fn happened(&mut self, events: Vec<Event>) {
        for event in events {
            match &event.what {
                Happening::Route(_) => self.tally.routes += 1,
                Happening::Fib(_) => self.tally.writes += 1,
                Happening::Lost { count } => self.lost += count,
                Happening::Begin { .. } => continue,
                Happening::Session(_) | Happening::End { .. } => {}
            }
            if self.events.len() == EVENTS {
                self.events.pop_front();
            }
            self.events.push_back(event);
        }
    }

    /// The daemon does not answer; what is shown is old.
    pub fn trouble(&mut self, text: String) {
        self.trouble = Some(text);
        self.rates = [0.0; 2];
    }

    /// Takes a key; whether it is the end.
    pub fn press(&mut self, key: Key) -> bool {
        let last = self.shown().len().saturating_sub(1);
        match key {
            Key::Interrupt => return true,
            Key::Move(by) => self.top = self.top.saturating_add_signed(by).min(last),
            Key::Home => self.top = 0,
            Key::End => self.top = last,
            Key::Enter => self.typing = false,
            Key::Escape => {
                self.typing = false;
                self.filter.clear();
            }
            Key::Backspace if self.typing => {
                self.filter.pop();
            }
            Key::Char(c) if self.typing => {
                self.filter.push(c);
                self.top = 0;
            }
            Key::Char('q') => return true,
            Key::Char('/') => self.typing = true,
            Key::Char('s') => self.sort = self.sort.next(),
            Key::Char('r') => self.reverse = !self.reverse,
            Key::Char('j') => self.top = (self.top + 1).min(last),
            Key::Char('k') => self.top = self.top.saturating_sub(1),
            Key::Char(_) | Key::Backspace => {}
        }
        false
    }

    /// The rows that the filter lets through, in order.
    pub(super) fn shown(&self) -> Vec<&Row> {
        let wanted = self.filter.to_lowercase();
        let matches = |row: &&Row| {
            let PeerSummary { name, asn, kind, state, reason, .. } = &row.peer;
            let reason = reason.as_deref().unwrap_or_default();
            let text = format!("{name} {} {asn} {kind} {state} {reason}", row.peer.place());
            text.to_lowercase().contains(&wanted)
        };
        let mut rows: Vec<&Row> = self.rows.iter().filter(matches).collect();
        rows.sort_by(|a, b| {
            let order = compare(self.sort, a, b).then_with(|| a.peer.name.cmp(&b.peer.name));
            if self.reverse { order.reverse() } else { order }
        });
        rows
    }

    /// All rows, whatever the filter.
    pub(super) fn all(&self) -> usize {
        self.rows.len()
    }
}

fn compare(by: Column, a: &Row, b: &Row) -> Ordering {
    let up = |row: &Row| row.peer.state == SessionState::Established;
    let updates = |row: &Row| row.updates.iter().sum::<f64>();
    match by {
        Column::State => up(a).cmp(&up(b)),
        Column::Name => Ordering::Equal,
        Column::Received => b.peer.received.cmp(&a.peer.received),
        Column::Sent => b.peer.sent.cmp(&a.peer.sent),
        Column::Updates => updates(b).total_cmp(&updates(a)),
        Column::Since => a.peer.since_s.cmp(&b.peer.since_s),
    }
}

/// Messages of all kinds.
fn all(counters: &Counters) -> u64 {
    let Counters { opens, updates, keepalives, notifications, refreshes, octets: _ } = counters;
    opens + updates + keepalives + notifications + refreshes
}
