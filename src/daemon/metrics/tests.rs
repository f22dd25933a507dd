use super::*;
use crate::api::{
    self, BfdState, LimitAction, MemoryKind, PeerSummary, PolicyRule, Ready, Reason, Rival,
    SessionState,
};
use starling_bgp::types::PeerId;
use std::collections::BTreeSet;
use std::time::Duration;

const NAMED: &str = "a \"quoted\" \\ name";

fn summary(name: &str, kind: PeerKind, cause: Option<DownCause>) -> PeerSummary {
    let state = if cause.is_none() { SessionState::Established } else { SessionState::Active };
    PeerSummary {
        name: name.to_owned(),
        address: "10.1.5.11".parse().unwrap(),
        interface: None,
        range: None,
        asn: 64512,
        kind,
        state,
        since_s: 7,
        received: 9,
        accepted: 8,
        sent: 2,
        reason: None,
        since_then: None,
        cause,
    }
}

fn peer(name: &str, kind: PeerKind, cause: Option<DownCause>) -> Peer {
    let family = |family: &str, received| FamilyRoutes {
        family: family.to_owned(),
        received,
        accepted: received - 1,
        best: 1,
        sent: 2,
    };
    let limit = |family: &str, received| Limit {
        family: family.to_owned(),
        max: 100,
        received,
        action: LimitAction::Warn,
        restart_s: None,
    };
    Peer {
        name: name.to_owned(),
        place: "10.1.5.11".to_owned(),
        asn: 64512,
        kind,
        cause,
        lost: Some(DownCause::HoldExpired),
        since_s: 7,
        routes: vec![family("ipv4", 9), family("ipv6", 4)],
        limits: vec![limit("ipv4", if name == NAMED { 90 } else { 10 })],
        queued: 100,
        counts: Counts {
            received: api::Counters { updates: 5, octets: 500, ..api::Counters::default() },
            updates_received: api::Updates { announced: 11, withdrawn: 2 },
            updates_sent: api::Updates { announced: 6, withdrawn: 4 },
            flaps: 2,
            lost: [(DownCause::HoldExpired, 1), (DownCause::Reset, 1)].into(),
            bfd_flaps: 3,
            ..Counts::default()
        },
    }
}

fn bfd(name: &str, state: BfdState) -> BfdSession {
    BfdSession {
        name: name.to_owned(),
        address: "10.1.5.12".parse().unwrap(),
        local_address: None,
        multihop: true,
        state,
        since_s: 7,
        remote_state: None,
        interval_ms: 300,
        multiplier: 3,
        transmit_ms: 300,
        receive_ms: None,
        detection_ms: None,
        diagnostic: String::new(),
        remote_diagnostic: None,
        sent: 1,
        received: 1,
        discarded: 0,
        flaps: 3,
        last_down: None,
        trouble: None,
    }
}

fn rival(protocol: Option<u8>, total: u64) -> Rival {
    let last = "10.244.1.0/26".parse().unwrap();
    Rival { protocol, what: String::new(), recent: 1, total, last, last_s: 5 }
}

/// A scrape in which every family has a series.
fn scrape(peers: Vec<Peer>, per_peer: bool) -> Scrape {
    let reason = |code: &str, subject: &str, cause| Reason {
        code: code.to_owned(),
        subject: subject.to_owned(),
        cause,
        text: "…".to_owned(),
    };
    let delays = Delays::default();
    delays.kernel.took(Duration::from_millis(2));
    let mut gone = ledger::Ledger::default();
    let left = peer("left", PeerKind::External, None).counts;
    gone.see([(PeerId(7), PeerKind::External, left)]);
    let gone = gone.see([]).clone();
    Scrape {
        version: Version {
            name: "starling".to_owned(),
            version: "1.2.3".to_owned(),
            commit: Some("abc".to_owned()),
            api: 1,
        },
        summary: Summary {
            node: "server1".to_owned(),
            asn: 64512,
            router_id: "10.1.5.10".parse().unwrap(),
            uptime_s: 60,
            generation: 3,
            reloaded_s: 60,
            digest: "5e2a9d1c".to_owned(),
            config_file: "/etc/starling/cluster.toml".into(),
            confirm_s: Some(48),
            recovering: false,
            resident: None,
            ready: Ready {
                ready: false,
                reasons: vec![
                    reason("no_ipip", "tunl0", None),
                    reason("session_down", "server3", Some(DownCause::Refused)),
                ],
            },
            ranges: Vec::new(),
            refused_connections: 7,
            rivals: vec![rival(Some(80), 14), rival(None, 3)],
            neighbors: 0,
            peers: peers.iter().map(|peer| summary(&peer.name, peer.kind, peer.cause)).collect(),
        },
        rejected: true,
        per_peer,
        gone,
        bfd: peers.iter().map(|peer| bfd(&peer.name, BfdState::Up)).collect(),
        peers,
        policies: vec![Policy {
            name: "from-tor".to_owned(),
            used: Vec::new(),
            rules: vec![PolicyRule {
                number: 2,
                name: Some("bogons".to_owned()),
                when: "everything".to_owned(),
                unless: None,
                then: "reject".to_owned(),
                hits: 17,
            }],
        }],
        rib: Rib { destinations: [5, 2], paths: [9, 2], attribute_sets: 3, groups: 1 },
        fib: [(KernelState::Installed, 5)].into(),
        written: tally::Tally {
            added: 6,
            failed: [(17, 4), (9999, 1)].into(),
            repaired: 2,
            ..tally::Tally::default()
        },
        pending: 1,
        pods: Pods { known: 7, announced: 2 },
        memory: Memory {
            resident_bytes: 1000,
            used_bytes: Some(900),
            free_bytes: Some(90),
            kinds: vec![MemoryKind {
                kind: "attributes".to_owned(),
                what: String::new(),
                count: 3,
                bytes: 300,
                reckoned: false,
            }],
        },
        queues: vec![("fib", 2)],
        delays,
    }
}

fn two() -> Vec<Peer> {
    vec![
        peer(NAMED, PeerKind::Mesh, None),
        peer("server3", PeerKind::Mesh, Some(DownCause::Refused)),
    ]
}

fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|l| l == *line), "{line} is not in\n{text}");
    }
}

#[test]
fn every_series_is_there_and_labels_are_escaped() {
    let text = scrape(two(), true).text(Form::OpenMetrics).unwrap();
    has(
        &text,
        &[
            "starling_build_info{version=\"1.2.3\",commit=\"abc\"} 1",
            "starling_uptime_seconds 60",
            "starling_config_generation 3",
            "starling_config_info{digest=\"5e2a9d1c\"} 1",
            "starling_config_unconfirmed 1",
            "starling_config_rejected 1",
            "starling_ready 0",
            "starling_trouble{code=\"no_ipip\",subject=\"tunl0\"} 1",
            "starling_trouble{code=\"session_down\",subject=\"server3\",cause=\"connection_refused\"} 1",
            "starling_sessions{state=\"Established\"} 1",
            "starling_sessions{state=\"Idle\"} 0",
            "starling_sessions_down{kind=\"mesh\",cause=\"connection_refused\"} 1",
            "starling_sessions_last_lost{cause=\"hold_expired\"} 2",
            // With that of one that has gone.
            "starling_sessions_lost_total{cause=\"hold_expired\"} 3",
            "starling_sessions_lost_total{cause=\"bfd_down\"} 0",
            "starling_connections_refused_total 7",
            "starling_peers{kind=\"mesh\"} 2",
            "starling_peer_up{peer=\"server3\",kind=\"mesh\"} 0",
            "starling_peer_info{peer=\"server3\",kind=\"mesh\",address=\"10.1.5.11\",asn=\"64512\"} 1",
            "starling_peer_prefixes_accepted{peer=\"a \\\"quoted\\\" \\\\ name\",kind=\"mesh\",family=\"ipv4\"} 8",
            "starling_peer_prefix_limit_ratio{peer=\"server3\",kind=\"mesh\",family=\"ipv4\"} 0.1",
            "starling_peer_output_queue_bytes{peer=\"server3\",kind=\"mesh\"} 100",
            "starling_peer_messages_total{peer=\"server3\",kind=\"mesh\",direction=\"received\",type=\"update\"} 5",
            "starling_peer_messages_bytes_total{peer=\"server3\",kind=\"mesh\",direction=\"received\"} 500",
            "starling_peer_announcements_received_total{peer=\"server3\",kind=\"mesh\"} 11",
            "starling_peer_withdrawals_received_total{peer=\"server3\",kind=\"mesh\"} 2",
            "starling_peer_announcements_sent_total{peer=\"server3\",kind=\"mesh\"} 6",
            "starling_peer_withdrawals_sent_total{peer=\"server3\",kind=\"mesh\"} 4",
            "starling_peer_flaps_total{peer=\"server3\",kind=\"mesh\"} 2",
            "starling_bfd_sessions{state=\"Up\"} 2",
            "starling_bfd_sessions{state=\"Down\"} 0",
            "starling_bfd_flaps_total{peer=\"server3\",kind=\"mesh\"} 3",
            "starling_policy_rule_hits_total{policy=\"from-tor\",rule=\"2\",name=\"bogons\"} 17",
            "starling_rib_destinations{family=\"ipv6\"} 2",
            "starling_rib_paths{family=\"ipv4\"} 9",
            "starling_convergence_kernel_seconds_bucket{le=\"0.001\"} 0",
            "starling_convergence_kernel_seconds_bucket{le=\"0.003\"} 1",
            "starling_decision_seconds_count 0",
            "starling_fib_routes{state=\"installed\"} 5",
            "starling_fib_routes{state=\"refused\"} 0",
            "starling_fib_pending 1",
            "starling_fib_writes_total{operation=\"add\"} 6",
            "starling_fib_errors_total{errno=\"EEXIST\"} 4",
            "starling_fib_errors_total{errno=\"ENOBUFS\"} 0",
            "starling_fib_errors_total{errno=\"UnknownErrno\"} 1",
            "starling_fib_drift_repaired_total 2",
            "starling_fib_routes_changed_by_others_total{protocol=\"80\"} 14",
            "starling_fib_routes_changed_by_others_total{protocol=\"unknown\"} 3",
            "starling_local_pods 7",
            "starling_local_pods_announced 2",
            "starling_memory_resident_bytes 1000",
            "starling_memory_kind_bytes{kind=\"attributes\"} 300",
            "starling_memory_kind_items{kind=\"attributes\"} 3",
            "starling_queue_messages{queue=\"fib\"} 2",
        ],
    );
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn added_up_there_is_a_series_for_each_kind() {
    let text = scrape(two(), false).text(Form::OpenMetrics).unwrap();
    has(
        &text,
        &[
            "starling_peers{kind=\"mesh\"} 2",
            "starling_peer_up{kind=\"mesh\"} 1",
            "starling_peer_prefixes_received{kind=\"mesh\",family=\"ipv4\"} 18",
            // The one that is nearest to its own.
            "starling_peer_prefix_limit_ratio{kind=\"mesh\",family=\"ipv4\"} 0.9",
            "starling_peer_messages_total{kind=\"mesh\",direction=\"received\",type=\"update\"} 10",
            "starling_peer_flaps_total{kind=\"mesh\"} 4",
            // Of the one that has gone: sums do not fall.
            "starling_peer_flaps_total{kind=\"eBGP\"} 2",
            "starling_bfd_flaps_total{kind=\"mesh\"} 6",
            "starling_sessions_lost_total{cause=\"hold_expired\"} 3",
        ],
    );
    assert!(!text.contains("peer=\"") && !text.contains("starling_peer_info"), "{text}");
}

/// Series of a scrape with so many neighbours, as the configuration has them told by default.
fn series(neighbours: usize) -> usize {
    let peers: Vec<Peer> =
        (0..neighbours).map(|n| peer(&format!("n{n}"), PeerKind::Mesh, None)).collect();
    let per_peer = starling_config::metrics::PerPeer::Auto.is_for(neighbours);
    let text = scrape(peers, per_peer).text(Form::OpenMetrics).unwrap();
    let all: BTreeSet<&str> = text
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.rsplit_once(' '))
        .map(|(s, _)| s)
        .collect();
    assert_eq!(all.len(), text.lines().filter(|l| !l.starts_with('#')).count(), "a series twice");
    all.len()
}

#[test]
fn the_number_of_series_is_bounded() {
    let (none, ten, hundred, many) = (series(0), series(10), series(100), series(300));
    let each = (ten - none) / 10;
    assert_eq!(hundred - ten, 90 * each, "of {ten} and {hundred}");
    assert!(each <= 30, "{each} for each neighbour");
    // A few for the one kind that they are.
    assert!(many <= none + 50 && many == series(1000), "{none}, {many}");
}

#[test]
fn the_older_form_has_the_names_of_the_samples() {
    let newer = scrape(two(), true).text(Form::OpenMetrics).unwrap();
    let older = scrape(two(), true).text(Form::Prometheus).unwrap();
    let samples = |text: &str| -> BTreeSet<String> {
        text.lines().filter(|l| !l.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(samples(&newer), samples(&older));
    has(
        &older,
        &[
            "# TYPE starling_connections_refused_total counter",
            "# TYPE starling_build_info gauge",
            "# TYPE starling_sessions gauge",
            "# TYPE starling_decision_seconds histogram",
        ],
    );
    let described: BTreeSet<&str> =
        older.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    for sample in samples(&older) {
        let name = sample.split(['{', ' ']).next().unwrap();
        let histogram =
            ["_bucket", "_sum", "_count"].into_iter().find_map(|s| name.strip_suffix(s));
        let known = described.contains(name) || histogram.is_some_and(|n| described.contains(n));
        assert!(known, "{name} is not described in\n{older}");
    }
    assert!(!older.contains("# UNIT") && !older.contains("# EOF"), "{older}");
}

/// Every family is in the table of the manual, under its whole name.
#[test]
fn the_manual_has_every_family() {
    let manual = include_str!("../../METRICS.md");
    let older = scrape(two(), true).text(Form::Prometheus).unwrap();
    let names = older.lines().filter_map(|l| l.strip_prefix("# TYPE starling_")?.split(' ').next());
    for name in names {
        assert!(manual.contains(&format!("`{name}`")), "{name} is not there");
    }
    for cause in DownCause::ALL {
        assert!(manual.contains(&format!("`{cause}`")), "{cause} is not there");
    }
}
