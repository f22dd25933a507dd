//! What changes in how routes are chosen, limited and originated.

use super::{Compare, list};
use crate::plan::{NodePlan, PeerPlan};
use crate::routing::Limits;

pub(super) fn peer(policy: &mut Compare, old: &PeerPlan, new: &PeerPlan) {
    let (from, to) = (&old.allowance, &new.allowance);
    policy.put("max-prefixes", (&from.limits, &to.limits), false, |v| Limits(*v).to_string());
    policy.put("blackhole-community", (&from.blackhole, &to.blackhole), false, |v| v.to_string());
}

pub(super) fn node(all: &mut Compare, old: &NodePlan, new: &NodePlan) {
    let (from, to) = (&old.choice, &new.choice);
    all.put("max-paths", (&from.max_paths, &to.max_paths), false, |v| v.to_string());
    let med = (&from.always_compare_med, &to.always_compare_med);
    all.put("always-compare-med", med, false, |v| v.to_string());
    let metric = (&from.metric_from_local_pref, &to.metric_from_local_pref);
    all.put("[kernel] metric-from-local-pref", metric, false, |v| v.to_string());
    all.put("networks", (&old.networks, &new.networks), false, |v| {
        list(v.iter().map(|network| match network.blackhole {
            true => format!("{} (blackhole)", network.prefix),
            false => network.prefix.to_string(),
        }))
    });
    all.put("aggregate", (&old.aggregate, &new.aggregate), false, |v| v.to_string());
}
