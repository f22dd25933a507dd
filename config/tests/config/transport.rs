//! Connections: keys, hops and ranges, in the plan of a node and in what a reload says.

use std::net::IpAddr;

use starling_bgp::types::{Asn, PeerKind};
use starling_config::transport::{Hops, Key};
use starling_config::{Config, NodePlan, PeerKey, diff};

use super::good;

const HEAD: &str = "[cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.244.0.0/16\"\n\
    [[node]]\nname = \"a\"\naddress = \"10.1.5.10\"\n[[node]]\nname = \"b\"\naddress = \"10.1.5.11\"\n";

fn load(rest: &str, key: &str) -> Config {
    let text = format!("{HEAD}{rest}");
    let files = [("etc/cluster.toml", text.as_str()), ("etc/gw.key", key)];
    Config::parse(&files).unwrap_or_else(|errors| panic!("{errors}"))
}

fn plan(rest: &str, key: &str) -> NodePlan {
    let config = load(rest, key);
    config.plan(&config.nodes[0])
}

fn who(address: &str, interface: Option<&str>) -> PeerKey {
    PeerKey::new(address.parse::<IpAddr>().unwrap(), interface)
}

const GW: &str = "[[peer]]\nname = \"gw\"\naddress = \"10.1.5.1\"\nasn = 65000\n";
const SIGNED: &str = "[[peer]]\nname = \"gw\"\naddress = \"10.1.5.1\"\nasn = 65000\n\
    password-file = \"gw.key\"\n";

#[test]
fn every_key_of_a_connection_arrives() {
    let config = good("everything");
    let plan = config.plan(&config.nodes[0]);
    let peer = |name: &str| plan.peers.iter().find(|peer| peer.name == name).unwrap();
    assert!(
        matches!(&peer("server2").transport.key, Some(Key::Md5(key)) if key.octets() == b"secret")
    );
    let tor = peer("tor0");
    let Some(Key::Ao(ao)) = &tor.transport.key else { panic!("{tor:?}") };
    assert_eq!(
        (ao.send_id, ao.receive_id, ao.algorithm.to_string()),
        (1, 2, "aes-128-cmac-96".into())
    );
    assert_eq!(tor.transport.hops, Hops::Security(1));
    assert_eq!((tor.transport.hops.ttl(), tor.transport.hops.least_ttl()), (Some(255), Some(255)));
    assert_eq!(tor.transport.interface.as_deref(), Some("net0"));
    assert_eq!((tor.hold.as_secs(), tor.connect_retry.as_secs()), (30, 2));
    let link_local = peer("fe80::1%net0");
    assert_eq!(link_local.key(), who("fe80::1", Some("net0")));
    assert_eq!(link_local.local_address, None, "our address there is another one");
    assert!(config.files.iter().any(|file| file.ends_with("keys/tor0")), "it is watched");
    assert!(Hops::Security(3).least_ttl() == Some(253) && Hops::Multihop(3).ttl() == Some(3));
}

#[test]
fn a_key_is_nowhere_to_be_read() {
    let config = load(SIGNED, "hunter2\n");
    let plan = config.plan(&config.nodes[0]);
    let report = starling_config::Report::new(
        &config,
        &config.nodes[0],
        starling_config::Chosen::Node("a".to_owned()),
        &[],
    );
    let said = format!("{config:?}{plan:?}{report}{}", serde_json::to_string(&report).unwrap());
    assert!(!said.contains("hunter2"), "{said}");
    assert!(said.contains("md5"), "that there is one is shown");
}

#[test]
fn another_key_makes_the_session_anew_and_is_not_told() {
    let changes = diff(&plan(SIGNED, "hunter2"), &plan(SIGNED, "hunter3"));
    assert_eq!(changes.to_string(), "~ peer gw: password: changed (the session is made anew)\n");
    assert!(!serde_json::to_string(&changes).unwrap().contains("hunter"));
    let changes = diff(&plan(GW, ""), &plan(SIGNED, "hunter3"));
    let line = "~ peer gw: password: none -> set (the session is made anew)\n";
    assert_eq!(changes.to_string(), line);
}

#[test]
fn a_caller_is_judged_by_the_longest_range() {
    let rest = "[[peer]]\nname = \"far\"\naddress = \"10.0.0.0/8\"\nasn = \"external\"\n\
        [[peer]]\nname = \"leaf\"\naddress = \"10.9.0.0/16\"\nasn = [65001, 64512]\nlimit = 2\n\
        [[peer]]\nname = \"one\"\naddress = \"10.9.0.1\"\nasn = 65000\n\
        [[peer]]\naddress = \"fe80::/10\"\ninterface = \"net0\"\nasn = 65009\n";
    let plan = plan(rest, "");
    let name = |address: &str, link, asn| {
        let who = who(address, link);
        let peer = plan.range_of(&who)?.neighbour(&who, Asn(asn))?;
        assert!(peer.passive && peer.range.is_some() && peer.asn == Asn(asn));
        Some((peer.name, peer.kind))
    };
    let is = |name: &str, kind| Some((name.to_owned(), kind));
    assert_eq!(name("10.9.3.7", None, 65001), is("leaf-10.9.3.7", PeerKind::External));
    assert_eq!(name("10.9.3.7", None, 64512), is("leaf-10.9.3.7", PeerKind::Internal));
    assert_eq!(name("10.9.3.7", None, 65002), None, "the longer range has it");
    assert_eq!(name("10.8.3.7", None, 65002), is("far-10.8.3.7", PeerKind::External));
    assert_eq!(name("10.8.3.7", None, 64512), None, "that is not external");
    assert_eq!(name("11.0.0.1", None, 65001), None);
    assert_eq!(name("fe80::7", Some("net0"), 65009), is("fe80::7%net0", PeerKind::External));
    assert_eq!(name("fe80::7", Some("net1"), 65009), None, "another link");

    let callers = [who("10.9.3.7", None), who("10.9.0.1", None), who("10.8.0.1", None)];
    let full = plan.with(callers.iter().map(|who| (who, Asn(65001))));
    let names: Vec<&str> = full.peers.iter().map(|peer| peer.name.as_str()).collect();
    assert_eq!(names, ["b", "one", "leaf-10.9.3.7", "far-10.8.0.1"]);
    assert_eq!(full.fib.peers.len(), 4);
}

#[test]
fn a_reload_tells_what_becomes_of_ranges() {
    let range = "[[peer]]\nname = \"leaf\"\naddress = \"10.9.0.0/16\"\nasn = 65001\n";
    let (none, one) = (plan("", ""), plan(range, ""));
    assert_eq!(diff(&none, &one).to_string(), "+ range leaf (10.9.0.0/16, AS 65001)\n");
    assert_eq!(diff(&one, &none).to_string(), "- range leaf (10.9.0.0/16)\n");
    let other =
        range.replace("65001", "[65001, 65002]") + "limit = 5\npassword-file = \"gw.key\"\n";
    let said = diff(&one, &plan(&other, "hunter2")).to_string();
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "~ range leaf: password: none -> set (its sessions are made anew)",
            "~ range leaf: limit: 100 -> 5",
            "~ range leaf: asn: 65001 -> 65001 or 65002",
        ]
    );
}
