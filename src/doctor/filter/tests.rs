//! Rulesets as the tools print them, and what packets make of them.

use super::walk::fate;
use super::*;

const RICH: (&str, &str) = (include_str!("tests/rich.json"), include_str!("tests/rich.txt"));

fn tunnelled(from: &str) -> Packet {
    Packet {
        source: from.parse().unwrap(),
        destination: "10.1.5.10".parse().unwrap(),
        protocol: 4,
        port: None,
        comes: Some("eth7".to_owned()),
        goes: None,
        answers: false,
    }
}

fn bgp(from: &str) -> Packet {
    Packet { protocol: 6, port: Some(179), ..tunnelled(from) }
}

fn save(text: &str, sets: &str) -> Vec<Table> {
    iptables::tables(text, Tool::Iptables, "ip", &iptables::sets(sets))
}

/// A ruleset of one chain, in nft's JSON.
fn nft(policy: &str, rules: &[&str]) -> Vec<Table> {
    let rules: String = rules
        .iter()
        .enumerate()
        .map(|(i, expr)| {
            format!(
                r#",{{"rule":{{"family":"inet","table":"f","chain":"in","handle":{i},"expr":[{expr}]}}}}"#
            )
        })
        .collect();
    let json = format!(
        r#"{{"nftables":[{{"metainfo":{{}}}},{{"table":{{"family":"inet","name":"f"}}}},
        {{"chain":{{"family":"inet","table":"f","name":"in","type":"filter","hook":"input",
        "policy":"{policy}"}}}}{rules}]}}"#
    );
    nft::tables(&json, "").expect(&json)
}

fn dropped_by(fate: &Fate) -> &str {
    match fate {
        Fate::Dropped(culprit) => &culprit.rule,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_table_that_nft_printed_is_read_in_its_words() {
    let tables = nft::tables(RICH.0, RICH.1).unwrap();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["filter", "nat"], "a bridge's table sees no packet of ours");
    let input = &tables[0].chains["input"];
    assert_eq!(input.base, Some(Base { hook: Hook::Input, drops: true }));
    let words: Vec<&str> = input.rules.iter().map(|rule| rule.words.as_str()).collect();
    assert!(words.contains(&"ip saddr @peers ip protocol 4 accept"), "{words:#?}");
    assert!(words.contains(&"counter"), "{words:#?}");
    // What is a set, a prefix and a range in the file.
    for from in ["10.50.0.2", "10.60.0.1", "10.70.0.5"] {
        assert_eq!(fate(&tables, &tunnelled(from)), Fate::Passes, "{from}");
    }
    assert_eq!(fate(&tables, &bgp("192.0.2.1")), Fate::Passes);
    let mut to_port = bgp("10.0.0.7");
    to_port.port = Some(85);
    assert_eq!(fate(&tables, &to_port), Fate::Passes);
}

#[test]
fn a_policy_of_drop_is_named_and_one_rule_before_it_lets_in() {
    let accept = r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"protocol"}},
        "right":4}},{"accept":null}"#;
    assert_eq!(dropped_by(&fate(&nft("drop", &[]), &tunnelled("10.1.8.10"))), "policy drop");
    assert_eq!(fate(&nft("drop", &[accept]), &tunnelled("10.1.8.10")), Fate::Passes);
    assert_eq!(fate(&nft("accept", &[]), &tunnelled("10.1.8.10")), Fate::Passes);
    // "ipip" is protocol 94: whoever lets that in does not let the tunnel in.
    let ipip = accept.replace(": 4", ": 94").replace(":4", ":94");
    assert_eq!(dropped_by(&fate(&nft("drop", &[&ipip]), &tunnelled("10.1.8.10"))), "policy drop");
}

#[test]
fn answers_pass_where_new_packets_do_not() {
    let state =
        r#"{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":[2,4]}},{"accept":null}"#;
    let tables = nft("drop", &[state]);
    assert_eq!(dropped_by(&fate(&tables, &tunnelled("10.1.8.10"))), "policy drop");
    let answer = Packet { answers: true, ..tunnelled("10.1.8.10") };
    assert_eq!(fate(&tables, &answer), Fate::Passes);
}

#[test]
fn a_field_of_another_header_never_matches_and_a_negation_does() {
    let dport = |op: &str, port: u16| {
        format!(
            r#"{{"match":{{"op":"{op}","left":{{"payload":{{"protocol":"tcp","field":"dport"}}}},
            "right":{port}}}}},{{"drop":null}}"#
        )
    };
    let others = nft("accept", &[&dport("!=", 22)]);
    assert_eq!(fate(&others, &tunnelled("10.1.8.10")), Fate::Passes, "IP in IP has no ports");
    assert!(matches!(fate(&others, &bgp("10.1.8.10")), Fate::Dropped(_)));
    let v6 = Packet {
        source: "fd00::2".parse().unwrap(),
        destination: "fd00::1".parse().unwrap(),
        ..bgp("10.1.8.10")
    };
    let v4_only = r#"{"match":{"op":"!=","left":{"payload":{"protocol":"ip","field":"saddr"}},
        "right":"10.1.8.10"}},{"drop":null}"#;
    assert_eq!(fate(&nft("accept", &[v4_only]), &v6), Fate::Passes);
}

#[test]
fn what_cannot_be_read_is_neither_yes_nor_no() {
    let mark = |verdict: &str| {
        format!(
            r#"{{"match":{{"op":"==","left":{{"meta":{{"key":"mark"}}}},"right":16}}}},{{"{verdict}":null}}"#
        )
    };
    let unsure = |tables: &[Table]| matches!(fate(tables, &bgp("10.1.8.10")), Fate::Unsure(_));
    assert!(unsure(&nft("drop", &[&mark("accept")])));
    assert!(unsure(&nft("accept", &[&mark("drop")])));
    // Where both ways end alike it does not matter.
    assert!(!unsure(&nft("accept", &[&mark("accept")])));
    assert_eq!(dropped_by(&fate(&nft("drop", &[&mark("drop")]), &bgp("10.1.8.10"))).len(), 20);
    assert!(unsure(&nft("accept", &[r#"{"queue":{"num":1}}"#])));
    let limit = r#"{"limit":{"rate":5}},{"drop":null}"#;
    assert!(unsure(&nft("accept", &[limit])));
}

#[test]
fn maps_of_verdicts_jump_and_come_back() {
    let map = r#"{"vmap":{"key":{"meta":{"key":"l4proto"}},"data":{"set":[
        [4,{"drop":null}],[6,{"jump":{"target":"in"}}]]}}}"#;
    assert!(matches!(fate(&nft("accept", &[map]), &tunnelled("10.1.8.10")), Fate::Dropped(_)));
    // A chain that jumps into itself has an end.
    assert!(!matches!(fate(&nft("accept", &[map]), &bgp("10.1.8.10")), Fate::Passes));
}

const CALICO: &str = r#"# Generated by iptables-nft-save
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:cali-INPUT - [0:0]
:cali-FORWARD - [0:0]
[12:720] -A INPUT -m comment --comment "cali:Cz_u1IQiXIMmKD4c it is \"ours\"" -j cali-INPUT
-A cali-INPUT -p ipencap -m comment --comment "Allow IPIP packets from Calico hosts" -m set --match-set hosts src -m addrtype --dst-type LOCAL -j ACCEPT
-A cali-INPUT -p ipencap -m comment --comment "Drop IPIP packets from non-Calico hosts" -j DROP
-A cali-INPUT -p udp -m multiport --dports 4784,5000:6000 -m conntrack --ctstate NEW -j DROP
-A cali-INPUT ! -s 10.0.0.0/8 -p tcp -m tcp --dport 179 -j REJECT --reject-with tcp-reset
-A FORWARD -i cali+ -j cali-FORWARD
-A cali-FORWARD -m mark --mark 0x10000/0x10000 -j ACCEPT
COMMIT
*nat
:PREROUTING DROP [0:0]
COMMIT
"#;
const SETS: &str = "create hosts hash:net family inet\nadd hosts 10.1.8.10\nadd hosts 10.2.0.0/16\n\
                    create odd hash:ip,port\nadd odd 10.1.1.1,tcp:80\n";

#[test]
fn what_iptables_saves_is_read_with_its_sets() {
    let tables = save(CALICO, SETS);
    assert_eq!(tables.len(), 1, "translation drops nothing");
    assert_eq!(fate(&tables, &tunnelled("10.1.8.10")), Fate::Passes);
    assert_eq!(fate(&tables, &tunnelled("10.2.7.7")), Fate::Passes);
    let other = fate(&tables, &tunnelled("10.1.8.11"));
    assert!(dropped_by(&other).contains("Drop IPIP packets from non-Calico"), "{other:?}");
    let Fate::Dropped(culprit) = other else { unreachable!() };
    assert_eq!((culprit.chain.as_str(), culprit.table.as_str()), ("INPUT", "filter"));
    // Without the set nobody can tell.
    let unknown = save(CALICO, "");
    assert!(matches!(fate(&unknown, &tunnelled("10.1.8.11")), Fate::Unsure(_)));

    assert_eq!(fate(&tables, &bgp("10.1.8.10")), Fate::Passes);
    assert!(matches!(fate(&tables, &bgp("192.0.2.1")), Fate::Dropped(_)));
    for (port, passes) in [(4784, false), (5500, false), (3784, true)] {
        let bfd = Packet { protocol: 17, port: Some(port), ..tunnelled("10.1.8.10") };
        assert_eq!(fate(&tables, &bfd) == Fate::Passes, passes, "{port}");
    }
}

#[test]
fn ipip_is_not_the_name_of_ip_in_ip() {
    let let_in = |name: &str| {
        save(&format!("*filter\n:INPUT DROP [0:0]\n-A INPUT -p {name} -j ACCEPT\nCOMMIT\n"), "")
    };
    assert_eq!(fate(&let_in("ipencap"), &tunnelled("10.1.8.10")), Fate::Passes);
    assert_eq!(dropped_by(&fate(&let_in("ipip"), &tunnelled("10.1.8.10"))), "policy drop");
}

#[test]
fn forwarded_packets_meet_the_chain_forward_alone() {
    let tables = save(CALICO, SETS);
    let forwarded = |comes: &str| Packet {
        comes: Some(comes.to_owned()),
        goes: Some("net0".to_owned()),
        ..bgp("10.244.1.7")
    };
    assert_eq!(dropped_by(&fate(&tables, &forwarded("tunl0"))), "policy drop");
    assert!(matches!(fate(&tables, &forwarded("cali1234")), Fate::Unsure(_)));
    let out = Packet { comes: None, goes: Some("net0".to_owned()), ..bgp("10.1.5.10") };
    assert_eq!(fate(&tables, &out), Fate::Passes);
}

#[test]
fn sets_with_ports_are_not_taken_for_addresses() {
    let sets = iptables::sets(SETS);
    let ip = |text: &str| text.parse().unwrap();
    assert_eq!(iptables::holds(&sets, "hosts", ip("10.2.255.255")), Some(true));
    assert_eq!(iptables::holds(&sets, "hosts", ip("10.3.0.0")), Some(false));
    assert_eq!(iptables::holds(&sets, "odd", ip("10.1.1.1")), None);
}

#[test]
fn nonsense_is_no_ruleset_and_breaks_nothing() {
    assert_eq!(nft::tables("", ""), None);
    assert_eq!(nft::tables("{}", ""), None);
    assert_eq!(
        nft::tables(r#"{"nftables":[1,{},{"rule":3},{"table":{"family":"ip"}}]}"#, "x")
            .map(|t| t.len()),
        Some(1)
    );
    assert_eq!(
        save("-A INPUT -j DROP\n:x\n*\n-A\n\"", ""),
        [Table {
            tool: Tool::Iptables,
            family: "ip".into(),
            name: String::new(),
            chains: BTreeMap::new()
        }]
    );
}
