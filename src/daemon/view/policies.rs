//! Policies: which are in force here, and which rule decides about a route.
//!
//! The rules come from the running configuration, the routes from the Rib; a route that is made
//! up is judged in the same way. What the protocol forbids (nothing goes back to whom it came
//! from, …) is asked of the Rib: it stands above the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use starling_bgp::attrs::AttrSet;
use starling_bgp::policy::{
    self, AnyCommunity, Changes, Import, MedChange, Rule, Source, Step, Subject, Verdict,
};
use starling_bgp::rib::show::{PathView, RouteFilter};
use starling_bgp::types::{Asn, PeerId, PeerKind, Prefix, V4, V6};
use starling_config::PeerPlan;

use super::{Refusal, View, no_such_neighbor, stopping};
use crate::api::{
    ApiError, Lookup, Place, Policy, PolicyQuery, PolicyRule, PolicyStep, PolicyTest, PolicyUse,
    TestedRoute,
};
use crate::daemon::roster::Roster;

/// A route to be judged.
struct Candidate {
    hypothetical: bool,
    /// Whom it is from; `None`: this node.
    from: Option<PeerId>,
    /// As received.
    received: AttrSet,
    /// As import left it.
    used: AttrSet,
    /// Why it is not used, if so.
    filtered: Option<String>,
    /// The interface of its next hop: as asked for, else as the Rib knows it.
    interface: Option<String>,
    best: bool,
}

impl View {
    /// The policies that this node asks, by name.
    pub(super) fn all_policies(&self) -> Vec<Policy> {
        // A rule, and how often it has decided wherever its policy is asked.
        type Rules<'r> = BTreeMap<u32, (&'r Rule, u64)>;
        let plan = self.roster().plan;
        let mut uses: Vec<(PolicyUse, &Arc<policy::Policy>)> = Vec::new();
        for peer in &plan.peers {
            let at = |place| PolicyUse { place, neighbor: Some(peer.name.clone()) };
            uses.push((at(Place::Import), &peer.import_rules));
            uses.push((at(Place::Export), &peer.export_rules));
        }
        uses.push((PolicyUse { place: Place::Kernel, neighbor: None }, &plan.kernel_rules));
        let mut found: BTreeMap<&str, (Vec<PolicyUse>, Rules<'_>)> = BTreeMap::new();
        // Neighbours that are told the same share a policy, and its counts.
        let mut counted: BTreeSet<*const policy::Policy> = BTreeSet::new();
        for (used, rules) in &uses {
            for name in rules.names() {
                found.entry(name).or_default().0.push(used.clone());
            }
            let first = counted.insert(Arc::as_ptr(rules));
            for (rule, hits) in rules.hits() {
                let all = &mut found.entry(&rule.name.policy).or_default().1;
                let (_, sum) = all.entry(rule.name.number).or_insert((rule, 0));
                *sum += if first { hits } else { 0 };
            }
        }
        let policy = |(name, (mut used, rules)): (&str, (Vec<PolicyUse>, Rules<'_>))| {
            used.sort();
            used.dedup();
            let rules = rules.into_values().map(|(rule, hits)| PolicyRule {
                number: rule.name.number,
                name: rule.name.name.as_ref().map(|name| name.to_string()),
                when: rule.when.to_string(),
                unless: rule.unless.as_ref().map(|unless| unless.to_string()),
                then: rule.verdict.to_string(),
                hits,
            });
            Policy { name: name.to_owned(), used, rules: rules.collect() }
        };
        found.into_iter().map(policy).collect()
    }

    /// Which rules decide about a route, at every place that was asked for.
    pub(super) async fn tested(&self, query: PolicyQuery) -> Result<Vec<PolicyTest>, Refusal> {
        let roster = self.roster();
        let neighbor = match &query.neighbor {
            Some(name) => Some(find(name, &roster)?),
            None => None,
        };
        let (prefix, candidates) = self.candidates(&query, &roster).await?;
        let wanted = |place| query.place.is_none_or(|wanted| wanted == place);
        let mut tests = Vec::new();
        for candidate in &candidates {
            let sender =
                candidate.from.and_then(|id| roster.peers.iter().find(|(_, h)| h.id == id));
            if let (true, Some((plan, handle))) = (wanted(Place::Import), sender)
                && neighbor.is_none_or(|(_, id)| id == handle.id)
            {
                tests.push(import(plan, prefix, candidate));
            }
        }
        // What nobody sends goes nowhere; but how it would be judged if it came can be said.
        let onward = |c: &&Candidate| c.best || c.hypothetical && query.is_hypothetical();
        let Some(best) = candidates.iter().find(onward) else {
            return answer(tests, prefix, &query);
        };
        if let (true, Some((plan, id))) = (wanted(Place::Export), neighbor) {
            tests.push(self.export(plan, id, prefix, best, &roster).await?);
        }
        if wanted(Place::Kernel) {
            tests.push(kernel(prefix, best, &roster));
        }
        answer(tests, prefix, &query)
    }

    /// The destination and the routes to it: what the Rib has, or the one that is made up.
    async fn candidates(
        &self,
        query: &PolicyQuery,
        roster: &Roster,
    ) -> Result<(IpNet, Vec<Candidate>), Refusal> {
        let alone = match query.lookup {
            Lookup::Prefix(prefix) => prefix,
            Lookup::Address(address) => IpNet::from(address),
        };
        if query.is_hypothetical() {
            return Ok((alone, vec![made_up(query, roster)?]));
        }
        let mut filter = RouteFilter::default();
        match query.lookup {
            Lookup::Prefix(prefix) => filter.prefix = Some(prefix),
            Lookup::Address(address) => filter.covering = Some(address),
        }
        let views = self.rib.ask(move |rib| rib.routes(&filter, None, 1).0).await;
        let Some(view) = views.ok_or_else(stopping)?.into_iter().next() else {
            return Ok((alone, vec![made_up(query, roster)?]));
        };
        Ok((view.prefix, view.paths.iter().map(|path| candidate(path, query)).collect()))
    }

    async fn export(
        &self,
        plan: &PeerPlan,
        to: PeerId,
        prefix: IpNet,
        route: &Candidate,
        roster: &Roster,
    ) -> Result<PolicyTest, Refusal> {
        let (from, attrs) = (route.from.unwrap_or(PeerId::LOCAL), route.used.clone());
        let sending = self.rib.ask(move |rib| rib.sending(to, from, prefix, &attrs)).await;
        let sending = sending.ok_or_else(stopping)?;
        let subject = Subject {
            attrs: &route.used,
            source: source(route.from, roster),
            interface: route.interface.as_deref(),
        };
        let test = test(Place::Export, Some(plan), prefix, route, &route.used, roster);
        Ok(match sending.forbidden {
            Some(why) => PolicyTest { accepted: false, why: why.to_owned(), ..test },
            None => {
                let default = if sending.by_default {
                    "no rule decides: it goes out by default"
                } else {
                    "no rule decides, and `export` does not let it pass"
                };
                let steps = explain(&plan.export_rules, &subject, prefix);
                decided(test, &steps, sending.by_default, default)
            }
        })
    }
}

fn answer(
    tests: Vec<PolicyTest>,
    prefix: IpNet,
    query: &PolicyQuery,
) -> Result<Vec<PolicyTest>, Refusal> {
    if !tests.is_empty() {
        return Ok(tests);
    }
    let hint = match query.place {
        Some(Place::Export) if query.neighbor.is_none() => "say to whom: --peer NAME",
        _ => "make one up: --from NAME, or --from local; --as-path \"65001 65002\", …",
    };
    Err(Refusal::not_found(
        ApiError::new(format!("there is no route for {prefix} to judge there")).hint(hint),
    ))
}

fn find<'r>(name: &str, roster: &'r Roster) -> Result<(&'r PeerPlan, PeerId), Refusal> {
    let called = |(plan, _): &&(PeerPlan, _)| plan.name == name || plan.address.to_string() == name;
    let found = roster.peers.iter().find(called).map(|(plan, handle)| (plan, handle.id));
    found.ok_or_else(|| no_such_neighbor(name, roster))
}

fn candidate(path: &PathView, query: &PolicyQuery) -> Candidate {
    Candidate {
        hypothetical: false,
        from: (path.peer != PeerId::LOCAL).then_some(path.peer),
        received: path.attrs.clone(),
        used: path.used.as_ref().unwrap_or(&path.attrs).clone(),
        filtered: path.filtered.clone(),
        interface: query.interface.clone().or_else(|| path.interface.clone()),
        best: path.best,
    }
}

/// The route that the query describes. Where it does not say whom it is from: from the neighbour
/// whose import is asked about, else this node.
fn made_up(query: &PolicyQuery, roster: &Roster) -> Result<Candidate, Refusal> {
    let inward = query.place != Some(Place::Export);
    let from = match (&query.from, &query.neighbor) {
        (Some(name), _) if name == "local" => None,
        (Some(name), _) => Some(find(name, roster)?),
        (None, Some(name)) if inward => Some(find(name, roster)?),
        (None, _) => None,
    };
    let next_hop = query.next_hop.or(from.map(|(plan, _)| plan.address));
    let unspecified = match query.lookup {
        Lookup::Prefix(IpNet::V6(_)) | Lookup::Address(IpAddr::V6(_)) => {
            std::net::Ipv6Addr::UNSPECIFIED.into()
        }
        _ => IpAddr::from(std::net::Ipv4Addr::UNSPECIFIED),
    };
    let communities: Result<Vec<AnyCommunity>, _> =
        query.communities.iter().map(|text| text.parse()).collect();
    let wrong = |e: policy::NotCommunity| {
        let hint = "a community is 65000:100, 65000:1:2, rt:65000:1 or no-export";
        Refusal::bad_request(ApiError::new(e.to_string()).hint(hint))
    };
    // From another AS a route has been through that AS, unless it is said otherwise.
    let external = from.filter(|(plan, _)| plan.kind == PeerKind::External);
    let path = query.as_path.clone().or(external.map(|(plan, _)| vec![plan.asn.0]));
    let changes = Changes {
        local_pref: query.local_pref,
        med: query.med.map(MedChange::Is),
        add: communities.map_err(wrong)?,
        prepend: path.unwrap_or_default().into_iter().map(Asn).collect(),
        ..Changes::default()
    };
    let attrs = changes.apply(&AttrSet::originated(next_hop.unwrap_or(unspecified)));
    Ok(Candidate {
        hypothetical: true,
        from: from.map(|(_, id)| id),
        received: attrs.clone(),
        used: attrs,
        filtered: None,
        interface: query.interface.clone(),
        best: false,
    })
}

fn source(from: Option<PeerId>, roster: &Roster) -> Source<'_> {
    let peer = from.and_then(|id| roster.peers.iter().find(|(_, handle)| handle.id == id));
    match peer {
        Some((plan, _)) => Source::Neighbor { kind: plan.kind, name: &plan.name },
        None => Source::Local,
    }
}

/// The frame of an answer.
fn test(
    place: Place,
    neighbor: Option<&PeerPlan>,
    prefix: IpNet,
    route: &Candidate,
    attrs: &AttrSet,
    roster: &Roster,
) -> PolicyTest {
    let from = match source(route.from, roster) {
        Source::Local => "local".to_owned(),
        Source::Neighbor { name, .. } => name.to_owned(),
    };
    frame(place, neighbor, prefix, route, attrs, from)
}

fn frame(
    place: Place,
    neighbor: Option<&PeerPlan>,
    prefix: IpNet,
    route: &Candidate,
    attrs: &AttrSet,
    from: String,
) -> PolicyTest {
    let communities = attrs.communities().iter().map(|c| c.to_string());
    let large = attrs.large_communities().iter().map(|c| c.to_string());
    let extended = attrs.extended_communities().iter().map(|c| c.to_string());
    let next_hop = attrs.next_hop().address;
    PolicyTest {
        place,
        neighbor: neighbor.map(|plan| plan.name.clone()),
        prefix,
        route: TestedRoute {
            hypothetical: route.hypothetical,
            from,
            next_hop: (!next_hop.is_unspecified()).then_some(next_hop),
            local_pref: attrs.rank().local_pref,
            med: attrs.med(),
            as_path: attrs.as_path().to_string(),
            communities: communities.chain(large).chain(extended).collect(),
        },
        accepted: false,
        rule: None,
        why: String::new(),
        changes: None,
        steps: Vec::new(),
    }
}

fn explain<'p>(rules: &'p policy::Policy, subject: &Subject<'_>, prefix: IpNet) -> Vec<Step<'p>> {
    match (V4::from_net(prefix), V6::from_net(prefix)) {
        (Some(prefix), _) => rules.explain(subject, prefix),
        (None, Some(prefix)) => rules.explain(subject, prefix),
        (None, None) => Vec::new(),
    }
}

/// The answer where rules are asked, and the default where none decides.
fn decided(test: PolicyTest, steps: &[Step<'_>], default: bool, why: &str) -> PolicyTest {
    let shown = steps.iter().map(|step| PolicyStep {
        rule: step.rule.name.to_string(),
        says: step.rule.to_string(),
        miss: step.miss.clone(),
    });
    let test = PolicyTest { steps: shown.collect(), ..test };
    let Some(rule) = steps.iter().find(|step| step.miss.is_none()).map(|step| step.rule) else {
        return PolicyTest { accepted: default, why: why.to_owned(), ..test };
    };
    let name = rule.name.to_string();
    let (accepted, changes) = match &rule.verdict {
        Verdict::Accept(changes) => (true, (!changes.is_empty()).then(|| changes.to_string())),
        Verdict::Reject => (false, None),
    };
    let why = format!("{} by {name}", if accepted { "accepted" } else { "rejected" });
    PolicyTest { accepted, rule: Some(name), why, changes, ..test }
}

fn import(plan: &PeerPlan, prefix: IpNet, route: &Candidate) -> PolicyTest {
    let policy = plan.policy();
    let import = Import::new(&policy, plan.kind);
    let from = plan.name.clone();
    let test = frame(Place::Import, Some(plan), prefix, route, &route.received, from);
    let interface = route.interface.as_deref();
    let subject = import.subject(&route.received, interface);
    let judged = import.prepare(&route.received, interface).and_then(|prepared| {
        match (V4::from_net(prefix), V6::from_net(prefix)) {
            (Some(prefix), _) => import.prefix(&prepared, prefix),
            (None, Some(prefix)) => import.prefix(&prepared, prefix),
            (None, None) => Ok(None),
        }
    });
    let steps = explain(&plan.import_rules, &subject, prefix);
    let test = match judged {
        // What stands above the rules: they are not asked.
        Err(
            why @ (policy::Rejection::OwnNextHop(_)
            | policy::Rejection::Except(_)
            | policy::Rejection::NotConfigured),
        ) => return PolicyTest { why: why.to_string(), ..test },
        Err(why) => decided(test, &steps, false, &format!("no rule decides: {why}")),
        Ok(_) => decided(test, &steps, true, "no rule decides: inside what import allows"),
    };
    match &route.filtered {
        // Something else keeps it out: a limit, an impossible next hop.
        Some(why) if test.accepted => PolicyTest { accepted: false, why: why.clone(), ..test },
        _ => test,
    }
}

fn kernel(prefix: IpNet, route: &Candidate, roster: &Roster) -> PolicyTest {
    let source = source(route.from, roster);
    let interface = route.interface.as_deref();
    let subject = Subject { attrs: &route.used, source, interface };
    let test = test(Place::Kernel, None, prefix, route, &route.used, roster);
    let steps = explain(&roster.plan.kernel_rules, &subject, prefix);
    decided(test, &steps, true, "no rule decides: every best route enters the kernel")
}
