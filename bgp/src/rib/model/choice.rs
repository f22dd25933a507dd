//! What is used of what came: import, the decision, equal paths; and what the Fib holds of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use ipnet::IpNet;

use super::acts::{ON_ETH1, Wisher};
use super::state::{Held, Model};
use super::{Key, nets};
use crate::attrs::{AttrSet, Rank};
use crate::msg::{FibBest, Hop, PeerPolicy, Via};
use crate::rib::decision::Candidate;
use crate::rib::decision::tests::{equals_oracle, oracle};
use crate::rib::fixture::{ip, net};
use crate::types::{Family, PeerId, family_of};
use crate::wire::attr::code;
use crate::wire::community::Community;

/// The usable paths to a prefix.
#[derive(Clone, Default, Debug)]
pub(super) struct Choice {
    pub(super) own: Option<Own>,
    /// Learned paths, the best one first, as used.
    pub(super) learned: Vec<(Key, AttrSet)>,
    /// How many of them are as good as the first, with it.
    equal: Vec<Key>,
    /// The kernel knows no way to the next hop of one that is accepted.
    stranded: bool,
}

/// Our own route to a prefix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own {
    pub(super) announced: bool,
    blackhole: bool,
}

impl Choice {
    /// The path in use: whose, and if it is for neighbours, what.
    pub(super) fn best(&self) -> Option<(PeerId, u32)> {
        let learned = self.learned.first().map(|((_, peer, id), _)| (*peer, *id));
        self.own.map_or(learned, |_| Some((PeerId::LOCAL, 0)))
    }
}

impl Model {
    pub(super) fn accepts(&self, key: Key, held: &Held) -> bool {
        self.imported(key, held).is_some()
    }

    /// A route as the rules of import leave it, if they let it pass.
    fn imported(&self, (prefix, peer, _): Key, held: &Held) -> Option<AttrSet> {
        let policy = self.policy(peer)?;
        let next_hop = held.attrs.next_hop().address;
        let never = policy.import.except.iter().any(|n| n.contains(&prefix))
            || policy.import.own_addresses.contains(&next_hop)
            || held.over;
        let interface = self.answers.get(&next_hop).copied().flatten().map(|(_, name)| name);
        let ruled = !policy.import_rules.is_empty() && interface == Some("eth1");
        let set = held.attrs.clone();
        match (never, ruled) {
            (true, _) => None,
            (false, true) if net("10.1.0.0/16").contains(&prefix) => None,
            (false, true) => Some(preferred(&set, ON_ETH1)),
            (false, false) => {
                policy.import.within.iter().any(|n| n.contains(&prefix)).then_some(set)
            }
        }
    }

    pub(super) fn accepted(&self) -> impl Iterator<Item = (&Key, &Held)> {
        self.routes.iter().filter(|(key, held)| self.accepts(**key, held))
    }

    /// Next hops in use, and those that rules ask for, used or not.
    pub(super) fn tracked(&self) -> BTreeSet<IpAddr> {
        let asked = self.routes.iter().filter(|((_, peer, _), held)| {
            let asks = |policy: &PeerPolicy| {
                let own = policy.import.own_addresses.contains(&held.attrs.next_hop().address);
                !policy.import_rules.is_empty() && !own
            };
            !held.over && self.policy(*peer).is_some_and(asks)
        });
        self.accepted().chain(asked).map(|(_, held)| held.attrs.next_hop().address).collect()
    }

    /// What a route is used with: nothing is preferred less than what is being drained, and what
    /// has been stale for long says so. As it came, if it is not used.
    pub(super) fn used(&self, key: Key, held: &Held) -> AttrSet {
        let Some(mut set) = self.imported(key, held) else { return held.attrs.clone() };
        let (prefix, peer, _) = key;
        let has = |community| held.attrs.communities().iter().any(|c| c == community);
        if self.is_draining(peer) || has(Community::GRACEFUL_SHUTDOWN) {
            set = preferred(&set, 0);
        }
        let wait = self.waits.get(&(peer, family_of(prefix.addr())));
        if held.stale && wait.is_some_and(|wait| wait.long_lived) {
            let all = held.attrs.communities().iter().chain([Community::LLGR_STALE]);
            let value = all.flat_map(|c| c.0.to_be_bytes()).collect();
            set = set.edited(set.next_hop(), &[(code::COMMUNITIES, value)]);
        }
        set
    }

    pub(super) fn is_draining(&self, peer: PeerId) -> bool {
        self.drained.contains(&peer) || self.policy(peer).is_some_and(|policy| policy.drain)
    }

    pub(super) fn choices(&self) -> BTreeMap<IpNet, Choice> {
        nets().into_iter().map(|prefix| (prefix, self.choice(prefix))).collect()
    }

    fn choice(&self, prefix: IpNet) -> Choice {
        let paths: Vec<(Key, AttrSet, u32)> = self
            .accepted()
            .filter(|(key, _)| key.0 == prefix)
            .filter_map(|(key, held)| {
                let set = self.used(*key, held);
                let (metric, _) = self.answers.get(&set.next_hop().address).copied().flatten()?;
                Some((*key, set, metric))
            })
            .collect();
        let mut left: Vec<Candidate<'_>> =
            paths.iter().map(|(key, set, metric)| self.candidate(*key, set, *metric)).collect();
        let equal = equals_oracle(&left).iter().map(|c| (prefix, c.peer, c.path_id)).collect();
        let mut learned = Vec::new();
        while let Some((peer, id)) = oracle(&left) {
            left.retain(|c| (c.peer, c.path_id) != (peer, id));
            let (key, set, _) = paths.iter().find(|p| p.0 == (prefix, peer, id)).unwrap();
            learned.push((*key, set.clone()));
        }
        let stranded = self.accepted().any(|(key, held)| {
            let next_hop = self.used(*key, held).next_hop().address;
            key.0 == prefix && self.answers.get(&next_hop) == Some(&None)
        });
        Choice { own: self.own(prefix), learned, equal, stranded }
    }

    fn candidate<'a>(
        &self,
        (_, peer, path_id): Key,
        set: &'a AttrSet,
        metric: u32,
    ) -> Candidate<'a> {
        let session = self.session(peer).unwrap();
        let rank: &Rank = set.rank();
        Candidate {
            peer,
            path_id,
            rank,
            med_among: rank.neighbor_as.filter(|_| !self.config.always_compare_med),
            long_lived_stale: set.communities().iter().any(|c| c == Community::LLGR_STALE),
            internal: session.kind.is_internal(),
            metric,
            router_id: session.negotiated.router_id,
            address: session.address,
        }
    }

    /// All wishes for a prefix together.
    fn own(&self, prefix: IpNet) -> Option<Own> {
        let configured = self.config.originate.iter().find(|o| o.prefix == prefix);
        let wished = [Wisher::Operator, Wisher::Pods]
            .iter()
            .any(|by| self.wishes.get(by).is_some_and(|nets| nets.contains(&prefix)));
        let announced = wished || configured.is_some_and(|o| o.announce);
        let blackhole = configured.is_some_and(|o| o.blackhole);
        (announced || blackhole).then_some(Own { announced, blackhole })
    }

    pub(super) fn fib(&self, choices: &BTreeMap<IpNet, Choice>) -> BTreeMap<IpNet, FibBest> {
        let best = |choice: &Choice| match choice.own {
            Some(own) => own.blackhole.then_some(FibBest::Own),
            None => self.ways(choice),
        };
        choices.iter().filter_map(|(net, choice)| Some((*net, best(choice)?))).collect()
    }

    /// The best path and its equals, each next hop once.
    fn ways(&self, choice: &Choice) -> Option<FibBest> {
        let Some(((_, from, _), first)) = choice.learned.first() else {
            return choice.stranded.then_some(FibBest::Unreachable);
        };
        let mut via = Via::one(first.next_hop(), *from);
        for (key, set) in self.beside(choice) {
            let hop = Hop { next_hop: set.next_hop(), from: key.1 };
            if via.hops.iter().all(|other| other.next_hop != hop.next_hop) {
                via.hops.push(hop);
            }
        }
        via.hops.truncate(usize::from(self.config.max_paths));
        Some(FibBest::Via(Arc::new(via)))
    }

    fn beside<'c>(&self, choice: &'c Choice) -> impl Iterator<Item = &'c (Key, AttrSet)> {
        choice.learned.iter().skip(1).filter(|(key, _)| choice.equal.contains(key))
    }
}

fn preferred(set: &AttrSet, local_pref: u32) -> AttrSet {
    let value = local_pref.to_be_bytes().to_vec();
    set.edited(set.next_hop(), &[(code::LOCAL_PREF, value)])
}

/// What we originate carries.
pub(super) fn originated(family: Family) -> AttrSet {
    match family {
        Family::Ipv4 => AttrSet::originated(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        Family::Ipv6 => AttrSet::originated(ip("::")),
    }
}
