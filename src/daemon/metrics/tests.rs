use super::*;
use crate::api::{PeerKind, PeerSummary, PolicyRule, Ready, Reason, Rival};

fn peer(name: &str, state: SessionState, received: u64) -> PeerSummary {
    PeerSummary {
        name: name.to_owned(),
        address: "10.1.5.11".parse().unwrap(),
        interface: None,
        range: None,
        asn: 64512,
        kind: PeerKind::Mesh,
        state,
        since_s: 7,
        received,
        accepted: received - 1,
        sent: 2,
        reason: None,
    }
}

fn bfd(name: &str, state: BfdState, flaps: u64) -> BfdSession {
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
        flaps,
        last_down: None,
        trouble: None,
    }
}

fn rival(protocol: Option<u8>, total: u64) -> Rival {
    let last = "10.244.1.0/26".parse().unwrap();
    Rival { protocol, what: String::new(), recent: 1, total, last, last_s: 5 }
}

#[test]
fn every_series_is_there_and_labels_are_escaped() {
    let scrape = Scrape {
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
                reasons: vec![Reason {
                    code: "no_ipip".to_owned(),
                    subject: "tunl0".to_owned(),
                    text: "…".to_owned(),
                }],
            },
            ranges: Vec::new(),
            refused_connections: 7,
            rivals: vec![rival(Some(80), 14), rival(None, 3)],
            neighbors: 0,
            peers: vec![
                peer("a \"quoted\" \\ name", SessionState::Established, 9),
                peer("server3", SessionState::Active, 1),
            ],
        },
        bfd: vec![bfd("server2", BfdState::Up, 3), bfd("server3", BfdState::NotHeard, 0)],
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
        fib: [(KernelState::Installed, 5)].into(),
        pods: Pods { known: 7, announced: 2 },
    };
    let text = scrape.text().unwrap();
    for line in [
        "starling_build_info{version=\"1.2.3\",commit=\"abc\"} 1",
        "starling_uptime_seconds 60",
        "starling_config_generation 3",
        "starling_config_info{digest=\"5e2a9d1c\"} 1",
        "starling_config_unconfirmed 1",
        "starling_ready 0",
        "starling_trouble{code=\"no_ipip\",subject=\"tunl0\"} 1",
        "starling_sessions{state=\"Established\"} 1",
        "starling_sessions{state=\"Idle\"} 0",
        "starling_bfd_sessions{state=\"Up\"} 1",
        "starling_bfd_sessions{state=\"Down\"} 0",
        "starling_bfd_sessions{state=\"not heard\"} 1",
        "starling_bfd_flaps_total{peer=\"server2\",address=\"10.1.5.12\"} 3",
        "starling_policy_rule_hits_total{policy=\"from-tor\",rule=\"2\",name=\"bogons\"} 17",
        "starling_fib_routes{state=\"installed\"} 5",
        "starling_fib_routes{state=\"refused\"} 0",
        "starling_local_pods 7",
        "starling_local_pods_announced 2",
        "starling_fib_routes_changed_by_others_total{protocol=\"80\"} 14",
        "starling_fib_routes_changed_by_others_total{protocol=\"unknown\"} 3",
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
    }
    let quoted = "peer=\"a \\\"quoted\\\" \\\\ name\",address=\"10.1.5.11\"";
    assert!(
        text.lines()
            .any(|l| l.contains("prefixes_accepted") && l.contains(quoted) && l.ends_with(" 8")),
        "{text}"
    );
    assert!(text.ends_with("# EOF\n"));
}
