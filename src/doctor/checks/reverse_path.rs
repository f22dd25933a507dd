//! Reverse path filters (RFC 3704): in strict mode the kernel drops what comes in by another
//! interface than the answer would leave by, without a word.

use crate::api::Level;
use crate::doctor::facts::Facts;
use crate::doctor::notes::{Notes, count};

const STRICT: i64 = 1;
const LOOSE: i64 = 2;
/// What the filter has dropped.
const DROPPED: &str = "TcpExt.IPReversePathFilter";

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(configured) = &facts.configured else { return };
    let host = &facts.host;
    let path = |name: &str| format!("net/ipv4/conf/{name}/rp_filter");
    let Some(all) = host.number(&path("all")) else {
        return notes.unchecked("net.ipv4.conf.all.rp_filter cannot be read");
    };
    let dropped = host.counters.get(DROPPED).copied().unwrap_or(0);
    let so_far = match dropped {
        0 => String::new(),
        n => format!("; it has dropped {} so far", count(n as usize, "packet")),
    };
    let tunnel = configured.plan.fib.tunnel.device.as_str();
    let tunnel = host.link(tunnel).filter(|_| configured.needs_tunnel());
    let carriers = configured.plan.addresses.iter().filter(|own| own.address.is_ipv4());
    let carriers = carriers.filter_map(|own| host.carrier(own.address)).map(|(link, _)| link);
    let links: Vec<_> = tunnel.into_iter().chain(carriers).collect();
    for link in &links {
        let own = host.number(&path(&link.name)).unwrap_or(0);
        // The kernel takes the larger of the two.
        if own.max(all) != STRICT {
            continue;
        }
        let is_tunnel = tunnel.is_some_and(|tunnel| tunnel.index == link.index);
        let (level, what) = match (is_tunnel, dropped > 0) {
            (true, true) => (Level::Problem, "what a node tunnels that is answered in clear"),
            (true, false) => (Level::Warning, "what a node tunnels that is answered in clear"),
            (false, true) => (Level::Warning, "what comes in here and is answered another way"),
            (false, false) => (Level::Hint, "what comes in here and is answered another way"),
        };
        notes.sick(
            level,
            &link.name,
            format!("rp_filter is strict: {what} is dropped without a word{so_far}"),
            super::set(&path(&link.name), LOOSE),
        );
    }
    if notes.is_well() && !links.is_empty() {
        let names: Vec<&str> = links.iter().map(|link| link.name.as_str()).collect();
        notes.ok(names.join(", "), "rp_filter is not strict");
    }
}
