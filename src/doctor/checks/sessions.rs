//! Sessions that are not up, with their likely cause; BGP identifiers that come twice.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::api::Level;
use crate::doctor::facts::{Cause, Facts, Session};
use crate::doctor::notes::{Notes, count, some};

/// More are a number.
const NAMED: usize = 10;

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(daemon) = &facts.daemon else {
        return notes.unchecked("only the daemon knows the sessions");
    };
    let down: Vec<_> =
        daemon.sessions.iter().filter_map(|one| Some((one, one.down.as_ref()?))).collect();
    let all = daemon.sessions.len();
    if down.is_empty() {
        return notes.ok("sessions", format!("{} of {all} up", all));
    }
    let cut_off = down.len() == all;
    for (session, why) in down.iter().take(NAMED) {
        let level = match why.cause {
            Cause::Held | Cause::Begins => Level::Hint,
            _ if cut_off => Level::Problem,
            _ => Level::Warning,
        };
        let text = format!("no session with {}: {}", session.address, why.words);
        notes.sick(level, &session.name, text, cure(session, why.cause));
    }
    if let Some(more) = down.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let text = format!("{} of {all} are not up", count(more, "more session"));
        notes.sick(Level::Warning, "sessions", text, "bgpctl show summary");
    }
}

fn cure(session: &Session, cause: Cause) -> String {
    let Session { name, address, port, .. } = session;
    let there = if session.node { "on that node: " } else { "" };
    match cause {
        Cause::Held => format!("bgpctl neighbor {name} up"),
        Cause::Refused if session.node => format!("on {name}: systemctl start starlingd"),
        Cause::Refused => {
            format!(
                "start BGP on {name}, with this node as its neighbour (nc -vz {address} {port})"
            )
        }
        Cause::Silent => format!("ping -c 3 {address}; {there}let TCP {port} in (bgpctl doctor)"),
        Cause::NoRoute => format!("ip route get {address}"),
        Cause::NoSource => "ip address; the node's address must be on an interface".to_owned(),
        Cause::Uncalled => format!("{there}have it call this node, or passive = false"),
        Cause::WrongAs => format!("make `asn` of {name} what its own configuration says"),
        Cause::WrongIdentifier => {
            "give one of the two another `router-id`; bgpctl reload".to_owned()
        }
        Cause::Unknown => format!("make this node a neighbour in the configuration of {name}"),
        Cause::Bfd => format!("bgpctl show bfd; ping -c 3 {address}"),
        Cause::Begins => "bgpctl show summary, in a while".to_owned(),
        Cause::Other => format!("bgpctl show neighbors {name}; journalctl -u starlingd"),
    }
}

pub fn identifiers(facts: &Facts, notes: &mut Notes) {
    let (Ok(daemon), Ok(configured)) = (&facts.daemon, &facts.configured) else { return };
    let mut owners: BTreeMap<Ipv4Addr, Vec<&str>> = BTreeMap::new();
    owners.entry(configured.plan.router_id).or_default().push("this node");
    for session in &daemon.sessions {
        if let Some(identifier) = session.identifier {
            let names = owners.entry(identifier).or_default();
            // One router may be reached over two sessions.
            let router = |name: &&str| !session.node && *name != "this node";
            if !names.iter().any(router) {
                names.push(&session.name);
            }
        }
    }
    for (identifier, names) in owners.iter().filter(|(_, names)| names.len() > 1) {
        notes.sick(
            Level::Problem,
            identifier.to_string(),
            format!(
                "{} have the same BGP identifier: routes of one pass for the other's",
                some(names)
            ),
            "give each its own `router-id`; bgpctl reload",
        );
    }
    if notes.is_well() {
        notes.ok("identifiers", format!("{} differ", count(owners.len(), "BGP identifier")));
    }
}
