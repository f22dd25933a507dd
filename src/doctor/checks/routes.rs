//! Routes that are wanted and that the kernel does not have.

use crate::api::Level;
use crate::doctor::facts::{Facts, Trouble};
use crate::doctor::notes::{Notes, count};

/// More are a number.
const NAMED: usize = 10;

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(daemon) = &facts.daemon else { return };
    for troubled in daemon.troubled.iter().take(NAMED) {
        let prefix = troubled.prefix;
        match &troubled.trouble {
            Trouble::Refused(words) => notes.sick(
                Level::Problem,
                prefix.to_string(),
                format!("the kernel refuses the route: {words}"),
                format!("bgpctl show fib | grep {prefix}; dmesg | tail"),
            ),
            Trouble::Occupied(protocol) => notes.sick(
                Level::Problem,
                prefix.to_string(),
                format!("a route of protocol {protocol} sits there, and ours is not written"),
                format!("ip route del {prefix} proto {protocol}, and whoever writes it"),
            ),
            Trouble::Shadowed { protocol, metric } => notes.sick(
                Level::Warning,
                prefix.to_string(),
                format!(
                    "a route of protocol {protocol} with the smaller metric {metric} is used \
                     instead of ours"
                ),
                format!(
                    "ip route del {prefix} proto {protocol} metric {metric}, and whoever \
                         writes it"
                ),
            ),
            Trouble::Unreachable(why) => notes.sick(
                Level::Problem,
                prefix.to_string(),
                format!("no next hop can be used: {why}"),
                format!("bgpctl show routes {prefix} --detail"),
            ),
        }
    }
    if let Some(more) = daemon.troubled.len().checked_sub(NAMED).filter(|more| *more > 0) {
        let text = format!("{} are not in the kernel either", count(more, "more route"));
        notes.sick(Level::Problem, "routes", text, "bgpctl show fib");
    }
    if daemon.troubled.is_empty() {
        let (v4, v6) = daemon.wanted;
        notes.ok(
            "routes",
            format!("of {} none is missing for want of a way", count(v4 + v6, "wanted route")),
        );
    }
}
