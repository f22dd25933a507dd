//! The audit: whether the kernel holds what we believe it holds, and what it should.
//!
//! Events drive the Fib; the audit only checks that they told everything. In: the kernel's table in
//! parts, so that a million routes are never in memory at once, and what changed meanwhile. Out:
//! [`Audit`]. A part is compared route by route with what is known ([`World`]) and thrown away; of
//! what was seen 8 bytes a route stay until the end, when they tell what is gone. A prefix that
//! changes while the table is read is left out of the comparison: its own news covers it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::ops::Bound;
use std::time::Duration;

use ipnet::IpNet;

use crate::have::fingerprint;
use crate::learn::World;
use crate::types::{Dump, KernelRoute};

/// Findings that are kept with their routes; the others are only counted.
pub const MOST_FINDINGS: usize = 100;
/// So much may change while the table is read before the comparison means nothing.
const MOST_TOUCHED: usize = 64 * 1024;
/// Unknown routes kept until the end.
const MOST_SUSPECTS: usize = 1024;

/// What an audit came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Audit {
    /// Routes of ours that the kernel showed and that were compared.
    pub compared: usize,
    /// Destinations that should have a route and have none of ours.
    pub missing: usize,
    /// Destinations that have a route of ours, and not the one that they should have.
    pub wrong: usize,
    /// Destinations with routes of ours that they should not have: beside the right one, or a
    /// predecessor's that nobody wants (those stay until the neighbours have spoken).
    pub extra: usize,
    /// Of all that the kernel holds (others' routes and interfaces too), how much was not as its
    /// news had said. It is read anew and put right; nothing but lost news should cause it.
    pub unheard: usize,
    /// The first of these, at most [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How long it took.
    pub took: Duration,
}

impl Audit {
    /// Whether the kernel holds exactly what it should, and told so.
    pub fn is_clean(&self) -> bool {
        self.missing + self.wrong + self.extra + self.unheard == 0
    }
}

/// Something that an audit found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The destination.
    pub prefix: IpNet,
    /// What is wrong with it.
    pub fault: Fault,
    /// What it should have.
    pub want: Option<KernelRoute>,
    /// What it has: ours, or for [`Fault::Unheard`] what is there unknown to us.
    pub have: Vec<KernelRoute>,
}

/// What is wrong with a destination.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Fault {
    /// It should have a route and has none of ours.
    Missing,
    /// It has a route of ours that is not the one.
    Wrong,
    /// It has a route of ours too many.
    Extra,
    /// The kernel changed something there and no news told.
    Unheard,
}

type Seen = HashSet<u64, BuildHasherDefault<Plain>>;

/// One reading of the kernel's table, against what is known of it.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) begun: Duration,
    pub(crate) audit: Audit,
    /// Known routes that the kernel showed.
    seen: Seen,
    /// Routes that the kernel showed and that nobody told of.
    suspects: BTreeMap<IpNet, Vec<KernelRoute>>,
    /// More of those.
    more_suspects: usize,
    /// What changed since the begin.
    touched: BTreeSet<IpNet>,
    /// Interfaces or addresses are not as known.
    interfaces: bool,
    /// Too much happened: this says nothing.
    pub(crate) void: bool,
    /// The last prefix that was looked at in the end.
    pub(crate) walked: Option<IpNet>,
}

impl Pass {
    pub(crate) fn new(begun: Duration) -> Pass {
        Pass {
            begun,
            audit: Audit::default(),
            seen: Seen::default(),
            suspects: BTreeMap::new(),
            more_suspects: 0,
            touched: BTreeSet::new(),
            interfaces: false,
            void: false,
            walked: None,
        }
    }

    /// Something is about to change there, or just did: left out of the comparison. To be told
    /// before `world` learns of it.
    pub(crate) fn touch(&mut self, prefix: IpNet, world: &World) {
        if self.void || !self.touched.insert(prefix) {
            return;
        }
        self.suspects.remove(&prefix);
        for route in world.have().of(prefix) {
            self.seen.remove(&fingerprint(&route));
        }
        for route in world.others_to(prefix) {
            self.seen.remove(&fingerprint(route));
        }
        self.void |= self.touched.len() > MOST_TOUCHED;
    }

    /// A part of the table; interfaces and addresses all in one, or none of them.
    pub(crate) fn part(&mut self, part: &Dump, world: &World) {
        if self.void {
            return;
        }
        if !part.links.is_empty() {
            self.interfaces = !world.has_interfaces(&part.links, &part.addresses);
        }
        for route in &part.routes {
            let route = &world.spelled(route);
            let prefix = route.key.prefix;
            if self.touched.contains(&prefix) || World::leaves_out(route) {
                continue;
            }
            self.audit.compared += usize::from(world.is_ours(route));
            if world.knows(route) {
                self.seen.insert(fingerprint(route));
            } else if self.suspects.len() < MOST_SUSPECTS {
                self.suspects.entry(prefix).or_default().push(route.clone());
            } else {
                self.more_suspects += 1;
            }
        }
    }

    /// Whether all that is known of `table` and main was seen, and nothing else.
    pub(crate) fn agrees(&self, world: &World, table: u32) -> bool {
        let touched = |prefix: &IpNet| world.known_at(*prefix, table).count();
        let untouched =
            world.known(table).saturating_sub(self.touched.iter().map(touched).sum::<usize>());
        !self.interfaces
            && self.suspects.is_empty()
            && self.more_suspects == 0
            && self.seen.len() == untouched
    }

    /// Whether a prefix changed since the begin.
    pub(crate) fn is_touched(&self, prefix: IpNet) -> bool {
        self.touched.contains(&prefix)
    }

    /// The first prefix behind `after` where the kernel showed what nobody told of.
    pub(crate) fn suspect_after(&self, after: Option<IpNet>) -> Option<IpNet> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.suspects.range((from, Bound::Unbounded)).next().map(|(prefix, _)| *prefix)
    }

    /// What the kernel showed of us at a prefix, and whether that is what we knew.
    pub(crate) fn shown(
        &self,
        prefix: IpNet,
        world: &World,
        table: u32,
    ) -> (Vec<KernelRoute>, bool) {
        let known: Vec<KernelRoute> =
            world.have().of(prefix).filter(|route| route.key.table == table).collect();
        let before = known.len();
        let mut shown: Vec<KernelRoute> =
            known.into_iter().filter(|route| self.seen.contains(&fingerprint(route))).collect();
        let all_seen = shown.len() == before;
        let suspects = self.suspects.get(&prefix).into_iter().flatten();
        let news: Vec<KernelRoute> = suspects.filter(|r| world.is_ours(r)).cloned().collect();
        let heard = all_seen && news.is_empty();
        shown.extend(news);
        (shown, heard)
    }

    /// What remains when all prefixes of ours were looked at: others' routes and interfaces that
    /// are not as known.
    pub(crate) fn others_unheard(&mut self, world: &World) {
        let mut unheard = self.more_suspects + usize::from(self.interfaces);
        for (prefix, routes) in &self.suspects {
            let have: Vec<KernelRoute> =
                routes.iter().filter(|route| !world.is_ours(route)).cloned().collect();
            if !have.is_empty() {
                unheard += 1;
                let finding = Finding { prefix: *prefix, fault: Fault::Unheard, want: None, have };
                self.audit.note(finding);
            }
        }
        for (prefix, routes) in world.others() {
            let is_gone = |route: &KernelRoute| !self.seen.contains(&fingerprint(route));
            if !self.touched.contains(&prefix) && routes.iter().any(is_gone) {
                unheard += 1;
                let (fault, have) = (Fault::Unheard, Vec::new());
                self.audit.note(Finding { prefix, fault, want: None, have });
            }
        }
        self.audit.unheard += unheard;
    }
}

impl Audit {
    pub(crate) fn note(&mut self, finding: Finding) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        }
    }
}

/// What is hashed is a hash already.
#[derive(Default)]
struct Plain(u64);

impl Hasher for Plain {
    fn write(&mut self, bytes: &[u8]) {
        let mut hasher = DefaultHasher::default();
        bytes.hash(&mut hasher);
        self.0 = hasher.finish();
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = n;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
