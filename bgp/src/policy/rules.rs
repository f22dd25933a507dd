//! Ordered rules: the first that matches decides.
//!
//! ```text
//!  Subject ──Policy::prepare──► Prepared ──Policy::decide(prefix)──► the rule, or None: default
//!  (attributes, source:          (rules that can still match:        (verdict and changes)
//!   once a set)                   for every prefix that shares it)
//! ```
//!
//! A million routes have a few thousand attribute sets: what does not depend on the prefix is
//! asked once a set, and a caller may keep the answer by `AttrId` for as long as that number means
//! the same set. A policy without rules costs nothing: it prepares nothing and decides nothing.

use std::fmt;
use std::sync::Arc;

use super::changes::Changes;
use super::hits::Hits;
use super::matches::{Matches, Subject};
use super::paths::Miss;
use crate::types::Prefix;

/// What becomes of a route that a rule matches.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// It passes, so changed.
    Accept(Changes),
    /// It does not.
    Reject,
}

/// How people call a rule.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RuleName {
    /// The policy that it stands in.
    pub policy: Arc<str>,
    /// Its place there, from 1.
    pub number: u32,
    /// Its own name, if it has one.
    pub name: Option<Arc<str>>,
}

/// `from-tor rule 2`, `from-tor rule 3 (bogons)`.
impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} rule {}", self.policy, self.number)?;
        match &self.name {
            Some(name) => write!(f, " ({name})"),
            None => Ok(()),
        }
    }
}

/// If all of `when` holds, and not all of `unless`, then `verdict`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Rule {
    /// What it is called.
    pub name: RuleName,
    /// What must hold; empty: it always does.
    pub when: Matches,
    /// What must not hold as a whole.
    pub unless: Option<Matches>,
    /// What then happens.
    pub verdict: Verdict,
}

/// Rules of an operator, in order. Two are equal if they say the same in the same words.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Policy {
    rules: Vec<Rule>,
    hits: Hits,
    asks_interface: bool,
}

/// A rule that matches some routes with given attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Candidate {
    rule: u32,
    /// The prefix must still be asked for `when`.
    when: bool,
    /// All of `unless` holds but what it asks of the prefix.
    unless: bool,
}

/// What is left of a policy once attributes and source are known. Good for the policy that made
/// it, while these stay the same.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Prepared {
    candidates: Vec<Candidate>,
}

/// How a rule fared with a route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// Why it does not match; `None`: it does, and decides.
    pub miss: Option<Miss>,
}

impl Policy {
    /// These rules, in this order.
    pub fn new(rules: Vec<Rule>) -> Policy {
        let asks = |m: &Matches| m.interfaces.is_some();
        let asks = |rule: &Rule| asks(&rule.when) || rule.unless.as_ref().is_some_and(asks);
        let (hits, asks_interface) = (Hits::new(rules.len()), rules.iter().any(asks));
        Policy { rules, hits, asks_interface }
    }

    /// The rules, in order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The names of the policies that the rules stand in, each once, in order.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.rules.iter().map(|rule| &*rule.name.policy).collect();
        names.dedup();
        names
    }

    /// Whether there is no rule: then the default decides everything.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether a rule asks for the interface: an answer then changes when that does.
    #[inline]
    pub fn asks_interface(&self) -> bool {
        self.asks_interface
    }

    /// The rules, in order, each with how often [`Policy::decide`] named it.
    pub fn hits(&self) -> impl Iterator<Item = (&Rule, u64)> {
        self.rules.iter().zip(self.hits.iter())
    }

    /// What is left to ask of each prefix of routes with these attributes and this source.
    pub fn prepare(&self, subject: &Subject<'_>) -> Prepared {
        let mut candidates = Vec::new();
        for (rule, at) in self.rules.iter().zip(0..) {
            if !rule.when.shared(subject) {
                continue;
            }
            let unless = rule.unless.as_ref().filter(|unless| unless.shared(subject));
            if unless.is_some_and(|unless| !unless.asks_prefix()) {
                continue;
            }
            let (when, unless) = (rule.when.asks_prefix(), unless.is_some());
            candidates.push(Candidate { rule: at, when, unless });
            if !when && !unless {
                break;
            }
        }
        Prepared { candidates }
    }

    /// The rule that decides about a prefix, which counts as a hit; `None`: no rule matches, the
    /// default decides.
    #[inline]
    pub fn decide<P: Prefix>(&self, prepared: &Prepared, prefix: P) -> Option<&Rule> {
        let (at, rule) = self.find(prepared, prefix)?;
        self.hits.count(at);
        Some(rule)
    }

    /// The same, where nothing is decided: somebody only wants to know.
    #[inline]
    pub fn would_decide<P: Prefix>(&self, prepared: &Prepared, prefix: P) -> Option<&Rule> {
        self.find(prepared, prefix).map(|(_, rule)| rule)
    }

    #[inline]
    fn find<P: Prefix>(&self, prepared: &Prepared, prefix: P) -> Option<(usize, &Rule)> {
        prepared.candidates.iter().find_map(|candidate| {
            let at = candidate.rule as usize;
            let rule = self.rules.get(at)?;
            let when = !candidate.when || rule.when.prefix(prefix);
            let spared = candidate.unless
                && rule.unless.as_ref().is_some_and(|unless| unless.prefix(prefix));
            (when && !spared).then_some((at, rule))
        })
    }

    /// How every rule fares up to the one that decides, for people.
    pub fn explain<P: Prefix>(&self, subject: &Subject<'_>, prefix: P) -> Vec<Step<'_>> {
        let mut steps = Vec::new();
        for rule in &self.rules {
            let spared = || {
                let unless = rule.unless.as_ref().filter(|u| u.miss(subject, prefix).is_none())?;
                Some(format!("unless: {unless}"))
            };
            let miss = rule.when.miss(subject, prefix).or_else(spared);
            let decides = miss.is_none();
            steps.push(Step { rule, miss });
            if decides {
                break;
            }
        }
        steps
    }
}

impl Prepared {
    /// Whether no rule can match any more, whatever the prefix: the default decides.
    #[inline]
    pub fn is_default(&self) -> bool {
        self.candidates.is_empty()
    }
}

/// `accept, local-pref 200`, `reject`.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Reject => f.write_str("reject"),
            Verdict::Accept(changes) if changes.is_empty() => f.write_str("accept"),
            Verdict::Accept(changes) => write!(f, "accept, {changes}"),
        }
    }
}

/// `prefix 10.0.0.0/8 unless community no-export: accept`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.when.fmt(f)?;
        if let Some(unless) = &self.unless {
            write!(f, " unless {unless}")?;
        }
        write!(f, ": {}", self.verdict)
    }
}

#[cfg(test)]
pub(in crate::policy) mod tests;
