//! The columns of the neighbours, chosen by the width of the terminal: what is least missed goes
//! first, and no state or number is ever cut.
//!
//! In: the rows that are on the screen, and how wide that is. Out: which columns, and how wide each.

use super::screen::Row;
use crate::api::age;

/// Between two columns.
pub(super) const GAP: u16 = 1;
/// A name is cut where there is no room for it, but to no less.
const NAME: u16 = 12;
/// A reason that is cut to less says nothing.
const REASON: u16 = 20;

/// A column.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Field {
    Name,
    Address,
    Asn,
    State,
    Since,
    Received,
    Sent,
    MessagesIn,
    MessagesOut,
    UpdatesIn,
    UpdatesOut,
    Reason,
}

/// The most wanted first.
const WANTED: [Field; 12] = [
    Field::Name,
    Field::State,
    Field::Since,
    Field::Received,
    Field::Sent,
    Field::UpdatesIn,
    Field::UpdatesOut,
    Field::Asn,
    Field::Reason,
    Field::Address,
    Field::MessagesIn,
    Field::MessagesOut,
];

impl Field {
    pub(super) fn head(self) -> &'static str {
        match self {
            Field::Name => "NEIGHBOR",
            Field::Address => "ADDRESS",
            Field::Asn => "AS",
            Field::State => "STATE",
            Field::Since => "SINCE",
            Field::Received => "RECEIVED",
            Field::Sent => "SENT",
            Field::MessagesIn => "MSG/s IN",
            Field::MessagesOut => "OUT",
            Field::UpdatesIn => "UPD/s IN",
            Field::UpdatesOut => "OUT",
            Field::Reason => "REASON",
        }
    }

    pub(super) fn is_number(self) -> bool {
        !matches!(self, Field::Name | Field::Address | Field::Asn | Field::State | Field::Reason)
    }

    pub(super) fn text(self, row: &Row) -> String {
        let peer = &row.peer;
        let ([messages_in, messages_out], [updates_in, updates_out]) = (row.messages, row.updates);
        match self {
            Field::Name => peer.name.clone(),
            Field::Address => peer.place(),
            Field::Asn => peer.asn.to_string(),
            Field::State => peer.state.to_string(),
            Field::Since => age(peer.since_s),
            Field::Received => peer.received.to_string(),
            Field::Sent => peer.sent.to_string(),
            Field::MessagesIn => short(messages_in),
            Field::MessagesOut => short(messages_out),
            Field::UpdatesIn => short(updates_in),
            Field::UpdatesOut => short(updates_out),
            Field::Reason => peer.reason.clone().unwrap_or_default(),
        }
    }

    /// As much as it takes for these rows: of numbers and states never less than they usually
    /// take, so that columns stand still.
    fn width(self, rows: &[&Row]) -> u16 {
        let usual = match self {
            Field::State => 11,
            Field::Since => 6,
            Field::Sent | Field::MessagesOut | Field::UpdatesOut => 6,
            Field::Asn => 5,
            _ => 0,
        };
        let texts = rows.iter().map(|row| self.text(row).chars().count());
        let most = texts.chain([self.head().len(), usual]).max().unwrap_or(0);
        u16::try_from(most).unwrap_or(u16::MAX)
    }
}

/// The columns that fit, with their widths, from left to right.
pub(super) fn fitting(rows: &[&Row], page: u16) -> Vec<(Field, u16)> {
    let mut chosen: Vec<(Field, u16)> = Vec::new();
    let mut left = page;
    for field in WANTED {
        // From here on all may be left out: whole names are worth more.
        if field == Field::Reason {
            grow(&mut chosen, Field::Name, rows, &mut left);
        }
        let wants = field.width(rows);
        let least = match field {
            Field::Name => wants.min(NAME),
            Field::Reason => wants.min(REASON),
            _ => wants,
        };
        let gap = if chosen.is_empty() { 0 } else { GAP };
        // What is wanted more is not passed over for what is wanted less.
        let Some(rest) = left.checked_sub(least.saturating_add(gap)) else { break };
        chosen.push((field, least));
        left = rest;
    }
    for cut in [Field::Name, Field::Reason] {
        grow(&mut chosen, cut, rows, &mut left);
    }
    chosen.sort_unstable_by_key(|(field, _)| *field);
    chosen
}

/// Gives a column that was chosen what it wants, as far as there is room left.
fn grow(chosen: &mut [(Field, u16)], cut: Field, rows: &[&Row], left: &mut u16) {
    if let Some((_, width)) = chosen.iter_mut().find(|(field, _)| *field == cut) {
        let more = cut.width(rows).saturating_sub(*width).min(*left);
        *width += more;
        *left -= more;
    }
}

/// A rate in few characters: `0`, `0.3`, `12`, `3.4k`.
pub(super) fn short(rate: f64) -> String {
    match rate {
        r if r < 0.05 => "0".to_owned(),
        r if r < 9.95 => format!("{r:.1}"),
        r if r < 9999.5 => format!("{r:.0}"),
        r if r < 999_950.0 => format!("{:.1}k", r / 1e3),
        r => format!("{:.1}M", r / 1e6),
    }
}
