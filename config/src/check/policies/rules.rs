//! One rule: what it asks and sets, and whether it can ever match.

use std::net::IpAddr;

use starling_bgp::policy::{
    Changes, CommunityPattern, Matches, PathPattern, PrefixPattern, PrefixSet, RuleName, Verdict,
};
use starling_bgp::types::{Asn, Family};
use starling_bgp::wire::community::Community;

use super::Sets;
use crate::policy::{Conditions, Prefixes, Rule, Who};
use crate::raw::policy as raw;
use crate::reader::{Field, nearest};
use crate::source::{Problems, Sp, shown};
use crate::value::{CommunityWord, PrefixWord, Then, family_of_pattern};

/// The rule that `said` is, number `number` of `policy`.
pub(super) fn build(
    policy: &raw::Policy,
    said: &raw::Rule,
    number: u32,
    sets: &Sets<'_>,
    problems: &mut Problems,
) -> Rule {
    let name = RuleName {
        policy: policy.name.value().map_or("", |name| name.0.as_str()).into(),
        number,
        name: said.name.value().map(|name| name.0.as_str().into()),
    };
    let when = conditions(&said.when, sets, problems);
    let unless = said.unless.as_ref().map(|(unless, at)| {
        let unless = conditions(unless, sets, problems);
        if is_empty(&unless) {
            problems
                .error(*at, "without a condition `unless` always holds: the rule never matches")
                .expected("unless = { prefix = \"10.0.0.0/8 or longer\" }, for example");
        }
        unless
    });
    if unless.as_ref().is_some_and(|unless| !is_empty(unless) && *unless == when) {
        let at = said.unless.as_ref().map_or(said.at, |(_, at)| *at);
        problems.error(at, "`unless` asks what the rule asks: the rule never matches");
    }
    contradictions(said, problems);
    let to = said.to.value().into_iter().flatten();
    for who in to.clone() {
        known(who, sets, problems);
        if who.value == Who::Local {
            problems
                .error(who.at, "nothing goes out to the node itself")
                .expected("\"mesh\", \"peer\", \"ibgp\", \"ebgp\" or the name of a neighbour");
        }
    }
    let to = to.map(|who| who.value.clone()).collect();
    not_empty(&said.to, "to", problems);
    let (verdict, prepend_own) = verdict(said, problems);
    Rule { name, to, when, unless, verdict, prepend_own }
}

fn is_empty(conditions: &Conditions) -> bool {
    let Conditions { prefixes, from, rest } = conditions;
    prefixes.is_none() && from.is_none() && *rest == Matches::default()
}

fn verdict(said: &raw::Rule, problems: &mut Problems) -> (Verdict, u8) {
    match (said.then.value(), &said.set) {
        (Some(Then::Reject), Some((_, at))) => {
            problems
                .error(*at, "what is rejected goes nowhere: there is nothing to set")
                .hint("then = \"accept\", or leave `set` out");
            (Verdict::Reject, 0)
        }
        (Some(Then::Reject), None) => (Verdict::Reject, 0),
        (_, None) => (Verdict::Accept(Changes::default()), 0),
        (_, Some((set, _))) => {
            let mut prepend_own = 0;
            let mut prepend = Vec::new();
            match &set.prepend {
                Some((raw::Prepend::Own(times), _)) => prepend_own = times.0,
                Some((raw::Prepend::Asns(asns), at)) => {
                    if asns.is_empty() || asns.len() > 25 {
                        problems
                            .error(*at, "this prepends nothing, or too much")
                            .expected("1 to 25 AS numbers");
                    }
                    prepend = asns.iter().map(|asn| asn.value).collect();
                }
                None => {}
            }
            let changes = Changes {
                local_pref: set.local_pref.value().copied(),
                med: set.med.value().copied(),
                remove: values(&set.remove),
                add: values(&set.add),
                prepend,
                next_hop: set.next_hop.value().copied(),
                metric: set.metric.value().copied(),
                encapsulation: set.encapsulation.value().copied(),
            };
            (Verdict::Accept(changes), prepend_own)
        }
    }
}

fn values<T: Clone>(field: &Field<Vec<Sp<T>>>) -> Vec<T> {
    field.value().into_iter().flatten().map(|sp| sp.value.clone()).collect()
}

fn not_empty<T>(field: &Field<Vec<Sp<T>>>, key: &str, problems: &mut Problems) {
    if let Some(list) = field.get().filter(|list| list.value.is_empty()) {
        problems
            .error(
                list.at,
                format!("nothing is in an empty list: with this `{key}` the rule never matches"),
            )
            .hint(format!("leave `{key}` out to match all"));
    }
}

fn conditions(said: &raw::Conditions, sets: &Sets<'_>, problems: &mut Problems) -> Conditions {
    not_empty(&said.prefix, "prefix", problems);
    not_empty(&said.from, "from", problems);
    not_empty(&said.community, "community", problems);
    not_empty(&said.next_hop, "next-hop", problems);
    not_empty(&said.interface, "interface", problems);
    for who in said.from.value().into_iter().flatten() {
        known(who, sets, problems);
    }
    let next_hops: Option<Vec<PrefixPattern>> =
        said.next_hop.value().map(|list| list.iter().map(|word| word.value.0).collect());
    let words = |list: &[PrefixPattern]| {
        let words: Vec<String> = list.iter().map(|pattern| pattern.net().to_string()).collect();
        words.join(", ")
    };
    let rest = Matches {
        prefix: None,
        from: None,
        family: said.family.value().copied(),
        communities: communities(&said.community, sets, problems),
        as_path: said.as_path.as_ref().map(|(path, _)| as_path(path, problems)),
        next_hop: next_hops.map(|list| PrefixSet::called(words(&list), &list)),
        interfaces: said.interface.value().map(|_| values(&said.interface)),
        local_pref: said.local_pref.value().copied(),
        med: said.med.value().copied(),
    };
    Conditions {
        prefixes: prefixes(&said.prefix, sets, problems),
        from: said.from.value().map(|_| values(&said.from)),
        rest,
    }
}

/// How many prefixes are listed in the words of a rule.
const WORDS: usize = 6;

fn prefixes(
    field: &Field<Vec<Sp<PrefixWord>>>,
    sets: &Sets<'_>,
    problems: &mut Problems,
) -> Option<Prefixes> {
    let list = field.value()?;
    let mut patterns = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let (mut pools, mut own_blocks) = (false, false);
    for word in list {
        match &word.value {
            PrefixWord::Pattern(pattern) => {
                patterns.push(*pattern);
                words.push(pattern.to_string());
            }
            PrefixWord::Pools => {
                pools = true;
                words.push("pools".to_owned());
            }
            PrefixWord::OwnBlocks => {
                own_blocks = true;
                words.push("own-blocks".to_owned());
            }
            PrefixWord::Set(name) => {
                match sets.prefixes.get(name.as_str()) {
                    Some(set) => patterns.extend_from_slice(set),
                    None => {
                        let known = sets.prefixes.keys().copied().chain(["pools", "own-blocks"]);
                        let near =
                            nearest(name, known).map(|near| format!("did you mean \"{near}\"?"));
                        problems
                            .error(word.at, format!("there is no prefix set {}", shown(name)))
                            .expected("a prefix, \"pools\", \"own-blocks\" or the name of a [[prefix-set]]")
                            .maybe_hint(near);
                    }
                }
                words.push(name.clone());
            }
        }
    }
    if let Some(more @ 1..) = words.len().checked_sub(WORDS) {
        words.truncate(WORDS);
        words.push(format!("{more} more"));
    }
    Some(Prefixes { words: words.join(", "), patterns, pools, own_blocks })
}

fn communities(
    field: &Field<Vec<Sp<CommunityWord>>>,
    sets: &Sets<'_>,
    problems: &mut Problems,
) -> Option<Vec<CommunityPattern>> {
    let mut patterns = Vec::new();
    for word in field.value()? {
        match &word.value {
            CommunityWord::Pattern(pattern) => patterns.push(*pattern),
            CommunityWord::Set(name) => match sets.communities.get(name.as_str()) {
                Some(set) => patterns.extend_from_slice(set),
                None => {
                    let names = Community::names().map(|name| -> &str { name });
                    let known: Vec<&str> =
                        names.chain(sets.communities.keys().map(|name| &**name)).collect();
                    let near = nearest(name, known).map(|near| format!("did you mean \"{near}\"?"));
                    problems
                        .error(word.at, format!("there is no community set {}", shown(name)))
                        .expected("a community such as \"65000:100\" or \"no-export\", or the name of a [[community-set]]")
                        .maybe_hint(near);
                }
            },
        }
    }
    Some(patterns)
}

fn as_path(said: &raw::AsPath, problems: &mut Problems) -> PathPattern {
    let asns = |field: &Field<Vec<Sp<Asn>>>, key, problems: &mut Problems| {
        not_empty(field, key, problems);
        let mut list = values(field);
        list.sort_unstable();
        field.value().map(|_| list)
    };
    let pattern = PathPattern {
        origin: asns(&said.origin, "origin", problems),
        neighbor: asns(&said.neighbor, "neighbor", problems),
        contains: asns(&said.contains, "contains", problems),
        starts_with: values(&said.starts_with),
        length: said.length.value().copied(),
        regex: said.regex.value().cloned(),
    };
    if let Some(length) = said.length.get() {
        let some = [&pattern.origin, &pattern.neighbor, &pattern.contains];
        let least = pattern.starts_with.len().max(usize::from(some.iter().any(|l| l.is_some())));
        if usize::try_from(length.value.max).is_ok_and(|max| max < least) {
            problems.error(
                length.at,
                format!(
                    "no path that holds what else is asked has length {}: the rule never matches",
                    length.value
                ),
            );
        }
    }
    pattern
}

/// Notes a neighbour that nobody knows.
fn known(who: &Sp<Who>, sets: &Sets<'_>, problems: &mut Problems) {
    let Who::Named(name) = &who.value else { return };
    // Routers without a name are called by their address.
    let address = name.parse::<IpAddr>().is_ok();
    if address || sets.neighbors.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return;
    }
    let words = ["mesh", "peer", "local", "ibgp", "ebgp"];
    let near = nearest(name, words.into_iter().chain(sets.neighbors.iter().copied()));
    problems
        .error(who.at, format!("there is no neighbour {}", shown(name)))
        .expected("\"mesh\", \"peer\", \"local\", \"ibgp\", \"ebgp\", or the name of a [[node]] or [[peer]]")
        .maybe_hint(near.map(|near| format!("did you mean \"{near}\"?")));
}

/// A family and prefixes of the other one.
fn contradictions(said: &raw::Rule, problems: &mut Problems) {
    let (Some(family), Some(prefixes)) = (said.when.family.get(), said.when.prefix.value()) else {
        return;
    };
    let other = |word: &Sp<PrefixWord>| match &word.value {
        PrefixWord::Pattern(pattern) => family_of_pattern(pattern) != family.value,
        _ => false,
    };
    if let (true, Some(first)) = (prefixes.iter().all(other), prefixes.first()) {
        let other = match family.value {
            Family::Ipv4 => Family::Ipv6,
            Family::Ipv6 => Family::Ipv4,
        };
        problems
            .error(first.at, format!("these prefixes are {other}: the rule never matches"))
            .see(family.at, format!("only {} is asked for", family.value));
    }
}

/// Warns of rules that no route reaches because an earlier one takes all that they ask for.
pub(super) fn unreachable(said: &raw::Policy, rules: &[Rule], problems: &mut Problems) {
    for (at, rule) in rules.iter().enumerate() {
        let earlier = rules.iter().take(at).find(|earlier| takes_all_of(earlier, rule));
        let (Some(earlier), Some(place)) = (earlier, said.rules.get(at)) else { continue };
        let number = usize::try_from(earlier.name.number).unwrap_or(0);
        let first = said.rules.get(number.saturating_sub(1)).map_or(place.at, |r| r.at);
        let what = match is_empty(&earlier.when) {
            true => "every route",
            false => "all that it asks for",
        };
        problems
            .warn(
                place.at,
                format!("rule {} never matches: rule {number} takes {what}", rule.name.number),
            )
            .see(first, format!("rule {number}"));
    }
}

/// Whether every route that `later` matches is matched by `earlier`, as far as can be told by
/// comparing what they say.
fn takes_all_of(earlier: &Rule, later: &Rule) -> bool {
    fn same<T: PartialEq>(earlier: &Option<T>, later: &Option<T>) -> bool {
        earlier.is_none() || earlier == later
    }
    let (a, b) = (&earlier.when, &later.when);
    let prefixes = match (&a.prefixes, &b.prefixes) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(a), Some(b)) => {
            let covered = |p: &PrefixPattern| a.patterns.iter().any(|q| q.covers(p));
            b.patterns.iter().all(covered)
                && (a.pools || !b.pools)
                && (a.own_blocks || !b.own_blocks)
        }
    };
    let (to, unless) = (earlier.to.is_empty() || earlier.to == later.to, earlier.unless.is_none());
    let (a, b) = (&a.rest, &b.rest);
    to && unless
        && prefixes
        && same(&earlier.when.from, &later.when.from)
        && same(&a.family, &b.family)
        && same(&a.communities, &b.communities)
        && same(&a.as_path, &b.as_path)
        && same(&a.next_hop, &b.next_hop)
        && same(&a.interfaces, &b.interfaces)
        && same(&a.local_pref, &b.local_pref)
        && same(&a.med, &b.med)
}
