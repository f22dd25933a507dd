//! What is accepted, and what the nodes of it would do: `starlingd check`, word by word.

use std::net::IpAddr;

use ipnet::IpNet;
use starling_config::{Chosen, Config, Report};

use super::{files, good, parse};

/// The node's addresses as its interface would have them: /24 and /64, on net0.
fn interfaces(config: &Config, node: &str) -> Vec<(String, IpNet)> {
    let node = config.nodes.iter().find(|n| n.name == node).unwrap();
    let net =
        |address: IpAddr| IpNet::new(address, if address.is_ipv4() { 24 } else { 64 }).unwrap();
    node.addresses.iter().map(|a| ("net0".to_owned(), net(a.address))).collect()
}

fn report(config: &Config, index: usize) -> Report {
    let node = &config.nodes[index];
    let because = Chosen::Hostname(node.name.clone());
    Report::new(config, node, because, &interfaces(config, &node.name))
}

#[test]
fn what_check_says_on_the_first_node() {
    for (name, text) in files("good") {
        let config = parse(&name, &text).unwrap_or_else(|errors| panic!("{errors}"));
        insta::assert_snapshot!(format!("check-{name}"), report(&config, 0).to_string());
    }
}

#[test]
fn what_check_says_off_the_cluster() {
    let config = good("network-b");
    let node = &config.nodes[0];
    let report = Report::new(&config, node, Chosen::Node("server1".into()), &[]);
    insta::assert_snapshot!("check-elsewhere", report.to_string());
}

#[test]
fn what_check_says_with_a_host_address() {
    let config = good("network-b");
    let node = &config.nodes[0];
    let here = [("eth0".to_owned(), "10.1.5.10/32".parse().unwrap())];
    let report = Report::new(&config, node, Chosen::Node("server1".into()), &here);
    insta::assert_snapshot!("check-slash-32", report.to_string());
}

#[test]
fn check_for_programs_is_json() {
    let config = good("network-d-sick");
    let json = serde_json::to_value(report(&config, 0)).unwrap();
    assert_eq!(json["because"]["by"], "hostname");
    assert_eq!(json["nodes"][0]["ways"][0]["way"], "gateway");
    assert_eq!(json["nodes"][0]["ways"][0]["next_hop"], "10.39.3.75");
    assert_eq!(json["peers"][0]["kind"], "mesh");
    assert_eq!(json["tunnel"], serde_json::Value::Null);
}

#[test]
fn the_shortest_file_warns_of_what_it_lacks() {
    let config = starling_config::parse(
        "[cluster]\nasn = 64512\nmesh = false\n[[node]]\nname = \"a\"\naddress = \"10.1.5.10\"\n",
    )
    .unwrap();
    let said: Vec<&str> = config.warnings.iter().map(|w| w.message.as_str()).collect();
    assert_eq!(said, ["the mesh is off and there is no [[peer]]", "there is no [[pool]]"]);
}

#[test]
fn warnings_leave_the_configuration_usable() {
    let config = starling_config::parse(
        r#"
[cluster]
asn = 64512
[[pool]]
cidr = "10.0.0.0/8"
[[pool]]
cidr = "fd00::/16"
ipip = "always"
[[node]]
name = "a"
address = "10.1.5.10/32"
[[node]]
name = "b"
address = "fd00::11"
[[peer]]
address = "fd00::1"
asn = 65000
[[peer]]
address = "10.1.5.1"
asn = 65000
nodes = { rack = "rack0" }
[kernel]
protocol = 80
[timers]
hold = 3
"#,
    )
    .unwrap();
    let said: Vec<String> = config.warnings.iter().map(|w| w.to_string()).collect();
    insta::assert_snapshot!("warnings", said.join("\n"));
}

#[test]
fn the_report_fits_a_terminal() {
    for name in ["network-a", "network-b", "network-c"] {
        let report = report(&good(name), 0).to_string();
        let widest = report.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 120, "{widest} in {report}");
    }
}

#[test]
fn a_thousand_nodes() {
    let mut text = "[cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.0.0.0/8\"\n".to_owned();
    for i in 0..1000 {
        let (high, low) = (i / 250, i % 250 + 1);
        text.push_str(&format!(
            "[[node]]\nname = \"n{i}\"\naddress = \"192.168.{high}.{low}\"\nblocks = [\"10.{high}.{low}.0/24\"]\n"
        ));
    }
    let config = starling_config::parse(&text).unwrap();
    assert!(config.nodes.iter().all(|node| config.plan(node).peers.len() == 999));
    // The same again: every name, address and block twice.
    let tables = text.find("[[node]]").unwrap();
    let twice = format!("{text}{}", &text[tables..]);
    assert_eq!(starling_config::parse(&twice).unwrap_err().errors.len(), 3000);
}
