//! `bgpctl show routes`: a line each, or with `--detail` a block each.

use std::io::{self, Write};

use anstyle::Style;

use super::sent;
use super::table::{Cell, Column, Table};
use super::text::{Notes, age, clean, field, paragraph, width};
use super::{BAD, BOLD, FAINT, GOOD, Listing, PLAIN, Page, WARN};
use crate::api::{
    Change, How, Kernel, KernelState, Path, Reached, Route, SentState, Stale, UsedHop, Waits,
};

/// The table of `show routes`.
pub struct RouteTable {
    table: Table,
    notes: Notes,
    page: Page,
    /// What to say if no row comes.
    none: Option<String>,
}

impl RouteTable {
    /// An empty one; it says `none` if it stays so.
    pub fn new(page: &Page, none: String) -> RouteTable {
        let columns = vec![
            Column::left("PREFIX"),
            Column::left("NEXT HOP"),
            Column::left("REACHED"),
            Column::left("FROM"),
            Column::right("AGE"),
            Column::sentence("WHY"),
            Column::left("KERNEL"),
        ];
        RouteTable {
            table: Table::new(page, columns),
            notes: Notes::default(),
            page: *page,
            none: Some(none),
        }
    }

    /// A line for each path that came: mostly there is one.
    fn lines(&mut self, route: &Route) -> Vec<Vec<Cell>> {
        let prefix = route.prefix.to_string();
        let kernel = match route.paths.first() {
            // That it is not there needs no mark: it is only announced.
            Some(path) if path.reached.how == How::Local => {
                Cell::styled(route.kernel.state.as_str(), kernel_style(route.kernel.state))
            }
            _ => self.kernel(&prefix, &route.kernel),
        };
        let Some((first, others)) = route.paths.split_first() else {
            let dash = || Cell::styled("-", FAINT);
            return vec![vec![
                Cell::new(prefix),
                dash(),
                dash(),
                dash(),
                dash(),
                Cell::new("no path"),
                kernel,
            ]];
        };
        let mut lines = vec![self.line(route, first, kernel)];
        lines.extend(others.iter().map(|path| self.line(route, path, Cell::new(""))));
        lines
    }

    fn line(&mut self, route: &Route, path: &Path, kernel: Cell) -> Vec<Cell> {
        let prefix = route.prefix.to_string();
        let why = match (&path.filtered, path.best, &path.stale) {
            (Some(filter), ..) => Cell::styled(format!("filtered: {filter}"), WARN),
            (None, false, _) if path.multipath => Cell::new(&path.why),
            (None, false, _) if path.why.starts_with("not best: ") => Cell::styled(&path.why, WARN),
            (None, false, _) => Cell::styled(format!("not used: {}", path.why), WARN),
            (None, true, Some(old)) => {
                self.notes.add(&prefix, &format!("stale: {}", waiting(old)));
                Cell::styled(format!("stale; {}", path.why), WARN)
            }
            (None, true, None) => Cell::new(&path.why),
        };
        let hops = route.next_hops.iter().filter(|_| path.best);
        let [next_hop, reached, from] = match hops.clone().count() {
            0 | 1 => [
                match path.next_hop {
                    Some(address) => Cell::of(address),
                    None => Cell::styled("-", FAINT),
                },
                self.reached(&prefix, &path.reached),
                Cell::new(&path.from),
            ],
            // A line each.
            _ => [
                Cell::lines(hops.clone().map(address)),
                Cell::lines(hops.clone().map(|hop| self.way(&prefix, &hop.reached))),
                Cell::lines(hops.map(from)),
            ],
        };
        vec![Cell::new(&prefix), next_hop, reached, from, Cell::new(age(path.age_s)), why, kernel]
    }

    fn reached(&mut self, prefix: &str, reached: &Reached) -> Cell {
        Cell::styled(self.way(prefix, reached), how_style(reached))
    }

    /// The way to a next hop, marked and noted where something is wrong with it.
    fn way(&mut self, prefix: &str, reached: &Reached) -> String {
        let note = match (&reached.warning, reached.how) {
            (Some(warning), _) => warning,
            (None, How::Unreachable) => &reached.why,
            (None, _) => return way(reached),
        };
        self.notes.add(prefix, note);
        format!("{} (!)", way(reached))
    }

    fn kernel(&mut self, prefix: &str, kernel: &Kernel) -> Cell {
        let style = kernel_style(kernel.state);
        match (kernel.state, &kernel.why) {
            // Why a route is unresolved says its path.
            (state, Some(why))
                if !matches!(state, KernelState::Installed | KernelState::Unresolved) =>
            {
                let place = if state == KernelState::Out { ":" } else { " in the kernel:" };
                self.notes.add(prefix, &format!("{state}{place} {why}"));
                Cell::styled(format!("{} (!)", kernel.state), style)
            }
            _ => Cell::styled(kernel.state.as_str(), style),
        }
    }
}

impl Listing<Route> for RouteTable {
    fn rows(&mut self, routes: &[Route], out: &mut impl Write) -> io::Result<()> {
        let rows: Vec<Vec<Cell>> = routes.iter().flat_map(|route| self.lines(route)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        self.none = None;
        self.table.rows(&rows, out)
    }

    fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        match self.none.take() {
            Some(none) => writeln!(out, "{none}"),
            None => self.notes.write(&self.page, out),
        }
    }
}

/// The blocks of `show routes --detail`.
pub struct RouteBlocks {
    page: Page,
    /// What to say if no row comes.
    none: Option<String>,
}

impl RouteBlocks {
    /// None yet; it says `none` if it stays so.
    pub fn new(page: &Page, none: String) -> RouteBlocks {
        RouteBlocks { page: *page, none: Some(none) }
    }

    fn block(&self, route: &Route, out: &mut impl Write) -> io::Result<()> {
        let page = &self.page;
        let style = kernel_style(route.kernel.state);
        write!(out, "{BOLD}{}{BOLD:#}  {style}{}{style:#}", route.prefix, route.kernel.state)?;
        let written = width(&format!("{}  {}: ", route.prefix, route.kernel.state));
        match route.kernel.why.as_deref().map(clean) {
            Some(why) if page.has_room(written + width(&why)) => writeln!(out, ": {why}")?,
            Some(why) => {
                writeln!(out, ":")?;
                paragraph(page, "  ", &why, PLAIN, out)?;
            }
            None => writeln!(out)?,
        }
        for hop in &route.next_hops {
            let (address, from) = (address(hop), hop.from.join(", "));
            writeln!(out, "  next hop {address} from {}: {}", clean(&from), way(&hop.reached))?;
        }
        for path in &route.paths {
            let verdict = match (&path.filtered, path.best) {
                (Some(_), _) => format!("{WARN}filtered{WARN:#}"),
                (None, true) => format!("{GOOD}best{GOOD:#}"),
                (None, false) if path.multipath => format!("{GOOD}beside the best{GOOD:#}"),
                (None, false) => format!("{FAINT}not best{FAINT:#}"),
            };
            writeln!(out, "  {verdict}, from {}, {} ago", clean(&named(path)), age(path.age_s))?;
            attributes(page, path, out)?;
        }
        Ok(())
    }
}

impl Listing<Route> for RouteBlocks {
    fn rows(&mut self, routes: &[Route], out: &mut impl Write) -> io::Result<()> {
        for route in routes {
            if self.none.take().is_none() {
                writeln!(out)?;
            }
            self.block(route, out)?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut impl Write) -> io::Result<()> {
        match self.none.take() {
            Some(none) => writeln!(out, "{none}"),
            None => Ok(()),
        }
    }
}

fn attributes(page: &Page, path: &Path, out: &mut impl Write) -> io::Result<()> {
    let mut line = |label, text: &str| field(page, label, text, PLAIN, out);
    line("why", &path.why)?;
    line("filtered", path.filtered.as_deref().unwrap_or(""))?;
    if let Some(stale) = &path.stale {
        field(page, "stale", &waiting(stale), WARN, out)?;
    }
    let mut line = |label, text: &str| field(page, label, text, PLAIN, out);
    line("next hop", &path.next_hop.map(|a| a.to_string()).unwrap_or_default())?;
    line("reached", &format!("{}: {}", way(&path.reached), path.reached.why))?;
    if let Some(warning) = &path.reached.warning {
        field(page, "warning", warning, WARN, out)?;
    }
    let mut line = |label, text: &str| field(page, label, text, PLAIN, out);
    let changes: Vec<String> = path.changed.iter().map(change).collect();
    line("import", &changes.join("; "))?;
    let number = |n: Option<u32>| n.map(|n| n.to_string()).unwrap_or_default();
    line("origin", &path.origin.map(|o| o.to_string()).unwrap_or_default())?;
    line(
        "AS path",
        match path.as_path.as_deref() {
            None => "",
            Some("") => "empty: from our own AS",
            Some(as_path) => as_path,
        },
    )?;
    line("local pref", &number(path.local_pref))?;
    line("MED", &number(path.med))?;
    line("communities", &path.communities.join(" "))?;
    line("large", &path.large_communities.join(" "))?;
    line("extended", &path.extended_communities.join(" "))?;
    line("other", &path.other_attributes.join("; "))?;
    let Some(told) = &path.sent else { return Ok(()) };
    let style = if told.state == SentState::Withheld { WARN } else { PLAIN };
    field(page, "to it", &sent::words(told), style, out)
}

/// Who announced it, and as which of several.
fn named(path: &Path) -> String {
    match path.path_id {
        Some(id) => format!("{} (path {id})", path.from),
        None => path.from.clone(),
    }
}

/// What a stale path waits for, and for how long.
fn waiting(stale: &Stale) -> String {
    let waits = match stale.waits {
        Waits::Session => "its session has ended",
        Waits::EndOfRib => "its neighbour is back and has not said it again yet",
        Waits::Refresh => "its neighbour is saying everything again, not yet this",
    };
    let long = if stale.long_lived { "long-lived, behind all others: " } else { "" };
    format!("{long}{waits}; kept for {} more at most", age(stale.left_s))
}

fn change(change: &Change) -> String {
    let attribute = &change.attribute;
    match (&change.received, &change.used) {
        (None, Some(used)) => format!("{attribute} set to {used}"),
        (Some(received), None) => format!("{attribute} {received} removed"),
        (Some(received), Some(used)) => format!("{attribute} {received} made {used}"),
        (None, None) => attribute.clone(),
    }
}

/// Who announced it, the first of several by name.
fn from(hop: &UsedHop) -> String {
    match hop.from.as_slice() {
        [] => "-".to_owned(),
        [one] => one.clone(),
        [first, others @ ..] => format!("{first} +{}", others.len()),
    }
}

fn address(hop: &UsedHop) -> String {
    hop.next_hop.map_or_else(|| "-".to_owned(), |address| address.to_string())
}

/// The way to a next hop in a few characters.
pub(super) fn way(reached: &Reached) -> String {
    let device = reached.device.as_deref().unwrap_or("");
    match reached.how {
        How::Direct => format!("direct {device}").trim_end().to_owned(),
        How::Tunnel if device.is_empty() => "tunnel".to_owned(),
        How::Tunnel => device.to_owned(),
        How::Gateway => match reached.gateway {
            Some(gateway) => format!("via {gateway}"),
            None => format!("gateway {device}").trim_end().to_owned(),
        },
        How::Blackhole => "blackhole".to_owned(),
        How::Local => "local".to_owned(),
        How::Unreachable => "unreachable".to_owned(),
    }
}

pub(super) fn how_style(reached: &Reached) -> Style {
    match reached.how {
        How::Unreachable => BAD,
        _ if reached.warning.is_some() => WARN,
        _ => PLAIN,
    }
}

/// How a kernel state is to be seen from afar.
pub(super) fn kernel_style(state: KernelState) -> Style {
    match state {
        KernelState::Installed => GOOD,
        KernelState::Pending | KernelState::Stale => WARN,
        KernelState::Out => PLAIN,
        KernelState::Refused | KernelState::Occupied | KernelState::Unresolved => BAD,
    }
}
