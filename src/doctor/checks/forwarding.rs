//! Whether the kernel forwards at all, and by each interface that pods' packets use.

use crate::api::Level;
use crate::doctor::facts::{Configured, Facts, Host};
use crate::doctor::notes::{Notes, count, some};

pub fn check(facts: &Facts, notes: &mut Notes) {
    let has_v6 = facts.configured.as_ref().is_ok_and(|configured| {
        configured.plan.pools.iter().any(|pool| pool.cidr.addr().is_ipv6())
    });
    let mut switches = vec![("net/ipv4/ip_forward", "IPv4")];
    switches.extend(has_v6.then_some(("net/ipv6/conf/all/forwarding", "IPv6")));
    for (path, family) in switches {
        let name = super::sysctl(path);
        match facts.host.number(path) {
            None => notes.unchecked(format!("{name} cannot be read")),
            Some(0) => notes.sick(
                Level::Problem,
                name,
                format!("off: this node forwards no {family} packet to or from its pods"),
                super::set(path, 1),
            ),
            Some(_) => notes.ok(name, "on"),
        }
    }
    if let Ok(configured) = &facts.configured {
        interfaces(configured, &facts.host, notes);
    }
}

/// Setting `ip_forward` sets them all; somebody may have set one of them afterwards.
fn interfaces(configured: &Configured, host: &Host, notes: &mut Notes) {
    if host.number("net/ipv4/ip_forward") == Some(0) {
        return;
    }
    let carriers = configured.plan.addresses.iter();
    let carriers: Vec<&str> = carriers
        .filter_map(|own| host.carrier(own.address))
        .map(|(link, _)| link.name.as_str())
        .collect();
    let used = |name: &str| {
        carriers.contains(&name)
            || name == configured.plan.fib.tunnel.device
            || configured.leads_to_pods(name)
    };
    let path = |name: &str| format!("net/ipv4/conf/{name}/forwarding");
    let names = host.links.iter().map(|link| link.name.as_str());
    let off: Vec<&str> =
        names.filter(|name| used(name) && host.number(&path(name)) == Some(0)).collect();
    if let Some(first) = off.first() {
        notes.sick(
            Level::Problem,
            some(&off),
            format!(
                "forwarding is off on {}: packets that come in there go no farther",
                count(off.len(), "interface")
            ),
            super::set(&path(first), 1),
        );
    }
}
