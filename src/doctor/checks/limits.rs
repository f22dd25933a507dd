//! Tables of the kernel that are too small for this cluster: neighbours (ARP), connections, and
//! before Linux 6.3 IPv6 routes.

use crate::api::Level;
use crate::doctor::facts::{Configured, Facts, Host};
use crate::doctor::notes::Notes;

/// Since this kernel `route/max_size` of IPv6 means nothing.
const UNLIMITED: (u32, u32) = (6, 3);

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(configured) = &facts.configured else { return };
    neighbours(configured, &facts.host, notes);
    connections(&facts.host, notes);
    if let Ok(daemon) = &facts.daemon {
        v6_routes(daemon.wanted.1, &facts.host, notes);
    }
    if notes.is_well() {
        notes.ok("tables", "the kernel's have room");
    }
}

/// Every other node may be a neighbour on the wire, and every local pod is one.
fn neighbours(configured: &Configured, host: &Host, notes: &mut Notes) {
    let pods = host.links.iter().filter(|link| configured.leads_to_pods(&link.name)).count();
    let needed = (configured.nodes.len() + pods) as i64;
    let path = "net/ipv4/neigh/default/gc_thresh3";
    let Some(most) = host.number(path) else {
        return notes.unchecked(
            "the limits of the neighbour table are shown in the host's own network namespace only",
        );
    };
    let name = super::sysctl(path);
    let enough = needed.saturating_mul(4).max(4096);
    let level = match most {
        most if most <= needed => Level::Problem,
        most if most < needed.saturating_mul(2) => Level::Warning,
        _ => return,
    };
    notes.sick(
        level,
        name,
        format!(
            "{most} neighbours at most, and this node may have {needed} (nodes and pods): \
             beyond that packets are dropped (`neighbour table overflow`)"
        ),
        format!(
            "{}; {}",
            super::set(path, enough),
            super::set("net/ipv4/neigh/default/gc_thresh2", enough / 2)
        ),
    );
}

fn connections(host: &Host, notes: &mut Notes) {
    let (count, max) = ("net/netfilter/nf_conntrack_count", "net/netfilter/nf_conntrack_max");
    // Without conntrack there is none to be full.
    let (Some(count), Some(most)) = (host.number(count), host.number(max)) else { return };
    if most <= 0 || count * 100 < most * 80 {
        return;
    }
    let level = if count * 100 >= most * 95 { Level::Problem } else { Level::Warning };
    notes.sick(
        level,
        super::sysctl(max),
        format!("{count} of {most} connections are tracked; when it is full new ones are dropped"),
        super::set(max, most.saturating_mul(2)),
    );
}

fn v6_routes(wanted: usize, host: &Host, notes: &mut Notes) {
    let path = "net/ipv6/route/max_size";
    let Some(most) = host.number(path).filter(|_| host.kernel < UNLIMITED) else { return };
    // Each has an entry for every path; and what others route counts too.
    let needed = (wanted as i64).saturating_mul(2).saturating_add(256);
    if most >= needed {
        return;
    }
    notes.sick(
        Level::Problem,
        super::sysctl(path),
        format!("{most} IPv6 routes at most, and {wanted} are wanted here"),
        super::set(path, needed.saturating_mul(4)),
    );
}
