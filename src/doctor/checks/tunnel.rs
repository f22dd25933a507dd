//! The tunnel device: there, of the right kind, up, with room for what it carries (RFC 2003: 20
//! octets of the underlay's MTU are the outer header's), addressed, without a far end of its own or
//! a ban on fragments, and in the VRF of the routes that lead into it.

use starling_fib::types::Link;

use crate::api::Level;
use crate::doctor::facts::{Configured, Facts, Host, Module};
use crate::doctor::notes::{Notes, count};

const OUTER_HEADER: u32 = 20;
/// Packets of a protocol that nobody here takes.
const UNKNOWN: &str = "Ip.InUnknownProtos";

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(configured) = &facts.configured else { return };
    let host = &facts.host;
    let tunnel = &configured.plan.fib.tunnel;
    let found = host.link(&tunnel.device);
    if !configured.needs_tunnel() {
        let strays = host.counters.get(UNKNOWN).copied().unwrap_or(0);
        if found.is_none() && strays > 0 {
            let text = format!(
                "no pool asks for it, and {} of a protocol that nobody here takes came: does a \
                 node tunnel to this one?",
                count(strays as usize, "packet")
            );
            let cure = "tcpdump -n -i any ip proto 4; then compare the pools of both files";
            notes.sick(Level::Hint, &tunnel.device, text, cure);
        } else {
            notes.ok(&tunnel.device, "no pool asks for a tunnel");
        }
        return;
    }
    let Some(link) = found else { return missing(configured, host, notes) };
    if link.kind.as_deref().is_some_and(|kind| kind != "ipip") {
        let kind = link.kind.as_deref().unwrap_or_default();
        let text = format!("it is a {kind} device, not ipip: nothing is encapsulated");
        let cure = format!("ip link set {0} name {0}-other; bgpctl reload", tunnel.device);
        return notes.sick(Level::Problem, &tunnel.device, text, cure);
    }
    if let Some(remote) = link.remote {
        let text = format!("it leads to {remote} alone: a tunnel for all nodes has no far end");
        let cure = format!("ip link del {}; bgpctl reload", tunnel.device);
        return notes.sick(Level::Problem, &tunnel.device, text, cure);
    }
    if !link.up {
        let text = "it is down: no packet leaves or enters by it";
        notes.sick(
            Level::Problem,
            &tunnel.device,
            text,
            format!("ip link set {} up", tunnel.device),
        );
    }
    mtu(configured, host, link, notes);
    if link.pmtudisc {
        let text = "it is pmtudisc: where a path carries less than this node's own link, packets \
                    that allow fragments are lost";
        let cure = format!("ip link set {} type ipip ttl inherit nopmtudisc", tunnel.device);
        notes.sick(Level::Warning, &tunnel.device, text, cure);
    }
    let table = configured.plan.fib.table;
    let vrf = host.links.iter().find(|vrf| vrf.vrf == Some(table));
    if let Some(vrf) = vrf.filter(|vrf| link.master != Some(vrf.index)) {
        let text = format!(
            "it is not in {0}: what comes out of it is not looked up in table {table}",
            vrf.name
        );
        let cure = format!("ip link set {} master {}", tunnel.device, vrf.name);
        notes.sick(Level::Problem, &tunnel.device, text, cure);
    }
    let addresses = host.addresses.iter().filter(|known| known.device == link.index);
    let addresses: Vec<std::net::IpAddr> = addresses.map(|known| known.address.addr()).collect();
    match tunnel.address {
        Some(wanted) if !addresses.contains(&wanted.into()) => notes.sick(
            Level::Warning,
            &tunnel.device,
            format!(
                "{wanted} is not on it: what this host itself sends to pods has another source"
            ),
            format!("ip address add {wanted}/32 dev {}", tunnel.device),
        ),
        _ => {}
    }
    if notes.is_well() {
        notes.ok(&tunnel.device, format!("ipip, up, mtu {}", link.mtu));
    }
}

fn missing(configured: &Configured, host: &Host, notes: &mut Notes) {
    let tunnel = &configured.plan.fib.tunnel;
    let device = &tunnel.device;
    let (why, cure) = match host.ipip {
        Module::Absent => (
            "this kernel has no module ipip",
            "install the kernel's modules (linux-modules-extra on Ubuntu); modprobe ipip"
                .to_owned(),
        ),
        Module::Loadable => ("the module ipip is not loaded", "modprobe ipip".to_owned()),
        Module::Present | Module::Unknown if !tunnel.manage => (
            "whoever keeps it (`manage = false`) has not made it",
            format!("ip link add {device} type ipip; ip link set {device} up"),
        ),
        Module::Present | Module::Unknown => {
            ("it has not been made", "modprobe ipip; bgpctl reload".to_owned())
        }
    };
    let text = format!("there is no such device, and a pool wants to be tunnelled: {why}");
    notes.sick(Level::Problem, device, text, cure);
}

fn mtu(configured: &Configured, host: &Host, link: &Link, notes: &mut Notes) {
    let own = configured.plan.addresses.iter().find(|own| own.address.is_ipv4());
    let Some((underlay, _)) = own.and_then(|own| host.carrier(own.address)) else { return };
    let fits = underlay.mtu.saturating_sub(OUTER_HEADER);
    let set = format!("ip link set {} mtu {fits}", link.name);
    if link.mtu > fits {
        let text = format!(
            "its mtu {} does not fit {}, which carries {}: large packets are lost or cut in pieces",
            link.mtu, underlay.name, underlay.mtu
        );
        notes.sick(Level::Warning, &link.name, text, set);
    } else if link.mtu < fits && configured.plan.fib.tunnel.mtu.is_none() {
        let text = format!("its mtu is {}, and {} has room for {fits}", link.mtu, underlay.name);
        notes.sick(Level::Hint, &link.name, text, set);
    }
}
