use std::sync::Arc;

use super::*;
use crate::policy::matches::Matches;
use crate::policy::prefixes::{PrefixPattern, PrefixSet};
use crate::policy::rules::tests::route;
use crate::policy::rules::{Rule, RuleName};
use crate::types::V4;

fn rule(number: u32, prefix: &str, verdict: Verdict) -> Rule {
    let set = PrefixSet::new(&[PrefixPattern::or_longer(prefix.parse().unwrap())]);
    let when = Matches { prefix: Some(set), ..Matches::default() };
    let name = RuleName { policy: "from-gw0".into(), number, name: None };
    Rule { name, when, unless: None, verdict }
}

#[test]
fn the_floor_comes_before_rules_and_rules_before_the_default() {
    let floor = ImportPolicy {
        within: vec!["10.244.0.0/16".parse().unwrap()],
        except: vec!["10.244.1.0/26".parse().unwrap()],
        borrowed: false,
        own_addresses: vec!["10.0.0.9".parse().unwrap()],
    };
    let changes = Changes { local_pref: Some(200), ..Changes::default() };
    let rules = Policy::new(vec![
        rule(1, "10.244.9.0/24", Verdict::Reject),
        rule(2, "10.244.1.0/24", Verdict::Accept(changes.clone())),
        rule(3, "8.0.0.0/8", Verdict::Accept(Changes::default())),
    ]);
    let policy = PeerPolicy {
        name: "gw0".to_owned(),
        import: Arc::new(floor),
        import_rules: Arc::new(rules),
        ..PeerPolicy::default()
    };
    let import = Import::new(&policy, PeerKind::External);
    let attrs = route(&[65001], &[], None, None);
    let prepared = import.prepare(&attrs, None).unwrap();
    let judged = |prefix: &str| import.prefix(&prepared, V4::new(prefix.parse().unwrap()));
    // Own blocks never come, whatever a rule says.
    assert_eq!(judged("10.244.1.0/28"), Err(Rejection::Except("10.244.1.0/26".parse().unwrap())));
    assert_eq!(judged("10.244.1.64/26"), Ok(Some(&changes)));
    assert_eq!(judged("10.244.9.0/26").unwrap_err().to_string(), "rejected by from-gw0 rule 1");
    assert_eq!(judged("8.8.8.0/24"), Ok(None));
    assert_eq!(judged("10.244.2.0/26"), Ok(None));
    assert_eq!(judged("9.9.9.0/24"), Err(Rejection::NotWithin));
    // Nor does a next hop that is ours.
    let own = attrs.edited("10.0.0.9".parse::<std::net::IpAddr>().unwrap().into(), &[]);
    let refused = import.prepare(&own, None).unwrap_err();
    assert_eq!(refused, Rejection::OwnNextHop("10.0.0.9".parse().unwrap()));
}
