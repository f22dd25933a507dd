use std::net::Ipv4Addr;

use super::*;
use crate::session::{IdleHold, Offer};
use crate::types::{Asn, PeerId, PeerKind};

fn config() -> PeerConfig {
    PeerConfig {
        id: PeerId(1),
        name: "server2".into(),
        kind: PeerKind::Mesh,
        address: "10.1.5.11".parse().unwrap(),
        local_asn: Asn(64512),
        asn: Asn(64512),
        router_id: Ipv4Addr::new(10, 1, 5, 10),
        local_address: None,
        passive: false,
        families: Families::ALL,
        hold: Duration::from_secs(90),
        connect_retry: Duration::from_secs(120),
        idle_hold: IdleHold::default(),
        send_hold: None,
        offer: Offer::default(),
        allow_own_as: 0,
        first_as: true,
        cluster_id: None,
    }
}

/// The OPEN of the neighbour that `config` expects.
fn theirs() -> Open {
    Open { router_id: Ipv4Addr::new(10, 1, 5, 11), ..offer(&config(), Forwarding::default()) }
}

#[test]
fn two_of_us_agree_on_everything() {
    let negotiated = negotiate(&config(), &theirs()).unwrap();
    let expected = Negotiated {
        asn: Asn(64512),
        router_id: Ipv4Addr::new(10, 1, 5, 11),
        families: Families::ALL,
        as4: true,
        refresh: true,
        end_of_rib: true,
        hold: Duration::from_secs(90),
        enhanced_refresh: true,
        extended_messages: true,
        graceful: Some(Graceful {
            families: Families::ALL,
            preserved: Families::NONE,
            restarting: false,
            notification: true,
            time: Duration::from_secs(120),
            long_lived: [Duration::ZERO; 2],
        }),
        ..Negotiated::default()
    };
    assert_eq!(negotiated, expected);
    assert!(shortfalls(&config(), &negotiated).is_empty());
}

#[test]
fn an_old_speaker_gets_ipv4_and_the_rest_is_said() {
    let open = Open { capabilities: Vec::new(), hold: 0, ..theirs() };
    let negotiated = negotiate(&config(), &open).unwrap();
    assert_eq!(negotiated.families, Families::from_iter([Family::Ipv4]));
    assert!(!negotiated.as4 && !negotiated.refresh && !negotiated.end_of_rib);
    assert!(negotiated.hold.is_zero());
    let words = shortfalls(&config(), &negotiated);
    assert_eq!(words.len(), 5);
    assert_eq!(words[0], "no ipv6: the neighbour does not offer it");
}

#[test]
fn refusals() {
    let other_as = Open { asn: Asn(65000), ..theirs() };
    assert_eq!(negotiate(&config(), &other_as), Err(Notification::BAD_PEER_AS));

    let our_id = Open { router_id: config().router_id, ..theirs() };
    assert_eq!(negotiate(&config(), &our_id), Err(Notification::BAD_BGP_IDENTIFIER));
    let external = PeerConfig { asn: Asn(65000), kind: PeerKind::External, ..config() };
    let same_id = Open { asn: Asn(65000), ..our_id };
    assert!(negotiate(&external, &same_id).is_ok(), "RFC 6286: unique per AS only");

    let only_v6 = PeerConfig { families: Families::from_iter([Family::Ipv6]), ..config() };
    let only_v4 = Open { capabilities: vec![Capability::family(Family::Ipv4)], ..theirs() };
    let needed = Notification::with(2, 7, vec![1, 4, 0, 2, 0, 1]);
    assert_eq!(negotiate(&only_v6, &only_v4), Err(needed.clone()));
    let multicast =
        Open { capabilities: vec![Capability::Multiprotocol { afi: 1, safi: 2 }], ..theirs() };
    assert_eq!(negotiate(&only_v6, &multicast), Err(needed));
    assert_eq!(
        negotiate(&config(), &multicast).unwrap_err().subcode,
        7,
        "IPv4 is not implied then"
    );
}

#[test]
fn the_smaller_hold_time_counts() {
    for (ours, theirs_, agreed) in
        [(90, 30, 30), (30, 90, 30), (0, 90, 0), (1, 90, 3), (1 << 20, 65535, 65535)]
    {
        let config = PeerConfig { hold: Duration::from_secs(ours), ..config() };
        let open = Open { hold: theirs_, ..theirs() };
        assert_eq!(negotiate(&config, &open).unwrap().hold, Duration::from_secs(agreed));
    }
}

#[test]
fn only_some_settings_make_another_session() {
    let old = config();
    let silent = [
        PeerConfig { name: "renamed".into(), ..config() },
        PeerConfig { passive: true, ..config() },
        PeerConfig { connect_retry: Duration::from_secs(5), ..config() },
    ];
    assert!(silent.iter().all(|new| !remakes(&old, new)));
    let loud = [
        PeerConfig { address: "10.1.5.12".parse().unwrap(), ..config() },
        PeerConfig { local_address: Some("10.1.5.10".parse().unwrap()), ..config() },
        PeerConfig { families: Families::NONE, ..config() },
        PeerConfig { hold: Duration::from_secs(9), ..config() },
        PeerConfig { asn: Asn(1), ..config() },
        PeerConfig { local_asn: Asn(1), ..config() },
        PeerConfig { router_id: Ipv4Addr::LOCALHOST, ..config() },
        PeerConfig { kind: PeerKind::Internal, ..config() },
    ];
    assert!(loud.iter().all(|new| remakes(&old, new)));
    // Who gets another address, and an identifier with it, is still who it was.
    let moved = PeerConfig { router_id: Ipv4Addr::LOCALHOST, ..config() };
    assert!(!becomes_another(&old, &moved));
    assert!(becomes_another(&old, &PeerConfig { local_asn: Asn(1), ..config() }));
}
