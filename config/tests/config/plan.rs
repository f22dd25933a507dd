//! What one node makes of a file: typed values for the actors.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use starling_bgp::msg::Export;
use starling_bgp::types::{Asn, Families, Family, PeerId, PeerKind};
use starling_config::model::{Bfd, default_tunnel_address, derived_router_id};
use starling_config::{Config, NodePlan, PeerPlan};
use starling_fib::types::Mode;

use super::good;

fn plan(config: &Config, name: &str) -> NodePlan {
    config.plan(config.nodes.iter().find(|node| node.name == name).unwrap())
}

fn peer<'a>(plan: &'a NodePlan, name: &str) -> &'a PeerPlan {
    plan.peers.iter().find(|peer| peer.name == name).unwrap()
}

fn strings<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(|item| item.to_string()).collect()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn network_b_on_server1() {
    let plan = plan(&good("network-b"), "server1");
    let names: Vec<&str> = plan.peers.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["server2", "server3", "server4", "gw0-rack0"]);
    let mate = peer(&plan, "server2");
    assert_eq!((mate.kind, mate.node, mate.port), (PeerKind::Mesh, true, 179));
    assert_eq!(mate.local_address, Some(address("10.1.5.10")));
    assert_eq!(strings(&mate.import.within), ["10.244.0.0/16"]);
    assert_eq!(strings(&mate.import.except), ["10.244.1.0/26"]);
    assert_eq!(strings(&mate.import.own_addresses), ["10.1.5.10", "10.244.1.0"]);
    // One policy for the mesh, so that an update-group need not compare lists.
    assert!(Arc::ptr_eq(&mate.import, &peer(&plan, "server3").import));
    let gateway = peer(&plan, "gw0-rack0");
    assert_eq!((gateway.kind, gateway.node), (PeerKind::External, false));
    assert!(gateway.import.within.is_empty(), "RFC 8212: nothing from eBGP by default");
    assert_eq!(gateway.export, Export::Own);
    assert_eq!(strings(&plan.fib.peers), ["10.1.5.11", "10.1.8.10", "10.1.8.11", "10.1.5.1"]);
    assert_eq!(plan.fib.tunnel.address.map(IpAddr::V4), Some(address("10.244.1.0")));
    assert_eq!((plan.fib.protocol, plan.fib.table, plan.fib.metric), (12, 254, 0));
    assert_eq!(plan.listen, None);
    assert_eq!(plan.timers.hold, Duration::from_secs(90));
}

#[test]
fn every_key_arrives() {
    let config = good("everything");
    let plan = plan(&config, "server1");
    assert_eq!(plan.router_id.to_string(), "192.0.2.1");
    assert_eq!(plan.asn, Asn(4_200_000_000));
    assert_eq!(strings(&plan.fib.subnets), ["10.1.5.0/24", "fd00:5::/64"]);
    assert_eq!((plan.fib.protocol, plan.fib.table, plan.fib.metric), (186, 100, 512));
    assert_eq!(plan.fib.tunnel.device, "ipip0");
    assert_eq!(plan.fib.tunnel.mtu, Some(1400));
    assert_eq!(plan.fib.tunnel.address.unwrap().to_string(), "10.244.1.63");
    let modes: Vec<Mode> = plan.pools.iter().map(|pool| pool.mode).collect();
    assert_eq!(modes, [Mode::Always, Mode::Never, Mode::Never]);
    assert_eq!(plan.timers.connect_retry, Duration::from_millis(1500));
    assert_eq!(plan.timers.settle, Duration::from_secs(30));
    assert_eq!(strings(&plan.http), ["127.0.0.1:9179", "[::1]:9179"]);
    assert_eq!(plan.control.to_str(), Some("/run/starling/other.sock"));
    assert_eq!(plan.readers.as_deref(), Some("staff"));
    assert_eq!(
        (plan.port, plan.listen.clone()),
        (1790, Some(vec![address("10.1.5.10"), address("fd00:5::10")]))
    );

    let tor = plan.peers.iter().find(|p| p.name == "tor0").unwrap();
    assert_eq!((tor.kind, tor.port, tor.passive), (PeerKind::External, 1179, true));
    assert_eq!((tor.families, tor.export), (Families::ALL, Export::All));
    assert_eq!(strings(&tor.import.within), ["0.0.0.0/0", "::/0"]);
    assert_eq!(strings(&tor.import.except).len(), 3);
    let router = plan.peers.iter().find(|p| p.name == "10.1.5.2").unwrap();
    assert_eq!((router.kind, router.local_address), (PeerKind::Internal, None));
    assert_eq!(
        strings(&router.import.within),
        ["10.244.0.0/16", "10.244.128.0/17", "fd00:244::/48", "198.51.100.0/24"]
    );
    let v4: Families = [Family::Ipv4].into_iter().collect();
    assert_eq!(router.families, v4, "the family of its address");

    let bfd = |name: &str| peer(&plan, name).bfd.map(|bfd| bfd.to_string());
    assert_eq!(bfd("server2").unwrap(), "5 x 1s multihop, ttl 224 and more");
    assert_eq!(bfd("tor0").unwrap(), "10 x 50ms multihop, ttl 250 and more");
    assert_eq!(bfd("10.1.5.2").unwrap(), "3 x 300ms");
    assert_eq!(router.bfd.unwrap().min_ttl, 255);
}

#[test]
fn bfd_is_on_between_nodes_and_off_towards_routers() {
    let server1 = plan(&good("network-b"), "server1");
    assert_eq!(peer(&server1, "server2").bfd, Some(Bfd::MESH));
    assert_eq!(peer(&server1, "gw0-rack0").bfd, None);
}

#[test]
fn mesh_sessions_use_ipv4_if_both_have_it_and_carry_what_both_have() {
    let config = good("everything");
    let v4: Families = [Family::Ipv4].into_iter().collect();
    let v6: Families = [Family::Ipv6].into_iter().collect();
    let one = plan(&config, "server1");
    let to = |name: &str| (peer(&one, name).address, peer(&one, name).families);
    assert_eq!(to("server2"), (address("10.1.5.11"), v4));
    assert_eq!(to("server3"), (address("fd00:8::10"), v6));
    assert_eq!(to("server4"), (address("10.1.8.11"), Families::ALL));
    assert_eq!(peer(&one, "server3").local_address, Some(address("fd00:5::10")));
    assert_eq!(peer(&one, "server2").port, 1790, "all nodes listen where we do");
    // One has only IPv4, the other only IPv6.
    assert!(!plan(&config, "server2").peers.iter().any(|p| p.name == "server3"));
}

#[test]
fn a_node_with_an_as_of_its_own_is_ebgp_and_still_of_the_mesh() {
    let config = good("everything");
    let one = plan(&config, "server1");
    let other = peer(&one, "server4");
    assert_eq!((other.kind, other.node), (PeerKind::External, true));
    assert_eq!((other.asn, other.local_asn), (Asn(65010), Asn(4_200_000_000)));
    assert_eq!(other.import.within.len(), 3, "pools come in");
    let back = plan(&config, "server4");
    assert_eq!((peer(&back, "server1").asn, back.asn), (Asn(4_200_000_000), Asn(65010)));
}

#[test]
fn both_ends_of_every_mesh_session_agree() {
    for name in ["network-a", "network-b", "network-c", "network-d-sick", "everything"] {
        let config = good(name);
        for node in &config.nodes {
            let plan = config.plan(node);
            for peer in plan.peers.iter().filter(|peer| peer.node) {
                let other = self::plan(&config, &peer.name);
                let back = self::peer(&other, &node.name);
                assert_eq!(Some(back.address), peer.local_address);
                assert_eq!(Some(peer.address), back.local_address);
                assert_eq!((back.asn, back.local_asn), (peer.local_asn, peer.asn));
                assert_eq!(back.families, peer.families);
            }
        }
    }
}

#[test]
fn the_typed_values_say_the_same() {
    let plan = plan(&good("everything"), "server1");
    let id = |peer: &PeerPlan| {
        let position = plan.peers.iter().position(|p| p.address == peer.address);
        position.map(|position| PeerId(1 + position as u32))
    };
    let rib = plan.rib_config(id);
    assert_eq!(
        (rib.asn, rib.router_id, rib.settle),
        (plan.asn, plan.router_id, plan.timers.settle)
    );
    let originated: Vec<_> = rib.originate.iter().map(|o| o.prefix).collect();
    assert_eq!(originated, plan.blocks);
    assert_eq!(strings(&rib.addresses), ["10.1.5.10", "fd00:5::10"]);
    assert_eq!(rib.peers.len(), plan.peers.len());
    for (peer, (number, policy)) in plan.peers.iter().zip(&rib.peers) {
        assert_eq!(Some(*number), id(peer));
        assert_eq!(
            (&policy.name, policy.export, policy.families),
            (&peer.name, peer.export, peer.families)
        );
        let config = peer.peer_config(*number);
        assert_eq!((config.id, config.kind, config.address), (*number, peer.kind, peer.address));
        assert_eq!((config.asn, config.local_asn), (peer.asn, peer.local_asn));
        assert_eq!((config.hold, config.connect_retry), (peer.hold, peer.connect_retry));
        assert_eq!((config.passive, config.families), (peer.passive, peer.families));
        assert_eq!((config.router_id, config.local_address), (peer.router_id, peer.local_address));
    }
}

#[test]
fn identifiers_are_made_from_the_address_or_the_name() {
    let config = good("network-a");
    assert_eq!(config.nodes[0].router_id.to_string(), "10.1.5.10");
    // `router-id = "name"`, and no IPv4 address.
    let config = good("everything");
    assert_eq!(config.nodes[1].router_id, derived_router_id("server2"));
    assert_eq!(config.nodes[2].router_id, derived_router_id("server3"));
    // Fixed for all time: a change would make every session anew. FNV-1a("a") is e4 0c 29 2c,
    // and 0xe4 % 126 + 1 = 103.
    assert_eq!(derived_router_id("a").to_string(), "103.12.41.44");
}

#[test]
fn the_tunnel_address_is_the_first_of_the_first_block_with_room() {
    let of = |blocks: &[&str]| {
        let blocks: Vec<_> = blocks.iter().map(|b| b.parse().unwrap()).collect();
        default_tunnel_address(&blocks).map(|a| a.to_string())
    };
    assert_eq!(of(&["fd00::/64", "10.244.9.9/32", "10.244.1.0/26"]).as_deref(), Some("10.244.1.0"));
    assert_eq!(of(&["10.244.9.9/32"]), None);
}

#[test]
fn a_tunnel_that_others_manage_is_left_alone() {
    let text = "[cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.244.0.0/16\"\n[tunnel]\nmanage = false\n\
                [[node]]\nname = \"a\"\naddress = \"10.1.5.10\"\nblocks = [\"10.244.1.0/26\"]\n";
    let config = starling_config::parse(text).unwrap();
    let plan = config.plan(&config.nodes[0]);
    assert!(!plan.fib.tunnel.manage);
    assert_eq!((plan.fib.tunnel.mtu, plan.fib.tunnel.address), (None, None));
}
