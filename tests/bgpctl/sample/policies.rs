//! Policies, and routes that they judge.

use starling::api::{Place, Policy, PolicyRule, PolicyStep, PolicyTest, PolicyUse, TestedRoute};

pub(crate) fn policies() -> Vec<Policy> {
    let rule =
        |number, name: Option<&str>, when: &str, unless: Option<&str>, then: &str| PolicyRule {
            number,
            name: name.map(str::to_owned),
            when: when.to_owned(),
            unless: unless.map(str::to_owned),
            then: then.to_owned(),
            hits: 1_204 * u64::from(number),
        };
    let used =
        |place, neighbor: Option<&str>| PolicyUse { place, neighbor: neighbor.map(str::to_owned) };
    let mesh = (2..30).map(|n| used(Place::Export, Some(&format!("server{n}"))));
    vec![
        Policy {
            name: "from-tor".to_owned(),
            used: vec![used(Place::Import, Some("tor0")), used(Place::Import, Some("tor1"))],
            rules: vec![
                rule(1, Some("bogons"), "prefix bogons", None, "reject"),
                rule(
                    2,
                    None,
                    "prefix 10.0.0.0/8 le 24, community 65000:100 or no-export",
                    Some("as-path origin 65010"),
                    "accept, local-pref 200, add-community 64512:1, add-community 64512:1:2",
                ),
                rule(3, None, "everything", None, "reject"),
            ],
        },
        Policy {
            name: "shared".to_owned(),
            used: mesh.chain([used(Place::Kernel, None)]).collect(),
            rules: vec![rule(1, None, "everything", None, "accept")],
        },
    ]
}

pub(crate) fn policy_tests() -> Vec<PolicyTest> {
    let route = TestedRoute {
        hypothetical: false,
        from: "tor0".to_owned(),
        next_hop: "10.1.5.1".parse().ok(),
        local_pref: 100,
        med: Some(20),
        as_path: "65000 64999 {64801,64802}".to_owned(),
        communities: vec!["65000:100".to_owned(), "65000:1:2".to_owned()],
    };
    let step = |rule: &str, says: &str, miss: Option<&str>| PolicyStep {
        rule: rule.to_owned(),
        says: says.to_owned(),
        miss: miss.map(str::to_owned),
    };
    let import = PolicyTest {
        place: Place::Import,
        neighbor: Some("tor0".to_owned()),
        prefix: "10.20.0.0/16".parse().unwrap(),
        route: route.clone(),
        accepted: true,
        rule: Some("from-tor rule 2".to_owned()),
        why: "accepted by from-tor rule 2".to_owned(),
        changes: Some("local-pref 200, add-community 64512:1".to_owned()),
        steps: vec![
            step(
                "from-tor rule 1 (bogons)",
                "prefix bogons: reject",
                Some("10.20.0.0/16 is not in bogons"),
            ),
            step(
                "from-tor rule 2",
                "prefix 10.0.0.0/8 le 24, community 65000:100 or no-export unless as-path origin \
                 65010: accept, local-pref 200, add-community 64512:1",
                None,
            ),
        ],
    };
    let export = PolicyTest {
        place: Place::Export,
        neighbor: Some("server2".to_owned()),
        route: TestedRoute {
            hypothetical: true,
            from: "local".to_owned(),
            next_hop: None,
            med: None,
            as_path: String::new(),
            communities: Vec::new(),
            ..route
        },
        accepted: false,
        rule: Some("to-nodes rule 1".to_owned()),
        why: "rejected by to-nodes rule 1".to_owned(),
        changes: None,
        steps: vec![step("to-nodes rule 1", "everything: reject", None)],
        ..import.clone()
    };
    let kernel = PolicyTest {
        place: Place::Kernel,
        neighbor: None,
        accepted: true,
        rule: None,
        why: "no rule decides: every best route enters the kernel".to_owned(),
        changes: None,
        steps: Vec::new(),
        ..import.clone()
    };
    vec![import, export, kernel]
}
