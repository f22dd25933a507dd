//! Neighbours: one by one, or added up by kind where there are many.
//!
//! Either way the families have the same names and a label `kind`; one by one there is `peer` too.
//! So `sum by (kind) (…)` says the same of a small mesh and of a large one. What makes no sense as a
//! sum is told one by one only.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::ledger::Counts;
use super::{Counters, Gauges, Labels, Peer, Scrape, count, counter, labels, signed};
use crate::api::{self, BfdState, DownCause, PeerKind, SessionState};

pub(super) fn describe(scrape: &Scrape, registry: &mut Registry) {
    sessions(scrape, registry);
    let (gauges, counters) = (PeerGauges::default(), PeerCounters::default());
    for peer in &scrape.peers {
        let who = who(scrape, &peer.name, peer.kind);
        gauges.add(scrape, &who, peer);
        counters.add(&who, &peer.counts);
    }
    if !scrape.per_peer {
        for (kind, counts) in &scrape.gone {
            counters.add(&labels([("kind", kind)]), counts);
        }
    }
    gauges.register(registry);
    counters.register(registry);
    bfd(scrape, registry);
}

/// Whose series it is.
fn who(scrape: &Scrape, name: &str, kind: PeerKind) -> Labels {
    match scrape.per_peer {
        true => labels([("peer", &name), ("kind", &kind)]),
        false => labels([("kind", &kind)]),
    }
}

fn with<const N: usize>(who: &Labels, more: [(&'static str, &dyn ToString); N]) -> Labels {
    who.iter().cloned().chain(labels(more)).collect()
}

fn sessions(scrape: &Scrape, registry: &mut Registry) {
    let refused = counter(scrape.summary.refused_connections);
    let help = "Connections refused before they were any neighbour's";
    registry.register("connections_refused", help, refused);
    let sessions = Gauges::default();
    for state in SessionState::ALL {
        sessions.get_or_create(&labels([("state", &state)])).set(0);
    }
    for peer in &scrape.summary.peers {
        sessions.get_or_create(&labels([("state", &peer.state)])).inc();
    }
    registry.register("sessions", "BGP sessions by state (RFC 4271)", sessions);
    let (down, last) = (Gauges::default(), Gauges::default());
    let lost = Counters::default();
    for cause in DownCause::ALL.iter().filter(|cause| cause.ends_sessions()) {
        lost.get_or_create(&labels([("cause", cause)])).inc_by(0);
    }
    for peer in &scrape.peers {
        if let Some(cause) = &peer.cause {
            down.get_or_create(&labels([("kind", &peer.kind), ("cause", cause)])).inc();
        }
        if let Some(cause) = &peer.lost {
            last.get_or_create(&labels([("cause", cause)])).inc();
        }
    }
    let all = scrape.peers.iter().map(|peer| &peer.counts).chain(scrape.gone.values());
    for (cause, times) in all.flat_map(|counts| &counts.lost) {
        lost.get_or_create(&labels([("cause", cause)])).inc_by(*times);
    }
    registry.register("sessions_down", "Neighbours without a session, by why", down);
    let help = "Neighbours that have lost a session, by why they lost the last one";
    registry.register("sessions_last_lost", help, last);
    registry.register("sessions_lost", "Sessions that were up and ended, by why", lost);
}

/// What goes up and down.
#[derive(Default)]
struct PeerGauges {
    info: Gauges,
    up: Gauges,
    all: Gauges,
    since: Gauges,
    received: Gauges,
    accepted: Gauges,
    sent: Gauges,
    queued: Gauges,
    limit: Family<Labels, Gauge<f64, AtomicU64>>,
}

impl PeerGauges {
    fn add(&self, scrape: &Scrape, who: &Labels, peer: &Peer) {
        self.all.get_or_create(&labels([("kind", &peer.kind)])).inc();
        if scrape.per_peer {
            let info = with(who, [("address", &peer.place), ("asn", &peer.asn)]);
            self.info.get_or_create(&info).set(1);
            self.since.get_or_create(who).set(signed(peer.since_s));
        }
        self.up.get_or_create(who).inc_by(i64::from(peer.cause.is_none()));
        self.queued.get_or_create(who).inc_by(signed(count(peer.queued)));
        for routes in &peer.routes {
            let who = with(who, [("family", &routes.family)]);
            for (family, value) in [
                (&self.received, routes.received),
                (&self.accepted, routes.accepted),
                (&self.sent, routes.sent),
            ] {
                family.get_or_create(&who).inc_by(i64::from(value));
            }
        }
        for limit in peer.limits.iter().filter(|limit| limit.max > 0) {
            let used = f64::from(limit.received) / f64::from(limit.max);
            let most = self.limit.get_or_create_owned(&with(who, [("family", &limit.family)]));
            most.set(used.max(most.get()));
        }
    }

    fn register(self, registry: &mut Registry) {
        registry.register("peers", "Neighbours", self.all);
        registry.register("peer_info", "What a neighbour is", self.info);
        registry.register("peer_up", "1 if the session is Established", self.up);
        let help = "For how long the session has been in its state";
        registry.register_with_unit("peer_state_age", help, Unit::Seconds, self.since);
        registry.register(
            "peer_prefixes_received",
            "Prefixes announced and not withdrawn",
            self.received,
        );
        let help = "Of those, what the import policy lets pass";
        registry.register("peer_prefixes_accepted", help, self.accepted);
        registry.register("peer_prefixes_sent", "Prefixes announced to it", self.sent);
        let help = "What waits to be sent to it";
        registry.register_with_unit("peer_output_queue", help, Unit::Bytes, self.queued);
        let help = "How much of its prefix limit is used, where it has one";
        registry.register_with_unit(
            "peer_prefix_limit",
            help,
            Unit::Other("ratio".to_owned()),
            self.limit,
        );
    }
}

/// What only grows.
#[derive(Default)]
struct PeerCounters {
    messages: Counters,
    octets: Counters,
    announced: Counters,
    withdrawn: Counters,
    announced_to: Counters,
    withdrawn_from: Counters,
    flaps: Counters,
}

impl PeerCounters {
    fn add(&self, who: &Labels, counts: &Counts) {
        for (direction, of) in [("received", counts.received), ("sent", counts.sent)] {
            let api::Counters { opens, updates, keepalives, notifications, refreshes, octets } = of;
            for (kind, value) in [
                ("open", opens),
                ("update", updates),
                ("keepalive", keepalives),
                ("notification", notifications),
                ("refresh", refreshes),
            ] {
                let who = with(who, [("direction", &direction), ("type", &kind)]);
                self.messages.get_or_create(&who).inc_by(value);
            }
            let who = with(who, [("direction", &direction)]);
            self.octets.get_or_create(&who).inc_by(octets);
        }
        for (family, value) in [
            (&self.announced, counts.updates_received.announced),
            (&self.withdrawn, counts.updates_received.withdrawn),
            (&self.announced_to, counts.updates_sent.announced),
            (&self.withdrawn_from, counts.updates_sent.withdrawn),
            (&self.flaps, counts.flaps),
        ] {
            family.get_or_create(who).inc_by(value);
        }
    }

    fn register(self, registry: &mut Registry) {
        registry.register("peer_messages", "Messages by type and direction", self.messages);
        let help = "Octets of messages";
        registry.register_with_unit("peer_messages", help, Unit::Bytes, self.octets);
        let help = "Prefixes in its UPDATEs that it announced, again and again as it may be";
        registry.register("peer_announcements_received", help, self.announced);
        let help = "Prefixes in its UPDATEs that it withdrew";
        registry.register("peer_withdrawals_received", help, self.withdrawn);
        let help = "Prefixes in our UPDATEs to it that we announced, again and again as it may be";
        registry.register("peer_announcements_sent", help, self.announced_to);
        let help = "Prefixes in our UPDATEs to it that we withdrew";
        registry.register("peer_withdrawals_sent", help, self.withdrawn_from);
        registry.register("peer_flaps", "Sessions that were up and ended", self.flaps);
    }
}

fn bfd(scrape: &Scrape, registry: &mut Registry) {
    let sessions = Gauges::default();
    for state in BfdState::ALL {
        sessions.get_or_create(&labels([("state", &state)])).set(0);
    }
    let flaps = Counters::default();
    for session in &scrape.bfd {
        sessions.get_or_create(&labels([("state", &session.state)])).inc();
    }
    let watched = |peer: &&Peer| scrape.bfd.iter().any(|session| session.name == peer.name);
    for peer in scrape.peers.iter().filter(watched) {
        let who = who(scrape, &peer.name, peer.kind);
        flaps.get_or_create(&who).inc_by(peer.counts.bfd_flaps);
    }
    if !scrape.per_peer {
        for (kind, counts) in scrape.gone.iter().filter(|(_, counts)| counts.bfd_flaps > 0) {
            flaps.get_or_create(&labels([("kind", kind)])).inc_by(counts.bfd_flaps);
        }
    }
    registry.register("bfd_sessions", "BFD sessions by state (RFC 5880)", sessions);
    let help = "How often BFD went down after it had been Up, ends on purpose aside";
    registry.register("bfd_flaps", help, flaps);
}
