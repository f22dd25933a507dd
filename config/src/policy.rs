//! Policies as checked, and what one node makes of them for one neighbour.
//!
//! A `[[policy]]` is written once for all nodes; `pools`, `own-blocks`, "our own AS" and the names
//! of neighbours mean something on a node only. [`Compiler`] fills them in. A neighbour with a
//! list of policies gets their rules one after the other; rules that name whom they are for
//! (`to`) are left out for others, so that neighbours that are told the same share one policy.
//!
//! Policies count how often each rule has decided; [`NodePlan::keep_policies`] lets the counts of
//! those that a reload leaves alone go on.

use std::cell::RefCell;
use std::sync::Arc;

use starling_bgp::policy::{
    self as engine, Changes, From, Matches, PrefixPattern, PrefixSet, RuleName, Verdict,
};
use starling_bgp::types::PeerKind;

use crate::model::{Config, Node};
use crate::plan::{NodePlan, PeerPlan};
use crate::reader::Field;
use crate::source::Sp;
use crate::value::Name;

/// A `[[policy]]`.
#[derive(Clone, PartialEq, Debug)]
pub struct Policy {
    /// Its name, unique.
    pub name: Arc<str>,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// A rule of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Rule {
    /// What it is called.
    pub name: RuleName,
    /// Whom it is for; none: everybody.
    pub to: Vec<Who>,
    /// What must hold.
    pub when: Conditions,
    /// What must not hold as a whole.
    pub unless: Option<Conditions>,
    /// What then happens.
    pub verdict: Verdict,
    /// How often the node's own AS is put in front of AS_PATH.
    pub prepend_own: u8,
}

/// What a rule asks.
#[derive(Clone, PartialEq, Debug)]
pub struct Conditions {
    /// Prefixes.
    pub prefixes: Option<Prefixes>,
    /// Whom it came from.
    pub from: Option<Vec<Who>>,
    /// What means the same on every node.
    pub rest: Matches,
}

/// Prefixes that a rule asks for.
#[derive(Clone, PartialEq, Debug)]
pub struct Prefixes {
    /// As the file says it.
    pub words: String,
    /// Those written out, also in sets.
    pub patterns: Vec<PrefixPattern>,
    /// And the pools with all inside.
    pub pools: bool,
    /// And the node's own blocks with all inside.
    pub own_blocks: bool,
}

/// Neighbours, or this node.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Who {
    /// The node itself.
    Local,
    /// Other nodes.
    Mesh,
    /// Routers, `[[peer]]`.
    Peer,
    /// Neighbours in the node's AS.
    Ibgp,
    /// Neighbours in other ASes.
    Ebgp,
    /// The one of that name.
    Named(String),
}

/// The names of the policies of a neighbour.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Names {
    /// For what comes.
    pub import: Vec<String>,
    /// For what goes out.
    pub export: Vec<String>,
}

impl Names {
    pub(crate) fn new(import: &Field<Vec<Sp<Name>>>, export: &Field<Vec<Sp<Name>>>) -> Names {
        Names { import: names(import), export: names(export) }
    }
}

/// The names that a field lists.
pub(crate) fn names(field: &Field<Vec<Sp<Name>>>) -> Vec<String> {
    field.value().into_iter().flatten().map(|name| name.value.0.clone()).collect()
}

/// A neighbour, as `to` sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neighbor<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: PeerKind,
    pub(crate) node: bool,
}

impl Who {
    fn is(&self, neighbor: Neighbor<'_>) -> bool {
        match self {
            Who::Local => false,
            Who::Mesh => neighbor.node,
            Who::Peer => !neighbor.node,
            Who::Ibgp => neighbor.kind.is_internal(),
            Who::Ebgp => !neighbor.kind.is_internal(),
            Who::Named(name) => neighbor.name.eq_ignore_ascii_case(name),
        }
    }
}

impl NodePlan {
    /// Policies that say what they said in the `old` plan stay the same ones: what their rules have
    /// counted goes on.
    pub fn keep_policies(&mut self, old: &NodePlan) {
        let known: Vec<Arc<engine::Policy>> = old.policies().map(Arc::clone).collect();
        for policy in self.policies_mut() {
            if let Some(same) = known.iter().find(|known| **known == *policy) {
                *policy = Arc::clone(same);
            }
        }
    }

    /// Every policy that it uses, some several times.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<engine::Policy>> {
        fn of(peer: &PeerPlan) -> [&Arc<engine::Policy>; 2] {
            [&peer.import_rules, &peer.export_rules]
        }
        let templates = self.ranges.iter().flat_map(|range| [&range.internal, &range.external]);
        let peers = self.peers.iter().chain(templates.flatten());
        peers.flat_map(of).chain([&self.kernel_rules])
    }

    fn policies_mut(&mut self) -> impl Iterator<Item = &mut Arc<engine::Policy>> {
        fn of(peer: &mut PeerPlan) -> [&mut Arc<engine::Policy>; 2] {
            [&mut peer.import_rules, &mut peer.export_rules]
        }
        let ranges = self.ranges.iter_mut();
        let templates = ranges.flat_map(|range| [&mut range.internal, &mut range.external]);
        let peers = self.peers.iter_mut().chain(templates.flatten());
        peers.flat_map(of).chain([&mut self.kernel_rules])
    }
}

/// Makes policies for the neighbours of a node; equal ones are one.
pub(crate) struct Compiler<'a> {
    config: &'a Config,
    node: &'a Node,
    /// Nodes in other ASes: neighbours by eBGP that are no routers.
    strangers: Vec<String>,
    made: RefCell<Vec<(Vec<&'a Rule>, Arc<engine::Policy>)>>,
}

impl<'a> Compiler<'a> {
    pub(crate) fn new(config: &'a Config, node: &'a Node) -> Compiler<'a> {
        let others = config.nodes.iter().filter(|other| other.asn != node.asn && config.mesh);
        let strangers = others.map(|other| other.name.clone()).collect();
        Compiler { config, node, strangers, made: RefCell::default() }
    }

    /// The rules of the policies of these names, for `to` (the kernel: `None`).
    pub(crate) fn policy(&self, names: &[String], to: Option<Neighbor<'_>>) -> Arc<engine::Policy> {
        let named = |name: &String| self.config.policies.iter().find(|p| *p.name == **name);
        let meant = |rule: &&Rule| {
            rule.to.is_empty() || to.is_some_and(|to| rule.to.iter().any(|who| who.is(to)))
        };
        let rules: Vec<&Rule> =
            names.iter().filter_map(named).flat_map(|p| &p.rules).filter(meant).collect();
        let same = |(made, _): &&(Vec<&Rule>, _)| {
            made.len() == rules.len() && made.iter().zip(&rules).all(|(a, b)| std::ptr::eq(*a, *b))
        };
        if let Some((_, policy)) = self.made.borrow().iter().find(same) {
            return Arc::clone(policy);
        }
        let compiled = rules.iter().map(|rule| self.rule(rule)).collect();
        let policy = Arc::new(engine::Policy::new(compiled));
        self.made.borrow_mut().push((rules, Arc::clone(&policy)));
        policy
    }

    fn rule(&self, rule: &Rule) -> engine::Rule {
        let verdict = match &rule.verdict {
            Verdict::Accept(changes) if rule.prepend_own > 0 => {
                let prepend = vec![self.node.asn; usize::from(rule.prepend_own)];
                Verdict::Accept(Changes { prepend, ..changes.clone() })
            }
            verdict => verdict.clone(),
        };
        engine::Rule {
            name: rule.name.clone(),
            when: self.matches(&rule.when),
            unless: rule.unless.as_ref().map(|unless| self.matches(unless)),
            verdict,
        }
    }

    fn matches(&self, asked: &Conditions) -> Matches {
        Matches {
            prefix: asked.prefixes.as_ref().map(|prefixes| self.prefixes(prefixes)),
            from: asked.from.as_ref().map(|list| self.from(list)),
            ..asked.rest.clone()
        }
    }

    fn prefixes(&self, asked: &Prefixes) -> PrefixSet {
        let mut patterns = asked.patterns.clone();
        if asked.pools {
            let pools = self.config.pools.iter();
            patterns.extend(pools.map(|pool| PrefixPattern::or_longer(pool.cidr)));
        }
        if asked.own_blocks {
            patterns.extend(self.node.blocks.iter().map(|block| PrefixPattern::or_longer(*block)));
        }
        PrefixSet::called(asked.words.clone(), &patterns)
    }

    fn from(&self, asked: &[Who]) -> Vec<From> {
        let mut list = Vec::new();
        for who in asked {
            match who {
                Who::Local => list.push(From::Local),
                Who::Mesh => {
                    list.push(From::Kind(PeerKind::Mesh));
                    list.extend(self.strangers.iter().cloned().map(From::Named));
                }
                Who::Peer => {
                    list.push(From::Kind(PeerKind::Internal));
                    list.push(match self.strangers.is_empty() {
                        true => From::Kind(PeerKind::External),
                        false => From::KindBut(PeerKind::External, self.strangers.clone()),
                    });
                }
                Who::Ibgp => {
                    list.extend([PeerKind::Mesh, PeerKind::Internal].map(From::Kind));
                }
                Who::Ebgp => list.push(From::Kind(PeerKind::External)),
                Who::Named(name) => list.push(From::Named(name.clone())),
            }
        }
        list
    }
}
