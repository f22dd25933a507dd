//! The facts below the verdict, a line each, from the packet to the configuration.
//!
//! A pure function of [`Facts`], as the verdict is. A line is said where there is something to
//! say: what is simply as it should be and explains nothing is left out.

use starling_fib::packet::NeighbourState;

use super::facts::{Facts, Next, Stand, is_up, used};
use super::words::{down, neighbour, protocol};
use crate::api::{
    About, BfdState, Fact, How, KernelResult, KernelState, Lookup, Neighbor, Path, Route, Tone,
    Waits, age,
};

/// Other paths and sessions that are told one by one.
const MOST: usize = 8;

/// See the module.
pub fn lines(facts: &Facts) -> Vec<Fact> {
    let mut lines = vec![kernel(facts)];
    let chosen = facts.chosen();
    lines.extend(chosen.and_then(|(route, stand)| wanted(facts, route, stand)));
    for route in &facts.routes {
        lines.extend(paths(route));
    }
    let shown = chosen.map(|(route, _)| route).or(facts.fallback());
    if let Some(route) = shown {
        lines.extend(next_hops(route));
    }
    lines.extend(tunnel(facts, shown));
    let outer = facts.kernel.outer.iter();
    lines.extend(outer.map(|words| fact(About::Underlay, Tone::Plain, words)));
    lines.extend(facts.kernel.next.as_ref().map(next));
    for neighbor in concerned(facts, shown) {
        lines.push(session(neighbor));
        lines.extend(bfd(neighbor));
    }
    lines.extend(owner(facts));
    lines.push(pool(facts));
    lines
}

fn fact(about: About, tone: Tone, text: impl Into<String>) -> Fact {
    Fact { about, tone, text: text.into() }
}

/// The kernel's own lookup; of a prefix, for one address in it.
fn kernel(facts: &Facts) -> Fact {
    let answer = &facts.kernel.answer;
    let mut text = match facts.target {
        Lookup::Prefix(_) => format!("for {}: ", facts.address),
        Lookup::Address(_) => String::new(),
    };
    if let Some(prefix) = answer.prefix {
        text.push_str(&format!("{prefix} "));
    }
    text.push_str(&answer.words);
    if let Some(table) = answer.table.filter(|table| !matches!(table, 254 | 255)) {
        text.push_str(&format!(", table {table}"));
    }
    if let Some(source) = answer.source {
        text.push_str(&format!(", source {source}"));
    }
    let whose = match (answer.result, answer.protocol) {
        (KernelResult::Local, _) | (_, None) => String::new(),
        _ if answer.ours => ": our route".to_owned(),
        _ if facts.kernel.pod => ": a pod's".to_owned(),
        (_, Some(number)) => format!(": not ours ({})", protocol(number)),
    };
    let dropped = match answer.result {
        KernelResult::Blackhole => ", drops without a word",
        KernelResult::Unreachable => ", answers \"host unreachable\"",
        KernelResult::Prohibit => ", answers \"prohibited\"",
        _ => "",
    };
    let tone = match answer.result {
        KernelResult::Sent | KernelResult::Local => Tone::Plain,
        KernelResult::Failed | KernelResult::NoRoute => Tone::Bad,
        _ => Tone::Warn,
    };
    fact(About::Kernel, tone, format!("{text}{whose}{dropped}"))
}

/// Where the kernel does not do what is wanted.
fn wanted(facts: &Facts, route: &Route, stand: &Stand) -> Option<Fact> {
    let is_there = route.kernel.state == KernelState::Installed;
    // Below an own block the pods' routes are meant to go first; what is only announced is not
    // meant to be there.
    let is_own = route.paths.first().is_some_and(|path| path.next_hop.is_none());
    let is_announced = route.paths.first().is_some_and(|path| path.reached.how == How::Local);
    if is_there && (facts.takes(route) || is_own) || is_announced {
        return None;
    }
    let want = match &stand.want {
        Some(want) => format!("{} {want}", route.prefix),
        None => format!("{}: nothing that could be written", route.prefix),
    };
    let have = match stand.have.as_slice() {
        _ if is_there => "it is there, and not what the kernel takes".to_owned(),
        [] => "not there".to_owned(),
        have => format!("there is {}", have.join(", ")),
    };
    let why = route.kernel.why.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let state = if is_there { String::new() } else { format!(", {}{why}", route.kernel.state) };
    Some(fact(About::Wanted, Tone::Bad, format!("{want}; {have}{state}")))
}

/// The paths of a route, the one in use first.
fn paths(route: &Route) -> Vec<Fact> {
    let mut lines: Vec<Fact> = route.paths.iter().take(MOST).map(|p| path(route, p)).collect();
    if let Some(more) = route.paths.len().checked_sub(MOST).filter(|more| *more > 0) {
        let text = format!("{}: and {more} more; `bgpctl show routes --detail`", route.prefix);
        lines.push(fact(About::Other, Tone::Plain, text));
    }
    lines
}

fn path(route: &Route, path: &Path) -> Fact {
    if path.next_hop.is_none() {
        let about = if path.best { About::Best } else { About::Other };
        let text = format!("{} of this node: {}", route.prefix, path.reached.why);
        return fact(about, Tone::Plain, text);
    }
    let whom = format!("from {}, {} ago", path.from, age(path.age_s));
    let hop = path.next_hop.map(|hop| format!(", next hop {hop}")).unwrap_or_default();
    let stale = path.stale.as_ref().map(|stale| {
        let waits = match stale.waits {
            Waits::Session => "its session has ended",
            Waits::EndOfRib => "its neighbour is back and has not said it again yet",
            Waits::Refresh => "its neighbour is saying everything again",
        };
        format!("; stale: {waits}, kept for {} more at most", age(stale.left_s))
    });
    let (about, tone, why) = match &path.filtered {
        Some(why) => (About::Filtered, Tone::Warn, why.as_str()),
        None if path.best => (About::Best, Tone::Plain, bare(&path.why, "best: ")),
        None if path.reached.how == How::Unreachable => {
            (About::Other, Tone::Warn, path.reached.why.as_str())
        }
        None => (About::Other, Tone::Plain, bare(&path.why, "not best: ")),
    };
    let tone = if stale.is_some() { Tone::Warn } else { tone };
    let stale = stale.unwrap_or_default();
    fact(about, tone, format!("{} {whom}{hop}: {why}{stale}", route.prefix))
}

/// Without what the fact's name says already.
fn bare<'t>(text: &'t str, lead: &str) -> &'t str {
    text.strip_prefix(lead).unwrap_or(text)
}

/// The test of the subnet, and what came of it; an own route has none.
fn next_hops(route: &Route) -> Vec<Fact> {
    let line = |reached: &crate::api::Reached| {
        let device = reached.device.as_deref().unwrap_or_default();
        let came = match reached.how {
            How::Direct => format!(": direct on {device}"),
            How::Tunnel => format!(": tunnelled by {device}"),
            // The reason says it all.
            How::Gateway | How::Blackhole | How::Local | How::Unreachable => String::new(),
        };
        let tone = match (reached.how, &reached.warning) {
            (How::Unreachable, _) => Tone::Bad,
            (_, Some(_)) => Tone::Warn,
            _ => Tone::Plain,
        };
        fact(About::NextHop, tone, format!("{}{came}", reached.why))
    };
    let mut lines: Vec<Fact> = if route.next_hops.is_empty() {
        let learned = used(route).filter(|path| path.next_hop.is_some());
        learned.map(|path| line(&path.reached)).collect()
    } else {
        route.next_hops.iter().map(|hop| line(&hop.reached)).collect()
    };
    lines.dedup();
    lines
}

/// The tunnel device, where a packet takes it or should.
fn tunnel(facts: &Facts, route: Option<&Route>) -> Option<Fact> {
    let tunnel = facts.tunnel.as_ref()?;
    let taken = facts.kernel.answer.device.as_ref() == Some(&tunnel.device);
    let is_tunnelled = |path: &Path| path.reached.how == How::Tunnel;
    let meant = route.is_some_and(|route| used(route).any(is_tunnelled));
    let missed = |path: &Path| path.reached.how == How::Unreachable && !tunnel.ready;
    let missed = facts.routes.iter().flat_map(|route| &route.paths).any(missed);
    let tone = if tunnel.ready { Tone::Plain } else { Tone::Bad };
    let text = format!("{}: {}", tunnel.device, tunnel.words);
    (taken || meant || missed).then(|| fact(About::Tunnel, tone, text))
}

fn next(next: &Next) -> Fact {
    let Next { address, device, entry } = next;
    let Some(entry) = entry else {
        let text = format!("{address} on {device}: no entry, nothing was sent there lately");
        return fact(About::Neighbour, Tone::Plain, text);
    };
    let tone = match entry.state {
        NeighbourState::Failed => Tone::Bad,
        NeighbourState::Incomplete => Tone::Warn,
        _ => Tone::Plain,
    };
    let lladdr = entry.lladdr.as_deref().map(|lladdr| format!(" ({lladdr})")).unwrap_or_default();
    let text = format!("{address} on {device}: {}{lladdr}", neighbour(entry.state));
    fact(About::Neighbour, tone, text)
}

/// The neighbours whose sessions matter: those that brought a path, or should have.
fn concerned<'f>(facts: &'f Facts, shown: Option<&Route>) -> Vec<&'f Neighbor> {
    let paths = facts.routes.iter().filter(|route| shown.is_none_or(|s| s.prefix == route.prefix));
    let senders = paths.flat_map(|route| &route.paths).filter_map(|p| facts.neighbor(&p.from));
    let mut found: Vec<&Neighbor> = Vec::new();
    let missing = if facts.chosen().is_none() { facts.bringers() } else { Vec::new() };
    for neighbor in senders.chain(missing) {
        if !found.iter().any(|known| known.summary.name == neighbor.summary.name) {
            found.push(neighbor);
        }
    }
    found.truncate(MOST);
    found
}

fn session(neighbor: &Neighbor) -> Fact {
    let summary = &neighbor.summary;
    let who = format!("{} ({})", summary.name, summary.place());
    if is_up(neighbor) {
        let lost = neighbor.last_lost.as_ref();
        let lost = lost.map(|lost| format!("; lost {} ago: {}", age(lost.ago_s), lost.text));
        let text = format!(
            "{who}: {} for {}, {} of {} prefixes accepted{}",
            summary.state,
            age(summary.since_s),
            summary.accepted,
            summary.received,
            lost.unwrap_or_default()
        );
        return fact(About::Session, Tone::Plain, text);
    }
    let now = summary.since_then.as_ref().or(summary.reason.as_ref());
    let now = match (now, &neighbor.last_lost) {
        (Some(reason), Some(lost)) if *reason != lost.text && !neighbor.held => {
            format!("; now: {reason}")
        }
        _ => String::new(),
    };
    let down = down(neighbor);
    let text = format!("{who}: {}, {}{now}", summary.state, bare(&down, "is "));
    fact(About::Session, Tone::Bad, text)
}

fn bfd(neighbor: &Neighbor) -> Option<Fact> {
    let bfd = neighbor.bfd.as_ref()?;
    let (tone, more) = match bfd.state {
        BfdState::Up => {
            let detection = bfd.detection_ms.map(|ms| format!(", a loss is known after {ms} ms"));
            (Tone::Plain, detection.unwrap_or_default())
        }
        BfdState::NotHeard => (Tone::Plain, ", so BGP does without".to_owned()),
        _ => {
            let lost = bfd.last_down.as_ref();
            let lost = lost.map(|lost| format!(", {} ago: {}", age(lost.ago_s), lost.text));
            (Tone::Warn, lost.unwrap_or_default())
        }
    };
    let text = format!("{}: {} for {}{more}", bfd.name, bfd.state, age(bfd.since_s));
    Some(fact(About::Bfd, tone, text))
}

fn owner(facts: &Facts) -> Option<Fact> {
    let owner = facts.owner.as_ref()?;
    let whose =
        if owner.this_node { format!("this node, {},", owner.name) } else { owner.name.clone() };
    let what = if facts.owner_addresses.contains(&owner.block.addr())
        && owner.block.prefix_len() == owner.block.max_prefix_len()
    {
        format!("{whose} has the address {} by the configuration", owner.block.addr())
    } else {
        format!("{whose} has {} by the configuration", owner.block)
    };
    Some(fact(About::Owner, Tone::Plain, what))
}

fn pool(facts: &Facts) -> Fact {
    let text = match &facts.pool {
        Some(pool) if pool.cidr.addr().is_ipv4() => format!("{}, ipip {}", pool.cidr, pool.mode),
        Some(pool) => pool.cidr.to_string(),
        None => format!("none: {} is in no pool", facts.target),
    };
    fact(About::Pool, Tone::Plain, text)
}
