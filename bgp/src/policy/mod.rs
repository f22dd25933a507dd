//! What an operator allows and changes: per neighbour in and out, and into the kernel.
//!
//! * `rules`: ordered rules, the first that matches decides: [`Policy::prepare`] once an attribute
//!   set, [`Policy::decide`] for each prefix, [`Policy::explain`] for people; `hits`: how often each
//!   has decided;
//! * `matches` (with `prefixes`, `paths`, `communities`): what a rule asks;
//! * `changes`: what it changes: [`Changes::apply`];
//! * `import`: the way in as a whole: what may never come (below), then rules, then the default.
//!
//! Two questions, asked apart because one attribute set carries thousands of prefixes: may routes
//! with *these attributes* be used ([`Judge::attributes`], once a set), and may *this prefix* come
//! from the neighbour ([`Judge::prefix`]). The answer kept per route is one bit; the words are
//! found again when somebody asks ([`Judge::words`]). What does not depend on the configuration
//! of the neighbour (loops, impossible next hops) `wire::judge` has dealt with.

mod changes;
mod communities;
mod hits;
mod import;
mod matches;
mod paths;
mod prefixes;
mod rules;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

pub use changes::{Changes, MedChange, NextHopChange};
pub use communities::{AnyCommunity, CommunityPattern, NotCommunity};
pub use import::Import;
pub use matches::{From, Glob, Matches, Source, Subject};
pub use paths::{PathPattern, PathRegex, Range};
pub use prefixes::{PrefixPattern, PrefixSet};
pub use rules::{Policy, Prepared, Rule, RuleName, Step, Verdict};

use crate::attrs::AttrSet;
use crate::types::{Family, Prefix};

/// What may come from a neighbour. Anything not allowed is kept as filtered, shown as such, and
/// never used: a reload that allows it needs nothing from the neighbour.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ImportPolicy {
    /// Allowed: these prefixes and everything inside them.
    pub within: Vec<IpNet>,
    /// Never allowed: these and everything inside them (our own blocks).
    pub except: Vec<IpNet>,
    /// But host routes inside `except` may come: a pod elsewhere borrowed an address of our block.
    pub borrowed: bool,
    /// Never a valid NEXT_HOP: our own addresses (RFC 4271 §5.1.3).
    pub own_addresses: Vec<IpAddr>,
}

impl ImportPolicy {
    /// Inside which of `except` a prefix lies that therefore may not come.
    fn excepts<P: Prefix>(&self, prefix: P) -> Option<IpNet> {
        let host = match P::FAMILY {
            Family::Ipv4 => 32,
            Family::Ipv6 => 128,
        };
        if self.borrowed && prefix.len() == host {
            return None;
        }
        self.except.iter().find(|net| covers(**net, prefix)).copied()
    }
}

/// Why a route is filtered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Rejection {
    /// The configuration has no such neighbour (any more).
    NotConfigured,
    /// NEXT_HOP is an address of ours (RFC 4271 §5.1.3).
    OwnNextHop(IpAddr),
    /// Inside a prefix that the policy never allows.
    Except(IpNet),
    /// Inside none of the prefixes that the policy allows.
    NotWithin,
    /// A rule says so.
    Rule(RuleName),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::NotConfigured => f.write_str("the neighbour is not in the configuration"),
            Rejection::OwnNextHop(address) => write!(f, "NEXT_HOP {address} is our own address"),
            Rejection::Except(net) => write!(f, "inside {net}, which import never takes"),
            Rejection::Rule(rule) => write!(f, "rejected by {rule}"),
            Rejection::NotWithin => f.write_str("not inside any prefix that import allows"),
        }
    }
}

/// What judges the routes of one neighbour: its policy; without one, nothing passes.
#[derive(Clone, Copy, Debug)]
pub struct Judge<'a>(pub Option<&'a ImportPolicy>);

impl Judge<'_> {
    /// Why no route with these attributes may be used, if so.
    pub fn attributes(self, attrs: &AttrSet) -> Option<Rejection> {
        let Some(policy) = self.0 else { return Some(Rejection::NotConfigured) };
        let next_hop = attrs.next_hop().address;
        policy.own_addresses.contains(&next_hop).then_some(Rejection::OwnNextHop(next_hop))
    }

    /// Why this prefix may not come from the neighbour, if so.
    pub fn prefix<P: Prefix>(self, prefix: P) -> Option<Rejection> {
        let Some(policy) = self.0 else { return Some(Rejection::NotConfigured) };
        if let Some(net) = policy.excepts(prefix) {
            Some(Rejection::Except(net))
        } else if policy.within.iter().any(|net| covers(*net, prefix)) {
            None
        } else {
            Some(Rejection::NotWithin)
        }
    }

    /// Why the route is filtered, for people.
    pub fn words<P: Prefix>(self, prefix: P, attrs: &AttrSet) -> Option<String> {
        let rejection = self.attributes(attrs).or_else(|| self.prefix(prefix));
        rejection.map(|r| r.to_string())
    }
}

/// Whether `prefix` is `net` or inside it.
fn covers<P: Prefix>(net: IpNet, prefix: P) -> bool {
    let bits = match net {
        IpNet::V4(n) if P::FAMILY == Family::Ipv4 => u128::from(u32::from(n.addr())) << 96,
        IpNet::V6(n) if P::FAMILY == Family::Ipv6 => u128::from(n.addr()),
        _ => return false,
    };
    let mask = u128::MAX.checked_shl(128 - u32::from(net.prefix_len())).unwrap_or(0);
    prefix.len() >= net.prefix_len() && (prefix.bits() ^ bits) & mask == 0
}

#[cfg(test)]
mod tests;
