//! The node's addresses in the file against those of the interfaces: "same subnet" is asked of
//! them.

use ipnet::IpNet;

use super::super::facts::{Facts, Host};
use crate::api::Level;
use crate::doctor::notes::{Notes, some};

pub fn check(facts: &Facts, notes: &mut Notes) {
    let Ok(configured) = &facts.configured else { return };
    for own in &configured.plan.addresses {
        let places: Vec<(&str, IpNet)> = places(&facts.host, own.address);
        let subject = own.address.to_string();
        let (name, net) = match places.as_slice() {
            [] => {
                notes.sick(
                    Level::Problem,
                    subject,
                    "this node's address is on no interface: sessions have no source, and no next \
                     hop is on its subnet",
                    format!("ip address; ip address add {}/LENGTH dev DEVICE", own.address),
                );
                continue;
            }
            [one] => *one,
            [first, ..] => {
                let names = some(places.iter().map(|(name, _)| name));
                notes.sick(
                    Level::Warning,
                    subject.clone(),
                    format!("this node's address is on several interfaces: {names}"),
                    format!("ip address del {} dev DEVICE, on all but one", first.1),
                );
                *first
            }
        };
        let is_host = net.prefix_len() == net.max_prefix_len();
        match own.subnet {
            None if is_host => notes.sick(
                Level::Warning,
                subject,
                format!(
                    "{name} has it as {net}, a host address: no other node is on its subnet, so \
                     cross-subnet pools tunnel to all"
                ),
                format!("write the subnet: address = \"{}/LENGTH\" in [[node]]", own.address),
            ),
            Some(subnet) if !is_host && subnet.prefix_len() != net.prefix_len() => notes.sick(
                Level::Warning,
                subject,
                format!(
                    "the file says {}/{}, {name} has {net}: what lies in only one of the two is \
                     sent another way than it comes back",
                    own.address,
                    subnet.prefix_len()
                ),
                format!("make them alike: address = \"{net}\" in [[node]], or ip address"),
            ),
            _ => notes.ok(subject, format!("on {name} as {net}")),
        }
    }
    twins(&facts.host, configured.plan.addresses.iter().map(|own| own.address), notes);
}

fn places(host: &Host, address: std::net::IpAddr) -> Vec<(&str, IpNet)> {
    let found = host.addresses.iter().filter(|known| known.address.addr() == address);
    found
        .filter_map(|known| {
            let link = host.links.iter().find(|link| link.index == known.device)?;
            Some((link.name.as_str(), known.address))
        })
        .collect()
}

/// Another interface in the subnet of the node's own.
fn twins(host: &Host, own: impl Iterator<Item = std::net::IpAddr>, notes: &mut Notes) {
    for address in own {
        let Some((carrier, net)) = host.carrier(address) else { continue };
        let twin = host
            .addresses
            .iter()
            .find(|other| other.device != carrier.index && other.address.trunc() == net.trunc());
        let Some(twin) = twin.filter(|_| net.prefix_len() < net.max_prefix_len()) else { continue };
        let name = host.links.iter().find(|link| link.index == twin.device);
        let name = name.map_or("another interface", |link| link.name.as_str());
        notes.sick(
            Level::Hint,
            name,
            format!(
                "it is in {} as {} is: the kernel may answer for one with the other's address",
                net.trunc(),
                carrier.name
            ),
            "sysctl -w net.ipv4.conf.all.arp_announce=2 net.ipv4.conf.all.arp_ignore=1",
        );
    }
}
