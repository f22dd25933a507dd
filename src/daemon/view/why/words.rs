//! Words that verdict and facts share.

use starling_fib::packet::NeighbourState;

use crate::api::{KernelAnswer, Neighbor, Route, age};

/// The name of an rtm_protocol as `ip route` shows it, else its number.
pub fn protocol(number: u8) -> String {
    let name = match number {
        2 => "kernel",
        3 => "boot",
        4 => "static",
        8 => "gated",
        9 => "ra",
        11 => "zebra",
        12 => "bird",
        16 => "dhcp",
        18 => "keepalived",
        42 => "babel",
        186 => "bgp",
        187 => "isis",
        188 => "ospf",
        189 => "rip",
        192 => "eigrp",
        _ => return format!("protocol {number}"),
    };
    format!("proto {name}")
}

/// The way that the kernel's answer says: `through 10.1.8.10 by tunl0`, `directly on net0`.
pub fn way(answer: &KernelAnswer, tunnel: Option<&str>) -> String {
    let device = answer.device.as_deref().unwrap_or("an interface without a name");
    let word = if Some(device) == tunnel { "by" } else { "on" };
    match answer.gateway {
        Some(gateway) => format!("through {gateway} {word} {device}"),
        None => format!("directly {word} {device}"),
    }
}

/// Where a foreign answer of the kernel leads: `to 10.1.5.1 on net0 by 0.0.0.0/0 (proto static)`.
pub fn elsewhere(answer: &KernelAnswer) -> String {
    let mut words = match (answer.gateway, answer.device.as_deref()) {
        (Some(gateway), Some(device)) => format!("to {gateway} on {device}"),
        (Some(gateway), None) => format!("to {gateway}"),
        (None, Some(device)) => format!("out of {device}"),
        (None, None) => "elsewhere".to_owned(),
    };
    if let Some(prefix) = answer.prefix {
        let name = if prefix.prefix_len() == 0 { "its default route" } else { "" };
        let named = if name.is_empty() { prefix.to_string() } else { name.to_owned() };
        words.push_str(&format!(" by {named}"));
    }
    if let Some(number) = answer.protocol {
        words.push_str(&format!(" ({})", protocol(number)));
    }
    words
}

/// Why a session is not up, to follow "its session": `is down since 12s: …`.
pub fn down(neighbor: &Neighbor) -> String {
    let reason = neighbor.summary.reason.as_deref().unwrap_or("not established");
    match &neighbor.last_lost {
        _ if neighbor.held => format!("is {reason}"),
        Some(lost) => format!("is down since {}: {}", age(lost.ago_s), lost.text),
        None => format!("has not come up yet: {reason}"),
    }
}

/// The neighbours that announced what is in use of a route.
pub fn senders(route: &Route) -> String {
    let mut names: Vec<&str> = Vec::new();
    for path in super::facts::used(route) {
        if !names.contains(&path.from.as_str()) {
            names.push(&path.from);
        }
    }
    list(&names)
}

/// `a`, `a and b`, `a, b and 3 more`.
pub fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [one, other] => format!("{one} and {other}"),
        [one, other, more @ ..] => format!("{one}, {other} and {} more", more.len()),
    }
}

/// A neighbour entry's state as `ip neigh` shows it, and in words.
pub fn neighbour(state: NeighbourState) -> String {
    match state {
        NeighbourState::Reachable => "REACHABLE, it answered a moment ago".to_owned(),
        NeighbourState::Stale => "STALE, it answered some time ago".to_owned(),
        NeighbourState::Delay => "DELAY, about to be asked again".to_owned(),
        NeighbourState::Probe => "PROBE, being asked again".to_owned(),
        NeighbourState::Incomplete => "INCOMPLETE, it has not answered yet".to_owned(),
        NeighbourState::Failed => "FAILED, it was asked and did not answer".to_owned(),
        NeighbourState::Permanent => "PERMANENT, nobody need ask".to_owned(),
        NeighbourState::Other(number) => format!("in state {number}"),
    }
}
