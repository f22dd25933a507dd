//! How routes are chosen, limited and originated: what the keys become, what is refused, and what
//! a reload says of them.

use std::time::Duration;

use starling_bgp::msg::{LimitAction, PeerPolicy, PrefixLimit, RibConfig};
use starling_bgp::types::PeerId;
use starling_config::{Config, NodePlan};

/// Two nodes and a router; `cluster`, `node` and `peer` go into their tables, `rest` behind.
fn file(cluster: &str, node: &str, peer: &str, rest: &str) -> String {
    format!(
        "[cluster]\nasn = 64512\n{cluster}\n[[pool]]\ncidr = \"10.244.0.0/16\"\n\
         [[node]]\nname = \"server1\"\naddress = \"10.1.5.10\"\n\
         blocks = [\"10.244.1.0/26\", \"10.244.1.64/26\"]\n{node}\n\
         [[node]]\nname = \"server2\"\naddress = \"10.1.5.11\"\n\
         [[peer]]\nname = \"gw0\"\naddress = \"10.1.5.1\"\nasn = 65000\n{peer}\n{rest}"
    )
}

fn plans(text: &str) -> Vec<NodePlan> {
    let config = Config::parse(&[("a.toml", text)]).unwrap_or_else(|errors| panic!("{errors}"));
    config.nodes.iter().map(|node| config.plan(node)).collect()
}

fn rib(plan: &NodePlan) -> RibConfig {
    let id = |peer: &starling_config::PeerPlan| {
        let at = plan.peers.iter().position(|p| p.name == peer.name)?;
        Some(PeerId(at as u32 + 1))
    };
    plan.rib_config(id)
}

fn policy<'a>(rib: &'a RibConfig, name: &str) -> &'a PeerPolicy {
    rib.peers.iter().map(|(_, policy)| policy).find(|policy| policy.name == name).unwrap()
}

fn limit(max: u32, action: LimitAction) -> Option<PrefixLimit> {
    Some(PrefixLimit { max, action })
}

#[test]
fn the_keys_arrive() {
    let text = file(
        "max-paths = 4\nalways-compare-med = true\nmax-prefixes = 500",
        "networks = [\"10.50.0.0/16\", { prefix = \"10.51.0.0/16\", blackhole = true }]",
        "max-prefixes = { ipv4 = 9, action = \"close\", restart = \"5m\" }\n\
         blackhole-community = true",
        "[kernel]\nmetric-from-local-pref = true\nnexthop-objects = true",
    );
    let plans = plans(&text);
    let rib1 = rib(&plans[0]);
    assert_eq!(
        (rib1.max_paths, rib1.always_compare_med, rib1.metric_in_local_pref),
        (4, true, true)
    );
    let mesh = policy(&rib1, "server2");
    assert_eq!(mesh.limits, [limit(500, LimitAction::Warn); 2]);
    let gateway = policy(&rib1, "gw0");
    let restart = Some(Duration::from_secs(300));
    assert_eq!(gateway.limits, [limit(9, LimitAction::Close { restart }), None]);
    assert!(gateway.blackhole && !mesh.blackhole);
    let originated: Vec<_> =
        rib1.originate.iter().map(|o| (o.prefix.to_string(), o.announce, o.blackhole)).collect();
    let wanted = [
        ("10.244.1.0/26", true, true),
        ("10.244.1.64/26", true, true),
        ("10.50.0.0/16", true, false),
        ("10.51.0.0/16", true, true),
    ];
    assert_eq!(originated, wanted.map(|(net, a, b)| (net.to_owned(), a, b)));
    // The other node takes from the mesh what this one's table says.
    let within: Vec<_> =
        policy(&rib(&plans[1]), "server1").import.within.iter().map(|n| n.to_string()).collect();
    assert_eq!(within, ["10.244.0.0/16", "10.50.0.0/16", "10.51.0.0/16"]);
    // And by default nothing of this.
    let quiet = plans_of_none();
    assert_eq!((quiet.max_paths, quiet.metric_in_local_pref), (1, false));
    assert_eq!(policy(&quiet, "gw0").limits, [None; 2]);
}

fn plans_of_none() -> RibConfig {
    rib(&plans(&file("", "", "", ""))[0])
}

#[test]
fn blocks_become_one_prefix_where_it_is_asked_for() {
    let originated = |cluster, node| {
        let announced = |rib: RibConfig| {
            let announced = rib.originate.into_iter().filter(|o| o.announce);
            announced.map(|o| o.prefix.to_string()).collect::<Vec<_>>()
        };
        announced(rib(&plans(&file(cluster, node, "", ""))[0]))
    };
    assert_eq!(originated("aggregate = true", ""), ["10.244.1.0/25"]);
    assert_eq!(originated("", "aggregate = true"), ["10.244.1.0/25"]);
    let apart = ["10.244.1.0/26", "10.244.1.64/26"];
    assert_eq!(originated("aggregate = true", "aggregate = false"), apart);
    assert_eq!(originated("", ""), apart);
}

#[test]
fn what_is_no_value_is_refused_with_words() {
    let cases = [
        ("max-paths = 0", "", "no path at all"),
        ("max-paths = 65", "", "65"),
        ("max-prefixes = 0", "", "no prefix at all"),
        ("max-prefixes = { action = \"drop\" }", "", "it limits nothing"),
        ("max-prefixes = { ipv4 = 1, action = \"stop\" }", "", "`stop` is no action"),
        ("max-prefixes = { ipv5 = 1 }", "", "unknown key `ipv5`"),
        ("max-prefixes = { ipv4 = 1, restart = \"5m\" }", "", "action = \"close\" only"),
        ("", "networks = [\"10.50.0.1/16\"]", "10.50.0.0/16"),
        ("", "networks = [{ blackhole = true }]", "it has no `prefix`"),
        ("", "networks = [{ prefix = \"10.50.0.0/16\", blackhol = true }]", "did you mean"),
    ];
    for (cluster, node, words) in cases {
        let text = file(cluster, node, "", "");
        let errors = Config::parse(&[("a.toml", text.as_str())]).unwrap_err().to_string();
        assert!(errors.contains(words), "{cluster}{node}: {errors}");
    }
}

#[test]
fn a_reload_says_what_changes() {
    let old = plans(&file("", "", "max-prefixes = 10", ""));
    let new = plans(&file(
        "max-paths = 2\naggregate = true",
        "networks = [\"10.50.0.0/16\"]",
        "max-prefixes = { ipv4 = 20, action = \"drop\" }\nblackhole-community = true",
        "[kernel]\nmetric-from-local-pref = true\nnexthop-objects = true",
    ));
    let text = starling_config::diff(&old[0], &new[0]).to_string();
    for line in [
        "~ peer gw0: max-prefixes: ipv4 10, warn; ipv6 10, warn -> ipv4 20, drop",
        "~ peer gw0: blackhole-community: false -> true",
        "~ max-paths: 1 -> 2",
        "~ [kernel] metric-from-local-pref: false -> true",
        "~ [kernel] nexthop-objects: false -> true",
        "~ networks: none -> 10.50.0.0/16",
        "~ aggregate: false -> true",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("anew"), "{text}");
}
