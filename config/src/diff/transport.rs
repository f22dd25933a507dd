//! What changes about connections and ranges. Keys are compared and never shown.

use std::collections::BTreeMap;
use std::fmt;

use ipnet::IpNet;
use serde::Serialize;

use super::{Compare, PeerChange, PeerName, Setting, peer_change};
use crate::plan::{NodePlan, PeerPlan};
use crate::range::RangePlan;
use crate::transport::{AoKey, Key, Transport};

/// A range that is new, gone or treated differently.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RangeChange {
    /// Its name for people.
    pub name: String,
    /// The range.
    pub range: IpNet,
    /// Which of the three.
    pub what: What,
}

/// What becomes of a range.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// It is new, for these AS numbers.
    Added(String),
    /// It is gone, and with it its neighbours.
    Removed,
    /// It and its neighbours are treated differently.
    Changed {
        /// What makes their sessions anew.
        session: Vec<Setting>,
        /// What applies from now on.
        live: Vec<Setting>,
    },
}

/// What makes the session anew: the other end must agree to it.
pub(super) fn transport(session: &mut Compare, old: &Transport, new: &Transport) {
    session.put("password", (&md5(old), &md5(new)), false, |key| word(key.is_some()));
    session.put("tcp-ao", (&ao(old), &ao(new)), false, |key| match key {
        None => word(false),
        Some(AoKey { secret: _, algorithm, send_id, receive_id }) => {
            format!("{algorithm} send-id {send_id} receive-id {receive_id}")
        }
    });
    session.put("hops", (&old.hops, &new.hops), false, |hops| hops.to_string());
    session.put("interface", (&old.interface, &new.interface), false, |interface| {
        interface.clone().unwrap_or_else(|| "any".to_owned())
    });
}

fn md5(transport: &Transport) -> Option<&Key> {
    transport.key.as_ref().filter(|key| matches!(key, Key::Md5(_)))
}

fn ao(transport: &Transport) -> Option<&AoKey> {
    match transport.key.as_ref()? {
        Key::Ao(key) => Some(key),
        Key::Md5(_) => None,
    }
}

fn word(set: bool) -> String {
    if set { "set" } else { "none" }.to_owned()
}

/// Ranges are the same if their addresses and their link are.
pub(super) fn ranges(old: &NodePlan, new: &NodePlan) -> Vec<RangeChange> {
    let by_net = |plan: &'_ NodePlan| -> BTreeMap<String, RangePlan> {
        plan.ranges.iter().map(|range| (identity(range), range.clone())).collect()
    };
    let (before, after) = (by_net(old), by_net(new));
    let mut changes = Vec::new();
    for range in &new.ranges {
        let what = match before.get(&identity(range)) {
            None => Some(What::Added(range.range.asns.to_string())),
            Some(was) => range_change(was, range),
        };
        changes.extend(what.map(|what| change(range, what)));
    }
    let gone = old.ranges.iter().filter(|range| !after.contains_key(&identity(range)));
    changes.extend(gone.map(|range| change(range, What::Removed)));
    changes
}

fn identity(range: &RangePlan) -> String {
    let link = range.template().and_then(|template| template.transport.interface.clone());
    format!("{}%{}", range.range.net, link.unwrap_or_default())
}

fn change(range: &RangePlan, what: What) -> RangeChange {
    RangeChange { name: range.name.clone(), range: range.range.net, what }
}

fn range_change(old: &RangePlan, new: &RangePlan) -> Option<What> {
    if old == new {
        return None;
    }
    let mut own = Compare(Vec::new());
    own.put("name", (&old.name, &new.name), false, Clone::clone);
    own.put("limit", (&old.range.limit, &new.range.limit), false, usize::to_string);
    own.put("asn", (&old.range.asns, &new.range.asns), false, ToString::to_string);
    let (mut session, mut live) = (Vec::new(), own.0);
    let both = [(&old.internal, &new.internal), (&old.external, &new.external)];
    for (old, new) in both.into_iter().filter_map(|(old, new)| old.as_ref().zip(new.as_ref())) {
        // Which AS stands for all is of no interest, nor is the name again.
        let old = PeerPlan { asn: new.asn, name: new.name.clone(), ..old.clone() };
        let Some(PeerChange { session: anew, policy, live: at_once, .. }) = peer_change(&old, new)
        else {
            continue;
        };
        session.extend(anew.into_iter().filter(|s| !session.contains(s)).collect::<Vec<_>>());
        let more = policy.into_iter().chain(at_once).filter(|s| !live.contains(s));
        live.extend(more.collect::<Vec<_>>());
    }
    Some(What::Changed { session, live })
}

impl fmt::Display for RangeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RangeChange { name, range, what } = self;
        match what {
            What::Added(asns) => writeln!(f, "+ range {name} ({range}, AS {asns})"),
            What::Removed => writeln!(f, "- range {name} ({range})"),
            What::Changed { session, live } => {
                for setting in session {
                    writeln!(f, "~ range {name}: {setting} (its sessions are made anew)")?;
                }
                live.iter().try_for_each(|setting| writeln!(f, "~ range {name}: {setting}"))
            }
        }
    }
}

pub(super) fn named(peer: &PeerPlan) -> PeerName {
    PeerName { name: peer.name.clone(), address: peer.address, asn: peer.asn.0 }
}
