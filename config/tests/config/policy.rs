//! What policies come to on a node: rules with pools, blocks and names filled in.

use starling_bgp::attrs::AttrSet;
use starling_bgp::policy::{Changes, Policy, Source, Subject, Verdict};
use starling_bgp::types::{Asn, PeerKind, Prefix, V4, V6};
use starling_config::{Config, NodePlan, PeerPlan, diff};

use super::{good, parse};

fn plan(config: &Config) -> NodePlan {
    config.plan(&config.nodes[0])
}

fn peer<'a>(plan: &'a NodePlan, name: &str) -> &'a PeerPlan {
    plan.peers.iter().find(|peer| peer.name == name).unwrap()
}

fn words(policy: &Policy) -> Vec<String> {
    policy.rules().iter().map(|rule| format!("{}: {rule}", rule.name)).collect()
}

#[test]
fn rules_are_those_of_the_policies_in_order_and_for_whom_they_are() {
    let config = good("policies");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    let plan = plan(&config);
    let gw0 = peer(&plan, "gw0");
    assert_eq!(gw0.import_rules.names(), ["from-gw0", "tagged-only"]);
    insta::assert_snapshot!("policy-import", words(&gw0.import_rules).join("\n"));
    assert_eq!(
        words(&gw0.export_rules),
        ["out rule 1: prefix own-blocks: accept, med 10, prepend 64512 64512"]
    );
    assert_eq!(
        words(&peer(&plan, "rr0").export_rules),
        ["out rule 2: from this node or gw0: accept, local-pref 50, next-hop keep"]
    );
    // A node in another AS is of the mesh, and its session is eBGP.
    let stranger = words(&peer(&plan, "server3").export_rules);
    assert_eq!(stranger.len(), 2, "{stranger:?}");
    assert!(stranger[1].starts_with("out rule 3: from iBGP router or eBGP but for server3: "));
    assert_eq!(words(&peer(&plan, "server2").export_rules).len(), 1);
    assert_eq!(
        words(&plan.kernel_rules),
        [
            "into-kernel rule 1: prefix 0.0.0.0/0, from gw0: reject",
            "into-kernel rule 2: prefix pools, interface eth* or net0: accept, metric 512, \
             encapsulation never"
        ]
    );
    let rib = plan.rib_config(|_| Some(starling_bgp::types::PeerId(1)));
    assert_eq!(*rib.kernel_rules, *plan.kernel_rules);
    assert_eq!(rib.peers[2].1.import_rules, gw0.import_rules);
}

#[test]
fn neighbours_with_the_same_rules_share_them() {
    let mut text = String::from(
        "[cluster]\nasn = 64512\nexport-policy = \"out\"\n[[pool]]\ncidr = \"10.0.0.0/8\"\n",
    );
    for n in 1..50 {
        text.push_str(&format!("[[node]]\nname = \"n{n}\"\naddress = \"192.168.0.{n}\"\n"));
    }
    text.push_str("[[policy]]\nname = \"out\"\nrules = [{ to = \"n7\", then = \"reject\" }, { prefix = \"pools\", then = \"accept\" }]\n");
    let plan = plan(&parse("shared", &text).unwrap());
    let shared =
        |a: &PeerPlan, b: &PeerPlan| std::sync::Arc::ptr_eq(&a.export_rules, &b.export_rules);
    assert!(shared(peer(&plan, "n2"), peer(&plan, "n49")));
    assert!(!shared(peer(&plan, "n2"), peer(&plan, "n7")));
    assert!(peer(&plan, "n2").import_rules.is_empty());
}

#[test]
fn a_changed_policy_is_told_and_touches_no_session() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/good/policies.toml"))
            .unwrap();
    let old = good("policies");
    let after = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        let new = parse("edited", &text.replace(from, to)).unwrap();
        let changes = diff(&plan(&old), &plan(&new));
        assert!(changes.peers_changed.iter().all(|peer| peer.session.is_empty()));
        changes.to_string()
    };
    assert_eq!(
        after("metric = 512", "metric = 513"),
        "~ [kernel] policy: into-kernel rule 2: prefix pools, interface eth* or net0: accept, \
         metric 512, encapsulation never \
         -> into-kernel rule 2: prefix pools, interface eth* or net0: accept, metric 513, encapsulation never\n"
    );
    assert_eq!(
        after("  { from = \"gw0\", prefix = \"0.0.0.0/0\", then = \"reject\" },\n", ""),
        "~ [kernel] policy: into-kernel rule 1: prefix 0.0.0.0/0, from gw0: reject -> nothing\n"
    );
    assert_eq!(
        after("import-policy = \"tagged-only\"\n", ""),
        "~ peers server2 and server3: import-policy: tagged-only rule 1: \
         from mesh or server3 unless community 64512:1: reject -> nothing\n"
    );
    assert_eq!(
        after("\"127.0.0.0/8 or longer\", ", ""),
        "~ peer gw0: import-policy: from-gw0 rule 1 (bogons): prefix bogons: reject \
         -> from-gw0 rule 1 (bogons): prefix bogons: reject (of other contents)\n"
    );
    // Another order is another policy, and every rule that moved is named.
    assert!(
        after("[\"from-gw0\", \"tagged-only\"]", "[\"tagged-only\", \"from-gw0\"]")
            .contains("import-policy")
    );
}

// ---- Calico's BGPFilter --------------------------------------------------------------------------

/// A route that a row of the table is asked about.
struct Route {
    prefix: &'static str,
    path: &'static [u32],
    community: Option<&'static str>,
    local_pref: u32,
    kind: PeerKind,
    interface: &'static str,
}

const ROUTE: Route = Route {
    prefix: "10.0.0.0/8",
    path: &[65001, 65002],
    community: None,
    local_pref: 100,
    kind: PeerKind::External,
    interface: "eth0",
};

impl Route {
    fn attrs(&self) -> AttrSet {
        let next_hop: std::net::IpAddr = "10.1.5.1".parse().unwrap();
        let changes = Changes {
            local_pref: Some(self.local_pref),
            add: self.community.iter().map(|c| c.parse().unwrap()).collect(),
            prepend: self.path.iter().copied().map(Asn).collect(),
            ..Changes::default()
        };
        changes.apply(&AttrSet::originated(next_hop))
    }

    fn verdict<'p>(&self, policy: &'p Policy) -> Option<&'p Verdict> {
        let attrs = self.attrs();
        let source = Source::Neighbor { kind: self.kind, name: "gw0" };
        let subject = Subject { attrs: &attrs, source, interface: Some(self.interface) };
        let prepared = policy.prepare(&subject);
        let net: ipnet::IpNet = self.prefix.parse().unwrap();
        let rule = match V4::from_net(net) {
            Some(prefix) => policy.decide(&prepared, prefix),
            None => policy.decide(&prepared, V6::from_net(net).unwrap()),
        };
        rule.map(|rule| &rule.verdict)
    }
}

/// The rows of POLICIES.md's table: Calico's words and ours.
fn rows() -> Vec<(String, String)> {
    let page = include_str!("../../POLICIES.md");
    let (_, table) = page.split_once("| `BGPFilter` says |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let cell = |cell: &str| cell.trim().trim_matches('`').to_owned();
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split(" | ");
        (cell(cells.next().unwrap()), cell(cells.next().unwrap()))
    })
    .collect()
}

/// The policy with one rule of these words, on the way in or out of an eBGP router, or into the
/// kernel.
fn policy(words: &str, place: &str) -> Policy {
    let then = if words.contains("then =") { "" } else { ", then = \"accept\"" };
    let text = format!(
        "[cluster]\nasn = 64512\n[[pool]]\ncidr = \"10.244.0.0/16\"\n\
         [[node]]\nname = \"a\"\naddress = \"10.1.5.10\"\n\
         [[peer]]\nname = \"gw0\"\naddress = \"10.1.5.1\"\nasn = 65000\n{}\n\
         [[policy]]\nname = \"filter\"\nrules = [{{ {words}{then} }}]\n{}",
        if place == "kernel" { String::new() } else { format!("{place}-policy = \"filter\"") },
        if place == "kernel" { "[kernel]\npolicy = \"filter\"\n" } else { "" },
    );
    let config = parse("filter", &text).unwrap_or_else(|errors| panic!("{errors}"));
    let plan = plan(&config);
    let gw0 = peer(&plan, "gw0");
    let policy = match place {
        "import" => &gw0.import_rules,
        "export" => &gw0.export_rules,
        _ => &plan.kernel_rules,
    };
    (**policy).clone()
}

/// Each row says what Calico's words do: of two routes, it takes the one that Calico takes.
#[test]
fn every_word_of_a_bgp_filter_can_be_said() {
    const LOW: u32 = 2_147_483_647 - 512;
    let v6 = "2001:db8::/32";
    // Calico's words, where, a route that they take and one that they do not.
    let matches: [(&str, &str, Route, Route); 12] = [
        ("matchOperator: Equal", "import", ROUTE, Route { prefix: "10.1.0.0/16", ..ROUTE }),
        ("matchOperator: NotEqual", "import", Route { prefix: "10.1.0.0/16", ..ROUTE }, ROUTE),
        (
            "matchOperator: In",
            "import",
            Route { prefix: "10.1.0.0/16", ..ROUTE },
            Route { prefix: "11.0.0.0/8", ..ROUTE },
        ),
        (
            "matchOperator: NotIn",
            "import",
            Route { prefix: "11.0.0.0/8", ..ROUTE },
            Route { prefix: "10.1.0.0/16", ..ROUTE },
        ),
        (
            "prefixLength: {min: 16, max: 24}",
            "import",
            Route { prefix: "10.1.0.0/16", ..ROUTE },
            Route { prefix: "10.1.1.0/25", ..ROUTE },
        ),
        ("importV4, exportV4", "export", ROUTE, Route { prefix: v6, ..ROUTE }),
        ("source: RemotePeers", "export", ROUTE, ROUTE),
        ("interface: \"*.calico\"", "export", Route { interface: "vxlan.calico", ..ROUTE }, ROUTE),
        ("peerType: eBGP, on import", "import", ROUTE, Route { kind: PeerKind::Internal, ..ROUTE }),
        (
            "communities: {values: [\"65000:100\"]}",
            "import",
            Route { community: Some("65000:100"), ..ROUTE },
            Route { community: Some("65000:101"), ..ROUTE },
        ),
        ("asPathPrefix: [65001, 65002]", "import", ROUTE, Route { path: &[65002, 65001], ..ROUTE }),
        ("priority: 512", "import", Route { local_pref: LOW, ..ROUTE }, ROUTE),
    ];
    let rows = rows();
    let row = |calico: &str| {
        let (_, ours) = rows
            .iter()
            .find(|(said, _)| said == calico)
            .unwrap_or_else(|| panic!("{calico} is not in {rows:#?}"));
        ours.clone()
    };
    let mut proven = Vec::new();
    for (calico, place, taken, left) in matches {
        let policy = policy(&row(calico), place);
        assert!(taken.verdict(&policy).is_some(), "{calico}");
        if calico == "source: RemotePeers" {
            let attrs = left.attrs();
            let own = Subject { attrs: &attrs, source: Source::Local, interface: None };
            assert!(policy.prepare(&own).is_default(), "{calico}");
        } else {
            assert!(left.verdict(&policy).is_none(), "{calico}");
        }
        proven.push(calico);
    }
    // `peerType` on the way out: the rule is there for such neighbours only.
    let to = "peerType: eBGP, on export";
    assert_eq!(policy(&row(to), "export").rules().len(), 1);
    assert!(policy(&row(to).replace("ebgp", "ibgp"), "export").is_empty());
    proven.push(to);
    let changed = |calico: &str, place: &str| match ROUTE.verdict(&policy(&row(calico), place)) {
        Some(Verdict::Accept(changes)) => changes.clone(),
        other => panic!("{calico}: {other:?}"),
    };
    assert_eq!(changed("action: Accept", "import"), Changes::default());
    assert_eq!(ROUTE.verdict(&policy(&row("action: Reject"), "import")), Some(&Verdict::Reject));
    let community = changed("addCommunity: {value: \"65000:100\"}", "export").apply(&ROUTE.attrs());
    assert_eq!(community.communities().to_string(), "65000:100");
    let path = changed("prependASPath: {prefix: [65010, 65011]}", "export").apply(&ROUTE.attrs());
    assert_eq!(path.as_path().to_string(), "65010 65011 65001 65002");
    let priority = changed("setPriority: {value: 512}", "export").apply(&ROUTE.attrs());
    assert_eq!(priority.rank().local_pref, LOW);
    let metric = changed("setPriority: {value: 512}, kernel", "kernel").metric;
    assert_eq!(metric, Some(512));
    proven.extend([
        "action: Accept",
        "action: Reject",
        "addCommunity: {value: \"65000:100\"}",
        "prependASPath: {prefix: [65010, 65011]}",
        "setPriority: {value: 512}",
        "setPriority: {value: 512}, kernel",
    ]);
    let said: Vec<&str> = rows.iter().map(|(calico, _)| calico.as_str()).collect();
    let unproven: Vec<&&str> = said.iter().filter(|row| !proven.contains(row)).collect();
    assert!(unproven.is_empty(), "rows without a proof: {unproven:?}");
}

/// A reload that says the same of a policy leaves its counts alone; one that changes it begins anew.
#[test]
fn counts_outlive_a_reload_that_leaves_the_policy_alone() {
    let text = |med: u32| {
        format!(
            "[cluster]\nasn = 64512\n[[node]]\nname = \"n1\"\naddress = \"192.168.0.1\"\n\
             [[peer]]\nname = \"r1\"\naddress = \"192.168.0.9\"\nasn = 65001\n\
             import-policy = \"in\"\nexport-policy = \"out\"\n\
             [[policy]]\nname = \"in\"\nrules = [{{ then = \"accept\" }}]\n\
             [[policy]]\nname = \"out\"\nrules = [{{ then = \"accept\", set = {{ med = {med} }} }}]\n"
        )
    };
    let made = |med| plan(&parse("counts", &text(med)).unwrap());
    let old = made(1);
    let attrs = AttrSet::originated(std::net::IpAddr::from([192, 168, 0, 9]));
    let subject = Subject { attrs: &attrs, source: Source::Local, interface: None };
    for policy in [&old.peers[0].import_rules, &old.peers[0].export_rules] {
        let prepared = policy.prepare(&subject);
        policy.decide(&prepared, V4::from_net("10.0.0.0/8".parse().unwrap()).unwrap());
    }
    let hits = |policy: &Policy| policy.hits().map(|(_, hits)| hits).collect::<Vec<_>>();
    for (med, out) in [(1, vec![1]), (2, vec![0])] {
        let mut new = made(med);
        new.keep_policies(&old);
        let peer = &new.peers[0];
        assert_eq!((hits(&peer.import_rules), hits(&peer.export_rules)), (vec![1], out));
    }
}
