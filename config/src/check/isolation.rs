//! When this node is cut off: whether the numbers make sense, and what is filled in.

use std::time::Duration;

use starling_bgp::msg::IsolationRule;

use crate::raw::Raw;
use crate::source::Problems;

/// Where no restart time says how long.
const KEEP: Duration = Duration::from_secs(120);
/// More than so many of a hundred neighbours are most of them.
const PERCENT: u8 = 50;
/// With fewer neighbours nobody can tell.
const PEERS: u16 = 3;

/// `restart`: the restart time of the mesh. `None`: off.
pub(super) fn check(
    raw: &Raw,
    restart: Duration,
    problems: &mut Problems,
) -> Option<IsolationRule> {
    let keep = if restart.is_zero() { KEEP } else { restart };
    let mut rule = IsolationRule { keep, percent: PERCENT, peers: PEERS };
    if let Some(table) = &raw.isolation {
        if let Some(keep) = table.keep.value() {
            rule.keep = *keep;
        }
        if let Some(percent) = table.percent.get() {
            match u8::try_from(percent.value) {
                Ok(value) if (1..100).contains(&value) => rule.percent = value,
                _ => {
                    problems
                        .error(percent.at, format!("{} percent cannot be exceeded", percent.value))
                        .expected("1 to 99: more than so many percent of the neighbours are most");
                }
            }
        }
        if let Some(peers) = table.peers.get() {
            match u16::try_from(peers.value) {
                Ok(value) if value >= 2 => rule.peers = value,
                _ => {
                    problems.error(peers.at, "so many neighbours do not make a majority").expected(
                        "2 to 65535: with fewer neighbours nobody can tell who is cut off",
                    );
                }
            }
        }
    }
    (!rule.keep.is_zero()).then_some(rule)
}
