//! Sessions between link-local addresses with those that have them, and what their next hops become
//! (RFC 2545 §3): a route in the kernel on the link of the session, and ours on theirs.

use std::net::{IpAddr, Ipv6Addr};

use anyhow::ensure;
use starling_lab::matrix::Feature;
use starling_lab::speaker::{Network, Software};
use starling_lab::{Family, Result, routes, wait_for};

use crate::beside::{Beside, networks, number, toml};
use crate::sessions::used;
use crate::support::SOON;

/// The node, on the wire.
const LINK: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);

/// A peer, on the wire.
fn link(software: Software) -> IpAddr {
    format!("fe80::{}", 100 + u16::from(number(software))).parse().unwrap()
}

#[test]
fn link_local_next_hops_lead_to_the_link_of_their_session() -> Result {
    let mut beside = Beside::start(&Software::ALL, "", |software, router| {
        let mut network = Network::new(&networks(software)[1])?;
        // Who is told its next hops is told this one.
        if software == Software::GoBgp {
            network.next_hop = Some(link(software));
        }
        router.networks.push(network);
        let node = &mut router.neighbors[0];
        node.address = LINK.into();
        node.interface = Some("net0".to_owned());
        node.families = vec![Family::V6];
        let toml = toml(software, "").replace("\"ipv4\", ", "");
        Ok(toml.replace(&router.address.to_string(), &format!("{}%net0", link(software))))
    })?;
    // FRR says another address of the link too, if it has one, and that is then the next hop.
    for peer in beside.peers.iter().filter(|peer| peer.software == Software::Frr) {
        peer.netns.ip_line(&format!("address del {}/64 dev net0", peer.router.address6))?;
    }
    // A second link with the same address on it, where nobody is.
    let elsewhere = beside.cluster.lab().netns("elsewhere")?;
    let node = beside.cluster.node(1)?.netns();
    node.ip_lines(&node.veth("aaa0", &elsewhere, "net0")?)?;
    elsewhere.ip_line("link set net0 up")?;
    for device in ["aaa0", "net0"] {
        node.ip_line(&format!("address add fe80::1/64 dev {device} nodad"))?;
    }
    beside.sessions()?;
    beside.each(Feature::LinkLocalNextHop, |cluster, peer| {
        let prefix = &networks(peer.software)[1];
        let way = format!("via {} dev net0", link(peer.software));
        wait_for("its route in the kernel", SOON, || {
            let path = used(cluster, prefix)?;
            ensure!(path.next_hop == Some(link(peer.software)), "{path:#?}");
            let held = routes(cluster.nodes()[0].netns(), Family::V6, prefix)?;
            ensure!(held.len() == 1 && held[0].to_string().contains(&way), "{held:#?}");
            Ok(())
        })?;
        peer.hears(LINK.into(), "fd00:244:1::/64", |_| Ok(()))?;
        Ok(())
    })
}
