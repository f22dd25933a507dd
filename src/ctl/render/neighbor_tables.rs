//! `bgpctl show neighbors terse`, `timers`, `messages` and `group`: a few things of many neighbours,
//! where `neighbors` has everything about each.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use super::summary::state_style;
use super::table::{Cell, Column, Table};
use super::text::{age, clean};
use super::{BAD, FAINT, PLAIN, Page, WARN};
use crate::api::{Counters, Neighbor, SessionState};

/// A line each, for scripts: always the same ten words, `-` where there is nothing, times in seconds.
///
/// # Errors
/// Those of `out`.
pub fn neighbors_terse(neighbors: &[Neighbor], out: &mut impl Write) -> io::Result<()> {
    for neighbor in neighbors {
        let peer = &neighbor.summary;
        let cause = peer.cause.map_or("-", |cause| cause.word());
        writeln!(
            out,
            "{} {} {} {} {} {} {} {} {} {cause}",
            // No name has a blank; a control character would be a file's.
            clean(&peer.name),
            clean(&peer.place()),
            peer.asn,
            peer.kind,
            peer.state,
            peer.since_s,
            peer.received,
            peer.accepted,
            peer.sent,
        )?;
    }
    Ok(())
}

/// The timers of each session: as configured here, as agreed, and what is left of each.
///
/// # Errors
/// Those of `out`.
pub fn neighbor_timers(
    page: &Page,
    neighbors: &[Neighbor],
    out: &mut impl Write,
) -> io::Result<()> {
    if neighbors.is_empty() {
        return writeln!(out, "no neighbours are configured");
    }
    let columns = vec![
        Column::left("NEIGHBOR"),
        Column::left("STATE"),
        Column::left("TIMER"),
        Column::left("CONFIGURED"),
        Column::left("AGREED"),
        Column::right("LEFT"),
    ];
    let rows: Vec<Vec<Cell>> = neighbors.iter().flat_map(timers).collect();
    Table::new(page, columns).rows(&rows, out)
}

fn timers(neighbor: &Neighbor) -> Vec<Vec<Cell>> {
    let Neighbor { summary, configured, agreed, timers, idle_left_s, .. } = neighbor;
    let time = |seconds: u64| if seconds == 0 { "none".to_owned() } else { age(seconds) };
    let millis = |ms: u64| format!("{:?}", Duration::from_millis(ms));
    let idle = match (configured.idle_hold_ms, configured.idle_hold_max_ms) {
        (0, _) => "none".to_owned(),
        (first, most) if most <= first => millis(first),
        (first, most) => format!("{} to {}", millis(first), millis(most)),
    };
    let retry = match configured.passive {
        true => "none: passive".to_owned(),
        false => time(configured.connect_retry_s),
    };
    let agreed = agreed.as_ref();
    let all = [
        ("hold", time(configured.hold_s), agreed.map(|a| time(a.hold_s)), timers.hold_s),
        (
            "keepalive",
            time(configured.keepalive_s),
            agreed.map(|a| time(a.keepalive_s)),
            timers.keepalive_s,
        ),
        (
            "send hold",
            time(configured.send_hold_s),
            agreed.map(|a| time(a.send_hold_s)),
            timers.send_hold_s,
        ),
        ("connect retry", retry, None, timers.connect_retry_s),
        ("idle hold", idle, None, *idle_left_s),
    ];
    let nothing = || Cell::styled("-", FAINT);
    let row = |(timer, configured, agreed, left): (&str, String, Option<String>, Option<u64>)| {
        vec![
            Cell::new(&summary.name),
            Cell::styled(summary.state.to_string(), state_style(summary.state)),
            Cell::new(timer),
            Cell::new(configured),
            agreed.map_or_else(nothing, Cell::new),
            left.map_or_else(nothing, |left| Cell::new(age(left))),
        ]
    };
    all.into_iter().map(row).collect()
}

/// The messages of each session by kind, both ways.
///
/// # Errors
/// Those of `out`.
pub fn neighbor_messages(
    page: &Page,
    neighbors: &[Neighbor],
    out: &mut impl Write,
) -> io::Result<()> {
    if neighbors.is_empty() {
        return writeln!(out, "no neighbours are configured");
    }
    let numbers = ["OPEN", "UPDATE", "KEEPALIVE", "NOTIFICATION", "REFRESH", "OCTETS"];
    let mut columns = vec![Column::left("NEIGHBOR"), Column::left("MESSAGES")];
    columns.extend(numbers.map(Column::right));
    let row = |name: &str, way: &str, c: &Counters| -> Vec<Cell> {
        let counts = [c.opens, c.updates, c.keepalives, c.notifications, c.refreshes, c.octets];
        [Cell::new(name), Cell::new(way)].into_iter().chain(counts.map(Cell::of)).collect()
    };
    let both = |n: &Neighbor| {
        let name = &n.summary.name;
        [row(name, "received", &n.messages_received), row(name, "sent", &n.messages_sent)]
    };
    let rows: Vec<Vec<Cell>> = neighbors.iter().flat_map(both).collect();
    Table::new(page, columns).rows(&rows, out)
}

/// Of a group, all that its members have.
#[derive(Default)]
struct Sum<'a> {
    neighbors: u64,
    received: u64,
    accepted: u64,
    sent: u64,
    down: Vec<&'a str>,
}

/// The groups that neighbours are in, and how these are.
///
/// # Errors
/// Those of `out`.
pub fn neighbor_groups(
    page: &Page,
    neighbors: &[Neighbor],
    out: &mut impl Write,
) -> io::Result<()> {
    let mut groups: BTreeMap<&str, Sum<'_>> = BTreeMap::new();
    for neighbor in neighbors {
        let peer = &neighbor.summary;
        for group in &neighbor.groups {
            let sum = groups.entry(group).or_default();
            sum.neighbors += 1;
            sum.received += peer.received;
            sum.accepted += peer.accepted;
            sum.sent += peer.sent;
            sum.down.extend((peer.state != SessionState::Established).then_some(&*peer.name));
        }
    }
    if groups.is_empty() {
        return writeln!(out, "no neighbours are configured");
    }
    let columns = vec![
        Column::left("GROUP"),
        Column::right("NEIGHBORS"),
        Column::right("UP"),
        Column::right("RECEIVED"),
        Column::right("ACCEPTED"),
        Column::right("SENT"),
        Column::sentence("DOWN"),
    ];
    let row = |(name, sum): (&str, Sum<'_>)| {
        let up = sum.neighbors - sum.down.len() as u64;
        let style = match up {
            _ if sum.down.is_empty() => PLAIN,
            0 => BAD,
            _ => WARN,
        };
        vec![
            Cell::new(name),
            Cell::of(sum.neighbors),
            Cell::styled(up.to_string(), style),
            Cell::of(sum.received),
            Cell::of(sum.accepted),
            Cell::of(sum.sent),
            Cell::styled(sum.down.join(", "), style),
        ]
    };
    let rows: Vec<Vec<Cell>> = groups.into_iter().map(row).collect();
    Table::new(page, columns).rows(&rows, out)
}
