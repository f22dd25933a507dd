//! What the daemon says: sessions, blocks, encapsulation, routes.

use super::*;
use crate::api::How;
use crate::doctor::facts::{Cause, Down, Program, Trouble, Troubled};

#[test]
fn a_daemon_that_does_not_answer_is_finding_number_one() {
    let facts = sick(|facts| {
        facts.daemon = Err("no daemon on /run/starling/control.sock".to_owned());
        facts.host.programs = Some(vec![Program { pid: 7, name: "starlingd".into() }]);
        facts.host.settings.insert("net/ipv4/ip_forward".into(), "0".into());
    });
    let diagnosis = examine(&facts);
    let first = &diagnosis.findings[0];
    assert_eq!((first.check.as_str(), first.level), ("daemon", Level::Problem));
    assert!(first.text.contains("process 7"), "{first:?}");
    assert!(diagnosis.findings.iter().any(|finding| finding.check == "forwarding"));
    let unchecked: Vec<&str> = diagnosis.unchecked.iter().map(|u| u.check.as_str()).collect();
    assert_eq!(unchecked, ["sessions", "blocks"]);
}

#[test]
fn somebody_has_the_port_of_a_daemon_that_does_not_start() {
    let facts = sick(|facts| {
        facts.daemon = Err("no daemon".to_owned());
        facts.host.listener = Some("bird".to_owned());
    });
    let findings = examine(&facts).findings;
    assert!(findings[1].text.contains("bird listens on TCP 179"), "{findings:#?}");
}

#[test]
fn a_file_that_is_not_in_force() {
    let facts = with_daemon(|daemon| daemon.rejected = Some("cluster.toml:7: what".to_owned()));
    says(
        &facts,
        "configuration",
        Level::Warning,
        "cluster.toml:7",
        "starlingd check /etc/starling",
    );
    let facts = sick(|facts| facts.configured = Err("no node is called here".to_owned()));
    let findings = examine(&facts).findings;
    assert_eq!((findings[0].check.as_str(), findings[0].level), ("configuration", Level::Problem));
}

#[test]
fn a_kernel_that_does_not_follow() {
    let at = |coupling, differing| {
        with_daemon(|daemon| (daemon.coupling, daemon.differing) = (coupling, differing))
    };
    let flushed = at(Coupling::Flushed, 3);
    says(&flushed, "coupling", Level::Problem, "3 destinations", "bgpctl fib couple");
    let decoupled = at(Coupling::Decoupled, 0);
    says(&decoupled, "coupling", Level::Warning, "decoupled", "bgpctl fib couple");
}

#[test]
fn a_session_that_is_down_has_its_cause_and_its_cure() {
    for (cause, level, cure) in [
        (Cause::Held, Level::Hint, "bgpctl neighbor server3 up"),
        (Cause::Refused, Level::Warning, "on server3: systemctl start starlingd"),
        (Cause::Silent, Level::Warning, "ping -c 3 10.1.8.10"),
        (Cause::NoRoute, Level::Warning, "ip route get 10.1.8.10"),
        (Cause::NoSource, Level::Warning, "ip address"),
        (Cause::Uncalled, Level::Warning, "passive"),
        (Cause::WrongAs, Level::Warning, "`asn` of server3"),
        (Cause::WrongIdentifier, Level::Warning, "router-id"),
        (Cause::Unknown, Level::Warning, "a neighbour in the configuration of server3"),
        (Cause::Bfd, Level::Warning, "bgpctl show bfd"),
        (Cause::Begins, Level::Hint, "show summary"),
        (Cause::Other, Level::Warning, "bgpctl show neighbors server3"),
    ] {
        let facts = with_daemon(|daemon| {
            daemon.sessions[1].down = Some(Down { cause, words: "so it is".to_owned() });
        });
        says(&facts, "sessions", level, "so it is", cure);
    }
    // When nobody is left it is no longer one neighbour's affair.
    let cut_off = with_daemon(|daemon| {
        daemon.sessions.remove(0);
        daemon.sessions[0].down = Some(Down { cause: Cause::Silent, words: "x".to_owned() });
    });
    one(&cut_off, "sessions", Level::Problem);
}

#[test]
fn many_that_are_down_are_a_number() {
    let facts = with_daemon(|daemon| {
        let mut down = daemon.sessions[0].clone();
        down.down = Some(Down { cause: Cause::Silent, words: "no answer".to_owned() });
        daemon.sessions.extend(std::iter::repeat_n(down, 50));
    });
    let findings = examine(&facts).findings;
    let sessions: Vec<&Finding> = findings.iter().filter(|f| f.check == "sessions").collect();
    assert_eq!(sessions.len(), 11);
    assert!(sessions[10].text.contains("40 more sessions of 52"), "{:?}", sessions[10]);
}

#[test]
fn an_identifier_that_two_have() {
    let twice = with_daemon(|daemon| daemon.sessions[1].identifier = daemon.sessions[0].identifier);
    says(&twice, "identifiers", Level::Problem, "server2, server3", "router-id");
    let ours = with_daemon(|daemon| daemon.sessions[1].identifier = Some([10, 1, 5, 10].into()));
    says(&ours, "identifiers", Level::Problem, "this node, server3", "router-id");
    // A router with two addresses is one router.
    let router = with_daemon(|daemon| {
        for address in ["10.1.5.1", "10.1.6.1"] {
            let gateway = session(address, address, "192.0.2.1");
            daemon.sessions.push(Session { node: false, ..gateway });
        }
    });
    assert_eq!(examine(&router).worst, Level::Ok);
}

#[test]
fn a_block_that_two_nodes_call_theirs() {
    let and = |prefix: &str, next_hop: &str| {
        with_daemon(|daemon| daemon.claims.push(claim(prefix, next_hop)))
    };
    let both = and("10.244.3.0/26", "10.1.5.11");
    says(
        &both,
        "blocks",
        Level::Problem,
        "server2, server3 both announce",
        "on server2: starlingd",
    );
    let ours = and("10.244.1.0/26", "10.1.8.10");
    says(
        &ours,
        "blocks",
        Level::Problem,
        "this node's, and server3",
        "on server3: starlingd check",
    );
    let other = with_daemon(|daemon| daemon.claims[1].next_hop = ip("10.1.5.11"));
    says(
        &other,
        "blocks",
        Level::Warning,
        "server2 announces it; the file here gives it to server3",
        "on server2",
    );
    let nobodys = with_daemon(|daemon| {
        daemon.claims.push(claim("10.244.9.0/26", "10.1.5.11"));
        daemon.claims.push(claim("10.244.9.0/26", "10.1.8.10"));
    });
    says(&nobodys, "blocks", Level::Problem, "gives it to nobody", "on server2");
    // A router's way to a block is no claim, and a pod on its way has two for a moment.
    assert_eq!(examine(&and("10.244.3.0/26", "10.1.5.1")).worst, Level::Ok);
    let pod = with_daemon(|daemon| {
        daemon.claims.push(claim("10.244.1.9/32", "10.1.5.11"));
        daemon.claims.push(claim("10.244.1.9/32", "10.1.8.10"));
    });
    says(&pod, "blocks", Level::Warning, "have a pod of this address", "end one");
}

#[test]
fn a_network_that_several_are_to_announce_is_no_block() {
    let facts = sick(|facts| {
        let shared = "networks = [\"10.244.200.0/24\"]\n[[node]]";
        facts.configured = Ok(configured(
            &TOML.replace("[[node]]\nname = \"server3\"", &format!("{shared}\nname = \"server3\"")),
        ));
        let claims = &mut facts.daemon.as_mut().unwrap().claims;
        claims.push(claim("10.244.200.0/24", "10.1.5.11"));
        claims.push(claim("10.244.200.0/24", "10.1.8.10"));
    });
    assert_eq!(examine(&facts).worst, Level::Ok);
}

#[test]
fn two_ends_that_do_not_encapsulate_alike() {
    // This node is in a /20 that holds server3; server3 says it is in a /24 that does not hold us.
    let facts = with_host(|host| host.addresses[0] = address(2, "10.1.5.10/20"));
    says(
        &facts,
        "encapsulation",
        Level::Problem,
        "this node (10.1.5.10 in 10.1.0.0/20) sends in clear to it, and it (10.1.8.10 in \
         10.1.8.0/24) encapsulates back",
        "\"10.1.5.10/20\" and \"10.1.8.10/20\"",
    );
    // What the file does not say only the others know, and that is said.
    let silent = sick(|facts| {
        facts.configured = Ok(configured(&TOML.replace("10.1.8.10/24", "10.1.8.10")));
    });
    let diagnosis = examine(&silent);
    assert_eq!(diagnosis.worst, Level::Ok);
    assert_eq!(diagnosis.unchecked.len(), 1);
    assert!(diagnosis.unchecked[0].why.contains("1 other node"), "{:?}", diagnosis.unchecked);
    // `always` asks no subnet.
    let always = sick(|facts| {
        facts.configured = Ok(configured(&TOML.replace("cross-subnet", "always")));
        facts.host.addresses[0] = address(2, "10.1.5.10/20");
    });
    assert_eq!(examine(&always).worst, Level::Ok);
}

#[test]
fn what_the_other_end_says_itself_counts_before_what_the_file_says() {
    let says_so = |name: &str, here, there| {
        with_daemon(|daemon| {
            daemon.others.insert(name.to_owned(), (here, there));
        })
    };
    let facts = says_so("server3", How::Tunnel, How::Direct);
    says(&facts, "encapsulation", Level::Problem, "encapsulates to it", "on server3");
    let facts = says_so("server2", How::Direct, How::Tunnel);
    says(&facts, "encapsulation", Level::Problem, "sends in clear to it", "on server2");
    assert_eq!(examine(&says_so("server3", How::Tunnel, How::Tunnel)).worst, Level::Ok);
    assert_eq!(examine(&says_so("server3", How::Tunnel, How::Unreachable)).worst, Level::Ok);
    // By the file server3 would not encapsulate alike; it does, and knows better.
    let facts = sick(|facts| {
        facts.host.addresses[0] = address(2, "10.1.5.10/20");
        let daemon = facts.daemon.as_mut().unwrap();
        daemon.nodes[2].reach = Reach::Direct;
        daemon.others.insert("server3".to_owned(), (How::Direct, How::Direct));
        facts.host.tunnel = None;
    });
    assert_eq!(examine(&facts).worst, Level::Ok);
}

#[test]
fn the_tunnels_counters_are_evidence() {
    let alone = sick(|facts| {
        facts.daemon.as_mut().unwrap().nodes[2].reach = Reach::Direct;
        facts.host.tunnel = Some((5, 0));
    });
    says(&alone, "encapsulation", Level::Warning, "5 packets came out", "tcpdump");
    let unanswered = with_host(|host| host.tunnel = Some((0, 9)));
    says(&unanswered, "encapsulation", Level::Hint, "9 packets went into it", "tcpdump");
}

#[test]
fn a_node_behind_a_gateway_that_knows_no_pods() {
    let facts = with_daemon(|daemon| daemon.nodes[2].warning = Some("via 10.1.5.1".to_owned()));
    says(&facts, "gateways", Level::Problem, "via 10.1.5.1", "ipip = \"cross-subnet\"");
}

#[test]
fn routes_that_the_kernel_does_not_have() {
    let troubled = |trouble| {
        with_daemon(|daemon| {
            let prefix = "10.244.3.0/26".parse().unwrap();
            daemon.troubled.push(Troubled { prefix, trouble });
        })
    };
    let refused = troubled(Trouble::Refused("no buffer space".to_owned()));
    says(&refused, "routes", Level::Problem, "no buffer space", "bgpctl show fib");
    let occupied = troubled(Trouble::Occupied(4));
    says(&occupied, "routes", Level::Problem, "protocol 4", "ip route del 10.244.3.0/26 proto 4");
    let shadowed = troubled(Trouble::Shadowed { protocol: 80, metric: 7 });
    says(&shadowed, "routes", Level::Warning, "smaller metric 7", "proto 80 metric 7");
    let unreachable = troubled(Trouble::Unreachable("tunl0 is down".to_owned()));
    says(&unreachable, "routes", Level::Problem, "tunl0 is down", "show routes 10.244.3.0/26");
}
