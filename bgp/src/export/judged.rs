//! What becomes of routes with given attributes from a given source, asked once for a run of them.
//!
//! Routes come in runs that share attributes and source, and within a message the number of a set
//! means one set; so the answer is kept until another run begins or the message ends. Only what
//! rules ask of the prefix is asked per route.

use super::key::GroupKey;
use super::rules::Learned;
use super::{Feed, Known, Lent};
use crate::attrs::AttrId;
use crate::policy::{Changes, Prepared, Rule, Subject, Verdict};
use crate::table::{Keyed, Sets};
use crate::types::{Family, PeerId};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    family: Family,
    attr: AttrId,
    peer: PeerId,
    learned: Learned,
    forbidden: bool,
    /// What the rules still ask of each prefix; empty without rules.
    prepared: Prepared,
    /// In a group that rewrites: what the rule that decided last made of the attributes. It holds
    /// one reference.
    made: Option<(Decider, Option<AttrId>)>,
}

/// Who decided: a rule of the group's policy, which does not move while the group is there, by its
/// address; 0 is nobody.
type Decider = usize;

impl Judged {
    pub(super) fn new<P: Keyed>(key: &GroupKey, route: &Feed, lent: &Lent<'_>) -> Judged {
        let Lent { known, sets } = lent;
        let Feed { attr, peer, learned, .. } = *route;
        let (mut forbidden, mut prepared) = (true, Prepared::default());
        if let Some(attrs) = sets.get(attr) {
            forbidden = key.forbids(P::FAMILY, learned, attrs);
            if !forbidden && !key.rules.is_empty() {
                let subject = Subject {
                    attrs,
                    source: known.source(peer),
                    interface: known.interface(attrs.next_hop()),
                };
                prepared = key.rules.prepare(&subject);
            }
        }
        Judged { family: P::FAMILY, attr, peer, learned, forbidden, prepared, made: None }
    }

    /// Whether it is about routes like this.
    #[inline]
    pub(super) fn is_of(&self, family: Family, route: &Feed) -> bool {
        (self.family, self.attr, self.peer) == (family, route.attr, route.peer)
    }

    /// The attributes that the group's Adj-RIB-Out has for this route, if it goes out.
    #[inline]
    pub(super) fn verdict<P: Keyed>(
        &mut self,
        key: &GroupKey,
        prefix: P,
        known: &dyn Known,
        sets: &mut Sets,
    ) -> Option<AttrId> {
        if self.forbidden {
            return None;
        }
        if !key.rewrites() {
            return key.by_default(self.learned).then_some(self.attr);
        }
        let rule = key.rules.decide(&self.prepared, prefix);
        let decider = rule.map_or(0, |rule: &Rule| std::ptr::from_ref(rule).addr());
        match self.made {
            Some((by, made)) if by == decider => made,
            _ => {
                let made = self.make(key, rule, known, sets);
                self.release(sets);
                self.made = Some((decider, made));
                made
            }
        }
    }

    fn make(
        &self,
        key: &GroupKey,
        rule: Option<&Rule>,
        known: &dyn Known,
        sets: &mut Sets,
    ) -> Option<AttrId> {
        let none = Changes::default();
        let changes = match rule.map(|rule| &rule.verdict) {
            Some(Verdict::Accept(changes)) => changes,
            Some(Verdict::Reject) => return None,
            None if key.by_default(self.learned) => &none,
            None => return None,
        };
        let reflected = match self.learned {
            Learned::Internal { .. } if key.dialect.internal => known.router_id(self.peer),
            _ => None,
        };
        let made = key.made(self.family, sets.get(self.attr)?, reflected, changes)?;
        Some(sets.intern(made))
    }

    /// Gives up what it holds.
    pub(super) fn release(&mut self, sets: &mut Sets) {
        if let Some((_, Some(attr))) = self.made.take() {
            sets.release(attr);
        }
    }
}
