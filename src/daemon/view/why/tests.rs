//! Facts made up, and what is concluded from them: a case for each cause.

use serde_json::json;
use starling_fib::packet::NeighbourState;
use starling_fib::types::Mode;

use super::*;
use crate::api::{About, BfdState, Cause, Tone};
use verdict::{Verdict, conclude};

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn target(text: &str) -> Lookup {
    text.parse().unwrap()
}

/// What the kernel says of nothing.
fn silent_kernel() -> Kernel {
    Kernel {
        answer: KernelAnswer {
            result: KernelResult::NoRoute,
            prefix: None,
            gateway: None,
            device: None,
            source: None,
            table: None,
            protocol: None,
            metric: None,
            ours: false,
            words: "no route leads there".to_owned(),
        },
        hops: 0,
        pod: false,
        carriers: Vec::new(),
        next: None,
        outer: None,
    }
}

/// It sends the packet by this route; protocol 12 is ours.
fn sent(prefix: &str, gateway: Option<&str>, device: &str, protocol: u8) -> Kernel {
    let via = gateway.map(|gateway| format!("via {gateway} ")).unwrap_or_default();
    Kernel {
        answer: KernelAnswer {
            result: KernelResult::Sent,
            prefix: Some(net(prefix)),
            gateway: gateway.map(|gateway| gateway.parse().unwrap()),
            device: Some(device.to_owned()),
            table: Some(254),
            protocol: Some(protocol),
            metric: Some(0),
            ours: protocol == 12,
            words: format!("{via}dev {device} proto {protocol} metric 0"),
            ..silent_kernel().answer
        },
        hops: 1,
        ..silent_kernel()
    }
}

fn drops(prefix: &str, protocol: u8) -> Kernel {
    Kernel {
        answer: KernelAnswer {
            result: KernelResult::Blackhole,
            gateway: None,
            device: None,
            words: format!("blackhole proto {protocol} metric 0"),
            ..sent(prefix, None, "", protocol).answer
        },
        hops: 0,
        ..silent_kernel()
    }
}

fn default_route() -> Kernel {
    sent("0.0.0.0/0", Some("10.1.5.1"), "net0", 4)
}

fn next(address: &str, state: NeighbourState) -> Option<Next> {
    let entry = Some(Neighbour { state, lladdr: Some("02:00:00:00:00:01".to_owned()) });
    Some(Next { address: address.parse().unwrap(), device: "net0".to_owned(), entry })
}

/// A route with one path; `path` and `kernel` replace what is usual in them.
fn route(
    prefix: &str,
    from: &str,
    path: serde_json::Value,
    kernel: serde_json::Value,
) -> (Route, Stand) {
    let mut whole = json!({
        "from": from, "next_hop": "10.1.8.10", "age_s": 100, "best": true,
        "why": "best: the only usable path",
        "reached": {"how": "tunnel", "device": "tunl0", "why": "10.1.8.10 is outside \
            10.1.5.0/24 of net0, pool 10.244.0.0/16 is cross-subnet"},
    });
    for (key, value) in path.as_object().unwrap() {
        whole[key] = value.clone();
    }
    let route = json!({"prefix": prefix, "paths": [whole], "kernel": kernel});
    let stand = Stand {
        want: Some("via 10.1.8.10 dev tunl0 onlink proto 12 metric 0".to_owned()),
        have: Vec::new(),
    };
    (serde_json::from_value(route).unwrap(), stand)
}

fn installed() -> serde_json::Value {
    json!({"state": "installed"})
}

/// A session; `change` replaces what is usual.
fn neighbor(name: &str, address: &str, change: serde_json::Value) -> Neighbor {
    let none = json!({"opens": 0, "updates": 0, "keepalives": 0, "notifications": 0,
        "refreshes": 0, "octets": 0});
    let mut whole = json!({
        "name": name, "address": address, "asn": 64512, "kind": "mesh",
        "state": "established", "since_s": 182, "received": 1, "accepted": 1, "sent": 1,
        "reason": null, "local_address": null, "local_asn": 64512,
        "configured": {"families": ["ipv4"], "hold_s": 90, "connect_retry_s": 5, "passive": false},
        "transport": {"port": 179, "authentication": null, "ttl_security": null, "multihop": null},
        "filtered": 0, "over_limit": 0, "stale": 0, "limits": [], "agreed": null, "offered": [],
        "offers": [], "held": false, "draining": false, "messages_received": none,
        "messages_sent": none, "last_received_s": null, "last_down": null, "flaps": 0,
        "import": "", "export": "", "bfd": null, "notes": [],
    });
    for (key, value) in change.as_object().unwrap() {
        whole[key] = value.clone();
    }
    serde_json::from_value(whole).unwrap()
}

/// Server1 asks about a pod of server3, in another rack: nobody said anything yet, and the
/// session with server3 is up.
fn facts(text: &str) -> Facts {
    Facts {
        target: target(text),
        address: representative(verdict::net(target(text))),
        node: "server1".to_owned(),
        pool: Some(Pool { cidr: net("10.244.0.0/16"), mode: Mode::CrossSubnet }),
        owner: Some(Owner {
            name: "server3".to_owned(),
            block: net("10.244.3.0/26"),
            this_node: false,
            session: None,
        }),
        inside: Vec::new(),
        owner_addresses: vec!["10.1.8.10".parse().unwrap()],
        kernel: silent_kernel(),
        routes: Vec::new(),
        stands: Vec::new(),
        neighbors: vec![neighbor("server3", "10.1.8.10", json!({}))],
        between: Vec::new(),
        tunnel: Some(Tunnel {
            device: "tunl0".to_owned(),
            words: "ipip, up, mtu 1480".to_owned(),
            ready: true,
        }),
    }
}

impl Facts {
    fn routes(mut self, routes: Vec<(Route, Stand)>) -> Facts {
        (self.routes, self.stands) = routes.into_iter().unzip();
        self
    }

    fn kernel(self, kernel: Kernel) -> Facts {
        Facts { kernel, ..self }
    }

    fn neighbors(self, neighbors: Vec<Neighbor>) -> Facts {
        Facts { neighbors, ..self }
    }

    fn ownerless(self) -> Facts {
        Facts { owner: None, owner_addresses: Vec::new(), ..self }
    }

    /// It lies in a block of the node that is asked.
    fn own(self) -> Facts {
        let owner = Owner {
            name: "server1".to_owned(),
            block: net("10.244.1.0/26"),
            this_node: true,
            session: None,
        };
        let own = route(
            "10.244.1.0/26",
            "local",
            json!({"next_hop": null, "reached": {"how": "blackhole", "why": "own block"}}),
            installed(),
        );
        let owner_addresses = vec!["10.1.5.10".parse().unwrap()];
        Facts { owner: Some(owner), owner_addresses, ..self }.routes(vec![own])
    }
}

fn is(facts: &Facts, outcome: Outcome, cause: impl Into<Option<Cause>>, sentence: &str) -> Verdict {
    let verdict = conclude(facts);
    assert_eq!(verdict.sentence, sentence);
    assert_eq!((verdict.outcome, verdict.cause), (outcome, cause.into()), "{sentence}");
    // Whoever is told of trouble is told what to do, where anything can be done.
    let told =
        matches!(verdict.cause, None | Some(Cause::NoPool | Cause::Discarded | Cause::Unknown));
    assert!(told || verdict.advice.is_some(), "no advice: {sentence}");
    verdict
}

/// The lines, as `bgpctl` puts them; those that are not as they should be are marked.
fn said(facts: &Facts) -> Vec<String> {
    let mark = |tone| match tone {
        Tone::Plain => "",
        Tone::Warn => "(?) ",
        Tone::Bad => "(!) ",
    };
    let lines = lines::lines(facts);
    lines.iter().map(|fact| format!("{}{}: {}", mark(fact.tone), fact.about, fact.text)).collect()
}

fn tunnelled() -> Facts {
    let mut kernel = sent("10.244.3.0/26", Some("10.1.8.10"), "tunl0", 12);
    kernel.answer.source = Some("10.244.1.0".parse().unwrap());
    kernel.outer = Some("packets to 10.1.8.10 take 0.0.0.0/0 via 10.1.5.1 dev net0".to_owned());
    kernel.next = next("10.1.5.1", NeighbourState::Reachable);
    let route = route("10.244.3.0/26", "server3", json!({}), installed());
    facts("10.244.3.7").kernel(kernel).routes(vec![route])
}

#[test]
fn what_is_reached_is_told_in_one_sentence_and_all_that_it_rests_on() {
    let facts = tunnelled();
    is(&facts, Outcome::Reached, None, "10.244.3.7 is reached through 10.1.8.10 by tunl0");
    assert_eq!(
        said(&facts),
        [
            "kernel: 10.244.3.0/26 via 10.1.8.10 dev tunl0 proto 12 metric 0, source 10.244.1.0: \
             our route",
            "best path: 10.244.3.0/26 from server3, 1m40s ago, next hop 10.1.8.10: the only usable \
             path",
            "next hop: 10.1.8.10 is outside 10.1.5.0/24 of net0, pool 10.244.0.0/16 is \
             cross-subnet: tunnelled by tunl0",
            "tunnel: tunl0: ipip, up, mtu 1480",
            "underlay: packets to 10.1.8.10 take 0.0.0.0/0 via 10.1.5.1 dev net0",
            "neighbour: 10.1.5.1 on net0: REACHABLE, it answered a moment ago (02:00:00:00:00:01)",
            "session: server3 (10.1.8.10): Established for 3m02s, 1 of 1 prefixes accepted",
            "owner: server3 has 10.244.3.0/26 by the configuration",
            "pool: 10.244.0.0/16, ipip cross-subnet",
        ]
    );
}

#[test]
fn one_of_several_next_hops_and_a_route_that_is_stale() {
    let mut facts = tunnelled();
    facts.kernel.hops = 3;
    let sentence = "10.244.3.7 is reached through 10.1.8.10 by tunl0, one of 3 next hops";
    is(&facts, Outcome::Reached, None, sentence);
    let stale = json!({"stale": {"waits": "session", "left_s": 90, "long_lived": false}});
    let stale = route("10.244.3.0/26", "server3", stale, installed());
    let facts = tunnelled().routes(vec![stale]);
    let sentence = "10.244.3.7 is reached through 10.1.8.10 by tunl0; its session has ended, the \
                    route is kept for 1m30s more at most";
    is(&facts, Outcome::Reached, None, sentence);
    let kept = "stale: its session has ended, kept for 1m30s more at most";
    assert!(said(&facts)[1].starts_with("(?) best path:") && said(&facts)[1].ends_with(kept));
}

#[test]
fn a_next_machine_that_is_dead_is_named() {
    let mut facts = tunnelled();
    facts.kernel.next = next("10.1.5.1", NeighbourState::Failed);
    let sentence = "10.244.3.7 is sent towards 10.1.5.1 on net0, which does not answer ARP there";
    is(&facts, Outcome::Unreached, Cause::Neighbour, sentence);
    let line = "(!) neighbour: 10.1.5.1 on net0: FAILED, it was asked and did not answer \
                (02:00:00:00:00:01)";
    assert!(said(&facts).iter().any(|said| said == line), "{:#?}", said(&facts));
}

#[test]
fn a_gateway_that_need_not_know_is_no_way() {
    let path = json!({"reached": {"how": "gateway", "device": "net0", "gateway": "10.1.5.1",
        "why": "it is never", "warning": "set it to cross-subnet"}});
    let facts = facts("10.244.3.7")
        .kernel(sent("10.244.3.0/26", Some("10.1.5.1"), "net0", 12))
        .routes(vec![route("10.244.3.0/26", "server3", path, installed())]);
    let sentence = "10.244.3.7 is sent to 10.1.5.1 on net0, which is no BGP peer and need not \
                    know the way";
    let verdict = is(&facts, Outcome::Astray, Cause::Gateway, sentence);
    assert!(verdict.advice.unwrap().contains("ipip to \"cross-subnet\""));
}

#[test]
fn a_session_that_is_down_is_the_cause_and_since_when() {
    let lost = json!({"state": "active", "since_s": 2, "reason": "cannot connect: refused",
        "last_lost": {"text": "we closed it: hold timer expired", "ago_s": 12}, "flaps": 1});
    let facts = facts("10.244.3.7").kernel(default_route()).neighbors(vec![neighbor(
        "server3",
        "10.1.8.10",
        lost,
    )]);
    let sentence = "nothing leads to 10.244.3.7: node server3 owns the block, its session is \
                    down since 12s: we closed it: hold timer expired";
    is(&facts, Outcome::Unreached, Cause::NoSession, sentence);
    assert_eq!(
        said(&facts),
        [
            "kernel: 0.0.0.0/0 via 10.1.5.1 dev net0 proto 4 metric 0: not ours (proto static)",
            "(!) session: server3 (10.1.8.10): Active, down since 12s: we closed it: hold timer \
             expired; now: cannot connect: refused",
            "owner: server3 has 10.244.3.0/26 by the configuration",
            "pool: 10.244.0.0/16, ipip cross-subnet",
        ]
    );
    let never = json!({"state": "active", "reason": "cannot connect: no answer"});
    let facts = facts.neighbors(vec![neighbor("server3", "10.1.8.10", never)]);
    let sentence = "nothing leads to 10.244.3.7: node server3 owns the block, its session has \
                    not come up yet: cannot connect: no answer";
    is(&facts, Outcome::Unreached, Cause::NoSession, sentence);
    let held = json!({"state": "idle", "held": true, "reason": "held down by `bgpctl neighbor … \
        down`", "last_lost": {"text": "we closed it", "ago_s": 12}});
    let facts = facts.neighbors(vec![neighbor("server3", "10.1.8.10", held)]);
    let sentence = "nothing leads to 10.244.3.7: node server3 owns the block, its session is \
                    held down by `bgpctl neighbor … down`";
    let verdict = is(&facts, Outcome::Unreached, Cause::NoSession, sentence);
    assert!(verdict.advice.unwrap().contains("`bgpctl neighbor server3 up`"));
}

#[test]
fn nobody_speaks_with_the_owner() {
    let alone = facts("10.244.3.7").neighbors(Vec::new());
    let sentence = "nothing leads to 10.244.3.7: node server3 owns the block, and no session is \
                    configured with it, nor with a reflector";
    is(&alone, Outcome::Unreached, Cause::NoNeighbor, sentence);
    let reflector = |change| Facts {
        between: vec!["rr".to_owned()],
        ..facts("10.244.3.7").neighbors(vec![neighbor("rr", "10.1.5.2", change)])
    };
    let down = json!({"state": "active", "reason": "cannot connect: refused"});
    let sentence = "nothing leads to 10.244.3.7: node server3 owns the block, and no session is \
                    up with who would pass it on (rr): that of rr has not come up yet: cannot \
                    connect: refused";
    is(&reflector(down), Outcome::Unreached, Cause::NoSession, sentence);
    let sentence = "nothing leads to 10.244.3.7: node server3 owns the block, the session with rr \
                    is up, but 10.244.3.0/26 has not been announced";
    is(&reflector(json!({})), Outcome::Unreached, Cause::NotAnnounced, sentence);
}

#[test]
fn a_session_that_is_up_and_says_nothing() {
    let sentence = "nothing leads to 10.244.3.7: node server3 owns the block, its session is up \
                    since 3m02s, but 10.244.3.0/26 has not been announced";
    let verdict = is(&facts("10.244.3.7"), Outcome::Unreached, Cause::NotAnnounced, sentence);
    let advice = verdict.advice.unwrap();
    assert!(advice.contains("10.244.3.0/26 --out --peer server1") && advice.contains("loop"));
}

#[test]
fn what_import_rejects_names_the_rule() {
    let filtered = json!({"best": false, "why": "filtered: x", "filtered": "rejected by from-nodes \
        rule 1"});
    let facts = facts("10.244.3.7").kernel(default_route()).routes(vec![route(
        "10.244.3.0/26",
        "server3",
        filtered,
        json!({"state": "unresolved"}),
    )]);
    let sentence = "nothing leads to 10.244.3.7: server3 announced 10.244.3.0/26, and it was \
                    rejected: rejected by from-nodes rule 1";
    let verdict = is(&facts, Outcome::Unreached, Cause::Rejected, sentence);
    assert!(verdict.advice.unwrap().contains("policy test 10.244.3.0/26 --in --peer server3"));
    assert!(said(&facts)[1].starts_with("(?) filtered: 10.244.3.0/26 from server3"));
}

#[test]
fn a_loop_counts_as_withdrawn() {
    let refused = |prefix: &str| {
        let refused = json!([{"prefix": prefix, "why": "our own AS is in AS_PATH", "ago_s": 7}]);
        let neighbor = neighbor("server3", "10.1.8.10", json!({"refused": refused}));
        facts("10.244.3.7").kernel(default_route()).neighbors(vec![neighbor])
    };
    let sentence = "nothing leads to 10.244.3.7: server3 announced 10.244.3.0/26 7s ago, and that \
                    counts as withdrawn: our own AS is in AS_PATH";
    let verdict = is(&refused("10.244.3.0/26"), Outcome::Unreached, Cause::Loop, sentence);
    assert!(verdict.advice.unwrap().contains("allow-own-as"));
    // A shorter one than the block explains nothing, nor does one beside it.
    for prefix in ["10.244.0.0/16", "10.244.3.64/26"] {
        assert_eq!(conclude(&refused(prefix)).cause, Some(Cause::NotAnnounced), "{prefix}");
    }
}

#[test]
fn a_next_hop_that_cannot_be_reached() {
    let path = json!({"reached": {"how": "unreachable", "why": "10.1.8.10 is outside 10.1.5.0/24 \
        of net0, pool 10.244.0.0/16 is cross-subnet: the kernel has no route to 10.1.8.10"}});
    let sentence = "nothing leads to 10.244.3.7: the next hop 10.1.8.10 of 10.244.3.0/26 from \
                    server3 cannot be reached: 10.1.8.10 is outside 10.1.5.0/24 of net0, pool \
                    10.244.0.0/16 is cross-subnet: the kernel has no route to 10.1.8.10";
    for best in [true, false] {
        let mut path = path.clone();
        path["best"] = best.into();
        let state = json!({"state": "unresolved"});
        let facts =
            facts("10.244.3.7").routes(vec![route("10.244.3.0/26", "server3", path, state)]);
        is(&facts, Outcome::Unreached, Cause::NextHop, sentence);
    }
}

#[test]
fn the_kernel_has_something_else_or_nothing() {
    let with = |kernel, state| {
        let route = route("10.244.3.0/26", "server3", json!({}), state);
        facts("10.244.3.7").kernel(kernel).routes(vec![route])
    };
    let refused = with(default_route(), json!({"state": "refused", "why": "no memory"}));
    let sentence = "nothing leads to 10.244.3.7: the kernel refused the route 10.244.3.0/26 from \
                    server3: no memory";
    is(&refused, Outcome::Unreached, Cause::Refused, sentence);
    assert_eq!(
        said(&refused)[1],
        "(!) wanted: 10.244.3.0/26 via 10.1.8.10 dev tunl0 onlink proto 12 metric 0; not there, \
         refused: no memory"
    );
    let out = json!({"state": "out", "why": "kept out of the kernel by into-kernel rule 1"});
    let sentence = "nothing leads to 10.244.3.7: the route 10.244.3.0/26 from server3 is kept out \
                    of the kernel by into-kernel rule 1";
    is(&with(silent_kernel(), out), Outcome::Unreached, Cause::KeptOut, sentence);
    let sentence = "10.244.3.7 is about to be reached: the route 10.244.3.0/26 from server3 is on \
                    its way into the kernel";
    is(
        &with(silent_kernel(), json!({"state": "pending"})),
        Outcome::Unreached,
        Cause::Pending,
        sentence,
    );
    let occupied = json!({"state": "occupied", "why": "a route of protocol 4 sits there"});
    let foreign = sent("10.244.3.0/26", Some("10.1.5.99"), "net0", 4);
    let sentence = "10.244.3.7 does not go by the route 10.244.3.0/26 from server3: a route of \
                    protocol 4 sits there";
    is(&with(foreign, occupied), Outcome::Astray, Cause::ForeignRoute, sentence);
    let sentence = "nothing leads to 10.244.3.7: the kernel holds 10.244.3.0/26 from server3, and \
                    does not look where it is";
    is(&with(silent_kernel(), installed()), Outcome::Unreached, Cause::NotConsulted, sentence);
}

#[test]
fn a_foreign_route_that_goes_before_ours() {
    let with = |kernel| {
        let route = route("10.244.3.0/26", "server3", json!({}), installed());
        facts("10.244.3.7").kernel(kernel).routes(vec![route])
    };
    let longer = with(sent("10.244.3.7/32", Some("10.1.5.99"), "net0", 4));
    let sentence = "10.244.3.7 does not go by the route 10.244.3.0/26 from server3: the kernel \
                    sends it to 10.1.5.99 on net0 by 10.244.3.7/32 (proto static); it is longer \
                    than 10.244.3.0/26";
    is(&longer, Outcome::Astray, Cause::ForeignRoute, sentence);
    assert_eq!(
        said(&longer)[1],
        "(!) wanted: 10.244.3.0/26 via 10.1.8.10 dev tunl0 onlink proto 12 metric 0; it is there, \
         and not what the kernel takes"
    );
    let better = with(sent("10.244.3.0/26", Some("10.1.5.99"), "net0", 80));
    let sentence = "10.244.3.7 does not go by the route 10.244.3.0/26 from server3: the kernel \
                    sends it to 10.1.5.99 on net0 by 10.244.3.0/26 (protocol 80); it goes before \
                    10.244.3.0/26 by its metric or table";
    is(&better, Outcome::Astray, Cause::ForeignRoute, sentence);
    let dropped = with(drops("10.244.3.7/32", 3));
    let sentence = "10.244.3.7 does not go by the route 10.244.3.0/26 from server3: the kernel \
                    drops it by 10.244.3.7/32 (proto boot); it is longer than 10.244.3.0/26";
    is(&dropped, Outcome::Unreached, Cause::ForeignRoute, sentence);
    // Ours is in a table where nobody looks.
    let table = with(default_route());
    let sentence = "10.244.3.7 does not go by the route 10.244.3.0/26 from server3: the kernel \
                    sends it to 10.1.5.1 on net0 by its default route (proto static); the kernel \
                    does not look where ours is";
    is(&table, Outcome::Astray, Cause::NotConsulted, sentence);
}

#[test]
fn a_shorter_route_is_no_answer_while_the_owners_is_missing() {
    let gateways = json!({"next_hop": "10.1.5.1", "reached": {"how": "direct", "device": "net0",
        "why": "10.1.5.1 is in 10.1.5.0/24 of net0"}});
    let facts = facts("10.244.3.7")
        .kernel(sent("0.0.0.0/0", Some("10.1.5.1"), "net0", 12))
        .routes(vec![route("0.0.0.0/0", "gw0", gateways.clone(), installed())]);
    let sentence = "10.244.3.7 goes to 10.1.5.1 on net0 by its default route (proto bird) for want \
                    of its route: node server3 owns the block, its session is up since 3m02s, but \
                    10.244.3.0/26 has not been announced";
    is(&facts, Outcome::Astray, Cause::NotAnnounced, sentence);
    // Outside of every block it is an answer like any other.
    let outside = facts.ownerless();
    let sentence = "10.244.3.7 is reached through 10.1.5.1 on net0";
    is(&outside, Outcome::Reached, None, sentence);
    // What the owner itself announces shorter, is its own (aggregate = true).
    let aggregate = route("10.244.2.0/23", "server3", json!({}), installed());
    let aggregated = tunnelled().routes(vec![aggregate]);
    let aggregated = aggregated.kernel(sent("10.244.2.0/23", Some("10.1.8.10"), "tunl0", 12));
    is(&aggregated, Outcome::Reached, None, "10.244.3.7 is reached through 10.1.8.10 by tunl0");
}

#[test]
fn addresses_that_nobody_has() {
    let pool = facts("10.244.9.1").ownerless().kernel(default_route());
    let sentence = "nothing leads to 10.244.9.1: it is in the pool 10.244.0.0/16, and no node has \
                    a block there";
    is(&pool, Outcome::Unreached, Cause::NoOwner, sentence);
    let strange = Facts { pool: None, ..facts("192.0.2.1").ownerless() };
    let sentence = "nothing leads to 192.0.2.1: it is in no pool, nobody announced it, and the \
                    kernel says: no route leads there";
    is(&strange, Outcome::Unreached, Cause::NoPool, sentence);
    let sentence = "192.0.2.1 is in no pool and nobody announced it: the kernel sends it to \
                    10.1.5.1 on net0 by its default route (proto static)";
    is(&strange.kernel(default_route()), Outcome::Astray, Cause::NoPool, sentence);
    let whole = Facts {
        inside: ["server1", "server2", "server2", "server3"]
            .map(|name| (name.to_owned(), net("10.244.1.0/26")))
            .to_vec(),
        ..facts("10.244.0.0/16").ownerless()
    };
    let sentence = "no one way leads to all of 10.244.0.0/16: blocks of server1, server2 and 1 \
                    more lie in it";
    is(&whole, Outcome::Unreached, Cause::NoOwner, sentence);
}

#[test]
fn this_node_and_its_pods() {
    let mut kernel = sent("10.1.5.10/32", None, "lo", 2);
    kernel.answer.result = KernelResult::Local;
    kernel.carriers = vec!["net0".to_owned()];
    let own = facts("10.1.5.10").own().kernel(kernel);
    is(&own, Outcome::Local, None, "10.1.5.10 is this node's own address, on net0");
    let mut kernel = sent("10.244.1.10/32", None, "cali1", 3);
    kernel.pod = true;
    let mut pod = facts("10.244.1.10").own().kernel(kernel);
    is(&pod, Outcome::Local, None, "10.244.1.10 is a pod of this node, on cali1");
    pod.kernel.next = next("10.244.1.10", NeighbourState::Failed);
    let sentence =
        "10.244.1.10 is sent towards 10.244.1.10 on net0, which does not answer ARP there";
    is(&pod, Outcome::Unreached, Cause::Neighbour, sentence);
    let nobody = facts("10.244.1.20").own().kernel(drops("10.244.1.0/26", 12));
    let sentence = "10.244.1.20 is in this node's own block 10.244.1.0/26, and no pod here has it: \
                    the block's route discards it";
    is(&nobody, Outcome::Unreached, Cause::NoSuchPod, sentence);
    assert_eq!(
        said(&nobody),
        [
            "(?) kernel: 10.244.1.0/26 blackhole proto 12 metric 0: our route, drops without a word",
            "best path: 10.244.1.0/26 of this node: own block",
            "owner: this node, server1, has 10.244.1.0/26 by the configuration",
            "pool: 10.244.0.0/16, ipip cross-subnet",
        ]
    );
    let block = facts("10.244.1.0/26").own().kernel(drops("10.244.1.0/26", 12));
    let sentence = "10.244.1.0/26 is of this node: the pods' own routes lead on, the rest of \
                    10.244.1.0/26 is discarded";
    is(&block, Outcome::Local, None, sentence);
    let astray = facts("10.244.1.20").own().kernel(default_route());
    let sentence = "10.244.1.20 is in this node's own block 10.244.1.0/26, but the kernel sends it \
                    to 10.1.5.1 on net0 by its default route (proto static)";
    is(&astray, Outcome::Unreached, Cause::ForeignRoute, sentence);
}

#[test]
fn nodes_and_what_is_on_the_subnet_need_no_bgp() {
    let node = |kernel| {
        let facts = Facts { pool: None, ..facts("10.1.8.10") };
        let owner = Owner { block: net("10.1.8.10/32"), ..facts.owner.clone().unwrap() };
        Facts { owner: Some(owner), ..facts }.kernel(kernel)
    };
    let sentence = "10.1.8.10 is the node server3, reached through 10.1.5.1 on net0";
    is(&node(default_route()), Outcome::Reached, None, sentence);
    let sentence = "10.1.8.10 is the node server3, and nothing leads there: no route leads there";
    let verdict = conclude(&node(silent_kernel()));
    assert_eq!(verdict.sentence, sentence);
    assert_eq!(verdict.cause, Some(Cause::NextHop));
    let beside = Facts { pool: None, ..facts("10.1.5.77").ownerless() };
    let beside = beside.kernel(sent("10.1.5.0/24", None, "net0", 2));
    let sentence = "10.1.5.77 is on a subnet of this node, reached directly on net0";
    is(&beside, Outcome::Reached, None, sentence);
}

#[test]
fn a_blackhole_that_is_asked_for_is_no_fault() {
    let path = json!({"communities": ["blackhole"], "reached": {"how": "blackhole", "why": "x"}});
    let facts = Facts { pool: None, ..facts("192.0.2.1").ownerless() }
        .kernel(drops("192.0.2.1/32", 12))
        .routes(vec![route("192.0.2.1/32", "gw0", path, installed())]);
    let sentence = "192.0.2.1 is discarded on purpose: gw0 announced 192.0.2.1/32 with BLACKHOLE \
                    (RFC 7999)";
    is(&facts, Outcome::Unreached, Cause::Discarded, sentence);
}

#[test]
fn a_tunnel_that_is_not_to_be_had_is_told_where_it_is_wanted() {
    let path = json!({"best": false, "reached": {"how": "unreachable", "why": "no IPIP"}});
    let state = json!({"state": "unresolved"});
    let facts = Facts {
        tunnel: Some(Tunnel {
            device: "tunl0".to_owned(),
            words: "this kernel has no IPIP".to_owned(),
            ready: false,
        }),
        ..facts("10.244.3.7").routes(vec![route("10.244.3.0/26", "server3", path, state)])
    };
    let line = "(!) tunnel: tunl0: this kernel has no IPIP";
    assert!(said(&facts).iter().any(|said| said == line), "{:#?}", said(&facts));
}

#[test]
fn bfd_says_what_it_lost() {
    let mut facts = tunnelled();
    let bfd = json!({"name": "server3", "address": "10.1.8.10", "local_address": null,
        "multihop": true, "state": "down", "since_s": 4, "remote_state": null, "interval_ms": 300,
        "multiplier": 3, "transmit_ms": 1000, "receive_ms": null, "detection_ms": null,
        "diagnostic": "", "remote_diagnostic": null, "sent": 1, "received": 1, "discarded": 0,
        "flaps": 1, "last_down": {"text": "neighbour silent for 900 ms", "ago_s": 4},
        "trouble": null});
    let mut neighbor = neighbor("server3", "10.1.8.10", json!({"bfd": bfd}));
    let shown = |facts: &Facts| {
        let lines = lines::lines(facts);
        lines.into_iter().find(|fact| fact.about == About::Bfd).unwrap().text
    };
    facts.neighbors = vec![neighbor.clone()];
    assert_eq!(shown(&facts), "server3: Down for 4s, 4s ago: neighbour silent for 900 ms");
    neighbor.bfd.as_mut().unwrap().state = BfdState::NotHeard;
    facts.neighbors = vec![neighbor];
    assert_eq!(shown(&facts), "server3: not heard for 4s, so BGP does without");
}

#[test]
fn of_a_prefix_an_address_that_a_host_could_have_is_asked_about() {
    for (text, address) in [
        ("10.244.3.0/26", "10.244.3.1"),
        ("10.244.3.4/31", "10.244.3.4"),
        ("10.244.3.4/32", "10.244.3.4"),
        ("fd00:244:3::/64", "fd00:244:3::1"),
        ("0.0.0.0/0", "0.0.0.1"),
    ] {
        assert_eq!(representative(net(text)).to_string(), address, "{text}");
    }
}
