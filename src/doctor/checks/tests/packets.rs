//! What the packet filter does to each kind of packet, and the command that helps.

use super::*;
use crate::doctor::facts::{Cause, Down};
use crate::doctor::filter::iptables::{Sets, tables};
use crate::doctor::filter::{Table, Tool, nft};

/// A chain of nft's with rules in JSON.
fn chain(hook: &str, policy: &str, rules: &[&str]) -> Vec<Table> {
    let rule = |expr: &&str| {
        format!(
            r#",{{"rule":{{"family":"inet","table":"host","chain":"{hook}","handle":1,"expr":[{expr}]}}}}"#
        )
    };
    let rules: String = rules.iter().map(rule).collect();
    let json = format!(
        r#"{{"nftables":[{{"table":{{"family":"inet","name":"host"}}}},{{"chain":{{"family":"inet",
        "table":"host","name":"{hook}","type":"filter","hook":"{hook}","policy":"{policy}"}}}}
        {rules}]}}"#
    );
    nft::tables(&json, "").unwrap()
}

fn with(tables: Vec<Table>) -> Facts {
    with_host(|host| host.filter.tables = tables)
}

fn drop_udp(port: u16) -> String {
    format!(
        r#"{{"match":{{"op":"==","left":{{"payload":{{"protocol":"udp","field":"dport"}}}},"right":{port}}}}},
        {{"drop":null}}"#
    )
}

const DROP_IPIP: &str =
    r#"{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":4}},{"drop":null}"#;
const DROP_BGP: &str = r#"{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":179}},{"drop":null}"#;
const ANSWERS: &str =
    r#"{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":[2,4]}},{"accept":null}"#;

#[test]
fn ip_in_ip_that_is_dropped_from_the_other_rack() {
    let facts = with(chain("input", "accept", &[DROP_IPIP]));
    says(
        &facts,
        "filter",
        Level::Problem,
        "IP in IP (protocol 4) from server3 is dropped",
        "nft insert rule inet host input ip saddr '{ 10.1.8.10 }' ip protocol 4 accept",
    );
    let out = with(chain("output", "accept", &[DROP_IPIP]));
    says(&out, "filter", Level::Problem, "to server3", "output ip daddr '{ 10.1.8.10 }'");
    // Nothing is tunnelled where no pool asks for it.
    let never = sick(|facts| {
        facts.host.filter.tables = chain("input", "accept", &[DROP_IPIP]);
        facts.configured = Ok(configured(&TOML.replace("cross-subnet", "never")));
    });
    assert_eq!(examine(&never).worst, Level::Ok);
}

#[test]
fn a_stateful_filter_lets_answers_in_and_no_first_packet() {
    let facts = with(chain("input", "accept", &[ANSWERS, DROP_IPIP]));
    says(&facts, "filter", Level::Warning, "only what answers", "ip protocol 4 accept");
    // To conntrack the two directions of BFD have nothing to do with each other.
    let bfd = with(chain("input", "accept", &[ANSWERS, &drop_udp(4784)]));
    let finding = one(&bfd, "filter", Level::Warning);
    assert!(!finding.text.contains("answers"), "{finding:?}");
}

#[test]
fn a_policy_of_drop_stops_each_kind_apart() {
    let facts = with(chain("input", "drop", &[]));
    let findings = examine(&facts).findings;
    let texts: Vec<(&str, Level)> =
        findings.iter().filter(|f| f.check == "filter").map(|f| (&*f.text, f.level)).collect();
    let has = |words: &str, level| texts.iter().any(|(t, l)| t.contains(words) && *l == level);
    assert!(has("IP in IP (protocol 4) from server3 is dropped: policy drop", Level::Problem));
    // The session is up, for this node called.
    assert!(has("BGP (TCP 179) from server2, server3 is dropped", Level::Hint), "{texts:?}");
    assert!(has("BFD (UDP 4784) from server2, server3 is dropped", Level::Warning), "{texts:?}");
    assert_eq!(texts.len(), 3, "{texts:?}");
}

#[test]
fn bgp_that_is_dropped_matters_when_the_session_is_down() {
    let facts = sick(|facts| {
        facts.host.filter.tables = chain("input", "accept", &[DROP_BGP]);
        let daemon = facts.daemon.as_mut().unwrap();
        daemon.sessions[1].down = Some(Down { cause: Cause::Silent, words: "x".to_owned() });
    });
    let findings = examine(&facts).findings;
    let problem = findings.iter().find(|f| f.check == "filter" && f.level == Level::Problem);
    let problem = problem.expect("a problem");
    assert!(problem.text.contains("from server3"), "{problem:?}");
    assert!(problem.cure.as_ref().unwrap().contains("tcp dport 179 accept"), "{problem:?}");
}

#[test]
fn bfd_has_the_port_of_its_kind() {
    let multihop = with(chain("input", "accept", &[&drop_udp(4784)]));
    says(&multihop, "filter", Level::Warning, "BFD (UDP 4784)", "udp dport 4784");
    assert_eq!(examine(&with(chain("input", "accept", &[&drop_udp(3784)]))).worst, Level::Ok);
    let single = sick(|facts| {
        facts.host.filter.tables = chain("input", "accept", &[&drop_udp(3784)]);
        facts.daemon.as_mut().unwrap().sessions[0].bfd = Some(false);
    });
    says(&single, "filter", Level::Warning, "BFD (UDP 3784) from server2 ", "udp dport 3784");
}

#[test]
fn forward_dropped_as_docker_does_it() {
    let docker = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
                  -A FORWARD -i docker0 -j ACCEPT\n\
                  -A FORWARD -i cali+ -j ACCEPT\nCOMMIT\n";
    let facts = with(tables(docker, Tool::Legacy, "ip", &Sets::new()));
    says(
        &facts,
        "filter",
        Level::Problem,
        "traffic to local pods from server2, server3 is dropped: policy drop",
        "iptables-legacy -I FORWARD -s 10.244.2.0/26,10.244.3.0/26 -j ACCEPT",
    );
}

#[test]
fn what_cannot_be_judged_is_said() {
    let mark = r#"{"match":{"op":"==","left":{"meta":{"key":"mark"}},"right":16}},{"accept":null}"#;
    let facts = with(chain("input", "drop", &[mark]));
    let diagnosis = examine(&facts);
    assert_eq!(diagnosis.worst, Level::Ok, "{:#?}", diagnosis.findings);
    let why: Vec<&str> = diagnosis.unchecked.iter().map(|u| u.why.as_str()).collect();
    assert_eq!(why.len(), 3, "{why:#?}");
    assert!(why[0].contains("IP in IP (protocol 4) passes chain input of table host"), "{why:?}");
    let blind = with_host(|host| host.filter.unread.push("nft is not installed".to_owned()));
    assert_eq!(examine(&blind).unchecked[0].why, "nft is not installed");
    let blind = examine(&blind);
    assert!(!blind.findings.iter().any(|f| f.check == "filter"), "nothing was seen: nothing is ok");
}
