//! By what equal paths are chosen.

use crate::api::Level;
use crate::doctor::facts::Facts;
use crate::doctor::notes::Notes;

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(daemon) = &facts.daemon else { return };
    if !daemon.multipath {
        return notes.ok("paths", "no route has several next hops");
    }
    let path = "net/ipv4/fib_multipath_hash_policy";
    match facts.host.number(path) {
        None => notes.unchecked(format!("{} cannot be read", super::sysctl(path))),
        Some(0) => notes.sick(
            Level::Hint,
            super::sysctl(path),
            "0: all connections between two pods take the same of the equal paths",
            super::set(path, 1),
        ),
        Some(_) => notes.ok(super::sysctl(path), "ports count in the choice of a path"),
    }
}
