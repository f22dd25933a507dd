//! The checks: each a pure function from facts to findings, one file a subject.

mod addresses;
mod blocks;
mod daemon;
mod encapsulation;
mod filter;
mod forwarding;
mod gateways;
mod limits;
mod multipath;
mod pods;
mod reverse_path;
mod routes;
mod sessions;
mod tunnel;
mod writers;

use super::facts::Facts;
use super::notes::Notes;

/// A check.
type Check = fn(&Facts, &mut Notes);

/// All, by the word that their findings carry, in the order in which they are told.
pub const ALL: [(&str, Check); 18] = [
    ("daemon", daemon::check),
    ("configuration", daemon::configuration),
    ("coupling", daemon::coupling),
    ("addresses", addresses::check),
    ("sessions", sessions::check),
    ("identifiers", sessions::identifiers),
    ("forwarding", forwarding::check),
    ("reverse_path", reverse_path::check),
    ("tunnel", tunnel::check),
    ("filter", filter::check),
    ("encapsulation", encapsulation::check),
    ("gateways", gateways::check),
    ("blocks", blocks::check),
    ("routes", routes::check),
    ("writers", writers::check),
    ("multipath", multipath::check),
    ("pods", pods::check),
    ("limits", limits::check),
];

/// A kernel setting as `sysctl` writes it. An interface's name may have dots in it; then slashes
/// stand between the parts, which sysctl understands as well.
fn sysctl(path: &str) -> String {
    if path.contains('.') { path.to_owned() } else { path.replace('/', ".") }
}

/// The command that sets one.
fn set(path: &str, value: impl std::fmt::Display) -> String {
    format!("sysctl -w {}={value}", sysctl(path))
}

#[cfg(test)]
mod tests;
