use super::*;

fn pairs(text: &[(&str, &str)]) -> Vec<(String, String)> {
    text.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[test]
fn a_query_survives_the_trip() {
    for lookup in [None, Some("10.244.1.0/26"), Some("10.244.1.7"), Some("fd00::/64"), Some("::1")]
    {
        for from in [None, Some("gw 0&x=y".to_owned())] {
            for detail in [false, true] {
                let query = RouteQuery {
                    lookup: lookup.map(|l| l.parse().unwrap()),
                    from: from.clone(),
                    detail,
                    ..RouteQuery::default()
                };
                let owned: Vec<_> =
                    query.to_pairs().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
                assert_eq!(RouteQuery::from_pairs(&owned).unwrap(), query);
            }
        }
    }
}

#[test]
fn conditions_on_routes_survive_the_trip() {
    let query = RouteQuery {
        lookup: Some("10.0.0.0/8".parse().unwrap()),
        longer: true,
        shorter: true,
        to: Some("gw0".to_owned()),
        withheld: true,
        family: Some(starling_bgp::types::Family::Ipv4),
        states: ["best", "stale"].map(|word| query::state(word).unwrap()).to_vec(),
        communities: ["65000:*", "rt:65000:1", "1:2:3", "no-export"]
            .map(|text| query::community(text).unwrap())
            .to_vec(),
        through: vec![65001, 65002],
        as_path: Some(query::as_path("65000 * ? 65010").unwrap()),
        origin: Some(Origin::Incomplete),
        ..RouteQuery::default()
    };
    let owned: Vec<_> = query.to_pairs().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    assert_eq!(RouteQuery::from_pairs(&owned).unwrap(), query);
    for word in ["best", "valid", "used", "stale", "unreachable", "filtered"] {
        let states = vec![query::state(word).unwrap()];
        let pairs = RouteQuery { states, ..RouteQuery::default() }.to_pairs();
        assert_eq!(pairs, [("state", word.to_owned())]);
    }
    for (bad, part) in [
        (&[("longer", "true")][..], "longer prefixes than which"),
        (&[("address", "10.0.0.1"), ("longer", "")], "longer prefixes than which"),
        (&[("shorter", "true")], "shorter prefixes than which"),
        (&[("withheld", "true")], "from whom"),
        (&[("state", "good")], "`good`"),
        (&[("community", "x")], "`x`"),
        (&[("as", "x")], "no AS number"),
        (&[("as_path", "65000 _")], "`_`"),
        (&[("origin", "IGP")], "IGP"),
        (&[("family", "ipv5")], "ipv5"),
    ] {
        let error = RouteQuery::from_pairs(&pairs(bad)).unwrap_err();
        assert!(error.error.contains(part), "{error:?}");
    }
}

#[test]
fn a_bad_query_says_what_is_wrong_and_what_to_do() {
    let refusal = |p: &[(&str, &str)]| RouteQuery::from_pairs(&pairs(p)).unwrap_err();
    let host_bits = refusal(&[("prefix", "10.244.1.7/26")]);
    assert!(host_bits.error.contains("bits set"), "{host_bits:?}");
    assert!(host_bits.hint.unwrap().contains("10.244.1.0/26"));
    assert!(refusal(&[("prefix", "10.244.1.0")]).hint.unwrap().contains("address="));
    assert!(refusal(&[("prefix", "x/9")]).error.contains("`x/9`"));
    assert!(refusal(&[("address", "10.244.1.0/26")]).error.contains("not an address"));
    let both = refusal(&[("prefix", "10.0.0.0/8"), ("address", "10.0.0.1")]);
    assert!(both.error.contains("exclude"));
    assert!(refusal(&[("from", "a"), ("from", "b")]).error.contains("twice"));
    assert!(refusal(&[("from", "")]).error.contains("no neighbour"));
    assert!(refusal(&[("detail", "yes please")]).error.contains("yes please"));
    assert!(refusal(&[("peer", "a")]).hint.unwrap().contains("from="));
}

#[test]
fn a_neighbour_is_one_flat_object() {
    let json = serde_json::json!({
        "name": "server2", "address": "10.1.5.11", "asn": 64512, "kind": "mesh",
        "state": "open_sent", "since_s": 3, "received": 0, "accepted": 0, "sent": 0,
        "node": false, "everywhere": false, "groups": ["mesh"], "routes": [],
        "reason": null, "local_address": null, "local_asn": 64512,
        "configured": {"families": ["ipv4"], "hold_s": 90, "keepalive_s": 30, "send_hold_s": 480,
            "connect_retry_s": 5, "idle_hold_ms": 0, "idle_hold_max_ms": 0, "passive": false},
        "transport": {"port": 179, "authentication": {"kind": "md5"}, "ttl_security": 1,
            "multihop": null},
        "filtered": 0, "over_limit": 0, "stale": 0, "limits": [], "timers": {},
        "agreed": null, "offered": [], "offers": [], "held": false, "draining": false,
        "messages_received": Counters::default(), "messages_sent": Counters::default(),
        "updates_received": Updates::default(), "updates_sent": Updates::default(),
        "last_received_s": null, "last_down": null, "flaps": 0,
        "import": "", "export": "", "bfd": null, "notes": [],
        "a_field_of_a_later_release": 1,
    });
    let neighbor: Neighbor = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(neighbor.summary.state, SessionState::OpenSent);
    let mut again = serde_json::to_value(&neighbor).unwrap();
    again["a_field_of_a_later_release"] = 1.into();
    assert_eq!(again, json);
}

#[test]
fn kernel_states_are_spelled_alike_everywhere() {
    for state in KernelState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
}

#[test]
fn a_policy_query_refuses_what_it_does_not_know() {
    let query = |pairs: &[(&str, &str)]| {
        let pairs: Vec<(String, String)> =
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        PolicyQuery::from_pairs(&pairs)
    };
    assert!(query(&[("prefix", "10.0.0.0/8"), ("community", "1:2"), ("community", "1:3")]).is_ok());
    for (pairs, part) in [
        (&[][..], "no destination"),
        (&[("prefix", "10.0.0.0/8"), ("address", "10.0.0.1")], "exclude"),
        (&[("prefix", "10.0.0.0/8"), ("place", "out")], "import, export or kernel"),
        (&[("prefix", "10.0.0.0/8"), ("med", "x")], "med is a number"),
        (&[("prefix", "10.0.0.0/8"), ("as_path", "1 x")], "`x` is no AS number"),
        (&[("prefix", "10.0.0.0/8"), ("med", "1"), ("med", "2")], "twice"),
        (&[("prefix", "10.0.0.0/8"), ("peer", "x")], "not a key"),
        (&[("prefix", "10.0.0.0/8"), ("next_hop", "x")], "an address"),
    ] {
        let error = query(pairs).unwrap_err();
        assert!(error.error.contains(part), "{error:?}");
    }
}

#[test]
fn a_question_why_survives_the_trip() {
    for target in ["10.244.1.7", "10.244.1.0/26", "fd00::1", "fd00::/64"] {
        for from in [None, Some("10.244.9.1")] {
            for both in [false, true] {
                let from = from.map(|from| from.parse().unwrap());
                let query = WhyQuery { target: target.parse().unwrap(), both, from };
                let owned: Vec<_> =
                    query.to_pairs().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
                assert_eq!(WhyQuery::from_pairs(&owned).unwrap(), query);
            }
        }
    }
    let refusal = |p: &[(&str, &str)]| WhyQuery::from_pairs(&pairs(p)).unwrap_err();
    assert!(refusal(&[]).error.contains("no address"));
    assert!(refusal(&[("both", "true")]).error.contains("no address"));
    assert!(refusal(&[("address", "::1"), ("address", "::2")]).error.contains("twice"));
    assert!(refusal(&[("address", "::1"), ("both", "yes")]).error.contains("yes"));
    assert!(refusal(&[("address", "::1"), ("prefix", "::/0")]).hint.unwrap().contains("from="));
}
