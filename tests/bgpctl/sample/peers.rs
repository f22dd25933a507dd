//! Neighbours, and BFD with them.

use starling::api::{
    Agreed, Authentication, BfdSession, BfdState, Configured, Counters, DownCause, FamilyRoutes,
    Graceful, LastDown, Limit, LimitAction, Neighbor, PeerKind, PeerSummary, RangeSummary, Ready,
    Reason, Refused, SessionState, Summary, Timers, Transport, Updates,
};

fn peer(name: &str, address: &str, asn: u32, kind: PeerKind) -> PeerSummary {
    PeerSummary {
        name: name.to_owned(),
        address: address.parse().unwrap(),
        interface: None,
        range: None,
        asn,
        kind,
        state: SessionState::Established,
        since_s: 192,
        received: 1,
        accepted: 1,
        sent: 1,
        reason: None,
        since_then: None,
        cause: None,
    }
}

fn down(
    mut peer: PeerSummary,
    state: SessionState,
    (reason, cause): (&str, DownCause),
) -> PeerSummary {
    peer.cause = Some(cause);
    peer.state = state;
    peer.since_s = 4;
    (peer.received, peer.accepted, peer.sent) = (0, 0, 0);
    peer.reason = Some(reason.to_owned());
    peer
}

pub(crate) fn summary() -> Summary {
    Summary {
        node: "server1".to_owned(),
        asn: 64512,
        router_id: "10.1.5.10".parse().unwrap(),
        uptime_s: 187_200,
        generation: 3,
        reloaded_s: 7_200,
        digest: "5e2a9d1c0b7f43e6".repeat(4),
        config_file: "/etc/starling/cluster.toml".into(),
        confirm_s: None,
        recovering: false,
        resident: Some(12_582_912),
        ready: Ready {
            ready: false,
            reasons: vec![Reason {
                code: "no_ipip".to_owned(),
                subject: "tunl0".to_owned(),
                cause: None,
                text: "this kernel has no IPIP: module `ipip` is neither built in nor loadable; \
                       load it (`modprobe ipip`) or set the pool's ipip to \"never\""
                    .to_owned(),
            }],
        },
        peers: vec![
            peer("server2", "10.1.5.11", 64512, PeerKind::Mesh),
            down(
                peer("server3", "10.1.8.10", 64512, PeerKind::Mesh),
                SessionState::Active,
                ("connection refused", DownCause::Refused),
            ),
            PeerSummary {
                since_then: Some("connection lost: the neighbour closed the connection".to_owned()),
                ..down(
                    peer("gw0", "10.1.5.1", 65000, PeerKind::External),
                    SessionState::Idle,
                    ("AS mismatch: it says 65001, the configuration 65000", DownCause::AsMismatch),
                )
            },
            PeerSummary {
                received: 1_048_576,
                accepted: 1_048_570,
                sent: 12,
                since_s: 187_200,
                ..peer("transit", "2001:db8::1", 4_200_000_001, PeerKind::External)
            },
            PeerSummary {
                range: Some("10.9.0.0/16".parse().unwrap()),
                ..peer("leaf-10.9.3.7", "10.9.3.7", 65001, PeerKind::External)
            },
        ],
        ranges: vec![RangeSummary {
            name: "leaf".to_owned(),
            range: "10.9.0.0/16".parse().unwrap(),
            asns: "65001 or 65002".to_owned(),
            neighbors: 1,
            limit: 100,
        }],
        refused_connections: 7,
        rivals: Vec::new(),
        neighbors: 5,
    }
}

pub(crate) fn neighbors() -> Vec<Neighbor> {
    let summary = summary();
    let up = Neighbor {
        summary: summary.peers[0].clone(),
        node: true,
        everywhere: true,
        groups: ["mesh", "rack=rack0", "import=from-nodes"].map(str::to_owned).into(),
        other_address: Some("fd00:5::11".parse().unwrap()),
        routes: ["ipv4", "ipv6"]
            .map(|family| FamilyRoutes {
                family: family.to_owned(),
                received: 3,
                accepted: 2,
                best: 1,
                sent: 4,
            })
            .into(),
        local_address: Some("10.1.5.10".parse().unwrap()),
        local_asn: 64512,
        configured: Configured {
            families: vec!["ipv4".to_owned(), "ipv6".to_owned()],
            hold_s: 90,
            keepalive_s: 30,
            send_hold_s: 480,
            connect_retry_s: 5,
            passive: false,
            idle_hold_ms: 1000,
            idle_hold_max_ms: 5000,
        },
        transport: Transport {
            port: 179,
            authentication: Some(Authentication::Md5),
            ttl_security: Some(1),
            multihop: None,
        },
        agreed: Some(Agreed {
            router_id: "10.1.5.11".parse().unwrap(),
            asn: 64512,
            families: vec!["ipv4".to_owned()],
            four_octet_as: true,
            route_refresh: true,
            end_of_rib: true,
            enhanced_refresh: true,
            extended_messages: true,
            extended_next_hop: false,
            add_path_receive: vec!["ipv4".to_owned()],
            add_path_send: Vec::new(),
            role: None,
            graceful: Some(Graceful {
                families: vec!["ipv4".to_owned()],
                preserved: vec!["ipv4".to_owned()],
                restarting: true,
                notification: true,
                time_s: 120,
                long_lived_s: [3600, 0],
            }),
            hold_s: 90,
            keepalive_s: 30,
            send_hold_s: 480,
        }),
        offered: vec!["ipv4".to_owned(), "route-refresh".to_owned()],
        offers: vec!["ipv4".to_owned(), "graceful-restart 120 s, restarting, ipv4".to_owned()],
        held: false,
        draining: false,
        messages_received: Counters {
            opens: 1,
            updates: 12,
            keepalives: 7,
            notifications: 0,
            refreshes: 0,
            octets: 1234,
        },
        messages_sent: Counters {
            opens: 1,
            updates: 3,
            keepalives: 7,
            notifications: 1,
            refreshes: 0,
            octets: 567,
        },
        updates_received: Updates { announced: 14, withdrawn: 5 },
        updates_sent: Updates { announced: 4, withdrawn: 1 },
        last_received_s: Some(2),
        last_down: Some(LastDown {
            // A neighbour's own words may hold anything.
            text: "it said: Cease, administrative shutdown (\"bye\x1b[2J\")".to_owned(),
            ago_s: 200,
        }),
        last_lost: Some(LastDown { text: "its connection was reset".to_owned(), ago_s: 3700 }),
        idle_left_s: Some(3),
        timers: Timers {
            connect_retry_s: Some(4),
            hold_s: Some(71),
            keepalive_s: Some(12),
            send_hold_s: Some(60),
        },
        flaps: 2,
        filtered: 5,
        over_limit: 2,
        stale: 3,
        refused: vec![Refused {
            prefix: "10.7.0.0/16".parse().unwrap(),
            why: "our own AS is in its AS_PATH".to_owned(),
            ago_s: 90,
        }],
        limits: vec![
            Limit {
                family: "ipv4".to_owned(),
                max: 10,
                received: 12,
                action: LimitAction::Drop,
                restart_s: None,
            },
            Limit {
                family: "ipv6".to_owned(),
                max: 1000,
                received: 0,
                action: LimitAction::Close,
                restart_s: Some(300),
            },
        ],
        import: "prefixes inside the pools 10.244.0.0/16 and fd00:244::/48".to_owned(),
        export: "own blocks".to_owned(),
        bfd: bfd().into_iter().next(),
        notes: vec!["no ipv6: the neighbour does not offer it".to_owned()],
    };
    let refused = Neighbor {
        summary: summary.peers[2].clone(),
        node: false,
        everywhere: false,
        groups: ["ebgp", "role=customer", "import=from-nodes"].map(str::to_owned).into(),
        other_address: None,
        routes: Vec::new(),
        local_address: None,
        agreed: None,
        offered: Vec::new(),
        offers: Vec::new(),
        held: false,
        draining: false,
        messages_received: Counters::default(),
        messages_sent: Counters::default(),
        updates_received: Updates::default(),
        updates_sent: Updates::default(),
        last_received_s: None,
        last_down: None,
        last_lost: None,
        idle_left_s: None,
        timers: Timers::default(),
        flaps: 0,
        transport: Transport {
            port: 1179,
            authentication: Some(Authentication::TcpAo {
                algorithm: "hmac-sha-1-96".to_owned(),
                send_id: 1,
                receive_id: 2,
            }),
            ttl_security: None,
            multihop: Some(3),
        },
        filtered: 0,
        over_limit: 0,
        stale: 0,
        refused: Vec::new(),
        limits: Vec::new(),
        import: "nothing: no import in the configuration (RFC 8212)".to_owned(),
        bfd: None,
        notes: Vec::new(),
        ..up.clone()
    };
    let passive = up.configured.clone();
    let dynamic = Neighbor {
        summary: PeerSummary {
            name: "fe80::7%net0".to_owned(),
            address: "fe80::7".parse().unwrap(),
            interface: Some("net0".to_owned()),
            ..summary.peers[4].clone()
        },
        transport: Transport {
            port: 179,
            authentication: None,
            ttl_security: None,
            multihop: None,
        },
        groups: ["ebgp", "range=leaf"].map(str::to_owned).into(),
        configured: Configured { hold_s: 0, keepalive_s: 0, passive: true, ..passive },
        ..refused.clone()
    };
    vec![up, refused, dynamic]
}

pub(crate) fn bfd() -> Vec<BfdSession> {
    let up = BfdSession {
        name: "server2".to_owned(),
        address: "10.1.5.11".parse().unwrap(),
        local_address: "10.1.5.10".parse().ok(),
        multihop: true,
        state: BfdState::Up,
        since_s: 192,
        remote_state: Some(BfdState::Up),
        interval_ms: 300,
        multiplier: 3,
        transmit_ms: 300,
        receive_ms: Some(300),
        detection_ms: Some(900),
        diagnostic: "no diagnostic".to_owned(),
        remote_diagnostic: Some("neighbour signalled session down".to_owned()),
        sent: 731,
        received: 729,
        discarded: 2,
        flaps: 1,
        last_down: Some(LastDown { text: "neighbour silent for 900 ms".to_owned(), ago_s: 200 }),
        trouble: None,
    };
    let silent = BfdSession {
        name: "server3".to_owned(),
        address: "10.1.8.10".parse().unwrap(),
        state: BfdState::NotHeard,
        remote_state: None,
        transmit_ms: 1000,
        receive_ms: None,
        detection_ms: None,
        remote_diagnostic: None,
        received: 0,
        flaps: 0,
        last_down: None,
        ..up.clone()
    };
    let deaf = BfdSession {
        name: "gw0".to_owned(),
        address: "10.1.5.1".parse().unwrap(),
        multihop: false,
        trouble: Some(
            "cannot receive: UDP port 3784 is taken, probably by another BFD daemon".to_owned(),
        ),
        ..silent.clone()
    };
    vec![up, silent, deaf]
}
