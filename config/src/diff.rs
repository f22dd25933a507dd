//! What changes between two plans of the same node, for a reload and for people.
//!
//! A reload touches only what is named here. Neighbours are the same if their address is; blocks
//! and pools if their prefix is.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Serialize;
use starling_bgp::msg::NextHopMode;
use starling_bgp::policy::{Policy, Rule};
use starling_fib::types::Mode;

use crate::plan::{NodePlan, PeerKey, PeerPlan};

mod isolation;
mod pods;
mod routing;
mod session;
mod transport;

use transport::named;
pub use transport::{RangeChange, What};

/// The difference of two plans.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Changes {
    /// Neighbours that are new.
    pub peers_added: Vec<PeerName>,
    /// Neighbours that are gone.
    pub peers_removed: Vec<PeerName>,
    /// Neighbours that stay and are treated differently.
    pub peers_changed: Vec<PeerChange>,
    /// Ranges that are new, gone or treated differently.
    pub ranges: Vec<RangeChange>,
    /// Own blocks that are new.
    pub blocks_added: Vec<IpNet>,
    /// Own blocks that are gone.
    pub blocks_removed: Vec<IpNet>,
    /// Pools that are new, gone or of another mode.
    pub pools: Vec<PoolChange>,
    /// Everything else.
    pub settings: Vec<Setting>,
}

/// A neighbour.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PeerName {
    /// Name for people.
    pub name: String,
    /// Address.
    pub address: IpAddr,
    /// AS.
    pub asn: u32,
}

/// A neighbour that stays.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PeerChange {
    /// Who, by its new name.
    pub peer: PeerName,
    /// What makes its session anew. Empty: the session stays.
    pub session: Vec<Setting>,
    /// What is allowed in and out from now on: the session stays, routes are judged again.
    pub policy: Vec<Setting>,
    /// What applies from now on and touches neither session nor routes.
    pub live: Vec<Setting>,
}

/// A pool that changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PoolChange {
    /// The range.
    pub cidr: IpNet,
    /// The mode it had; `None`: it was not there.
    #[serde(serialize_with = "mode_word")]
    pub from: Option<Mode>,
    /// The mode it has; `None`: it is gone.
    #[serde(serialize_with = "mode_word")]
    pub to: Option<Mode>,
}

#[expect(clippy::ref_option, reason = "the shape that serialize_with asks for")]
fn mode_word<S: serde::Serializer>(mode: &Option<Mode>, s: S) -> Result<S::Ok, S::Error> {
    mode.map(|mode| mode.to_string()).serialize(s)
}

/// A setting that changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Setting {
    /// Which, in the words of the file.
    pub what: &'static str,
    /// What it was.
    pub from: String,
    /// What it is.
    pub to: String,
    /// It takes a restart of the daemon; a reload leaves it as it was.
    pub restart: bool,
}

impl Changes {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }

    /// What a reload cannot do.
    pub fn restart(&self) -> impl Iterator<Item = &Setting> {
        self.settings.iter().filter(|setting| setting.restart)
    }
}

/// How many names a line lists.
const NAMES_SHOWN: usize = 8;

impl Changes {
    /// Settings of peers, whether they make sessions anew, and the peers: what changes for many
    /// peers alike (a timer, a pool) is one change to people.
    fn by_setting(&self) -> Vec<(&Setting, bool, Vec<&str>)> {
        let mut lines: Vec<(&Setting, bool, Vec<&str>)> = Vec::new();
        for change in &self.peers_changed {
            let live = change.policy.iter().chain(&change.live).map(|s| (s, false));
            for (setting, anew) in change.session.iter().map(|s| (s, true)).chain(live) {
                match lines.iter_mut().find(|(s, a, _)| *s == setting && *a == anew) {
                    Some((.., names)) => names.push(&change.peer.name),
                    None => lines.push((setting, anew, vec![&change.peer.name])),
                }
            }
        }
        lines
    }
}

/// What changes from `old` to `new`.
pub fn diff(old: &NodePlan, new: &NodePlan) -> Changes {
    let mut changes = Changes { settings: settings(old, new), ..Changes::default() };
    let before: BTreeMap<PeerKey, &PeerPlan> = old.peers.iter().map(|p| (p.key(), p)).collect();
    let after: BTreeMap<PeerKey, &PeerPlan> = new.peers.iter().map(|p| (p.key(), p)).collect();
    for peer in &new.peers {
        match before.get(&peer.key()) {
            None => changes.peers_added.push(named(peer)),
            Some(was) => changes.peers_changed.extend(peer_change(was, peer)),
        }
    }
    let gone = old.peers.iter().filter(|peer| !after.contains_key(&peer.key()));
    changes.peers_removed = gone.map(named).collect();
    changes.ranges = transport::ranges(old, new);
    changes.blocks_added = missing_in(&old.blocks, &new.blocks);
    changes.blocks_removed = missing_in(&new.blocks, &old.blocks);
    let mut pools: BTreeMap<IpNet, (Option<Mode>, Option<Mode>)> = BTreeMap::new();
    for pool in &old.pools {
        pools.entry(pool.cidr).or_default().0 = Some(pool.mode);
    }
    for pool in &new.pools {
        pools.entry(pool.cidr).or_default().1 = Some(pool.mode);
    }
    let pools = pools.into_iter().filter(|(_, (from, to))| from != to);
    changes.pools = pools.map(|(cidr, (from, to))| PoolChange { cidr, from, to }).collect();
    changes
}

/// Those of `wanted` that are not in `present`.
fn missing_in(present: &[IpNet], wanted: &[IpNet]) -> Vec<IpNet> {
    wanted.iter().filter(|net| !present.contains(net)).copied().collect()
}

/// Collects settings that differ.
struct Compare(Vec<Setting>);

impl Compare {
    fn put<T: PartialEq>(
        &mut self,
        what: &'static str,
        (from, to): (&T, &T),
        restart: bool,
        show: impl Fn(&T) -> String,
    ) {
        if from != to {
            self.0.push(Setting { what, from: show(from), to: show(to), restart });
        }
    }
}

/// How many rules a line lists.
const RULES_SHOWN: usize = 3;

impl Compare {
    /// Rules that differ, without those that stay before and after them.
    fn rules(&mut self, what: &'static str, from: &Policy, to: &Policy) {
        if from == to {
            return;
        }
        // A rule that only moves up or down stays.
        let same = |(a, b): &(&Rule, &Rule)| {
            (&a.name.policy, &a.name.name, &a.when, &a.unless, &a.verdict)
                == (&b.name.policy, &b.name.name, &b.when, &b.unless, &b.verdict)
        };
        let (old, new) = (from.rules(), to.rules());
        let head = old.iter().zip(new).take_while(same).count();
        let (old, new) = (old.get(head..).unwrap_or(&[]), new.get(head..).unwrap_or(&[]));
        let tail = old.iter().rev().zip(new.iter().rev()).take_while(same).count();
        let shown = |rules: &[Rule]| {
            let rules = rules.get(..rules.len() - tail).unwrap_or(rules);
            let mut words: Vec<String> =
                rules.iter().take(RULES_SHOWN).map(|r| format!("{}: {r}", r.name)).collect();
            if let Some(more @ 1..) = rules.len().checked_sub(RULES_SHOWN) {
                words.push(format!("{more} more"));
            }
            if words.is_empty() { "nothing".to_owned() } else { words.join("; ") }
        };
        let (from, mut to) = (shown(old), shown(new));
        if from == to {
            // The words are the same: a set or the pools that they name have changed.
            to.push_str(" (of other contents)");
        }
        self.0.push(Setting { what, from, to, restart: false });
    }
}

fn peer_change(old: &PeerPlan, new: &PeerPlan) -> Option<PeerChange> {
    let mut session = Compare(Vec::new());
    session.put("asn", (&old.asn, &new.asn), false, |v| v.to_string());
    session.put("own asn", (&old.local_asn, &new.local_asn), false, |v| v.to_string());
    session.put("router-id", (&old.router_id, &new.router_id), false, |v| v.to_string());
    session.put("families", (&old.families, &new.families), false, |v| list(v.iter()));
    session.put("hold", (&old.hold, &new.hold), false, |v| format!("{v:?}"));
    session.put("local-address", (&old.local_address, &new.local_address), false, |v| {
        v.map_or("any".to_owned(), |v| v.to_string())
    });
    // A router became a node or the reverse, or the AS makes it one of ours.
    session.put("kind", (&old.kind, &new.kind), false, |v| format!("{v:?}").to_lowercase());
    transport::transport(&mut session, &old.transport, &new.transport);
    session::session(&mut session, &old.session, &new.session);
    let mut policy = Compare(Vec::new());
    session::policy(&mut policy, &old.session, &new.session);
    policy.put("import", (&old.import.within, &new.import.within), false, |v| list(v));
    policy.put("never imported", (&old.import.except, &new.import.except), false, |v| list(v));
    policy.put(
        "own addresses",
        (&old.import.own_addresses, &new.import.own_addresses),
        false,
        |v| list(v),
    );
    policy.rules("import-policy", &old.import_rules, &new.import_rules);
    policy.rules("export-policy", &old.export_rules, &new.export_rules);
    routing::peer(&mut policy, old, new);
    policy.put(
        "add-path-limit",
        (&old.session.paths_sent(), &new.session.paths_sent()),
        false,
        |v| v.to_string(),
    );
    policy.put("export", (&old.export, &new.export), false, |v| format!("{v:?}").to_lowercase());
    let (from, to) = (&old.outward, &new.outward);
    let word = |v: &bool| v.to_string();
    policy.put("next-hop", (&from.next_hop, &to.next_hop), false, |v| match v {
        NextHopMode::Auto => "auto".to_owned(),
        NextHopMode::Own => "self".to_owned(),
        NextHopMode::Keep => "keep".to_owned(),
    });
    policy.put("route-reflector-client", (&from.client, &to.client), false, word);
    policy.put("default-route", (&from.default_route, &to.default_route), false, word);
    policy.put("drain", (&from.drain, &to.drain), false, word);
    policy.put("best-external", (&from.best_external, &to.best_external), false, |v| {
        v.map_or("where needed".to_owned(), |v| v.to_string())
    });
    let mut live = Compare(Vec::new());
    live.put("name", (&old.name, &new.name), false, Clone::clone);
    session::live(&mut live, &old.session, &new.session);
    live.put("passive", (&old.passive, &new.passive), false, |v| v.to_string());
    live.put("connect-retry", (&old.connect_retry, &new.connect_retry), false, |v| {
        format!("{v:?}")
    });
    // BFD's own session negotiates it; BGP's does not notice.
    live.put("bfd", (&old.bfd, &new.bfd), false, |v| {
        v.map_or("off".to_owned(), |bfd| bfd.to_string())
    });
    // For the next time that it is dialled.
    live.put("port", (&old.port, &new.port), false, |v| v.to_string());
    let (session, policy, live) = (session.0, policy.0, live.0);
    let any = !(session.is_empty() && policy.is_empty() && live.is_empty());
    any.then(|| PeerChange { peer: named(new), session, policy, live })
}

fn settings(old: &NodePlan, new: &NodePlan) -> Vec<Setting> {
    let mut all = Compare(Vec::new());
    all.put("node", (&old.name, &new.name), false, Clone::clone);
    all.put("address", (&old.addresses, &new.addresses), false, |v| {
        list(v.iter().map(|a| match a.subnet {
            Some(subnet) => format!("{}/{}", a.address, subnet.prefix_len()),
            None => a.address.to_string(),
        }))
    });
    all.put("asn", (&old.asn, &new.asn), false, |v| v.to_string());
    all.put("router-id", (&old.router_id, &new.router_id), false, |v| v.to_string());
    all.put("cluster-id", (&old.cluster_id, &new.cluster_id), false, |v| {
        v.map_or("none: it does not reflect".to_owned(), |v| v.to_string())
    });
    let (from, to) = (&old.fib, &new.fib);
    // The Fib writes the routes under their new key before it removes those under the old one.
    all.put("[kernel] protocol", (&from.protocol, &to.protocol), false, |v| v.to_string());
    all.put("[kernel] table", (&from.table, &to.table), false, |v| v.to_string());
    all.put("[kernel] metric", (&from.metric, &to.metric), false, |v| v.to_string());
    all.put("[kernel] audit", (&from.audit, &to.audit), false, |v| {
        v.map_or("only when asked".to_owned(), |v| format!("every {v:?}"))
    });
    isolation::isolation(&mut all, &old.isolation, &new.isolation);
    pods::pods(&mut all, &from.pods, &to.pods);
    all.put("[kernel] hold-pools", (&from.hold, &to.hold), false, ToString::to_string);
    let objects = (&from.nexthop_objects, &to.nexthop_objects);
    all.put("[kernel] nexthop-objects", objects, false, ToString::to_string);
    routing::node(&mut all, old, new);
    all.rules("[kernel] policy", &old.kernel_rules, &new.kernel_rules);
    all.put("[tunnel] device", (&from.tunnel.device, &to.tunnel.device), false, Clone::clone);
    all.put("[tunnel] mtu", (&from.tunnel.mtu, &to.tunnel.mtu), false, |v| {
        v.map_or("underlay - 20".to_owned(), |v| v.to_string())
    });
    all.put("tunnel-address", (&from.tunnel.address, &to.tunnel.address), false, |v| {
        v.map_or("none".to_owned(), |v| v.to_string())
    });
    all.put("[tunnel] manage", (&from.tunnel.manage, &to.tunnel.manage), false, |v| v.to_string());
    all.put("[timers] settle", (&old.timers.settle, &new.timers.settle), false, |v| {
        format!("{v:?}")
    });
    all.put("[kernel] netns", (&old.netns, &new.netns), true, |v| {
        v.as_ref().map_or("that of the start".to_owned(), |v| v.display().to_string())
    });
    all.put("[http] listen", (&old.http, &new.http), true, |v| list(v));
    all.put("[metrics] per-peer", (&old.per_peer, &new.per_peer), false, ToString::to_string);
    all.put("[control] socket", (&old.control, &new.control), true, |v| v.display().to_string());
    all.put("[control] readers", (&old.readers, &new.readers), true, |v| {
        v.clone().unwrap_or("none".to_owned())
    });
    let path =
        |v: &Option<PathBuf>| v.as_ref().map_or("none".to_owned(), |v| v.display().to_string());
    let ([from, from6], [to, to6]) = (&old.bird, &new.bird);
    all.put("[control] bird", (from, to), true, path);
    all.put("[control] bird6", (from6, to6), true, path);
    all.put("[bgp] port", (&old.port, &new.port), true, |v| v.to_string());
    all.put("[bgp] listen", (&old.listen, &new.listen), true, |v| {
        v.as_ref().map_or("all".to_owned(), list)
    });
    all.0
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(" ") }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key that is another one now: neither is shown.
        if self.from == self.to {
            return write!(f, "{}: changed", self.what);
        }
        write!(f, "{}: {} -> {}", self.what, self.from, self.to)
    }
}

/// One line for each change.
impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changes");
        }
        for PeerName { name, address, asn } in &self.peers_added {
            writeln!(f, "+ peer {name} ({address}, AS {asn})")?;
        }
        for PeerName { name, address, asn } in &self.peers_removed {
            writeln!(f, "- peer {name} ({address}, AS {asn})")?;
        }
        for (setting, anew, names) in self.by_setting() {
            let (what, who) = match names.as_slice() {
                [name] => ("peer", (*name).to_owned()),
                [names @ .., last] if names.len() < NAMES_SHOWN => {
                    ("peers", format!("{} and {last}", names.join(", ")))
                }
                [first, ..] => ("peers", format!("{first} and {} more", names.len() - 1)),
                [] => continue,
            };
            let anew = if anew { " (the session is made anew)" } else { "" };
            writeln!(f, "~ {what} {who}: {setting}{anew}")?;
        }
        self.ranges.iter().try_for_each(|range| write!(f, "{range}"))?;
        for block in &self.blocks_added {
            writeln!(f, "+ block {block}")?;
        }
        for block in &self.blocks_removed {
            writeln!(f, "- block {block}")?;
        }
        for PoolChange { cidr, from, to } in &self.pools {
            match (from, to) {
                (Some(from), Some(to)) => writeln!(f, "~ pool {cidr}: ipip {from} -> {to}")?,
                (None, Some(to)) => writeln!(f, "+ pool {cidr}: ipip {to}")?,
                (_, None) => writeln!(f, "- pool {cidr}")?,
            }
        }
        for setting in &self.settings {
            match setting.restart {
                true => writeln!(f, "! {setting} (only after a restart)")?,
                false => writeln!(f, "~ {setting}")?,
            }
        }
        Ok(())
    }
}
