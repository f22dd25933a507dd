//! Policies: whether names are known, rules can match, and what they set makes sense where they
//! are used.

mod rules;
mod uses;

use std::collections::BTreeMap;

use starling_bgp::policy::{CommunityPattern, PrefixPattern};

use crate::policy::{Policy, Rule};
use crate::raw::Raw;
use crate::source::{At, Problems, Sp};
use crate::value::Name;

/// The sets by name, and which of them a rule asks for.
pub(super) struct Sets<'r> {
    prefixes: BTreeMap<&'r str, Vec<PrefixPattern>>,
    communities: BTreeMap<&'r str, Vec<CommunityPattern>>,
    /// Names of neighbours.
    neighbors: Vec<&'r str>,
}

/// The policies, one for each `[[policy]]` that has a name.
pub(super) fn check(raw: &Raw, problems: &mut Problems) -> Vec<Policy> {
    let sets = sets(raw, problems);
    once(raw.policies.iter().filter_map(|p| p.name.get()), "[[policy]]", problems);
    let mut policies = Vec::new();
    for said in &raw.policies {
        let rules: Vec<Rule> = said
            .rules
            .iter()
            .zip(1..)
            .map(|(rule, n)| rules::build(said, rule, n, &sets, problems))
            .collect();
        // A rule that could not be read seems to ask for less than it does.
        if !problems.has_errors() {
            rules::unreachable(said, &rules, problems);
        }
        if let Some(name) = said.name.value() {
            policies.push(Policy { name: name.0.as_str().into(), rules });
        }
    }
    uses::check(raw, problems);
    policies
}

fn sets<'r>(raw: &'r Raw, problems: &mut Problems) -> Sets<'r> {
    once(raw.prefix_sets.iter().filter_map(|s| s.name.get()), "[[prefix-set]]", problems);
    once(raw.community_sets.iter().filter_map(|s| s.name.get()), "[[community-set]]", problems);
    let mut sets =
        Sets { prefixes: BTreeMap::new(), communities: BTreeMap::new(), neighbors: Vec::new() };
    for set in &raw.prefix_sets {
        let Some(name) = set.name.get() else { continue };
        if matches!(name.value.0.as_str(), "pools" | "own-blocks") {
            problems
                .error(name.at, format!("{} has a meaning of its own", name.value.0))
                .expected("another name");
        }
        let patterns = set.prefixes.value().into_iter().flatten().map(|p| p.value);
        sets.prefixes.entry(&name.value.0).or_default().extend(patterns);
    }
    for set in &raw.community_sets {
        let Some(name) = set.name.get() else { continue };
        let patterns = set.communities.value().into_iter().flatten().map(|c| c.value);
        sets.communities.entry(&name.value.0).or_default().extend(patterns);
    }
    let names = raw.nodes.iter().map(|n| &n.name).chain(raw.peers.iter().map(|p| &p.name));
    sets.neighbors = names.filter_map(|name| Some(name.value()?.0.as_str())).collect();
    sets
}

/// Notes names that come a second time.
fn once<'r>(names: impl Iterator<Item = &'r Sp<Name>>, what: &str, problems: &mut Problems) {
    let mut seen: BTreeMap<&str, At> = BTreeMap::new();
    for name in names {
        match seen.get(name.value.0.as_str()) {
            Some(first) => {
                problems
                    .error(name.at, format!("a second {what} named {}", name.value.0))
                    .expected("a name of its own")
                    .see(*first, "the first");
            }
            None => {
                seen.insert(&name.value.0, name.at);
            }
        }
    }
}
