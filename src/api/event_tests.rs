use super::*;

fn pairs(text: &[(&str, &str)]) -> Result<EventQuery, ApiError> {
    let pairs: Vec<_> = text.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    EventQuery::from_pairs(&pairs)
}

fn session(peer: &str) -> Happening {
    Happening::Session(SessionEvent {
        peer: peer.to_owned(),
        address: [10, 1, 5, 11].into(),
        was: Some(SessionState::Established),
        state: SessionState::Idle,
        reason: None,
    })
}

fn route(prefix: &str, old: Option<&str>, new: Option<&str>) -> Happening {
    let path = |from: &str| BestPath {
        from: from.to_owned(),
        next_hop: None,
        as_path: String::new(),
        local_pref: None,
        med: None,
    };
    let (old, new) = (old.map(path), new.map(path));
    Happening::Route(RouteEvent { prefix: prefix.parse().unwrap(), old, new })
}

fn fib(prefix: Option<&str>) -> Happening {
    Happening::Fib(FibEvent {
        action: FibAction::Drift,
        prefix: prefix.map(|prefix| prefix.parse().unwrap()),
        old: None,
        new: None,
        text: Some("gone".to_owned()),
    })
}

#[test]
fn a_question_is_read_back_and_a_bad_one_says_why() {
    let asked =
        [("kind", "session,fib"), ("peer", "gw0"), ("peer", "s 2"), ("prefix", "10.0.0.0/8")];
    let query = pairs(&asked).unwrap();
    assert_eq!(query.kinds, [EventKind::Session, EventKind::Fib]);
    let again: Vec<_> = query.to_pairs();
    let again: Vec<_> = again.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(pairs(&again).unwrap(), query);
    assert_eq!(pairs(&[]).unwrap().to_pairs(), []);
    for (key, value, says) in [
        ("kind", "routes", "no events of kind `routes`"),
        ("kind", "", "no events of kind"),
        ("peer", "", "names no neighbour"),
        ("prefix", "10.0.0.1/8", "bits set"),
        ("prefixes", "x", "not a key"),
    ] {
        let error = pairs(&[(key, value)]).unwrap_err();
        assert!(error.error.contains(says), "{key}={value}: {error}");
    }
}

#[test]
fn every_field_of_a_question_must_agree() {
    let all = EventQuery::default();
    let lost = Happening::Lost { count: 1 };
    for what in [session("a"), route("10.0.0.0/8", None, Some("a")), fib(None), lost.clone()] {
        assert!(all.takes(&what), "{what:?}");
    }
    let kinds = pairs(&[("kind", "route")]).unwrap();
    assert!(kinds.takes(&route("10.0.0.0/8", None, Some("a"))) && kinds.takes(&lost));
    assert!(!kinds.takes(&session("a")) && !kinds.takes(&fib(None)));

    let peers = pairs(&[("peer", "a")]).unwrap();
    assert!(peers.takes(&session("a")) && !peers.takes(&session("b")));
    assert!(peers.takes(&route("10.0.0.0/8", Some("a"), Some("b"))));
    assert!(peers.takes(&route("10.0.0.0/8", Some("a"), None)));
    assert!(!peers.takes(&route("10.0.0.0/8", Some("b"), None)));
    assert!(!peers.takes(&fib(Some("10.0.0.0/8"))), "the kernel's routes are nobody's");

    let prefixes = pairs(&[("prefix", "10.1.0.0/16"), ("prefix", "fd00::/16")]).unwrap();
    assert!(prefixes.takes(&fib(Some("10.1.0.0/16"))) && prefixes.takes(&fib(Some("10.1.2.0/24"))));
    assert!(!prefixes.takes(&fib(Some("10.0.0.0/8"))) && !prefixes.takes(&fib(None)));
    assert!(prefixes.takes(&route("fd00:1::/32", None, Some("a"))));
    assert!(!prefixes.takes(&session("a")));
}

#[test]
fn a_line_says_its_kind_beside_number_and_time() {
    let event = Event { seq: 7, time: "2026-01-02T03:04:05.678Z".to_owned(), what: session("a") };
    let text = serde_json::to_string(&event).unwrap();
    let expected = "{\"seq\":7,\"time\":\"2026-01-02T03:04:05.678Z\",\"kind\":\"session\",\
                    \"peer\":\"a\",\"address\":\"10.1.5.11\",\"was\":\"established\",\"state\":\"idle\"}";
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    for what in
        [fib(Some("10.0.0.0/8")), route("10.0.0.0/8", None, None), Happening::Lost { count: 3 }]
    {
        let event = Event { what, ..event.clone() };
        let text = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
