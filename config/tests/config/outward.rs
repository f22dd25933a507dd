//! Reflectors, and what goes to a router besides.

use std::net::Ipv4Addr;

use starling_bgp::msg::{Export, NextHopMode};
use starling_bgp::types::PeerId;
use starling_config::{Config, NodePlan, diff};

use super::{good, parse};

fn plan(config: &Config, name: &str) -> NodePlan {
    config.plan(config.nodes.iter().find(|node| node.name == name).unwrap())
}

/// The other nodes that a node peers with, and whether they are clients.
fn sessions(plan: &NodePlan) -> Vec<(&str, bool)> {
    let nodes = plan.peers.iter().filter(|peer| peer.node);
    nodes.map(|peer| (peer.name.as_str(), peer.policy().client)).collect()
}

#[test]
fn every_node_peers_with_the_reflectors_and_those_with_each_other() {
    let config = good("reflectors");
    let (server1, server3) = (plan(&config, "server1"), plan(&config, "server3"));
    // A node of another AS has eBGP with them: it is no client.
    let others = [("server2", false), ("server3", true), ("server4", true), ("other", false)];
    assert_eq!(sessions(&server1), others);
    assert_eq!(sessions(&server3), [("server1", false), ("server2", false)]);
    // During a migration the mesh stays beside them.
    let text = std::fs::read_to_string("tests/good/reflectors.toml").unwrap();
    let both = parse("both", &text.replace("[[pool]]", "mesh = true\n[[pool]]")).unwrap();
    let meshed = plan(&both, "server3");
    assert_eq!(
        sessions(&meshed),
        ["server1", "server2", "server4", "other"].map(|name| (name, false))
    );
    assert_eq!(sessions(&plan(&both, "server1")), others);
}

#[test]
fn a_cluster_id_is_the_nodes_that_of_all_or_its_identifier() {
    let config = good("reflectors");
    let id = |name| plan(&config, name).cluster_id;
    assert_eq!(id("server1"), Some(Ipv4Addr::new(10, 0, 0, 1)));
    assert_eq!(id("server2"), Some(Ipv4Addr::new(10, 0, 0, 2)));
    // It has a client among the routers, and is not one of the reflectors.
    assert_eq!(id("server3"), Some(Ipv4Addr::new(10, 1, 5, 11)));
    assert_eq!(id("server4"), None);
    let server1 = plan(&config, "server1");
    assert_eq!(server1.rib_config(|_| None).cluster_id, Some(Ipv4Addr::new(10, 0, 0, 1)));
    // Sessions know it too: what comes back with it is a loop.
    let session = server1.peers[0].peer_config(PeerId(1));
    assert_eq!(session.cluster_id, Some(Ipv4Addr::new(10, 0, 0, 1)));
}

#[test]
fn what_goes_to_a_router_arrives() {
    let config = good("reflectors");
    let tor = plan(&config, "server1").peers.iter().find(|peer| peer.name == "tor").cloned();
    let tor = tor.unwrap();
    let policy = tor.policy();
    assert!(policy.client && policy.default_route && policy.drain && !policy.best_external);
    assert_eq!(policy.next_hop, NextHopMode::Keep);
    // Where the file does not say, it is so where it is needed.
    let text = std::fs::read_to_string("tests/good/reflectors.toml").unwrap();
    for (export, wanted) in [(Export::All, true), (Export::Own, false)] {
        let word = if export == Export::All { "all" } else { "own" };
        let text = text.replace("best-external = false", "");
        let text = text.replace("export = \"all\"", &format!("export = \"{word}\""));
        let server1 = plan(&parse("x", &text).unwrap(), "server1");
        let policy = server1.peers.iter().find(|p| p.name == "tor").unwrap().policy();
        assert_eq!(policy.best_external, wanted);
    }
}

#[test]
fn a_reload_says_what_changes_and_keeps_sessions() {
    let text = std::fs::read_to_string("tests/good/reflectors.toml").unwrap();
    let edits = [
        ("next-hop = \"keep\"", "next-hop = \"self\""),
        ("drain = true", "drain = false"),
        ("cluster-id = \"10.0.0.1\"", "cluster-id = \"10.0.0.9\""),
        ("route-reflector-client = true", ""),
    ];
    let edited = edits.iter().fold(text, |text, (from, to)| text.replace(from, to));
    let new = parse("edited", &edited).unwrap();
    let changes = diff(&plan(&good("reflectors"), "server1"), &plan(&new, "server1"));
    assert!(changes.peers_changed.iter().all(|change| change.session.is_empty()));
    assert_eq!(
        changes.to_string(),
        "~ peer tor: next-hop: keep -> self\n\
         ~ peer tor: route-reflector-client: true -> false\n\
         ~ peer tor: drain: true -> false\n\
         ~ cluster-id: 10.0.0.1 -> 10.0.0.9\n"
    );
}
