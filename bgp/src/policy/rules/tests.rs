use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;

use super::*;
use crate::attrs::AttrSet;
use crate::policy::communities::AnyCommunity;
use crate::policy::matches::{From, Glob, Source};
use crate::policy::paths::{PathPattern, PathRegex, Range};
use crate::policy::prefixes::{PrefixPattern, PrefixSet};
use crate::types::{Asn, Family, PeerKind, V4, V6};
use crate::wire::attr::code;

/// A route of these attributes.
pub(in crate::policy) fn route(
    path: &[u32],
    communities: &[&str],
    local_pref: Option<u32>,
    med: Option<u32>,
) -> AttrSet {
    let next_hop: IpAddr = "10.0.0.1".parse().unwrap();
    let add: Vec<AnyCommunity> = communities.iter().map(|text| text.parse().unwrap()).collect();
    let changes = Changes {
        prepend: path.iter().copied().map(Asn).collect(),
        add,
        local_pref,
        ..Changes::default()
    };
    let set = changes.apply(&AttrSet::originated(next_hop));
    match med {
        Some(med) => {
            set.edited(set.next_hop(), &[(code::MULTI_EXIT_DISC, med.to_be_bytes().into())])
        }
        None => set,
    }
}

fn rule(number: u32, when: Matches, verdict: Verdict) -> Rule {
    Rule {
        name: RuleName { policy: "test".into(), number, name: None },
        when,
        unless: None,
        verdict,
    }
}

fn accept() -> Verdict {
    Verdict::Accept(Changes::default())
}

fn gw0(attrs: &AttrSet) -> Subject<'_> {
    let source = Source::Neighbor { kind: PeerKind::External, name: "gw0" };
    Subject { attrs, source, interface: None }
}

fn v4(text: &str) -> V4 {
    V4::new(text.parse().unwrap())
}

fn inside(text: &str) -> Option<PrefixSet> {
    Some(PrefixSet::new(&[PrefixPattern::or_longer(text.parse().unwrap())]))
}

#[test]
fn without_rules_the_default_decides() {
    let attrs = route(&[], &[], None, None);
    let policy = Policy::default();
    let prepared = policy.prepare(&gw0(&attrs));
    assert!(policy.is_empty() && prepared.is_default());
    assert_eq!(policy.decide(&prepared, v4("10.0.0.0/8")), None);
    assert!(policy.explain(&gw0(&attrs), v4("10.0.0.0/8")).is_empty());
}

#[test]
fn the_first_rule_that_matches_decides_and_the_others_say_why_not() {
    let when = |prefix| Matches { prefix: inside(prefix), ..Matches::default() };
    let tagged =
        Matches { communities: Some(vec!["65000:1".parse().unwrap()]), ..Matches::default() };
    let policy = Policy::new(vec![
        rule(1, tagged, Verdict::Reject),
        Rule { unless: Some(when("10.1.0.0/16")), ..rule(2, when("10.0.0.0/8"), accept()) },
        rule(3, Matches::default(), Verdict::Reject),
        rule(4, Matches::default(), accept()),
    ]);
    let attrs = route(&[65001], &["65000:2"], None, None);
    let subject = gw0(&attrs);
    let prepared = policy.prepare(&subject);
    let number = |prefix| policy.decide(&prepared, v4(prefix)).map(|rule| rule.name.number);
    assert_eq!(number("10.2.0.0/16"), Some(2));
    assert_eq!(number("10.1.7.0/24"), Some(3));
    assert_eq!(number("11.0.0.0/8"), Some(3));
    let told = |prefix| {
        let steps = policy.explain(&subject, v4(prefix)).into_iter();
        steps.map(|step| step.miss.unwrap_or_else(|| step.rule.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(
        told("10.1.7.0/24"),
        ["it does not carry 65000:1", "unless: prefix 10.1.0.0/16 or longer", "everything: reject"]
    );
    assert_eq!(told("11.0.0.0/8")[1], "11.0.0.0/8 is not in 10.0.0.0/8 or longer");
    assert_eq!(policy.rules()[1].name.to_string(), "test rule 2");
}

#[test]
fn policies_are_equal_that_say_the_same() {
    let when = Matches {
        as_path: Some(PathPattern {
            regex: Some(PathRegex::new("^65001_").unwrap()),
            ..PathPattern::default()
        }),
        prefix: inside("10.0.0.0/8"),
        ..Matches::default()
    };
    let policy = || Policy::new(vec![rule(1, when.clone(), accept())]);
    assert_eq!(policy(), policy());
    assert_ne!(policy(), Policy::new(vec![rule(1, when.clone(), Verdict::Reject)]));
    assert_ne!(policy(), Policy::default());
}

#[test]
fn an_unknown_interface_is_none_of_those_asked_for() {
    let when = Matches { interfaces: Some(vec![Glob("eth*".to_owned())]), ..Matches::default() };
    let policy = Policy::new(vec![rule(1, when, Verdict::Reject)]);
    assert!(policy.asks_interface());
    let attrs = route(&[], &[], None, None);
    let decided = |interface| {
        let subject = Subject { interface, ..gw0(&attrs) };
        policy.decide(&policy.prepare(&subject), v4("10.0.0.0/8")).is_some()
    };
    assert!(decided(Some("eth0")) && !decided(Some("tunl0")) && !decided(None));
}

// ---- Against the obvious evaluator --------------------------------------------------------------

/// Conditions as a generator says them; the evaluator reads these, the engine what they compile to.
#[derive(Clone, Debug, Default)]
struct Asked {
    prefixes: Option<Vec<PrefixPattern>>,
    family: Option<Family>,
    kinds: Option<Vec<PeerKind>>,
    communities: Option<Vec<u16>>,
    origin: Option<u32>,
    contains: Option<u32>,
    length: Option<(u32, u32)>,
    local_pref: Option<u32>,
}

/// A route as a generator says it.
#[derive(Clone, Debug)]
struct Given {
    net: IpNet,
    kind: PeerKind,
    path: Vec<u32>,
    communities: Vec<u16>,
    local_pref: Option<u32>,
}

impl Asked {
    fn compiled(&self) -> Matches {
        let asns = |n: Option<u32>| n.map(|n| vec![Asn(n)]);
        let as_path = PathPattern {
            origin: asns(self.origin),
            contains: asns(self.contains),
            length: self.length.map(|(min, max)| Range { min, max }),
            ..PathPattern::default()
        };
        Matches {
            prefix: self.prefixes.as_ref().map(|list| PrefixSet::new(list)),
            family: self.family,
            from: self.kinds.as_ref().map(|list| list.iter().map(|k| From::Kind(*k)).collect()),
            communities: self
                .communities
                .as_ref()
                .map(|list| list.iter().map(|n| format!("65000:{n}").parse().unwrap()).collect()),
            as_path: (as_path != PathPattern::default()).then_some(as_path),
            local_pref: self.local_pref.map(|n| Range { min: n, max: u32::MAX }),
            ..Matches::default()
        }
    }

    fn holds(&self, route: &Given) -> bool {
        let v4 = matches!(route.net, IpNet::V4(_));
        let covered = |p: &PrefixPattern| match V4::from_net(route.net) {
            Some(prefix) => p.contains(prefix),
            None => V6::from_net(route.net).is_some_and(|prefix| p.contains(prefix)),
        };
        let length = u32::try_from(route.path.len()).unwrap();
        self.prefixes.as_ref().is_none_or(|list| list.iter().any(covered))
            && self.family.is_none_or(|f| (f == Family::Ipv4) == v4)
            && self.kinds.as_ref().is_none_or(|l| l.contains(&route.kind))
            && self
                .communities
                .as_ref()
                .is_none_or(|l| l.iter().any(|c| route.communities.contains(c)))
            && self.origin.is_none_or(|n| route.path.last() == Some(&n))
            && self.contains.is_none_or(|n| route.path.contains(&n))
            && self.length.is_none_or(|(min, max)| (min..=max).contains(&length))
            && self.local_pref.is_none_or(|n| route.local_pref.unwrap_or(100) >= n)
    }
}

fn kind() -> impl Strategy<Value = PeerKind> {
    prop_oneof![Just(PeerKind::Mesh), Just(PeerKind::Internal), Just(PeerKind::External)]
}

fn net() -> impl Strategy<Value = IpNet> {
    prop_oneof![
        3 => (0u32..8, 0u8..=32).prop_map(|(n, len)| {
            IpNet::new(std::net::Ipv4Addr::from(n << 29).into(), len).unwrap().trunc()
        }),
        1 => (0u128..4, 0u8..=128).prop_map(|(n, len)| {
            IpNet::new(std::net::Ipv6Addr::from(n << 126).into(), len).unwrap().trunc()
        }),
    ]
}

fn sometimes<T: Clone + std::fmt::Debug>(
    of: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    prop::option::weighted(0.3, of)
}

prop_compose! {
    fn asked()(
        prefixes in sometimes(prop::collection::vec(net().prop_map(PrefixPattern::or_longer), 1..4)),
        family in sometimes(prop_oneof![Just(Family::Ipv4), Just(Family::Ipv6)]),
        kinds in sometimes(prop::collection::vec(kind(), 1..3)),
        communities in sometimes(prop::collection::vec(0u16..4, 1..3)),
        origin in sometimes(1u32..4),
        contains in sometimes(1u32..4),
        length in sometimes((0u32..3, 0u32..4)),
        local_pref in sometimes(99u32..102),
    ) -> Asked {
        Asked { prefixes, family, kinds, communities, origin, contains, length, local_pref }
    }
}

prop_compose! {
    fn given()(
        net in net(),
        kind in kind(),
        path in prop::collection::vec(1u32..4, 0..4),
        communities in prop::collection::vec(0u16..4, 0..3),
        local_pref in prop::option::of(99u32..102),
    ) -> Given {
        Given { net, kind, path, communities, local_pref }
    }
}

/// More with PROPTEST_CASES, as everywhere.
fn at_least(cases: u32) -> ProptestConfig {
    let settings = ProptestConfig::default();
    ProptestConfig { cases: cases.max(settings.cases), ..settings }
}

proptest! {
    #![proptest_config(at_least(1000))]
    #[test]
    fn the_engine_decides_as_the_obvious_evaluator(
        rules in prop::collection::vec((asked(), prop::option::of(asked())), 0..6),
        routes in prop::collection::vec(given(), 1..6),
    ) {
        let compiled = rules.iter().zip(1..).map(|((when, unless), number)| Rule {
            unless: unless.as_ref().map(Asked::compiled),
            ..rule(number, when.compiled(), accept())
        });
        let policy = Policy::new(compiled.collect());
        for given in routes {
            let words: Vec<String> = given.communities.iter().map(|n| format!("65000:{n}")).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let attrs = route(&given.path, &words, given.local_pref, None);
            let source = Source::Neighbor { kind: given.kind, name: "x" };
            let subject = Subject { attrs: &attrs, source, interface: None };
            let first = rules.iter().position(|(when, unless)| {
                when.holds(&given) && !unless.as_ref().is_some_and(|u| u.holds(&given))
            });
            let prepared = policy.prepare(&subject);
            let (decided, steps) = match V4::from_net(given.net) {
                Some(p) => (policy.decide(&prepared, p), policy.explain(&subject, p)),
                None => {
                    let p = V6::from_net(given.net).unwrap();
                    (policy.decide(&prepared, p), policy.explain(&subject, p))
                }
            };
            let number = first.map(|at| u32::try_from(at + 1).unwrap());
            prop_assert_eq!(decided.map(|rule| rule.name.number), number, "{:?}", given);
            // What is told agrees with what is done.
            let told = steps.iter().find(|step| step.miss.is_none()).map(|step| step.rule);
            prop_assert_eq!(told, decided);
        }
    }
}

#[test]
fn hits_are_no_part_of_what_a_policy_says() {
    let policy = Policy::new(vec![rule(1, Matches::default(), accept())]);
    let attrs = route(&[], &[], None, None);
    let prepared = policy.prepare(&gw0(&attrs));
    let copy = policy.clone();
    let hits = |policy: &Policy| policy.hits().map(|(_, hits)| hits).collect::<Vec<_>>();
    for _ in 0..3 {
        assert!(policy.decide(&prepared, v4("10.0.0.0/8")).is_some());
        assert!(policy.would_decide(&prepared, v4("10.0.0.0/8")).is_some());
        policy.explain(&gw0(&attrs), v4("10.0.0.0/8"));
    }
    assert_eq!((hits(&policy), hits(&copy), hits(&policy.clone())), (vec![3], vec![0], vec![0]));
    assert_eq!((&policy, policy.cmp(&copy)), (&copy, std::cmp::Ordering::Equal));
}
