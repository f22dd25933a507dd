//! Routes, nodes, and what the kernel holds.

use starling::api::{
    Attributes, Change, FibEntry, How, Kernel, KernelState, Nexthop, NexthopState, Node, Origin,
    Path, Prefixes, Reach, Reached, Route, Sent, SentState, SessionState, Stale, UsedHop, Waits,
};

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
        sent: None,
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

/// What gw0 is told.
pub(crate) fn advertised() -> Vec<Route> {
    let attributes = Attributes {
        next_hop: "10.1.5.10".parse().unwrap(),
        origin: Origin::Igp,
        local_pref: None,
        med: None,
        as_path: "64512".to_owned(),
        communities: Vec::new(),
        large_communities: Vec::new(),
        extended_communities: Vec::new(),
        other_attributes: Vec::new(),
    };
    let goes =
        |state, attributes| Sent { state, why: None, path_id: None, attributes: Some(attributes) };
    let long = Attributes {
        med: Some(10),
        as_path: "64512 64512 64512 65001 65002 65003 {65004 65005}".to_owned(),
        communities: vec!["64512:100".to_owned(), "graceful-shutdown".to_owned()],
        large_communities: vec!["64512:1:2".to_owned()],
        extended_communities: vec!["rt:64512:7".to_owned()],
        other_attributes: vec!["ATOMIC_AGGREGATE".to_owned()],
        ..attributes.clone()
    };
    let reflected =
        Attributes { local_pref: Some(100), as_path: String::new(), ..attributes.clone() };
    let sent = [
        goes(SentState::Sent, attributes),
        Sent { path_id: Some(4), ..goes(SentState::Pending, long) },
        goes(SentState::Sent, reflected),
        Sent {
            state: SentState::Withheld,
            why: Some("rejected by to-gw0 rule 3 (no-pods)".to_owned()),
            path_id: None,
            attributes: None,
        },
    ];
    let with = |(mut route, sent): (Route, Sent)| {
        route.paths[0].sent = Some(sent);
        route
    };
    routes().into_iter().zip(sent).map(with).collect()
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
        labels: std::collections::BTreeMap::new(),
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
        object: None,
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

/// Used by many, by none, in two ways, not reached, not known yet.
pub(crate) fn nexthops() -> Vec<Nexthop> {
    let hop = |next_hop: &str, cost, reached: &[Reached], from: &[&str], routes: (u64, &[&str])| {
        Nexthop {
            next_hop: next_hop.parse().unwrap(),
            state: match (cost, reached) {
                (Some(_), _) => NexthopState::Reachable,
                (None, []) => NexthopState::Unanswered,
                (None, _) => NexthopState::Unreachable,
            },
            cost,
            reached: reached.to_vec(),
            paths: routes.0 + 2,
            from: from.iter().map(|name| (*name).to_owned()).collect(),
            routes: Prefixes {
                count: routes.0,
                first: routes.1.iter().map(|net| net.parse().unwrap()).collect(),
            },
        }
    };
    let direct = reached(How::Direct, "net0", "10.1.5.11 is inside 10.1.5.0/24 of net0");
    let tunnel = reached(How::Tunnel, "tunl0", "pool 10.244.0.0/16 is always");
    let nowhere = reached(How::Unreachable, "", "no route of this node's kernel leads to 10.9.9.9");
    let many = ["10.244.1.64/26", "10.244.2.0/26", "10.244.2.64/26"];
    let v6 = "fd00:1234:5678:9abc:def0:1234:5678:9abc";
    vec![
        hop("10.1.5.11", Some(0), &[direct.clone(), tunnel], &["server2"], (120, &many)),
        hop("10.9.9.9", None, &[nowhere], &["gw0"], (0, &[])),
        hop("10.39.3.75", Some(0), &[diseased()], &["node3", "rr0"], (1, &["192.168.169.192/26"])),
        hop("10.40.0.1", None, &[], &["gw0"], (0, &[])),
        hop(
            v6,
            Some(20),
            &[direct],
            &["ip-10-1-5-11.eu-central-1.internal"],
            (1, &["fd00:2::/64"]),
        ),
    ]
}
