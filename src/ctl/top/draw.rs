//! The picture of a [`Screen`]: a head, the neighbours, what happened last, the keys.

use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row as Cells, Table};

use super::screen::{Row, Screen};
use crate::api::{Event, SessionState, Summary, age};
use crate::ctl::render;

const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const WARN: Style = Style::new().fg(Color::Yellow);
const BAD: Style = Style::new().fg(Color::Red);

/// A window this wide has room for everything; a narrower one leaves out what is least missed.
const WIDE: u16 = 120;

impl Screen {
    /// Draws everything, in whatever size the terminal has.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let height = frame.area().height;
        // What happened gets a quarter of a high window, and nothing of a very low one.
        let events = if height < 14 { 0 } else { (height / 4).min(14) };
        let areas = Layout::vertical([
            Constraint::Length(3),
            Constraint::Min(2),
            Constraint::Length(events),
            Constraint::Length(1),
        ]);
        let [head, neighbours, happened, keys] = areas.areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        self.neighbours(frame, neighbours);
        self.happenings(frame, happened);
        frame.render_widget(Paragraph::new(self.keys()), keys);
    }

    fn head(&self) -> Vec<Line<'static>> {
        let Some(summary) = &self.summary else { return vec![Line::from("asking …")] };
        let Summary { node, asn, router_id, uptime_s, generation, .. } = summary;
        let mut first = vec![
            Span::styled(node.clone(), BOLD),
            Span::raw(format!(
                "  AS {asn}  router ID {router_id}  up {}  configuration {generation}  ",
                age(*uptime_s)
            )),
        ];
        first.push(match (&self.trouble, summary.ready.ready) {
            (Some(_), _) => Span::styled("no answer", BAD),
            (None, true) => Span::styled("ready", GOOD),
            (None, false) => Span::styled("not ready", BAD),
        });
        let up = summary.peers.iter().filter(|p| p.state == SessionState::Established).count();
        let all = summary.peers.len();
        let [routes, writes] = self.rates;
        let memory = summary
            .resident
            .map_or_else(String::new, |bytes| format!("  memory {:.1} MB", bytes as f64 / 1e6));
        let second = vec![
            Span::styled(format!("{up} of {all} up"), if up == all { GOOD } else { WARN }),
            Span::raw(format!(
                "  best paths {}/s  kernel routes {}/s{memory}",
                short(routes),
                short(writes)
            )),
        ];
        let wrong = match (&self.trouble, summary.ready.reasons.first()) {
            (Some(text), _) => Span::styled(text.clone(), BAD),
            (None, Some(reason)) => {
                let more = match summary.ready.reasons.len() {
                    1 => String::new(),
                    n => format!(" (and {} more)", n - 1),
                };
                Span::styled(format!("{}: {}{more}", reason.subject, reason.text), WARN)
            }
            (None, None) => Span::raw(""),
        };
        vec![Line::from(first), Line::from(second), Line::from(clean(wrong))]
    }

    fn neighbours(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let room = usize::from(area.height.saturating_sub(2));
        let shown = self.shown();
        let (found, all) = (shown.len(), self.all());
        let top = self.top.min(found.saturating_sub(room));
        let wide = area.width >= WIDE;
        let rows: Vec<Cells<'_>> =
            shown.iter().skip(top).take(room).map(|row| cells(row, wide)).collect();
        let order = if self.reverse { ", reversed" } else { "" };
        let mut title = format!(" neighbours by {}{order} ", self.sort.words());
        if found < all {
            title += &format!("· {found} of {all} match ");
        }
        if found > room {
            title += &format!("· {}–{} of {found} ", top + 1, (top + room).min(found));
        }
        let mut heads = vec!["NEIGHBOR", "AS", "STATE", "SINCE", "RECEIVED", "SENT"];
        let mut widths: Vec<u16> = vec![if wide { 24 } else { 16 }, 10, 11, 7, 9, 9];
        if wide {
            heads.insert(1, "ADDRESS");
            widths.insert(1, 20);
            heads.extend(["MSG IN/s", "MSG OUT/s"]);
            widths.extend([8, 9]);
        }
        heads.extend(["UPD IN/s", "UPD OUT/s"]);
        widths.extend([8, 9]);
        if wide {
            heads.push("REASON");
        }
        let numbers = if wide { 4..11 } else { 3..8 };
        let heads = heads.into_iter().enumerate().map(|(at, head)| {
            let line = Line::from(head);
            Cell::from(if numbers.contains(&at) { line.right_aligned() } else { line })
        });
        let mut widths: Vec<Constraint> = widths.into_iter().map(Constraint::Length).collect();
        if wide {
            widths.push(Constraint::Min(10));
        }
        let table = Table::new(rows, widths)
            .header(Cells::new(heads).style(FAINT))
            .column_spacing(1)
            .block(Block::new().borders(Borders::TOP).title(title).border_style(FAINT));
        frame.render_widget(table, area);
        self.top = top;
    }

    fn happenings(&self, frame: &mut Frame<'_>, area: Rect) {
        if area.height == 0 {
            return;
        }
        let room = usize::from(area.height - 1);
        let title = match self.lost {
            0 => " what happens ".to_owned(),
            lost => format!(" what happens · {lost} came too fast to be told "),
        };
        let skipped = self.events.len().saturating_sub(room);
        let lines: Vec<Line<'_>> = self.events.iter().skip(skipped).map(line).collect();
        let block = Block::new().borders(Borders::TOP).title(title).border_style(FAINT);
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }

    fn keys(&self) -> Line<'static> {
        if self.typing {
            let text = format!("filter: {}▏  Enter keeps it, Esc ends it", self.filter);
            return Line::styled(text, BOLD);
        }
        let filter = match self.filter.as_str() {
            "" => String::new(),
            filter => format!("   filter: {filter} (Esc ends it)"),
        };
        Line::styled(format!("q quit  s sort  r reverse  / filter  ↑ ↓ PgUp PgDn{filter}"), FAINT)
    }
}

fn cells(row: &Row, wide: bool) -> Cells<'static> {
    let peer = &row.peer;
    let up = peer.state == SessionState::Established;
    let number = |text: String| Cell::from(Line::from(text).right_aligned());
    let rate = |rate: f64| number(short(rate));
    let mut cells = vec![
        Cell::from(clean(Span::raw(peer.name.clone()))),
        Cell::from(peer.asn.to_string()),
        Cell::from(Span::styled(peer.state.to_string(), if up { GOOD } else { BAD })),
        number(age(peer.since_s)),
        number(peer.received.to_string()),
        number(peer.sent.to_string()),
    ];
    let [messages_in, messages_out] = row.messages;
    let [updates_in, updates_out] = row.updates;
    if wide {
        cells.insert(1, Cell::from(peer.place()));
        cells.extend([rate(messages_in), rate(messages_out)]);
    }
    cells.extend([rate(updates_in), rate(updates_out)]);
    if wide {
        let reason = peer.reason.clone().unwrap_or_default();
        cells.push(Cell::from(clean(Span::styled(reason, if up { WARN } else { BAD }))));
    }
    Cells::new(cells)
}

/// A rate in few characters: `0`, `0.3`, `12`, `3.4k`.
fn short(rate: f64) -> String {
    match rate {
        r if r < 0.05 => "0".to_owned(),
        r if r < 9.95 => format!("{r:.1}"),
        r if r < 9999.5 => format!("{r:.0}"),
        r if r < 999_950.0 => format!("{:.1}k", r / 1e3),
        r => format!("{:.1}M", r / 1e6),
    }
}

/// An event as `bgpctl monitor` writes it.
fn line(event: &Event) -> Line<'static> {
    let mut text = Vec::new();
    // Writing into memory does not fail.
    let _ = render::event(event, &TimeZone::system(), &mut text);
    let text = String::from_utf8_lossy(&text);
    Line::from(anstream::adapter::strip_str(text.trim_end()).to_string())
}

/// Without what a terminal would obey.
fn clean(span: Span<'static>) -> Span<'static> {
    Span::styled(render::clean(&span.content).into_owned(), span.style)
}
