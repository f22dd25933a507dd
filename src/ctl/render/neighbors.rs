//! `bgpctl show neighbors`: a block each, everything there is to know about a session.

use std::io::{self, Write};
use std::time::Duration;

use super::summary::state_style;
use super::table::{Cell, Column, Table};
use super::text::{age, clean, field, parts};
use super::{BAD, BOLD, PLAIN, Page, WARN};
use crate::api::{
    Agreed, Authentication, Configured, Counters, Graceful, Limit, LimitAction, Neighbor,
    SessionState, Timers, Updates,
};

/// A block for each of `neighbors`.
///
/// # Errors
/// Those of `out`.
pub fn neighbors(page: &Page, neighbors: &[Neighbor], out: &mut impl Write) -> io::Result<()> {
    if neighbors.is_empty() {
        return writeln!(out, "no neighbours are configured");
    }
    for (i, neighbor) in neighbors.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        block(page, neighbor, out)?;
    }
    Ok(())
}

fn block(page: &Page, n: &Neighbor, out: &mut impl Write) -> io::Result<()> {
    let peer = &n.summary;
    let head = [
        (clean(&peer.name).into_owned(), BOLD),
        (clean(&peer.place()).into_owned(), PLAIN),
        (format!("AS {}", peer.asn), PLAIN),
        (format!("{}, local AS {}", peer.kind, n.local_asn), PLAIN),
    ];
    parts(page, &head, out)?;
    let dynamic = peer.range.map(|range| format!("called from the range {range}"));
    field(page, "dynamic", dynamic.as_deref().unwrap_or(""), PLAIN, out)?;
    let state = format!("{} for {}", peer.state, age(peer.since_s));
    field(page, "state", &state, state_style(peer.state), out)?;
    let up = peer.state == SessionState::Established;
    let reason = peer.reason.as_deref().unwrap_or("");
    field(page, "reason", reason, if up { WARN } else { BAD }, out)?;
    if let Some(last) = &n.last_down {
        let text = format!("{} ago: {}", age(last.ago_s), last.text);
        field(page, "last down", &text, PLAIN, out)?;
    }
    let idle = n.idle_left_s.map(|left| format!("neither called nor let in for {}", age(left)));
    field(page, "idle hold", idle.as_deref().unwrap_or(""), WARN, out)?;
    if n.flaps > 0 {
        let times = if n.flaps == 1 { "once".to_owned() } else { format!("{} times", n.flaps) };
        field(page, "lost", &format!("{times} since the daemon started"), PLAIN, out)?;
    }
    if let Some(lost) = n.last_lost.as_ref().filter(|lost| n.last_down.as_ref() != Some(lost)) {
        let text = format!("{} ago: {}", age(lost.ago_s), lost.text);
        field(page, "last lost", &text, PLAIN, out)?;
    }
    field(page, "timers", &timers(&n.timers), PLAIN, out)?;
    let local = n.local_address.map(|address| format!("{address} to {}", peer.place()));
    field(page, "addresses", local.as_deref().unwrap_or(""), PLAIN, out)?;
    field(page, "connection", &connection(n), PLAIN, out)?;
    field(page, "groups", &n.groups.join(", "), PLAIN, out)?;
    field(page, "offered", &offered(&n.configured), PLAIN, out)?;
    capabilities(page, "our OPEN", &n.offered, out)?;
    capabilities(page, "its OPEN", &n.offers, out)?;
    if let Some(agreed) = &n.agreed {
        field(page, "agreed", &agreement(agreed), PLAIN, out)?;
        field(page, "restart", &restart(agreed.graceful.as_ref()), PLAIN, out)?;
        let id = format!("{}, AS {}", agreed.router_id, agreed.asn);
        field(page, "router ID", &id, PLAIN, out)?;
    }
    let draining = "traffic is being taken off it (GRACEFUL_SHUTDOWN, RFC 8326)";
    field(page, "drain", if n.draining { draining } else { "" }, WARN, out)?;
    field(page, "prefixes", &prefixes(n), PLAIN, out)?;
    field(page, "in UPDATEs", &updates(n), PLAIN, out)?;
    for limit in &n.limits {
        let style = if limit.received > limit.max { WARN } else { PLAIN };
        field(page, "limit", &allowance(limit), style, out)?;
    }
    field(page, "import", &n.import, PLAIN, out)?;
    field(page, "export", &n.export, PLAIN, out)?;
    if let Some(session) = &n.bfd {
        super::bfd::lines(page, session, out)?;
    }
    for refused in &n.refused {
        let why = format!("{} {} ago: {}", refused.prefix, age(refused.ago_s), refused.why);
        field(page, "withdrawn", &why, WARN, out)?;
    }
    for note in &n.notes {
        field(page, "note", note, WARN, out)?;
    }
    let last = n.last_received_s.map(|ago| format!("received {} ago", age(ago)));
    field(page, "last message", last.as_deref().unwrap_or(""), PLAIN, out)?;
    messages(page, n, out)
}

/// What happens when, if nothing else does.
fn timers(t: &Timers) -> String {
    let words = [
        ("hold time ends in", t.hold_s),
        ("next KEEPALIVE in", t.keepalive_s),
        ("given up if it takes nothing for", t.send_hold_s),
        ("called again in", t.connect_retry_s),
    ];
    let words = words.into_iter().filter_map(|(what, left)| Some((what, left?)));
    words.map(|(what, left)| format!("{what} {}", age(left))).collect::<Vec<_>>().join(", ")
}

/// How many came and went, and what became of them where that is not the usual.
fn prefixes(n: &Neighbor) -> String {
    let peer = &n.summary;
    let over = match n.over_limit {
        0 => String::new(),
        over => format!(" ({over} of them over the limit)"),
    };
    let mut words = vec![
        format!("{} received", peer.received),
        format!("{} accepted", peer.accepted),
        format!("{} filtered{over}", n.filtered),
    ];
    words.extend((n.stale > 0).then(|| format!("{} stale", n.stale)));
    words.push(format!("{} sent", peer.sent));
    words.join(", ")
}

/// How many prefixes UPDATEs had, both ways; nothing where none came and none went.
fn updates(n: &Neighbor) -> String {
    let (theirs, ours) = (n.updates_received, n.updates_sent);
    if (theirs, ours) == Default::default() {
        return String::new();
    }
    let words = |Updates { announced, withdrawn }| {
        format!("{announced} announced and {withdrawn} withdrawn")
    };
    format!("{} by it, {} by us", words(theirs), words(ours))
}

/// What a neighbour may send.
fn allowance(limit: &Limit) -> String {
    let then = match (limit.action, limit.restart_s) {
        (LimitAction::Warn, _) => "more is used and said".to_owned(),
        (LimitAction::Drop, _) => "more is filtered".to_owned(),
        (LimitAction::Close, Some(idle)) => format!("more ends the session for {}", age(idle)),
        (LimitAction::Close, None) => {
            "more ends the session until `bgpctl neighbor … up`".to_owned()
        }
    };
    format!("{}: {} of {}, {then}", limit.family, limit.received, limit.max)
}

/// How the connection is made and protected; nothing where it is nothing special.
fn connection(n: &Neighbor) -> String {
    let t = &n.transport;
    let mut words = Vec::new();
    match &t.authentication {
        None => {}
        Some(Authentication::Md5) => words.push("signed with TCP MD5".to_owned()),
        Some(Authentication::TcpAo { algorithm, send_id, receive_id }) => {
            words.push(format!("signed with TCP-AO ({algorithm}, ids {send_id} and {receive_id})"));
        }
    }
    let hops = |hops| if hops == 1 { "1 hop".to_owned() } else { format!("{hops} hops") };
    words.extend(t.ttl_security.map(|n| format!("TTL security: at most {} away", hops(n))));
    words.extend(t.multihop.map(|n| format!("multihop: our packets get {}", hops(n))));
    words.extend(n.summary.interface.as_ref().map(|name| format!("on {name} alone")));
    words.extend((t.port != 179).then(|| format!("to port {}", t.port)));
    words.join(", ")
}

fn offered(c: &Configured) -> String {
    let hold =
        if c.hold_s == 0 { "no hold time".to_owned() } else { format!("hold {}s", c.hold_s) };
    let dial = if c.passive {
        "waits to be called".to_owned()
    } else {
        format!("dials every {}s", c.connect_retry_s)
    };
    let time = Duration::from_millis;
    let idle = match (c.idle_hold_ms, c.idle_hold_max_ms) {
        (0, _) => "no idle hold".to_owned(),
        (first, most) if most <= first => format!("idle hold {:?}", time(first)),
        (first, most) => format!("idle hold {:?} to {:?}", time(first), time(most)),
    };
    format!("{}, {hold}, {dial}, {idle}", c.families.join(", "))
}

fn agreement(a: &Agreed) -> String {
    let mut words = a.families.clone();
    if a.four_octet_as {
        words.push("4-octet AS".to_owned());
    }
    if a.route_refresh {
        words.push("route refresh".to_owned());
    }
    if a.end_of_rib {
        words.push("end-of-RIB".to_owned());
    }
    if a.enhanced_refresh {
        words.push("marked refresh".to_owned());
    }
    if a.extended_messages {
        words.push("extended messages".to_owned());
    }
    if a.extended_next_hop {
        words.push("IPv4 over IPv6 next hops".to_owned());
    }
    for (way, families) in
        [("add-path receive", &a.add_path_receive), ("add-path send", &a.add_path_send)]
    {
        if !families.is_empty() {
            words.push(format!("{way} {}", families.join(" ")));
        }
    }
    if let Some(role) = &a.role {
        words.push(format!("role {}", clean(role)));
    }
    words.push(match a.hold_s {
        0 => "no hold time".to_owned(),
        hold => format!("hold {hold}s, keepalive every {}s", a.keepalive_s),
    });
    words.join(", ")
}

/// What an OPEN offers, on one line; nothing where there was none.
fn capabilities(page: &Page, label: &str, list: &[String], out: &mut impl Write) -> io::Result<()> {
    let words: Vec<String> = list.iter().map(|capability| clean(capability).to_string()).collect();
    field(page, label, &words.join("; "), PLAIN, out)
}

/// What becomes of the neighbour's routes when it restarts.
fn restart(graceful: Option<&Graceful>) -> String {
    let Some(g) = graceful else { return "its routes go with its session".to_owned() };
    if g.families.is_empty() {
        return "it keeps our routes; its own go with its session".to_owned();
    }
    let mut words = vec![format!("{} kept for {}s", g.families.join(", "), g.time_s)];
    let stale = ["ipv4", "ipv6"].into_iter().zip(g.long_lived_s).filter(|(_, time)| *time > 0);
    words.extend(stale.map(|(family, time)| format!("{family} as stale for {time}s more")));
    if g.notification {
        words.push("also after a NOTIFICATION".to_owned());
    }
    if g.restarting {
        let kept = match g.preserved.is_empty() {
            true => "without its forwarding state".to_owned(),
            false => format!("with its forwarding state of {}", g.preserved.join(", ")),
        };
        words.push(format!("it has just restarted {kept}"));
    }
    words.join(", ")
}

fn messages(page: &Page, n: &Neighbor, out: &mut impl Write) -> io::Result<()> {
    let mut table = Table::new(
        page,
        vec![
            Column::left("    MESSAGES"),
            Column::right("OPEN"),
            Column::right("UPDATE"),
            Column::right("KEEPALIVE"),
            Column::right("NOTIFICATION"),
            Column::right("REFRESH"),
            Column::right("OCTETS"),
        ],
    );
    let row = |label: &str, c: &Counters| {
        let counts = [c.opens, c.updates, c.keepalives, c.notifications, c.refreshes, c.octets];
        std::iter::once(Cell::new(label)).chain(counts.map(Cell::of)).collect()
    };
    let rows: [Vec<Cell>; 2] =
        [row("    received", &n.messages_received), row("    sent", &n.messages_sent)];
    table.rows(&rows, out)
}
