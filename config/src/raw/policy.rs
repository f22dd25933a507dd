//! `[[policy]]`, `[[prefix-set]]` and `[[community-set]]` as the files say them.

use starling_bgp::msg::Encapsulation;
use starling_bgp::policy::{
    AnyCommunity, CommunityPattern, Glob, MedChange, NextHopChange, PathRegex, PrefixPattern, Range,
};
use starling_bgp::types::{Asn, Family};
use toml::de::{DeTable, DeValue};

use super::Keys;
use crate::policy::Who;
use crate::reader::{Field, Section, kind, place};
use crate::source::{At, Sp};
use crate::value::{CommunityWord, Name, NextHopWord, PrefixWord, Then, Times};

pub(super) const POLICY: Keys = &["name", "rules"];
pub(super) const PREFIX_SET: Keys = &["name", "prefixes"];
pub(super) const COMMUNITY_SET: Keys = &["name", "communities"];

const RULE: Keys = &[
    "name",
    "prefix",
    "family",
    "from",
    "to",
    "community",
    "as-path",
    "next-hop",
    "interface",
    "local-pref",
    "med",
    "unless",
    "then",
    "set",
];
const UNLESS: Keys = &[
    "prefix",
    "family",
    "from",
    "community",
    "as-path",
    "next-hop",
    "interface",
    "local-pref",
    "med",
];
const AS_PATH: Keys = &["origin", "neighbor", "contains", "starts-with", "length", "regex"];
const SET: Keys = &[
    "local-pref",
    "med",
    "add-community",
    "remove-community",
    "prepend",
    "next-hop",
    "metric",
    "encapsulation",
];
/// Where a key may have strayed from.
const ELSEWHERE: &[(&str, Keys)] = &[("a rule", RULE), ("`set`", SET), ("`as-path`", AS_PATH)];

#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) name: Field<Name>,
    pub(crate) rules: Vec<Rule>,
}

#[derive(Debug)]
pub(crate) struct PrefixSet {
    pub(crate) name: Field<Name>,
    pub(crate) prefixes: Field<Vec<Sp<PrefixPattern>>>,
}

#[derive(Debug)]
pub(crate) struct CommunitySet {
    pub(crate) name: Field<Name>,
    pub(crate) communities: Field<Vec<Sp<CommunityPattern>>>,
}

#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) at: At,
    pub(crate) name: Field<Name>,
    pub(crate) when: Conditions,
    pub(crate) unless: Option<(Conditions, At)>,
    pub(crate) to: Field<Vec<Sp<Who>>>,
    pub(crate) then: Field<Then>,
    pub(crate) set: Option<(Set, At)>,
}

#[derive(Debug)]
pub(crate) struct Conditions {
    pub(crate) prefix: Field<Vec<Sp<PrefixWord>>>,
    pub(crate) family: Field<Family>,
    pub(crate) from: Field<Vec<Sp<Who>>>,
    pub(crate) community: Field<Vec<Sp<CommunityWord>>>,
    pub(crate) as_path: Option<(AsPath, At)>,
    pub(crate) next_hop: Field<Vec<Sp<NextHopWord>>>,
    pub(crate) interface: Field<Vec<Sp<Glob>>>,
    pub(crate) local_pref: Field<Range>,
    pub(crate) med: Field<Range>,
}

#[derive(Debug)]
pub(crate) struct AsPath {
    pub(crate) origin: Field<Vec<Sp<Asn>>>,
    pub(crate) neighbor: Field<Vec<Sp<Asn>>>,
    pub(crate) contains: Field<Vec<Sp<Asn>>>,
    pub(crate) starts_with: Field<Vec<Sp<Asn>>>,
    pub(crate) length: Field<Range>,
    pub(crate) regex: Field<PathRegex>,
}

/// What is put in front of AS_PATH.
#[derive(Debug)]
pub(crate) enum Prepend {
    /// Our own AS, so many times.
    Own(Times),
    /// These.
    Asns(Vec<Sp<Asn>>),
}

#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) local_pref: Field<u32>,
    pub(crate) med: Field<MedChange>,
    pub(crate) add: Field<Vec<Sp<AnyCommunity>>>,
    pub(crate) remove: Field<Vec<Sp<CommunityPattern>>>,
    pub(crate) prepend: Option<(Prepend, At)>,
    pub(crate) next_hop: Field<NextHopChange>,
    pub(crate) metric: Field<u32>,
    pub(crate) encapsulation: Field<Encapsulation>,
}

pub(super) fn prefix_set(mut s: Section<'_, '_>) -> PrefixSet {
    let set = PrefixSet { name: s.needed("name"), prefixes: s.one_or_list("prefixes") };
    if set.prefixes.is_absent() {
        s.missing("prefixes", "[\"10.0.0.0/8 or longer\"]");
    }
    set
}

pub(super) fn community_set(mut s: Section<'_, '_>) -> CommunitySet {
    let set = CommunitySet { name: s.needed("name"), communities: s.one_or_list("communities") };
    if set.communities.is_absent() {
        s.missing("communities", "[\"65000:100\"]");
    }
    set
}

pub(super) fn policy(mut s: Section<'_, '_>) -> Policy {
    let name = s.needed("name");
    let mut rules = Vec::new();
    match s.any("rules") {
        None => s.missing("rules", "[{ prefix = \"10.0.0.0/8 or longer\", then = \"accept\" }]"),
        Some((DeValue::Array(array), at)) => {
            for element in array.iter() {
                let at = place(at.file, element);
                match element.get_ref() {
                    DeValue::Table(table) => {
                        let rule = Section::new("a rule", table, at, RULE, ELSEWHERE, s.problems());
                        rules.push(self::rule(rule));
                    }
                    other => {
                        s.problems()
                            .error(at, format!("this is {}", kind(other)))
                            .expected("a rule: { community = \"65000:100\", then = \"accept\" }");
                    }
                }
            }
        }
        Some((other, at)) => {
            s.problems()
                .error(at, format!("`rules` is {}", kind(other)))
                .expected("rules = [{ … }, { … }], or one table [[policy.rules]] for each");
        }
    }
    Policy { name, rules }
}

fn rule(mut s: Section<'_, '_>) -> Rule {
    let when = conditions(&mut s);
    let then = s.one("then");
    if then.is_absent() {
        let at = s.at;
        s.problems()
            .error(at, "the rule does not say what happens to the route")
            .expected("then = \"accept\" or then = \"reject\"");
    }
    let unless = inner(&mut s, "unless", UNLESS).map(|(mut u, at)| (conditions(&mut u), at));
    let set = inner(&mut s, "set", SET).map(|(u, at)| (set(u), at));
    Rule { at: s.at, name: s.one("name"), when, unless, to: s.one_or_list("to"), then, set }
}

/// The table at `key` of a rule.
fn inner<'r, 'i, 's>(
    s: &'s mut Section<'r, 'i>,
    key: &'static str,
    keys: Keys,
) -> Option<(Section<'s, 'i>, At)>
where
    'r: 's,
{
    match s.any(key)? {
        (DeValue::Table(table), at) => {
            let table: &DeTable<'i> = table;
            Some((Section::new(key, table, at, keys, ELSEWHERE, s.problems()), at))
        }
        (other, at) => {
            s.problems()
                .error(at, format!("`{key}` is {}", kind(other)))
                .expected(format!("{key} = {{ … }} with some of {}", keys.join(", ")));
            None
        }
    }
}

fn conditions(s: &mut Section<'_, '_>) -> Conditions {
    Conditions {
        prefix: s.one_or_list("prefix"),
        family: s.one("family"),
        from: s.one_or_list("from"),
        community: s.one_or_list("community"),
        as_path: inner(s, "as-path", AS_PATH).map(|(u, at)| (as_path(u), at)),
        next_hop: s.one_or_list("next-hop"),
        interface: s.one_or_list("interface"),
        local_pref: s.one("local-pref"),
        med: s.one("med"),
    }
}

fn as_path(mut s: Section<'_, '_>) -> AsPath {
    AsPath {
        origin: s.one_or_list("origin"),
        neighbor: s.one_or_list("neighbor"),
        contains: s.one_or_list("contains"),
        starts_with: s.one_or_list("starts-with"),
        length: s.one("length"),
        regex: s.one("regex"),
    }
}

fn set(mut s: Section<'_, '_>) -> Set {
    let prepend = match s.any("prepend") {
        Some((DeValue::Array(_), at)) => match s.list("prepend") {
            Field::Is(asns) => Some((Prepend::Asns(asns.value), at)),
            _ => None,
        },
        Some((_, at)) => s.one("prepend").value().map(|times| (Prepend::Own(*times), at)),
        None => None,
    };
    Set {
        local_pref: s.one("local-pref"),
        med: s.one("med"),
        add: s.one_or_list("add-community"),
        remove: s.one_or_list("remove-community"),
        prepend,
        next_hop: s.one("next-hop"),
        metric: s.one("metric"),
        encapsulation: s.one("encapsulation"),
    }
}
