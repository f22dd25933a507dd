//! The links to local pods: proxy_arp, for the gateway 169.254.1.1 that pods have, and the MTU.

use starling_fib::types::Link;

use crate::api::Level;
use crate::doctor::facts::{Configured, Facts, Host};
use crate::doctor::notes::{Notes, count, some};

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(configured) = &facts.configured else { return };
    let host = &facts.host;
    let links = host.links.iter().filter(|link| link.up && configured.leads_to_pods(&link.name));
    let links: Vec<&Link> = links.collect();
    if links.is_empty() {
        let patterns = some(&configured.plan.fib.pods.interfaces);
        return notes.ok("pods", format!("no interface here is called {patterns}"));
    }
    let path = |link: &Link| format!("net/ipv4/conf/{}/proxy_arp", link.name);
    let off: Vec<&&Link> =
        links.iter().filter(|link| host.number(&path(link)) == Some(0)).collect();
    if let Some(first) = off.first() {
        notes.sick(
            Level::Warning,
            some(off.iter().map(|link| &link.name)),
            format!(
                "proxy_arp is off on {} of {}: a pod whose gateway is 169.254.1.1 gets no answer \
                 from it",
                off.len(),
                count(links.len(), "pod link")
            ),
            super::set(&path(first), 1),
        );
    }
    mtu(configured, host, &links, notes);
    if notes.is_well() {
        notes.ok("pods", format!("{} with proxy_arp", count(links.len(), "link")));
    }
}

fn mtu(configured: &Configured, host: &Host, links: &[&Link], notes: &mut Notes) {
    let tunnel = host.link(&configured.plan.fib.tunnel.device);
    let Some(tunnel) = tunnel.filter(|_| configured.needs_tunnel()) else { return };
    let large: Vec<&&Link> = links.iter().filter(|link| link.mtu > tunnel.mtu).collect();
    if let Some(first) = large.first() {
        notes.sick(
            Level::Hint,
            some(large.iter().map(|link| &link.name)),
            format!(
                "mtu {} is more than the tunnel's {}: every large packet to another rack costs an \
                 ICMP, and is lost where that is not let through",
                first.mtu, tunnel.mtu
            ),
            format!("set the pods' mtu to {}, on both ends of their links", tunnel.mtu),
        );
    }
}
