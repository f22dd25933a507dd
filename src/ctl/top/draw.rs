//! The picture of a [`Screen`]: a head, the neighbours, what happened last, the keys.

use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row as Cells, Table, Wrap};

use super::columns::{self, Field, short};
use super::screen::{Row, Screen};
use crate::api::{Event, SessionState, Summary, age};
use crate::ctl::render;

const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const GOOD: Style = Style::new().fg(Color::Green);
const WARN: Style = Style::new().fg(Color::Yellow);
const BAD: Style = Style::new().fg(Color::Red);

impl Screen {
    /// Draws everything, in whatever size the terminal has.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let Rect { width, height, .. } = frame.area();
        // What happened gets a quarter of a high window, and nothing of a very low one.
        let events = if height < 14 { 0 } else { (height / 4).min(14) };
        let wrong = self.wrong();
        let high = wrong.width().div_ceil(usize::from(width.max(1))).clamp(1, 2) as u16;
        let areas = Layout::vertical([
            Constraint::Length(2),
            Constraint::Length(high),
            Constraint::Min(2),
            Constraint::Length(events),
            Constraint::Length(1),
        ]);
        let [head, trouble, neighbours, happened, keys] = areas.areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        frame.render_widget(Paragraph::new(wrong).wrap(Wrap { trim: true }), trouble);
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
        vec![Line::from(first), Line::from(second)]
    }

    /// What is wrong most.
    fn wrong(&self) -> Line<'static> {
        let reasons = self.summary.as_ref().map(|summary| summary.ready.reasons.as_slice());
        let wrong = match (&self.trouble, reasons.unwrap_or_default()) {
            (Some(text), _) => Span::styled(text.clone(), BAD),
            (None, [first, rest @ ..]) => {
                let more = match rest.len() {
                    0 => String::new(),
                    n => format!(" (and {n} more)"),
                };
                Span::styled(format!("{}: {}{more}", first.subject, first.text), WARN)
            }
            (None, []) => Span::raw(""),
        };
        Line::from(clean(wrong))
    }

    fn neighbours(&mut self, frame: &mut Frame<'_>, area: Rect) {
        let room = usize::from(area.height.saturating_sub(2));
        let shown = self.shown();
        let (found, all) = (shown.len(), self.all());
        let top = self.top.min(found.saturating_sub(room));
        let rows: Vec<&Row> = shown.into_iter().skip(top).take(room).collect();
        let order = if self.reverse { ", reversed" } else { "" };
        let mut title = format!(" neighbours by {}{order} ", self.sort.words());
        if found < all {
            title += &format!("· {found} of {all} match ");
        }
        if found > room {
            title += &format!("· {}–{} of {found} ", top + 1, (top + room).min(found));
        }
        let columns = columns::fitting(&rows, area.width);
        let line = |field: Field, text: &str| match field.is_number() {
            true => Line::from(text.to_owned()).right_aligned(),
            false => Line::from(text.to_owned()),
        };
        let heads = columns.iter().map(|(field, _)| Cell::from(line(*field, field.head())));
        let cells = |row: &&Row| {
            let cell = |(field, _): &(Field, u16)| {
                let text = render::clean(&field.text(row)).into_owned();
                Cell::from(line(*field, &text).style(style(*field, row)))
            };
            Cells::new(columns.iter().map(cell))
        };
        let widths = columns.iter().map(|(_, width)| Constraint::Length(*width));
        let table = Table::new(rows.iter().map(cells), widths)
            .header(Cells::new(heads).style(FAINT))
            .column_spacing(columns::GAP)
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

/// What is to be seen from afar.
fn style(field: Field, row: &Row) -> Style {
    let up = row.peer.state == SessionState::Established;
    match (field, up) {
        (Field::State, true) => GOOD,
        (Field::State | Field::Reason, false) => BAD,
        (Field::Reason, true) => WARN,
        _ => Style::new(),
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
