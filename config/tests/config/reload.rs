//! What a reload would change.

use starling_config::{Changes, Config, diff};

use super::{files, good, parse};

fn text(name: &str) -> String {
    files("good").into_iter().find(|(n, _)| n == name).unwrap().1
}

fn between(old: &Config, new: &Config) -> Changes {
    diff(&old.plan(&old.nodes[0]), &new.plan(&new.nodes[0]))
}

fn after(name: &str, edits: &[(&str, &str)]) -> Changes {
    let mut text = text(name);
    for (from, to) in edits {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    between(&good(name), &parse("edited", &text).unwrap_or_else(|errors| panic!("{errors}")))
}

#[test]
fn the_same_file_changes_nothing() {
    for (name, _) in files("good") {
        let changes = between(&good(&name), &good(&name));
        assert!(changes.is_empty());
        assert_eq!(changes.to_string(), "nothing changes\n");
    }
}

#[test]
fn another_order_of_nodes_and_peers_changes_nothing() {
    let text = text("network-b");
    let (head, tables) = text.split_at(text.find("[[node]]").unwrap());
    let mut tables: Vec<&str> = tables.split("\n\n").collect();
    tables[1..].reverse();
    let turned = format!("{head}{}", tables.join("\n\n"));
    let new = parse("turned", &turned).unwrap();
    assert_eq!(new.nodes[0].name, "server1");
    assert!(between(&good("network-b"), &new).is_empty());
}

/// Network D's cure: a mode, and no session is touched.
#[test]
fn the_cure_of_network_d_touches_the_pool_alone() {
    let changes = between(&good("network-d-sick"), &good("network-d-cured"));
    assert_eq!(changes.to_string(), "~ pool 192.168.0.0/16: ipip never -> always\n");
    assert!(changes.peers_changed.is_empty());
}

#[test]
fn a_node_comes_and_one_goes() {
    let changes = after("network-c", &[("node3", "node4"), ("10.7.120.13", "10.7.120.14")]);
    let lines = "+ peer node4 (10.7.120.14, AS 64512)\n- peer node3 (10.7.120.13, AS 64512)\n";
    assert_eq!(changes.to_string(), lines);
}

#[test]
fn policy_keeps_the_session_and_open_makes_it_anew() {
    let policy = after("network-b", &[("10.1.5.1\"\n", "10.1.5.1\"\nimport = [\"0.0.0.0/0\"]\n")]);
    let [gateway] = policy.peers_changed.as_slice() else { panic!("{policy}") };
    assert!(gateway.session.is_empty() && gateway.policy.len() == 1);
    let session = after(
        "network-b",
        &[(
            "asn = 65000\nnodes = { rack = \"rack0\" }",
            "asn = 65001\nnodes = { rack = \"rack0\" }",
        )],
    );
    let [gateway] = session.peers_changed.as_slice() else { panic!("{session}") };
    assert!(gateway.policy.is_empty());
    assert_eq!(gateway.session.len(), 1);
    assert_eq!(gateway.peer.asn, 65001);
}

#[test]
fn what_needs_a_restart_says_so() {
    let changes =
        after("network-b", &[("[cluster]", "[control]\nsocket = \"/run/x.sock\"\n[cluster]")]);
    let restart: Vec<&str> = changes.restart().map(|setting| setting.what).collect();
    assert_eq!(restart, ["[control] socket"]);
    let live = after("network-b", &[("[cluster]", "[timers]\nsettle = 5\n[cluster]")]);
    assert_eq!(live.restart().count(), 0);
    assert!(!live.is_empty());
}

#[test]
fn every_change_has_its_line() {
    let changes = after(
        "everything",
        &[
            ("asn = 4200000000\nmesh", "asn = 64512\nmesh"),
            ("10.244.1.0/26", "10.244.7.0/26"),
            ("tunnel-address = \"10.244.1.63\"\n", ""),
            ("router-id = \"192.0.2.1\"", "router-id = \"192.0.2.2\""),
            ("cidr = \"10.244.128.0/17\"", "cidr = \"10.244.0.0/15\""),
            ("[\"10.1.5.10/24\"", "[\"10.1.5.10\""),
            ("protocol = \"bgp\"\ntable = 100\nmetric = 512", ""),
            ("interfaces = [\"cali*\", \"veth*\"]\nprotocols = [80, \"boot\"]", ""),
            ("announce = \"all\"", "protocols = \"any\"\nannounce = \"none\""),
            ("device = \"ipip0\"\nmtu = 1400\nmanage = true", "manage = false"),
            ("1m30s", "30s"),
            ("1500ms", "3s"),
            ("settle = 30", "settle = 60"),
            ("export = \"all\"\npassive = true\nport = 1179", ""),
            ("families = [\"ipv4\", \"ipv6\"]\nlocal-address = \"10.1.5.10\"", ""),
            ("\"[::1]:9179\"", "\"[::1]:9180\""),
            ("per-peer = true", "per-peer = \"auto\""),
            ("other.sock\"\nreaders = \"staff\"", "control.sock\""),
            ("calico/bird.ctl", "bird/bird.ctl"),
            ("bird6 = \"/var/run/calico/bird6.ctl\"\n", ""),
            ("port = 1790\nlisten = \"node\"", ""),
        ],
    );
    insta::assert_snapshot!("reload", changes.to_string());
    let json = serde_json::to_value(&changes).unwrap();
    assert_eq!(json["pools"][0]["to"], "never");
}

#[test]
fn bfd_changes_without_the_session() {
    let slower = after("network-b", &[("[[pool]]", "[bfd]\ninterval = \"1s\"\n\n[[pool]]")]);
    assert!(slower.peers_changed.iter().all(|peer| peer.session.is_empty()));
    let line = "~ peers server2, server3 and server4: bfd: 3 x 300ms multihop, ttl 224 and more -> \
                3 x 1s multihop, ttl 224 and more\n";
    assert_eq!(slower.to_string(), line);
    let on = after("network-b", &[("10.1.5.1\"\n", "10.1.5.1\"\nbfd = true\n")]);
    assert_eq!(on.to_string(), "~ peer gw0-rack0: bfd: off -> 3 x 300ms\n");
}

/// A session that may take several hops is watched by BFD that may.
#[test]
fn bfd_goes_as_far_as_its_session() {
    for (hops, words) in [
        ("multihop = 2", "3 x 300ms multihop, ttl 1 and more"),
        ("ttl-security = 3", "3 x 300ms multihop, ttl 1 and more"),
        ("ttl-security = 1", "3 x 300ms"),
    ] {
        let on = format!("10.1.5.1\"\nbfd = true\n{hops}\n");
        let changes = after("network-b", &[("10.1.5.1\"\n", &on)]).to_string();
        assert!(changes.contains(&format!("bfd: off -> {words}\n")), "{changes}");
    }
}
