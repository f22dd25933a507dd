//! Changes of the configuration.

use starling::api::{
    Applied, Generation, Plan, Prefixes, RouteFate, RoutePlan, RouteShift, SessionFate,
    SessionPlan, Terms,
};

fn session(name: &str, address: &str, becomes: SessionFate, because: &[&str]) -> SessionPlan {
    SessionPlan {
        name: name.to_owned(),
        address: address.parse().unwrap(),
        becomes,
        because: because.iter().map(|&key| key.to_owned()).collect(),
        established: becomes != SessionFate::Added,
        received: 120,
        accepted: 118,
        accepted_then: 118,
        announced: Prefixes::default(),
        withdrawn: Prefixes::default(),
        changed: Prefixes::default(),
        again: 0,
        only: Prefixes::default(),
        kept_s: None,
        keeps_s: None,
    }
}

fn prefixes(count: u64, first: &[&str]) -> Prefixes {
    Prefixes { count, first: first.iter().map(|net| net.parse().unwrap()).collect() }
}

fn shift(prefix: &str, becomes: RouteFate, from: Option<&str>, to: Option<&str>) -> RouteShift {
    let words = |words: Option<&str>| words.map(str::to_owned);
    RouteShift { prefix: prefix.parse().unwrap(), becomes, from: words(from), to: words(to) }
}

/// What the file would do that says so: "bad", "same", or anything else.
pub(crate) fn plan(text: &str) -> Plan {
    let (digest, new_digest) = ("5e2a9d1c0b7f43e6".repeat(4), "c41d6602aa93be18".repeat(4));
    let plan = Plan { ok: true, generation: 3, digest, new_digest, ..Plan::default() };
    match text.trim() {
        "bad" => {
            let error = "new.toml:6:8: error: `crosssubnet` is not known here\n  |\n6 | ipip = \
                         \"crosssubnet\"\n  |        ^^^^^^^^^^^^^\n  = expected: \"always\"\n";
            let errors = vec![error.to_owned()];
            return Plan { ok: false, errors, new_digest: String::new(), ..plan };
        }
        "same" => return Plan { new_digest: plan.digest.clone(), ..plan },
        _ => {}
    }
    let mut server2 = session("server2", "10.1.5.11", SessionFate::Untouched, &[]);
    server2.announced = prefixes(1, &["10.244.9.0/26"]);
    server2.withdrawn = prefixes(12, &["10.244.1.0/26", "10.244.1.64/26"]);
    let mut server3 = SessionPlan { name: "server3".to_owned(), ..server2.clone() };
    server3.address = "10.1.8.10".parse().unwrap();
    let mut gw0 = session("gw0", "10.1.5.1", SessionFate::Anew, &["hold: 90s -> 30s"]);
    gw0.changed = prefixes(1, &["10.244.1.0/26"]);
    gw0.again = 7;
    gw0.only = prefixes(42, &["10.3.0.0/16", "10.4.0.0/16"]);
    (gw0.kept_s, gw0.keeps_s) = (Some(120), Some(120));
    let mut old0 = session("old0", "10.1.5.4", SessionFate::Removed, &[]);
    old0.only = prefixes(1, &["10.5.0.0/16"]);
    let mut deaf = session("deaf", "10.1.5.6", SessionFate::Anew, &["hold: 90s -> 30s"]);
    deaf.only = prefixes(2, &["10.6.0.0/16", "fd00:6::/64"]);
    let mut tor = session("tor", "10.1.5.2", SessionFate::Changed, &["import: none -> 0.0.0.0/0"]);
    tor.accepted_then = 120;
    let near = "via 10.1.8.10 dev tunl0 onlink proto 12 metric 0";
    let far = "via 10.1.5.1 dev net0 proto 12 metric 0";
    Plan {
        differs: true,
        warnings: vec!["new.toml:9:1: warning: rule 2 can never match\n".to_owned()],
        settings: vec![
            "~ peer gw0: hold: 90s -> 30s (the session is made anew)".to_owned(),
            "~ pool 10.244.0.0/16: ipip never -> cross-subnet".to_owned(),
            "! [http] listen: none -> 127.0.0.1:9179 (only after a restart)".to_owned(),
        ],
        sessions: vec![
            gw0,
            tor,
            server2,
            session("new0", "10.1.5.3", SessionFate::Added, &[]),
            old0,
            deaf,
            session("asked", "10.1.5.5", SessionFate::Refreshed, &["first-as: true -> false"]),
            server3,
        ],
        routes: RoutePlan {
            added: 1,
            encapsulated: 42,
            unchanged: 131,
            shifts: vec![
                shift("10.244.3.0/26", RouteFate::Encapsulated, Some(far), Some(near)),
                shift("10.244.9.0/26", RouteFate::Added, None, Some("blackhole proto 12 metric 0")),
            ],
            ..RoutePlan::default()
        },
        meanwhile: RoutePlan {
            removed: 2,
            unchanged: 171,
            shifts: vec![
                shift("10.6.0.0/16", RouteFate::Removed, Some(far), None),
                shift("fd00:6::/64", RouteFate::Removed, Some("via fe80::1 dev net0"), None),
            ],
            ..RoutePlan::default()
        },
        ..plan
    }
}

/// It was applied.
pub(crate) fn applied(text: &str, terms: Terms) -> Applied {
    let plan = plan(text);
    let digest = plan.new_digest.clone();
    let generation = 3 + u64::from(plan.ok);
    Applied { plan, generation, digest, confirm_s: terms.confirm_s, files: Vec::new() }
}

/// Those that were in force.
pub(crate) fn generations() -> Vec<Generation> {
    let generation = |generation, age_s, source: &str, changes: &[&str]| Generation {
        generation,
        age_s,
        current: generation == 3,
        confirm_s: None,
        unconfirmed: false,
        source: source.to_owned(),
        reason: None,
        digest: format!("{generation}e2a9d1c0b7f43e6").repeat(4),
        changes: changes.iter().map(|&change| change.to_owned()).collect(),
    };
    let two = ["~ pool 10.244.0.0/16: ipip cross-subnet -> always", "+ block 10.244.9.0/26"];
    let mut newest = generation(3, 12, "bgpctl apply new.toml", &two);
    (newest.confirm_s, newest.unconfirmed) = (Some(48), true);
    newest.reason = Some("the new rack needs it".to_owned());
    let mut tried = generation(2, 7_200, "bgpctl apply next.toml", &two);
    tried.unconfirmed = true;
    vec![newest, tried, generation(1, 187_200, "the start", &[])]
}
