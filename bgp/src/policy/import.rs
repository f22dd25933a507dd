//! The import side of a neighbour as a whole: what may never come, then rules, then the default.
//!
//! Asked in two steps as rules are: [`Import::prepare`] once an attribute set, [`Import::prefix`]
//! for each prefix that shares it.

use super::changes::Changes;
use super::matches::{Source, Subject};
use super::rules::{Policy, Prepared, Verdict};
use super::{ImportPolicy, Judge, Rejection, covers};
use crate::attrs::AttrSet;
use crate::msg::PeerPolicy;
use crate::types::{PeerKind, Prefix};

/// What judges the routes of one neighbour.
#[derive(Clone, Copy, Debug)]
pub struct Import<'a> {
    floor: &'a ImportPolicy,
    rules: &'a Policy,
    source: Source<'a>,
}

impl<'a> Import<'a> {
    /// That of a neighbour with this policy, which is `kind` to us.
    pub fn new(policy: &'a PeerPolicy, kind: PeerKind) -> Import<'a> {
        let source = Source::Neighbor { kind, name: &policy.name };
        Import { floor: &policy.import, rules: &policy.import_rules, source }
    }

    /// Whether a rule asks for the interface of the next hop.
    pub fn asks_interface(self) -> bool {
        self.rules.asks_interface()
    }

    /// What is left to ask of each prefix that comes with these attributes. `interface`: where
    /// their next hop is, if that is known; it matters to [`Import::asks_interface`] only.
    ///
    /// # Errors
    /// Why no route with these attributes may be used.
    pub fn prepare(self, attrs: &AttrSet, interface: Option<&str>) -> Result<Prepared, Rejection> {
        match Judge(Some(self.floor)).attributes(attrs) {
            Some(rejection) => Err(rejection),
            None => Ok(self.rules.prepare(&self.subject(attrs, interface))),
        }
    }

    /// What becomes of a prefix that comes: accepted as it is (`Some(None)`), or so changed; `None`:
    /// it may not come. The rule that decides has a hit.
    #[inline]
    pub fn passes<P: Prefix>(self, prepared: &Prepared, prefix: P) -> Option<Option<&'a Changes>> {
        if self.floor.excepts(prefix).is_some() {
            return None;
        }
        match self.rules.decide(prepared, prefix).map(|rule| &rule.verdict) {
            Some(Verdict::Accept(changes)) => Some((!changes.is_empty()).then_some(changes)),
            Some(Verdict::Reject) => None,
            None => self.floor.within.iter().any(|net| covers(*net, prefix)).then_some(None),
        }
    }

    /// What becomes of a prefix, for people: accepted as it is (`None`), or so changed.
    ///
    /// # Errors
    /// Why it may not come.
    pub fn prefix<P: Prefix>(
        self,
        prepared: &Prepared,
        prefix: P,
    ) -> Result<Option<&'a Changes>, Rejection> {
        if let Some(net) = self.floor.excepts(prefix) {
            return Err(Rejection::Except(net));
        }
        match self.rules.would_decide(prepared, prefix) {
            Some(rule) => match &rule.verdict {
                Verdict::Accept(changes) => Ok((!changes.is_empty()).then_some(changes)),
                Verdict::Reject => Err(Rejection::Rule(rule.name.clone())),
            },
            None if self.floor.within.iter().any(|net| covers(*net, prefix)) => Ok(None),
            None => Err(Rejection::NotWithin),
        }
    }

    /// A route of the neighbour as the rules see it.
    pub fn subject<'b>(self, attrs: &'b AttrSet, interface: Option<&'b str>) -> Subject<'b>
    where
        'a: 'b,
    {
        Subject { attrs, source: self.source, interface }
    }
}

#[cfg(test)]
mod tests;
