//! What a daemon might say, in the five networks of the documentation's examples.

use starling::api::{
    Agreed, AuditFault, AuditFinding, Authentication, BfdSession, BfdState, Change, Configured,
    Counters, Diagnosis, FamilyRoutes, FibAudit, FibCoupling, FibEntry, Finding, Graceful, How,
    Kernel, KernelState, LastDown, Level, Limit, LimitAction, Neighbor, Network, Node, Origin,
    Path, PeerKind, PeerSummary, Place, Pod, Policy, PolicyRule, PolicyStep, PolicyTest, PolicyUse,
    RangeSummary, Reach, Reached, Ready, Reason, Route, SessionState, Stale, Summary, TestedRoute,
    Transport, Unchecked, UsedHop, Waits, Wish,
};
use starling_fib::types::Coupling;

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
    }
}

fn down(mut peer: PeerSummary, state: SessionState, reason: &str) -> PeerSummary {
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
        recovering: false,
        ready: Ready {
            ready: false,
            reasons: vec![Reason {
                code: "no_ipip".to_owned(),
                subject: "tunl0".to_owned(),
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
                "connection refused",
            ),
            down(
                peer("gw0", "10.1.5.1", 65000, PeerKind::External),
                SessionState::Idle,
                "AS mismatch: it says 65001, the configuration 65000",
            ),
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
    }
}

pub(crate) fn neighbors() -> Vec<Neighbor> {
    let summary = summary();
    let up = Neighbor {
        summary: summary.peers[0].clone(),
        node: true,
        everywhere: true,
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
        last_received_s: Some(2),
        last_down: Some(LastDown {
            // A neighbour's own words may hold anything.
            text: "it said: Cease, administrative shutdown (\"bye\x1b[2J\")".to_owned(),
            ago_s: 200,
        }),
        last_lost: None,
        idle_left_s: Some(3),
        flaps: 2,
        filtered: 5,
        over_limit: 2,
        stale: 3,
        refused: Vec::new(),
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
        last_received_s: None,
        last_down: None,
        last_lost: None,
        idle_left_s: None,
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
        ..refused.clone()
    };
    vec![up, refused, dynamic]
}

pub(crate) fn audit() -> FibAudit {
    let finding = |prefix: &str, fault, want: Option<&str>, have: &[&str]| AuditFinding {
        prefix: prefix.parse().unwrap(),
        fault,
        want: want.map(str::to_owned),
        have: have.iter().map(|line| (*line).to_owned()).collect(),
    };
    let right = "via 10.1.5.11 dev net0 proto 12 metric 0";
    FibAudit {
        compared: 4,
        missing: 1,
        wrong: 1,
        extra: 1,
        unheard: 3,
        repaired: 3,
        findings: vec![
            finding("10.244.2.0/26", AuditFault::Missing, Some(right), &[]),
            finding(
                "10.244.3.0/26",
                AuditFault::Wrong,
                Some("via 10.1.8.10 dev tunl0 onlink proto 12 metric 0"),
                &["via 10.1.5.1 dev net0 proto 12 metric 0", "blackhole proto 12 metric 7"],
            ),
            finding("10.244.9.0/26", AuditFault::Extra, None, &[right]),
        ],
        took_ms: 12,
    }
}

pub(crate) fn diagnosis() -> Diagnosis {
    let finding = |level, check: &str, subject: &str, text: &str, cure: Option<&str>| Finding {
        level,
        check: check.to_owned(),
        subject: subject.to_owned(),
        text: text.to_owned(),
        cure: cure.map(str::to_owned),
    };
    Diagnosis {
        node: Some("server1".to_owned()),
        worst: Level::Problem,
        findings: vec![
            finding(
                Level::Problem,
                "filter",
                "filter input",
                "IP in IP (protocol 4) from server3, server4 is dropped: policy drop",
                Some("nft insert rule inet filter input ip saddr '{ 10.1.8.10, 10.1.8.11 }' ip protocol 4 accept"),
            ),
            finding(
                Level::Warning,
                "reverse_path",
                "a-device-with-a-long-name",
                "rp_filter is strict: what a node tunnels that is answered in clear is dropped without a word",
                Some("sysctl -w net.ipv4.conf.tunl0.rp_filter=2"),
            ),
            finding(
                Level::Hint,
                "sessions",
                "gw0",
                "no session with 10.1.5.1: the neighbour closed it: \u{1b}[2J",
                Some("bgpctl show neighbors gw0"),
            ),
            finding(Level::Ok, "forwarding", "net.ipv4.ip_forward", "on", None),
        ],
        unchecked: vec![Unchecked {
            check: "encapsulation".to_owned(),
            why: "the subnets of 3 other nodes are those of their own interfaces: `bgpctl doctor` there".to_owned(),
        }],
    }
}

pub(crate) fn coupling(to: Coupling) -> FibCoupling {
    match to {
        Coupling::Coupled => FibCoupling { coupled: true, differing: 0, removed: None },
        Coupling::Decoupled => FibCoupling { coupled: false, differing: 1, removed: None },
        Coupling::Flushed => FibCoupling { coupled: false, differing: 3, removed: Some(3) },
    }
}

pub(crate) fn networks() -> Vec<Network> {
    let network = |prefix: &str, wish, announced, blackhole| Network {
        prefix: prefix.parse().unwrap(),
        wish,
        announced,
        blackhole,
    };
    vec![
        network("10.50.0.0/16", Wish::Configured, true, false),
        network("10.244.1.0/26", Wish::Configured, false, true),
        network("10.244.2.9/32", Wish::Borrowed, true, false),
        network("fd00:50::/64", Wish::Operator, true, false),
    ]
}

pub(crate) fn pods() -> Vec<Pod> {
    let pod = |address: &str, interface: &str, protocol, announced, why: &str| Pod {
        address: address.parse().unwrap(),
        interface: interface.to_owned(),
        protocol,
        announced,
        why: why.to_owned(),
    };
    vec![
        pod("10.244.1.7", "cali1a2b3c4d5e6", 80, false, "its block 10.244.1.0/26 is announced"),
        pod("10.244.2.9", "cali0f0f0f0f0f0", 3, true, "in no block of this node"),
        pod("192.0.2.7", "cali123", 2, false, "routes of protocol 2 are not learned"),
        pod("fd00:244:9::7", "cali123", 4, true, "every pod is announced"),
    ]
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

fn reached(how: How, device: &str, why: &str) -> Reached {
    let device = (!device.is_empty()).then(|| device.to_owned());
    Reached { how, device, gateway: None, why: why.to_owned(), warning: None }
}

fn path(from: &str, next_hop: &str, reached: Reached, why: &str) -> Path {
    Path {
        from: from.to_owned(),
        next_hop: next_hop.parse().ok(),
        reached,
        age_s: 192,
        best: true,
        multipath: false,
        path_id: None,
        stale: None,
        why: why.to_owned(),
        filtered: None,
        changed: Vec::new(),
        origin: None,
        local_pref: None,
        med: None,
        as_path: None,
        communities: Vec::new(),
        large_communities: Vec::new(),
        extended_communities: Vec::new(),
        other_attributes: Vec::new(),
    }
}

fn route(prefix: &str, path: Path, state: KernelState, why: Option<&str>) -> Route {
    let kernel = Kernel { state, why: why.map(str::to_owned) };
    Route { prefix: prefix.parse().unwrap(), paths: vec![path], next_hops: Vec::new(), kernel }
}

fn used(next_hop: &str, from: &[&str], reached: Reached) -> UsedHop {
    let from = from.iter().map(|name| (*name).to_owned()).collect();
    UsedHop { next_hop: next_hop.parse().ok(), from, reached }
}

fn diseased() -> Reached {
    Reached {
        gateway: "10.39.0.1".parse().ok(),
        warning: Some(
            "next hop 10.39.3.75 is outside 10.39.0.0/24 of eth0, pool 192.168.0.0/16 has ipip = \
             \"never\": the route leans on gateway 10.39.0.1, which is not a BGP peer. Set the \
             pool's ipip to cross-subnet."
                .to_owned(),
        ),
        ..reached(How::Gateway, "eth0", "10.39.3.75 is outside 10.39.0.0/24 of eth0")
    }
}

pub(crate) fn routes() -> Vec<Route> {
    use KernelState::{Installed, Occupied, Out, Pending, Refused, Unresolved};
    let same = "10.1.5.11 is inside 10.1.5.0/24 of net0";
    let other = "10.1.8.10 is outside 10.1.5.0/24 of net0, pool 10.244.0.0/16 is cross-subnet";
    let own = reached(How::Blackhole, "", "own block");
    let direct = || reached(How::Direct, "net0", same);
    let tunnel = || reached(How::Tunnel, "tunl0", other);
    let filtered = Path {
        best: false,
        filtered: Some("outside every pool".to_owned()),
        ..path("server2", "10.1.5.11", direct(), "filtered")
    };
    let nowhere = Path {
        best: false,
        ..path(
            "gw0",
            "10.9.9.9",
            reached(How::Unreachable, "", "no route of this node's kernel leads to 10.9.9.9"),
            "next hop cannot be reached",
        )
    };
    let older = "older than the path from transit";
    vec![
        route("10.244.1.0/26", path("local", "-", own, "own block"), Installed, None),
        route(
            "10.244.1.64/26",
            path("server2", "10.1.5.11", direct(), "only path"),
            Installed,
            None,
        ),
        route(
            "10.244.2.0/26",
            path("server3", "10.1.8.10", tunnel(), "only path"),
            Pending,
            Some("waits for tunl0"),
        ),
        route(
            "10.244.2.64/26",
            path("server4", "10.1.8.11", tunnel(), "only path"),
            Refused,
            Some("Network is unreachable (ENETUNREACH)"),
        ),
        route(
            "10.250.0.0/16",
            path("gw0", "10.1.5.1", direct(), older),
            Occupied,
            Some("a route of protocol static holds the key; it is left alone"),
        ),
        route("10.251.0.0/16", filtered, Unresolved, None),
        route("10.252.0.0/16", nowhere, Unresolved, None),
        route(
            "192.168.169.192/26",
            path("server5", "10.39.3.75", diseased(), "only path"),
            Installed,
            None,
        ),
        route(
            "192.168.170.0/26",
            path("server5", "10.39.3.75", diseased(), "only path"),
            Installed,
            None,
        ),
        route(
            "fd00:244:0:1::/64",
            path("server2", "fd00:5::11", direct(), "higher LOCAL_PREF than gw0"),
            Installed,
            None,
        ),
        Route {
            next_hops: vec![
                used("10.1.5.11", &["server2"], direct()),
                used("10.1.8.10", &["gw0", "server3"], tunnel()),
                used("10.39.3.75", &["server5"], diseased()),
            ],
            ..route(
                "10.244.4.0/26",
                path("server2", "10.1.5.11", direct(), "equal"),
                Installed,
                None,
            )
        },
        route(
            "10.244.5.0/26",
            path("server2", "10.1.5.11", direct(), "only path"),
            Out,
            Some("kept out of the kernel by policy no-pods, rule 1"),
        ),
        route(
            "10.244.6.0/26",
            Path {
                path_id: Some(7),
                stale: Some(Stale { waits: Waits::Session, left_s: 118, long_lived: false }),
                ..path("server2", "10.1.5.11", direct(), "only path")
            },
            Installed,
            None,
        ),
    ]
}

pub(crate) fn detailed() -> Vec<Route> {
    let mut routes = routes();
    let mut contested = routes.remove(1);
    let best = &mut contested.paths[0];
    best.why = "higher LOCAL_PREF than gw0 (100 against 50)".to_owned();
    best.origin = Some(Origin::Igp);
    best.local_pref = Some(100);
    best.as_path = Some(String::new());
    best.communities = vec!["64512:100".to_owned(), "no-export".to_owned()];
    best.large_communities = vec!["64512:1:2".to_owned()];
    best.other_attributes = vec!["type 40, 7 octets, partial".to_owned()];
    let mut second = best.clone();
    second.from = "gw0".to_owned();
    second.next_hop = "10.1.5.1".parse().ok();
    second.reached.why = "10.1.5.1 is inside 10.1.5.0/24 of net0".to_owned();
    second.best = false;
    second.why = "lower LOCAL_PREF than server2 (50 against 100)".to_owned();
    second.origin = Some(Origin::Incomplete);
    second.local_pref = Some(50);
    second.med = Some(10);
    second.as_path = Some("65000 64999 {64801 64802}".to_owned());
    second.communities.clear();
    second.large_communities.clear();
    second.other_attributes.clear();
    let mut third = second.clone();
    third.from = "transit".to_owned();
    third.why = "the import policy drops it".to_owned();
    third.filtered = Some("the AS path holds our own AS 64512".to_owned());
    let changed = |attribute: &str, received: Option<&str>, used: Option<&str>| Change {
        attribute: attribute.to_owned(),
        received: received.map(str::to_owned),
        used: used.map(str::to_owned),
    };
    let beside = Path {
        from: "server3".to_owned(),
        best: false,
        multipath: true,
        path_id: Some(2),
        stale: Some(Stale { waits: Waits::EndOfRib, left_s: 90, long_lived: false }),
        why: "used beside the best; not best: higher address than that of server2".to_owned(),
        changed: vec![
            changed("LOCAL_PREF", Some("50"), Some("100")),
            changed("COMMUNITIES", None, Some("64512:100 no-export")),
            changed("MULTI_EXIT_DISC", Some("30"), None),
        ],
        ..contested.paths[0].clone()
    };
    let forgotten = Path {
        from: "server4".to_owned(),
        stale: Some(Stale { waits: Waits::Session, left_s: 3500, long_lived: true }),
        why: "not best: long-lived stale, unlike the path of server2".to_owned(),
        ..second.clone()
    };
    contested.paths.extend([beside, second, forgotten, third]);
    let diseased = routes.remove(6);
    let kept_out = routes.remove(9);
    vec![contested, diseased, kept_out]
}

pub(crate) fn nodes() -> Vec<Node> {
    let node = |name: &str, address: &str, reach, through: Option<&str>, why: &str| Node {
        name: name.to_owned(),
        address: address.parse().unwrap(),
        reach,
        through: through.map(str::to_owned),
        why: why.to_owned(),
        session: Some(SessionState::Established),
        since_s: Some(192),
        reason: None,
        blocks: vec!["10.244.1.64/26".parse().unwrap()],
        warning: None,
    };
    let same = "10.1.5.11 is inside 10.1.5.0/24 of net0";
    let other = "10.1.8.10 is outside 10.1.5.0/24 of net0, pool 10.244.0.0/16 is cross-subnet";
    vec![
        Node {
            session: None,
            since_s: None,
            ..node("server1", "10.1.5.10", Reach::Local, None, "found by its hostname")
        },
        node("server2", "10.1.5.11", Reach::Direct, Some("net0"), same),
        Node {
            blocks: vec!["10.244.2.0/26".parse().unwrap(), "10.244.3.0/26".parse().unwrap()],
            ..node("server3", "10.1.8.10", Reach::Tunnel, Some("tunl0"), other)
        },
        Node {
            session: Some(SessionState::Connect),
            since_s: Some(3),
            reason: Some("no route to host".to_owned()),
            blocks: Vec::new(),
            ..node("server4", "10.1.8.11", Reach::Tunnel, Some("tunl0"), other)
        },
        Node {
            warning: diseased().warning,
            ..node("server5", "10.39.3.75", Reach::Gateway, Some("10.39.0.1"), "off-subnet")
        },
    ]
}

pub(crate) fn fib() -> Vec<FibEntry> {
    let entry = |prefix: &str, state, want: &str, have: &str, why: &str| FibEntry {
        prefix: prefix.parse().unwrap(),
        want: (!want.is_empty()).then(|| want.to_owned()),
        have: (!have.is_empty()).then(|| have.to_owned()),
        want_hops: Vec::new(),
        have_hops: Vec::new(),
        next_hops: Vec::new(),
        state,
        why: (!why.is_empty()).then(|| why.to_owned()),
    };
    let tunnel = "via 10.1.8.10 dev tunl0 onlink";
    let line = "proto 12 metric 0";
    let near = "via 10.1.5.11 dev net0";
    let far = "via 10.1.8.10 dev tunl0 onlink weight 2";
    let hops = |hops: &[&str]| hops.iter().map(|hop| (*hop).to_owned()).collect();
    vec![
        entry("10.244.1.0/26", KernelState::Installed, "blackhole", "blackhole", ""),
        entry("10.244.2.0/26", KernelState::Installed, tunnel, tunnel, ""),
        entry(
            "10.244.2.64/26",
            KernelState::Pending,
            tunnel,
            "via 10.1.5.1 dev net0",
            "to be replaced: the pool's ipip changed",
        ),
        entry("10.244.3.0/26", KernelState::Refused, tunnel, "", "Network is unreachable"),
        FibEntry {
            want_hops: hops(&[near, far]),
            have_hops: hops(&[near, far]),
            ..entry("10.244.4.0/26", KernelState::Installed, line, line, "")
        },
        FibEntry {
            want_hops: hops(&[near, far]),
            ..entry("10.244.5.0/26", KernelState::Pending, line, &format!("{near} {line}"), "")
        },
        entry(
            "10.250.0.0/16",
            KernelState::Occupied,
            "via 10.1.5.1 dev net0",
            "via 10.1.5.254 dev net0 proto static",
            "it is not ours",
        ),
        entry(
            "10.251.0.0/16",
            KernelState::Stale,
            "",
            "via 10.1.5.11 dev net0",
            "of a predecessor; goes when the neighbours have spoken",
        ),
    ]
}

pub(crate) fn policies() -> Vec<Policy> {
    let rule =
        |number, name: Option<&str>, when: &str, unless: Option<&str>, then: &str| PolicyRule {
            number,
            name: name.map(str::to_owned),
            when: when.to_owned(),
            unless: unless.map(str::to_owned),
            then: then.to_owned(),
            hits: 1_204 * u64::from(number),
        };
    let used =
        |place, neighbor: Option<&str>| PolicyUse { place, neighbor: neighbor.map(str::to_owned) };
    let mesh = (2..30).map(|n| used(Place::Export, Some(&format!("server{n}"))));
    vec![
        Policy {
            name: "from-tor".to_owned(),
            used: vec![used(Place::Import, Some("tor0")), used(Place::Import, Some("tor1"))],
            rules: vec![
                rule(1, Some("bogons"), "prefix bogons", None, "reject"),
                rule(
                    2,
                    None,
                    "prefix 10.0.0.0/8 le 24, community 65000:100 or no-export",
                    Some("as-path origin 65010"),
                    "accept, local-pref 200, add-community 64512:1, add-community 64512:1:2",
                ),
                rule(3, None, "everything", None, "reject"),
            ],
        },
        Policy {
            name: "shared".to_owned(),
            used: mesh.chain([used(Place::Kernel, None)]).collect(),
            rules: vec![rule(1, None, "everything", None, "accept")],
        },
    ]
}

pub(crate) fn policy_tests() -> Vec<PolicyTest> {
    let route = TestedRoute {
        hypothetical: false,
        from: "tor0".to_owned(),
        next_hop: "10.1.5.1".parse().ok(),
        local_pref: 100,
        med: Some(20),
        as_path: "65000 64999 {64801,64802}".to_owned(),
        communities: vec!["65000:100".to_owned(), "65000:1:2".to_owned()],
    };
    let step = |rule: &str, says: &str, miss: Option<&str>| PolicyStep {
        rule: rule.to_owned(),
        says: says.to_owned(),
        miss: miss.map(str::to_owned),
    };
    let import = PolicyTest {
        place: Place::Import,
        neighbor: Some("tor0".to_owned()),
        prefix: "10.20.0.0/16".parse().unwrap(),
        route: route.clone(),
        accepted: true,
        rule: Some("from-tor rule 2".to_owned()),
        why: "accepted by from-tor rule 2".to_owned(),
        changes: Some("local-pref 200, add-community 64512:1".to_owned()),
        steps: vec![
            step(
                "from-tor rule 1 (bogons)",
                "prefix bogons: reject",
                Some("10.20.0.0/16 is not in bogons"),
            ),
            step(
                "from-tor rule 2",
                "prefix 10.0.0.0/8 le 24, community 65000:100 or no-export unless as-path origin \
                 65010: accept, local-pref 200, add-community 64512:1",
                None,
            ),
        ],
    };
    let export = PolicyTest {
        place: Place::Export,
        neighbor: Some("server2".to_owned()),
        route: TestedRoute {
            hypothetical: true,
            from: "local".to_owned(),
            next_hop: None,
            med: None,
            as_path: String::new(),
            communities: Vec::new(),
            ..route
        },
        accepted: false,
        rule: Some("to-nodes rule 1".to_owned()),
        why: "rejected by to-nodes rule 1".to_owned(),
        changes: None,
        steps: vec![step("to-nodes rule 1", "everything: reject", None)],
        ..import.clone()
    };
    let kernel = PolicyTest {
        place: Place::Kernel,
        neighbor: None,
        accepted: true,
        rule: None,
        why: "no rule decides: every best route enters the kernel".to_owned(),
        changes: None,
        steps: Vec::new(),
        ..import.clone()
    };
    vec![import, export, kernel]
}
