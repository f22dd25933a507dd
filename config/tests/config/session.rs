//! What sessions offer: `[cluster]` for all, `[[peer]]` for itself.

use std::time::Duration;

use starling_bgp::session::{IdleHold, Restart};
use starling_bgp::types::{PeerId, Role};
use starling_config::{PeerPlan, diff, parse};

const NODE: &str = "[[node]]\nname = \"one\"\naddress = [\"10.0.0.1\", \"fd00::1\"]\n\
                    [[node]]\nname = \"two\"\naddress = [\"10.0.0.2\", \"fd00::2\"]\n\
                    [[pool]]\ncidr = \"10.244.0.0/16\"\n";

fn text(cluster: &str, peer: &str) -> String {
    format!(
        "[cluster]\nasn = 64512\n{cluster}\n{NODE}\n[[peer]]\nname = \"gw\"\n\
         address = \"10.0.0.9\"\nasn = 65000\n{peer}\n"
    )
}

/// The mesh neighbour and the router of node `one`.
fn peers(cluster: &str, peer: &str) -> [PeerPlan; 2] {
    let config = parse(&text(cluster, peer)).unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    config.plan(&config.nodes[0]).peers.try_into().unwrap()
}

fn errors(cluster: &str, peer: &str) -> String {
    parse(&text(cluster, peer)).unwrap_err().to_string()
}

#[test]
fn by_default_graceful_restart_and_long_messages_are_offered() {
    for plan in peers("", "") {
        let config = plan.peer_config(PeerId(1));
        assert_eq!(config.offer.restart.time, Duration::from_secs(120));
        assert!(config.offer.restart.helper && config.offer.extended_messages);
        assert!(!config.offer.extended_next_hop && !config.offer.add_path_receive);
        assert_eq!((config.allow_own_as, config.first_as, config.send_hold), (0, true, None));
        assert_eq!(plan.policy().add_path, 0);
    }
}

#[test]
fn a_peer_says_what_is_otherwise_with_it() {
    let cluster = "graceful-restart = \"helper\"\nadd-paths = \"receive\"\nsend-hold = \"30s\"\n\
                   idle-hold = \"4s\"\nidle-hold-max = \"5m\"";
    let peer = "graceful-restart = true\nrestart-time = \"90s\"\nlong-lived = \"1h\"\n\
                add-paths = \"both\"\nadd-path-limit = 7\nrole = \"customer\"\n\
                strict-role = true\nallow-own-as = 2\nfirst-as = false\nidle-hold = \"10s\"";
    let [mesh, gw] = peers(cluster, peer);
    let second = Duration::from_secs(1);
    let helper = Restart { time: Duration::ZERO, helper: true, long_lived: Duration::ZERO };
    assert_eq!(mesh.session.offer.restart, helper);
    assert!(mesh.session.offer.add_path_receive && !mesh.session.offer.add_path_send);
    assert_eq!(mesh.session.send_hold, Some(30 * second));
    let offer = gw.peer_config(PeerId(2)).offer;
    let both = Restart { time: 90 * second, helper: true, long_lived: 3600 * second };
    assert_eq!(offer.restart, both);
    assert_eq!((offer.role, offer.strict_role), (Some(Role::Customer), true));
    assert!(offer.add_path_receive && offer.add_path_send);
    assert_eq!(gw.policy().add_path, 7);
    assert_eq!((gw.session.allow_own_as, gw.session.first_as), (2, false));
    assert_eq!(gw.session.send_hold, Some(30 * second), "as [cluster] says");
    let most = Some(300 * second);
    assert_eq!(mesh.peer_config(PeerId(1)).idle_hold, IdleHold { first: 4 * second, most });
    assert_eq!(gw.peer_config(PeerId(2)).idle_hold, IdleHold { first: 10 * second, most });
}

#[test]
fn off_is_off() {
    let [mesh, gw] = peers("graceful-restart = false", "graceful-restart = true");
    assert!(!mesh.session.offer.restart.helper && mesh.session.offer.restart.time.is_zero());
    assert_eq!(gw.session.offer.restart, Restart::default());
}

#[test]
fn between_link_local_addresses_ipv4_has_ipv6_next_hops() {
    let unnumbered = text("", "").replace("10.0.0.9", "fe80::9%eth0");
    let config = parse(&unnumbered.replace("asn = 65000", "asn = 65000\nfamilies = [\"ipv4\"]"));
    let config = config.unwrap();
    let plan = config.plan(&config.nodes[0]);
    let gw = plan.peers.last().unwrap();
    assert!(gw.session.offer.extended_next_hop);
    assert_eq!(gw.families.iter().count(), 1);
    let said = parse(&unnumbered.replace("asn = 65000", "asn = 65000\nextended-next-hop = false"));
    let said = said.unwrap();
    assert!(!said.peers[0].session.offer.extended_next_hop);
}

#[test]
fn what_cannot_be_is_said() {
    for (peer, words) in [
        ("restart-time = \"5000s\"", "OPEN cannot carry this time"),
        ("restart-time = \"1500ms\"", "OPEN cannot carry this time"),
        ("long-lived = \"1500ms\"", "OPEN cannot carry this time"),
        ("send-hold = \"1s\"", "given up at once"),
        ("idle-hold-max = \"500ms\"", "less than the time after the first error"),
        ("idle-hold = \"2m\"\nidle-hold-max = \"1m\"", "120s or more (idle-hold)"),
        ("add-path-limit = 0", "nothing would be sent"),
        ("allow-own-as = 256", "allow-own-as"),
        ("add-paths = \"all\"", "\"none\", \"receive\", \"send\" or \"both\""),
        ("graceful-restart = \"yes\"", "true, false or \"helper\""),
        ("role = \"server\"", "rs-server"),
        ("strict-role = true", "without a role"),
    ] {
        let said = errors("", peer);
        assert!(said.contains(words), "{peer}: {said}");
    }
    let internal = text("", "role = \"peer\"").replace("asn = 65000", "asn = 64512");
    let said = parse(&internal).unwrap_err().to_string();
    assert!(said.contains("in the node's own AS has no role"), "{said}");
    assert!(errors("role = \"peer\"", "").contains("role"), "nodes have none");
}

#[test]
fn a_reload_says_what_changes() {
    let of = |peer: &str| {
        let config = parse(&text("", peer)).unwrap();
        config.plan(&config.nodes[0])
    };
    let old = of("");
    for (peer, line) in [
        ("graceful-restart = \"helper\"", "graceful-restart: true -> helper (the session"),
        ("restart-time = \"60s\"", "restart-time: 120s -> 60s (the session"),
        ("add-paths = \"send\"", "add-paths: none -> send (the session"),
        ("role = \"peer\"", "role: none -> peer (the session"),
        ("first-as = false", "first-as: true -> false\n"),
        ("extended-messages = false", "extended-messages: true -> false (the session"),
        ("send-hold = \"60s\"", "send-hold: default -> 60s\n"),
        ("idle-hold = \"0s\"", "idle-hold: 1s -> 0ns\n"),
        ("idle-hold-max = \"2m\"", "idle-hold-max: connect-retry -> 120s\n"),
    ] {
        let said = diff(&old, &of(peer)).to_string();
        assert!(said.contains(line), "{peer}: {said}");
    }
}
