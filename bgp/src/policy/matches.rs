//! What a rule asks of a route.
//!
//! Conditions are of two kinds: those on attributes and source, which thousands of prefixes
//! share, and those on the prefix. They are asked apart ([`Matches::shared`],
//! [`Matches::prefix`]); each knows in words why it does not hold ([`Matches::miss`]).

use std::fmt;
use std::fmt::Write as _;

use super::communities::CommunityPattern;
use super::paths::{Miss, PathPattern, Range};
use super::prefixes::PrefixSet;
use crate::attrs::AttrSet;
use crate::types::{Family, PeerKind, Prefix, V4, V6, family_of};

/// A route as rules see it, but for its prefix.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What it carries: on the way in as received, else as import left it.
    pub attrs: &'a AttrSet,
    /// How it came to us.
    pub source: Source<'a>,
    /// The interface on which its next hop is, where that is known.
    pub interface: Option<&'a str>,
}

/// How a route came to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source<'a> {
    /// This node originates it.
    Local,
    /// A neighbour sent it.
    Neighbor {
        /// What it is to us.
        kind: PeerKind,
        /// Its name.
        name: &'a str,
    },
}

/// `this node`, or the neighbour's name.
impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Local => f.write_str("this node"),
            Source::Neighbor { name, .. } => f.write_str(name),
        }
    }
}

/// Sources that are meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum From {
    /// This node itself.
    Local,
    /// Neighbours of that kind.
    Kind(PeerKind),
    /// Neighbours of that kind but for the named ones.
    KindBut(PeerKind, Vec<String>),
    /// This neighbour.
    Named(String),
}

impl From {
    fn holds(&self, source: Source<'_>) -> bool {
        match (self, source) {
            (From::Local, Source::Local) => true,
            (From::Kind(wanted), Source::Neighbor { kind, .. }) => *wanted == kind,
            (From::KindBut(wanted, others), Source::Neighbor { kind, name }) => {
                *wanted == kind && !others.iter().any(|other| other == name)
            }
            (From::Named(wanted), Source::Neighbor { name, .. }) => wanted == name,
            _ => false,
        }
    }
}

/// An interface's name with `*` for any characters and `?` for any one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Glob(pub String);

impl Glob {
    /// Whether a name matches.
    pub fn matches(&self, name: &str) -> bool {
        glob(self.0.as_bytes(), name.as_bytes())
    }
}

/// Interface names are short: going back to the last `*` only is enough, and linear in practice.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == b'?' || Some(c) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    n = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == b'*')
}

/// Conditions; all that are there must hold. None: every route. In a list one is enough.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Matches {
    /// The prefix is in it.
    pub prefix: Option<PrefixSet>,
    /// The prefix is of that family.
    pub family: Option<Family>,
    /// It came to us so.
    pub from: Option<Vec<From>>,
    /// It carries one of these.
    pub communities: Option<Vec<CommunityPattern>>,
    /// AS_PATH is like that.
    pub as_path: Option<PathPattern>,
    /// NEXT_HOP, as a prefix of full length, is in it.
    pub next_hop: Option<PrefixSet>,
    /// The next hop is on one of these. Does not hold where the interface is unknown.
    pub interfaces: Option<Vec<Glob>>,
    /// LOCAL_PREF; 100 where the route carries none.
    pub local_pref: Option<Range>,
    /// MULTI_EXIT_DISC; 0 where the route carries none.
    pub med: Option<Range>,
}

impl Matches {
    /// Whether the conditions on attributes and source hold. Cheap ones first.
    pub(super) fn shared(&self, subject: &Subject<'_>) -> bool {
        let Subject { attrs, source, interface } = *subject;
        self.from.as_ref().is_none_or(|list| list.iter().any(|from| from.holds(source)))
            && self.local_pref.is_none_or(|range| range.contains(attrs.rank().local_pref))
            && self.med.is_none_or(|range| range.contains(attrs.rank().med))
            && self.next_hop.as_ref().is_none_or(|set| next_hop_in(attrs, set))
            && self.interfaces.as_ref().is_none_or(|list| on_any(interface, list))
            && self.communities.as_ref().is_none_or(|list| list.iter().any(|c| c.is_in(attrs)))
            && self.as_path.as_ref().is_none_or(|path| path.holds(attrs))
    }

    /// Whether there is a condition on the prefix.
    pub(super) fn asks_prefix(&self) -> bool {
        self.prefix.is_some() || self.family.is_some()
    }

    /// Whether the conditions on the prefix hold.
    #[inline]
    pub(super) fn prefix<P: Prefix>(&self, prefix: P) -> bool {
        self.family.is_none_or(|family| family == P::FAMILY)
            && self.prefix.as_ref().is_none_or(|set| set.contains(prefix))
    }

    /// The first condition that does not hold, in words.
    pub(super) fn miss<P: Prefix>(&self, subject: &Subject<'_>, prefix: P) -> Option<Miss> {
        let Subject { attrs, source, interface } = *subject;
        if let Some(family) = self.family.filter(|family| *family != P::FAMILY) {
            return Some(format!("{prefix} is not {family}"));
        }
        if let Some(set) = self.prefix.as_ref().filter(|set| !set.contains(prefix)) {
            return Some(format!("{prefix} is not in {set}"));
        }
        if let Some(list) = self.from.as_ref().filter(|l| !l.iter().any(|from| from.holds(source)))
        {
            return Some(format!("it is from {source}, not from {}", joined(list)));
        }
        if let Some(range) = self.local_pref.filter(|r| !r.contains(attrs.rank().local_pref)) {
            return Some(format!("LOCAL_PREF is {}, not {range}", attrs.rank().local_pref));
        }
        if let Some(range) = self.med.filter(|r| !r.contains(attrs.rank().med)) {
            return Some(format!("MED is {}, not {range}", attrs.rank().med));
        }
        if let Some(set) = self.next_hop.as_ref().filter(|set| !next_hop_in(attrs, set)) {
            return Some(format!("next hop {} is not in {set}", attrs.next_hop()));
        }
        if let Some(list) = self.interfaces.as_ref().filter(|list| !on_any(interface, list)) {
            let wanted = joined(list);
            return Some(match interface {
                Some(name) => format!("its interface is {name}, not {wanted}"),
                None => format!("its interface is not known, so it is not {wanted}"),
            });
        }
        if let Some(list) = self.communities.as_ref().filter(|l| !l.iter().any(|c| c.is_in(attrs)))
        {
            return Some(format!("it does not carry {}", joined(list)));
        }
        self.as_path.as_ref().and_then(|path| path.miss(attrs))
    }
}

fn on_any(interface: Option<&str>, list: &[Glob]) -> bool {
    interface.is_some_and(|name| list.iter().any(|glob| glob.matches(name)))
}

fn next_hop_in(attrs: &AttrSet, set: &PrefixSet) -> bool {
    let next_hop = attrs.next_hop().address;
    match family_of(next_hop) {
        Family::Ipv4 => V4::from_net(next_hop.into()).is_some_and(|p| set.contains(p)),
        Family::Ipv6 => V6::from_net(next_hop.into()).is_some_and(|p| set.contains(p)),
    }
}

/// `a, b or c`.
fn joined<T: fmt::Display>(list: &[T]) -> String {
    let mut out = String::new();
    for (at, item) in list.iter().enumerate() {
        let gap = match at {
            0 => "",
            _ if at + 1 == list.len() => " or ",
            _ => ", ",
        };
        // Writing into a String does not fail.
        let _ = write!(out, "{gap}{item}");
    }
    out
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = |kind: PeerKind| match kind {
            PeerKind::Mesh => "mesh",
            PeerKind::Internal => "iBGP router",
            PeerKind::External => "eBGP",
        };
        match self {
            From::Local => f.write_str("this node"),
            From::Kind(wanted) => f.write_str(kind(*wanted)),
            From::KindBut(wanted, others) => {
                write!(f, "{} but for {}", kind(*wanted), others.join(" "))
            }
            From::Named(name) => f.write_str(name),
        }
    }
}

/// What is asked, `everything` if nothing is.
impl fmt::Display for Matches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said: Vec<String> = Vec::new();
        said.extend(self.family.map(|family| family.to_string()));
        said.extend(self.prefix.as_ref().map(|set| format!("prefix {set}")));
        said.extend(self.from.as_ref().map(|list| format!("from {}", joined(list))));
        said.extend(self.local_pref.map(|range| format!("local-pref {range}")));
        said.extend(self.med.map(|range| format!("med {range}")));
        said.extend(self.next_hop.as_ref().map(|set| format!("next-hop {set}")));
        said.extend(self.interfaces.as_ref().map(|list| format!("interface {}", joined(list))));
        said.extend(self.communities.as_ref().map(|list| format!("community {}", joined(list))));
        said.extend(self.as_path.as_ref().map(|path| format!("as-path {path}")));
        match said.is_empty() {
            true => f.write_str("everything"),
            false => f.write_str(&said.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
