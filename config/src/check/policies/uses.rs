//! Where policies are used: by known names, and with what means something there.

use crate::policy::Who;
use crate::raw::Raw;
use crate::raw::policy::{Policy, Prepend, Rule, Set};
use crate::reader::{Field, nearest};
use crate::source::{At, Problems, Sp, shown};
use crate::value::Name;
use starling_bgp::policy::NextHopChange;

/// Where a policy is used.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Use {
    Import,
    Export { internal: bool },
    Kernel,
}

pub(super) fn check(raw: &Raw, problems: &mut Problems) {
    let asn = raw.cluster.as_ref().and_then(|c| c.asn.value());
    let mut used: Vec<(&str, Use, At)> = Vec::new();
    let mut note = |field: &'_ Field<Vec<Sp<Name>>>, what: Use, problems: &mut Problems| {
        for name in field.value().into_iter().flatten() {
            match raw.policies.iter().find(|p| p.name.value() == Some(&name.value)) {
                Some(policy) => {
                    let known = policy.name.value().map_or("", |name| name.0.as_str());
                    if !used.iter().any(|(n, u, _)| (*n, *u) == (known, what)) {
                        used.push((known, what, name.at));
                    }
                }
                None => unknown(raw, name, problems),
            }
        }
    };
    if let Some(cluster) = &raw.cluster {
        note(&cluster.import_policy, Use::Import, problems);
        note(&cluster.export_policy, Use::Export { internal: true }, problems);
    }
    for peer in &raw.peers {
        let internal = peer.asn.value().is_some() && peer.asn.value() == asn;
        note(&peer.import_policy, Use::Import, problems);
        note(&peer.export_policy, Use::Export { internal }, problems);
    }
    if let Some(kernel) = &raw.kernel {
        note(&kernel.policy, Use::Kernel, problems);
    }
    for policy in &raw.policies {
        let Some(name) = policy.name.get() else { continue };
        let mut uses = used.iter().filter(|(n, ..)| *n == name.value.0).peekable();
        if uses.peek().is_none() {
            problems.warn(name.at, format!("policy {} is used nowhere", name.value.0)).hint(
                "import-policy and export-policy of [[peer]] and [cluster], policy of [kernel]",
            );
        }
        for (_, what, at) in uses {
            fits(policy, *what, *at, problems);
        }
    }
}

fn unknown(raw: &Raw, name: &Sp<Name>, problems: &mut Problems) {
    let names = || raw.policies.iter().filter_map(|p| Some(p.name.value()?.0.as_str()));
    let near = nearest(&name.value.0, names());
    problems
        .error(name.at, format!("there is no policy {}", shown(&name.value.0)))
        .expected("the name of a [[policy]]")
        .maybe_hint(near.map(|near| format!("did you mean \"{near}\"?")));
}

/// Whether what the rules of a policy say means something there.
fn fits(policy: &Policy, what: Use, used: At, problems: &mut Problems) {
    let here = match what {
        Use::Import => "used for import here",
        Use::Export { .. } => "used for export here",
        Use::Kernel => "used for the kernel here",
    };
    let wrong = |at: At, message: &str, hint: &str, problems: &mut Problems| {
        problems.error(at, message).hint(hint).see(used, here);
    };
    for rule in &policy.rules {
        if let (Use::Import | Use::Kernel, Some(to)) = (what, rule.to.get()) {
            let hint = "`from` says where a route is from";
            wrong(to.at, "only on the way out a route goes to somebody", hint, problems);
        }
        if what == Use::Import {
            on_import(rule, used, here, problems);
        }
        let Some((set, _)) = &rule.set else { continue };
        for (key, at) in senseless(set, what) {
            let (message, hint) = match what {
                Use::Kernel => (
                    format!("`{key}` is for neighbours: the kernel does not know it"),
                    "for the kernel: metric and encapsulation",
                ),
                _ if key == "next-hop" => (
                    "on the way in a next hop can be an address only".to_owned(),
                    "\"self\" and \"keep\" are for what goes out",
                ),
                _ => (
                    format!("`{key}` is for the kernel: neighbours are not told it"),
                    "put the rule into a policy that [kernel] uses",
                ),
            };
            wrong(at, &message, hint, problems);
        }
        let insiders = |who: &Sp<Who>| matches!(who.value, Who::Mesh | Who::Ibgp);
        let inside = rule.to.value().is_none_or(|to| to.iter().any(insiders));
        if let (Use::Export { internal: true }, true, Some((Prepend::Own(_), at))) =
            (what, inside, &set.prepend)
        {
            problems
                .warn(*at, "neighbours in our own AS drop routes that have it in AS_PATH")
                .hint("to = \"ebgp\" keeps the rule for others")
                .see(used, here);
        }
    }
}

/// Conditions that never hold on the way in.
fn on_import(rule: &Rule, used: At, here: &str, problems: &mut Problems) {
    let local = |who: &Sp<Who>| who.value == Who::Local;
    if let Some(from) = rule.when.from.get().filter(|list| list.value.iter().all(local)) {
        problems
            .warn(from.at, "our own routes do not come from a neighbour: the rule never matches")
            .see(used, here);
    }
}

/// What is set that means nothing there.
fn senseless(set: &Set, what: Use) -> Vec<(&'static str, At)> {
    let mut found = Vec::new();
    let mut put = |key: &'static str, at: Option<At>| found.extend(at.map(|at| (key, at)));
    let next_hop = set.next_hop.get();
    match what {
        Use::Kernel => {
            put("local-pref", set.local_pref.get().map(|v| v.at));
            put("med", set.med.get().map(|v| v.at));
            put("add-community", set.add.get().map(|v| v.at));
            put("remove-community", set.remove.get().map(|v| v.at));
            put("prepend", set.prepend.as_ref().map(|(_, at)| *at));
            put("next-hop", next_hop.map(|v| v.at));
        }
        Use::Import | Use::Export { .. } => {
            put("metric", set.metric.get().map(|v| v.at));
            put("encapsulation", set.encapsulation.get().map(|v| v.at));
            let address = |n: &&Sp<NextHopChange>| matches!(n.value, NextHopChange::Is(_));
            if what == Use::Import {
                put("next-hop", next_hop.filter(|n| !address(n)).map(|v| v.at));
            }
        }
    }
    found
}
