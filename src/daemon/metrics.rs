//! `/metrics`: the daemon's state as OpenMetrics text.
//!
//! Every scrape builds its metrics from the same snapshot that `bgpctl show summary` shows, so
//! the two never disagree, a neighbour that was removed leaves no stale series, and nothing on
//! the route path counts for the sake of a scrape (that rules of policies count their hits serves
//! `bgpctl show policies` first).

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::api::{BfdSession, BfdState, KernelState, Policy, SessionState, Summary, Version};

/// What one scrape shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scrape {
    /// The program.
    pub version: Version,
    /// The node and its sessions.
    pub summary: Summary,
    /// BFD with the neighbours for which it is on.
    pub bfd: Vec<BfdSession>,
    /// Policies that are asked, with how often their rules have decided.
    pub policies: Vec<Policy>,
    /// Destinations by their state in the kernel; a state that is missing counts as 0.
    pub fib: BTreeMap<KernelState, u64>,
    /// Pods of this node.
    pub pods: Pods,
}

/// Pods of this node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pods {
    /// With a route out of an interface that leads to pods.
    pub known: usize,
    /// Of those, the ones that neighbours are told of, beside their block.
    pub announced: usize,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByState {
    state: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByProtocol {
    protocol: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByPeer {
    peer: String,
    address: String,
    asn: u32,
    kind: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByNeighbour {
    peer: String,
    address: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByRule {
    policy: String,
    rule: u32,
    name: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct ByReason {
    code: String,
    subject: String,
}

/// SHA-256 of the configuration's files, one after the other.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Files {
    digest: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Build {
    version: String,
    commit: String,
}

impl Scrape {
    /// The OpenMetrics text.
    ///
    /// # Errors
    /// Where a label cannot be encoded, which no value of these types causes.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("starling");
        self.describe_daemon(&mut registry);
        self.describe_sessions(&mut registry);
        self.describe_bfd(&mut registry);
        self.describe_policies(&mut registry);
        self.describe_fib(&mut registry);
        let mut text = String::new();
        encode(&mut text, &registry)?;
        Ok(text)
    }

    fn describe_daemon(&self, registry: &mut Registry) {
        let commit = self.version.commit.clone().unwrap_or_default();
        let build = Build { version: self.version.version.clone(), commit };
        registry.register("build", "The program that runs", Info::new(build));
        let uptime = gauge(self.summary.uptime_s);
        registry.register_with_unit("uptime", "Since the daemon started", Unit::Seconds, uptime);
        registry.register(
            "config_generation",
            "The configuration in force: 1 at the start, one more at every successful reload",
            gauge(self.summary.generation),
        );
        let config = Files { digest: self.summary.digest.clone() };
        registry.register("config", "The configuration in force", Info::new(config));
        registry.register(
            "config_unconfirmed",
            "1 while the configuration in force is undone unless it is confirmed",
            gauge(u64::from(self.summary.confirm_s.is_some())),
        );
        registry.register(
            "ready",
            "1 if the node does its job",
            gauge(u64::from(self.summary.ready.ready)),
        );
        let trouble = Family::<ByReason, Gauge>::default();
        for reason in &self.summary.ready.reasons {
            let labels = ByReason { code: reason.code.clone(), subject: reason.subject.clone() };
            trouble.get_or_create(&labels).set(1);
        }
        registry.register("trouble", "1 for each thing that is wrong, as in /readyz", trouble);
    }

    fn describe_sessions(&self, registry: &mut Registry) {
        let refused = Counter::<u64>::default();
        refused.inc_by(self.summary.refused_connections);
        let help = "Connections refused before they were any neighbour's";
        registry.register("connections_refused", help, refused);
        let sessions = Family::<ByState, Gauge>::default();
        for state in SessionState::ALL {
            sessions.get_or_create(&ByState { state: state.to_string() }).set(0);
        }
        let up = Family::<ByPeer, Gauge>::default();
        let since = Family::<ByPeer, Gauge>::default();
        let received = Family::<ByPeer, Gauge>::default();
        let accepted = Family::<ByPeer, Gauge>::default();
        let sent = Family::<ByPeer, Gauge>::default();
        for peer in &self.summary.peers {
            sessions.get_or_create(&ByState { state: peer.state.to_string() }).inc();
            let labels = ByPeer {
                peer: peer.name.clone(),
                address: peer.address.to_string(),
                asn: peer.asn,
                kind: peer.kind.to_string(),
            };
            let established = u64::from(peer.state == SessionState::Established);
            for (family, value) in [
                (&up, established),
                (&since, peer.since_s),
                (&received, peer.received),
                (&accepted, peer.accepted),
                (&sent, peer.sent),
            ] {
                family.get_or_create(&labels).set(signed(value));
            }
        }
        registry.register("sessions", "BGP sessions by state (RFC 4271)", sessions);
        registry.register("peer_up", "1 if the session is Established", up);
        let help = "For how long the session has been in its state";
        registry.register_with_unit("peer_state_age", help, Unit::Seconds, since);
        registry.register("peer_prefixes_received", "Prefixes a peer has announced", received);
        registry.register(
            "peer_prefixes_accepted",
            "Prefixes of a peer that the import policy lets pass",
            accepted,
        );
        registry.register("peer_prefixes_sent", "Prefixes announced to a peer", sent);
    }

    fn describe_bfd(&self, registry: &mut Registry) {
        let sessions = Family::<ByState, Gauge>::default();
        for state in BfdState::ALL {
            sessions.get_or_create(&ByState { state: state.to_string() }).set(0);
        }
        let flaps = Family::<ByNeighbour, Counter>::default();
        for session in &self.bfd {
            sessions.get_or_create(&ByState { state: session.state.to_string() }).inc();
            let labels =
                ByNeighbour { peer: session.name.clone(), address: session.address.to_string() };
            flaps.get_or_create(&labels).inc_by(session.flaps);
        }
        registry.register("bfd_sessions", "BFD sessions by state (RFC 5880)", sessions);
        let help = "How often BFD went down after it had been Up, ends on purpose aside";
        registry.register("bfd_flaps", help, flaps);
    }

    fn describe_policies(&self, registry: &mut Registry) {
        let hits = Family::<ByRule, Counter>::default();
        for policy in &self.policies {
            for rule in &policy.rules {
                let name = rule.name.clone().unwrap_or_default();
                let labels = ByRule { policy: policy.name.clone(), rule: rule.number, name };
                hits.get_or_create(&labels).inc_by(rule.hits);
            }
        }
        let help = "How often a rule has decided about a route since it was read";
        registry.register("policy_rule_hits", help, hits);
    }

    fn describe_fib(&self, registry: &mut Registry) {
        let rivals = Family::<ByProtocol, Counter>::default();
        for rival in &self.summary.rivals {
            let protocol = rival.protocol.map_or("unknown".to_owned(), |p| p.to_string());
            rivals.get_or_create(&ByProtocol { protocol }).inc_by(rival.total);
        }
        let help = "Routes of ours that somebody else changed, by the rtm_protocol of what was \
                    there then (unknown: nothing)";
        registry.register("fib_routes_changed_by_others", help, rivals);
        let entries = Family::<ByState, Gauge>::default();
        for state in KernelState::ALL {
            let count = self.fib.get(&state).copied().unwrap_or(0);
            entries.get_or_create(&ByState { state: state.to_string() }).set(signed(count));
        }
        registry.register("fib_routes", "Destinations by their state in the kernel", entries);
        let follows = !self.summary.ready.reasons.iter().any(|reason| reason.code == "decoupled");
        let help = "0 while the operator has decoupled the kernel (bgpctl fib decouple, flush)";
        registry.register("fib_coupled", help, gauge(u64::from(follows)));
        let Pods { known, announced } = self.pods;
        let count = |count: usize| gauge(u64::try_from(count).unwrap_or(u64::MAX));
        registry.register("local_pods", "Pods that have a route on this node", count(known));
        let help = "Pods of this node that neighbours are told of, beside their block";
        registry.register("local_pods_announced", help, count(announced));
    }
}

fn gauge(value: u64) -> Gauge {
    let gauge = Gauge::default();
    gauge.set(signed(value));
    gauge
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
